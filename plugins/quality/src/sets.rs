//! The sets of rules by name, and how one is asked.

use std::ops::ControlFlow;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::judge::Judge;
use crate::limits::Limits;
use crate::text::Text;
use crate::{c4, curator, dclm, fineweb, gopher, refinedweb};

/// A set of rules that was published together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Set {
    GopherQuality,
    GopherRepetition,
    C4,
    C4Paragraph,
    Fineweb,
    Dclm,
    Refinedweb,
    Curator,
}

impl Set {
    /// Its rules, in the order in which they are asked: reasons to drop a document, and names of fields.
    #[must_use]
    pub fn rules(self) -> &'static [&'static str] {
        match self {
            Self::GopherQuality => gopher::QUALITY_RULES,
            Self::GopherRepetition => gopher::REPETITION_RULES,
            Self::C4 => c4::RULES,
            Self::C4Paragraph => c4::PARAGRAPH_RULES,
            Self::Fineweb => fineweb::RULES,
            Self::Dclm => dclm::RULES,
            Self::Refinedweb => refinedweb::RULES,
            Self::Curator => curator::RULES,
        }
    }

    /// Asks every rule, or until one is broken if the judge wants it so. A text where the set edits it.
    pub fn judge(self, text: &Text<'_>, limits: &Limits, judge: &mut Judge<'_>) -> Option<String> {
        let (listed, least) = (&limits.stop_words, limits.min_stop_words);
        let flow = match self {
            Self::GopherQuality => gopher::judge_quality(text, &limits.gopher_quality, listed, least, judge),
            Self::GopherRepetition => gopher::judge_repetition(text, &limits.gopher_repetition, judge),
            Self::C4 => return c4::judge(text, &limits.c4, judge),
            Self::C4Paragraph => c4::judge_paragraphs(text, &limits.c4_paragraph, judge),
            Self::Fineweb => fineweb::judge(text, &limits.fineweb, judge),
            Self::Dclm => dclm::judge(text, &limits.dclm, listed, least, judge),
            Self::Refinedweb => return refinedweb::judge(text, &limits.refinedweb, judge),
            Self::Curator => curator::judge(text, &limits.curator, listed, least, judge),
        };
        match flow {
            // Whether a rule ended it stands in what was broken.
            ControlFlow::Continue(()) | ControlFlow::Break(()) => None,
        }
    }
}
