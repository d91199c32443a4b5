//! Questions and answers: whether the source has what an answer says. A question may say what is not so, and one choice of
//! several is wrong on purpose, so only answers are held to the source.

use std::collections::BTreeSet;

use palimpsest_checks::{runs, stems, words};

/// A question and what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) question: String,
    pub(crate) answer: String,
}

/// The pairs of a text: a line that begins with `Question:` or `Q:`, and what follows the next `Answer:` or `A:`.
pub(crate) fn pairs(text: &str) -> Vec<Asked> {
    let mut pairs: Vec<Asked> = Vec::new();
    let mut answering = false;
    for line in text.lines() {
        if let Some(question) = after(line, &["question", "q"]) {
            answering = false;
            // Both on one line.
            let (question, answer) = match question.split_once(" Answer:") {
                Some((question, answer)) => (question, answer.trim()),
                None => (question, ""),
            };
            answering |= !answer.is_empty();
            pairs.push(Asked { question: question.to_owned(), answer: answer.to_owned() });
        } else if let Some(pair) = pairs.last_mut() {
            let told = after(line, &["answer", "a"]);
            answering |= told.is_some();
            let side = if answering { &mut pair.answer } else { &mut pair.question };
            if !side.is_empty() {
                side.push('\n');
            }
            side.push_str(told.unwrap_or(line).trim());
        }
    }
    pairs.retain(|pair| !pair.answer.trim().is_empty());
    pairs
}

/// What follows a label with a number or without, in any decoration.
fn after<'a>(line: &'a str, labels: &[&str]) -> Option<&'a str> {
    let bare = line.trim_start_matches(|symbol: char| !symbol.is_alphanumeric());
    let (label, rest) = bare.split_once(':')?;
    let label = label.trim_end_matches(|symbol: char| symbol.is_ascii_digit() || matches!(symbol, ' ' | '*'));
    labels.iter().any(|known| label.eq_ignore_ascii_case(known)).then(|| rest.trim_start_matches(['*', ' ']))
}

/// The share of the pairs whose answer has less than half of its content words in the source or its own question, or none
/// in the source: small models give the words of a question back.
pub(crate) fn unanswerable(source: &str, pairs: &[Asked]) -> f64 {
    let stems = |text: &str| -> BTreeSet<String> {
        let plain = |word: &words::Word| {
            !crate::read::is_stop(&word.lower) && !matches!(word.lower.as_str(), "yes" | "true" | "false")
        };
        words::find(text).into_iter().filter(plain).map(|word| stems::stem(&word.lower)).collect()
    };
    let source = stems(source);
    let is_unanswerable = |pair: &&Asked| {
        let question = stems(&pair.question);
        let answer = stems(&pair.answer);
        let known = answer.iter().filter(|stem| source.contains(*stem) || question.contains(*stem)).count();
        known * 2 < answer.len() || !answer.is_empty() && answer.is_disjoint(&source)
    };
    runs::share(pairs.iter().filter(is_unanswerable).count(), pairs.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_in_any_dress() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let found = pairs(text);
            let found: Vec<(&str, &str)> =
                found.iter().map(|pair| (pair.question.as_str(), pair.answer.as_str())).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("Question: Who?\nAnswer: Ann.", &[("Who?", "Ann.")]);
        check("**Q1:** Who?\n- a) Bob\n**A1:** Ann.\nReally.", &[("Who?\n- a) Bob", "Ann.\nReally.")]);
        check("Question: Who? Answer: Ann.", &[("Who?", "Ann.")]);
        check("Question: Who?", &[]);
        check("no pairs", &[]);
    }

    #[test]
    fn answers_must_be_in_the_source() {
        let share = |answer: &str| {
            let pair = Asked { question: "What opened in 1932?".to_owned(), answer: answer.to_owned() };
            unanswerable("The bridge over the river was opened in 1932.", &[pair])
        };
        assert_eq!(share("The bridge."), 0.0);
        assert_eq!(share("Yes."), 0.0);
        assert_eq!(share("A railway tunnel under mountains."), 1.0);
        let echo = Asked {
            question: "How is the weather?".to_owned(),
            answer: "The weather is weather.".to_owned(),
        };
        assert_eq!(unanswerable("The bridge over the river was opened in 1932.", &[echo]), 1.0);
    }
}
