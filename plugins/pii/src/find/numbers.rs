//! Telephone numbers, payment cards and bank accounts: groups of digits.

use std::ops::Range;

use super::{before, is_word};

/// The longest number of any kind in digits, and of the marks between two groups.
const MAX_DIGITS: usize = 19;
const MAX_GAP: usize = 3;

/// Bytes before a number in which a word tells what it is.
const NEAR: usize = 24;

/// Words before a number that is called.
const CALLED: [&str; 22] = [
    "tel",
    "phone",
    "telephone",
    "telefon",
    "téléphone",
    "teléfono",
    "telefono",
    "telefone",
    "fax",
    "mobile",
    "mobil",
    "cell",
    "call",
    "whatsapp",
    "hotline",
    "тел",
    "電話",
    "电话",
    "☎",
    "📞",
    "sms",
    "ring",
];

/// Words before a number that is something else.
const OTHERS: [&str; 14] = [
    "isbn", "issn", "ean", "doi", "sku", "order", "serial", "part", "invoice", "patent", "model", "id",
    "item", "upc",
];

/// Lengths of bank account numbers by country (SWIFT's registry).
const IBANS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 \
                     ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 \
                     LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 \
                     QA29 RO24 RS22 SA24 SC31 SD18 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20";

/// A number as it is written: where, its digits in groups, and what stands between them.
struct Number {
    span: Range<usize>,
    digits: String,
    groups: Vec<usize>,
    gaps: Vec<String>,
}

/// All runs of digits with at most a few marks between two groups.
fn numbers(text: &str) -> Vec<Number> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if !byte.is_ascii_digit() {
            at += 1;
            continue;
        }
        let mut number = Number { span: at..at, digits: String::new(), groups: Vec::new(), gaps: Vec::new() };
        let mut next = at;
        loop {
            let group = bytes[next..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            number.digits.push_str(text.get(next..next + group).unwrap_or_default());
            number.groups.push(group);
            next += group;
            number.span.end = next;
            let mark = |byte: &&u8| matches!(byte, b' ' | b'-' | b'.' | b'(' | b')' | b'/');
            let gap = bytes[next..].iter().take(MAX_GAP + 1).take_while(mark).count();
            let more = bytes.get(next + gap).is_some_and(u8::is_ascii_digit);
            if !(1..=MAX_GAP).contains(&gap) || !more || MAX_DIGITS < number.digits.len() {
                break;
            }
            number.gaps.push(text.get(next..next + gap).unwrap_or_default().to_owned());
            next += gap;
        }
        at = number.span.end;
        found.push(number);
    }
    found
}

impl Number {
    /// No letter, digit or decimal mark on either side.
    fn stands_alone(&self, text: &str, end: usize) -> bool {
        let bytes = text.as_bytes();
        let before = self.span.start.checked_sub(1).and_then(|at| bytes.get(at)).copied();
        let after = bytes.get(end).copied();
        let joins = |byte: u8| is_word(byte) || matches!(byte, b'-' | b'/' | b'=' | b'#' | b'$');
        let decimal = after == Some(b',') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        let ends = after.is_some_and(|byte| is_word(byte) || byte == b'%' || byte == b'=');
        !before.is_some_and(joins) && !ends && !decimal
    }

    fn gaps_are(&self, allowed: &[&str]) -> bool {
        self.gaps.iter().all(|gap| allowed.contains(&gap.as_str()))
    }
}

fn has_word(near: &str, words: &[&str]) -> bool {
    near.split(|c: char| !c.is_alphanumeric() && c != '☎' && c != '📞').any(|word| words.contains(&word))
}

pub(super) fn phones(text: &str) -> Vec<Range<usize>> {
    numbers(text).into_iter().filter_map(|number| phone(text, &number)).collect()
}

/// The bytes of an extension right behind a number: `x123`.
fn extension(bytes: &[u8]) -> usize {
    let digits = bytes.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    let ends = !bytes.get(digits + 1).is_some_and(|&byte| is_word(byte));
    if bytes.first() == Some(&b'x') && (1..=5).contains(&digits) && ends { digits + 1 } else { 0 }
}

fn phone(text: &str, number: &Number) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let Range { start, end } = number.span;
    let end = end + extension(bytes.get(end..).unwrap_or_default());
    let near = before(text, start, NEAR);
    if !(7..=15).contains(&number.digits.len()) || has_word(&near, &OTHERS) {
        return None;
    }
    let front = bytes.get(..start).unwrap_or_default();
    let opened = front.ends_with(b"(");
    let plus = front.ends_with(b"+") || front.ends_with(b"+(") || front.ends_with(b"(+");
    if plus {
        let marks = front.iter().rev().take_while(|byte| matches!(byte, b'+' | b'(')).count();
        let from = start - marks;
        let apart = from.checked_sub(1).and_then(|at| bytes.get(at)).is_none_or(|&byte| !is_word(byte));
        let valid = apart && !number.digits.starts_with('0') && 8 <= number.digits.len();
        let follows = bytes.get(end).is_some_and(|&byte| is_word(byte));
        return (valid && !follows).then_some(from..end);
    }
    if !number.stands_alone(text, end) {
        return None;
    }
    let from =
        if opened && number.gaps.first().is_some_and(|gap| gap.starts_with(')')) { start - 1 } else { start };
    let called = has_word(&near, &CALLED) && !is_date(number);
    (called || is_north_american(number) || is_national(number, from < start)).then_some(from..end)
}

/// Days, months and years are written in the same marks.
fn is_date(number: &Number) -> bool {
    number.digits.len() == 8 && number.groups.len() == 3
}

/// Three, three and four digits, the first two groups not below 2; maybe a 1 before.
fn is_north_american(number: &Number) -> bool {
    let groups = number.groups.as_slice();
    let (groups, digits) = match groups.split_first() {
        Some((1, rest)) if number.digits.starts_with('1') => (rest, number.digits.get(1..)),
        Some(_) | None => (groups, Some(number.digits.as_str())),
    };
    let first = |at| digits.and_then(|digits| digits.as_bytes().get(at)).is_some_and(|digit| b'2' <= *digit);
    groups == [3, 3, 4] && first(0) && first(3) && number.gaps_are(&["-", ".", " ", ") ", ")", " (", "-("])
}

/// A trunk prefix 0: in brackets, or five pairs as in France, or 00 and a country.
fn is_national(number: &Number, bracketed: bool) -> bool {
    let pairs = number.groups == [2; 5] && number.gaps_are(&[" ", "."]);
    let abroad = number.digits.starts_with("00") && 3 <= number.groups.len() && 10 <= number.digits.len();
    let single = number.groups.last() == Some(&1);
    number.digits.starts_with('0') && 9 <= number.digits.len() && !single && (bracketed || pairs || abroad)
}

pub(super) fn cards(text: &str) -> Vec<Range<usize>> {
    let is = |number: &Number| {
        let grouped = number.groups.len() == 1 || number.groups.iter().rev().skip(1).all(|&group| 3 < group);
        let even = number.gaps.windows(2).all(|pair| pair[0] == pair[1]) && number.gaps_are(&[" ", "-"]);
        number.stands_alone(text, number.span.end)
            && grouped
            && even
            && is_issued(&number.digits)
            && luhn(&number.digits)
    };
    numbers(text).into_iter().filter(is).map(|number| number.span).collect()
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

pub(super) fn ibans(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while at + 4 <= bytes.len() {
        let head = &bytes[at..at + 4];
        let begins = head[..2].iter().all(u8::is_ascii_uppercase) && head[2..].iter().all(u8::is_ascii_digit);
        let apart = at == 0 || !is_word(bytes[at - 1]);
        match (begins && apart).then(|| iban(text, at)).flatten() {
            Some(end) => {
                found.push(at..end);
                at = end;
            }
            None => at += 1,
        }
    }
    found
}

/// Where an account number that begins here ends.
fn iban(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let country = text.get(at..at + 2)?;
    let length: usize =
        IBANS.split_ascii_whitespace().find_map(|entry| entry.strip_prefix(country)?.parse().ok())?;
    let mut code = Vec::with_capacity(length);
    let mut end = at;
    while code.len() < length {
        let byte = *bytes.get(end)?;
        if byte.is_ascii_digit() || byte.is_ascii_uppercase() {
            code.push(byte);
        } else if !matches!(byte, b' ' | b'-') || bytes.get(end - 1) == Some(&byte) {
            return None;
        }
        end += 1;
    }
    let ends = !bytes.get(end).is_some_and(|&next| is_word(next));
    code.rotate_left(4);
    let rest = code.iter().fold(0_u32, |rest, &byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    (ends && rest == 1).then_some(end)
}
