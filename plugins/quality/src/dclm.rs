//! The document rules of DCLM (Li et al. 2024, which follows RefinedWeb), with the thresholds of its English mix.
//!
//! Beside Gopher's, stop words are counted each time and not once, and a text has at least so many characters. Words
//! are ours; DCLM's come from another tokenizer, which keeps `don't` whole.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::gopher;
use crate::judge::Judge;
use crate::limits::Dclm;
use crate::text::{Text, mean_chars, ratio, share};
use crate::words::classes;

pub(crate) const RULES: &[&str] = &[
    "dclm_chars",
    "dclm_words",
    "dclm_mean_word_length",
    "dclm_symbol_ratio",
    "dclm_bullet_lines",
    "dclm_ellipsis_lines",
    "dclm_non_alpha_words",
    "dclm_stop_words",
];

/// Signs `#` and ellipses for each word that is more than marks.
#[must_use]
pub fn symbol_ratio(text: &Text<'_>) -> f64 {
    let count = |sign| text.text().matches(sign).count();
    ratio(count("#") + count("...") + count("…"), text.spoken().len())
}

/// The share of words without any letter, of those that are more than marks.
#[must_use]
pub fn non_alpha_words(text: &Text<'_>) -> f64 {
    share(text.spoken(), |word| !word.chars().any(classes::is_alphabetic))
}

/// How many words are stop words, each time.
#[must_use]
pub fn stop_words(text: &Text<'_>, listed: &BTreeSet<String>) -> usize {
    let is = |word: &&&str| listed.contains(**word) || listed.contains(&word.to_lowercase());
    text.spoken().iter().filter(is).count()
}

/// All of them.
pub fn judge(
    text: &Text<'_>,
    limits: &Dclm,
    listed: &BTreeSet<String>,
    min_stop_words: u32,
    judge: &mut Judge<'_>,
) -> ControlFlow<()> {
    judge.at_least("dclm_chars", text.chars() as f64, f64::from(limits.min_chars))?;
    let words = text.spoken().len() as f64;
    judge.within("dclm_words", words, f64::from(limits.min_words), f64::from(limits.max_words))?;
    let (least, most) = (limits.min_mean_word_length, limits.max_mean_word_length);
    judge.within("dclm_mean_word_length", mean_chars(text.spoken()), least, most)?;
    judge.at_most("dclm_symbol_ratio", symbol_ratio(text), limits.max_symbol_ratio)?;
    judge.at_most("dclm_bullet_lines", gopher::bullet_lines(text), limits.max_bullet_lines)?;
    judge.at_most("dclm_ellipsis_lines", gopher::ellipsis_lines(text), limits.max_ellipsis_lines)?;
    judge.at_most("dclm_non_alpha_words", non_alpha_words(text), limits.max_non_alpha_words)?;
    judge.at_least("dclm_stop_words", stop_words(text, listed) as f64, f64::from(min_stop_words))
}
