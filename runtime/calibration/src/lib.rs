//! What a score is worth: scores of several scorers made comparable as buckets 0 to 19, each with as many tokens as
//! any other, per language.
//!
//! A [`Calibrator`] looks at (scorer, language, score, tokens) of a sample and gives a [`Table`] of 19 boundaries for
//! each scorer and language; a table says into which bucket a score falls. A language with too small a sample falls
//! back to `*`, all languages together. Where scores come from, and what a token is, is not known here.
//!
//! ```
//! use palimpsest_calibration::{Calibrator, Table};
//!
//! let mut calibrator = Calibrator::default();
//! for score in 0..2000 {
//!     calibrator.add("edu", "en", f64::from(score) / 2000.0, 100);
//! }
//! let text = calibrator.table(1000).to_string();
//! let table: Table = text.parse()?;
//! assert_eq!(table.bucket("edu", "en", 0.98), Some(19));
//! assert_eq!(table.bucket("edu", "fr", 0.02), Some(0));
//! # Ok::<(), palimpsest_calibration::TableError>(())
//! ```

mod sketch;
mod table;

use std::collections::BTreeMap;

use sketch::Sketch;
pub use table::{Percentiles, Table, TableError};

/// As many as Nemotron-CC has: 5% of the tokens each.
pub const BUCKETS: usize = 20;

/// The entry of a table for languages that have none of their own.
pub const ANY: &str = "*";

/// More languages are looked at only together: a field of a page decides what a language is called.
const MAX_LANGUAGES: usize = 512;

/// Fifty documents for each bucket.
pub const MIN_DOCUMENTS: u64 = 1000;

/// Gathers the scores of a sample.
///
/// The result does not depend on the order of the documents, nor on how they were shared among calibrators that are
/// merged, unless there are more than 512 languages: those that come after them count only in `*`. Scores are told apart up to 1 part in 131,072; an entry takes some 40 bytes for each score that can be told
/// apart, at most 1.5 million of them for probabilities above one millionth.
#[derive(Debug, Clone, Default)]
pub struct Calibrator {
    scorers: BTreeMap<String, BTreeMap<String, Sketch>>,
}

impl Calibrator {
    /// Adds a document; a score that is no finite number is not looked at, and false is said.
    pub fn add(&mut self, scorer: &str, language: &str, score: f64, tokens: u64) -> bool {
        let score = score as f32;
        if !score.is_finite() {
            return false;
        }
        if !self.scorers.contains_key(scorer) {
            self.scorers.insert(scorer.to_owned(), BTreeMap::new());
        }
        if let Some(languages) = self.scorers.get_mut(scorer) {
            let own = (language != ANY).then_some(language);
            for name in std::iter::once(ANY).chain(own) {
                if let Some(sketch) = entry(languages, name) {
                    sketch.add(score, tokens);
                }
            }
        }
        true
    }

    /// Adds what another calibrator has seen.
    pub fn merge(&mut self, other: &Self) {
        for (scorer, theirs) in &other.scorers {
            let ours = self.scorers.entry(scorer.clone()).or_default();
            for (language, sketch) in theirs {
                if let Some(entry) = entry(ours, language) {
                    entry.merge(sketch);
                }
            }
        }
    }

    /// The table. Languages with fewer documents have no entry; `*` always has one.
    #[must_use]
    pub fn table(&self, min_documents: u64) -> Table {
        let scorers = self.scorers.iter().map(|(scorer, languages)| {
            let enough = languages
                .iter()
                .filter(|(language, sketch)| *language == ANY || min_documents <= sketch.documents());
            let entries = enough.map(|(language, sketch)| (language.clone(), sketch.percentiles()));
            (scorer.clone(), entries.collect())
        });
        Table::new(min_documents, scorers.collect())
    }
}

/// The sketch of a language; none if there are too many languages.
fn entry<'a>(languages: &'a mut BTreeMap<String, Sketch>, name: &str) -> Option<&'a mut Sketch> {
    if !languages.contains_key(name) {
        if name != ANY && MAX_LANGUAGES <= languages.len() {
            return None;
        }
        languages.insert(name.to_owned(), Sketch::default());
    }
    languages.get_mut(name)
}

#[cfg(test)]
mod tests;
