//! What a guest finds when it calls out: the capture, models, files and the log, and the limits on its memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::{Error, ResourceLimiter};

use super::bindings::palimpsest::plugin::{board, capture, files, log, models, types};
use super::{Level, Line};
use crate::board::{Board, BoardError, MAX_TOLD_BYTES};
use crate::classifiers::{Classifiers, Scratch};
use crate::document::{Capture, Document};
use crate::tokens;

/// A line of a log is read by people; what is longer is data in the wrong place.
const MAX_LINE_BYTES: usize = 1 << 10;
/// In one call. A stage that has more to say repeats itself.
const MAX_LINES: usize = 16;
/// Core WebAssembly tables, in elements: function tables of language runtimes have some ten thousand.
const MAX_TABLE_ELEMENTS: usize = 1 << 20;

/// In one call to the board: more than the lines of the longest pages.
const MAX_KEYS: usize = 1 << 16;
const MAX_KEY_BYTES: usize = 1 << 10;
/// Of a note. A signature is a kilobyte, the beginning of a page some ten.
const MAX_NOTE_BYTES: usize = 64 << 10;
/// Of one call's note under all of its keys: it is written once for each.
const MAX_LEFT_BYTES: usize = 4 << 20;
/// Notes under one key. What needs more of them than this is statistics.
const MAX_NOTES: u32 = 64;

/// What the pipeline file grants to a stage.
#[derive(Debug)]
pub(super) struct Grants {
    pub(super) stage: String,
    pub(super) models: Vec<String>,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) board: Arc<Board>,
    pub(super) classifiers: Arc<Classifiers>,
    /// Those of them that the stage may call.
    pub(super) callable: Vec<String>,
}

/// A guest reached for something that it was not granted.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Denied(pub(super) String);

/// The notes of the run fail, which is no fault of the guest's.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct NoBoard(pub(super) BoardError);

/// A guest wanted more memory than it may have.
#[derive(Debug, thiserror::Error)]
#[error("an instance may have {limit} bytes of memory; it wants {wanted}")]
pub(super) struct OutOfMemory {
    limit: usize,
    wanted: usize,
}

/// What the store of an instance holds.
pub(super) struct State {
    grants: Arc<Grants>,
    /// Whose notes the stage sees: its own.
    owner: [u8; 32],
    call: Option<Call>,
    scratch: Scratch,
    lines: Vec<Line>,
    max_memory: usize,
    memory: usize,
}

/// The call under way.
struct Call {
    document: String,
    capture: Arc<Capture>,
    /// Seconds since 1970 at which the page was captured.
    captured: u64,
    random: blake3::OutputReader,
}

impl State {
    pub(super) fn new(grants: Arc<Grants>, owner: [u8; 32], max_memory: usize) -> Self {
        Self {
            grants,
            owner,
            call: None,
            scratch: Scratch::default(),
            lines: Vec::new(),
            max_memory,
            memory: 0,
        }
    }

    pub(super) fn begin(&mut self, document: &Document, capture: Arc<Capture>) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(document.id.as_bytes());
        self.call = Some(Call {
            document: document.id.clone(),
            capture,
            captured: document.captured_seconds(),
            random: hasher.finalize_xof(),
        });
    }

    /// Ends the call; what the guest said in it.
    pub(super) fn end(&mut self) -> Vec<Line> {
        self.call = None;
        std::mem::take(&mut self.lines)
    }

    /// The bytes of memory that the instance has grown to.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    pub(super) fn captured(&self) -> (u64, u32) {
        (self.call.as_ref().map_or(0, |call| call.captured), 0)
    }

    pub(super) fn random(&mut self, bytes: &mut [u8]) {
        match &mut self.call {
            Some(call) => call.random.fill(bytes),
            // Outside of a call there is no document that randomness could be a function of.
            None => bytes.fill(0),
        }
    }

    pub(super) fn print(&mut self, level: Level, bytes: &[u8]) {
        for line in String::from_utf8_lossy(bytes).lines().filter(|line| !line.trim().is_empty()) {
            self.say(level, line);
        }
    }

    fn say(&mut self, level: Level, message: &str) {
        if self.lines.len() < MAX_LINES {
            let end = message.floor_char_boundary(MAX_LINE_BYTES);
            let message = message.get(..end).unwrap_or(message).to_owned();
            self.lines.push(Line { stage: self.grants.stage.clone(), level, message });
        }
    }

    fn capture(&self) -> wasmtime::Result<&Arc<Capture>> {
        let call = self.call.as_ref();
        call.map(|call| &call.capture).ok_or_else(|| Error::msg("there is no page outside of `process`"))
    }
}

/// What is said of a stage that wants a model that it was not granted.
pub(super) fn ungranted(stage: &str, model: &str) -> String {
    format!(
        "the stage `{stage}` wants the model `{model}`; to grant it, write `models = [\"{model}\"]` into its [[stages]] \
         table beside a [models.{model}]"
    )
}

impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // A component may have several memories; together they stay under the limit.
        let wanted = self.memory + (desired - current);
        if self.max_memory < wanted {
            return Err(OutOfMemory { limit: self.max_memory, wanted }.into());
        }
        self.memory = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }
}

impl types::Host for State {}

impl capture::Host for State {
    fn status(&mut self) -> wasmtime::Result<u16> {
        Ok(self.capture()?.status)
    }

    fn header(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.capture()?.header(&name).map(str::to_owned))
    }

    fn body(&mut self) -> wasmtime::Result<Vec<u8>> {
        Ok(self.capture()?.body.clone())
    }

    fn html(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.capture()?.html.clone())
    }
}

impl models::Host for State {
    fn classify(&mut self, classifier: String, text: String) -> wasmtime::Result<Vec<models::Label>> {
        let Grants { stage, classifiers, callable, .. } = &*self.grants;
        let is_callable = callable.contains(&classifier);
        let labels = is_callable.then(|| classifiers.classify(&classifier, &text, &mut self.scratch));
        let Some(labels) = labels.flatten() else {
            return Err(Denied(format!(
                "the stage `{stage}` wants the classifier `{classifier}`; to grant it, write \
                 `classifiers = [\"{classifier}\"]` into its [[stages]] table beside a \
                 [classifiers] table with `{classifier} = {{ path = \"…\" }}`"
            ))
            .into());
        };
        Ok(labels.into_iter().map(|label| models::Label { name: label.name, score: label.score }).collect())
    }

    fn count_tokens(&mut self, model: String, text: String) -> wasmtime::Result<u32> {
        if !self.grants.models.contains(&model) {
            return Err(Denied(ungranted(&self.grants.stage, &model)).into());
        }
        Ok(tokens::count(&text))
    }
}

impl files::Host for State {
    fn read(&mut self, name: String) -> wasmtime::Result<Result<Vec<u8>, String>> {
        let stage = &self.grants.stage;
        Ok(self.grants.files.get(&name).cloned().ok_or_else(|| {
            format!(
                "the stage `{stage}` was granted no file `{name}`; to grant one, write \
                 `files.{name} = {{ path = \"…\" }}` into its [[stages]] table"
            )
        }))
    }
}

impl board::Host for State {
    fn post(
        &mut self,
        keys: Vec<String>,
        text: String,
        most: u32,
    ) -> wasmtime::Result<Vec<Vec<board::Note>>> {
        let Some(call) = &self.call else {
            return Err(Error::msg("there is no document outside of `process`"));
        };
        let too_much = if MAX_KEYS < keys.len() || keys.iter().any(|key| MAX_KEY_BYTES < key.len()) {
            format!("{MAX_KEYS} keys of at most {MAX_KEY_BYTES} bytes")
        } else if MAX_NOTE_BYTES < text.len() {
            format!("notes of at most {MAX_NOTE_BYTES} bytes")
        } else if MAX_LEFT_BYTES < keys.len() * text.len() {
            format!("{MAX_LEFT_BYTES} bytes of notes under all keys together")
        } else if !(1..=MAX_NOTES).contains(&most) {
            format!("1 to {MAX_NOTES} notes under a key")
        } else {
            let told =
                self.grants.board.post(&self.owner, &call.document, &keys, (&text, most)).map_err(NoBoard)?;
            let note = |note: crate::board::Note| board::Note { document: note.document, text: note.text };
            match told {
                Some(told) => {
                    return Ok(told.into_iter().map(|notes| notes.into_iter().map(note).collect()).collect());
                }
                None => format!("{MAX_TOLD_BYTES} bytes of others' notes are told"),
            }
        };
        Err(Denied(format!(
            "the stage `{}` posts more than the board takes in one call: {too_much}",
            self.grants.stage
        ))
        .into())
    }
}

impl log::Host for State {
    fn emit(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self.say(level, &message);
        Ok(())
    }
}
