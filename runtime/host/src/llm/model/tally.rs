//! What one model did in a run, counted by all who ask it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::llm::budget::{Usage, dollars};
use crate::llm::{Counters, Outcome};
use crate::prompt::Failure;

/// The books of one model.
#[derive(Debug, Default)]
pub(in crate::llm) struct Tally {
    pub(in crate::llm) from_journal: Count,
    pub(in crate::llm) coalesced: Count,
    pub(super) asked: Count,
    refused: Count,
    too_long: Count,
    gave_up: Count,
    pub(super) retries: Count,
    pub(super) waited_micros: Count,
    prompt_tokens: Count,
    cached_tokens: Count,
    completion_tokens: Count,
    usage_estimated: Count,
    picodollars: Count,
}

impl Tally {
    /// `at_once` is how many calls may be under way, and without a price there are no dollars.
    pub(super) fn counters(&self, at_once: usize, has_price: bool) -> Counters {
        Counters {
            asked: self.asked.get(),
            from_journal: self.from_journal.get(),
            coalesced: self.coalesced.get(),
            refused: self.refused.get(),
            too_long: self.too_long.get(),
            gave_up: self.gave_up.get(),
            retries: self.retries.get(),
            at_once: at_once as u64,
            waited_seconds: self.waited_micros.get() as f64 / 1e6,
            prompt_tokens: self.prompt_tokens.get(),
            cached_tokens: self.cached_tokens.get(),
            completion_tokens: self.completion_tokens.get(),
            usage_estimated: self.usage_estimated.get(),
            dollars: has_price.then(|| dollars(self.picodollars.get())),
        }
    }

    pub(super) fn count(
        &self,
        outcome: &Outcome,
        usage: Usage,
        picodollars: Option<u64>,
        usage_estimated: bool,
    ) {
        match outcome {
            Ok(_) => {
                self.prompt_tokens.add(usage.prompt);
                self.cached_tokens.add(usage.cached);
                self.completion_tokens.add(usage.completion);
                self.picodollars.add(picodollars.unwrap_or(0));
            }
            Err(Failure::Refused(_)) => self.refused.add(1),
            Err(Failure::TooLong(_)) => self.too_long.add(1),
            Err(Failure::GaveUp(_)) => self.gave_up.add(1),
        }
        self.usage_estimated.add(usage_estimated.into());
    }
}

#[derive(Debug, Default)]
pub(in crate::llm) struct Count(AtomicU64);

impl Count {
    pub(in crate::llm) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
