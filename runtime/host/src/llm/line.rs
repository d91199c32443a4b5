//! One line of callers: who comes first is served first, and who has been sent back stands in front.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// A line in which at most one caller is the first.
#[derive(Debug, Default)]
pub(crate) struct Line {
    places: Mutex<Places>,
}

/// Where a caller lines up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Before everybody who is new: the caller has been first before, and was turned away.
    Front,
    Back,
}

#[derive(Debug, Default)]
struct Places {
    taken: bool,
    front: VecDeque<oneshot::Sender<First>>,
    back: VecDeque<oneshot::Sender<First>>,
}

/// Being the first. Whoever drops it makes the next one the first.
#[derive(Debug)]
pub(crate) struct First {
    /// None if it is no longer its to hand on.
    line: Option<Arc<Line>>,
}

impl First {
    fn of(line: &Arc<Line>) -> Self {
        Self { line: Some(Arc::clone(line)) }
    }
}

impl Line {
    /// Waits until all before are gone. Whoever stops waiting leaves the line.
    pub(crate) async fn first(self: &Arc<Self>, place: Place) -> First {
        let called = {
            let mut places = self.places();
            if !places.taken {
                places.taken = true;
                return First::of(self);
            }
            let (call, called) = oneshot::channel();
            match place {
                Place::Front => places.front.push_back(call),
                Place::Back => places.back.push_back(call),
            }
            called
        };
        called.await.expect("whoever is first calls the next one, and the line is kept by those in it")
    }

    /// How many wait, those who have left since the last call included.
    #[cfg(test)]
    fn len(&self) -> usize {
        let places = self.places();
        places.front.len() + places.back.len()
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the next one who is still there.
    fn next(self: &Arc<Self>) {
        loop {
            let call = {
                let mut places = self.places();
                let call = places.front.pop_front().or_else(|| places.back.pop_front());
                let Some(call) = call else {
                    places.taken = false;
                    return;
                };
                call
            };
            match call.send(First::of(self)) {
                Ok(()) => return,
                // Whoever has left must not call the next one too.
                Err(mut first) => drop(first.line.take()),
            }
        }
    }
}

impl Drop for First {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            line.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::future::BoxFuture;

    use super::*;

    fn wait(line: &Arc<Line>, place: Place) -> BoxFuture<'static, First> {
        let line = Arc::clone(line);
        let mut waiting = async move { line.first(place).await }.boxed();
        assert!((&mut waiting).now_or_never().is_none());
        waiting
    }

    #[test]
    fn who_comes_first_is_first_and_who_was_sent_back_is_before_all_others() {
        let line = Arc::new(Line::default());
        let first = line.first(Place::Back).now_or_never().unwrap();
        let (second, third) = (wait(&line, Place::Back), wait(&line, Place::Back));
        let (again, again_too) = (wait(&line, Place::Front), wait(&line, Place::Front));
        drop(first);
        for next in [again, again_too, second, third] {
            drop(next.now_or_never().expect("it is this one's turn"));
        }
        line.first(Place::Back).now_or_never().expect("the line is empty");
    }

    #[test]
    fn who_leaves_holds_nobody_up() {
        let line = Arc::new(Line::default());
        let first = line.first(Place::Back).now_or_never().unwrap();
        let leaves: Vec<_> = (0..1000).map(|_| wait(&line, Place::Back)).collect();
        let leaves_when_called = wait(&line, Place::Back);
        let stays = wait(&line, Place::Back);
        drop(leaves);
        assert_eq!(line.len(), 1002);
        drop(first);
        // It has been called and has not looked yet.
        assert_eq!(line.len(), 1);
        drop(leaves_when_called);
        drop(stays.now_or_never().expect("it is this one's turn"));
        assert_eq!(line.len(), 0);
    }
}
