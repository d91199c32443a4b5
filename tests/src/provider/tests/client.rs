//! One raw TCP client, which sees every byte and how a connection ends.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::provider::Provider;
use crate::provider::tests::PATIENCE;

/// What came back.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Told {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(super) fn text(&self) -> String {
        self.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    }
}

/// One connection.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    pub(super) held: Vec<u8>,
}

impl Client {
    pub(super) fn new(provider: &Provider) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", provider.port())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, held: Vec::new() }
    }

    pub(super) fn send(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) {
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {}\r\n\r\n", body.len());
        self.stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    }

    pub(super) fn ask(&mut self, body: &str) {
        self.send("POST", "/v1/chat/completions", "authorization: Bearer key\r\n", body.as_bytes());
    }

    /// Reads a little more; false at the end.
    pub(super) fn more(&mut self) -> std::io::Result<bool> {
        let mut bytes = [0; 65_536];
        let read = self.stream.read(&mut bytes)?;
        self.held.extend_from_slice(&bytes[..read]);
        Ok(0 < read)
    }

    pub(super) fn told(&mut self) -> Told {
        let mut parsed = None;
        loop {
            if parsed.is_none() {
                parsed = self.head();
            }
            if let Some((status, headers, length)) = &parsed
                && *length <= self.held.len()
            {
                let (status, headers) = (*status, headers.clone());
                let rest = self.held.split_off(*length);
                return Told { status, headers, body: std::mem::replace(&mut self.held, rest) };
            }
            assert!(self.more().unwrap(), "the connection ends in {:?}", String::from_utf8_lossy(&self.held));
        }
    }

    fn head(&mut self) -> Option<(u16, BTreeMap<String, String>, usize)> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(end) = response.parse(&self.held).unwrap() else { return None };
        let pairs = response
            .headers
            .iter()
            .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()));
        let (status, headers): (_, BTreeMap<_, _>) = (response.code.unwrap(), pairs.collect());
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        self.held.drain(..end);
        Some((status, headers, length))
    }

    /// All that comes until the connection ends, and how it ends.
    pub(super) fn rest(mut self) -> (Vec<u8>, Result<(), ErrorKind>) {
        loop {
            match self.more() {
                Ok(true) => {}
                Ok(false) => return (self.held, Ok(())),
                Err(error) => return (self.held, Err(error.kind())),
            }
        }
    }
}
