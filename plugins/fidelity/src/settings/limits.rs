//! Families of styles and what each is held to.
//!
//! The limits of numbers, names, negation and additions were chosen on one half of OneStopEnglish's articles, so that of
//! rewrites by teachers few fail; see `benches/injected.rs`. The lengths come from what styles do by their instruction.

use schemars::JsonSchema;
use serde::Deserialize;

/// Kinds of styles that may take the same liberties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Says all of the source again: `wikipedia`, `easy`, `medium`, `hard`, `guided`, `tutorial`.
    Paraphrase,
    /// Says less of it, in other words: `distill`, `extract_knowledge`, `knowledge_list`, `table`.
    Condensed,
    /// Asks about it: `diverse_qa`, `qa`, `faq`, `math`, `conversation`, `instruction`. Only answers are held to the source.
    Questions,
    /// Takes it as a seed and owes it nothing: `textbook`, `blog_post`, `story`, `wikihow`. Only refusals, leaks, loops,
    /// language and copies count.
    Free,
}

impl Family {
    pub(crate) fn of(style: &str) -> Self {
        let has = |words: &[&str]| words.iter().any(|word| style.contains(word));
        if has(&["textbook", "blog", "story", "wikihow", "persona", "cosmopedia"]) {
            Self::Free
        } else if has(&["qa", "faq", "math", "conversation", "instruction", "dialogue", "question"]) {
            Self::Questions
        } else if has(&["distill", "extract", "knowledge", "table", "concise", "summar"]) {
            Self::Condensed
        } else {
            Self::Paraphrase
        }
    }
}

/// Limits of one style. What is left out is as the style's family has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The family whose limits are meant where this table has none: `paraphrase`, `condensed`, `questions` or `free`.
    pub family: Option<Family>,
    /// The most that a number may look new, from 0 to 1: 0.25 is a small number in words that the source has not, 0.5 one in
    /// figures, and more means that the source has another number in its place. Default 0.6: a number that is only new is
    /// doubtful; 0.4 lets none in figures pass. Above it: `new_number`.
    pub new_number: Option<f64>,
    /// The most that a number of the source may look as if it stood in another one's place: the share of the words around it
    /// that it would have to itself there. Default 0.25. Above it: `number_swap`.
    pub number_swap: Option<f64>,
    /// As `new_number`, for names; 0.25 is a title such as `Queen`. Default 0.6; 0.4 lets no new name pass. Above it: `new_name`.
    pub new_name: Option<f64>,
    /// As `number_swap`, for names. Default 0.5. Above it: `name_swap`.
    pub name_swap: Option<f64>,
    /// The most that a sentence may look like the denial of one of the source's, or the other way round. Default 0.55. Above
    /// it: `negation`.
    pub negation: Option<f64>,
    /// The most of a sentence's words, rare ones for more, that nothing in the source supports. Default 0.65. Above it:
    /// `addition`.
    pub addition: Option<f64>,
    /// The most of the rewrite's content words, each once, that the source may not have. Default 0.5. Above it: `addition`.
    pub novelty: Option<f64>,
    /// The least share of the source's content words, each once, that must come back. Default 0.2 for paraphrases, 0.05 for
    /// condensed styles, 0 for the others. Below it: `omission`.
    pub coverage: Option<f64>,
    /// The least share of the source's characters. Default 0.3 for paraphrases, 0.05 for condensed styles, 0 for the others.
    /// Nemotron-CC's own outputs are 0.83 of their sources for `wikipedia`, 0.35 for `distill`, 0.67 for
    /// `extract_knowledge` and 0.45 for `knowledge_list`. Below it: `too_short`.
    pub min_length: Option<f64>,
    /// The largest share of the source's characters. Default 1.6 for paraphrases, 1.2 for condensed styles, none for the
    /// others. Above it: `too_long`.
    pub max_length: Option<f64>,
    /// The largest share of the rewrite that may be one run of words of the source. Default 0.6 for paraphrases and free
    /// styles; runs of fewer than 20 words never count. Above it: `copied`.
    pub copied: Option<f64>,
    /// The largest share of the rewrite's runs of four words that may have stood in it before; what the source does itself is
    /// allowed. Default a third. Above it: `loop`.
    pub repeated: Option<f64>,
    /// The largest share of the pairs whose answer has less than half of its content words in the source or the question.
    /// Default 0.34 for questions. Above it: `unanswerable`.
    pub unanswerable: Option<f64>,
    /// Whether the rewrite must be in the source's language. Default true; set it to false for a style that translates, and
    /// raise the limits that compare words.
    pub language: Option<bool>,
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), String> {
        let named = [
            ("new_number", self.new_number),
            ("number_swap", self.number_swap),
            ("new_name", self.new_name),
            ("name_swap", self.name_swap),
            ("negation", self.negation),
            ("addition", self.addition),
            ("novelty", self.novelty),
            ("coverage", self.coverage),
            ("min_length", self.min_length),
            ("max_length", self.max_length),
            ("copied", self.copied),
            ("repeated", self.repeated),
            ("unanswerable", self.unanswerable),
        ];
        for (name, value) in named {
            if value.is_some_and(|value| value.is_nan() || value < 0.0) {
                return Err(format!("{name}: must be a number from 0"));
            }
        }
        match (self.min_length, self.max_length) {
            (Some(min), Some(max)) if max < min => Err("min_length: is above `max_length`".to_owned()),
            _ => Ok(()),
        }
    }
}

/// The limits that a rewrite is held to: nothing is left open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Held {
    pub(crate) family: Family,
    pub(crate) new_number: f64,
    pub(crate) number_swap: f64,
    pub(crate) new_name: f64,
    pub(crate) name_swap: f64,
    pub(crate) negation: f64,
    pub(crate) addition: f64,
    pub(crate) novelty: f64,
    pub(crate) coverage: f64,
    pub(crate) min_length: f64,
    pub(crate) max_length: f64,
    pub(crate) copied: f64,
    pub(crate) repeated: f64,
    pub(crate) unanswerable: f64,
    pub(crate) language: bool,
}

/// Nothing reaches it.
const NONE: f64 = f64::INFINITY;

impl Held {
    pub(crate) fn of(family: Family) -> Self {
        let paraphrase = Self {
            family,
            new_number: 0.6,
            number_swap: 0.25,
            new_name: 0.6,
            name_swap: 0.5,
            negation: 0.55,
            addition: 0.65,
            novelty: 0.5,
            coverage: 0.2,
            min_length: 0.3,
            max_length: 1.6,
            copied: 0.6,
            repeated: 1.0 / 3.0,
            unanswerable: NONE,
            language: true,
        };
        match family {
            Family::Paraphrase => paraphrase,
            Family::Condensed => {
                Self { coverage: 0.05, min_length: 0.05, max_length: 1.2, copied: NONE, ..paraphrase }
            }
            Family::Questions => Self {
                number_swap: NONE,
                name_swap: NONE,
                negation: NONE,
                addition: NONE,
                novelty: NONE,
                coverage: 0.0,
                min_length: 0.0,
                max_length: NONE,
                copied: NONE,
                unanswerable: 0.34,
                ..paraphrase
            },
            Family::Free => Self {
                new_number: NONE,
                number_swap: NONE,
                new_name: NONE,
                name_swap: NONE,
                negation: NONE,
                addition: NONE,
                novelty: NONE,
                coverage: 0.0,
                min_length: 0.0,
                max_length: NONE,
                ..paraphrase
            },
        }
    }

    pub(super) fn with(self, own: &Limits) -> Self {
        Self {
            family: self.family,
            new_number: own.new_number.unwrap_or(self.new_number),
            number_swap: own.number_swap.unwrap_or(self.number_swap),
            new_name: own.new_name.unwrap_or(self.new_name),
            name_swap: own.name_swap.unwrap_or(self.name_swap),
            negation: own.negation.unwrap_or(self.negation),
            addition: own.addition.unwrap_or(self.addition),
            novelty: own.novelty.unwrap_or(self.novelty),
            coverage: own.coverage.unwrap_or(self.coverage),
            min_length: own.min_length.unwrap_or(self.min_length),
            max_length: own.max_length.unwrap_or(self.max_length),
            copied: own.copied.unwrap_or(self.copied),
            repeated: own.repeated.unwrap_or(self.repeated),
            unanswerable: own.unanswerable.unwrap_or(self.unanswerable),
            language: own.language.unwrap_or(self.language),
        }
    }
}
