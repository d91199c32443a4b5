//! Limits per minute, as providers document them, and the headers that tell of them.
//!
//! OpenAI's limits are buckets: they hold a minute's worth, refill all the time (`Limit 30000, Used 18928, Requested 11159.
//! Please try again in 174ms`, which is 87 tokens at 500 a second), and are said to be enforced over shorter periods at times
//! (60,000 a minute as 1,000 a second). What counts is what a request may use, at its arrival. Time is an argument here.

mod meter;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crate::provider::conduct::RetryAfter;
use crate::provider::limits::meter::Meter;

const MINUTE: Duration = Duration::from_secs(60);

/// What may be asked of the provider in a minute.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    pub requests_per_minute: Option<u64>,
    pub tokens_per_minute: Option<u64>,
    /// The time over which requests are limited: a bucket holds so much, a window is so long.
    pub request_period: Duration,
    /// The same for tokens. A request that is larger than the period's share passes when nothing else is there.
    pub token_period: Duration,
    pub enforced: Enforced,
    pub reserves: Reserves,
    /// Whether the tokens that a reply did not use are given back.
    pub settles: bool,
    /// Whether requests that were turned away count too, as OpenAI says that unsuccessful ones do.
    pub counts_refused: bool,
    /// How a 429 says when to come back.
    pub retry_after: RetryAfter,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_minute: None,
            tokens_per_minute: None,
            request_period: MINUTE,
            token_period: MINUTE,
            enforced: Enforced::Bucket,
            reserves: Reserves::Sum,
            settles: false,
            counts_refused: false,
            retry_after: RetryAfter::Fraction,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforced {
    /// Full at the start and refilled all the time. Up to twice the limit passes in the first minute.
    Bucket,
    /// Never more than the limit in any period, wherever it begins.
    Window,
}

/// What a request counts for at its arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserves {
    /// The prompt and `max_tokens`.
    Sum,
    /// The larger of the two.
    Larger,
}

impl Reserves {
    pub(crate) fn of(self, prompt_tokens: u64, max_tokens: u64) -> u64 {
        match self {
            Self::Sum => prompt_tokens.saturating_add(max_tokens),
            Self::Larger => prompt_tokens.max(max_tokens),
        }
    }
}

/// A request that was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    number: u64,
    tokens: u64,
}

/// Why a request was not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Excess {
    /// So many requests or tokens (`what`) are used of `limit`; in `wait` there is room.
    Later { what: &'static str, limit: u64, used: u64, wait: Duration },
    /// More tokens than a minute has.
    TooLarge { limit: u64 },
}

/// Both limits with what was used of them.
#[derive(Debug)]
pub struct Limiter {
    requests: Option<Meter>,
    tokens: Option<Meter>,
    settles: bool,
    counts_refused: bool,
    admitted: u64,
}

impl Limiter {
    pub fn new(limits: &Limits, now: Instant) -> Self {
        let meter = |limit: Option<u64>, period| Some(Meter::new(limit?, period, limits.enforced, now));
        Self {
            requests: meter(limits.requests_per_minute, limits.request_period),
            tokens: meter(limits.tokens_per_minute, limits.token_period),
            settles: limits.settles,
            counts_refused: limits.counts_refused,
            admitted: 0,
        }
    }

    /// Lets one request in that may use so many tokens. Times never go back.
    pub fn admit(&mut self, now: Instant, tokens: u64) -> Result<Admission, Excess> {
        let number = self.admitted;
        if let Err(excess) = self.judge(now, tokens) {
            if let Some(meter) = self.requests.as_mut().filter(|_| self.counts_refused) {
                meter.lose(now, number);
            }
            return Err(excess);
        }
        if let Some(meter) = &mut self.requests {
            meter.take(now, number, 1);
        }
        if let Some(meter) = &mut self.tokens {
            meter.take(now, number, tokens);
        }
        self.admitted += 1;
        Ok(Admission { number, tokens })
    }

    fn judge(&mut self, now: Instant, tokens: u64) -> Result<(), Excess> {
        let meters = [("requests", &mut self.requests, 1), ("tokens", &mut self.tokens, tokens)];
        let mut longest = None;
        for (what, meter, amount) in meters {
            let Some(meter) = meter else { continue };
            let limit = meter.limit;
            if limit < amount {
                return Err(Excess::TooLarge { limit });
            }
            let wait = meter.wait(now, amount);
            let excess = Excess::Later { what, limit, used: meter.used(), wait };
            if !wait.is_zero() && longest.as_ref().is_none_or(|(known, _)| *known < wait) {
                longest = Some((wait, excess));
            }
        }
        longest.map_or(Ok(()), |(_, excess)| Err(excess))
    }

    /// Says what a request used of the tokens that it was let in with.
    pub fn settle(&mut self, now: Instant, admission: Admission, used: u64) {
        if let Some(meter) = self.tokens.as_mut().filter(|_| self.settles) {
            meter.give_back(now, admission.number, admission.tokens.saturating_sub(used));
        }
    }

    /// `x-ratelimit-*`.
    pub fn headers(&mut self, now: Instant) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if let Some(meter) = &mut self.requests {
            let [remaining, reset] = meter.told(now);
            headers.push(("x-ratelimit-limit-requests", meter.limit.to_string()));
            headers.push(("x-ratelimit-remaining-requests", remaining));
            headers.push(("x-ratelimit-reset-requests", reset));
        }
        if let Some(meter) = &mut self.tokens {
            let [remaining, reset] = meter.told(now);
            headers.push(("x-ratelimit-limit-tokens", meter.limit.to_string()));
            headers.push(("x-ratelimit-remaining-tokens", remaining));
            headers.push(("x-ratelimit-reset-tokens", reset));
        }
        headers
    }
}

/// As Go writes a duration, to the millisecond and rounded up: `6m0s`, `1.5s`, `20ms`, `0s`.
pub fn go_duration(duration: Duration) -> String {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    if millis == 0 {
        return "0s".to_owned();
    }
    if millis < 1000 {
        return format!("{millis}ms");
    }
    let fraction = format!("{:03}", rest % 1000);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    let seconds = format!("{}{point}{fraction}s", rest / 1000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}
