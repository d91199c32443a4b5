//! Is it running text of a sensible length?

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::judge::Judge;
use crate::limits::GopherQuality;
use crate::python::{is_space, trim};
use crate::text::{Text, mean_chars, ratio, share};
use crate::words::classes;

pub(crate) const RULES: &[&str] = &[
    "gopher_words",
    "gopher_mean_word_length",
    "gopher_hash_ratio",
    "gopher_ellipsis_ratio",
    "gopher_bullet_lines",
    "gopher_ellipsis_lines",
    "gopher_alpha_words",
    "gopher_stop_words",
];

/// The number of words that are more than marks.
#[must_use]
pub fn words(text: &Text<'_>) -> usize {
    text.spoken().len()
}

/// The mean number of characters of those.
#[must_use]
pub fn mean_word_length(text: &Text<'_>) -> f64 {
    mean_chars(text.spoken())
}

/// Signs `#` for each word, marks among the words.
#[must_use]
pub fn hash_ratio(text: &Text<'_>) -> f64 {
    ratio(text.text().bytes().filter(|&byte| byte == b'#').count(), text.words().len())
}

/// Ellipses for each word, written with three dots or one sign.
#[must_use]
pub fn ellipsis_ratio(text: &Text<'_>) -> f64 {
    let count = |sign| text.text().matches(sign).count();
    ratio(count("...") + count("…"), text.words().len())
}

/// The share of lines that begin with a bullet or a hyphen.
#[must_use]
pub fn bullet_lines(text: &Text<'_>) -> f64 {
    share(text.lines(), |line| line.trim_start_matches(is_space).starts_with(['•', '-']))
}

/// The share of lines that end with an ellipsis.
#[must_use]
pub fn ellipsis_lines(text: &Text<'_>) -> f64 {
    share(text.lines(), |line| {
        let line = trim(line);
        line.ends_with("...") || line.ends_with('…')
    })
}

/// The share of words, marks among them, with a letter.
#[must_use]
pub fn alpha_words(text: &Text<'_>) -> f64 {
    share(text.words(), |word| word.chars().any(classes::is_alphabetic))
}

/// How many different stop words are among the words, in the letter case that they are listed in.
#[must_use]
pub fn stop_words(text: &Text<'_>, listed: &BTreeSet<String>) -> usize {
    let found: BTreeSet<&str> = text.words().iter().copied().filter(|word| listed.contains(*word)).collect();
    found.len()
}

/// All of them, in datatrove's order.
pub fn judge_quality(
    text: &Text<'_>,
    limits: &GopherQuality,
    listed: &BTreeSet<String>,
    min_stop_words: u32,
    judge: &mut Judge<'_>,
) -> ControlFlow<()> {
    let (least, most) = (f64::from(limits.min_words), f64::from(limits.max_words));
    judge.within("gopher_words", words(text) as f64, least, most)?;
    let mean = mean_word_length(text);
    let (least, most) = (limits.min_mean_word_length, limits.max_mean_word_length);
    judge.within("gopher_mean_word_length", mean, least, most)?;
    judge.at_most("gopher_hash_ratio", hash_ratio(text), limits.max_symbol_ratio)?;
    judge.at_most("gopher_ellipsis_ratio", ellipsis_ratio(text), limits.max_symbol_ratio)?;
    judge.at_most("gopher_bullet_lines", bullet_lines(text), limits.max_bullet_lines)?;
    judge.at_most("gopher_ellipsis_lines", ellipsis_lines(text), limits.max_ellipsis_lines)?;
    judge.at_least("gopher_alpha_words", alpha_words(text), limits.min_alpha_words)?;
    judge.at_least("gopher_stop_words", stop_words(text, listed) as f64, f64::from(min_stop_words))
}
