//! `palimpsest journal`: what the replies of models have cost, all of them as lines, and fewer of them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use palimpsest::llm::journal::admin::{self, ModelStats, Stats};

use crate::args::{ExportArgs, JournalVerb, StatsArgs, TidyArgs};
use crate::exit::{self, Failure};
use crate::plan;

pub(crate) fn journal(verb: &JournalVerb) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    match verb {
        JournalVerb::Stats(args) => stats(args, &mut out),
        JournalVerb::Export(args) => export(args, &mut out),
        JournalVerb::Gc(args) => gc(args, &mut out),
    }?;
    out.flush().map_err(Failure::world)?;
    Ok(exit::FINE)
}

/// The journal, or that of the pipeline.
fn place(file: &Path) -> Result<PathBuf, Failure> {
    if file.extension().is_some_and(|extension| extension == "toml") {
        return Ok(plan::read(file)?.run.journal);
    }
    Ok(file.to_owned())
}

fn stats(args: &StatsArgs, out: &mut impl Write) -> Result<(), Failure> {
    let stats = admin::stats(&place(&args.file)?).map_err(Failure::wrong)?;
    if args.json {
        let json = serde_json::to_string_pretty(&stats).map_err(Failure::world)?;
        return writeln!(out, "{json}").map_err(Failure::world);
    }
    table(&stats, out).map_err(Failure::world)
}

fn table(stats: &Stats, out: &mut impl Write) -> io::Result<()> {
    let Stats { runs, first, last, models } = stats;
    match first.as_ref().zip(last.as_ref()) {
        Some((first, last)) => writeln!(out, "runs: {runs}; answers from {first} to {last}\n")?,
        None => writeln!(out, "runs: {runs}; no answer\n")?,
    }
    let width = models.keys().map(|name| name.chars().count()).max().unwrap_or(0).max("model".len());
    writeln!(
        out,
        "{:width$} {:>10} {:>10} {:>9} {:>10} {:>14} {:>14} {:>11} {:>11}",
        "model",
        "replies",
        "last run",
        "failures",
        "requests",
        "prompt tok",
        "reply tok",
        "dollars",
        "unsure"
    )?;
    for (name, model) in models {
        let ModelStats { replies, failures, used, requests, prompt_tokens, completion_tokens, .. } = model;
        writeln!(
            out,
            "{name:width$} {replies:>10} {used:>10} {failures:>9} {requests:>10} {prompt_tokens:>14} \
             {completion_tokens:>14} {:>11.4} {:>11.4}",
            model.dollars, model.dollars_unsure
        )?;
    }
    Ok(())
}

fn export(args: &ExportArgs, out: &mut impl Write) -> Result<(), Failure> {
    let mut failed = None;
    let take = |line: admin::Line| {
        if args.model.as_ref().is_some_and(|model| *model != line.model) {
            return true;
        }
        let written = serde_json::to_string(&line).map_err(io::Error::other);
        failed = written.and_then(|line| writeln!(out, "{line}")).err();
        failed.is_none()
    };
    admin::export(&place(&args.file)?, take).map_err(Failure::wrong)?;
    failed.map_or(Ok(()), |error| Err(Failure::world(error)))
}

fn gc(args: &TidyArgs, out: &mut impl Write) -> Result<(), Failure> {
    let done = admin::gc(&place(&args.file)?, args.keep_runs.get(), args.dry_run).map_err(Failure::wrong)?;
    let said = if args.dry_run {
        writeln!(out, "{} answers would go", done.answers)
    } else {
        writeln!(out, "{} answers are gone, and {} bytes with them", done.answers, done.bytes)
    };
    said.map_err(Failure::world)
}
