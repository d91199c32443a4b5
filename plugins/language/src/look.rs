//! What a piece of text shows without any model: its scripts, its letters and its words.

use std::collections::BTreeMap;

use crate::script::{Counts, Script};
use crate::signs::is_shared;
use crate::words::Words;

/// Looked at once, and asked about for each language that it may be in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Look {
    pub(crate) scripts: Counts,
    /// How often it has each letter, in lower case, that not every language of the letter's script has; of scripts whose
    /// languages differ by letters.
    pub(crate) special: BTreeMap<char, u32>,
    pub(crate) kana: u32,
    pub(crate) hard_signs: u32,
    /// Letters that Russian has and Bulgarian has not.
    pub(crate) russian: u32,
    pub(crate) words: Words,
}

impl Look {
    pub(crate) fn of(text: &str) -> Self {
        let mut look = Self { words: Words::of(text), ..Self::default() };
        for c in text.chars() {
            if c.is_ascii() {
                look.add(c.to_ascii_lowercase());
            } else {
                c.to_lowercase().for_each(|c| look.add(c));
            }
        }
        look
    }

    fn add(&mut self, letter: char) {
        let Some(script) = Script::of(letter) else { return };
        self.scripts.add(script);
        self.kana += u32::from(matches!(letter, '\u{3041}'..='\u{30ff}'));
        self.hard_signs += u32::from(letter == 'ъ');
        self.russian += u32::from(matches!(letter, 'ы' | 'э' | 'ё'));
        let differs =
            matches!(script, Script::Latin | Script::Cyrillic | Script::Arabic | Script::Devanagari);
        if differs && !is_shared(letter) {
            *self.special.entry(letter).or_default() += 1;
        }
    }

    /// Several pieces as one.
    pub(crate) fn merged(pieces: &[&Self]) -> Self {
        let mut all = Self::default();
        for piece in pieces {
            all.scripts.merge(&piece.scripts);
            for (letter, count) in &piece.special {
                *all.special.entry(*letter).or_default() += count;
            }
            all.kana += piece.kana;
            all.hard_signs += piece.hard_signs;
            all.russian += piece.russian;
            all.words.merge(&piece.words);
        }
        all
    }
}
