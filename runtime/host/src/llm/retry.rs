//! What a server's trouble means and what follows from it: tables without a clock, a socket or dice of their own.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::Value;

use crate::prompt::Failure;

/// Four tries over a few seconds outlast a restarted worker behind a balancer; what fails four times fails for good.
const MAX_ATTEMPTS: u32 = 4;

/// So many prompts must have failed, with no success between them, before faults alone say that the model is out of
/// order. A single prompt that breaks the server would otherwise stop every run that comes to it.
const MANY_PROMPTS: u32 = 8;

/// The longest wait that is not the server's wish: short enough to notice within a minute that it is back.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// A server that turns a call away and says "at once" would otherwise be asked in a loop without end.
const MIN_WAIT: Duration = Duration::from_millis(100);

/// What is kept of a server's words: a sentence or two, not the page around them.
const MAX_WORDS: usize = 300;

/// Why a call brought no reply.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Trouble {
    /// The server has too much to do, and may have said how long to wait.
    Busy { wait: Option<Duration>, says: String },
    /// The call failed in the server or on the way back: perhaps because of the prompt.
    Fault(String),
    /// The server was not reached.
    Unreachable(String),
    /// The server's opinion of the prompt, final.
    Prompt(Failure),
    /// The server's opinion of us, final.
    Final(Refusal),
}

/// Why a server will answer no prompt at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The key is missing or wrong.
    Denied(String),
    /// The account has no money or no quota left.
    Spent(String),
    /// There is no such model, or no server that speaks this protocol.
    NotThere(String),
}

/// A response that is no reply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<&'a str>,
    pub(crate) retry_after_ms: Option<&'a str>,
    pub(crate) body: &'a str,
}

/// What is known when a call has failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// Calls for this prompt that ended in a fault, with this one.
    pub(crate) faults: u32,
    /// Calls for this prompt that were turned away or reached nobody, with this one.
    pub(crate) turned_away: u32,
    /// How long this prompt has waited after its failed calls.
    pub(crate) waited: Duration,
    /// Since the model's first failure after its last success.
    pub(crate) ill_for: Duration,
    /// Prompts given up in that time.
    pub(crate) given_up: u32,
    /// How long the model may be out of order.
    pub(crate) patience: Duration,
    /// The first wait without a server's wish; it doubles.
    pub(crate) first_wait: Duration,
    /// From 0 to 1, different for each prompt and call, so that those who failed together do not come back together.
    pub(crate) dice: f64,
}

/// What to do about a call that failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    Again(Duration),
    Fail(Failure),
    /// The model is out of order.
    Down(String),
    Stop(Refusal),
}

/// What a response other than a success means. The status decides; the body only where it is known to say more.
pub(crate) fn trouble(response: Response<'_>, now: Timestamp) -> Trouble {
    let error = ServerError::read(response.body);
    let says = format!("{} {}", response.status, error.words).trim_end().to_owned();
    match response.status {
        429 if error.is("insufficient_quota") => Trouble::Final(Refusal::Spent(says)),
        408 | 429 | 503 | 529 => Trouble::Busy { wait: asked_wait(response, now), says },
        401 | 403 => Trouble::Final(Refusal::Denied(says)),
        402 => Trouble::Final(Refusal::Spent(says)),
        // None of these depends on the prompt. As a failure of the prompt it would be in the journal for good.
        300..=399 | 404 | 405 | 410 => Trouble::Final(Refusal::NotThere(says)),
        400 | 413 | 422 => Trouble::Prompt(match error.context {
            Some(context) => Failure::TooLong(context),
            None => Failure::Refused(says),
        }),
        _ => Trouble::Fault(says),
    }
}

/// What follows from a failed call.
pub(crate) fn action(trouble: Trouble, standing: Standing) -> Action {
    match trouble {
        Trouble::Busy { wait, says } => {
            let wait =
                wait.map_or_else(|| backoff(standing.turned_away, standing), |wait| wait.max(MIN_WAIT));
            again_within_patience(wait, says, standing)
        }
        Trouble::Unreachable(says) => {
            again_within_patience(backoff(standing.turned_away, standing), says, standing)
        }
        Trouble::Fault(_) if standing.faults < MAX_ATTEMPTS => {
            Action::Again(backoff(standing.faults, standing))
        }
        Trouble::Fault(says)
            if standing.patience <= standing.ill_for && MANY_PROMPTS <= standing.given_up =>
        {
            Action::Down(says)
        }
        Trouble::Fault(says) => Action::Fail(Failure::GaveUp(says)),
        Trouble::Prompt(failure) => Action::Fail(failure),
        Trouble::Final(refusal) => Action::Stop(refusal),
    }
}

/// A server that is busy or away is waited for, but neither by a run nor by a prompt for ever.
fn again_within_patience(wait: Duration, says: String, standing: Standing) -> Action {
    if standing.patience < standing.ill_for.saturating_add(wait) {
        Action::Down(says)
    } else if standing.patience < standing.waited.saturating_add(wait) {
        Action::Fail(Failure::GaveUp(says))
    } else {
        Action::Again(wait)
    }
}

/// Full jitter: anything up to a bound that doubles with each try.
fn backoff(tries: u32, standing: Standing) -> Duration {
    let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
    standing.first_wait.saturating_mul(doubled).min(MAX_WAIT).mul_f64(standing.dice.clamp(0.0, 1.0))
}

/// How long the server asks to be left alone: milliseconds, seconds with a fraction, or a date.
fn asked_wait(response: Response<'_>, now: Timestamp) -> Option<Duration> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let duration = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
    if let Some(wait) = response.retry_after_ms.and_then(number).and_then(|ms| duration(ms / 1000.0)) {
        return Some(wait);
    }
    let text = response.retry_after?;
    match number(text) {
        Some(seconds) => duration(seconds),
        None => {
            let date = rfc2822::parse(text.trim()).ok()?.timestamp();
            Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
        }
    }
}

/// A server's own account of an error, in any of the dialects.
#[derive(Debug)]
struct ServerError {
    kinds: Vec<String>,
    words: String,
    /// The model's context in tokens, where the prompt was too long for it and the server says so.
    context: Option<u32>,
}

impl ServerError {
    fn read(body: &str) -> Self {
        let json: Value = serde_json::from_str(body).unwrap_or_default();
        // OpenAI and llama.cpp wrap the error, vLLM did not always.
        let error = json.get("error").filter(|error| error.is_object()).unwrap_or(&json);
        let text = |key: &str| error.get(key).and_then(Value::as_str);
        let message = text("message").or_else(|| json.get("error").and_then(Value::as_str)).unwrap_or(body);
        let kinds: Vec<_> = ["type", "code"].into_iter().filter_map(text).map(str::to_owned).collect();
        let context = match error.get("n_ctx").and_then(Value::as_u64) {
            Some(context) if kinds.iter().any(|kind| kind == "exceed_context_size_error") => Some(context),
            Some(_) | None => number_after(message, "maximum context length is "),
        };
        Self { kinds, words: words(message), context: context.and_then(|context| context.try_into().ok()) }
    }

    fn is(&self, kind: &str) -> bool {
        self.kinds.iter().any(|known| known == kind)
    }
}

fn number_after(text: &str, phrase: &str) -> Option<u64> {
    let (_, rest) = text.split_once(phrase)?;
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// A text from outside as one short line.
pub(crate) fn words(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if MAX_WORDS <= line.len() {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(MAX_WORDS) {
        Some((end, _)) => {
            line.truncate(end);
            line + "…"
        }
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn now() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn response(status: u16, body: &str) -> Response<'_> {
        Response { status, retry_after: None, retry_after_ms: None, body }
    }

    fn busy(wait: Option<Duration>) -> Trouble {
        Trouble::Busy { wait, says: "full".to_owned() }
    }

    #[track_caller]
    fn means(status: u16, body: &str, expected: Trouble) {
        assert_eq!(trouble(response(status, body), now()), expected);
    }

    #[test]
    fn a_busy_server_is_not_a_broken_one() {
        for status in [408, 429, 503, 529] {
            means(status, "", Trouble::Busy { wait: None, says: status.to_string() });
        }
    }

    #[test]
    fn an_empty_account_is_no_busy_server() {
        let spent = |status| Trouble::Final(Refusal::Spent(format!("{status} pay")));
        means(429, r#"{"error":{"message":"pay","type":"insufficient_quota"}}"#, spent(429));
        means(429, r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#, spent(429));
        means(402, r#"{"error":{"message":"pay"}}"#, spent(402));
    }

    #[test]
    fn what_does_not_depend_on_the_prompt_is_final() {
        for status in [401, 403] {
            means(status, "key?", Trouble::Final(Refusal::Denied(format!("{status} key?"))));
        }
        for status in [301, 308, 404, 405, 410] {
            means(status, "", Trouble::Final(Refusal::NotThere(status.to_string())));
        }
    }

    #[test]
    fn a_refused_prompt_keeps_the_servers_words() {
        for status in [400, 413, 422] {
            let refused = Failure::Refused(format!("{status} no such thing"));
            means(status, r#"{"error":{"message":"no such\nthing"}}"#, Trouble::Prompt(refused));
        }
    }

    #[test]
    fn every_dialect_of_too_long_is_understood() {
        let bodies = [
            r#"{"error":{"code":"context_length_exceeded","type":"invalid_request_error",
                "message":"This model's maximum context length is 8192 tokens. However, you asked for 9000."}}"#,
            r#"{"error":{"code":400,"type":"exceed_context_size_error","message":"too large","n_ctx":8192,"n_prompt_tokens":9000}}"#,
            r#"{"object":"error","code":400,"message":"This model's maximum context length is 8192 tokens."}"#,
        ];
        for body in bodies {
            means(400, body, Trouble::Prompt(Failure::TooLong(8192)));
        }
    }

    #[test]
    fn everything_else_may_pass() {
        for status in [409, 425, 500, 502, 504, 599] {
            means(status, r#"{"error":"oh"}"#, Trouble::Fault(format!("{status} oh")));
        }
        means(500, "<html>\n <h1>Oops</h1>", Trouble::Fault("500 <html> <h1>Oops</h1>".to_owned()));
    }

    #[test]
    fn a_servers_wish_is_read_in_every_form() {
        #[track_caller]
        fn check(retry_after: Option<&str>, retry_after_ms: Option<&str>, expected: Option<Duration>) {
            let response = Response { status: 429, retry_after, retry_after_ms, body: "" };
            assert_eq!(asked_wait(response, now()), expected, "{retry_after:?} {retry_after_ms:?}");
        }
        check(None, None, None);
        check(Some("20"), None, Some(20 * SECOND));
        check(Some("0.25"), None, Some(SECOND / 4));
        check(Some("20"), Some("1500"), Some(SECOND * 3 / 2));
        check(Some("Tue, 24 Nov 2026 12:00:30 GMT"), None, Some(30 * SECOND));
        check(Some("Tue, 24 Nov 2026 11:00:00 GMT"), None, Some(Duration::ZERO));
        check(Some("soon"), Some("-5"), None);
        check(Some("NaN"), None, None);
        check(Some("1e300"), None, None);
    }

    #[test]
    fn a_page_of_words_becomes_a_line() {
        assert_eq!(words(" a\n\tb  c "), "a b c");
        assert_eq!(words(&"ü".repeat(10_000)).chars().count(), MAX_WORDS + 1);
    }

    fn standing() -> Standing {
        Standing {
            faults: 1,
            turned_away: 1,
            waited: Duration::ZERO,
            ill_for: Duration::ZERO,
            given_up: 0,
            patience: 300 * SECOND,
            first_wait: SECOND,
            dice: 0.5,
        }
    }

    #[track_caller]
    fn follows(trouble: Trouble, standing: Standing, expected: Action) {
        assert_eq!(action(trouble, standing), expected);
    }

    #[test]
    fn a_busy_server_gets_the_time_it_asks_for_or_ever_more() {
        follows(busy(Some(7 * SECOND)), standing(), Action::Again(7 * SECOND));
        follows(busy(Some(Duration::ZERO)), standing(), Action::Again(MIN_WAIT));
        follows(busy(None), standing(), Action::Again(SECOND / 2));
        follows(busy(None), Standing { turned_away: 4, ..standing() }, Action::Again(4 * SECOND));
        follows(busy(None), Standing { turned_away: 4000, ..standing() }, Action::Again(MAX_WAIT / 2));
        follows(busy(None), Standing { faults: 99, ..standing() }, Action::Again(SECOND / 2));
    }

    #[test]
    fn patience_ends() {
        let down = || Action::Down("full".to_owned());
        follows(busy(None), Standing { ill_for: 300 * SECOND, ..standing() }, down());
        follows(busy(Some(301 * SECOND)), standing(), down());
        follows(
            Trouble::Unreachable("full".to_owned()),
            Standing { ill_for: 300 * SECOND, ..standing() },
            down(),
        );
        // Others are answered in the meantime.
        let given_up = Action::Fail(Failure::GaveUp("full".to_owned()));
        follows(busy(None), Standing { waited: 300 * SECOND, ..standing() }, given_up);
    }

    #[test]
    fn an_unreachable_server_is_tried_as_long_as_patience_lasts() {
        let away = || Trouble::Unreachable("refused".to_owned());
        follows(away(), Standing { turned_away: 3, faults: 9, ..standing() }, Action::Again(2 * SECOND));
    }

    #[test]
    fn a_fault_is_tried_four_times() {
        let fault = || Trouble::Fault("reset".to_owned());
        follows(fault(), standing(), Action::Again(SECOND / 2));
        follows(fault(), Standing { faults: 3, ..standing() }, Action::Again(2 * SECOND));
        let gave_up = || Action::Fail(Failure::GaveUp("reset".to_owned()));
        follows(fault(), Standing { faults: 4, ..standing() }, gave_up());
        // One prompt that breaks the server is not the end of the run, many in a row are.
        let last = Standing { faults: 4, ill_for: 300 * SECOND, ..standing() };
        follows(fault(), Standing { given_up: 1, ..last }, gave_up());
        follows(fault(), Standing { given_up: MANY_PROMPTS, ..last }, Action::Down("reset".to_owned()));
    }

    #[test]
    fn final_words_are_final() {
        let failure = Failure::TooLong(5);
        follows(Trouble::Prompt(failure.clone()), standing(), Action::Fail(failure));
        let refusal = Refusal::Denied("401".to_owned());
        follows(Trouble::Final(refusal.clone()), standing(), Action::Stop(refusal));
    }
}
