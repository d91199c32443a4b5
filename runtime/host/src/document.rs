//! What the stages see of a page, and what a stage's drafts make of it. Values only: no capture, no plugin, no model.

use serde::ser::{Serialize, Serializer};

use crate::pages::Page;
use crate::prompt::Reply;

/// A document on its way through the stages.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Stable: the same capture through the same stages has the same id.
    pub id: String,
    pub url: String,
    /// RFC 3339.
    pub date: String,
    pub text: String,
    pub fields: Vec<Field>,
    /// The part of the text before the last stage that gave one, from which this text was made.
    pub span: Option<Span>,
    /// The replies that it was made of, in the order in which they were asked for.
    pub replies: Vec<Spent>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub name: String,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    Integer(i64),
    Number(f64),
    Flag(bool),
    Texts(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    Number,
    Flag,
    Texts,
}

/// A column that a stage says it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

/// Bytes of a text; the end is exclusive.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Span {
    /// The stage whose input the offsets count in.
    pub stage: String,
    pub start: u64,
    pub end: u64,
}

/// A reply that a document was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    pub model: String,
    /// The journal's key of the prompt, hexadecimal.
    pub prompt_id: String,
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
}

impl Spent {
    pub fn new(model: &str, prompt_id: String, reply: &Reply) -> Self {
        Self {
            model: model.to_owned(),
            prompt_id,
            prompt_tokens: reply.prompt_tokens,
            completion_tokens: reply.completion_tokens,
        }
    }
}

/// The capture behind a document, for the stages that read it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capture {
    /// 0 where the capture is no HTTP response.
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// Transfer and content codings removed.
    pub body: Vec<u8>,
    /// The body as UTF-8, where it is text.
    pub html: Option<String>,
}

impl Capture {
    /// The first header of that name, in any letter case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What a stage makes of a document. What is left out stays as it was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    pub text: Option<String>,
    pub fields: Vec<Field>,
    pub span: Option<(u64, u64)>,
}

/// Why a draft cannot be applied: the plugin broke the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misdraft {
    #[error("the field `{0}` is not among the stage's columns")]
    Undeclared(String),
    #[error("the field `{0}` is not of its column's kind")]
    WrongKind(String),
    #[error("the field `{0}` is no finite number")]
    NotFinite(String),
    #[error("the span {0}..{1} is no part of the text, which has {2} bytes")]
    BadSpan(u64, u64, usize),
}

impl Document {
    /// The document that a page is before any stage, and the capture behind it. `id` is the record's, if it has one.
    pub fn of(page: Page, id: Option<&str>) -> (Self, Capture) {
        let id = id.map_or_else(|| digest_of(&page), str::to_owned);
        let document = Self {
            id,
            url: page.url,
            date: page.date,
            text: String::new(),
            fields: Vec::new(),
            span: None,
            replies: Vec::new(),
        };
        let (status, headers) = (page.status.unwrap_or(0), page.headers);
        (document, Capture { status, headers, body: page.body, html: page.text })
    }

    /// The date as seconds since 1970; 0 where it is no date.
    pub fn captured_seconds(&self) -> u64 {
        let date = self.date.parse::<jiff::Timestamp>();
        date.ok().and_then(|date| u64::try_from(date.as_second()).ok()).unwrap_or(0)
    }

    /// The documents that a stage's drafts make of this one, in their order.
    ///
    /// `stage` is the stage's name, `place` its number in the pipeline: with several drafts it becomes part of each
    /// new id.
    pub fn apply(
        &self,
        drafts: Vec<Draft>,
        stage: &str,
        place: usize,
        columns: &[Column],
    ) -> Result<Vec<Self>, Misdraft> {
        let several = 1 < drafts.len();
        let mut documents = Vec::with_capacity(drafts.len());
        for (number, draft) in drafts.into_iter().enumerate() {
            let mut document = self.redraft(draft, stage, columns)?;
            if several {
                document.id = format!("{}#{place}.{number}", self.id);
            }
            documents.push(document);
        }
        Ok(documents)
    }

    fn redraft(&self, draft: Draft, stage: &str, columns: &[Column]) -> Result<Self, Misdraft> {
        let span = match draft.span {
            Some((start, end)) => Some(self.span_of(start, end, stage)?),
            None => self.span.clone(),
        };
        let mut fields = self.fields.clone();
        for field in draft.fields {
            let Some(column) = columns.iter().find(|column| column.name == field.name) else {
                return Err(Misdraft::Undeclared(field.name));
            };
            if column.kind != field.value.kind() {
                return Err(Misdraft::WrongKind(field.name));
            }
            if let Value::Number(number) = field.value
                && !number.is_finite()
            {
                return Err(Misdraft::NotFinite(field.name));
            }
            match fields.iter_mut().find(|known| known.name == field.name) {
                Some(known) => known.value = field.value,
                None => fields.push(field),
            }
        }
        Ok(Self {
            id: self.id.clone(),
            url: self.url.clone(),
            date: self.date.clone(),
            text: draft.text.unwrap_or_else(|| self.text.clone()),
            fields,
            span,
            replies: self.replies.clone(),
        })
    }

    fn span_of(&self, start: u64, end: u64, stage: &str) -> Result<Span, Misdraft> {
        let bytes = |offset: u64| usize::try_from(offset).ok().filter(|it| self.text.is_char_boundary(*it));
        match (bytes(start), bytes(end)) {
            (Some(from), Some(to)) if from <= to => Ok(Span { stage: stage.to_owned(), start, end }),
            _ => Err(Misdraft::BadSpan(start, end, self.text.len())),
        }
    }
}

/// An id for a capture whose record has none.
fn digest_of(page: &Page) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [page.url.as_bytes(), page.date.as_bytes(), &page.body] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    format!("<urn:blake3:{}>", hasher.finalize().to_hex())
}

impl Misdraft {
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Undeclared(_) => "undeclared_field",
            Self::WrongKind(_) => "wrong_kind",
            Self::NotFinite(_) => "not_finite",
            Self::BadSpan(..) => "bad_span",
        }
    }
}

impl Value {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Integer(_) => Kind::Integer,
            Self::Number(_) => Kind::Number,
            Self::Flag(_) => Kind::Flag,
            Self::Texts(_) => Kind::Texts,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Integer(integer) => serializer.serialize_i64(*integer),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Texts(texts) => texts.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        Document {
            id: "<urn:a>".to_owned(),
            url: "https://example.com/".to_owned(),
            date: "2026-10-01T00:00:00Z".to_owned(),
            text: "für alle".to_owned(),
            fields: vec![Field { name: "score".to_owned(), value: Value::Number(0.5) }],
            span: None,
            replies: Vec::new(),
        }
    }

    fn columns() -> Vec<Column> {
        vec![
            Column { name: "score".to_owned(), kind: Kind::Number },
            Column { name: "style".to_owned(), kind: Kind::Text },
        ]
    }

    fn field(name: &str, value: Value) -> Draft {
        Draft { fields: vec![Field { name: name.to_owned(), value }], ..Draft::default() }
    }

    #[track_caller]
    fn refuses(draft: Draft, reason: &str) {
        let misdraft = document().apply(vec![draft], "judge", 2, &columns()).unwrap_err();
        assert_eq!(misdraft.reason(), reason, "{misdraft}");
    }

    #[test]
    fn one_draft_keeps_the_id_and_several_get_their_own() {
        let one = document().apply(vec![Draft::default()], "judge", 2, &columns()).unwrap();
        assert_eq!(one, [document()]);
        let two = document().apply(vec![Draft::default(); 2], "judge", 2, &columns()).unwrap();
        assert_eq!([two[0].id.as_str(), two[1].id.as_str()], ["<urn:a>#2.0", "<urn:a>#2.1"]);
    }

    #[test]
    fn a_field_is_written_over_and_a_new_one_comes_last() {
        let drafts = vec![Draft {
            fields: vec![
                Field { name: "style".to_owned(), value: Value::Text("qa".to_owned()) },
                Field { name: "score".to_owned(), value: Value::Number(0.9) },
            ],
            ..Draft::default()
        }];
        let written = document().apply(drafts, "judge", 2, &columns()).unwrap();
        let names: Vec<_> = written[0].fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["score", "style"]);
        assert_eq!(written[0].fields[0].value, Value::Number(0.9));
    }

    #[test]
    fn a_draft_that_breaks_the_contract_is_refused() {
        refuses(field("mood", Value::Flag(true)), "undeclared_field");
        refuses(field("score", Value::Text("0.5".to_owned())), "wrong_kind");
        refuses(field("score", Value::Number(f64::NAN)), "not_finite");
        refuses(Draft { span: Some((0, 99)), ..Draft::default() }, "bad_span");
        // Byte 2 lies inside the letter ü.
        refuses(Draft { span: Some((2, 5)), ..Draft::default() }, "bad_span");
        refuses(Draft { span: Some((5, 3)), ..Draft::default() }, "bad_span");
    }
}
