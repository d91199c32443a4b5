//! The page in hand: the document, the capture behind it, and whom to ask.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;

use crate::ask::{Ask, AskAll, Rounds};
use crate::bindings::palimpsest::plugin::{board, capture, files, log, models};
use crate::{Document, Failure, Label, Level, Note, Prompt, Reply, Value};

/// What the world gives to a stage: the host's imports in a component, plain values in a test.
pub(crate) trait World {
    fn status(&self) -> u16;
    fn header(&self, name: &str) -> Option<String>;
    fn body(&self) -> Vec<u8>;
    fn html(&self) -> Option<String>;
    fn classify(&self, classifier: &str, text: &str) -> Vec<Label>;
    fn count_tokens(&self, model: &str, text: &str) -> u32;
    fn file(&self, name: &str) -> Result<Vec<u8>, String>;
    fn post(&self, document: &str, keys: &[String], text: &str, most: u32) -> Vec<Vec<Note>>;
    fn log(&self, level: Level, message: &str);
}

/// The page that a stage looks at.
pub struct Page<'a> {
    document: Document,
    world: &'a dyn World,
    pub(crate) rounds: RefCell<Rounds>,
}

impl<'a> Page<'a> {
    pub(crate) fn new(
        document: Document,
        replies: Vec<Result<Reply, Failure>>,
        world: &'a dyn World,
    ) -> Self {
        Self { document, world, rounds: RefCell::new(Rounds::new(replies)) }
    }

    /// The document as the stages before left it.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The document's text; empty before an extractor.
    pub fn text(&self) -> &str {
        &self.document.text
    }

    /// A field that an earlier stage wrote.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.document.fields.iter().find(|field| field.name == name).map(|field| &field.value)
    }

    /// A field that an earlier stage wrote, if it is a text.
    pub fn text_field(&self, name: &str) -> Option<&str> {
        self.document.fields.iter().find_map(|field| match &field.value {
            Value::Text(text) if field.name == name => Some(text.as_str()),
            Value::Text(_) | Value::Integer(_) | Value::Number(_) | Value::Flag(_) | Value::Texts(_) => None,
        })
    }

    /// The HTTP status of the capture; 0 where it is no HTTP response.
    pub fn status(&self) -> u16 {
        self.world.status()
    }

    /// The first HTTP header of that name, in any letter case.
    pub fn header(&self, name: &str) -> Option<String> {
        self.world.header(name)
    }

    /// The captured payload, transfer and content codings removed.
    pub fn body(&self) -> Vec<u8> {
        self.world.body()
    }

    /// The captured payload as UTF-8; none where it is not text.
    pub fn html(&self) -> Option<String> {
        self.world.html()
    }

    /// Labels of a `[classifiers.NAME]` of the pipeline file, best first.
    pub fn classify(&self, classifier: &str, text: &str) -> Vec<Label> {
        self.world.classify(classifier, text)
    }

    /// Tokens of a text in the vocabulary of a `[models.NAME]`.
    pub fn count_tokens(&self, model: &str, text: &str) -> u32 {
        self.world.count_tokens(model, text)
    }

    /// A file that the pipeline file grants to this stage.
    ///
    /// # Errors
    /// The stage was not granted a file of this name; the message says which key would grant it.
    pub fn file(&self, name: &str) -> Result<Vec<u8>, String> {
        self.world.file(name)
    }

    /// Leaves a note of this document under each of the keys where fewer than `most` documents have left theirs. For each
    /// key, the notes that came before and, last, its own; where it has none there, the first `most`.
    ///
    /// The host takes 65,536 keys of at most 1 KiB in one call, a text of at most 64 KiB, and a `most` of at most 64.
    pub fn post(&self, keys: &[String], text: &str, most: u32) -> Vec<Vec<Note>> {
        self.world.post(&self.document.id, keys, text, most)
    }

    /// A line in the run's log.
    pub fn log(&self, level: Level, message: &str) {
        self.world.log(level, message);
    }

    /// Asks a language model and waits for its reply. Futures of several asks can be joined: they travel together.
    pub fn ask(&self, prompt: Prompt) -> impl Future<Output = Result<Reply, Failure>> {
        Ask::new(&self.rounds, prompt)
    }

    /// Asks for several prompts at once; the replies come in the same order.
    pub fn ask_all(&self, prompts: Vec<Prompt>) -> impl Future<Output = Vec<Result<Reply, Failure>>> {
        AskAll::new(&self.rounds, prompts)
    }
}

impl fmt::Debug for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("document", &self.document).finish_non_exhaustive()
    }
}

/// The host's imports.
#[derive(Debug)]
pub(crate) struct Imports;

impl World for Imports {
    fn status(&self) -> u16 {
        capture::status()
    }

    fn header(&self, name: &str) -> Option<String> {
        capture::header(name)
    }

    fn body(&self) -> Vec<u8> {
        capture::body()
    }

    fn html(&self) -> Option<String> {
        capture::html()
    }

    fn classify(&self, classifier: &str, text: &str) -> Vec<Label> {
        models::classify(classifier, text)
    }

    fn count_tokens(&self, model: &str, text: &str) -> u32 {
        models::count_tokens(model, text)
    }

    fn file(&self, name: &str) -> Result<Vec<u8>, String> {
        files::read(name)
    }

    /// The host knows which document it has given.
    fn post(&self, _document: &str, keys: &[String], text: &str, most: u32) -> Vec<Vec<Note>> {
        board::post(keys, text, most)
    }

    fn log(&self, level: Level, message: &str) {
        log::emit(level, message);
    }
}
