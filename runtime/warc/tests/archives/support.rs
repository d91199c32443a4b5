//! Archives made for a test, read in pieces of several sizes, and said in short.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use palimpsest_warc::{Damage, Entry, Limits, Reader};

/// A source that gives `size` bytes at a time.
pub(crate) struct Cut<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) size: usize,
}

impl Read for Cut<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let size = self.size.min(out.len());
        self.bytes.read(&mut out[..size])
    }
}

pub(crate) fn read_cut(bytes: &[u8], size: usize, limits: Limits) -> Vec<Entry> {
    // No archive has more entries than bytes: one that seems to is being read in a circle.
    let most = bytes.len() + 1;
    let entries: Vec<_> = Reader::new(Cut { bytes, size }, limits)
        .take(most + 1)
        .collect::<io::Result<_>>()
        .expect("memory can be read");
    assert!(entries.len() <= most, "the reader goes round in a circle");
    entries
}

#[track_caller]
pub(crate) fn read_with(bytes: &[u8], limits: Limits) -> Vec<Entry> {
    let whole = read_cut(bytes, usize::MAX, limits);
    for size in [1, 3, 7, 4099] {
        assert!(read_cut(bytes, size, limits) == whole, "the cutting shows at {size} bytes a read");
    }
    assert_covers(&whole, bytes.len() as u64);
    whole
}

#[track_caller]
pub(crate) fn read(bytes: &[u8]) -> Vec<Entry> {
    read_with(bytes, Limits::default())
}

/// Entries follow each other without gaps, and those that overlap share a member, or what seemed to be one.
#[track_caller]
pub(crate) fn assert_covers(entries: &[Entry], length: u64) {
    let unread = |entry: &Entry| matches!(entry.damage, Some(Damage::Unsupported(_)));
    let mut end = 0;
    let mut last = 0;
    let mut broken = false;
    for entry in entries.iter().filter(|entry| !unread(entry)) {
        let shares = 0 < entry.within || entry.offset == last || broken;
        assert!(entry.offset == end || (shares && entry.offset <= end), "{entry:?} after {end}");
        assert!(0 < entry.length, "{entry:?}");
        last = entry.offset;
        broken = entry.damage.is_some();
        end = end.max(entry.offset + entry.length);
    }
    if !entries.iter().any(unread) {
        assert_eq!(end, length, "the archive is covered to its end");
    }
}

/// What was read, in short: `3` for record 3, `3 truncated` for what is left of it, `garbage` for what is none.
pub(crate) fn summary(entries: &[Entry]) -> Vec<String> {
    entries
        .iter()
        .map(|entry| {
            let id = entry.head.as_ref().and_then(|head| head.record_id()).unwrap_or_default();
            let damage = entry.damage.map_or("", |damage| damage.reason());
            format!("{id} {damage}").trim().to_owned()
        })
        .collect()
}

/// The number that the record was made with.
#[track_caller]
pub(crate) fn number(entry: &Entry) -> usize {
    let id = entry.head.as_ref().and_then(|head| head.get("warc-record-id")).expect("it has one");
    id.parse().expect("records are numbered")
}

#[track_caller]
pub(crate) fn check(bytes: &[u8], expected: &[&str]) {
    assert_eq!(summary(&read(bytes)), expected);
}

/// Text that compresses like text, and not the same for any two numbers.
pub(crate) fn body(number: usize) -> String {
    let mut state = number as u64 + 1;
    (0..400)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ["the ", "crawl ", "<p>", "of\n", "pages ", "x7 ", "ends ", "\r\n"][(state >> 60) as usize % 8]
        })
        .collect()
}

pub(crate) fn record_as(number: usize, block: &[u8], length: &str) -> Vec<u8> {
    let mut record = format!(
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: {number}\r\nWARC-Date: 2024-01-01T00:00:00Z\r\n\
         {length}\r\n"
    )
    .into_bytes();
    record.extend_from_slice(block);
    record.extend_from_slice(b"\r\n\r\n");
    record
}

pub(crate) fn record(number: usize) -> Vec<u8> {
    let body = body(number);
    record_as(number, body.as_bytes(), &format!("Content-Length: {}\r\n", body.len()))
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

/// A frame with a checksum, as `zstd` makes them.
pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd_with(&[], bytes)
}

pub(crate) fn zstd_with(dictionary: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut compressor = ::zstd::bulk::Compressor::with_dictionary(3, dictionary).expect("level 3 is known");
    compressor.include_checksum(true).expect("frames may have one");
    compressor.compress(bytes).expect("memory can be written")
}

pub(crate) fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
    encoder.write_all(bytes).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

/// A way of storing a record, or several.
pub(crate) type Store = fn(&[u8]) -> Vec<u8>;

/// Every way of storing a record by itself.
pub(crate) const STORES: [Store; 4] = [plain, gzip, zstd, bzip2];

pub(crate) const PACKED: [Store; 3] = [gzip, zstd, bzip2];

pub(crate) fn plain(record: &[u8]) -> Vec<u8> {
    record.to_vec()
}

/// Forty records, one of them different.
pub(crate) fn forty(store: fn(&[u8]) -> Vec<u8>, twentieth: &[u8]) -> Vec<u8> {
    (0..40)
        .flat_map(|number| if number == 20 { twentieth.to_vec() } else { store(&record(number)) })
        .collect()
}

pub(crate) fn forty_with(twentieth: &[&str]) -> Vec<String> {
    let number = |number: usize| number.to_string();
    (0..20)
        .map(number)
        .chain(twentieth.iter().map(|&entry| entry.to_owned()))
        .chain((21..40).map(number))
        .collect()
}

#[track_caller]
pub(crate) fn check_forty(archive: &[u8], twentieth: &[&str]) {
    assert_eq!(summary(&read(archive)), forty_with(twentieth));
}
