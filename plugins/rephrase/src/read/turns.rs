//! Conversations: who speaks, and whether at least two do.

use std::collections::BTreeSet;

/// The conversation from its first turn on; none where there are not two who speak.
pub(super) fn turns(text: &str) -> Option<&str> {
    let mut speakers = BTreeSet::new();
    let mut start = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(speaker) = speaker(line) {
            speakers.insert(speaker.to_lowercase());
            start = start.or(Some(at));
        }
        at += line.len();
    }
    if speakers.len() < 2 { None } else { text.get(start?..).map(str::trim) }
}

/// `Teacher: Good morning.`: who is said to speak.
fn speaker(line: &str) -> Option<&str> {
    const LONGEST: usize = 40;
    let (speaker, said) = line.split_once([':', '：'])?;
    let speaker = speaker.trim_matches(['*', '_', '#', '-', ' ', '[', ']']);
    let words = speaker.split_whitespace().count();
    let named = speaker.chars().any(char::is_alphabetic) && speaker.chars().count() <= LONGEST;
    (named && (1..=4).contains(&words) && !said.trim().is_empty()).then_some(speaker)
}

#[cfg(test)]
mod tests {
    use super::turns;

    #[test]
    fn a_conversation_has_two_who_speak() {
        for (text, expected) in [
            ("Ann: A?\nBob: B.", Some("Ann: A?\nBob: B.")),
            (
                "They meet.\n\nTeacher: A?\nStudent 1: B.\nand more.\n",
                Some("Teacher: A?\nStudent 1: B.\nand more."),
            ),
            ("老师：你好。\n学生：你好。", Some("老师：你好。\n学生：你好。")),
            ("Ann: A.\nAnn: B.", None),
            ("No one speaks at 10:30 or at 11:45.", None),
            ("Just text.", None),
            ("", None),
        ] {
            assert_eq!(turns(text), expected, "{text}");
        }
    }
}
