//! What can be seen of a run from outside while it goes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crossbeam_channel::Sender;

use crate::ledger::Ledger;
use crate::stages::Line;

/// What can be seen of a run from outside while it goes.
#[derive(Debug)]
pub struct Watch {
    pub(super) ledger: Mutex<Option<Ledger>>,
    pub(super) bytes_read: AtomicU64,
    pub(super) bytes_in_all: AtomicU64,
    pub(super) records_read: AtomicU64,
    /// Pages that a limit leaves this run; 0 without one.
    pub(super) pages_in_all: AtomicU64,
    pub(super) lines: Sender<Line>,
    pub(super) lines_lost: AtomicU64,
}

impl Watch {
    pub(super) fn publish(&self, ledger: &Ledger) {
        *self.ledger.lock().unwrap_or_else(PoisonError::into_inner) = Some(ledger.clone());
    }

    pub(super) fn say(&self, line: Line) {
        if self.lines.try_send(line).is_err() {
            self.lines_lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The books of what is done so far in this run.
    pub fn ledger(&self) -> Option<Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How far the run is, from 0 to 1: of the pages of a limit, or of the archives' bytes, those that are done. What is
    /// read and still waits for a model is not.
    #[expect(clippy::cast_precision_loss, reason = "an estimate for people needs no 53 bits")]
    pub fn share(&self) -> Option<f64> {
        let ledger = self.ledger()?;
        let share = |part: u64, whole: u64| (0 < part && part <= whole).then(|| part as f64 / whole as f64);
        let pages = self.pages_in_all.load(Ordering::Relaxed);
        if 0 < pages {
            return share(ledger.pages.taken, pages);
        }
        let read = share(self.bytes_read.load(Ordering::Relaxed), self.bytes_in_all.load(Ordering::Relaxed))?;
        Some(read * share(ledger.total.read, self.records_read.load(Ordering::Relaxed))?)
    }

    /// Lines of plugins that came faster than they were read.
    pub fn lines_lost(&self) -> u64 {
        self.lines_lost.load(Ordering::Relaxed)
    }
}
