//! The built-in stage `decontaminate`: pages that hold the texts of a benchmark.
//!
//! As Cosmopedia describes it: a page that shares an n-gram of ten words with a text of a benchmark is a candidate, and what
//! share of that text the page holds decides. Where their script compares with one of the benchmark's texts that share an
//! n-gram, this stage compares with those that share the most. The benchmark's files are the user's; the module refuses
//! to know any benchmark by name.

mod index;
mod overlap;
mod words;

use std::cell::OnceCell;

use palimpsest_plugin::{Column, Draft, Kind, Level, Outcome, Page, Stage, column};
use schemars::JsonSchema;
use serde::Deserialize;

use index::{File, Index};
use overlap::{Budget, ratio, window};
use words::{Word, ngrams, words};

/// Cosmopedia.
const DEFAULT_NGRAM: u32 = 10;
const DEFAULT_MIN_RATIO: f64 = 0.5;

/// N-grams of a page that are looked into; those after them are not. A page that holds a thousand questions has fewer.
const MAX_HITS: usize = 1 << 18;
/// Texts that a page is compared with, those first that share the most n-grams with it.
const MAX_CANDIDATES: usize = 64;
/// Comparisons of words for a page: well below a second.
const MAX_STEPS: u64 = 20_000_000;
/// Names in the column.
const MAX_NAMES: usize = 16;

/// Settings of the stage `decontaminate`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The names of the files with the benchmarks' texts, which are granted to the stage (`files.NAME`). JSON Lines if the first
    /// line is an object, otherwise every line is a text. 64 MiB together; each worker reads them with its first page
    /// and holds them, and some ten bytes for each of their words. Texts with fewer words than an n-gram are not found; the
    /// log says how many those are.
    pub files: Vec<String>,
    /// The fields of a JSON line that are texts of the benchmark, each compared by itself. Left out, every text in the
    /// line is, at any depth.
    pub fields: Vec<String>,
    /// Words of an n-gram that makes a candidate. Cosmopedia: 10. In scripts without blanks between words, characters.
    pub ngram: u32,
    /// A page is contaminated if it holds more than this share of a benchmark's text: the characters in common, in order, in
    /// parts of more than five. Cosmopedia: 0.5. 0: an n-gram in common is enough. A text of more than 1,000 words is
    /// compared in pieces of equal length, of 500 to 1,000 words each: more than this share of one piece is enough.
    pub min_ratio: f64,
    /// What becomes of a contaminated page. `drop`: it is dropped as `contaminated`. `tag`: it goes on, and the column
    /// `contaminated_by` says `FILE:LINE` for up to 16 texts, the most complete first. In both cases `contamination_ratio`
    /// is the greatest share of any text or piece that the page holds, 0 where no n-gram is common.
    pub action: Action,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            fields: Vec::new(),
            ngram: DEFAULT_NGRAM,
            min_ratio: DEFAULT_MIN_RATIO,
            action: Action::Drop,
        }
    }
}

/// What becomes of a contaminated page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Drop,
    Tag,
}

/// The stage.
#[derive(Debug)]
pub struct DecontaminateStage {
    settings: Settings,
    /// Made with the first page: files can only be read with a page in hand.
    index: OnceCell<Result<Index, String>>,
}

/// A text of a benchmark that a page shares an n-gram with.
#[derive(Debug, Clone, PartialEq)]
struct Overlap {
    sample: u32,
    ratio: f64,
}

impl Stage for DecontaminateStage {
    const NAME: &'static str = "decontaminate";
    const SUMMARY: &'static str = "finds pages that hold the texts of benchmarks";
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        if settings.files.is_empty() {
            return Err("files: name at least one file of a benchmark".to_owned());
        }
        if !(2..=100).contains(&settings.ngram) {
            return Err(format!("ngram: {} is not between 2 and 100", settings.ngram));
        }
        if !(0.0..1.0).contains(&settings.min_ratio) {
            return Err(format!("min_ratio: {} is not from 0 to below 1", settings.min_ratio));
        }
        Ok(Self { settings, index: OnceCell::new() })
    }

    fn columns(&self) -> Vec<Column> {
        let ratio = column("contamination_ratio", Kind::Number);
        match self.settings.action {
            Action::Drop => vec![ratio],
            Action::Tag => vec![ratio, column("contaminated_by", Kind::Texts)],
        }
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        let index = self.index.get_or_init(|| self.read(page)).as_ref().map_err(Clone::clone)?;
        let overlaps = overlaps(index, &words(page.text()), self.settings.ngram as usize);
        let greatest = overlaps.first().map_or(0.0, |first| first.ratio);
        let named: Vec<String> = overlaps
            .iter()
            .filter(|overlap| self.settings.min_ratio < overlap.ratio)
            .take(MAX_NAMES)
            .map(|overlap| index.name_of(overlap.sample))
            .collect();
        let draft = Draft::new().with("contamination_ratio", greatest);
        Ok(match (self.settings.action, named.first()) {
            (Action::Drop, Some(name)) => Outcome::drop_with("contaminated", format!("{name} {greatest:.3}")),
            (Action::Tag, Some(_)) => Outcome::keep(draft.with("contaminated_by", named)),
            (Action::Drop | Action::Tag, None) => Outcome::keep(draft),
        })
    }
}

impl DecontaminateStage {
    fn read(&self, page: &Page<'_>) -> Result<Index, String> {
        let mut files = Vec::new();
        for name in &self.settings.files {
            let bytes = page.file(name)?;
            let text = String::from_utf8(bytes).map_err(|error| format!("file `{name}`: {error}"))?;
            files.push(File { name: name.clone(), text });
        }
        let index = Index::new(files, self.settings.fields.clone(), self.settings.ngram as usize)?;
        for (name, tally) in self.settings.files.iter().zip(&index.tallies) {
            let told = format!(
                "file `{name}`: {} texts; {} too short to be found, {} lines that are no objects",
                tally.samples, tally.short, tally.unread
            );
            let nothing = tally.samples == 0 || tally.unread != 0;
            page.log(if nothing { Level::Warn } else { Level::Info }, &told);
        }
        Ok(index)
    }
}

/// The texts that the page shares an n-gram with and how much of each it holds, the most complete first.
fn overlaps(index: &Index, page: &[Word], size: usize) -> Vec<Overlap> {
    let mut hits: Vec<(u32, u32)> = (0..)
        .zip(ngrams(page, size))
        .flat_map(|(place, gram)| index.holding(gram).map(move |sample| (sample, place)))
        .take(MAX_HITS)
        .collect();
    hits.sort_unstable();
    let mut candidates: Vec<&[(u32, u32)]> = hits.chunk_by(|one, next| one.0 == next.0).collect();
    candidates.sort_by_key(|hits| std::cmp::Reverse(hits.len()));
    candidates.truncate(MAX_CANDIDATES);
    let mut budget = Budget::new(MAX_STEPS);
    let mut found: Vec<Overlap> = candidates
        .into_iter()
        .filter_map(|hits| {
            let (sample, _) = *hits.first()?;
            let places: Vec<u32> = hits.iter().map(|(_, place)| *place).collect();
            let text = index.words_of(sample);
            let part = page.get(window(&places, size, text.len(), page.len()))?;
            Some(Overlap { sample, ratio: ratio(part, &text, &mut budget) })
        })
        .collect();
    found.sort_by(|one, other| other.ratio.total_cmp(&one.ratio).then(one.sample.cmp(&other.sample)));
    found
}

palimpsest_plugin::register!(DecontaminateStage);

#[cfg(test)]
mod tests;
