//! Measures held to limits: whether a rewrite fails, under which word, and whether one should look again.

use palimpsest_checks::runs;
use palimpsest_checks::talk::{self, Leaks};

use crate::language;
use crate::measure::{self, Found, Measures};
use crate::questions;
use crate::settings::{Family, Held};

/// Why a rewrite does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reject {
    /// The model declined, or spoke of itself or of its task.
    Refusal,
    /// Words of a prompt, or the line that fences a text in one.
    PromptLeak,
    /// The same words over and over.
    Loop,
    Language,
    TooShort,
    TooLong,
    /// The source word for word.
    Copied,
    NewNumber,
    NumberSwap,
    NewName,
    NameSwap,
    Negation,
    Addition,
    Omission,
    /// Answers that the source does not have.
    Unanswerable,
    /// The judge says so.
    JudgedUnfaithful,
}

impl Reject {
    /// Whether a model could mend it. Where it did not do its task there is nothing to mend.
    pub(crate) fn is_mendable(self) -> bool {
        !matches!(self, Self::Refusal | Self::PromptLeak | Self::Loop | Self::Language | Self::Copied)
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Refusal => "refusal",
            Self::PromptLeak => "prompt_leak",
            Self::Loop => "loop",
            Self::Language => "language",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::Copied => "copied",
            Self::NewNumber => "new_number",
            Self::NumberSwap => "number_swap",
            Self::NewName => "new_name",
            Self::NameSwap => "name_swap",
            Self::Negation => "negation",
            Self::Addition => "addition",
            Self::Omission => "omission",
            Self::Unanswerable => "unanswerable",
            Self::JudgedUnfaithful => "judged_unfaithful",
        }
    }
}

/// What the gates say of a rewrite.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    Passes,
    /// It passes, but a value is near its limit; what is wrong with it, if something is.
    Doubtful(String),
    /// Under which word, and what is wrong.
    Fails(Reject, String),
}

/// A rewrite as the gates see it.
#[derive(Debug, Clone)]
pub(crate) struct Gated {
    pub(crate) measures: Measures,
    pub(crate) unanswerable: f64,
    pub(crate) said: Said,
}

/// Runs of fewer words are quotations.
const FEWEST_COPIED: usize = 20;

/// Holds a rewrite against its source. `doubt`: the share of a limit above which a value is doubtful.
pub(crate) fn check(source: &str, rewrite: &str, held: &Held, (doubt, leaks): (f64, &Leaks)) -> Gated {
    let pairs = if held.family == Family::Questions { questions::pairs(rewrite) } else { Vec::new() };
    let answers: Vec<&str> = pairs.iter().map(|pair| pair.answer.as_str()).collect();
    // A question may name what is not so, and one choice of several is wrong on purpose.
    let told = if answers.is_empty() { rewrite.to_owned() } else { answers.join("\n") };
    let mut measures = measure::of(source, &told);
    measures.length = runs::share(rewrite.trim().chars().count(), source.trim().chars().count());
    let unanswerable = questions::unanswerable(source, &pairs);
    let said = match talks(source, rewrite, held, leaks) {
        Some((reject, problem)) => Said::Fails(reject, problem),
        None => values(&measures, unanswerable, held, doubt),
    };
    Gated { measures, unanswerable, said }
}

/// What no limit is asked about.
fn talks(source: &str, rewrite: &str, held: &Held, leaks: &Leaks) -> Option<(Reject, String)> {
    if let Some(phrase) = talk::refusal(source, rewrite) {
        return Some((Reject::Refusal, format!("it says \"{phrase}\"")));
    }
    if talk::has_fence(rewrite) && !talk::has_fence(source) || leaks.are_in(source, rewrite) {
        return Some((Reject::PromptLeak, "it repeats words of the instruction".to_owned()));
    }
    if held.language && language::differ(source, rewrite) {
        return Some((Reject::Language, "it is in another language than the source".to_owned()));
    }
    None
}

fn values(measures: &Measures, unanswerable: f64, held: &Held, doubt: f64) -> Said {
    let plain = |value: f64, problem: &str| Found { value, problem: problem.to_owned() };
    // A short rewrite may quote.
    let copied = if measures.copied_words < FEWEST_COPIED { 0.0 } else { measures.copied };
    let repeated = if measures.source_repeated < measures.repeated { measures.repeated } else { 0.0 };
    if measures.length < held.min_length {
        return Said::Fails(Reject::TooShort, "it is too short for the source".to_owned());
    }
    // Length, loops, copies and what a question asks are not for a judge of truth to doubt.
    let sure = [
        (Reject::Loop, plain(repeated, "it says the same over and over"), held.repeated),
        (Reject::TooLong, plain(measures.length, "it is too long for the source"), held.max_length),
        (Reject::Copied, plain(copied, "it copies the source word for word"), held.copied),
    ];
    let doubted = [
        (Reject::NewNumber, measures.new_number.clone(), held.new_number),
        (Reject::NumberSwap, measures.number_swap.clone(), held.number_swap),
        (Reject::NewName, measures.new_name.clone(), held.new_name),
        (Reject::NameSwap, measures.name_swap.clone(), held.name_swap),
        (Reject::Negation, measures.negation.clone(), held.negation),
        (Reject::Addition, measures.addition.clone(), held.addition),
        (Reject::Addition, plain(measures.novelty, "most of its words are not in the source"), held.novelty),
        (
            Reject::Unanswerable,
            plain(unanswerable, "the source does not have the answers"),
            held.unanswerable,
        ),
    ];
    for (reject, found, limit) in sure.iter().chain(&doubted) {
        if *limit < found.value {
            return Said::Fails(*reject, found.problem.clone());
        }
    }
    if measures.coverage < held.coverage {
        return Said::Fails(Reject::Omission, "it leaves out most of the source".to_owned());
    }
    let near = doubted.into_iter().find(|(_, found, limit)| 0.0 < found.value && limit * doubt < found.value);
    near.map_or(Said::Passes, |(_, found, _)| Said::Doubtful(found.problem))
}

#[cfg(test)]
mod tests;
