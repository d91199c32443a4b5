//! `palimpsest apply`: one plugin on documents from standard input.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use palimpsest::classifiers::Classifiers;
use palimpsest::config::{FileTable, StagePlan};
use palimpsest::run::apply::{ApplyError, Input, apply as judge};
use palimpsest::stages;

use crate::args::ApplyArgs;
use crate::exit::{self, Failure};
use crate::plan;

pub(crate) fn apply(args: &ApplyArgs) -> Result<ExitCode, Failure> {
    let settings = serde_json::from_str(&args.settings)
        .map_err(|error| Failure::wrong(format!("--settings is no JSON object: {error}")))?;
    let mut stage = StagePlan::alone(&args.plugin, &settings, &stages::built_in()).map_err(Failure::wrong)?;
    stage.models.extend(args.model.iter().cloned());
    stage.files = tables(&args.file);
    let classifiers = Classifiers::open(&tables(&args.classifier));
    let classifiers =
        classifiers.map_err(|errors| Failure::Wrong(errors.into_iter().map(Into::into).collect()))?;
    stage.classifiers.extend(args.classifier.iter().map(|(name, _)| name.clone()));
    if let Some(ms) = args.timeout_ms {
        stage.timeout = Duration::from_millis(ms.get().into());
    }
    if let Some(mb) = args.memory_mb {
        stage.memory_bytes = (mb.get() as usize) << 20;
    }
    let mut replies = args.replies.as_deref().map(open).transpose()?;
    let mut out = BufWriter::new(io::stdout().lock());
    let done = judge(
        (stage, classifiers),
        plan::cache().as_deref(),
        Input {
            documents: io::stdin().lock(),
            replies: replies.as_mut().map(|replies| replies as &mut dyn BufRead),
        },
        &mut out,
        &mut |line| exit::say(&format!("{}: {}", line.stage, line.message)),
    );
    match done {
        Ok(()) => Ok(exit::FINE),
        Err(ApplyError::Io(error)) => Err(Failure::world(error)),
        Err(ApplyError::Load(errors)) => Err(Failure::Wrong(errors.into_iter().map(Into::into).collect())),
        Err(error @ (ApplyError::Line { .. } | ApplyError::Document { .. } | ApplyError::TooLong { .. })) => {
            Err(Failure::wrong(error))
        }
    }
}

fn tables(named: &[(String, PathBuf)]) -> BTreeMap<String, FileTable> {
    let table = |path: &PathBuf| FileTable { path: path.clone(), sha256: None };
    named.iter().map(|(name, path)| (name.clone(), table(path))).collect()
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let file = File::open(path);
    file.map(BufReader::new)
        .map_err(|error| Failure::wrong(format!("cannot open the replies `{}`: {error}", path.display())))
}
