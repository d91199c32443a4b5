//! Documents become rows, and rows become parts: one part for each archive, visible only when it is whole.
//!
//! What stands in a row is `row`'s; how rows are stored is `jsonl`'s, `parquet`'s and `refined`'s, behind the one writer
//! of `format`; into which folder a row goes is `hive`'s, and when files become visible is `part`'s. `card` is what people
//! read beside them. What a stage decided and why is not known here.

pub mod card;
pub mod commit;
pub mod hive;
pub mod jsonl;
pub mod mix;
pub mod part;
pub mod read;

mod format;
mod parquet;
mod refined;
mod row;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::store;

pub use format::{Format, RowWriter};
pub use row::{
    BadColumn, BadPartition, Cell, Holds, Row, Table, TableColumn, Usage, check_columns, check_partitions,
};

/// Rejects are looked at, not trained on: enough text to see what was rejected, and little beside the rows.
const MAX_REJECT_TEXT_BYTES: usize = 4096;
/// What the files say wrote them.
const SOFTWARE: &str = concat!("palimpsest ", env!("CARGO_PKG_VERSION"));

/// Where a document's record was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The archive as the user named it.
    pub archive: String,
    /// The crawl that the archive is part of, such as `CC-MAIN-2026-40`.
    pub dump: Option<String>,
    /// Of the record in the archive's file.
    pub offset: u64,
    /// In the archive's file.
    pub length: u64,
    pub record_id: Option<String>,
}

/// A document, or what should have become one, that got no row.
#[derive(Debug, Clone, Copy)]
pub struct Reject<'a> {
    pub id: Option<&'a str>,
    pub url: Option<&'a str>,
    pub date: Option<&'a str>,
    pub origin: &'a Origin,
    /// Where it ended.
    pub stage: &'a str,
    /// The fixed word under which it is counted.
    pub reason: &'a str,
    /// What was measured, or the message of the error.
    pub value: Option<&'a str>,
    pub text: Option<&'a str>,
}

/// Why the rows cannot be written. What is finished stays; the run can be started again.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    #[error("cannot write `{path}`")]
    Write { path: String, source: std::io::Error },
    #[error(
        "the disk is full after {bytes} bytes of `{path}`; finished parts are kept: make room and start the run again"
    )]
    DiskFull { path: String, bytes: u64, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] store::Fatal),
    #[error(
        "the part `{part}` was made by another run meanwhile, of another pipeline; two runs need two sinks"
    )]
    Taken { part: String },
    #[error("`{object}` is not as this program writes it")]
    Unreadable { object: String },
    #[error("`{object}` is gone, and the part `{part}` is not whole without it")]
    Lost { part: String, object: String },
    #[error("the part `{part}` has {written} rows where the books say {booked}")]
    Miscounted { part: String, written: u64, booked: u64 },
    #[error("{columns} have more than {limit} values in one part; folders are for columns with few")]
    Folders { columns: String, limit: usize },
    #[error("the books cannot be written as JSON")]
    Encode(#[source] std::io::Error),
}

/// The crawl that a path or a `warcinfo` record names: `CC-MAIN-`, a year and a week.
pub fn dump_in(text: &str) -> Option<&str> {
    const START: &str = "CC-MAIN-";
    text.match_indices(START).find_map(|(at, _)| {
        let rest = text.get(at + START.len()..)?.as_bytes();
        let is_digit = |index: usize| rest.get(index).is_some_and(u8::is_ascii_digit);
        // The names of Common Crawl's files go on with fourteen digits.
        let week =
            (0..4).all(is_digit) && rest.get(4) == Some(&b'-') && is_digit(5) && is_digit(6) && !is_digit(7);
        week.then(|| text.get(at..at + START.len() + 7))?
    })
}

impl Serialize for Reject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.text.map(|text| {
            let end = text.floor_char_boundary(MAX_REJECT_TEXT_BYTES);
            text.get(..end).unwrap_or(text)
        });
        let mut row = serializer.serialize_map(None)?;
        row.serialize_entry("id", &self.id)?;
        row.serialize_entry("url", &self.url)?;
        row.serialize_entry("date", &self.date)?;
        row.serialize_entry("file_path", &self.origin.archive)?;
        row.serialize_entry("warc_offset", &self.origin.offset)?;
        row.serialize_entry("stage", self.stage)?;
        row.serialize_entry("reason", self.reason)?;
        row.serialize_entry("value", &self.value)?;
        row.serialize_entry("text", &text)?;
        row.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Column, Document, Field, Kind, Span, Spent, Value};

    pub(super) fn document() -> Document {
        Document {
            id: "<urn:a>".to_owned(),
            url: "https://example.com/".to_owned(),
            date: "2026-10-01T00:00:00Z".to_owned(),
            text: "A text.\n\"Second\" line.".to_owned(),
            fields: vec![
                Field { name: "score".to_owned(), value: Value::Number(0.1) },
                Field { name: "language".to_owned(), value: Value::Text("en".to_owned()) },
                Field { name: "tags".to_owned(), value: Value::Texts(vec!["a".to_owned(), "b".to_owned()]) },
            ],
            span: Some(Span { stage: "rephrase".to_owned(), start: 3, end: 9 }),
            replies: ["writer", "judge", "writer"]
                .iter()
                .enumerate()
                .map(|(number, model)| Spent {
                    model: (*model).to_owned(),
                    prompt_id: format!("{number:02x}"),
                    prompt_tokens: u32::MAX,
                    completion_tokens: 1,
                })
                .collect(),
        }
    }

    pub(super) fn origin() -> Origin {
        Origin {
            archive: "crawl/a.warc.gz".to_owned(),
            dump: Some("CC-MAIN-2026-40".to_owned()),
            offset: 7,
            length: 99,
            record_id: Some("<urn:a>".to_owned()),
        }
    }

    pub(super) fn column(name: &str, kind: Kind) -> Column {
        Column { name: name.to_owned(), kind }
    }

    #[test]
    fn a_rejects_text_is_cut_between_letters() {
        let text = "ü".repeat(MAX_REJECT_TEXT_BYTES);
        let reject = Reject {
            id: None,
            url: Some("https://example.com/"),
            date: None,
            origin: &origin(),
            stage: "language",
            reason: "other_language",
            value: Some("0.4"),
            text: Some(&text),
        };
        let json: serde_json::Value = serde_json::from_str(&serde_json::to_string(&reject).unwrap()).unwrap();
        assert_eq!(json["text"].as_str().unwrap(), "ü".repeat(MAX_REJECT_TEXT_BYTES / 2));
        assert_eq!((json["reason"].as_str(), json["id"].is_null()), (Some("other_language"), true));
    }

    #[test]
    fn a_dump_is_found_in_a_path() {
        for (path, dump) in [
            (
                "s3://commoncrawl/crawl-data/CC-MAIN-2026-40/segments/1/warc/x.warc.gz",
                Some("CC-MAIN-2026-40"),
            ),
            ("CC-MAIN-20261004120000-20261004150000-00000.warc.gz", None),
            ("CC-MAIN-20261004120000-1.gz/CC-MAIN-2026-05", Some("CC-MAIN-2026-05")),
            ("CC-MAIN-2026-4", None),
            ("CC-MAIN-", None),
            ("", None),
        ] {
            assert_eq!(dump_in(path), dump, "{path}");
        }
    }
}
