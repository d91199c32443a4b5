//! Whether a model is worth a call at all.
//!
//! A server that is broken fails whatever it is sent: thousands of prompts would use up their tries on it within
//! seconds, and it would come back under all of them at once. So after too many faults nobody asks it anything for a
//! while; then one call is let through, and what becomes of that decides. What a fault is, is not known here. A server
//! that is busy is none of the breaker's business: it is alive.

use std::time::Duration;

use tokio::time::Instant;

/// More faults in a row than two prompts make that break the server, at four tries each; with one call under way there
/// may be no others. A sound server that fails one call in three by chance does it once in sixty thousand calls.
const IN_A_ROW: u32 = 10;

/// Faults among the outcomes of late: half of them, if there are enough to speak of halves.
const OUTCOMES: u32 = 20;

/// "Of late": long enough for twenty replies of a slow server, and short enough to forget an incident. Kept as so many
/// sums, which is why calls per second cost nothing.
const BUCKETS: usize = 10;
const BUCKET: Duration = Duration::from_secs(3);

/// The first pause is that of a worker that is started again, and no longer than what a reply takes anyway; the longest
/// one notices within half a minute that a server is back.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// After this another probe may go, in case nobody ever says what became of the last one; it may just be long.
const PROBE_LASTS: Duration = Duration::from_secs(60);

/// How often to look whether a probe has come back.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Breaker {
    open: Option<Open>,
    /// Counted up whenever it opens or closes: calls from before say nothing about the time after.
    round: u64,
    window: Window,
    in_a_row: u32,
}

/// Leave to make a call, to be handed back with what became of it.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(crate) struct Admission {
    round: u64,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    since: Instant,
    pause: Duration,
    /// Nobody passes before this; who passes then is the probe, and nobody else passes for as long as it may take.
    until: Instant,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// When to look again, if nobody passes now.
    pub(crate) fn closed_off(&self, now: Instant) -> Option<Instant> {
        let until = self.open?.until;
        (now < until).then(|| until.min(now + LOOK_AGAIN))
    }

    /// Leave to make a call; after a pause, it is the one that decides. Whether anybody passes is to be asked before.
    pub(crate) fn admit(&mut self, now: Instant) -> Admission {
        if let Some(open) = &mut self.open {
            open.until = now + PROBE_LASTS;
        }
        Admission { round: self.round }
    }

    /// The server answered, be it that it has no time, or no wish, to do what it was asked.
    pub(crate) fn alive(&mut self, admission: Admission, now: Instant) {
        if admission.round != self.round {
            return;
        }
        self.in_a_row = 0;
        if self.open.take().is_some() {
            self.round += 1;
            self.window = Window::default();
        } else {
            self.window.add(false, now);
        }
    }

    /// The server failed. `dice`, from 0 to 1, keeps those who failed together from coming back together.
    pub(crate) fn fault(&mut self, admission: Admission, now: Instant, dice: f64) {
        if admission.round != self.round {
            return;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.window.add(true, now);
        let (since, pause) = match self.open {
            Some(open) => (open.since, (open.pause * 2).min(LONGEST_PAUSE)),
            None if IN_A_ROW <= self.in_a_row || self.window.is_bad() => (now, FIRST_PAUSE),
            None => return,
        };
        self.round += 1;
        let until = now + pause.mul_f64(0.5 + 0.5 * dice.clamp(0.0, 1.0));
        self.open = Some(Open { since, pause, until });
    }

    /// Nobody will ever know what became of the call. If it was the one to decide, another has to.
    pub(crate) fn gone(&mut self, admission: Admission, now: Instant) {
        if let Some(open) = &mut self.open
            && admission.round == self.round
        {
            open.until = now;
        }
    }

    /// Since when nobody passes but one now and then, if so.
    #[cfg(test)]
    fn open_since(&self) -> Option<Instant> {
        self.open.map(|open| open.since)
    }
}

/// The outcomes of late.
#[derive(Debug, Default)]
struct Window {
    buckets: [Outcomes; BUCKETS],
    /// The bucket in use, and when its time began.
    last: usize,
    began: Option<Instant>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Outcomes {
    all: u32,
    faults: u32,
}

impl Window {
    fn add(&mut self, fault: bool, now: Instant) {
        self.turn(now);
        let last = &mut self.buckets[self.last];
        last.all = last.all.saturating_add(1);
        last.faults = last.faults.saturating_add(u32::from(fault));
    }

    /// Empties the buckets whose time is over.
    fn turn(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let over = now.duration_since(began).as_nanos() / BUCKET.as_nanos();
        let Ok(steps) = u32::try_from(over) else {
            *self = Self::default();
            return;
        };
        for _ in 0..steps.min(BUCKETS as u32) {
            self.last = (self.last + 1) % BUCKETS;
            self.buckets[self.last] = Outcomes::default();
        }
        self.began = Some(began + BUCKET * steps);
    }

    fn is_bad(&self) -> bool {
        let all = self.buckets.iter().fold(0, |sum: u32, bucket| sum.saturating_add(bucket.all));
        let faults = self.buckets.iter().fold(0, |sum: u32, bucket| sum.saturating_add(bucket.faults));
        OUTCOMES <= all && all <= faults.saturating_mul(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// One call after another, `+` for an answer and `-` for a fault, for as long as they pass; a space is a second.
    fn play(breaker: &mut Breaker, outcomes: &str, mut now: Instant) -> Instant {
        for outcome in outcomes.chars() {
            if breaker.closed_off(now).is_some() {
                break;
            }
            match outcome {
                ' ' => now += SECOND,
                '+' => {
                    let admission = breaker.admit(now);
                    breaker.alive(admission, now);
                }
                _ => {
                    let admission = breaker.admit(now);
                    breaker.fault(admission, now, 1.0);
                }
            }
        }
        now
    }

    #[track_caller]
    fn check(outcomes: &str, open: bool) {
        let mut breaker = Breaker::new();
        play(&mut breaker, outcomes, Instant::now());
        assert_eq!(breaker.open_since().is_some(), open);
    }

    #[test]
    fn ten_faults_in_a_row_open_it() {
        check(&"-".repeat(9), false);
        check(&"-".repeat(10), true);
        // However slowly they come, as they do with one call under way.
        check(&"-          ".repeat(10), true);
        check(&("+".repeat(1000) + &"-".repeat(10)), true);
        check(&("-".repeat(9) + "+" + &"-".repeat(9)), false);
    }

    #[test]
    fn half_of_twenty_open_it() {
        check(&"+-".repeat(9), false);
        check(&("+-".repeat(9) + "+"), false);
        check(&"+-".repeat(10), true);
        check(&("+-".repeat(9) + "++-+"), false);
        check(&("+".repeat(20) + &"--+".repeat(6)), false);
        check(&("+".repeat(20) + &"--+".repeat(20)), true);
        check(&("+".repeat(6) + &"---+".repeat(5)), true);
    }

    #[test]
    fn what_was_half_a_minute_ago_is_forgotten() {
        let seconds = |count| " ".repeat(count);
        check(&("+-".repeat(9) + &seconds(26) + "+-"), true);
        check(&("+-".repeat(9) + &seconds(30) + "+-"), false);
        check(&("+-".repeat(9) + &seconds(100_000) + "+-"), false);
        check(&("+".repeat(18) + &seconds(31) + &"+--".repeat(7)), true);
        // Bit by bit, and not all at once.
        check(&("+  ".repeat(10) + &"--+".repeat(10)), true);
        check(&("+++  ".repeat(30) + &"--+".repeat(10)), false);
        // Fifteen in half a minute are not enough to tell.
        check(&"+  -  ".repeat(100), false);
        // Three in four are answers, for as long as one likes.
        check(&"+ +-+".repeat(1_000), false);
    }

    /// Opened just now.
    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new();
        play(&mut breaker, &"-".repeat(10), now);
        assert_eq!(breaker.open_since(), Some(now));
        breaker
    }

    #[test]
    fn one_passes_after_the_pause_and_decides_for_all() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.closed_off(now + SECOND * 9 / 10), Some(now + SECOND));
        let now = now + SECOND;
        assert_eq!(breaker.closed_off(now), None);
        let probe = breaker.admit(now);
        assert_eq!(breaker.closed_off(now), Some(now + LOOK_AGAIN));
        assert!(breaker.closed_off(now + 30 * SECOND).is_some());
        breaker.alive(probe, now + SECOND);
        assert_eq!((breaker.open_since(), breaker.closed_off(now)), (None, None));
        // All is forgotten.
        play(&mut breaker, &"+-".repeat(9), now + SECOND);
        assert_eq!(breaker.open_since(), None);
    }

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let begun = Instant::now();
        let mut now = begun;
        let mut breaker = opened(now);
        for pause in [1, 2, 4, 8, 16, 30, 30, 30] {
            let end = now + pause * SECOND;
            assert!(breaker.closed_off(end - SECOND / 100).is_some());
            assert_eq!(breaker.closed_off(end), None);
            now = end;
            let probe = breaker.admit(now);
            breaker.fault(probe, now, 1.0);
        }
        assert_eq!(breaker.open_since(), Some(begun));
        now = play(&mut breaker, "+", now + 30 * SECOND);
        now = play(&mut breaker, &"-".repeat(10), now);
        assert_eq!(breaker.closed_off(now), Some(now + SECOND));
    }

    #[test]
    fn pauses_differ() {
        #[track_caller]
        fn check(dice: f64, pause: Duration) {
            let now = Instant::now();
            let mut breaker = Breaker::new();
            for _ in 0..10 {
                let admission = breaker.admit(now);
                breaker.fault(admission, now, dice);
            }
            assert_eq!(breaker.closed_off(now), Some(now + pause));
        }
        check(0.0, SECOND / 2);
        check(0.5, SECOND * 3 / 4);
        check(1.0, SECOND);
        check(7.0, SECOND);
    }

    #[test]
    fn a_probe_that_disappears_is_replaced() {
        let begun = Instant::now();
        let mut breaker = opened(begun);
        let now = begun + SECOND;
        let probe = breaker.admit(now);
        assert!(breaker.closed_off(now).is_some());
        breaker.gone(probe, now);
        assert_eq!(breaker.closed_off(now), None);
        // The next one never says anything.
        let _silent = breaker.admit(now);
        assert!(breaker.closed_off(now + PROBE_LASTS - SECOND).is_some());
        assert_eq!(breaker.closed_off(now + PROBE_LASTS), None);
    }

    #[test]
    fn a_probe_that_takes_longer_than_expected_counts() {
        let begun = Instant::now();
        let mut breaker = opened(begun);
        let now = begun + SECOND;
        let long = breaker.admit(now);
        let _next = breaker.admit(now + PROBE_LASTS);
        breaker.alive(long, now + 2 * PROBE_LASTS);
        assert_eq!(breaker.open_since(), None);
    }

    #[test]
    fn calls_from_before_say_nothing_about_after() {
        let now = Instant::now();
        let mut breaker = Breaker::new();
        let calls: Vec<_> = (0..100).map(|_| breaker.admit(now)).collect();
        for &call in &calls[..50] {
            breaker.fault(call, now, 1.0);
        }
        // Forty faults more than it took do not make the pause longer, and a late answer does not end it.
        breaker.alive(calls[50], now);
        breaker.gone(calls[51], now);
        assert_eq!(breaker.closed_off(now), Some(now + SECOND));
        let now = play(&mut breaker, "+", now + SECOND);
        for &call in &calls[52..] {
            breaker.fault(call, now, 1.0);
        }
        assert_eq!(breaker.open_since(), None);
    }

    #[test]
    fn whatever_happens_one_at_a_time_probes_and_a_sound_server_gets_its_calls() {
        let mut opened = 0;
        for seed in 0..300 {
            let mut dice = Dice(seed);
            let faulty = dice.roll(10);
            let mut world =
                World { breaker: Breaker::new(), now: Instant::now(), calls: Vec::new(), probe: None };
            for _ in 0..1_000 {
                let open = world.breaker.open_since();
                world.step(&mut dice, faulty);
                opened += usize::from(open.is_none() && world.breaker.open_since().is_some());
            }
            let World { mut breaker, mut now, .. } = world;
            for _ in 0..PROBE_LASTS.as_secs() {
                now = breaker.closed_off(now).unwrap_or(now);
                play(&mut breaker, "+", now);
            }
            assert_eq!(breaker.open_since(), None);
        }
        assert!(100 < opened, "{opened} breakers opened");
    }

    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % sides
        }
    }

    /// Calls that begin and end in no order.
    struct World {
        breaker: Breaker,
        now: Instant,
        /// With whether it is a probe.
        calls: Vec<(Admission, bool)>,
        /// Since when there is one under way.
        probe: Option<Instant>,
    }

    impl World {
        fn step(&mut self, dice: &mut Dice, faulty: u64) {
            self.now += Duration::from_millis(dice.roll(2_000));
            let (breaker, now) = (&mut self.breaker, self.now);
            let open = breaker.open_since();
            if dice.roll(2) == 0 {
                match breaker.closed_off(now) {
                    Some(later) => assert!(open.is_some() && now < later && later <= now + LOOK_AGAIN),
                    None => {
                        if open.is_some() {
                            assert!(self.probe.is_none_or(|at| PROBE_LASTS <= now - at), "two probes");
                            self.probe = Some(now);
                        }
                        self.calls.push((breaker.admit(now), open.is_some()));
                    }
                }
            } else if !self.calls.is_empty() {
                let index = usize::try_from(dice.roll(self.calls.len() as u64)).unwrap();
                let (call, is_probe) = self.calls.swap_remove(index);
                match dice.roll(10) {
                    0 => breaker.gone(call, now),
                    outcome if outcome <= faulty => breaker.fault(call, now, 0.5),
                    _ => breaker.alive(call, now),
                }
                if is_probe || breaker.open_since() != open {
                    self.probe = None;
                }
            }
        }
    }
}
