//! Whether a number or a name stands where the source has another one.
//!
//! Each mention is known by the company it keeps: the words around it, nearer ones for more. A mention of the rewrite that
//! fits a place of the source where something else stands, better than any place where it stands itself, was exchanged,
//! unless that something else is there too and fits the place even better.
//!
//! Two names that change places within one sentence vouch for each other and mostly pass: leaving names out of the company
//! finds them, and rejects several times as many true rewrites.

use crate::align::Weights;
use crate::read::{Mention, Role, Side};

/// Words to each side that are company.
const REACH: usize = 10;
/// More mentions than this are not looked at: time is bounded by their product.
const MOST: usize = 400;

/// A mention with the words around it, sorted, each with how much it counts.
#[derive(Debug)]
struct Company<'a> {
    mention: &'a Mention,
    words: Vec<(u32, f64)>,
    total: f64,
    sentence: usize,
}

/// A mention of the rewrite that stands where the source has another: how much of its company it finds around the other
/// beyond what it finds around itself, and which the two are.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Swap {
    pub(crate) score: f64,
    /// Its place among the rewrite's mentions, and the other's among the source's.
    pub(crate) found: Option<(usize, usize)>,
}

/// All mentions of both texts, and how well each of the rewrite fits each place of the source.
#[derive(Debug)]
pub(crate) struct Fits<'a> {
    sources: Vec<Company<'a>>,
    rewrites: Vec<Company<'a>>,
    fits: Vec<Vec<f64>>,
    /// Whether a pronoun may stand for a mention.
    pronouns: bool,
    /// For each place how well what it has fits there, where the rewrite has it.
    explained: Vec<f64>,
}

impl<'a> Fits<'a> {
    pub(crate) fn new(
        source: (&Side, &'a [Mention]),
        rewrite: (&Side, &'a [Mention]),
        weights: &Weights,
        pronouns: bool,
    ) -> Self {
        let sources = companies(source, weights);
        let rewrites = companies(rewrite, weights);
        let fits = rewrites
            .iter()
            .map(|one| sources.iter().map(|other| fit(one, other, weights)).collect())
            .collect();
        let mut all = Self { sources, rewrites, fits, explained: Vec::new(), pronouns };
        all.explained = (0..all.sources.len()).map(|place| all.explain(place)).collect();
        all
    }

    fn at(&self, one: usize, place: usize) -> f64 {
        self.fits.get(one).and_then(|row| row.get(place)).copied().unwrap_or(0.0)
    }

    fn explain(&self, place: usize) -> f64 {
        let Some(other) = self.sources.get(place) else { return 0.0 };
        let twins = self.rewrites.iter().enumerate().filter(|(_, twin)| twin.mention.is(other.mention));
        twins.map(|(twin, _)| self.at(twin, place)).fold(0.0, f64::max)
    }

    /// The place that the mention `one` of the rewrite took from something else, and how surely.
    fn taken(&self, one: usize, own: f64) -> Swap {
        let mut taken = Swap::default();
        let Some(company) = self.rewrites.get(one).filter(|company| 0.0 < company.total) else {
            return taken;
        };
        for (place, other) in self.sources.iter().enumerate() {
            let theirs = self.at(one, place);
            if theirs - own <= taken.score * company.total
                || !other.mention.sure
                || other.mention.is(company.mention)
            {
                continue;
            }
            let score = (theirs - own).min(theirs - self.explained.get(place).copied().unwrap_or(0.0))
                / company.total;
            let score = score * self.doubt(company, other);
            if taken.score < score {
                taken = Swap { score: score.min(1.0), found: Some((one, place)) };
            }
        }
        taken
    }

    /// A mention that the source has beside the other, when the rewrite has the other nowhere near: the other was left out,
    /// or a pronoun was resolved.
    fn doubt(&self, company: &Company<'_>, other: &Company<'_>) -> f64 {
        let beside = |companies: &[Company<'_>], wanted: &Mention, sentence: usize| {
            let same = companies.iter().filter(|same| same.mention.is(wanted));
            same.map(|same| same.sentence.abs_diff(sentence)).min()
        };
        let there = beside(&self.sources, company.mention, other.sentence);
        let here = beside(&self.rewrites, other.mention, company.sentence).unwrap_or(usize::MAX);
        match there {
            // A pronoun in the next sentence may stand for a name, never for a number.
            Some(0) if usize::from(!self.pronouns) < here => 0.0,
            Some(1) if 1 < here => NEAR,
            _ => 1.0,
        }
    }

    /// How much of the company of the rewrite's mention `one`, which the source has nowhere, stands around something in the
    /// source that the rewrite does not have there.
    pub(crate) fn replaced(&self, one: usize) -> f64 {
        self.taken(one, 0.0).score
    }

    /// The likeliest exchange. Two of them are likelier than one: what was exchanged is missing elsewhere.
    pub(crate) fn worst(&self) -> Swap {
        let (mut worst, mut second) = (Swap::default(), 0.0);
        for (one, company) in self.rewrites.iter().enumerate().filter(|(_, company)| company.mention.sure) {
            let places = self.sources.iter().enumerate();
            let own = places.filter(|(_, other)| other.mention.is(company.mention));
            let Some(own) = own.map(|(place, _)| self.at(one, place)).reduce(f64::max) else { continue };
            let taken = self.taken(one, own);
            if worst.score < taken.score {
                second = worst.score;
                worst = taken;
            } else {
                second = f64::max(second, taken.score);
            }
        }
        worst.score += second * SECOND;
        worst
    }
}

/// Whoever is spoken of in the sentence before may be a pronoun in this one.
const NEAR: f64 = 0.5;
const SECOND: f64 = 0.5;

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
    Company { mention, words, total, sentence }
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
