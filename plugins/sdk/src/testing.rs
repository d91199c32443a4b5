//! Run a stage on values, without a host: what a stage's own tests use.

use crate::page::{Page, World};
use crate::{Document, Failure, Finish, Label, Level, Reply, Stage, ask};

pub use crate::bindings::palimpsest::plugin::types::Verdict;

/// A page to run a stage on: the document and what the host would know of its capture.
#[derive(Debug, Clone)]
pub struct TestPage {
    pub document: Document,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub files: Vec<(String, Vec<u8>)>,
}

/// A document with this text and no capture.
#[must_use]
pub fn document(text: &str) -> TestPage {
    TestPage {
        document: Document {
            id: "<urn:uuid:00000000-0000-4000-8000-000000000001>".to_owned(),
            url: "https://example.com/page".to_owned(),
            date: "2026-10-01T12:00:00Z".to_owned(),
            text: text.to_owned(),
            fields: Vec::new(),
        },
        status: 200,
        headers: Vec::new(),
        body: Vec::new(),
        files: Vec::new(),
    }
}

/// A captured HTML page, before any extractor.
#[must_use]
pub fn html(html: &str) -> TestPage {
    TestPage {
        headers: vec![("Content-Type".to_owned(), "text/html; charset=utf-8".to_owned())],
        body: html.as_bytes().to_vec(),
        ..document("")
    }
}

/// A reply that the model ended by itself.
pub fn reply(text: &str) -> Result<Reply, Failure> {
    Ok(Reply { text: text.to_owned(), finish: Finish::Stop, prompt_tokens: 1, completion_tokens: 1 })
}

/// What the stage says of the page, with the replies so far.
///
/// # Errors
/// The stage's own failure.
pub fn run<S: Stage>(
    stage: &S,
    page: &TestPage,
    replies: &[Result<Reply, Failure>],
) -> Result<Verdict, String> {
    let page = Page::new(page.document.clone(), replies.to_vec(), page);
    ask::drive(stage.process(&page), &page)
}

/// In a test a token is a word: enough to reach every limit, and easy to count by eye.
impl World for TestPage {
    fn status(&self) -> u16 {
        self.status
    }

    fn header(&self, name: &str) -> Option<String> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone())
    }

    fn body(&self) -> Vec<u8> {
        self.body.clone()
    }

    fn html(&self) -> Option<String> {
        String::from_utf8(self.body.clone()).ok()
    }

    fn classify(&self, _classifier: &str, _text: &str) -> Vec<Label> {
        Vec::new()
    }

    fn count_tokens(&self, _model: &str, text: &str) -> u32 {
        text.split_whitespace().count().try_into().unwrap_or(u32::MAX)
    }

    fn file(&self, name: &str) -> Result<Vec<u8>, String> {
        self.files
            .iter()
            .find(|(file, _)| file == name)
            .map(|(_, bytes)| bytes.clone())
            .ok_or_else(|| format!("no file `{name}`"))
    }

    fn log(&self, _level: Level, _message: &str) {}
}
