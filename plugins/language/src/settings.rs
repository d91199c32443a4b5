//! The stage's table of the pipeline file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::codes::{self, UNKNOWN, Wanted};
use crate::script;

/// FineWeb's threshold.
const DEFAULT_MIN_CONFIDENCE: f64 = 0.65;

/// A quotation or a menu in another language is less of a page than this.
const DEFAULT_MIXED_SHARE: f64 = 0.2;

/// The beginning, the middle and the end: a page in two languages shows both.
const DEFAULT_WINDOWS: u32 = 3;

/// Just above 120 letters, from which on the models look at triples of letters only and are four times as fast.
const DEFAULT_WINDOW_CHARS: u32 = 200;

/// With fewer letters the models guess.
const DEFAULT_MIN_LETTERS: u32 = 20;

/// What becomes of a page in several languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mixed {
    /// Its score falls with the share of its main language, so the threshold decides.
    Score,
    /// It goes on as a page of its main language: its score is that of this language's parts.
    Keep,
    /// It is dropped as `mixed`.
    Drop,
}

/// Says which language a text is in, and keeps the wanted ones.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The languages that pass, as ISO 639-1 or ISO 639-3 codes (`en`, `eng`), with a script (ISO 15924) where only
    /// that one is wanted, as FineWeb-2 writes them (`eng_Latn`); `und` for those that the component does not know.
    /// All others are dropped as `language`. Empty: all pass.
    pub keep: Vec<String>,
    /// A text whose language is less sure than this, between 0 and 1, is dropped as `low_confidence`. Does not apply to
    /// `und`, whose score is 0. The default is FineWeb's.
    pub min_confidence: f64,
    /// The same for single languages, as a table of codes and thresholds: `{ de = 0.8, ita = 0.5 }`.
    pub thresholds: BTreeMap<String, f64>,
    /// What becomes of a page that is in several languages: `score` lets its score fall with the share of its main
    /// language, so that the threshold decides; `keep` lets it pass as a page of its main language; `drop` drops it
    /// as `mixed`. The column `languages` has the shares in any case.
    pub mixed: Mixed,
    /// The share of a page, between 0 and 1, from which on a second language makes it one in several languages.
    pub mixed_share: f64,
    /// A text with fewer letters is dropped as `too_short`. Addresses and numbers do not count.
    pub min_letters: u32,
    /// In how many places of the text to look. Where these are in different languages, it is four times as many.
    pub windows: u32,
    /// How many characters to look at in each place. Below 200 it becomes slower, not faster.
    pub window_chars: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keep: Vec::new(),
            min_confidence: DEFAULT_MIN_CONFIDENCE,
            thresholds: BTreeMap::new(),
            mixed: Mixed::Score,
            mixed_share: DEFAULT_MIXED_SHARE,
            min_letters: DEFAULT_MIN_LETTERS,
            windows: DEFAULT_WINDOWS,
            window_chars: DEFAULT_WINDOW_CHARS,
        }
    }
}

impl Settings {
    /// The languages that pass; a complaint about one that the component cannot tell.
    pub(crate) fn wanted(&self) -> Result<Vec<Wanted>, String> {
        let wanted = |name: &String| {
            let wanted = Wanted::parse(name).ok_or_else(|| unknown("keep", name))?;
            match name.split_once('_') {
                Some((_, script)) if !script::CODES.contains(&script) => Err(format!(
                    "keep: there is no script `{script}`; there are {}",
                    script::CODES.join(", ")
                )),
                _ => Ok(wanted),
            }
        };
        self.keep.iter().map(wanted).collect()
    }

    /// The thresholds under the codes that the component uses.
    pub(crate) fn thresholds(&self) -> Result<BTreeMap<String, f64>, String> {
        let mut thresholds = BTreeMap::new();
        for (name, threshold) in &self.thresholds {
            let code = codes::resolve(name)
                .filter(|code| code != UNKNOWN)
                .ok_or_else(|| unknown("thresholds", name))?;
            share(&format!("thresholds.{name}"), *threshold)?;
            if thresholds.insert(code.clone(), *threshold).is_some() {
                return Err(format!("thresholds.{name}: there is another one for `{code}`"));
            }
        }
        Ok(thresholds)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        share("min_confidence", self.min_confidence)?;
        share("mixed_share", self.mixed_share)?;
        for (key, value, most) in [("windows", self.windows, 16), ("window_chars", self.window_chars, 10_000)]
        {
            if !(1..=most).contains(&value) {
                return Err(format!("{key}: {value} is not between 1 and {most}"));
            }
        }
        Ok(())
    }
}

fn share(key: &str, value: f64) -> Result<(), String> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(format!("{key}: {value} is not between 0 and 1")) }
}

fn unknown(key: &str, name: &str) -> String {
    format!(
        "{key}: this component does not know `{name}`; it knows {} and {UNKNOWN}",
        codes::known().join(", ")
    )
}
