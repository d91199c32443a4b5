//! The executor that the ProX corpora were made with, as a second opinion: one program for the whole document, its
//! line-by-line reading of calls included, so that a run can be compared with the published one call for call.
//!
//! It keeps what that reading gets wrong (strings end at a comma, a parenthesis or a second equals sign; short strings
//! are replaced everywhere; too many errors anywhere lose all edits). Use it to reproduce, not to clean.
//! Where the original fails or fills the memory this one does not: ranges stay ranges, and a blank document stays blank.

use std::ops::RangeInclusive;

/// The thresholds of the original, which counts words.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// A result with a smaller share of the words than this is given up for the original text.
    pub min_kept: f64,
    /// A result that lost at least this share of the words is dropped.
    pub drop_ratio: f64,
    /// A result of so many words or fewer is dropped, whatever the program did.
    pub min_words: usize,
    /// So many errors, and the original text is kept.
    pub max_errors: usize,
}

/// Replacements may make a text so many times as long, and a short one a little longer than that: a program that
/// doubles a letter in each of its lines would fill the memory.
const MAX_GROWTH: usize = 4;
const MAX_GROWTH_BYTES: usize = 64 << 10;

/// Bytes that a program's calls may read, all together. Each replacement reads the whole text, and the programs of a book
/// may have a hundred thousand; honest ones have four.
const MAX_READ_BYTES: usize = 1 << 30;

/// What a program made of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// The text before the thresholds have their say.
    pub raw: String,
    pub errors: usize,
    /// Each line of the program and whether it was taken for a call.
    pub calls: Vec<(String, &'static str)>,
    /// The text after them; none where the document is dropped.
    pub text: Option<String>,
}

/// Runs the programs of all chunks of a document, joined by line breaks.
pub fn execute(document: &str, program: &str, thresholds: &Thresholds) -> Executed {
    let mut text = document.to_owned();
    let most = document.len().saturating_mul(MAX_GROWTH).saturating_add(MAX_GROWTH_BYTES);
    let mut removed = Vec::new();
    let mut removed_all = false;
    let mut errors = 0;
    let mut calls = Vec::new();
    let mut read = 0_usize;
    for line in program.trim_matches(' ').split('\n') {
        let before = errors;
        if line.starts_with("remove_lines") {
            if line.contains("all=True") {
                removed_all = true;
            } else {
                removed.extend(range(line, &mut errors));
            }
        } else if line.starts_with("normalize") {
            if let Some((source, target)) = replacement(line, &mut errors) {
                read = read.saturating_add(text.len());
                if MAX_READ_BYTES < read
                    || most < text.len() + text.matches(&source).count().saturating_mul(target.len())
                {
                    calls.push((line.to_owned(), "refused"));
                    continue;
                }
                text = text.replace(&source, &target);
            }
        } else {
            calls.push((line.to_owned(), "ignored"));
            continue;
        }
        calls.push((line.to_owned(), if before == errors { "applied" } else { "error" }));
    }
    let lines = text.split('\n').count();
    let mut gone = vec![removed_all; lines];
    for range in &merged(removed.clone()) {
        // A number below zero is before the first line.
        let place = |number: i64| usize::try_from(number).unwrap_or(0).min(lines);
        let (start, end) = (place(*range.start()), place(range.end().saturating_add(1)));
        gone.iter_mut().take(end).skip(start).for_each(|gone| *gone = true);
    }
    let raw: Vec<_> = text.split('\n').zip(&gone).filter(|(_, gone)| !**gone).map(|(line, _)| line).collect();
    let raw = raw.join("\n");
    errors += overruns(removed, i64::try_from(lines).unwrap_or(i64::MAX));
    let text = decide(document, &raw, errors, thresholds);
    Executed { raw, errors, calls, text }
}

fn decide(document: &str, raw: &str, errors: usize, thresholds: &Thresholds) -> Option<String> {
    let (before, after) = (words(document), words(raw));
    if before == 0 {
        return Some(document.to_owned());
    }
    let kept = share(after, before);
    let trusted = errors < thresholds.max_errors;
    if kept <= 1.0 - thresholds.drop_ratio && trusted || after <= thresholds.min_words {
        return None;
    }
    Some(if thresholds.min_kept <= kept && trusted { raw } else { document }.to_owned())
}

/// The share that `part` is of `whole`.
pub fn share(part: usize, whole: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of one page are far below 2^52")]
    let share = part as f64 / whole.max(1) as f64;
    share
}

/// Words as Python's `str.split` counts them.
pub fn words(text: &str) -> usize {
    split(text).count()
}

/// As Python's `str.split`, whose white space has four control characters more than Unicode's.
pub(crate) fn split(text: &str) -> impl Iterator<Item = &str> {
    let blank = |symbol: char| symbol.is_whitespace() || ('\x1c'..='\x1f').contains(&symbol);
    text.split(blank).filter(|word| !word.is_empty())
}

/// What stands between the first parenthesis and the first closing one; without that, all but the last character.
fn inside<'a>(line: &'a str, errors: &mut usize) -> Option<&'a str> {
    let Some((before, after)) = line.split_once('(') else {
        *errors += 1;
        return None;
    };
    if before.contains(')') {
        return Some("");
    }
    if let Some((inside, _)) = after.split_once(')') {
        return Some(inside);
    }
    *errors += 1;
    let mut symbols = after.chars();
    symbols.next_back();
    Some(symbols.as_str())
}

/// What stands between the first equals sign and the second.
fn value(argument: &str) -> Option<&str> {
    argument.split('=').nth(1)
}

fn range(line: &str, errors: &mut usize) -> Option<RangeInclusive<i64>> {
    let mut arguments = inside(line, errors)?.split(',').map(|argument| number(value(argument)?));
    let (start, end) = (arguments.next().flatten(), arguments.next().flatten());
    let (Some(start), Some(end)) = (start, end) else {
        *errors += 1;
        return None;
    };
    Some(start..=end)
}

/// An integer as Python reads it, saturated: blanks around it, a sign, and underscores between digits.
fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let groups = digits.split('_');
    if !groups.clone().all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let number = groups.collect::<String>().parse().unwrap_or(i64::MAX);
    Some(if negative { -number } else { number })
}

fn replacement(line: &str, errors: &mut usize) -> Option<(String, String)> {
    let arguments: Vec<_> = inside(line, errors)?.split(',').collect();
    let strings: Option<Vec<_>> =
        arguments.iter().take(2).map(|argument| Some(value(argument)?.trim_matches('"'))).collect();
    match (arguments.len(), strings.as_deref()) {
        (1, Some([source])) => (!source.is_empty()).then(|| ((*source).to_owned(), String::new())),
        (2, Some([source, target])) => {
            (!source.is_empty() && *source != " ").then(|| ((*source).to_owned(), (*target).to_owned()))
        }
        (1 | 2, _) => {
            *errors += 1;
            None
        }
        // A comma in the string made three arguments of two; that call is lost without a word.
        _ => None,
    }
}

/// How many ranges, neighbours taken together, reach past the last line.
fn overruns(ranges: Vec<RangeInclusive<i64>>, lines: i64) -> usize {
    merged(ranges).iter().filter(|range| lines <= *range.start() || lines <= *range.end()).count()
}

/// The same lines in as few ranges as possible, so that each line is visited once. A range that ends before it starts
/// is no line, and still one that the original counts.
fn merged(mut ranges: Vec<RangeInclusive<i64>>) -> Vec<RangeInclusive<i64>> {
    ranges.sort_by_key(|range| *range.start());
    let mut merged: Vec<RangeInclusive<i64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if *range.start() <= last.end().saturating_add(1) => {
                *last = *last.start()..=(*last.end()).max(*range.end());
            }
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLDS: Thresholds =
        Thresholds { min_kept: 0.0, drop_ratio: 0.95, min_words: 2, max_errors: 2 };

    #[track_caller]
    fn check(document: &str, program: &str, raw: &str, errors: usize) {
        let executed = execute(document, program, &THRESHOLDS);
        assert_eq!((executed.raw.as_str(), executed.errors), (raw, errors), "{program}");
    }

    #[test]
    fn lines_go_by_name_and_order_of_arguments() {
        check("a\nb\nc", "remove_lines(line_start=1, line_end=1)", "a\nc", 0);
        check("a\nb\nc", "remove_lines(start=1,end=5)", "a", 1);
        check("a\nb\nc", "remove_lines(line_start=7, line_end=9)", "a\nb\nc", 1);
        check("a\nb\nc", "remove_lines(1, 1)", "a\nb\nc", 1);
        check("a\nb\nc", "remove_lines(line_start=2)", "a\nb\nc", 1);
        check("a\nb\nc", "remove_lines(line_start=2, line_end=1)", "a\nb\nc", 0);
        check("a\nb\nc", "remove_lines(line_start=-9, line_end=0)", "b\nc", 0);
        check("a\nb\nc", "remove_lines", "a\nb\nc", 1);
        check("a\nb\nc", "remove_lines(line_start=0, line_end=12", "c", 1);
        check("a\nb\nc", "remove_lines(all=True)", "", 0);
        check("a\nb\nc", "remove_lines(line_start=0, line_end=999999999999)", "", 1);
        check("a\nb\nc", "  remove_lines(line_start=0, line_end=0)", "b\nc", 0);
        check("a\nb\nc", "keep_all()\n  remove_lines(line_start=0, line_end=0)", "a\nb\nc", 0);
    }

    #[test]
    fn strings_end_where_the_original_ends_them() {
        check("a, b", r#"normalize(source_str="a, b", target_str="")"#, "a, b", 0);
        check("u?a=1 u?a", r#"normalize(source_str="u?a=1")"#, "=1 ", 0);
        check("(c) d", r#"normalize(source_str="(c) d")"#, ") d", 0);
        check("eel", r#"normalize(source_str="e", target_str="")"#, "l", 0);
        check("ab", r#"normalize(source_str="", target_str="x")"#, "ab", 0);
        check("a b", r#"normalize(source_str=" ")"#, "ab", 0);
        check("a b", r#"normalize(source_str=" ", target_str="x")"#, "a b", 0);
        check("a b", "normalize", "a b", 1);
        check("a b", "normalize()", "a b", 1);
    }

    #[test]
    fn a_text_that_doubles_with_every_line_stops_growing() {
        let program = "normalize(source_str=\"a\", target_str=\"aa\")\n".repeat(200);
        let executed = execute("a b c", &program, &THRESHOLDS);
        assert!(executed.raw.len() <= MAX_GROWTH_BYTES + 20, "{}", executed.raw.len());
        assert!(executed.calls.iter().any(|(_, word)| *word == "refused"));
    }

    #[test]
    fn the_thresholds_have_the_last_word() {
        let program = "remove_lines(line_start=0, line_end=1)";
        let text = |document, program| execute(document, program, &THRESHOLDS).text;
        assert_eq!(text("a b\nc\nd e f", program).as_deref(), Some("d e f"));
        assert_eq!(text("a b\nc\nd e", program), None);
        assert_eq!(text("a b\nc\nd e f", "normalize\nnormalize").as_deref(), Some("a b\nc\nd e f"));
        assert_eq!(text("a b", "normalize\nnormalize"), None);
        assert_eq!(text(" \n ", program).as_deref(), Some(" \n "));
        let strict = Thresholds { min_kept: 0.9, ..THRESHOLDS };
        assert_eq!(execute("a b\nc\nd e f", program, &strict).text.as_deref(), Some("a b\nc\nd e f"));
    }
}
