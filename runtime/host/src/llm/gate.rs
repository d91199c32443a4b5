//! When a call to one model at one server may begin.
//!
//! Everybody stands in one line: who comes first is served first, however much it wants. Who wants a lot would starve
//! if the line were a crowd, because small wants fit into what is left again and again. The first in line begins when
//! fewer calls are under way than do any good (`adapt`), the server's limits leave room (`limits`), and the server is
//! not known to be broken (`breaker`). Nothing is taken from a limit before the call can really be made: leave that was
//! given earlier would pile up behind a slow server and be used all at once when it recovers. The gate knows neither
//! prompts nor replies.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::llm::adapt::{Adaptive, Begun};
use crate::llm::breaker::{Admission, Breaker};
use crate::llm::limits::{Limits, Ticket};
use crate::llm::line::{Line, Place};
use crate::llm::retries::RetryBudget;

/// The gate of one model at one server.
#[derive(Debug)]
pub(crate) struct Gate {
    line: Arc<Line>,
    state: Mutex<State>,
    /// Something was given back: the first in line may look again.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    limits: Limits,
    adaptive: Adaptive,
    breaker: Breaker,
    retries: RetryBudget,
    under_way: usize,
    /// Whether the first in line waits for a call to end.
    wanted: bool,
}

/// What brings a call to the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    First,
    /// The server had no time for it.
    TurnedAway,
    /// It was lost.
    Failed,
}

/// Why the first in line has to wait.
enum Wait {
    ForChange,
    For(Duration),
}

/// Leave to make one call. Dropping it ends the call in a way that nobody knows: all that it might have taken is taken
/// to be taken.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
    /// Taken by the first of the ways to end.
    call: Option<Call>,
}

#[derive(Debug)]
struct Call {
    ticket: Ticket,
    begun: Begun,
    admission: Admission,
}

impl Gate {
    pub(crate) fn new(
        requests_per_minute: Option<NonZeroU32>,
        tokens_per_minute: Option<NonZeroU32>,
        adaptive: Adaptive,
    ) -> Self {
        Self {
            line: Arc::default(),
            state: Mutex::new(State {
                limits: Limits::new(requests_per_minute, tokens_per_minute),
                adaptive,
                breaker: Breaker::new(),
                retries: RetryBudget::new(),
                under_way: 0,
                wanted: false,
            }),
            changed: Notify::new(),
        }
    }

    /// Waits for leave to make one call that takes so many tokens at most.
    pub(crate) async fn enter(self: &Arc<Self>, tokens: u32, turn: Turn) -> Pass {
        let place = match turn {
            Turn::First => Place::Back,
            Turn::TurnedAway | Turn::Failed => Place::Front,
        };
        if turn == Turn::Failed {
            // Outside of the line, so that those who come for the first time do not wait too.
            self.may_retry().await;
        }
        let _first = self.line.first(place).await;
        loop {
            // Bound before the wait, so that the lock is not held across it.
            let looked = self.state().admit(tokens, turn, Instant::now());
            match looked {
                Ok(call) => return Pass { gate: Arc::clone(self), call: Some(call) },
                Err(Wait::ForChange) => self.changed.notified().await,
                Err(Wait::For(wait)) => {
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.changed.notified() => {}
                    }
                }
            }
        }
    }

    async fn may_retry(&self) {
        loop {
            let looked = self.state().retries.retry(Instant::now());
            match looked {
                Ok(()) => return,
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// What share of the calls that may be under way is; the lower, the sooner a call begins.
    pub(crate) fn load(&self) -> f64 {
        let state = self.state();
        state.under_way as f64 / state.adaptive.limit().max(1) as f64
    }

    /// How many calls may be under way now.
    pub(crate) fn limit(&self) -> usize {
        self.state().adaptive.limit()
    }

    /// What the server says of itself.
    pub(crate) fn metrics(&self, running: u64, waiting: u64) {
        self.state().adaptive.metrics(running, waiting, Instant::now());
        self.changed.notify_one();
    }

    /// Lets nobody through for so long, because the server said so.
    pub(crate) fn hold(&self, wait: Duration) {
        self.state().limits.hold(Instant::now() + wait);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, how: impl FnOnce(&mut State)) {
        {
            let mut state = self.state();
            how(&mut state);
            state.under_way -= 1;
        }
        self.changed.notify_one();
    }
}

impl State {
    fn admit(&mut self, tokens: u32, turn: Turn, now: Instant) -> Result<Call, Wait> {
        self.wanted = self.adaptive.limit() <= self.under_way;
        if self.wanted {
            return Err(Wait::ForChange);
        }
        if let Some(until) = self.breaker.closed_off(now) {
            return Err(Wait::For(until.saturating_duration_since(now)));
        }
        let ticket = self.limits.take(tokens, now).map_err(Wait::For)?;
        let admission = self.breaker.admit(now);
        if turn == Turn::First {
            self.retries.sent();
        }
        self.under_way += 1;
        Ok(Call { ticket, begun: self.adaptive.begin(now), admission })
    }
}

impl Pass {
    /// The call brought a reply: so many tokens in all, and so many of them written by the model.
    pub(crate) fn replied(mut self, tokens: u32, written: u32) {
        self.end(|state, call, now| {
            state.limits.settle(call.ticket, tokens);
            state.adaptive.success(call.begun, written, state.wanted, now);
            state.breaker.alive(call.admission, now);
        });
    }

    /// The server judged the call and did no work for it.
    pub(crate) fn refused(mut self) {
        self.end(|state, call, now| {
            state.limits.settle(call.ticket, 0);
            state.adaptive.abandon(call.begun);
            state.breaker.alive(call.admission, now);
        });
    }

    /// The server has too much to do, and may have said how long to leave it alone.
    pub(crate) fn overloaded(mut self, wait: Option<Duration>) {
        self.end(|state, call, now| {
            state.limits.settle(call.ticket, 0);
            state.adaptive.overload(call.begun, wait, now);
            state.breaker.alive(call.admission, now);
        });
    }

    /// The call reached nobody, or was lost: `worked` tells whether the server may have done it. `dice` is from 0 to 1.
    pub(crate) fn failed(mut self, worked: bool, dice: f64) {
        self.end(|state, call, now| {
            if !worked {
                state.limits.settle(call.ticket, 0);
            }
            state.adaptive.abandon(call.begun);
            state.breaker.fault(call.admission, now, dice);
        });
    }

    /// The server sent nothing for too long: it may have lost the call, or have too many of them.
    pub(crate) fn timed_out(mut self, dice: f64) {
        self.end(|state, call, now| {
            state.adaptive.overload(call.begun, None, now);
            state.breaker.fault(call.admission, now, dice);
        });
    }

    fn end(&mut self, how: impl FnOnce(&mut State, Call, Instant)) {
        if let Some(call) = self.call.take() {
            self.gate.end(|state| how(state, call, Instant::now()));
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.end(|state, call, now| {
            state.adaptive.abandon(call.begun);
            state.breaker.gone(call.admission, now);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::limits::MINUTE;

    fn per_minute(limit: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(limit)
    }

    fn gate(requests: Option<NonZeroU32>, tokens: Option<NonZeroU32>, in_flight: usize) -> Arc<Gate> {
        Arc::new(Gate::new(requests, tokens, Adaptive::fixed(in_flight)))
    }

    /// Numbers that are the same for the same seed.
    struct Dice(u64);

    impl Dice {
        /// From 1 to `most`.
        fn next(&mut self, most: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            1 + (self.0 >> 33) % most
        }
    }

    /// A few different sizes, always the same.
    fn sizes(count: u64, most: u64) -> Vec<u32> {
        let mut dice = Dice(0x9e37_79b9);
        (0..count).map(|_| u32::try_from(dice.next(most)).unwrap()).collect()
    }

    /// What a server counts: when a call came, what it reserved, and when it was known to have taken how much.
    #[derive(Clone, Copy)]
    struct Counted {
        at: Instant,
        reserved: u64,
        settled: Option<(Instant, u64)>,
    }

    impl Counted {
        fn at(&self, now: Instant) -> u64 {
            self.settled.filter(|(when, _)| *when <= now).map_or(self.reserved, |(_, amount)| amount)
        }
    }

    /// Calls of random sizes come at random times, take random times and end in every way; whenever one is let through, a
    /// server that counts the last minute as it then knows it has room for it.
    async fn schedule(seed: u64) {
        let mut dice = Dice(seed);
        let most_requests = dice.next(300);
        let most_tokens = 1000 * dice.next(200);
        let limits = (u32::try_from(most_requests).unwrap(), u32::try_from(most_tokens).unwrap());
        let gate = gate(per_minute(limits.0), per_minute(limits.1), usize::try_from(dice.next(100)).unwrap());
        let calls: Vec<_> = (0..dice.next(400))
            .map(|_| {
                let (gate, comes) = (Arc::clone(&gate), Duration::from_millis(dice.next(240_000)));
                let size = dice.next(most_tokens.min(5000));
                let (took, ends, lasts) =
                    (dice.next(size), dice.next(6), Duration::from_millis(dice.next(30_000)));
                tokio::spawn(async move {
                    tokio::time::sleep(comes).await;
                    let turn = if ends == 1 { Turn::TurnedAway } else { Turn::First };
                    let pass = gate.enter(u32::try_from(size).unwrap(), turn).await;
                    let at = Instant::now();
                    tokio::time::sleep(lasts).await;
                    let settled = match ends {
                        1 => {
                            pass.refused();
                            Some(0)
                        }
                        2 => {
                            pass.overloaded(Some(lasts / 10));
                            Some(0)
                        }
                        3 => {
                            pass.failed(true, 0.5);
                            None
                        }
                        4 => {
                            drop(pass);
                            None
                        }
                        _ => {
                            pass.replied(u32::try_from(took).unwrap(), 1);
                            Some(took)
                        }
                    };
                    Counted { at, reserved: size, settled: settled.map(|amount| (Instant::now(), amount)) }
                })
            })
            .collect();
        let mut counted = Vec::new();
        for call in calls {
            counted.push(call.await.unwrap());
        }
        counted.sort_by_key(|call| call.at);
        for (index, now) in counted.iter().map(|call| call.at).enumerate() {
            let minute = counted[..=index].iter().filter(|call| now < call.at + Duration::from_secs(60));
            let (calls, tokens) = minute.fold((0, 0), |(calls, sum), call| (calls + 1, sum + call.at(now)));
            assert!(
                calls <= most_requests,
                "seed {seed}: {calls} calls in a minute, {most_requests} allowed"
            );
            assert!(tokens <= most_tokens, "seed {seed}: {tokens} tokens in a minute, {most_tokens} allowed");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_the_schedule_no_minute_sees_more_than_the_limits() {
        for seed in 0..60 {
            schedule(seed).await;
        }
    }

    /// Sends calls of these sizes as fast as the gate allows; asserts that no minute saw more than the limits, and
    /// returns how long it all took.
    async fn check(requests: Option<NonZeroU32>, tokens: Option<NonZeroU32>, sizes: Vec<u32>) -> Duration {
        let gate = gate(requests, tokens, 1000);
        let begun = Instant::now();
        let calls: Vec<_> = sizes
            .into_iter()
            .map(|size| {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move {
                    drop(gate.enter(size, Turn::First).await);
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
        let gate = gate(None, per_minute(1000), 4);
        let begun = Instant::now();
        drop(gate.enter(10, Turn::First).await);
        drop(gate.enter(5000, Turn::First).await);
        assert_eq!(begun.elapsed(), MINUTE);
        drop(gate.enter(10, Turn::First).await);
        assert_eq!(begun.elapsed(), 2 * MINUTE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_call_is_not_starved_by_small_ones() {
        let gate = gate(None, per_minute(6000), 100);
        for _ in 0..8 {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move {
                loop {
                    drop(gate.enter(5, Turn::First).await);
                    tokio::task::yield_now().await;
                }
            });
        }
        tokio::time::sleep(Duration::from_secs(90)).await;
        let begun = Instant::now();
        let entered = tokio::time::timeout(2 * MINUTE, gate.enter(5500, Turn::First)).await;
        let waited = begun.elapsed();
        assert!(
            entered.is_ok() && MINUTE / 2 < waited && waited <= MINUTE + Duration::from_secs(1),
            "{waited:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_limit_is_not_in_flight() {
        let gate = gate(per_minute(1), None, 2);
        let first = gate.enter(1, Turn::First).await;
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { drop(gate.enter(1, Turn::First).await) }
        });
        tokio::task::yield_now().await;
        assert_eq!(gate.state().under_way, 1);
        drop(first);
        waiting.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_in_flight_than_may_be() {
        let gate = gate(None, None, 2);
        let (_one, _two) = (gate.enter(1, Turn::First).await, gate.enter(1, Turn::First).await);
        assert!(tokio::time::timeout(Duration::from_secs(9), gate.enter(1, Turn::First)).await.is_err());
        drop(_one);
        gate.enter(1, Turn::First).await;
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_given_back_are_used_at_once() {
        let gate = gate(None, per_minute(1000), 4);
        let begun = Instant::now();
        let first = gate.enter(1000, Turn::First).await;
        let second = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { drop(gate.enter(900, Turn::First).await) }
        });
        tokio::time::sleep(Duration::from_secs(10)).await;
        first.replied(50, 0);
        second.await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_wants_to_be_left_alone_is() {
        let gate = gate(None, None, 4);
        let begun = Instant::now();
        gate.hold(Duration::from_secs(5));
        gate.hold(Duration::from_secs(3));
        gate.enter(1, Turn::First).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
    }

    /// `cargo test --release --workspace -- --ignored --nocapture what_the_gate_takes_of_a_call`
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "a measurement"]
    async fn what_the_gate_takes_of_a_call() {
        let gate = Arc::new(Gate::new(per_minute(u32::MAX), per_minute(u32::MAX), Adaptive::new(256)));
        let calls: Vec<_> = (0..20_000)
            .map(|_| {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move {
                    let pass = gate.enter(100, Turn::First).await;
                    let entered = Instant::now();
                    pass.replied(90, 10);
                    entered
                })
            })
            .collect();
        let mut moments = Vec::new();
        for call in calls {
            moments.push(call.await.unwrap());
        }
        assert_eq!((moments.len(), gate.state().under_way), (20_000, 0));
        moments.sort();
        // From one call let through to the next: all that is done for a call, one after the other.
        let mut between: Vec<_> = moments.windows(2).map(|pair| pair[1] - pair[0]).collect();
        between.sort();
        println!(
            "the gate takes {:?} of a call, {:?} of the slowest in a hundred",
            between[between.len() / 2],
            between[between.len() * 99 / 100]
        );
    }
}
