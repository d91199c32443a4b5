//! HTTP/1.1 as bytes: a request is read from them, a response is written as them. No sockets.
//!
//! The provider speaks HTTP itself instead of through a server library, because half of what it is there for is what such a
//! library refuses to do (wrong lengths, half heads, resets), and because its ledger has to know whether the bytes of a
//! response were taken. What is refused here: whatever the gateway's clients do not do (HTTP/2, upgrades, trailers).

use serde_json::Value;

/// Heads of clients are a few hundred bytes; a long key and a proxy's additions stay far below this.
const MAX_HEAD_BYTES: usize = 64 << 10;
const MAX_HEADERS: usize = 100;

/// What came before a request's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) length: Length,
    pub(crate) key: Option<String>,
    pub(crate) media: String,
    /// Whether the client waits to be told that its body is wanted.
    pub(crate) expects: bool,
    pub(crate) keep_alive: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Known(usize),
    Chunked,
}

/// Why bytes are no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bad {
    Head(&'static str),
    HeadTooLarge,
    Chunk,
    BodyTooLarge,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Head {
    /// The head at the beginning of the bytes and its length, or None while it is not all there.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Bad> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut headers);
        let length = match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD_BYTES => return Ok(None),
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                return Err(Bad::HeadTooLarge);
            }
            Err(_) => return Err(Bad::Head("no HTTP/1 request")),
        };
        let (path, query) = parsed.path.unwrap_or_default().split_once('?').unwrap_or_else(|| {
            // The whole target is the path.
            (parsed.path.unwrap_or_default(), "")
        });
        let mut head = Self {
            method: parsed.method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            length: Length::Known(0),
            key: None,
            media: String::new(),
            expects: false,
            keep_alive: parsed.version == Some(1),
        };
        for header in parsed.headers.iter() {
            head.note(header.name, &String::from_utf8_lossy(header.value))?;
        }
        Ok(Some((head, length)))
    }

    fn note(&mut self, name: &str, value: &str) -> Result<(), Bad> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let value = value.trim();
        if is("content-length") {
            let length =
                value.parse().map_err(|_no_number| Bad::Head("a content-length that is no number"))?;
            if self.length != Length::Chunked {
                self.length = Length::Known(length);
            }
        } else if is("transfer-encoding") {
            if !value.eq_ignore_ascii_case("chunked") {
                return Err(Bad::Head("an unknown transfer-encoding"));
            }
            self.length = Length::Chunked;
        } else if is("authorization") {
            self.key = Some(value.strip_prefix("Bearer ").unwrap_or(value).to_owned());
        } else if is("content-type") {
            self.media = value.to_owned();
        } else if is("expect") {
            self.expects = value.eq_ignore_ascii_case("100-continue");
        } else if is("connection") {
            self.keep_alive = !value.eq_ignore_ascii_case("close");
        }
        Ok(())
    }
}

/// Takes a chunked body apart, as much as is there at a time.
#[derive(Debug)]
pub(crate) struct Chunks {
    body: Vec<u8>,
    most: usize,
}

impl Chunks {
    pub(crate) fn new(most: usize) -> Self {
        Self { body: Vec::new(), most }
    }

    /// Takes whole chunks from the front of the bytes; the body, once the last one was there.
    pub(crate) fn take(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Bad> {
        let mut at = 0;
        let done = loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let (head, size) = match httparse::parse_chunk_size(rest) {
                Ok(httparse::Status::Complete(found)) => found,
                Ok(httparse::Status::Partial) => break false,
                Err(_) => return Err(Bad::Chunk),
            };
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if self.most < self.body.len().saturating_add(size) {
                return Err(Bad::BodyTooLarge);
            }
            let Some(data) = rest.get(head..head + size + 2) else { break false };
            let Some(data) = data.strip_suffix(b"\r\n") else { return Err(Bad::Chunk) };
            self.body.extend_from_slice(data);
            at += head + size + 2;
            if size == 0 {
                break true;
            }
        };
        bytes.drain(..at);
        Ok(done.then(|| std::mem::take(&mut self.body)))
    }
}

/// A response that is in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) media: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn new(status: u16, media: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, media, headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// The head, with lines about the body's length, however true they are.
    pub(crate) fn head(&self, length: &str) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, phrase(self.status));
        for (name, value) in [("content-type", self.media)]
            .into_iter()
            .chain(self.headers.iter().map(|(name, value)| (*name, value.as_str())))
        {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        }
        head.push_str(length);
        head.push_str("\r\n");
        head.into_bytes()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.head(&content_length(self.body.len()));
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

pub(crate) fn content_length(length: usize) -> String {
    format!("content-length: {length}\r\n")
}

/// A body in chunks of so many bytes.
pub(crate) fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(size.max(1)) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        529 => "Site Overloaded",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_may_arrive_in_pieces() {
        let whole = b"POST /v1/files?x=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k\r\nContent-Type: text/plain\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\nbody";
        let head = whole.len() - 4;
        for end in 0..head {
            assert_eq!(Head::parse(&whole[..end]), Ok(None), "{end}");
        }
        let expected = Head {
            method: "POST".to_owned(),
            path: "/v1/files".to_owned(),
            query: "x=1".to_owned(),
            length: Length::Known(12),
            key: Some("k".to_owned()),
            media: "text/plain".to_owned(),
            expects: true,
            keep_alive: true,
        };
        assert_eq!(Head::parse(whole), Ok(Some((expected, head))));
    }

    #[track_caller]
    fn refused(head: &str, bad: Bad) {
        assert_eq!(Head::parse(head.as_bytes()), Err(bad));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        refused("\0\0\0", Bad::Head("no HTTP/1 request"));
        refused(
            "GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
            Bad::Head("a content-length that is no number"),
        );
        refused(
            "GET / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
            Bad::Head("an unknown transfer-encoding"),
        );
        refused(&format!("GET / HTTP/1.1\r\na: {}", "x".repeat(MAX_HEAD_BYTES)), Bad::HeadTooLarge);
        refused(&format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101)), Bad::HeadTooLarge);
    }

    #[test]
    fn chunks_may_arrive_in_pieces() {
        for size in [1, 2, 3, 7, 100] {
            let mut sent = chunked(b"hello world", 4);
            sent.extend_from_slice(b"next");
            let (mut chunks, mut held, mut body) = (Chunks::new(100), Vec::new(), None);
            for piece in sent.chunks(size) {
                held.extend_from_slice(piece);
                if body.is_none() {
                    body = chunks.take(&mut held).unwrap();
                }
            }
            assert_eq!((body.unwrap(), held), (b"hello world".to_vec(), b"next".to_vec()), "{size}");
        }
        assert_eq!(Chunks::new(3).take(&mut chunked(b"four", 9)), Err(Bad::BodyTooLarge));
        assert_eq!(Chunks::new(9).take(&mut b"zz\r\n".to_vec()), Err(Bad::Chunk));
        assert_eq!(Chunks::new(9).take(&mut b"1\r\nabc".to_vec()), Err(Bad::Chunk));
    }

    #[test]
    fn a_response_is_measured() {
        let mut response = Response::new(429, "text/plain", "no");
        response.headers.push(("retry-after", "1".to_owned()));
        let bytes = "HTTP/1.1 429 Too Many Requests\r\ncontent-type: text/plain\r\nretry-after: 1\r\ncontent-length: 2\r\n\r\nno";
        assert_eq!(String::from_utf8(response.into_bytes()).unwrap(), bytes);
    }
}
