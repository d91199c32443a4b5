//! The sink of a run: what is there, what is left to do, and what is said of it at the end.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use super::reader::Task;
use super::writer::places;
use super::{Fatal, Run};
use crate::config::{self, Backend, MixPlan, Plan};
use crate::ledger::Ledger;
use crate::report::{Facts, ModelUse, PartLine, Report, Spent};
use crate::sinks::card::{self, Dataset};
use crate::sinks::commit::{self, Finished, Swept};
use crate::sinks::part::{self, Sink};
use crate::sinks::{self, Format, Table};
use crate::source::Archive;
use crate::store::{self, Access, Store};

/// What of a stage and a model decides the rows; a new number makes every finished part another pipeline's.
const IDENTITY_VERSION: u32 = 4;
/// A store that is down comes back within minutes; each request for it is tried this often, for four minutes at most.
const SINK_RETRIES: usize = 100;
/// The same before any work: what cannot be reached then is more likely named wrongly.
const FIRST_RETRIES: usize = 4;
/// In the sink's folder: whoever holds it is the only one to run there.
const LOCK: &str = "_lock";
const REPORT: &str = "report.json";
const MANIFEST: &str = "manifest.json";
/// What dataset hubs show, and where loaders look for the files.
const CARD: &str = "README.md";

/// What is left to do and what is done.
pub(super) struct Todo {
    /// Parts with their archives, as in [`Done`].
    pub(super) kept: Vec<(usize, Finished, bool)>,
    pub(super) tasks: Vec<Task>,
    /// Parts of the same names that were made of another archive, with another limit, or by a pipeline that is to be
    /// written over.
    stale: Vec<String>,
    /// Pages that the limit leaves.
    pub(super) left: Option<u64>,
}

/// What is there at the end.
pub(super) struct Done {
    /// Parts with their archives, and whether they were there before.
    pub(super) parts: Vec<(usize, Finished, bool)>,
    /// The books of this run, unfinished parts included.
    pub(super) ledger: Ledger,
    /// Time spent in each stage, by all workers.
    pub(super) took: Vec<Duration>,
}

impl Run {
    /// Writes report, dataset card and manifest for the parts that are there, whoever has made them, and says how many
    /// archives are not done.
    pub fn finalize(self) -> Result<(Report, usize), Fatal> {
        let sink = self.sink()?;
        let there = self.runtime.block_on(commit::look(&sink.store))?;
        let todo = self.todo(&there.parts)?;
        let open = todo.tasks.len();
        let ledger = Ledger::new(places(&self.stages, self.plan.sink.mix.as_ref()));
        let done = Done { parts: todo.kept, ledger, took: Vec::new() };
        let report = self.report(&done, open == 0, (Duration::ZERO, Duration::ZERO));
        self.publish(&sink, &done, &report)?;
        Ok((report, open))
    }

    /// Takes away what attempts have left in the sink that came to nothing and wrote nothing for `idle`.
    pub fn sweep(self, idle: Duration) -> Result<Swept, Fatal> {
        let sink = self.sink()?;
        self.sweep_sink(&sink, idle)
    }

    fn sweep_sink(&self, sink: &Sink, idle: Duration) -> Result<Swept, Fatal> {
        let now = SystemTime::UNIX_EPOCH + self.options.now;
        Ok(self.runtime.block_on(commit::sweep(&sink.store, now, idle))?)
    }

    pub(super) fn sink(&self) -> Result<Arc<Sink>, Fatal> {
        let plan = &self.plan.sink;
        let mut settings = self.options.storage.clone();
        settings.extend(plan.storage.clone());
        let failed = |fatal: store::Fatal| Fatal::Sink(fatal.into());
        let mut access = Access { settings, retries: FIRST_RETRIES, single_writer: plan.single_writer };
        let store = Store::open(&plan.path, &access).map_err(failed)?;
        self.runtime.block_on(store.size(REPORT)).map_err(failed)?;
        access.retries = SINK_RETRIES;
        let store = Store::open(&plan.path, &access).map_err(failed)?;
        let format = match plan.format {
            config::Format::JsonlZst => Format::JsonlZst,
            config::Format::Parquet => Format::Parquet,
            config::Format::Warc => Format::Warc,
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&std::process::id().to_le_bytes());
        hasher.update(&self.options.now.as_nanos().to_le_bytes());
        Ok(Arc::new(Sink {
            store,
            runtime: self.runtime.handle().clone(),
            format,
            table: Table::new(&self.stages.declared_columns(), &plan.partition_by),
            partition_by: plan.partition_by.clone(),
            rejects: plan.rejects,
            attempt: hasher.finalize().to_hex().as_str().chars().take(16).collect(),
        }))
    }

    /// Keeps other runs of this machine out of a folder, and takes away what killed ones have left there.
    pub(super) fn lock(&self, sink: &Sink) -> Result<Option<File>, Fatal> {
        let Some(path) = sink.store.on_disk(LOCK) else { return Ok(None) };
        let opened = File::options().write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(|source| {
            Fatal::Sink(sinks::Fatal::Write { path: path.display().to_string(), source })
        })?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(Fatal::Busy(sink.store.name().to_owned())),
            // File systems without locks exist; there the user has to keep two runs apart.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        self.sweep_sink(sink, Duration::ZERO)?;
        Ok(Some(file))
    }

    pub(super) fn publish(&self, sink: &Sink, done: &Done, report: &Report) -> Result<(), sinks::Fatal> {
        self.runtime.block_on(async {
            sink.store.put(REPORT, report.to_json()).await?;
            if !report.finished {
                return Ok(());
            }
            let files = done.parts.iter().flat_map(|(_, finished, _)| &finished.files);
            let files: Vec<_> = files
                .map(|file| card::File {
                    path: file.path.clone(),
                    rows: file.rows,
                    bytes: file.bytes,
                    blake3: file.blake3.clone(),
                })
                .collect();
            let dataset = Dataset {
                name: &self.plan.name,
                identity: &report.identity,
                format: sink.format,
                table: &sink.table,
                files: &files,
                total: &report.total,
                languages: &[],
            };
            let manifest = card::manifest(&dataset).map_err(|error| sinks::Fatal::Encode(error.into()))?;
            sink.store.put(MANIFEST, manifest).await?;
            sink.store.put(CARD, card::card(&dataset)).await?;
            Ok(())
        })
    }

    /// A digest of everything in the pipeline that decides the rows of an archive.
    fn identity(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut add = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        };
        let sink = &self.plan.sink;
        add(&format!("{IDENTITY_VERSION} {} {:?} {}", sink.rejects, sink.format, sink.part_bytes));
        sink.partition_by.iter().for_each(|column| add(column));
        if let Some(MixPlan { by, shares }) = &sink.mix {
            add(&format!("mix {by} {shares:?}"));
        }
        add_inputs(&self.plan, &mut add);
        for stage in self.stages.stages() {
            let plan = stage.plan();
            add(stage.name());
            add(&stage.digest());
            add(&plan.settings);
            add(&format!("{} {}", plan.rounds, plan.prompts));
            if let Some(when) = &plan.when {
                add(&format!("when {when}"));
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// What an archive's parts are made by: the pipeline, which stands apart because another one's rows are not written
    /// over unasked, and the archive and the limit. Of remote archives only the name is known for certain here; they are
    /// guarded against changes while they are read.
    fn identity_of(&self, pipeline: &str, archive: &Archive) -> String {
        let limit = self.options.limit.map_or_else(|| "all".to_owned(), |limit| limit.to_string());
        let size = archive.size.unwrap_or(0);
        let digest = blake3::hash(format!("{size} {}", archive.name).as_bytes());
        format!("{pipeline} {} {limit}", digest.to_hex())
    }

    /// What is left to do, once what is not as it should be has been taken back.
    pub(super) fn clear(&self, sink: &Sink) -> Result<Todo, Fatal> {
        let todo = self.todo(&self.runtime.block_on(commit::finished(&sink.store))?)?;
        for part in &todo.stale {
            self.runtime.block_on(commit::retire(&sink.store, part))?;
        }
        Ok(todo)
    }

    /// What is left to do: archives whose parts are not all `there`.
    fn todo(&self, there: &BTreeMap<String, Finished>) -> Result<Todo, Fatal> {
        let names: Vec<_> = self.archives.iter().map(|archive| archive.name.as_str()).collect();
        let pipeline = self.identity();
        let mut todo =
            Todo { kept: Vec::new(), tasks: Vec::new(), stale: Vec::new(), left: self.options.limit };
        let mut in_all = Some(0);
        for (archive, stem) in part::stems(&names).into_iter().enumerate() {
            if todo.left == Some(0) {
                break;
            }
            let identity = self.identity_of(&pipeline, &self.archives[archive]);
            let mut task = Task { archive, stem, identity, finished: BTreeMap::new() };
            for (number, name, finished) in part::of_stem(there, &task.stem) {
                if finished.identity == task.identity {
                    todo.left = todo.left.map(|left| left.saturating_sub(finished.ledger.pages.taken));
                    task.finished.insert(number, finished.next.clone());
                    todo.kept.push((archive, finished.clone(), true));
                } else if pipeline_of(&finished.identity) != pipeline && !self.options.overwrite {
                    return Err(Fatal::OtherPipeline(name.to_owned()));
                } else {
                    todo.stale.push(name.to_owned());
                }
            }
            if !task.is_done() {
                in_all = in_all.zip(self.archives[archive].size).map(|(sum, size)| sum + size);
                todo.tasks.push(task);
            }
        }
        self.watch.bytes_in_all.store(in_all.unwrap_or(0), Ordering::Relaxed);
        self.watch.pages_in_all.store(todo.left.unwrap_or(0), Ordering::Relaxed);
        Ok(todo)
    }

    pub(super) fn report(&self, done: &Done, finished: bool, times: (Duration, Duration)) -> Report {
        let (took, waited) = times;
        let mut sum = Ledger::new(places(&self.stages, self.plan.sink.mix.as_ref()));
        let mut parts = Vec::new();
        for (archive, finished, kept) in &done.parts {
            sum.add(&finished.ledger);
            parts.push(PartLine {
                part: finished.name.clone(),
                archive: self.archives[*archive].name.clone(),
                rows: finished.rows,
                bytes: finished.data_bytes(),
                kept: *kept,
            });
        }
        let models = self.llm.counters().into_iter().map(|(name, counters)| ModelUse {
            name,
            calls: counters.asked,
            known: counters.from_journal + counters.coalesced,
            failed: counters.refused + counters.too_long + counters.gave_up,
            prompt_tokens: counters.prompt_tokens,
            cached_tokens: counters.cached_tokens,
            completion_tokens: counters.completion_tokens,
            usage_estimated: counters.usage_estimated,
            retries: counters.retries,
            at_once: counters.at_once,
            waited_seconds: counters.waited_seconds,
            dollars: counters.dollars,
        });
        let spending = self.llm.spending();
        let facts = Facts {
            name: self.plan.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            identity: self.identity(),
            finished,
            replay: self.options.replay,
            seconds: took.as_secs_f64(),
            source_waited_seconds: waited.as_secs_f64(),
            stage_seconds: done.took.iter().map(Duration::as_secs_f64).collect(),
            models: models.collect(),
            spending: Spent {
                requests: spending.requests,
                tokens: spending.tokens,
                dollars: spending.dollars,
                dollars_unsure: spending.dollars_unsure,
            },
            parts,
        };
        Report::new(facts, &sum, &done.ledger)
    }
}

/// The part of an identity that a limit does not change.
fn pipeline_of(identity: &str) -> &str {
    identity.split(' ').next().unwrap_or(identity)
}

/// Adds what decides the rows besides stages and sink: which records are pages, and what models say.
pub(super) fn add_inputs(plan: &Plan, add: &mut dyn FnMut(&str)) {
    add(&plan.seed.to_string());
    plan.source.records.iter().for_each(|kind| add(kind));
    for model in &plan.models {
        add(&model.name);
        add(&model.served);
        if !model.extra.is_empty() {
            add(&serde_json::Value::Object(model.extra.clone()).to_string());
        }
        if let Backend::Embedded { context, .. } = &model.backend {
            add(&context.to_string());
        }
        for route in &model.routes {
            add(&format!("{} -> {}", route.when, route.to));
        }
    }
}
