//! All values of a rewrite beside its source, one function for each. Decides nothing: thresholds are the settings'.

use palimpsest_checks::runs;

use crate::align::{self, Aligned, Weights};
use crate::negation;
use crate::read::{self, Mention, Pair, Role, Side};
use crate::swaps::{Fits, Swap};

/// What was found, and the place in the rewrite that shows it best.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Found {
    pub(crate) value: f64,
    /// In the words of a complaint; empty where there is nothing to complain of.
    pub(crate) problem: String,
}

/// The values of one rewrite.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measures {
    pub(crate) new_number: Found,
    pub(crate) number_swap: Found,
    pub(crate) new_name: Found,
    pub(crate) name_swap: Found,
    pub(crate) negation: Found,
    pub(crate) addition: Found,
    pub(crate) novelty: f64,
    pub(crate) coverage: f64,
    pub(crate) sentence_coverage: f64,
    pub(crate) length: f64,
    pub(crate) copied: f64,
    pub(crate) copied_words: usize,
    pub(crate) repeated: f64,
    /// The same of the source: a song may be rewritten as one.
    pub(crate) source_repeated: f64,
}

pub(crate) fn of(source: &str, rewrite: &str) -> Measures {
    let (source, rewrite) = (&*read::mended(source), &*read::mended(rewrite));
    let pair = read::pair(source, rewrite);
    let weights = Weights::new(&pair.source);
    let aligned = align::align(&pair, &weights);
    let (copied_words, copied) = copied(&pair);
    let forms = |side: &Side| side.tokens.iter().map(|token| token.form).collect::<Vec<_>>();
    let fits = |of: fn(&Side) -> &[Mention], pronouns: bool| {
        Fits::new((&pair.source, of(&pair.source)), (&pair.rewrite, of(&pair.rewrite)), &weights, pronouns)
    };
    let (numbers, names) = (fits(|side| &side.numbers, false), fits(|side| &side.names, true));
    Measures {
        new_number: new_numbers(&pair, &numbers, rewrite),
        number_swap: swapped(
            &numbers.worst(),
            (&pair, (source, rewrite)),
            (&pair.source.numbers, &pair.rewrite.numbers),
        ),
        new_name: new_names(&pair, &names, (source, rewrite)),
        name_swap: swapped(
            &names.worst(),
            (&pair, (source, rewrite)),
            (&pair.source.names, &pair.rewrite.names),
        ),
        negation: negation(&pair, &aligned, &weights, (source, rewrite)),
        addition: addition(&pair, &aligned, rewrite),
        novelty: novelty(&pair, &weights),
        coverage: coverage(&pair),
        sentence_coverage: sentence_coverage(&pair, &aligned),
        length: runs::share(rewrite.trim().chars().count(), source.trim().chars().count()),
        copied,
        copied_words,
        repeated: runs::repeated(&forms(&pair.rewrite), REPEATED_RUN),
        source_repeated: runs::repeated(&forms(&pair.source), REPEATED_RUN),
    }
}

/// Runs of four words tell a text that goes round in circles from one with favourite phrases.
const REPEATED_RUN: usize = 4;

fn said<'a>(text: &'a str, side: &Side, mention: &Mention) -> &'a str {
    let start = side.tokens.get(mention.first).map_or(0, |token| token.start);
    let end = side.tokens.get(mention.last).map_or(0, |token| token.end);
    text.get(start..end).unwrap_or_default()
}

/// What is new says little where the source has nothing else to say, and more where it says another thing.
const NEW: f64 = 0.5;
/// A small number in words may have been counted, a title may have been put before a name.
const NEW_BUT_SMALL: f64 = 0.25;

/// How sure it is that a number of the rewrite is not the source's: it is not there or has another unit, and what stands in
/// its place is another number.
fn new_numbers(pair: &Pair, fits: &Fits<'_>, rewrite: &str) -> Found {
    let is_new = |number: &Mention| {
        let same = pair.source.numbers.iter().filter(|other| other.is(number));
        let mut same = same.peekable();
        if same.peek().is_none() {
            return true;
        }
        number.unit.is_some() && same.all(|other| other.unit.is_some() && other.unit != number.unit)
    };
    let base = |number: &Mention| {
        let word = said(rewrite, &pair.rewrite, number);
        if word.contains(|symbol: char| symbol.is_ascii_digit()) { NEW } else { NEW_BUT_SMALL }
    };
    newest(pair, fits, rewrite, ("number", &pair.rewrite.numbers), (&is_new, &base))
}

/// How sure it is that a name of the rewrite is not the source's.
fn new_names(pair: &Pair, fits: &Fits<'_>, (source, rewrite): (&str, &str)) -> Found {
    let known: std::collections::BTreeSet<u32> = pair.source.tokens.iter().map(|token| token.stem).collect();
    let keys: std::collections::BTreeSet<u32> =
        pair.source.names.iter().flat_map(|name| name.keys.iter().copied()).collect();
    // A name is new by any of its words: `President Lincoln` where the source has another president.
    let is_new = |name: &Mention| {
        let words = pair.rewrite.tokens.iter().take(name.last + 1).skip(name.first);
        let new = words
            .filter(|word| !known.contains(&word.stem) && !word.keys.iter().any(|key| keys.contains(key)));
        let new: Vec<&str> = new.filter_map(|word| rewrite.get(word.start..word.end)).collect();
        let misspelt = |word: &str| {
            pair.source.names.iter().any(|other| is_misspelt(said(source, &pair.source, other), word))
        };
        new.into_iter().any(|word| !misspelt(word)) && !misspelt(said(rewrite, &pair.rewrite, name))
    };
    let base = |name: &Mention| {
        let word = said(rewrite, &pair.rewrite, name).to_lowercase();
        if read::is_title(&word) { NEW_BUT_SMALL } else { NEW }
    };
    newest(pair, fits, rewrite, ("name", &pair.rewrite.names), (&is_new, &base))
}

/// Whether two long names are one letter apart, a possessive aside: a slip of the pen, not another name.
fn is_misspelt(one: &str, other: &str) -> bool {
    const SHORTEST: usize = 5;
    let letters = |name: &str| -> Vec<char> {
        let name = name.trim_end_matches("'s").trim_end_matches("’s");
        name.chars().flat_map(char::to_lowercase).collect()
    };
    let (one, other) = (letters(one), letters(other));
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    if short.len() < SHORTEST || short.len() + 1 < long.len() {
        return false;
    }
    let same = short.iter().zip(&long).take_while(|(one, other)| one == other).count();
    let rest = |letters: &[char], from: usize| letters.get(from..).map(<[char]>::to_vec).unwrap_or_default();
    rest(&short, same + usize::from(short.len() == long.len())) == rest(&long, same + 1)
}

type OfMention<'a, T> = &'a dyn Fn(&Mention) -> T;

fn newest(
    pair: &Pair,
    fits: &Fits<'_>,
    rewrite: &str,
    (what, rewrites): (&str, &[Mention]),
    (is_new, base): (OfMention<'_, bool>, OfMention<'_, f64>),
) -> Found {
    let mut found = Found::default();
    for (at, mention) in rewrites.iter().enumerate().filter(|(_, mention)| mention.sure && is_new(mention)) {
        let base = base(mention);
        let value = base + fits.replaced(at) * (1.0 - base);
        if found.value < value {
            let said = said(rewrite, &pair.rewrite, mention);
            found = Found { value, problem: format!("the {what} \"{said}\" is not in the source") };
        }
    }
    found
}

fn swapped(
    swap: &Swap,
    (pair, (source, rewrite)): (&Pair, (&str, &str)),
    (sources, rewrites): (&[Mention], &[Mention]),
) -> Found {
    let mentions = swap.found.and_then(|(one, other)| Some((rewrites.get(one)?, sources.get(other)?)));
    let problem = mentions.map_or_else(String::new, |(one, other)| {
        let (one, other) = (said(rewrite, &pair.rewrite, one), said(source, &pair.source, other));
        format!("\"{one}\" stands where the source has \"{other}\"")
    });
    Found { value: swap.score, problem }
}

fn negation(pair: &Pair, aligned: &[Aligned], weights: &Weights, (source, rewrite): (&str, &str)) -> Found {
    let flip = negation::worst(pair, aligned, weights);
    let sentence = |side: &Side, at: usize| side.tokens.get(at).map_or(0, |token| token.sentence);
    let problem = flip.tokens.map_or_else(String::new, |(one, other)| {
        let one = quoted(rewrite, &pair.rewrite, sentence(&pair.rewrite, one));
        let other = quoted(source, &pair.source, sentence(&pair.source, other));
        format!("\"{one}\" says the opposite of \"{other}\"")
    });
    Found { value: flip.score, problem }
}

fn quoted<'a>(text: &'a str, side: &Side, sentence: usize) -> &'a str {
    side.bytes(sentence).and_then(|bytes| text.get(bytes)).unwrap_or_default()
}

/// A sentence of fewer content words may be all paraphrase.
const FEWEST_WORDS: usize = 5;

/// How little support the least supported sentence has: the weight of its content words that neither the sentences it comes
/// from have, nor, counted half, the source anywhere.
fn addition(pair: &Pair, aligned: &[Aligned], rewrite: &str) -> Found {
    let mut found = Found::default();
    for (at, aligned) in aligned.iter().enumerate().filter(|(_, aligned)| FEWEST_WORDS <= aligned.words) {
        let value = 1.0 - (aligned.near + aligned.anywhere) / 2.0;
        if found.value < value {
            let problem =
                format!("nothing in the source supports \"{}\"", quoted(rewrite, &pair.rewrite, at));
            found = Found { value, problem };
        }
    }
    found
}

/// The share of the rewrite's content words, each once, that the source has not.
fn novelty(pair: &Pair, weights: &Weights) -> f64 {
    let words = all(&pair.rewrite);
    runs::share(words.iter().filter(|stem| !weights.has(**stem)).count(), words.len())
}

/// The share of the source's content words, each once, that come back.
fn coverage(pair: &Pair) -> f64 {
    let (words, back) = (all(&pair.source), all(&pair.rewrite));
    runs::share(words.intersection(&back).count(), words.len())
}

fn all(side: &Side) -> std::collections::BTreeSet<u32> {
    side.tokens.iter().filter(|token| token.role != Role::Stop).map(|token| token.stem).collect()
}

/// The share of the source's sentences that some sentence of the rewrite was made of.
fn sentence_coverage(pair: &Pair, aligned: &[Aligned]) -> f64 {
    let best: std::collections::BTreeSet<usize> = aligned.iter().filter_map(|aligned| aligned.best).collect();
    runs::share(best.len(), pair.source.sentences.len())
}

/// The longest run of words that was copied, and its share of the rewrite.
fn copied(pair: &Pair) -> (usize, f64) {
    let forms = |side: &Side| side.tokens.iter().map(|token| token.form).collect::<Vec<_>>();
    let (source, rewrite) = (forms(&pair.source), forms(&pair.rewrite));
    let (longest, _) = runs::longest_common(&source, &rewrite);
    (longest, runs::share(longest, rewrite.len()))
}
