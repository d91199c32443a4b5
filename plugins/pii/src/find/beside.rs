//! What stands beside a finding: whether a character goes on the same word, and which words come before.

/// Whether a character belongs to the word that a letter or digit beside it is of. Scripts without blanks write numbers
/// and addresses right beside their words, so theirs do not.
pub(super) fn joins(c: char) -> bool {
    c == '_' || is_letter(c) || matches!(c, '\u{300}'..='\u{36f}')
}

/// A letter or digit of a script that parts words by blanks.
fn is_letter(c: char) -> bool {
    c.is_alphanumeric() && !is_unspaced(c)
}

/// Thai, Lao, Tibetan, Burmese and Khmer; Han, kana and bopomofo; and Hangul, whose particles follow without a blank.
pub(super) fn is_unspaced(c: char) -> bool {
    matches!(
        c,
        '\u{e00}'..='\u{109f}'
            | '\u{1100}'..='\u{11ff}'
            | '\u{1780}'..='\u{17ff}'
            | '\u{3005}'..='\u{3007}'
            | '\u{3040}'..='\u{318f}'
            | '\u{31a0}'..='\u{31ff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}'
            | '\u{ff66}'..='\u{ffdc}'
            | '\u{20000}'..='\u{323af}'
    )
}

/// The character that ends at a place.
pub(super) fn char_before(text: &str, at: usize) -> Option<char> {
    text.get(..at)?.chars().next_back()
}

/// The character that begins at a place.
pub(super) fn char_after(text: &str, at: usize) -> Option<char> {
    text.get(at..)?.chars().next()
}

/// The text of so many bytes before a place, in small letters, from where a word begins.
pub(super) fn before(text: &str, at: usize, bytes: usize) -> String {
    let from = text.floor_char_boundary(at.saturating_sub(bytes));
    let near = text.get(from..at).unwrap_or_default();
    let cut = char_before(text, from).is_some_and(is_letter);
    let near = if cut { near.trim_start_matches(is_letter) } else { near };
    near.to_lowercase()
}

/// Where the last of these words ends. In scripts without blanks a word may stand inside of others.
pub(super) fn last_word(near: &str, words: &[&str]) -> Option<usize> {
    let mut last = None;
    let mut before = None;
    for (at, c) in near.char_indices() {
        // Digits and marks, of which there are many beside numbers, begin no word.
        let begins = (c.is_ascii_alphabetic() || !c.is_ascii()) && begins_word(before, c);
        before = Some(c);
        let Some(rest) = near.get(at..).filter(|_| begins) else { continue };
        for word in words {
            let Some(behind) = rest.strip_prefix(word) else { continue };
            if !behind.chars().next().is_some_and(is_letter) {
                last = last.max(Some(at + word.len()));
            }
        }
    }
    last
}

/// Whether the text ends with one of these words.
pub(super) fn ends_with_word(near: &str, words: &[&str]) -> bool {
    words.iter().any(|word| {
        let before = near.strip_suffix(word);
        before.is_some_and(|before| {
            word.chars().next().is_some_and(|first| begins_word(before.chars().next_back(), first))
        })
    })
}

/// Whether a word begins between these two. A sign such as `§` begins anew behind any letter, and so does a word of a
/// script without blanks.
fn begins_word(before: Option<char>, first: char) -> bool {
    !(is_letter(first) && before.is_some_and(is_letter))
}
