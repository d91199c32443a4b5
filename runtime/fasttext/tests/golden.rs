//! Predictions beside those that the official implementation made with models of its own; `golden/record.py` made both.

#![allow(clippy::unwrap_used, reason = "helpers of tests; the lint knows only the tests themselves")]

use std::io::{self, Read};
use std::path::PathBuf;

use palimpsest_fasttext::{Error, Model};

fn unpacked(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let mut bytes = Vec::new();
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    io::copy(&mut flate2::read::MultiGzDecoder::new(file).take(1 << 24), &mut bytes).unwrap();
    bytes
}

fn model(name: &str) -> Vec<u8> {
    unpacked(&format!("{name}.model.gz"))
}

/// Every prediction is the official one, and the model is written as it was read.
#[track_caller]
fn check(name: &str) {
    let bytes = model(name);
    let model = Model::from_bytes(&bytes).unwrap();
    let rows = String::from_utf8(unpacked(&format!("{name}.jsonl.gz"))).unwrap();
    let mut compared = 0;
    for row in rows.lines() {
        let (text, k, threshold, expected): (String, i64, f32, Vec<(String, f64)>) =
            serde_json::from_str(row).unwrap();
        let found = model.predict(&text, usize::try_from(k).unwrap_or(usize::MAX), threshold);
        let told = || format!("{text:?}, {k}, {threshold}: {found:?} instead of {expected:?}");
        assert_eq!(found.len(), expected.len(), "{}", told());
        for (found, (label, probability)) in found.iter().zip(&expected) {
            assert!((f64::from(found.probability) - probability).abs() < 1e-5, "{}", told());
            // Labels that are equally probable have no order.
            let tied = |other: &&(String, f64)| (other.1 - probability).abs() < 1e-6;
            let alike = expected.iter().filter(tied).count();
            assert!(found.label == label || 1 < alike || k != -1, "{}", told());
            if alike == 1 && expected.last().is_none_or(|last| last.1 < *probability) {
                assert_eq!(found.label, label, "{}", told());
            }
            compared += 1;
        }
    }
    assert!(50 < compared, "{compared}");
    let mut written = Vec::new();
    model.write(&mut written).unwrap();
    assert!(written == bytes, "other bytes");
}

#[test]
fn softmax_with_word_ngrams() {
    check("softmax");
}

#[test]
fn softmax_with_character_ngrams() {
    check("softmax-chars");
}

#[test]
fn one_versus_all() {
    check("ova");
}

#[test]
fn negative_sampling() {
    check("ns");
}

#[test]
fn hierarchical_softmax() {
    check("hs");
}

#[test]
fn quantized() {
    check("quantized");
}

#[test]
fn quantized_and_pruned() {
    check("pruned");
}

#[test]
fn pruned_to_words_only() {
    check("no-hashes");
}

#[test]
fn quantized_output() {
    check("quantized-output");
}

const NAMES: [&str; 9] =
    ["softmax", "softmax-chars", "ova", "ns", "hs", "quantized", "pruned", "no-hashes", "quantized-output"];

#[test]
fn every_cut_file_is_refused_where_it_ends() {
    for name in NAMES {
        let bytes = model(name);
        for length in (0..bytes.len()).step_by(1 + bytes.len() / 400) {
            let cut = &bytes[..length];
            let error = Model::from_bytes(cut).expect_err("a part of a model is none");
            assert!(
                matches!(error, Error::Magic | Error::Truncated { .. } | Error::TooLong { .. }),
                "{name}, {length}: {error}"
            );
            // The same where the length is a lie.
            assert!(Model::read(cut, bytes.len() as u64).is_err());
        }
    }
}

#[test]
fn damaged_files_are_refused_or_answer() {
    let mut refused = 0;
    for name in NAMES {
        let bytes = model(name);
        // The head and the dictionary's bytewise, what follows in steps.
        let places = (0..256.min(bytes.len())).chain((256..bytes.len()).step_by(97));
        for place in places {
            for value in [0x00, 0x01, 0x7F, 0x80, 0xFF] {
                let mut damaged = bytes.clone();
                damaged[place] = value;
                match Model::from_bytes(&damaged) {
                    Ok(model) => {
                        for found in model.predict("water and über w7 хлеб unknown", 3, 0.0) {
                            assert!(found.probability.is_finite(), "{name}, {place}: {found:?}");
                        }
                    }
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(500 < refused, "{refused}");
}

#[test]
fn a_head_that_promises_much_costs_nothing() {
    let bytes = model("softmax");
    // dim, the bucket and the dictionary's size, words and labels, as much as their numbers can say.
    for place in [8, 40, 64, 68, 72] {
        let mut damaged = bytes.clone();
        for (byte, value) in damaged.iter_mut().skip(place).zip([0xFF, 0xFF, 0xFF, 0x7F]) {
            *byte = value;
        }
        let error = Model::from_bytes(&damaged).expect_err("promises more than there is").to_string();
        assert!(error.contains("at byte") || error.contains("known"), "{place}: {error}");
    }
}
