//! Real archives, read as two independent readers agree that they are to be read, and odd ones, read without losing heart.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use palimpsest::{pages, records};
use serde_json::Value;

use crate::harness;

fn data() -> Option<PathBuf> {
    harness::data("archives").map(|data| data.join("warc"))
}

fn lines(archive: &Path) -> Vec<pages::Line> {
    let source = File::open(archive).expect("the data has the archive");
    records::Records::new(source, records::Limits::default())
        .map(|record| pages::line(&record.expect("files can be read")))
        .collect()
}

/// The rows of the consensus, by archive.
fn consensus(folder: &Path) -> BTreeMap<String, Vec<Value>> {
    let mut rows: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for row in harness::packed_rows(&folder.join("expected_consensus.jsonl.gz")) {
        rows.entry(row["file"].as_str().expect("a row names its archive").to_owned()).or_default().push(row);
    }
    rows
}

#[test]
fn every_record_of_the_consensus_is_read_as_agreed() {
    let Some(folder) = data() else { return };
    let mut records = 0;
    for (archive, expected) in consensus(&folder) {
        let found = lines(&folder.join(&archive));
        assert_eq!(found.len(), expected.len(), "{archive}");
        for (found, expected) in found.iter().zip(&expected) {
            let found = serde_json::to_value(found).unwrap();
            let i = &expected["i"];
            for key in ["i", "offset", "type", "uri", "date", "content_length"] {
                assert_eq!(found[key], expected[key], "{key} of {archive} #{i}");
            }
            // A status without a text is read here and by neither of the two.
            if !expected["http_status"].is_null() {
                assert_eq!(found["http_status"], expected["http_status"], "{archive} #{i}");
            }
            // The two do not agree on every payload.
            if !expected["payload_sha1"].is_null() {
                assert_eq!(found["payload_sha1"], expected["payload_sha1"], "{archive} #{i}");
                assert_eq!(found["payload_length"], expected["payload_len"], "{archive} #{i}");
            }
            records += 1;
        }
    }
    assert_eq!(records, 922, "the whole consensus was looked at");
}

/// ARC, which only one of the two reads.
#[test]
fn every_arc_record_is_read_as_by_warcio() {
    let Some(folder) = data() else { return };
    let expected = harness::packed_rows(&folder.join("warcio_only_arc.jsonl.gz"));
    assert_eq!(expected.len(), 14);
    let mut found = BTreeMap::new();
    for row in expected {
        let archive = row["file"].as_str().unwrap().to_owned();
        let lines = found.entry(archive.clone()).or_insert_with(|| lines(&folder.join(&archive)));
        let line = &lines[row["i"].as_u64().unwrap() as usize];
        let record_type = if row["type"] == "arc_header" { "warcinfo" } else { "response" };
        assert_eq!(line.record_type.as_deref(), Some(record_type), "{row}");
        let status = row["http"].as_str().map(|status| status[..3].parse().unwrap());
        assert_eq!(line.http_status, status, "{row}");
        assert_eq!(line.payload_length, row["payload_len"].as_u64(), "{row}");
        assert_eq!(line.payload_sha1.as_deref(), row["payload_sha1"].as_str(), "{row}");
        assert_eq!(line.offset, row["off"].as_u64().unwrap(), "{row}");
    }
}

/// What is wrong with the archives that the two readers do not agree on.
#[test]
fn odd_archives_are_read_as_far_as_they_can_be() {
    let Some(folder) = data() else { return };
    let check = |archive: &str, expected: &[Option<&str>]| {
        let found: Vec<_> = lines(&folder.join(archive)).iter().map(|line| line.damage).collect();
        assert_eq!(found, expected, "{archive}");
    };
    let length = Some("contradicted_length");
    let unsupported = &[Some("unsupported_format")];
    check("webrecorder__warcio/example-bad-non-chunked.warc.gz", &[None; 6]);
    check("webrecorder__warcio/example-bad.warc.gz.bad", &[None; 6]);
    check("webrecorder__warcio/example-wrong-chunks.warc.gz", &[None; 2]);
    check("webrecorder__warcio/example-trunc.warc", &[None, None, length, None]);
    check("webrecorder__warcio.js/example-bad-length.warc", &[None, None, length, None, None, None]);
    check("webrecorder__pywb/example.warc", &[None, None, None, None, length, None]);
    check("derived/whirlwind.single-member.warc.gz", &[None; 4]);
    check("derived/whirlwind.truncated.warc.gz", &[None, None, Some("truncated")]);
    check("slyrz__warc/test.warc", &[None; 10]);
    check("slyrz__warc/test.warc.gz", &[None; 10]);
    check("derived/whirlwind.per-record.warc.zst", &[None; 4]);
    check("slyrz__warc/test.warc.bz2", &[None; 10]);
    for archive in
        ["chatnoir-eu__chatnoir-resiliparse/warcfile.warc.lz4", "webrecorder__pywb/valid_example_1.wacz"]
    {
        check(archive, unsupported);
    }
}

#[test]
fn a_run_over_every_archive_gives_each_its_part_and_balances() {
    let Some(folder) = data() else { return };
    let patterns: Vec<_> = ["warc", "gz", "zst", "arc", "lz4", "bz2", "wet", "wat", "wacz", "bad"]
        .iter()
        .map(|suffix| folder.join("*").join(format!("*.{suffix}")).to_string_lossy().into_owned())
        .collect();
    let place = harness::Place::new(&format!(
        "name = \"real\"\nsource.archives = {patterns:?}\n[[stages]]\nplugin = \"extract\"\n[[stages]]\n\
         plugin = \"language\"\n[sink]\npath = \"out\"\n"
    ));
    // Some of the archives are damaged on purpose, so some records fail; the harness audits the books.
    let ran = place.run(&[]).exits(1);
    assert!(100 < ran.rows().len(), "{}", ran.stderr);
    let parts = ran.report()["parts"].as_array().unwrap().len();
    assert_eq!(parts, std::fs::read_dir(ran.sink.join("data")).unwrap().count());
}
