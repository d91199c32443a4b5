//! Which sentences of the source a sentence of the rewrite was made of: those that share its rarer words.
//!
//! Linear in the words: a word that stands in very many sentences of the source tells them apart badly and has no vote.

use std::collections::BTreeMap;

use crate::read::{Pair, Role, Side};

/// A word in more sentences than this says nothing of where it came from.
const MOST_PLACES: usize = 64;

/// How words weigh, and where in the source they stand.
#[derive(Debug)]
pub(crate) struct Weights {
    /// Of a word that stands in one sentence, or in none.
    pub(crate) rare: f64,
    /// For each stem; both texts' are numbered from zero.
    stems: Vec<(f64, Vec<usize>)>,
}

impl Weights {
    pub(crate) fn new(source: &Side) -> Self {
        let mut stems: Vec<(f64, Vec<usize>)> = Vec::new();
        for token in source.tokens.iter().filter(|token| token.role != Role::Stop) {
            let at = token.stem as usize;
            if stems.len() <= at {
                stems.resize_with(at + 1, Default::default);
            }
            if let Some((_, places)) = stems.get_mut(at)
                && places.last() != Some(&token.sentence)
                && places.len() <= MOST_PLACES
            {
                places.push(token.sentence);
            }
        }
        let sentences = count(source.sentences.len());
        for (weight, places) in &mut stems {
            *weight = (1.0 + sentences / count(places.len().max(1))).ln();
        }
        Self { rare: (1.0 + sentences).ln(), stems }
    }

    /// Rare words weigh more; a word that the source has not weighs like one that it has once.
    pub(crate) fn of(&self, stem: u32) -> f64 {
        self.stems.get(stem as usize).map_or(self.rare, |(weight, _)| *weight)
    }

    pub(crate) fn has(&self, stem: u32) -> bool {
        self.stems.get(stem as usize).is_some_and(|(_, places)| !places.is_empty())
    }

    pub(crate) fn places(&self, stem: u32) -> &[usize] {
        match self.stems.get(stem as usize) {
            Some((_, places)) if places.len() <= MOST_PLACES => places,
            _ => &[],
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of one text are far below 2^52")]
pub(crate) fn count(count: usize) -> f64 {
    count as f64
}

/// What a sentence of the rewrite has in the source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Aligned {
    /// The source's sentence that shares most with it, in relation to the length of both.
    pub(crate) best: Option<usize>,
    /// The sentence that shares most after that one.
    pub(crate) second: Option<usize>,
    /// How many they are.
    pub(crate) words: usize,
    /// The share of the weight that the best sentence, its neighbours and the second best have.
    pub(crate) near: f64,
    /// The share of the weight that the source has anywhere.
    pub(crate) anywhere: f64,
}

pub(crate) fn align(pair: &Pair, weights: &Weights) -> Vec<Aligned> {
    let lengths: Vec<f64> = (0..pair.source.sentences.len())
        .map(|at| distinct(&pair.source, at).iter().map(|&stem| weights.of(stem)).sum())
        .collect();
    (0..pair.rewrite.sentences.len())
        .map(|at| sentence(&distinct(&pair.rewrite, at), weights, &lengths))
        .collect()
}

/// The content words and numbers of a sentence, each once.
pub(crate) fn distinct(side: &Side, at: usize) -> Vec<u32> {
    let mut stems: Vec<u32> =
        side.sentence(at).iter().filter(|token| token.role != Role::Stop).map(|token| token.stem).collect();
    stems.sort_unstable();
    stems.dedup();
    stems
}

fn sentence(stems: &[u32], weights: &Weights, lengths: &[f64]) -> Aligned {
    let weight: f64 = stems.iter().map(|&stem| weights.of(stem)).sum();
    let mut votes: BTreeMap<usize, f64> = BTreeMap::new();
    for &stem in stems {
        for &place in weights.places(stem) {
            *votes.entry(place).or_default() += weights.of(stem);
        }
    }
    let score =
        |(place, vote): (&usize, &f64)| vote / lengths.get(*place).copied().unwrap_or(1.0).max(1.0).sqrt();
    let mut ranked: Vec<(f64, usize)> = votes.iter().map(|vote| (score(vote), *vote.0)).collect();
    ranked.sort_by(|one, two| two.0.total_cmp(&one.0).then(one.1.cmp(&two.1)));
    let best = ranked.first().map(|(_, place)| *place);
    let second = ranked.get(1).map(|(_, place)| *place);
    let mut window: Vec<usize> = best
        .into_iter()
        .flat_map(|best| [Some(best), best.checked_sub(1), Some(best + 1), second])
        .flatten()
        .filter(|place| *place < lengths.len())
        .collect();
    window.sort_unstable();
    window.dedup();
    let share = |found: &dyn Fn(u32) -> bool| {
        let found: f64 = stems.iter().filter(|stem| found(**stem)).map(|&stem| weights.of(stem)).sum();
        if weight == 0.0 { 1.0 } else { found / weight }
    };
    let near = share(&|stem| weights.places(stem).iter().any(|place| window.contains(place)));
    let anywhere = share(&|stem| weights.has(stem));
    Aligned { best, second, words: stems.len(), near, anywhere }
}
