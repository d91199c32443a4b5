//! A reply as the text that was asked for: what models put around it, and how they decorate it, taken away.
//! Judges nothing; whether the text is any good is the gate's question.

/// The reply without what models put around an answer: thoughts, greetings, the header that was asked for, quotes.
pub(crate) fn answer(reply: &str, header: &str) -> String {
    let text = after_header(after_thinking(reply), header);
    let text = without_farewell(without_opening(text));
    plain(unquoted(text.trim()))
}

/// A server that sends more than was asked for is not read to the end: the most tokens of any style are far fewer.
const MAX_REPLY_BYTES: usize = 64 << 10;

/// Reasoning models think aloud first.
pub(crate) fn after_thinking(reply: &str) -> &str {
    let reply = reply.get(..reply.floor_char_boundary(MAX_REPLY_BYTES)).unwrap_or_default().trim();
    if !reply.starts_with("<think>") {
        return reply;
    }
    reply.split_once("</think>").map_or("", |(_thoughts, answer)| answer.trim())
}

/// What follows the line that begins with `header`, in any letter case and decoration, if it is among the first lines.
/// A model that leaves it out has only left out a formality.
fn after_header<'a>(text: &'a str, header: &str) -> &'a str {
    const HEADER_LINES: usize = 3;
    let mut rest = text;
    for _ in 0..HEADER_LINES {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let bare = line.trim_start_matches(['*', '#', '_', ' ', '"']);
        let begins = bare.get(..header.len()).is_some_and(|start| start.eq_ignore_ascii_case(header));
        let colon = bare.get(header.len()..).unwrap_or_default().trim_start_matches(['*', '_', ' ']);
        if begins && !header.is_empty() && (colon.starts_with(':') || colon.is_empty()) {
            let same_line = colon.trim_start_matches([':', '*', '_', ' ']);
            let below = same_line.is_empty();
            return if below {
                after.trim_start()
            } else {
                rest.get(line.len() - same_line.len()..).unwrap_or(after)
            };
        }
        rest = after;
    }
    text
}

const GREETINGS: [&str; 6] = ["sure", "certainly", "of course", "okay", "ok,", "absolutely"];

const INTRODUCTIONS: [&str; 6] =
    ["here is", "here's", "here are", "below is", "the following is", "this is a"];

/// What an introduction speaks of. A page's own "Here are the opening times:" is none.
const TASK: [&str; 8] = ["version", "text", "rewr", "paraphras", "concise", "summar", "shorter", "result"];

/// The text without a sentence that speaks to whoever asked: a greeting, or an introduction that ends in a colon.
fn without_opening(text: &str) -> &str {
    const OPENING_CHARS: usize = 160;
    let bare = text.trim_start_matches(['*', '_', '#', ' ']);
    let first = bare.lines().next().unwrap_or_default();
    let opening = first.split_once(':').map_or(first, |(opening, _)| opening);
    if OPENING_CHARS < opening.chars().count() {
        return text;
    }
    let lower = opening.to_lowercase();
    let greets = GREETINGS.iter().any(|greeting| lower.starts_with(greeting));
    let introduces = INTRODUCTIONS.iter().any(|introduction| lower.starts_with(introduction))
        && TASK.iter().any(|word| lower.contains(word));
    if opening.len() < first.len() {
        let after = bare.get(opening.len() + 1..).unwrap_or_default();
        return if greets || introduces { after.trim_start_matches(['*', '_']).trim_start() } else { text };
    }
    // "Sure!" on a line of its own.
    let rest = bare.get(first.len()..).unwrap_or_default().trim_start();
    if greets && first.trim_end().ends_with(['!', '.']) && !rest.is_empty() {
        without_opening(rest)
    } else {
        text
    }
}

const FAREWELLS: [&str; 6] = [
    "let me know if",
    "i hope this",
    "feel free to",
    "please let me know",
    "is there anything else",
    "note: i ",
];

/// The text without a last line that speaks to whoever asked.
fn without_farewell(text: &str) -> &str {
    let text = text.trim_end();
    let Some((before, last)) = text.rsplit_once('\n') else { return text };
    let lower = last.trim().to_lowercase();
    if FAREWELLS.iter().any(|farewell| lower.starts_with(farewell)) { before.trim_end() } else { text }
}

/// The text without one pair of quotes around all of it.
fn unquoted(text: &str) -> &str {
    const PAIRS: [(char, char); 4] = [('"', '"'), ('“', '”'), ('«', '»'), ('\'', '\'')];
    PAIRS
        .iter()
        .find_map(|&(open, close)| {
            let inner = text.strip_prefix(open)?.strip_suffix(close)?;
            // `"No," he said. "Never."` is not quoted as a whole.
            (!inner.contains([open, close])).then_some(inner.trim())
        })
        .unwrap_or(text)
}

/// The text without the marks of Markdown. Code between ticks or fences, products such as `a*b*c` and names such as
/// `snake_case` stay as they are, and a link keeps its words, not its address.
pub(crate) fn plain(text: &str) -> String {
    let mut fenced = false;
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
                return line.to_owned();
            }
            if fenced { line.to_owned() } else { plain_line(line) }
        })
        .collect();
    lines.join("\n")
}

fn plain_line(line: &str) -> String {
    let marks = line.len() - line.trim_start_matches('#').len();
    let line = match line.get(marks..) {
        Some(heading) if (1..=6).contains(&marks) && heading.starts_with(' ') => heading.trim(),
        _ => line,
    };
    // Code is what stands between two ticks, so with an odd number of pieces every second one is code.
    let pieces: Vec<&str> = line.split('`').collect();
    if pieces.len().is_multiple_of(2) {
        return without_marks(line);
    }
    let mut plain: Vec<String> = Vec::with_capacity(pieces.len());
    for (number, piece) in pieces.into_iter().enumerate() {
        plain.push(if number % 2 == 1 { piece.to_owned() } else { without_marks(piece) });
    }
    plain.join("`")
}

fn without_marks(text: &str) -> String {
    ["**", "__", "*", "_"].iter().fold(without_links(text), |text, mark| without_mark(&text, mark))
}

/// Takes pairs of `mark` away that stand where only an emphasis may: outside of words, and close to what they embrace.
fn without_mark(text: &str, mark: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(mark) {
        let last = before.chars().next_back().or_else(|| plain.chars().next_back());
        let opens = last.is_none_or(|symbol| symbol.is_whitespace() || "([{\"'“‘—–-*".contains(symbol));
        let embraced = if opens { embraced(after, mark) } else { None };
        plain.push_str(before);
        rest = match embraced {
            Some((inner, after)) => {
                plain.push_str(inner);
                after
            }
            None => {
                plain.push_str(mark);
                after
            }
        };
    }
    plain + rest
}

/// What stands between an opened mark and the one that closes it, and what follows.
fn embraced<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let (inner, after) = text.split_once(mark)?;
    let close = |symbol: char| symbol.is_whitespace() || ".,;:!?)]}\"'”’—–-*".contains(symbol);
    let tight =
        !inner.is_empty() && !inner.starts_with(char::is_whitespace) && !inner.ends_with(char::is_whitespace);
    let outside = after.chars().next().is_none_or(close);
    // `__init__` is a name; what is embraced by two underscores for emphasis is mostly more than a word.
    let emphasis = mark != "__" || inner.contains(' ');
    (tight && outside && emphasis).then_some((inner, after))
}

/// `[words](address)` becomes the words.
fn without_links(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        rest = match link(after) {
            Some((words, after)) => {
                plain.push_str(words);
                after
            }
            None => {
                plain.push('[');
                after
            }
        };
    }
    plain + rest
}

/// The words of a link after its opening bracket, and what follows it. Looks no further than the link could reach.
fn link(text: &str) -> Option<(&str, &str)> {
    let (words, target) = text.split_at(text.find(['[', ']'])?);
    let target = target.strip_prefix("](")?;
    let end = target.find(|symbol: char| symbol == ')' || symbol == '[' || symbol.is_whitespace())?;
    Some((words, target.get(end..)?.strip_prefix(')')?))
}

/// The text up to the end of its last whole sentence; empty where it has none.
pub(crate) fn whole_sentences(text: &str) -> &str {
    let mut end = 0;
    let mut symbols = text.char_indices().peekable();
    while let Some((at, symbol)) = symbols.next() {
        let wide = matches!(symbol, '。' | '！' | '？' | '।');
        if !wide && !matches!(symbol, '.' | '!' | '?') {
            continue;
        }
        let mut after = at + symbol.len_utf8();
        while let Some((quote, closing)) = symbols.next_if(|(_, next)| "\"'”’»)".contains(*next)) {
            after = quote + closing.len_utf8();
        }
        if wide || symbols.peek().is_none_or(|(_, next)| next.is_whitespace()) {
            end = after;
        }
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reply: &str, text: &str) {
        assert_eq!(answer(reply, "Paraphrase"), text);
    }

    #[test]
    fn the_header_is_found_in_many_forms_or_not_at_all() {
        check("Paraphrase:\nThe text.", "The text.");
        check("paraphrase: The text.\nMore.", "The text.\nMore.");
        check("**Paraphrase:**\n\nThe text.", "The text.");
        check("## Paraphrase\nThe text.", "The text.");
        check("Sure! Here it is.\n\nParaphrase:\nThe text.", "The text.");
        check("Paraphrase: The text.", "The text.");
        check("The text.", "The text.");
        check("Paraphrases are hard to write.", "Paraphrases are hard to write.");
        check("One.\nTwo.\nThree.\nParaphrase:\nFour.", "One.\nTwo.\nThree.\nParaphrase:\nFour.");
        check("Paraphrase:", "");
        check("", "");
    }

    #[test]
    fn chatter_around_the_answer_goes() {
        check("Sure, here is a shorter version:\n\nThe text.", "The text.");
        check("Here's the rewritten text: The text.", "The text.");
        check("Certainly!\nThe text.", "The text.");
        check(
            "**Here is the text:**\nThe text.",
            "**Here is the text:**\nThe text.".split_once('\n').unwrap().1,
        );
        check("The text.\nLet me know if you need more.", "The text.");
        check(
            "Here is where the story begins.\nIt ends there.",
            "Here is where the story begins.\nIt ends there.",
        );
        check("Here are the opening times: nine to five.", "Here are the opening times: nine to five.");
        check("Sure.", "Sure.");
        check("<think>\nHm: so.\n</think>\nThe text.", "The text.");
        check("<think> without end", "");
        check("\"The text.\"", "The text.");
        check("“The text.”", "The text.");
        check("\"No,\" he said. \"Never.\"", "\"No,\" he said. \"Never.\"");
    }

    #[test]
    fn marks_go_and_code_stays() {
        for (marked, text) in [
            ("A **bold** word", "A bold word"),
            ("**Bold**: a *word*, an _other_.", "Bold: a word, an other."),
            ("***both*** of them", "both of them"),
            ("# Title\n## Part #2", "Title\nPart #2"),
            ("#hashtag", "#hashtag"),
            ("[words](https://a.example/x_y_z)", "words"),
            ("[1] and [2] (see x)", "[1] and [2] (see x)"),
            ("f(x)[i](y z)", "f(x)[i](y z)"),
            ("the snake_case_name and _private", "the snake_case_name and _private"),
            ("a*b*c = 2 * 3 * 4", "a*b*c = 2 * 3 * 4"),
            ("f(*args, **kwargs)", "f(*args, **kwargs)"),
            ("call __init__ first", "call __init__ first"),
            ("use `**kwargs` and `_x_` **now**", "use `**kwargs` and `_x_` now"),
            ("an odd ` tick *here*", "an odd ` tick here"),
            ("```\n**x** = _y_\n```\n**z**", "```\n**x** = _y_\n```\nz"),
            ("* an item\n* another", "* an item\n* another"),
            ("5 ** 2 ** 1", "5 ** 2 ** 1"),
        ] {
            assert_eq!(plain(marked), text);
        }
    }

    #[test]
    fn a_text_that_was_cut_off_ends_with_its_last_whole_sentence() {
        for (cut, whole) in [
            ("One. Two! Thr", "One. Two!"),
            ("He said \"no.\" And th", "He said \"no.\""),
            ("Version 1.5 is", ""),
            ("One.", "One."),
            ("一。二", "一。"),
            ("", ""),
        ] {
            assert_eq!(whole_sentences(cut), whole);
        }
    }

    #[test]
    fn hostile_replies_do_not_panic_or_grow() {
        const PIECES: [&str; 20] = [
            "*",
            "**",
            "_",
            "__",
            "`",
            "```",
            "\n",
            "[",
            "](",
            ")",
            "#",
            "Paraphrase",
            ":",
            "Sure",
            "é",
            "。",
            "\"",
            " ",
            "<think>",
            "</think>",
        ];
        for case in 0..20_000_u64 {
            let mut state = case;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                usize::try_from(state >> 33).unwrap()
            };
            let reply: String = (0..next() % 30).map(|_| PIECES[next() % PIECES.len()]).collect();
            assert!(answer(&reply, "Paraphrase").len() <= reply.len(), "{reply:?}");
            assert!(whole_sentences(&reply).len() <= reply.len());
        }
    }
}
