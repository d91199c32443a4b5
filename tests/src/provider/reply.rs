//! A request's body becomes a reply: a pure function, so that two runs can be compared byte for byte.
//!
//! Tokens are counted by a rule of the provider's own: those of each message's content by [`Count`], and
//! [`TOKENS_PER_MESSAGE`] around each message; those of the reply by `Count` alone.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::provider::ledger::Digest;
use crate::provider::settings::{Count, Settings};

/// What a message costs beside its content.
pub const TOKENS_PER_MESSAGE: u64 = 4;

/// What a request that names no limit may use.
const MAX_TOKENS: u64 = 4096;

/// A reply is a function of its request, hence also the time at which it was created: the same for all.
const CREATED: u64 = 1_700_000_000;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ask {
    pub model: String,
    /// Roles and contents.
    pub messages: Vec<(String, String)>,
    pub max_tokens: u64,
    pub seed: Option<i64>,
    /// All of the request.
    pub body: Value,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub prompt_tokens: u64,
    /// Those of the prompt's tokens that were cached.
    pub cached_tokens: u64,
    pub completion_tokens: u64,
}

impl Usage {
    pub fn total(self) -> u64 {
        self.prompt_tokens + self.completion_tokens
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) text: String,
    pub(crate) finish: &'static str,
    pub(crate) usage: Usage,
}

impl Ask {
    /// Reads what a request's body asks for, or says what is wrong with it.
    pub fn read(body: &[u8]) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))?;
        let model = body.get("model").and_then(Value::as_str).ok_or("you must provide a model parameter")?;
        let messages = body.get("messages").and_then(Value::as_array).filter(|list| !list.is_empty());
        let messages = messages.ok_or("`messages` has to be a list with something in it")?;
        let messages = messages.iter().map(message).collect::<Result<_, String>>()?;
        let number = |key: &str| match body.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or(format!("`{key}` has to be a number")),
        };
        let max_tokens = number("max_completion_tokens")?.or(number("max_tokens")?).unwrap_or(MAX_TOKENS);
        if max_tokens == 0 {
            return Err("`max_tokens` has to be at least 1".to_owned());
        }
        for (key, one) in [("n", json!(1)), ("stream", json!(false))] {
            if body.get(key).is_some_and(|value| !value.is_null() && *value != one) {
                return Err(format!("`{key}` can only be {one} here"));
            }
        }
        let seed = body.get("seed").and_then(Value::as_i64);
        Ok(Self { model: model.to_owned(), messages, max_tokens, seed, body })
    }

    /// What the user says, the last of it.
    pub fn user(&self) -> &str {
        let said = self.messages.iter().rev().find(|(role, _)| role == "user");
        said.map_or("", |(_, content)| content)
    }

    pub fn prompt_tokens(&self, count: &Count) -> u64 {
        self.messages.iter().map(|(_, content)| count.of(content) + TOKENS_PER_MESSAGE).sum()
    }

    /// All that a reply depends on, beside `max_tokens`.
    fn digest(&self) -> Digest {
        let mut all = Vec::new();
        for (role, content) in &self.messages {
            for text in [role, content] {
                all.extend((text.len() as u64).to_le_bytes());
                all.extend_from_slice(text.as_bytes());
            }
        }
        all.extend(self.seed.unwrap_or_default().to_le_bytes());
        Digest::of(&all)
    }
}

/// A content is a text, or texts in parts.
fn message(message: &Value) -> Result<(String, String), String> {
    let role = message.get("role").and_then(Value::as_str).ok_or("a message without a role")?;
    let content = match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect()
        }
        _ => return Err("a message without content".to_owned()),
    };
    Ok((role.to_owned(), content))
}

/// What the model says. Whatever it is, it is cut at `max_tokens`.
#[derive(Clone)]
pub struct Replies(Arc<dyn Fn(&Ask) -> String + Send + Sync>);

impl Replies {
    /// A pure function of the request.
    pub fn by(rule: impl Fn(&Ask) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }

    /// Words derived from the messages and the seed, from `least` to `most` of them. By the provider's own rule a word is
    /// a token.
    pub fn words(least: u64, most: u64) -> Self {
        Self::by(move |ask| words(ask.digest(), least, most.min(ask.max_tokens.saturating_add(1))))
    }
}

impl Default for Replies {
    fn default() -> Self {
        Self::words(8, 64)
    }
}

impl fmt::Debug for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Replies")
    }
}

/// Words of three letters with a space between them, four bytes each.
fn words(digest: Digest, least: u64, most: u64) -> String {
    const OUTER: &[u8; 16] = b"bdfgklmnprstvzhj";
    const INNER: &[u8; 4] = b"aeio";
    let spread = most.saturating_sub(least) + 1;
    let [a, b, c, d, ..] = digest.0;
    let number = least.min(most) + u64::from(u32::from_le_bytes([a, b, c, d])) % spread;
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    let mut dice = vec![0; number * 2];
    blake3::Hasher::new().update(&digest.0).finalize_xof().fill(&mut dice);
    let mut text = String::with_capacity(number * 4);
    for pair in dice.chunks_exact(2) {
        let [one, two] = [usize::from(pair[0]), usize::from(pair[1])];
        if !text.is_empty() {
            text.push(' ');
        }
        text.extend([OUTER[one % 16], INNER[two % 4], OUTER[one / 16]].map(char::from));
    }
    text
}

/// The reply to a request.
pub(crate) fn reply(ask: &Ask, settings: &Settings) -> Reply {
    let said = (settings.replies.0)(ask);
    let kept = cut(&said, ask.max_tokens, &settings.count);
    let finish = if kept.len() < said.len() { "length" } else { "stop" };
    let prompt_tokens = ask.prompt_tokens(&settings.count);
    let digest = ask.digest();
    let dice = f64::from(digest.0[31]) / 256.0;
    let cached_tokens = if dice < settings.cached_share { prompt_tokens / 2 } else { 0 };
    let usage = Usage { prompt_tokens, cached_tokens, completion_tokens: settings.count.of(kept) };
    Reply { text: kept.to_owned(), finish, usage }
}

/// The longest beginning of a text that has no more tokens than allowed.
fn cut<'a>(text: &'a str, max_tokens: u64, count: &Count) -> &'a str {
    if count.of(text) <= max_tokens {
        return text;
    }
    let (mut fits, mut too_long) = (0, text.len());
    while fits + 1 < too_long {
        let middle = text.floor_char_boundary(fits.midpoint(too_long));
        if middle <= fits {
            break;
        }
        let part = text.get(..middle).unwrap_or_default();
        if count.of(part) <= max_tokens { fits = middle } else { too_long = middle }
    }
    text.get(..fits).unwrap_or_default()
}

/// A reply as a chat completion. The id is the request's own, so that the same request gets the same bytes.
pub(crate) fn completion(ask: &Ask, reply: &Reply) -> Value {
    let usage = reply.usage;
    let mut told = json!({
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total(),
    });
    if 0 < usage.cached_tokens {
        told["prompt_tokens_details"] = json!({ "cached_tokens": usage.cached_tokens });
    }
    let message = json!({ "role": "assistant", "content": reply.text, "refusal": null });
    json!({
        "id": format!("chatcmpl-{}", ask.digest().short()),
        "object": "chat.completion",
        "created": CREATED,
        "model": ask.model,
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": reply.finish }],
        "usage": told,
        "system_fingerprint": "fp_provider",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(user: &str, max_tokens: u64, seed: i64) -> Ask {
        let messages =
            json!([{ "role": "system", "content": "be brief" }, { "role": "user", "content": user }]);
        let body = json!({ "model": "m", "messages": messages, "max_tokens": max_tokens, "seed": seed });
        Ask::read(body.to_string().as_bytes()).unwrap()
    }

    #[track_caller]
    fn refused(body: &str, says: &str) {
        let error = Ask::read(body.as_bytes()).unwrap_err();
        assert!(error.contains(says), "{error}");
    }

    #[test]
    fn a_reply_is_a_function_of_messages_and_seed() {
        let settings = Settings::default();
        let say = |user: &str, seed| reply(&ask(user, 100, seed), &settings);
        assert_eq!(say("page", 1), say("page", 1));
        assert_ne!(say("page", 1).text, say("page", 2).text);
        assert_ne!(say("page", 1).text, say("pages", 1).text);
        let usage = say("page", 1).usage;
        assert_eq!(usage.prompt_tokens, 2 + 1 + 2 * TOKENS_PER_MESSAGE);
        assert_eq!(usage.completion_tokens, say("page", 1).text.split(' ').count() as u64);
    }

    #[test]
    fn a_reply_ends_at_max_tokens() {
        let settings = Settings { replies: Replies::words(50, 50), ..Settings::default() };
        let full = reply(&ask("page", 50, 1), &settings);
        assert_eq!((full.usage.completion_tokens, full.finish), (50, "stop"));
        let short = reply(&ask("page", 20, 1), &settings);
        assert_eq!((short.usage.completion_tokens, short.finish), (20, "length"));
        assert!(full.text.starts_with(&short.text));
        let settings = Settings { replies: Replies::by(|_| "öäü€".repeat(9)), ..Settings::default() };
        let short = reply(&ask("page", 3, 1), &settings);
        assert_eq!((short.text.as_str(), short.usage.completion_tokens), ("öäü€ö", 3));
    }

    #[test]
    fn some_prompts_are_cached_in_part() {
        let settings = Settings { cached_share: 0.5, ..Settings::default() };
        let cached =
            (0..1000).filter(|seed| 0 < reply(&ask("page", 9, *seed), &settings).usage.cached_tokens);
        assert!((400..600).contains(&cached.count()));
    }

    #[test]
    fn a_request_without_what_it_needs_is_refused() {
        refused("{", "no JSON");
        refused("{}", "model");
        refused(r#"{"model":"m","messages":[]}"#, "messages");
        refused(r#"{"model":"m","messages":[{"content":"x"}]}"#, "role");
        refused(r#"{"model":"m","messages":[{"role":"user"}]}"#, "content");
        let more =
            |more: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{more}}}"#);
        refused(&more(r#""max_tokens":0"#), "at least 1");
        refused(&more(r#""max_tokens":"9""#), "a number");
        refused(&more(r#""stream":true"#), "stream");
        refused(&more(r#""n":2"#), "`n`");
    }

    #[test]
    fn a_content_in_parts_is_one_text() {
        let parts = json!([{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }]);
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": parts }] });
        assert_eq!(Ask::read(body.to_string().as_bytes()).unwrap().user(), "ab");
    }
}
