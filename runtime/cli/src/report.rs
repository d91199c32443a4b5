//! `palimpsest report`: what the rows of runs show together.

use std::io::{self, Write};
use std::process::ExitCode;

use palimpsest::sinks::read::{self, ReadError};
use palimpsest::survey::{Survey, page, year_of};

use crate::args::ReportArgs;
use crate::aside;
use crate::exit::{self, Failure};

pub(crate) fn report(args: &ReportArgs) -> Result<ExitCode, Failure> {
    if year_of(&args.baseline).is_none() {
        let says = format!(
            "--baseline {}: write a year, a year and week, or a crawl's name: 2022, 2022-49, CC-MAIN-2022-49",
            args.baseline
        );
        return Err(Failure::wrong(says));
    }
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
        aside::write(file, &html)?;
    }
    io::stdout().lock().write_all(page::text(&survey, &args.baseline).as_bytes()).map_err(Failure::world)?;
    Ok(exit::FINE)
}
