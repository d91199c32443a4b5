//! How the provider behaves towards a request: as it should, or in one of the ways in which real ones fail.
//!
//! An [`Act`] says what happens and not how: `wire` makes bytes of it. A [`Conduct`] chooses an act for each chat request,
//! by a rule of the test's own or by dice that depend on the request and its attempt, so that two runs see the same.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Value, json};

use crate::provider::ledger::Digest;
use crate::provider::reply::Ask;
use crate::provider::settings::Dialect;

/// What becomes of one chat request that was let in.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// The reply.
    Answer,
    /// An answer that is no reply; it costs nothing.
    Refuse(Refusal),
    /// A reply with something wrong in it; it is charged as if it were right.
    Odd(Odd),
    /// The reply up to a point, where the connection is reset. Charged if its body had begun.
    Reset(At),
    /// The reply up to a point, where the connection is closed in order. Charged if its body had begun.
    Close(At),
    /// Nothing for so long, then the reply.
    Late(Duration),
    /// The reply in small pieces.
    Drip { bytes: usize, pause: Duration },
    /// No answer for as long as the client stays; it costs nothing.
    Hang,
    /// These bytes instead of a response, then the end of the connection; they cost nothing.
    Raw(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    BeforeHead,
    InHead,
    InBody,
}

/// What is wrong with a reply whose status is 200.
#[derive(Debug, Clone, PartialEq)]
pub enum Odd {
    /// Another `usage` than the true one: null, zeros, negative or huge numbers, strings.
    Usage(Value),
    NoUsage,
    /// The same choice so often; 0 is none.
    Choices(usize),
    NullContent,
    /// `refusal` instead of content.
    Refused,
    /// Another `finish_reason`.
    Finish(&'static str),
    /// More JSON after the JSON.
    Trailing,
    /// Bytes in the text that are no UTF-8.
    NotUtf8,
    /// A field so long that the body has at least so many bytes.
    Padded(usize),
    /// Half of the JSON, honestly measured.
    Half,
    /// This instead of the JSON.
    Body(Vec<u8>),
    /// In chunks of so many bytes, which is not odd at all, but not what the other replies look like.
    Chunked(usize),
    /// `Content-Length` is larger than the body, after which the connection is closed.
    LongLength,
    /// `Content-Length` is smaller than the body; the connection stays.
    ShortLength,
    /// Two different lengths.
    TwoLengths,
}

/// How a response says when to come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryAfter {
    None,
    /// Whole seconds, rounded up.
    Seconds,
    /// Seconds with a fraction.
    Fraction,
    /// An HTTP date, in whole seconds, rounded up.
    Date,
    /// `retry-after-ms`.
    Milliseconds,
    /// Whatever this says.
    Text(&'static str),
}

impl RetryAfter {
    pub(crate) fn header(&self, wait: Duration, now: Timestamp) -> Option<(&'static str, String)> {
        let millis = wait.as_nanos().div_ceil(1_000_000);
        match self {
            Self::None => None,
            Self::Seconds => Some(("retry-after", millis.div_ceil(1000).to_string())),
            Self::Fraction => Some(("retry-after", format!("{}.{:03}", millis / 1000, millis % 1000))),
            Self::Date => Some(("retry-after", date(now, millis))),
            Self::Milliseconds => Some(("retry-after-ms", millis.to_string())),
            Self::Text(text) => Some(("retry-after", (*text).to_owned())),
        }
    }
}

fn date(now: Timestamp, millis: u128) -> String {
    let second = (now.as_millisecond() as u128 + millis).div_ceil(1000);
    let then = Timestamp::from_second(i64::try_from(second).unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX);
    DateTimePrinter::new().timestamp_to_rfc9110_string(&then).expect("years from now on can be written")
}

/// An answer that is no reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub status: u16,
    pub retry_after: RetryAfter,
    /// What `retry_after` says.
    pub wait: Duration,
    pub headers: Vec<(&'static str, String)>,
    pub media: &'static str,
    pub body: Vec<u8>,
}

impl Refusal {
    pub fn new(status: u16, media: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let (retry_after, headers) = (RetryAfter::None, Vec::new());
        Self { status, retry_after, wait: Duration::ZERO, headers, media, body: body.into() }
    }

    /// An error in the form that OpenAI gives it.
    pub fn error(status: u16, kind: &str, code: impl Into<Value>, message: &str) -> Self {
        let error = json!({ "message": message, "type": kind, "param": null, "code": code.into() });
        Self::new(status, "application/json", json!({ "error": error }).to_string())
    }

    /// Too much to do: 429, 503, 529 or 408.
    pub fn busy(status: u16) -> Self {
        match status {
            429 => Self::error(status, "requests", "rate_limit_exceeded", "Too many requests, slow down."),
            408 => Self::error(status, "timeout", Value::Null, "The request waited too long."),
            _ => Self::error(status, "overloaded_error", Value::Null, "The server is overloaded."),
        }
    }

    /// What a proxy in front of the provider says.
    pub fn html(status: u16) -> Self {
        let page = format!(
            "<html>\n<head><title>{status}</title></head>\n<body><h1>{status}</h1></body>\n</html>\n"
        );
        Self::new(status, "text/html", page)
    }

    /// 500 and its like.
    pub fn broken(status: u16) -> Self {
        Self::error(status, "server_error", Value::Null, "Something went wrong here.")
    }

    /// 429 that no waiting helps.
    pub fn quota_spent() -> Self {
        Self::error(429, "insufficient_quota", "insufficient_quota", "The quota of this account is spent.")
    }

    /// 401 or 403.
    pub fn denied(status: u16) -> Self {
        Self::error(status, "invalid_request_error", "invalid_api_key", "This key is not allowed here.")
    }

    /// 400: the prompt and what it asks for do not fit.
    pub fn too_long(dialect: Dialect, context: u64, prompt: u64, asked: u64) -> Self {
        let limit = format!("This model's maximum context length is {context} tokens.");
        match dialect {
            Dialect::OpenAi => Self::error(
                400,
                "invalid_request_error",
                "context_length_exceeded",
                &format!("{limit} However, your messages resulted in {prompt} tokens."),
            ),
            Dialect::Vllm => Self::error(
                400,
                "BadRequestError",
                400,
                &format!(
                    "{limit} However, you requested {asked} output tokens and your prompt contains {prompt} input tokens."
                ),
            ),
            Dialect::LlamaCpp => {
                let message = format!(
                    "request ({prompt} tokens) exceeds the available context size ({context} tokens)"
                );
                let error = json!({
                    "code": 400, "message": message, "type": "exceed_context_size_error",
                    "n_prompt_tokens": prompt, "n_ctx": context,
                });
                Self::new(400, "application/json", json!({ "error": error }).to_string())
            }
        }
    }

    /// 400: the prompt is not liked.
    pub fn filtered() -> Self {
        Self::error(400, "invalid_request_error", "content_filter", "The prompt was filtered by a policy.")
    }

    /// 500: llama.cpp cannot read what its own model wrote.
    pub fn peg_native() -> Self {
        let message = "The model produced output that does not match the expected peg-native format";
        let error = json!({ "code": 500, "message": message, "type": "server_error" });
        Self::new(500, "application/json", json!({ "error": error }).to_string())
    }

    /// An error that is told at length.
    pub fn huge(status: u16, bytes: usize) -> Self {
        Self::error(status, "server_error", Value::Null, &"x".repeat(bytes))
    }

    pub fn redirect(status: u16, to: &str) -> Self {
        let mut refusal = Self::new(status, "text/plain", "elsewhere");
        refusal.headers.push(("location", to.to_owned()));
        refusal
    }

    /// The same with a time to come back.
    pub fn after(self, retry_after: RetryAfter, wait: Duration) -> Self {
        Self { retry_after, wait, ..self }
    }
}

/// A chat request as a conduct sees it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Chat requests that arrived before.
    pub number: u64,
    /// How many of those had the same body.
    pub attempt: u32,
    pub body: Digest,
    pub ask: &'a Ask,
}

/// The rule that chooses acts.
#[derive(Clone)]
pub struct Conduct(Arc<dyn Fn(&Seen<'_>) -> Act + Send + Sync>);

impl Conduct {
    pub fn by(rule: impl Fn(&Seen<'_>) -> Act + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }

    /// No misbehaviour.
    pub fn good() -> Self {
        Self::by(|_| Act::Answer)
    }

    pub fn always(act: Act) -> Self {
        Self::by(move |_| act.clone())
    }

    /// These acts for the first requests, none for the others.
    pub fn first(acts: Vec<Act>) -> Self {
        Self::by(move |seen| {
            let index = usize::try_from(seen.number).unwrap_or(usize::MAX);
            acts.get(index).cloned().unwrap_or(Act::Answer)
        })
    }

    /// Each act with its probability, the rest of the time the reply. After `patience` attempts with one body it is always
    /// the reply, so that every request is answered in the end.
    pub fn mix(seed: u64, patience: u32, acts: Vec<(f64, Act)>) -> Self {
        Self::by(move |seen| {
            if patience <= seen.attempt {
                return Act::Answer;
            }
            let mut dice = dice(seed, seen.body, seen.attempt);
            for (probability, act) in &acts {
                dice -= probability;
                if dice < 0.0 {
                    return act.clone();
                }
            }
            Act::Answer
        })
    }

    pub(crate) fn towards(&self, seen: &Seen<'_>) -> Act {
        (self.0)(seen)
    }
}

impl fmt::Debug for Conduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Conduct")
    }
}

/// From 0 to 1, the same for the same arguments.
fn dice(seed: u64, body: Digest, attempt: u32) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(&body.0).update(&attempt.to_le_bytes());
    let mut bytes = [0; 4];
    hasher.finalize_xof().fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn says(form: &RetryAfter, millis: u64, expected: Option<(&str, &str)>) {
        let now = "2026-11-24T12:00:00.25Z".parse().unwrap();
        let header = form.header(Duration::from_millis(millis), now);
        assert_eq!(header.as_ref().map(|(name, value)| (*name, value.as_str())), expected);
    }

    #[test]
    fn every_form_says_the_same_and_never_too_little() {
        says(&RetryAfter::None, 1500, None);
        says(&RetryAfter::Seconds, 1500, Some(("retry-after", "2")));
        says(&RetryAfter::Fraction, 1500, Some(("retry-after", "1.500")));
        says(&RetryAfter::Milliseconds, 1500, Some(("retry-after-ms", "1500")));
        says(&RetryAfter::Date, 1500, Some(("retry-after", "Tue, 24 Nov 2026 12:00:02 GMT")));
        says(&RetryAfter::Date, 1750, Some(("retry-after", "Tue, 24 Nov 2026 12:00:02 GMT")));
        says(&RetryAfter::Text("1e9"), 1500, Some(("retry-after", "1e9")));
    }

    #[test]
    fn a_mix_is_fair_repeatable_and_patient() {
        let acts = || vec![(0.2, Act::Hang), (0.1, Act::Reset(At::InHead))];
        let ask = Ask::default();
        let run = |conduct: Conduct, attempt| {
            let bodies = (0..10_000_u32).map(|number| Digest::of(&number.to_le_bytes()));
            let seen = bodies.map(|body| Seen { number: 0, attempt, body, ask: &ask });
            seen.map(|seen| conduct.towards(&seen)).collect::<Vec<_>>()
        };
        let first = run(Conduct::mix(1, 3, acts()), 0);
        let count = |wanted: &Act| first.iter().filter(|act| *act == wanted).count();
        assert!((1800..2200).contains(&count(&Act::Hang)));
        assert!((850..1150).contains(&count(&Act::Reset(At::InHead))));
        assert_eq!(first, run(Conduct::mix(1, 3, acts()), 0));
        assert_ne!(first, run(Conduct::mix(2, 3, acts()), 0));
        assert_ne!(first, run(Conduct::mix(1, 3, acts()), 1));
        assert!(run(Conduct::mix(1, 3, acts()), 3).iter().all(|act| *act == Act::Answer));
    }
}
