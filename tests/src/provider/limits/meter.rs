//! What is used of one limit, now: a bucket or a window. Nothing is rounded, so whoever waits as told is let in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::provider::limits::{Enforced, MINUTE, go_duration};

/// In a bucket's own unit the limit per minute flows in with every nanosecond.
const UNITS_PER_TOKEN: u128 = MINUTE.as_nanos();

/// One limit.
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) limit: u64,
    period: Duration,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    /// The level at an instant, in units. It is below zero after a request that was larger than the bucket.
    Bucket { level: i128, at: Instant },
    /// What was taken, when, and by which request; and the sum.
    Window { taken: VecDeque<(Instant, u64, u64)>, sum: u64 },
}

impl Meter {
    pub(super) fn new(limit: u64, period: Duration, enforced: Enforced, now: Instant) -> Self {
        let mut meter = Self { limit, period, kept: Kept::Window { taken: VecDeque::new(), sum: 0 } };
        if enforced == Enforced::Bucket {
            meter.kept = Kept::Bucket { level: meter.capacity(), at: now };
        }
        meter
    }

    /// What the period holds, in units; one token at least, or nothing would ever pass.
    fn capacity(&self) -> i128 {
        (u128::from(self.limit) * self.period.as_nanos()).max(UNITS_PER_TOKEN) as i128
    }

    fn catch_up(&mut self, now: Instant) {
        let (capacity, limit, period) = (self.capacity(), self.limit, self.period);
        match &mut self.kept {
            Kept::Bucket { level, at } => {
                let earned = now.saturating_duration_since(*at).as_nanos() as i128 * i128::from(limit);
                *level = (*level + earned).min(capacity);
                *at = now.max(*at);
            }
            Kept::Window { taken, sum } => {
                while let Some((_, _, amount)) =
                    taken.pop_front_if(|(at, ..)| period <= now.saturating_duration_since(*at))
                {
                    *sum -= amount;
                }
            }
        }
    }

    /// How long until so much may be taken; zero is now.
    pub(super) fn wait(&mut self, now: Instant, amount: u64) -> Duration {
        self.catch_up(now);
        let capacity = self.capacity();
        let wanted = units(amount).min(capacity);
        match &self.kept {
            Kept::Bucket { level, .. } => {
                let lacking = (wanted - level).max(0) as u128;
                nanoseconds(lacking.div_ceil(u128::from(self.limit.max(1))))
            }
            Kept::Window { taken, sum } => {
                let mut left = *sum;
                let mut wait = Duration::ZERO;
                for (at, _, amount) in taken {
                    if units(left) + wanted <= capacity {
                        break;
                    }
                    left -= amount;
                    wait = (*at + self.period).saturating_duration_since(now);
                }
                wait
            }
        }
    }

    pub(super) fn take(&mut self, now: Instant, number: u64, amount: u64) {
        self.catch_up(now);
        match &mut self.kept {
            Kept::Bucket { level, .. } => *level -= units(amount),
            Kept::Window { taken, sum } => {
                taken.push_back((now, number, amount));
                *sum += amount;
            }
        }
    }

    /// Counts one that was turned away. A bucket is emptied by it, but never owes anything for it.
    pub(super) fn lose(&mut self, now: Instant, number: u64) {
        self.catch_up(now);
        match &mut self.kept {
            Kept::Bucket { level, .. } => *level = (*level - units(1)).max(0.min(*level)),
            Kept::Window { .. } => self.take(now, number, 1),
        }
    }

    pub(super) fn give_back(&mut self, now: Instant, number: u64, amount: u64) {
        self.catch_up(now);
        let capacity = self.capacity();
        match &mut self.kept {
            Kept::Bucket { level, .. } => *level = (*level + units(amount)).min(capacity),
            Kept::Window { taken, sum } => {
                if let Some((.., kept)) = taken.iter_mut().rev().find(|(_, who, _)| *who == number) {
                    let amount = amount.min(*kept);
                    *kept -= amount;
                    *sum -= amount;
                }
            }
        }
    }

    /// What is used of the period's share, as it is now.
    pub(super) fn used(&self) -> u64 {
        match &self.kept {
            Kept::Bucket { level, .. } => whole(self.capacity() - level),
            Kept::Window { sum, .. } => *sum,
        }
    }

    /// What remains, and how long until nothing is used.
    pub(super) fn told(&mut self, now: Instant) -> [String; 2] {
        self.catch_up(now);
        let capacity = self.capacity();
        let (remaining, reset) = match &self.kept {
            Kept::Bucket { level, .. } => {
                let lacking = (capacity - level) as u128;
                (*level, nanoseconds(lacking.div_ceil(u128::from(self.limit.max(1)))))
            }
            Kept::Window { taken, sum } => {
                let last = taken
                    .back()
                    .map_or(Duration::ZERO, |(at, ..)| (*at + self.period).saturating_duration_since(now));
                (capacity - units(*sum), last)
            }
        };
        [whole(remaining).to_string(), go_duration(reset)]
    }
}

fn units(amount: u64) -> i128 {
    (u128::from(amount) * UNITS_PER_TOKEN) as i128
}

/// Whole tokens in so many units, none if they are owed.
fn whole(units: i128) -> u64 {
    (units.max(0) as u128 / UNITS_PER_TOKEN) as u64
}

fn nanoseconds(count: u128) -> Duration {
    Duration::from_nanos(u64::try_from(count).unwrap_or(u64::MAX))
}
