//! Cheap checks of a rewrite against its source. They need no model, and find what small models do wrong: numbers from
//! nowhere, refusals, the prompt told back, the source copied, the same words over and over.
//!
//! They say nothing about meaning. A rewrite that passes may still be wrong; one that fails is not worth a reader.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use palimpsest_checks::numbers::{self, Numbers};
use palimpsest_checks::talk;

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

/// What a style lets pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The shares of the source's characters that a rewrite may have.
    pub length: (f64, f64),
    /// Whether it may hold numbers that the source does not have.
    pub new_numbers: bool,
}

/// Runs of words of a prompt, as hashes: what no rewrite may hold. The same for all segments of a page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets(BTreeSet<u64>);

/// A run of so many words of the prompt is no coincidence.
const LEAK_WORDS: usize = 6;

/// A rewrite that says more than a third of its runs of words twice is a loop.
const MOST_REPEATED: f64 = 1.0 / 3.0;

impl Secrets {
    /// `parts`: what is asked besides the segment.
    pub(crate) fn new(parts: &[&str]) -> Self {
        Self(parts.iter().flat_map(|part| runs(&words(part), LEAK_WORDS)).collect())
    }
}

/// A number for each run of so many words. Each word is hashed once, however many runs it is in.
fn runs(words: &[String], length: usize) -> Vec<u64> {
    let hashes: Vec<u64> = words
        .iter()
        .map(|word| {
            let mut hasher = DefaultHasher::new();
            word.hash(&mut hasher);
            hasher.finish()
        })
        .collect();
    // An odd factor keeps the order of the words in the sum.
    let sum =
        |sum: u64, hash: &u64| sum.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(*hash).rotate_left(23);
    hashes.windows(length).map(|run| run.iter().fold(0, sum)).collect()
}

/// A segment, read once for all that is compared with it.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    characters: usize,
    words: Vec<String>,
    text: &'a str,
    numbers: Numbers,
    repeated: f64,
    secrets: &'a Secrets,
    /// Runs of words of the segment: what it says itself is no secret.
    own: BTreeSet<u64>,
    fence: String,
}

impl<'a> Source<'a> {
    /// `fence`: the line that stood around it.
    pub(crate) fn new(segment: &'a str, secrets: &'a Secrets, fence: &str) -> Self {
        let words = words(segment);
        let own = if secrets.0.is_empty() {
            BTreeSet::new()
        } else {
            runs(&words, LEAK_WORDS).into_iter().collect()
        };
        Self {
            characters: segment.trim().chars().count(),
            text: segment,
            numbers: numbers::of(segment),
            repeated: repeated(&words),
            secrets,
            own,
            fence: fence.to_owned(),
            words,
        }
    }

    /// Whether `rewrite` may stand for the source.
    pub(crate) fn check(&self, rewrite: &str, rules: Rules) -> Result<(), Reject> {
        let words = words(rewrite);
        if words.is_empty() {
            return Err(Reject::Empty);
        }
        self.check_talk(rewrite, &words)?;
        self.check_shape(rewrite, &words, rules)?;
        self.check_numbers(rewrite, rules)
    }

    /// Whether one of several points or passages may stand; their sum is checked by [`Self::check_sum`].
    pub(crate) fn check_part(&self, text: &str, rules: Rules) -> Result<(), Reject> {
        let words = words(text);
        if words.is_empty() {
            return Err(Reject::Empty);
        }
        self.check_talk(text, &words)?;
        self.check_numbers(text, rules)
    }

    /// Whether points or passages that may stand may also stand together.
    pub(crate) fn check_sum(&self, text: &str, rules: Rules) -> Result<(), Reject> {
        self.check_shape(text, &words(text), rules)
    }

    /// Whether a question may be asked. What it says need not be so: one choice of several is wrong on purpose.
    pub(crate) fn check_question(&self, question: &str) -> Result<(), Reject> {
        self.check_talk(question, &words(question))
    }

    /// How many times as long as the source a text is.
    pub(crate) fn share(&self, text: &str) -> f64 {
        share(text.trim().chars().count(), self.characters)
    }

    fn check_shape(&self, rewrite: &str, words: &[String], rules: Rules) -> Result<(), Reject> {
        // A source that is like that itself may be told like that.
        if MOST_REPEATED < repeated(words) && self.repeated < MOST_REPEATED {
            return Err(Reject::Repetitive);
        }
        let share = self.share(rewrite);
        if rules.length.1 < share {
            return Err(Reject::TooLong);
        }
        if share < rules.length.0 {
            return Err(Reject::TooShort);
        }
        if words == self.words { Err(Reject::Copied) } else { Ok(()) }
    }

    fn check_numbers(&self, rewrite: &str, rules: Rules) -> Result<(), Reject> {
        if rules.new_numbers || self.numbers.hold(rewrite) { Ok(()) } else { Err(Reject::NewNumber) }
    }

    fn check_talk(&self, text: &str, words: &[String]) -> Result<(), Reject> {
        if talk::refusal(self.text, text).is_some() {
            return Err(Reject::Refusal);
        }
        if self.is_leak(text, words) {
            return Err(Reject::PromptLeak);
        }
        Ok(())
    }

    fn is_leak(&self, rewrite: &str, words: &[String]) -> bool {
        !self.fence.is_empty() && rewrite.contains(&self.fence)
            || !self.secrets.0.is_empty()
                && runs(words, LEAK_WORDS)
                    .iter()
                    .any(|run| self.secrets.0.contains(run) && !self.own.contains(run))
    }
}

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

/// The share of the runs of words that are there before.
fn repeated(words: &[String]) -> f64 {
    const RUN: usize = 4;
    let mut runs = runs(words, RUN);
    let all = runs.len();
    runs.sort_unstable();
    runs.dedup();
    // Under ten runs a refrain of two is a third.
    if all < 10 { 0.0 } else { share(all - runs.len(), all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "The bridge over the river was opened in 1932 after six years of work, cost 4,200,000 pounds \
        and carries some 160,000 vehicles a day on eight lanes.";
    const PROMPT: &str = "Rewrite the text between the two equal marker lines and keep all of its facts.";
    const FENCE: &str = "=== 0123456789abcdef ===";

    fn rules(least: f64, most: f64) -> Rules {
        Rules { length: (least, most), new_numbers: false }
    }

    fn alone(text: &str) -> Source<'_> {
        static NONE: Secrets = Secrets(BTreeSet::new());
        Source::new(text, &NONE, "")
    }

    #[track_caller]
    fn check(rewrite: &str, expected: Result<(), Reject>) {
        let secrets = Secrets::new(&[PROMPT]);
        let source = Source::new(SOURCE, &secrets, FENCE);
        assert_eq!(source.check(rewrite, rules(0.3, 1.5)), expected, "{rewrite}");
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
        check(
            "The text is written in a clear tone, and the bridge was opened in 1932.",
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
        let about = alone("He said: as an AI it cannot help, and I cannot help either.");
        assert_eq!(about.check("It cannot help as an AI, he said; nor can I.", rules(0.3, 1.5)), Ok(()));
        let secrets = Secrets::new(&[PROMPT]);
        let own = Source::new(PROMPT, &secrets, "");
        assert_eq!(
            own.check(&format!("So: {PROMPT}"), rules(0.3, 1.5)),
            Ok(()),
            "what the page says is no secret"
        );
    }

    #[test]
    fn a_style_may_let_numbers_in_and_parts_are_checked_without_their_length() {
        let source = alone(SOURCE);
        let made_up = "In 1999 there were 7 bridges, and one of them was this one with its lanes.";
        assert_eq!(source.check(made_up, Rules { length: (0.0, 9.0), new_numbers: true }), Ok(()));
        assert_eq!(source.check_part("Eight lanes.", rules(0.3, 1.5)), Ok(()));
        assert_eq!(source.check_part("Nine lanes, 9.", rules(0.3, 1.5)), Err(Reject::NewNumber));
        assert_eq!(source.check_part("...", rules(0.3, 1.5)), Err(Reject::Empty));
        assert_eq!(source.check_sum("Eight lanes.", rules(0.3, 1.5)), Err(Reject::TooShort));
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
        let source = alone("一二三四五六七八九十");
        assert_eq!(source.check(&"一二三四五".repeat(10), rules(0.0, 99.0)), Err(Reject::Repetitive));
        let song = "la la la la la la la la la la la la la la la la la la";
        let source = alone(song);
        assert_eq!(source.check(&format!("{song} la"), rules(0.0, 99.0)), Ok(()));
    }
}
