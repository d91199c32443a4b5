//! Prints the table of README.md: `cargo run --release -p palimpsest-warc --example conformance -- DATA/warc`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]

mod table;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: conformance FOLDER, with archives and their conformance.tsv");
        return ExitCode::from(2);
    };
    match table::table(&folder) {
        Ok(table) => {
            print!("{table}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("conformance: {}: {error}", folder.display());
            ExitCode::from(3)
        }
    }
}
