use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::OnceLock;

use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use warc::{RecordType, WarcHeader, WarcReader};

use super::*;
use crate::BOMB_BYTES;
use crate::pages::{Coding, Expect};

/// The archive stays small enough to be checked in and looked at.
const LARGEST: usize = 1 << 20;

fn made() -> &'static [u8] {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    MADE.get_or_init(quickstart)
}

#[test]
fn the_archive_in_the_tree_is_what_the_program_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/quickstart.warc.gz");
    let found = fs::read(&path).unwrap_or_default();
    let same = found.iter().zip(made()).take_while(|(one, other)| one == other).count();
    assert!(
        found == made(),
        "pipelines/quickstart.warc.gz differs from byte {same} on. Make it anew with\n    \
         cargo run --release -p palimpsest-tests --bin make-quickstart pipelines/quickstart.warc.gz"
    );
    assert!(found.len() < LARGEST, "{} bytes", found.len());
}

/// What stands before the damage, read by somebody else.
fn intact() -> Vec<u8> {
    let mut bytes = Vec::new();
    // The reader fails at the flipped member and has handed over all that came before it.
    let failed = io::copy(&mut MultiGzDecoder::new(made()).take(64 << 20), &mut bytes);
    assert!(failed.is_err(), "the archive should be damaged");
    bytes
}

#[test]
fn another_reader_finds_the_records_before_the_damage() {
    let mut counts = BTreeMap::new();
    let mut pages = BTreeMap::new();
    for record in WarcReader::new(&*intact()).iter_records() {
        // The reader stops where the flipped member begins in the middle of a record.
        let Ok(record) = record else { break };
        let url = record.header(WarcHeader::TargetURI).map(|url| url.into_owned()).unwrap_or_default();
        *counts.entry(record.warc_type().to_string()).or_insert(0) += 1;
        if *record.warc_type() == RecordType::Response && url.starts_with("http") {
            pages.insert(url, record.body().to_vec());
        }
    }
    let expected: Vec<_> = pages::all().take_while(|page| page.damage != Damage::Flipped).collect();
    assert_eq!(counts["warcinfo"], 1);
    assert_eq!(counts["revisit"], 1);
    assert_eq!(counts["conversion"], 1);
    assert_eq!(counts["request"], counts["metadata"]);
    assert_eq!(counts["response"], expected.len() + 1, "the pages and the name server's answer");
    for page in expected {
        body_is_right(page, &pages[page.url]);
    }
}

fn body_is_right(page: &Page, response: &[u8]) {
    let head = response.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let (head, mut body) = (String::from_utf8_lossy(&response[..head]), response[head..].to_vec());
    assert!(head.starts_with(&format!("HTTP/1.1 {}", page.status)), "{head}");
    assert!(head.contains(&format!("Content-Type: {}\r\n", page.content_type)), "{head}");
    if matches!(page.coding, Coding::Chunked | Coding::ChunkedGzip) {
        body = unchunked(&body);
    }
    let decoded = match page.coding {
        Coding::Gzip | Coding::ChunkedGzip => read(MultiGzDecoder::new(&*body)),
        Coding::Deflate => read(ZlibDecoder::new(&*body)),
        Coding::RawDeflate => read(DeflateDecoder::new(&*body)),
        Coding::Zstd => zstd::bulk::decompress(&body, LARGEST).unwrap(),
        Coding::Brotli => body[3..body.len() - 1].to_vec(),
        Coding::Plain | Coding::Chunked | Coding::ClaimedGzip | Coding::ClaimedChunked | Coding::Bomb => body,
    };
    let expected = page.bytes();
    match page.damage {
        Damage::Truncated => assert!(expected.starts_with(&decoded) && decoded.len() < expected.len()),
        Damage::None | Damage::Flipped | Damage::Overlong | Damage::Cut => {
            assert!(decoded == expected, "{} did not come back", page.url);
        }
    }
}

fn read(from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    io::copy(&mut from.take(LARGEST as u64), &mut bytes).unwrap();
    bytes
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = bytes.windows(2).position(|two| two == b"\r\n").expect("a chunk's length");
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).unwrap(), 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&bytes[line + 2..line + 2 + length]);
        bytes = &bytes[line + 2 + length + 2..];
    }
}

#[test]
fn the_bomb_is_small_and_inflates_to_more_than_a_gigabyte() {
    let bomb = pages::all().find(|page| page.coding == Coding::Bomb).unwrap();
    let body = bomb.bytes();
    let inflated = io::copy(&mut MultiGzDecoder::new(&*body), &mut io::sink()).unwrap();
    assert_eq!(inflated, BOMB_BYTES as u64);
    assert!(inflated > 1 << 30);
    assert!(response(bomb, 0).len() < 20_000, "{} bytes in the archive", response(bomb, 0).len());
}

/// Members begin with these bytes, so that what follows the damage can be found.
fn members(archive: &[u8]) -> Vec<usize> {
    let starts = archive.windows(4).enumerate().filter(|(_, four)| *four == b"\x1f\x8b\x08\0");
    starts.map(|(at, _)| at).collect()
}

#[test]
fn good_records_follow_every_damage_but_the_last() {
    let mut found = Vec::new();
    for start in members(made()) {
        let mut bytes = Vec::new();
        // A member that fails has still handed over what came before.
        let whole = io::copy(&mut MultiGzDecoder::new(&made()[start..]).take(600), &mut bytes).is_ok();
        let head = String::from_utf8_lossy(&bytes).into_owned();
        if whole && head.starts_with("WARC/1.0\r\nWARC-Type: response") {
            found.push(head);
        }
    }
    let after = pages::all().skip_while(|page| page.damage != Damage::Flipped);
    for page in after.filter(|page| page.expect == Expect::Text) {
        let uri = format!("WARC-Target-URI: {}\r\n", page.url);
        assert!(found.iter().any(|head| head.contains(&uri)), "{} is lost", page.url);
    }
}
