//! The stage `fidelity`: holds each rewrite against the source that it was made of, and lets through what it can support.
//!
//! It reads what `rephrase` leaves in `_sources` and `_rewrites`: the segments of a page and what was made of each. Most is
//! decided by gates that need no model ([`gate`]): numbers and names that the source has not or has elsewhere, denials,
//! sentences from nowhere, what is left out, lengths, language, copies, answers without a source, refusals, loops, leaks.
//! What is doubtful a judge may look at, and what fails may be mended once. Documents without these fields, and pages
//! themselves (`kind = "actual"`), pass untouched.
//!
//! It knows words and their company, not meanings: a rewrite that says another thing in the same words passes.

mod align;
mod ask;
mod document;
mod gate;
#[doc(hidden)]
pub mod inject;
mod language;
mod measure;
#[doc(hidden)]
pub mod measured;
mod negation;
mod questions;
mod read;
mod settings;
mod swaps;

use palimpsest_checks::talk::Leaks;
use palimpsest_plugin::{Column, Finish, Kind, Level, Outcome, Page, Prompt, Stage, Value, column, register};

use ask::Material;
use document::Segment;
use gate::{Reject, Said};
use settings::Held;
pub use settings::{Action, Fails, Family, Gaps, Limits, Settings};

/// The host takes so many prompts in one round of asking; what is beyond is judged by the gates alone.
const MOST_PROMPTS: usize = 256;

/// The stage.
#[derive(Debug)]
pub struct Fidelity {
    settings: Settings,
    leaks: Leaks,
}

impl Stage for Fidelity {
    const NAME: &'static str = "fidelity";
    const SUMMARY: &'static str = "holds rewrites against their sources";
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        settings.check()?;
        let leaks = Leaks::new(settings.prompts.iter().map(String::as_str));
        Ok(Self { settings, leaks })
    }

    fn columns(&self) -> Vec<Column> {
        let counts = ["segments", "failed", "doubtful", "judged", "mended"];
        let counts = counts.map(|name| column(&format!("fidelity_{name}"), Kind::Integer));
        let values = document::VALUES.map(|(name, _)| column(&format!("fidelity_{name}"), Kind::Number));
        let mut columns = vec![
            column("fidelity", Kind::Text),
            column("fidelity_problems", Kind::Texts),
            column("_sources", Kind::Texts),
            column("_rewrites", Kind::Texts),
        ];
        columns.extend(counts);
        columns.extend(values);
        columns
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        let untouched = || Ok(Outcome::keep(palimpsest_plugin::Draft::new()));
        if page.text_field("kind") == Some("actual") {
            return untouched();
        }
        let (Some(sources), Some(rewrites)) = (texts(page, "_sources"), texts(page, "_rewrites")) else {
            return untouched();
        };
        if sources.len() != rewrites.len() {
            return Err(format!("{} `_sources` and {} `_rewrites`", sources.len(), rewrites.len()));
        }
        if sources.is_empty() {
            return untouched();
        }
        let held = self.settings.held(page.text_field("style").unwrap_or_default());
        let pairs = sources.iter().zip(rewrites);
        let mut segments: Vec<Segment<'_>> = pairs
            .map(|(source, rewrite)| Segment::new(source, rewrite, self.gate(source, rewrite, &held)))
            .collect();
        self.judge(page, &mut segments).await;
        self.mend(page, &held, &mut segments).await;
        for (at, segment) in segments.iter().enumerate() {
            if let Some((reject, problem)) = &segment.failed {
                page.log(Level::Debug, &format!("segment {}: {}: {problem}", at + 1, reject.word()));
            }
        }
        Ok(document::outcome(page.text(), &segments, &self.settings, held.family))
    }
}

fn texts<'a>(page: &'a Page<'_>, name: &str) -> Option<&'a [String]> {
    match page.field(name)? {
        Value::Texts(texts) => Some(texts),
        Value::Text(_) | Value::Integer(_) | Value::Number(_) | Value::Flag(_) => None,
    }
}

impl Fidelity {
    fn gate(&self, source: &str, rewrite: &str, held: &Held) -> gate::Gated {
        gate::check(source, rewrite, held, (self.settings.doubt, &self.leaks))
    }

    /// Asks the judge about what is doubtful and has not been judged. Without a judge, or without a readable judgement, it
    /// passes as the gates have it.
    async fn judge(&self, page: &Page<'_>, segments: &mut [Segment<'_>]) {
        let Some(model) = &self.settings.judge_model else { return };
        let id = page.document().id.as_str();
        let doubtful = segments.iter_mut().filter(|segment| segment.is_doubtful()).take(MOST_PROMPTS);
        let doubtful: Vec<&mut Segment<'_>> = doubtful.collect();
        let prompts: Vec<Prompt> = doubtful
            .iter()
            .map(|segment| ask::judge(model, segment.material(id), self.settings.judge_tokens))
            .collect();
        if prompts.is_empty() {
            return;
        }
        let replies = page.ask_all(prompts).await;
        for (segment, reply) in doubtful.into_iter().zip(replies) {
            let Some(judgement) = reply.ok().and_then(|reply| ask::read(&reply.text)) else { continue };
            segment.judged = true;
            if !judgement.faithful {
                segment.failed = Some((Reject::JudgedUnfaithful, judgement.problem));
            }
        }
    }

    /// Asks once for what failed and could be mended, and holds what comes back to the same limits and the same judge.
    async fn mend(&self, page: &Page<'_>, held: &Held, segments: &mut [Segment<'_>]) {
        let Some(model) = &self.settings.regenerate_model else { return };
        if self.settings.action == Action::Tag {
            return;
        }
        let id = page.document().id.as_str();
        let failed = |segment: &&mut Segment<'_>| {
            segment.failed.as_ref().is_some_and(|(reject, _)| reject.is_mendable())
        };
        let failed: Vec<&mut Segment<'_>> = segments.iter_mut().filter(failed).take(MOST_PROMPTS).collect();
        let prompts: Vec<Prompt> = failed
            .iter()
            .map(|segment| {
                let problem = segment.failed.as_ref().map_or("", |(_, problem)| problem);
                ask::mend(model, segment.material(id), problem, self.settings.regenerate_tokens)
            })
            .collect();
        if prompts.is_empty() {
            return;
        }
        let replies = page.ask_all(prompts).await;
        let mut mended: Vec<Segment<'_>> = Vec::new();
        let mut places: Vec<&mut Segment<'_>> = Vec::new();
        for (segment, reply) in failed.into_iter().zip(replies) {
            let whole = reply.ok().filter(|reply| reply.finish == Finish::Stop);
            let Some(text) = whole.map(|reply| ask::mended(&reply.text)).filter(|text| !text.is_empty())
            else {
                continue;
            };
            let gated = self.gate(segment.source, &text, held);
            if !matches!(gated.said, Said::Fails(..)) {
                mended.push(segment.mended(text, gated));
                places.push(segment);
            }
        }
        self.judge(page, &mut mended).await;
        for (segment, mended) in places.into_iter().zip(mended) {
            // What failed twice keeps its first reason.
            if mended.failed.is_none() {
                *segment = mended;
            }
        }
    }
}

impl<'a> Segment<'a> {
    fn material<'b>(&'b self, id: &'b str) -> Material<'b> {
        Material { id, source: self.source, rewrite: self.rewrite() }
    }
}

register!(Fidelity);

#[cfg(test)]
mod tests;
