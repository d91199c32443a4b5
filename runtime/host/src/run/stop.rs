//! The one way in which a run ends early: somebody says why, and everybody who could begin something new looks here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::Fatal;
use crate::llm::{self, Llm};

/// Whether the run is to stop. The first reason counts; what follows from it is noise.
#[derive(Debug)]
pub struct Stop {
    set: AtomicBool,
    told: watch::Sender<bool>,
    why: Mutex<Option<Fatal>>,
    llm: Arc<Llm>,
}

impl Stop {
    pub(super) fn new(llm: Arc<Llm>) -> Self {
        Self { set: AtomicBool::new(false), told: watch::Sender::new(false), why: Mutex::default(), llm }
    }

    pub fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    /// Ends when the run is to stop, for those who wait for something else.
    pub(super) fn wait(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut told = self.told.subscribe();
        async move {
            // A run that is gone has stopped.
            drop(told.wait_for(|stop| *stop).await);
        }
    }

    pub(super) fn set(&self, fatal: Fatal) {
        let mut why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever was told that no model is asked any more may be here before the one who knows why.
        if matches!(*why, None | Some(Fatal::Model(llm::Fatal::Closed))) {
            *why = Some(fatal);
        }
        self.halt();
    }

    /// Stops, for a reason that is told elsewhere.
    pub(super) fn halt(&self) {
        self.set.store(true, Ordering::Release);
        self.told.send_replace(true);
        self.llm.close();
    }

    /// Ends the run in order, as a person at the keyboard asks for.
    pub fn interrupt(&self) {
        self.set(Fatal::Interrupted);
    }

    pub(super) fn take(&self) -> Option<Fatal> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
