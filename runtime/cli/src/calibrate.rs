//! `palimpsest calibrate`: from the scores of a sample, the table by which the stage `score` makes buckets.

use std::io::{self, Write};
use std::process::ExitCode;

use palimpsest::calibration::{ANY, Calibrator};
use palimpsest::sinks::read::{self, ReadError};
use serde_json::Value;

use crate::args::CalibrateArgs;
use crate::aside;
use crate::exit::{self, Failure};

pub(crate) fn calibrate(args: &CalibrateArgs) -> Result<ExitCode, Failure> {
    if let Some((at, twice)) = args
        .scorer
        .iter()
        .enumerate()
        .find(|(at, name)| args.scorer.iter().take(*at).any(|other| other == *name))
    {
        let says = format!("--scorer {twice}: it is named twice, the second time as number {}", at + 1);
        return Err(Failure::wrong(says));
    }
    let scores: Vec<String> = args.scorer.iter().map(|scorer| format!("{scorer}_score")).collect();
    let mut columns = vec!["language", "token_count"];
    columns.extend(scores.iter().map(String::as_str));
    let mut calibrator = Calibrator::default();
    let mut scored = vec![0_u64; scores.len()];
    let mut rows = 0_u64;
    for file in read::files(&args.rows).map_err(Failure::wrong)? {
        let mut add = |row: serde_json::Map<String, Value>| {
            rows += 1;
            let language = row.get("language").and_then(Value::as_str).unwrap_or(ANY);
            let tokens = row.get("token_count").and_then(Value::as_u64).unwrap_or(1);
            for ((scorer, column), scored) in args.scorer.iter().zip(&scores).zip(&mut scored) {
                let score = row.get(column).and_then(Value::as_f64);
                *scored +=
                    u64::from(score.is_some_and(|score| calibrator.add(scorer, language, score, tokens)));
            }
            Ok::<_, ReadError>(())
        };
        read::rows(&file, &columns, &mut add).map_err(Failure::wrong)?;
    }
    if let Some((column, _)) = scores.iter().zip(&scored).find(|(_, scored)| **scored == 0) {
        return Err(Failure::wrong(format!("none of {rows} rows has a number in `{column}`")));
    }
    let table = calibrator.table(args.min_documents);
    aside::write(&args.out, &table.to_string())?;
    let mut out = io::stdout().lock();
    for (scorer, scored) in args.scorer.iter().zip(scored) {
        writeln!(out, "{scorer}: {scored} of {rows} rows have a score").map_err(Failure::world)?;
    }
    Ok(exit::FINE)
}
