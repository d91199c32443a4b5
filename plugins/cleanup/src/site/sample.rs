//! What a page tells the other pages of its host: its lines, as many as fit in a note.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::pattern::mask;

/// A line longer than this is text whatever the program says: on 442 pages, full text with all menus, 0.8 % of the
/// boilerplate lines are longer, and 9 % of the lines of text.
pub(super) const MAX_LINE_CHARS: usize = 300;

/// What is told of a longer line.
const HEAD_CHARS: usize = 60;

/// Every host has its samples on the board until the run ends; the board itself takes 64 KiB.
const MAX_BYTES: usize = 16 << 10;

/// The nonblank lines of a page. What stands in the middle of a long page is one line without words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sample {
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Whole(String),
    /// How many characters, and how they begin.
    Cut(usize, String),
}

/// A line for the rules of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// None: the line is text, and no rule can name it.
    pub mask: Option<String>,
    pub chars: usize,
    /// What a mask is made from; empty where there is none.
    pub line: String,
}

impl Seen {
    pub(super) fn new(line: &str) -> Self {
        let line = line.trim();
        let chars = line.chars().count();
        if (1..=MAX_LINE_CHARS).contains(&chars) {
            Self { mask: Some(mask(line)), chars, line: line.to_owned() }
        } else {
            Self::text(chars)
        }
    }

    /// So many characters that no rule can name.
    fn text(chars: usize) -> Self {
        Self { mask: None, chars, line: String::new() }
    }
}

impl Sample {
    /// Menus stand at both ends of a page, so what does not fit is left out in the middle.
    pub(super) fn new(text: &str) -> Self {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        let (mut start, mut end, mut bytes) = (0, lines.len(), 0);
        while start < end {
            let from_head = head.len() <= tail.len();
            let line = Line::new(lines[if from_head { start } else { end - 1 }]);
            bytes += serde_json::to_string(&line).map_or(MAX_BYTES, |json| json.len() + 1);
            if MAX_BYTES < bytes {
                break;
            }
            if from_head {
                head.push(line);
                start += 1;
            } else {
                tail.push(line);
                end -= 1;
            }
        }
        let left_out = lines[start..end].iter().map(|line| line.chars().count()).sum();
        head.extend((start < end).then(|| Line::Cut(left_out, String::new())));
        head.extend(tail.into_iter().rev());
        Self { lines: head }
    }

    pub(super) fn to_note(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn from_note(note: &str) -> Option<Self> {
        serde_json::from_str(note).ok()
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        let seen = |line: &Line| match line {
            Line::Whole(text) => Seen::new(text),
            Line::Cut(chars, _) => Seen::text(*chars),
        };
        self.lines.iter().map(seen).collect()
    }

    /// How the lines begin, for a prompt.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| match line {
            Line::Whole(text) | Line::Cut(_, text) => text.as_str(),
        })
    }

    pub(super) fn masks(&self) -> BTreeSet<String> {
        self.seen().into_iter().filter_map(|line| line.mask).collect()
    }
}

impl Line {
    fn new(line: &str) -> Self {
        let chars = line.chars().count();
        if chars <= MAX_LINE_CHARS {
            Self::Whole(line.to_owned())
        } else {
            Self::Cut(chars, line.chars().take(HEAD_CHARS).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_says_what_the_page_has() {
        let long = "long ".repeat(100);
        let sample = Sample::new(&format!("Home\n\n  3 items \n{long}\nFooter"));
        assert_eq!(Sample::from_note(&sample.to_note()), Some(sample.clone()));
        let seen: Vec<_> = sample.seen().into_iter().map(|line| (line.mask, line.chars)).collect();
        let mask = |text: &str| Some(text.to_owned());
        assert_eq!(seen, [(mask("Home"), 4), (mask("# items"), 7), (None, 499), (mask("Footer"), 6)]);
        assert_eq!(sample.texts().nth(2).map(str::len), Some(HEAD_CHARS));
        assert_eq!(Sample::from_note("nonsense"), None);
    }

    #[test]
    fn a_long_page_loses_its_middle_and_keeps_count() {
        for line in ["A line of the page, number", "\u{1}\u{2}\u{3}\"\\", "é漢字"] {
            let page: String = (0..20_000).map(|number| format!("{line} {number}\n")).collect();
            let sample = Sample::new(&page);
            assert!(sample.to_note().len() <= MAX_BYTES + 100, "{} bytes", sample.to_note().len());
            let chars: usize = sample.seen().iter().map(|line| line.chars).sum();
            assert_eq!(chars, page.lines().map(|line| line.trim().chars().count()).sum::<usize>());
            assert!(sample.texts().last().unwrap().ends_with("19999"));
        }
    }
}
