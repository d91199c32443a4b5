//! The language of a cleanup program: what a model wrote, as calls. Knows nothing of pages; the executor decides what a
//! call may do.
//!
//! Models write it in many hands: fenced, indented, numbered, several calls on one line, arguments by name or by place
//! and in either order, strings with and without escapes. All of these are read. What is no call is kept as an item
//! of its own, so that nothing that a model said goes uncounted.

mod json;

use std::fmt;

use palimpsest_plugin::text::after_thinking;

/// A program longer than this is no program: the longest that the published refiners may write has 256 tokens.
const MAX_PROGRAM_BYTES: usize = 32 << 10;

/// The published mean is under 4 calls for a chunk; a hundred times as many is a model that repeats itself.
const MAX_ITEMS: usize = 400;

/// One thing that a program says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Call(Call),
    /// A call of a function that the language does not have.
    Unknown(String),
    /// Begins like a call and is none.
    Unparsable(String),
    /// Chatter around the program.
    Prose(String),
}

/// A call as written; nothing of it has been compared with a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Both ends belong to the range.
    RemoveLines {
        start: i64,
        end: i64,
    },
    RemoveAll,
    Normalize {
        source: Quoted,
        target: Quoted,
    },
    Keep,
    DropDoc,
    /// What a program for a whole site does to the lines that fit a pattern.
    Matching {
        verb: Verb,
        text: Quoted,
    },
}

/// What becomes of a line that fits a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// The line goes.
    Line,
    /// Its beginning goes.
    Prefix,
    /// The first such line goes, with all before it.
    Before,
    /// The first such line goes, with all after it.
    After,
}

impl Verb {
    /// The call's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Line => "remove_line",
            Self::Prefix => "remove_prefix",
            Self::Before => "remove_before",
            Self::After => "remove_after",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Line, Self::Prefix, Self::Before, Self::After].into_iter().find(|verb| verb.name() == name)
    }
}

/// A string of a program. The refiners were trained on strings without escapes, other models write them with: which of
/// the two was meant can only be seen on the page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quoted {
    pub text: String,
    pub raw: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RemoveLines { start, end } => write!(f, "remove_lines({start},{end})"),
            Self::RemoveAll => f.write_str("remove_lines(all)"),
            Self::Normalize { source, target } => write!(f, "normalize({:?},{:?})", source.text, target.text),
            Self::Keep => f.write_str("keep_chunk()"),
            Self::DropDoc => f.write_str("drop_doc()"),
            Self::Matching { verb, text } => write!(f, "{}({:?})", verb.name(), text.text),
        }
    }
}

/// Reads a program. Never fails: what cannot be read is an item too.
pub fn parse(program: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let answer = after_thinking(program);
    let bounded = answer.get(..answer.floor_char_boundary(MAX_PROGRAM_BYTES)).unwrap_or_default();
    if bounded.len() < answer.len() {
        items.push(Item::Unparsable("a program of too many bytes".to_owned()));
    }
    if json::is_json(bounded) {
        items.extend(json::parse(bounded));
        return items;
    }
    for line in bounded.lines() {
        parse_line(line, &mut items);
        if MAX_ITEMS < items.len() {
            items.truncate(MAX_ITEMS);
            items.push(Item::Unparsable("more calls than a program may have".to_owned()));
            break;
        }
    }
    items
}

fn parse_line(line: &str, items: &mut Vec<Item>) {
    let mut rest = without_marker(line);
    if rest.starts_with("```") || rest.starts_with("~~~") {
        return;
    }
    rest = rest.trim_matches('`');
    loop {
        rest =
            rest.trim_start_matches(|symbol: char| symbol.is_whitespace() || symbol == ';' || symbol == ',');
        if rest.is_empty() || rest.starts_with('#') || rest.starts_with("//") {
            return;
        }
        let (name, after) = identifier(rest);
        let known = KNOWN.contains(&name);
        let opened = if known { after.trim_start() } else { after }.strip_prefix('(');
        let Some(arguments) = opened.filter(|_| !name.is_empty()) else {
            let item = if known { Item::Unparsable } else { Item::Prose };
            items.push(item(excerpt(rest)));
            return;
        };
        let Some((arguments, after)) = parse_arguments(arguments) else {
            items.push(Item::Unparsable(excerpt(rest)));
            return;
        };
        let written = rest.get(..rest.len() - after.len()).unwrap_or(rest);
        items.push(if known {
            call(name, &arguments).map_or_else(|| Item::Unparsable(excerpt(written)), Item::Call)
        } else {
            Item::Unknown(excerpt(written))
        });
        rest = after;
    }
}

const KNOWN: [&str; 12] = [
    "remove_lines",
    "normalize",
    "keep_chunk",
    "keep_all",
    "keep_doc",
    "untouch_doc",
    "drop_doc",
    "keep_site",
    "remove_line",
    "remove_prefix",
    "remove_before",
    "remove_after",
];

/// Enough of a line to know it again in a report.
fn excerpt(text: &str) -> String {
    const EXCERPT_CHARS: usize = 80;
    text.trim().chars().take(EXCERPT_CHARS).collect()
}

/// The line without its indent and without a bullet or a number before it.
fn without_marker(line: &str) -> &str {
    let line = line.trim();
    let bare = line.trim_start_matches(['-', '*', '+', '•', '>']).trim_start();
    let counted = bare.trim_start_matches(|symbol: char| symbol.is_ascii_digit());
    if counted.len() < bare.len()
        && let Some(numbered) = counted.strip_prefix(['.', ')', ':'])
    {
        return numbered.trim_start();
    }
    bare
}

fn identifier(text: &str) -> (&str, &str) {
    let end =
        text.find(|symbol: char| !symbol.is_ascii_alphanumeric() && symbol != '_').unwrap_or(text.len());
    text.split_at(end)
}

#[derive(Debug, PartialEq, Eq)]
struct Argument<'a> {
    name: Option<&'a str>,
    value: Scalar<'a>,
}

#[derive(Debug, PartialEq, Eq)]
enum Scalar<'a> {
    Text(Quoted),
    Bare(&'a str),
}

/// Arguments up to the closing parenthesis, and what follows it.
fn parse_arguments(text: &str) -> Option<(Vec<Argument<'_>>, &str)> {
    let mut arguments = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix(')') {
            return Some((arguments, after));
        }
        let (name, after) = identifier(rest);
        let named = after.trim_start().strip_prefix('=').filter(|_| !name.is_empty());
        let value = named.unwrap_or(rest).trim_start();
        let (value, after) = scalar(value)?;
        arguments.push(Argument { name: named.map(|_| name), value });
        rest = after.trim_start();
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start();
        } else if !rest.starts_with(')') {
            return None;
        }
    }
}

fn scalar(text: &str) -> Option<(Scalar<'_>, &str)> {
    let quote = text.chars().next()?;
    if quote == '"' || quote == '\'' {
        let (quoted, after) = string(text.strip_prefix(quote)?, quote)?;
        return Some((Scalar::Text(quoted), after));
    }
    let end = text.find([',', ')'])?;
    let (bare, after) = text.split_at(end);
    let bare = bare.trim();
    (!bare.is_empty()).then_some((Scalar::Bare(bare), after))
}

/// A string after its opening quote. A quote ends it only where an argument may end: models forget to escape the
/// quotes of the text that they quote.
fn string(text: &str, quote: char) -> Option<(Quoted, &str)> {
    let mut quoted = Quoted::default();
    let mut rest = text.chars();
    while let Some(symbol) = rest.next() {
        let after = rest.as_str();
        if symbol == quote && after.trim_start().starts_with([',', ')']) {
            return Some((quoted, after));
        }
        quoted.raw.push(symbol);
        if symbol != '\\' {
            quoted.text.push(symbol);
            continue;
        }
        // `"C:\"` ends in a backslash that escapes nothing, or else the string has no end at all.
        let escaped = rest.next()?;
        quoted.raw.push(escaped);
        match escaped {
            'n' => quoted.text.push('\n'),
            't' => quoted.text.push('\t'),
            'r' => quoted.text.push('\r'),
            '\\' | '"' | '\'' => quoted.text.push(escaped),
            'u' => match unicode(rest.as_str()) {
                Some((symbol, after)) => {
                    quoted.raw.extend(rest.as_str().chars().take(4));
                    quoted.text.push(symbol);
                    rest = after.chars();
                }
                None => quoted.text.push_str("\\u"),
            },
            other => quoted.text.extend(['\\', other]),
        }
    }
    None
}

fn unicode(text: &str) -> Option<(char, &str)> {
    let (digits, after) = text.split_at_checked(4)?;
    Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, after))
}

/// The call of a known function, if the arguments are those that it takes.
fn call(name: &str, arguments: &[Argument<'_>]) -> Option<Call> {
    match name {
        "remove_lines" => {
            let all = arguments.iter().any(|argument| argument.name == Some("all") && argument.truth());
            if all && arguments.len() == 1 {
                return Some(Call::RemoveAll);
            }
            let start = pick(arguments, &["line_start", "start"], 0)?.integer()?;
            let end = pick(arguments, &["line_end", "end"], 1)?.integer()?;
            (arguments.len() == 2).then_some(Call::RemoveLines { start, end })
        }
        "normalize" => {
            let source = pick(arguments, &["source_str", "source"], 0)?.string()?;
            let target = match pick(arguments, &["target_str", "target"], 1) {
                Some(target) => target.string()?,
                None if arguments.len() == 1 => Quoted::default(),
                None => return None,
            };
            (arguments.len() <= 2).then_some(Call::Normalize { source, target })
        }
        "drop_doc" => arguments.is_empty().then_some(Call::DropDoc),
        _ => match Verb::named(name) {
            Some(verb) => {
                let text = pick(arguments, &["text", "pattern"], 0)?.string()?;
                (arguments.len() == 1).then_some(Call::Matching { verb, text })
            }
            None => arguments.is_empty().then_some(Call::Keep),
        },
    }
}

/// The argument of one of these names, or the one without a name in this place.
fn pick<'a>(arguments: &'a [Argument<'a>], names: &[&str], place: usize) -> Option<&'a Argument<'a>> {
    arguments
        .iter()
        .find(|argument| argument.name.is_some_and(|name| names.contains(&name)))
        .or_else(|| arguments.get(place).filter(|argument| argument.name.is_none()))
}

impl Argument<'_> {
    fn truth(&self) -> bool {
        matches!(self.value, Scalar::Bare("True" | "true"))
    }

    /// A number too long for 64 bits lies past the end of every page, as does the largest one that fits.
    fn integer(&self) -> Option<i64> {
        let digits = match &self.value {
            Scalar::Text(quoted) => quoted.text.as_str(),
            Scalar::Bare(bare) => bare,
        };
        let (negative, digits) = digits.strip_prefix('-').map_or((false, digits), |digits| (true, digits));
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number = digits.parse().unwrap_or(i64::MAX);
        Some(if negative { -number } else { number })
    }

    fn string(&self) -> Option<Quoted> {
        match &self.value {
            Scalar::Text(quoted) => Some(quoted.clone()),
            Scalar::Bare(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
