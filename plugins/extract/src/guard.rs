//! What a page would cost as a tree, judged before there is a tree.
//!
//! Building and scoring a tree takes time that grows with the square of its depth, a tag's attributes are compared
//! with each other, and formatting that is never closed is opened anew in every paragraph. So one pass over the
//! source follows the parser's rules closely enough to know depth and size, and refuses what no author wrote. It knows
//! nothing of content, and where it errs, a page is let through to the limits of the host.

mod tags;
mod tokens;

use tags::{Kind, Name};
use tokens::{Token, Tokens};

/// Browsers put no element deeper than 512; real pages stay under 100.
const MAX_DEPTH: usize = 256;

/// The depths of all elements, added up: what scoring a tree costs. A million is a large page at twice the usual depth.
const MAX_DEPTHS: usize = 4_000_000;

/// The largest specification on one page has some 150 000 elements; a quarter of a million takes a second to judge.
const MAX_ELEMENTS: usize = 250_000;

/// Real tags have up to 100.
const MAX_ATTRIBUTES: usize = 1_000;

/// Bytes that escaping looks at, most of them again and again. A text of 200 kB with 5 000 entities takes a fifth.
const MAX_ESCAPING: u64 = 5_000_000_000;

/// Unclosed formatting that can be waiting to be opened anew. Old hand-written pages reach a dozen.
const MAX_WAITING: usize = 128;

/// Elements looked at in search of the one that an end tag closes, for all tags together: a tenth of a second.
const MAX_STEPS: usize = 50_000_000;

/// Why a page is not parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reject {
    TooDeep,
    TooComplex,
}

impl Reject {
    /// The word that the page is counted under.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::TooDeep => "too_deep",
            Self::TooComplex => "too_complex",
        }
    }
}

/// Whether the page may be parsed.
pub(crate) fn check(html: &str) -> Result<(), Reject> {
    let mut open = Open::default();
    let mut tokens = Tokens::new(html.as_bytes());
    for token in tokens.by_ref() {
        match token {
            Token::Start { name, attributes, hash } => {
                if MAX_ATTRIBUTES < attributes {
                    return Err(Reject::TooComplex);
                }
                open.start(name, hash);
            }
            Token::End { name } => open.end(name),
        }
        if MAX_DEPTH < open.stack.len() {
            return Err(Reject::TooDeep);
        }
        if open.is_too_complex() {
            return Err(Reject::TooComplex);
        }
    }
    if MAX_ESCAPING < tokens.escaping { Err(Reject::TooComplex) } else { Ok(()) }
}

#[derive(Clone, Copy)]
struct Element {
    name: Name,
    kind: Kind,
    hash: u64,
}

impl Element {
    fn is(self, name: &[u8]) -> bool {
        self.name.is(name)
    }
}

/// The elements that the parser would have open.
#[derive(Default)]
struct Open {
    stack: Vec<Element>,
    /// Formatting that was cut off by the end of an element around it: every paragraph after opens it again.
    waiting: Vec<Element>,
    elements: usize,
    depths: usize,
    steps: usize,
}

impl Open {
    fn is_too_complex(&self) -> bool {
        MAX_ELEMENTS < self.elements
            || MAX_DEPTHS < self.depths
            || MAX_STEPS < self.steps
            || MAX_WAITING < self.waiting.len()
    }

    fn start(&mut self, name: Name, hash: u64) {
        let kind = name.kind();
        self.elements += 1;
        if kind == Kind::Void {
            return;
        }
        self.imply_ends(name);
        if kind == Kind::Special {
            self.elements += self.waiting.len();
        }
        self.stack.push(Element { name, kind, hash });
        self.depths += self.stack.len();
    }

    /// Closes what this start tag closes without saying so.
    fn imply_ends(&mut self, name: Name) {
        match name.bytes() {
            b"li" => self.pop_to(|open| open.is(b"li"), Self::ends_item),
            b"dd" | b"dt" => self.pop_to(|open| open.is(b"dd") || open.is(b"dt"), Self::ends_item),
            b"td" | b"th" => self.pop_to(|open| open.is(b"td") || open.is(b"th"), Self::is_table),
            b"tr" => self.pop_to(|open| open.is(b"tr"), Self::is_table),
            b"tbody" | b"thead" | b"tfoot" => self.pop_to(|open| open.name.is_table_part(), Self::is_table),
            b"option" | b"optgroup" => self.pop_to(|open| open.is(b"option"), |open| !open.is(b"option")),
            b"a" => self.take(name),
            _ => {}
        }
        if name.ends_paragraph() {
            self.pop_to(|open| open.is(b"p"), |open| open.name.is_scope() || open.is(b"button"));
        }
    }

    /// An item's end tag may be left out, but only as far up as the next element that is not mere grouping.
    fn ends_item(open: Element) -> bool {
        open.kind == Kind::Special && !(open.is(b"address") || open.is(b"div") || open.is(b"p"))
    }

    fn is_table(open: Element) -> bool {
        open.name.is_table()
    }

    fn end(&mut self, name: Name) {
        match name.kind() {
            Kind::Void => {}
            Kind::Formatting => self.take(name),
            Kind::Ordinary => self.pop_to(|open| open.name == name, |open| open.kind == Kind::Special),
            Kind::Special if name.is_in_table() => self.pop_to(|open| open.name == name, Self::is_table),
            Kind::Special => self.pop_to(|open| open.name == name, |open| open.name.is_scope()),
        }
    }

    /// Closes the innermost element that is wanted, and all in it, unless a barrier stands between.
    fn pop_to(&mut self, wanted: impl Fn(Element) -> bool, barrier: impl Fn(Element) -> bool) {
        for (at, open) in self.stack.iter().enumerate().rev() {
            self.steps += 1;
            if wanted(*open) {
                return self.truncate(at);
            }
            if barrier(*open) {
                return;
            }
        }
    }

    fn truncate(&mut self, at: usize) {
        for element in self.stack.drain(at..) {
            if element.kind != Kind::Formatting {
                if element.name.clears_formatting() {
                    self.waiting.clear();
                }
                continue;
            }
            // The parser keeps three of a kind.
            let alike = |other: &&Element| other.name == element.name && other.hash == element.hash;
            self.steps += self.waiting.len();
            if self.waiting.iter().filter(alike).count() < 3 {
                self.waiting.push(element);
            }
        }
    }

    /// Takes one formatting element out from among those in it.
    fn take(&mut self, name: Name) {
        self.steps += self.stack.len() + self.waiting.len();
        if let Some(at) = self.stack.iter().rposition(|open| open.name == name) {
            self.stack.remove(at);
        } else if let Some(at) = self.waiting.iter().rposition(|open| open.name == name) {
            self.waiting.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(html: &str, verdict: Result<(), Reject>) {
        assert_eq!(super::check(html), verdict);
    }

    const DEEP: Result<(), Reject> = Err(Reject::TooDeep);
    const COMPLEX: Result<(), Reject> = Err(Reject::TooComplex);

    #[test]
    fn nesting_is_counted() {
        check(&"<div>".repeat(256), Ok(()));
        check(&"<div>".repeat(257), DEEP);
        check(&"<div></div>".repeat(5_000), Ok(()));
        check(&"<DIV></div>".repeat(5_000), Ok(()));
        check(&"<x-y>".repeat(600), DEEP);
        check(&"<b>".repeat(600), DEEP);
        check(&"<ul><li>".repeat(300), DEEP);
        check(&"<table><tr><td>".repeat(200), DEEP);
        check(&"<li><dd>".repeat(300), DEEP);
        check(&"<span><div></span>".repeat(600), DEEP);
        check(&"<div><table><tr><td></div>".repeat(200), DEEP);
    }

    #[test]
    fn end_tags_may_be_left_out() {
        for tag in ["p", "li", "dd", "dt", "td", "tr", "option", "br", "img", "a href=x", "h2></h2"] {
            check(&format!("<{tag}>text").repeat(2_000), Ok(()));
        }
        check(&format!("<table>{}</table>", "<tr><td><td>x".repeat(2_000)), Ok(()));
        check(&"<p><span>text".repeat(2_000), Ok(()));
        check(&"<p><font color=red>text".repeat(2_000), Ok(()));
        check(&"<font size=2><p>text</font>".repeat(2_000), Ok(()));
        check(&"<b><div>text</b></div>".repeat(2_000), Ok(()));
    }

    #[test]
    fn tags_in_comments_scripts_and_attributes_are_text() {
        check(&format!("<!-- {} -->", "<div>".repeat(2_000)), Ok(()));
        check(&format!("<script>{}</script>", "<div>".repeat(2_000)), Ok(()));
        check(&format!("<a title='{}'>", "<div>".repeat(2_000)), Ok(()));
        check(&format!("<textarea>{}", "<div>".repeat(2_000)), Ok(()));
        check(&format!("<!-->{}", "<div>".repeat(2_000)), DEEP);
        check(&format!("<script></scripts></script >{}", "<div>".repeat(2_000)), DEEP);
        check(&format!("<p title=\"a>b\" x='>'>{}", "<div>".repeat(2_000)), DEEP);
    }

    #[test]
    fn floods_are_refused() {
        let attributes: String = (0..2_000).map(|n| format!(" a{n}=1")).collect();
        check(&format!("<p{attributes}>"), COMPLEX);
        check(&"<p>".repeat(300_000), COMPLEX);
        check(&"&".repeat(100_000), COMPLEX);
        check(&"a\u{a0}".repeat(100_000), COMPLEX);
        check(&format!("<a href='{}'>", "?&".repeat(100_000)), COMPLEX);
        check(&"<p>a&nbsp;</p>".repeat(10_000), Ok(()));
        check(&format!("<a data-x='{}'>", "{&quot;a&quot;:1}".repeat(50_000)), Ok(()));
        check(&format!("<pre>{}</pre>", "&lt;a&gt;&amp;".repeat(50_000)), Ok(()));
        check(&format!("{}{}", "<div>".repeat(200), "</div>".repeat(200)).repeat(200), COMPLEX);
        let fonts: String = (0..100).map(|n| format!("<font size={n}>")).collect();
        check(&format!("<p>{fonts}{}", "<p>x".repeat(3_000)), COMPLEX);
    }

    #[test]
    fn cut_off_sources_end() {
        for html in [
            "",
            "<",
            "</",
            "<!",
            "<!--",
            "<a",
            "<a b",
            "<a b=",
            "<a b='",
            "<a b=c",
            "<script",
            "<script>x</",
            "<?",
        ] {
            check(html, Ok(()));
        }
    }
}
