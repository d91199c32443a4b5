//! The stage's table of the pipeline file.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Scores pages with several classifiers at once, and says into which bucket of quality they fall.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The scorers, each with a column `NAME_score`, and `NAME_bucket` if there is a `table`.
    pub scorers: Vec<Scorer>,
    /// The granted file with the calibration, as `palimpsest calibrate` writes it. Without one there are no buckets.
    #[serde(default)]
    pub table: Option<String>,
    /// The field with a page's language, for the table. A page without it, or with a language of which the table knows
    /// too little, has the buckets of all languages together.
    #[serde(default = "language")]
    pub language: String,
    /// How several buckets become `quality_bucket`: `max`, as Nemotron-CC does, or `mean`, rounded half up. Scorers
    /// that have no score for the page are left out.
    #[serde(default = "combine")]
    pub combine: Combine,
    /// A page whose `quality_bucket`, 0 to 19, is lower is dropped as `low_bucket`, one without any as `no_score`.
    #[serde(default)]
    pub min_bucket: Option<u8>,
    /// The least score for each scorer named: a page below one of them is dropped as `low_score`, one without the
    /// score as `no_score`. DCLM keeps pages from 0.018112 on of its own classifier, about a tenth.
    #[serde(default)]
    pub keep: BTreeMap<String, f64>,
    /// Whether classifiers see the text in lower case.
    #[serde(default)]
    pub lowercase: bool,
    /// Whether classifiers see line ends as blanks, as DCLM's do.
    #[serde(default = "yes")]
    pub join_lines: bool,
    /// How many characters of the text classifiers see, from its beginning; 0 for all.
    #[serde(default)]
    pub max_chars: usize,
}

/// Where a score comes from: a label of a classifier, all its labels as numbers, or a field.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scorer {
    /// A word in lower case, digits and underscores: what the columns, `keep` and the table call it.
    pub name: String,
    /// A name of a `[classifiers.NAME]` table.
    #[serde(default)]
    pub classifier: Option<String>,
    /// The classifier's label whose probability is the score, with `__label__` before it or without.
    #[serde(default)]
    pub label: Option<String>,
    /// Whether the score is the mean of the classifier's labels as numbers, by their probability: for labels like 0
    /// to 5.
    #[serde(default)]
    pub expect: bool,
    /// The field of an earlier stage that is the score, instead of a classifier.
    #[serde(default)]
    pub field: Option<String>,
}

/// How buckets are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Combine {
    /// The best.
    Max,
    /// The middle.
    Mean,
}

/// What a scorer looks at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Label { classifier: String, label: String },
    Expect { classifier: String },
    Field(String),
}

impl Settings {
    /// Complaints that no type can make.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.scorers.is_empty() {
            return Err("scorers: at least one is needed".to_owned());
        }
        let mut names = BTreeSet::new();
        for Scorer { name, .. } in &self.scorers {
            let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            if name.is_empty() || !name.bytes().all(word) {
                return Err(format!("scorers: `{name}` is no word in lower case, digits and underscores"));
            }
            if name == "quality" && self.table.is_some() {
                return Err("scorers: `quality` is taken by the column `quality_bucket`".to_owned());
            }
            if !names.insert(name) {
                return Err(format!("scorers: there are two called `{name}`"));
            }
        }
        for (name, least) in &self.keep {
            if !names.contains(name) {
                return Err(format!("keep.{name}: there is no scorer of this name"));
            }
            if !least.is_finite() {
                return Err(format!("keep.{name}: {least} is no score"));
            }
        }
        match self.min_bucket {
            Some(bucket) if 19 < bucket => Err(format!("min_bucket: {bucket} is not between 0 and 19")),
            Some(_) if self.table.is_none() => {
                Err("min_bucket: there are no buckets without a `table`".to_owned())
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Scorer {
    pub(crate) fn kind(&self) -> Result<Kind, String> {
        let wanted = || {
            format!("scorers: `{}` needs either `classifier` with `label` or `expect`, or `field`", self.name)
        };
        match (&self.classifier, &self.label, self.expect, &self.field) {
            (Some(classifier), Some(label), false, None) => {
                Ok(Kind::Label { classifier: classifier.clone(), label: label.clone() })
            }
            (Some(classifier), None, true, None) => Ok(Kind::Expect { classifier: classifier.clone() }),
            (None, None, false, Some(field)) => Ok(Kind::Field(field.clone())),
            _ => Err(wanted()),
        }
    }
}

fn language() -> String {
    "language".to_owned()
}

fn combine() -> Combine {
    Combine::Max
}

fn yes() -> bool {
    true
}
