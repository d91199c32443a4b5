//! Where personal data stands in a text: each kind by its form and, where it has one, by its checksum.
//!
//! Ordinary text is full of numbers, so each form is narrow: what is as likely a version, a date, an ISBN or an
//! article number is left alone. Nothing is known of whose data it is, and names are not looked for.

mod beside;
mod card;
mod email;
mod iban;
mod ip;
mod numbers;
mod phone;

use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;

/// A kind of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// International bank account numbers, with their checksum.
    Iban,
    /// Numbers of payment cards, with their checksum.
    Card,
    /// E-mail addresses.
    Email,
    /// Internet addresses, IPv4 and IPv6.
    Ip,
    /// Telephone numbers.
    Phone,
}

/// One finding, as bytes of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub kind: Kind,
    pub span: Range<usize>,
}

/// All findings of these kinds, in the order of the text, none over another. Where two claim the same place the kind
/// that knows more has it: checksums before forms.
#[must_use]
pub fn find(text: &str, kinds: &[Kind], public_ips_only: bool) -> Vec<Found> {
    let mut all = Vec::new();
    for &kind in kinds {
        let spans = match kind {
            Kind::Iban => iban::ibans(text),
            Kind::Card => card::cards(text),
            Kind::Email => email::emails(text),
            Kind::Ip => ip::ips(text, public_ips_only),
            Kind::Phone => phone::phones(text),
        };
        all.extend(spans.into_iter().map(|span| Found { kind, span }));
    }
    all.sort_unstable_by_key(|found| (found.kind, found.span.start));
    let mut taken = std::collections::BTreeMap::new();
    for found in all {
        let before = taken.range(..found.span.end).next_back();
        let free = before.is_none_or(|(_, other): (_, &Found)| other.span.end <= found.span.start);
        if free {
            taken.insert(found.span.start, found);
        }
    }
    taken.into_values().collect()
}

#[cfg(test)]
mod tests;
