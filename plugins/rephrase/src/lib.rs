//! The stage `rephrase`: a language model says a page again in other styles, one document for each.
//!
//! A page is cut into segments that fit the style; all segments of all styles are asked about at once; what comes back
//! is undressed, judged by checks that need no model, and joined again. A segment that fails costs itself, and the
//! document says how many did and why. Whether a rewrite is true to its page is decided by later stages.

mod clean;
mod document;
mod failed;
mod gate;
mod judge;
mod languages;
mod lists;
mod plan;
mod qa;
mod read;
mod segment;
mod settings;
mod style;

use std::cell::OnceCell;

use palimpsest_plugin::{Column, Draft, Kind, Level, Outcome, Page, Stage, column, register};

use document::{Rewritten, finish, tokens};
use failed::Barren;
use plan::{Plan, RETRY};
pub use settings::{Gaps, Language, Settings};
pub use style::{Append, Cut, Reading, Rows, StyleTable, Variant};
use style::{Draws, Style};

/// The host takes so many prompts in one round of asking.
const MAX_PROMPTS: usize = 256;

/// The stage with its settings.
#[derive(Debug)]
pub struct Rephrase {
    settings: Settings,
    styles: Vec<Style>,
    /// Read with the first page: the files are the same for all.
    lists: OnceCell<Result<lists::Lists, String>>,
}

impl Stage for Rephrase {
    const NAME: &'static str = "rephrase";
    const SUMMARY: &'static str = "rewrites pages in other styles with a language model";
    const VERSION: &'static str = "0.2.0";
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        settings.check()?;
        let styles = style::resolve(&settings.styles, &settings.define)?;
        lists::check(&styles, &settings)?;
        Ok(Self { settings, styles, lists: OnceCell::new() })
    }

    fn columns(&self) -> Vec<Column> {
        vec![
            column("style", Kind::Text),
            column("kind", Kind::Text),
            column("prompt_template", Kind::Text),
            column("style_variant", Kind::Integer),
            column("audience", Kind::Text),
            column("topic", Kind::Text),
            column("persona", Kind::Text),
            column("difficulty", Kind::Text),
            column("segments_kept", Kind::Integer),
            column("segments_failed", Kind::Integer),
            column("segments_short", Kind::Integer),
            column("rephrase_rejected", Kind::Texts),
            column("rephrase_tokens_paid", Kind::Integer),
            column("rephrase_tokens_kept", Kind::Integer),
            column("_sources", Kind::Texts),
            column("_rewrites", Kind::Texts),
        ]
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        let settings = &self.settings;
        let lists = self.lists.get_or_init(|| lists::read(page, settings)).as_ref().map_err(Clone::clone)?;
        let draws = Draws {
            id: &page.document().id,
            seed: settings.variant_seed,
            language: language(page, settings.language),
            topics: &lists.topics,
            topic_share: settings.topic_share,
            personas: &lists.personas,
        };
        let mut plans: Vec<Plan<'_>> =
            self.styles.iter().map(|style| Plan::new(style, page, settings, &draws)).collect();
        for round in 0..plans.iter().map(Plan::rounds).max().unwrap_or(0) {
            ask(&mut plans, round, page, settings).await;
        }
        if settings.retry {
            let mut room = MAX_PROMPTS;
            plans.iter_mut().for_each(|plan| plan.halve(page, settings, &mut room));
            ask(&mut plans, RETRY, page, settings).await;
        }
        let rewritten: Vec<_> = plans.into_iter().map(|plan| finish(plan, page, settings)).collect();
        for style in &rewritten {
            if !style.rejected.is_empty() {
                page.log(Level::Debug, &format!("{}: rejected {}", style.style, style.rejected.join(" ")));
            }
        }
        Ok(outcome(rewritten, settings.keep_original))
    }
}

/// Asks about the segments of all styles that are due in this round.
async fn ask(plans: &mut [Plan<'_>], round: usize, page: &Page<'_>, settings: &Settings) {
    let prompts = plans.iter().flat_map(|plan| plan.prompts(round, page, settings)).collect();
    let mut replies = page.ask_all(prompts).await.into_iter();
    for plan in plans {
        plan.hear(round, page, settings, &mut replies);
    }
}

/// The name of the language to write in.
fn language(page: &Page<'_>, setting: Language) -> &'static str {
    match setting {
        Language::English => "English",
        Language::Page => {
            page.text_field("language").and_then(languages::name).unwrap_or("the language of the text")
        }
    }
}

/// The page itself first, if it is kept, and then its styles in the order of the settings.
fn outcome(rewritten: Vec<Rewritten>, keep_original: bool) -> Outcome {
    let mut barren: Vec<(String, Barren)> = Vec::new();
    let mut drafts = Vec::new();
    let mut unused = 0;
    for Rewritten { style, drafts: made, paid, .. } in rewritten {
        match made {
            Ok(made) => drafts.extend(made),
            Err(why) => {
                barren.push((style, why));
                unused += paid;
            }
        }
    }
    if keep_original {
        let without =
            barren.iter().map(|(style, why)| format!("{style}: {}", why.reason())).collect::<Vec<_>>();
        let original = Draft::new().with("style", "original").with("kind", "actual");
        // What was paid for nothing stands somewhere too, or the sum over the rows would not be what was paid.
        let original = original.with("rephrase_tokens_paid", tokens(unused)).with("rephrase_tokens_kept", 0);
        drafts.insert(0, original.with("rephrase_rejected", without));
    }
    if drafts.is_empty() {
        // Of several reasons the one that is most about the rewriting: the last in their order.
        let why = barren.iter().map(|(_, why)| *why).max().unwrap_or(Barren::TooShort);
        if unused == 0 {
            return Outcome::drop(why.reason());
        }
        return Outcome::drop_with(why.reason(), format!("{unused} tokens paid"));
    }
    Outcome::Emit(drafts)
}

register!(Rephrase);

#[cfg(test)]
mod measured;
#[cfg(test)]
mod tests;
