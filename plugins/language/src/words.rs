//! The words of a text that say something of its language.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::signs::{LANGUAGES, signs};
use crate::strangers;

/// What is known of a word, as bits: looking through the lists themselves for each word takes as long as the models.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Word {
    /// Different for each word.
    pub(crate) id: usize,
    /// The languages that it is a common word of, by their place in [`LANGUAGES`].
    common: u16,
    /// The places of the lists of [`strangers`] that have it.
    strangers: u64,
    relatives: u8,
}

impl Word {
    pub(crate) fn is_common_in(&self, language: &str) -> bool {
        LANGUAGES.iter().position(|known| *known == language).is_some_and(|at| self.common >> at & 1 == 1)
    }

    pub(crate) fn is_of_stranger(&self, list: usize) -> bool {
        self.strangers >> list & 1 == 1
    }

    pub(crate) fn is_of_relative(&self, list: usize) -> bool {
        self.relatives >> list & 1 == 1
    }
}

static KNOWN: LazyLock<HashMap<&'static str, Word>> = LazyLock::new(|| {
    let mut known: HashMap<&'static str, Word> = HashMap::new();
    let mut note = |words: &'static str, note: &dyn Fn(&mut Word)| {
        for word in words.split(' ') {
            let id = known.len();
            note(known.entry(word).or_insert(Word { id, ..Word::default() }));
        }
    };
    for (place, language) in LANGUAGES.into_iter().enumerate() {
        let words = signs(language).map_or("", |signs| signs.words);
        note(words, &|word| word.common |= 1 << place);
    }
    strangers::lists().for_each(|(at, words)| note(words, &|word| word.strangers |= 1 << at));
    strangers::relatives().for_each(|(at, words)| note(words, &|word| word.relatives |= 1 << at));
    known
});

/// A text's words.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words {
    pub(crate) all: usize,
    /// Those of which something is known.
    pub(crate) known: Vec<Word>,
}

impl Words {
    pub(crate) fn of(text: &str) -> Self {
        let mut words = Self::default();
        let mut lower = String::new();
        for word in text.split_whitespace() {
            let word = word.trim_matches(|c: char| c.is_ascii_punctuation() || (!c.is_ascii() && is_mark(c)));
            lower.clear();
            lower.extend(word.chars().flat_map(char::to_lowercase));
            words.all += 1;
            words.known.extend(KNOWN.get(lower.as_str()));
        }
        words
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.all += other.all;
        self.known.extend_from_slice(&other.known);
    }

    /// How many are common words of that language.
    pub(crate) fn common_in(&self, language: &str) -> usize {
        self.known.iter().filter(|word| word.is_common_in(language)).count()
    }

    /// The same for each of [`LANGUAGES`].
    pub(crate) fn counts(&self) -> [usize; LANGUAGES.len()] {
        let mut counts = [0; LANGUAGES.len()];
        for word in &self.known {
            for (at, count) in counts.iter_mut().enumerate() {
                *count += usize::from(word.common >> at & 1);
            }
        }
        counts
    }
}

/// What stands before or behind a word without a blank.
fn is_mark(c: char) -> bool {
    matches!(c, '«' | '»' | '„' | '“' | '”' | '‘' | '’' | '–' | '—' | '…' | '،' | '؛' | '।')
}
