//! A record's head: a version line and named fields, read with all the tolerance that leaves no doubt.

use std::borrow::Cow;

use warc::RecordType;

use crate::damage::{Damage, Oddity};

const MARK: &[u8] = b"WARC/";
const VERSIONS: [&str; 6] = ["0.16", "0.17", "0.18", "1.0", "1.1", "2.0"];

/// The fields of a record, in the order in which they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    version: String,
    /// Names and values, one after the other.
    bytes: Vec<u8>,
    fields: Vec<Field>,
}

/// Where a field ends in [`Head::bytes`]; it begins where the one before it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    name: usize,
    value: usize,
}

impl Head {
    /// Understands the lines of a head, the empty one at the end included.
    pub(crate) fn parse(bytes: &[u8], oddities: &mut Vec<Oddity>) -> Result<Self, Damage> {
        let mut note = |oddity| {
            if !oddities.contains(&oddity) {
                oddities.push(oddity);
            }
        };
        let mut lines = bytes.split_inclusive(|&byte| byte == b'\n').map(|line| {
            let bare = line.strip_suffix(b"\n").unwrap_or(line);
            (bare.trim_ascii_end(), bare.ends_with(b"\r"))
        });
        let (first, ends_in_cr) = lines.next().ok_or(Damage::BadHead)?;
        let version = version(first).ok_or(Damage::BadHead)?;
        if !VERSIONS.contains(&version) {
            note(Oddity::Version);
        }
        let mut head = Self::empty(version);
        head.bytes.reserve(bytes.len());
        if !ends_in_cr {
            note(Oddity::LfLines);
        }
        for (line, ends_in_cr) in lines {
            if !ends_in_cr {
                note(Oddity::LfLines);
            }
            if line.is_empty() {
                continue;
            }
            if line.starts_with(b" ") || line.starts_with(b"\t") {
                note(Oddity::FoldedLine);
                head.fold(line.trim_ascii());
            } else if let Some(colon) = line.iter().position(|&byte| byte == b':') {
                let (name, value) = line.split_at(colon);
                head.push(name.trim_ascii(), value[1..].trim_ascii());
            } else {
                note(Oddity::ColonlessLine);
            }
        }
        if str::from_utf8(&head.bytes).is_err() {
            note(Oddity::HeadEncoding);
        }
        for (name, oddity) in [
            ("warc-type", Oddity::MissingType),
            ("warc-record-id", Oddity::MissingId),
            ("warc-date", Oddity::MissingDate),
        ] {
            if head.bytes(name).is_none() {
                note(oddity);
            }
        }
        if 1 < head.all("content-length").count() {
            note(Oddity::RepeatedLength);
        }
        Ok(head)
    }

    /// A head without fields.
    pub(crate) fn empty(version: &str) -> Self {
        Self { version: version.to_owned(), bytes: Vec::new(), fields: Vec::new() }
    }

    pub(crate) fn push(&mut self, name: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(name);
        let name = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.fields.push(Field { name, value: self.bytes.len() });
    }

    fn fold(&mut self, more: &[u8]) {
        if let Some(last) = self.fields.last_mut() {
            if last.name != last.value {
                self.bytes.push(b' ');
            }
            self.bytes.extend_from_slice(more);
            last.value = self.bytes.len();
        }
    }

    /// The number after `WARC/`; of ARC records `ARC/1` or `ARC/2`, by the number of their fields.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether the record is one of an ARC archive, whose fields were put under WARC's names.
    pub fn is_arc(&self) -> bool {
        self.version.starts_with("ARC")
    }

    /// Names and values as they were written, without the blanks around them.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let starts = std::iter::once(0).chain(self.fields.iter().map(|field| field.value));
        self.fields
            .iter()
            .zip(starts)
            .map(|(field, start)| (&self.bytes[start..field.name], &self.bytes[field.name..field.value]))
    }

    /// Every value of the field, whatever the case of its name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields()
            .filter(move |(written, _)| written.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The first value of the field.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.fields()
            .find(|(written, _)| written.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The first value of the field; bytes that are not UTF-8 become U+FFFD.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.bytes(name).map(String::from_utf8_lossy)
    }

    pub fn record_type(&self) -> Option<RecordType> {
        self.get("warc-type").map(RecordType::from)
    }

    /// As it was written: some writers put it between angle brackets.
    pub fn target_uri(&self) -> Option<Cow<'_, str>> {
        self.get("warc-target-uri")
    }

    pub fn date(&self) -> Option<Cow<'_, str>> {
        self.get("warc-date")
    }

    pub fn record_id(&self) -> Option<Cow<'_, str>> {
        self.get("warc-record-id")
    }

    /// Of the block.
    pub fn content_type(&self) -> Option<Cow<'_, str>> {
        self.get("content-type")
    }

    /// As it was written, which need not be true, or a number.
    pub fn content_length(&self) -> Option<Cow<'_, str>> {
        self.get("content-length")
    }

    /// How long the block is said to be.
    pub(crate) fn block_length(&self) -> Result<u64, Damage> {
        let mut lengths = self.all("content-length");
        let first = lengths.next().ok_or(Damage::MissingLength)?;
        if first.is_empty() || !first.iter().all(u8::is_ascii_digit) || lengths.any(|other| other != first) {
            return Err(Damage::BadLength);
        }
        // More than 64 bits can count is more than any archive holds, and is dealt with like it.
        Ok(first
            .iter()
            .fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
    }
}

/// `WARC/1.0` → `1.0`.
pub(crate) fn version(line: &[u8]) -> Option<&str> {
    let version = str::from_utf8(line.strip_prefix(MARK)?).ok()?.trim_ascii();
    let (major, minor) = version.split_once('.')?;
    let number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    (number(major) && number(minor)).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, fields: &[(&str, &str)], oddities: &[Oddity]) {
        let mut noted = Vec::new();
        let head = Head::parse(head.as_bytes(), &mut noted).unwrap();
        let found: Vec<_> = head
            .fields()
            .map(|(name, value)| (str::from_utf8(name).unwrap(), str::from_utf8(value).unwrap()))
            .collect();
        assert_eq!(found, fields);
        noted.retain(|oddity| {
            !matches!(oddity, Oddity::MissingId | Oddity::MissingDate | Oddity::MissingType)
        });
        assert_eq!(noted, oddities);
    }

    #[test]
    fn fields_are_trimmed_and_keep_their_order() {
        check("WARC/1.0\r\nB:  2 \r\nA : 1\r\n\r\n", &[("B", "2"), ("A", "1")], &[]);
        check("WARC/1.1\r\nEmpty:\r\n\r\n", &[("Empty", "")], &[]);
        check("WARC/1.0\r\nUri: http://a/:x\r\n\r\n", &[("Uri", "http://a/:x")], &[]);
    }

    #[test]
    fn what_is_odd_is_read_and_noted() {
        check("WARC/1.0\nA: 1\n\n", &[("A", "1")], &[Oddity::LfLines]);
        check("WARC/1.0\r\nA: 1\r\n\t2\r\n\r\n", &[("A", "1 2")], &[Oddity::FoldedLine]);
        check("WARC/1.0\r\nA:\r\n 1\r\n\r\n", &[("A", "1")], &[Oddity::FoldedLine]);
        check("WARC/1.0\r\nnonsense\r\nA: 1\r\n\r\n", &[("A", "1")], &[Oddity::ColonlessLine]);
        check("WARC/7.3\r\nA: 1\r\n\r\n", &[("A", "1")], &[Oddity::Version]);
        check("WARC/1.0\r\n folded: 0\r\nA: 1\r\n\r\n", &[("A", "1")], &[Oddity::FoldedLine]);
    }

    #[test]
    fn a_head_that_is_not_utf8_is_read() {
        let mut oddities = Vec::new();
        let head = Head::parse(b"WARC/1.0\r\nWARC-Target-URI: http://a/\xe9\r\n\r\n", &mut oddities).unwrap();
        assert_eq!(head.target_uri().unwrap(), "http://a/\u{fffd}");
        assert!(oddities.contains(&Oddity::HeadEncoding));
    }

    #[track_caller]
    fn check_length(lines: &str, length: Result<u64, Damage>) {
        let head = Head::parse(format!("WARC/1.0\r\n{lines}\r\n").as_bytes(), &mut Vec::new()).unwrap();
        assert_eq!(head.block_length(), length);
    }

    #[test]
    fn a_length_is_one_number() {
        check_length("content-LENGTH: 007\r\n", Ok(7));
        check_length("", Err(Damage::MissingLength));
        check_length("Content-Length:\r\n", Err(Damage::BadLength));
        check_length("Content-Length: +7\r\n", Err(Damage::BadLength));
        check_length("Content-Length: 7 8\r\n", Err(Damage::BadLength));
        check_length("Content-Length: 7\r\nContent-Length: 7\r\n", Ok(7));
        check_length("Content-Length: 7\r\nContent-Length: 8\r\n", Err(Damage::BadLength));
        check_length("Content-Length: 99999999999999999999999999\r\n", Ok(u64::MAX));
    }
}
