//! Where the sentences of a text begin and end. Lines that were broken to fit a page are put together again, items of
//! lists and headings stand for themselves.

use std::ops::Range;

/// The sentences as ranges of bytes, in order, without the blanks between them. Lines of a text whose lines mostly begin
/// in lower case were broken to fit a page, so there a line's end is a blank; in others it ends a sentence.
#[must_use]
pub fn find(text: &str) -> Vec<Range<usize>> {
    let wrapped = is_wrapped(text);
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut symbols = text.char_indices().peekable();
    while let Some((at, symbol)) = symbols.next() {
        let end = match symbol {
            '\n' => {
                let rest = text.get(at + 1..).unwrap_or_default();
                let blank = rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n');
                (blank || !wrapped || is_item(rest)).then_some(at)
            }
            '。' | '！' | '？' | '।' | '؟' => Some(at + symbol.len_utf8()),
            '.' | '!' | '?' | '…' => {
                let mut end = at + symbol.len_utf8();
                while let Some((next, mark)) = symbols.next_if(|(_, next)| "\"'”’»).!?]".contains(*next))
                {
                    end = next + mark.len_utf8();
                }
                ends(text, start, at, end).then_some(end)
            }
            _ => None,
        };
        if let Some(end) = end {
            push(text, start..end, &mut sentences);
            start = end;
        }
    }
    push(text, start..text.len(), &mut sentences);
    sentences
}

fn push(text: &str, range: Range<usize>, sentences: &mut Vec<Range<usize>>) {
    let piece = text.get(range.clone()).unwrap_or_default();
    if piece.chars().any(char::is_alphanumeric) {
        let start = range.start + piece.len() - piece.trim_start().len();
        sentences.push(start..start + piece.trim().len());
    }
}

const ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "st", "vs", "jr", "sr", "inc", "ltd", "co", "corp", "gen", "col", "rev",
    "hon", "fig", "al", "approx", "bzw", "ca", "mme",
];

/// Whether the mark at `at` ends the sentence that began at `start`; `end` is behind closing quotes.
fn ends(text: &str, start: usize, at: usize, end: usize) -> bool {
    let after = text.get(end..).unwrap_or_default();
    let Some(next) = after.chars().next() else { return true };
    if !next.is_whitespace() {
        return false;
    }
    let opening =
        after.trim_start().trim_start_matches(['"', '\'', '“', '‘', '«', '(', '[', '-', '–', '—', ' ']);
    if opening.starts_with(char::is_lowercase) {
        return false;
    }
    // A sentence longer than this does not end in a title.
    const LONGEST: usize = 16;
    let from = text.floor_char_boundary(at.saturating_sub(LONGEST).max(start));
    let before = text.get(from..at).unwrap_or_default();
    if !text.get(at..).is_some_and(|mark| mark.starts_with('.')) {
        return true;
    }
    let word = before.rsplit(|symbol: char| !symbol.is_alphabetic()).next().unwrap_or_default();
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase) && word != "I";
    !(initial || ABBREVIATIONS.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// A line that begins like an item of a list.
fn is_item(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '\t']);
    let counted = line.trim_start_matches(|symbol: char| symbol.is_ascii_digit());
    let numbered = counted.len() < line.len() && (counted.starts_with(". ") || counted.starts_with(") "));
    numbered || ["- ", "* ", "• ", "– ", "#"].iter().any(|bullet| line.starts_with(bullet))
}

fn is_wrapped(text: &str) -> bool {
    const FEWEST: usize = 3;
    let (mut lines, mut lower) = (0_usize, 0_usize);
    for line in text.lines().map(str::trim_start).filter(|line| !line.is_empty()).skip(1) {
        lines += 1;
        lower += usize::from(line.starts_with(char::is_lowercase));
    }
    FEWEST <= lines && lines < lower * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = find(text).into_iter().map(|range| text.get(range).unwrap()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn sentences_end_where_a_mark_and_a_capital_say_so() {
        check("One. Two! Three?", &["One.", "Two!", "Three?"]);
        check("He said “no.” And left.", &["He said “no.”", "And left."]);
        check("Version 1.5 of it. e.g. this", &["Version 1.5 of it. e.g. this"]);
        check("Dr. Ann A. Smith vs. Bob. Then", &["Dr. Ann A. Smith vs. Bob.", "Then"]);
        check("一。二！三", &["一。", "二！", "三"]);
        check("", &[]);
        check("... !!", &[]);
    }

    #[test]
    fn broken_lines_are_one_and_items_are_several() {
        check(
            "The river had\nbeen rising since\nthe morning. By\nnoon it stood",
            &["The river had\nbeen rising since\nthe morning.", "By\nnoon it stood"],
        );
        check("Title\nThe text\n- One\n- Two", &["Title", "The text", "- One", "- Two"]);
        check("Title\n\nand more", &["Title", "and more"]);
    }
}
