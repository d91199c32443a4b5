//! Phrases in a text: folded, at word borders, the longest first; and how many words the text has.
//!
//! Text and phrases are folded alike: lower case, one blank for any white space, one apostrophe and one hyphen for their
//! many forms. A phrase is found where no letter or digit touches it, so `delve` is not in `delver`; an edge that is no
//! letter itself (`certainly!`) may touch anything, and so may one
//! of a script that is written without blanks between words. Phrases do not overlap: what is found first counts, and of those that
//! begin together the longest.

use std::cmp::Reverse;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use palimpsest_plugin::text::{is_mark, is_unspaced};

/// Phrases that a meter takes: the automaton of so many stays small.
pub const MAX_PHRASES: usize = 10_000;
/// Bytes of a phrase once it is folded.
pub const MAX_PHRASE_BYTES: usize = 200;

/// Phrases to look for.
#[derive(Debug, Clone)]
pub struct Phrases {
    automaton: AhoCorasick,
    /// For each pattern of the automaton, the phrase that it counts for.
    counts_for: Vec<usize>,
    phrases: usize,
}

/// What a text holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// How often each phrase occurs, in the order in which they were given.
    pub counts: Vec<u64>,
    pub words: u64,
}

impl Phrases {
    /// Looks for each of these phrases, and for its other forms, which count as the phrase itself.
    ///
    /// # Errors
    /// A phrase has neither letters nor digits, is too long, occurs twice, or there are too many.
    pub fn new(phrases: &[(String, Vec<String>)]) -> Result<Self, String> {
        let mut patterns: Vec<String> = Vec::new();
        let mut counts_for = Vec::new();
        for (number, (phrase, forms)) in phrases.iter().enumerate() {
            for form in std::iter::once(phrase).chain(forms) {
                let folded = fold(form).trim().to_owned();
                if !folded.chars().any(char::is_alphanumeric) {
                    return Err(format!("`{form}` has neither letters nor digits"));
                }
                if MAX_PHRASE_BYTES < folded.len() {
                    return Err(format!("`{form}` has more than {MAX_PHRASE_BYTES} bytes"));
                }
                patterns.push(folded);
                counts_for.push(number);
            }
        }
        if MAX_PHRASES < patterns.len() {
            return Err(format!("{} phrases, more than {MAX_PHRASES}", patterns.len()));
        }
        let mut sorted: Vec<&String> = patterns.iter().collect();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find(|pair| pair.first() == pair.last()) {
            return Err(format!("`{}` stands there twice", twice.first().map_or("", |twice| twice)));
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&patterns)
            .map_err(|error| error.to_string())?;
        Ok(Self { automaton, counts_for, phrases: phrases.len() })
    }

    /// Counts the phrases and the words of a text.
    #[must_use]
    pub fn count(&self, text: &str) -> Found {
        let folded = fold(text);
        let mut found = Found { counts: vec![0; self.phrases], words: words(&folded) };
        let mut places: Vec<_> = self.at_borders(&folded).collect();
        places.sort_unstable_by_key(|(start, end, _)| (*start, Reverse(*end)));
        let mut free = 0;
        for (start, end, phrase) in places {
            if free <= start {
                found.counts.get_mut(phrase).into_iter().for_each(|count| *count += 1);
                free = end;
            }
        }
        found
    }

    /// Where phrases stand, those that are a part of a longer word left out: begin, end, phrase; in no order.
    fn at_borders<'a>(&'a self, folded: &'a str) -> impl Iterator<Item = (usize, usize, usize)> + 'a {
        self.automaton.find_overlapping_iter(folded).filter_map(|matched| {
            let (start, end) = (matched.start(), matched.end());
            let touches = |inner: Option<char>, outer: Option<char>| {
                let joins = |edge: char| edge.is_alphanumeric() && !is_unspaced(edge);
                inner.is_some_and(joins) && outer.is_some_and(joins)
            };
            let (before, within, after) = (folded.get(..start)?, folded.get(start..end)?, folded.get(end..)?);
            if touches(within.chars().next(), before.chars().next_back())
                || touches(within.chars().next_back(), after.chars().next())
            {
                return None;
            }
            Some((start, end, *self.counts_for.get(matched.pattern().as_usize())?))
        })
    }
}

/// Words: runs of letters and digits, apostrophes and hyphens within them included (`don't`, `well-known`). In scripts
/// that are written without blanks between words, every character is one.
fn words(folded: &str) -> u64 {
    let mut words = 0;
    let mut within = false;
    let mut characters = folded.chars().peekable();
    while let Some(character) = characters.next() {
        if is_unspaced(character) {
            words += 1;
            within = false;
        } else if character.is_alphanumeric() {
            words += u64::from(!within);
            within = true;
        } else if !(is_mark(character)
            || matches!(character, '\'' | '-')
                && characters.peek().is_some_and(|next| next.is_alphanumeric()))
        {
            within = false;
        }
    }
    words
}

/// The text as it is compared.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut blank = false;
    for character in text.chars() {
        if character.is_whitespace() {
            if !blank {
                folded.push(' ');
            }
            blank = true;
            continue;
        }
        blank = false;
        match character {
            '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2bc}' | '\u{2032}' | '\u{ff07}' | '`' | '\u{b4}' => {
                folded.push('\'');
            }
            '\u{2010}' | '\u{2011}' => folded.push('-'),
            // Soft hyphens and zero-width blanks are not to be seen, and hide a phrase from nobody.
            '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' => {}
            // In capitals there is one sigma, so the one at the end of words is no other letter.
            'ς' => folded.push('σ'),
            character if character.is_ascii() => folded.push(character.to_ascii_lowercase()),
            character => folded.extend(character.to_lowercase()),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrases(phrases: &[&str]) -> Result<Phrases, String> {
        let phrases: Vec<_> = phrases.iter().map(|phrase| ((*phrase).to_owned(), Vec::new())).collect();
        Phrases::new(&phrases)
    }

    #[track_caller]
    fn check(look_for: &[&str], text: &str, counts: &[u64]) {
        assert_eq!(phrases(look_for).unwrap().count(text).counts, counts);
    }

    #[test]
    fn phrases_are_found_at_word_borders_in_any_letter_case() {
        check(&["delve"], "We DELVE, delve. Delved delver redelve delve", &[3]);
        check(&["certainly!"], "Certainly! certainly. certainly!yes \u{201c}Certainly!\u{201d}", &[3]);
        check(&["delve"], "delve2 2delve délve ædelve delve_x", &[1]);
        check(&["größe"], "Die GRÖSSE, die Größe", &[1]);
        check(&["深入探讨", "delve"], "让我们深入探讨这个问题delve吧", &[1, 1]);
    }

    #[test]
    fn apostrophes_blanks_and_hyphens_have_many_forms() {
        let look_for = ["it's important to note", "state-of-the-art"];
        check(
            &look_for,
            "It’s important to note; it`s\n important\u{a0}to\tnote; its important to note",
            &[2, 0],
        );
        check(&look_for, "state\u{2011}of\u{2010}the-art, state of the art", &[0, 1]);
        check(&["delve"], "del\u{ad}ve \u{feff}delve", &[2]);
    }

    #[test]
    fn of_overlapping_phrases_the_first_and_longest_counts() {
        check(&["dive", "dive into", "into the"], "dive into the sea, dive in, into the", &[1, 1, 1]);
        check(&["a b", "a b c"], "a b cd", &[1, 0]);
        check(&["a b c d", "b c", "d e"], "a b c d e", &[1, 0, 0]);
        check(&["b c", "a b c x"], "a b c d", &[1, 0]);
    }

    #[test]
    fn forms_count_for_their_phrase() {
        let meter = Phrases::new(&[("delve".to_owned(), vec!["delves".to_owned()])]).unwrap();
        assert_eq!(meter.count("delve, delves, delving").counts, [2]);
    }

    #[track_caller]
    fn check_words(text: &str, number: u64) {
        assert_eq!(phrases(&["x"]).unwrap().count(text).words, number);
    }

    #[test]
    fn words_are_counted() {
        check_words("", 0);
        check_words(" … — !", 0);
        check_words("It’s a well-known fact - isn't it? 'Yes.'", 7);
        check_words("3.5 e2", 3);
        check_words("हिन्दी भाषा", 2);
        check_words("東京へ行くhello", 6);
        check_words("cafe\u{301} noir", 2);
    }

    #[test]
    fn phrases_are_checked() {
        assert!(phrases(&["  "]).unwrap_err().contains("neither"));
        assert!(phrases(&["!"]).unwrap_err().contains("neither"));
        assert!(phrases(&["Delve", "delve "]).unwrap_err().contains("twice"));
        assert!(phrases(&[&"x".repeat(300)]).unwrap_err().contains("bytes"));
        let many: Vec<String> = (0..10_001).map(|number| number.to_string()).collect();
        assert!(phrases(&many.iter().map(String::as_str).collect::<Vec<_>>()).unwrap_err().contains("10001"));
    }
}
