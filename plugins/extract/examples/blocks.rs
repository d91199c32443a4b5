//! Writes the blocks of pages for `model/train.py`, which makes the stage's model of them.
//!
//! `cargo run --release -p palimpsest-extract --example blocks OUT < PATHS` reads one path of an HTML file on a line. It
//! writes `OUT.f32`, the numbers of all blocks as little-endian floats, and `OUT.jsonl`, a row for each page with the
//! texts of its blocks.

use std::fs::File;
use std::io::{BufWriter, Write};

use palimpsest_extract::training;
use serde_json::json;

fn main() -> std::io::Result<()> {
    let out = std::env::args().nth(1).unwrap_or_else(|| "blocks".to_owned());
    let mut numbers = BufWriter::new(File::create(format!("{out}.f32"))?);
    let mut rows = BufWriter::new(File::create(format!("{out}.jsonl"))?);
    for path in std::io::stdin().lines() {
        let path = path?;
        let samples = training::samples(&String::from_utf8_lossy(&std::fs::read(&path)?));
        for number in samples.iter().flat_map(|sample| &sample.features) {
            numbers.write_all(&number.to_le_bytes())?;
        }
        let width = samples.first().map_or(0, |sample| sample.features.len());
        let texts: Vec<_> = samples.iter().map(|sample| &sample.text).collect();
        writeln!(rows, "{}", json!({"path": path, "width": width, "texts": texts}))?;
    }
    numbers.flush()?;
    rows.flush()
}
