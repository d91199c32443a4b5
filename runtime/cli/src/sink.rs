//! `palimpsest finalize` and `palimpsest gc`: what is done to a sink when no run is going.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use palimpsest::report::summary;
use palimpsest::run::{Options, Run};

use crate::args::{FinalizeArgs, GcArgs};
use crate::exit::{self, Failure};
use crate::{check, plan};

pub(crate) fn finalize(args: FinalizeArgs) -> Result<ExitCode, Failure> {
    let (report, open) = prepare(&args.file, args.out)?.finalize().map_err(Failure::world)?;
    exit::say(&summary(&report));
    if open == 0 {
        return Ok(exit::FINE);
    }
    exit::say(&format!("{open} archives are not finished; card and manifest are written when all are"));
    Ok(exit::some_failed())
}

pub(crate) fn gc(args: GcArgs) -> Result<ExitCode, Failure> {
    let idle = Duration::from_secs(3600 * u64::from(args.idle_hours));
    let swept = prepare(&args.file, args.out)?.sweep(idle).map_err(Failure::world)?;
    exit::say(&format!("{} files with {} bytes taken away", swept.files, swept.bytes));
    Ok(exit::FINE)
}

fn prepare(file: &Path, out: Option<String>) -> Result<Run, Failure> {
    let mut plan = plan::read(file)?;
    if let Some(out) = out {
        plan.move_sink(out).map_err(Failure::wrong)?;
    }
    check::prepare(plan, Options { sink_only: true, ..plan::options() })
}
