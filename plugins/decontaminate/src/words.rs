//! A text as the words that are compared: letters and digits, in lower case, without diacritics, each as its hash and length.
//!
//! The rules are those of Cosmopedia's decontamination in kind (runs of `\w` after the marks are taken off), with one
//! addition: in scripts that are written without blanks between words every character is a word, or a sentence would be one
//! and ten of them a page.

use palimpsest_plugin::text::is_unspaced;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};
use xxhash_rust::xxh3::xxh3_64;

/// A word: what it is, and how many characters it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) hash: u64,
    pub(crate) chars: u32,
}

/// The factor of the polynomial that n-grams are hashed by; any large odd number with bits all over does.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// The words of a text.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::with_capacity(text.len() / 6);
    let mut word = String::new();
    let mut chars = 0;
    let mut end = |word: &mut String, chars: &mut u32| {
        if !word.is_empty() {
            found.push(Word { hash: xxh3_64(word.as_bytes()), chars: *chars });
            word.clear();
            *chars = 0;
        }
    };
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            word.push(character.to_ascii_lowercase());
            chars += 1;
        } else if is_combining_mark(character) {
            // A mark belongs to its letter: it neither ends a word nor is kept.
        } else if character.is_ascii() && character != '_' || !is_word(character) {
            end(&mut word, &mut chars);
        } else {
            let alone = is_unspaced(character);
            if alone {
                end(&mut word, &mut chars);
            }
            for lower in character.to_lowercase() {
                let before = word.len();
                if ('가'..='힣').contains(&lower) {
                    word.push(lower);
                } else {
                    decompose_canonical(lower, |part| {
                        if !is_combining_mark(part) {
                            word.push(part);
                        }
                    });
                }
                chars += u32::from(before < word.len());
            }
            if alone {
                end(&mut word, &mut chars);
            }
        }
    }
    end(&mut word, &mut chars);
    found
}

fn is_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

/// The hash of every run of `size` words, each in a step of its own whatever `size` is.
pub(crate) fn ngrams(words: &[Word], size: usize) -> impl Iterator<Item = u64> {
    let last_power = (1..size).fold(1_u64, |power, _| power.wrapping_mul(FACTOR));
    let mut sum = 0_u64;
    words.iter().enumerate().filter_map(move |(place, word)| {
        if let Some(leaving) = place.checked_sub(size).and_then(|before| words.get(before)) {
            sum = sum.wrapping_sub(leaving.hash.wrapping_mul(last_power));
        }
        sum = sum.wrapping_mul(FACTOR).wrapping_add(word.hash);
        (size <= place + 1).then(|| spread(sum))
    })
}

/// The sum's lower bits know less of it than its upper ones; afterwards all know the same.
fn spread(sum: u64) -> u64 {
    let mixed = (sum ^ (sum >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, same: &[&str]) {
        let wanted: Vec<Word> = same
            .iter()
            .map(|word| Word { hash: xxh3_64(word.as_bytes()), chars: word.chars().count() as u32 })
            .collect();
        assert_eq!(words(text), wanted);
    }

    #[test]
    fn words_are_letters_and_digits_without_case_and_marks() {
        check("Don't  PANIC: 3.5 snake_case!", &["don", "t", "panic", "3", "5", "snake_case"]);
        check("Café cafe\u{301} ÅNGSTRÖM", &["cafe", "cafe", "angstrom"]);
        check("東京へ go行く", &["東", "京", "へ", "go", "行", "く"]);
        check("한국어 हिन्दी", &["한국어", "हनद"]);
        check(" … — ", &[]);
    }

    #[test]
    fn an_ngram_has_the_same_hash_wherever_it_stands() {
        let of = |text: &str| ngrams(&words(text), 3).collect::<Vec<_>>();
        let long = of("a b c d e f");
        assert_eq!(long.len(), 4);
        assert_eq!(long[2], of("c d e")[0]);
        assert_ne!(long[2], of("c e d")[0]);
        assert_ne!(of("a a b")[0], of("a b a")[0]);
        assert!(of("a b").is_empty());
        assert_eq!(ngrams(&words("a b"), 1).count(), 2);
    }
}
