//! What a server's trouble means and what follows from it: tables without a clock, a socket or dice of their own.
//!
//! | signal | class | action |
//! |---|---|---|
//! | 408, 429, 503, 529 | busy | fewer at once; `Retry-After` or a backoff; in front of the line again |
//! | 429 or 402 for an empty account | final | the run stops |
//! | nothing for too long | late | like a fault, and fewer at once |
//! | other 5xx, 409, 425, a lost or broken response | fault | up to four tries; more while the server answers nobody |
//! | no connection | unreachable | again until patience ends |
//! | 500 for an output that the server cannot read | output | one more try with another seed |
//! | 400, 413, 422 | prompt | the prompt fails; many of the first ones stop the run |
//! | the same for a context that is too small | prompt | the prompt fails and says how large the context is |
//! | the same for a content filter | filtered | the prompt fails |
//! | 401, 403, 3xx, 404, 405, 410 | final | the run stops |

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::Value;

use crate::prompt::Failure;

/// Four tries over a few seconds outlast a restarted worker behind a balancer; what fails four times fails for good.
const MAX_ATTEMPTS: u32 = 4;

/// So many prompts must be failing, with no success since the first of them, before faults alone say that the model is
/// out of order. A few prompts that break the server would otherwise stop every run that comes to them.
const MANY_PROMPTS: u32 = 8;

/// The longest wait that is not the server's wish. How often a server that is down is asked is the breaker's business;
/// this only spreads those who come back.
const MAX_WAIT: Duration = Duration::from_secs(8);

/// A model that is sampled anew may write something else; one that does not at the second try is not going to.
const MAX_OUTPUTS: u32 = 2;

/// A server that turns a call away and says "at once" would otherwise be asked in a loop without end.
const MIN_WAIT: Duration = Duration::from_millis(100);

/// What is kept of a server's words: a sentence or two, not the page around them.
const MAX_WORDS: usize = 300;

/// Why a call brought no reply.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Trouble {
    /// The server has too much to do, and may have said how long to wait.
    Busy { wait: Option<Duration>, says: String },
    /// The call failed in the server or on the way back: perhaps because of the prompt. `worked` tells whether the
    /// server may have done the work, which is paid for then.
    Fault { says: String, worked: bool },
    /// The server has sent nothing for too long. It may still be at it.
    Late(String),
    /// The server was not reached.
    Unreachable(String),
    /// The model wrote something that its server cannot make a reply of.
    Output(String),
    /// A filter of the server's, which is not about how the prompt is put.
    Filtered(String),
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

impl Trouble {
    /// The server's words, or the connection's.
    pub(crate) fn says(&self) -> String {
        match self {
            Self::Busy { says, .. }
            | Self::Fault { says, .. }
            | Self::Late(says)
            | Self::Unreachable(says)
            | Self::Output(says)
            | Self::Filtered(says) => says.clone(),
            Self::Prompt(failure) => failure.to_string(),
            Self::Final(refusal) => refusal.says().to_owned(),
        }
    }
}

impl Refusal {
    pub(crate) fn says(&self) -> &str {
        match self {
            Self::Denied(says) | Self::Spent(says) | Self::NotThere(says) => says,
        }
    }
}

/// A response that is no reply.
#[derive(Clone, Copy)]
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    pub(crate) header: &'a dyn Fn(&'static str) -> Option<&'a str>,
    pub(crate) body: &'a str,
}

/// What is known when a call has failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// Calls for this prompt that ended in a fault, with this one.
    pub(crate) faults: u32,
    /// Whether the model has answered others since the last of them before this one.
    pub(crate) others_well: bool,
    /// Outputs for this prompt that the server could not read, with this one.
    pub(crate) outputs: u32,
    /// Calls for this prompt that were turned away or reached nobody, with this one.
    pub(crate) turned_away: u32,
    /// How long this prompt has waited after its failed calls.
    pub(crate) waited: Duration,
    /// Since the model's first failure after its last success.
    pub(crate) ill_for: Duration,
    /// Prompts that have met a fault in that time.
    pub(crate) ailing: u32,
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
        // llama.cpp's words for a reply that does not follow the model's own format.
        500 if error.words.contains("peg-native format") => Trouble::Output(says),
        408 | 429 | 503 | 529 => Trouble::Busy { wait: asked_wait(response, now), says },
        401 | 403 => Trouble::Final(Refusal::Denied(says)),
        402 => Trouble::Final(Refusal::Spent(says)),
        // None of these depends on the prompt. As a failure of the prompt it would be in the journal for good.
        300..=399 | 404 | 405 | 410 => Trouble::Final(Refusal::NotThere(says)),
        400 | 413 | 422 if error.is("content_filter") => Trouble::Filtered(says),
        400 | 413 | 422 => Trouble::Prompt(match error.context {
            Some(context) => Failure::TooLong(context),
            None => Failure::Refused(says),
        }),
        // A gateway that stops waiting does not stop the server behind it.
        504 | 524 => Trouble::Fault { says, worked: true },
        _ => Trouble::Fault { says, worked: false },
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
        Trouble::Fault { says, .. } | Trouble::Late(says) => after_fault(says, standing),
        Trouble::Output(_) if standing.outputs < MAX_OUTPUTS => Action::Again(Duration::ZERO),
        Trouble::Output(says) => Action::Fail(Failure::GaveUp(says)),
        Trouble::Filtered(says) => Action::Fail(Failure::Refused(says)),
        Trouble::Prompt(failure) => Action::Fail(failure),
        Trouble::Final(refusal) => Action::Stop(refusal),
    }
}

fn after_fault(says: String, standing: Standing) -> Action {
    let nobody_well = standing.patience <= standing.ill_for && !standing.others_well;
    if nobody_well && MANY_PROMPTS <= standing.ailing {
        Action::Down(says)
    } else if standing.faults < MAX_ATTEMPTS {
        Action::Again(backoff(standing.faults, standing))
    } else if standing.others_well {
        Action::Fail(Failure::GaveUp(says))
    } else if standing.ill_for < standing.patience {
        // As long as nobody is answered, it is more likely the server than the prompt.
        Action::Again(backoff(standing.faults, standing))
    } else {
        Action::Fail(Failure::GaveUp(says))
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

/// How long the server asks to be left alone: milliseconds, seconds with a fraction, a date, or the time until its
/// limits are fresh again.
fn asked_wait(response: Response<'_>, now: Timestamp) -> Option<Duration> {
    let header = response.header;
    let milliseconds = header("retry-after-ms").and_then(number).and_then(|ms| seconds(ms / 1000.0));
    let stated = || {
        let text = header("retry-after")?;
        match number(text) {
            Some(wait) => seconds(wait),
            None => {
                let date = rfc2822::parse(text.trim()).ok()?.timestamp();
                Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
            }
        }
    };
    milliseconds.or_else(stated).or_else(|| used_up(header))
}

/// The time until a limit that is used up is fresh again, which servers tell with every response.
pub(crate) fn used_up<'a>(header: &dyn Fn(&'static str) -> Option<&'a str>) -> Option<Duration> {
    let limits = [
        ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
        ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ];
    let used_up = limits.iter().filter(|(remaining, _)| header(remaining).and_then(number) == Some(0.0));
    used_up.filter_map(|(_, reset)| go_duration(header(reset)?)).max()
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

/// Durations as Go prints them: `6m0s`, `20ms`, `1.5s`. A bare number is in seconds.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if let Some(bare) = number(rest) {
        return seconds(bare);
    }
    let mut sum = 0.0;
    loop {
        let unit_at = rest.find(|letter: char| letter != '.' && !letter.is_ascii_digit())?;
        let (amount, after) = rest.split_at_checked(unit_at)?;
        let end = after.find(|letter: char| letter == '.' || letter.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end)?;
        let unit = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        sum += number(amount)? * unit;
        if after.is_empty() {
            return seconds(sum);
        }
        rest = after;
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
        Response { status, header: &|_| None, body }
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
        for (status, worked) in
            [(409, false), (425, false), (500, false), (502, false), (504, true), (524, true), (599, false)]
        {
            means(status, r#"{"error":"oh"}"#, Trouble::Fault { says: format!("{status} oh"), worked });
        }
        let says = "500 <html> <h1>Oops</h1>".to_owned();
        means(500, "<html>\n <h1>Oops</h1>", Trouble::Fault { says, worked: false });
    }

    #[test]
    fn an_output_that_the_server_cannot_read_is_its_own_class() {
        let says = "The model produced output that does not match the expected peg-native format";
        let body = format!(r#"{{"error":{{"code":500,"message":"{says}","type":"server_error"}}}}"#);
        means(500, &body, Trouble::Output(format!("500 {says}")));
    }

    #[test]
    fn a_filtered_prompt_is_not_a_wrong_request() {
        let body = r#"{"error":{"code":"content_filter","message":"violence"}}"#;
        means(400, body, Trouble::Filtered("400 violence".to_owned()));
    }

    #[test]
    fn a_servers_wish_is_read_in_every_form() {
        #[track_caller]
        fn check(headers: &[(&str, &'static str)], expected: Option<Duration>) {
            let header = |name: &'static str| {
                headers.iter().find(|(header, _)| *header == name).map(|(_, value)| *value)
            };
            let response = Response { status: 429, header: &header, body: "" };
            assert_eq!(asked_wait(response, now()), expected, "{headers:?}");
        }
        let after = |text| ("retry-after", text);
        check(&[], None);
        check(&[after("20")], Some(20 * SECOND));
        check(&[after("0.25")], Some(SECOND / 4));
        check(&[after("20"), ("retry-after-ms", "1500")], Some(SECOND * 3 / 2));
        check(&[after("Tue, 24 Nov 2026 12:00:30 GMT")], Some(30 * SECOND));
        check(&[after("Tue, 24 Nov 2026 11:00:00 GMT")], Some(Duration::ZERO));
        check(&[after("soon"), ("retry-after-ms", "-5")], None);
        check(&[after("NaN")], None);
        check(&[after("1e300")], None);
        let requests =
            |left, reset| [("x-ratelimit-remaining-requests", left), ("x-ratelimit-reset-requests", reset)];
        check(&requests("0", "6m0s"), Some(360 * SECOND));
        check(&requests("0", "1h2m3.5s"), Some(Duration::from_millis(3_723_500)));
        check(&requests("0", "20ms"), Some(SECOND / 50));
        check(&requests("0", "7"), Some(7 * SECOND));
        check(&requests("1", "6m0s"), None);
        for nonsense in ["", "m", "6", "6x", "s6", "6m0s!", "."] {
            let expected = (nonsense == "6").then_some(6 * SECOND);
            check(&requests("0", nonsense), expected);
        }
        let tokens = [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "2s")];
        check(&[requests("0", "1s"), tokens].concat(), Some(2 * SECOND));
        check(&[requests("0", "9s").as_slice(), &[after("1")]].concat(), Some(SECOND));
    }

    #[test]
    fn a_page_of_words_becomes_a_line() {
        assert_eq!(words(" a\n\tb  c "), "a b c");
        assert_eq!(words(&"ü".repeat(10_000)).chars().count(), MAX_WORDS + 1);
    }

    fn standing() -> Standing {
        Standing {
            faults: 1,
            others_well: true,
            outputs: 1,
            turned_away: 1,
            waited: Duration::ZERO,
            ill_for: Duration::ZERO,
            ailing: 1,
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
    fn a_fault_is_tried_four_times_and_longer_while_nobody_is_answered() {
        let fault = || Trouble::Fault { says: "reset".to_owned(), worked: true };
        follows(fault(), standing(), Action::Again(SECOND / 2));
        follows(fault(), Standing { faults: 3, ..standing() }, Action::Again(2 * SECOND));
        let gave_up = || Action::Fail(Failure::GaveUp("reset".to_owned()));
        follows(fault(), Standing { faults: 4, ..standing() }, gave_up());
        let alone = Standing { faults: 9, others_well: false, ..standing() };
        follows(fault(), alone, Action::Again(MAX_WAIT / 2));
        // A prompt that breaks the server is not the end of the run, many at once are.
        let last = Standing { ill_for: 300 * SECOND, ..alone };
        follows(fault(), last, gave_up());
        follows(fault(), Standing { ailing: MANY_PROMPTS, ..last }, Action::Down("reset".to_owned()));
        follows(fault(), Standing { ailing: MANY_PROMPTS, others_well: true, ..last }, gave_up());
        // A server that is asked now and then fails few prompts often.
        let down = Action::Down("reset".to_owned());
        follows(fault(), Standing { faults: 1, ailing: MANY_PROMPTS, ..last }, down);
    }

    #[test]
    fn a_late_server_is_a_fault() {
        let late = |faults| (Trouble::Late("timeout".to_owned()), Standing { faults, ..standing() });
        let (trouble, first) = late(1);
        follows(trouble, first, Action::Again(SECOND / 2));
        let (trouble, last) = late(4);
        follows(trouble, last, Action::Fail(Failure::GaveUp("timeout".to_owned())));
    }

    #[test]
    fn an_unreadable_output_is_sampled_once_more() {
        let output = || Trouble::Output("peg".to_owned());
        follows(output(), standing(), Action::Again(Duration::ZERO));
        let gave_up = Action::Fail(Failure::GaveUp("peg".to_owned()));
        follows(output(), Standing { outputs: 2, ..standing() }, gave_up);
    }

    #[test]
    fn final_words_are_final() {
        let failure = Failure::TooLong(5);
        follows(Trouble::Prompt(failure.clone()), standing(), Action::Fail(failure));
        let filtered = Failure::Refused("violence".to_owned());
        follows(Trouble::Filtered("violence".to_owned()), standing(), Action::Fail(filtered));
        let refusal = Refusal::Denied("401".to_owned());
        follows(Trouble::Final(refusal.clone()), standing(), Action::Stop(refusal));
    }
}
