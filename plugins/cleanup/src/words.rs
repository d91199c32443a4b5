//! How long a text is, for the thresholds of `normal` mode. `reference` mode counts as the original does, in [`prox`].
//!
//! [`prox`]: crate::prox

use palimpsest_plugin::text::is_unspaced;

/// Words as [`prox::words`](crate::prox::words) counts them, between blanks, with one difference: where a script is
/// written without blanks, every letter is a word. There the original takes a sentence for one word and a paragraph for
/// a few, so that nine paragraphs are too short to keep, and one between twenty lines of menu is a twentieth of its page.
pub(crate) fn words(text: &str) -> usize {
    crate::prox::split(text).map(words_within).sum()
}

/// Words of what stands between two blanks.
fn words_within(run: &str) -> usize {
    let unspaced = run.chars().filter(|symbol| is_unspaced(*symbol)).count();
    if unspaced == 0 {
        return 1;
    }
    // Marks between the letters are no words, numbers and names of other scripts are.
    let others = run.split(is_unspaced).filter(|part| part.chars().any(char::is_alphanumeric));
    unspaced + others.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, number: usize) {
        assert_eq!(words(text), number, "{text}");
    }

    #[test]
    fn between_blanks_words_are_those_of_the_original() {
        for text in
            ["", " \n ", "one two\u{1c}three", "a - b … c", "서울은 도시이다.", "हिन्दी भाषा", "don't, won't"]
        {
            check(text, crate::prox::words(text));
        }
    }

    #[test]
    fn without_blanks_every_letter_is_a_word() {
        check("版权所有", 4);
        check("東京は2024年、Tokyo。", 6);
        check("你好，世界！ Hello, world!", 6);
        check("ກາ ខ្មែរ ไทย", 2 + 4 + 3);
        check("。 、", 2);
    }
}
