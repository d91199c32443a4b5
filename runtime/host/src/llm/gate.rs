//! How fast and how many at once a model is asked.
//!
//! Everybody stands in one line: who comes first is served first, however much it wants. Who wants a lot would starve
//! if the line were a crowd, because small wants fit into what is left again and again. A server counts over sliding
//! minutes, so the gate remembers the last minute itself instead of filling a bucket: a bucket lets through its size
//! and its rate, together twice the limit, in the first minute. Buckets (governor's) do what they are good at: they
//! spread the calls over the minute. The gate knows neither prompts nor servers.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// A server's minute, and a little more because calls are not equally long on their way.
const MINUTE: Duration = Duration::from_millis(60_250);

/// A limit is spread over this many parts of a minute: servers enforce it over shorter times than they say, and a
/// minute's worth of calls in its first second is refused or piles up.
const PARTS: u32 = 10;

/// One model's gate.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Whoever holds it is the first in line; tokio's mutex hands it on in the order of asking.
    line: tokio::sync::Mutex<()>,
    in_flight: Semaphore,
    limits: Mutex<Limits>,
    /// Tokens were given back: the first in line may look again.
    settled: Notify,
}

#[derive(Debug)]
struct Limits {
    requests: Option<Requests>,
    tokens: Option<Tokens>,
    /// Until when the server wants to be left alone.
    held: Option<Instant>,
}

/// Leave to make one call. The call is over when this is dropped; unless it is settled, all that it might have taken is
/// taken to be taken.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    gate: &'a Gate,
    ticket: Option<Ticket>,
    _in_flight: SemaphorePermit<'a>,
}

impl Gate {
    pub(crate) fn new(
        requests_per_minute: Option<NonZeroU32>,
        tokens_per_minute: Option<NonZeroU32>,
        in_flight: usize,
    ) -> Self {
        Self {
            line: tokio::sync::Mutex::new(()),
            in_flight: Semaphore::new(in_flight.clamp(1, Semaphore::MAX_PERMITS)),
            limits: Mutex::new(Limits {
                requests: requests_per_minute.map(Requests::new),
                tokens: tokens_per_minute.map(Tokens::new),
                held: None,
            }),
            settled: Notify::new(),
        }
    }

    /// Waits for leave to make one call that takes so many tokens at most.
    ///
    /// Nothing is taken from a limit before the call can really be made: leave that was given earlier would pile up
    /// behind a slow server and be used all at once when it recovers.
    pub(crate) async fn enter(&self, tokens: u32) -> Pass<'_> {
        let _first = self.line.lock().await;
        loop {
            let permit = self.in_flight.acquire().await.expect("the semaphore is never closed");
            let wait = match self.limits().take(tokens, Instant::now()) {
                Ok(ticket) => return Pass { gate: self, ticket, _in_flight: permit },
                Err(wait) => wait,
            };
            drop(permit);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.settled.notified() => {}
            }
        }
    }

    /// Lets nobody through for so long, because the server said so.
    pub(crate) fn hold(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut limits = self.limits();
        limits.held = limits.held.max(Some(until));
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Ends the call and says how many tokens it really took.
    pub(crate) fn settle(self, tokens: u32) {
        let mut limits = self.gate.limits();
        if let (Some(ticket), Some(limit)) = (self.ticket, &mut limits.tokens) {
            limit.settle(ticket, tokens.into());
            self.gate.settled.notify_one();
        }
    }
}

impl Limits {
    /// Takes one request and its tokens from both limits or from none, or says how long to wait.
    fn take(&mut self, tokens: u32, now: Instant) -> Result<Option<Ticket>, Duration> {
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
        Ok(self.tokens.as_mut().map(|limit| limit.take(tokens.into(), now)))
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
#[derive(Debug, Clone, Copy)]
struct Ticket {
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

    fn take(&mut self, amount: u64, now: Instant) -> Ticket {
        Ticket { minute: self.minute.take(amount, now), part: self.part.take(amount, now) }
    }

    fn settle(&mut self, ticket: Ticket, amount: u64) {
        self.minute.settle(ticket.minute, amount);
        self.part.settle(ticket.part, amount);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn per_minute(limit: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(limit)
    }

    /// A few different sizes, always the same.
    fn sizes(count: u64, most: u64) -> Vec<u32> {
        let mut state = 0x9e37_79b9_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u32::try_from(1 + (state >> 33) % most).unwrap()
        };
        (0..count).map(|_| next()).collect()
    }

    /// Sends calls of these sizes as fast as the gate allows; asserts that no minute saw more than the limits, and
    /// returns how long it all took.
    async fn check(requests: Option<NonZeroU32>, tokens: Option<NonZeroU32>, sizes: Vec<u32>) -> Duration {
        let gate = Arc::new(Gate::new(requests, tokens, 1000));
        let begun = Instant::now();
        let calls: Vec<_> = sizes
            .into_iter()
            .map(|size| {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move {
                    drop(gate.enter(size).await);
                    (Instant::now(), size)
                })
            })
            .collect();
        let mut sent = Vec::new();
        for call in calls {
            sent.push(call.await.unwrap());
        }
        for (index, &(from, _)) in sent.iter().enumerate() {
            let minute = sent[index..].iter().take_while(|(at, _)| *at < from + Duration::from_secs(60));
            let (calls, amount) = minute.fold((0, 0), |(calls, sum), (_, size)| (calls + 1, sum + size));
            assert!(requests.is_none_or(|most| calls <= most.get()), "{calls} calls in a minute");
            assert!(tokens.is_none_or(|most| amount <= most.get()), "{amount} tokens in a minute");
        }
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn no_minute_sees_more_requests_than_the_limit_and_little_of_it_is_wasted() {
        let took = check(per_minute(60), None, vec![1; 600]).await;
        assert!((9 * 60..=10 * 60 + 30).contains(&took.as_secs()), "{took:?}");
        check(per_minute(1), None, vec![1; 5]).await;
        check(per_minute(7), None, vec![1; 50]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn no_minute_sees_more_tokens_than_the_limit_and_little_of_it_is_wasted() {
        let sizes = sizes(2000, 600);
        let wanted: u32 = sizes.iter().sum();
        let took = check(per_minute(100_000), per_minute(20_000), sizes).await;
        let at_best = f64::from(wanted) / 20_000.0 * 60.0 - 60.0;
        assert!(took.as_secs_f64() < at_best / 0.95 + 60.0, "{took:?} for {at_best} s");
    }

    #[tokio::test(start_paused = true)]
    async fn large_calls_keep_to_the_limit_too() {
        check(None, per_minute(10_000), sizes(300, 9_000)).await;
        check(per_minute(30), per_minute(10_000), sizes(300, 600)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_larger_than_the_limit_goes_alone() {
        let gate = Gate::new(None, per_minute(1000), 4);
        let begun = Instant::now();
        drop(gate.enter(10).await);
        drop(gate.enter(5000).await);
        assert_eq!(begun.elapsed(), MINUTE);
        drop(gate.enter(10).await);
        assert_eq!(begun.elapsed(), 2 * MINUTE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_call_is_not_starved_by_small_ones() {
        let gate = Arc::new(Gate::new(None, per_minute(6000), 100));
        for _ in 0..8 {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move {
                loop {
                    drop(gate.enter(5).await);
                    tokio::task::yield_now().await;
                }
            });
        }
        tokio::time::sleep(Duration::from_secs(90)).await;
        let begun = Instant::now();
        let entered = tokio::time::timeout(2 * MINUTE, gate.enter(5500)).await;
        let waited = begun.elapsed();
        assert!(
            entered.is_ok() && MINUTE / 2 < waited && waited <= MINUTE + Duration::from_secs(1),
            "{waited:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_limit_is_not_in_flight() {
        let gate = Arc::new(Gate::new(per_minute(1), None, 2));
        let first = gate.enter(1).await;
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { drop(gate.enter(1).await) }
        });
        tokio::task::yield_now().await;
        assert_eq!(gate.in_flight.available_permits(), 1);
        drop(first);
        waiting.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_in_flight_than_may_be() {
        let gate = Arc::new(Gate::new(None, None, 2));
        let (_one, _two) = (gate.enter(1).await, gate.enter(1).await);
        assert!(tokio::time::timeout(Duration::from_secs(9), gate.enter(1)).await.is_err());
        drop(_one);
        gate.enter(1).await;
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_given_back_are_used_at_once() {
        let gate = Arc::new(Gate::new(None, per_minute(1000), 4));
        let begun = Instant::now();
        let first = gate.enter(1000).await;
        let second = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { drop(gate.enter(900).await) }
        });
        tokio::time::sleep(Duration::from_secs(10)).await;
        first.settle(50);
        second.await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_wants_to_be_left_alone_is() {
        let gate = Gate::new(None, None, 4);
        let begun = Instant::now();
        gate.hold(Duration::from_secs(5));
        gate.hold(Duration::from_secs(3));
        gate.enter(1).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
    }
}
