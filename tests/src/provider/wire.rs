//! An act becomes bytes, pauses and the way in which a connection ends: a pure function, which `connection` carries out.

use std::time::Duration;

use serde_json::{Value, json};

use crate::provider::conduct::{Act, At, Odd, Refusal};
use crate::provider::http::{Response, chunked, content_length};

/// As long as a client may stay.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// All that is sent for one request.
#[derive(Debug, PartialEq)]
pub(crate) struct Wire {
    /// What a client that understands it sees.
    pub(crate) status: Option<u16>,
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    Send(Vec<u8>),
    Wait(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The next request may follow.
    Stay,
    /// In order, by FIN.
    Close,
    /// By RST.
    Reset,
}

impl Wire {
    pub(crate) fn plain(response: Response) -> Self {
        let status = Some(response.status);
        Self { status, steps: vec![Step::Send(response.into_bytes())], end: End::Stay }
    }

    pub(crate) fn hang() -> Self {
        Self { status: None, steps: vec![Step::Wait(FOR_EVER)], end: End::Close }
    }

    pub(crate) fn raw(bytes: Vec<u8>) -> Self {
        Self { status: None, steps: vec![Step::Send(bytes)], end: End::Close }
    }
}

impl Refusal {
    pub(crate) fn response(self, now: jiff::Timestamp) -> Response {
        let mut headers = self.headers;
        headers.extend(self.retry_after.header(self.wait, now));
        Response { status: self.status, media: self.media, headers, body: self.body }
    }
}

/// Whether a success that is told so is charged: whoever saw its body begin has been answered.
pub(crate) fn is_charged(act: &Act) -> bool {
    match act {
        Act::Answer | Act::Odd(_) | Act::Late(_) | Act::Drip { .. } => true,
        Act::Reset(at) | Act::Close(at) => *at == At::InBody,
        Act::Refuse(_) | Act::Hang | Act::Raw(_) => false,
    }
}

/// The reply's response, told in the way of an act.
pub(crate) fn told(act: Act, completion: Value, headers: Vec<(&'static str, String)>) -> Wire {
    let mut response = Response::json(200, &Value::Null);
    response.headers = headers;
    if let Act::Odd(odd) = act {
        return told_oddly(odd, completion, response);
    }
    response.body = completion.to_string().into_bytes();
    let (status, body) = (Some(200), response.body.len());
    let mut bytes = response.into_bytes();
    let head = bytes.len() - body;
    let up_to = |at| match at {
        At::BeforeHead => 0,
        At::InHead => head / 2,
        At::InBody => head + body / 2,
    };
    match act {
        Act::Reset(at) | Act::Close(at) => {
            bytes.truncate(up_to(at));
            let end = if matches!(act, Act::Reset(_)) { End::Reset } else { End::Close };
            Wire { status: status.filter(|_| at == At::InBody), steps: vec![Step::Send(bytes)], end }
        }
        Act::Late(wait) => Wire { status, steps: vec![Step::Wait(wait), Step::Send(bytes)], end: End::Stay },
        Act::Drip { bytes: size, pause } => {
            let pieces = bytes.chunks(size.max(1));
            let steps = pieces.flat_map(|piece| [Step::Wait(pause), Step::Send(piece.to_vec())]).collect();
            Wire { status, steps, end: End::Stay }
        }
        Act::Answer | Act::Odd(_) | Act::Refuse(_) | Act::Hang | Act::Raw(_) => {
            Wire { status, steps: vec![Step::Send(bytes)], end: End::Stay }
        }
    }
}

fn told_oddly(odd: Odd, mut completion: Value, mut response: Response) -> Wire {
    let (mut tail, mut length, mut end) = (Vec::new(), Measured::Right, End::Stay);
    let choice = &mut completion["choices"][0];
    match &odd {
        Odd::Usage(usage) => completion["usage"] = usage.clone(),
        Odd::NoUsage => drop(completion.as_object_mut().and_then(|object| object.remove("usage"))),
        Odd::Choices(number) => completion["choices"] = vec![choice.take(); *number].into(),
        Odd::NullContent => choice["message"]["content"] = Value::Null,
        Odd::Refused => {
            choice["message"] = json!({ "role": "assistant", "content": null, "refusal": REFUSED });
        }
        Odd::Finish(reason) => choice["finish_reason"] = (*reason).into(),
        Odd::NotUtf8 => choice["message"]["content"] = NOT_UTF8.into(),
        Odd::Padded(bytes) => completion["padding"] = "x".repeat(*bytes).into(),
        Odd::Trailing => tail = b"\n{\"error\":null}".to_vec(),
        Odd::Chunked(size) => length = Measured::Chunks(*size),
        Odd::LongLength => (length, end) = (Measured::Wrong(1000), End::Close),
        Odd::ShortLength => length = Measured::Wrong(-20),
        Odd::TwoLengths => length = Measured::Twice,
        Odd::Half | Odd::Body(_) => {}
    }
    response.body = completion.to_string().into_bytes();
    response.body.extend(tail);
    if odd == Odd::NotUtf8 {
        spoil(&mut response.body);
    } else if odd == Odd::Half {
        response.body.truncate(response.body.len() / 2);
    } else if let Odd::Body(body) = odd {
        response.body = body;
    }
    let real = response.body.len();
    let (lines, body) = match length {
        Measured::Right => (content_length(real), response.body.clone()),
        Measured::Wrong(by) => (content_length(real.saturating_add_signed(by)), response.body.clone()),
        Measured::Twice => (content_length(real) + &content_length(real + 7), response.body.clone()),
        Measured::Chunks(size) => {
            ("transfer-encoding: chunked\r\n".to_owned(), chunked(&response.body, size))
        }
    };
    let mut bytes = response.head(&lines);
    bytes.extend(body);
    Wire { status: Some(200), steps: vec![Step::Send(bytes)], end }
}

enum Measured {
    Right,
    Wrong(isize),
    Twice,
    Chunks(usize),
}

const REFUSED: &str = "I would rather not.";

/// What stands for the bytes that are no UTF-8, until the JSON is written.
const NOT_UTF8: &str = "~~~~";

fn spoil(body: &mut [u8]) {
    let place = body.windows(NOT_UTF8.len()).position(|bytes| bytes == NOT_UTF8.as_bytes());
    for byte in place.and_then(|at| body.get_mut(at..at + NOT_UTF8.len())).into_iter().flatten() {
        *byte = 0xff;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completion() -> Value {
        json!({
            "choices": [{ "message": { "role": "assistant", "content": "hi" }, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 3, "completion_tokens": 1 },
        })
    }

    /// All bytes that are sent, and the length of their head.
    fn sent(act: Act) -> (Vec<u8>, usize, End) {
        let wire = told(act, completion(), vec![("x-ratelimit-limit-requests", "9".to_owned())]);
        let bytes: Vec<u8> = wire
            .steps
            .into_iter()
            .flat_map(|step| match step {
                Step::Send(bytes) => bytes,
                Step::Wait(_) => Vec::new(),
            })
            .collect();
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
        (bytes, head, wire.end)
    }

    fn body(odd: Odd) -> Vec<u8> {
        let (bytes, head, _) = sent(Act::Odd(odd));
        bytes[head..].to_vec()
    }

    #[track_caller]
    fn odd(odd: Odd, pointer: &str, expected: Value) {
        let told: Value = serde_json::from_slice(&body(odd)).unwrap();
        assert_eq!(told.pointer(pointer).cloned().unwrap_or_default(), expected);
    }

    #[test]
    fn a_reply_is_told_as_it_is() {
        let (bytes, head, end) = sent(Act::Answer);
        assert_eq!(serde_json::from_slice::<Value>(&bytes[head..]).unwrap(), completion());
        let lines = String::from_utf8(bytes[..head].to_vec()).unwrap();
        assert!(lines.contains("\r\nx-ratelimit-limit-requests: 9\r\n"), "{lines}");
        assert!(lines.contains(&format!("\r\ncontent-length: {}\r\n", bytes.len() - head)), "{lines}");
        assert_eq!(end, End::Stay);
        assert_eq!(sent(Act::Late(FOR_EVER)).0, bytes);
        assert_eq!(sent(Act::Drip { bytes: 7, pause: Duration::ZERO }).0, bytes);
    }

    #[test]
    fn odd_replies_are_odd_in_one_place() {
        odd(Odd::Usage(json!("many")), "/usage", json!("many"));
        odd(Odd::NoUsage, "/usage", Value::Null);
        odd(Odd::Choices(0), "/choices", json!([]));
        odd(Odd::Choices(2), "/choices/1/message/content", json!("hi"));
        odd(Odd::NullContent, "/choices/0/message/content", Value::Null);
        odd(Odd::Refused, "/choices/0/message/refusal", json!(REFUSED));
        odd(Odd::Finish("length"), "/choices/0/finish_reason", json!("length"));
        assert!(body(Odd::Padded(10 << 20)).len() > 10 << 20);
        assert!(serde_json::from_slice::<Value>(&body(Odd::Trailing)).unwrap_err().is_syntax());
        assert!(serde_json::from_slice::<Value>(&body(Odd::Half)).unwrap_err().is_eof());
        let bad = String::from_utf8(body(Odd::NotUtf8)).unwrap_err();
        assert!(serde_json::from_str::<Value>(&String::from_utf8_lossy(bad.as_bytes())).is_ok());
        assert_eq!(body(Odd::Body(b"<p>".to_vec())), b"<p>");
    }

    #[test]
    fn lengths_lie_by_order() {
        let real = completion().to_string().len();
        let line = |odd: Odd| String::from_utf8(sent(Act::Odd(odd)).0).unwrap();
        assert!(line(Odd::LongLength).contains(&format!("content-length: {}\r\n", real + 1000)));
        assert!(line(Odd::ShortLength).contains(&format!("content-length: {}\r\n", real - 20)));
        assert_eq!(line(Odd::TwoLengths).matches("content-length").count(), 2);
        assert!(!line(Odd::Chunked(5)).contains("content-length"));
        assert!(line(Odd::Chunked(5)).ends_with("0\r\n\r\n"));
    }

    #[test]
    fn a_reply_breaks_off_where_it_is_told_to() {
        let (whole, head, _) = sent(Act::Answer);
        for (at, range) in
            [(At::BeforeHead, 0..1), (At::InHead, 1..head), (At::InBody, head + 1..whole.len())]
        {
            for (act, end) in [(Act::Reset(at), End::Reset), (Act::Close(at), End::Close)] {
                assert_eq!(is_charged(&act), at == At::InBody);
                let (bytes, _, ended) = sent(act);
                assert!(range.contains(&bytes.len()) && whole.starts_with(&bytes), "{at:?}");
                assert_eq!(ended, end);
            }
        }
    }
}
