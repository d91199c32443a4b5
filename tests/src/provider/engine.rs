//! A server that queues instead of refusing, as vLLM and llama.cpp do: some slots, a speed that the running ones share.
//!
//! [`Sharing`] is the model; [`Slots`] lets requests wait in real time for what the model says.

mod sharing;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, oneshot};

use crate::provider::engine::sharing::{Event, Sharing};

/// How long replies take.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Sequences that run at a time; the others wait in order. `usize::MAX` lets all of them run.
    pub slots: usize,
    /// How many may wait; more are answered 503. None: any number.
    pub queue: Option<usize>,
    pub curve: Curve,
    /// The work of one token of the prompt, where one of the reply is 1.
    pub prompt_weight: f64,
}

impl Engine {
    pub fn new(slots: usize, curve: Curve) -> Self {
        Self { slots, queue: None, curve, prompt_weight: 0.0 }
    }
}

/// The queue is full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Tokens per second of all running sequences together, by their number.
#[derive(Clone)]
pub struct Curve(Arc<dyn Fn(usize) -> f64 + Send + Sync>);

impl Curve {
    pub fn by(rule: impl Fn(usize) -> f64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }

    /// Each sequence runs as fast as if it were alone.
    pub fn linear(each: f64) -> Self {
        Self::by(move |running| each * running as f64)
    }

    /// `alone` with one sequence and ever closer to `most` with many: half of the way is lost at `most / alone` of them.
    pub fn saturating(alone: f64, most: f64) -> Self {
        Self::by(move |running| {
            let running = running as f64;
            most * alone * running / (most - alone + alone * running)
        })
    }

    /// So much together, however many there are: more at a time help nothing.
    pub fn flat(together: f64) -> Self {
        Self::by(move |_| together)
    }

    pub fn at(&self, running: usize) -> f64 {
        if running == 0 { 0.0 } else { (self.0)(running).max(1e-9) }
    }
}

impl fmt::Debug for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points = [1, 2, 4, 8, 16].map(|running| self.at(running));
        f.debug_tuple("Curve").field(&points).finish()
    }
}

/// Requests that wait for their turn and their end.
#[derive(Debug)]
pub(crate) struct Slots {
    state: Mutex<State>,
    /// Rung whenever the next event may be another one.
    bell: Notify,
}

#[derive(Debug)]
struct State {
    sharing: Sharing,
    next_id: u64,
    callers: BTreeMap<u64, Caller>,
}

#[derive(Debug)]
struct Caller {
    begins: Option<oneshot::Sender<()>>,
    ends: oneshot::Sender<()>,
}

impl State {
    fn change(&mut self, change: impl FnOnce(&mut Sharing, &mut Vec<Event>)) {
        let mut events = Vec::new();
        self.sharing.advance(Instant::now(), &mut events);
        change(&mut self.sharing, &mut events);
        for event in events {
            // Whoever is not there any more has left, or is just about to.
            let _heard = match event {
                Event::Begins(id) => {
                    let begins = self.callers.get_mut(&id).and_then(|caller| caller.begins.take());
                    begins.is_some_and(|begins| begins.send(()).is_ok())
                }
                Event::Ends(id) => {
                    self.callers.remove(&id).is_some_and(|caller| caller.ends.send(()).is_ok())
                }
            };
        }
    }
}

impl Slots {
    pub(crate) fn new(engine: Engine, now: Instant) -> Self {
        let sharing = Sharing::new(engine, now);
        Self {
            state: Mutex::new(State { sharing, next_id: 0, callers: BTreeMap::new() }),
            bell: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many run and how many wait.
    pub(crate) fn load(&self) -> (usize, usize) {
        let mut state = self.state();
        state.change(|_, _| {});
        (state.sharing.running(), state.sharing.waiting())
    }

    /// Gets in line, and comes back with the turn.
    pub(crate) async fn begin(self: &Arc<Self>, prompt_tokens: u64, tokens: u64) -> Result<Turn, Full> {
        let (begins, begun) = oneshot::channel();
        let (ends, ended) = oneshot::channel();
        let turn = {
            let mut state = self.state();
            let id = state.next_id;
            state.next_id += 1;
            state.callers.insert(id, Caller { begins: Some(begins), ends });
            let work = tokens as f64 + prompt_tokens as f64 * state.sharing.engine.prompt_weight;
            let mut arrived = Ok(());
            state.change(|sharing, events| arrived = sharing.arrive(id, work, events));
            if arrived.is_err() {
                state.callers.remove(&id);
                return Err(Full);
            }
            Turn { slots: Arc::clone(self), id, ended }
        };
        self.bell.notify_one();
        // The sender stands in the table for as long as this turn exists.
        drop(begun.await);
        Ok(turn)
    }

    /// Makes ends happen at their time; for as long as the server lives.
    pub(crate) async fn drive(&self) {
        loop {
            let next = {
                let mut state = self.state();
                state.change(|_, _| {});
                state.sharing.next_event()
            };
            match next {
                None => self.bell.notified().await,
                Some(time) => tokio::select! {
                    () = tokio::time::sleep_until(time.into()) => {}
                    () = self.bell.notified() => {}
                },
            }
        }
    }
}

/// A sequence that runs. Whoever drops it early makes room.
#[derive(Debug)]
pub(crate) struct Turn {
    slots: Arc<Slots>,
    id: u64,
    ended: oneshot::Receiver<()>,
}

impl Turn {
    pub(crate) async fn end(mut self) {
        drop((&mut self.ended).await);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        if state.callers.remove(&self.id).is_some() {
            state.change(|sharing, events| sharing.leave(self.id, events));
            self.slots.bell.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_saturates() {
        let curve = Curve::saturating(10.0, 100.0);
        assert_eq!(curve.at(1), 10.0);
        assert!(curve.at(2) < 20.0 && curve.at(2) > 18.0);
        assert!(curve.at(1000) > 99.0 && curve.at(1000) < 100.0);
        assert_eq!(curve.at(0), 0.0);
    }
}
