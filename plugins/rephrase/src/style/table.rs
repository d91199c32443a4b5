//! A style as it is written: one table of TOML for a built-in one, one table of the settings for a user's. Knows what may
//! be written and what stands where nothing is; nothing of pages.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a text is cut before a model is asked about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Neighbouring lines, as many as fit.
    Joined,
    /// Each paragraph by itself.
    Paragraphs,
}

/// What a reply is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// A text, behind the style's header if there is one.
    Prose,
    /// Questions with answers; each pair is judged by itself.
    Pairs,
    /// A list; each point is judged by itself, and stands on a line without its mark.
    Bullets,
    /// Paragraphs without their labels; each is judged by itself.
    Passages,
    /// Turns of at least two speakers.
    Conversation,
    /// JSON: an array of objects with `question`, `answer` and, if there is one, `difficulty`, or an object that holds
    /// one.
    Json,
}

/// What becomes a document of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rows {
    /// The page: its rewritten segments are joined.
    Document,
    /// Each segment.
    Segment,
    /// Each pair, point or passage.
    Item,
}

/// Where pairs of questions and answers stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Append {
    /// Below the segment that they are about.
    Segment,
    /// Below the whole page.
    Document,
    /// By themselves, without the text.
    Alone,
}

/// One wording of what is asked. `{language}` stands for the language that is asked for, `{audience}` and the like for
/// what was drawn from the style's slots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// The system prompt; an empty one is none.
    #[serde(default)]
    pub system: String,
    /// What is asked. The page follows between two marker lines, with the remark that it is only material. Where it is
    /// empty the page is the whole of the user's turn.
    pub instruction: String,
}

/// A style. Of a built-in one that is written again, what is left out stays as it was.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StyleTable {
    /// The style that this one is like, except for what is written here: a built-in one. Without it a style of a built-in
    /// one's name is that one changed, and any other begins with the defaults.
    pub like: Option<String>,
    /// The number of the wording; `prompt_template` is the style's name and this. Default: 1.
    pub version: Option<u32>,
    /// The wordings, of which each page gets one, chosen by its id.
    pub variants: Option<Vec<Variant>>,
    /// What is said after every wording: the form of the answer.
    pub format: Option<String>,
    /// The line that the answer is asked to begin with, without the colon; it is cut off. Default: none.
    pub header: Option<String>,
    /// Whether the model is asked to think before the header, so that what stands before it is dropped and a reply
    /// without it is none. Default: no.
    pub thinks: Option<bool>,
    /// A sentence with `{topic}` in it, said on those pages that a topic was drawn for.
    pub topic: Option<String>,
    /// What is drawn for each page: for `{audience}`, say, one of several, each under the name that the column gets.
    pub slots: Option<BTreeMap<String, BTreeMap<String, String>>>,
    /// How the page is cut: `joined` (the default) or `paragraphs`.
    pub cut: Option<Cut>,
    /// How the reply is read: `prose` (the default), `pairs`, `bullets`, `passages`, `conversation` or `json`.
    pub reading: Option<Reading>,
    /// Whether the marks of Markdown stay in the text. Default: no. Tables, code and links in code stay in any case.
    pub markdown: Option<bool>,
    /// What becomes a row: `document` (the default), `segment` or `item`.
    pub rows: Option<Rows>,
    /// Where pairs stand: below their `segment` (the default), below the whole `document`, or `alone`.
    pub append: Option<Append>,
    /// What stands between the rewrites of two segments. Default: a line end.
    pub separator: Option<String>,
    /// Whether pairs are sampled as Nemotron-CC does it: of a segment of T tokens from one to max(1, 10 T / 150), chosen
    /// by the page's id. Default: no, all of them are kept.
    pub sample: Option<bool>,
    /// The most pairs of a reply. Default: 8.
    pub max_items: Option<usize>,
    /// A JSON Schema that the server holds the reply to, as JSON.
    pub schema: Option<String>,
    /// A document of fewer tokens is not rewritten. Default: 30.
    pub min_document: Option<u32>,
    /// A segment of fewer tokens is not rewritten. Default: 10.
    pub min_segment: Option<u32>,
    /// The most tokens of a segment. Default: what `max_input` leaves.
    pub max_segment: Option<u32>,
    /// The most tokens of a whole prompt, the chat template included. Default: 1,000.
    pub max_input: Option<u32>,
    /// The most tokens of a reply. Default: 1,000.
    pub max_output: Option<u32>,
    /// A result of fewer tokens is not kept. Default: 20.
    pub min_final: Option<u32>,
    /// Whether only the page's first segment is asked about, as the seed of something new. Default: no.
    pub seed_only: Option<bool>,
    /// The temperature. Default: 0.5.
    pub temperature: Option<f32>,
    /// The nucleus of the sampling. Default: the server's.
    pub top_p: Option<f32>,
    /// The shortest and the longest rewrite that can be one, as shares of the segment's characters; of an answer where
    /// pairs are read. Default: 0.1 to 3.
    pub length: Option<(f64, f64)>,
    /// A reply that is cut off at its limit of tokens stands, without its last sentence, if it has at least this share of
    /// the segment's characters; otherwise the segment is asked about again in two halves. Default: 0.6.
    pub enough: Option<f64>,
    /// Whether a rewrite may hold numbers that its segment does not have. Default: no.
    pub new_numbers: Option<bool>,
}

impl StyleTable {
    /// This table, with `base` where it says nothing.
    pub(crate) fn over(self, base: Self) -> Self {
        Self {
            like: None,
            version: self.version.or(base.version),
            variants: self.variants.or(base.variants),
            format: self.format.or(base.format),
            header: self.header.or(base.header),
            thinks: self.thinks.or(base.thinks),
            topic: self.topic.or(base.topic),
            slots: self.slots.or(base.slots),
            cut: self.cut.or(base.cut),
            reading: self.reading.or(base.reading),
            markdown: self.markdown.or(base.markdown),
            rows: self.rows.or(base.rows),
            append: self.append.or(base.append),
            separator: self.separator.or(base.separator),
            sample: self.sample.or(base.sample),
            max_items: self.max_items.or(base.max_items),
            schema: self.schema.or(base.schema),
            min_document: self.min_document.or(base.min_document),
            min_segment: self.min_segment.or(base.min_segment),
            max_segment: self.max_segment.or(base.max_segment),
            max_input: self.max_input.or(base.max_input),
            max_output: self.max_output.or(base.max_output),
            min_final: self.min_final.or(base.min_final),
            seed_only: self.seed_only.or(base.seed_only),
            temperature: self.temperature.or(base.temperature),
            top_p: self.top_p.or(base.top_p),
            length: self.length.or(base.length),
            enough: self.enough.or(base.enough),
            new_numbers: self.new_numbers.or(base.new_numbers),
        }
    }

    /// Whether it says anything that the model is told.
    pub(crate) fn changes_words(&self) -> bool {
        self.variants.is_some()
            || self.format.is_some()
            || self.header.is_some()
            || self.topic.is_some()
            || self.slots.is_some()
    }
}
