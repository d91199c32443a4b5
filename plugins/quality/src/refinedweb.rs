//! RefinedWeb's corrections line by line (Penedo et al. 2023, appendix G.2), as DCLM's "all-dressed" mix has them.
//!
//! Lines that are no sentences are taken out: shouted ones, numbers, counters of social networks, single words, and
//! short ones with the words of buttons. A document that loses too many words with them was hardly an article.

use std::ops::ControlFlow;

use crate::judge::Judge;
use crate::limits::RefinedWeb;
use crate::python::{self, trim};
use crate::text::{Text, ratio};

pub(crate) const RULES: &[&str] = &["refinedweb_removed_words"];

/// What social networks count.
const COUNTED: &str = "likes shares comments retweets reposts quotes bookmarks upvotes downvotes downloads views \
                       followers like share comment retweet repost quote bookmark upvote downvote download view follower";

/// The share of capitals among the characters of a line.
#[must_use]
pub fn uppercase(line: &str) -> f64 {
    let capitals = line.chars().filter(|c| c.is_uppercase()).count();
    ratio(capitals, line.chars().count())
}

/// The share of digits among the characters of a line.
#[must_use]
pub fn digits(line: &str) -> f64 {
    ratio(line.chars().filter(char::is_ascii_digit).count(), line.chars().count())
}

/// Whether a line is a number and what is counted, as in `1.2k likes`.
#[must_use]
pub fn counter(line: &str) -> bool {
    let mut words = python::split(line.trim_matches(|c: char| !c.is_alphanumeric()));
    let (Some(number), Some(what), None) = (words.next(), words.next(), words.next()) else { return false };
    let number = number.strip_suffix(['k', 'K', 'm', 'M', 'b', 'B']).unwrap_or(number);
    let numeric = number.starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ','));
    numeric && COUNTED.split_ascii_whitespace().any(|counted| counted == what.to_lowercase())
}

/// Whether a line of few words begins, ends or goes with the words of a button.
#[must_use]
pub fn button(line: &str, limits: &RefinedWeb) -> bool {
    if (limits.button_words as usize) < python::split(line).count() {
        return false;
    }
    let small = line.to_lowercase();
    let small = small.trim_end_matches(['.', '…', ' ', '!', '»', '›', '>']);
    limits.begins.iter().any(|words| small.starts_with(words.as_str()))
        || limits.ends.iter().any(|words| small.ends_with(words.as_str()))
        || limits.contains.iter().any(|words| small.contains(words.as_str()))
}

fn stays(line: &str, limits: &RefinedWeb) -> bool {
    // Empty lines part paragraphs.
    line.is_empty()
        || (uppercase(line) <= limits.max_uppercase
            && digits(line) <= limits.max_digits
            && !counter(line)
            && limits.min_words_per_line as usize <= python::split(line).count()
            && !button(line, limits))
}

/// The text of the lines that stay, unless too many words went with the others: then the text is left as it was. So it is
/// where all words went, which `refinedweb_removed_words` = 1 tells, and none is too many.
pub fn judge(text: &Text<'_>, limits: &RefinedWeb, judge: &mut Judge<'_>) -> Option<String> {
    let (kept, gone): (Vec<&str>, Vec<&str>) =
        text.text().split('\n').partition(|line| stays(trim(line), limits));
    let words = |lines: &[&str]| lines.iter().map(|line| python::split(line).count()).sum::<usize>();
    let (stay, go) = (words(&kept), words(&gone));
    let removed = ratio(go, stay + go);
    let broken = judge.broken.len();
    let flow: ControlFlow<()> = judge.at_most("refinedweb_removed_words", removed, limits.max_removed_words);
    (flow.is_continue() && judge.broken.len() == broken && !gone.is_empty() && 0 < stay)
        .then(|| kept.join("\n"))
}
