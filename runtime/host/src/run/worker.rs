//! The threads that compute: each takes records past the stages with instances of its own, and lets others wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, never, select_biased};
use tokio::runtime::Handle;

use super::house::Ticket;
use super::writer::{Batch, Order, Stray};
use super::{Fatal, Stop, Watch};
use crate::llm::Llm;
use crate::prompt::Prompt;
use crate::sinks::Origin;
use crate::stages::{Passage, Stage, Stages, Worker};

/// A stage must have tried so many documents before its share of failures says anything about it.
const TRIED_ENOUGH: u64 = 100;

/// A record on its way. It carries its way back, so that the workers know by their empty queues that nothing can come.
pub(super) struct Job {
    pub(super) part: usize,
    pub(super) sequence: u64,
    pub(super) strays: Vec<Stray>,
    pub(super) origin: Origin,
    pub(super) passage: Passage,
    pub(super) ticket: Ticket,
    /// Whether it asked for what a batch is to answer.
    pub(super) waits: bool,
    pub(super) back: Sender<Self>,
}

/// What all workers share: nothing that changes but counters.
pub(super) struct Shop {
    pub(super) stages: Arc<Stages>,
    pub(super) llm: Arc<Llm>,
    pub(super) runtime: Handle,
    pub(super) stop: Arc<Stop>,
    pub(super) watch: Arc<Watch>,
    pub(super) tallies: Vec<Tally>,
}

/// How a stage does, for the decision that it is broken.
#[derive(Debug, Default)]
pub(super) struct Tally {
    tried: AtomicU64,
    failed: AtomicU64,
}

/// Works until there is nothing left: those whose replies are there first, since they hold their places the longest.
pub(super) fn work(
    shop: &Shop,
    mut fresh: Receiver<Job>,
    mut resumed: Receiver<Job>,
    orders: &Sender<Order>,
) {
    let mut worker = Worker::new(Arc::clone(&shop.stages));
    let (mut sources, mut replies) = (true, true);
    while sources || replies {
        let job = select_biased! {
            recv(resumed) -> job => job.map_err(|_closed| { replies = false; resumed = never(); }),
            recv(fresh) -> job => job.map_err(|_closed| { sources = false; fresh = never(); }),
        };
        let Ok(job) = job else { continue };
        // A run that stops finishes nothing more: what is under way is replayed from the journal the next time.
        if !shop.stop.is_set() {
            advance(shop, &mut worker, job, orders);
        }
    }
}

fn advance(shop: &Shop, worker: &mut Worker, mut job: Job, orders: &Sender<Order>) {
    if job.waits {
        // A writer that is gone has said why.
        drop(orders.send(Order::Wait { part: job.part, sequence: job.sequence }));
        return;
    }
    let prompts = job.passage.advance(worker);
    for line in job.passage.lines() {
        shop.watch.say(line);
    }
    if !prompts.is_empty() {
        ask(shop, job, prompts);
        return;
    }
    let Job { part, sequence, strays, origin, passage, ticket, waits: _, back: _ } = job;
    let passed = passage.finish();
    if let Some(fatal) = broken(shop, &passed.fate) {
        shop.stop.set(fatal);
        return;
    }
    let batch = Batch { strays, page: Some((origin, passed)), ticket: Some(ticket) };
    // A writer that is gone has said why, and the run is stopping.
    drop(orders.send(Order::Settle { part, sequence, batch: Box::new(batch) }));
}

/// Lets the runtime wait for the replies; the record comes back to whichever worker is free then. If a batch is to
/// answer, another run takes it from its beginning.
fn ask(shop: &Shop, mut job: Job, prompts: Vec<Prompt>) {
    let (llm, stop) = (Arc::clone(&shop.llm), Arc::clone(&shop.stop));
    shop.runtime.spawn(async move {
        match llm.answers(&prompts).await {
            Ok(answers) => {
                match answers {
                    Some(answers) => {
                        let answers = answers.into_iter().map(|answer| (answer.prompt_id, answer.reply));
                        job.passage.answer(answers.collect());
                    }
                    None => job.waits = true,
                }
                let back = job.back.clone();
                // The queue holds as many as there are places, so this never waits.
                drop(back.send(job));
            }
            Err(fatal) => stop.set(Fatal::Model(fatal)),
        }
    });
}

fn broken(shop: &Shop, fate: &crate::ledger::Fate) -> Option<Fatal> {
    for (place, failed) in fate.stages() {
        let (Some(tally), Some(stage)) = (shop.tallies.get(place), shop.stages.stages().get(place)) else {
            continue;
        };
        let tried = tally.tried.fetch_add(1, Ordering::Relaxed) + 1;
        if failed && let Err(error) = shop.stages.flush() {
            return Some(Fatal::Board(error));
        }
        let fails = tally.failed.fetch_add(u64::from(failed), Ordering::Relaxed) + u64::from(failed);
        if failed && TRIED_ENOUGH <= tried && too_many(stage, fails, tried) {
            return Some(Fatal::StageFails { stage: stage.name().to_owned(), failed: fails, tried });
        }
    }
    None
}

#[expect(clippy::cast_precision_loss, reason = "a share of documents needs no 53 bits")]
fn too_many(stage: &Stage, failed: u64, tried: u64) -> bool {
    stage.plan().max_failed < failed as f64 / tried as f64
}
