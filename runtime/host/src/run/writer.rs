//! The last in line: what is done is put in order, written down and booked, part by part.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::Watch;
use super::house::Ticket;
use crate::board::BoardError;
use crate::config::MixPlan;
use crate::ledger::{Fate, Ledger, Outcome, Place};
use crate::sinks::commit::{Finished, Mark};
use crate::sinks::mix::{Mix, OVER_SHARE};
use crate::sinks::part::{Of, Part, Sink};
use crate::sinks::{self, Origin, Reject};
use crate::stages::{Passed, Rejected, Stage, Stages};
use crate::tokens;

/// What the writer is told.
pub(super) enum Order {
    Begin {
        /// Its number in this run.
        part: usize,
        archive: usize,
        of: Box<Of>,
    },
    /// Everything up to and with one page, in the order of the archive.
    Settle { part: usize, sequence: u64, batch: Box<Batch> },
    /// A page waits for a batch of prompts: its part becomes whole in another run.
    Wait { part: usize, sequence: u64 },
    /// So many batches were sent: when all are there, the part is whole.
    End {
        part: usize,
        batches: u64,
        /// Where the archive's next part begins.
        next: Option<Mark>,
    },
}

/// Records that are done: those that became no page, and the page after them.
pub(super) struct Batch {
    pub(super) strays: Vec<Stray>,
    pub(super) page: Option<(Origin, Passed)>,
    /// Held until the rows are written.
    pub(super) ticket: Option<Ticket>,
}

/// A record that became no page.
pub(super) struct Stray {
    pub(super) fate: Fate,
    /// Why, for those that failed; what was never meant to be a page is only counted.
    pub(super) failed: Option<FailedRecord>,
}

pub(super) struct FailedRecord {
    pub(super) origin: Origin,
    pub(super) url: Option<String>,
    pub(super) date: Option<String>,
    pub(super) place: &'static str,
    pub(super) reason: String,
    pub(super) says: String,
}

/// What was written.
#[derive(Debug)]
pub(super) struct Written {
    /// The parts that became whole in this run, with their archives.
    pub(super) finished: Vec<(usize, Finished)>,
    /// The books of this run, unfinished parts included.
    pub(super) ledger: Ledger,
    /// Pages that wait for a batch of prompts.
    pub(super) waiting: u64,
    /// Time spent in each stage, by all workers.
    pub(super) took: Vec<Duration>,
}

/// Why nothing more is written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(transparent)]
    Sink(#[from] sinks::Fatal),
    #[error(transparent)]
    Board(#[from] BoardError),
    #[error(transparent)]
    Imbalance(#[from] crate::ledger::Imbalance),
}

/// The name of the place in the books where rows are held against their shares.
const MIX: &str = "mix";

/// The places that rows pass after they have become pages.
pub(super) fn places<'a>(stages: &'a Stages, mix: Option<&MixPlan>) -> impl Iterator<Item = &'a str> {
    stages.stages().iter().map(Stage::name).chain(mix.map(|_| MIX))
}

struct Open<'a> {
    archive: usize,
    /// None once it cannot become whole.
    part: Option<Part>,
    ledger: Ledger,
    mix: Option<Mix<'a>>,
    /// Batches that came before their turn.
    early: BTreeMap<u64, Option<Batch>>,
    next: u64,
    /// How many there are in all, and where the next part begins.
    end: Option<(u64, Option<Mark>)>,
}

/// Writes until nobody is left to give orders. Parts that are not whole by then leave nothing.
pub(super) fn write(
    orders: &Receiver<Order>,
    sink: &Arc<Sink>,
    stages: &Stages,
    mix: Option<&MixPlan>,
    watch: &Watch,
) -> Result<Written, WriteError> {
    let empty = || Ledger::new(places(stages, mix));
    let mut open: BTreeMap<usize, Open<'_>> = BTreeMap::new();
    let took = vec![Duration::ZERO; stages.stages().len()];
    let mut written = Written { finished: Vec::new(), ledger: empty(), waiting: 0, took };
    for order in orders {
        let id = match order {
            Order::Begin { part, archive, of } => {
                let written = Part::create(sink, *of)?;
                let it = Open {
                    archive,
                    part: Some(written),
                    ledger: empty(),
                    mix: mix.map(|MixPlan { by, shares }| Mix::new(by, shares)),
                    early: BTreeMap::new(),
                    next: 0,
                    end: None,
                };
                open.insert(part, it);
                continue;
            }
            Order::Settle { part, sequence, batch } => {
                if let Some(it) = open.get_mut(&part) {
                    it.early.insert(sequence, Some(*batch));
                }
                part
            }
            Order::Wait { part, sequence } => {
                written.waiting += 1;
                if let Some(it) = open.get_mut(&part) {
                    it.part = None;
                    it.early.insert(sequence, None);
                }
                part
            }
            Order::End { part, batches, next } => {
                if let Some(it) = open.get_mut(&part) {
                    it.end = Some((batches, next));
                }
                part
            }
        };
        let Some(it) = open.get_mut(&id) else { continue };
        while let Some(batch) = it.early.remove(&it.next) {
            it.next += 1;
            if let Some(batch) = batch {
                settle(it, batch, &mut written)?;
            }
        }
        watch.publish(&written.ledger);
        if it.end.as_ref().is_some_and(|(batches, _)| *batches == it.next)
            && let Some(Open { archive, part: Some(part), ledger, end, .. }) = open.remove(&id)
        {
            ledger.audit()?;
            stages.flush()?;
            let finished = part.finish(&ledger, end.and_then(|(_, next)| next))?;
            written.finished.push((archive, finished));
        }
    }
    written.ledger.audit()?;
    Ok(written)
}

fn settle(open: &mut Open<'_>, batch: Batch, written: &mut Written) -> Result<(), sinks::Fatal> {
    for stray in batch.strays {
        if let (Some(failed), Some(part)) = (&stray.failed, &mut open.part) {
            part.reject(&Reject {
                id: failed.origin.record_id.as_deref(),
                url: failed.url.as_deref(),
                date: failed.date.as_deref(),
                origin: &failed.origin,
                stage: failed.place,
                reason: &failed.reason,
                value: Some(&failed.says),
                text: None,
            })?;
        }
        open.ledger.settle(&stray.fate);
        written.ledger.settle(&stray.fate);
    }
    let Some((origin, mut passed)) = batch.page else { return Ok(()) };
    let place = open.ledger.stages.len().saturating_sub(1);
    let mut rows = Vec::with_capacity(passed.rows.len());
    for document in std::mem::take(&mut passed.rows) {
        let tokens = tokens::count(&document.text);
        let taken = open.mix.as_mut().map(|mix| mix.takes(&document, tokens));
        if taken == Some(false) {
            passed.fate.withheld();
            passed.fate.step(Place::Stage(place), Outcome::Dropped(OVER_SHARE.to_owned()));
            let (stage, reason) = (MIX.to_owned(), OVER_SHARE.to_owned());
            passed.rejected.push(Rejected { document, stage, reason, says: None });
            continue;
        }
        if taken == Some(true) {
            passed.fate.step(Place::Stage(place), Outcome::Passed(1));
        }
        rows.push((document, tokens));
    }
    if let Some(part) = &mut open.part {
        for (document, tokens) in &rows {
            part.row(document, &origin, *tokens)?;
        }
        for rejected in &passed.rejected {
            part.reject(&reject(rejected, &origin))?;
        }
    }
    open.ledger.settle(&passed.fate);
    written.ledger.settle(&passed.fate);
    for (sum, took) in written.took.iter_mut().zip(&passed.took) {
        *sum += *took;
    }
    drop(batch.ticket);
    Ok(())
}

fn reject<'a>(rejected: &'a Rejected, origin: &'a Origin) -> Reject<'a> {
    let document = &rejected.document;
    Reject {
        id: Some(&document.id),
        url: Some(&document.url),
        date: Some(&document.date),
        origin,
        stage: &rejected.stage,
        reason: &rejected.reason,
        value: rejected.says.as_deref(),
        text: Some(&document.text),
    }
}
