//! Whether the rewrite denies what its source asserts, or asserts what it denies.
//!
//! A `not` bears on the content words behind it. Where the other text has the same words in the same company without any
//! word that denies, one of the two has been turned round. Other ways to say no (`refuse`, `without`, `unlikely`) never
//! accuse, they only excuse.

use crate::align::{Aligned, Weights, count};
use crate::read::{Denial, Pair, Role, Side, Token};

/// Tokens to each side of a denial that are its company, and in which another text's denial counts.
const REACH: usize = 7;
/// Another denial excuses from so many tokens before the denied word to so many from it on.
const BEFORE: usize = 4;
const BEHIND: usize = 4;
/// What is forbidden or prevented stands far behind the word that says so.
const FAR_BEFORE: usize = 10;
/// A denial elsewhere in the sentence may still bear on the word.
const ELSEWHERE: f64 = 0.8;
/// Content words that a denial bears on.
const SCOPE: usize = 1;
/// Less company than so many words is chance.
const FEWEST: usize = 3;
/// The very words to both sides of a denial, side by side without it, are so much of a reversal,
const SAME: f64 = 0.5;
/// where so much of its company is shared as well: more where both are words of grammar.
const LEAST: f64 = 0.1;
const LEAST_OF_GRAMMAR: f64 = 0.2;
/// Company at this distance counts half.
const FADE: f64 = 4.0;
/// What a word of grammar weighs beside a rare word.
const GRAMMAR: f64 = 0.4;
/// Company that stands in a sentence without the very word that is denied says so much less.
const LOOSE: f64 = 0.6;
/// More denials than this in a text are not looked at.
const MOST: usize = 200;

/// The denial that looks most like a reversal: the share of its company that stands undenied in the other text.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Flip {
    pub(crate) score: f64,
    /// A token of the rewrite and one of the source, in the sentences that say opposite things.
    pub(crate) tokens: Option<(usize, usize)>,
}

pub(crate) fn worst(pair: &Pair, aligned: &[Aligned], weights: &Weights) -> Flip {
    let mut windows: Vec<Vec<usize>> = vec![Vec::new(); pair.source.sentences.len()];
    for (sentence, aligned) in aligned.iter().enumerate() {
        for place in aligned.best.into_iter().chain(aligned.second) {
            if let Some(window) = windows.get_mut(place) {
                window.push(sentence);
            }
        }
    }
    let mut worst = Flip::default();
    for denial in denials(&pair.rewrite) {
        let sentence = pair.rewrite.tokens.get(denial).map_or(0, |token| token.sentence);
        let Some(aligned) = aligned.get(sentence) else { continue };
        let window: Vec<usize> = aligned.best.into_iter().chain(aligned.second).collect();
        if let Some((score, token)) = reversed(&pair.rewrite, denial, (&pair.source, &window), weights)
            && worst.score < score
        {
            worst = Flip { score, tokens: Some((denial, token)) };
        }
    }
    for denial in denials(&pair.source) {
        let sentence = pair.source.tokens.get(denial).map_or(0, |token| token.sentence);
        let window = windows.get(sentence).map(Vec::as_slice).unwrap_or_default();
        if let Some((score, token)) = reversed(&pair.source, denial, (&pair.rewrite, window), weights)
            && worst.score < score
        {
            worst = Flip { score, tokens: Some((token, denial)) };
        }
    }
    worst
}

fn denials(side: &Side) -> impl Iterator<Item = usize> {
    let plain = side.tokens.iter().enumerate().filter(|(_, token)| token.denial.is_plain());
    plain.map(|(at, _)| at).take(MOST)
}

/// How sure it is that what the denial at `at` bears on is asserted in one of the sentences `window` of `other`, and where:
/// the share of the denial's company that stands around the denied word there, beyond what stands around it denied.
fn reversed(
    side: &Side,
    at: usize,
    (other, window): (&Side, &[usize]),
    weights: &Weights,
) -> Option<(f64, usize)> {
    let (scope, far) = scope(side, at);
    let company = company(side, at, weights);
    let total: f64 = company.iter().map(|(_, weight)| weight).sum();
    let share = |within: &[Token]| {
        let shared = company.iter().filter(|(form, _)| within.iter().any(|token| key(token) == *form));
        let (weight, words) = shared.fold((0.0, 0), |(sum, words), (_, weight)| (sum + weight, words + 1));
        if words < FEWEST { 0.0 } else { weight / total.max(f64::MIN_POSITIVE) }
    };
    let (mut asserted, mut denied): ((f64, usize), f64) = ((0.0, 0), 0.0);
    for &sentence in window {
        let tokens = other.sentence(sentence);
        let first = other.sentences.get(sentence).map_or(0, |(first, _)| *first);
        let part = |from: usize, to: usize| tokens.get(from..to.min(tokens.len())).unwrap_or_default();
        for (place, _) in tokens.iter().enumerate().filter(|(_, token)| scope.contains(&token.stem)) {
            let score = share(part(place.saturating_sub(REACH + 1), place + REACH + 1));
            let around = part(place.saturating_sub(BEFORE.max(far)), place)
                .iter()
                .chain(part(place + 1, place + BEHIND));
            let before = part(place.saturating_sub(FAR_BEFORE), place);
            if around.into_iter().any(|token| token.denial != Denial::None)
                || before.iter().any(|token| token.denial == Denial::Forbidding)
            {
                denied = denied.max(score);
                continue;
            }
            let score = if tokens.iter().any(|token| token.denial != Denial::None) {
                score * ELSEWHERE
            } else {
                score
            };
            if asserted.0 < score {
                asserted = (score, first + place);
            }
        }
        if let Some(place) = undenied(side, at, tokens) {
            let score = share(part(place.saturating_sub(REACH + 1), place + REACH + 1));
            let grammar = part(place, place + 2).iter().all(|token| token.role == Role::Stop);
            let least = if grammar { LEAST_OF_GRAMMAR } else { LEAST };
            let same = score + SAME * (1.0 - score);
            if least < score && asserted.0 < same {
                let score = same;
                asserted = (score, first + place);
            }
        }
        if tokens.iter().all(|token| token.denial == Denial::None) {
            let score = share(tokens) * LOOSE;
            if asserted.0 < score {
                asserted = (score, first);
            }
        }
    }
    (denied < asserted.0).then_some((asserted.0 - denied, asserted.1))
}

/// Where the words to both sides of a denial stand side by side: `is not closing` and `is closing`.
fn undenied(side: &Side, at: usize, tokens: &[Token]) -> Option<usize> {
    let denial = side.tokens.get(at)?;
    let before =
        if denial.denial == Denial::Joined { denial } else { side.tokens.get(at.checked_sub(1)?)? };
    let after = side.tokens.get(at + 1)?;
    if before.sentence != after.sentence || before.sentence != denial.sentence {
        return None;
    }
    tokens.windows(2).position(|pair| match pair {
        [one, two] => {
            one.form == before.form
                && two.form == after.form
                && !one.denial.is_plain()
                && !two.denial.is_plain()
        }
        _ => false,
    })
}

/// What a word is compared by: content by its stem, grammar by its form.
fn key(token: &Token) -> u32 {
    if token.role == Role::Stop { token.form } else { token.stem }
}

/// The first content words behind the denial in its sentence, and how far away the last of them is.
fn scope(side: &Side, at: usize) -> (Vec<u32>, usize) {
    let Some(sentence) = side.tokens.get(at).map(|token| token.sentence) else { return Default::default() };
    let behind = side.tokens.iter().enumerate().skip(at + 1).take(REACH);
    let content = behind.take_while(|(_, token)| token.sentence == sentence);
    let content = content.filter(|(_, token)| token.role != Role::Stop).take(SCOPE);
    content.fold(Default::default(), |(mut stems, _): (Vec<u32>, usize), (place, token)| {
        stems.push(token.stem);
        (stems, place - at)
    })
}

/// The words around the denial in its sentence, each once, with their weights.
fn company(side: &Side, at: usize, weights: &Weights) -> Vec<(u32, f64)> {
    let sentence = side.tokens.get(at).map_or(0, |token| token.sentence);
    let near = side.tokens.iter().enumerate().take(at + REACH + 1).skip(at.saturating_sub(REACH));
    let near = near.filter(|(_, token)| token.sentence == sentence && token.denial != Denial::Plain);
    let mut words: Vec<(u32, f64)> = near
        .map(|(place, token)| {
            let weight =
                if token.role == Role::Stop { GRAMMAR * weights.rare } else { weights.of(token.stem) };
            (key(token), weight / (1.0 + count(place.abs_diff(at)) / FADE))
        })
        .collect();
    words.sort_by(|one, two| one.0.cmp(&two.0).then(two.1.total_cmp(&one.1)));
    words.dedup_by_key(|word| word.0);
    words
}
