//! The tags of an HTML source, in one pass.

use super::tags::Name;

#[derive(Debug)]
pub(super) enum Token {
    /// The hash is that of the attributes as they are written.
    Start {
        name: Name,
        attributes: usize,
        hash: u64,
    },
    End {
        name: Name,
    },
}

/// Reads tags and passes over text, comments, and elements that hold nothing but text.
pub(super) struct Tokens<'a> {
    html: &'a [u8],
    at: usize,
    /// What the serialiser will take to escape the texts and values passed so far: for every byte that may need it, it
    /// looks at all that is left of the same text.
    pub(super) escaping: u64,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(html: &'a [u8]) -> Self {
        Self { html, at: 0, escaping: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.html.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.html.get(self.at).copied()
    }

    fn skip_while(&mut self, mut wanted: impl FnMut(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|&byte| !wanted(byte)).unwrap_or(rest.len());
        self.at += len;
        rest.get(..len).unwrap_or_default()
    }

    /// To just behind the next such byte, or to the end.
    fn skip_past(&mut self, byte: u8) {
        self.skip_while(|other| other != byte);
        self.at += 1;
    }

    fn comment(&mut self) {
        // `<!-->` and `<!--->` are whole comments.
        let body = self.rest();
        if body.starts_with(b">") || body.starts_with(b"->") {
            return self.skip_past(b'>');
        }
        loop {
            self.skip_past(b'>');
            let behind = self.html.get(..self.at.saturating_sub(1)).unwrap_or_default();
            if behind.ends_with(b"--") || behind.ends_with(b"--!") || self.html.len() <= self.at {
                return;
            }
        }
    }

    /// The attributes and the `>` of a tag: how many attributes, and a hash of them.
    fn attributes(&mut self) -> (usize, u64) {
        let start = self.at;
        let mut count = 0;
        loop {
            self.skip_while(|byte| byte.is_ascii_whitespace() || byte == b'/');
            match self.peek() {
                None => break,
                Some(b'>') => {
                    self.at += 1;
                    break;
                }
                Some(_) => {}
            }
            count += 1;
            // A name may begin with `=`, and only with it.
            self.at += 1;
            self.skip_while(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'/' | b'>' | b'='));
            self.skip_while(|byte| byte.is_ascii_whitespace());
            if self.peek() == Some(b'=') {
                self.at += 1;
                self.value();
            }
        }
        let written = self.html.get(start..self.at).unwrap_or_default();
        self.escaping += escaping(written, true);
        (count, fnv(written))
    }

    fn value(&mut self) {
        self.skip_while(|byte| byte.is_ascii_whitespace());
        match self.peek() {
            Some(quote @ (b'"' | b'\'')) => {
                self.at += 1;
                self.skip_past(quote);
            }
            Some(_) => {
                self.skip_while(|byte| !byte.is_ascii_whitespace() && byte != b'>');
            }
            None => {}
        }
    }

    /// Goes on at the end tag of an element that holds text.
    fn skip_text(&mut self, name: Name) {
        while self.at < self.html.len() {
            self.skip_while(|byte| byte != b'<');
            let Some(tag) = self.rest().strip_prefix(b"</") else {
                self.at += 1;
                continue;
            };
            let len = tag.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(tag.len());
            if Name::new(tag.get(..len).unwrap_or_default()) == name {
                return;
            }
            self.at += 2;
        }
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            let text = self.skip_while(|byte| byte != b'<');
            self.escaping += escaping(text, false);
            self.at += 1;
            match self.peek()? {
                b'!' if self.rest().starts_with(b"!--") => {
                    self.at += 3;
                    self.comment();
                }
                b'!' | b'?' => self.skip_past(b'>'),
                b'/' => {
                    self.at += 1;
                    if !self.peek()?.is_ascii_alphabetic() {
                        self.skip_past(b'>');
                        continue;
                    }
                    let name = Name::new(self.skip_while(is_name));
                    self.attributes();
                    return Some(Token::End { name });
                }
                byte if byte.is_ascii_alphabetic() => {
                    let name = Name::new(self.skip_while(is_name));
                    let (attributes, hash) = self.attributes();
                    if name.holds_text() {
                        self.skip_text(name);
                    }
                    return Some(Token::Start { name, attributes, hash });
                }
                _ => {}
            }
        }
    }
}

fn is_name(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !matches!(byte, b'/' | b'>')
}

/// The serialiser stops at `&` and at the first byte of a no-break space, which other characters have too, and each
/// time looks ahead for the next delimiter: an angle bracket, or in a value a quote.
fn escaping(text: &[u8], is_value: bool) -> u64 {
    let (mut work, mut stops, mut len) = (0_u64, 0_u64, 0_u64);
    for (at, &byte) in text.iter().enumerate() {
        len += 1;
        stops += u64::from(byte == b'&' || byte == 0xc2);
        let delimits = match byte {
            b'<' | b'>' => true,
            b'"' => is_value,
            b'&' => text.get(at..).is_some_and(|rest| {
                rest.starts_with(b"&lt;")
                    || rest.starts_with(b"&gt;")
                    || is_value && rest.starts_with(b"&quot;")
            }),
            _ => false,
        };
        if delimits {
            work = work.saturating_add(stops.saturating_mul(len));
            (stops, len) = (0, 0);
        }
    }
    work.saturating_add(stops.saturating_mul(len))
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
