//! `palimpsest report`: what the rows of runs show together.

use std::io::{self, Write};
use std::process::ExitCode;

use palimpsest::sinks::read::{self, ReadError};
use palimpsest::survey::{Survey, page};

use crate::args::ReportArgs;
use crate::exit::{self, Failure};

pub(crate) fn report(args: &ReportArgs) -> Result<ExitCode, Failure> {
    let mut survey = Survey::new(&args.meter);
    let columns = survey.columns();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    for file in read::files(&args.rows).map_err(Failure::wrong)? {
        let mut add = |row| {
            survey.add(&row);
            Ok::<_, ReadError>(())
        };
        read::rows(&file, &columns, &mut add).map_err(Failure::wrong)?;
    }
    if let Some(file) = &args.html {
        let html = page::html(&survey, &args.baseline).map_err(Failure::world)?;
        std::fs::write(file, html)
            .map_err(|error| Failure::world(format!("cannot write `{}`: {error}", file.display())))?;
    }
    io::stdout().lock().write_all(page::text(&survey, &args.baseline).as_bytes()).map_err(Failure::world)?;
    Ok(exit::FINE)
}
