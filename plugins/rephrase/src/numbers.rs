//! The numbers of a text, however they are written: `4,200,000`, `4.2 million` and `4 200 000` are one number.
//! Used to find numbers in a rewrite that its source does not have; knows figures, not quantities or units.

use std::collections::BTreeSet;

/// The numbers of a text, each in all readings that its spelling allows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers(BTreeSet<String>);

/// Reads the numbers of a text, those in English words among them.
pub(crate) fn of(text: &str) -> Numbers {
    let mut numbers: BTreeSet<String> = tokens(text).into_iter().flatten().collect();
    let lower = text.to_lowercase();
    let words: Vec<&str> =
        lower.split(|symbol: char| !symbol.is_alphabetic()).filter(|word| !word.is_empty()).collect();
    let mut at = 0;
    while let Some(&word) = words.get(at) {
        at += 1;
        if let Some(value) = ORDINALS.iter().position(|&known| known == word) {
            numbers.insert((value + 1).to_string());
        }
        let next = |at: usize| words.get(at).copied().unwrap_or_default();
        let scaled = scale(next(at)).is_some();
        let Some(mut value) = small(word).or_else(|| (word == "a" && scaled).then_some(1)) else { continue };
        if let Some(unit) =
            small(next(at)).filter(|unit| value % 10 == 0 && 20 <= value && (1..10).contains(unit))
        {
            value += unit;
            at += 1;
        }
        let mut zeros = 0;
        // "two hundred thousand"; a page of nothing but "million" is not a number.
        while let Some(more) = scale(next(at)).filter(|_| zeros < MAX_ZEROS) {
            zeros += more;
            at += 1;
        }
        numbers.insert(shifted(&value.to_string(), zeros));
    }
    Numbers(numbers)
}

const MAX_ZEROS: usize = 18;

impl Numbers {
    /// Whether every number of `text` has a reading that is one of these. Numbers of list items do not count.
    pub(crate) fn hold(&self, text: &str) -> bool {
        text.lines().map(without_item_number).all(|line| {
            tokens(line).iter().all(|readings| readings.iter().any(|reading| self.0.contains(reading)))
        })
    }
}

const WORDS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];

const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

fn small(word: &str) -> Option<usize> {
    let place = |words: &[&str]| words.iter().position(|&known| known == word);
    place(&WORDS).or_else(|| Some(place(&TENS)? * 10 + 20))
}

/// The zeros that a word adds to the number before it.
fn scale(word: &str) -> Option<usize> {
    match word {
        "hundred" => Some(2),
        "thousand" => Some(3),
        "million" | "mn" => Some(6),
        "billion" | "bn" => Some(9),
        "trillion" | "tn" => Some(12),
        _ => None,
    }
}

const ORDINALS: [&str; 10] =
    ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];

/// `2. text` and `2) text` begin an item of a list.
fn without_item_number(line: &str) -> &str {
    let line = line.trim_start();
    let counted = line.trim_start_matches(|symbol: char| symbol.is_ascii_digit());
    match counted.strip_prefix(['.', ')']) {
        Some(item) if counted.len() < line.len() && item.starts_with(' ') => item,
        _ => line,
    }
}

/// The numbers in figures, each as the readings of its spelling.
fn tokens(text: &str) -> Vec<Vec<String>> {
    let symbols: Vec<char> = text.chars().map(ascii_digit).collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < symbols.len() {
        if !digit(&symbols, at) {
            at += 1;
            continue;
        }
        let start = at;
        at = end(&symbols, at);
        let (figures, after) = symbols.split_at(at);
        let figures: String = figures.iter().skip(start).collect();
        tokens.push(scaled(readings(&figures), after));
    }
    tokens
}

/// Full-width figures are figures; other scripts' are left alone, as their texts mix them seldom.
fn ascii_digit(symbol: char) -> char {
    match symbol {
        '０'..='９' => char::from_digit(u32::from(symbol) - u32::from('０'), 10).unwrap_or(symbol),
        '\u{a0}' | '\u{202f}' | '\u{2009}' => ' ',
        '’' => '\'',
        other => other,
    }
}

fn digit(symbols: &[char], at: usize) -> bool {
    symbols.get(at).is_some_and(char::is_ascii_digit)
}

/// Where the figures that begin at `start` end: groups after `,`, `.` or `'`, and groups of three after a blank.
fn end(symbols: &[char], start: usize) -> usize {
    let run = |from: usize| (from..).take_while(|&at| digit(symbols, at)).count();
    let mut length = run(start);
    let mut at = start + length;
    let mut spaced = length <= 3;
    loop {
        let next = run(at + 1);
        match symbols.get(at) {
            Some(',' | '.' | '\'') if 0 < next => spaced = false,
            Some(' ') if spaced && next == 3 => {}
            _ => return at,
        }
        length = next;
        at += 1 + length;
    }
}

/// What figures may mean: with one separator before exactly three of them, `1.500` is one thousand five hundred and
/// one and a half. Dates and versions have no reading as a number and stand for themselves.
fn readings(figures: &str) -> Vec<String> {
    let separators: Vec<char> = figures.chars().filter(|symbol| !symbol.is_ascii_digit()).collect();
    let groups: Vec<&str> = figures.split(|symbol: char| !symbol.is_ascii_digit()).collect();
    let (Some(&first), Some(&last), [head, tail @ ..]) = (separators.first(), separators.last(), &groups[..])
    else {
        return vec![canonical(figures, "")];
    };
    let threes = |tail: &[&str]| head.len() <= 3 && tail.iter().all(|group| group.len() == 3);
    let same = separators.iter().all(|&separator| separator == first);
    let mut readings = Vec::new();
    if same && threes(tail) {
        readings.push(canonical(&groups.concat(), ""));
    }
    // Nobody writes one hundred and sixty as `160,000`.
    if separators.len() == 1 && matches!(first, ',' | '.') && last_of(&groups) != "000" {
        readings.push(canonical(head, last_of(&groups)));
    }
    // `1,234.56`: all separators but the last are of one kind, and the last is of another.
    if let Some((fraction, whole)) = tail.split_last()
        && !whole.is_empty()
        && first != last
        && separators.iter().rev().skip(1).all(|&separator| separator == first)
        && threes(whole)
    {
        readings
            .push(canonical(&groups.iter().take(groups.len() - 1).copied().collect::<String>(), fraction));
    }
    if readings.is_empty() {
        readings.push(figures.to_owned());
    }
    readings
}

fn last_of<'a>(groups: &[&'a str]) -> &'a str {
    groups.last().copied().unwrap_or_default()
}

/// Without zeros that say nothing.
fn canonical(whole: &str, fraction: &str) -> String {
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// The readings with a `million` after them worked in. A single letter may be a unit as well, so both are kept.
fn scaled(readings: Vec<String>, after: &[char]) -> Vec<String> {
    let word: String = after
        .iter()
        .skip_while(|symbol| matches!(symbol, ' ' | '-'))
        .take_while(|symbol| symbol.is_alphabetic())
        .take(9)
        .flat_map(|symbol| symbol.to_lowercase())
        .collect();
    let (zeros, sure) = match (scale(&word), word.as_str()) {
        (Some(zeros), _) => (zeros, true),
        (None, "k") => (3, false),
        (None, "m") => (6, false),
        (None, "b") => (9, false),
        (None, _) => return readings,
    };
    let mut scaled: Vec<String> = readings.iter().map(|reading| shifted(reading, zeros)).collect();
    if !sure {
        scaled.extend(readings);
    }
    scaled
}

fn shifted(reading: &str, zeros: usize) -> String {
    let (whole, fraction) = reading.split_once('.').unwrap_or((reading, ""));
    let moved: String = fraction.chars().chain(std::iter::repeat('0')).take(zeros).collect();
    let rest: String = fraction.chars().skip(zeros).collect();
    canonical(&(whole.to_owned() + &moved), &rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, rewrite: &str, holds: bool) {
        assert_eq!(of(source).hold(rewrite), holds, "{source:?} -> {rewrite:?}");
    }

    #[test]
    fn one_number_in_many_spellings() {
        for (source, rewrite) in [
            ("1,000 people", "1000 people"),
            ("1.000 Leute", "1000 Leute"),
            ("1 000 gens", "1000 gens"),
            ("1\u{202f}000 gens", "1,000 gens"),
            ("1'000 Leute", "1000 Leute"),
            ("4,200,000", "4.2 million"),
            ("$5m", "5 million dollars"),
            ("5 million", "5,000,000"),
            ("1.50 euros", "1.5 euros"),
            ("1,5 Liter", "1.5 litres"),
            ("1,234.56", "1234.56"),
            ("1.234,56", "1,234.56"),
            ("three mice", "3 mice"),
            ("the second time", "the 2nd time"),
            ("in the 1990s", "from 1990 on"),
            ("２０２０年", "2020"),
            ("007", "7"),
            ("on 2020-10-05", "2020, 10 and 05"),
            ("version 1.2.3", "1.2.3"),
            ("192.168.0.1", "the address 192.168.0.1."),
            ("two thousand men", "2,000 men"),
            ("four million", "4 million or 4,000,000"),
            ("twenty-five of two hundred thousand", "25 of 200,000"),
            ("a hundred", "100"),
            ("ninety and nine", "90 and 9"),
            ("no number", "none here either"),
            ("three points", "1. one\n2. two\n3) three"),
        ] {
            check(source, rewrite, true);
        }
    }

    #[test]
    fn another_number_is_another_number() {
        for (source, rewrite) in [
            ("1,000 people", "10,000 people"),
            ("5 people", "5 million people"),
            ("in 1932", "in 1923"),
            ("1.5 litres", "15 litres"),
            ("version 1.2.3", "version 1.2.4"),
            ("a few", "12"),
            ("12 and 34", "1234"),
            ("3.14", "3.15"),
            ("three", "4"),
            ("two thousand", "2"),
            ("twenty-five", "20"),
            ("a house", "1"),
            ("seven million", "7 billion"),
            ("160,000", "160"),
        ] {
            check(source, rewrite, false);
        }
    }
}
