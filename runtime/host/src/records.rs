//! Entries of an archive, numbered, and which of them are wanted. What a block holds is for [`crate::pages`] to say.

use std::io::{self, Read};

use palimpsest_warc::Reader;
pub use palimpsest_warc::{
    Container, Damage, Dictionary, Entry, Head, Limits, Mark, Oddity, RecordType, Violation, violations,
};

use crate::ledger::Outcome;

/// An entry with its place in the archive's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Counted from zero, damaged entries included.
    pub number: u64,
    pub entry: Entry,
}

impl Record {
    fn head(&self) -> Option<&Head> {
        self.entry.head.as_ref()
    }

    pub fn record_type(&self) -> Option<RecordType> {
        self.head().and_then(Head::record_type)
    }

    /// The URI of the capture, without the angle brackets that some writers put around it.
    pub fn url(&self) -> Option<String> {
        let uri = self.head()?.target_uri()?;
        let bare = uri.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
        Some(bare.unwrap_or(&uri).to_owned())
    }

    pub fn id(&self) -> Option<String> {
        Some(self.head()?.record_id()?.into_owned())
    }

    pub fn date(&self) -> Option<String> {
        Some(self.head()?.date()?.into_owned())
    }
}

/// The records of an archive, in its order. An error is one of the source, and ends it.
#[derive(Debug)]
pub struct Records<R> {
    reader: Reader<R>,
    number: u64,
}

impl<R: Read> Records<R> {
    pub fn new(source: R, limits: Limits) -> Self {
        Self { reader: Reader::new(source, limits), number: 0 }
    }

    /// Goes on where another reading of the archive stopped: `source` begins at the mark, `number` records are before it.
    pub fn resume(
        source: R,
        mark: Mark,
        dictionary: Option<Dictionary>,
        number: u64,
        limits: Limits,
    ) -> Self {
        Self { reader: Reader::resume(source, mark, dictionary, limits), number }
    }

    /// Where reading can go on after a record, if it can go on right there.
    pub fn mark_after(&self, record: &Record) -> Option<Mark> {
        Some(self.reader.mark()?.at(record.entry.resumable_after()?))
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.reader.next()?;
        let number = self.number;
        self.number += 1;
        Some(entry.map(|entry| Record { number, entry }))
    }
}

/// Why a record goes no further.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Reject {
    #[error("the record is damaged")]
    Damaged(#[source] Damage),
    #[error("records of the type {} are not wanted", type_word(.0.as_ref()))]
    Unwanted(Option<RecordType>),
}

impl Reject {
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Damaged(damage) => damage.reason(),
            Self::Unwanted(record_type) => type_word(record_type.as_ref()),
        }
    }

    /// Damage is a failure; being something else than a page is not.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Damaged(_) => Outcome::Failed(self.reason().to_owned()),
            Self::Unwanted(_) => Outcome::Dropped(self.reason().to_owned()),
        }
    }
}

/// The word for a type; archives may write any other, and must not fill the books with them.
fn type_word(record_type: Option<&RecordType>) -> &'static str {
    match record_type {
        Some(RecordType::WarcInfo) => "warcinfo",
        Some(RecordType::Response) => "response",
        Some(RecordType::Resource) => "resource",
        Some(RecordType::Request) => "request",
        Some(RecordType::Metadata) => "metadata",
        Some(RecordType::Revisit) => "revisit",
        Some(RecordType::Conversion) => "conversion",
        Some(RecordType::Continuation) => "continuation",
        Some(RecordType::Unknown(_)) => "other_type",
        None => "no_type",
    }
}

/// Whether the record is whole and one of the `wanted` types.
pub fn select(record: &Record, wanted: &[RecordType]) -> Result<(), Reject> {
    if let Some(damage) = record.entry.damage {
        return Err(Reject::Damaged(damage));
    }
    let record_type = record.record_type();
    match &record_type {
        Some(found) if wanted.contains(found) => Ok(()),
        Some(_) | None => Err(Reject::Unwanted(record_type)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(types: &[&str]) -> Vec<u8> {
        types
            .iter()
            .flat_map(|name| {
                format!("WARC/1.0\r\nWARC-Type: {name}\r\nContent-Length: 2\r\n\r\nhi\r\n\r\n").into_bytes()
            })
            .collect()
    }

    #[track_caller]
    fn check(archive: &[u8], outcomes: &[Result<(), Outcome>]) {
        let found: Vec<_> = Records::new(archive, Limits::default())
            .map(|record| {
                select(&record.unwrap(), &[RecordType::Response, RecordType::Conversion])
                    .map_err(|reject| reject.outcome())
            })
            .collect();
        assert_eq!(found, outcomes);
    }

    #[test]
    fn only_wanted_records_go_on_and_the_others_are_dropped() {
        let dropped = |word: &str| Err(Outcome::Dropped(word.to_owned()));
        check(
            &archive(&["warcinfo", "Response", "request", "conversion", "made-up"]),
            &[dropped("warcinfo"), Ok(()), dropped("request"), Ok(()), dropped("other_type")],
        );
        check(b"WARC/1.0\r\nContent-Length: 0\r\n\r\n\r\n\r\n", &[dropped("no_type")]);
    }

    #[test]
    fn damage_is_a_failure_whatever_the_type() {
        let failed = |word: &str| Err(Outcome::Failed(word.to_owned()));
        let whole = archive(&["response", "request"]);
        check(&whole[..whole.len() - 5], &[Ok(()), failed("truncated")]);
        check(
            &[whole, b"nonsense".to_vec()].concat(),
            &[Ok(()), Err(Outcome::Dropped("request".to_owned())), failed("garbage")],
        );
    }

    #[test]
    fn a_url_loses_its_brackets() {
        let archive = b"WARC/1.0\r\nWARC-Target-URI: <http://a/>\r\nContent-Length: 0\r\n\r\n\r\n\r\n";
        let record = Records::new(&archive[..], Limits::default()).next().unwrap().unwrap();
        assert_eq!(record.url().unwrap(), "http://a/");
    }
}
