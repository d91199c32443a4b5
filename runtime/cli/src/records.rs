//! `palimpsest records`: what is in an archive, record by record.

use std::io::{self, BufWriter};
use std::process::ExitCode;

use palimpsest::run::inspect::records as inspect;

use crate::args::RecordsArgs;
use crate::exit::{self, Failure};

pub(crate) fn records(args: &RecordsArgs) -> Result<ExitCode, Failure> {
    let file = std::fs::File::open(&args.archive).map_err(|error| {
        Failure::wrong(format!("cannot open the archive `{}`: {error}", args.archive.display()))
    })?;
    let damaged = inspect(file, &mut BufWriter::new(io::stdout().lock())).map_err(Failure::world)?;
    Ok(if damaged == 0 { exit::FINE } else { exit::some_failed() })
}
