//! HTTP messages as crawlers stored them: a head that is understood if at all possible, and a body without its codings.

use std::borrow::Cow;
use std::io::Read;

use encoding_rs::mem::decode_latin1;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::Reject;

/// Pages with more text than this are data; it is also the most that a record's block may have.
pub const BODY_BYTES: usize = 64 << 20;
/// Pages do not grow a hundredfold. Deflate cannot grow more than 1032 times, so for it this is nothing but zeros.
pub const BOMB_RATIO: usize = 1000;
/// Below this any growth is harmless.
const BOMB_BYTES: usize = 1 << 20;
/// Servers behind proxies may compress twice; nobody means to do so three times.
pub const MAX_CODINGS: usize = 2;
/// Servers refuse to send or take heads a quarter of this.
const HEAD_BYTES: usize = 256 << 10;
/// Of what `httparse` is asked to hold; heads with more are read line by line.
const MAX_HEADERS: usize = 128;
/// No more memory for a window than this power of two says: what RFC 9659 allows on the web, with some room.
const ZSTD_WINDOW_LOG: u32 = 27;
/// A chunk's size is a few digits; its extensions are rare and short.
const MAX_CHUNK_LINE: usize = 256;
const STEP_BYTES: usize = 64 << 10;

pub type Headers = Vec<(String, String)>;

/// A message in two parts.
#[derive(Debug, PartialEq)]
pub struct Message<'a> {
    /// None for requests.
    pub status: Option<u16>,
    pub headers: Headers,
    pub body: &'a [u8],
    pub oddities: Vec<&'static str>,
}

/// The first header of that name.
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(written, _)| written.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

pub fn response(block: &[u8]) -> Result<Message<'_>, Reject> {
    let (head, body) = split(block)?;
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let mut config = httparse::ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    config.allow_spaces_after_header_name_in_responses(true);
    let strict = config.parse_response(&mut response, head);
    if let (Ok(httparse::Status::Complete(_)), Some(status)) = (strict, response.code) {
        let headers = owned(response.headers);
        return Ok(Message { status: Some(status), headers, body, oddities: Vec::new() });
    }
    let (first, headers) = lines(head);
    let status = status(first);
    if status.is_none() && headers.is_empty() && !head.is_empty() {
        return Err(Reject::BadHead);
    }
    Ok(Message { status, headers, body, oddities: vec!["http_head"] })
}

pub fn request(block: &[u8]) -> Result<Message<'_>, Reject> {
    let (head, body) = split(block)?;
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    if let Ok(httparse::Status::Complete(_)) = request.parse(head) {
        return Ok(Message { status: None, headers: owned(request.headers), body, oddities: Vec::new() });
    }
    let (_, headers) = lines(head);
    Ok(Message { status: None, headers, body, oddities: vec!["http_head"] })
}

/// The head, with the empty line at its end, and what follows. A message without an empty line is all head.
fn split(block: &[u8]) -> Result<(&[u8], &[u8]), Reject> {
    let sought = &block[..block.len().min(HEAD_BYTES)];
    let mut line = 0;
    for (at, _) in sought.iter().enumerate().filter(|&(_, &byte)| byte == b'\n') {
        if block[line..at].iter().all(|&byte| byte == b'\r') {
            return Ok(block.split_at(at + 1));
        }
        line = at + 1;
    }
    if block.len() <= HEAD_BYTES { Ok((block, &[])) } else { Err(Reject::BadHead) }
}

fn owned(headers: &[httparse::Header<'_>]) -> Headers {
    headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect()
}

/// Header values are UTF-8 or, as HTTP used to say, Latin-1.
fn text(bytes: &[u8]) -> String {
    str::from_utf8(bytes).map_or_else(|_| decode_latin1(bytes).into_owned(), str::to_owned)
}

/// The first line, and whatever else has a colon.
fn lines(head: &[u8]) -> (&[u8], Headers) {
    let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
    let first = lines.next().unwrap_or_default();
    let mut headers = Headers::new();
    for line in lines {
        if let (Some(b' ' | b'\t'), Some((_, value))) = (line.first(), headers.last_mut()) {
            value.push(' ');
            value.push_str(&text(line.trim_ascii()));
        } else if let Some(colon) = line.iter().position(|&byte| byte == b':') {
            let (name, value) = line.split_at(colon);
            headers.push((text(name.trim_ascii()), text(value[1..].trim_ascii())));
        }
    }
    (first, headers)
}

/// `HTTP/1.1 200`, `ICY 200 OK`, `HTTP/1.1  200OK` → 200.
fn status(first: &[u8]) -> Option<u16> {
    let first = str::from_utf8(first.get(..first.len().min(64))?).ok()?;
    let (protocol, rest) = first.split_once([' ', '\t'])?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    let known = protocol.starts_with("HTTP/") || protocol == "HTTP" || protocol == "ICY";
    digits.parse().ok().filter(|status| known && (100..1000).contains(status))
}

/// The body without its transfer and content codings.
pub fn decode<'a>(
    headers: &[(String, String)],
    body: &'a [u8],
    oddities: &mut Vec<&'static str>,
) -> Result<Cow<'a, [u8]>, Reject> {
    let listed = |name: &'static str| {
        headers
            .iter()
            .filter(move |(written, _)| written.eq_ignore_ascii_case(name))
            .flat_map(|(_, value)| value.split(','))
            .map(|coding| coding.trim().to_ascii_lowercase())
    };
    let mut body = if listed("transfer-encoding").any(|coding| coding == "chunked") {
        unchunk(body, oddities)
    } else {
        Cow::Borrowed(body)
    };
    let codings: Vec<_> = listed("content-encoding").filter(|coding| !is_identity(coding)).collect();
    if MAX_CODINGS < codings.len() {
        return Err(Reject::TooManyCodings);
    }
    let stored = body.len();
    for coding in codings.iter().rev() {
        // Answers without a body keep the headers of those with one.
        if body.is_empty() {
            break;
        }
        if let Some(decoded) = undo(coding, &body, stored, oddities)? {
            body = Cow::Owned(decoded);
        } else {
            oddities.push("http_undeclared_identity");
        }
    }
    Ok(body)
}

/// Not codings, but what servers put in their place and leave the body as it is.
fn is_identity(coding: &str) -> bool {
    let names =
        ["", "identity", "none", "binary", "8bit", "7bit", "text", "plain", "utf-8", "utf8", "iso-8859-1"];
    names.contains(&coding)
}

/// Undoes one coding; none if the body does not have it.
fn undo(
    coding: &str,
    body: &[u8],
    stored: usize,
    oddities: &mut Vec<&'static str>,
) -> Result<Option<Vec<u8>>, Reject> {
    let decoder: Box<dyn Read + '_> = match coding {
        "gzip" | "x-gzip" => {
            if !body.starts_with(&[0x1f, 0x8b]) {
                return Ok(None);
            }
            Box::new(MultiGzDecoder::new(body))
        }
        "deflate" if is_zlib(body) => Box::new(ZlibDecoder::new(body)),
        "deflate" => Box::new(DeflateDecoder::new(body)),
        "br" => {
            // RFC 7932 leaves these bits out; a later extension means windows of up to a gigabyte by them.
            if body.first().is_some_and(|byte| byte & 0x7f == 0x11) {
                return Err(Reject::BadCoding);
            }
            Box::new(brotli::Decompressor::new(body, STEP_BYTES))
        }
        "zstd" => {
            if !body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
                return Ok(None);
            }
            Box::new(zstd_decoder(body)?)
        }
        _ => return Err(Reject::UnknownCoding),
    };
    let (decoded, whole) = drain(decoder, stored)?;
    if decoded.is_empty() && !whole {
        // Neither Brotli nor bare deflate can be told by its first bytes; text can.
        return if looks_like_text(body) { Ok(None) } else { Err(Reject::BadCoding) };
    }
    if !whole {
        oddities.push("http_cut_coding");
    }
    Ok(Some(decoded))
}

fn zstd_decoder(body: &[u8]) -> Result<impl Read + '_, Reject> {
    let mut decoder = zstd::Decoder::with_buffer(body).map_err(|_error| Reject::BadCoding)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|_error| Reject::BadCoding)?;
    Ok(decoder)
}

/// RFC 1950's header: deflate with a window that exists, and a checksum.
fn is_zlib(body: &[u8]) -> bool {
    let Some(&[method, flags]) = body.first_chunk::<2>() else {
        return false;
    };
    method & 0x8f == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31)
}

/// All that a decoder makes, within the limits, and whether it came to its end.
fn drain(mut decoder: impl Read, stored: usize) -> Result<(Vec<u8>, bool), Reject> {
    let mut decoded = Vec::new();
    loop {
        let before = decoded.len();
        decoded.resize(before + STEP_BYTES, 0);
        // A decoder's error is about the body, never about the world: it reads from memory.
        let read = decoder.read(&mut decoded[before..]);
        let (bytes, end) = read.map_or((0, Some(false)), |bytes| (bytes, (bytes == 0).then_some(true)));
        decoded.truncate(before + bytes);
        if BODY_BYTES < decoded.len() {
            return Err(Reject::TooLarge);
        }
        if BOMB_BYTES < decoded.len() && BOMB_RATIO < decoded.len() / stored.max(1) {
            return Err(Reject::Bomb);
        }
        if let Some(whole) = end {
            return Ok((decoded, whole));
        }
    }
}

/// Whether the first bytes are those of text in an encoding that holds ASCII.
fn looks_like_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(512)];
    !start.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
        && start.iter().filter(|byte| byte.is_ascii()).count() * 2 >= start.len()
}

/// Undoes the chunked transfer coding. A body that does not have it, though its head says so, is left as it is: crawlers
/// undo codings and keep the head.
fn unchunk<'a>(body: &'a [u8], oddities: &mut Vec<&'static str>) -> Cow<'a, [u8]> {
    let mut rest = body;
    let mut joined = Vec::new();
    loop {
        let Some((size, data)) = chunk_size(rest) else {
            if joined.is_empty() && rest.len() == body.len() {
                if !body.is_empty() {
                    oddities.push("http_undeclared_unchunked");
                }
                return Cow::Borrowed(body);
            }
            // What follows a chunk of a wrong size is still the body's.
            oddities.push("http_cut_chunks");
            joined.extend_from_slice(rest);
            return Cow::Owned(joined);
        };
        if size == 0 {
            return Cow::Owned(joined);
        }
        let Some((chunk, after)) = data.split_at_checked(size) else {
            oddities.push("http_cut_chunks");
            joined.extend_from_slice(data);
            return Cow::Owned(joined);
        };
        joined.extend_from_slice(chunk);
        match after.strip_prefix(b"\r\n").or_else(|| after.strip_prefix(b"\n")) {
            Some(next) if !next.is_empty() => rest = next,
            // Cut between two chunks, or a chunk of a wrong size; what follows that is still the body's.
            Some(_) | None => {
                oddities.push("http_cut_chunks");
                joined.extend_from_slice(if after.trim_ascii().is_empty() { &[] } else { after });
                return Cow::Owned(joined);
            }
        }
    }
}

/// A chunk's size, whatever extensions it has, and what follows its line.
fn chunk_size(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.iter().take(MAX_CHUNK_LINE).position(|&byte| byte == b'\n')?;
    let (line, rest) = bytes.split_at(end);
    let size = line.split(|&byte| byte == b';').next()?.trim_ascii();
    if size.is_empty() || 15 < size.len() || !size.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let size = usize::from_str_radix(str::from_utf8(size).ok()?, 16).ok()?;
    Some((size, &rest[1..]))
}
