//! International bank account numbers (ISO 13616), by their country's length and their checksum.

use std::ops::Range;

use super::beside::{char_after, char_before, joins};
use super::numbers::mark;

/// Lengths of bank account numbers by country (SWIFT's registry).
const IBANS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 \
                     ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 \
                     LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 \
                     QA29 RO24 RS22 SA24 SC31 SD18 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20";

pub(super) fn ibans(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while at + 4 <= bytes.len() {
        let head = &bytes[at..at + 4];
        let begins = head[..2].iter().all(u8::is_ascii_uppercase) && head[2..].iter().all(u8::is_ascii_digit);
        let apart = begins && !char_before(text, at).is_some_and(joins);
        match apart.then(|| iban(text, at)).flatten() {
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
    let country = text.get(at..at + 2)?;
    let length: usize =
        IBANS.split_ascii_whitespace().find_map(|entry| entry.strip_prefix(country)?.parse().ok())?;
    let mut code = Vec::with_capacity(length);
    let mut end = at;
    let mut marked = false;
    while code.len() < length {
        let c = char_after(text, end)?;
        match u8::try_from(c) {
            Ok(byte @ (b'0'..=b'9' | b'A'..=b'Z')) => {
                code.push(byte);
                marked = false;
            }
            // One mark between two groups.
            _ if !marked && matches!(mark(c), Some(b' ' | b'-')) => marked = true,
            _ => return None,
        }
        end += c.len_utf8();
    }
    code.rotate_left(4);
    let rest = code.iter().fold(0_u32, |rest, &byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    (rest == 1 && !char_after(text, end).is_some_and(joins)).then_some(end)
}
