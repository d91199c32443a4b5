//! The stage's table of the pipeline file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ask::Format;
use crate::execute::Caps;
use crate::prox::Thresholds;

/// Who runs the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Executor {
    /// Each program on its own part of the page, every call checked.
    Checked,
    /// As the ProX corpora were made, its mistakes included: to compare with them.
    Prox,
}

/// Cleans pages with programs that a language model writes.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The model that writes the programs: a name of a `[models.NAME]` table.
    pub model: String,
    /// How it is asked: `general` for models that follow instructions, `prox-chunk` for the released ProX refiners.
    #[serde(default = "format")]
    pub format: Format,
    /// The system prompt, if there is to be one. The ProX refiners were trained with the stock one of Llama 2.
    #[serde(default)]
    pub system: Option<String>,
    /// Who runs the programs: `checked`, or `prox` to do as the published code does.
    #[serde(default = "executor")]
    pub executor: Executor,
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
    /// A page that lost this share of its words is dropped.
    #[serde(default = "drop_ratio")]
    pub drop_ratio: f64,
    /// A page that was changed and has so many words left, or fewer, is dropped.
    #[serde(default = "min_words")]
    pub min_words: usize,
    /// If less than this share of the words is left, the page is kept as it was.
    #[serde(default)]
    pub min_kept: f64,
}

impl Settings {
    /// Complaints that no type can make.
    pub(crate) fn check(&self) -> Result<(), String> {
        let complaint = if self.max_chunk_tokens == 0 || self.max_tokens == 0 {
            "`max_chunk_tokens` and `max_tokens` must be at least 1"
        } else if !(1..=crate::MAX_CHUNKS).contains(&self.max_chunks) {
            "`max_chunks` must be from 1 to 256"
        } else if self.max_errors == 0 {
            "`max_errors` must be at least 1: with 0 no program is ever run"
        } else if ![self.drop_ratio, self.min_kept].iter().all(|share| (0.0..=1.0).contains(share)) {
            "`drop_ratio` and `min_kept` are shares from 0 to 1"
        } else {
            return Ok(());
        };
        Err(complaint.to_owned())
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

fn executor() -> Executor {
    Executor::Checked
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
