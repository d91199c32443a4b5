//! Which encoding a body is written in, if it is text at all, and the text.
//!
//! What is declared is believed in the order of the standards (byte order mark, HTTP, `meta`, XML declaration) unless the
//! bytes say that it is wrong; where nothing is declared, valid UTF-8 is UTF-8, and the rest is guessed.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_MAC_CYRILLIC, X_USER_DEFINED};

/// The standard asks for 1,024 bytes, and browsers start again when a declaration comes later.
const PRESCAN_BYTES: usize = 16 << 10;
/// A guess does not get better by more than this.
const GUESS_BYTES: usize = 256 << 10;
/// In which the first bytes show that a body is no text; the length that browsers look at, and some more.
const SNIFF_BYTES: usize = 4 << 10;
/// Text with more than one such byte in so many is not text, whatever it is declared to be.
const CONTROLS: usize = 64;
/// Text with more than one replaced character in so many was not written in the encoding.
const REPLACED: usize = 50;
/// Fewer than this say nothing about the language.
const LEAST_LETTERS: usize = 32;
/// Fewer than this may have their zeros by chance.
const LEAST_PAIRS: usize = 8;
/// Three characters that are valid UTF-8 by chance, in text of one byte a character, are too many.
const CHANCE: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    pub text: String,
    /// The encoding's name in the Encoding Standard.
    pub charset: &'static str,
}

/// The text of a body; none where it is none.
pub fn decode(
    body: &[u8],
    content_type: Option<&str>,
    top_level_domain: Option<&str>,
    oddities: &mut Vec<&'static str>,
) -> Option<Decoded> {
    let kind = Kind::of(content_type);
    if kind == Kind::Binary || has_signature(body) {
        return None;
    }
    if let Some((encoding, mark)) = Encoding::for_bom(body) {
        let (text, _) = encoding.decode_without_bom_handling(&body[mark..]);
        return Some(Decoded { text: text.into_owned(), charset: encoding.name() });
    }
    let http = content_type.and_then(parameter).and_then(|label| labelled(label.as_bytes()));
    let start = &body[..body.len().min(PRESCAN_BYTES)];
    let declared = [http, prescan(start), xml_declaration(start), wide_ascii(start)];
    let wide = |encoding: &'static Encoding| encoding == UTF_16LE || encoding == UTF_16BE;
    if !declared.iter().flatten().any(|encoding| wide(encoding)) && is_binary(body, kind) {
        return None;
    }
    let first = declared.into_iter().flatten().next();
    let encoding = match first {
        Some(encoding) if !is_contradicted(encoding, body) => encoding,
        Some(encoding) => {
            oddities.push("charset_contradicted");
            let other = declared.into_iter().flatten().find(|other| !is_contradicted(other, body));
            match other {
                Some(other) => other,
                // What is only a little wrong is better read as declared than as guessed.
                None if !is_utf8(body) && is_mostly(encoding, body) => encoding,
                None => guess(body, top_level_domain),
            }
        }
        None => guess(body, top_level_domain),
    };
    let (text, replaced) = encoding.decode_without_bom_handling(body);
    if replaced {
        oddities.push("charset_malformed");
    }
    Some(Decoded { text: text.into_owned(), charset: encoding.name() })
}

/// What a content type says of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
    /// Nothing, or nothing that is known.
    Unsaid,
}

impl Kind {
    fn of(content_type: Option<&str>) -> Self {
        let essence = content_type.and_then(|value| value.split([';', ',']).next()).unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        let Some((kind, subtype)) = essence.split_once('/') else {
            return Self::Unsaid;
        };
        let textual =
            ["xml", "json", "javascript", "ecmascript", "xhtml", "yaml", "rtf", "tex", "warc-fields"];
        match kind {
            "text" => Self::Text,
            _ if textual.iter().any(|word| subtype.contains(word)) => Self::Text,
            "image" | "audio" | "video" | "font" => Self::Binary,
            "application" if subtype == "unknown" || subtype == "x-unknown" => Self::Unsaid,
            "application" => Self::Binary,
            _ => Self::Unsaid,
        }
    }
}

/// The first bytes of what is often served as something else.
fn has_signature(body: &[u8]) -> bool {
    let signatures: [&[u8]; 11] = [
        // UTF-32's marks, the first of which looks like UTF-16's.
        b"\xff\xfe\0\0",
        b"\0\0\xfe\xff",
        b"%PDF-",
        b"\x89PNG",
        b"GIF8",
        b"\xff\xd8\xff",
        b"PK\x03\x04",
        b"\x1f\x8b\x08",
        b"\x28\xb5\x2f\xfd",
        b"\xd0\xcf\x11\xe0",
        b"wOF",
    ];
    signatures.iter().any(|signature| body.starts_with(signature))
}

/// By the bytes that no text has, in encodings that hold ASCII.
fn is_binary(body: &[u8], kind: Kind) -> bool {
    let start = &body[..body.len().min(SNIFF_BYTES)];
    let control = |byte: &&u8| matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    let controls = start.iter().filter(control).count();
    match kind {
        Kind::Text => start.len() < controls * CONTROLS,
        Kind::Unsaid | Kind::Binary => controls != 0,
    }
}

/// `text/html; charset="utf-8"` → `utf-8`.
fn parameter(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.split(',').next().unwrap_or(value);
        let bare = value.trim().trim_matches(['"', '\'']).trim();
        name.trim().eq_ignore_ascii_case("charset").then_some(bare)
    })
}

/// Whether the bytes are not what is declared: malformed, or UTF-8 declared as Latin-1, as servers do by default.
fn is_contradicted(encoding: &'static Encoding, body: &[u8]) -> bool {
    if encoding == WINDOWS_1252 {
        return is_utf8(body) && CHANCE <= body.iter().filter(|&&byte| 0xc0 <= byte).count();
    }
    if encoding == UTF_8 {
        return !is_utf8(body);
    }
    encoding.decode_without_bom_handling_and_without_replacement(whole_characters(body)).is_none()
}

/// Bodies are cut anywhere; a last character that is not whole is no sign of another encoding.
fn whole_characters(body: &[u8]) -> &[u8] {
    let tail = body.iter().rev().take(3).take_while(|byte| !byte.is_ascii()).count();
    &body[..body.len() - tail]
}

fn is_utf8(body: &[u8]) -> bool {
    str::from_utf8(body).map_or_else(|error| error.error_len().is_none(), |_| true)
}

fn is_mostly(encoding: &'static Encoding, body: &[u8]) -> bool {
    let (text, _) = encoding.decode_without_bom_handling(body);
    let (mut characters, mut replaced) = (0_usize, 0_usize);
    for character in text.chars().filter(|character| !character.is_ascii()) {
        characters += 1;
        replaced += usize::from(character == '\u{fffd}');
    }
    replaced * REPLACED < characters
}

fn guess(body: &[u8], top_level_domain: Option<&str>) -> &'static Encoding {
    // ISO-2022-JP is ASCII with escapes, hence UTF-8 too.
    if is_utf8(body) && !body.contains(&0x1b) {
        return UTF_8;
    }
    if is_mac_cyrillic(&body[..body.len().min(GUESS_BYTES)]) {
        return X_MAC_CYRILLIC;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(&body[..body.len().min(GUESS_BYTES)], true);
    detector.guess(top_level_domain.map(str::as_bytes), Utf8Detection::Allow)
}

/// The one encoding of the standard that the detector does not know. Its small letters are windows-1251's, all but я; the
/// capitals are elsewhere. Letters of Western encodings in the same places do not stand side by side.
fn is_mac_cyrillic(body: &[u8]) -> bool {
    let (mut small, mut pairs, mut ya, mut capitals, mut other) = (0_usize, 0, 0, 0, 0);
    let mut before = 0;
    for &byte in body {
        match byte {
            0xe0..=0xfe => {
                small += 1;
                pairs += usize::from(0xdf <= before);
            }
            0xdf => ya += 1,
            0x80..=0x9f => capitals += 1,
            0xc0..=0xde | 0xff => other += 1,
            _ => {}
        }
        before = byte;
    }
    LEAST_LETTERS <= small
        && small < 2 * pairs
        && small < 500 * ya
        && (1..small / 4).contains(&capitals)
        && 4 * other < ya + capitals
}

/// `<?xml version="1.0" encoding="…"?>`, in an encoding that holds ASCII, or in UTF-16.
fn xml_declaration(start: &[u8]) -> Option<&'static Encoding> {
    if start.starts_with(b"<\0?\0x\0") {
        return Some(UTF_16LE);
    }
    if start.starts_with(b"\0<\0?\0x") {
        return Some(UTF_16BE);
    }
    let declaration = start.trim_ascii_start().strip_prefix(b"<?xml")?;
    let declaration = &declaration[..declaration.iter().position(|&byte| byte == b'>')?];
    let at = declaration.windows(8).position(|window| window == b"encoding")?;
    let value = declaration[at + 8..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (&quote, value) = value.split_first().filter(|(quote, _)| matches!(quote, b'"' | b'\''))?;
    let label = &value[..value.iter().position(|&byte| byte == quote)?];
    labelled(label).map(declared_in_ascii)
}

/// The standard's labels, and those under which other software knows encodings of the standard.
fn labelled(label: &[u8]) -> Option<&'static Encoding> {
    let mac_cyrillic = [b"maccyrillic".as_slice(), b"mac-cyrillic", b"x-mac-ukraine"];
    let known = mac_cyrillic.iter().any(|known| label.trim_ascii().eq_ignore_ascii_case(known));
    if known { Some(X_MAC_CYRILLIC) } else { Encoding::for_label(label) }
}

/// UTF-16 without a mark: ASCII with a zero beside each byte, always on the same side.
fn wide_ascii(start: &[u8]) -> Option<&'static Encoding> {
    let ascii = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let (mut little, mut big, mut zero) = (0, 0, 0);
    let (pairs, _) = start.as_chunks::<2>();
    for &[first, second] in pairs {
        little += usize::from(second == 0 && ascii(first));
        big += usize::from(first == 0 && ascii(second));
        zero += usize::from(first == 0 && second == 0);
    }
    // UTF-32 has zeros in pairs, and no browser reads it.
    if pairs.len() < LEAST_PAIRS || pairs.len() < 64 * zero {
        None
    } else if pairs.len() < 4 * little && 64 * big <= pairs.len() {
        Some(UTF_16LE)
    } else if pairs.len() < 4 * big && 64 * little <= pairs.len() {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// What was read as ASCII cannot be UTF-16; pages that say so mean UTF-8.
fn declared_in_ascii(encoding: &'static Encoding) -> &'static Encoding {
    if encoding == UTF_16BE || encoding == UTF_16LE {
        UTF_8
    } else if encoding == X_USER_DEFINED {
        WINDOWS_1252
    } else {
        encoding
    }
}

/// The HTML Standard's search for a `meta` that names an encoding.
fn prescan(start: &[u8]) -> Option<&'static Encoding> {
    let mut rest = start;
    while let Some(at) = rest.iter().position(|&byte| byte == b'<') {
        rest = &rest[at..];
        if rest.starts_with(b"<!--") {
            // The dashes of the beginning may also be those of the end.
            let end = rest[2..].windows(3).position(|window| window == b"-->")?;
            rest = &rest[2 + end + 3..];
            continue;
        }
        let name = &rest[1..];
        let is_meta = name.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"meta"))
            && name.get(4).is_some_and(|&byte| byte == b'/' || byte.is_ascii_whitespace());
        if is_meta {
            let mut attributes = Attributes { rest: &name[5..] };
            if let Some(encoding) = meta(&mut attributes) {
                return Some(encoding);
            }
            rest = attributes.rest;
        } else if name.first().is_some_and(u8::is_ascii_alphabetic)
            || (name.starts_with(b"/") && name.get(1).is_some_and(u8::is_ascii_alphabetic))
        {
            let end = name.iter().position(|&byte| byte == b'>' || byte.is_ascii_whitespace())?;
            let mut attributes = Attributes { rest: &name[end..] };
            while attributes.next().is_some() {}
            rest = attributes.rest;
        } else if matches!(name.first(), Some(b'!' | b'/' | b'?')) {
            rest = &name[name.iter().position(|&byte| byte == b'>')?..];
        } else {
            rest = name;
        }
    }
    None
}

/// What the attributes of a `meta` say.
fn meta(attributes: &mut Attributes<'_>) -> Option<&'static Encoding> {
    let mut pragma = false;
    let mut needs_pragma = None;
    let mut label: Option<Vec<u8>> = None;
    let mut seen: Vec<Vec<u8>> = Vec::new();
    for (name, value) in attributes {
        if seen.contains(&name) {
            continue;
        }
        match &name[..] {
            b"http-equiv" => pragma = value == b"content-type",
            b"content" if label.is_none() => {
                label = content_label(&value).map(<[u8]>::to_vec);
                needs_pragma = label.is_some().then_some(true);
            }
            b"charset" => {
                label = Some(value);
                needs_pragma = Some(false);
            }
            _ => {}
        }
        seen.push(name);
    }
    if needs_pragma? && !pragma {
        return None;
    }
    labelled(&label?).map(declared_in_ascii)
}

/// The label in `text/html; charset=…`, as pages write it.
fn content_label(content: &[u8]) -> Option<&[u8]> {
    let mut rest = content;
    loop {
        let at = rest.windows(7).position(|window| window.eq_ignore_ascii_case(b"charset"))?;
        rest = rest[at + 7..].trim_ascii_start();
        if let Some(value) = rest.strip_prefix(b"=") {
            let value = value.trim_ascii_start();
            return match value.first()? {
                &quote @ (b'"' | b'\'') => {
                    let value = &value[1..];
                    Some(&value[..value.iter().position(|&byte| byte == quote)?])
                }
                _ => value.split(|&byte| byte == b';' || byte.is_ascii_whitespace()).next(),
            };
        }
    }
}

/// A tag's attributes, lower-cased, by the standard's "get an attribute".
struct Attributes<'a> {
    rest: &'a [u8],
}

impl Iterator for Attributes<'_> {
    type Item = (Vec<u8>, Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        self.skip(|byte| byte.is_ascii_whitespace() || byte == b'/');
        if self.rest.first().is_none_or(|&byte| byte == b'>') {
            return None;
        }
        // A name may begin with an equals sign, and only begin.
        let first = usize::from(self.rest.starts_with(b"="));
        let ends = |byte: &u8| matches!(byte, b'=' | b'/' | b'>') || byte.is_ascii_whitespace();
        let name = first + self.rest[first..].iter().position(ends)?;
        let name = self.take(name);
        self.skip(|byte| byte.is_ascii_whitespace());
        if !self.rest.starts_with(b"=") {
            return Some((name, Vec::new()));
        }
        self.rest = &self.rest[1..];
        self.skip(|byte| byte.is_ascii_whitespace());
        match self.rest.first()? {
            &quote @ (b'"' | b'\'') => {
                self.rest = &self.rest[1..];
                let end = self.rest.iter().position(|&byte| byte == quote)?;
                let value = self.take(end);
                self.rest = &self.rest[1..];
                Some((name, value))
            }
            b'>' => Some((name, Vec::new())),
            _ => {
                let end = self.rest.iter().position(|&byte| byte == b'>' || byte.is_ascii_whitespace())?;
                Some((name, self.take(end)))
            }
        }
    }
}

impl Attributes<'_> {
    fn skip(&mut self, skipped: impl Fn(u8) -> bool) {
        let end = self.rest.iter().position(|&byte| !skipped(byte)).unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
    }

    fn take(&mut self, bytes: usize) -> Vec<u8> {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken.to_ascii_lowercase()
    }
}
