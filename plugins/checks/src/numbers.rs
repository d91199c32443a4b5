//! The numbers of a text, however they are written: `4,200,000`, `4.2 million` and `4 200 000` are one number, and so are
//! `July` and the 7 of a date. Knows figures, English number words and months, and not what is counted.

mod figures;

use std::collections::BTreeSet;

/// How a number is written, which says how sure it is that it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Written {
    /// `1,932`, `4.2 million`, `2nd`.
    Figures,
    /// `twenty-five`, `two hundred thousand`.
    Words,
    /// The name of a month; its readings are `month 7` and `7`.
    Month,
    /// `first`, `half`, `a dozen`, `one`: words that may be more of a turn of phrase than a number.
    Loose,
}

/// A number of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// Where its bytes begin.
    pub start: usize,
    /// Where they end, exclusive.
    pub end: usize,
    /// All values that its spelling allows, at least one.
    pub readings: Vec<String>,
    pub written: Written,
}

impl Number {
    /// Whether the two may be the same number.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.readings.iter().any(|reading| other.readings.contains(reading))
    }
}

/// All numbers in their order. The number that begins an item of a list is none.
#[must_use]
pub fn find(text: &str) -> Vec<Number> {
    let symbols: Vec<(usize, char)> = text.char_indices().map(|(at, symbol)| (at, plain(symbol))).collect();
    let place = |at: usize| symbols.get(at).map_or(text.len(), |(place, _)| *place);
    let mut numbers = Vec::new();
    let (mut at, mut opens) = (0, true);
    while let Some(&(_, symbol)) = symbols.get(at) {
        if symbol.is_ascii_digit() {
            let found = figures::read(&symbols, at);
            let item = opens && found.is_item;
            if !item {
                let (start, end) = (place(at), place(found.end));
                numbers.push(Number {
                    start,
                    end,
                    readings: spans(found.readings, &symbols, found.end),
                    written: Written::Figures,
                });
            }
            at = found.end;
        } else if symbol.is_alphabetic() {
            let (number, next) = word_number(&symbols, at);
            let number = number.map(|(readings, written)| (spans(readings, &symbols, next), written));
            if let Some((readings, written)) = number {
                numbers.push(Number { start: place(at), end: place(next), readings, written });
            }
            at = next;
        } else {
            opens = symbol == '\n' || opens && matches!(symbol, ' ' | '\t' | '-' | '*' | '(');
            at += 1;
            continue;
        }
        opens = false;
    }
    numbers
}

/// The numbers of a text as a set of readings.
#[derive(Debug, Clone, Default)]
pub struct Numbers(BTreeSet<String>);

/// Reads the numbers of a text, those in English words among them.
#[must_use]
pub fn of(text: &str) -> Numbers {
    Numbers(find(text).into_iter().flat_map(|number| number.readings).collect())
}

impl Numbers {
    /// Whether every number in figures of `text` has a reading that is one of these.
    #[must_use]
    pub fn hold(&self, text: &str) -> bool {
        find(text).iter().all(|number| number.written != Written::Figures || self.has(number))
    }

    /// Whether one of the number's readings is one of these.
    #[must_use]
    pub fn has(&self, number: &Number) -> bool {
        number.readings.iter().any(|reading| self.0.contains(reading))
    }
}

/// Full-width figures are figures; other scripts' are left alone, as their texts mix them seldom.
fn plain(symbol: char) -> char {
    match symbol {
        '０'..='９' => char::from_digit(u32::from(symbol) - u32::from('０'), 10).unwrap_or(symbol),
        '\u{a0}' | '\u{202f}' | '\u{2009}' => ' ',
        '’' => '\'',
        other => other,
    }
}

/// The word that begins at `at` in lower case, and where it ends. Words longer than any number's come back empty.
fn word_at(symbols: &[(usize, char)], at: usize) -> (String, usize) {
    const LONGEST: usize = 12;
    let letters = symbols.iter().skip(at).take_while(|(_, symbol)| symbol.is_alphabetic());
    let (mut word, mut length) = (String::new(), 0);
    for &(_, letter) in letters {
        length += 1;
        if length <= LONGEST {
            word.extend(letter.to_lowercase());
        }
    }
    if LONGEST < length {
        word.clear();
    }
    (word, at + length)
}

/// Where the next word begins, if only a blank, a line's end or a hyphen is between.
fn next_word(symbols: &[(usize, char)], end: usize) -> Option<usize> {
    let between = symbols.get(end)?.1;
    let letter = symbols.get(end + 1)?.1;
    (matches!(between, ' ' | '-' | '\n') && letter.is_alphabetic()).then_some(end + 1)
}

/// The readings of a number before a word for several, `two decades` and `3 dozen`, and what that comes to.
fn spans(mut readings: Vec<String>, symbols: &[(usize, char)], end: usize) -> Vec<String> {
    let each: u32 = match next_word(symbols, end).map(|at| word_at(symbols, at).0).as_deref() {
        Some("decade" | "decades") => 10,
        Some("dozen") => 12,
        Some("century" | "centuries") => 100,
        _ => return readings,
    };
    let products = readings.iter().filter_map(|one| one.parse::<u32>().ok()?.checked_mul(each));
    let products: Vec<String> = products.map(|product| product.to_string()).collect();
    readings.extend(products);
    readings
}

const MAX_ZEROS: usize = 18;

fn word_number(symbols: &[(usize, char)], at: usize) -> (Option<(Vec<String>, Written)>, usize) {
    let (word, mut end) = word_at(symbols, at);
    let capital = symbols.get(at).is_some_and(|(_, letter)| letter.is_uppercase());
    if let Some(month) = MONTHS.iter().position(|known| capital && *known == word) {
        return (Some((vec![format!("month {}", month + 1), (month + 1).to_string()], Written::Month)), end);
    }
    if let Some(values) = loose(&word) {
        return (Some((values, Written::Loose)), end);
    }
    let following = |end: usize| next_word(symbols, end).map(|start| word_at(symbols, start));
    let scaled = |end: usize| following(end).and_then(|(word, end)| Some((scale(&word)?, end)));
    let unit = (word == "a" && scaled(end).is_some()).then_some(1);
    let Some(mut value) = small(&word).or(unit) else { return (None, end) };
    let single = value == 1;
    if value.is_multiple_of(10)
        && 20 <= value
        && let Some((next, after)) = following(end)
        && let Some(ones) = small(&next).filter(|ones| (1..10).contains(ones))
    {
        value += ones;
        end = after;
    }
    let mut zeros = 0;
    // "two hundred thousand"; a page of nothing but "million" is not a number.
    while zeros < MAX_ZEROS
        && let Some((more, after)) = scaled(end)
    {
        zeros += more;
        end = after;
    }
    let written = if single && zeros == 0 { Written::Loose } else { Written::Words };
    (Some((vec![figures::shifted(&value.to_string(), zeros)], written)), end)
}

const SMALL: [&str; 20] = [
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
    place(&SMALL).or_else(|| Some(place(&TENS)? * 10 + 20))
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

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const ORDINALS: [&str; 10] =
    ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];

/// What a word that is not quite a number may stand for.
fn loose(word: &str) -> Option<Vec<String>> {
    let values: &[&str] = match word {
        "half" | "halve" | "halved" | "halves" => &["2", "50", "0.5"],
        "third" | "thirds" => &["3", "33"],
        "quarter" | "quarters" => &["4", "25"],
        "twice" | "double" | "doubled" | "doubling" | "couple" | "pair" | "both" | "twin" | "twins"
        | "twofold" => &["2"],
        "triple" | "tripled" | "treble" | "trebled" | "trio" | "threefold" => &["3"],
        "quadruple" | "quadrupled" | "fourfold" => &["4"],
        "tenfold" => &["10"],
        "once" | "single" => &["1"],
        "dozen" | "dozens" => &["12"],
        "decade" | "decades" => &["10"],
        "century" | "centuries" => &["100"],
        "hundreds" => &["100"],
        "thousands" => &["1000"],
        "millions" => &["1000000"],
        "billions" => &["1000000000"],
        "noon" | "midday" | "midnight" => &["12"],
        "weekly" | "week" => &["7"],
        "annual" | "annually" | "yearly" => &["1", "12"],
        _ => {
            let ordinal = ORDINALS.iter().position(|known| *known == word)?;
            return Some(vec![(ordinal + 1).to_string()]);
        }
    };
    Some(values.iter().map(|value| (*value).to_owned()).collect())
}

#[cfg(test)]
mod tests;
