//! Cheap checks of a rewrite against its source. They need no model, and find what small models do wrong: numbers from
//! nowhere, refusals, the prompt told back, the source copied, the same words over and over.
//!
//! They say nothing about meaning. A rewrite that passes may still be wrong; one that fails is not worth a reader.

use std::collections::BTreeSet;

use crate::numbers::{self, Numbers};

/// Why a rewrite was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reject {
    /// There is no text.
    Empty,
    /// A number that the source does not have.
    NewNumber,
    TooShort,
    TooLong,
    /// The model declined, or spoke of itself or of its task.
    Refusal,
    /// Words of the prompt.
    PromptLeak,
    /// The source word for word.
    Copied,
    Repetitive,
}

impl Reject {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NewNumber => "new_number",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::Refusal => "refusal",
            Self::PromptLeak => "prompt_leak",
            Self::Copied => "copied",
            Self::Repetitive => "repetitive",
        }
    }
}

/// A segment, read once for all that is compared with it.
#[derive(Debug)]
pub(crate) struct Source {
    characters: usize,
    words: Vec<String>,
    lower: String,
    numbers: Numbers,
    /// Runs of words of the prompt that the segment does not have itself.
    prompt: BTreeSet<Vec<String>>,
    fence: String,
}

/// A run of so many words of the prompt is no coincidence.
const LEAK_WORDS: usize = 6;

impl Source {
    /// `prompt`: what was asked besides the segment. `fence`: the line that stood around it.
    pub(crate) fn new(segment: &str, prompt: &[&str], fence: &str) -> Self {
        let words = words(segment);
        let own: BTreeSet<&[String]> = words.windows(LEAK_WORDS).collect();
        let prompt = prompt.iter().flat_map(|part| {
            let words = self::words(part);
            words.windows(LEAK_WORDS).map(<[String]>::to_vec).collect::<Vec<_>>()
        });
        let prompt = prompt.filter(|run| !own.contains(run.as_slice())).collect();
        Self {
            characters: segment.trim().chars().count(),
            lower: segment.to_lowercase(),
            numbers: numbers::of(segment),
            prompt,
            fence: fence.to_owned(),
            words,
        }
    }

    /// Whether `rewrite` may stand for the source. `length`: the shares of the source's characters that it may have.
    pub(crate) fn check(&self, rewrite: &str, length: (f64, f64)) -> Result<(), Reject> {
        let words = words(rewrite);
        if words.is_empty() {
            return Err(Reject::Empty);
        }
        self.check_talk(rewrite, &words)?;
        if is_repetitive(&words, &self.words) {
            return Err(Reject::Repetitive);
        }
        let share = share(rewrite.trim().chars().count(), self.characters);
        if length.1 < share {
            return Err(Reject::TooLong);
        }
        if share < length.0 {
            return Err(Reject::TooShort);
        }
        if words == self.words {
            return Err(Reject::Copied);
        }
        if !self.numbers.hold(rewrite) {
            return Err(Reject::NewNumber);
        }
        Ok(())
    }

    /// Whether a question may be asked. What it says need not be so: one choice of several is wrong on purpose.
    pub(crate) fn check_question(&self, question: &str) -> Result<(), Reject> {
        self.check_talk(question, &words(question))
    }

    fn check_talk(&self, text: &str, words: &[String]) -> Result<(), Reject> {
        if self.is_refused(text) {
            return Err(Reject::Refusal);
        }
        if self.is_leak(text, words) {
            return Err(Reject::PromptLeak);
        }
        Ok(())
    }

    fn is_refused(&self, rewrite: &str) -> bool {
        let lower = rewrite.to_lowercase().replace('’', "'");
        REFUSALS.iter().any(|phrase| lower.contains(phrase) && !self.lower.contains(phrase))
    }

    fn is_leak(&self, rewrite: &str, words: &[String]) -> bool {
        !self.fence.is_empty() && rewrite.contains(&self.fence)
            || words.windows(LEAK_WORDS).any(|run| self.prompt.contains(run))
    }
}

/// In lower case. A source that says the same may be rewritten with it.
const REFUSALS: [&str; 22] = [
    "as an ai",
    "as a language model",
    "i am an ai",
    "i'm an ai",
    "ai language model",
    "i cannot assist",
    "i can't assist",
    "i cannot help",
    "i can't help",
    "i cannot provide",
    "i can't provide",
    "i am unable to",
    "i'm unable to",
    "i'm sorry, but",
    "i am sorry, but",
    "the provided text",
    "the given text",
    "the text you provided",
    "marker lines",
    "rewritten version",
    "rewritten text",
    "more concise version",
];

/// The share that `part` is of `whole`.
fn share(part: usize, whole: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "lengths of one page are far below 2^52")]
    let share = part as f64 / whole.max(1) as f64;
    share
}

/// Letters and digits in lower case. A text that is written without blanks is taken by its characters.
fn words(text: &str) -> Vec<String> {
    const LONGEST_MEAN: usize = 15;
    let words: Vec<String> = text
        .split(|symbol: char| !symbol.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let characters: usize = words.iter().map(|word| word.chars().count()).sum();
    if characters <= words.len().saturating_mul(LONGEST_MEAN) {
        return words;
    }
    words.iter().flat_map(|word| word.chars().map(String::from)).collect()
}

/// Whether more than a third of the runs of words are there before, and the source is not like that itself.
fn is_repetitive(rewrite: &[String], source: &[String]) -> bool {
    const RUN: usize = 4;
    const MOST: f64 = 1.0 / 3.0;
    let repeated = |words: &[String]| {
        let runs = words.windows(RUN).count();
        let different = words.windows(RUN).collect::<BTreeSet<_>>().len();
        // Under ten runs a refrain of two is a third.
        if runs < 10 { 0.0 } else { share(runs - different, runs) }
    };
    let own = repeated(source);
    MOST < repeated(rewrite) && own < MOST
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "The bridge over the river was opened in 1932 after six years of work, cost 4,200,000 pounds \
        and carries some 160,000 vehicles a day on eight lanes.";
    const PROMPT: &str = "Rewrite the text between the two equal marker lines and keep all of its facts.";
    const FENCE: &str = "=== 0123456789abcdef ===";

    #[track_caller]
    fn check(rewrite: &str, expected: Result<(), Reject>) {
        let source = Source::new(SOURCE, &[PROMPT], FENCE);
        assert_eq!(source.check(rewrite, (0.3, 1.5)), expected, "{rewrite}");
    }

    #[test]
    fn a_faithful_rewrite_passes() {
        check(
            "Opened in 1932, the bridge took six years, cost 4.2 million pounds and has eight lanes.",
            Ok(()),
        );
        check("The bridge, which cost 4 200 000 pounds, carries 160,000 vehicles on its 8 lanes.", Ok(()));
    }

    #[test]
    fn a_number_from_nowhere_fails() {
        check(
            "Opened in 1923, the bridge took six years and cost 4.2 million pounds.",
            Err(Reject::NewNumber),
        );
        check(
            "The bridge was opened in 1932 and carries 160 vehicles a day on eight lanes.",
            Err(Reject::NewNumber),
        );
    }

    #[test]
    fn talk_about_the_task_fails() {
        check(
            "I'm sorry, but I can't rewrite a text about a bridge that was opened in 1932.",
            Err(Reject::Refusal),
        );
        check("As an AI I have no opinion about the bridge of 1932 over the river.", Err(Reject::Refusal));
        check(
            "The provided text says that a bridge over the river was opened in 1932.",
            Err(Reject::Refusal),
        );
        check(
            "Keep all of its facts, rewrite the text between the two equal lines of 1932.",
            Err(Reject::PromptLeak),
        );
        check(
            "=== 0123456789abcdef ===\nThe bridge over the river was opened in 1932.",
            Err(Reject::PromptLeak),
        );
        let about = Source::new("He said: as an AI it cannot help, and I cannot help either.", &[], "");
        assert_eq!(about.check("It cannot help as an AI, he said; nor can I.", (0.3, 1.5)), Ok(()));
    }

    #[test]
    fn copies_and_lengths_fail() {
        check(SOURCE, Err(Reject::Copied));
        check(
            &SOURCE.to_uppercase().replace(',', ";").replace("4;200;000", "4,200,000"),
            Err(Reject::Copied),
        );
        check("A bridge was opened.", Err(Reject::TooShort));
        check(
            &format!(
                "{SOURCE} It is a fine sight for all who come to see it, and many more words follow that say \
            nothing at all about it."
            ),
            Err(Reject::TooLong),
        );
        check(" \n", Err(Reject::Empty));
        check("!!! ...", Err(Reject::Empty));
    }

    #[test]
    fn the_same_over_and_over_fails() {
        check(&"the bridge was opened in 1932 ".repeat(6), Err(Reject::Repetitive));
        let source = Source::new("一二三四五六七八九十", &[], "");
        assert_eq!(source.check(&"一二三四五".repeat(10), (0.0, 99.0)), Err(Reject::Repetitive));
        let song = "la la la la la la la la la la la la la la la la la la";
        let source = Source::new(song, &[], "");
        assert_eq!(source.check(&format!("{song} la"), (0.0, 99.0)), Ok(()));
    }
}
