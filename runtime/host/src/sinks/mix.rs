//! Which rows are written so that no kind of them is more than its share: synthetic text is worth most among text that
//! people wrote ("always mix": FinePhrase's best shares of synthetic tokens are 60 to 80 %).
//!
//! Decided row by row in the order of the part, from what the part has so far, so the same rows come of the same input.
//! A part knows nothing of others: what is true of each is true of all.

use std::collections::BTreeMap;

use crate::document::{Column, Document, Kind, Value};

/// Why a row is not written.
pub const OVER_SHARE: &str = "over_share";

/// Rows that have nothing to be mixed by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no stage writes a text under `{by}`, by which rows are to be mixed; there are {}", texts.join(", "))]
pub struct BadMix {
    by: String,
    texts: Vec<String>,
}

/// Whether the stages write what rows are to be mixed by.
pub fn check(by: &str, declared: &[Column]) -> Result<(), BadMix> {
    let texts: Vec<&str> = declared
        .iter()
        .filter(|column| column.kind == Kind::Text)
        .map(|column| column.name.as_str())
        .collect();
    if texts.contains(&by) {
        return Ok(());
    }
    let texts = texts.into_iter().map(|name| format!("`{name}`")).collect();
    Err(BadMix { by: by.to_owned(), texts })
}

/// The tokens of a part by kind.
#[derive(Debug, Clone)]
pub struct Mix<'a> {
    by: &'a str,
    shares: &'a BTreeMap<String, f64>,
    written: BTreeMap<&'a str, u64>,
    all: u64,
}

impl<'a> Mix<'a> {
    /// `by` names the column that says of which kind a row is; `shares` are the largest of each kind.
    #[must_use]
    pub fn new(by: &'a str, shares: &'a BTreeMap<String, f64>) -> Self {
        Self { by, shares, written: BTreeMap::new(), all: 0 }
    }

    /// Whether the row is written, which it counts as then. Rows of kinds without a share always are.
    pub fn takes(&mut self, document: &Document, tokens: u32) -> bool {
        let tokens = u64::from(tokens);
        let field = document.fields.iter().find(|field| field.name == self.by);
        let kind = match field.map(|field| &field.value) {
            Some(Value::Text(text)) => Some(text.as_str()),
            Some(Value::Integer(_) | Value::Number(_) | Value::Flag(_) | Value::Texts(_)) | None => None,
        };
        let share = kind.and_then(|kind| self.shares.get_key_value(kind));
        if let Some((kind, share)) = share {
            let written = self.written.entry(kind).or_default();
            // Half of the row may be too much, so that it is as often a little over the share as a little below.
            if (self.all + tokens) as f64 * share < (*written + tokens.div_ceil(2)) as f64 {
                return false;
            }
            *written += tokens;
        }
        self.all += tokens;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Field;
    use crate::sinks::tests::document;

    /// What is written of rows of kind and tokens, by kind.
    fn mixed(shares: &[(&str, f64)], rows: &[(&str, u32)]) -> BTreeMap<String, u64> {
        let shares = shares.iter().map(|(kind, share)| ((*kind).to_owned(), *share)).collect();
        let mut mix = Mix::new("style", &shares);
        let mut written = BTreeMap::new();
        for (kind, tokens) in rows {
            let style = Field { name: "style".to_owned(), value: Value::Text((*kind).to_owned()) };
            let document = Document { fields: vec![style], ..document() };
            if mix.takes(&document, *tokens) {
                *written.entry((*kind).to_owned()).or_default() += u64::from(*tokens);
            }
        }
        written
    }

    #[track_caller]
    fn check(shares: &[(&str, f64)], rows: &[(&str, u32)], expected: &[(&str, u64)]) {
        let expected = expected.iter().map(|(kind, tokens)| ((*kind).to_owned(), *tokens)).collect();
        assert_eq!(mixed(shares, rows), expected);
    }

    #[test]
    fn kinds_without_a_share_are_always_written() {
        check(
            &[("qa", 0.0)],
            &[("original", 10), ("qa", 10), ("wikipedia", 5)],
            &[("original", 10), ("wikipedia", 5)],
        );
        check(&[("qa", 1.0)], &[("qa", 10), ("qa", 7)], &[("qa", 17)]);
        check(&[("qa", 0.5)], &[], &[]);
    }

    #[test]
    fn shares_come_out_as_they_were_wanted() {
        let rows: Vec<(&str, u32)> =
            (0..3000).map(|n| (["original", "qa", "wiki"][n % 3], 50 + (n as u32 * 37) % 300)).collect();
        let written = mixed(&[("qa", 0.2), ("wiki", 0.1)], &rows);
        let all = written.values().sum::<u64>() as f64;
        for (kind, share) in [("qa", 0.2), ("wiki", 0.1)] {
            assert!((written[kind] as f64 / all - share).abs() < 0.005, "{kind}: {written:?}");
        }
        let plenty = mixed(&[("qa", 0.9)], &rows);
        assert_eq!(plenty.len(), 3, "what there is too little of is written whole");
        assert_eq!(
            plenty["qa"],
            rows.iter().filter(|(kind, _)| *kind == "qa").map(|(_, tokens)| u64::from(*tokens)).sum::<u64>()
        );
    }
}
