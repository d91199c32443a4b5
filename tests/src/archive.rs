//! WARC records as bytes, one gzip member each.
//!
//! The `warc` crate reads what this writes (a test says so), but cannot write it: it keeps the fields of a record in a
//! hash map, so their order, and with it the archive, would be another in every run.

use flate2::Compression;
use sha1::{Digest, Sha1};

use crate::codings::gzip;

/// RFC 9562's namespace for names that are URLs.
const NAMESPACE: [u8; 16] =
    [0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The moment of the first capture, in seconds of the day 2026-02-14.
const MORNING: u32 = 9 * 3600;

/// A record under construction. Fields are written in the order in which they were added.
#[derive(Debug, Clone)]
pub struct Record {
    head: String,
    block: Vec<u8>,
    /// What its Content-Length says beyond the block's length.
    excess: usize,
}

impl Record {
    /// A record of the given type, with an id that is a function of `name`.
    pub fn new(kind: &str, name: &str, second: u32) -> Self {
        let head = format!(
            "WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Date: {}\r\nWARC-Record-ID: {}\r\n",
            date(second),
            id(kind, name)
        );
        Self { head, block: Vec::new(), excess: 0 }
    }

    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    pub fn block(mut self, content_type: &str, block: Vec<u8>) -> Self {
        self.block = block;
        self.field("Content-Type", content_type)
    }

    /// Makes its Content-Length wrong.
    pub fn claiming(self, excess: usize) -> Self {
        Self { excess, ..self }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let length = self.block.len() + self.excess;
        let head = format!("{}Content-Length: {length}\r\n\r\n", self.head);
        [head.as_bytes(), &self.block, b"\r\n\r\n"].concat()
    }

    pub fn member(&self, level: Compression) -> Vec<u8> {
        gzip(&self.to_bytes(), level)
    }
}

/// The id of the record of a type that is called `name`: a UUID of version 5.
pub fn id(kind: &str, name: &str) -> String {
    let mut named = NAMESPACE.to_vec();
    named.extend_from_slice(format!("{kind} {name}").as_bytes());
    let hash = Sha1::digest(&named);
    let mut hex = String::new();
    for (index, byte) in hash.iter().take(16).enumerate() {
        let byte = match index {
            6 => byte & 0x0f | 0x50,
            8 => byte & 0x3f | 0x80,
            _ => *byte,
        };
        let hyphen = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
        hex += &format!("{hyphen}{byte:02x}");
    }
    format!("<urn:uuid:{hex}>")
}

/// As `WARC-Date` has it. What comes after midnight is put at the end of the day.
pub fn date(second: u32) -> String {
    let now = MORNING.saturating_add(second).min(24 * 3600 - 1);
    format!("2026-02-14T{:02}:{:02}:{:02}Z", now / 3600, now / 60 % 60, now % 60)
}

/// As `WARC-Payload-Digest` has it.
pub fn digest(bytes: &[u8]) -> String {
    let hash = Sha1::digest(bytes);
    // Twenty bytes are thirty-two letters of five bits, without padding.
    let mut letters = "sha1:".to_owned();
    let (mut bits, mut held) = (0_u32, 0);
    for byte in hash {
        bits = bits << 8 | u32::from(byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            letters.push(char::from(BASE32[(bits >> held & 31) as usize]));
        }
        bits &= (1 << held) - 1;
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_sha1_in_base32() {
        // Printed in every crawl that has met an empty page.
        assert_eq!(digest(b""), "sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ");
    }

    #[test]
    fn an_id_is_a_uuid_of_version_five() {
        let id = id("response", "https://a.example/");
        assert_eq!(id.len(), "<urn:uuid:00000000-0000-5000-8000-000000000000>".len());
        assert_eq!(id.get(24..25), Some("5"), "{id}");
        assert_ne!(id, super::id("request", "https://a.example/"));
    }

    #[test]
    fn the_day_does_not_end() {
        assert_eq!(date(61), "2026-02-14T09:01:01Z");
        assert_eq!(date(1 << 20), "2026-02-14T23:59:59Z");
    }

    #[test]
    fn a_record_is_its_fields_its_length_and_its_block() {
        let record = Record::new("metadata", "x", 0).field("A", "b").block("text/plain", b"hello".to_vec());
        let bytes = String::from_utf8(record.to_bytes()).unwrap();
        assert!(bytes.starts_with("WARC/1.0\r\nWARC-Type: metadata\r\nWARC-Date: 2026-02-14T09:00:00Z\r\n"));
        assert!(
            bytes.ends_with("A: b\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello\r\n\r\n")
        );
    }
}
