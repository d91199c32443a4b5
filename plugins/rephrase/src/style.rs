//! The styles: what is asked for, and within which limits. Knows prompts and numbers, nothing of replies.
//!
//! A style is data: a table of one of the files in `styles`, or of the user's settings. A prompt has a name and a number,
//! which changes with every change of its words; what a user has changed has a name that says so.

mod library;
mod prompt;
mod table;

use std::collections::BTreeMap;

pub(crate) use library::resolve;
pub(crate) use prompt::{Asking, Draws};
pub use table::{Append, Cut, Reading, Rows, StyleTable, Variant};

/// A style that can be asked for. Token numbers are in the vocabulary of the model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Style {
    /// The style's name in the pipeline file and in the output.
    pub name: String,
    /// The prompt's name and version.
    pub template: String,
    pub variants: Vec<Variant>,
    pub format: String,
    pub header: String,
    pub thinks: bool,
    pub topic: Option<String>,
    pub slots: BTreeMap<String, BTreeMap<String, String>>,
    pub reading: Reading,
    pub markdown: bool,
    pub rows: Rows,
    pub append: Append,
    pub separator: String,
    pub sample: bool,
    pub max_items: usize,
    pub schema: Option<String>,
    pub limits: Limits,
    pub temperature: f32,
    pub top_p: Option<f32>,
    pub length: (f64, f64),
    pub enough: f64,
    pub new_numbers: bool,
}

/// How a page is cut for a style, and what is too little of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Limits {
    pub cut: Cut,
    pub min_document: u32,
    pub min_segment: u32,
    pub max_segment: u32,
    pub max_input: u32,
    pub max_output: u32,
    pub min_final: u32,
    pub seed_only: bool,
}

impl Style {
    /// What stands between two pairs, points or passages of one segment.
    pub(crate) fn between_items(&self) -> &'static str {
        match self.reading {
            Reading::Bullets | Reading::Prose | Reading::Conversation => "\n",
            Reading::Pairs | Reading::Passages | Reading::Json => "\n\n",
        }
    }

    pub(crate) fn is_of_pairs(&self) -> bool {
        matches!(self.reading, Reading::Pairs | Reading::Json)
    }

    /// Whether the text that was asked about stands in the result, above what was made of it.
    pub(crate) fn shows_source(&self) -> bool {
        self.is_of_pairs() && self.append != Append::Alone
    }

    pub(crate) fn uses_persona(&self) -> bool {
        let texts = self.variants.iter().flat_map(|variant| [&variant.system, &variant.instruction]);
        texts.flat_map(|text| prompt::slots(text)).any(|slot| slot == "persona")
    }

    /// Whether a rewrite can go on where the one before it ended.
    pub(crate) fn is_continuous(&self) -> bool {
        let flows = matches!(self.reading, Reading::Prose | Reading::Conversation);
        // Without an instruction there is no place for what was written before.
        let told = self.variants.iter().all(|variant| !variant.instruction.is_empty());
        flows && told && self.rows == Rows::Document && !self.limits.seed_only
    }
}
