//! Documents become rows, and rows become parts: one part for each archive, visible only when it is whole.
//!
//! This file knows what stands in a row; how rows are stored is `jsonl`'s, and when they become visible is `part`'s. What
//! a stage decided and why is not known here.

pub mod jsonl;
pub mod part;

use std::path::PathBuf;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::document::{Column, Document, Kind, Span, Value};

/// Rejects are looked at, not trained on: enough text to see what was rejected, and little beside the rows.
const MAX_REJECT_TEXT_BYTES: usize = 4096;
/// Columns of every row that stages fill by fields of these names.
const FROM_FIELDS: [(&str, Kind); 4] =
    [("language", Kind::Text), ("language_score", Kind::Number), ("style", Kind::Text), ("kind", Kind::Text)];
/// Columns of every row that no stage may fill.
const FIXED: [&str; 14] = [
    "text",
    "id",
    "dump",
    "url",
    "date",
    "file_path",
    "token_count",
    "span",
    "warc_offset",
    "warc_length",
    "warc_record_id",
    "models",
    "prompt_ids",
    "usage",
];

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
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error(
        "the disk is full after {bytes} bytes of `{}`; finished parts are kept: make room and start the run again",
        path.display()
    )]
    DiskFull { path: PathBuf, bytes: u64, source: std::io::Error },
    #[error("another run is writing `{}`; two runs need two sinks", path.display())]
    Busy { path: PathBuf },
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{}` has {written} rows where the books say {booked}", path.display())]
    Miscounted { path: PathBuf, written: u64, booked: u64 },
}

/// Why a stage's column cannot be one of a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadColumn {
    #[error("the column `{0}` is written by the sink; a stage's column needs another name")]
    Fixed(String),
    #[error("the column `{name}` is of kind {is:?} where another has it as {was:?}")]
    Kinds { name: String, is: Kind, was: Kind },
}

/// Whether the columns that the stages declare, one stage after another, can be those of one table.
pub fn check_columns(columns: &[Column]) -> Result<(), BadColumn> {
    for (index, column) in columns.iter().enumerate() {
        if FIXED.contains(&column.name.as_str()) {
            return Err(BadColumn::Fixed(column.name.clone()));
        }
        let known = FROM_FIELDS.iter().find(|(name, _)| *name == column.name).map(|(_, kind)| *kind);
        let earlier = || columns.iter().take(index).find(|it| it.name == column.name).map(|it| it.kind);
        if let Some(was) = known.or_else(earlier)
            && was != column.kind
        {
            return Err(BadColumn::Kinds { name: column.name.clone(), is: column.kind, was });
        }
    }
    Ok(())
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

/// A document as the object that is written. Every row has the same keys in the same order.
struct Row<'a> {
    document: &'a Document,
    origin: &'a Origin,
    token_count: u32,
    /// What the stages declare beyond what every row has.
    columns: &'a [String],
}

#[derive(serde::Serialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
}

impl Row<'_> {
    fn field(&self, name: &str) -> Option<&Value> {
        self.document.fields.iter().find(|field| field.name == name).map(|field| &field.value)
    }

    /// Each model once, in the order in which they were first asked.
    fn models(&self) -> Option<Vec<&str>> {
        let mut models: Vec<&str> = Vec::new();
        for reply in &self.document.replies {
            if !models.contains(&reply.model.as_str()) {
                models.push(&reply.model);
            }
        }
        (!models.is_empty()).then_some(models)
    }

    fn prompt_ids(&self) -> Option<Vec<&str>> {
        let replies = &self.document.replies;
        (!replies.is_empty()).then(|| replies.iter().map(|reply| reply.prompt_id.as_str()).collect())
    }

    fn usage(&self) -> Option<Usage> {
        let replies = &self.document.replies;
        (!replies.is_empty()).then(|| Usage {
            prompt_tokens: replies.iter().map(|reply| u64::from(reply.prompt_tokens)).sum(),
            completion_tokens: replies.iter().map(|reply| u64::from(reply.completion_tokens)).sum(),
        })
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { document, origin, token_count, columns } = self;
        let span: &Option<Span> = &document.span;
        let mut row = serializer.serialize_map(None)?;
        // FineWeb's columns under its names come first.
        row.serialize_entry("text", &document.text)?;
        row.serialize_entry("id", &document.id)?;
        row.serialize_entry("dump", &origin.dump)?;
        row.serialize_entry("url", &document.url)?;
        row.serialize_entry("date", &document.date)?;
        row.serialize_entry("file_path", &origin.archive)?;
        row.serialize_entry("language", &self.field("language"))?;
        row.serialize_entry("language_score", &self.field("language_score"))?;
        row.serialize_entry("token_count", token_count)?;
        row.serialize_entry("style", &self.field("style"))?;
        row.serialize_entry("kind", &self.field("kind"))?;
        row.serialize_entry("span", span)?;
        row.serialize_entry("warc_offset", &origin.offset)?;
        row.serialize_entry("warc_length", &origin.length)?;
        row.serialize_entry("warc_record_id", &origin.record_id)?;
        row.serialize_entry("models", &self.models())?;
        row.serialize_entry("prompt_ids", &self.prompt_ids())?;
        row.serialize_entry("usage", &self.usage())?;
        for column in *columns {
            row.serialize_entry(column, &self.field(column))?;
        }
        row.end()
    }
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

/// The stages' columns beyond those of every row, each once.
fn further_columns(columns: &[Column]) -> Vec<String> {
    let mut further: Vec<String> = Vec::new();
    for column in columns {
        let known =
            FROM_FIELDS.iter().any(|(name, _)| *name == column.name) || FIXED.contains(&column.name.as_str());
        if !known && !further.contains(&column.name) {
            further.push(column.name.clone());
        }
    }
    further
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Field, Spent};

    fn document() -> Document {
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

    fn origin() -> Origin {
        Origin {
            archive: "crawl/a.warc.gz".to_owned(),
            dump: Some("CC-MAIN-2026-40".to_owned()),
            offset: 7,
            length: 99,
            record_id: Some("<urn:a>".to_owned()),
        }
    }

    fn column(name: &str, kind: Kind) -> Column {
        Column { name: name.to_owned(), kind }
    }

    fn row(document: &Document, columns: &[Column]) -> String {
        let columns = further_columns(columns);
        let row = Row { document, origin: &origin(), token_count: 5, columns: &columns };
        serde_json::to_string(&row).unwrap()
    }

    #[test]
    fn a_row_has_every_key_in_its_place() {
        let columns =
            [column("tags", Kind::Texts), column("style", Kind::Text), column("score", Kind::Number)];
        assert_eq!(
            row(&document(), &columns),
            concat!(
                r#"{"text":"A text.\n\"Second\" line.","id":"<urn:a>","dump":"CC-MAIN-2026-40","#,
                r#""url":"https://example.com/","date":"2026-10-01T00:00:00Z","file_path":"crawl/a.warc.gz","#,
                r#""language":"en","language_score":null,"token_count":5,"style":null,"kind":null,"#,
                r#""span":{"stage":"rephrase","start":3,"end":9},"warc_offset":7,"warc_length":99,"#,
                r#""warc_record_id":"<urn:a>","models":["writer","judge"],"prompt_ids":["00","01","02"],"#,
                r#""usage":{"prompt_tokens":12884901885,"completion_tokens":3},"tags":["a","b"],"score":0.1}"#
            )
        );
    }

    #[test]
    fn the_keys_are_the_same_whatever_the_document_has() {
        let keys = |json: &str| {
            let mut keys = Vec::new();
            let row: serde_json::Value = serde_json::from_str(json).unwrap();
            keys.extend(row.as_object().unwrap().keys().cloned());
            keys
        };
        let columns = [column("tags", Kind::Texts), column("score", Kind::Number)];
        let bare = Document { fields: Vec::new(), span: None, replies: Vec::new(), ..document() };
        assert_eq!(keys(&row(&document(), &columns)), keys(&row(&bare, &columns)));
        assert_eq!(keys(&row(&bare, &columns)).len(), FIXED.len() + FROM_FIELDS.len() + 2);
        assert!(
            row(&bare, &columns)
                .ends_with(r#""models":null,"prompt_ids":null,"usage":null,"tags":null,"score":null}"#)
        );
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
    fn columns_that_cannot_stand_in_one_table_are_refused() {
        let fine =
            [column("score", Kind::Number), column("score", Kind::Number), column("language", Kind::Text)];
        assert_eq!(check_columns(&fine), Ok(()));
        let fixed = check_columns(&[column("url", Kind::Text)]);
        assert_eq!(fixed, Err(BadColumn::Fixed("url".to_owned())));
        for wrong in [column("score", Kind::Text), column("language_score", Kind::Text)] {
            let columns = [fine[0].clone(), wrong];
            assert!(matches!(check_columns(&columns), Err(BadColumn::Kinds { .. })), "{columns:?}");
        }
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
