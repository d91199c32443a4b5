//! Lists and passages: what models put between, before and behind the points is taken away.

use crate::clean;

/// The points of a list, each without its mark. A list without any mark has a point on each line.
pub(super) fn points(reply: &str, cut_off: bool) -> Vec<String> {
    let reply = clean::without_chatter(reply);
    let marked = reply.lines().any(|line| after_mark(line).is_some());
    let mut points: Vec<String> = Vec::new();
    let mut blank_before = false;
    for line in reply.lines() {
        let text = line.trim();
        if text.is_empty() {
            blank_before = true;
            continue;
        }
        match after_mark(line) {
            Some(point) => points.push(point.to_owned()),
            // What stands before the first point of a marked list introduces it.
            None if marked && points.is_empty() || is_heading(text) => {}
            None => match points.last_mut().filter(|_| marked && !blank_before) {
                Some(open) => {
                    open.push(' ');
                    open.push_str(text);
                }
                None => points.push(text.to_owned()),
            },
        }
        blank_before = false;
    }
    if cut_off && points.last().is_some_and(|last| clean::whole_sentences(last) != last) {
        points.pop();
    }
    points.into_iter().map(|point| clean::plain(&point)).filter(|point| !point.trim().is_empty()).collect()
}

/// What stands behind the mark of a point: `- `, `* `, `• `, `1. `, `2) `.
fn after_mark(line: &str) -> Option<&str> {
    let line = line.trim();
    if let Some(point) = line.strip_prefix(['-', '*', '•', '–', '·', '+', '▪', '◦', '●']) {
        return point.strip_prefix([' ', '\t']).map(str::trim).filter(|point| !point.is_empty());
    }
    let counted = line.trim_start_matches(|symbol: char| symbol.is_ascii_digit());
    let figures = line.len() - counted.len();
    // "1998. A year" is no point; no list has so many.
    let point = counted.strip_prefix(['.', ')'])?.strip_prefix(' ')?;
    (1..=2).contains(&figures).then_some(point.trim())
}

/// `## Facts`, `**Facts**` and `Key facts:` stand above points and are none.
fn is_heading(text: &str) -> bool {
    text.starts_with('#') || (text.starts_with("**") && text.ends_with("**")) || text.ends_with(':')
}

/// The passages of a reply: what blank lines and labels divide.
pub(super) fn passages(reply: &str, cut_off: bool) -> Vec<String> {
    let reply = clean::without_chatter(reply);
    let mut passages: Vec<String> = vec![String::new()];
    for line in reply.lines() {
        let text = line.trim();
        let labelled = after_label(text);
        if text.is_empty() || labelled.is_some() {
            passages.push(String::new());
        }
        let text = labelled.unwrap_or(text);
        if text.is_empty() || text.starts_with('#') || (text.starts_with("**") && text.ends_with("**")) {
            continue;
        }
        if let Some(open) = passages.last_mut() {
            if !open.is_empty() {
                open.push('\n');
            }
            open.push_str(text);
        }
    }
    passages.retain(|passage| !passage.is_empty());
    if cut_off && let Some(last) = passages.pop() {
        let whole = clean::whole_sentences(&last);
        passages.extend((!whole.is_empty()).then(|| whole.to_owned()));
    }
    passages.into_iter().map(|passage| clean::plain(&passage)).collect()
}

/// What stands behind `Passage:`, `**Passage 2:**`, `### Passage 3`, in any letter case.
fn after_label(line: &str) -> Option<&str> {
    const LABEL: &str = "passage";
    let bare = line.trim_start_matches(['*', '#', '_', ' ', '[', '(']);
    let (start, after) = bare.split_at_checked(LABEL.len())?;
    if !start.eq_ignore_ascii_case(LABEL) {
        return None;
    }
    let counted =
        after.trim_start_matches(|symbol: char| symbol.is_ascii_digit() || " *_])".contains(symbol));
    let text = counted.strip_prefix([':', '.']).map(|text| text.trim_start_matches(['*', '_', ' ']));
    text.or_else(|| counted.is_empty().then_some(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reply: &str, points_of_it: &[&str]) {
        assert_eq!(points(reply, false), points_of_it, "{reply}");
    }

    #[test]
    fn points_lose_their_marks_and_what_stands_around_them() {
        check("- a\n- b", &["a", "b"]);
        check("Here is the list of key facts:\n\n* a\n* b", &["a", "b"]);
        check("Key facts about bees\n- a\n- b", &["a", "b"]);
        check("1. a\n2) b\n10. c", &["a", "b", "c"]);
        check("- a\n  - b\n    more of b\n- c", &["a", "b more of b", "c"]);
        check("## Facts\n- **Bees**: they fly\n\n**More**\n- `a*b`", &["Bees: they fly", "`a*b`"]);
        check("a\nb", &["a", "b"]);
        check("- a\n\nLet me know if you need more.", &["a"]);
        check("- It is -5 degrees\n- 1998. A year", &["It is -5 degrees", "1998. A year"]);
        check("-5 is a number", &["-5 is a number"]);
        check("", &[]);
        assert_eq!(points("- One.\n- Tw", true), ["One."]);
        assert_eq!(points("- One.\n- Two.", true), ["One.", "Two."]);
    }

    #[test]
    fn passages_lose_their_labels() {
        for (reply, expected) in [
            ("Passage 1:\nA.\n\nPassage 2:\nB.", &["A.", "B."][..]),
            ("Passage: A.\nPassage: B.", &["A.", "B."]),
            ("**Passage 1:** A.\n\n### Passage 2\nB.\nC.", &["A.", "B.\nC."]),
            ("Sure, here are the passages:\n\nA.\n\nB.", &["A.", "B."]),
            ("# Bees\n\nA.\n\n**Wasps**\nB.", &["A.", "B."]),
            ("Passages of time matter.", &["Passages of time matter."]),
            ("Passage of the bill took a year.", &["Passage of the bill took a year."]),
            ("[Passage 4]\nA.", &["A."]),
            ("", &[]),
        ] {
            assert_eq!(passages(reply, false), expected, "{reply}");
        }
        assert_eq!(passages("A.\n\nB. C", true), ["A.", "B."]);
    }
}
