//! Entries of an archive, numbered, and which of them are wanted. What a block holds is for [`crate::pages`] to say.

use std::io::{self, Read};

pub use palimpsest_warc::{Damage, Head, Limits, Oddity, RecordType};
use palimpsest_warc::{Entry, Reader};

use crate::ledger::Outcome;

/// An entry with its place in the archive's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Counted from zero, damaged entries included.
    pub number: u64,
    /// Where in the archive it is stored; in gzip archives, where its member begins.
    pub offset: u64,
    /// How many bytes from there on hold it.
    pub length: u64,
    /// How far into the inflated member it begins: zero unless it shares the member.
    pub within: u64,
    pub head: Option<Head>,
    pub block: Vec<u8>,
    pub damage: Option<Damage>,
    pub oddities: Vec<Oddity>,
}

impl Record {
    fn new(number: u64, entry: Entry) -> Self {
        Self {
            number,
            offset: entry.offset,
            length: entry.length,
            within: entry.within,
            head: entry.head,
            block: entry.block,
            damage: entry.damage,
            oddities: entry.oddities,
        }
    }

    pub fn record_type(&self) -> Option<RecordType> {
        self.head.as_ref().and_then(Head::record_type)
    }

    /// The URI of the capture, without the angle brackets that some writers put around it.
    pub fn url(&self) -> Option<String> {
        let uri = self.head.as_ref()?.target_uri()?;
        let bare = uri.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
        Some(bare.unwrap_or(&uri).to_owned())
    }

    pub fn id(&self) -> Option<String> {
        Some(self.head.as_ref()?.record_id()?.into_owned())
    }

    pub fn date(&self) -> Option<String> {
        Some(self.head.as_ref()?.date()?.into_owned())
    }
}

/// The records of an archive, in its order. An error is one of the source, and ends it.
pub fn read<R: Read>(source: R, limits: Limits) -> impl Iterator<Item = io::Result<Record>> {
    (0..).zip(Reader::new(source, limits)).map(|(number, entry)| Ok(Record::new(number, entry?)))
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
    if let Some(damage) = record.damage {
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
        let found: Vec<_> = read(archive, Limits::default())
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
        let record = read(&archive[..], Limits::default()).next().unwrap().unwrap();
        assert_eq!(record.url().unwrap(), "http://a/");
    }
}
