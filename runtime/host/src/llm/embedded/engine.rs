//! The thread that owns the model. It writes several replies at once, a token of each with every step.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::mpsc::SyncSender;

use llama_cpp_2::LlamaCppError;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::{BatchAddError, LlamaBatch};
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::oneshot;

use super::picker::Picker;
use super::reply::Text;
use super::words::Words;
use super::{Answer, EmbeddedError};
use crate::prompt::{Failure, Finish, Prompt, Reply};

/// Tokens of one step. A prompt is read that many at a time, and other replies wait that long for their next token:
/// half a second at the speed of two cores.
const BATCH: usize = 128;

/// Stop strings of one prompt, and bytes of each: every token is searched for all of them.
const MAX_STOPS: usize = 16;
const MAX_STOP_BYTES: usize = 256;

/// llama.cpp's state for the whole process. It prints nothing.
static BACKEND: LazyLock<Result<LlamaBackend, LlamaCppError>> = LazyLock::new(|| {
    let mut backend = LlamaBackend::init()?;
    backend.void_logs();
    Ok(backend)
});

/// A prompt and who waits for its reply.
pub(super) struct Ask {
    pub(super) prompt: Prompt,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// What the engine is built from.
pub(super) struct Plan {
    pub(super) weights: PathBuf,
    pub(super) context: u32,
    pub(super) slots: u32,
    pub(super) threads: i32,
}

/// Loads the model, says whether that went well, and answers until nobody can ask any more.
pub(super) fn run(plan: &Plan, ready: &SyncSender<Result<(), EmbeddedError>>, asks: Receiver<Ask>) {
    // Nobody waits for the word any more if the loader has gone; then nobody can ask either.
    let say = |word| drop(ready.send(word));
    let (backend, model) = match load(plan) {
        Ok(loaded) => loaded,
        Err(error) => return say(Err(error)),
    };
    match Engine::new(plan, backend, &model) {
        Ok(engine) => {
            say(Ok(()));
            engine.serve(asks);
        }
        Err(error) => say(Err(error)),
    }
}

fn load(plan: &Plan) -> Result<(&'static LlamaBackend, LlamaModel), EmbeddedError> {
    let backend = BACKEND.as_ref().map_err(|error| EmbeddedError::Backend(error.to_string()))?;
    let weights = |says: String| EmbeddedError::Weights { path: plan.weights.clone(), says };
    if !plan.weights.is_file() {
        return Err(weights("there is no such file".to_owned()));
    }
    let model = LlamaModel::load_from_file(backend, &plan.weights, &LlamaModelParams::default())
        .map_err(|error| weights(error.to_string()))?;
    let most = model.n_ctx_train();
    if most < plan.context {
        return Err(EmbeddedError::Context { asked: plan.context, most });
    }
    Ok((backend, model))
}

struct Engine<'m> {
    words: Words<'m>,
    context: LlamaContext<'m>,
    batch: LlamaBatch<'static>,
    slots: Vec<Option<Slot>>,
    /// Tokens of one prompt and its reply.
    tokens: usize,
}

/// A reply in the making.
struct Slot {
    answer: oneshot::Sender<Answer>,
    picker: Picker,
    text: Text,
    /// The prompt, and the reply so far.
    tokens: Vec<LlamaToken>,
    prompt_tokens: usize,
    /// Where the reply ends if the model does not end it.
    most_tokens: usize,
    /// How many of the tokens the model has seen.
    seen: usize,
    /// Where in the batch the next token is decided, if it is in this one.
    output: Option<i32>,
}

impl<'m> Engine<'m> {
    fn new(plan: &Plan, backend: &LlamaBackend, model: &'m LlamaModel) -> Result<Self, EmbeddedError> {
        let words = Words::of(model)?;
        // llama.cpp rounds each slot's context up to these units.
        let tokens = plan.context.next_multiple_of(256).saturating_mul(plan.slots);
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(tokens))
            .with_n_batch(BATCH as u32)
            .with_n_ubatch(BATCH as u32)
            .with_n_seq_max(plan.slots)
            .with_n_threads(plan.threads)
            .with_n_threads_batch(plan.threads)
            // Each slot has a cache of its own, so that what others write moves nothing in it.
            .with_kv_unified(false)
            .with_no_perf(true);
        let context = model
            .new_context(backend, params)
            .map_err(|error| EmbeddedError::Memory { tokens, says: error.to_string() })?;
        let slots = (0..plan.slots).map(|_| None).collect();
        let batch = LlamaBatch::new(BATCH, 1);
        Ok(Self { words, context, batch, slots, tokens: plan.context as usize })
    }

    fn serve(mut self, mut asks: Receiver<Ask>) {
        while self.admit(&mut asks) {
            self.forget_the_cancelled();
            if self.slots.iter().all(Option::is_none) {
                continue;
            }
            match self.step() {
                Ok(()) => {
                    for slot in 0..self.slots.len() {
                        self.advance(slot);
                    }
                }
                Err(error) => self.fail(&error),
            }
        }
    }

    /// Fills free slots, and waits for a prompt where all are free. False where nobody can ask any more.
    fn admit(&mut self, asks: &mut Receiver<Ask>) -> bool {
        while let Some(free) = self.slots.iter().position(Option::is_none) {
            let ask = if self.slots.iter().all(Option::is_none) {
                asks.blocking_recv().ok_or(TryRecvError::Disconnected)
            } else {
                asks.try_recv()
            };
            match ask {
                Ok(ask) if ask.answer.is_closed() => {}
                Ok(ask) => match self.start(&ask.prompt) {
                    Ok(started) => self.slots[free] = Some(started.slot(ask.answer)),
                    Err(answer) => reply(ask.answer, Ok(answer)),
                },
                Err(TryRecvError::Empty) => break,
                // Whoever held the handle is gone, and with it all who waited.
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    /// Makes a prompt ready, or answers it at once.
    fn start(&self, prompt: &Prompt) -> Result<Started, Result<Reply, Failure>> {
        if MAX_STOPS < prompt.stop.len() || prompt.stop.iter().any(|stop| MAX_STOP_BYTES < stop.len()) {
            let says =
                format!("more than {MAX_STOPS} stop strings or one of more than {MAX_STOP_BYTES} bytes");
            return Err(Err(Failure::Refused(says)));
        }
        let picker = Picker::of(prompt).map_err(Err)?;
        // One token of the context is the reply's at least.
        let tokens = self.words.read(prompt, self.tokens - 1);
        let tokens = tokens.ok_or(Err(Failure::TooLong(self.tokens as u32)))?;
        let prompt_tokens = tokens.len();
        let most_tokens = prompt_tokens.saturating_add(prompt.max_tokens as usize).min(self.tokens);
        let started =
            Started { picker, text: Text::new(prompt.stop.clone()), tokens, prompt_tokens, most_tokens };
        if most_tokens == prompt_tokens {
            return Err(Ok(started.nothing()));
        }
        Ok(started)
    }

    fn forget_the_cancelled(&mut self) {
        for slot in 0..self.slots.len() {
            if self.slots[slot].as_ref().is_some_and(|slot| slot.answer.is_closed()) {
                self.free(slot);
            }
        }
    }

    fn free(&mut self, slot: usize) -> Option<Slot> {
        // To forget a whole sequence cannot fail, nor is a slot's number too large for it.
        let forgotten = self.context.clear_kv_cache_seq(Some(slot as u32), None, None);
        debug_assert_eq!(forgotten.ok(), Some(true));
        self.slots[slot].take()
    }

    fn step(&mut self) -> Result<(), String> {
        self.fill().map_err(|error| error.to_string())?;
        self.context.decode(&mut self.batch).map_err(|error| error.to_string())
    }

    /// Collects the next tokens. First one for each reply under way, so that a long prompt holds nobody up; what is
    /// left of the batch is for prompts.
    fn fill(&mut self) -> Result<(), BatchAddError> {
        self.batch.clear();
        for reading in [false, true] {
            for (number, slot) in (0..).zip(&mut self.slots) {
                let Some(slot) = slot.as_mut().filter(|slot| slot.is_reading() == reading) else { continue };
                let room = BATCH - self.batch.n_tokens() as usize;
                let until = slot.tokens.len().min(slot.seen + room);
                slot.output = None;
                for at in slot.seen..until {
                    let decides = at + 1 == slot.tokens.len();
                    if decides {
                        slot.output = Some(self.batch.n_tokens());
                    }
                    self.batch.add(slot.tokens[at], at as i32, &[number], decides)?;
                }
                slot.seen = until;
            }
        }
        Ok(())
    }

    /// Takes a slot's next token out of the last step, and its reply where that ended it.
    fn advance(&mut self, number: usize) {
        let Some(slot) = &mut self.slots[number] else { return };
        let Some(output) = slot.output.take() else { return };
        let logits = self.context.get_logits_ith(output);
        let Some(end) = slot.take(logits, &self.words) else { return };
        if let Some(slot) = self.free(number) {
            slot.finish(end);
        }
    }

    /// Ends all replies under way: after a step that failed nobody knows what the model has seen.
    fn fail(&mut self, says: &str) {
        self.context.clear_kv_cache();
        for slot in self.slots.iter_mut().filter_map(Option::take) {
            reply(slot.answer, Err(EmbeddedError::Step(says.to_owned())));
        }
    }
}

/// A prompt that is ready for a slot.
struct Started {
    picker: Picker,
    text: Text,
    tokens: Vec<LlamaToken>,
    prompt_tokens: usize,
    most_tokens: usize,
}

impl Started {
    fn slot(self, answer: oneshot::Sender<Answer>) -> Slot {
        let Self { picker, text, tokens, prompt_tokens, most_tokens } = self;
        Slot { answer, picker, text, tokens, prompt_tokens, most_tokens, seen: 0, output: None }
    }

    /// The reply of no tokens.
    fn nothing(self) -> Reply {
        let prompt_tokens = self.prompt_tokens as u32;
        Reply { text: String::new(), finish: Finish::Length, prompt_tokens, completion_tokens: 0 }
    }
}

impl Slot {
    fn is_reading(&self) -> bool {
        self.seen < self.prompt_tokens
    }

    /// Adds the next token, and says how the reply ends where it does.
    fn take(&mut self, logits: &[f32], words: &Words<'_>) -> Option<Result<Finish, Failure>> {
        let id = match self.picker.pick(logits, words) {
            Ok(Some(id)) => id,
            Ok(None) => return Some(Err(Failure::Refused("the grammar leads nowhere".to_owned()))),
            Err(error) => return Some(Err(Failure::Refused(error.to_string()))),
        };
        self.tokens.push(LlamaToken::new(id as i32));
        if words.ends_reply(id) || self.text.push(words.piece(id)) || self.picker.is_full() {
            return Some(Ok(Finish::Stop));
        }
        (self.tokens.len() == self.most_tokens).then_some(Ok(Finish::Length))
    }

    fn finish(self, end: Result<Finish, Failure>) {
        let reply_tokens = self.tokens.len() - self.prompt_tokens;
        let answer = end.map(|finish| Reply {
            text: self.text.finish(),
            finish,
            prompt_tokens: self.prompt_tokens as u32,
            completion_tokens: reply_tokens as u32,
        });
        reply(self.answer, Ok(answer));
    }
}

fn reply(waiter: oneshot::Sender<Answer>, answer: Answer) {
    // Whoever has gone in the meantime does not want it any more.
    drop(waiter.send(answer));
}
