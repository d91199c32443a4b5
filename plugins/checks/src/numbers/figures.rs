//! Figures: where they end and what their separators may mean.

/// A number in figures.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) readings: Vec<String>,
    /// The symbol behind it, a `million` or a `%` included in the number or not as it matters.
    pub(super) end: usize,
    /// Written as before an item of a list: `2. ` or `2) `.
    pub(super) is_item: bool,
}

/// Reads the figures that begin at `start`.
pub(super) fn read(symbols: &[(usize, char)], start: usize) -> Found {
    let end = end(symbols, start);
    let figures: String = symbols.iter().skip(start).take(end - start).map(|(_, symbol)| symbol).collect();
    let after = |at: usize| symbols.get(at).map(|(_, symbol)| *symbol);
    let is_item = figures.bytes().all(|byte| byte.is_ascii_digit())
        && matches!(after(end), Some('.' | ')'))
        && after(end + 1) == Some(' ');
    let (readings, end) = scaled(readings(&figures), symbols, end);
    Found { readings, end, is_item }
}

fn digit(symbols: &[(usize, char)], at: usize) -> bool {
    symbols.get(at).is_some_and(|(_, symbol)| symbol.is_ascii_digit())
}

/// Where the figures that begin at `start` end: groups after `,`, `.` or `'`, and groups of three after a blank.
fn end(symbols: &[(usize, char)], start: usize) -> usize {
    let run = |from: usize| (from..).take_while(|&at| digit(symbols, at)).count();
    let mut length = run(start);
    let mut at = start + length;
    let mut spaced = length <= 3;
    loop {
        let next = run(at + 1);
        match symbols.get(at) {
            Some((_, ',' | '.' | '\'')) if 0 < next => spaced = false,
            Some((_, ' ')) if spaced && next == 3 => {}
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

/// The readings with a `million` after them worked in, and where the number ends then. A single letter may be a unit as
/// well, so both are kept.
fn scaled(readings: Vec<String>, symbols: &[(usize, char)], end: usize) -> (Vec<String>, usize) {
    let gap = symbols.get(end).is_some_and(|(_, symbol)| matches!(symbol, ' ' | '-' | '\n'));
    let from = end + usize::from(gap);
    let (word, after) = super::word_at(symbols, from);
    let (zeros, sure) = match (super::scale(&word), word.as_str()) {
        (Some(zeros), _) => (zeros, true),
        (None, "k") => (3, false),
        (None, "m") => (6, false),
        (None, "b") => (9, false),
        // `2nd`, `1990s`, `5th`.
        (None, "st" | "nd" | "rd" | "th" | "s") if !gap => return (readings, after),
        (None, _) => return (readings, end),
    };
    let mut scaled: Vec<String> = readings.iter().map(|reading| shifted(reading, zeros)).collect();
    if !sure {
        scaled.extend(readings);
    }
    (scaled, after)
}

pub(super) fn shifted(reading: &str, zeros: usize) -> String {
    let (whole, fraction) = reading.split_once('.').unwrap_or((reading, ""));
    let moved: String = fraction.chars().chain(std::iter::repeat('0')).take(zeros).collect();
    let rest: String = fraction.chars().skip(zeros).collect();
    canonical(&(whole.to_owned() + &moved), &rest)
}
