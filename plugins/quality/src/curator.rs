//! The heuristics of NeMo Curator's recipe for English.
//!
//! Figures are the published ones. What the project does not say exactly is said here with each rule; its own words are
//! between blanks, and so are these.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::gopher;
use crate::judge::Judge;
use crate::limits::Curator;
use crate::python;
use crate::text::{Text, mean_chars, ratio, share};

pub(crate) const RULES: &[&str] = &[
    "curator_non_alphanumeric",
    "curator_symbol_ratio",
    "curator_digits",
    "curator_url_chars",
    "curator_bullet_lines",
    "curator_whitespace",
    "curator_parentheses",
    "curator_words",
    "curator_mean_word_length",
    "curator_boilerplate",
    "curator_no_end_mark",
    "curator_ellipsis_lines",
    "curator_common_words",
    "curator_alpha_words",
];

/// The share of characters that are so.
fn of_chars(text: &Text<'_>, is: impl Fn(char) -> bool) -> f64 {
    ratio(text.text().chars().filter(|&c| is(c)).count(), text.chars())
}

/// The share of characters that are no letters, digits or blanks.
#[must_use]
pub fn non_alphanumeric(text: &Text<'_>) -> f64 {
    of_chars(text, |c| !c.is_alphanumeric() && !python::is_space(c))
}

/// Signs `#` and ellipses for each word.
#[must_use]
pub fn symbol_ratio(text: &Text<'_>) -> f64 {
    let count = |sign| text.text().matches(sign).count();
    ratio(count("#") + count("...") + count("…"), words(text).len())
}

/// The share of characters that are digits.
#[must_use]
pub fn digits(text: &Text<'_>) -> f64 {
    of_chars(text, |c| c.is_ascii_digit())
}

/// The share of characters in web addresses, from `http` to the next blank.
#[must_use]
pub fn url_chars(text: &Text<'_>) -> f64 {
    let address = |word: &&str| word.starts_with("http://") || word.starts_with("https://");
    let size = words(text).into_iter().filter(address).map(|word| word.chars().count()).sum();
    ratio(size, text.chars())
}

/// The share of characters that are blanks.
#[must_use]
pub fn whitespace(text: &Text<'_>) -> f64 {
    of_chars(text, python::is_space)
}

/// The share of characters that are brackets of any form.
#[must_use]
pub fn parentheses(text: &Text<'_>) -> f64 {
    of_chars(text, |c| matches!(c, '(' | ')' | '[' | ']' | '{' | '}'))
}

/// Words between blanks.
#[must_use]
pub fn words<'a>(text: &Text<'a>) -> Vec<&'a str> {
    python::split(text.text()).collect()
}

/// The share of paragraphs, which are lines with anything in them, with a phrase of notices about cookies and terms.
#[must_use]
pub fn boilerplate(text: &Text<'_>, phrases: &[String]) -> f64 {
    share(&paragraphs(text), |line| {
        let small = line.to_lowercase();
        phrases.iter().any(|phrase| small.contains(phrase.as_str()))
    })
}

fn paragraphs<'a>(text: &Text<'a>) -> Vec<&'a str> {
    text.lines().iter().map(|line| python::trim(line)).filter(|line| !line.is_empty()).collect()
}

/// The share of lines without a mark that ends a sentence, a quotation mark behind it allowed.
#[must_use]
pub fn no_end_mark(text: &Text<'_>) -> f64 {
    share(&paragraphs(text), |line| {
        !line.trim_end_matches(['"', '\'', '”', '’', ')']).ends_with(['.', '?', '!', '。', '？', '！'])
    })
}

/// How many words are common ones, each time.
#[must_use]
pub fn common_words(text: &Text<'_>, listed: &BTreeSet<String>) -> usize {
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    words(text).into_iter().filter(|word| listed.contains(&bare(word))).count()
}

/// The share of words with a letter.
#[must_use]
pub fn alpha_words(text: &Text<'_>) -> f64 {
    share(&words(text), |word| word.chars().any(char::is_alphabetic))
}

/// All of them, in the recipe's order.
pub fn judge(
    text: &Text<'_>,
    limits: &Curator,
    listed: &BTreeSet<String>,
    min_stop_words: u32,
    judge: &mut Judge<'_>,
) -> ControlFlow<()> {
    judge.at_most("curator_non_alphanumeric", non_alphanumeric(text), limits.max_non_alphanumeric)?;
    judge.at_most("curator_symbol_ratio", symbol_ratio(text), limits.max_symbol_ratio)?;
    judge.at_most("curator_digits", digits(text), limits.max_digits)?;
    judge.at_most("curator_url_chars", url_chars(text), limits.max_url_chars)?;
    judge.at_most("curator_bullet_lines", gopher::bullet_lines(text), limits.max_bullet_lines)?;
    judge.at_most("curator_whitespace", whitespace(text), limits.max_whitespace)?;
    judge.at_most("curator_parentheses", parentheses(text), limits.max_parentheses)?;
    let words = words(text);
    let (least, most) = (f64::from(limits.min_words), f64::from(limits.max_words));
    judge.within("curator_words", words.len() as f64, least, most)?;
    let (least, most) = (limits.min_mean_word_length, limits.max_mean_word_length);
    judge.within("curator_mean_word_length", mean_chars(&words), least, most)?;
    let notices = boilerplate(text, &limits.boilerplate_phrases);
    judge.at_most("curator_boilerplate", notices, limits.max_boilerplate)?;
    judge.at_most("curator_no_end_mark", no_end_mark(text), limits.max_no_end_mark)?;
    judge.at_most("curator_ellipsis_lines", gopher::ellipsis_lines(text), limits.max_ellipsis_lines)?;
    let common = common_words(text, listed) as f64;
    judge.at_least("curator_common_words", common, f64::from(min_stop_words))?;
    judge.at_least("curator_alpha_words", alpha_words(text), limits.min_alpha_words)
}
