//! Lines that a host repeats from page to page: which lines are looked at, and the text without those that go.
//!
//! Whether a line was seen before is the board's to know; this module makes the keys and refuses to know the answers.

use xxhash_rust::xxh3::xxh3_128;

use crate::words::Words;

/// Lines of a page that are looked at; those after them stay. A page with more is a listing or a log, whose lines are its
/// own.
const MAX_LINES: usize = 1 << 16;

/// Which lines are looked at.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) min_words: usize,
    pub(crate) keep_headings: bool,
    pub(crate) fold_numbers: bool,
}

/// A line and the key under which the host's pages have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keyed {
    pub(crate) line: usize,
    pub(crate) key: String,
}

impl Rules {
    /// The lines of the text that may go.
    pub(crate) fn keyed(&self, host: &str, text: &str) -> Vec<Keyed> {
        let mut fenced = false;
        let mut keyed = Vec::new();
        for (line, said) in text.split('\n').take(MAX_LINES).enumerate() {
            if said.trim_start().starts_with("```") {
                fenced = !fenced;
                continue;
            }
            // Half of a program is worth less than a program that stands there twice.
            if fenced || (self.keep_headings && is_heading(said)) {
                continue;
            }
            let words = Words::of(said, self.fold_numbers);
            // Rows of a table that hold only numbers look alike without being boilerplate.
            if words.len() < self.min_words || !words.as_str().chars().any(char::is_alphabetic) {
                continue;
            }
            let told = format!("{host}\n{}", words.as_str());
            keyed.push(Keyed { line, key: format!("l:{:032x}", xxh3_128(told.as_bytes())) });
        }
        keyed
    }
}

/// The text without these lines, which are in order. Where a whole paragraph goes, one of the blank lines around it goes too.
pub(crate) fn without(text: &str, gone: &[usize]) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut gone = gone.iter().copied().peekable();
    let mut after_gap = false;
    for (line, said) in text.split('\n').enumerate() {
        if gone.next_if_eq(&line).is_some() {
            after_gap = true;
            continue;
        }
        let blank = said.trim().is_empty();
        if after_gap && blank && kept.last().is_none_or(|last| last.trim().is_empty()) {
            continue;
        }
        after_gap &= blank;
        kept.push(said);
    }
    while after_gap && kept.last().is_some_and(|last| last.trim().is_empty()) {
        kept.pop();
    }
    kept.join("\n")
}

/// A heading as extractors write it: its words are those of many pages, and it says where its own page's section begins.
fn is_heading(line: &str) -> bool {
    let rest = line.trim_start_matches('#');
    rest.len() < line.len() && rest.starts_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { min_words: 1, keep_headings: true, fold_numbers: false };

    #[track_caller]
    fn check_keyed(text: &str, lines: &[usize]) {
        let found: Vec<usize> = RULES.keyed("a.example", text).into_iter().map(|keyed| keyed.line).collect();
        assert_eq!(found, lines);
    }

    #[test]
    fn lines_with_words_are_looked_at() {
        check_keyed("About us\n\nHome", &[0, 2]);
        check_keyed("| 12 | 13 |\n---\n* A word", &[2]);
        check_keyed("# Introduction\n#hashtag", &[1]);
        check_keyed("One\n```\n}\nreturn x\n```\nTwo", &[0, 5]);
    }

    #[test]
    fn keys_are_those_of_a_host_and_of_words() {
        let key = |host: &str, line: &str| RULES.keyed(host, line)[0].key.clone();
        assert_eq!(key("a.example", "About us"), key("a.example", "  ABOUT us! "));
        assert_ne!(key("a.example", "About us"), key("b.example", "About us"));
        assert_ne!(key("a.example", "Page 2"), key("a.example", "Page 3"));
        let folding = Rules { fold_numbers: true, ..RULES };
        assert_eq!(folding.keyed("a.example", "Page 2")[0].key, folding.keyed("a.example", "Page 3")[0].key);
    }

    #[track_caller]
    fn check_without(text: &str, gone: &[usize], left: &str) {
        assert_eq!(without(text, gone), left);
    }

    #[test]
    fn what_goes_leaves_no_hole() {
        check_without("a\nb\nc", &[1], "a\nc");
        check_without("a\n\nmenu\n\nb", &[2], "a\n\nb");
        check_without("menu\n\na\n\nmenu", &[0, 4], "a");
        check_without("a\n\n\n\nb", &[], "a\n\n\n\nb");
        check_without("a\nmenu\n\nb", &[1], "a\n\nb");
        check_without("menu\nmenu", &[0, 1], "");
        check_without("a\n", &[], "a\n");
    }

    #[test]
    fn endless_pages_are_looked_at_to_a_point() {
        let text = "a line\n".repeat(MAX_LINES + 10);
        assert_eq!(RULES.keyed("a.example", &text).len(), MAX_LINES);
    }
}
