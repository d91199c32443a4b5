//! The stage `pii`: takes personal data out of texts and puts in what belongs to nobody.
//!
//! FineWeb masks e-mail addresses and public IP addresses; telephone numbers, payment cards and bank accounts are here
//! as well. What stands in their place is reserved for examples, so a model that learns it learns nobody's address. The
//! stage looks at forms and checksums; it knows no names.

pub mod find;

use palimpsest_plugin::{Column, Draft, Kind as ColumnKind, Outcome, Page, Stage, column, register};
use schemars::JsonSchema;
use serde::Deserialize;

use find::{Found, Kind, find};

const KINDS: [Kind; 5] = [Kind::Email, Kind::Ip, Kind::Phone, Kind::Card, Kind::Iban];

/// What is put in the place of what is found.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Replace {
    /// Default: `someone@example.com`, of a domain reserved for examples (RFC 2606).
    pub email: String,
    /// Default: `192.0.2.1`, of a range reserved for documentation (RFC 5737).
    pub ip: String,
    /// Default: `202-555-0100`, of numbers reserved for fiction.
    pub phone: String,
    /// Default: `0000 0000 0000 0000`.
    pub card: String,
    /// Default: `XX00 0000 0000 0000`; no country has this code.
    pub iban: String,
}

impl Default for Replace {
    fn default() -> Self {
        Self {
            email: "someone@example.com".to_owned(),
            ip: "192.0.2.1".to_owned(),
            phone: "202-555-0100".to_owned(),
            card: "0000 0000 0000 0000".to_owned(),
            iban: "XX00 0000 0000 0000".to_owned(),
        }
    }
}

/// Settings of the stage `pii`. It drops nothing.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What to look for: `email`, `ip`, `phone`, `card`, `iban`. Default: all. FineWeb's are `email` and `ip`.
    ///
    /// Four numbers with dots stay, unlike in FineWeb, where a word right before them tells that they are a version or a
    /// section. Four single digits (`1.2.3.4`) stay as well unless the text speaks of an address: by a word near them
    /// (`IP`, `DNS`, `ping`), a port, a network's size, or an address right before; one digit four times (`8.8.8.8`) stays
    /// only in headings and behind words of versions and sections. A telephone number stays where the nearest word
    /// before it is `order`, `part`, `ISBN` or the like rather than `call`, `phone` or the like.
    pub kinds: Vec<Kind>,
    /// Whether addresses of private and reserved networks stay. Default: true (FineWeb).
    pub public_ips_only: bool,
    /// What stands in its place, for each kind.
    pub replace: Replace,
}

impl Default for Settings {
    fn default() -> Self {
        Self { kinds: KINDS.to_vec(), public_ips_only: true, replace: Replace::default() }
    }
}

/// The stage.
#[derive(Debug)]
pub struct Pii {
    settings: Settings,
}

impl Stage for Pii {
    const NAME: &'static str = "pii";
    const SUMMARY: &'static str =
        "replaces e-mail and IP addresses, telephone, card and account numbers in texts";
    type Settings = Settings;

    fn configure(mut settings: Settings) -> Result<Self, String> {
        settings.kinds.sort_unstable();
        settings.kinds.dedup();
        if settings.kinds.is_empty() {
            return Err("kinds: empty, so the stage would do nothing".to_owned());
        }
        Ok(Self { settings })
    }

    fn columns(&self) -> Vec<Column> {
        self.settings.kinds.iter().map(|kind| column(name(*kind), ColumnKind::Integer)).collect()
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        let found = find(page.text(), &self.settings.kinds, self.settings.public_ips_only);
        let count = |kind: &Kind| found.iter().filter(|found| found.kind == *kind).count();
        let draft = self.settings.kinds.iter().fold(Draft::new(), |draft, kind| {
            draft.with(name(*kind), i64::try_from(count(kind)).unwrap_or(i64::MAX))
        });
        Ok(Outcome::keep(if found.is_empty() { draft } else { draft.text(self.mask(page.text(), &found)) }))
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Email => "pii_emails",
        Kind::Ip => "pii_ips",
        Kind::Phone => "pii_phones",
        Kind::Card => "pii_cards",
        Kind::Iban => "pii_ibans",
    }
}

impl Pii {
    fn mask(&self, text: &str, found: &[Found]) -> String {
        let Replace { email, ip, phone, card, iban } = &self.settings.replace;
        let mut masked = String::with_capacity(text.len());
        let mut from = 0;
        for Found { kind, span } in found {
            masked.push_str(text.get(from..span.start).unwrap_or_default());
            masked.push_str(match kind {
                Kind::Email => email,
                Kind::Ip => ip,
                Kind::Phone => phone,
                Kind::Card => card,
                Kind::Iban => iban,
            });
            from = span.end;
        }
        masked + text.get(from..).unwrap_or_default()
    }
}

register!(Pii);

#[cfg(test)]
mod tests;
