//! How often calls may be repeated.
//!
//! Each call that fails is repeated a few times. If many fail at once, because the server has too much to do, that
//! multiplies what it has to do. So repeating has a budget: a part of the calls that are made for the first time, and a
//! few per second for those who make few. The budget refuses nothing, it only makes wait; which calls are worth
//! repeating is said elsewhere.

use std::time::Duration;

use tokio::time::Instant;

/// One repetition for five calls: more than a server needs that now and then loses one, and it never has more than a
/// fifth more to do because it has too much to do.
const PER_CALL: f64 = 0.2;

/// What may be repeated with no new calls at all, as when all prompts there are have failed once.
const PER_SECOND: f64 = 10.0;

/// What can be saved up: ten seconds' worth, so that the calls that a worker takes with it are repeated at once.
const MOST: f64 = 100.0;

/// Below this a wait is a loop.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(crate) struct RetryBudget {
    repetitions: f64,
    /// Until when the seconds are counted.
    counted: Option<Instant>,
}

impl RetryBudget {
    pub(crate) fn new() -> Self {
        Self { repetitions: MOST, counted: None }
    }

    /// A call is made for the first time.
    pub(crate) fn sent(&mut self) {
        self.repetitions = (self.repetitions + PER_CALL).min(MOST);
    }

    /// A call may be repeated now, or after a wait it should be asked again.
    pub(crate) fn retry(&mut self, now: Instant) -> Result<(), Duration> {
        self.earn(now);
        if self.repetitions < 1.0 {
            let wait = Duration::from_secs_f64((1.0 - self.repetitions) / PER_SECOND);
            return Err(wait.max(SHORTEST_WAIT));
        }
        self.repetitions -= 1.0;
        Ok(())
    }

    fn earn(&mut self, now: Instant) {
        let counted = *self.counted.get_or_insert(now);
        let seconds = now.duration_since(counted).as_secs_f64();
        self.repetitions = (self.repetitions + seconds * PER_SECOND).min(MOST);
        self.counted = Some(now.max(counted));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Repeats as often as may be at this moment.
    fn repeat(budget: &mut RetryBudget, now: Instant) -> usize {
        (0..10_000).take_while(|_| budget.retry(now).is_ok()).count()
    }

    /// A budget with nothing in it.
    fn empty(now: Instant) -> RetryBudget {
        let mut budget = RetryBudget::new();
        repeat(&mut budget, now);
        budget
    }

    #[test]
    fn what_is_saved_up_is_bounded() {
        let now = Instant::now();
        let mut budget = RetryBudget::new();
        assert_eq!(repeat(&mut budget, now), 100);
        assert_eq!(repeat(&mut budget, now + 3600 * SECOND), 100);
        for _ in 0..10_000 {
            budget.sent();
        }
        assert_eq!(repeat(&mut budget, now + 3600 * SECOND), 100);
    }

    #[test]
    fn a_fifth_of_the_calls_may_be_repeated() {
        let now = Instant::now();
        let mut budget = empty(now);
        for _ in 0..4 {
            budget.sent();
        }
        assert_eq!(repeat(&mut budget, now), 0);
        for _ in 0..247 {
            budget.sent();
        }
        assert_eq!(repeat(&mut budget, now), 50);
    }

    #[test]
    fn ten_a_second_may_be_repeated_without_any() {
        let now = Instant::now();
        let mut budget = empty(now);
        assert_eq!(budget.retry(now), Err(SECOND / 10));
        assert_eq!(budget.retry(now + SECOND / 20), Err(SECOND / 20));
        let nearly = SECOND / 10 - Duration::from_nanos(1);
        assert_eq!(budget.retry(now + nearly), Err(SHORTEST_WAIT));
        assert_eq!(repeat(&mut budget, now + SECOND / 10), 1);
        assert_eq!(repeat(&mut budget, now + SECOND * 11 / 10), 10);
    }

    #[test]
    fn who_waits_as_long_as_said_is_let_through() {
        let mut now = Instant::now();
        let mut budget = empty(now);
        for calls in 0..1_000 {
            for _ in 0..calls % 4 {
                budget.sent();
            }
            let mut waits = 0;
            while let Err(wait) = budget.retry(now) {
                now += wait;
                waits += 1;
                assert!(waits <= 2, "after {wait:?}");
            }
        }
    }

    #[test]
    fn a_clock_that_goes_back_is_no_income() {
        let now = Instant::now() + 60 * SECOND;
        let mut budget = empty(now);
        assert_eq!(repeat(&mut budget, now - 30 * SECOND), 0);
        assert_eq!(repeat(&mut budget, now), 0);
    }

    #[test]
    fn over_any_stretch_of_time_repetitions_keep_to_the_budget() {
        let mut state = 0x9e37_79b9_u64;
        let mut roll = |sides: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % sides
        };
        for _ in 0..50 {
            let begun = Instant::now();
            let mut now = begun;
            let mut budget = RetryBudget::new();
            let busy = 2 + roll(20);
            // When, how many calls and how many repetitions so far.
            let mut history = vec![(now, 0_u32, 0_u32)];
            for _ in 0..400 {
                now += Duration::from_millis(roll(100));
                let (_, mut calls, mut repeated) = history[history.len() - 1];
                if roll(busy) == 0 {
                    repeated += u32::from(budget.retry(now).is_ok());
                } else {
                    budget.sent();
                    calls += 1;
                }
                history.push((now, calls, repeated));
            }
            for (index, &(from, calls_before, repeated_before)) in history.iter().enumerate() {
                for &(to, calls, repeated) in &history[index..] {
                    let allowed = MOST
                        + PER_CALL * f64::from(calls - calls_before)
                        + PER_SECOND * (to - from).as_secs_f64();
                    assert!(f64::from(repeated - repeated_before) <= allowed + 1e-6);
                }
            }
        }
    }
}
