//! `palimpsest check`: everything that a run would stop for before any work, and the plan as it would be run.

use std::io;
use std::process::ExitCode;

use palimpsest::run::{Options, Run};

use crate::args::CheckArgs;
use crate::exit::{self, Failure};
use crate::plan;

pub(crate) fn check(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let plan = plan::read(&args.file)?;
    let run = prepare(plan, Options { check_only: true, ..plan::options() })?;
    let mut out = io::stdout().lock();
    write(&mut out, &run).map_err(Failure::world)?;
    Ok(exit::FINE)
}

/// Prepares the run and passes on what looks wrong but need not be.
pub(crate) fn prepare(plan: palimpsest::config::Plan, options: Options) -> Result<Run, Failure> {
    let run = Run::prepare(plan, options).map_err(|palimpsest::run::Unprepared(wrong)| {
        Failure::Wrong(wrong.into_iter().map(Into::into).collect())
    })?;
    for warning in run.warnings() {
        exit::say(&format!("palimpsest: warning: {warning}"));
    }
    Ok(run)
}

fn write(out: &mut impl io::Write, run: &Run) -> io::Result<()> {
    write!(out, "{}", run.plan().describe())?;
    writeln!(out, "\narchives ({})", run.archives().len())?;
    for archive in run.archives() {
        writeln!(out, "  {}", archive.name)?;
    }
    writeln!(out, "\nplugins")?;
    for stage in run.stages().stages() {
        let it = &stage.description;
        let columns: Vec<_> = stage.columns.iter().map(|column| column.name.as_str()).collect();
        writeln!(
            out,
            "  {}: {} {}, {}; writes {}",
            stage.name(),
            it.name,
            it.version,
            it.summary,
            columns.join(", ")
        )?;
    }
    out.flush()
}
