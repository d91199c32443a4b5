//! Whether a number or a name stands where the source has another one.
//!
//! Each mention is known by the company it keeps: the words around it, nearer ones for more. A mention of the rewrite that
//! fits a place of the source where something else stands, better than any place where it stands itself, was exchanged,
//! unless that something else is there too and fits the place even better.

use crate::align::Weights;
use crate::read::{Mention, Role, Side};

/// Words to each side that are company.
const REACH: usize = 10;
/// More mentions than this are not looked at: time is bounded by their product.
const MOST: usize = 400;

/// A mention with the words around it, sorted, each with how much it counts.
struct Company<'a> {
    mention: &'a Mention,
    words: Vec<(u32, f64)>,
    total: f64,
}

/// The mention of the rewrite that looks most like an exchange: how much more of its company it finds around another
/// mention of the source than around itself, and which mention that is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Swap {
    pub(crate) score: f64,
    /// Its place among the rewrite's mentions, and the other's among the source's.
    pub(crate) found: Option<(usize, usize)>,
}

pub(crate) fn worst(
    source: (&Side, &[Mention]),
    rewrite: (&Side, &[Mention]),
    weights: &Weights,
) -> Swap {
    let sources = companies(source, weights);
    let rewrites = companies(rewrite, weights);
    let fits: Vec<Vec<f64>> = rewrites
        .iter()
        .map(|one| sources.iter().map(|other| fit(one, other, weights)).collect())
        .collect();
    let at = |one: usize, other: usize| fits.get(one).and_then(|row| row.get(other)).copied().unwrap_or(0.0);
    let mut worst = Swap::default();
    for (one, company) in rewrites.iter().enumerate() {
        let places = || sources.iter().enumerate();
        let own = places().filter(|(_, other)| other.mention.is(company.mention)).map(|(place, _)| at(one, place));
        let Some(own) = own.reduce(f64::max) else { continue };
        if company.total <= 0.0 || !company.mention.sure {
            continue;
        }
        for (place, other) in places().filter(|(_, other)| other.mention.sure && !other.mention.is(company.mention)) {
            let theirs = at(one, place);
            if theirs - own <= worst.score * company.total {
                continue;
            }
            let explained = rewrites
                .iter()
                .enumerate()
                .filter(|(_, twin)| twin.mention.is(other.mention))
                .map(|(twin, _)| at(twin, place))
                .fold(0.0, f64::max);
            let score = (theirs - own).min(theirs - explained) / company.total;
            if worst.score < score {
                worst = Swap { score, found: Some((one, place)) };
            }
        }
    }
    worst
}

fn companies<'a>((side, mentions): (&Side, &'a [Mention]), weights: &Weights) -> Vec<Company<'a>> {
    mentions.iter().take(MOST).map(|mention| company(side, mention, weights)).collect()
}

fn company<'a>(side: &Side, mention: &'a Mention, weights: &Weights) -> Company<'a> {
    let sentence = side.tokens.get(mention.first).map_or(0, |token| token.sentence);
    let from = mention.first.saturating_sub(REACH);
    let mut words: Vec<(u32, f64)> = Vec::new();
    for (at, token) in side.tokens.iter().enumerate().take(mention.last + 1 + REACH).skip(from) {
        let distance = if at < mention.first {
            mention.first - at
        } else if mention.last < at {
            at - mention.last
        } else {
            continue;
        };
        if token.role == Role::Stop || token.sentence != sentence {
            continue;
        }
        words.push((token.stem, 1.0 / (1.0 + crate::align::count(distance) / 3.0)));
    }
    words.sort_by(|one, two| one.0.cmp(&two.0).then(two.1.total_cmp(&one.1)));
    words.dedup_by_key(|word| word.0);
    let total = words.iter().map(|(stem, near)| weights.of(*stem) * near * near).sum();
    Company { mention, words, total }
}

fn fit(one: &Company<'_>, other: &Company<'_>, weights: &Weights) -> f64 {
    let (mut sum, mut at) = (0.0, 0);
    for (stem, near) in &one.words {
        while other.words.get(at).is_some_and(|(there, _)| there < stem) {
            at += 1;
        }
        if let Some((there, near_there)) = other.words.get(at)
            && there == stem
        {
            sum += weights.of(*stem) * near * near_there;
        }
    }
    sum
}
