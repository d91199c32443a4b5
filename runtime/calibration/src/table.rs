//! The table as a file: TOML, which people can read and change.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{ANY, BUCKETS};

const FORMAT: &str = "palimpsest-calibration-1";

/// Boundaries for scorers and languages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    format: String,
    min_documents: u64,
    scorers: BTreeMap<String, BTreeMap<String, Percentiles>>,
}

/// Where the buckets of one scorer and language begin, and of how much that was learnt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Percentiles {
    pub documents: u64,
    pub tokens: u64,
    /// The least score of bucket 1, 2, … 19.
    pub boundaries: Vec<f64>,
}

/// Why a file is no table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    #[error("no calibration table")]
    Toml(#[from] toml::de::Error),
    #[error("the format is `{0}`, and only `{FORMAT}` is known")]
    Format(String),
    #[error("scorers.{scorer}.{language}: {says}")]
    Entry { scorer: String, language: String, says: &'static str },
}

impl Table {
    pub(crate) fn new(min_documents: u64, scorers: BTreeMap<String, BTreeMap<String, Percentiles>>) -> Self {
        Self { format: FORMAT.to_owned(), min_documents, scorers }
    }

    /// The bucket of a score, 0 to 19; none for a scorer that the table does not know.
    #[must_use]
    pub fn bucket(&self, scorer: &str, language: &str, score: f64) -> Option<u8> {
        let languages = self.scorers.get(scorer)?;
        let percentiles = languages.get(language).or_else(|| languages.get(ANY))?;
        u8::try_from(percentiles.boundaries.partition_point(|&least| least <= score)).ok()
    }

    /// The scorers, their languages, and what is known of them.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str, &Percentiles)> {
        self.scorers.iter().flat_map(|(scorer, languages)| {
            languages
                .iter()
                .map(move |(language, percentiles)| (scorer.as_str(), language.as_str(), percentiles))
        })
    }

    fn check(&self) -> Result<(), TableError> {
        if self.format != FORMAT {
            return Err(TableError::Format(self.format.clone()));
        }
        for (scorer, language, percentiles) in self.entries() {
            let boundaries = &percentiles.boundaries;
            let says = if boundaries.len() != BUCKETS - 1 {
                "there must be 19 boundaries"
            } else if !boundaries.iter().all(|least| least.is_finite()) || !boundaries.is_sorted() {
                "boundaries must be numbers that never fall"
            } else {
                continue;
            };
            return Err(TableError::Entry { scorer: scorer.to_owned(), language: language.to_owned(), says });
        }
        for (scorer, languages) in &self.scorers {
            if !languages.contains_key(ANY) {
                let says = "an entry for all other languages is needed";
                return Err(TableError::Entry { scorer: scorer.clone(), language: ANY.to_owned(), says });
            }
        }
        Ok(())
    }
}

impl FromStr for Table {
    type Err = TableError;

    fn from_str(text: &str) -> Result<Self, TableError> {
        let table: Self = toml::from_str(text)?;
        table.check()?;
        Ok(table)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&toml::to_string(self).map_err(|_unprintable| fmt::Error)?)
    }
}
