//! Wires it all: the only module that names every other one.
//!
//! [`Run::prepare`] does everything that can be wrong before any work: archives are there, components load and accept
//! their settings, models can be asked. [`Run::go`] then sets the line up, last one first: a writer that puts what is
//! done in order, workers that take records past the stages, readers that bring them. Waiting for models and for bytes
//! is the runtime's; computing is the threads'. Threads end when the queues before them do, so there is no signal to
//! forget.

pub mod apply;
mod house;
pub mod inspect;
mod reader;
mod stop;
mod worker;
mod writer;

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use std::{io, thread};

use crossbeam_channel::{Receiver, Sender, bounded};
use palimpsest_warc::RecordType;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{self, Backend, Plan};
use crate::ledger::Ledger;
use crate::llm::{self, Llm};
use crate::report::{Facts, ModelUse, PartLine, Report};
use crate::sinks::card::{self, Dataset};
use crate::sinks::commit::{self, Finished, Swept};
use crate::sinks::part::{self, Sink};
use crate::sinks::{self, Format, Table};
use crate::source::{self, Archive};
use crate::stages::{Level, Line, Stages, StagesError};
use crate::store::{Access, Store};
use house::House;
use reader::{Reading, Task, Ways};
use worker::{Job, Shop, Tally};
use writer::{Order, WriteError, Written};

pub use stop::Stop;

/// The pages between source and sink may take so many bytes, captures and texts together: a few hundred pages of the
/// largest size, and far below what a machine that runs this has.
const MAX_BYTES_IN_FLIGHT: usize = 512 << 20;
/// Orders for the writer: enough that a worker does not wait for one row to be compressed, and no more.
const ORDERS: usize = 64;
/// Lines of plugins that nobody has read yet; further ones are counted and thrown away.
const LINES: usize = 256;
/// Guests run on their worker's stack; this is several times what one may have of it.
const WORKER_STACK_BYTES: usize = 8 << 20;
/// Tasks of the runtime only wait and parse replies.
const RUNTIME_THREADS: usize = 2;
/// SQLite's name for a journal that is kept nowhere.
const NO_JOURNAL: &str = ":memory:";
/// What of a stage and a model decides the rows; a new number makes every finished part another pipeline's.
const IDENTITY_VERSION: u32 = 2;
/// A store that is down comes back within minutes; each request for it is tried this often, for four minutes at most.
const SINK_RETRIES: usize = 20;
/// In the sink's folder: whoever holds it is the only one to run there.
const LOCK: &str = "_lock";
const REPORT: &str = "report.json";
const MANIFEST: &str = "manifest.json";
/// What dataset hubs show, and where loaders look for the files.
const CARD: &str = "README.md";

/// What the command line says beside the pipeline file.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// At most so many pages, from the first archives on, one archive at a time.
    pub limit: Option<u64>,
    /// No model is asked: every reply must be in the journal.
    pub replay: bool,
    /// Nothing is run afterwards, so nothing is written either.
    pub check_only: bool,
    /// Only the sink is looked after, so no model is opened.
    pub sink_only: bool,
    /// Parts that another pipeline has made are replaced.
    pub overwrite: bool,
    /// The user's cache folder, for compiled plugins.
    pub cache: Option<PathBuf>,
    /// What time it is, since 1970: attempts are told apart by it, and dead ones known.
    pub now: Duration,
    /// Settings of stores that the environment has, as from [`crate::store::of_environment`].
    pub storage: Vec<(String, String)>,
}

/// Why a run does not begin, or does not end.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    #[error(transparent)]
    Source(source::Fatal),
    #[error(transparent)]
    Stages(StagesError),
    #[error(transparent)]
    Columns(sinks::BadColumn),
    #[error("sink.partition_by")]
    Partitions(#[source] sinks::BadPartition),
    #[error(transparent)]
    Model(llm::Fatal),
    #[error(transparent)]
    Sink(#[from] sinks::Fatal),
    #[error(
        "the part `{0}` was made by another pipeline, or by other plugins; choose another sink.path, or replace it with \
         --overwrite"
    )]
    OtherPipeline(String),
    #[error("another run is writing to `{0}`; two runs need two sinks")]
    Busy(String),
    #[error(
        "the stage `{stage}` failed on {failed} of {tried} documents, more than its `max_failed` allows; the rejects say \
         on which"
    )]
    StageFails { stage: String, failed: u64, tried: u64 },
    #[error("interrupted")]
    Interrupted,
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    #[error(transparent)]
    Imbalance(crate::ledger::Imbalance),
}

/// Everything that is wrong before a run has begun.
#[derive(Debug, thiserror::Error)]
#[error("{} things are wrong", .0.len())]
pub struct Unprepared(pub Vec<Fatal>);

/// A run that did not come to its end, and what it did until then.
#[derive(Debug)]
pub struct Stopped {
    pub fatal: Fatal,
    /// None if it did not even begin, or if nothing can be said of what was written.
    pub report: Option<Report>,
}

impl Stopped {
    fn boxed(fatal: Fatal, report: Option<Report>) -> Box<Self> {
        Box::new(Self { fatal, report })
    }
}

/// A run that is ready to go.
#[derive(Debug)]
pub struct Run {
    plan: Plan,
    options: Options,
    archives: Vec<Archive>,
    stages: Arc<Stages>,
    llm: Arc<Llm>,
    runtime: tokio::runtime::Runtime,
    watch: Arc<Watch>,
    lines: Receiver<Line>,
    stop: Arc<Stop>,
    warnings: Vec<String>,
}

/// What can be seen of a run from outside while it goes.
#[derive(Debug)]
pub struct Watch {
    ledger: Mutex<Option<Ledger>>,
    bytes_read: AtomicU64,
    bytes_in_all: AtomicU64,
    records_read: AtomicU64,
    /// Pages that a limit leaves this run; 0 without one.
    pages_in_all: AtomicU64,
    lines: Sender<Line>,
    lines_lost: AtomicU64,
}

impl Watch {
    fn publish(&self, ledger: &Ledger) {
        *self.ledger.lock().unwrap_or_else(PoisonError::into_inner) = Some(ledger.clone());
    }

    fn say(&self, line: Line) {
        if self.lines.try_send(line).is_err() {
            self.lines_lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The books of what is done so far in this run.
    pub fn ledger(&self) -> Option<Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How far the run is, from 0 to 1: of the pages of a limit, or of the archives' bytes, those that are done. What is
    /// read and still waits for a model is not.
    #[expect(clippy::cast_precision_loss, reason = "an estimate for people needs no 53 bits")]
    pub fn share(&self) -> Option<f64> {
        let ledger = self.ledger()?;
        let share = |part: u64, whole: u64| (0 < part && part <= whole).then(|| part as f64 / whole as f64);
        let pages = self.pages_in_all.load(Ordering::Relaxed);
        if 0 < pages {
            return share(ledger.pages.taken, pages);
        }
        let read = share(self.bytes_read.load(Ordering::Relaxed), self.bytes_in_all.load(Ordering::Relaxed))?;
        Some(read * share(ledger.total.read, self.records_read.load(Ordering::Relaxed))?)
    }

    /// Lines of plugins that came faster than they were read.
    pub fn lines_lost(&self) -> u64 {
        self.lines_lost.load(Ordering::Relaxed)
    }
}

impl Run {
    /// Loads and checks everything that the plan names.
    pub fn prepare(plan: Plan, options: Options) -> Result<Self, Unprepared> {
        let mut wrong = Vec::new();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .thread_name("wait")
            .enable_all()
            .build()
            .map_err(|error| Unprepared(vec![Fatal::Thread(error)]))?;
        let (said, lines) = bounded(LINES);
        let listing =
            runtime.block_on(source::list(&wanted(&plan, &options, &said))).unwrap_or_else(|errors| {
                wrong.extend(errors.into_iter().map(Fatal::Source));
                source::Listing::default()
            });
        let stages = match Stages::load(&plan.stages, plan.run.workers, options.cache.as_deref()) {
            Ok(stages) => {
                let columns = stages.declared_columns();
                if let Err(error) = sinks::check_columns(&columns) {
                    wrong.push(Fatal::Columns(error));
                }
                if let Err(error) = sinks::check_partitions(&plan.sink.partition_by, &columns) {
                    wrong.push(Fatal::Partitions(error));
                }
                Some(stages)
            }
            Err(errors) => {
                wrong.extend(errors.into_iter().map(Fatal::Stages));
                None
            }
        };
        let (Some(stages), true) = (stages, wrong.is_empty()) else {
            return Err(Unprepared(wrong));
        };
        let (llm, more) =
            open_models(&runtime, &plan, &options).map_err(|fatal| Unprepared(vec![Fatal::Model(fatal)]))?;
        let mut warnings = listing.notes;
        warnings.extend(more);
        let watch = Watch {
            ledger: Mutex::new(None),
            bytes_read: AtomicU64::new(0),
            bytes_in_all: AtomicU64::new(0),
            records_read: AtomicU64::new(0),
            pages_in_all: AtomicU64::new(0),
            lines: said,
            lines_lost: AtomicU64::new(0),
        };
        let llm = Arc::new(llm);
        Ok(Self {
            plan,
            options,
            archives: listing.archives,
            stages: Arc::new(stages),
            stop: Arc::new(Stop::new(Arc::clone(&llm))),
            llm,
            runtime,
            watch: Arc::new(watch),
            lines,
            warnings,
        })
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn stages(&self) -> &Stages {
        &self.stages
    }

    pub fn archives(&self) -> &[Archive] {
        &self.archives
    }

    /// What looks wrong but need not be.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }

    pub fn llm(&self) -> Arc<Llm> {
        Arc::clone(&self.llm)
    }

    pub fn stop(&self) -> Arc<Stop> {
        Arc::clone(&self.stop)
    }

    /// Calls `told` at every Ctrl-C and every termination signal, with how many there were by then.
    pub fn on_interrupt(&self, told: impl Fn(&Arc<Stop>, u32) + Send + Sync + 'static) {
        let stop = self.stop();
        self.runtime.spawn(async move {
            let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
            for times in 1.. {
                tokio::select! {
                    pressed = tokio::signal::ctrl_c() => if pressed.is_err() { return },
                    _ = terminate.recv() => {}
                }
                told(&stop, times);
            }
        });
    }

    /// What the plugins say, as they say it.
    pub fn lines(&self) -> Receiver<Line> {
        self.lines.clone()
    }

    /// Runs to the end, or as far as it gets. The report is written in both cases, and says which it was.
    pub fn go(self) -> Result<Report, Box<Stopped>> {
        let begun = Instant::now();
        let prepared = self.sink().and_then(|sink| Ok((self.lock(&sink)?, self.todo(&sink)?, sink)));
        let (_lock, todo, sink) = prepared.map_err(|fatal| Stopped::boxed(fatal, None))?;
        let house = House::new(self.plan.run.pages_in_flight, MAX_BYTES_IN_FLIGHT);
        let written = match self.line_up(&sink, &todo, &house) {
            Ok(written) => written,
            Err(error) => {
                // Why the writer gave up explains more than what it made others stop for.
                let fatal = match error {
                    WriteError::Sink(fatal) => Fatal::Sink(fatal),
                    WriteError::Imbalance(imbalance) => Fatal::Imbalance(imbalance),
                };
                return Err(Stopped::boxed(fatal, None));
            }
        };
        let waited = house.waited();
        let mut parts = todo.kept;
        parts.extend(written.finished.into_iter().map(|(archive, finished)| (archive, finished, false)));
        parts.sort_by_key(|(archive, finished, _)| (*archive, finished.start.offset));
        let finished = !self.stop.is_set();
        let done = Done { parts, ledger: written.ledger, took: written.took };
        let report = self.report(&done, finished, (begun.elapsed(), waited));
        let published = self.publish(&sink, &done, &report);
        if let Some(fatal) = self.stop.take() {
            return Err(Stopped::boxed(fatal, Some(report)));
        }
        published.map_err(|fatal| Stopped::boxed(Fatal::Sink(fatal), Some(report.clone())))?;
        Ok(report)
    }

    /// Writes report, dataset card and manifest for the parts that are there, whoever has made them, and says how many
    /// archives are not done.
    pub fn finalize(self) -> Result<(Report, usize), Fatal> {
        let sink = self.sink()?;
        let todo = self.todo(&sink)?;
        let open = todo.tasks.len();
        let stages = self.stages.stages().iter().map(|stage| stage.name());
        let done = Done { parts: todo.kept, ledger: Ledger::new(stages), took: Vec::new() };
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

    fn sink(&self) -> Result<Arc<Sink>, Fatal> {
        let plan = &self.plan.sink;
        let mut settings = self.options.storage.clone();
        settings.extend(plan.storage.clone());
        let access = Access { settings, retries: SINK_RETRIES, single_writer: plan.single_writer };
        let store = Store::open(&plan.path, &access).map_err(|fatal| Fatal::Sink(fatal.into()))?;
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
    fn lock(&self, sink: &Sink) -> Result<Option<File>, Fatal> {
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

    fn publish(&self, sink: &Sink, done: &Done, report: &Report) -> Result<(), sinks::Fatal> {
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
        add(&format!(
            "{IDENTITY_VERSION} {} {} {:?} {}",
            self.plan.seed, sink.rejects, sink.format, sink.part_bytes
        ));
        sink.partition_by.iter().for_each(|column| add(column));
        self.plan.source.records.iter().for_each(|kind| add(kind));
        for stage in self.stages.stages() {
            let plan = stage.plan();
            add(stage.name());
            add(&stage.digest());
            add(&plan.settings);
            add(&format!("{} {}", plan.rounds, plan.prompts));
        }
        for model in &self.plan.models {
            add(&model.name);
            match &model.backend {
                Backend::Endpoint { model, .. } => add(model),
                Backend::Embedded { name, context } => add(&format!("{name} {context}")),
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

    /// What is left to do: archives whose parts are not all there.
    fn todo(&self, sink: &Sink) -> Result<Todo, Fatal> {
        let there = self.runtime.block_on(commit::finished(&sink.store))?;
        let names: Vec<_> = self.archives.iter().map(|archive| archive.name.as_str()).collect();
        let pipeline = self.identity();
        let mut todo = Todo { kept: Vec::new(), tasks: Vec::new(), left: self.options.limit };
        let mut in_all = Some(0);
        for (archive, stem) in part::stems(&names).into_iter().enumerate() {
            if todo.left == Some(0) {
                break;
            }
            let identity = self.identity_of(&pipeline, &self.archives[archive]);
            let mut task = Task { archive, stem, identity, finished: BTreeMap::new() };
            for (number, name, finished) in part::of_stem(&there, &task.stem) {
                if finished.identity == task.identity {
                    todo.left = todo.left.map(|left| left.saturating_sub(finished.ledger.pages.taken));
                    task.finished.insert(number, finished.next.clone());
                    todo.kept.push((archive, finished.clone(), true));
                } else if pipeline_of(&finished.identity) != pipeline && !self.options.overwrite {
                    return Err(Fatal::OtherPipeline(name.to_owned()));
                } else {
                    self.runtime.block_on(commit::retire(&sink.store, name))?;
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

    fn line_up(&self, sink: &Arc<Sink>, todo: &Todo, house: &Arc<House>) -> Result<Written, WriteError> {
        let run = &self.plan.run;
        let (orders, to_write) = bounded::<Order>(ORDERS);
        let (fresh, to_begin) = bounded::<Job>(run.workers);
        let (resumed, to_resume) = bounded::<Job>(run.pages_in_flight);
        let shop = Shop {
            stages: Arc::clone(&self.stages),
            llm: Arc::clone(&self.llm),
            runtime: self.runtime.handle().clone(),
            stop: Arc::clone(&self.stop),
            watch: Arc::clone(&self.watch),
            tallies: self.stages.stages().iter().map(|_| Tally::default()).collect(),
        };
        let reading = Reading {
            archives: &self.archives,
            todo: &todo.tasks,
            next: AtomicUsize::new(0),
            parts: AtomicUsize::new(0),
            part_bytes: self.plan.sink.part_bytes,
            left: Mutex::new(todo.left),
            wanted: self.plan.source.records.iter().map(|name| RecordType::from(name.as_str())).collect(),
            seed: self.plan.seed,
            house: Arc::clone(house),
            runtime: self.runtime.handle().clone(),
            stop: Arc::clone(&self.stop),
            watch: Arc::clone(&self.watch),
        };
        // A limit is counted over all archives, so that only reading them one after another makes it the same pages.
        let readers = if self.options.limit.is_some() { 1 } else { self.plan.source.at_once };
        let stages: Vec<_> = self.stages.stages().iter().map(|stage| stage.name().to_owned()).collect();
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let written = writer::write(&to_write, sink, &stages, &self.watch);
                // Without a writer nothing is worth doing; dropping its queue tells the others.
                drop(to_write);
                if written.is_err() {
                    self.stop.halt();
                }
                written
            });
            for number in 0..run.workers {
                let (shop, orders) = (&shop, orders.clone());
                let (to_begin, to_resume) = (to_begin.clone(), to_resume.clone());
                let begun = thread::Builder::new()
                    .name(format!("worker-{number}"))
                    .stack_size(WORKER_STACK_BYTES)
                    .spawn_scoped(scope, move || worker::work(shop, to_begin, to_resume, &orders));
                if let Err(error) = begun {
                    self.stop.set(Fatal::Thread(error));
                }
            }
            for _ in 0..readers {
                let (reading, fresh) = (&reading, fresh.clone());
                let (resumed, orders) = (resumed.clone(), orders.clone());
                scope
                    .spawn(move || reading.read(&Ways { fresh: &fresh, resumed: &resumed, orders: &orders }));
            }
            drop((orders, fresh, resumed, to_begin, to_resume));
            writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn report(&self, done: &Done, finished: bool, times: (Duration, Duration)) -> Report {
        let (took, waited) = times;
        let mut sum = Ledger::new(self.stages.stages().iter().map(|stage| stage.name()));
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
            completion_tokens: counters.completion_tokens,
            dollars: counters.dollars,
        });
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
            parts,
        };
        Report::new(facts, &sum, &done.ledger)
    }
}

/// What is left to do and what is done.
struct Todo {
    /// Parts with their archives, as in [`Done`].
    kept: Vec<(usize, Finished, bool)>,
    tasks: Vec<Task>,
    /// Pages that the limit leaves.
    left: Option<u64>,
}

/// What is there at the end.
struct Done {
    /// Parts with their archives, and whether they were there before.
    parts: Vec<(usize, Finished, bool)>,
    /// The books of this run, unfinished parts included.
    ledger: Ledger,
    /// Time spent in each stage, by all workers.
    took: Vec<Duration>,
}

/// The part of an identity that a limit does not change.
fn pipeline_of(identity: &str) -> &str {
    identity.split(' ').next().unwrap_or(identity)
}

fn wanted(plan: &Plan, options: &Options, said: &Sender<Line>) -> source::Wanted {
    let mut storage = options.storage.clone();
    storage.extend(plan.source.storage.clone());
    let said = said.clone();
    let tell = move |message| {
        // A queue that is full has enough to read.
        drop(said.try_send(Line { stage: "source".into(), level: Level::Warn, message }));
    };
    source::Wanted {
        archives: plan.source.archives.clone(),
        base: plan.source.base.clone(),
        allow_private: plan.source.allow_private,
        storage,
        common_crawl: plan.source.common_crawl.clone(),
        fetch: source::Fetch { seed: plan.seed, said: source::Said::new(tell), ..source::Fetch::default() },
    }
}

fn open_models(
    runtime: &tokio::runtime::Runtime,
    plan: &Plan,
    options: &Options,
) -> Result<(Llm, Vec<String>), llm::Fatal> {
    let mode = if options.replay { llm::Mode::Replay } else { llm::Mode::Live };
    runtime.block_on(async {
        let no_journal = options.check_only || options.sink_only;
        let journal = if no_journal { Path::new(NO_JOURNAL) } else { &plan.run.journal };
        let models = if options.sink_only { &[] } else { plan.models.as_slice() };
        let llm = Llm::open(models, journal, mode).await?;
        let warnings = llm.probe().await?;
        Ok((llm, warnings))
    })
}
