//! The stage `quality`: the rules by which the published datasets tell running text from the rest of the web.
//!
//! Each rule is a function of a text, named after who published it: [`gopher::stop_words`], [`fineweb::char_dup_ratio`].
//! A rule measures; whether the value is too high or too low is a threshold's business, and the thresholds are
//! settings, for each language its own. The stage knows nothing of who wrote a text or what it is about.
//!
//! Where a rule has the name of one of datatrove's, the value is datatrove's: a test compares them on some hundred
//! pages. What is not the same is said in the rule's documentation and in [`words`].

pub mod c4;
pub mod curator;
pub mod dclm;
pub mod fineweb;
pub mod gopher;
pub mod judge;
pub mod limits;
mod python;
pub mod refinedweb;
pub mod sets;
mod settings;
pub mod text;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};

use palimpsest_plugin::{Column, Draft, Kind, Outcome, Page, Stage, column, register};

use judge::{Broken, Judge};
use limits::Limits;
pub use settings::{Action, Language, Settings};
use text::Text;
use words::{Segmentation, Segmenter};

/// The stage with its rules.
#[derive(Debug)]
pub struct Quality {
    settings: Settings,
    except: BTreeSet<String>,
    /// Of languages without a table.
    limits: Limits,
    languages: BTreeMap<String, Limits>,
    segmenter: Segmenter,
}

impl Stage for Quality {
    const NAME: &'static str = "quality";
    const SUMMARY: &'static str =
        "measures texts by the rules of Gopher, C4, FineWeb and others, and drops what breaks them";
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        settings.check()?;
        let (limits, languages) = settings.limits()?;
        let except = settings.except.iter().cloned().collect();
        Ok(Self { settings, except, limits, languages, segmenter: Segmenter::default() })
    }

    fn columns(&self) -> Vec<Column> {
        let rules = self.settings.rules.iter().flat_map(|set| set.rules());
        let mut columns = Vec::new();
        if self.settings.fields {
            columns.extend(rules.map(|rule| column(rule, Kind::Number)));
        }
        if self.settings.action == Action::Tag {
            columns.push(column("quality_failed", Kind::Texts));
        }
        columns
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        let code = page.text_field("language_iso639_3");
        let language = page.text_field("language").or(code).unwrap_or(&self.settings.default_language);
        let script = page.text_field("language_script");
        let written = code.zip(script).map(|(code, script)| format!("{code}_{script}"));
        let names = [written.as_deref(), code, Some(language)];
        let table = names.into_iter().flatten().find_map(|name| self.languages.get(name));
        let limits = table.unwrap_or(&self.limits);
        Ok(self.outcome(page.text(), self.judge_by(limits, page.text(), language)))
    }
}

/// What was found of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The text, where a set has edited it.
    pub text: Option<String>,
    pub measured: Vec<(&'static str, f64)>,
    pub broken: Vec<Broken>,
}

impl Quality {
    /// Judges a text of which nothing is known but its language.
    #[must_use]
    pub fn judge(&self, text: &str, language: &str) -> Found {
        self.judge_by(self.languages.get(language).unwrap_or(&self.limits), text, language)
    }

    /// Asks the sets in their order; the ones after an edit see the edited text.
    fn judge_by(&self, limits: &Limits, text: &str, language: &str) -> Found {
        let how = limits.words.unwrap_or_else(|| Segmentation::of(language));
        let mut judge = Judge::new(&self.except, self.settings.action == Action::Drop);
        let mut edited: Option<String> = None;
        let mut rest = self.settings.rules.as_slice();
        while let Some((set, after)) = rest.split_first() {
            // Sets that see the same text share its lines and words.
            let seen = Text::new(edited.as_deref().unwrap_or(text), &self.segmenter, how);
            let mut next = set.judge(&seen, limits, &mut judge);
            rest = after;
            while let (None, Some((set, after))) = (&next, rest.split_first()) {
                if self.ends(&judge) {
                    break;
                }
                next = set.judge(&seen, limits, &mut judge);
                rest = after;
            }
            if next.is_some() {
                edited = next;
            }
            if self.ends(&judge) {
                break;
            }
        }
        Found { text: edited, measured: judge.measured, broken: judge.broken }
    }

    fn ends(&self, judge: &Judge<'_>) -> bool {
        self.settings.action == Action::Drop && !judge.broken.is_empty()
    }

    fn outcome(&self, text: &str, found: Found) -> Outcome {
        if self.settings.action == Action::Drop
            && let Some(Broken { rule, value }) = found.broken.first()
        {
            return Outcome::drop_with(rule, (value * 1e6).round() / 1e6);
        }
        let mut draft = Draft::new();
        if let Some(edited) = found.text.filter(|edited| edited != text) {
            draft = draft.text(edited);
        }
        if self.settings.fields {
            draft = found.measured.into_iter().fold(draft, |draft, (rule, value)| draft.with(rule, value));
        }
        if self.settings.action == Action::Tag {
            let failed: Vec<String> = found.broken.iter().map(|broken| broken.rule.to_owned()).collect();
            draft = draft.with("quality_failed", failed);
        }
        Outcome::keep(draft)
    }
}

register!(Quality);

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
