//! What several stages ask of a text, so that all of them mean the same by it: where a script has no blanks between its
//! words, what belongs to the letter before it, and where a reply begins once the model has thought aloud. Knows single
//! characters and no language; what a word is and how words are compared stays with each stage.

/// Whether the character is a letter or digit of a script that is written without blanks between words: Han, Kana, Thai,
/// Lao, Khmer, Burmese. Such a text has no words that a rule could find, so a stage that counts or compares words takes
/// each of its characters for one.
///
/// Korean has blanks, and so do the letters and digits of other scripts within such a text.
///
/// ```
/// use palimpsest_plugin::text::is_unspaced;
///
/// assert!("東京へ".chars().all(is_unspaced));
/// assert!(!"Seoul 서울 。".chars().any(is_unspaced));
/// ```
#[must_use]
pub fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{0e00}'..='\u{0eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' // Burmese
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{3040}'..='\u{30ff}' // Hiragana, Katakana
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' // Han
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9d}' // Katakana of half width
        | '\u{20000}'..='\u{3ffff}')
        && character.is_alphanumeric()
}

/// Signs that belong to the letter before them and that Unicode does not count as letters: accents that are written
/// apart, and what joins the consonants of India's scripts.
#[must_use]
pub fn is_mark(character: char) -> bool {
    matches!(character,
        '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}'
        | '\u{900}'..='\u{903}' | '\u{93a}'..='\u{957}' | '\u{981}'..='\u{dff}' | '\u{200c}'..='\u{200d}')
        && !character.is_alphanumeric()
}

/// A model's reply without the thoughts before it. Reasoning models think aloud first, and their thoughts may hold
/// answers that they then decide against. Thoughts that do not end are no answer: nothing is left.
///
/// ```
/// use palimpsest_plugin::text::after_thinking;
///
/// assert_eq!(after_thinking("<think>Yes? No.</think>No."), "No.");
/// ```
#[must_use]
pub fn after_thinking(reply: &str) -> &str {
    if !reply.trim_start().starts_with("<think>") {
        return reply;
    }
    reply.split_once("</think>").map_or("", |(_thoughts, answer)| answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(is: fn(char) -> bool, text: &str, wanted: &str) {
        assert_eq!(text.chars().filter(|character| is(*character)).collect::<String>(), wanted);
    }

    #[test]
    fn scripts_without_blanks_are_told_from_those_with_blanks() {
        check(is_unspaced, "東京は2024年、Tokyo。", "東京は年");
        check(is_unspaced, "ｶﾅ カタカナ ㇰ 𠀀", "ｶﾅカタカナㇰ𠀀");
        check(is_unspaced, "ภาษา ລາວ ខ្មែរ မြန်မာ", "ภาษาລາວខមែរမြနမာ");
        check(is_unspaced, "한국어 हिन्दी العربية Ёлка é 5", "");
        check(is_unspaced, "「」・。、！๏ ฿", "");
    }

    #[test]
    fn marks_belong_to_a_letter() {
        check(is_mark, "cafe\u{301} a-b'c", "\u{301}");
        check(is_mark, "हिन्दी", "्");
        check(is_mark, "שָׁלוֹם", "");
        check(is_mark, "ab 12 東", "");
    }

    #[test]
    fn thoughts_are_no_part_of_a_reply() {
        let check = |reply, answer| assert_eq!(after_thinking(reply), answer);
        check("\n<think>\na\n</think>\nb", "\nb");
        check("<think> without end", "");
        check("<think></think>", "");
        check("a <think>b</think>", "a <think>b</think>");
        check("", "");
    }
}
