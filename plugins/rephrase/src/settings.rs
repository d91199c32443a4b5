//! The stage's table of the pipeline file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::style::Style;

/// What stands in a rewritten document for a part that has no rewrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gaps {
    /// Nothing, as in the published pipelines: the document says less, and all that it says is rewritten.
    Drop,
    /// The part as it was: the document says everything, in two voices.
    KeepSource,
}

/// Rewrites pages with a language model, one document for each style.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The model that rewrites: a name of a `[models.NAME]` table.
    pub model: String,
    /// The styles: `wikipedia`, `diverse_qa`, `concise`. Each makes a document of its own.
    pub styles: Vec<Style>,
    /// Whether the page itself goes on too.
    #[serde(default)]
    pub keep_original: bool,
    /// What becomes of parts that are too short to rewrite or whose rewrite was not taken: `drop` or `keep_source`.
    #[serde(default = "gaps")]
    pub gaps: Gaps,
    /// The temperature, instead of the style's own: 0.5, and 0 for `concise`.
    #[serde(default)]
    pub temperature: Option<f32>,
    /// The nucleus of the sampling, instead of the style's own: 0.9, and none for `concise`.
    #[serde(default)]
    pub top_p: Option<f32>,
    /// The most parts of a page that are rewritten in a style. All styles together make at most 256 prompts.
    #[serde(default = "max_segments")]
    pub max_segments: usize,
}

impl Settings {
    /// Complaints that no type can make.
    pub(crate) fn check(&self) -> Result<(), String> {
        let repeated = self
            .styles
            .iter()
            .enumerate()
            .any(|(at, style)| self.styles.iter().skip(at + 1).any(|later| later == style));
        let prompts = self.styles.len().saturating_mul(self.max_segments);
        let complaint = if self.styles.is_empty() {
            "`styles` names no style"
        } else if repeated {
            "`styles` names a style twice"
        } else if !(1..=crate::MAX_PROMPTS).contains(&prompts) {
            "`max_segments` must be at least 1, and at most 256 for all styles together"
        } else if self.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
            "`temperature` must be from 0 to 2"
        } else if self.top_p.is_some_and(|top_p| !(0.0..=1.0).contains(&top_p)) {
            "`top_p` must be from 0 to 1"
        } else {
            return Ok(());
        };
        Err(complaint.to_owned())
    }
}

fn gaps() -> Gaps {
    Gaps::Drop
}

/// About 20,000 tokens of a page in the shortest style: longer pages are dumps and books.
fn max_segments() -> usize {
    48
}
