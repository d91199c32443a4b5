//! A text as the words that are compared: in lower case, without punctuation and diacritics.
//!
//! The rules are those of datatrove's MinHash in kind: two texts are the same if they differ in letter case, punctuation,
//! white space, accents and, where asked for, numbers. Scripts that are written without blanks between words have no
//! words that a rule could find; there every character is a word, and an n-gram is one of characters. Words are what
//! Unicode calls letters and digits, in any script; the module refuses to know what language they are in.

use palimpsest_plugin::text::is_unspaced;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// The words of a text, with one blank between each two of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Words {
    text: String,
    /// Where in `text` each word begins and ends.
    bounds: Vec<(usize, usize)>,
}

/// What the last character of the text was a part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    Word,
    /// Digits of a number that is already written as one `0`.
    Number,
}

impl Words {
    /// The words of `text`; with `fold_numbers` every number is a `0`, decimal places included.
    pub(crate) fn of(text: &str, fold_numbers: bool) -> Self {
        let mut words = Self { text: String::with_capacity(text.len()), bounds: Vec::new() };
        let mut within = Within::Nothing;
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            within = if fold_numbers && is_digit(character) {
                if within != Within::Number {
                    words.push('0', within == Within::Nothing);
                }
                Within::Number
            } else if within == Within::Number
                && matches!(character, '.' | ',' | '٫' | '،')
                && characters.peek().copied().is_some_and(is_digit)
            {
                Within::Number
            } else {
                words.character(character, within)
            };
        }
        words
    }

    pub(crate) fn len(&self) -> usize {
        self.bounds.len()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Every run of `size` words; all words as one where there are fewer.
    pub(crate) fn shingles(&self, size: usize) -> impl Iterator<Item = &str> {
        let size = size.clamp(1, self.bounds.len().max(1));
        self.bounds.windows(size).filter_map(|run| {
            let (first, last) = (run.first()?, run.last()?);
            self.text.get(first.0..last.1)
        })
    }

    fn character(&mut self, character: char, within: Within) -> Within {
        if character.is_ascii() {
            if !character.is_ascii_alphanumeric() {
                return Within::Nothing;
            }
            self.push(character.to_ascii_lowercase(), within == Within::Nothing);
            return Within::Word;
        }
        // A mark belongs to its letter, so it neither ends a word nor is kept.
        if is_combining_mark(character) {
            return within;
        }
        if !character.is_alphanumeric() {
            return Within::Nothing;
        }
        if is_unspaced(character) {
            self.push(character, true);
            return Within::Nothing;
        }
        let mut opens = within == Within::Nothing;
        for lower in character.to_lowercase() {
            // In capitals there is one sigma, so the one at the end of words is no other letter.
            let lower = if lower == 'ς' { 'σ' } else { lower };
            // The syllables of Korean are letters too, and taken apart they would only be longer.
            if ('가'..='힣').contains(&lower) {
                self.push(lower, opens);
                opens = false;
                continue;
            }
            decompose_canonical(lower, |part| {
                if !is_combining_mark(part) {
                    self.push(part, opens);
                    opens = false;
                }
            });
        }
        Within::Word
    }

    fn push(&mut self, character: char, opens: bool) {
        if opens || self.bounds.is_empty() {
            if !self.bounds.is_empty() {
                self.text.push(' ');
            }
            self.bounds.push((self.text.len(), self.text.len()));
        }
        self.text.push(character);
        if let Some(last) = self.bounds.last_mut() {
            last.1 = self.text.len();
        }
    }
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit() || (!character.is_ascii() && character.is_numeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, words: &str) {
        assert_eq!(Words::of(text, true).as_str(), words);
    }

    #[test]
    fn texts_that_look_alike_have_the_same_words() {
        check("The  Quick,\nbrown–fox!", "the quick brown fox");
        check("Café, naïve, Ångström; cafe\u{301}", "cafe naive angstrom cafe");
        check("don't don’t", "don t don t");
        check("", "");
        check(" … — !", "");
        check("हिन्दी भाषा", "हनद भष");
        check("İstanbul ΟΔΟΣ οδός", "istanbul οδοσ οδοσ");
    }

    #[test]
    fn numbers_are_folded_where_asked_for() {
        check("it cost 1,234.50 dollars in 2024.", "it cost 0 dollars in 0");
        check("a4 4a ٣٫٥ 1. 2", "a0 0a 0 0 0");
        assert_eq!(Words::of("1,234 a4", false).as_str(), "1 234 a4");
    }

    #[test]
    fn without_blanks_every_character_is_a_word() {
        check("東京は2024年、Tokyo", "東 京 は 0 年 tokyo");
        check("ภาษาไทย", "ภ า ษ า ไ ท ย");
        check("한국어 문서", "한국어 문서");
    }

    #[test]
    fn shingles_are_runs_of_words() {
        let shingles =
            |text: &str, size| Words::of(text, true).shingles(size).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(shingles("a b c d", 3), ["a b c", "b c d"]);
        assert_eq!(shingles("a b", 3), ["a b"]);
        assert_eq!(shingles("漢字仮名", 3), ["漢 字 仮", "字 仮 名"]);
        assert!(shingles("", 3).is_empty());
    }
}
