//! What the pipeline file says: which sets of rules, with which thresholds, in which language.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::limits::Limits;
use crate::limits::{C4, C4Paragraph, Curator, Dclm, FineWeb, GopherQuality, GopherRepetition, RefinedWeb};
use crate::sets::Set;
use crate::words::Segmentation;

/// What becomes of a document that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is dropped under the rule's name, with the measured value behind a colon.
    Drop,
    /// It goes on; the names of the rules that it breaks are the texts of its field `quality_failed`.
    Tag,
}

/// Gopher's words (Rae et al. 2021).
const STOP_WORDS: [&str; 8] = ["the", "be", "to", "of", "and", "that", "have", "with"];

const DEFAULT_LANGUAGE: &str = "en";

/// Settings of the stage `quality`. Every figure of English below is the published one; the stage `language` writes
/// the fields that the tables of other languages are found by.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The sets of rules, in the order in which they are asked: `gopher_repetition`, `gopher_quality`, `c4`,
    /// `c4_paragraph`, `fineweb`, `dclm`, `refinedweb`, `curator`. `c4` and `refinedweb` take lines out of the text, so
    /// the sets after them see what is left; where nothing would be left, and no rule drops the document for it, the text
    /// stays as it was (`c4_sentences` is 0, `refinedweb_removed_words` 1). Default: FineWeb's own order of four.
    pub rules: Vec<Set>,
    /// Names of rules, as the fields are called, that are measured and drop nothing.
    pub except: Vec<String>,
    /// `drop`, the default, ends at the first broken rule; `tag` asks all of them, keeps every document and lists the
    /// broken ones in the field `quality_failed`.
    pub action: Action,
    /// Whether each rule's value is kept as a number in the field of its name. Default: true. Dropped documents have
    /// the value that dropped them beside the reason.
    pub fields: bool,
    /// The language of documents without a field `language` or `language_iso639_3`. Default: `en`.
    pub default_language: String,
    /// Common words of the language, which Gopher, DCLM and Curator count. Default: Gopher's eight of English.
    pub stop_words: Vec<String>,
    /// How many of them a text has at least. Default: 2 (Gopher). 0 for languages whose words are not known.
    pub min_stop_words: u32,
    /// Thresholds of Gopher's quality rules.
    pub gopher_quality: GopherQuality,
    /// Thresholds of Gopher's repetition rules.
    pub gopher_repetition: GopherRepetition,
    /// Which lines C4 takes out, and what condemns a document.
    pub c4: C4,
    /// The threshold of mC4's paragraphs.
    pub c4_paragraph: C4Paragraph,
    /// Thresholds of FineWeb's rules.
    pub fineweb: FineWeb,
    /// Thresholds of DCLM's rules.
    pub dclm: Dclm,
    /// Which lines RefinedWeb takes out.
    pub refinedweb: RefinedWeb,
    /// Thresholds of Curator's rules.
    pub curator: Curator,
    /// A table for each language with what is other than above. So each language can have the thresholds of its own
    /// percentiles, as FineWeb-2 does. Of the fields that the stage `language` writes, a table is found by the first of these
    /// that names one: `language_iso639_3` with `language_script` (`deu_Latn`), `language_iso639_3` (`deu`), `language` (`de`).
    pub languages: BTreeMap<String, Language>,
}

impl Default for Settings {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            rules: vec![Set::GopherRepetition, Set::GopherQuality, Set::C4, Set::Fineweb],
            except: Vec::new(),
            action: Action::Drop,
            fields: true,
            default_language: DEFAULT_LANGUAGE.to_owned(),
            stop_words: STOP_WORDS.map(str::to_owned).to_vec(),
            min_stop_words: limits.min_stop_words,
            gopher_quality: limits.gopher_quality,
            gopher_repetition: limits.gopher_repetition,
            c4: limits.c4,
            c4_paragraph: limits.c4_paragraph,
            fineweb: limits.fineweb,
            dclm: limits.dclm,
            refinedweb: limits.refinedweb,
            curator: limits.curator,
            languages: BTreeMap::new(),
        }
    }
}

/// What is other in one language. Each table needs only the keys that differ.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Language {
    /// How text becomes words: `english`, `neutral` or `dictionary`. Default: by the language.
    pub words: Option<Segmentation>,
    /// Common words of the language.
    pub stop_words: Option<Vec<String>>,
    /// How many of them a text has at least.
    pub min_stop_words: Option<u32>,
    /// As above.
    #[schemars(with = "Option<GopherQuality>")]
    pub gopher_quality: Map<String, Value>,
    /// As above.
    #[schemars(with = "Option<GopherRepetition>")]
    pub gopher_repetition: Map<String, Value>,
    /// As above.
    #[schemars(with = "Option<C4>")]
    pub c4: Map<String, Value>,
    /// As above.
    #[schemars(with = "Option<C4Paragraph>")]
    pub c4_paragraph: Map<String, Value>,
    /// As above.
    #[schemars(with = "Option<FineWeb>")]
    pub fineweb: Map<String, Value>,
    /// As above.
    #[schemars(with = "Option<Dclm>")]
    pub dclm: Map<String, Value>,
    /// As above.
    #[schemars(with = "Option<RefinedWeb>")]
    pub refinedweb: Map<String, Value>,
    /// As above.
    #[schemars(with = "Option<Curator>")]
    pub curator: Map<String, Value>,
}

impl Settings {
    /// The limits of all languages without a table, and those of each with one.
    pub(crate) fn limits(&self) -> Result<(Limits, BTreeMap<String, Limits>), String> {
        let all = Limits {
            words: None,
            stop_words: self.stop_words.iter().cloned().collect(),
            min_stop_words: self.min_stop_words,
            gopher_quality: self.gopher_quality.clone(),
            gopher_repetition: self.gopher_repetition.clone(),
            c4: self.c4.clone(),
            c4_paragraph: self.c4_paragraph.clone(),
            fineweb: self.fineweb.clone(),
            dclm: self.dclm.clone(),
            refinedweb: self.refinedweb.clone(),
            curator: self.curator.clone(),
        };
        let with = |(code, table): (&String, &Language)| {
            let limits = table.over(&all).map_err(|error| format!("languages.{code}.{error}"))?;
            Ok::<_, String>((code.clone(), limits))
        };
        let languages = self.languages.iter().map(with).collect::<Result<_, _>>()?;
        Ok((all, languages))
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if self.rules.is_empty() {
            return Err("rules: empty, so the stage would do nothing".to_owned());
        }
        let unique: BTreeSet<Set> = self.rules.iter().copied().collect();
        if unique.len() < self.rules.len() {
            return Err("rules: a set is named twice".to_owned());
        }
        for name in &self.except {
            let known: Vec<&str> = self.rules.iter().flat_map(|set| set.rules()).copied().collect();
            if !known.contains(&name.as_str()) {
                return Err(format!("except: no rule `{name}` here; there are {}", known.join(", ")));
            }
        }
        Ok(())
    }
}

impl Language {
    fn over(&self, all: &Limits) -> Result<Limits, String> {
        Ok(Limits {
            words: self.words,
            stop_words: match &self.stop_words {
                Some(words) => words.iter().cloned().collect(),
                None => all.stop_words.clone(),
            },
            min_stop_words: self.min_stop_words.unwrap_or(all.min_stop_words),
            gopher_quality: over("gopher_quality", &all.gopher_quality, &self.gopher_quality)?,
            gopher_repetition: over("gopher_repetition", &all.gopher_repetition, &self.gopher_repetition)?,
            c4: over("c4", &all.c4, &self.c4)?,
            c4_paragraph: over("c4_paragraph", &all.c4_paragraph, &self.c4_paragraph)?,
            fineweb: over("fineweb", &all.fineweb, &self.fineweb)?,
            dclm: over("dclm", &all.dclm, &self.dclm)?,
            refinedweb: over("refinedweb", &all.refinedweb, &self.refinedweb)?,
            curator: over("curator", &all.curator, &self.curator)?,
        })
    }
}

/// A table with some of its keys replaced.
fn over<T: Serialize + DeserializeOwned>(
    name: &str,
    all: &T,
    other: &Map<String, Value>,
) -> Result<T, String> {
    let mut table = serde_json::to_value(all).map_err(|error| format!("{name}: {error}"))?;
    if let Value::Object(table) = &mut table {
        table.extend(other.clone());
    }
    serde_json::from_value(table).map_err(|error| format!("{name}: {error}"))
}
