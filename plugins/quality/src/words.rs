//! A text as words.
//!
//! The published figures (words of a page, their mean length, shares of repeated n-grams) hold for the words of the
//! tokenizer that they were found with. That is spaCy's: pieces between blanks, marks split off at both ends and
//! inside, with exceptions. This module says the same of English, token by token, and of other languages with blanks
//! what spaCy's language-neutral rules say; datatrove takes a tokenizer per language there, whose exceptions
//! (abbreviations, mostly) move a value in the third digit. Text of languages without blanks is cut by the
//! dictionaries of ICU; datatrove takes another dictionary for each of them. Nor does this module leave out the word
//! `IS_ALPHA`, which datatrove does because it stops spaCy.

mod address;
mod affixes;
pub(crate) mod classes;
mod english;
mod ranges;

use std::collections::HashMap;
use std::fmt;

use icu_segmenter::options::WordBreakInvariantOptions;
use icu_segmenter::{WordSegmenter, WordSegmenterBorrowed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::python::is_space;

/// How a text becomes words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Segmentation {
    /// spaCy's rules for English.
    English,
    /// spaCy's rules for any language with blanks.
    Neutral,
    /// ICU's dictionaries, for languages without blanks.
    Dictionary,
}

impl Segmentation {
    /// For a language, as ISO 639-1 or 639-3, maybe with a script behind it (`zho_Hans`).
    #[must_use]
    pub fn of(language: &str) -> Self {
        match language.split(['_', '-']).next().unwrap_or_default() {
            "en" | "eng" => Self::English,
            "zh" | "zho" | "cmn" | "yue" | "wuu" | "ja" | "jpn" | "th" | "tha" | "lo" | "lao" | "km"
            | "khm" | "my" | "mya" | "bo" | "bod" | "dz" | "dzo" => Self::Dictionary,
            _ => Self::Neutral,
        }
    }
}

/// The exceptions of one language: how many bytes each of their tokens has.
type Exceptions = HashMap<String, Vec<usize>>;

/// Rules and dictionaries, made once.
pub struct Segmenter {
    english: Rules,
    neutral: Rules,
    dictionary: WordSegmenterBorrowed<'static>,
}

impl fmt::Debug for Segmenter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segmenter").finish_non_exhaustive()
    }
}

impl Default for Segmenter {
    fn default() -> Self {
        Self {
            english: Rules::new(english::english(), true),
            neutral: Rules::new(english::any_language(), false),
            dictionary: WordSegmenter::new_dictionary(WordBreakInvariantOptions::default()),
        }
    }
}

impl Segmenter {
    /// All tokens in their order, blanks among them.
    fn tokens<'a>(&self, text: &'a str, how: Segmentation) -> Vec<&'a str> {
        match how {
            Segmentation::English => self.english.tokens(text),
            Segmentation::Neutral => self.neutral.tokens(text),
            Segmentation::Dictionary => {
                let mut start = 0;
                let bounds = self.dictionary.segment_str(text).skip(1);
                bounds.filter_map(|end| text.get(std::mem::replace(&mut start, end)..end)).collect()
            }
        }
    }

    /// The words of a text, marks included.
    #[must_use]
    pub fn words<'a>(&self, text: &'a str, how: Segmentation) -> Vec<&'a str> {
        let mut tokens = self.tokens(text, how);
        tokens.retain(|token| !token.chars().all(is_space));
        tokens
    }

    /// The number of sentences: what begins behind a mark that ends one. Text without any is one sentence.
    #[must_use]
    pub fn sentences(&self, text: &str, how: Segmentation) -> usize {
        let mut sentences = 1;
        let mut ended = false;
        for token in self.tokens(text, how) {
            let mut chars = token.chars();
            let ends = chars.next().is_some_and(classes::ends_sentence) && chars.next().is_none();
            if ends {
                ended = true;
            } else if ended && !token.chars().all(classes::is_punctuation) {
                sentences += 1;
                ended = false;
            }
        }
        sentences
    }
}

/// The rules of one language.
struct Rules {
    exceptions: Exceptions,
    /// No exception has more bytes; longer pieces are not looked up.
    longest: usize,
    /// Exceptions that the rules for marks would split, by the first token that they would be split into.
    sequences: HashMap<String, Vec<Vec<String>>>,
    digit_hyphen: bool,
}

impl Rules {
    fn new(all: Vec<Vec<String>>, digit_hyphen: bool) -> Self {
        let exceptions: Exceptions =
            all.iter().map(|parts| (parts.concat(), parts.iter().map(String::len).collect())).collect();
        let longest = all.iter().map(|parts| parts.concat().len()).max().unwrap_or_default();
        let mut rules = Self { exceptions, longest, sequences: HashMap::new(), digit_hyphen };
        let plain = Self { exceptions: HashMap::new(), longest: 0, sequences: HashMap::new(), digit_hyphen };
        for parts in all {
            let word = parts.concat();
            let marked = 0 < affixes::prefix(&word)
                || 0 < affixes::suffix(&word)
                || !affixes::infixes(&word, digit_hyphen).is_empty();
            if !marked {
                continue;
            }
            let mut tokens = Vec::new();
            plain.piece(&word, &mut tokens);
            let sequence: Vec<String> = tokens.into_iter().map(str::to_owned).collect();
            if let Some(first) = sequence.first() {
                let known = rules.sequences.entry(first.clone()).or_default();
                if !known.contains(&sequence) {
                    known.push(sequence);
                }
            }
        }
        rules
    }

    fn exception(&self, piece: &str) -> Option<&[usize]> {
        if self.longest < piece.len() {
            return None;
        }
        self.exceptions.get(piece).map(Vec::as_slice)
    }

    fn tokens<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let mut tokens = Vec::with_capacity(text.len() / 5);
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let blank = is_space(first);
            let end = rest.find(|c| is_space(c) != blank).unwrap_or(rest.len());
            let (piece, after) = rest.split_at(end);
            rest = after;
            if !blank {
                self.piece(piece, &mut tokens);
                continue;
            }
            // One space parts two words and is no token; of more, what follows the first one is.
            let piece = if tokens.is_empty() { piece } else { piece.strip_prefix(' ').unwrap_or(piece) };
            if !piece.is_empty() {
                tokens.push(piece);
            }
        }
        self.rejoin(text, tokens)
    }

    /// What stands between two blanks.
    fn piece<'a>(&self, piece: &'a str, tokens: &mut Vec<&'a str>) {
        let mut suffixes = Vec::new();
        let mut rest = piece;
        // A word without marks needs no more than the look for an exception.
        let plain = piece.bytes().all(|byte| byte.is_ascii_alphabetic());
        while !plain && !rest.is_empty() && self.exception(rest).is_none() {
            let before = affixes::prefix(rest);
            let (prefix, without) = rest.split_at(before);
            if 0 < before && !without.is_empty() && self.exception(without).is_some() {
                tokens.push(prefix);
                rest = without;
                break;
            }
            let after = affixes::suffix(without);
            let (kept, suffix) = rest.split_at(rest.len() - after);
            if 0 < after && !kept.is_empty() && self.exception(kept).is_some() {
                suffixes.push(suffix);
                rest = kept;
                break;
            }
            if before + after == 0 {
                break;
            }
            if 0 < before {
                tokens.push(prefix);
            }
            if 0 < after {
                suffixes.push(suffix);
            }
            rest = rest.get(before..rest.len() - after).unwrap_or_default();
        }
        self.inner(rest, plain, tokens);
        tokens.extend(suffixes.into_iter().rev());
    }

    /// What is left between the marks at both ends.
    fn inner<'a>(&self, rest: &'a str, plain: bool, tokens: &mut Vec<&'a str>) {
        if rest.is_empty() {
            return;
        }
        if let Some(lengths) = self.exception(rest) {
            tokens.extend(cut(rest, lengths));
            return;
        }
        if plain || address::is_address(rest) {
            tokens.push(rest);
            return;
        }
        let mut start = 0;
        for (at, end) in affixes::infixes(rest, self.digit_hyphen) {
            // A mark at the very beginning does not split; it stays with what follows.
            if at == 0 {
                continue;
            }
            if start < at {
                tokens.extend(rest.get(start..at));
            }
            tokens.extend(rest.get(at..end));
            start = end;
        }
        tokens.extend(rest.get(start..).filter(|last| !last.is_empty()));
    }

    /// Puts together again what the marks took apart although it is an exception: faces behind a word, titles before
    /// a name without a blank. The longest first, then the first.
    fn rejoin<'a>(&self, text: &'a str, tokens: Vec<&'a str>) -> Vec<&'a str> {
        let mut matches: Vec<(usize, usize)> = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            let Some(sequences) = self.sequences.get(*token) else { continue };
            for sequence in sequences {
                if tokens.get(at..at + sequence.len()).is_some_and(|found| found == sequence.as_slice()) {
                    matches.push((at, sequence.len()));
                }
            }
        }
        if matches.is_empty() {
            return tokens;
        }
        matches.sort_unstable_by_key(|&(at, length)| (std::cmp::Reverse(length), at));
        let mut taken = vec![false; tokens.len()];
        let mut chosen = vec![0; tokens.len()];
        for (at, length) in matches {
            if !taken[at] && !taken[at + length - 1] {
                chosen[at] = length;
            }
            taken[at..at + length].fill(true);
        }
        let mut joined = Vec::with_capacity(tokens.len());
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let length = chosen[at].max(1);
            let whole = tokens.get(at + length - 1).and_then(|last| span(text, token, last));
            match whole.and_then(|whole| Some((whole, self.exception(whole)?))) {
                Some((whole, lengths)) if 1 < length => joined.extend(cut(whole, lengths)),
                _ => joined.extend(tokens.iter().skip(at).take(length)),
            }
            at += length;
        }
        joined
    }
}

/// The text from the start of one token to the end of another.
fn span<'a>(text: &'a str, first: &str, last: &str) -> Option<&'a str> {
    let offset = |token: &str| (token.as_ptr() as usize).checked_sub(text.as_ptr() as usize);
    text.get(offset(first)?..offset(last)? + last.len())
}

fn cut<'a>(text: &'a str, lengths: &[usize]) -> impl Iterator<Item = &'a str> {
    let mut start = 0;
    lengths.iter().filter_map(move |length| {
        let from = start;
        start += length;
        text.get(from..start)
    })
}
