//! Errors put into true rewrites, to measure what the gates find. Seeded: the same seed makes the same error.
//!
//! It finds its own places and shares nothing with the gates but the splitting into words, sentences and numbers, so that it
//! cannot favour what they can see.

use palimpsest_checks::{numbers, sentences, words};
use palimpsest_plugin::seed;

use crate::read::mended;

/// What is put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A number becomes another that is much like it.
    NumberChanged,
    /// Two numbers of the rewrite change places.
    NumbersExchanged,
    /// A name becomes one of another article.
    NameChanged,
    /// Two names of the rewrite change places, at one mention each.
    NamesExchanged,
    /// A verb is denied, or a denial taken away.
    NegationFlipped,
    /// A sentence of another article is put in.
    SentenceAdded,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::NumberChanged,
        Self::NumbersExchanged,
        Self::NameChanged,
        Self::NamesExchanged,
        Self::NegationFlipped,
        Self::SentenceAdded,
    ];

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NumberChanged => "number changed",
            Self::NumbersExchanged => "numbers exchanged",
            Self::NameChanged => "name changed",
            Self::NamesExchanged => "names exchanged",
            Self::NegationFlipped => "negation flipped",
            Self::SentenceAdded => "sentence added",
        }
    }
}

/// Chance that is decided by a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = seed(&[&self.0.to_string()]);
        usize::try_from(self.0 % bound.max(1) as u64).unwrap_or(0)
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        of.get(self.below(of.len())).cloned()
    }
}

type Place = (usize, usize);

/// The rewrite with one error of this kind, or none where it has no place for one. `other`: another article.
#[must_use]
pub fn inject(kind: Kind, rewrite: &str, other: &str, number: u64) -> Option<String> {
    let (rewrite, other) = (&*mended(rewrite), &*mended(other));
    let mut dice = Dice(seed(&[kind.word(), rewrite, &number.to_string()]));
    match kind {
        Kind::NumberChanged => {
            let place = dice.pick(&figures(rewrite))?;
            let changed = changed(rewrite.get(place.0..place.1)?, &mut dice)?;
            replaced(rewrite, place, &changed)
        }
        Kind::NumbersExchanged => exchanged(rewrite, &figures(rewrite), &mut dice),
        Kind::NameChanged => {
            let place = dice.pick(&names(rewrite))?;
            let foreign = dice.pick(&names(other))?;
            let foreign = other.get(foreign.0..foreign.1)?;
            (!rewrite.contains(foreign)).then(|| replaced(rewrite, place, foreign)).flatten()
        }
        Kind::NamesExchanged => exchanged(rewrite, &names(rewrite), &mut dice),
        Kind::NegationFlipped => flipped(rewrite, &mut dice),
        Kind::SentenceAdded => {
            const FEWEST: usize = 8;
            let long = |range: &std::ops::Range<usize>| {
                FEWEST <= other.get(range.clone()).map_or(0, |text| text.split_whitespace().count())
            };
            let sentence = dice.pick(&sentences::find(other).into_iter().filter(long).collect::<Vec<_>>())?;
            let after = dice.pick(&sentences::find(rewrite))?.end;
            let sentence = other.get(sentence)?.replace('\n', " ");
            replaced(rewrite, (after, after), &format!(" {sentence}"))
        }
    }
}

fn replaced(text: &str, (start, end): Place, with: &str) -> Option<String> {
    Some(format!("{}{with}{}", text.get(..start)?, text.get(end..)?))
}

fn exchanged(text: &str, places: &[Place], dice: &mut Dice) -> Option<String> {
    let said = |place: Place| text.get(place.0..place.1).map(str::to_lowercase);
    let one = dice.pick(places)?;
    let others: Vec<Place> = places
        .iter()
        .copied()
        .filter(|other| match (said(one), said(*other)) {
            // Parts of a name are the same name.
            (Some(one), Some(other)) => !one.contains(&other) && !other.contains(&one),
            _ => false,
        })
        .collect();
    let other = dice.pick(&others)?;
    let (first, second) = if one < other { (one, other) } else { (other, one) };
    let (first_said, second_said) = (text.get(first.0..first.1)?, text.get(second.0..second.1)?);
    replaced(&replaced(text, second, first_said)?, first, second_said)
}

/// The digits of numbers in figures, and small numbers in words.
fn figures(text: &str) -> Vec<Place> {
    let numbers = numbers::find(text)
        .into_iter()
        .filter(|number| matches!(number.written, numbers::Written::Figures | numbers::Written::Words));
    numbers
        .filter_map(|number| {
            let said = text.get(number.start..number.end)?;
            let digits = said.find(|symbol: char| symbol.is_ascii_digit());
            Some(match digits {
                Some(_) => {
                    let end = said.rfind(|symbol: char| symbol.is_ascii_digit())? + 1;
                    (number.start, number.start + end)
                }
                None => (number.start, number.end),
            })
        })
        .collect()
}

/// Another number that looks like this one: a digit changed, two digits turned round, or another number word.
fn changed(number: &str, dice: &mut Dice) -> Option<String> {
    const WORDS: [&str; 12] = [
        "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "fifteen", "twenty",
    ];
    let digits: Vec<usize> =
        number.char_indices().filter(|(_, symbol)| symbol.is_ascii_digit()).map(|(at, _)| at).collect();
    if digits.is_empty() {
        return dice.pick(&WORDS).filter(|word| !number.to_lowercase().contains(word)).map(str::to_owned);
    }
    let mut bytes = number.as_bytes().to_vec();
    let place = dice.below(digits.len());
    let (one, next) = (*digits.get(place)?, digits.get(place + 1).copied());
    match next {
        Some(next) if dice.below(2) == 0 && bytes.get(one) != bytes.get(next) => bytes.swap(one, next),
        _ => {
            let digit = bytes.get_mut(one)?;
            let by = 1 + u8::try_from(dice.below(8)).ok()?;
            *digit = b'1' + (*digit - b'0' + by + 8) % 9;
        }
    }
    let changed = String::from_utf8(bytes).ok()?;
    (changed != number).then_some(changed)
}

const NO_NAMES: [&str; 24] = [
    "I",
    "I'm",
    "I’m",
    "I've",
    "I’ve",
    "I'd",
    "I’d",
    "I'll",
    "I’ll",
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
    "The",
    "A",
    "Mr",
];

/// Words in a row with capitals inside of sentences.
fn names(text: &str) -> Vec<Place> {
    let mut names: Vec<Place> = Vec::new();
    let words = words::find(text);
    for range in sentences::find(text) {
        let inner = words.iter().filter(|word| range.start <= word.start && word.end <= range.end).skip(1);
        for word in inner {
            let said = text.get(word.start..word.end).unwrap_or_default();
            let before = text.get(..word.start).unwrap_or_default().trim_end();
            let opens = before.ends_with(['"', '“', '‘', ':', '.', '?', '!', '–', '—']);
            if !word.capital || opens || NO_NAMES.contains(&said) || word.end - word.start < 3 {
                continue;
            }
            let bare = said.strip_suffix("’s").or_else(|| said.strip_suffix("'s")).unwrap_or(said);
            let end = word.start + bare.len();
            match names.last_mut() {
                Some(last) if text.get(last.1..word.start).is_some_and(|gap| gap == " " || gap == "\n") => {
                    last.1 = end;
                }
                _ => names.push((word.start, end)),
            }
        }
    }
    names
}

const AUXILIARIES: [&str; 13] =
    ["is", "are", "was", "were", "will", "can", "could", "would", "should", "may", "might", "must", "did"];

fn flipped(text: &str, dice: &mut Dice) -> Option<String> {
    let words = words::find(text);
    let mut edits: Vec<(Place, String)> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let next = words.get(at + 1).map_or("", |next| next.lower.as_str());
        let said = text.get(word.start..word.end)?;
        match word.lower.as_str() {
            "not" => edits.push(((word.start.saturating_sub(1), word.end), String::new())),
            "never" => edits.push(((word.start, word.end), "always".to_owned())),
            "cannot" => edits.push(((word.start, word.end), "can".to_owned())),
            lower if lower.ends_with("n't") => {
                let base = match lower {
                    "can't" => "can",
                    "won't" => "will",
                    _ => said
                        .get(..said.len() - said.chars().rev().take(3).map(char::len_utf8).sum::<usize>())?,
                };
                edits.push(((word.start, word.end), base.to_owned()));
            }
            lower if AUXILIARIES.contains(&lower) && next != "not" && !next.is_empty() => {
                edits.push(((word.end, word.end), " not".to_owned()));
            }
            _ => {}
        }
    }
    let (place, with) = dice.pick(&edits)?;
    replaced(text, place, &with)
}
