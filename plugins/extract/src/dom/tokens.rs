//! The tokens of an HTML source, in one pass: text, tags, and text that is not parsed.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of sixty tags those that are not named are all alike here"
)]

use memchr::memchr;

use super::tags::Tag;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// With its character references.
    Text(&'a str),
    Start {
        tag: Tag,
        name: &'a str,
        attributes: &'a str,
        /// What stands up to the end tag, where that is not parsed.
        raw: &'a str,
    },
    End {
        tag: Tag,
        name: &'a str,
    },
}

pub(super) struct Tokens<'a> {
    html: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(html: &'a str) -> Self {
        Self { html, at: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.html.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.html.get(from..to).unwrap_or_default()
    }

    fn skip_past(&mut self, byte: u8) {
        self.at += memchr(byte, self.rest()).map_or(self.rest().len(), |at| at + 1);
    }

    fn comment(&mut self) {
        // `<!-->` and `<!--->` are whole comments.
        let body = self.rest();
        if body.starts_with(b">") || body.starts_with(b"->") {
            return self.skip_past(b'>');
        }
        while self.at < self.html.len() {
            self.skip_past(b'>');
            let passed = self.html.as_bytes().get(..self.at).unwrap_or_default();
            if passed.ends_with(b"-->") || passed.ends_with(b"--!>") {
                return;
            }
        }
    }

    fn name(&mut self) -> (Tag, &'a str) {
        let rest = self.rest();
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>');
        let len = rest.iter().position(ends).unwrap_or(rest.len());
        let name = self.slice(self.at, self.at + len);
        self.at += len;
        (Tag::named(name.as_bytes()), name)
    }

    /// The attributes of a tag; goes on behind its `>`.
    fn attributes(&mut self) -> &'a str {
        let start = self.at;
        loop {
            let rest = self.rest();
            let Some(step) = rest.iter().position(|byte| matches!(byte, b'>' | b'=')) else {
                self.at = self.html.len();
                return self.slice(start, self.at);
            };
            self.at += step + 1;
            if rest.get(step) == Some(&b'>') {
                return self.slice(start, self.at - 1);
            }
            let blanks = self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.at += blanks;
            if let Some(&quote @ (b'"' | b'\'')) = self.rest().first() {
                self.at += 1;
                self.skip_past(quote);
            }
        }
    }

    /// What stands up to the end tag, which is passed over.
    fn raw(&mut self, tag: Tag) -> &'a str {
        let start = self.at;
        while let Some(step) = memchr(b'<', self.rest()) {
            self.at += step;
            let end = self.at;
            self.at += 1;
            if self.rest().first() != Some(&b'/') {
                continue;
            }
            self.at += 1;
            if self.name().0 == tag {
                self.attributes();
                return self.slice(start, end);
            }
        }
        self.at = self.html.len();
        self.slice(start, self.at)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let start = self.at;
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                let text = self.slice(start, self.at);
                return (!text.is_empty()).then_some(Token::Text(text));
            }
            let Some(step) = memchr(b'<', rest) else {
                self.at = self.html.len();
                continue;
            };
            let markup = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'!' | b'?' | b'/');
            if !rest.get(step + 1).is_some_and(markup) {
                self.at += step + 1;
                continue;
            }
            self.at += step;
            if start < self.at {
                return Some(Token::Text(self.slice(start, self.at)));
            }
            break;
        }
        self.at += 1;
        match self.rest() {
            [b'!', b'-', b'-', ..] => {
                self.at += 3;
                self.comment();
            }
            [b'!' | b'?', ..] => self.skip_past(b'>'),
            [b'/', letter, ..] if letter.is_ascii_alphabetic() => {
                self.at += 1;
                let (tag, name) = self.name();
                self.attributes();
                return Some(Token::End { tag, name });
            }
            [b'/', ..] => self.skip_past(b'>'),
            _ => {
                let (tag, name) = self.name();
                let attributes = self.attributes();
                let raw = match tag {
                    Tag::Script | Tag::Raw | Tag::Title | Tag::Textarea => self.raw(tag),
                    _ => "",
                };
                return Some(Token::Start { tag, name, attributes, raw });
            }
        }
        // Nothing that is seen.
        Some(Token::Text(""))
    }
}

/// The names and values in the attributes of a tag.
pub(super) struct Attributes<'a>(pub(super) &'a str);

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        let blank = |c: char| c.is_ascii_whitespace();
        let rest = self.0.trim_start_matches(|c| blank(c) || c == '/');
        if rest.is_empty() {
            return None;
        }
        // A name may begin with `=`, and only with it.
        let skip = usize::from(rest.starts_with('='));
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'/');
        let len = rest.bytes().skip(skip).position(|byte| ends(&byte)).map_or(rest.len(), |len| len + skip);
        let (name, rest) = rest.split_at_checked(len).unwrap_or((rest, ""));
        let Some(value) = rest.trim_start_matches(blank).strip_prefix('=') else {
            self.0 = rest;
            return Some((name, ""));
        };
        let value = value.trim_start_matches(blank);
        let quote = value.bytes().next().filter(|byte| matches!(byte, b'"' | b'\''));
        let (value, rest) = match quote {
            Some(quote) => {
                let inside = value.get(1..).unwrap_or_default();
                let end = memchr(quote, inside.as_bytes()).unwrap_or(inside.len());
                (inside.get(..end).unwrap_or_default(), inside.get(end + 1..).unwrap_or_default())
            }
            None => {
                let end = value.find(blank).unwrap_or(value.len());
                value.split_at_checked(end).unwrap_or((value, ""))
            }
        };
        self.0 = rest;
        Some((name, value))
    }
}
