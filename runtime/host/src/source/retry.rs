//! What a failed try means and how long to wait after it: tables without a clock, a socket or dice of their own.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use tokio::time::Instant;

use super::{Broken, Pace};

/// So much more than at the last failure is progress. A server that breaks every connection after some bytes would
/// otherwise be asked for ever, and never be given up.
const PROGRESS_BYTES: u64 = 64 << 10;
/// What is kept of a server's words: a sentence or two, not the page around them.
const MAX_WORDS: usize = 200;

/// Why a try failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Another try would bring the same.
    Final(Broken),
    /// The server is busy or the connection broke; the server may have said how long to wait.
    Again { says: String, wait: Option<Duration> },
    /// Nobody answered.
    Unreachable(String),
    /// The server has had enough of us for a while, or for good.
    Forbidden(String),
}

impl Trouble {
    /// For people.
    pub(super) fn says(&self) -> String {
        match self {
            Self::Final(broken) => broken.to_string(),
            Self::Again { says, .. } | Self::Unreachable(says) | Self::Forbidden(says) => says.clone(),
        }
    }
}

/// How long one download is tried.
#[derive(Debug)]
pub(super) struct Patience {
    least: Duration,
    pace: Pace,
    answered: Duration,
    unreachable: Duration,
    dice: u64,
    /// Failures since there was progress.
    tries: u32,
    forbidden: u32,
    /// The first of them.
    since: Option<Instant>,
    /// How far it was then.
    reached: u64,
}

/// What to do after a failure.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pause {
    pub(super) wait: Duration,
    /// Whether people should hear of it: a connection that breaks once is nobody's concern.
    pub(super) telling: bool,
}

impl Patience {
    /// `least` is the shortest wait and the first bound of the dice. Servers that answer may keep failing for `answered`
    /// without progress, those that do not for `unreachable`.
    pub(super) fn new(
        pace: &Pace,
        least: Duration,
        (answered, unreachable): (Duration, Duration),
        dice: u64,
    ) -> Self {
        let pace = pace.clone();
        Self { least, pace, answered, unreachable, dice, tries: 0, forbidden: 0, since: None, reached: 0 }
    }

    /// What follows from a failure with so many bytes read.
    pub(super) fn after(&mut self, trouble: Trouble, reached: u64, now: Instant) -> Result<Pause, Broken> {
        if self.since.is_none() || self.reached.saturating_add(PROGRESS_BYTES) <= reached {
            (self.tries, self.forbidden, self.reached) = (0, 0, reached);
            self.since = Some(now);
        }
        self.tries = self.tries.saturating_add(1);
        let (says, wait, limit) = match trouble {
            Trouble::Final(broken) => return Err(broken),
            Trouble::Forbidden(says) => {
                self.forbidden += 1;
                if self.pace.forbidden_tries <= self.forbidden {
                    return Err(Broken::Forbidden { says });
                }
                let wait = self.pace.forbidden.saturating_mul(1 << (self.forbidden - 1).min(8));
                return Ok(Pause { wait, telling: true });
            }
            Trouble::Again { says, wait } => {
                (says, wait.map_or_else(|| self.backoff(), |wait| wait.max(self.least)), self.answered)
            }
            Trouble::Unreachable(says) => (says, self.backoff(), self.unreachable.min(self.answered)),
        };
        let fruitless = now.duration_since(self.since.unwrap_or(now));
        if limit < fruitless.saturating_add(wait) {
            return Err(Broken::GaveUp { fruitless, wait, says });
        }
        Ok(Pause { wait, telling: 2 <= self.tries })
    }

    /// Full jitter: anything up to a bound that doubles with each try.
    fn backoff(&self) -> Duration {
        let doubled = self.least.saturating_mul(2_u32.saturating_pow(self.tries));
        doubled.min(self.pace.most).mul_f64(dice(self.dice, self.tries)).max(self.least)
    }
}

/// From 0 to 1, another number for each download and try, so that those who failed together do not come back together.
#[expect(clippy::cast_precision_loss, reason = "the upper 53 bits are exact")]
fn dice(seed: u64, throw: u32) -> f64 {
    // The finalizer of splitmix64.
    let mut mixed = seed.wrapping_add(u64::from(throw).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// What a response of HTTP other than 200, 206 and 416 means.
pub(super) fn refused(status: u16, wait: Option<Duration>, body: &[u8]) -> Trouble {
    let says = format!("{status} {}", words(&String::from_utf8_lossy(body))).trim_end().to_owned();
    match status {
        404 | 410 => Trouble::Final(Broken::Missing),
        403 => Trouble::Forbidden(says),
        408 | 425 | 429 | 500..=599 => Trouble::Again { says, wait },
        _ => Trouble::Final(Broken::Refused { says, hint: "" }),
    }
}

/// How long a server asks to be left alone: seconds, or a date, which is compared with the date on its own clock.
pub(super) fn asked_wait(retry_after: Option<&str>, date: Option<&str>) -> Option<Duration> {
    let text = retry_after?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = |text: &str| -> Option<Timestamp> { Some(rfc2822::parse(text.trim()).ok()?.timestamp()) };
    let wait = at(text)?.duration_since(at(date?)?);
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO))
}

/// A text from outside as one short line.
pub(super) fn words(text: &str) -> String {
    let mut line = String::new();
    let mut letters = 0;
    for word in
        text.split(|letter: char| letter.is_whitespace() || letter.is_control()).filter(|it| !it.is_empty())
    {
        for letter in (!line.is_empty()).then_some(' ').into_iter().chain(word.chars()) {
            if letters == MAX_WORDS {
                return line + "…";
            }
            line.push(letter);
            letters += 1;
        }
    }
    line
}

/// An error and its causes as one line, without what a cause repeats of its effect.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut says = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !says.contains(&next) {
            says = format!("{says}: {next}");
        }
        cause = error.source();
    }
    says
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience() -> Patience {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Patience::new(&Pace::default(), Duration::from_secs(1), (minutes(30), minutes(1)), 7)
    }

    fn again(wait: Option<u64>) -> Trouble {
        Trouble::Again { says: "503".to_owned(), wait: wait.map(Duration::from_secs) }
    }

    #[test]
    fn tries_are_a_second_apart_and_end_after_half_an_hour_without_progress() {
        let (mut patience, mut now) = (patience(), Instant::now());
        let begun = now;
        let broken = loop {
            match patience.after(again(None), 5, now) {
                Ok(pause) => {
                    assert!(Duration::from_secs(1) <= pause.wait && pause.wait <= Duration::from_secs(60));
                    now += pause.wait;
                }
                Err(broken) => break broken,
            }
        };
        assert!(matches!(&broken, Broken::GaveUp { says, .. } if says == "503"), "{broken}");
        let took = now.duration_since(begun);
        assert!(Duration::from_secs(29 * 60) < took && took <= Duration::from_secs(30 * 60), "{took:?}");
    }

    #[test]
    fn progress_renews_the_patience_and_a_few_bytes_are_none() {
        let (mut patience, now) = (patience(), Instant::now());
        let minutes = |minutes: u64| now + Duration::from_secs(60 * minutes);
        patience.after(again(None), 0, now).unwrap();
        patience.after(again(None), PROGRESS_BYTES, minutes(29)).unwrap();
        patience.after(again(None), PROGRESS_BYTES + 1, minutes(57)).unwrap();
        patience.after(again(None), PROGRESS_BYTES + 2, minutes(60)).unwrap_err();
    }

    #[test]
    fn the_server_says_how_long_to_wait_within_the_patience() {
        let (mut patience, now) = (patience(), Instant::now());
        assert_eq!(patience.after(again(Some(90)), 0, now).unwrap().wait, Duration::from_secs(90));
        assert_eq!(patience.after(again(Some(0)), 0, now).unwrap().wait, Duration::from_secs(1));
        patience.after(again(Some(3600)), 0, now).unwrap_err();
    }

    #[test]
    fn who_does_not_answer_is_given_up_sooner() {
        let (mut patience, now) = (patience(), Instant::now());
        let nobody = || Trouble::Unreachable("refused".to_owned());
        patience.after(nobody(), 0, now).unwrap();
        patience.after(nobody(), 0, now + Duration::from_secs(61)).unwrap_err();
    }

    #[test]
    fn a_403_is_waited_for_in_minutes_and_given_up_with_its_words() {
        let (mut patience, now) = (patience(), Instant::now());
        let forbidden = || Trouble::Forbidden("403 slow down".to_owned());
        let waits: Vec<_> =
            (0..3).map(|_| patience.after(forbidden(), 0, now).unwrap().wait.as_secs()).collect();
        assert_eq!(waits, [60, 120, 240]);
        let broken = patience.after(forbidden(), 0, now).unwrap_err();
        assert!(broken.to_string().contains("403 slow down"), "{broken}");
    }

    #[test]
    fn the_dice_are_even_and_the_same_for_the_same_seed() {
        let throws: Vec<_> = (0..1000).map(|throw| dice(42, throw)).collect();
        assert!(throws.iter().all(|it| (0.0..1.0).contains(it)));
        let mean = throws.iter().sum::<f64>() / 1000.0;
        assert!((0.47..0.53).contains(&mean), "{mean}");
        assert_eq!(dice(42, 3).to_bits(), dice(42, 3).to_bits());
        assert_ne!(dice(42, 3).to_bits(), dice(43, 3).to_bits());
    }

    #[test]
    fn waits_are_seconds_or_dates_by_the_servers_clock() {
        let check = |retry_after: Option<&str>, date: Option<&str>, seconds: Option<u64>| {
            assert_eq!(asked_wait(retry_after, date), seconds.map(Duration::from_secs), "{retry_after:?}");
        };
        let now = "Sun, 06 Nov 1994 08:49:37 GMT";
        check(None, None, None);
        check(Some("120"), None, Some(120));
        check(Some("Sun, 06 Nov 1994 08:50:37 GMT"), Some(now), Some(60));
        check(Some("Sun, 06 Nov 1994 08:48:37 GMT"), Some(now), Some(0));
        check(Some("Sun, 06 Nov 1994 08:50:37 GMT"), None, None);
        check(Some("soon"), Some(now), None);
    }

    #[test]
    fn statuses_mean_what_they_mean() {
        let check = |status: u16, kind: &str| {
            let found = match refused(status, None, b"<Code>SlowDown</Code>") {
                Trouble::Final(_) => "final",
                Trouble::Again { says, .. } => {
                    assert!(says.contains("SlowDown"), "{says}");
                    "again"
                }
                Trouble::Unreachable(_) => "unreachable",
                Trouble::Forbidden(_) => "forbidden",
            };
            assert_eq!(found, kind, "{status}");
        };
        [408, 425, 429, 500, 502, 503, 504, 520].iter().for_each(|&status| check(status, "again"));
        [400, 401, 404, 405, 410, 451].iter().for_each(|&status| check(status, "final"));
        check(403, "forbidden");
    }

    #[test]
    fn words_are_one_short_line() {
        assert_eq!(words("  a\r\n\tb\u{1b}[31mc "), "a b [31mc");
        assert_eq!(words(&"é".repeat(300)).chars().count(), MAX_WORDS + 1);
        assert_eq!(words(&"x ".repeat(300)).chars().count(), MAX_WORDS + 1);
    }
}
