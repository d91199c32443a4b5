//! A language model inside the process: llama.cpp on the CPU, for pipelines that run without a server.
//!
//! One thread owns the model; callers send it prompts and wait. It answers up to a number of prompts together, and a
//! new one joins as soon as one is done. The module refuses to know retries, budgets and journals: it is asked like a
//! server, and a server that does not fail.
//!
//! What a reply depends on: the prompt, the weights, and in its last digits on the arithmetic of the machine. Each slot
//! has its own cache and its own chance, so what shares a step with a prompt should not show in its reply, and has not
//! where it was measured; but llama.cpp promises nothing of the kind, may add numbers up in another order for another
//! number of rows, and where two tokens are equally likely rounding tips the scales. Hence replies are not to be
//! compared across machines or numbers of slots; the journal is what makes a run repeatable.
//!
//! The system message is given to the model if the prompt has one and not otherwise: a default that a chat template
//! would insert is left out, so that the prompt is all that was asked.

mod engine;
mod grammar;
mod picker;
mod reply;
mod schema;
mod words;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use tokio::sync::{mpsc, oneshot};

use self::engine::{Ask, Plan};
use crate::prompt::{Failure, Prompt, Reply};
/// How many of a machine's cores compute for the model unless told otherwise: half of them.
///
/// llama.cpp's threads wait for each other many times in each step, and at full speed. Where other work takes one of
/// them its core, as the stages of a run do, all stand: on two cores that were busy two threads wrote 7 tokens a second
/// and one thread 57.
pub(crate) fn default_threads(cores: usize) -> usize {
    (cores / 2).max(1)
}

/// llama.cpp knows no more sequences in one context.
const MAX_SLOTS: usize = 256;

/// What C++ expects of a thread; Rust's own have a quarter of it.
const STACK_BYTES: usize = 8 << 20;

/// What is wrong with the model as a whole, whatever it is asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EmbeddedError {
    #[error("llama.cpp does not start: {0}")]
    Backend(String),
    #[error("cannot load the weights `{}`: {says}", path.display())]
    Weights { path: PathBuf, says: String },
    #[error("the chat template of the weights cannot be used: {0}")]
    Template(String),
    #[error("a context of {asked} tokens was asked for; the model was trained for {most}")]
    Context { asked: u32, most: u32 },
    #[error("no memory for a context of {tokens} tokens in all: {says}")]
    Memory { tokens: u32, says: String },
    #[error("cannot start the embedded model's thread")]
    Thread(#[source] io::Error),
    #[error("the embedded model failed: {0}")]
    Step(String),
    #[error("the embedded model's thread has ended")]
    Ended,
}

type Answer = Result<Result<Reply, Failure>, EmbeddedError>;

/// A model that is loaded. Clones are the same model; with the last one its thread ends.
#[derive(Debug, Clone)]
pub(crate) struct Embedded {
    owner: Arc<Owner>,
}

/// The fields are dropped in this order: the thread ends once nobody can ask any more.
#[derive(Debug)]
struct Owner {
    asks: mpsc::Sender<Ask>,
    _thread: Joined,
}

/// A thread that is waited for. A process that ended under it would take llama.cpp's tables away while it counts; the
/// wait is one step of the model at most.
#[derive(Debug)]
struct Joined(Option<thread::JoinHandle<()>>);

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // If it panicked, the callers have been told so.
            drop(thread.join());
        }
    }
}

impl Embedded {
    /// Loads a model, which takes up to a second. `context` is the tokens of one prompt with its reply, `slots` how
    /// many are answered together, `threads` how many threads compute.
    pub(crate) fn load(
        weights: &Path,
        context: u32,
        slots: usize,
        threads: usize,
    ) -> Result<Self, EmbeddedError> {
        let slots = slots.clamp(1, MAX_SLOTS);
        let plan = Plan {
            weights: weights.to_owned(),
            context: context.max(1),
            slots: slots as u32,
            threads: i32::try_from(threads.max(1)).unwrap_or(i32::MAX),
        };
        // One waits for each slot, so that a free one never waits; the others wait with their callers.
        let (asks, asked) = mpsc::channel(slots);
        let (ready, loaded) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("embedded-model".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || engine::run(&plan, &ready, asked))
            .map_err(EmbeddedError::Thread)?;
        let owner = Arc::new(Owner { asks, _thread: Joined(Some(thread)) });
        loaded.recv().map_err(|_ended| EmbeddedError::Ended)??;
        Ok(Self { owner })
    }

    /// The reply to a prompt, or why this prompt has none. A caller that stops waiting makes room for others.
    pub(crate) async fn complete(&self, prompt: &Prompt) -> Answer {
        let (answer, answered) = oneshot::channel();
        let ask = Ask { prompt: prompt.clone(), answer };
        self.owner.asks.send(ask).await.map_err(|_ended| EmbeddedError::Ended)?;
        answered.await.map_err(|_ended| EmbeddedError::Ended)?
    }
}

#[cfg(test)]
mod tests;
