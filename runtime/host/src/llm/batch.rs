//! Prompts that are answered while nobody waits: written to files in the form of OpenAI's Batch API, which servers of
//! others read too (`vllm run-batch`), and read back into the journal.
//!
//! A run in this mode asks no server. What the journal does not know is noted there as wanted, and the pages that want
//! it wait for another run. Values only: lines in and out. The files, the server and the journal are `batch/desk.rs`.

pub mod desk;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::llm::client::batches::ADDRESS;
use crate::llm::client::{self, Completion};
use crate::llm::journal::Key;
use crate::llm::retry::{self, Trouble};
use crate::prompt::{Failure, Prompt};

/// Lines and bytes of a file, as OpenAI and Azure accept them
/// (<https://platform.openai.com/docs/guides/batch#rate-limits>).
pub(super) const MAX_LINES: usize = 50_000;
pub(super) const MAX_BYTES: u64 = 200_000_000;

/// A line that a server writes has a request's reply in it; ours of a request may be as long as a prompt.
const MAX_LINE_BYTES: usize = 64 << 20;

#[derive(Serialize)]
struct Request<'a> {
    custom_id: &'a str,
    method: &'static str,
    url: &'static str,
    body: &'a RawValue,
}

/// A line of a batch with its line end: the request with this body, known by the prompt's key.
pub(super) fn line(id: &str, body: Vec<u8>) -> Result<Vec<u8>, serde_json::Error> {
    let body: Box<RawValue> = serde_json::from_slice(&body)?;
    let request = Request { custom_id: id, method: "POST", url: ADDRESS, body: &body };
    let mut line = serde_json::to_vec(&request)?;
    line.push(b'\n');
    Ok(line)
}

/// What a batch says of one of its lines.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    custom_id: String,
    #[serde(default)]
    response: Option<Response>,
    #[serde(default)]
    error: Value,
}

#[derive(Debug, Deserialize)]
struct Response {
    status_code: u16,
    #[serde(default)]
    body: Value,
}

/// Why a line of a batch's results cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadLine {
    #[error("it has more than {MAX_LINE_BYTES} bytes")]
    TooLong,
    #[error("it is no result of a batch: {0}")]
    Json(#[from] serde_json::Error),
    #[error("its `custom_id` is no prompt of this program")]
    Foreign,
}

impl Answer {
    pub(super) fn read(line: &str) -> Result<Self, BadLine> {
        if MAX_LINE_BYTES < line.len() {
            return Err(BadLine::TooLong);
        }
        Ok(serde_json::from_str(line)?)
    }

    /// The key of the prompt.
    pub(super) fn key(&self) -> Result<Key, BadLine> {
        let hash = blake3::Hash::from_hex(&self.custom_id).map_err(|_not_hexadecimal| BadLine::Foreign)?;
        Ok(*hash.as_bytes())
    }

    /// Whether the model has answered, whatever can be made of it.
    pub(super) fn was_answered(&self) -> bool {
        self.response.as_ref().is_some_and(|response| (200..300).contains(&response.status_code))
    }

    /// The reply, or why there is none.
    pub(super) fn completion(&self, prompt: &Prompt, now: jiff::Timestamp) -> Result<Completion, Failure> {
        let trouble = match &self.response {
            Some(Response { status_code: 200..=299, body }) => {
                match client::completion(body.to_string().as_bytes(), prompt) {
                    Ok(completion) => return Ok(completion),
                    Err(trouble) => trouble,
                }
            }
            Some(Response { status_code, body }) => {
                let body = body.to_string();
                let response = retry::Response { status: *status_code, header: &|_| None, body: &body };
                retry::trouble(response, now)
            }
            None => {
                let says = self.error.get("message").and_then(Value::as_str);
                let says = says.map_or_else(|| self.error.to_string(), str::to_owned);
                Trouble::Fault { says: retry::words(&says), worked: false }
            }
        };
        Err(match trouble {
            Trouble::Prompt(failure) => failure,
            Trouble::Filtered(says) => Failure::Refused(says),
            Trouble::Busy { says, .. }
            | Trouble::Fault { says, .. }
            | Trouble::Late(says)
            | Trouble::Output(says)
            | Trouble::Unreachable(says) => Failure::GaveUp(says),
            Trouble::Final(refusal) => Failure::GaveUp(refusal.says().to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn prompt() -> Prompt {
        Prompt {
            model: "writer".to_owned(),
            system: None,
            user: "page".to_owned(),
            max_tokens: 9,
            temperature: None,
            top_p: None,
            stop: Vec::new(),
            shape: None,
            seed: 1,
        }
    }

    #[test]
    fn a_request_is_one_line() {
        let line = line(ID, br#"{"model":"big", "messages":[]}"#.to_vec()).unwrap();
        let expected = format!(
            r#"{{"custom_id":"{ID}","method":"POST","url":"/v1/chat/completions","body":{{"model":"big", "messages":[]}}}}"#
        );
        assert_eq!(String::from_utf8(line).unwrap(), expected + "\n");
    }

    #[track_caller]
    fn check(rest: &str, expected: Result<&str, Failure>) {
        let answer = Answer::read(&format!(r#"{{"id":"x","custom_id":"{ID}",{rest}}}"#)).unwrap();
        assert_eq!(answer.key().unwrap()[1], 0x11);
        let completion = answer.completion(&prompt(), jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(completion.map(|it| it.reply.text), expected.map(str::to_owned));
    }

    #[test]
    fn results_of_openai_and_of_vllm_are_read() {
        let body = r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
        check(
            &format!(r#""response":{{"status_code":200,"request_id":"r","body":{body}}},"error":null"#),
            Ok("hi"),
        );
        let vllm = r#""response":{"status_code":400,"request_id":"r","body":{"error":{"message":"no","code":400}}},"error":null"#;
        check(vllm, Err(Failure::Refused("400 no".to_owned())));
        let long = r#""response":{"status_code":400,"body":{"error":{"message":"This model's maximum context length is 4096 tokens."}}}"#;
        check(long, Err(Failure::TooLong(4096)));
        let expired =
            r#""response":null,"error":{"code":"batch_expired","message":"This request was not executed"}"#;
        check(expired, Err(Failure::GaveUp("This request was not executed".to_owned())));
        check(r#""response":{"status_code":200,"body":{}}"#, {
            Err(Failure::GaveUp("a response without choices".to_owned()))
        });
        check(
            r#""response":{"status_code":429,"body":"slow"}"#,
            Err(Failure::GaveUp("429 \"slow\"".to_owned())),
        );
    }

    #[test]
    fn other_lines_are_told_apart() {
        assert!(matches!(Answer::read("{"), Err(BadLine::Json(_))));
        assert!(matches!(Answer::read("{}"), Err(BadLine::Json(_))));
        let foreign = Answer::read(r#"{"custom_id":"request-1"}"#).unwrap();
        assert!(matches!(foreign.key(), Err(BadLine::Foreign)));
    }
}
