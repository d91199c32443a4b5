//! Blanks and lines as Python sees them, since the published filters are written in it and their figures hold for its
//! functions.

/// Rust's white space and the four separators of ASCII.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Lines without what ends them; an end at the very end begins no other line.
pub(crate) fn lines(text: &str) -> Vec<&str> {
    let ends = |c| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some((at, end)) = rest.char_indices().find(|&(_, c)| ends(c)) {
        let (line, after) = rest.split_at(at);
        let after = after.strip_prefix("\r\n").or_else(|| after.strip_prefix(end));
        lines.push(line);
        rest = after.unwrap_or_default();
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// Words between blanks.
pub(crate) fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_many_ways() {
        let check = |text, expected: &[&str]| assert_eq!(lines(text), expected, "{text:?}");
        check("", &[]);
        check("\n", &[""]);
        check("a", &["a"]);
        check("a\nb\n", &["a", "b"]);
        check("a\r\nb\rc", &["a", "b", "c"]);
        check("a\u{b}b\u{c}c\u{1c}d\u{85}e\u{2028}f", &["a", "b", "c", "d", "e", "f"]);
        check("\n\nä\n", &["", "", "ä"]);
    }

    #[test]
    fn separators_are_blanks() {
        assert_eq!(trim("\u{1f} a\u{a0}\n"), "a");
        assert_eq!(split(" a\u{1c}b\tc ").collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
