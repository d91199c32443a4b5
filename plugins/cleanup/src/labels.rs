//! The format `labels`: a model that cannot write a program goes on in a pattern. It is shown a few lines, copies the
//! beginning of each and says whether it is text or menu; what it said becomes a program of `remove_lines`.
//!
//! A grammar writes the copies for it, so only the labels are the model's own. That the line stands right before its
//! label is what makes the difference: SmolLM2-135M, asked for labels by number, says the same of every line.

use palimpsest_plugin::Shape;

use crate::shape::Constraint;

/// Lines in one prompt. Few, because a small model forgets the task behind a long list.
pub(crate) const MAX_LINES: usize = 6;

/// What is shown of a line; labels hardly change with what follows.
const SHOWN_CHARS: usize = 100;

/// What is copied of it. Copies are generated, and so are what the format costs.
const COPIED_CHARS: usize = 40;

const TEXT: &str = "text";
const MENU: &str = "menu";

/// Two parts of pages that no site has.
const EXAMPLES: [[(&str, &str); 6]; 2] = [
    [
        ("How to choose the right soil", TEXT),
        ("She says the garden took ten years, and she is not done with it yet.", TEXT),
        ("• Mix two buckets of sand with one of clay.", TEXT),
        ("Related articles", MENU),
        ("10 photos you have to see", MENU),
        ("© 2019 Example Media. All rights reserved.", MENU),
    ],
    [
        ("Home", MENU),
        ("News", MENU),
        ("Sign in", MENU),
        ("The council voted on Tuesday to close the bridge for repairs until the spring.", TEXT),
        ("It was built in 1890 and has been repaired three times since.", TEXT),
        ("Share on Facebook", MENU),
    ],
];

const TASK: &str = "Mark each line of a web page as text (sentences and headings of the article) or menu (navigation, \
    links, notices, advertisements).";

/// A line as the model sees it: on one line, and not too long.
pub(crate) fn shown(line: &str) -> String {
    let plain = |symbol: char| if symbol.is_control() { ' ' } else { symbol };
    line.trim().chars().take(SHOWN_CHARS).map(plain).collect()
}

/// What a label is written behind.
fn copied(line: &str) -> String {
    shown(line).chars().take(COPIED_CHARS).collect()
}

/// Blank lines are not shown: they go with what is around them.
fn asked<'a>(lines: &'a [&'a str]) -> impl Iterator<Item = (usize, &'a str)> {
    lines.iter().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(|(place, line)| (place, *line))
}

pub(crate) fn question(lines: &[&str]) -> String {
    let mut question = format!("{TASK}\n\n");
    for example in &EXAMPLES {
        let all =
            |show: &dyn Fn(&(&str, &str)) -> String| example.iter().map(show).collect::<Vec<_>>().join("\n");
        let page = all(&|(line, _)| shown(line));
        let marked = all(&|(line, label)| format!("{} = {label}", copied(line)));
        question += &format!("Page:\n{page}\n\nMarked:\n{marked}\n\n");
    }
    let page: Vec<_> = asked(lines).map(|(_, line)| shown(line)).collect();
    question + &format!("Page:\n{}\n\nMarked:\n", page.join("\n"))
}

/// Only a grammar can write the copies.
pub(crate) fn shape(constraint: Constraint, lines: &[&str]) -> Option<Shape> {
    let literal = |line: &str| copied(line).replace('\\', "\\\\").replace('"', "\\\"");
    let rows: Vec<_> =
        asked(lines).map(|(_, line)| format!("\"{} = \" (\"{TEXT}\" | \"{MENU}\")", literal(line))).collect();
    (constraint == Constraint::Grammar)
        .then(|| Shape::Grammar(format!("root ::= {}\n", rows.join(r#" "\n" "#))))
}

/// What the labels come to. A reply that loses its place is not followed further: the lines after stay.
pub(crate) fn program(first: usize, lines: &[&str], reply: &str) -> String {
    let mut menus = vec![false; lines.len()];
    let mut lost = None;
    for ((place, line), said) in asked(lines).zip(reply.lines().filter(|said| !said.trim().is_empty())) {
        let label =
            said.trim().strip_prefix(copied(line).trim()).map(|rest| rest.trim_start_matches([' ', '=']));
        match label {
            Some(TEXT) => {}
            Some(MENU) => menus[place] = true,
            Some(_) | None => {
                lost = Some(said.trim());
                break;
            }
        }
    }
    let mut calls: Vec<String> = menus
        .iter()
        .enumerate()
        .collect::<Vec<_>>()
        .chunk_by(|(_, one), (_, other)| one == other)
        .filter_map(|run| match run {
            [(start, true), .., (end, _)] => Some((*start, *end)),
            [(start, true)] => Some((*start, *start)),
            [..] => None,
        })
        .map(|(start, end)| format!("remove_lines(line_start={}, line_end={})", first + start, first + end))
        .collect();
    calls.extend(lost.map(str::to_owned));
    if calls.is_empty() { "keep_chunk()".to_owned() } else { calls.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 5] = ["Home", "", "News \"today\"", "A sentence of the text.", "Share"];

    #[track_caller]
    fn check(reply: &str, calls: &str) {
        assert_eq!(program(10, &LINES, reply), calls);
    }

    #[test]
    fn labels_become_ranges() {
        let text = "A sentence of the text. = text";
        check(
            &format!("Home = menu\nNews \"today\" = menu\n{text}\nShare = menu"),
            "remove_lines(line_start=10, line_end=10)\nremove_lines(line_start=12, line_end=12)\n\
             remove_lines(line_start=14, line_end=14)",
        );
        check(&format!("Home = text\nNews \"today\" = text\n{text}\nShare = text"), "keep_chunk()");
        check(
            "Home = menu\nNews \"today\" = me",
            "remove_lines(line_start=10, line_end=10)\nNews \"today\" = me",
        );
        check("I cannot do that.", "I cannot do that.");
        check("", "keep_chunk()");
        let neighbours = program(0, &["a", "b", "c"], "a = menu\nb = menu\nc = text");
        assert_eq!(neighbours, "remove_lines(line_start=0, line_end=1)");
    }

    #[test]
    fn the_grammar_writes_the_copies() {
        let Some(Shape::Grammar(grammar)) = shape(Constraint::Grammar, &LINES) else { panic!("a grammar") };
        assert_eq!(
            grammar,
            "root ::= \"Home = \" (\"text\" | \"menu\") \"\\n\" \"News \\\"today\\\" = \" (\"text\" | \"menu\") \"\\n\" \
             \"A sentence of the text. = \" (\"text\" | \"menu\") \"\\n\" \"Share = \" (\"text\" | \"menu\")\n"
        );
        assert_eq!(shape(Constraint::None, &LINES), None);
        assert!(
            question(&LINES)
                .ends_with("Page:\nHome\nNews \"today\"\nA sentence of the text.\nShare\n\nMarked:\n")
        );
    }
}
