//! How much of a benchmark's text a document holds.
//!
//! The ratio is Cosmopedia's: the parts that two texts have in common, in order and longer than five characters, in characters
//! of the benchmark's text. Found as difflib finds them, the longest first and then to both sides of it, but by words
//! instead of characters, and only around the n-grams that both have: a long page has some of anybody's words, and
//! comparing all of it would take the square of its length.

use std::collections::HashMap;

use crate::words::Word;

/// What is shorter is no match, as with Cosmopedia: longer than this many characters.
const MIN_CHARS: u32 = 5;

/// Comparisons of words that may still be made for a document. What is found when they are used up counts.
#[derive(Debug)]
pub(crate) struct Budget(u64);

impl Budget {
    pub(crate) fn new(steps: u64) -> Self {
        Self(steps)
    }

    /// Whether there was one left.
    fn take(&mut self) -> bool {
        let left = self.0.checked_sub(1);
        self.0 = left.unwrap_or_default();
        left.is_some()
    }
}

/// The part of the document that is compared: around the densest group of the places (in order) where an n-gram of `size`
/// words of a sample of `sample` words begins, the sample's length to both sides.
pub(crate) fn window(places: &[u32], size: usize, sample: usize, document: usize) -> std::ops::Range<usize> {
    let reach = 2 * sample;
    let mut best = (0, 0, 0);
    let mut begin = 0;
    for (end, place) in places.iter().enumerate() {
        while places.get(begin).is_some_and(|first| reach < (place - first) as usize) {
            begin += 1;
        }
        let first = places.get(begin).copied().unwrap_or_default();
        if best.0 < end + 1 - begin {
            best = (end + 1 - begin, first as usize, *place as usize);
        }
    }
    best.1.saturating_sub(sample)..document.min(best.2 + size + sample)
}

/// Which share of the sample's characters stands in the document too.
pub(crate) fn ratio(document: &[Word], sample: &[Word], budget: &mut Budget) -> f64 {
    let whole: u64 = sample.iter().map(|word| u64::from(word.chars) + 1).sum();
    let blocks = Matcher::new(document, sample).blocks(budget);
    let matched: u64 = blocks.iter().map(|chars| u64::from(*chars) + 1).sum();
    // The blank behind the last word, and behind the last part, is none.
    if whole < 2 { 0.0 } else { matched.saturating_sub(1) as f64 / (whole - 1) as f64 }
}

/// A run of words that both have.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    document: usize,
    sample: usize,
    words: usize,
    chars: u32,
}

/// How long the run is that ends with a word of the sample and the word in hand of the document.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    /// For which word of the document this was said; others have not touched it since.
    turn: u64,
    words: usize,
    chars: u32,
}

struct Matcher<'a> {
    document: &'a [Word],
    sample: &'a [Word],
    /// Where each word of the sample stands. Looked up, never walked.
    places: HashMap<u64, Vec<usize>>,
    runs: Vec<Run>,
    turn: u64,
}

impl<'a> Matcher<'a> {
    fn new(document: &'a [Word], sample: &'a [Word]) -> Self {
        let mut places: HashMap<u64, Vec<usize>> = HashMap::new();
        for (place, word) in sample.iter().enumerate() {
            places.entry(word.hash).or_default().push(place);
        }
        Self { document, sample, places, runs: vec![Run::default(); sample.len()], turn: 0 }
    }

    /// The characters of every part that both have.
    fn blocks(&mut self, budget: &mut Budget) -> Vec<u32> {
        let mut blocks = Vec::new();
        let mut open = vec![(0..self.document.len(), 0..self.sample.len())];
        while let Some((document, sample)) = open.pop() {
            let longest = self.longest(document.clone(), sample.clone(), budget);
            if longest.chars <= MIN_CHARS {
                continue;
            }
            blocks.push(longest.chars);
            open.push((document.start..longest.document, sample.start..longest.sample));
            open.push((
                longest.document + longest.words..document.end,
                longest.sample + longest.words..sample.end,
            ));
        }
        blocks
    }

    /// The run with the most characters, the first of several.
    fn longest(
        &mut self,
        document: std::ops::Range<usize>,
        sample: std::ops::Range<usize>,
        budget: &mut Budget,
    ) -> Block {
        let mut longest = Block::default();
        if document.is_empty() || sample.is_empty() {
            return longest;
        }
        // Runs of the range before end here.
        self.turn += 1;
        for at in document {
            self.turn += 1;
            let Some(word) = self.document.get(at).filter(|_| budget.take()) else { break };
            // From the last place to the first: a run's beginning is read before it is written over.
            for place in self.places.get(&word.hash).into_iter().flatten().rev().copied() {
                if !budget.take() {
                    break;
                }
                if !sample.contains(&place) {
                    continue;
                }
                let before = place
                    .checked_sub(1)
                    .filter(|before| sample.contains(before))
                    .and_then(|before| self.runs.get(before))
                    .filter(|run| run.turn + 1 == self.turn)
                    .map_or((0, 0), |run| (run.words, run.chars + 1));
                let run = Run { turn: self.turn, words: before.0 + 1, chars: before.1 + word.chars };
                if longest.chars < run.chars {
                    let back = run.words - 1;
                    longest = Block {
                        document: at - back,
                        sample: place - back,
                        words: run.words,
                        chars: run.chars,
                    };
                }
                if let Some(kept) = self.runs.get_mut(place) {
                    *kept = run;
                }
            }
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::words;

    const PLENTY: u64 = 10_000_000;

    #[track_caller]
    fn check(document: &str, sample: &str, wanted: f64) {
        let found = ratio(&words(document), &words(sample), &mut Budget::new(PLENTY));
        assert!((found - wanted).abs() < 1e-9, "{found}");
    }

    #[test]
    fn the_ratio_is_what_is_common_in_order() {
        check("before alpha beta gamma after", "Alpha, beta gamma.", 1.0);
        check("alpha beta something gamma delta", "alpha beta gamma delta", 1.0);
        // `gamma` alone is no longer than five characters.
        check("gamma between alpha beta", "alpha beta gamma", 10.0 / 16.0);
        check("alphabet else", "alpha beta gamma", 0.0);
        check("", "alpha", 0.0);
        check("alpha", "", 0.0);
        // What is common in another order counts once.
        check("second second first first", "first first second second", 13.0 / 25.0);
    }

    #[test]
    fn a_run_does_not_go_on_where_it_was_interrupted() {
        check("one thing more one thing", "one thing one thing more", 14.0 / 24.0);
        check("aaaa aaaa aaaa", "aaaa aaaa", 1.0);
    }

    #[test]
    fn what_is_found_before_the_budget_ends_counts() {
        let text = "word ".repeat(1000);
        let (document, sample) = (words(&text), words(&text));
        let start = std::time::Instant::now();
        let mut budget = Budget::new(PLENTY);
        assert!((ratio(&document, &sample, &mut budget) - 1.0).abs() < 1e-9);
        let mut little = Budget::new(1000);
        assert!(ratio(&document, &sample, &mut little) < 0.5);
        assert!(!little.take() && start.elapsed() < std::time::Duration::from_secs(5));
    }

    #[test]
    fn the_window_lies_around_the_densest_group() {
        assert_eq!(window(&[5], 10, 20, 1000), 0..35);
        assert_eq!(window(&[100, 500, 501, 502], 10, 20, 1000), 480..532);
        assert_eq!(window(&[990], 10, 20, 1000), 970..1000);
    }
}
