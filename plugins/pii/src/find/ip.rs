//! Internet addresses. By default those of the open internet alone, since no others tell who someone is.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::{before, is_word};

/// Bytes before an address in which a word tells that it is something else.
const NEAR: usize = 12;

/// Four numbers with dots are a version or a section behind one of these.
const OTHERS: [&str; 16] = [
    "version", "ver.", "ver", "v.", "release", "build", "firmware", "driver", "update", "section", "sec.",
    "chapter", "clause", "article", "oid", "§",
];

/// The longest IPv6 address in letters.
const MAX_V6: usize = 39;

pub(super) fn ips(text: &str, public_only: bool) -> Vec<Range<usize>> {
    let mut found = v4(text, public_only);
    found.extend(v6(text, public_only));
    found
}

fn v4(text: &str, public_only: bool) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if !byte.is_ascii_digit() {
            at += 1;
            continue;
        }
        let run = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        let whole = text.get(at..at + run).unwrap_or_default();
        let candidate = whole.trim_end_matches('.');
        let end = at + candidate.len();
        let apart = at == 0 || !(is_word(bytes[at - 1]) || matches!(bytes[at - 1], b'.' | b'-'));
        let ends = !bytes.get(at + run).is_some_and(|&next| is_word(next) || next == b'-');
        if apart && ends && candidate.len() <= 15 && is_ip(candidate, public_only) && !is_other(text, at) {
            found.push(at..end);
        }
        at += run;
    }
    found
}

fn is_ip(candidate: &str, public_only: bool) -> bool {
    // `1.2.3.4` is a section or a version far more often than a host.
    let short = candidate.split('.').all(|number| number.len() < 2);
    !short && candidate.parse::<Ipv4Addr>().is_ok_and(|ip| !public_only || is_public(ip))
}

fn is_other(text: &str, at: usize) -> bool {
    let near = before(text, at, NEAR);
    let near = near.trim_end_matches([' ', ':', '\u{a0}', '#']);
    OTHERS.iter().any(|word| near.ends_with(word))
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
        let apart = at == 0 || !is_word(bytes[at - 1]);
        let ends = !bytes.get(at + run).is_some_and(|&next| is_word(next));
        let candidate = text.get(at..at + run).unwrap_or_default();
        let candidate = candidate.strip_suffix(':').filter(|cut| !cut.ends_with(':')).unwrap_or(candidate);
        let public = |ip: Ipv6Addr| {
            let [first, second, ..] = ip.segments();
            first & 0xe000 == 0x2000 && (first, second) != (0x2001, 0xdb8)
        };
        let named = apart && ends && candidate.len() <= MAX_V6 && 2 <= candidate.matches(':').count();
        // `::` and `a::b` are program code.
        let long = 4 < candidate.bytes().filter(u8::is_ascii_hexdigit).count();
        if named && long && candidate.parse::<Ipv6Addr>().is_ok_and(|ip| !public_only || public(ip)) {
            found.push(at..at + candidate.len());
        }
        at += run;
    }
    found
}
