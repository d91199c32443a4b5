//! The stage's table of the pipeline file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ask::Format;
use crate::execute::Caps;
use crate::prox::Thresholds;
use crate::shape::Constraint;
use crate::site::SiteSettings;

/// What is asked about: pages, their parts, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Whether a page is kept, and nothing else.
    Document,
    /// A program for each part of a page.
    Chunk,
    /// First whether a page is kept; programs only for those that are.
    Both,
}

/// Who runs the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Each program on its own part of the page, every call checked.
    Normal,
    /// As the ProX corpora were made, its mistakes included: to reproduce them.
    Reference,
}

/// Cleans pages with programs that a language model writes.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The model that writes the programs: a name of a `[models.NAME]` table.
    pub model: String,
    /// What is asked about: `document` (keep or drop the page), `chunk` (a program for each part of it), or `both`, as
    /// ProX does with a model of its own for each.
    #[serde(default = "level")]
    pub level: Level,
    /// The model that decides about documents, if it is another one; the stage's `models` key must list it too.
    #[serde(default)]
    pub doc_model: Option<String>,
    /// How models are asked: `general` for those that follow instructions, `prox` for the released ProX refiners, `labels`
    /// for those too small to write a program.
    #[serde(default = "format")]
    pub format: Format,
    /// What the server holds a model to: `grammar` (GBNF, as llama.cpp takes it), `json` (a JSON Schema, as most
    /// OpenAI-compatible servers take it), or `none`. The ProX refiners are held to nothing.
    #[serde(default = "shape")]
    pub shape: Constraint,
    /// The system prompt; an empty one is none. `format = "prox"` needs it, because those models were trained behind a
    /// system line and do worse without: it is the `system` message in ProX's own `apply_chunk_refining.py` and
    /// `apply_doc_refining.py`, the one that Llama 2 begins with, and has to be the same to the letter.
    #[serde(default)]
    pub system: Option<String>,
    /// `normal` checks every call; `reference` does as ProX's published code does, to the letter.
    #[serde(default = "mode")]
    pub mode: Mode,
    /// One program for all pages of a host, learned from the first ones. Left out: every page has programs of its own.
    #[serde(default)]
    pub site: Option<SiteSettings>,
    /// The most tokens of a page's text in the question about the document, from its beginning. ProX: 2,000 with all that
    /// stands around it.
    #[serde(default = "max_doc_tokens")]
    pub max_doc_tokens: u32,
    /// The most tokens of numbered lines in one prompt. A longer line is left as it is and nobody is asked about it.
    #[serde(default = "max_chunk_tokens")]
    pub max_chunk_tokens: u32,
    /// The most prompts for one page, at most 256; what follows is left as it is.
    #[serde(default = "max_chunks")]
    pub max_chunks: usize,
    /// The most tokens of a program.
    #[serde(default = "max_tokens")]
    pub max_tokens: u32,
    /// A part of a page whose program has so many errors stays as it was.
    #[serde(default = "max_errors")]
    pub max_errors: usize,
    /// The fewest characters, blanks not counted, of a string that `normalize` may replace.
    #[serde(default = "min_source")]
    pub min_source: usize,
    /// The most occurrences that one `normalize` may replace in a part of a page.
    #[serde(default = "max_count")]
    pub max_count: usize,
    /// Whether `normalize` may only leave characters out.
    #[serde(default)]
    pub deletion_only: bool,
    /// Whether programs may drop the page, if those of all its parts want to.
    #[serde(default = "yes")]
    pub drop_doc: bool,
    /// A page that lost this share of its words is dropped. Words are what stands between blanks, as ProX counts them, and
    /// in scripts without blanks (Chinese, Japanese, Thai, Lao, Khmer, Burmese) each letter is one; `mode = "reference"`
    /// takes what stands between blanks for a word in every script.
    #[serde(default = "drop_ratio")]
    pub drop_ratio: f64,
    /// A page that was changed and has so many words left, or fewer, is dropped. In `mode = "reference"` so is one that
    /// nobody changed.
    #[serde(default = "min_words")]
    pub min_words: usize,
    /// If less than this share of the words is left, the page is kept as it was.
    #[serde(default)]
    pub min_kept: f64,
}

impl Settings {
    /// Complaints that no type can make.
    pub(crate) fn check(&self) -> Result<(), String> {
        let reference = self.mode == Mode::Reference;
        let complaint = if [self.max_chunk_tokens, self.max_tokens, self.max_doc_tokens].contains(&0) {
            "`max_chunk_tokens`, `max_doc_tokens` and `max_tokens` must be at least 1"
        } else if !(1..=crate::MAX_CHUNKS).contains(&self.max_chunks) {
            "`max_chunks` must be from 1 to 256"
        } else if self.max_errors == 0 {
            "`max_errors` must be at least 1: with 0 no program is ever run"
        } else if ![self.drop_ratio, self.min_kept].iter().all(|share| (0.0..=1.0).contains(share)) {
            "`drop_ratio` and `min_kept` are shares from 0 to 1"
        } else if self.format == Format::Prox && self.system.is_none() {
            "`format = \"prox\"` needs `system`: the system line that the refiners were trained with; `system = \"\"` sends none"
        } else if self.doc_model.is_some() && self.level == Level::Chunk {
            "`doc_model` is asked at `level = \"document\"` or `\"both\"` only"
        } else if reference && self.shape == Constraint::Json {
            "`mode = \"reference\"` reads calls, not JSON: `shape` must be `grammar` or `none`"
        } else if self.format == Format::Labels && self.shape == Constraint::Json {
            "`format = \"labels\"` takes `shape = \"grammar\"` or `\"none\"`"
        } else if self.site.is_some() && (reference || self.level == Level::Document) {
            "`site` needs `mode = \"normal\"` and `level = \"chunk\"` or `\"both\"`"
        } else {
            return self.site.as_ref().map_or(Ok(()), SiteSettings::check);
        };
        Err(complaint.to_owned())
    }

    pub(crate) fn doc_model(&self) -> &str {
        self.doc_model.as_deref().unwrap_or(&self.model)
    }

    pub(crate) fn system(&self) -> Option<String> {
        self.system.clone().filter(|system| !system.is_empty())
    }

    pub(crate) fn caps(&self) -> Caps {
        Caps {
            min_source: self.min_source,
            max_count: self.max_count,
            max_errors: self.max_errors,
            deletion_only: self.deletion_only,
            drop_doc: self.drop_doc,
        }
    }

    pub(crate) fn thresholds(&self) -> Thresholds {
        Thresholds {
            min_kept: self.min_kept,
            drop_ratio: self.drop_ratio,
            min_words: self.min_words,
            max_errors: self.max_errors,
        }
    }
}

// The published values of ProX, where it has one.

fn format() -> Format {
    Format::General
}

fn level() -> Level {
    Level::Chunk
}

fn shape() -> Constraint {
    Constraint::Grammar
}

fn mode() -> Mode {
    Mode::Normal
}

fn max_doc_tokens() -> u32 {
    2000
}

fn max_chunk_tokens() -> u32 {
    1500
}

/// 96,000 tokens: a longer page is a book or a dump.
fn max_chunks() -> usize {
    64
}

fn max_tokens() -> u32 {
    256
}

fn max_errors() -> usize {
    2
}

/// Strings of one or two letters are in every word.
fn min_source() -> usize {
    3
}

/// Boilerplate within a chunk of 1,500 tokens seldom repeats more often than its menu has entries.
fn max_count() -> usize {
    50
}

fn yes() -> bool {
    true
}

fn drop_ratio() -> f64 {
    0.95
}

fn min_words() -> usize {
    10
}
