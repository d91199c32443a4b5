//! How much rewritten texts are alike, by style: models fall into templates, and what is trained on a template learns it.
//!
//! Measured on a sample of bounded size, drawn by the ids of the rows, so that the same rows give the same figures in any
//! order. The figures are those of the field: how many of a thousand texts begin alike (the measure of template collapse in
//! "The Synthetic Data Playbook", arXiv 2604.13977: 115 of 1,000 for one model, 3 for another), distinct-n (Li et al. 2016),
//! the ratio of compression (Shaib et al. 2024), and how often two rewrites of one page say the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Texts of a style that are looked at.
const SAMPLE: usize = 1000;
/// Of each text: enough for its template, and two MB for a style.
const MAX_CHARS: usize = 2000;
/// Words of an opening.
const OPENING: usize = 4;
/// distinct-n depends on how much is looked at, so it is always so many words, or all if there are fewer.
const WORDS: usize = 20_000;
/// Rewrites of a page share words; of those that are alike most runs of five words are the same.
const SHINGLE: usize = 5;
const ALIKE: f64 = 0.5;
/// Rewrites of a page that are held against each other.
const MAX_OF_A_PAGE: usize = 64;
/// Styles that are told apart. More of them are somebody's mistake in the name of a column.
const MAX_STYLES: usize = 256;
/// Level of zstd; figures of other levels are others.
const LEVEL: i32 = 3;

/// What has been seen of each style.
#[derive(Debug, Default)]
pub struct Diversity {
    styles: BTreeMap<String, Sample>,
    page: String,
    /// The styles of the page's rewrites so far and their runs of words.
    rewrites: Vec<(String, BTreeSet<u64>)>,
}

/// Texts of a style: those whose ids have the smallest digests.
#[derive(Debug, Default)]
struct Sample {
    rows: u64,
    texts: BTreeMap<[u8; 16], String>,
    pairs: u64,
    alike: u64,
}

/// The figures of a style.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    pub rows: u64,
    /// The commonest opening.
    pub opening: String,
    /// Of a thousand texts, how many have it.
    pub openings: f64,
    /// Different runs of one, two and three words, as shares of all.
    pub distinct: [f64; 3],
    /// How many times smaller zstd makes them.
    pub compression: f64,
    /// Of the pairs with another rewrite of their page, the share that says the same.
    pub alike: f64,
}

impl Diversity {
    /// Takes a rewritten row. Rows of a page come after each other.
    pub fn add(&mut self, page: &str, id: &str, style: &str, text: &str) {
        if !self.styles.contains_key(style) && MAX_STYLES <= self.styles.len() {
            return;
        }
        let sample = self.styles.entry(style.to_owned()).or_default();
        sample.rows += 1;
        let beginning: String = text.chars().take(MAX_CHARS).collect();
        let runs = runs(&beginning, SHINGLE);
        if let Some(digest) = blake3::hash(id.as_bytes()).as_bytes().first_chunk::<16>() {
            sample.texts.insert(*digest, beginning);
            if SAMPLE < sample.texts.len() {
                sample.texts.pop_last();
            }
        }
        if self.page != page {
            page.clone_into(&mut self.page);
            self.rewrites.clear();
        }
        if MAX_OF_A_PAGE <= self.rewrites.len() {
            return;
        }
        for (other, theirs) in &self.rewrites {
            let alike = u64::from(ALIKE <= jaccard(&runs, theirs));
            for style in [style, other.as_str()] {
                if let Some(sample) = self.styles.get_mut(style) {
                    sample.pairs += 1;
                    sample.alike += alike;
                }
            }
        }
        self.rewrites.push((style.to_owned(), runs));
    }

    /// The figures of every style.
    pub fn figures(&self) -> BTreeMap<&str, Figures> {
        self.styles.iter().map(|(style, sample)| (style.as_str(), sample.figures())).collect()
    }
}

impl Sample {
    fn figures(&self) -> Figures {
        let mut openings: BTreeMap<String, u64> = BTreeMap::new();
        for text in self.texts.values() {
            *openings.entry(words(text).take(OPENING).collect::<Vec<_>>().join(" ")).or_default() += 1;
        }
        // Of several that are as common the first in the order of the alphabet.
        let commonest = openings.into_iter().rev().max_by_key(|(_, count)| *count).unwrap_or_default();
        let all: Vec<String> = self.texts.values().flat_map(|text| words(text)).take(WORDS).collect();
        let distinct = [1, 2, 3].map(|length| {
            let different: BTreeSet<&[String]> = all.windows(length).collect();
            ratio(different.len() as u64, (all.len() + 1).saturating_sub(length) as u64)
        });
        let joined: String = self.texts.values().flat_map(|text| [text.as_str(), "\n"]).collect();
        let packed =
            zstd::bulk::compress(joined.as_bytes(), LEVEL).map_or(joined.len(), |packed| packed.len());
        Figures {
            rows: self.rows,
            opening: commonest.0,
            openings: 1000.0 * ratio(commonest.1, self.texts.len() as u64),
            distinct,
            compression: ratio(joined.len() as u64, packed as u64),
            alike: ratio(self.alike, self.pairs),
        }
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// In scripts without blanks a word is what stands between marks.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Digests of the runs of so many words; of characters, where there are too few words.
fn runs(text: &str, length: usize) -> BTreeSet<u64> {
    let mut words: Vec<String> = words(text).collect();
    if words.len() < length {
        words = text.chars().filter(|c| !c.is_whitespace()).map(String::from).collect();
    }
    let mut ids: HashMap<&str, u64> = HashMap::new();
    let digest = |word: &str| -> u64 {
        blake3::hash(word.as_bytes())
            .as_bytes()
            .first_chunk::<8>()
            .map_or(0, |head| u64::from_le_bytes(*head))
    };
    let numbers: Vec<u64> =
        words.iter().map(|word| *ids.entry(word.as_str()).or_insert_with(|| digest(word))).collect();
    let mix = |run: &[u64]| {
        run.iter().fold(0_u64, |sum, word| (sum.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95))
    };
    numbers.windows(length).map(mix).collect()
}

fn jaccard(one: &BTreeSet<u64>, other: &BTreeSet<u64>) -> f64 {
    let both = one.intersection(other).count() as u64;
    ratio(both, (one.len() + other.len()) as u64 - both)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(number: u32) -> String {
        let words: Vec<String> =
            (0..60).map(|word| format!("w{}", (number * 7919 + word * 104_729) % 5003)).collect();
        words.join(" ")
    }

    #[test]
    fn a_template_shows_in_every_figure() {
        let mut diversity = Diversity::default();
        for page in 0..300 {
            let id = page.to_string();
            diversity.add(&id, &format!("{id}#1.0"), "varied", &said(page));
            let text = format!(
                "In today's fast-paced world, {} is important to know about and to learn from.",
                page % 5
            );
            diversity.add(&id, &format!("{id}#1.1"), "template", &text);
        }
        let figures = diversity.figures();
        let (varied, template) = (&figures["varied"], &figures["template"]);
        assert_eq!((varied.rows, template.rows), (300, 300));
        assert_eq!((template.opening.as_str(), template.openings), ("in today s fast", 1000.0));
        assert!(varied.openings < 20.0, "{varied:?}");
        for n in 0..3 {
            assert!(5.0 * template.distinct[n] < varied.distinct[n], "{n}: {figures:?}");
        }
        assert!(5.0 * varied.compression < template.compression, "{figures:?}");
        assert_eq!((varied.alike, template.alike), (0.0, 0.0));
    }

    #[test]
    fn rewrites_of_a_page_that_say_the_same_are_counted() {
        let mut diversity = Diversity::default();
        for page in 0..10 {
            let id = page.to_string();
            let again = if page < 4 { said(page) } else { said(page + 1000) };
            diversity.add(&id, &format!("{id}#1.0"), "easy", &said(page));
            diversity.add(&id, &format!("{id}#1.1"), "hard", &format!("{again} indeed"));
        }
        let figures = diversity.figures();
        assert_eq!((figures["easy"].alike, figures["hard"].alike), (0.4, 0.4));
    }

    #[test]
    fn a_sample_is_bounded_and_knows_no_order() {
        let rows: Vec<u32> = (0..3000).collect();
        let of = |rows: &mut dyn Iterator<Item = &u32>| {
            let mut diversity = Diversity::default();
            rows.for_each(|row| diversity.add(&row.to_string(), &row.to_string(), "s", &said(*row)));
            assert_eq!(diversity.styles["s"].texts.len(), SAMPLE);
            diversity.figures()["s"].clone()
        };
        assert_eq!(of(&mut rows.iter()), of(&mut rows.iter().rev()));
        let mut empty = Diversity::default();
        empty.add("a", "a", "s", "");
        assert_eq!(empty.figures()["s"].distinct, [0.0; 3]);
    }
}
