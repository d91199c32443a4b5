//! Run a stage on values, without a host: what a stage's own tests use.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::page::{Page, World};
use crate::{Document, Failure, Finish, Label, Level, Note, Reply, Stage, ask};

pub use crate::bindings::palimpsest::plugin::types::Verdict;

/// A classifier: labels of a text, best first.
pub type Classify = fn(&str) -> Vec<Label>;

/// A page to run a stage on: the document and what the host would know of its capture.
#[derive(Debug, Clone)]
pub struct TestPage {
    pub document: Document,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub files: Vec<(String, Vec<u8>)>,
    pub board: TestBoard,
    /// What each classifier says of a text.
    pub classifiers: Vec<(String, Classify)>,
}

/// A board of notes. Pages that are given clones of one see each other's.
#[derive(Debug, Clone, Default)]
pub struct TestBoard(Rc<RefCell<BTreeMap<String, Vec<Note>>>>);

impl TestBoard {
    fn post(&self, document: &str, key: &str, text: &str, most: u32) -> Vec<Note> {
        let mut boards = self.0.borrow_mut();
        let notes = boards.entry(key.to_owned()).or_default();
        let own = notes.iter().position(|note| note.document == document);
        if own.is_none() && notes.len() < most as usize {
            notes.push(Note { document: document.to_owned(), text: text.to_owned() });
        }
        notes.iter().take(own.map_or(notes.len(), |own| own + 1)).cloned().collect()
    }
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
        board: TestBoard::default(),
        classifiers: Vec::new(),
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

    fn classify(&self, classifier: &str, text: &str) -> Vec<Label> {
        let known = self.classifiers.iter().find(|(name, _)| name == classifier);
        known.map_or_else(Vec::new, |(_, classify)| classify(text))
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

    fn post(&self, document: &str, keys: &[String], text: &str, most: u32) -> Vec<Vec<Note>> {
        keys.iter().map(|key| self.board.post(document, key, text, most)).collect()
    }

    fn log(&self, _level: Level, _message: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_kept_of_those_who_came_first_and_say_the_same_again() {
        let board = TestBoard::default();
        let said = |document: &str| -> Vec<String> {
            board.post(document, "key", document, 2).into_iter().map(|note| note.text).collect()
        };
        assert_eq!(said("a"), ["a"]);
        assert_eq!(said("b"), ["a", "b"]);
        assert_eq!(said("c"), ["a", "b"]);
        assert_eq!(said("a"), ["a"]);
        assert_eq!(board.post("c", "other", "c", 2).len(), 1);
    }
}
