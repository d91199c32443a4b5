//! Both executors against programs that ProX's own executor ran.
//!
//! The programs are development data that nobody can install: on a machine without them the tests pass, having compared
//! nothing, and print a line that begins with `skipped:`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use serde_json::Value;

use crate::execute::{Caps, Edited, execute};
use crate::prox::{self, Thresholds};

const MAX_BYTES: u64 = 64 << 20;

fn vectors() -> Option<Vec<Value>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = std::env::var_os("PALIMPSEST_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let path = data.join("cleanup/prox_exec_vectors_dev.jsonl.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: no {}", path.display());
        return None;
    };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).take(MAX_BYTES).read_to_string(&mut text).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap()
}

fn thresholds(row: &Value) -> Thresholds {
    Thresholds {
        min_kept: row["remove_ratio_keep_min"].as_f64().unwrap(),
        drop_ratio: row["drop_ratio"].as_f64().unwrap(),
        min_words: 10,
        max_errors: row["max_error_ops"].as_u64().unwrap().try_into().unwrap(),
    }
}

#[test]
fn reference_mode_says_what_the_original_says() {
    let Some(rows) = vectors() else { return };
    for row in &rows {
        let executed = prox::execute(text(row, "doc"), text(row, "program"), &thresholds(row));
        let id = text(row, "id");
        assert_eq!(executed.raw, text(row, "expected_raw"), "{id}");
        assert_eq!(executed.errors as u64, row["num_error_op"].as_u64().unwrap(), "{id}");
        assert_eq!(executed.text.as_deref().unwrap_or_default(), text(row, "expected"), "{id}");
    }
    println!("{} of {} equal", rows.len(), rows.len());
}

/// Why the checked executor leaves other lines than the original; none where it leaves the same.
fn difference(row: &Value) -> Option<&'static str> {
    let lines: Vec<_> = text(row, "doc").split('\n').collect();
    let caps = Caps {
        min_source: 3,
        max_count: 50,
        max_errors: thresholds(row).max_errors,
        deletion_only: false,
        drop_doc: true,
    };
    let Edited { lines: left, calls, fell_back, .. } = execute(&lines, 0, text(row, "program"), &caps);
    // The original takes its edits back by a threshold, this one before the thresholds are asked.
    let errors = row["num_error_op"].as_u64().unwrap() as usize;
    let original =
        if thresholds(row).max_errors <= errors { text(row, "doc") } else { text(row, "expected_raw") };
    if left.join("\n") == original {
        return None;
    }
    let had = |word: &str| calls.iter().any(|(_, fate)| fate.word() == word);
    Some(if fell_back {
        "an unknown function counts as an error"
    } else if had("refused") {
        "a replacement that grows the text, or of too short a string, is refused"
    } else {
        "unexplained"
    })
}

#[test]
fn the_checked_executor_differs_for_known_reasons_only() {
    let Some(rows) = vectors() else { return };
    let mut differences = BTreeMap::new();
    for row in &rows {
        if let Some(why) = difference(row) {
            differences.entry(why).or_insert_with(Vec::new).push(text(row, "id"));
        }
    }
    let differing: usize = differences.values().map(Vec::len).sum();
    println!("{} of {} equal; different: {differences:#?}", rows.len() - differing, rows.len());
    assert!(!differences.contains_key("unexplained"), "{differences:#?}");
    assert!(differing * 5 < rows.len(), "more than a fifth differ: {differences:#?}");
}
