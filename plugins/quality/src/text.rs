//! What the rules measure: a text, its lines and its words, each made once and only if some rule asks.

use std::cell::OnceCell;

use crate::python;
use crate::words::{Segmentation, Segmenter, classes};

/// A text under the rules.
#[derive(Debug)]
pub struct Text<'a> {
    text: &'a str,
    segmenter: &'a Segmenter,
    how: Segmentation,
    chars: OnceCell<usize>,
    lines: OnceCell<Vec<&'a str>>,
    words: OnceCell<Vec<&'a str>>,
    spoken: OnceCell<Vec<&'a str>>,
}

impl<'a> Text<'a> {
    #[must_use]
    pub fn new(text: &'a str, segmenter: &'a Segmenter, how: Segmentation) -> Self {
        Self {
            text,
            segmenter,
            how,
            chars: OnceCell::new(),
            lines: OnceCell::new(),
            words: OnceCell::new(),
            spoken: OnceCell::new(),
        }
    }

    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    #[must_use]
    pub fn chars(&self) -> usize {
        *self.chars.get_or_init(|| self.text.chars().count())
    }

    /// Lines as Python splits them.
    #[must_use]
    pub fn lines(&self) -> &[&'a str] {
        self.lines.get_or_init(|| python::lines(self.text))
    }

    /// Words, with marks as words of their own.
    #[must_use]
    pub fn words(&self) -> &[&'a str] {
        self.words.get_or_init(|| self.segmenter.words(self.text, self.how))
    }

    /// Words that are more than marks.
    #[must_use]
    pub fn spoken(&self) -> &[&'a str] {
        self.spoken.get_or_init(|| {
            let more = |word: &&&str| !word.chars().all(classes::is_mark);
            self.words().iter().filter(more).copied().collect()
        })
    }

    /// The number of sentences of a part of this text.
    #[must_use]
    pub fn sentences(&self, part: &str) -> usize {
        self.segmenter.sentences(part, self.how)
    }
}

/// A share; 0 of nothing.
pub(crate) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The share of those that are so.
pub(crate) fn share<T>(all: &[T], is: impl Fn(&T) -> bool) -> f64 {
    ratio(all.iter().filter(|one| is(one)).count(), all.len())
}

pub(crate) fn chars(text: &str) -> usize {
    text.chars().count()
}

/// The mean number of characters of a word.
pub(crate) fn mean_chars(words: &[&str]) -> f64 {
    ratio(words.iter().map(|word| chars(word)).sum(), words.len())
}
