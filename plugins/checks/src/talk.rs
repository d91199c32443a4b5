//! What a model says when it speaks of itself or of its task instead of doing it, and words of its prompt told back.

use std::collections::BTreeSet;

/// In lower case with straight apostrophes. A source that says the same may be rewritten with it.
const PHRASES: [&str; 45] = [
    "as an ai",
    "as a language model",
    "i am an ai",
    "i'm an ai",
    "ai language model",
    "i cannot assist",
    "i can't assist",
    "i cannot help",
    "i can't help",
    "i cannot provide",
    "i can't provide",
    "i cannot fulfill",
    "i can't fulfill",
    "i am unable to",
    "i'm unable to",
    "i'm sorry, but",
    "i am sorry, but",
    "i apologize, but",
    "the provided text",
    "the given text",
    "the text you provided",
    "the original text",
    "marker lines",
    "rewritten version",
    "rewritten text",
    "paraphrased version",
    "more concise version",
    "here is the rewritten",
    "here's the rewritten",
    "let me know if you",
    "i cannot rewrite",
    "i can't rewrite",
    "i cannot comply",
    "i can't comply",
    "please provide the text",
    "no text was provided",
    "against my guidelines",
    "between the markers",
    "the text is written",
    "the text is about",
    "the text discusses",
    "the text describes",
    "the article is about",
    "the article discusses",
    "the passage describes",
];

/// The first phrase of a refusal or of talk about the task that the rewrite has and its source has not.
#[must_use]
pub fn refusal(source: &str, rewrite: &str) -> Option<&'static str> {
    let plain = |text: &str| text.to_lowercase().replace('’', "'");
    let rewrite = plain(rewrite);
    let found = PHRASES.into_iter().filter(|phrase| rewrite.contains(phrase));
    let mut found = found.peekable();
    found.peek()?;
    let source = plain(source);
    found.find(|phrase| !source.contains(phrase))
}

/// A run of so many words of a prompt is no coincidence.
pub const LEAK_WORDS: usize = 6;

/// Runs of words of prompts, to be found in what came back.
#[derive(Debug, Clone, Default)]
pub struct Leaks(BTreeSet<Vec<String>>);

impl Leaks {
    /// `prompts`: what was asked besides the source.
    #[must_use]
    pub fn new<'a>(prompts: impl IntoIterator<Item = &'a str>) -> Self {
        let runs = prompts.into_iter().flat_map(|prompt| {
            let words = words(prompt);
            words.windows(LEAK_WORDS).map(<[String]>::to_vec).collect::<Vec<_>>()
        });
        Self(runs.collect())
    }

    /// Whether `rewrite` has a run of words of a prompt that is not in its source too.
    #[must_use]
    pub fn are_in(&self, source: &str, rewrite: &str) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let rewrite = words(rewrite);
        let mut found = rewrite.windows(LEAK_WORDS).filter(|run| self.0.contains(*run)).peekable();
        if found.peek().is_none() {
            return false;
        }
        let source = words(source);
        let own: BTreeSet<&[String]> = source.windows(LEAK_WORDS).collect();
        found.any(|run| !own.contains(run))
    }
}

/// A line of the kind that stands around a text in a prompt (`palimpsest_plugin::fence`), which no page can write by chance.
#[must_use]
pub fn has_fence(text: &str) -> bool {
    const DIGITS: usize = 16;
    text.lines().any(|line| {
        let inner = line.trim().strip_prefix("=== ").and_then(|rest| rest.strip_suffix(" ==="));
        inner.is_some_and(|inner| inner.len() == DIGITS && inner.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

fn words(text: &str) -> Vec<String> {
    crate::words::find(text).into_iter().map(|word| word.lower).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talk_about_the_task_is_found_unless_the_source_talks_so() {
        assert_eq!(refusal("A bridge.", "I’m sorry, but I can't."), Some("i'm sorry, but"));
        assert_eq!(refusal("He said: I'm sorry, but no.", "I'm sorry, but no, he said."), None);
        assert_eq!(refusal("A bridge.", "A bridge was built."), None);
    }

    #[test]
    fn words_of_the_prompt_are_found_unless_the_source_has_them() {
        let leaks = Leaks::new(["Rewrite the text between the two equal marker lines."]);
        assert!(leaks.are_in("A bridge.", "It says: rewrite the text between the two lines."));
        assert!(!leaks.are_in("Rewrite the text between the two.", "Rewrite the text between the two."));
        assert!(!leaks.are_in("A bridge.", "The text between the two."));
        assert!(!Leaks::default().are_in("", "anything at all that has more than six words"));
    }

    #[test]
    fn fences_are_known_by_their_form() {
        assert!(has_fence(&format!("a\n{}\nb", palimpsest_plugin::fence("id", "text"))));
        assert!(!has_fence("=== Heading ===\n=== 12 ==="));
    }
}
