//! Numbers as they are written: groups of digits with marks between them.
//!
//! What a number means is not known here, so neither is where it ends: often another one follows after a blank. Whoever
//! looks for a kind of number tries the groups from each place where one may begin.

use std::ops::Range;

use super::beside::{char_after, char_before, joins};

/// The most marks between two groups of a number: `+43 – (0)1`.
const MAX_GAP: usize = 4;

/// The most digits behind a decimal comma.
const MAX_DECIMALS: usize = 3;

/// The marks between two groups, in ASCII, filled up with zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap([u8; MAX_GAP]);

impl Gap {
    pub(super) fn marks(&self) -> &[u8] {
        self.0.split(|mark| *mark == 0).next().unwrap_or_default()
    }

    pub(super) fn has(&self, mark: u8) -> bool {
        self.0.contains(&mark)
    }

    /// Whether a number may end here although digits follow: `-5` and `.5` go on with it.
    pub(super) fn parts(&self) -> bool {
        b" ()/".iter().any(|mark| self.has(*mark))
    }
}

/// A mark that may stand between two groups, in ASCII: typographic blanks and hyphens are blanks and hyphens.
pub(super) fn mark(c: char) -> Option<u8> {
    match c {
        ' ' | '\u{a0}' | '\u{202f}' => Some(b' '),
        '-' | '\u{2010}'..='\u{2013}' => Some(b'-'),
        '.' => Some(b'.'),
        '(' => Some(b'('),
        ')' => Some(b')'),
        '/' => Some(b'/'),
        _ => None,
    }
}

/// The marks from here to the next digit, and where that is.
fn gap(text: &str, from: usize) -> Option<(Gap, usize)> {
    let mut marks = [0; MAX_GAP];
    let mut at = from;
    for slot in &mut marks {
        let c = char_after(text, at)?;
        if c.is_ascii_digit() {
            break;
        }
        *slot = mark(c)?;
        at += c.len_utf8();
    }
    let follows = from < at && char_after(text, at)?.is_ascii_digit();
    follows.then_some((Gap(marks), at))
}

/// What stands before a group.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lead {
    /// No number.
    Open,
    /// A number that was taken.
    Taken(Gap),
    /// A group of so many digits that nobody took.
    Left(Gap, usize),
}

/// Every place where a number may begin, in order. `take` says up to where it takes the number, which goes on from there.
pub(super) fn each(
    text: &str,
    mut take: impl FnMut(usize, Lead) -> Option<Range<usize>>,
) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut before: Option<Range<usize>> = None;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if !byte.is_ascii_digit() {
            at += 1;
            continue;
        }
        let linked = before
            .as_ref()
            .and_then(|before| Some((gap(text, before.end).filter(|(_, next)| *next == at)?.0, before)));
        let lead = match linked {
            Some((gap, before)) if found.last().is_some_and(|last| last.end == before.end) => {
                Lead::Taken(gap)
            }
            Some((gap, before)) => Lead::Left(gap, before.len()),
            None => Lead::Open,
        };
        if let Some(span) = take(at, lead) {
            before = Some(at..span.end);
            at = span.end;
            found.push(span);
        } else {
            let end = at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            before = Some(at..end);
            at = end;
        }
    }
    found
}

/// The groups from one place on, as far as a number may reach.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) digits: String,
    /// The digits of each group, those up to its end, and the place behind it.
    pub(super) sizes: Vec<usize>,
    totals: Vec<usize>,
    ends: Vec<usize>,
    /// What stands between two groups.
    pub(super) gaps: Vec<Gap>,
}

impl Groups {
    /// Groups until there are so many digits; of a longer group only its beginning.
    pub(super) fn read(text: &str, start: usize, most: usize) -> Self {
        let mut groups = Self::default();
        let mut at = start;
        loop {
            let digits = text.as_bytes().get(at..).unwrap_or_default().iter().take(most + 1);
            let size = digits.take_while(|byte| byte.is_ascii_digit()).count();
            groups.digits.push_str(text.get(at..at + size).unwrap_or_default());
            groups.sizes.push(size);
            groups.totals.push(groups.digits.len());
            groups.ends.push(at + size);
            if most < groups.digits.len() {
                break;
            }
            let Some((gap, next)) = gap(text, at + size) else { break };
            groups.gaps.push(gap);
            at = next;
        }
        groups
    }

    /// How many groups have so many digits in all.
    pub(super) fn with_digits(&self, digits: usize) -> Option<usize> {
        self.totals.binary_search(&digits).ok().map(|last| last + 1)
    }

    /// The digits of so many groups, or of all if there are fewer.
    pub(super) fn digits_of(&self, count: usize) -> usize {
        let last = count.min(self.totals.len()).checked_sub(1);
        last.and_then(|last| self.totals.get(last)).copied().unwrap_or_default()
    }

    /// The place behind so many groups.
    pub(super) fn end(&self, count: usize) -> Option<usize> {
        self.ends.get(count.checked_sub(1)?).copied()
    }

    /// Where the group behind so many groups begins.
    pub(super) fn next(&self, count: usize) -> Option<usize> {
        Some(self.ends.get(count)? - self.sizes.get(count)?)
    }

    /// The gap behind so many groups, if another group follows.
    pub(super) fn gap_after(&self, count: usize) -> Option<&Gap> {
        self.gaps.get(count.checked_sub(1)?)
    }

    /// The gaps within so many groups.
    pub(super) fn inner(&self, count: usize) -> &[Gap] {
        self.gaps.get(..count.saturating_sub(1)).unwrap_or_default()
    }
}

/// Whether no letter, no sign of money or count and no mark of a longer number stands before a number.
pub(super) fn begins(text: &str, start: usize) -> bool {
    let marks = ['-', '/', '=', '#', '№', '−', '$', '€', '£', '¥', '￥', '₹', '₽', '₩', '฿', '₺', '₫'];
    !char_before(text, start).is_some_and(|c| joins(c) || marks.contains(&c))
}

/// Whether no letter, no unit and no decimal part stands behind a number.
pub(super) fn ends(text: &str, end: usize) -> bool {
    let marks = ['%', '=', '°', '‰', '％', '$', '€', '£', '¥', '₹', '₽', '₩', '฿', '₺', '₫'];
    let after = char_after(text, end);
    !is_decimal(text, end) && !after.is_some_and(|c| joins(c) || marks.contains(&c))
}

/// Whether a comma and a few digits follow, and not the next number of a list.
fn is_decimal(text: &str, end: usize) -> bool {
    let tail = text.get(end..).and_then(|tail| tail.strip_prefix(',')).unwrap_or_default();
    let digits = tail.bytes().take(MAX_DECIMALS + 1).take_while(u8::is_ascii_digit).count();
    let goes_on = tail.get(digits..).is_some_and(|rest| rest.starts_with(['-', '.', '/']));
    (1..=MAX_DECIMALS).contains(&digits) && !goes_on
}
