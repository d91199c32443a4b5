//! Runs of words, by which texts are compared whatever stands between the words.

use crate::blocks::{Block, is_ideograph};
use crate::dom::{Kind, Tree};

use super::number::ratio;

/// A run is so many words: fewer are in any two texts of a language.
const LEN: usize = 4;

/// A page has no more than this to compare with.
const MAX_RUNS: usize = 50_000;

/// The runs of some texts.
#[derive(Debug, Default)]
pub(super) struct Runs(Vec<u64>);

impl Runs {
    pub(super) fn add(&mut self, text: &str) {
        let mut words = Words::new(MAX_RUNS.saturating_sub(self.0.len()));
        words.add(text);
        words.finish();
        self.0.extend(words.found.windows(LEN).map(run));
    }

    /// Has to be called between the last text and the first question.
    pub(super) fn sort(&mut self) {
        self.0.sort_unstable();
        self.0.dedup();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much of these runs is among them. Without anything to compare: -1.
    pub(super) fn share(&self, runs: &[u64]) -> f32 {
        if self.0.is_empty() || runs.is_empty() {
            return -1.0;
        }
        ratio(runs.iter().filter(|run| self.0.binary_search(run).is_ok()).count(), runs.len())
    }
}

/// The runs of a block's first words. A block of fewer words than a run has is one run.
pub(super) fn of_block(tree: &Tree, block: &Block, most: usize, add: impl FnMut(u64)) {
    let mut words = Words::new(most);
    for node in tree.nodes.get(block.first as usize..block.last as usize).unwrap_or_default() {
        match node.kind {
            Kind::Text { from, to, .. } => words.add(tree.text(from, to)),
            // A line break or a cell parts words; elements within a line may or may not.
            Kind::Element { .. } => words.finish(),
        }
    }
    words.finish();
    words.found.windows(LEN.min(words.found.len()).max(1)).map(run).for_each(add);
}

fn run(words: &[u64]) -> u64 {
    words.iter().fold(0, |hash, word| (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95))
}

/// Hashes of words, in lower case.
struct Words {
    found: Vec<u64>,
    most: usize,
    open: u64,
}

impl Words {
    fn new(most: usize) -> Self {
        Self { found: Vec::new(), most, open: 0 }
    }

    fn add(&mut self, text: &str) {
        for c in text.chars() {
            if self.most <= self.found.len() {
                return;
            }
            if !c.is_alphanumeric() {
                self.finish();
                continue;
            }
            let (lower, is_wide) = match c {
                c if c.is_ascii() => (c.to_ascii_lowercase(), false),
                c => (c.to_lowercase().next().unwrap_or(c), is_ideograph(c)),
            };
            if is_wide {
                self.finish();
            }
            // The offset keeps an open word from being taken for none.
            let hash = self.open ^ u64::from(u32::from(lower)) ^ 0xcbf2_9ce4_8422_2325;
            self.open = hash.wrapping_mul(0x100_0000_01b3);
            if is_wide {
                self.finish();
            }
        }
    }

    fn finish(&mut self) {
        if self.open != 0 && self.found.len() < self.most {
            self.found.push(self.open);
        }
        self.open = 0;
    }
}
