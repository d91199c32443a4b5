//! The stage's table of the pipeline file.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::style::StyleTable;

/// What stands in a rewritten document for a part that has no rewrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gaps {
    /// Nothing, as in the published pipelines: the document says less, and all that it says is rewritten.
    Drop,
    /// The part as it was: the document says everything, in two voices.
    KeepSource,
    /// `gap_mark`: the document says where something is missing.
    Mark,
}

/// Which language rewrites are asked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English, as all published prompts have it.
    English,
    /// The page's own, as the field `language` names it. A page without that field is asked about in English wording
    /// that says "the language of the text".
    Page,
}

/// Rewrites pages with a language model, one document for each style.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The model that rewrites: a name of a `[models.NAME]` table.
    pub model: String,
    /// The styles, each of which makes documents of its own. Nemotron-CC: `wikipedia`, `diverse_qa`, `distill`,
    /// `extract_knowledge`, `knowledge_list`. WRAP: `wrap_easy`, `wrap_medium`, `wrap_hard`, `wrap_qa`. FinePhrase: `faq`,
    /// `math`, `table`, `tutorial`. Cosmopedia: `textbook`, `blog_post`, `story`, `wikihow`, each for an audience that is
    /// drawn. Others: `guided_rewrite` (REWIRE), `conversation` (MIND), `persona`, `instruction`, and `concise` for the
    /// smallest models. And the names of `define`.
    pub styles: Vec<String>,
    /// Styles of your own, and changes to built-in ones: a table for each name.
    #[serde(default)]
    pub define: BTreeMap<String, StyleTable>,
    /// Whether the page itself goes on too.
    #[serde(default)]
    pub keep_original: bool,
    /// What becomes of parts that are too short to rewrite or whose rewrite was not taken: `drop`, `keep_source` or
    /// `mark`. Only where the segments of a page are joined to one document.
    #[serde(default = "gaps")]
    pub gaps: Gaps,
    /// What stands for a missing part with `gaps = "mark"`.
    #[serde(default = "gap_mark")]
    pub gap_mark: String,
    /// The language that is asked for: `english`, or `page` for the page's own (field `language`).
    #[serde(default = "language")]
    pub language: Language,
    /// Another number draws the wordings, audiences, topics and personas of all pages anew.
    #[serde(default)]
    pub variant_seed: u64,
    /// Topics, of which some pages get one in the styles of Cosmopedia.
    #[serde(default)]
    pub topics: Vec<String>,
    /// A file of topics, one on a line, by the name under which the stage's `files` grant it.
    #[serde(default)]
    pub topics_file: Option<String>,
    /// The share of the pages that get a topic, where there are topics. Cosmopedia: half.
    #[serde(default = "topic_share")]
    pub topic_share: f64,
    /// Persons for the style `persona`, each described in a line.
    #[serde(default)]
    pub personas: Vec<String>,
    /// A file of persons, one on a line, plain or as JSON with the key `persona`, by the name under which the stage's
    /// `files` grant it.
    #[serde(default)]
    pub personas_file: Option<String>,
    /// Whether the segments of a page are asked about one after the other, each with the end of the rewrite before it
    /// (Kimi K2). In styles that make one text of a page; the others are asked at once in any case.
    #[serde(default)]
    pub context: bool,
    /// The most tokens of the rewrite before, with `context`.
    #[serde(default = "context_tokens")]
    pub context_tokens: u32,
    /// How many rounds of asking the stage has, as the key `rounds` beside `settings` allows. With `context` a page of
    /// more segments is rewritten in several strands at the same time, each with a context of its own.
    #[serde(default = "rounds")]
    pub rounds: usize,
    /// Whether a segment whose reply is cut off before `enough` of it is there, or which is too long for the model, is
    /// asked about once more, in two halves.
    #[serde(default = "yes")]
    pub retry: bool,
    /// Whether servers are told the JSON Schema of the styles that have one. They must be able to hold a model to it.
    #[serde(default = "yes")]
    pub schema: bool,
    /// The temperature, instead of the style's own.
    #[serde(default)]
    pub temperature: Option<f32>,
    /// The nucleus of the sampling, instead of the style's own.
    #[serde(default)]
    pub top_p: Option<f32>,
    /// The most parts of a page that are rewritten in a style. All styles together make at most 256 prompts.
    #[serde(default = "max_segments")]
    pub max_segments: usize,
}

impl Settings {
    /// Complaints that no type can make.
    pub(crate) fn check(&self) -> Result<(), String> {
        let names: BTreeSet<&String> = self.styles.iter().collect();
        let prompts = self.styles.len().saturating_mul(self.max_segments);
        let complaint = if self.styles.is_empty() {
            "`styles` names no style"
        } else if names.len() < self.styles.len() {
            "`styles` names a style twice"
        } else if !(1..=crate::MAX_PROMPTS).contains(&prompts) {
            "`max_segments` must be at least 1, and at most 256 for all styles together"
        } else if self.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
            "`temperature` must be from 0 to 2"
        } else if self.top_p.is_some_and(|top_p| !(0.0..=1.0).contains(&top_p)) {
            "`top_p` must be from 0 to 1"
        } else if !(0.0..=1.0).contains(&self.topic_share) {
            "`topic_share` must be from 0 to 1"
        } else if self.rounds < 1 + usize::from(self.retry) {
            "`rounds` must be at least 1, and 2 with `retry`"
        } else if self.context && self.context_tokens == 0 {
            "`context` needs `context_tokens`"
        } else {
            return Ok(());
        };
        Err(complaint.to_owned())
    }
}

fn gaps() -> Gaps {
    Gaps::Drop
}

fn gap_mark() -> String {
    "[…]".to_owned()
}

fn language() -> Language {
    Language::English
}

fn topic_share() -> f64 {
    0.5
}

/// Two or three sentences: enough for voice and subject, little beside a segment.
fn context_tokens() -> u32 {
    80
}

/// The host's own default.
fn rounds() -> usize {
    4
}

fn yes() -> bool {
    true
}

/// About 20,000 tokens of a page in the shortest style: longer pages are dumps and books.
fn max_segments() -> usize {
    48
}
