//! The command `palimpsest`: parse, run, exit.

mod apply;
mod args;
mod aside;
mod batch;
mod calibrate;
mod check;
mod estimate;
mod exit;
mod journal;
mod plan;
mod progress;
mod records;
mod report;
mod run;
mod sink;
mod train;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Verb};

fn main() -> ExitCode {
    let done = match Args::parse().verb {
        Verb::Run(args) => run::run(args),
        Verb::Check(args) => check::check(&args),
        Verb::Estimate(args) => estimate::estimate(&args),
        Verb::Records(args) => records::records(&args),
        Verb::Finalize(args) => sink::finalize(args),
        Verb::Gc(args) => sink::gc(args),
        Verb::Batch(verb) => batch::batch(verb),
        Verb::Journal(verb) => journal::journal(&verb),
        Verb::Report(args) => report::report(&args),
        Verb::Calibrate(args) => calibrate::calibrate(&args),
        Verb::TrainClassifier(args) => train::train(&args),
        Verb::Apply(args) => apply::apply(&args),
        #[cfg(feature = "embedded")]
        Verb::Fetch(args) => run::fetch(&args),
    };
    match done {
        Ok(code) => code,
        // Whoever reads the output has seen enough: `palimpsest records … | head`.
        Err(failure) if failure.is_broken_pipe() => exit::FINE,
        Err(failure) => {
            exit::complain(&failure);
            failure.code()
        }
    }
}
