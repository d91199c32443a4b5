//! A document past a stage: components are loaded, granted what the pipeline file grants, and called.
//!
//! The only module that knows WebAssembly. A [`Stages`] is made once for a run; each worker thread owns a [`Worker`]
//! with instances of its own, so nothing is shared and nothing is locked. A call either gives a [`Verdict`] or costs
//! its one document, under a fixed [`Reason`].

mod bindings;
mod built_in;
mod engine;
mod guest;
mod host;
mod passage;
mod routes;
mod wasi;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use engine::EngineError;
pub use guest::Description;
pub use passage::{Passage, Passed, Rejected, prompts};

use crate::board::{Board, BoardError, Place};
use crate::classifiers::Classifiers;
use crate::condition::{Condition, ConditionError, OWN};
use crate::config::{Isolation, ModelPlan, StagePlan};
use crate::document::{Capture, Column, Document, Draft};
use crate::prompt::{Failure, Prompt, Reply};
use engine::{Engine, Program};
use guest::Guest;
use host::Grants;
use routes::Routes;

/// The names of the stages that are built in.
pub fn built_in() -> Vec<&'static str> {
    built_in::names().collect()
}

/// What a stage says of a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Emit(Vec<Draft>),
    Drop(String),
    Ask(Vec<Ask>),
}

/// The reason in what a stage says when it drops a document, and what it measured.
pub fn reason_and_value(said: &str) -> (&str, Option<&str>) {
    match said.split_once(':') {
        Some((reason, value)) => (reason.trim(), Some(value.trim())),
        None => (said, None),
    }
}

/// A prompt as a stage puts it. Its seed is still 0: the host gives it one.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    pub prompt: Prompt,
    /// Documents that ask with the same key share one reply.
    pub share: Option<String>,
}

/// A document that a stage failed on: never an opinion about the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    pub reason: Reason,
    /// For the log and the rejects.
    pub says: String,
}

impl Failed {
    pub fn new(reason: Reason, says: String) -> Self {
        Self { reason, says }
    }
}

/// Why a stage failed on a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The guest panicked, left its memory, or called what is not there.
    Trap,
    /// The call took longer than the stage may.
    Timeout,
    StackOverflow,
    OutOfMemory,
    /// The guest handed over more bytes than it may.
    ReturnTooLarge,
    /// The guest reached for something that it was not granted.
    Denied,
    /// The notes of the run fail. The run stops: it is no fault of the stage's.
    NoBoard,
    /// `process` returned an error.
    PluginError,
    /// The verdict was to emit, with no drafts.
    NoDrafts,
    TooManyDrafts,
    TooManyRounds,
    TooManyPrompts,
    /// A draft does not keep the contract: the word says which part of it.
    Misdraft(&'static str),
}

impl Reason {
    pub fn word(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Timeout => "timeout",
            Self::StackOverflow => "stack_overflow",
            Self::OutOfMemory => "out_of_memory",
            Self::ReturnTooLarge => "return_too_large",
            Self::Denied => "denied",
            Self::NoBoard => "no_board",
            Self::PluginError => "plugin_error",
            Self::NoDrafts => "no_drafts",
            Self::TooManyDrafts => "too_many_drafts",
            Self::TooManyRounds => "too_many_rounds",
            Self::TooManyPrompts => "too_many_prompts",
            Self::Misdraft(word) => word,
        }
    }
}

/// How much an operator wants to see of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// A line that a stage wrote to its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub stage: String,
    pub level: Level,
    pub message: String,
}

/// What a stage is called with.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    pub document: &'a Document,
    pub capture: &'a Arc<Capture>,
    /// To everything that the stage asked of this document so far.
    pub replies: &'a [Result<Reply, Failure>],
    /// How often it has asked.
    pub rounds: usize,
}

/// What one call of a stage came to.
#[derive(Debug)]
pub struct Step {
    pub verdict: Result<Verdict, Failed>,
    pub lines: Vec<Line>,
    pub took: Duration,
}

/// Why a stage cannot be used at all. The run stops before any work.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the plugin `{plugin}`")]
pub struct LoadError {
    pub plugin: String,
    #[source]
    pub kind: LoadErrorKind,
}

#[derive(Debug, thiserror::Error)]
pub enum LoadErrorKind {
    #[error("no built-in stage has the name `{0}`; there are: {names}", names = built_in().join(", "))]
    NoBuiltIn(String),
    #[error("cannot read the component")]
    Read(#[source] io::Error),
    #[error("the component has {length} bytes; the limit is {limit}")]
    TooLarge { length: u64, limit: u64 },
    #[error(
        "this is no WebAssembly component: {0}; build one with `cargo build --target wasm32-wasip2`, or make one of a \
         core module with `wasm-tools component new`"
    )]
    NotAComponent(String),
    #[error("this component is no plugin of the world `palimpsest:plugin/plugin`: {0}")]
    NotAPlugin(String),
    #[error(
        "it imports `{0}`; a plugin may import `palimpsest:plugin` and, with nothing in them, WASI's cli, io, clocks, \
         random and filesystem"
    )]
    Import(String),
    #[error("`when` is no condition")]
    When(#[source] ConditionError),
    #[error("it does not start: {0}")]
    Start(String),
    #[error("it does not accept its settings: {says}; the JSON Schema of what it accepts: {schema}")]
    Settings { says: String, schema: String },
    #[error("cannot read the file `{}` that the stage is granted", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the file `{}` has the SHA-256 {found}, and the pipeline file wants {wanted}", path.display())]
    Digest { path: PathBuf, wanted: String, found: String },
}

/// What stages have in common.
#[derive(Debug, Clone)]
pub struct Shared {
    pub board: Arc<Board>,
    pub classifiers: Arc<Classifiers>,
    /// A digest of what decides the documents besides the stages themselves.
    pub salt: [u8; 32],
}

impl Shared {
    /// For stages outside of a run: notes are kept as long as this.
    #[must_use]
    pub fn alone(classifiers: Classifiers) -> Self {
        Self { board: Arc::new(Board::new(Place::Memory)), classifiers: Arc::new(classifiers), salt: [0; 32] }
    }
}

/// The loaded stages of a pipeline, in order.
#[derive(Debug)]
pub struct Stages {
    engine: Engine,
    shared: Shared,
    stages: Vec<Stage>,
    routes: Routes,
}

/// A loaded stage.
pub struct Stage {
    plan: StagePlan,
    /// Which documents it is for; all, if it is none.
    when: Option<Condition>,
    program: Program,
    pub description: Description,
    pub columns: Vec<Column>,
}

impl Stages {
    /// Loads every stage for as many workers, and lets each describe and configure itself. All that is wrong is said
    /// at once.
    pub fn load(
        plans: &[StagePlan],
        workers: usize,
        cache: Option<&Path>,
        shared: Shared,
    ) -> Result<Self, Vec<StagesError>> {
        // One spare for each stage: an instance that is thrown away may still be there when the next one is made.
        let instances = plans.len().max(1) * (workers + 1);
        let memory = plans.iter().map(|plan| plan.memory_bytes).max().unwrap_or(0);
        let engine =
            Engine::new(instances, memory, cache).map_err(|error| vec![StagesError::Engine(error)])?;
        let (mut stages, mut errors) = (Vec::new(), Vec::new());
        let mut before = blake3::Hasher::new_keyed(&shared.salt);
        for plan in plans {
            match Stage::load(&engine, plan, &shared, &mut before) {
                Ok(stage) => {
                    let written: Vec<Column> =
                        stages.iter().flat_map(|before: &Stage| before.columns.iter().cloned()).collect();
                    if let Some(when) = &stage.when {
                        errors.extend(StagesError::of_condition(&plan.name, when, &written));
                    }
                    stages.push(stage);
                }
                Err(error) => errors.push(StagesError::Load(error)),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        if stages.iter().any(|stage| stage.program.uses_board) {
            shared.board.open().map_err(|error| vec![StagesError::Board(error)])?;
        }
        Ok(Self { engine, shared, stages, routes: Routes::default() })
    }

    /// The same with the routes of these models.
    pub fn routed(self, models: &[ModelPlan]) -> Result<Self, StagesError> {
        let routes = Routes::new(models, &self.declared_columns()).map_err(StagesError::Route)?;
        Ok(Self { routes, ..self })
    }

    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Returns when what the documents told each other is as lasting as the rows that were made of it.
    pub fn flush(&self) -> Result<(), BoardError> {
        self.shared.board.flush()
    }

    /// What the stages write, one stage after another.
    pub fn declared_columns(&self) -> Vec<Column> {
        self.stages.iter().flat_map(|stage| stage.columns.iter().cloned()).collect()
    }
}

/// Why the stages of a pipeline cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StagesError {
    #[error(transparent)]
    Engine(EngineError),
    #[error(transparent)]
    Load(LoadError),
    #[error(transparent)]
    Board(BoardError),
    #[error("the condition of a route does not fit the columns of the stages")]
    Route(#[source] ConditionError),
    #[error("`when` of the stage `{stage}` does not fit what the stages before it write")]
    When { stage: String, source: ConditionError },
    #[error(
        "`when` of the stage `{stage}` is about `{name}`, which no stage before it writes; there are: {}",
        written.join(", ")
    )]
    Unwritten { stage: String, name: String, written: Vec<String> },
}

impl StagesError {
    /// What is wrong with a condition on these columns.
    fn of_condition(stage: &str, when: &Condition, written: &[Column]) -> Option<Self> {
        let stage = stage.to_owned();
        if let Some(name) = when.unwritten(written) {
            let columns = written.iter().map(|column| column.name.clone());
            let written = columns.chain(OWN.map(str::to_owned)).collect();
            return Some(Self::Unwritten { stage, name: name.to_owned(), written });
        }
        when.check(written).err().map(|source| Self::When { stage, source })
    }
}

impl Stage {
    fn load(
        engine: &Engine,
        plan: &StagePlan,
        shared: &Shared,
        before: &mut blake3::Hasher,
    ) -> Result<Self, LoadError> {
        let wrong = |kind| LoadError { plugin: plan.plugin.clone(), kind };
        let start = |failed: Failed| wrong(LoadErrorKind::Start(failed.says));
        let files = engine::read_files(&plan.files).map_err(wrong)?;
        let board = Arc::clone(&shared.board);
        let classifiers = Arc::clone(&shared.classifiers);
        let (models, callable) = (plan.models.clone(), plan.classifiers.clone());
        let grants = Grants { stage: plan.name.clone(), models, files, board, classifiers, callable };
        let when = plan.when.as_deref().map(Condition::parse).transpose();
        let when = when.map_err(|error| wrong(LoadErrorKind::When(error)))?;
        // Which documents a stage sees decides what they tell each other.
        if let Some(when) = &plan.when {
            before.update(b"when\0").update(blake3::hash(when.as_bytes()).as_bytes());
        }
        let program = engine.load(plan, grants, before)?;
        let mut guest = Guest::new(engine, &program, plan).map_err(start)?;
        let description = guest.describe().map_err(start)?;
        let columns = guest
            .configure(&plan.settings)
            .map_err(start)?
            .map_err(|says| wrong(LoadErrorKind::Settings { says, schema: description.settings.clone() }))?;
        Ok(Self { plan: plan.clone(), when, program, description, columns })
    }

    /// The stage's name in the report.
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    pub fn plan(&self) -> &StagePlan {
        &self.plan
    }

    /// Whether the stage is for the document. A condition that cannot be computed for it does not hold.
    pub(crate) fn is_for(&self, document: &Document) -> bool {
        self.when.as_ref().is_none_or(|when| when.holds(document).unwrap_or(false))
    }

    /// A digest of the component and of the files that it was granted.
    pub fn digest(&self) -> String {
        self.program.digest.to_hex().to_string()
    }

    fn start(&self, engine: &Engine) -> Result<Guest, Failed> {
        let mut guest = Guest::new(engine, &self.program, &self.plan)?;
        let says = match guest.configure(&self.plan.settings)? {
            Ok(columns) if columns == self.columns => return Ok(guest),
            Ok(_) => "the stage declares other columns than it did before".to_owned(),
            Err(says) => says,
        };
        Err(Failed::new(Reason::PluginError, says))
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("name", &self.plan.name).finish_non_exhaustive()
    }
}

/// A thread's own instances.
pub struct Worker {
    stages: Arc<Stages>,
    guests: Vec<Option<Guest>>,
}

impl Worker {
    pub fn new(stages: Arc<Stages>) -> Self {
        let guests = stages.stages.iter().map(|_| None).collect();
        Self { stages, guests }
    }

    pub fn stages(&self) -> &[Stage] {
        self.stages.stages()
    }

    /// The model that answers for the document in this one's place, if there is one.
    pub(crate) fn route(&self, model: &str, document: &Document) -> Option<&str> {
        self.stages.routes.route(model, document)
    }

    /// Lets the stage at `place` say what it thinks of the document, given the replies so far.
    pub fn step(&mut self, place: usize, turn: &Turn<'_>) -> Step {
        let stages = Arc::clone(&self.stages);
        let stage = &stages.stages[place];
        let slot = &mut self.guests[place];
        let mut guest = match slot.take().map_or_else(|| stage.start(&stages.engine), Ok) {
            Ok(guest) => guest,
            Err(failed) => return Step { verdict: Err(failed), lines: Vec::new(), took: Duration::ZERO },
        };
        let called = guest.process(turn, stage.plan.timeout);
        let mut verdict = called.verdict.and_then(|verdict| within_limits(verdict, &stage.plan, turn.rounds));
        // What is asked may be made of what other documents said to this stage or to one before it, and is paid for once.
        let uses_board = stages.stages.iter().take(place + 1).any(|stage| stage.program.uses_board);
        if uses_board
            && matches!(verdict, Ok(Verdict::Ask(_)))
            && let Err(error) = stages.shared.board.flush()
        {
            verdict = Err(Failed::new(Reason::NoBoard, error.to_string()));
        }
        if called.alive && stage.plan.isolation == Isolation::Reuse {
            *slot = Some(guest);
        }
        Step { verdict, lines: called.lines, took: called.took }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

/// The verdict, unless it asks for more than the stage may.
fn within_limits(verdict: Verdict, plan: &StagePlan, rounds: usize) -> Result<Verdict, Failed> {
    match &verdict {
        Verdict::Emit(drafts) if drafts.is_empty() => {
            Err(Failed::new(Reason::NoDrafts, "the stage emits nothing and gives no reason".to_owned()))
        }
        Verdict::Ask(_) if plan.rounds <= rounds => {
            let says = format!("the stage asks again after {rounds} rounds; `rounds` is its limit");
            Err(Failed::new(Reason::TooManyRounds, says))
        }
        Verdict::Ask(asks) if plan.prompts < asks.len() => {
            let says =
                format!("the stage has {} prompts; `prompts = {}` is its limit", asks.len(), plan.prompts);
            Err(Failed::new(Reason::TooManyPrompts, says))
        }
        Verdict::Ask(asks) if asks.is_empty() => {
            Err(Failed::new(Reason::PluginError, "the stage asks for nothing".to_owned()))
        }
        Verdict::Ask(asks) => {
            for ask in asks {
                let model = &ask.prompt.model;
                if !plan.models.contains(model) {
                    return Err(Failed::new(Reason::Denied, host::ungranted(&plan.name, model)));
                }
            }
            Ok(verdict)
        }
        Verdict::Emit(_) | Verdict::Drop(_) => Ok(verdict),
    }
}
