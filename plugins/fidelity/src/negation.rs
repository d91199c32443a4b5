//! Whether the rewrite denies what its source asserts, or asserts what it denies.
//!
//! A `not` bears on the content words behind it. Where the other text has the same words in the same company without any
//! word that denies, one of the two has been turned round. Other ways to say no (`refuse`, `without`, `unlikely`) never
//! accuse, they only excuse.

use crate::align::{Aligned, Weights};
use crate::read::{Denial, Pair, Role, Side};

/// Tokens to each side of a denial that are its company, and in which another text's denial counts.
const REACH: usize = 7;
/// More denials than this in a text are not looked at.
const MOST: usize = 200;

/// The denial that looks most like a reversal: the share of its company that stands undenied in the other text.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Flip {
    pub(crate) score: f64,
    /// A token of the rewrite's sentence that is concerned.
    pub(crate) token: Option<usize>,
}

pub(crate) fn worst(pair: &Pair, aligned: &[Aligned], weights: &Weights) -> Flip {
    let mut windows: Vec<Vec<usize>> = vec![Vec::new(); pair.source.sentences.len()];
    for (sentence, aligned) in aligned.iter().enumerate() {
        for &place in &aligned.window {
            if let Some(window) = windows.get_mut(place) {
                window.push(sentence);
            }
        }
    }
    let mut worst = Flip::default();
    for denial in denials(&pair.rewrite) {
        let sentence = pair.rewrite.tokens.get(denial).map_or(0, |token| token.sentence);
        let window = aligned.get(sentence).map(|aligned| aligned.window.as_slice()).unwrap_or_default();
        if let Some((score, _)) = reversed(&pair.rewrite, denial, (&pair.source, window), weights)
            && worst.score < score
        {
            worst = Flip { score, token: Some(denial) };
        }
    }
    for denial in denials(&pair.source) {
        let sentence = pair.source.tokens.get(denial).map_or(0, |token| token.sentence);
        let window = windows.get(sentence).map(Vec::as_slice).unwrap_or_default();
        if let Some((score, token)) = reversed(&pair.source, denial, (&pair.rewrite, window), weights)
            && worst.score < score
        {
            worst = Flip { score, token: Some(token) };
        }
    }
    worst
}

fn denials(side: &Side) -> impl Iterator<Item = usize> {
    let plain = side.tokens.iter().enumerate().filter(|(_, token)| token.denial == Denial::Plain);
    plain.map(|(at, _)| at).take(MOST)
}

/// How sure it is that what the denial at `at` bears on is asserted in one of the sentences `window` of `other`, and where.
/// None where it is denied there too, or not there at all.
fn reversed(side: &Side, at: usize, (other, window): (&Side, &[usize]), weights: &Weights) -> Option<(f64, usize)> {
    let scope = scope(side, at)?;
    let company = company(side, at);
    let total: f64 = company.iter().map(|&stem| weights.of(stem)).sum();
    let mut found: Option<(f64, usize)> = None;
    for &sentence in window {
        let tokens = other.sentence(sentence);
        let first = other.sentences.get(sentence).map_or(0, |(first, _)| *first);
        for (place, token) in tokens.iter().enumerate().filter(|(_, token)| token.stem == scope) {
            let near = || tokens.iter().take(place + REACH).skip(place.saturating_sub(REACH));
            if near().any(|token| token.denial != Denial::None) {
                return None;
            }
            let shared: Vec<u32> =
                company.iter().copied().filter(|stem| near().any(|token| token.stem == *stem)).collect();
            let weight: f64 = shared.iter().map(|&stem| weights.of(stem)).sum();
            if shared.len() < 2 {
                continue;
            }
            let score = weight / total.max(f64::MIN_POSITIVE);
            if found.is_none_or(|(best, _)| best < score) {
                found = Some((score, first + place));
            }
            debug_assert!(token.role != Role::Stop, "a scope is a content word");
        }
    }
    found
}

/// The first content word behind the denial in its sentence.
fn scope(side: &Side, at: usize) -> Option<u32> {
    let sentence = side.tokens.get(at)?.sentence;
    let behind = side.tokens.iter().skip(at + 1).take(REACH).take_while(|token| token.sentence == sentence);
    behind.into_iter().find(|token| token.role != Role::Stop).map(|token| token.stem)
}

/// The content words around the denial in its sentence, each once.
fn company(side: &Side, at: usize) -> Vec<u32> {
    let sentence = side.tokens.get(at).map_or(0, |token| token.sentence);
    let near = side.tokens.iter().take(at + REACH + 1).skip(at.saturating_sub(REACH));
    let content = near.filter(|token| token.sentence == sentence && token.role != Role::Stop);
    let mut stems: Vec<u32> = content.map(|token| token.stem).collect();
    stems.sort_unstable();
    stems.dedup();
    stems
}
