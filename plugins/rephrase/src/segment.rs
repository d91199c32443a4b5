//! A document as segments, each of them one prompt. A segment is a span of the text that was given: nothing is copied,
//! so every rewrite can name the bytes that it was made from.
//!
//! The published pipelines drop a line that is longer than a prompt may be, and many pages are one line. Here a long
//! line is cut into sentences, and a long sentence between words.

use std::ops::Range;

use crate::style::Cut;

/// Cuts `text` into spans of at most `max` tokens, in order and without overlap; what lies between them is white space.
pub(crate) fn segments(
    text: &str,
    cut: Cut,
    max: u32,
    mut count: impl FnMut(&str) -> u32,
) -> Vec<Range<usize>> {
    let units = match cut {
        Cut::Joined => lines(text),
        Cut::Paragraphs => paragraphs(text),
    };
    let mut pieces = Vec::new();
    for unit in units {
        let tokens = count(part(text, &unit));
        if tokens <= max {
            pieces.push(Piece { span: unit, tokens, whole: true });
            continue;
        }
        for sentence in sentences(text, &unit) {
            halve(text, sentence, max, &mut count, &mut pieces);
        }
    }
    let separator = count("\n");
    join(pieces, cut, max, separator)
}

/// The text of a span.
pub(crate) fn part<'a>(text: &'a str, span: &Range<usize>) -> &'a str {
    text.get(span.clone()).unwrap_or_default()
}

struct Piece {
    span: Range<usize>,
    tokens: u32,
    /// A line or a paragraph, not a part of one.
    whole: bool,
}

/// Takes neighbours together as long as they fit. Paragraphs stay by themselves; the parts of one are neighbours.
fn join(pieces: Vec<Piece>, cut: Cut, max: u32, separator: u32) -> Vec<Range<usize>> {
    let mut joined: Vec<Piece> = Vec::new();
    for piece in pieces {
        let fits = |open: &Piece| {
            let apart = cut == Cut::Paragraphs && (open.whole || piece.whole);
            !apart && open.tokens.saturating_add(separator).saturating_add(piece.tokens) <= max
        };
        match joined.last_mut().filter(|open| fits(open)) {
            Some(open) => {
                open.span.end = piece.span.end;
                open.tokens += separator + piece.tokens;
            }
            None => joined.push(piece),
        }
    }
    joined.into_iter().map(|piece| piece.span).collect()
}

/// The lines that hold anything, without the white space around them.
fn lines(text: &str) -> Vec<Range<usize>> {
    split(text, 0..text.len(), |rest| rest.find('\n').map(|end| (end, 1)))
}

/// What blank lines divide; a text without blank lines has a paragraph in each line.
fn paragraphs(text: &str) -> Vec<Range<usize>> {
    let spans = split(text, 0..text.len(), |rest| rest.find("\n\n").map(|end| (end, 2)));
    if spans.len() < 2 { lines(text) } else { spans }
}

/// Sentences end after `.`, `!` or `?` and a blank, or after the full stops of Chinese, Japanese and Hindi.
fn sentences(text: &str, span: &Range<usize>) -> Vec<Range<usize>> {
    split(text, span.clone(), |rest| sentence_end(rest).map(|end| (end, 0)))
}

/// Where the first sentence of a text ends, if another one follows.
fn sentence_end(text: &str) -> Option<usize> {
    let mut symbols = text.char_indices().peekable();
    while let Some((at, symbol)) = symbols.next() {
        let next = symbols.peek().map(|(_, next)| *next);
        let end = at + symbol.len_utf8();
        if matches!(symbol, '。' | '！' | '？' | '।') && next.is_some() {
            return Some(end);
        }
        if matches!(symbol, '.' | '!' | '?' | '\n') && next.is_some_and(char::is_whitespace) {
            return Some(end);
        }
    }
    None
}

/// Cuts a span where `next` says, which is given what is left and returns how much of it stays and how much is skipped.
fn split(text: &str, span: Range<usize>, next: impl Fn(&str) -> Option<(usize, usize)>) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut start = span.start;
    while start < span.end {
        let rest = part(text, &(start..span.end));
        let (length, skip) = next(rest).unwrap_or((rest.len(), 0));
        spans.extend(trimmed(text, start..start + length));
        start += (length + skip).max(1);
    }
    spans
}

/// The span without the white space around it; none where there is nothing else.
fn trimmed(text: &str, span: Range<usize>) -> Option<Range<usize>> {
    let whole = part(text, &span);
    let start = span.start + (whole.len() - whole.trim_start().len());
    let end = span.end - (whole.len() - whole.trim_end().len());
    (start < end).then_some(start..end)
}

/// Cuts a span in two, between words where there are any, until every part fits. A single character is never cut.
fn halve(
    text: &str,
    span: Range<usize>,
    max: u32,
    count: &mut impl FnMut(&str) -> u32,
    pieces: &mut Vec<Piece>,
) {
    // The left part goes on the stack last, so that pieces come out in the order of the text.
    let mut waiting = vec![span];
    while let Some(span) = waiting.pop() {
        let whole = part(text, &span);
        let tokens = count(whole);
        match if tokens <= max { None } else { middle(whole) } {
            Some(middle) => {
                let middle = span.start + middle;
                waiting.extend(trimmed(text, middle..span.end));
                waiting.extend(trimmed(text, span.start..middle));
            }
            None => pieces.push(Piece { span, tokens, whole: false }),
        }
    }
}

/// Where to cut: at the last white space of the first half, or at a character. None for a single character.
fn middle(text: &str) -> Option<usize> {
    let half = text.floor_char_boundary(text.len() / 2);
    // A blank right at the middle is the best place of all.
    let before = text.get(..text.ceil_char_boundary(half + 1))?;
    let first = text.chars().next()?.len_utf8();
    before
        .rfind(char::is_whitespace)
        .filter(|&blank| text.len() / 8 < blank)
        .or_else(|| (0 < half).then_some(half))
        .or_else(|| (first < text.len()).then_some(first))
}

/// The span in two, as near to its middle as a line ends, or a sentence, or a word; none for what cannot be divided.
pub(crate) fn halves(text: &str, span: &Range<usize>) -> Option<[Range<usize>; 2]> {
    let whole = part(text, span);
    let half = whole.len() / 2;
    // A half that is hardly one would be asked about for nothing.
    let central = |end: usize| (whole.len() / 4..=whole.len() - whole.len() / 4).contains(&end);
    let nearest =
        |ends: Vec<usize>| ends.into_iter().filter(|&end| central(end)).min_by_key(|end| end.abs_diff(half));
    let line_ends = whole.match_indices('\n').map(|(end, _)| end).collect();
    let sentence_ends =
        || sentences(text, span).into_iter().map(|sentence| sentence.end - span.start).collect();
    let end = nearest(line_ends).or_else(|| nearest(sentence_ends())).or_else(|| middle(whole))?;
    let end = span.start + end;
    Some([trimmed(text, span.start..end)?, trimmed(text, end..span.end)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> u32 {
        text.split_whitespace().count().try_into().unwrap()
    }

    /// A token is a word. Holds for every case: nothing but white space is lost, and nothing is there twice.
    #[track_caller]
    fn check(text: &str, cut: Cut, max: u32, cuts: &[&str]) {
        let spans = segments(text, cut, max, words);
        let shown: Vec<_> = spans.iter().map(|span| part(text, span)).collect();
        assert_eq!(shown, cuts);
        whole(text, &spans);
    }

    #[track_caller]
    fn whole(text: &str, spans: &[Range<usize>]) {
        let mut end = 0;
        for span in spans {
            assert!(part(text, &(end..span.start)).trim().is_empty(), "between segments is white space");
            assert!(span.start < span.end && end <= span.start);
            end = span.end;
        }
        assert!(part(text, &(end..text.len())).trim().is_empty());
    }

    #[test]
    fn lines_are_joined_as_long_as_they_fit() {
        check("a b\nc\nd e\nf", Cut::Joined, 3, &["a b\nc", "d e\nf"]);
        check("a b\n\n\nc\n", Cut::Joined, 3, &["a b\n\n\nc"]);
        check("  a b  \n c", Cut::Joined, 2, &["a b", "c"]);
        check("a\nb", Cut::Joined, 0, &["a", "b"]);
        check("", Cut::Joined, 3, &[]);
        check(" \n \n", Cut::Joined, 3, &[]);
    }

    #[test]
    fn a_long_line_is_cut_into_sentences_and_a_long_sentence_between_words() {
        check("a b c. d e? f g!", Cut::Joined, 3, &["a b c.", "d e?", "f g!"]);
        check("a b. c d. e f. g h.", Cut::Joined, 4, &["a b. c d.", "e f. g h."]);
        check("Version 1.5 is new. Get it.", Cut::Joined, 4, &["Version 1.5 is new.", "Get it."]);
        check("a b c d e f", Cut::Joined, 3, &["a b c", "d e f"]);
        check("x\na b c d e f\ny", Cut::Joined, 3, &["x", "a b c", "d e f", "y"]);
    }

    #[test]
    fn text_without_blanks_is_cut_between_characters() {
        let characters = |text: &str| u32::try_from(text.chars().count()).unwrap();
        for text in ["一二三四五六七八九十", "eight characters at least: ééééééééé", "👩‍👩‍👧‍👦👩‍👩‍👧‍👦"]
        {
            for max in 0..6 {
                let spans = segments(text, Cut::Joined, max, characters);
                whole(text, &spans);
                assert!(spans.iter().all(|span| characters(part(text, span)) <= max.max(1)), "{text} {max}");
            }
        }
        let spans = segments("一二。三四。五六", Cut::Joined, 4, characters);
        assert_eq!(spans.len(), 3, "the separator counts too: {spans:?}");
    }

    #[test]
    fn a_segment_is_halved_near_its_middle() {
        for (text, cuts) in [
            ("a b\nc d", Some(["a b", "c d"])),
            ("a\nb c d. e f g h", Some(["a\nb c d.", "e f g h"])),
            ("a b c d", Some(["a b", "c d"])),
            ("一二三四", Some(["一二", "三四"])),
            ("a", None),
            ("", None),
        ] {
            let spans = halves(text, &(0..text.len()));
            assert_eq!(spans.as_ref().map(|spans| [part(text, &spans[0]), part(text, &spans[1])]), cuts);
            if let Some(spans) = spans {
                whole(text, &spans);
            }
        }
    }

    #[test]
    fn paragraphs_stay_by_themselves() {
        check("a b\nc\n\nd", Cut::Paragraphs, 9, &["a b\nc", "d"]);
        check("a b\nc\nd", Cut::Paragraphs, 9, &["a b", "c", "d"]);
        check("a b. c d. e f.\n\ng", Cut::Paragraphs, 4, &["a b. c d.", "e f.", "g"]);
        check("a\n\n\n\nb", Cut::Paragraphs, 9, &["a", "b"]);
    }
}
