//! What a provider is told before it starts. Everything has a default: no limits, no crowd, no misbehaviour, instant replies.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::provider::batch::BatchRules;
use crate::provider::conduct::{Conduct, RetryAfter};
use crate::provider::engine::Engine;
use crate::provider::limits::Limits;
use crate::provider::reply::{Replies, Usage};

/// Everything that a test may decide. `Settings { limits: …, ..Settings::default() }` is how it is meant to be written.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen on 127.0.0.1; 0 is any free port.
    pub port: u16,
    /// What `/v1/models` lists. A request for another model is answered 404; an empty list serves every name.
    pub models: Vec<String>,
    /// The only key that is let in. None lets in everybody.
    pub key: Option<String>,
    /// Whose errors and metrics these are.
    pub dialect: Dialect,
    /// Whether `/metrics` is there. OpenAI has none whatever this says.
    pub metrics: bool,
    /// Tokens of prompt and reply that fit; what asks for more is refused in the dialect's words.
    pub context: Option<u64>,
    /// How many tokens a text has.
    pub count: Count,
    pub replies: Replies,
    /// The share of request bodies, chosen by their hash, whose usage says that half of the prompt was cached.
    pub cached_share: f64,
    pub price: Price,
    pub limits: Limits,
    /// How many requests may be under way before others are turned away.
    pub concurrency: Option<Concurrency>,
    /// How long replies take. None: no time at all.
    pub engine: Option<Engine>,
    pub conduct: Conduct,
    pub batches: BatchRules,
    /// How much of a user message the ledger keeps. Whoever sends millions of requests sets this to 0.
    pub message_bytes: usize,
    /// Whether a reply is charged even if the connection was reset, by order, before its head had been sent.
    pub charge_lost: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            port: 0,
            models: Vec::new(),
            key: None,
            dialect: Dialect::OpenAi,
            metrics: true,
            context: None,
            count: Count::default(),
            replies: Replies::default(),
            cached_share: 0.0,
            price: Price { input: 1.0, cached_input: 0.5, output: 10.0 },
            limits: Limits::default(),
            concurrency: None,
            engine: None,
            conduct: Conduct::good(),
            batches: BatchRules::default(),
            message_bytes: 64 << 10,
            charge_lost: false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    OpenAi,
    Vllm,
    LlamaCpp,
}

/// The rule by which texts have tokens. A gateway's estimate is compared with the provider's count, so a test about exact
/// limits gives the gateway's own rule.
#[derive(Clone)]
pub struct Count(Arc<dyn Fn(&str) -> u64 + Send + Sync>);

impl Count {
    pub fn by(rule: impl Fn(&str) -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }

    pub(crate) fn of(&self, text: &str) -> u64 {
        (self.0)(text)
    }
}

impl Default for Count {
    /// One token for every four bytes begun, and at least one.
    fn default() -> Self {
        Self::by(|text| text.len().div_ceil(4).max(1) as u64)
    }
}

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Count")
    }
}

/// Dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    pub input: f64,
    pub cached_input: f64,
    pub output: f64,
}

impl Price {
    /// In picodollars, so that sums are exact: a dollar per million tokens is a million picodollars per token.
    pub fn of(&self, usage: Usage) -> u64 {
        let each = |dollars: f64, tokens: u64| (dollars * 1e6).round() as u64 * tokens;
        let cached = usage.cached_tokens.min(usage.prompt_tokens);
        each(self.input, usage.prompt_tokens - cached)
            + each(self.cached_input, cached)
            + each(self.output, usage.completion_tokens)
    }
}

/// A server that turns a crowd away.
#[derive(Debug, Clone)]
pub struct Concurrency {
    /// Requests under way, counted from their arrival until their response has been handed over.
    pub most: usize,
    /// What the others get: 429, 503 or 529.
    pub status: u16,
    pub retry_after: RetryAfter,
    /// What `retry_after` says.
    pub wait: Duration,
}

impl Concurrency {
    pub fn new(most: usize, status: u16) -> Self {
        Self { most, status, retry_after: RetryAfter::None, wait: Duration::from_secs(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn costs(prompt_tokens: u64, cached_tokens: u64, completion_tokens: u64, picodollars: u64) {
        let price = Price { input: 0.1, cached_input: 0.025, output: 0.4 };
        assert_eq!(price.of(Usage { prompt_tokens, cached_tokens, completion_tokens }), picodollars);
    }

    #[test]
    fn a_price_is_exact_to_the_picodollar() {
        costs(1, 0, 0, 100_000);
        costs(1_000_000, 0, 1_000_000, 500_000_000_000);
        costs(1000, 400, 10, 600 * 100_000 + 400 * 25_000 + 10 * 400_000);
        costs(3, 9, 0, 3 * 25_000);
    }

    #[test]
    fn four_bytes_are_a_token() {
        let count = Count::default();
        assert_eq!(["", "a", "four", "five!"].map(|text| count.of(text)), [1, 1, 1, 2]);
    }
}
