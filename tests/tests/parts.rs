//! Long archives: several parts, and a run that goes on in the middle.

use std::fmt::Write as _;
use std::path::Path;

use crate::harness::{Place, Ran, archive, packed_archive, same_bytes};

/// Texts that compress to some 6 KB each and are all different.
fn texts() -> Vec<String> {
    let mut number = 1_u64;
    let mut text = || {
        (0..1500).fold(String::new(), |mut text, _| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            write!(text, "{:x} ", number >> 40).unwrap();
            text
        })
    };
    (0..600).map(|_| text()).collect()
}

fn framed(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| zstd::encode_all(&*archive(&[text]), 1).unwrap()).collect()
}

fn kept(ran: &Ran) -> Vec<bool> {
    ran.report()["parts"].as_array().unwrap().iter().map(|part| part["kept"].as_bool().unwrap()).collect()
}

fn take_back(sink: &Path, part: &str) {
    for file in
        [format!("_done/{part}.json"), format!("_commit/{part}.json"), format!("data/{part}.jsonl.zst")]
    {
        std::fs::remove_file(sink.join(file)).unwrap();
    }
}

fn a_run_goes_on_at_the_part_that_is_missing(name: &str, bytes: &[u8]) {
    let place = Place::new(&format!(
        "name = \"long\"\nsource.archives = [\"{name}\"]\n[[stages]]\nplugin = \"extract\"\n\
         [sink]\npath = \"out\"\npart_mb = 1\nrejects = false\n"
    ));
    let path = place.path(name);
    std::fs::write(&path, bytes).unwrap();
    let whole = place.run(&["--out", "whole"]).exits(0);
    let parts = kept(&whole).len();
    assert!(3 <= parts, "{name}: {parts} parts");
    assert_eq!(whole.rows().len(), 600);
    let broken = place.run(&[]).exits(0);
    same_bytes(&whole, &broken);
    // What is in front of the missing parts is not read again: it would be found to be damaged.
    let mut damaged = bytes.to_vec();
    damaged[100..1000].fill(0);
    std::fs::write(&path, &damaged).unwrap();
    take_back(&broken.sink, "long.part-00002");
    take_back(&broken.sink, &format!("long.part-{parts:05}"));
    let mended = place.run(&[]).exits(0);
    same_bytes(&whole, &mended);
    let expected: Vec<_> = (1..=parts).map(|part| part != 2 && part != parts).collect();
    assert_eq!(kept(&mended), expected, "{name}");
}

#[test]
fn a_plain_archive_is_gone_on_with() {
    let texts = texts();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    a_run_goes_on_at_the_part_that_is_missing("long.warc", &archive(&texts));
}

#[test]
fn a_gzip_archive_is_gone_on_with() {
    let texts = texts();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    a_run_goes_on_at_the_part_that_is_missing("long.warc.gz", &packed_archive(&texts));
}

#[test]
fn a_zstd_archive_is_gone_on_with() {
    let texts = texts();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    a_run_goes_on_at_the_part_that_is_missing("long.warc.zst", &framed(&texts));
}

/// What looks after a sink never takes rows away, whatever pipeline or limit they were made with.
#[test]
fn finalize_takes_nothing_away_and_says_what_is_missing() {
    let texts = texts();
    let texts: Vec<_> = texts.iter().take(20).map(String::as_str).collect();
    let place = Place::new(
        "name = \"card\"\nsource.archives = [\"a.warc\"]\n[[stages]]\nplugin = \"extract\"\n[sink]\npath = \"out\"\n",
    );
    std::fs::write(place.path("a.warc"), archive(&texts)).unwrap();
    let finalize = || {
        let output = place.verb("finalize", &[]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = finalize();
    assert!(code == Some(1) && said.contains("1 archives are not finished"), "{said}");
    let limited = place.run(&["--limit", "5"]).exits(0);
    assert_eq!(limited.rows().len(), 5);
    let (code, said) = finalize();
    assert!(code == Some(1) && said.contains("1 archives are not finished"), "{said}");
    assert_eq!(limited.rows().len(), 5, "the rows of another limit are still there");
    let whole = place.run(&[]).exits(0);
    let card = whole.sink.join("README.md");
    std::fs::remove_file(&card).unwrap();
    assert_eq!(finalize().0, Some(0));
    assert!(card.is_file() && whole.sink.join("manifest.json").is_file());
    assert_eq!(whole.rows().len(), 20);
}
