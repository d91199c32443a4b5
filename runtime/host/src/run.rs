//! Wires it all: the only module that names every other one.
//!
//! [`Run::prepare`] does everything that can be wrong before any work: archives are there, components load and accept
//! their settings, models can be asked. [`Run::go`] then sets the line up, last one first: a writer that puts what is
//! done in order, workers that take records past the stages, readers that bring them. Waiting for models and for bytes
//! is the runtime's; computing is the threads'. Threads end when the queues before them do, so there is no signal to
//! forget.

pub mod apply;
pub mod estimate;
mod house;
pub mod inspect;
mod parts;
mod reader;
mod stop;
mod watch;
mod worker;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{io, thread};

use crossbeam_channel::{Receiver, Sender, bounded};
use palimpsest_warc::RecordType;
use tokio::signal::unix::{SignalKind, signal};

use crate::board::{Board, BoardError, Place};
use crate::classifiers::{ClassifierError, Classifiers};
use crate::config::Plan;
use crate::llm::{self, Llm};
use crate::report::Report;
use crate::sinks;
use crate::sinks::part::Sink;
use crate::source::{self, Archive};
use crate::stages::{Level, Line, Shared, Stages, StagesError};
use crate::tokens;
use house::House;
use parts::{Done, Todo};
use reader::{Reading, Ways};
use worker::{Job, Shop, Tally};
use writer::{Order, WriteError, Written};

pub use stop::Stop;
pub use watch::Watch;

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

/// What the command line says beside the pipeline file.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// At most so many pages, from the first archives on, one archive at a time.
    pub limit: Option<u64>,
    /// No model is asked: every reply must be in the journal.
    pub replay: bool,
    /// Servers are not asked: what the journal has no reply to is noted there for a batch.
    pub batch: bool,
    /// Nothing is run afterwards, so nothing is written either.
    pub check_only: bool,
    /// Only a sample is looked at, with the replies that the journal has, if there is one.
    pub estimate_only: bool,
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
    #[error("sink.mix")]
    Mix(#[source] sinks::mix::BadMix),
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
    #[error(transparent)]
    Board(#[from] BoardError),
    #[error(transparent)]
    Classifier(ClassifierError),
    #[error("{pages} pages wait for replies of a batch")]
    Waiting { pages: u64 },
    #[error(transparent)]
    Tokenizer(tokens::vocabulary::VocabularyError),
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
        let shared = shared(&plan, &options).unwrap_or_else(|errors| {
            wrong.extend(errors.into_iter().map(Fatal::Classifier));
            Shared::alone(Classifiers::default())
        });
        let stages = Stages::load(&plan.stages, plan.run.workers, options.cache.as_deref(), shared);
        let stages = match stages.and_then(|stages| stages.routed(&plan.models).map_err(|error| vec![error]))
        {
            Ok(stages) => {
                let columns = stages.declared_columns();
                if let Err(error) = sinks::check_columns(&columns) {
                    wrong.push(Fatal::Columns(error));
                }
                if let Err(error) = sinks::check_partitions(&plan.sink.partition_by, &columns) {
                    wrong.push(Fatal::Partitions(error));
                }
                if let Some(Err(error)) =
                    plan.sink.mix.as_ref().map(|mix| sinks::mix::check(&mix.by, &columns))
                {
                    wrong.push(Fatal::Mix(error));
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
        let prepared = self.sink().and_then(|sink| Ok((self.lock(&sink)?, self.clear(&sink)?, sink)));
        let (_lock, todo, sink) = prepared.map_err(|fatal| Stopped::boxed(fatal, None))?;
        let house = House::new(self.plan.run.pages_in_flight, MAX_BYTES_IN_FLIGHT);
        let written = match self.line_up(&sink, &todo, &house) {
            Ok(written) => written,
            Err(error) => {
                // Why the writer gave up explains more than what it made others stop for.
                let fatal = match error {
                    WriteError::Sink(fatal) => Fatal::Sink(fatal),
                    WriteError::Board(error) => Fatal::Board(error),
                    WriteError::Imbalance(imbalance) => Fatal::Imbalance(imbalance),
                };
                return Err(Stopped::boxed(fatal, None));
            }
        };
        let waited = house.waited();
        let mut parts = todo.kept;
        parts.extend(written.finished.into_iter().map(|(archive, finished)| (archive, finished, false)));
        parts.sort_by_key(|(archive, finished, _)| (*archive, finished.start.offset));
        if 0 < written.waiting {
            self.stop.set(Fatal::Waiting { pages: written.waiting });
        }
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
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let written =
                    writer::write(&to_write, sink, &self.stages, self.plan.sink.mix.as_ref(), &self.watch);
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
}

/// Waits for something that has nothing to do with a run's pages.
pub fn wait<T>(what: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(what))
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

/// What the stages of the run have in common.
fn shared(plan: &Plan, options: &Options) -> Result<Shared, Vec<ClassifierError>> {
    let classifiers = Classifiers::open(&plan.classifiers)?;
    let mut hasher = blake3::Hasher::new();
    parts::add_inputs(plan, &mut |text| {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    });
    let notes = Board::beside(&plan.run.journal);
    let place = if options.check_only || options.sink_only || options.estimate_only {
        Place::Memory
    } else if options.replay {
        Place::Replay(notes)
    } else {
        Place::File(notes)
    };
    let board = Arc::new(Board::new(place));
    Ok(Shared { board, classifiers: Arc::new(classifiers), salt: *hasher.finalize().as_bytes() })
}

fn open_models(
    runtime: &tokio::runtime::Runtime,
    plan: &Plan,
    options: &Options,
) -> Result<(Llm, Vec<String>), llm::Fatal> {
    let mode = match (options.replay, options.batch) {
        (true, _) => llm::Mode::Replay,
        (false, true) => llm::Mode::Batch,
        (false, false) => llm::Mode::Live,
    };
    runtime.block_on(async {
        let mut journal = plan.run.journal.as_path();
        let mut models = plan.models.as_slice();
        if options.estimate_only {
            // A journal that is in use, or is none, is as good as none.
            let opened = Llm::open(models, &plan.budget, journal, llm::Mode::Replay).await;
            if let Ok(llm) = opened {
                return Ok((llm, Vec::new()));
            }
        }
        if options.check_only || options.sink_only || options.estimate_only {
            journal = Path::new(NO_JOURNAL);
        }
        if options.sink_only || options.estimate_only {
            models = &[];
        }
        let llm = Llm::open(models, &plan.budget, journal, mode).await?;
        let warnings = llm.probe().await?;
        Ok((llm, warnings))
    })
}
