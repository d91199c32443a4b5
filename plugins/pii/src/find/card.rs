//! Numbers of payment cards, by what networks issue and by their checksum.

use std::ops::Range;

use super::numbers::{Gap, Groups, Lead, begins, each, ends};

/// The longest number in digits, and what is read of a text: a card and some groups behind it.
const MAX_DIGITS: usize = 19;
const MAX_READ: usize = MAX_DIGITS + 8;

/// The lengths that most cards have, tried before those of whatever stands there as a whole: a date or a check number
/// often follows a card.
const USUAL: [usize; 3] = [16, 15, 14];

pub(super) fn cards(text: &str) -> Vec<Range<usize>> {
    each(text, |start, lead| Some(start..card(text, start, lead)?))
}

fn card(text: &str, start: usize, lead: Lead) -> Option<usize> {
    let digits = text.as_bytes().get(start..)?.iter().take(MAX_DIGITS + 1);
    if !(4..=MAX_DIGITS).contains(&digits.take_while(|byte| byte.is_ascii_digit()).count()) {
        return None;
    }
    let groups = Groups::read(text, start, MAX_READ);
    if !starts(text, start, lead, &groups) {
        return None;
    }
    let usual = USUAL.iter().filter_map(|&digits| groups.with_digits(digits));
    let usual = usual.filter(|&count| {
        let parted = groups.gap_after(count).is_some_and(Gap::parts);
        parted && is_usual(groups.sizes.get(..count).unwrap_or_default()) && !is_row(text, &groups, count)
    });
    let whole = Some(groups.sizes.len()).filter(|&count| groups.digits_of(count) <= MAX_DIGITS);
    let count = usual.chain(whole).find(|&count| is_card(&groups, count))?;
    let end = groups.end(count)?;
    ends(text, end).then_some(end)
}

/// Behind other digits a card begins where the way of writing changes, for `12/25 4111 1111 1111 1111`.
fn starts(text: &str, start: usize, lead: Lead, groups: &Groups) -> bool {
    match lead {
        Lead::Open => begins(text, start),
        Lead::Taken(_) => true,
        Lead::Left(gap, digits) => {
            let parted = gap.has(b' ') || gap.has(b'(');
            parted && (digits < 4 || groups.gaps.first().is_none_or(|next| *next != gap))
        }
    }
}

/// Groups in which cards are written: one, fours, or those of American Express and Diners Club.
fn is_usual(sizes: &[usize]) -> bool {
    sizes.len() == 1 || sizes == [4; 4] || matches!(sizes, [4, 6, 4 | 5])
}

/// Whether the groups of a card only begin a row of numbers of four digits, as tables have. A row of cards is none.
fn is_row(text: &str, groups: &Groups, count: usize) -> bool {
    let gap = groups.inner(count).first();
    let goes_on = |at: usize| groups.gap_after(at) == gap && groups.sizes.get(at) == Some(&4);
    let row = gap.is_some() && goes_on(count) && goes_on(count + 1);
    let digits = groups.digits_of(count);
    row && !groups.next(count).is_some_and(|next| {
        let rest = Groups::read(text, next, MAX_READ);
        rest.with_digits(digits).is_some_and(|count| is_card(&rest, count))
    })
}

fn is_card(groups: &Groups, count: usize) -> bool {
    let long = groups.sizes.iter().take(count.saturating_sub(1)).all(|&size| 3 < size);
    let gaps = groups.inner(count);
    let even = gaps.windows(2).all(|pair| pair[0] == pair[1])
        && gaps.iter().all(|gap| matches!(gap.marks(), b" " | b"-"));
    let digits = groups.digits.get(..groups.digits_of(count)).unwrap_or_default();
    long && even && is_issued(digits) && luhn(digits)
}

/// The first digits and the lengths that card networks issue (ISO/IEC 7812).
fn is_issued(digits: &str) -> bool {
    let first =
        |count: usize| digits.get(..count).and_then(|head| head.parse::<u32>().ok()).unwrap_or_default();
    match digits.len() {
        13 | 19 if first(1) == 4 => true,
        14 => matches!(first(3), 300..=305) || matches!(first(2), 36 | 38 | 39),
        15 => matches!(first(2), 34 | 37) || matches!(first(4), 1800 | 2131),
        16 => {
            first(1) == 4
                || matches!(first(2), 51..=55 | 62 | 65)
                || matches!(first(4), 2221..=2720 | 3528..=3589 | 6011)
                || matches!(first(3), 644..=649)
        }
        12..=19 => {
            matches!(first(4), 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763)
                || (16 < digits.len() && first(2) == 62)
        }
        _ => false,
    }
}

fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0') << (at % 2);
            if 9 < digit { digit - 9 } else { digit }
        })
        .sum();
    // All zeros have the checksum as well.
    sum.is_multiple_of(10) && 0 < sum
}
