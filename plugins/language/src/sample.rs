//! Which part of a text is looked at: a few windows of its running text.
//!
//! A model for languages needs some hundred letters, and time in proportion to what it is given. Menus, addresses and
//! numbers come first on many pages and say little, so lines with few letters are taken only where there are no others.

/// A line of running text: half a line of print, or a short sentence where a letter is a word.
const MIN_LINE_WEIGHT: usize = 40;

/// The running text of a page.
#[derive(Debug)]
pub struct Prose(Vec<char>);

impl Prose {
    /// All lines count where there are fewer than `enough` characters of running text.
    #[must_use]
    pub fn of(text: &str, enough: usize) -> Self {
        Self(prose(text, enough).chars().collect())
    }

    /// At most so many windows, spread from the beginning to the end. A text that is no longer than all together is
    /// looked at whole, in as many parts as are no shorter than a window.
    #[must_use]
    pub fn windows(&self, count: usize, chars: usize) -> Vec<String> {
        let (length, chars) = (self.0.len(), chars.max(1));
        let (count, chars) = match length / chars {
            0 => (1, length),
            1 if 1 < count => (1, length),
            whole if whole < count => (whole, length / whole),
            _ => (count, chars.min(length)),
        };
        let spare = length - chars;
        (0..count)
            .map(|n| {
                let start = spare * n / (count - 1).max(1);
                whole_words(self.0.get(start..start + chars).unwrap_or_default(), n == 0)
            })
            .collect()
    }
}

/// The window without the rest of a word at its beginning, in scripts that part words.
fn whole_words(window: &[char], is_first: bool) -> String {
    let skip = if is_first { 0 } else { window.iter().take(30).position(|c| *c == ' ').unwrap_or(0) };
    window.iter().skip(skip).collect::<String>().trim().to_owned()
}

/// The lines of running text, one behind the other; all lines where there is less than one window of those.
fn prose(text: &str, enough: usize) -> String {
    let mut prose = String::with_capacity(text.len());
    let mut rest = String::new();
    for line in text.lines() {
        let start = prose.len();
        let weight = words(line, &mut prose);
        if weight < MIN_LINE_WEIGHT {
            let short = prose.split_off(start);
            if rest.len() < enough.saturating_mul(4) {
                rest.push_str(&short);
            }
        }
    }
    if prose.chars().take(enough).count() < enough {
        prose.push_str(&rest);
    }
    prose
}

/// Appends the words of a line that are words; says how many letters they have, those that are words by themselves
/// counted as three.
fn words(line: &str, prose: &mut String) -> usize {
    let mut weight = 0;
    for word in line.split_whitespace().filter(|word| is_word(word)) {
        prose.push_str(word);
        prose.push(' ');
        weight += word.chars().map(|c| if c < '\u{2e80}' { 1 } else { 3 }).sum::<usize>();
    }
    weight
}

/// Not an address, a tag, a number or a code.
fn is_word(word: &str) -> bool {
    let is_address = word.contains("://") || word.starts_with("www.") || word.starts_with(['@', '#']);
    // Other scripts are written with these in their words, or around them without a blank.
    let is_code =
        word.is_ascii() && word.bytes().any(|byte| byte.is_ascii_digit() || b"@/_=\\{}<>".contains(&byte));
    !is_address && !is_code && word.chars().any(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, count: usize, chars: usize, expected: &[&str]) {
        assert_eq!(Prose::of(text, chars).windows(count, chars), expected);
    }

    #[test]
    fn short_texts_are_one_window() {
        check("one two", 3, 100, &["one two"]);
        check("", 3, 100, &[""]);
        check("one\ntwo", 1, 100, &["one two"]);
    }

    #[test]
    fn windows_are_spread_and_begin_with_words() {
        let text = format!("{} {} {}", "start ".repeat(50), "middle ".repeat(50), "ends ".repeat(60));
        check(&text, 3, 20, &["start start start st", "middle middle mid", "ends ends ends"]);
        check(&text, 1, 20, &["start start start st"]);
    }

    #[test]
    fn texts_of_a_few_windows_are_looked_at_whole() {
        let text = "one two three four five six";
        check(text, 4, 20, &[text]);
        check(text, 4, 13, &["one two three", "five six"]);
        check(text, 2, 5, &["one t", "six"]);
    }

    #[test]
    fn lines_of_few_letters_come_last() {
        let line = "This is a line of running text, long enough to count.";
        check(&format!("Menu\nLogin\n{line}"), 1, 40, &["This is a line of running text, long eno"]);
        check("Menu\nLogin", 1, 40, &["Menu Login"]);
        check(
            "菜单\n这是一行足够长的正文内容可以用来判断语言",
            1,
            18,
            &["这是一行足够长的正文内容可以用来判断"],
        );
    }

    #[test]
    fn what_is_no_word_is_left_out() {
        let text =
            "See https://example.com/a and www.example.com or me@example.com #tag @name 12 4th a_b=c well";
        check(text, 1, 100, &["See and or well"]);
    }
}
