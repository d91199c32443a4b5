//! `palimpsest run`: a pipeline from its file to its report.

use std::process::ExitCode;
use std::sync::Arc;

use palimpsest::llm;
use palimpsest::report::summary;
use palimpsest::run::{Fatal, Options, Stop};

use crate::args::RunArgs;
use crate::exit::{self, Failure};
use crate::progress::Progress;
use crate::{batch, check, estimate, plan};

pub(crate) fn run(args: RunArgs) -> Result<ExitCode, Failure> {
    let mut plan = plan::read(&args.file)?;
    if let Some(out) = args.out {
        plan.move_sink(out).map_err(Failure::wrong)?;
    }
    if let Some(journal) = args.journal {
        plan.run.journal = journal;
    }
    if let Some(workers) = args.workers {
        plan.run.workers = workers.get() as usize;
    }
    if args.dry_run {
        return estimate::dry_run(plan);
    }
    let options =
        Options { limit: args.limit, replay: args.replay, overwrite: args.overwrite, ..plan::options() };
    let options = Options { batch: args.batch.is_some(), ..options };
    let (journal, models) = (plan.run.journal.clone(), plan.models.clone());
    let file = args.file;
    let run = check::prepare(plan, options)?;
    let sink = run.plan().sink.path.clone();
    run.on_interrupt(interrupted);
    let progress = Progress::start(&run, args.quiet);
    let (result, report) = match run.go() {
        Ok(report) => (Ok(()), Some(report)),
        Err(stopped) => (Err(stopped.fatal), stopped.report),
    };
    drop(progress);
    if let Some(report) = &report {
        exit::say(&summary(report));
        exit::say(&format!("report: {sink}/report.json"));
    }
    match result {
        Err(Fatal::Waiting { pages }) => match &args.batch {
            Some(folder) => Err(batch::waiting(&file, &journal, &models, folder, pages)?),
            None => Err(Failure::world(Fatal::Waiting { pages })),
        },
        Err(Fatal::Interrupted) => Err(Failure::Interrupted(
            "interrupted; finished parts and every reply are kept: the same command goes on from here"
                .to_owned(),
        )),
        Err(fatal @ (Fatal::OtherPipeline(_) | Fatal::Busy(_) | Fatal::Columns(_) | Fatal::Stages(_))) => {
            Err(Failure::wrong(fatal))
        }
        Err(fatal @ Fatal::Model(llm::Fatal::OverBudget { .. })) => Err(Failure::Capped(fatal.into())),
        Err(fatal) => Err(Failure::world(fatal)),
        Ok(()) => {
            let failed =
                report.is_some_and(|report| report.places.iter().any(|it| 0 < it.flow.failed_total()));
            Ok(if failed { exit::some_failed() } else { exit::FINE })
        }
    }
}

/// The first Ctrl-C ends the run in order, the second one at once.
fn interrupted(stop: &Arc<Stop>, times: u32) {
    if times == 1 {
        exit::say(
            "palimpsest: stopping in order; replies that are on their way are kept. Ctrl-C again stops at once",
        );
        stop.interrupt();
    } else {
        exit::say("palimpsest: stopped at once; the same command goes on from the journal");
        #[expect(
            clippy::exit,
            reason = "whoever asks twice does not want to wait for threads; nothing written is half a file"
        )]
        std::process::exit(130);
    }
}

/// `palimpsest fetch`.
#[cfg(feature = "embedded")]
pub(crate) fn fetch(args: &crate::args::FetchArgs) -> Result<ExitCode, Failure> {
    use palimpsest::llm::weights::{self, WeightsError};
    let cache = weights::default_cache(|name| std::env::var_os(name));
    let cache =
        cache.ok_or_else(|| Failure::wrong("there is no cache folder: set HOME or XDG_CACHE_HOME"))?;
    match weights::fetch(&args.model, &cache) {
        Ok(path) => {
            exit::say(&format!("{}: {}", args.model, path.display()));
            Ok(exit::FINE)
        }
        Err(error @ WeightsError::Unknown { .. }) => Err(Failure::wrong(error)),
        Err(error) => Err(Failure::world(error)),
    }
}
