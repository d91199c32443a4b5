//! The rules that FineWeb added (Penedo et al. 2024, section 3.6), as datatrove has them.

use std::ops::ControlFlow;

use crate::gopher::duplicates;
use crate::judge::Judge;
use crate::limits::FineWeb;
use crate::python::trim;
use crate::text::{Text, chars, ratio, share};
use crate::words::classes;

pub(crate) const RULES: &[&str] =
    &["fineweb_line_punct_ratio", "fineweb_short_line_ratio", "fineweb_char_dup_ratio", "fineweb_list_ratio"];

fn lines<'a>(text: &Text<'a>) -> Vec<&'a str> {
    text.text().split('\n').filter(|line| !trim(line).is_empty()).collect()
}

/// The share of lines that end with a mark that ends a sentence in some script. A blank behind it counts as no mark.
#[must_use]
pub fn line_punct_ratio(text: &Text<'_>) -> f64 {
    share(&lines(text), |line| line.ends_with(classes::is_terminal))
}

/// The share of lines of at most so many characters.
#[must_use]
pub fn short_line_ratio(text: &Text<'_>, short: usize) -> f64 {
    share(&lines(text), |line| line.chars().take(short + 1).count() <= short)
}

/// The characters of lines that were there before, of all but line ends.
#[must_use]
pub fn char_dup_ratio(text: &Text<'_>) -> f64 {
    let (_, size) = duplicates(lines(text).into_iter());
    ratio(size, text.text().chars().filter(|&c| c != '\n').count())
}

/// Line ends for each word.
#[must_use]
pub fn list_ratio(text: &Text<'_>) -> f64 {
    ratio(text.text().bytes().filter(|&byte| byte == b'\n').count(), text.words().len())
}

/// All of them, in datatrove's order. Of a text of blanks alone the first one is broken.
pub fn judge(text: &Text<'_>, limits: &FineWeb, judge: &mut Judge<'_>) -> ControlFlow<()> {
    let punct = line_punct_ratio(text);
    let unpunctuated = limits.allow_no_line_punct && punct == 0.0 && 0 < chars(trim(text.text()));
    let holds = limits.min_line_punct_ratio <= punct || unpunctuated;
    judge.rule("fineweb_line_punct_ratio", punct, holds)?;
    let short = short_line_ratio(text, limits.short_line_chars as usize);
    judge.at_most("fineweb_short_line_ratio", short, limits.max_short_line_ratio)?;
    judge.at_most("fineweb_char_dup_ratio", char_dup_ratio(text), limits.max_char_dup_ratio)?;
    judge.at_most("fineweb_list_ratio", list_ratio(text), limits.max_list_ratio)
}
