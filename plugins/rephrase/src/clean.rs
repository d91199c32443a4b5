//! A reply as the text that was asked for: what models put around it, and how they decorate it, taken away.
//! Judges nothing; whether the text is any good is the gate's question.

/// The reply without what models put around an answer: thoughts, greetings, the header that was asked for or another one,
/// quotes. `markdown`: its marks are a part of the answer.
pub(crate) fn answer(reply: &str, header: &str, markdown: bool) -> String {
    let text = after_header(after_thinking(reply), header);
    let text = unquoted(without_chatter(text));
    if markdown { text.to_owned() } else { plain(text) }
}

/// The text without sentences that speak to whoever asked, before and behind it, and without a label above it.
pub(crate) fn without_chatter(text: &str) -> &str {
    let text = without_label(without_opening(text));
    without_farewell(text).trim()
}

/// What follows the last line that is the header, for styles in which the model thinks first. None where there is no such
/// line.
pub(crate) fn behind_header<'a>(reply: &'a str, header: &str) -> Option<&'a str> {
    let mut found = None;
    let mut at = 0;
    for line in reply.split_inclusive('\n') {
        if let Some(same_line) = on_header(line.trim_end(), header) {
            // What stands on the header's line already belongs to the answer.
            found = Some(at + line.trim_end().len() - same_line.len());
        }
        at += line.len();
    }
    reply.get(found?..)
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
        match on_header(line, header) {
            Some("") => return after.trim_start(),
            Some(same_line) => return rest.get(line.len() - same_line.len()..).unwrap_or(after),
            None => rest = after,
        }
    }
    text
}

/// What stands on the line behind the header; none where the line is no header.
fn on_header<'a>(line: &'a str, header: &str) -> Option<&'a str> {
    let bare = line.trim_start_matches(['*', '#', '_', ' ', '"', '>']);
    let (start, behind) = bare.split_at_checked(header.len())?;
    if header.is_empty() || !start.eq_ignore_ascii_case(header) {
        return None;
    }
    let colon = behind.trim_start_matches(['*', '_', ' ']);
    (colon.starts_with([':', '：']) || colon.is_empty())
        .then(|| colon.trim_start_matches([':', '：', '*', '_', ' ']))
}

/// Words that labels of an answer are made of: `The rewritten text:`, `**Paraphrased version**`.
const LABEL_WORDS: [&str; 24] = [
    "the",
    "a",
    "my",
    "your",
    "of",
    "in",
    "for",
    "text",
    "passage",
    "paragraph",
    "final",
    "new",
    "full",
    "complete",
    "english",
    "style",
    "easy",
    "simple",
    "shorter",
    "clear",
    "academic",
    "encyclopedic",
    "conversation",
    "dialogue",
];

/// One of these makes a label of them. A page's own `Summary:` or `Text:` is none.
const LABEL_CORES: [&str; 20] = [
    "paraphrase",
    "paraphrased",
    "paraphrasing",
    "rewrite",
    "rewritten",
    "rewording",
    "reworded",
    "rephrased",
    "rephrasing",
    "restatement",
    "restated",
    "condensed",
    "simplified",
    "improved",
    "revised",
    "version",
    "output",
    "answer",
    "response",
    "result",
];

/// The text without a first line, or the beginning of one, that only says what follows.
fn without_label(text: &str) -> &str {
    const LONGEST: usize = 60;
    let text = text.trim_start();
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    let (label, same_line) = line.split_once(':').unwrap_or((line, ""));
    let decorated = label.starts_with(['*', '#']);
    if LONGEST < label.len() || (label.len() == line.len() && (!decorated || after.trim().is_empty())) {
        return text;
    }
    let mut core = false;
    let lower = label.to_lowercase();
    let only =
        lower.split(|symbol: char| !symbol.is_alphanumeric()).filter(|word| !word.is_empty()).all(|word| {
            core |= LABEL_CORES.contains(&word);
            LABEL_CORES.contains(&word) || LABEL_WORDS.contains(&word)
        });
    if !(only && core) {
        return text;
    }
    let same_line = same_line.trim_start_matches(['*', '_']).trim_start();
    if same_line.is_empty() {
        after.trim_start()
    } else {
        text.get(line.len() - same_line.len()..).unwrap_or(text)
    }
}

const GREETINGS: [&str; 11] = [
    "sure",
    "certainly",
    "of course",
    "okay",
    "ok,",
    "absolutely",
    "gladly",
    "no problem",
    "natürlich",
    "bien sûr",
    "claro",
];

const INTRODUCTIONS: [&str; 13] = [
    "here is",
    "here's",
    "here are",
    "below is",
    "below are",
    "the following is",
    "the following are",
    "this is a",
    "i have",
    "i've",
    "hier ist",
    "voici",
    "aquí",
];

/// What an introduction speaks of. A page's own "Here are the opening times:" is none.
const TASK: [&str; 21] = [
    "version",
    "text",
    "rewr",
    "paraphras",
    "concise",
    "summar",
    "shorter",
    "result",
    "list",
    "passage",
    "question",
    "pairs",
    "tutorial",
    "table",
    "faq",
    "condensed",
    "conversation",
    "dialogue",
    "reworded",
    "rephras",
    "umgeschrieb",
];

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

const FAREWELLS: [&str; 16] = [
    "let me know if",
    "i hope this",
    "i hope that helps",
    "feel free to",
    "please let me know",
    "is there anything else",
    "would you like me to",
    "do you want me to",
    "note: i ",
    "note: this ",
    "note: the above",
    "note that i ",
    "this paraphrase ",
    "this rewritten ",
    "this version ",
    "(word count",
];

/// The text without last lines that speak to whoever asked.
fn without_farewell(text: &str) -> &str {
    const MOST: usize = 2;
    let mut text = text.trim_end();
    for _ in 0..MOST {
        let Some((before, last)) = text.rsplit_once('\n') else { break };
        let lower = last.trim_start_matches(['*', '_', '(', '-', ' ']).to_lowercase();
        let told = FAREWELLS.iter().any(|farewell| lower.starts_with(farewell.trim_start_matches('(')));
        if !told && !is_rule(last) {
            break;
        }
        text = before.trim_end();
    }
    text
}

/// `---` between the answer and what is said of it.
fn is_rule(line: &str) -> bool {
    let line = line.trim();
    3 <= line.len() && line.chars().all(|symbol| symbol == '-')
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

/// The last sentences of a text, as many as fit and end it whole; none where not even one does.
pub(crate) fn last_sentences(text: &str, fits: impl Fn(&str) -> bool) -> Option<&str> {
    const MOST: usize = 8;
    let text = whole_sentences(text);
    let mut start = text.len();
    let mut found = None;
    for _ in 0..MOST {
        let before = text.get(..start)?.trim_end();
        if before.is_empty() {
            break;
        }
        // The sentence's own full stop is not the end of the one before it.
        let last = before.char_indices().next_back().map_or(0, |(at, _)| at);
        start = whole_sentences(text.get(..last)?).len();
        let sentences = text.get(start..)?.trim();
        if !fits(sentences) {
            break;
        }
        found = Some(sentences);
    }
    found
}

#[cfg(test)]
mod tests;
