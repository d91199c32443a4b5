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

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use crossbeam_channel::{Receiver, Sender, bounded};
use palimpsest_warc::RecordType;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Backend, Plan};
use crate::ledger::Ledger;
use crate::llm::{self, Llm};
use crate::report::{Facts, ModelUse, PartLine, Report};
use crate::sinks::{self, part};
use crate::source;
use crate::stages::{Line, Stages, StagesError};
use house::House;
use reader::{Reading, Ways};
use worker::{Job, Shop, Tally};
use writer::{Order, WriteError, Writing, Written};

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
const IDENTITY_VERSION: u32 = 1;

/// What the command line says beside the pipeline file.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// At most so many pages, from the first archives on, one archive at a time.
    pub limit: Option<u64>,
    /// No model is asked: every reply must be in the journal.
    pub replay: bool,
    /// Nothing is run afterwards, so nothing is written either.
    pub check_only: bool,
    /// Parts that another pipeline has made are replaced.
    pub overwrite: bool,
    /// The user's cache folder, for compiled plugins.
    pub cache: Option<PathBuf>,
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
    #[error(transparent)]
    Model(llm::Fatal),
    #[error(transparent)]
    Sink(sinks::Fatal),
    #[error(
        "`{}` was made by another pipeline, or by other plugins; choose another sink.path, or replace it with --overwrite",
        .0.display()
    )]
    OtherPipeline(PathBuf),
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
    archives: Vec<PathBuf>,
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
        let archives = source::list(&plan.source.archives).unwrap_or_else(|errors| {
            wrong.extend(errors.into_iter().map(Fatal::Source));
            Vec::new()
        });
        let stages = match Stages::load(&plan.stages, plan.run.workers, options.cache.as_deref()) {
            Ok(stages) => {
                if let Err(error) = sinks::check_columns(&stages.declared_columns()) {
                    wrong.push(Fatal::Columns(error));
                }
                Some(stages)
            }
            Err(errors) => {
                wrong.extend(errors.into_iter().map(Fatal::Stages));
                None
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .thread_name("wait")
            .enable_all()
            .build()
            .map_err(|error| wrong.push(Fatal::Thread(error)));
        let (Some(stages), Ok(runtime), true) = (stages, runtime, wrong.is_empty()) else {
            return Err(Unprepared(wrong));
        };
        let (llm, warnings) =
            open_models(&runtime, &plan, &options).map_err(|fatal| Unprepared(vec![Fatal::Model(fatal)]))?;
        let (said, lines) = bounded(LINES);
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
            archives,
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

    pub fn archives(&self) -> &[PathBuf] {
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
        let writing = self.writing();
        let todo = self.todo(&writing).map_err(|fatal| Stopped::boxed(fatal, None))?;
        let house = House::new(self.plan.run.pages_in_flight, MAX_BYTES_IN_FLIGHT);
        let written = match self.line_up(&writing, &todo, &house) {
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
        let report = self.report(&writing, &todo, &written, (begun.elapsed(), waited));
        let path = self.plan.sink.path.join("report.json");
        let published = part::publish(&path, &report.to_json());
        if let Some(fatal) = self.stop.take() {
            return Err(Stopped::boxed(fatal, Some(report)));
        }
        published.map_err(|fatal| Stopped::boxed(Fatal::Sink(fatal), Some(report.clone())))?;
        Ok(report)
    }

    fn writing(&self) -> Writing {
        let names: Vec<_> = self.archives.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        let pipeline = self.identity();
        let limit = self.options.limit.map_or_else(|| "all".to_owned(), |limit| limit.to_string());
        let identities = self.archives.iter().map(|path| {
            let length = path.metadata().map_or(0, |metadata| metadata.len());
            let archive = blake3::hash(format!("{length} {}", path.display()).as_bytes());
            // The pipeline stands apart: another one's rows are not written over unasked, another archive's are.
            format!("{pipeline} {} {limit}", archive.to_hex())
        });
        Writing {
            sink: self.plan.sink.path.clone(),
            stems: part::stems(&names),
            identities: identities.collect(),
            stages: self.stages.stages().iter().map(|stage| stage.name().to_owned()).collect(),
            columns: self.stages.declared_columns(),
            rejects: self.plan.sink.rejects,
        }
    }

    /// A digest of everything in the pipeline that decides the rows of an archive.
    fn identity(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut add = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        };
        add(&format!("{IDENTITY_VERSION} {} {}", self.plan.seed, self.plan.sink.rejects));
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

    /// What is left to do: archives whose parts are not there yet.
    fn todo(&self, writing: &Writing) -> Result<Todo, Fatal> {
        let mut todo = Todo { kept: Vec::new(), archives: Vec::new(), left: self.options.limit };
        let mut in_all = 0;
        for (archive, identity) in writing.identities.iter().enumerate() {
            if todo.left == Some(0) {
                break;
            }
            let path = part::data_path(&writing.sink, &writing.stems[archive]);
            match part::finished(&writing.sink, &writing.stems[archive]).map_err(Fatal::Sink)? {
                Some(finished) if finished.identity == *identity => {
                    todo.left = todo.left.map(|left| left.saturating_sub(finished.ledger.pages.taken));
                    todo.kept.push((archive, finished));
                }
                Some(other)
                    if pipeline_of(&other.identity) != pipeline_of(identity) && !self.options.overwrite =>
                {
                    return Err(Fatal::OtherPipeline(path));
                }
                Some(_) | None => {
                    in_all += self.archives[archive].metadata().map_or(0, |metadata| metadata.len());
                    todo.archives.push(archive);
                }
            }
        }
        self.watch.bytes_in_all.store(in_all, Ordering::Relaxed);
        self.watch.pages_in_all.store(todo.left.unwrap_or(0), Ordering::Relaxed);
        Ok(todo)
    }

    fn line_up(&self, writing: &Writing, todo: &Todo, house: &Arc<House>) -> Result<Written, WriteError> {
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
            todo: &todo.archives,
            next: AtomicUsize::new(0),
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
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let written = writer::write(&to_write, writing, &self.watch);
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

    fn report(
        &self,
        writing: &Writing,
        todo: &Todo,
        written: &Written,
        times: (Duration, Duration),
    ) -> Report {
        let (took, waited) = times;
        let mut sum = Ledger::new(writing.stages.iter().map(String::as_str));
        let mut parts = Vec::new();
        let kept = todo.kept.iter().map(|(archive, finished)| (*archive, finished, true));
        let fresh = written.finished.iter().map(|(archive, finished)| (*archive, finished, false));
        for (archive, finished, kept) in kept.chain(fresh) {
            sum.add(&finished.ledger);
            parts.push((
                archive,
                PartLine {
                    part: writing.stems[archive].clone(),
                    archive: self.archives[archive].to_string_lossy().into_owned(),
                    rows: finished.rows,
                    bytes: finished.data_bytes,
                    kept,
                },
            ));
        }
        parts.sort_by_key(|(archive, _)| *archive);
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
            finished: !self.stop.is_set(),
            replay: self.options.replay,
            seconds: took.as_secs_f64(),
            source_waited_seconds: waited.as_secs_f64(),
            stage_seconds: written.took.iter().map(Duration::as_secs_f64).collect(),
            models: models.collect(),
            parts: parts.into_iter().map(|(_, part)| part).collect(),
        };
        Report::new(facts, &sum, &written.ledger)
    }
}

/// What is left to do and what is done.
struct Todo {
    kept: Vec<(usize, part::Finished)>,
    archives: Vec<usize>,
    /// Pages that the limit leaves.
    left: Option<u64>,
}

/// The part of an identity that a limit does not change.
fn pipeline_of(identity: &str) -> &str {
    identity.split(' ').next().unwrap_or(identity)
}

fn open_models(
    runtime: &tokio::runtime::Runtime,
    plan: &Plan,
    options: &Options,
) -> Result<(Llm, Vec<String>), llm::Fatal> {
    let mode = if options.replay { llm::Mode::Replay } else { llm::Mode::Live };
    runtime.block_on(async {
        let journal = if options.check_only { Path::new(NO_JOURNAL) } else { &plan.run.journal };
        let llm = Llm::open(&plan.models, journal, mode).await?;
        let warnings = llm.probe().await?;
        Ok((llm, warnings))
    })
}
