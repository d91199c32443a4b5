//! A document as chunks that a model can be asked about. A chunk is a run of whole lines, because programs name lines.

use std::ops::Range;

/// A run of lines that is one prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub lines: Range<usize>,
    /// Nobody is asked about it: it is one line that is longer than a chunk may be, or there is nothing in it.
    pub skipped: Option<Skipped>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skipped {
    Blank,
    LineTooLong,
    TooManyChunks,
}

impl Skipped {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::LineTooLong => "line_too_long",
            Self::TooManyChunks => "too_many_chunks",
        }
    }
}

/// Whole lines in chunks of at most `max_tokens` and `max_lines` that are not blank, as many as fit in each. `tokens` is
/// asked once for a line.
pub(crate) fn split(
    lines: &[&str],
    max_tokens: u32,
    max_lines: usize,
    mut tokens: impl FnMut(usize, &str) -> u32,
) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut open = 0..0;
    let mut used = 0_u32;
    let mut written = 0;
    for (number, line) in lines.iter().enumerate() {
        let cost = tokens(number, line);
        let here = usize::from(!line.trim().is_empty());
        if max_tokens < used.saturating_add(cost) || max_lines < written + here {
            close(&mut chunks, open, lines);
            open = number..number;
            used = 0;
            written = 0;
        }
        written += here;
        if max_tokens < cost {
            chunks.push(Chunk { lines: number..number + 1, skipped: Some(Skipped::LineTooLong) });
            open = number + 1..number + 1;
            continue;
        }
        open.end = number + 1;
        used += cost;
    }
    close(&mut chunks, open, lines);
    chunks
}

fn close(chunks: &mut Vec<Chunk>, open: Range<usize>, lines: &[&str]) {
    if open.is_empty() {
        return;
    }
    let blank = lines.iter().take(open.end).skip(open.start).all(|line| line.trim().is_empty());
    chunks.push(Chunk { lines: open, skipped: blank.then_some(Skipped::Blank) });
}

/// What is skipped is asked about after all, as ProX's own code does.
pub(crate) fn ask_all(chunks: &mut [Chunk]) {
    for chunk in chunks {
        chunk.skipped = None;
    }
}

/// Leaves at most `max` chunks to ask about.
pub(crate) fn limit(chunks: &mut [Chunk], max: usize) {
    for chunk in chunks.iter_mut().filter(|chunk| chunk.skipped.is_none()).skip(max) {
        chunk.skipped = Some(Skipped::TooManyChunks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token is a word; `!` marks a chunk that nobody is asked about.
    #[track_caller]
    fn check(text: &str, max_tokens: u32, chunks: &str) {
        let lines: Vec<_> = text.split('\n').collect();
        let split = split(&lines, max_tokens, usize::MAX, |_, line| {
            line.split_whitespace().count().try_into().unwrap()
        });
        let shown: Vec<_> = split
            .iter()
            .map(|chunk| {
                let mark = chunk.skipped.map_or("", |_| "!");
                format!("{mark}{}", lines[chunk.lines.clone()].join("/"))
            })
            .collect();
        assert_eq!(shown.join(" | "), chunks);
        let together: Vec<_> = split.into_iter().flat_map(|chunk| chunk.lines).collect();
        assert_eq!(together, (0..lines.len()).collect::<Vec<_>>(), "every line is in one chunk, in order");
    }

    #[test]
    fn as_many_whole_lines_as_fit() {
        check("a b\nc\nd e\nf", 3, "a b/c | d e/f");
        check("a b\nc d\ne f", 3, "a b | c d | e f");
        check("a\n\nb", 3, "a//b");
        check("a", 3, "a");
    }

    #[test]
    fn a_line_that_fits_nowhere_is_skipped_alone() {
        check("a\nb c d e\nf", 3, "a | !b c d e | f");
        check("b c d e\nf", 3, "!b c d e | f");
        check("f\nb c d e", 3, "f | !b c d e");
    }

    #[test]
    fn a_chunk_has_no_more_lines_than_a_small_model_can_follow() {
        let chunks = split(&["a", "", "b", "c", "d", ""], 9, 2, |_, _| 1);
        let lines: Vec<_> = chunks.into_iter().map(|chunk| chunk.lines).collect();
        assert_eq!(lines, [0..3, 3..6]);
    }

    #[test]
    fn nobody_is_asked_about_blank_lines() {
        check("", 3, "!");
        check(" \n\n", 3, "! //");
    }

    #[test]
    fn chunks_past_the_limit_stay_as_they_are() {
        let mut chunks =
            split(&["a b", "c d", "e f g h", "i j"], 3, 9, |_, line| line.len().div_ceil(2) as u32);
        limit(&mut chunks, 1);
        let skipped: Vec<_> = chunks.iter().map(|chunk| chunk.skipped).collect();
        let late = Some(Skipped::TooManyChunks);
        assert_eq!(skipped, [None, late, Some(Skipped::LineTooLong), late]);
    }
}
