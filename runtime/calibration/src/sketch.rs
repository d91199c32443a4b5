//! How much weight each score has, up to a small relative error: sums of integers, so that no order matters.

use std::collections::BTreeMap;

use crate::table::Percentiles;
use crate::{BUCKETS, MIN_DOCUMENTS};

/// So many of a single's 23 bits behind the point are not looked at: 16 are left, a part in 131,072.
const DROPPED_BITS: u32 = 7;

const SIGN: u32 = 1 << 31;

#[derive(Debug, Clone, Default)]
pub(crate) struct Sketch {
    documents: u64,
    tokens: u64,
    weights: BTreeMap<u32, u64>,
}

impl Sketch {
    pub(crate) fn add(&mut self, score: f32, tokens: u64) {
        self.documents = self.documents.saturating_add(1);
        self.tokens = self.tokens.saturating_add(tokens);
        let weight = self.weights.entry(key(score)).or_default();
        *weight = weight.saturating_add(tokens);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.documents = self.documents.saturating_add(other.documents);
        self.tokens = self.tokens.saturating_add(other.tokens);
        for (&key, &more) in &other.weights {
            let weight = self.weights.entry(key).or_default();
            *weight = weight.saturating_add(more);
        }
    }

    pub(crate) fn documents(&self) -> u64 {
        self.documents
    }

    /// Each boundary stands where the tokens below it come nearest to their share, so that many documents with one
    /// score get the bucket in their middle.
    pub(crate) fn percentiles(&self) -> Percentiles {
        // Scores of empty documents only: two steps with as much below them would hide all that come after.
        let counts = |weight: u64| 0 < weight || self.tokens == 0;
        let weights = || self.weights.iter().filter(|(_, weight)| counts(**weight));
        let mut steps: Vec<(f64, u128)> = Vec::with_capacity(self.weights.len() + 1);
        let mut below = 0_u128;
        for (&key, &weight) in weights() {
            steps.push((score(key), below));
            below += u128::from(weight);
        }
        // Behind the last score, where there is nothing any more.
        if let Some((&last, _)) = weights().next_back() {
            steps.push((score(last.saturating_add(1)), below));
        }
        let mut boundaries = Vec::with_capacity(BUCKETS - 1);
        let mut at = 0;
        for bucket in 1..BUCKETS as u128 {
            // In twentieths of a token, so that everything stays whole.
            let wanted = bucket * below;
            let error = |step: &(f64, u128)| (step.1 * BUCKETS as u128).abs_diff(wanted);
            while steps.get(at + 1).is_some_and(|next| error(next) < error(&steps[at])) {
                at += 1;
            }
            boundaries.extend(steps.get(at).map(|&(score, _)| score));
        }
        Percentiles { documents: self.documents, tokens: self.tokens, boundaries }
    }
}

/// Numbers in the order of the scores, equal where scores are not told apart.
fn key(score: f32) -> u32 {
    // Minus nothing is nothing.
    let bits = if score == 0.0 { 0 } else { score.to_bits() };
    (if bits & SIGN == 0 { bits | SIGN } else { !bits }) >> DROPPED_BITS
}

/// The least score of a key.
fn score(key: u32) -> f64 {
    let bits = key << DROPPED_BITS;
    let bits = if bits & SIGN == 0 { !bits } else { bits & !SIGN };
    f64::from(f32::from_bits(bits))
}

const _: () = assert!(BUCKETS as u64 * 50 == MIN_DOCUMENTS);
