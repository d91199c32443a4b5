//! Rows as a web archive: each text is a `conversion` record that refers to its capture, as in the WET files of Common
//! Crawl. Everything else that stands in the row goes along as JSON.
//!
//! Each record has a gzip member for itself. The bytes depend on the table and the rows alone: ids are made from the
//! rows' ids, and dates are those of the captures.

use std::io::{self, Write};

use data_encoding::BASE32;
use flate2::{Compression, GzBuilder};
use serde::Serialize as _;
use serde_json::ser::Formatter;
use sha1::{Digest, Sha1};
use warc::{RecordBuilder, RecordType, WarcHeader, WarcWriter};

use super::SOFTWARE;
use super::format::Counted;
use super::row::{Cell, Object, Row, Table, TableColumn};

/// On pages of our sample level 9 takes a quarter longer and leaves 0.5 % less; level 1 takes half as long and leaves a
/// third more.
const LEVEL: u32 = 6;
/// Readers of archives take lines of 8 KiB for granted, and not much more. A longer URL is told in the metadata alone.
const MAX_LINE_BYTES: usize = 8 << 10;
const VERSION: &str = "1.1";
const CONFORMS_TO: &str = "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/";
/// Where there is no other date.
const EPOCH: &str = "1970-01-01T00:00:00Z";
const JSON_METADATA: &str = "WARC-JSON-Metadata";
const CONTENT_LANGUAGE: &str = "WARC-Identified-Content-Language";
/// Every field that is written, in its order and as it is usually spelled.
const FIELDS: [&str; 10] = [
    "WARC-Type",
    "WARC-Target-URI",
    "WARC-Date",
    "WARC-Record-ID",
    "WARC-Refers-To",
    "WARC-Block-Digest",
    CONTENT_LANGUAGE,
    JSON_METADATA,
    "Content-Type",
    "Content-Length",
];
/// Every language with an ISO 639-1 code, and its ISO 639-3 code.
const LANGUAGES: &str = "\
    aa:aar ab:abk ae:ave af:afr ak:aka am:amh an:arg ar:ara as:asm av:ava ay:aym az:aze ba:bak be:bel \
    bg:bul bi:bis bm:bam bn:ben bo:bod br:bre bs:bos ca:cat ce:che ch:cha co:cos cr:cre cs:ces cu:chu \
    cv:chv cy:cym da:dan de:deu dv:div dz:dzo ee:ewe el:ell en:eng eo:epo es:spa et:est eu:eus fa:fas \
    ff:ful fi:fin fj:fij fo:fao fr:fra fy:fry ga:gle gd:gla gl:glg gn:grn gu:guj gv:glv ha:hau he:heb \
    hi:hin ho:hmo hr:hrv ht:hat hu:hun hy:hye hz:her ia:ina id:ind ie:ile ig:ibo ii:iii ik:ipk io:ido \
    is:isl it:ita iu:iku ja:jpn jv:jav ka:kat kg:kon ki:kik kj:kua kk:kaz kl:kal km:khm kn:kan ko:kor \
    kr:kau ks:kas ku:kur kv:kom kw:cor ky:kir la:lat lb:ltz lg:lug li:lim ln:lin lo:lao lt:lit lu:lub \
    lv:lav mg:mlg mh:mah mi:mri mk:mkd ml:mal mn:mon mr:mar ms:msa mt:mlt my:mya na:nau nb:nob nd:nde \
    ne:nep ng:ndo nl:nld nn:nno no:nor nr:nbl nv:nav ny:nya oc:oci oj:oji om:orm or:ori os:oss pa:pan \
    pi:pli pl:pol ps:pus pt:por qu:que rm:roh rn:run ro:ron ru:rus rw:kin sa:san sc:srd sd:snd se:sme \
    sg:sag sh:hbs si:sin sk:slk sl:slv sm:smo sn:sna so:som sq:sqi sr:srp ss:ssw st:sot su:sun sv:swe \
    sw:swa ta:tam te:tel tg:tgk th:tha ti:tir tk:tuk tl:tgl tn:tsn to:ton tr:tur ts:tso tt:tat tw:twi \
    ty:tah ug:uig uk:ukr ur:urd uz:uzb ve:ven vi:vie vo:vol wa:wln wo:wol xh:xho yi:yid yo:yor za:zha \
    zh:zho zu:zul";

/// Writes rows to `W`, a record at a time.
#[derive(Debug)]
pub(super) struct Records<W> {
    to: Counted<W>,
    /// All but the text.
    columns: Vec<TableColumn>,
    begun: bool,
}

impl<W: Write> Records<W> {
    pub(super) fn new(to: W, table: &Table) -> Self {
        let columns = table.columns().iter().filter(|column| column.name != "text").cloned().collect();
        Self { to: Counted::new(to), columns, begun: false }
    }

    pub(super) fn push(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.begin(&row.document.id, &date(row))?;
        for record in records(&self.columns, row)? {
            self.write(record)?;
        }
        Ok(())
    }

    /// How many compressed bytes were handed on.
    pub(super) fn bytes(&self) -> u64 {
        self.to.bytes
    }

    pub(super) fn finish(mut self) -> io::Result<(W, u64)> {
        self.begin("", EPOCH)?;
        self.to.flush()?;
        Ok((self.to.to, self.to.bytes))
    }

    /// The first record says what wrote the archive. Its id and its date are made from the first row's: from anything
    /// else, the same rows would be other bytes, or two archives would have a record of the same id.
    fn begin(&mut self, first: &str, date: &str) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        let fields = format!(
            "software: {SOFTWARE}\r\nformat: WARC File Format {VERSION}\r\nconformsTo: {CONFORMS_TO}\r\n"
        );
        let id = record_id("warcinfo", first);
        let record = start(RecordType::WarcInfo, &id, date, "application/warc-fields");
        self.write(
            record.header(WarcHeader::BlockDigest, digest(fields.as_bytes())).body(fields.into_bytes()),
        )
    }

    fn write(&mut self, record: RecordBuilder) -> io::Result<()> {
        let (head, body) = record.build().map_err(io::Error::other)?.into_raw_parts();
        let mut whole = Vec::with_capacity(body.len() + 1024);
        // Into memory, where a write is never partial: the crate does not look.
        WarcWriter::new(&mut whole).write_raw(head, &body)?;
        let (head, rest) = ordered(&whole);
        let gzip = GzBuilder::new().mtime(0);
        let mut member = gzip.write(&mut self.to, Compression::new(LEVEL));
        member.write_all(&head)?;
        member.write_all(rest)?;
        member.finish()?;
        Ok(())
    }
}

/// The text of a row as a record, and where the rest of the row is longer than a line, a second one for that.
fn records(columns: &[TableColumn], row: &Row<'_>) -> io::Result<Vec<RecordBuilder>> {
    let (document, date) = (row.document, date(row));
    let id = record_id("conversion", &document.id);
    let url = target_uri(&document.url);
    let about = |record: RecordBuilder| match &url {
        Some(url) => record.header(WarcHeader::TargetURI, url.as_str()),
        None => record,
    };
    let object = Object { columns, row: *row };
    let metadata = ascii_json(&object)?;

    let mut text = about(start(RecordType::Conversion, &id, &date, "text/plain; charset=utf-8"))
        .header(WarcHeader::BlockDigest, digest(document.text.as_bytes()))
        .body(document.text.clone().into_bytes());
    if let Some(capture) = row.origin.record_id.as_deref().filter(|id| is_record_id(id)) {
        text = text.header(WarcHeader::RefersTo, capture);
    }
    if let Cell::Text(language) = row.named("language")
        && let Some(code) = language_code(language)
    {
        text = text.header(WarcHeader::from(CONTENT_LANGUAGE), code);
    }
    if JSON_METADATA.len() + 2 + metadata.len() <= MAX_LINE_BYTES {
        return Ok(vec![text.header(WarcHeader::from(JSON_METADATA), metadata)]);
    }

    let metadata = serde_json::to_vec(&object)?;
    let rest_id = record_id("metadata", &document.id);
    let rest = about(start(RecordType::Metadata, &rest_id, &date, "application/json"))
        .header(WarcHeader::RefersTo, id)
        .header(WarcHeader::BlockDigest, digest(&metadata))
        .body(metadata);
    Ok(vec![text, rest])
}

fn start(record_type: RecordType, id: &str, date: &str, content_type: &str) -> RecordBuilder {
    RecordBuilder::default()
        .version(VERSION.to_owned())
        .warc_type(record_type)
        .warc_id(id)
        .header(WarcHeader::Date, date)
        .header(WarcHeader::ContentType, content_type)
}

/// The head with its fields in order, and what follows it. The crate has them in a hash map, and so in another order each
/// time, and in small letters, in which some tools do not find them.
fn ordered(record: &[u8]) -> (Vec<u8>, &[u8]) {
    let end = record.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(record.len());
    let (head, rest) = record.split_at(end);
    let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
    let mut ordered = lines.next().unwrap_or_default().to_vec();
    let mut fields: Vec<(usize, &[u8])> = lines.map(|line| (place(line), line)).collect();
    fields.sort_unstable();
    for (place, line) in fields {
        ordered.extend(b"\r\n");
        let name = FIELDS.get(place).map_or(&b""[..], |name| name.as_bytes());
        ordered.extend(name);
        ordered.extend(line.get(name.len()..).unwrap_or_default());
    }
    (ordered, rest)
}

/// Of a line in the order of the fields.
fn place(line: &[u8]) -> usize {
    let is_of = |name: &&str| {
        line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
            && line.get(name.len()) == Some(&b':')
    };
    FIELDS.iter().position(is_of).unwrap_or(FIELDS.len())
}

/// When the page was captured, to the second. An archive cannot be without; where the capture has no date that can be
/// read, the metadata has what stood in its place.
fn date(row: &Row<'_>) -> String {
    let seconds = i64::try_from(row.document.captured_seconds()).unwrap_or(0);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| EPOCH.to_owned(), |date| date.to_string())
}

/// A UUID of the eighth version: made from the row's id, so that the same rows have the same records.
fn record_id(record_type: &str, id: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(record_type.as_bytes()).update(&[0]).update(id.as_bytes());
    let digest = hasher.finalize();
    let mut bytes = [0; 16];
    for (byte, from) in bytes.iter_mut().zip(digest.as_bytes()) {
        *byte = *from;
    }
    let mut uuid = u128::from_be_bytes(bytes);
    uuid = uuid & !(0xF << 76) | 0x8 << 76;
    uuid = uuid & !(0x3 << 62) | 0x2 << 62;
    let digits = format!("{uuid:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("<urn:uuid:{}-{}-{}-{}-{}>", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

/// Whether it can stand in a head as it is: a URI between angle brackets and nothing else.
fn is_record_id(id: &str) -> bool {
    let uri = id.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    let fits = |uri: &str| {
        uri.contains(':') && uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'<' && byte != b'>')
    };
    uri.is_some_and(fits) && id.len() <= MAX_LINE_BYTES
}

/// The URL with everything escaped that no URI has: blanks and line ends could end the field, and what follows them would
/// be read as fields of their own.
fn target_uri(url: &str) -> Option<String> {
    let mut uri = String::with_capacity(url.len());
    for byte in url.bytes() {
        if byte.is_ascii_graphic() {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    (!uri.is_empty() && uri.len() <= MAX_LINE_BYTES).then_some(uri)
}

/// The ISO 639-3 code, which archives have, of a language in ISO 639-1, in ISO 639-3, or with a script after it.
fn language_code(language: &str) -> Option<&str> {
    let code = language.split(['_', '-']).next().unwrap_or(language);
    if !code.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    match code.len() {
        2 => {
            let mut pairs = LANGUAGES.split(' ').filter_map(|pair| pair.split_once(':'));
            pairs.find(|(two, _)| *two == code).map(|(_, three)| three)
        }
        3 => Some(code),
        _ => None,
    }
}

fn digest(block: &[u8]) -> String {
    format!("sha1:{}", BASE32.encode(&Sha1::digest(block)))
}

/// JSON with every letter beyond ASCII escaped: heads are read as UTF-8 by some and as Latin-1 by others.
fn ascii_json(object: &Object<'_>) -> io::Result<Vec<u8>> {
    let mut json = Vec::new();
    object.serialize(&mut serde_json::Serializer::with_formatter(&mut json, Ascii))?;
    Ok(json)
}

struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        let mut units = [0; 2];
        for letter in fragment.chars() {
            if letter.is_ascii() && letter != '\x7f' {
                to.write_all(&[letter as u8])?;
                continue;
            }
            for unit in letter.encode_utf16(&mut units) {
                write!(to, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
