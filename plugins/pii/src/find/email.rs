//! E-mail addresses, in the form that mail programs write without quotes (RFC 5322's dot-atom).

use std::ops::Range;

/// The longest part before the `@` (RFC 5321), and the longest name of a host.
const MAX_LOCAL: usize = 64;
const MAX_HOST: usize = 253;

/// `icon@2x.png` and `react@18.js` are files.
const FILES: [&str; 12] =
    ["png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "css", "js", "mjs", "ts", "json"];

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-.".contains(&byte)
}

pub(super) fn emails(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.match_indices('@') {
        let from = found.last().map_or(0, |last| last.end);
        let head = bytes.get(from..at).unwrap_or_default();
        let local = head.iter().rev().take(MAX_LOCAL + 1).take_while(|byte| is_local(**byte)).count();
        let head = head.get(head.len() - local..).unwrap_or_default();
        // A dot parts two atoms; quotes and the like before the first letter belong to the text around.
        let atoms = head.windows(2).rposition(|pair| pair == b"..").map_or(0, |dots| dots + 2);
        let lead = head.iter().skip(atoms).take_while(|byte| !byte.is_ascii_alphanumeric() && **byte != b'_');
        let start = at - local + atoms + lead.count();
        let end = at + 1 + host(bytes.get(at + 1..).unwrap_or_default());
        if start < at && at - start <= MAX_LOCAL && bytes[at - 1] != b'.' && at + 1 < end {
            found.push(start..end);
        }
    }
    found
}

/// The bytes of a host name of two labels or more; 0 for none.
fn host(bytes: &[u8]) -> usize {
    let run = bytes
        .iter()
        .take(MAX_HOST + 1)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
        .count();
    let Ok(mut name) = std::str::from_utf8(bytes.get(..run).unwrap_or_default()) else { return 0 };
    // What follows two dots is text again.
    name = name.split("..").next().unwrap_or_default().trim_end_matches(['.', '-']);
    let Some((labels, top)) = name.rsplit_once('.') else { return 0 };
    let whole =
        labels.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
    let named = 2 <= top.len() && top.bytes().any(|byte| byte.is_ascii_alphabetic());
    let file = FILES.contains(&top.to_ascii_lowercase().as_str());
    if whole && named && !file { name.len() } else { 0 }
}
