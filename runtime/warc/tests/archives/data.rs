//! Real archives, beside what others make of them. The folder is named by `PALIMPSEST_DATA`.
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use palimpsest_warc::{Limits, Reader, arc};
use sha1::{Digest, Sha1};

/// The folder of archives, or None with a note that what needs it is skipped.
fn data(test: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder =
        std::env::var_os("PALIMPSEST_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let folder = folder.join("warc");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("{test}: skipped, there is no {}; PALIMPSEST_DATA names the folder", folder.display());
    None
}

#[test]
fn arc_records_are_those_of_another_reader() {
    let Some(folder) = data("arc_records_are_those_of_another_reader") else { return };
    let mut rows = String::new();
    let listed = File::open(folder.join("warcio_only_arc.jsonl.gz")).unwrap();
    MultiGzDecoder::new(listed).take(1 << 20).read_to_string(&mut rows).unwrap();
    let mut checked = 0;
    for row in rows.lines() {
        let value = |name: &str| field(row, name).unwrap_or_default();
        let archive = File::open(folder.join(value("file"))).unwrap();
        let number: usize = value("i").parse().unwrap();
        let entry = Reader::new(archive, Limits::default()).nth(number).unwrap().unwrap();
        let head = entry.head.as_ref().unwrap();
        let expected = if value("type") == "arc_header" { "warcinfo" } else { &*value("type") };
        assert_eq!(head.get("warc-type").unwrap(), expected, "{row}");
        assert_eq!(entry.offset.to_string(), value("off"), "{row}");
        let http = value("http") != "null";
        assert_eq!(entry.block.starts_with(b"HTTP/"), http, "{row}");
        let payload = if http { behind_head(&entry.block) } else { arc::bare_payload(head, &entry.block) };
        assert_eq!(payload.len().to_string(), value("payload_len"), "{row}");
        let digest: String = Sha1::digest(payload).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, value("payload_sha1"), "{row}");
        checked += 1;
    }
    assert!(0 < checked);
}

/// A value of a flat row of JSON, without its quotes.
fn field(row: &str, name: &str) -> Option<String> {
    let (_, rest) = row.split_once(&format!("\"{name}\": "))?;
    let value = match rest.strip_prefix('"') {
        Some(text) => text.split('"').next(),
        None => rest.split([',', '}']).next(),
    };
    value.map(str::to_owned)
}

/// What follows the empty line at the end of an HTTP head.
fn behind_head(block: &[u8]) -> &[u8] {
    let mut line = 0;
    for (at, _) in block.iter().enumerate().filter(|&(_, &byte)| byte == b'\n') {
        if block[line..at].iter().all(|&byte| byte == b'\r') {
            return &block[at + 1..];
        }
        line = at + 1;
    }
    &[]
}
