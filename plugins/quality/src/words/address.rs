//! Whether a piece of text is a web address, which is then one word.
//!
//! Said as the tokenizer of the published filters says it: an optional scheme, something before an `@`, a public IPv4
//! address or a host name whose last label is in small letters, an optional port, and any path.

use super::classes::{is_digit, is_small};

/// A label of a host name.
const LABEL_CHARS: usize = 64;

/// The last label.
const TOP_CHARS: usize = 63;

pub(super) fn is_address(text: &str) -> bool {
    // All of them have a dot in the host, and most words have none.
    text.contains('.') && (after_user(text) || after_scheme(text).is_some_and(after_user))
}

fn after_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '+' | '-' | '.');
    (scheme.chars().all(word) && 2 <= scheme.chars().count()).then_some(rest)
}

/// Whether a host with what may follow it begins at the start or behind some `@`. A host has none of the characters
/// that end one, so only the last `@` before such a character counts, and the whole costs one walk.
fn after_user(text: &str) -> bool {
    let mut from = 0;
    for (at, c) in text.char_indices() {
        match c {
            '@' if 0 < at => from = at + 1,
            ':' | '/' | '?' | '#' => {
                if from < at && ends(text.get(at..)) && is_host(text.get(from..at)) {
                    return true;
                }
                // Nothing but an `@` begins a host from here on.
                from = usize::MAX;
            }
            _ => {}
        }
    }
    from < text.len() && is_host(text.get(from..))
}

/// Whether this may follow a host: a port, a path, both.
fn ends(rest: Option<&str>) -> bool {
    let Some(rest) = rest else { return false };
    let Some(port) = rest.strip_prefix(':') else { return true };
    let digits = port.chars().take_while(|&c| is_digit(c)).count();
    let after = port.chars().nth(digits);
    (2..=5).contains(&digits) && matches!(after, None | Some('/' | '?' | '#'))
}

fn is_host(host: Option<&str>) -> bool {
    let Some(host) = host else { return false };
    let Some((labels, top)) = host.rsplit_once('.') else { return false };
    let named = (2..=TOP_CHARS).contains(&top.chars().take(TOP_CHARS + 1).count())
        && top.chars().all(is_small)
        && labels.split('.').all(is_label);
    named || is_public_ip(host)
}

fn is_label(label: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '\u{a1}'..='\u{ffff}');
    let mut chars = label.chars();
    let (Some(first), last) = (chars.next(), label.chars().next_back()) else { return false };
    inner(first)
        && last.is_some_and(inner)
        && label.chars().take(LABEL_CHARS + 1).count() <= LABEL_CHARS
        && label.chars().all(|c| inner(c) || matches!(c, '_' | '-'))
}

fn is_public_ip(host: &str) -> bool {
    let octets: Vec<&str> = host.split('.').take(5).collect();
    let [first, second, third, last] = octets.as_slice() else { return false };
    let number = |octet: &str| {
        let short = (1..=3).contains(&octet.len()) && octet.bytes().all(|byte| byte.is_ascii_digit());
        if short { octet.parse::<u32>().ok() } else { None }
    };
    let (Some(a), Some(b), Some(c), Some(d)) = (number(first), number(second), number(third), number(last))
    else {
        return false;
    };
    let padded = |octet: &&str| octet.starts_with('0');
    let public = !matches!((a, b), (10 | 127, _) | (169, 254) | (192, 168) | (172, 16..=31));
    public
        && (1..=223).contains(&a)
        && b <= 255
        && c <= 255
        && (1..=254).contains(&d)
        && ![first, last].into_iter().any(padded)
}
