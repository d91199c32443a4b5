//! E-mail addresses, in the form that mail programs write without quotes (RFC 5322's dot-atom), with the letters of other
//! scripts that RFC 6531 allows. Where a script writes no blanks an address in it has no beginning, so only its ASCII
//! part is taken.

use std::ops::Range;

use super::beside::joins;

/// The longest part before the `@` (RFC 5321), and the longest name of a host, in bytes.
const MAX_LOCAL: usize = 64;
const MAX_HOST: usize = 253;

/// `icon@2x.png` and `react@18.js` are files.
const FILES: [&str; 12] =
    ["png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "css", "js", "mjs", "ts", "json"];

fn is_local(c: char) -> bool {
    joins(c) || "!#$%&'*+/=?^`{|}~-.".contains(c)
}

pub(super) fn emails(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.match_indices('@') {
        let from = found.last().map_or(0, |last| last.end);
        let head = text.get(from..at).unwrap_or_default();
        let local = run(head.chars().rev(), MAX_LOCAL, is_local);
        let head = head.get(head.len() - local..).unwrap_or_default();
        // A dot parts two atoms; quotes and the like before the first letter belong to the text around.
        let atoms = head.rfind("..").map_or(head, |dots| head.get(dots + 2..).unwrap_or_default());
        let atoms = atoms.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_');
        let host = host(text.get(at + 1..).unwrap_or_default());
        if !atoms.is_empty() && atoms.len() <= MAX_LOCAL && !atoms.ends_with('.') && 0 < host {
            found.push(at - atoms.len()..at + 1 + host);
        }
    }
    found
}

/// The bytes of the characters in front that belong; of too many, more than `most`.
fn run(chars: impl Iterator<Item = char>, most: usize, belongs: impl Fn(char) -> bool) -> usize {
    let mut bytes = 0;
    for c in chars.take_while(|c| belongs(*c)) {
        bytes += c.len_utf8();
        if most < bytes {
            break;
        }
    }
    bytes
}

/// The bytes of a host name of two labels or more; 0 for none.
fn host(text: &str) -> usize {
    let belongs = |c: char| (joins(c) && c != '_') || matches!(c, '-' | '.');
    let name = text.get(..run(text.chars(), MAX_HOST, belongs)).unwrap_or_default();
    // What follows two dots is text again.
    let name = name.split("..").next().unwrap_or_default().trim_end_matches(['.', '-']);
    let Some((labels, top)) = name.rsplit_once('.') else { return 0 };
    // A top domain in ASCII has no other letters, so those are of the text around.
    let ascii = top.bytes().take_while(u8::is_ascii).count();
    let top = if 0 < ascii { top.get(..ascii).unwrap_or_default() } else { top };
    let top = top.trim_end_matches('-');
    let whole =
        labels.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
    let named = 2 <= top.chars().count() && top.chars().any(char::is_alphabetic);
    let file = FILES.contains(&top.to_ascii_lowercase().as_str());
    if whole && named && !file { labels.len() + 1 + top.len() } else { 0 }
}
