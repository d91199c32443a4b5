//! Sequences that share a machine, without a clock of their own.
//!
//! Every running sequence advances at the same speed, which depends on how many there are, and whoever waits gets the slot
//! of the first to end, at the very instant of that end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::provider::engine::{Engine, Full};

/// Work is counted in millionths of a token, so that what ends at once is equal and not nearly equal.
const PARTS: f64 = 1e6;

/// What the model tells about a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Begins(u64),
    Ends(u64),
}

/// Sequences that share a machine.
#[derive(Debug)]
pub(super) struct Sharing {
    pub(super) engine: Engine,
    at: Instant,
    /// How far a sequence would be that had run from the beginning. Each ends at a fixed point of this.
    progress: f64,
    running: BTreeSet<(u64, u64)>,
    ends: BTreeMap<u64, u64>,
    /// Work by number: whoever has the smaller one came earlier.
    waiting: BTreeMap<u64, f64>,
}

impl Sharing {
    pub(super) fn new(engine: Engine, now: Instant) -> Self {
        Self {
            engine,
            at: now,
            progress: 0.0,
            running: BTreeSet::new(),
            ends: BTreeMap::new(),
            waiting: BTreeMap::new(),
        }
    }

    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// A sequence of so much work comes; numbers ascend. `advance` comes first.
    pub(super) fn arrive(&mut self, id: u64, work: f64, events: &mut Vec<Event>) -> Result<(), Full> {
        if self.running.len() < self.engine.slots {
            self.begin(id, work, events);
        } else if self.engine.queue.is_none_or(|most| self.waiting.len() < most) {
            self.waiting.insert(id, work);
        } else {
            return Err(Full);
        }
        Ok(())
    }

    /// A sequence goes before its end. `advance` comes first.
    pub(super) fn leave(&mut self, id: u64, events: &mut Vec<Event>) {
        self.waiting.remove(&id);
        if let Some(end) = self.ends.remove(&id) {
            self.running.remove(&(end, id));
        }
        self.fill(events);
    }

    /// Everything that happens until now, in order.
    pub(super) fn advance(&mut self, now: Instant, events: &mut Vec<Event>) {
        while let Some((end, time)) = self.next()
            && time <= now
        {
            self.at = time;
            self.progress = self.progress.max(end as f64);
            while let Some((_, id)) = pop_if(&mut self.running, |(at, _)| *at <= end) {
                self.ends.remove(&id);
                events.push(Event::Ends(id));
            }
            self.fill(events);
        }
        if self.at < now {
            self.progress += (now - self.at).as_secs_f64() * self.speed();
            self.at = now;
        }
    }

    /// When something happens next.
    pub(super) fn next_event(&self) -> Option<Instant> {
        self.next().map(|(_, time)| time)
    }

    fn next(&self) -> Option<(u64, Instant)> {
        let (end, _) = self.running.first()?;
        let seconds = (*end as f64 - self.progress).max(0.0) / self.speed();
        // Never before the end: at the time that is told it is there.
        let wait = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(1 << 32));
        Some((*end, self.at + wait))
    }

    /// Parts per second of each running sequence.
    fn speed(&self) -> f64 {
        let running = self.running.len();
        PARTS * self.engine.curve.at(running) / running.max(1) as f64
    }

    fn fill(&mut self, events: &mut Vec<Event>) {
        while self.running.len() < self.engine.slots
            && let Some((id, work)) = self.waiting.pop_first()
        {
            self.begin(id, work, events);
        }
    }

    fn begin(&mut self, id: u64, work: f64, events: &mut Vec<Event>) {
        let end = (self.progress + (work * PARTS).max(1.0)) as u64;
        self.running.insert((end, id));
        self.ends.insert(id, end);
        events.push(Event::Begins(id));
    }
}

fn pop_if<T: Ord>(set: &mut BTreeSet<T>, condition: impl Fn(&T) -> bool) -> Option<T> {
    if set.first().is_some_and(condition) { set.pop_first() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::engine::Curve;

    /// When sequences end, in milliseconds, that come at these times (milliseconds) with this work (tokens).
    #[track_caller]
    fn ends(engine: Engine, arrivals: &[(u64, f64)], expected: &[u64]) {
        let begun = Instant::now();
        let mut sharing = Sharing::new(engine, begun);
        let mut times = vec![0; arrivals.len()];
        let mut note = |events: &mut Vec<Event>, at: Instant| {
            for event in events.drain(..) {
                if let Event::Ends(id) = event {
                    times[id as usize] = ((at - begun).as_secs_f64() * 1e3).round() as u64;
                }
            }
        };
        let mut events = Vec::new();
        for (id, (millis, work)) in arrivals.iter().enumerate() {
            let now = begun + Duration::from_millis(*millis);
            while let Some(time) = sharing.next_event().filter(|time| *time <= now) {
                sharing.advance(time, &mut events);
                note(&mut events, time);
            }
            sharing.advance(now, &mut events);
            sharing.arrive(id as u64, *work, &mut events).unwrap();
        }
        while let Some(time) = sharing.next_event() {
            sharing.advance(time, &mut events);
            note(&mut events, time);
        }
        assert_eq!(times, expected);
    }

    #[test]
    fn alone_or_together_each_runs_at_its_speed() {
        ends(Engine::new(9, Curve::linear(100.0)), &[(0, 50.0), (100, 50.0), (200, 10.0)], &[500, 600, 300]);
        ends(Engine::new(9, Curve::flat(100.0)), &[(0, 50.0), (0, 50.0)], &[1000, 1000]);
        // Half a second alone, then a second with the other, whose rest it runs alone again.
        ends(Engine::new(9, Curve::flat(100.0)), &[(0, 100.0), (500, 100.0)], &[1500, 2000]);
    }

    #[test]
    fn whoever_waits_gets_the_slot_of_the_first_to_end() {
        let arrivals = [(0, 100.0), (0, 50.0), (0, 100.0), (0, 10.0)];
        ends(Engine::new(2, Curve::linear(100.0)), &arrivals, &[1000, 500, 1500, 1100]);
        ends(Engine::new(1, Curve::flat(100.0)), &arrivals, &[1000, 1500, 2500, 2600]);
    }

    #[test]
    fn whoever_leaves_makes_room_and_a_full_queue_refuses() {
        let begun = Instant::now();
        let mut sharing = Sharing::new(Engine { queue: Some(1), ..Engine::new(1, Curve::flat(1.0)) }, begun);
        let mut events = Vec::new();
        assert_eq!(sharing.arrive(0, 10.0, &mut events), Ok(()));
        assert_eq!(sharing.arrive(1, 10.0, &mut events), Ok(()));
        assert_eq!(sharing.arrive(2, 10.0, &mut events), Err(Full));
        assert_eq!((sharing.running(), sharing.waiting()), (1, 1));
        sharing.advance(begun + Duration::from_secs(3), &mut events);
        sharing.leave(0, &mut events);
        assert_eq!(events, [Event::Begins(0), Event::Begins(1)]);
        assert_eq!(sharing.next_event(), Some(begun + Duration::from_secs(13)));
        sharing.leave(1, &mut events);
        assert_eq!(sharing.next_event(), None);
    }

    #[test]
    fn one_long_sleep_changes_nothing() {
        let begun = Instant::now();
        let mut sharing = Sharing::new(Engine::new(1, Curve::flat(100.0)), begun);
        let mut events = Vec::new();
        for id in 0..3 {
            sharing.arrive(id, 100.0, &mut events).unwrap();
        }
        sharing.advance(begun + Duration::from_millis(2500), &mut events);
        let order = [Event::Begins(0), Event::Ends(0), Event::Begins(1), Event::Ends(1), Event::Begins(2)];
        assert_eq!(events, order);
        assert_eq!(sharing.next_event(), Some(begun + Duration::from_secs(3)));
    }
}
