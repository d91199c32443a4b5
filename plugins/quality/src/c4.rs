//! The rules of C4 (Raffel et al. 2020, section 2.2) and, for paragraphs, of mC4, as datatrove has them.
//!
//! Lines that break a rule are taken out. Some words condemn the document, but only in lines that were not taken out
//! before. C4's list of bad words is left to those who want one.

use std::ops::ControlFlow;

use crate::judge::Judge;
use crate::limits::{C4, C4Paragraph};
use crate::python::{self, trim};
use crate::text::{Text, chars};
use crate::words::classes::is_digit;

pub(crate) const RULES: &[&str] = &["c4_lorem_ipsum", "c4_curly_bracket", "c4_sentences"];
pub(crate) const PARAGRAPH_RULES: &[&str] = &["c4_paragraphs"];

/// A line without `[1]`, `[edit]` and `[citation needed]`.
#[must_use]
pub fn citations(line: &str) -> String {
    let mut left = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, bracket)) = rest.split_once('[') {
        left.push_str(before);
        let cited = [bracket.trim_start_matches(is_digit), bracket.strip_prefix("edit").unwrap_or_default()]
            .into_iter()
            .chain(bracket.strip_prefix("citation needed"))
            .find_map(|after| after.strip_prefix(']'));
        rest = cited.unwrap_or_else(|| {
            left.push('[');
            bracket
        });
    }
    left + rest
}

/// Whether a line ends like a sentence, and not with an ellipsis.
#[must_use]
pub fn end_punctuation(line: &str) -> bool {
    line.ends_with(['.', '?', '!', '"', '\'']) && !line.ends_with("...")
}

/// The most characters of a word between blanks.
#[must_use]
pub fn longest_word(line: &str) -> usize {
    python::split(line).map(chars).max().unwrap_or_default()
}

/// The number of words between blanks.
#[must_use]
pub fn words_per_line(line: &str) -> usize {
    python::split(line).count()
}

/// Whether a line, in small letters, speaks of JavaScript.
#[must_use]
pub fn javascript(line: &str) -> bool {
    line.contains("javascript")
}

/// Whether a line, in small letters, has one of the phrases of notices about cookies and terms.
#[must_use]
pub fn policy(line: &str, phrases: &[String]) -> bool {
    phrases.iter().any(|phrase| line.contains(phrase.as_str()))
}

/// Whether a line, in small letters, is filler text.
#[must_use]
pub fn lorem_ipsum(line: &str) -> bool {
    line.contains("lorem ipsum")
}

/// Whether a line has a curly bracket, as program code does.
#[must_use]
pub fn curly_bracket(line: &str) -> bool {
    line.contains('{')
}

/// The lines that stay, and what is told of the document.
struct Cleaned {
    kept: Vec<String>,
    lorem_ipsum: bool,
    curly_bracket: bool,
}

fn clean(text: &Text<'_>, limits: &C4) -> Cleaned {
    let mut cleaned = Cleaned { kept: Vec::new(), lorem_ipsum: false, curly_bracket: false };
    for line in text.lines() {
        let line = trim(line);
        let words = words_per_line(line);
        if 0 < limits.max_word_chars && (limits.max_word_chars as usize) < longest_word(line) {
            continue;
        }
        let line = if limits.remove_citations { citations(line) } else { line.to_owned() };
        if limits.end_punctuation && !end_punctuation(&line) {
            continue;
        }
        if words < limits.min_words_per_line as usize {
            continue;
        }
        let small = line.to_lowercase();
        cleaned.lorem_ipsum |= lorem_ipsum(&small);
        if limits.remove_javascript && javascript(&small) {
            continue;
        }
        cleaned.curly_bracket |= curly_bracket(&line);
        if policy(&small, &limits.policy_phrases) {
            continue;
        }
        cleaned.kept.push(line);
    }
    cleaned
}

/// All of them. The text of the lines that stay, unless a rule was broken or no line stays: then the text is left as it was.
/// Where none stays, which `c4_sentences` = 0 tells, a document whose sentences need not be many enough would go on without
/// a text.
pub fn judge(text: &Text<'_>, limits: &C4, judge: &mut Judge<'_>) -> Option<String> {
    let cleaned = clean(text, limits);
    let sentences: usize = cleaned.kept.iter().map(|line| text.sentences(line)).sum();
    let broken = judge.broken.len();
    let flag = |is: bool| f64::from(u8::from(is));
    let flow = [
        ("c4_lorem_ipsum", flag(cleaned.lorem_ipsum), !(limits.lorem_ipsum && cleaned.lorem_ipsum)),
        ("c4_curly_bracket", flag(cleaned.curly_bracket), !(limits.curly_bracket && cleaned.curly_bracket)),
        ("c4_sentences", sentences as f64, limits.min_sentences as usize <= sentences),
    ];
    // A document that is dropped needs no text, one that is kept all the same needs its own.
    let ended = flow.into_iter().try_for_each(|(rule, value, holds)| judge.rule(rule, value, holds));
    let left = cleaned.kept.join("\n");
    let left = trim(&left);
    (ended.is_continue() && judge.broken.len() == broken && !left.is_empty()).then(|| left.to_owned())
}

/// The number of lines of at least so many characters.
#[must_use]
pub fn paragraphs(text: &Text<'_>, min_chars: usize) -> usize {
    text.text().split('\n').filter(|line| min_chars <= chars(line)).count()
}

/// mC4's rule.
pub fn judge_paragraphs(text: &Text<'_>, limits: &C4Paragraph, judge: &mut Judge<'_>) -> ControlFlow<()> {
    let found = paragraphs(text, limits.min_chars as usize);
    judge.at_least("c4_paragraphs", found as f64, f64::from(limits.min_paragraphs))
}
