//! Lines as a site's program sees them: every number is `#`, every gap one blank. What differs between two pages of a
//! template is mostly numbers (`3 comments`, `Page 2 of 9`, `© 2019`).

use palimpsest_plugin::text::is_mark;

/// More of them make a pattern that fits anything.
const MAX_STARS: usize = 4;

/// Letters and signs of a pattern, wildcards and blanks not counted: shorter ones fit lines that nobody had in mind.
const MIN_LITERAL: usize = 3;

/// The characters of a line's mask, each with the byte at which what it stands for begins.
fn masked(line: &str) -> impl Iterator<Item = (usize, char)> {
    let mut before = None;
    line.char_indices().filter_map(move |(at, symbol)| {
        let class = if symbol.is_numeric() {
            '#'
        } else if symbol.is_whitespace() {
            ' '
        } else {
            before = None;
            return Some((at, symbol));
        };
        (before.replace(class) != Some(class)).then_some((at, class))
    })
}

/// A line without what tells it from the same line of another page.
pub(super) fn mask(line: &str) -> String {
    masked(line.trim()).map(|(_, symbol)| symbol).collect()
}

/// What a rule looks for: a mask, in which `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    /// What stands between the stars; at least one.
    parts: Vec<String>,
}

impl Pattern {
    /// Exactly the lines of this mask, stars in it included.
    pub(super) fn whole(mask: &str) -> Self {
        Self { parts: vec![mask.to_owned()] }
    }

    /// A pattern as a model wrote it; none where it says too little.
    pub(super) fn written(text: &str) -> Option<Self> {
        let mask = mask(text);
        let literal = mask.chars().filter(|symbol| !matches!(symbol, '*' | '#' | ' ')).count();
        let parts: Vec<String> = mask.split('*').map(str::to_owned).collect();
        (MIN_LITERAL <= literal && parts.len() - 1 <= MAX_STARS).then_some(Self { parts })
    }

    /// The mask, if there is no star in the pattern.
    pub(super) fn only(&self) -> Option<&str> {
        match &self.parts[..] {
            [only] => Some(only),
            [..] => None,
        }
    }

    /// Each part where it first fits, so a line is read once: with `*` alone as wildcard that decides the same as trying
    /// all places.
    pub(super) fn fits(&self, mask: &str) -> bool {
        let [first, middle @ .., last] = &self.parts[..] else { return self.only() == Some(mask) };
        let Some(mut rest) = mask.strip_prefix(first.as_str()) else { return false };
        for part in middle {
            let Some((_, after)) = rest.split_once(part.as_str()) else { return false };
            rest = after;
        }
        rest.ends_with(last.as_str())
    }

    /// Where a line goes on after a beginning that reads so and ends where a word does: a line of `Newton` does not begin
    /// with `New`. Where a script has no blanks nobody can see where a word ends, so there only a mark ends a beginning.
    pub(super) fn end_in(&self, line: &str) -> Option<usize> {
        let beginning = self.only()?;
        let indent = line.len() - line.trim_start().len();
        let mut rest = masked(line.trim_start());
        for wanted in beginning.chars() {
            rest.next().filter(|(_, symbol)| *symbol == wanted)?;
        }
        let end = rest.next();
        let within = beginning.chars().next_back().is_some_and(is_of_word)
            && end.is_some_and(|(_, next)| goes_on(next, rest.next().map(|(_, after)| after)));
        (!within).then(|| end.map_or(line.len(), |(at, _)| indent + at))
    }
}

/// Whether what stands here is a part of a word, or of a number, in a mask.
fn is_of_word(symbol: char) -> bool {
    symbol == '#' || symbol.is_alphanumeric() || is_mark(symbol)
}

/// Whether a word goes on with `next`: `it` does in `it's`, and does not in `'it'`.
fn goes_on(next: char, after: Option<char>) -> bool {
    let joins = matches!(next, '\'' | '\u{2019}') && after.is_some_and(char::is_alphanumeric);
    joins || is_of_word(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, line: &str, fits: bool) {
        let pattern = Pattern::written(pattern).expect("a pattern that says enough");
        assert_eq!(pattern.fits(&mask(line)), fits, "{pattern:?} {line}");
    }

    #[test]
    fn numbers_and_gaps_are_all_alike() {
        assert_eq!(mask("  Page 12\tof   345 "), "Page # of #");
        assert_eq!(mask("№ ٣٤ ##"), "№ # ##");
        check("Page 1 of 9", "Page  2 of 10", true);
        check("Page # of #", "Page 2 of 10", true);
        check("Page 1 of 9", "Page two of 9", false);
    }

    #[test]
    fn stars_stand_for_anything() {
        check("Posted by *", "Posted by Ann", true);
        check("* comments", "No comments", true);
        check("* comments", "comments", false);
        check("Posted by * on *", "Posted by Ann on Monday", true);
        check("Posted by * on *", "Posted by Ann", false);
        check("abc*cba", "abcba", false);
        check("abc**cba", "abc-cba", true);
        check("*abc*", "xxabc", true);
    }

    #[test]
    fn patterns_that_fit_too_much_are_none() {
        for text in ["", "*", "ab", "*a*b*", "12345", "# # #", "a*b*c*d*e*f"] {
            assert_eq!(Pattern::written(text), None, "{text}");
        }
        assert!(Pattern::whole("*").fits("*") && !Pattern::whole("*").fits("anything"));
    }

    #[test]
    fn a_beginning_ends_where_the_line_goes_on() {
        let end = |pattern, line| Pattern::written(pattern).unwrap().end_in(line);
        assert_eq!(end("Updated: #", " Updated:  2019 the text"), Some(15));
        assert_eq!(end("Updated:", "Updated:"), Some(8));
        assert_eq!(end("Updated:", "Upda"), None);
        assert_eq!(end("Updated*", "Updated:"), None);
    }

    #[test]
    fn a_beginning_never_ends_within_a_word() {
        let left = |pattern, line: &'static str| {
            let end = Pattern::written(pattern).unwrap().end_in(line)?;
            line.get(end..)
        };
        assert_eq!(left("New", "Newton wrote"), None);
        assert_eq!(left("New", "New\u{301}ton wrote"), None);
        assert_eq!(left("New", "New2 wrote"), None);
        assert_eq!(left("Reader", "Reader's choice"), None);
        assert_eq!(left("Page 1", "Page 2nd of all"), None);
        assert_eq!(left("发布时间", "发布时间表新闻"), None);
        assert_eq!(left("New", "New York"), Some(" York"));
        assert_eq!(left("New", "New: a thing"), Some(": a thing"));
        assert_eq!(left("New", "New' a thing"), Some("' a thing"));
        assert_eq!(left("New:", "New:a thing"), Some("a thing"));
        assert_eq!(left("发布时间：", "发布时间：新闻"), Some("新闻"));
        assert_eq!(left("Page 1", "Page 22"), Some(""));
    }
}
