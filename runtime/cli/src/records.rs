//! `palimpsest records`: what is in an archive, record by record.

use std::io::{self, BufWriter};
use std::process::ExitCode;

use palimpsest::run::inspect;

use crate::args::RecordsArgs;
use crate::exit::{self, Failure};
use crate::plan;

pub(crate) fn records(args: &RecordsArgs) -> Result<ExitCode, Failure> {
    let mut storage = plan::storage();
    storage.extend(args.storage.iter().cloned());
    let archive = inspect::Inspected::open(&args.archive, storage)
        .map_err(|wrong| Failure::Wrong(wrong.into_iter().map(Into::into).collect()))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let bad = archive.records(args.strict, &mut out).map_err(Failure::world)?;
    Ok(if bad == 0 { exit::FINE } else { exit::some_failed() })
}
