//! What stands in a row: which columns there are, what each holds, and how its value is found.
//!
//! A table is fixed before its first row, so every format can say what is in a file before it is written. How a row is
//! stored is the formats' business.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::Origin;
use crate::document::{Column, Document, Kind, Span, Value};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    Value(Kind),
    /// A stage's name, and where a part of its input begins and ends.
    Span,
    /// Tokens that went to models, and tokens that came from them.
    Usage,
}

/// Where a row has the value of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Text,
    Id,
    Dump,
    Url,
    Date,
    FilePath,
    TokenCount,
    Span,
    WarcOffset,
    WarcLength,
    WarcRecordId,
    Models,
    PromptIds,
    Usage,
    /// A field of the document, of the column's name.
    Field,
}

/// A column of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    pub name: String,
    pub holds: Holds,
    pub nullable: bool,
    /// What it means, for people; nothing where only the stage that declares the column knows.
    pub says: &'static str,
    source: Source,
}

/// A column that every table has.
struct Known {
    name: &'static str,
    holds: Holds,
    nullable: bool,
    source: Source,
    says: &'static str,
}

const TEXT: Holds = Holds::Value(Kind::Text);
const INTEGER: Holds = Holds::Value(Kind::Integer);
const NUMBER: Holds = Holds::Value(Kind::Number);
const TEXTS: Holds = Holds::Value(Kind::Texts);

const fn always(name: &'static str, holds: Holds, source: Source, says: &'static str) -> Known {
    Known { name, holds, nullable: false, source, says }
}

const fn maybe(name: &'static str, holds: Holds, source: Source, says: &'static str) -> Known {
    Known { name, holds, nullable: true, source, says }
}

/// FineWeb's columns under its names come first.
const KNOWN: [Known; 18] = [
    always("text", TEXT, Source::Text, "the text to train on"),
    always("id", TEXT, Source::Id, "the capture's record id, or what was made of it; stable from run to run"),
    maybe("dump", TEXT, Source::Dump, "the crawl that the page is from"),
    always("url", TEXT, Source::Url, "the page's address"),
    always("date", TEXT, Source::Date, "when the page was captured (RFC 3339)"),
    always("file_path", TEXT, Source::FilePath, "the archive that holds the capture"),
    maybe("language", TEXT, Source::Field, "the language of the text"),
    maybe("language_score", NUMBER, Source::Field, "how sure the language is, from 0 to 1"),
    always("token_count", INTEGER, Source::TokenCount, "tokens of the text"),
    maybe("style", TEXT, Source::Field, "the style in which the text was rewritten"),
    maybe("kind", TEXT, Source::Field, "whether the text was found, cleaned or generated"),
    maybe(
        "span",
        Holds::Span,
        Source::Span,
        "the part of a stage's input that the text was made from, in bytes",
    ),
    always("warc_offset", INTEGER, Source::WarcOffset, "where in the archive the capture is stored"),
    always("warc_length", INTEGER, Source::WarcLength, "how many bytes of the archive hold it"),
    maybe("warc_record_id", TEXT, Source::WarcRecordId, "the id of the capture's record"),
    maybe("models", TEXTS, Source::Models, "the models whose replies went into the text"),
    maybe("prompt_ids", TEXTS, Source::PromptIds, "the journal's keys of the prompts"),
    maybe("usage", Holds::Usage, Source::Usage, "tokens spent on the text"),
];

/// Columns whose values are each row's own: a folder for each value would be a folder for each row.
const OWN: [&str; 6] = ["text", "id", "url", "date", "warc_offset", "warc_record_id"];

/// Why a stage's column cannot be one of a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadColumn {
    #[error("the column `{0}` is written by the sink; a stage's column needs another name")]
    Fixed(String),
    #[error("the column `{name}` is of kind {is:?} where another has it as {was:?}")]
    Kinds { name: String, is: Kind, was: Kind },
}

/// Why rows cannot be put into folders by the values of a column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPartition {
    #[error("there is no column `{name}` to partition by; there are {accepted}")]
    Unknown { name: String, accepted: String },
    #[error(
        "rows cannot be partitioned by `{name}`, which is no text, flag or integer; they can by {accepted}"
    )]
    Kind { name: String, accepted: String },
    #[error("rows cannot be partitioned by `{name}`, which differs from row to row; they can by {accepted}")]
    Own { name: String, accepted: String },
    #[error("rows are to be partitioned by `{0}` twice")]
    Twice(String),
}

/// Whether the columns that the stages declare, one stage after another, can be those of one table.
pub fn check_columns(columns: &[Column]) -> Result<(), BadColumn> {
    for (index, column) in columns.iter().enumerate() {
        let known = KNOWN.iter().find(|known| known.name == column.name);
        let was = match known.map(|known| (known.source, known.holds)) {
            Some((Source::Field, Holds::Value(kind))) => Some(kind),
            Some(_) => return Err(BadColumn::Fixed(column.name.clone())),
            None => columns.iter().take(index).find(|it| it.name == column.name).map(|it| it.kind),
        };
        if let Some(was) = was
            && was != column.kind
        {
            return Err(BadColumn::Kinds { name: column.name.clone(), is: column.kind, was });
        }
    }
    Ok(())
}

/// The columns of every row of a file, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    columns: Vec<TableColumn>,
    left_out: Vec<TableColumn>,
}

impl Table {
    /// The columns of every row and those that the stages declare beyond them, each once, but for those that are between
    /// stages only; `without` names columns that stand in the names of folders instead.
    pub fn new(declared: &[Column], without: &[String]) -> Self {
        let (left_out, columns) =
            all_columns(declared).into_iter().partition(|column| without.contains(&column.name));
        Self { columns, left_out }
    }

    pub fn columns(&self) -> &[TableColumn] {
        &self.columns
    }

    /// The columns that stand in the names of folders, in the table's order.
    pub fn left_out(&self) -> &[TableColumn] {
        &self.left_out
    }
}

/// What the names of columns begin with that one stage writes for another and that are in no row.
const BETWEEN_STAGES: char = '_';

fn all_columns(declared: &[Column]) -> Vec<TableColumn> {
    let known = KNOWN.iter().map(|known| TableColumn {
        name: known.name.to_owned(),
        holds: known.holds,
        nullable: known.nullable,
        says: known.says,
        source: known.source,
    });
    let mut columns: Vec<TableColumn> = known.collect();
    for column in declared.iter().filter(|column| !column.name.starts_with(BETWEEN_STAGES)) {
        if !columns.iter().any(|it| it.name == column.name) {
            columns.push(TableColumn {
                name: column.name.clone(),
                holds: Holds::Value(column.kind),
                nullable: true,
                says: "",
                source: Source::Field,
            });
        }
    }
    columns
}

/// Whether the rows of a table can be put into folders by the values of these columns.
pub fn check_partitions(partition_by: &[String], declared: &[Column]) -> Result<(), BadPartition> {
    let columns = all_columns(declared);
    let fits =
        |column: &TableColumn| matches!(column.holds, Holds::Value(Kind::Text | Kind::Flag | Kind::Integer));
    let accepted = || {
        let names = columns.iter().filter(|it| fits(it) && !OWN.contains(&it.name.as_str()));
        names.map(|it| format!("`{}`", it.name)).collect::<Vec<_>>().join(", ")
    };
    for (index, name) in partition_by.iter().enumerate() {
        let name = name.clone();
        match columns.iter().find(|column| column.name == name) {
            None => return Err(BadPartition::Unknown { name, accepted: accepted() }),
            Some(column) if !fits(column) => return Err(BadPartition::Kind { name, accepted: accepted() }),
            Some(_) if OWN.contains(&name.as_str()) => {
                return Err(BadPartition::Own { name, accepted: accepted() });
            }
            Some(_) if partition_by.iter().take(index).any(|earlier| *earlier == name) => {
                return Err(BadPartition::Twice(name));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// A document about to be stored.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    pub document: &'a Document,
    pub origin: &'a Origin,
    pub token_count: u32,
}

/// The value of a column in a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    Null,
    Text(&'a str),
    Integer(i64),
    Number(f64),
    Flag(bool),
    Texts(Vec<&'a str>),
    Span(&'a Span),
    Usage(Usage),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
}

impl<'a> Row<'a> {
    pub fn cell(&self, column: &TableColumn) -> Cell<'a> {
        self.at(column.source, &column.name)
    }

    /// The value of the column of that name; nothing where there is none.
    pub fn named(&self, name: &str) -> Cell<'a> {
        let known = KNOWN.iter().find(|known| known.name == name);
        self.at(known.map_or(Source::Field, |known| known.source), name)
    }

    fn at(&self, source: Source, name: &str) -> Cell<'a> {
        let Self { document, origin, token_count } = *self;
        let text = |text: &'a Option<String>| text.as_deref().map_or(Cell::Null, Cell::Text);
        match source {
            Source::Text => Cell::Text(&document.text),
            Source::Id => Cell::Text(&document.id),
            Source::Dump => text(&origin.dump),
            Source::Url => Cell::Text(&document.url),
            Source::Date => Cell::Text(&document.date),
            Source::FilePath => Cell::Text(&origin.archive),
            Source::TokenCount => Cell::Integer(i64::from(token_count)),
            Source::Span => document.span.as_ref().map_or(Cell::Null, Cell::Span),
            Source::WarcOffset => Cell::Integer(signed(origin.offset)),
            Source::WarcLength => Cell::Integer(signed(origin.length)),
            Source::WarcRecordId => text(&origin.record_id),
            Source::Models => models(document),
            Source::PromptIds => {
                let ids = document.replies.iter().map(|reply| reply.prompt_id.as_str()).collect();
                if document.replies.is_empty() { Cell::Null } else { Cell::Texts(ids) }
            }
            Source::Usage => usage(document),
            Source::Field => field(document, name),
        }
    }
}

/// Each model once, in the order in which they were first asked.
fn models(document: &Document) -> Cell<'_> {
    let mut models: Vec<&str> = Vec::new();
    for reply in &document.replies {
        if !models.contains(&reply.model.as_str()) {
            models.push(&reply.model);
        }
    }
    if models.is_empty() { Cell::Null } else { Cell::Texts(models) }
}

fn usage(document: &Document) -> Cell<'_> {
    let replies = &document.replies;
    if replies.is_empty() {
        return Cell::Null;
    }
    Cell::Usage(Usage {
        prompt_tokens: replies.iter().map(|reply| i64::from(reply.prompt_tokens)).sum(),
        completion_tokens: replies.iter().map(|reply| i64::from(reply.completion_tokens)).sum(),
    })
}

fn field<'a>(document: &'a Document, name: &str) -> Cell<'a> {
    match document.fields.iter().find(|field| field.name == name).map(|field| &field.value) {
        None => Cell::Null,
        Some(Value::Text(text)) => Cell::Text(text),
        Some(Value::Integer(integer)) => Cell::Integer(*integer),
        Some(Value::Number(number)) => Cell::Number(*number),
        Some(Value::Flag(flag)) => Cell::Flag(*flag),
        Some(Value::Texts(texts)) => Cell::Texts(texts.iter().map(String::as_str).collect()),
    }
}

/// Offsets in files and texts; none reaches what this cuts off, and readers of tables expect signed numbers.
pub(super) fn signed(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

impl Cell<'_> {
    /// About how many bytes it takes before it is encoded.
    pub(super) fn bytes(&self) -> usize {
        const NUMBER: usize = size_of::<i64>();
        match self {
            Self::Null | Self::Flag(_) => 1,
            Self::Text(text) => NUMBER + text.len(),
            Self::Integer(_) | Self::Number(_) => NUMBER,
            Self::Texts(texts) => texts.iter().map(|text| NUMBER + text.len()).sum::<usize>() + NUMBER,
            Self::Span(span) => 3 * NUMBER + span.stage.len(),
            Self::Usage(_) => 2 * NUMBER,
        }
    }
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Integer(integer) => serializer.serialize_i64(*integer),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Texts(texts) => texts.serialize(serializer),
            Self::Span(span) => span.serialize(serializer),
            Self::Usage(usage) => usage.serialize(serializer),
        }
    }
}

/// A row as a JSON object: the columns of its table, every one and in their order.
pub(super) struct Object<'a> {
    pub(super) columns: &'a [TableColumn],
    pub(super) row: Row<'a>,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.columns.len()))?;
        for column in self.columns {
            object.serialize_entry(&column.name, &self.row.cell(column))?;
        }
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Field;
    use crate::sinks::tests::{column, document, origin};

    fn json(document: &Document, table: &Table) -> String {
        let row = Row { document, origin: &origin(), token_count: 5 };
        serde_json::to_string(&Object { columns: table.columns(), row }).unwrap()
    }

    fn names(columns: &[TableColumn]) -> Vec<&str> {
        columns.iter().map(|column| column.name.as_str()).collect()
    }

    #[test]
    fn a_row_has_every_key_in_its_place() {
        let columns =
            [column("tags", Kind::Texts), column("style", Kind::Text), column("score", Kind::Number)];
        assert_eq!(
            json(&document(), &Table::new(&columns, &[])),
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
        let table = Table::new(&[column("tags", Kind::Texts), column("score", Kind::Number)], &[]);
        let bare = Document { fields: Vec::new(), span: None, replies: Vec::new(), ..document() };
        for document in [document(), bare] {
            let row: serde_json::Value = serde_json::from_str(&json(&document, &table)).unwrap();
            let mut found: Vec<_> = row.as_object().unwrap().keys().map(String::as_str).collect();
            let mut wanted = names(table.columns());
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted);
        }
    }

    #[test]
    fn what_is_never_null_never_is() {
        let bare = Document { fields: Vec::new(), span: None, replies: Vec::new(), ..document() };
        let origin = Origin { dump: None, record_id: None, ..origin() };
        let row = Row { document: &bare, origin: &origin, token_count: 0 };
        for column in Table::new(&[column("score", Kind::Number)], &[]).columns() {
            assert_eq!(row.cell(column) == Cell::Null, column.nullable, "{}", column.name);
        }
    }

    #[test]
    fn columns_of_folders_are_left_out() {
        let without = ["kind".to_owned(), "mood".to_owned()];
        let table = Table::new(&[column("mood", Kind::Text)], &without);
        assert_eq!(names(table.left_out()), ["kind", "mood"]);
        assert_eq!(table.columns().len(), KNOWN.len() - 1);
        assert!(!json(&document(), &table).contains("\"kind\""));
    }

    #[test]
    fn a_cell_is_found_by_its_columns_name() {
        let mut document = document();
        // A field cannot stand in for what the sink itself knows.
        document.fields.push(Field { name: "url".to_owned(), value: Value::Text("wrong".to_owned()) });
        let origin = origin();
        let row = Row { document: &document, origin: &origin, token_count: 5 };
        assert_eq!(row.named("url"), Cell::Text("https://example.com/"));
        assert_eq!(row.named("score"), Cell::Number(0.1));
        assert_eq!(row.named("nothing"), Cell::Null);
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
    fn columns_that_make_no_folders_are_refused() {
        let declared =
            [column("mood", Kind::Text), column("score", Kind::Number), column("even", Kind::Flag)];
        let check = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            check_partitions(&names, &declared)
        };
        assert_eq!(check(&["kind", "style", "language", "mood", "even", "token_count"]), Ok(()));
        for name in ["score", "span", "usage", "models"] {
            assert!(matches!(check(&[name]), Err(BadPartition::Kind { .. })), "{name}");
        }
        for name in ["text", "id", "url"] {
            assert!(matches!(check(&[name]), Err(BadPartition::Own { .. })), "{name}");
        }
        assert_eq!(check(&["kind", "kind"]), Err(BadPartition::Twice("kind".to_owned())));
        let unknown = check(&["tone"]).unwrap_err().to_string();
        assert!(unknown.contains("`tone`") && unknown.contains("`mood`"), "{unknown}");
        assert!(!unknown.contains("`score`") && !unknown.contains("`text`"), "{unknown}");
    }
}
