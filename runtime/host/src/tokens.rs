//! How many tokens a text has, in one public vocabulary.
//!
//! Limits of prompts, the estimates of the rate limiter and the column `token_count` count in the same unit: the
//! `o200k_base` vocabulary, because it is at hand without a download, counts in linear time whatever the text, and is
//! a function of the text alone, so that a replayed run makes the same decisions with no model in reach. A served
//! model's own tokenizer differs from it by some per cent on English and by more elsewhere; what a reply really cost
//! is in its usage.

pub mod vocabulary;

/// The vocabularies that are built in.
pub const VOCABULARIES: [&str; 3] = ["o200k_base", "cl100k_base", "voyage3_base"];
/// The one that is counted in everywhere but in estimates.
pub const VOCABULARY: &str = "o200k_base";

/// Tokens of the text.
pub fn count(text: &str) -> u32 {
    bpe_openai::o200k_base().count(text).try_into().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::count;

    #[track_caller]
    fn check(text: &str, tokens: u32) {
        assert_eq!(count(text), tokens, "{text:?}");
    }

    #[test]
    fn words_and_letters_are_counted_in_the_vocabulary() {
        check("", 0);
        check("hello world", 2);
        check("Palimpsest", 4);
        check("日本語", 2);
    }

    #[test]
    fn a_text_of_one_letter_does_not_take_for_ever() {
        assert!(0 < count(&"a".repeat(1 << 20)));
    }
}
