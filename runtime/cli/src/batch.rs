//! `palimpsest batch`, and what `palimpsest run --batch` leaves to it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use palimpsest::config::{ModelPlan, Plan};
use palimpsest::llm::batch::desk::{BatchError, Desk, Imported, Progress};

use crate::args::{BatchArgs, BatchVerb};
use crate::exit::{self, Failure};
use crate::plan;

pub(crate) fn batch(verb: BatchVerb) -> Result<ExitCode, Failure> {
    match verb {
        BatchVerb::Submit(args) => {
            let plan = read(args)?;
            let mut desk = open(&plan)?;
            let (begun, error) = wait(desk.submit(&plan.budget))?.map_err(failed)?;
            if begun.is_empty() && error.is_none() {
                exit::say(
                    "nothing is left to submit: `palimpsest run --batch FOLDER` writes what is missing",
                );
            }
            begun.iter().for_each(say);
            error.map_or(Ok(exit::FINE), |error| Err(failed(error)))
        }
        BatchVerb::Fetch(args) => {
            let plan = read(args)?;
            let mut desk = open(&plan)?;
            let (batches, error) = wait(desk.fetch())?.map_err(failed)?;
            batches.iter().for_each(say);
            if let Some(error) = error {
                return Err(failed(error));
            }
            let open = desk.open_files().map_err(failed)?;
            if 0 < open {
                let says =
                    format!("{open} files are not answered: submit what is not, and ask again for what is");
                return Err(Failure::Waiting(says));
            }
            exit::say("no batch is under way; `palimpsest run` goes on with what was answered");
            Ok(exit::FINE)
        }
        BatchVerb::Import(args) => {
            let plan = read(args.of)?;
            let imported = open(&plan)?.import(&args.replies).map_err(failed)?;
            exit::say(&came(&imported));
            Ok(if imported.bad == 0 { exit::FINE } else { exit::some_failed() })
        }
    }
}

/// Writes what a run wanted to files, and says what to do with them.
pub(crate) fn waiting(
    file: &Path,
    journal: &Path,
    models: &[ModelPlan],
    folder: &Path,
    pages: u64,
) -> Result<Failure, Failure> {
    let mut desk = Desk::open(journal, models).map_err(failed)?;
    let before = desk.unsubmitted().map_err(failed)?;
    let written = desk.write(folder).map_err(failed)?;
    for file in &written {
        let cost = if 0.0 < file.dollars { format!(", ${:.2} at most", file.dollars) } else { String::new() };
        exit::say(&format!("{}: {} prompts for `{}`{cost}", file.path.display(), file.prompts, file.model));
    }
    for path in before {
        exit::say(&format!("{}: written earlier, not submitted", path.display()));
    }
    Ok(Failure::Waiting(format!(
        "{pages} pages wait: send the files with `palimpsest batch submit {file}` and get the replies with `palimpsest \
         batch fetch {file}`, or answer them yourself and `palimpsest batch import {file} REPLIES`; then run again",
        file = file.display()
    )))
}

fn read(args: BatchArgs) -> Result<Plan, Failure> {
    let mut plan = plan::read(&args.file)?;
    if let Some(journal) = args.journal {
        plan.run.journal = journal;
    }
    Ok(plan)
}

fn open(plan: &Plan) -> Result<Desk<'_>, Failure> {
    let journal: &PathBuf = &plan.run.journal;
    if !journal.exists() {
        return Err(Failure::wrong(format!(
            "there is no journal `{}`; `palimpsest run --batch FOLDER` begins one",
            journal.display()
        )));
    }
    Desk::open(journal, &plan.models).map_err(failed)
}

fn wait<T>(what: impl Future<Output = T>) -> Result<T, Failure> {
    palimpsest::run::wait(what).map_err(Failure::world)
}

fn failed(error: BatchError) -> Failure {
    match error {
        BatchError::OverBudget { .. } => Failure::Capped(error.into()),
        BatchError::NoModel(_) | BatchError::Read { .. } => Failure::wrong(error),
        BatchError::Journal(_)
        | BatchError::Write { .. }
        | BatchError::Prompt { .. }
        | BatchError::Endpoint { .. }
        | BatchError::Server { .. } => Failure::world(error),
    }
}

fn say(batch: &Progress) {
    let Progress { path, model, prompts, status, over, imported } = batch;
    exit::say(&format!("{}: {prompts} prompts for `{model}`: {status}", path.display()));
    if *over {
        exit::say(&format!("  {}", came(imported)));
    }
}

fn came(imported: &Imported) -> String {
    let Imported { replies, failures, unknown, bad, first_bad, dollars } = imported;
    let mut said = format!("{replies} replies and {failures} failures are in the journal, ${dollars:.2}");
    if 0 < *unknown {
        said += &format!("; {unknown} lines are for prompts that nobody waits for");
    }
    if 0 < *bad {
        said += &format!(
            "; {bad} lines cannot be used, the first one: {}",
            first_bad.as_deref().unwrap_or_default()
        );
    }
    said
}
