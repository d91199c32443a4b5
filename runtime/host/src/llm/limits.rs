//! A server's limits on requests and tokens per minute.
//!
//! A server counts over sliding minutes, so the last minute itself is remembered instead of filling a bucket: a bucket
//! lets through its size and its rate, together twice the limit, in the first minute. Buckets (governor's) do what they
//! are good at: they spread the calls over the minute. Who waits, and in which order, is not known here.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

/// A server's minute, and a little more because calls are not equally long on their way.
pub(super) const MINUTE: Duration = Duration::from_millis(60_250);

/// A limit is spread over this many parts of a minute: servers enforce it over shorter times than they say, and a
/// minute's worth of calls in its first second is refused or piles up.
const PARTS: u32 = 10;

/// What one server allows.
#[derive(Debug)]
pub(crate) struct Limits {
    requests: Option<Requests>,
    tokens: Option<Tokens>,
    /// Until when the server wants to be left alone.
    held: Option<Instant>,
}

impl Limits {
    pub(crate) fn new(
        requests_per_minute: Option<NonZeroU32>,
        tokens_per_minute: Option<NonZeroU32>,
    ) -> Self {
        Self {
            requests: requests_per_minute.map(Requests::new),
            tokens: tokens_per_minute.map(Tokens::new),
            held: None,
        }
    }

    /// Lets nobody through until then, because the server said so.
    pub(crate) fn hold(&mut self, until: Instant) {
        self.held = self.held.max(Some(until));
    }

    /// Takes one request and its tokens from both limits or from none, or says how long to wait.
    pub(crate) fn take(&mut self, tokens: u32, now: Instant) -> Result<Ticket, Duration> {
        if let Some(held) = self.held
            && now < held
        {
            return Err(held - now);
        }
        if let Some(limit) = &mut self.tokens {
            limit.room(tokens.into(), now)?;
        }
        // Last, because this one takes when it lets through.
        if let Some(requests) = &mut self.requests {
            requests.take(now)?;
        }
        Ok(Ticket(self.tokens.as_mut().map(|limit| limit.take(tokens.into(), now))))
    }

    /// Says how many tokens a call really took. Until then, all that it might have taken is taken to be taken.
    pub(crate) fn settle(&mut self, ticket: Ticket, tokens: u32) {
        if let (Some(entries), Some(limit)) = (ticket.0, &mut self.tokens) {
            limit.settle(entries, tokens.into());
        }
    }
}

/// The tokens of each minute, spread over its parts. A bucket does not do here: most of what a call reserves is given
/// back when it is over, and a bucket takes nothing back.
#[derive(Debug)]
struct Tokens {
    minute: Window,
    part: Window,
}

/// The requests of each minute, spread over it.
#[derive(Debug)]
struct Requests {
    minute: Window,
    pace: RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>,
}

/// The runtime's clock, which tests can hold still.
#[derive(Debug, Clone)]
struct Ticks {
    begun: Instant,
}

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }
}

impl Requests {
    fn new(per_minute: NonZeroU32) -> Self {
        let burst = NonZeroU32::new(per_minute.get().div_ceil(PARTS)).unwrap_or(per_minute);
        let quota = Quota::per_minute(per_minute).allow_burst(burst);
        Self {
            minute: Window::new(MINUTE, per_minute.get().into()),
            pace: RateLimiter::direct_with_clock(quota, Ticks { begun: Instant::now() }),
        }
    }

    /// Takes one, or says how long to wait for it.
    fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.minute.room(1, now)?;
        self.pace.check().map_err(|until| until.wait_time_from(self.pace.clock().now()))?;
        self.minute.take(1, now);
        Ok(())
    }
}

/// What was taken, for giving back.
#[derive(Debug)]
pub(crate) struct Ticket(Option<Entries>);

#[derive(Debug, Clone, Copy)]
struct Entries {
    minute: u64,
    part: u64,
}

impl Tokens {
    fn new(per_minute: NonZeroU32) -> Self {
        let part = per_minute.get().div_ceil(PARTS);
        Self {
            minute: Window::new(MINUTE, per_minute.get().into()),
            part: Window::new(MINUTE / PARTS, part.into()),
        }
    }

    fn room(&mut self, amount: u64, now: Instant) -> Result<(), Duration> {
        self.minute.room(amount, now)?;
        // The part is left to overflow by one call, which the next part makes up for: if calls had to fit into it
        // exactly, calls of just over half of it would leave the other half of the limit unused.
        self.part.room(1, now)
    }

    fn take(&mut self, amount: u64, now: Instant) -> Entries {
        Entries { minute: self.minute.take(amount, now), part: self.part.take(amount, now) }
    }

    fn settle(&mut self, entries: Entries, amount: u64) {
        self.minute.settle(entries.minute, amount);
        self.part.settle(entries.part, amount);
    }
}

/// What was taken within the last `span`, which never adds up to more than `most`, unless one amount alone is more.
#[derive(Debug)]
struct Window {
    span: Duration,
    most: u64,
    sum: u64,
    taken: VecDeque<(Instant, u64)>,
    /// The number of the first entry of `taken`, counted from the beginning.
    first: u64,
}

impl Window {
    fn new(span: Duration, most: u64) -> Self {
        Self { span, most, sum: 0, taken: VecDeque::new(), first: 0 }
    }

    /// Whether the amount can be taken, or else how long it takes until it can.
    fn room(&mut self, amount: u64, now: Instant) -> Result<(), Duration> {
        while let Some(&(at, oldest)) = self.taken.front()
            && self.span <= now.duration_since(at)
        {
            self.sum -= oldest;
            self.first += 1;
            self.taken.pop_front();
        }
        let mut left = self.sum;
        let mut last = None;
        for &(at, amount_then) in &self.taken {
            if left + amount <= self.most {
                break;
            }
            left -= amount_then;
            last = Some(at);
        }
        match last {
            None => Ok(()),
            Some(at) => Err(at + self.span - now),
        }
    }

    fn take(&mut self, amount: u64, now: Instant) -> u64 {
        self.taken.push_back((now, amount));
        self.sum += amount;
        self.first + self.taken.len() as u64 - 1
    }

    fn settle(&mut self, number: u64, amount: u64) {
        let entry = number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some((_, taken)) = entry.and_then(|index| self.taken.get_mut(index)) {
            self.sum = self.sum - *taken + amount;
            *taken = amount;
        }
    }
}
