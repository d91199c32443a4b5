//! What a character is to the tokenizer.

use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;

use super::ranges::{LETTERS, MARKS, NOT_COUNTED, SYMBOLS, TERMINAL, UNCASED};

/// U+0294 has no capital, and still counts as small.
const GLOTTAL_STOP: char = '\u{294}';

fn within(ranges: &[(u32, u32)], c: char) -> bool {
    let code = u32::from(c);
    let at = ranges.partition_point(|&(_, last)| last < code);
    ranges.get(at).is_some_and(|&(first, _)| first <= code)
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

/// A letter of a script that the tokenizer knows.
pub(crate) fn is_letter(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { within(LETTERS, c) }
}

/// Such a letter that is not a capital.
pub(crate) fn is_small(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_lowercase();
    }
    within(UNCASED, c) || ((c.is_lowercase() || c == GLOTTAL_STOP) && within(LETTERS, c))
}

/// Such a letter that is not a small one.
pub(crate) fn is_capital(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_uppercase();
    }
    within(UNCASED, c) || (c.is_uppercase() && within(LETTERS, c))
}

pub(crate) fn is_symbol(c: char) -> bool {
    !c.is_ascii() && within(SYMBOLS, c)
}

/// Marks that end a sentence in some script.
pub(crate) fn is_terminal(c: char) -> bool {
    if c.is_ascii() { matches!(c, '.' | '!' | '?') } else { within(TERMINAL, c) }
}

/// Marks that end a sentence where sentences are counted.
pub(crate) fn ends_sentence(c: char) -> bool {
    is_terminal(c) && !within(NOT_COUNTED, c)
}

/// Marks and control characters: a token of these alone is no word.
pub(crate) fn is_mark(c: char) -> bool {
    within(MARKS, c) || is_terminal(c)
}

/// Unicode's punctuation, a category P.
pub(crate) fn is_punctuation(c: char) -> bool {
    matches!(
        category(c),
        GeneralCategory::ConnectorPunctuation
            | GeneralCategory::DashPunctuation
            | GeneralCategory::OpenPunctuation
            | GeneralCategory::ClosePunctuation
            | GeneralCategory::InitialPunctuation
            | GeneralCategory::FinalPunctuation
            | GeneralCategory::OtherPunctuation
    )
}

/// Unicode's letters, a category L: what Python calls alphabetic. Rust's word also has marks and numerals.
pub(crate) fn is_alphabetic(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphabetic();
    }
    matches!(
        category(c),
        GeneralCategory::UppercaseLetter
            | GeneralCategory::LowercaseLetter
            | GeneralCategory::TitlecaseLetter
            | GeneralCategory::ModifierLetter
            | GeneralCategory::OtherLetter
    )
}

/// A decimal digit of any script.
pub(crate) fn is_digit(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { category(c) == GeneralCategory::DecimalNumber }
}
