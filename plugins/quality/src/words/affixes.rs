//! What is split off a piece of text between two blanks: marks before it, behind it, and inside.
//!
//! The rules are those of spaCy's tokenizer, because the published filters count its tokens. Each function looks at a
//! few characters at one end, so a page of a million brackets costs a million steps.

use super::classes::{is_capital, is_letter, is_small, is_symbol};

/// Signs that are measures when a digit stands before them.
const UNITS: &str = "km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s \
                     km/h kmh mph hPa Pa mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см \
                     см² см³ мм мм² мм³ нм кг г мг м/с км/ч кПа Па мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тбكم كم² \
                     كم³ م م² م³ سم سم² سم³ مم مم² مم³ كم غرام جرام جم كغ ملغ كوب اكواب";

/// The longest of them.
const UNIT_CHARS: usize = 6;

/// Currencies of more than one character.
const DOLLARS: [&str; 3] = ["US$", "C$", "A$"];

/// Hyphens in the order in which they are tried.
const HYPHENS: [&str; 7] = ["-", "–", "—", "--", "---", "——", "~"];

fn is_quote(c: char) -> bool {
    matches!(
        c,
        '\'' | '"'
            | '”'
            | '“'
            | '`'
            | '‘'
            | '´'
            | '’'
            | '‚'
            | ','
            | '„'
            | '»'
            | '«'
            | '「'
            | '」'
            | '『'
            | '』'
            | '（'
            | '）'
            | '〔'
            | '〕'
            | '【'
            | '】'
            | '《'
            | '》'
            | '〈'
            | '〉'
            | '\u{2329}'
            | '\u{232a}'
            | '⟦'
            | '⟧'
    )
}

fn is_separator(c: char) -> bool {
    matches!(
        c,
        '…' | ','
            | ':'
            | ';'
            | '!'
            | '?'
            | '¿'
            | '؟'
            | '¡'
            | '('
            | ')'
            | '['
            | ']'
            | '{'
            | '}'
            | '<'
            | '>'
            | '_'
            | '#'
            | '*'
            | '&'
            | '。'
            | '？'
            | '！'
            | '，'
            | '、'
            | '；'
            | '：'
            | '～'
            | '·'
            | '।'
            | '،'
            | '۔'
            | '؛'
            | '٪'
    )
}

fn is_currency(c: char) -> bool {
    matches!(c, '$' | '£' | '¥' | '฿' | '﷼' | '\u{20a0}'..='\u{20bf}')
}

fn dots(text: &str) -> usize {
    text.bytes().take_while(|&byte| byte == b'.').count()
}

fn dots_at_end(text: &str) -> usize {
    text.bytes().rev().take_while(|&byte| byte == b'.').count()
}

/// How many bytes are split off at the beginning; 0 for none.
pub(super) fn prefix(text: &str) -> usize {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return 0 };
    let next = chars.next();
    let splits = match first {
        '.' => return Some(dots(text)).filter(|&run| 1 < run).unwrap_or_default(),
        '+' => !next.is_some_and(|c| c.is_ascii_digit()),
        '§' | '%' | '=' | '—' | '–' => true,
        'U' | 'C' | 'A' => {
            return DOLLARS.iter().find(|sign| text.starts_with(**sign)).map_or(0, |sign| sign.len());
        }
        _ => is_separator(first) || is_quote(first) || is_currency(first) || is_symbol(first),
    };
    if splits { first.len_utf8() } else { 0 }
}

/// How many bytes are split off at the end; 0 for none. Of several rules the one that takes most.
pub(super) fn suffix(text: &str) -> usize {
    let mut back = text.chars().rev();
    let Some(last) = back.next() else { return 0 };
    let (before, second) = (back.next(), back.next());
    if last == '.' {
        let run = dots_at_end(text);
        return if 1 < run { run } else { usize::from(full_stop(before, second)) };
    }
    let digit_before = before.is_some_and(|c| c.is_ascii_digit());
    let single = match last {
        '—' | '–' => true,
        '+' => digit_before,
        _ => is_separator(last) || is_quote(last) || is_symbol(last) || (digit_before && is_currency(last)),
    };
    let double = match (before, last) {
        (Some('…'), '…') => '…'.len_utf8() * 2,
        (Some(quote @ ('\'' | '’')), 's' | 'S') => quote.len_utf8() + 1,
        _ => 0,
    };
    double.max(if single { last.len_utf8() } else { 0 }).max(measure(text))
}

/// Whether a single full stop is no part of the word before it.
fn full_stop(before: Option<char>, second: Option<char>) -> bool {
    let Some(before) = before else { return false };
    before.is_ascii_digit()
        || is_small(before)
        || matches!(before, '%' | '²' | '-' | '+' | '|')
        || is_separator(before)
        || is_quote(before)
        || (is_capital(before) && second.is_some_and(is_capital))
        || (matches!(before, 'F' | 'f' | 'C' | 'c' | 'K' | 'k') && second == Some('°'))
}

/// The bytes of a unit or a currency right behind a digit.
fn measure(text: &str) -> usize {
    let ends = text.char_indices().rev().take(UNIT_CHARS + 1);
    let Some((at, _)) = ends.into_iter().find(|(_, c)| c.is_ascii_digit()) else { return 0 };
    let tail = text.get(at + 1..).unwrap_or_default();
    let known = !tail.is_empty()
        && (UNITS.split_ascii_whitespace().any(|unit| unit == tail) || DOLLARS.contains(&tail));
    if known { tail.len() } else { 0 }
}

/// Where a piece is split inside: start and end of each mark. After a digit a hyphen splits in English only.
pub(super) fn infixes(text: &str, digit_hyphen: bool) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut before: Option<char> = None;
    let mut skip = 0;
    for (at, c) in text.char_indices() {
        if at < skip {
            before = Some(c);
            continue;
        }
        let length = infix(before, text.get(at..).unwrap_or_default(), digit_hyphen);
        if 0 < length {
            found.push((at, at + length));
            skip = at + length;
        }
        before = Some(c);
    }
    found
}

/// The bytes of a mark inside a word, at the beginning of `rest`; 0 for none.
fn infix(before: Option<char>, rest: &str, digit_hyphen: bool) -> usize {
    let mut chars = rest.chars();
    let Some(c) = chars.next() else { return 0 };
    if c.is_ascii_alphanumeric() {
        return 0;
    }
    if c == '.' && 1 < dots(rest) {
        return dots(rest);
    }
    if c == '…' || is_symbol(c) {
        return c.len_utf8();
    }
    let (Some(before), Some(next)) = (before, chars.next()) else { return 0 };
    let digit = before.is_ascii_digit();
    let between = match c {
        '+' | '-' | '*' | '^' if digit && (next.is_ascii_digit() || next == '-') => true,
        '.' => (is_small(before) || is_quote(before)) && (is_capital(next) || is_quote(next)),
        ',' => is_letter(before) && is_letter(next),
        ':' | '<' | '>' | '=' | '/' => (digit || is_letter(before)) && is_letter(next),
        _ => false,
    };
    if between {
        return c.len_utf8();
    }
    if !(is_letter(before) || digit && digit_hyphen) {
        return 0;
    }
    let followed = |hyphen: &&&str| {
        rest.strip_prefix(**hyphen).and_then(|after| after.chars().next()).is_some_and(is_letter)
    };
    HYPHENS.iter().find(followed).map_or(0, |hyphen| hyphen.len())
}
