//! The gate against rewrites by people: teachers told the same articles at three levels.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use serde_json::Value;

use crate::gate::{Reject, Rules, Secrets, Source};

const MAX_BYTES: u64 = 64 << 20;

/// Pairs of an article and a simpler one that was made of it.
fn pairs() -> Option<Vec<(String, String)>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = std::env::var_os("PALIMPSEST_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let path = data.join("rephrase/onestopenglish_docs.jsonl.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: no {}", path.display());
        return None;
    };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).take(MAX_BYTES).read_to_string(&mut text).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let level = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    Some(
        rows.flat_map(|row| {
            let (simple, middle, full) =
                (level(&row, "elementary"), level(&row, "intermediate"), level(&row, "advanced"));
            [(full, middle.clone()), (middle, simple)]
        })
        .collect(),
    )
}

/// The rewrite with its last number in figures made another one, if it has a number.
fn with_wrong_number(rewrite: &str) -> Option<String> {
    let (before, after) = rewrite.split_at(rewrite.rfind(|symbol: char| symbol.is_ascii_digit())?);
    let digit = after.chars().next()?.to_digit(10)?;
    Some(format!("{before}{}{}", (digit + 5) % 10, after.get(1..)?))
}

#[test]
fn true_rewrites_pass_and_wrong_numbers_do_not() {
    let Some(pairs) = pairs() else { return };
    let (mut passed, mut injected, mut found) = (0, 0, 0);
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let secrets = Secrets::default();
    let rules = Rules { length: (0.2, 1.5), new_numbers: false };
    for (full, simple) in &pairs {
        let source = Source::new(full, &secrets, "");
        match source.check(simple, rules) {
            Ok(()) => passed += 1,
            Err(reject) => {
                *reasons.entry(reject.reason()).or_default() += 1;
                continue;
            }
        }
        if let Some(wrong) = with_wrong_number(simple) {
            injected += 1;
            found += usize::from(source.check(&wrong, rules) == Err(Reject::NewNumber));
        }
    }
    println!(
        "{passed} of {} true rewrites pass, failed {reasons:?}; {found} of {injected} wrong numbers found",
        pairs.len()
    );
    assert!(passed * 100 >= pairs.len() * 70, "too many true rewrites fail: {reasons:?}");
    assert!(found * 100 >= injected * 80, "{found} of {injected}");
}
