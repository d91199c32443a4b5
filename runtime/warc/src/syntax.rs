//! How records begin: where one is expected, and where one is looked for among other bytes.

use crate::arc;
use crate::head::version;

const MARK: &[u8] = b"WARC/";
/// In how many bytes a WARC head must show that it is one: a version line and the name of a field.
const WARC_PLAUSIBLE_BYTES: usize = 128;
/// In how many bytes the line that an ARC record begins with must end if it is to be found among other bytes.
const ARC_PLAUSIBLE_BYTES: usize = 4 << 10;
/// Where a record is expected, this many bytes are enough to see the mark behind a few empty lines.
const EXPECTED_BYTES: usize = 16;

/// How an archive writes its records down, which its first one tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Undecided,
    Warc,
    Arc,
}

/// What a search for the next record found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A record begins here.
    Record(usize),
    /// One may begin here, if the bytes that follow say so.
    Perhaps(usize),
    Nothing,
}

impl Syntax {
    pub(crate) const ALL: [Self; 3] = [Self::Undecided, Self::Warc, Self::Arc];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Undecided => "undecided",
            Self::Warc => "warc",
            Self::Arc => "arc",
        }
    }

    /// In how many bytes a record shows that it is one.
    pub(crate) fn plausible_bytes(self) -> usize {
        match self {
            Self::Warc => WARC_PLAUSIBLE_BYTES,
            Self::Undecided | Self::Arc => ARC_PLAUSIBLE_BYTES,
        }
    }

    /// Whether bytes at which a record is expected begin one; unknown while they are too few to tell.
    pub(crate) fn opens(self, bytes: &[u8]) -> Option<bool> {
        match self {
            Self::Warc => opens_warc(bytes),
            Self::Arc => opens_arc(bytes),
            Self::Undecided => either(opens_warc(bytes), opens_arc(bytes)),
        }
    }

    /// Whether a record begins at bytes that are not all there and cannot be had.
    pub(crate) fn seems_to_open(self, bytes: &[u8]) -> bool {
        let bytes = &bytes[blank(bytes)..];
        let warc = || bytes.starts_with(MARK);
        let arc = || bytes.contains(&b':') && plausible_arc(bytes) != Some(false);
        match self {
            Self::Warc => warc(),
            Self::Arc => arc(),
            Self::Undecided => warc() || arc(),
        }
    }

    /// Looks for a record at the beginning of a line; `fresh` says that the first byte is at one.
    pub(crate) fn find(self, bytes: &[u8], fresh: bool) -> Found {
        let mut at = 0;
        if !fresh {
            match line_end(bytes) {
                Some(end) => at = end + 1,
                None => return Found::Nothing,
            }
        }
        loop {
            match self.plausible(&bytes[at..]) {
                Some(true) => return Found::Record(at),
                None => return Found::Perhaps(at),
                Some(false) => {}
            }
            match line_end(&bytes[at..]) {
                Some(end) => at += end + 1,
                None => return Found::Nothing,
            }
        }
    }

    /// Whether bytes where no record is expected, and which are as many as are needed to tell, begin one.
    pub(crate) fn begins(self, bytes: &[u8]) -> bool {
        self.plausible(bytes) == Some(true)
    }

    /// Whether bytes where no record is expected begin one all the same; unknown while they are too few to tell.
    fn plausible(self, bytes: &[u8]) -> Option<bool> {
        match self {
            Self::Warc => plausible_warc(bytes),
            Self::Arc => plausible_arc(bytes),
            Self::Undecided => either(plausible_warc(bytes), plausible_arc(bytes)),
        }
    }
}

fn either(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        (None, _) | (_, None) => None,
    }
}

pub(crate) fn is_line_end(byte: u8) -> bool {
    byte == b'\r' || byte == b'\n'
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| byte == b'\n')
}

/// How many line ends stand in front, of as many as may.
fn blank(bytes: &[u8]) -> usize {
    bytes.iter().take(EXPECTED_BYTES).take_while(|&&byte| is_line_end(byte)).count()
}

fn opens_warc(bytes: &[u8]) -> Option<bool> {
    let rest = &bytes[blank(bytes)..];
    let known = rest.starts_with(MARK);
    let short = bytes.len() < EXPECTED_BYTES && MARK.starts_with(rest);
    (known || !short).then_some(known)
}

fn opens_arc(bytes: &[u8]) -> Option<bool> {
    let blank = blank(bytes);
    if blank == EXPECTED_BYTES {
        return Some(false);
    }
    plausible_arc(&bytes[blank..])
}

fn plausible_warc(bytes: &[u8]) -> Option<bool> {
    let known = bytes.len().min(MARK.len());
    if bytes[..known] != MARK[..known] {
        return Some(false);
    }
    let undecided = || (WARC_PLAUSIBLE_BYTES <= bytes.len()).then_some(false);
    let Some(end) = line_end(bytes) else {
        return undecided();
    };
    if version(bytes[..end].trim_ascii_end()).is_none() {
        return Some(false);
    }
    let name = &bytes[end + 1..];
    match name.iter().position(|&byte| byte != b'-' && !byte.is_ascii_alphanumeric()) {
        Some(end) => Some(0 < end && name[end] == b':'),
        None => undecided(),
    }
}

fn plausible_arc(bytes: &[u8]) -> Option<bool> {
    if !arc::may_be_line(bytes) {
        return Some(false);
    }
    let sought = &bytes[..bytes.len().min(ARC_PLAUSIBLE_BYTES)];
    match line_end(sought) {
        Some(end) => Some(arc::Line::parse(&sought[..end]).is_some()),
        None => (sought.len() == ARC_PLAUSIBLE_BYTES).then_some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_found_at_the_beginning_of_a_line() {
        let head = "WARC/1.0\r\nWARC-Type: response\r\n";
        let check = |text: &str, found| assert_eq!(Syntax::Warc.find(text.as_bytes(), true), found, "{text}");
        check(head, Found::Record(0));
        check(&format!("ab\n{head}"), Found::Record(3));
        check("ab WARC/1.0", Found::Nothing);
        check("ab\nWARC/1.0\r\nWARC-Ty", Found::Perhaps(3));
        check("ab\nWAR", Found::Perhaps(3));
        check("ab\n", Found::Perhaps(3));
        check("WARC/1.0 is a format\nof", Found::Nothing);
        check("WARC/1.0\r\n\r\nnothing", Found::Nothing);
        assert_eq!(Syntax::Warc.find(b"WARC/1.0", false), Found::Nothing);
    }

    #[test]
    fn an_arc_line_is_found_at_the_beginning_of_a_line() {
        let line = "http://a/ 1.2.3.4 20140301000000 text/html 9\n";
        let check = |text: &str, found| assert_eq!(Syntax::Arc.find(text.as_bytes(), true), found, "{text}");
        check(line, Found::Record(0));
        check(&format!("ab\n{line}"), Found::Record(3));
        check(&format!("ab {line}!"), Found::Nothing);
        check("ab\nhttp://a/ 1.2.3.4 2014", Found::Perhaps(3));
        check("ab\nhtt", Found::Perhaps(3));
        check("http://a/ is a place\nfor", Found::Perhaps(21));
        check("http://a/ is a place\n!", Found::Nothing);
        check(&format!("http://{}", "a".repeat(ARC_PLAUSIBLE_BYTES)), Found::Nothing);
        assert_eq!(Syntax::Warc.find(line.trim_end().as_bytes(), true), Found::Nothing);
        assert_eq!(Syntax::Undecided.find(line.as_bytes(), true), Found::Record(0));
    }

    #[test]
    fn few_bytes_may_be_enough_to_tell() {
        let check =
            |syntax: Syntax, text: &str, opens| assert_eq!(syntax.opens(text.as_bytes()), opens, "{text}");
        check(Syntax::Warc, "WARC/", Some(true));
        check(Syntax::Warc, "\r\n\r\nWARC/1", Some(true));
        check(Syntax::Warc, "\r\n\r\nWAR", None);
        check(Syntax::Warc, "", None);
        check(Syntax::Warc, "<html>", Some(false));
        check(Syntax::Warc, &"\n".repeat(EXPECTED_BYTES), Some(false));
        check(Syntax::Arc, "\nftp://a/ 1.2.3.4 20140301000000 - 9\n", Some(true));
        check(Syntax::Arc, "\nftp://a/ 1.2.3.4 20140301000000", None);
        check(Syntax::Arc, "<html>", Some(false));
        check(Syntax::Undecided, "WARC", None);
        check(Syntax::Undecided, "WARC/1.0 ", Some(true));
    }
}
