//! ARC, which archives were written in before WARC: a line of fields and a block, record after record.
//!
//! A line has five fields, or ten in the second version. URLs and content types may contain blanks that they should not,
//! so fields are told by the two that cannot be mistaken: an address and the date behind it.

use crate::damage::Oddity;
use crate::head::Head;

/// What a line and everything that is made of it is called in [`Head::version`].
const VERSION_1: &str = "ARC/1";
const VERSION_2: &str = "ARC/2";
/// The scheme of the block that every archive begins with.
const VERSION_BLOCK: &str = "filedesc:";
/// The longest registered URI scheme has 36 letters; those that are crawled have five or less.
const SCHEME_BYTES: usize = 36;
const DATE_DIGITS: usize = 14;

/// The line that a record begins with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    url: String,
    address: &'a str,
    date: &'a str,
    content_type: String,
    /// Result code, checksum, location, offset and file name, of the second version.
    more: Option<[&'a str; 5]>,
    length: &'a str,
    odd: bool,
}

/// Whether bytes may be the beginning of a line: a scheme, or less.
pub(crate) fn may_be_line(bytes: &[u8]) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let scheme = bytes.iter().take(SCHEME_BYTES).take_while(|&&byte| inside(byte)).count();
    let begins = bytes.first().is_none_or(u8::is_ascii_alphabetic);
    begins && scheme < SCHEME_BYTES && bytes.get(scheme).is_none_or(|&byte| byte == b':' && scheme != 0)
}

impl<'a> Line<'a> {
    /// Understands a line without its end.
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        if !may_be_line(line) {
            return None;
        }
        let text = str::from_utf8(line).ok()?.trim_ascii_end();
        let fields: Vec<&str> = text.split(' ').collect();
        // From behind: a URL with blanks may look like anything.
        let address = (1..fields.len().checked_sub(3)?)
            .rev()
            .find(|&at| is_address(fields[at]) && is_date(fields[at + 1]))?;
        let (url, rest) = fields.split_at(address);
        let [address, date, rest @ .., length] = rest else {
            return None;
        };
        let more = match rest {
            [_, result, checksum, location, offset, file] if is_number(result) && is_number(offset) => {
                Some([*result, *checksum, *location, *offset, *file])
            }
            _ => None,
        };
        let content_type = if more.is_some() { &rest[..1] } else { rest };
        let odd = 1 < url.len() || content_type.len() != 1 || date.len() != DATE_DIGITS;
        Some(Self {
            url: url.join(" "),
            address,
            date,
            content_type: content_type.join(" "),
            more,
            length,
            odd,
        })
    }

    /// The fields as a WARC head would have them.
    pub(crate) fn head(&self, oddities: &mut Vec<Oddity>) -> Head {
        if self.odd {
            oddities.push(Oddity::ArcLine);
        }
        let record_type = if self.url.starts_with(VERSION_BLOCK) { "warcinfo" } else { "response" };
        let date = rfc3339(self.date);
        let mut head = Head::empty(if self.more.is_some() { VERSION_2 } else { VERSION_1 });
        for (name, value) in [
            ("WARC-Type", record_type),
            ("WARC-Target-URI", &*self.url),
            ("WARC-Date", date.as_deref().unwrap_or(self.date)),
            ("WARC-IP-Address", self.address),
            ("Content-Type", &*self.content_type),
            ("Content-Length", self.length),
        ] {
            head.push(name.as_bytes(), value.as_bytes());
        }
        let names = ["ARC-Result-Code", "ARC-Checksum", "ARC-Location", "ARC-Offset", "ARC-Filename"];
        for (name, value) in names.into_iter().zip(self.more.into_iter().flatten()) {
            if value != "-" {
                head.push(name.as_bytes(), value.as_bytes());
            }
        }
        head
    }
}

/// IPv4 or IPv6, or that it is not known.
fn is_address(field: &str) -> bool {
    let part = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    field == "-" || (field.contains(['.', ':']) && field.bytes().all(part))
}

/// Digits, of which some writers wrote a few too many or too few.
fn is_date(field: &str) -> bool {
    (8..=20).contains(&field.len()) && field.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_number(field: &str) -> bool {
    field == "-" || (!field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `20140216050221` → `2014-02-16T05:02:21Z`; none if it is no date.
fn rfc3339(digits: &str) -> Option<String> {
    let part = |from: usize, to: usize| digits.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let [hour, minute, second] = [8, 10, 12].map(|from| part(from, from + 2).unwrap_or("00"));
    let within =
        |field: &str, least, most| field.parse().is_ok_and(|value: u8| (least..=most).contains(&value));
    let valid = within(month, 1, 12)
        && within(day, 1, 31)
        && within(hour, 0, 23)
        && within(minute, 0, 59)
        && within(second, 0, 60);
    valid.then(|| format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

/// What the block of an ARC record carries where it is not an HTTP message.
///
/// The block of an archive's first record begins with two lines that belong to the format: the version, and the names of
/// the fields. And a capture that is nothing but line ends is an HTTP message without a head, without a body.
pub fn bare_payload<'a>(head: &Head, block: &'a [u8]) -> &'a [u8] {
    if head.bytes("warc-type") == Some(b"warcinfo") {
        let mut rest = block;
        for _ in 0..2 {
            let end = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| end + 1);
            rest = &rest[end..];
        }
        rest
    } else if block.iter().all(|&byte| byte == b'\r' || byte == b'\n') {
        &[]
    } else {
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, fields: &[&str], oddities: &[Oddity]) {
        let mut noted = Vec::new();
        let head = Line::parse(line.as_bytes()).unwrap().head(&mut noted);
        let found: Vec<_> = head.fields().map(|(_, value)| str::from_utf8(value).unwrap()).collect();
        assert_eq!(found, fields);
        assert_eq!(noted, oddities);
    }

    #[test]
    fn both_versions_read_like_warc() {
        check(
            "http://a/ 1.2.3.4 20140216050221 text/html 1591",
            &["response", "http://a/", "2014-02-16T05:02:21Z", "1.2.3.4", "text/html", "1591"],
            &[],
        );
        check(
            "filedesc://a.arc 0.0.0.0 19960923142103 text/plain 200 - - 0 a.arc 122\r",
            &[
                "warcinfo",
                "filedesc://a.arc",
                "1996-09-23T14:21:03Z",
                "0.0.0.0",
                "text/plain",
                "122",
                "200",
                "0",
                "a.arc",
            ],
            &[],
        );
        let head = |line: &str| Line::parse(line.as_bytes()).unwrap().head(&mut Vec::new());
        assert_eq!(head("dns:a 2001:db8::1 20140216050221 text/dns 9").version(), "ARC/1");
        assert_eq!(head("http://a/ - 20140216050221 - 404 - - 7 a.arc 9").version(), "ARC/2");
    }

    #[test]
    fn what_is_odd_is_read_and_noted() {
        check(
            "http://a/a b 1.2.3.4 20140216050221 text/html; charset=x 3",
            &["response", "http://a/a b", "2014-02-16T05:02:21Z", "1.2.3.4", "text/html; charset=x", "3"],
            &[Oddity::ArcLine],
        );
        check(
            "http://a/ 1.2.3.4 201404010000000000 text/html -1",
            &["response", "http://a/", "2014-04-01T00:00:00Z", "1.2.3.4", "text/html", "-1"],
            &[Oddity::ArcLine],
        );
        check(
            "http://a/ 1.2.3.4 20149901000000 text/html 1",
            &["response", "http://a/", "20149901000000", "1.2.3.4", "text/html", "1"],
            &[],
        );
    }

    #[test]
    fn other_lines_are_none() {
        for line in [
            "",
            "http://a/",
            "http://a/ is a site that was crawled in 2014",
            "http://a/ 1.2.3.4 20140216050221 9",
            "http://a/ somewhere 20140216050221 text/html 9",
            "a 1.2.3.4 20140216050221 text/html 9",
            ": 1.2.3.4 20140216050221 text/html 9",
            "WARC/1.0",
        ] {
            assert_eq!(Line::parse(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn the_lines_of_the_format_are_no_payload() {
        let head = |line: &str| Line::parse(line.as_bytes()).unwrap().head(&mut Vec::new());
        let version = head("filedesc://a 0.0.0.0 20140216050221 text/plain 9");
        assert_eq!(bare_payload(&version, b"1 1 x\nURL\n<xml>\n"), b"<xml>\n");
        assert_eq!(bare_payload(&version, b"1 1 x\nURL"), b"");
        assert_eq!(bare_payload(&version, b""), b"");
        let page = head("http://a/ 1.2.3.4 20140216050221 text/html 9");
        assert_eq!(bare_payload(&page, b"\r\n"), b"");
        assert_eq!(bare_payload(&page, b"a\nb\nc\n"), b"a\nb\nc\n");
    }
}
