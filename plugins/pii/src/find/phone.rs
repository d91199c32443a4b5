//! Telephone numbers: those of North America by their form, others behind a `+`, a trunk prefix or a word that says so.
//!
//! Where a form has no fixed length the number ends where the way of writing changes.

use std::ops::Range;

use super::beside::{before, char_before, joins, last_word};
use super::numbers::{Gap, Groups, Lead, begins, each, ends};

/// The longest number in digits (ITU-T E.164), and what is read of a text: a number and some groups behind it.
const MAX_DIGITS: usize = 15;
const MAX_READ: usize = MAX_DIGITS + 10;

/// The shortest number behind a word, behind a `+` and behind a trunk prefix.
const MIN_CALLED: usize = 7;
const MIN_ABROAD: usize = 8;
const MIN_NATIONAL: usize = 9;

/// Bytes before a number in which a word tells what it is.
const NEAR: usize = 24;

/// Words before a number that is called.
const CALLED: [&str; 28] = [
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
    "телефон",
    "電話",
    "电话",
    "手機",
    "手机",
    "携帯",
    "전화",
    "โทร",
    "☎",
    "📞",
    "sms",
    "ring",
];

/// Words before a number that is something else. The word nearest to the number decides.
const OTHERS: [&str; 14] = [
    "isbn", "issn", "ean", "doi", "sku", "order", "serial", "part", "invoice", "patent", "model", "id",
    "item", "upc",
];

/// What is counted behind a number in scripts that write no blank there.
const UNITS: [&str; 18] = [
    "元",
    "圆",
    "圓",
    "円",
    "원",
    "บาท",
    "万",
    "萬",
    "만",
    "億",
    "亿",
    "억",
    "人",
    "个",
    "個",
    "件",
    "年",
    "명",
];

/// Digits of a whole number by country, its code with them, where all numbers have as many (ITU's national plans).
const LENGTHS: [(&str, usize); 11] = [
    ("1", 11),
    ("7", 11),
    ("31", 11),
    ("33", 11),
    ("34", 11),
    ("44", 12),
    ("45", 10),
    ("47", 10),
    ("48", 11),
    ("61", 11),
    ("91", 12),
];

pub(super) fn phones(text: &str) -> Vec<Range<usize>> {
    each(text, |start, lead| phone(text, start, lead))
}

fn phone(text: &str, start: usize, lead: Lead) -> Option<Range<usize>> {
    let opened = text.get(..start)?.ends_with('(');
    if let Lead::Left(gap, _) = lead
        && !(opened || gap.has(b' '))
    {
        return None;
    }
    let groups = Groups::read(text, start, MAX_READ);
    let bracketed = opened && groups.gaps.first().is_some_and(|gap| gap.has(b')'));
    // Behind digits that are of no telephone number a form must tell that one begins, and not only a word.
    let fits = match lead {
        Lead::Left(gap, _) => bracketed || is_strict(&groups, 0, Some(&gap)),
        Lead::Open | Lead::Taken(_) => MIN_CALLED <= groups.digits.len(),
    };
    if !fits {
        return None;
    }
    let (count, from) = Number { groups: &groups, text, start, bracketed }.form(lead)?;
    let end = groups.end(count)?;
    let end = end + extension(text.as_bytes().get(end..).unwrap_or_default());
    ends(text, end).then_some(from..end)
}

/// The bytes of an extension right behind a number: `x123`.
fn extension(bytes: &[u8]) -> usize {
    let digits = bytes.iter().skip(1).take(6).take_while(|byte| byte.is_ascii_digit()).count();
    let ends = !bytes.get(digits + 1).is_some_and(|&byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if bytes.first() == Some(&b'x') && (1..=5).contains(&digits) && ends { digits + 1 } else { 0 }
}

struct Number<'a> {
    groups: &'a Groups,
    text: &'a str,
    start: usize,
    /// Whether the first digits stand in brackets.
    bracketed: bool,
}

impl Number<'_> {
    /// How many groups make up a telephone number, and where it begins with its marks.
    fn form(&self, lead: Lead) -> Option<(usize, usize)> {
        let near = before(self.text, self.start, NEAR);
        let called = last_word(&near, &CALLED);
        if called < last_word(&near, &OTHERS) {
            return None;
        }
        let front = self.text.get(..self.start)?;
        let nested = front.ends_with("+(") || front.ends_with("(+");
        if nested || front.ends_with('+') {
            let count = self.abroad("")?;
            let closed = self.groups.inner(count).iter().any(|gap| gap.has(b')'));
            let from = self.start - if nested && closed { 2 } else { 1 };
            return (!char_before(self.text, from).is_some_and(joins)).then_some((count, from));
        }
        let from = self.start - usize::from(self.bracketed);
        let (begins, called) = match lead {
            Lead::Open => (begins(self.text, self.start), called.is_some()),
            // `Tel. 030/901820 / 901821`: the word is of both.
            Lead::Taken(gap) => (true, gap.has(b'/')),
            Lead::Left(..) => (true, false),
        };
        if !begins {
            return None;
        }
        let count = self
            .north_american(called)
            .or_else(|| self.national())
            .or_else(|| self.called().filter(|_| called))?;
        Some((count, from))
    }

    /// A whole number with the code of a country, behind a `+` or a prefix.
    fn abroad(&self, prefix: &str) -> Option<usize> {
        let digits = self.groups.digits.strip_prefix(prefix)?;
        if digits.starts_with('0') {
            return None;
        }
        // `+44 (0)20`: the zero is only for calls within the country.
        let trunk = usize::from(self.has_trunk());
        let fixed = LENGTHS
            .iter()
            .find(|(code, _)| digits.starts_with(code))
            .and_then(|(_, length)| self.groups.with_digits(prefix.len() + length + trunk))
            .filter(|&count| self.may_end(count));
        fixed.or_else(|| self.until_change(MIN_ABROAD, true))
    }

    fn has_trunk(&self) -> bool {
        let at = self.groups.digits_of(1);
        self.groups.sizes.get(1) == Some(&1) && self.groups.digits.as_bytes().get(at) == Some(&b'0')
    }

    /// Three, three and four digits, maybe a 1 before.
    fn north_american(&self, called: bool) -> Option<usize> {
        let count = north_american(self.groups, 0)?;
        if !self.may_end(count) {
            return None;
        }
        // Among groups with nothing but blanks these three may be any of a row.
        let bare = !self.bracketed && self.groups.inner(count).iter().all(|gap| gap.marks() == b" ");
        let row = bare && self.groups.gap_after(count).is_some() && !self.changes(count);
        if !row {
            return Some(count);
        }
        called.then(|| self.until_change(MIN_CALLED, false).unwrap_or(count))
    }

    /// A trunk prefix 0: in brackets, or five pairs as in France, or 00 and a country.
    fn national(&self) -> Option<usize> {
        if !self.groups.digits.starts_with('0') {
            return None;
        }
        let pairs = self.groups.sizes.get(..5) == Some(&[2; 5])
            && self.groups.inner(5).iter().all(|gap| matches!(gap.marks(), b" " | b"."));
        let row = self.groups.gap_after(5) == self.groups.gaps.first()
            && self.groups.sizes.get(5) == Some(&2)
            && !self.changes(5);
        if pairs && self.may_end(5) && !row {
            return Some(5);
        }
        let count = if self.bracketed { self.until_change(MIN_NATIONAL, true) } else { self.abroad("00") }?;
        let single = self.groups.sizes.get(count - 1) == Some(&1);
        let enough = MIN_NATIONAL + usize::from(!self.bracketed) <= self.groups.digits_of(count);
        (!single && enough && (self.bracketed || 3 <= count)).then_some(count)
    }

    /// A number that a word calls one.
    fn called(&self) -> Option<usize> {
        let count = self.until_change(MIN_CALLED, false)?;
        // Days, months and years are written in the same marks.
        let date = self.groups.digits_of(count) == 8 && count == 3;
        let rest = self.groups.end(count).and_then(|end| self.text.get(end..)).unwrap_or_default();
        let counted = UNITS.iter().any(|unit| rest.starts_with(unit));
        (!date && !counted).then_some(count)
    }

    /// The groups up to where the way of writing changes, of at least so many digits. A number of North America may be the
    /// rest of one with a prefix; without one it is another number.
    fn until_change(&self, least: usize, prefixed: bool) -> Option<usize> {
        let all = self.groups.sizes.len();
        let fits = |count: &usize| (least..=MAX_DIGITS).contains(&self.groups.digits_of(*count));
        let other = |count| is_strict(self.groups, count, self.groups.gap_after(count));
        let prefixed = prefixed || self.groups.digits.starts_with('0');
        (1..=all)
            .take_while(|&count| self.groups.digits_of(count) <= MAX_DIGITS)
            .find(|&count| {
                let changes = fits(&count) && (self.changes(count) || other(count));
                count == all || changes || (!prefixed && other(count))
            })
            .filter(fits)
    }

    /// Whether so many groups may be all, whatever follows.
    fn may_end(&self, count: usize) -> bool {
        count <= self.groups.sizes.len() && self.groups.gap_after(count).is_none_or(Gap::parts)
    }

    /// Whether what follows so many groups is another number.
    fn changes(&self, count: usize) -> bool {
        let Some(gap) = self.groups.gap_after(count) else { return false };
        let blank = gap.has(b' ');
        let inner = self.groups.inner(count);
        let style = match inner {
            [] => blank && MIN_NATIONAL <= self.groups.digits_of(count),
            [..] => blank && !inner.iter().any(|gap| gap.has(b' ')),
        };
        // `2 rooms`.
        let behind = self.groups.end(count + 1).and_then(|end| self.text.get(end..)).unwrap_or_default();
        let counted = behind.strip_prefix(' ').is_some_and(|rest| rest.starts_with(char::is_alphabetic));
        let single = gap.marks() == b" " && self.groups.sizes.get(count) == Some(&1) && counted;
        // `24/7`, `12/25`, `12:30`.
        let share = self.groups.gap_after(count + 1).is_some_and(|gap| gap.marks() == b"/");
        let time =
            behind.strip_prefix(':').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let share = blank && (share || time);
        style || single || share || b"()/".iter().any(|mark| gap.has(*mark))
    }
}

/// Where a number of North America ends that begins behind so many groups: 3, 3 and 4 digits, the first two groups not
/// below 2, with marks in between as one writes them; maybe a 1 before.
fn north_american(groups: &Groups, skip: usize) -> Option<usize> {
    let digit = |count: usize| groups.digits.as_bytes().get(groups.digits_of(count)).copied();
    let one = groups.sizes.get(skip) == Some(&1) && digit(skip) == Some(b'1');
    let area = skip + usize::from(one);
    let count = area + 3;
    let fits = groups.sizes.get(area..count) == Some(&[3, 3, 4])
        && [area, area + 1].into_iter().all(|count| digit(count).is_some_and(|digit| b'2' <= digit))
        && groups.gaps.get(skip..count - 1).is_some_and(|gaps| gaps.iter().all(is_between));
    fits.then_some(count)
}

fn is_between(gap: &Gap) -> bool {
    matches!(gap.marks(), b"-" | b"." | b" " | b") " | b")" | b" (" | b"-(")
}

/// Whether a number of North America begins behind so many groups, told from them by its marks.
fn is_strict(groups: &Groups, skip: usize, before: Option<&Gap>) -> bool {
    let parted = before.is_some_and(|gap| gap.has(b' ') || gap.has(b'('));
    let marked = |count: usize| {
        groups.gaps.get(skip..count - 1).is_some_and(|gaps| gaps.iter().any(|gap| gap.marks() != b" "))
    };
    parted && north_american(groups, skip).is_some_and(marked)
}
