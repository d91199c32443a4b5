//! The words of a text with the places where they stand. A script without blanks is read by its characters.

use palimpsest_plugin::text::{is_mark, is_unspaced};

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Where its bytes begin.
    pub start: usize,
    /// Where they end, exclusive.
    pub end: usize,
    /// In lower case, with straight apostrophes.
    pub lower: String,
    /// Whether it begins with a capital letter.
    pub capital: bool,
}

/// All words: letters, digits and the marks on them; an apostrophe between letters belongs to the word. Each character of
/// a script without blanks is a word.
#[must_use]
pub fn find(text: &str) -> Vec<Word> {
    let mut words = Vec::with_capacity(text.len() / 6);
    let mut symbols = text.char_indices().peekable();
    while let Some((start, first)) = symbols.next() {
        if !first.is_alphanumeric() {
            continue;
        }
        let mut word = Word {
            start,
            end: start + first.len_utf8(),
            lower: String::new(),
            capital: first.is_uppercase(),
        };
        word.lower.extend(first.to_lowercase());
        if is_unspaced(first) {
            words.push(word);
            continue;
        }
        while let Some(&(at, symbol)) = symbols.peek() {
            let apostrophe = matches!(symbol, '\'' | '’');
            let inside = apostrophe && {
                let mut ahead = symbols.clone();
                ahead.next();
                ahead.peek().is_some_and(|(_, next)| next.is_alphabetic() && !is_unspaced(*next))
            };
            if !(symbol.is_alphanumeric() && !is_unspaced(symbol) || is_mark(symbol) || inside) {
                break;
            }
            if apostrophe {
                word.lower.push('\'');
            } else {
                word.lower.extend(symbol.to_lowercase());
            }
            word.end = at + symbol.len_utf8();
            symbols.next();
        }
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let words = find(text);
        assert_eq!(words.iter().map(|word| word.lower.as_str()).collect::<Vec<_>>(), expected);
        for word in &words {
            assert!(text.get(word.start..word.end).is_some(), "{word:?}");
        }
    }

    #[test]
    fn words_are_letters_digits_and_what_joins_them() {
        check("The U.S. isn’t 'it'", &["the", "u", "s", "isn't", "it"]);
        check("well-known, a_b", &["well", "known", "a", "b"]);
        check("東京へ 2024", &["東", "京", "へ", "2024"]);
        check("cafe\u{301} हिन्दी", &["cafe\u{301}", "हिन्दी"]);
        check("dogs' ’tis '", &["dogs", "tis"]);
        check("", &[]);
    }

    #[test]
    fn capitals_are_told() {
        let capitals: Vec<bool> = find("Ann saw É 5").iter().map(|word| word.capital).collect();
        assert_eq!(capitals, [true, false, true, false]);
    }
}
