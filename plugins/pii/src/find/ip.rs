//! Internet addresses. By default those of the open internet alone, since no others tell who someone is.
//!
//! Four numbers with dots may as well be a version or a section. Two addresses in a million have single digits only, so
//! there the text around must say that it is an address; all others are taken unless a word before says otherwise.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::beside::{before, char_after, char_before, ends_with_word, is_unspaced, joins, last_word};

/// Bytes before an address in which a word tells that it is something else.
const NEAR: usize = 24;

/// The same for single digits, where the word need not stand right before.
const AROUND: usize = 32;

/// Four numbers with dots are a version or a section behind one of these.
const OTHERS: [&str; 31] = [
    "version",
    "versions",
    "ver.",
    "ver",
    "v.",
    "v",
    "revision",
    "rev.",
    "rev",
    "release",
    "build",
    "firmware",
    "driver",
    "update",
    "section",
    "sections",
    "sec.",
    "chapter",
    "chapters",
    "clause",
    "article",
    "paragraph",
    "oid",
    "§",
    "版本",
    "版",
    "第",
    "バージョン",
    "버전",
    "версия",
    "версии",
];

/// Words that speak of an address.
const ADDRESSES: [&str; 22] = [
    "ip",
    "ips",
    "ipv4",
    "dns",
    "address",
    "addresses",
    "addr",
    "adresse",
    "ping",
    "nameserver",
    "nameservers",
    "resolver",
    "resolvers",
    "gateway",
    "traceroute",
    "nslookup",
    "whois",
    "地址",
    "アドレス",
    "주소",
    "адрес",
    "адреса",
];

/// The longest addresses in letters, and what stands between two in a list.
const MAX_V4: usize = 15;
const MAX_V6: usize = 39;
const MAX_LIST: usize = 8;

pub(super) fn ips(text: &str, public_only: bool) -> Vec<Range<usize>> {
    let mut found = v4(text, public_only);
    found.extend(v6(text, public_only));
    found
}

fn v4(text: &str, public_only: bool) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found: Vec<Range<usize>> = Vec::new();
    // The end of the last four numbers, found or not.
    let mut last = None;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if !byte.is_ascii_digit() {
            at += 1;
            continue;
        }
        let run = bytes[at..].iter().take_while(|byte| is_part(**byte)).count();
        if let Some((length, ip)) =
            address(text, at).filter(|_| begins(text, at, last) && ends(text, at + run))
        {
            let span = at..at + length;
            last = Some(span.end);
            let taken = if ip.octets().iter().all(|octet| *octet < 10) {
                is_spoken_of(text, &span, ip, found.last())
            } else {
                let near = before(text, at, NEAR);
                !ends_with_word(near.trim_end_matches([' ', ':', '：', '\u{a0}', '\u{202f}', '#']), &OTHERS)
            };
            if taken && (!public_only || is_public(ip)) {
                found.push(span);
            }
        }
        at += run;
    }
    found
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'.'
}

/// The four numbers that begin here, and their bytes.
fn address(text: &str, at: usize) -> Option<(usize, Ipv4Addr)> {
    let bytes = text.as_bytes().get(at..)?;
    let run = bytes.iter().take(MAX_V4 + 1).take_while(|byte| is_part(**byte)).count();
    // Dots of a sentence may follow; more digits may not.
    let whole = text.get(at..at + run)?.trim_end_matches('.');
    let rest = bytes.get(whole.len()..)?.iter().find(|byte| **byte != b'.');
    let ends = !rest.is_some_and(u8::is_ascii_digit);
    Some((whole.len(), whole.parse().ok().filter(|_| ends)?))
}

/// Nothing stands before that goes on with the number; `-` only behind another address.
fn begins(text: &str, at: usize, last: Option<usize>) -> bool {
    match char_before(text, at) {
        Some('-') => last == Some(at - 1) || !char_before(text, at - 1).is_some_and(joins),
        Some(c) => c != '.' && !joins(c),
        None => true,
    }
}

/// Nothing follows that goes on with the number; `-` only before another address.
fn ends(text: &str, end: usize) -> bool {
    match char_after(text, end) {
        Some('-') => !char_after(text, end + 1).is_some_and(joins) || address(text, end + 1).is_some(),
        Some(c) => !joins(c),
        None => true,
    }
}

/// `8.8.8.8`: resolvers have such numbers, and no version counts like that.
fn is_one_digit(ip: Ipv4Addr) -> bool {
    let [a, b, c, d] = ip.octets();
    (a, b, c) == (b, c, d)
}

/// Whether a heading begins here: the number at the start of a line, words in capitals or without blanks behind it.
fn is_title(text: &str, span: &Range<usize>) -> bool {
    let head = text.get(..span.start).unwrap_or_default().trim_end_matches([' ', '\t', '#', '*']);
    let opens = head.is_empty() || head.ends_with('\n');
    let tail = text.get(span.end..).unwrap_or_default().trim_start_matches('.');
    let title = tail.chars().take(AROUND).find(|c| !matches!(c, ' ' | '\t' | '\u{a0}'));
    opens && title.is_some_and(|c| c.is_uppercase() || is_unspaced(c))
}

/// Whether the text around speaks of an address: by a word, by a port or a network's size, or by an address before it.
fn is_spoken_of(text: &str, span: &Range<usize>, ip: Ipv4Addr, found: Option<&Range<usize>>) -> bool {
    let near = before(text, span.start, AROUND);
    let (named, other) = (last_word(&near, &ADDRESSES), last_word(&near, &OTHERS));
    if named != other {
        return other < named;
    }
    let list = found.and_then(|last| text.get(last.end..span.start)).filter(|list| list.len() <= MAX_LIST);
    let list =
        list.map(|list| list.trim_matches([' ', '\t', '\n', ',', ';', '/', '|', '-', '–', '、', '，']));
    let tail = text.get(span.end..).unwrap_or_default();
    let sized =
        tail.strip_prefix([':', '/']).is_some_and(|tail| tail.starts_with(|c: char| c.is_ascii_digit()));
    let host = text.get(..span.start).is_some_and(|head| head.ends_with("//") || head.ends_with('@'));
    let resolver = is_one_digit(ip) && !is_title(text, span);
    resolver
        || sized
        || host
        || list.is_some_and(|list| ["", "and", "or", "&", "to", "和", "或"].contains(&list))
}

/// What is reachable from everywhere and no group of hosts (IANA's registry of special addresses).
fn is_public(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let assigned = (a, b, c) == (192, 0, 0);
    let benchmark = a == 198 && matches!(b, 18 | 19);
    !(a == 0
        || 224 <= a
        || shared
        || assigned
        || benchmark
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation())
}

fn v6(text: &str, public_only: bool) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let part = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b':';
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if !part(&byte) {
            at += 1;
            continue;
        }
        let run = bytes[at..].iter().take_while(|byte| part(byte)).count();
        let end = at + run;
        if !char_after(text, end).is_some_and(joins) {
            let whole = Some(at).filter(|_| !char_before(text, at).is_some_and(joins));
            let mut starts = whole.into_iter().chain(behind_label(bytes, at, run));
            found.extend(starts.find_map(|start| Some(start..start + v6_at(text, start..end, public_only)?)));
        }
        at = end;
    }
    found
}

/// The place behind the `IPv6:` whose end the run begins with, since its `6` or its `:` might be of an address.
fn behind_label(bytes: &[u8], at: usize, run: usize) -> Option<usize> {
    let colon = bytes.get(at..at + run)?.iter().take(MAX_V6).position(|byte| *byte == b':')?;
    // A group of an address stands alone and has at most four digits.
    let label = colon == 0 || 4 < colon || bytes[..at].last().is_some_and(u8::is_ascii_alphanumeric);
    let next = at + colon + 1;
    (label && bytes.get(next).is_some_and(u8::is_ascii_hexdigit)).then_some(next)
}

/// The bytes of the address that is all of these, maybe but a colon at the end.
fn v6_at(text: &str, span: Range<usize>, public_only: bool) -> Option<usize> {
    let candidate = text.get(span).filter(|candidate| candidate.len() <= MAX_V6 + 1)?;
    let candidate = candidate.strip_suffix(':').filter(|cut| !cut.ends_with(':')).unwrap_or(candidate);
    let ip: Ipv6Addr = candidate.parse().ok()?;
    let [first, second, ..] = ip.segments();
    let public = first & 0xe000 == 0x2000 && (first, second) != (0x2001, 0xdb8);
    // `::` and `a::b` are program code.
    let long = 4 < candidate.bytes().filter(u8::is_ascii_hexdigit).count();
    (long && (public || !public_only)).then_some(candidate.len())
}
