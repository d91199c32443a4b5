//! The stage `rephrase`: a language model says a page again in other styles, one document for each.
//!
//! A page is cut into segments that fit the style; all segments of all styles are asked about at once; what comes back
//! is undressed, judged by checks that need no model, and joined again. A segment that fails costs itself, and the
//! document says how many did and why. Whether a rewrite is true to its page is decided by later stages.

mod clean;
mod gate;
mod numbers;
mod qa;
mod rewrite;
mod segment;
mod settings;
mod style;

use palimpsest_plugin::{Column, Draft, Kind, Level, Outcome, Page, Stage, column, register};

use rewrite::{Barren, Plan, Rewritten};
pub use settings::{Gaps, Settings};
pub use style::Style;

/// The host takes so many prompts in one round of asking.
const MAX_PROMPTS: usize = 256;

/// The stage with its settings.
#[derive(Debug)]
pub struct Rephrase {
    settings: Settings,
}

impl Stage for Rephrase {
    const NAME: &'static str = "rephrase";
    const SUMMARY: &'static str = "rewrites pages in other styles with a language model";
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        settings.check()?;
        Ok(Self { settings })
    }

    fn columns(&self) -> Vec<Column> {
        vec![
            column("style", Kind::Text),
            column("kind", Kind::Text),
            column("prompt_template", Kind::Text),
            column("segments_kept", Kind::Integer),
            column("segments_failed", Kind::Integer),
            column("rephrase_rejected", Kind::Texts),
        ]
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        let settings = &self.settings;
        let plans: Vec<Plan> =
            settings.styles.iter().map(|&style| Plan::new(style, page, settings)).collect();
        let prompts = plans.iter().flat_map(|plan| plan.prompts(page, settings)).collect();
        let mut replies = page.ask_all(prompts).await.into_iter();
        let rewritten =
            plans.iter().map(|plan| plan.finish(page, settings, &mut replies)).collect::<Vec<_>>();
        for style in &rewritten {
            if !style.rejected.is_empty() {
                page.log(Level::Debug, &format!("{}: rejected {}", style.style, style.rejected.join(" ")));
            }
        }
        Ok(outcome(rewritten, settings.keep_original))
    }
}

/// The page itself first, if it is kept, and then its styles in the order of the settings.
fn outcome(rewritten: Vec<Rewritten>, keep_original: bool) -> Outcome {
    let mut barren: Vec<(&str, Barren)> = Vec::new();
    let mut drafts = Vec::new();
    for Rewritten { style, draft, .. } in rewritten {
        match draft {
            Ok(draft) => drafts.push(draft),
            Err(why) => barren.push((style, why)),
        }
    }
    if keep_original {
        let without =
            barren.iter().map(|(style, why)| format!("{style}: {}", why.reason())).collect::<Vec<_>>();
        let original = Draft::new().with("style", "original").with("kind", "actual");
        drafts.insert(0, original.with("rephrase_rejected", without));
    }
    if drafts.is_empty() {
        // Of several reasons the one that is most about the rewriting: the last in their order.
        let why = barren.iter().map(|(_, why)| *why).max().unwrap_or(Barren::TooShort);
        return Outcome::drop(why.reason());
    }
    Outcome::Emit(drafts)
}

register!(Rephrase);

#[cfg(test)]
mod measured;
#[cfg(test)]
mod tests;
