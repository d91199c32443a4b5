//! The settings, and the limits that a style is held to.

mod limits;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use limits::Held;
pub use limits::{Family, Limits};

/// What becomes of a rewrite that fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fails {
    /// The document is dropped, counted under the word of the first gate that a rewrite of it failed.
    #[default]
    Document,
    /// The rewrite is taken out of the text, and the document goes on with the others; it is dropped when none is left.
    Segment,
}

/// What stands in the text where a rewrite was taken out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Gaps {
    /// Nothing.
    #[default]
    Drop,
    /// The source of that rewrite. Where questions were asked about the source nothing, as it stands in the text already.
    Source,
}

/// What the stage does with what it found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// What fails is dropped, or taken out, as `fails` says.
    #[default]
    Drop,
    /// Everything goes on as it is; the fields say what would have failed. No model is asked to mend anything.
    Tag,
}

/// Settings of the stage `fidelity`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Limits of a style by its name, for example `styles.wikipedia = { coverage = 0.5 }`: what is left out is as the
    /// style's family has it. The styles of `rephrase` have a family; another style is a `paraphrase` unless its table
    /// says `family = "…"`.
    pub styles: BTreeMap<String, Limits>,
    /// What becomes of a rewrite that fails: `document` drops the whole document, `segment` takes that rewrite out.
    pub fails: Fails,
    /// With `fails = "segment"`: what stands in its place, `drop` for nothing or `source`.
    pub gaps: Gaps,
    /// `tag` lets everything go on and only writes the fields.
    pub action: Action,
    /// The model that judges doubtful rewrites: a name of a `[models.NAME]` table. It sees the source and the rewrite. None:
    /// what is doubtful passes.
    pub judge_model: Option<String>,
    /// The model that is asked, once, to mend a rewrite that failed, with the source and the reason: a name of a
    /// `[models.NAME]` table. What it says is held to the same limits.
    pub regenerate_model: Option<String>,
    /// A value above this share of its limit is doubtful, from 0 to 1. Only a judge cares.
    pub doubt: f64,
    /// The most tokens of a judgement.
    pub judge_tokens: u32,
    /// The most tokens of a mended rewrite.
    pub regenerate_tokens: u32,
    /// The wording of your own prompts. A run of six words of it in a rewrite, and not in its source, is a leak.
    pub prompts: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            styles: BTreeMap::new(),
            fails: Fails::default(),
            gaps: Gaps::default(),
            action: Action::default(),
            judge_model: None,
            regenerate_model: None,
            doubt: 0.6,
            judge_tokens: 200,
            regenerate_tokens: 1600,
            prompts: Vec::new(),
        }
    }
}

impl Settings {
    pub(crate) fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.doubt) {
            return Err(format!("doubt: {} is not between 0 and 1", self.doubt));
        }
        if self.judge_tokens == 0 || self.regenerate_tokens == 0 {
            return Err("`judge_tokens` and `regenerate_tokens` must be at least 1".to_owned());
        }
        for (style, limits) in &self.styles {
            limits.check().map_err(|complaint| format!("styles.{style}.{complaint}"))?;
        }
        Ok(())
    }

    pub(crate) fn held(&self, style: &str) -> Held {
        let own = self.styles.get(style);
        let family = own.and_then(|limits| limits.family).unwrap_or_else(|| Family::of(style));
        let held = Held::of(family);
        own.map_or(held, |limits| held.with(limits))
    }
}
