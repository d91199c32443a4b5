//! The built-in stage `dedup`: pages that say what another page of the run has said, and lines that a host repeats.
//!
//! Documents find each other by notes on the stage's board. A page leaves a note under a key of its whole text, and one
//! under a key for each band of its MinHash signature; where another page's note is there before, that page came first.
//! Sharing a band makes a candidate: whether it is a duplicate is decided by the two signatures, since by design a
//! fifth of the pairs that are 60 % alike share one.
//!
//! What follows from "first come, first served":
//!
//! - Which of two duplicates stays depends on the order in which they arrive, and with several workers that is not the order
//!   of the archive. One of them always stays: each call to the board happens at once, so of two pages one comes later,
//!   and only the later one sees the other. Nor do both stay, unless no band is the same, which the S-curve
//!   1 − (1 − s^rows)^bands says.
//! - A page that was dropped still stands for its like: what resembles it is dropped too, so of a chain of resemblances
//!   the first stays, as with the clusters of a global pass. Two pages that both came before the page that links
//!   them both stay, where a global pass keeps one.
//! - What a later stage drops was still first. The stage therefore stands behind the filters and before what is paid for.
//! - The board is kept with the journal, so a run that goes on or is replayed is told what it was told before.
//!
//! Across runs nothing is known. For that the signature is a column, and [`minhash`](Settings::signatures) says how it is
//! made, so that a global pass elsewhere can band it without reading a text.

mod lines;
mod minhash;
mod words;

use std::collections::BTreeSet;

use palimpsest_plugin::{Column, Draft, Kind, Outcome, Page, Stage, column};
use schemars::JsonSchema;
use serde::Deserialize;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use minhash::{Permutations, Signature};
use words::Words;

/// DCLM and FineWeb.
const DEFAULT_BANDS: u32 = 14;
const DEFAULT_ROWS: u32 = 8;
const DEFAULT_NGRAM: u32 = 5;
/// The similarity from which on FineWeb's bands are meant to find a pair.
const DEFAULT_MIN_SIMILARITY: f64 = 0.75;

/// Pages that leave a note under a band. One would do if every candidate were a duplicate; where the first to come is
/// not alike after all, the second must be found.
const NOTES_IN_A_BAND: u32 = 4;
/// Keys that the board takes at once.
const KEYS_IN_A_POST: usize = 1 << 16;
/// More values than this estimate nothing better, and a signature of them would be longer than the page.
const MAX_VALUES: u32 = 1024;

/// Settings of the stage `dedup`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Which documents count as duplicates. `exact`: the same text but for letter case and white space. `minhash`: nearly the
    /// same text. `both`. `off`: no document does, and none leaves a note. A document is known by its id, the
    /// `WARC-Record-ID`: copies of one archive under two names hold the same documents twice, and neither is a duplicate.
    pub documents: Documents,
    /// What becomes of a duplicate. `drop`: it is dropped as `exact_duplicate` or `near_duplicate`. `tag`: it goes on, and the
    /// columns `duplicate_of` (the id of the document that came first) and `duplicate_similarity` (1 for an exact one) say so.
    pub action: Action,
    /// A table that removes lines which other pages of the same host have. Left out, lines stay.
    pub lines: Option<Lines>,
    /// Bands of the MinHash signature. DCLM and FineWeb: 14 bands of 8 values.
    pub bands: u32,
    /// Values in a band.
    pub rows: u32,
    /// Words in a shingle. DCLM and FineWeb: 5. In scripts without blanks between words, characters.
    pub ngram: u32,
    /// How alike two documents with a band in common must be to count as duplicates: the share of common shingles (Jaccard) that
    /// their signatures estimate, ± 0.08 with 112 values. FineWeb's bands are laid out for 0.75. 0: a band is enough, as with
    /// datatrove; then a fifth of the pairs that are 0.6 alike go too.
    pub min_similarity: f64,
    /// Where the permutations start. Signatures of different seeds cannot be compared.
    pub seed: u64,
    /// Whether texts that differ only in their numbers have the same shingles, as with datatrove. Exact duplicates always have
    /// the same numbers.
    pub fold_numbers: bool,
    /// Whether the column `minhash` is written, for a global pass elsewhere; none for a text without words. It is the base64
    /// of `bands × rows` 32-bit values in little-endian order, band after band: some 600 characters. The text's words are
    /// in lower case, without punctuation and diacritics, numbers `0`; a shingle, its words joined by a blank, is hashed
    /// to x by XXH3-64; value k is the upper 32 bits of the least (a·x + b) mod 2^64, with a (lowest bit set) and b outputs
    /// 2k and 2k + 1 of SplitMix64 from the seed.
    pub signatures: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            documents: Documents::Both,
            action: Action::Drop,
            lines: None,
            bands: DEFAULT_BANDS,
            rows: DEFAULT_ROWS,
            ngram: DEFAULT_NGRAM,
            min_similarity: DEFAULT_MIN_SIMILARITY,
            seed: 1,
            fold_numbers: true,
            signatures: true,
        }
    }
}

/// Which documents count as duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Documents {
    Off,
    Exact,
    Minhash,
    Both,
}

/// What becomes of a duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Drop,
    Tag,
}

/// Which lines go. Lines are the same if they have the same words. How many went is in the column `lines_removed`; a page
/// that has nothing else is dropped as `only_repeated_lines`. Lines of fenced code stay, and so do lines without a letter.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lines {
    /// How many other pages of the host must have had the line before: they keep it, the pages after them lose it. 1 is
    /// what CCNet does with paragraphs, though not per host. At most 64.
    pub min_pages: u32,
    /// Lines with fewer words stay. What repeats is mostly short (menus, notices); but so are answers such as `Yes`.
    pub min_words: u32,
    /// Whether headings (`# Introduction`) stay.
    pub keep_headings: bool,
    /// Whether lines that differ only in their numbers (`12 comments`) are the same, as with CCNet.
    pub fold_numbers: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self { min_pages: 1, min_words: 1, keep_headings: true, fold_numbers: false }
    }
}

/// The stage.
#[derive(Debug)]
pub struct DedupStage {
    settings: Settings,
    permutations: Permutations,
}

/// The document that came first.
#[derive(Debug, Clone, PartialEq)]
struct Twin {
    document: String,
    similarity: f64,
    reason: &'static str,
}

impl Stage for DedupStage {
    const NAME: &'static str = "dedup";
    const SUMMARY: &'static str = "finds documents and lines that the run has had before";
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        for (key, value) in [("bands", settings.bands), ("rows", settings.rows), ("ngram", settings.ngram)] {
            if !(1..=MAX_VALUES).contains(&value) {
                return Err(format!("{key}: {value} is not between 1 and {MAX_VALUES}"));
            }
        }
        let values = settings.bands * settings.rows;
        if MAX_VALUES < values {
            return Err(format!("bands: {values} values in all, more than {MAX_VALUES}"));
        }
        if !(0.0..=1.0).contains(&settings.min_similarity) {
            return Err(format!("min_similarity: {} is not between 0 and 1", settings.min_similarity));
        }
        if let Some(lines) = &settings.lines
            && !(1..=64).contains(&lines.min_pages)
        {
            return Err(format!("lines.min_pages: {} is not between 1 and 64", lines.min_pages));
        }
        let permutations = Permutations::new(values as usize, settings.seed);
        Ok(Self { settings, permutations })
    }

    fn columns(&self) -> Vec<Column> {
        let mut columns = Vec::new();
        if self.settings.signatures {
            columns.push(column("minhash", Kind::Text));
        }
        if self.settings.action == Action::Tag {
            columns.push(column("duplicate_of", Kind::Text));
            columns.push(column("duplicate_similarity", Kind::Number));
        }
        if self.settings.lines.is_some() {
            columns.push(column("lines_removed", Kind::Integer));
        }
        columns
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        let signature = self.signature(page.text());
        let mut draft = Draft::new();
        if let Some(twin) = self.twin(page, signature.as_ref()) {
            match self.settings.action {
                Action::Drop => {
                    let measured = format!("{:.3} {}", twin.similarity, twin.document);
                    return Ok(Outcome::drop_with(twin.reason, measured));
                }
                Action::Tag => {
                    draft = draft
                        .with("duplicate_of", twin.document)
                        .with("duplicate_similarity", twin.similarity);
                }
            }
        }
        if let Some(signature) = signature.filter(|_| self.settings.signatures) {
            draft = draft.with("minhash", signature.encode());
        }
        if let Some(rules) = &self.settings.lines {
            let gone = repeated_lines(page, rules);
            draft = draft.with("lines_removed", gone.len() as i64);
            if !gone.is_empty() {
                let left = lines::without(page.text(), &gone);
                if left.trim().is_empty() {
                    return Ok(Outcome::drop_with("only_repeated_lines", gone.len()));
                }
                draft = draft.text(left);
            }
        }
        Ok(Outcome::keep(draft))
    }
}

impl DedupStage {
    /// The signature of a text that has words, where the stage has a use for it.
    fn signature(&self, text: &str) -> Option<Signature> {
        let compared = matches!(self.settings.documents, Documents::Minhash | Documents::Both);
        if !compared && !self.settings.signatures {
            return None;
        }
        let words = Words::of(text, self.settings.fold_numbers);
        self.permutations.signature(words.shingles(self.settings.ngram as usize))
    }

    fn twin(&self, page: &Page<'_>, signature: Option<&Signature>) -> Option<Twin> {
        let (exact, near) = match self.settings.documents {
            Documents::Off => (false, false),
            Documents::Exact => (true, false),
            Documents::Minhash => (false, true),
            Documents::Both => (true, true),
        };
        let same = if exact { exact_twin(page) } else { None };
        same.or_else(|| signature.filter(|_| near).and_then(|signature| self.near_twin(page, signature)))
    }

    /// The most similar of the documents that came before and have a band in common with this one.
    ///
    /// A signature is as long as a short page, so it is left once, under its document's own key, and before the
    /// bands: who finds a document there finds its signature.
    fn near_twin(&self, page: &Page<'_>, signature: &Signature) -> Option<Twin> {
        let own = &page.document().id;
        page.post(&[signature_key(own)], &signature.encode(), 1);
        let bands = page.post(&signature.band_keys(self.settings.rows as usize), "", NOTES_IN_A_BAND);
        let others: BTreeSet<String> = bands
            .into_iter()
            .flatten()
            .filter(|note| note.document != *own)
            .map(|note| note.document)
            .collect();
        let keys: Vec<String> = others.iter().map(|other| signature_key(other)).collect();
        if keys.is_empty() {
            return None;
        }
        let signatures = page.post(&keys, "", 1);
        let similarities = signatures.iter().map(|notes| {
            notes
                .first()
                .and_then(|note| Signature::decode(&note.text))
                .map_or(0.0, |other| signature.similarity(&other))
        });
        others
            .into_iter()
            .zip(similarities)
            .max_by(|(_, one), (_, other)| one.total_cmp(other))
            .filter(|(_, similarity)| self.settings.min_similarity <= *similarity)
            .map(|(document, similarity)| Twin { document, similarity, reason: "near_duplicate" })
    }
}

/// The document that came first with the same text, letter case and white space aside. A text without any is nobody's twin.
fn exact_twin(page: &Page<'_>) -> Option<Twin> {
    let mut hash = Xxh3Default::new();
    let mut bytes = [0; 4];
    let mut words = page.text().split_whitespace().peekable();
    words.peek()?;
    for word in words {
        for character in word.chars().flat_map(char::to_lowercase) {
            hash.update(character.encode_utf8(&mut bytes).as_bytes());
        }
        hash.update(b" ");
    }
    let notes = page.post(&[format!("x:{:032x}", hash.digest128())], "", 1);
    let first = notes.into_iter().next()?.into_iter().next()?;
    (first.document != page.document().id).then_some(Twin {
        document: first.document,
        similarity: 1.0,
        reason: "exact_duplicate",
    })
}

/// The lines that go: those under which enough pages of the host have left their notes before this one came.
fn repeated_lines(page: &Page<'_>, lines: &Lines) -> Vec<usize> {
    let rules = lines::Rules {
        min_words: lines.min_words as usize,
        keep_headings: lines.keep_headings,
        fold_numbers: lines.fold_numbers,
    };
    let document = page.document();
    let keyed = rules.keyed(host(&document.url), &document.text);
    let mut gone = Vec::new();
    for part in keyed.chunks(KEYS_IN_A_POST) {
        let keys: Vec<String> = part.iter().map(|keyed| keyed.key.clone()).collect();
        let notes = page.post(&keys, "", lines.min_pages);
        for (keyed, notes) in part.iter().zip(notes) {
            if notes.last().is_none_or(|last| last.document != document.id) {
                gone.push(keyed.line);
            }
        }
    }
    gone
}

fn signature_key(document: &str) -> String {
    format!("s:{:032x}", xxh3_128(document.as_bytes()))
}

/// The host of an address, its port included. What has none has the empty one in common.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

palimpsest_plugin::register!(DedupStage);

#[cfg(test)]
mod tests;
