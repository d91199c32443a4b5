//! Prompts become replies: from the journal, or from a model and then into the journal.
//!
//! A prompt's key is the digest of everything that decides its reply. Whoever asks with the same key while a reply is
//! on its way waits for that one. A reply is on the disk before anybody sees it, so a run that is killed and started
//! again pays for nothing twice, and with the journal alone a run is replayed without any model. Models are asked
//! through a gate, by a client, as often as a table of troubles says.
//!
//! The module refuses to know documents, stages, and what a reply is good for.

mod adapt;
pub mod batch;

mod breaker;
mod budget;
mod client;
#[cfg(feature = "embedded")]
mod embedded;
mod gate;
pub mod journal;
mod lane;
mod limits;
mod line;
mod metrics;
mod model;
mod retries;
mod retry;
#[cfg(feature = "embedded")]
pub mod weights;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures::future::{BoxFuture, FutureExt as _, Shared, WeakShared};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::task::JoinSet;

use crate::config::{Backend, BudgetTable, EndpointPlan, ModelPlan};
use crate::llm::budget::{Budget, Caps, dollars};
use crate::llm::journal::{Journal, Key, Wanted};
use crate::llm::lane::Lane;
use crate::llm::model::{Desk, Model};
use crate::prompt::{Failure, Prompt, Reply, Shape};

pub use crate::llm::client::EndpointError;
pub use crate::llm::journal::JournalError;

/// A new number makes every key new: for when a request is put together differently from the same prompt.
const KEY_VERSION: u32 = 1;

/// The models of one run and their journal.
pub struct Llm {
    shared: Arc<Common>,
    /// They read what the servers count of themselves, and end with the run.
    _watchers: JoinSet<()>,
}

/// Where replies may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// From the journal or from the models.
    Live,
    /// From the journal alone: no model is loaded or asked, and a missing reply ends the run.
    Replay,
    /// From the journal, from models inside the process, and what is missing from a batch: it is noted as wanted.
    Batch,
}

/// The answer to a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The journal's key of the prompt, hexadecimal.
    pub prompt_id: String,
    pub reply: Result<Reply, Failure>,
}

/// Why no prompt can be answered any more. What was answered before is in the journal.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fatal {
    #[error("there is no model `{model}`; `[models.{model}]` would be its place in the pipeline file")]
    UnknownModel { model: String },
    #[error("the model of `models.{model}` cannot be asked")]
    Endpoint { model: String, source: EndpointError },
    #[error(
        "the journal has no reply of the model `{model}` to the prompt {prompt_id}, and a replay asks no model"
    )]
    NotInJournal { model: String, prompt_id: String },
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the model `{model}` at {url} denies access, `models.{model}.key` says where the key is: {says}")]
    Denied { model: String, url: String, says: String },
    #[error("the account of the model `{model}` at {url} is used up: {says}")]
    Spent { model: String, url: String, says: String },
    #[error(
        "there is nothing to ask at {url} for the model `{model}`, see `models.{model}.endpoint` and `.model`: {says}"
    )]
    NotThere { model: String, url: String, says: String },
    #[error("the model `{model}` at {url} cannot be reached: {says}")]
    Unreachable { model: String, url: String, says: String },
    #[error(
        "the model `{model}` at {url} has been out of order since {since}, the last error was: {says}; \
         when it is back, the same command goes on from here"
    )]
    ModelDown { model: String, url: String, since: Timestamp, says: String },
    #[error(
        "the model `{model}` at {url} refuses most of the first prompts, so that something is wrong with all of them; \
         the last one: {says}"
    )]
    Refuses { model: String, url: String, says: String },
    #[error("`{key}` is reached after {spent}; with a higher one the same command goes on from here")]
    OverBudget { key: &'static str, spent: String },
    #[error("the run is stopping, and no model is asked any more")]
    Closed,
    #[error(
        "the model `{model}` runs inside the process, but this program was built without the feature `embedded`"
    )]
    NoEmbedded { model: String },
    #[error("the embedded model `{model}` fails: {says}")]
    Embedded { model: String, says: String },
}

/// What one model did in this run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Counters {
    /// Prompts that were sent to the model, each counted once however often it was tried. Those that ended without a
    /// reply are also among `refused`, `too_long` and `gave_up`.
    pub asked: u64,
    /// Prompts that the journal answered.
    pub from_journal: u64,
    /// Prompts that waited for the answer to an equal one.
    pub coalesced: u64,
    pub refused: u64,
    pub too_long: u64,
    pub gave_up: u64,
    /// Calls beyond the first one of each prompt.
    pub retries: u64,
    /// How many calls may be under way at once now, at all of its servers: what the gate found to do any good.
    pub at_once: u64,
    /// Seconds that prompts spent waiting for the limits, and for busy or broken servers; many wait at once.
    pub waited_seconds: f64,
    /// Of the replies that the model gave in this run.
    pub prompt_tokens: u64,
    /// Of those, what the server had in its cache.
    pub cached_tokens: u64,
    pub completion_tokens: u64,
    /// Replies whose tokens the server did not count.
    pub usage_estimated: u64,
    /// For those tokens, where the price is known.
    pub dollars: Option<f64>,
}

/// What all calls in the journal cost, those of earlier runs included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Spending {
    pub requests: u64,
    pub tokens: u64,
    pub dollars: f64,
    /// The most that may have been paid beside that, for calls that were sent and whose cost nobody knows: their replies
    /// were lost, or did not say.
    pub dollars_unsure: f64,
}

/// The key under which the journal keeps the answer to a prompt, as hexadecimal digits.
///
/// It is the BLAKE3 digest of the model's name where it runs and of everything else that is sent, except the pipeline's
/// own name for the model. Neither that name nor the URL decides a reply: a model that moves to another machine keeps
/// its journal.
pub fn prompt_id(prompt: &Prompt, model: &ModelPlan) -> String {
    hexadecimal(&key(prompt, model))
}

type Outcome = Result<Reply, Failure>;
type Flight = Shared<BoxFuture<'static, Result<Landed, Fatal>>>;
type WeakFlight = WeakShared<BoxFuture<'static, Result<Landed, Fatal>>>;

/// What became of a prompt.
#[derive(Debug, Clone)]
enum Landed {
    Answered(Outcome),
    /// A batch is to answer it.
    Wanted,
}

/// What the prompts under way have in common.
struct Common {
    models: BTreeMap<String, Arc<Model>>,
    journal: Journal,
    budget: Arc<Budget>,
    mode: Mode,
    flights: Mutex<Flights>,
}

/// The prompts under way. A flight belongs to those who wait for it: it is over when it has landed or when nobody waits
/// any more, whoever was the first to ask.
#[derive(Default)]
struct Flights {
    begun: u64,
    under_way: HashMap<Key, (u64, WeakFlight)>,
}

impl Llm {
    /// Makes the models ready to be asked and opens the journal. Nothing is asked of any model.
    pub async fn open(
        models: &[ModelPlan],
        budget: &BudgetTable,
        journal: &Path,
        mode: Mode,
    ) -> Result<Self, Fatal> {
        let mut ready = BTreeMap::new();
        let mut lanes = Lanes::default();
        for plan in models {
            ready.insert(plan.name.clone(), Arc::new(Model::open(plan, mode, &mut lanes).await?));
        }
        let journal = Journal::open(journal, mode, now().as_second()).await?;
        let budget = Arc::new(Budget::new(Caps::new(budget), journal.spent()));
        let mut watchers = JoinSet::new();
        for lane in &lanes.lanes {
            watchers.spawn(lane::watch(Arc::downgrade(lane)));
        }
        let common = Common { models: ready, journal, budget, mode, flights: Mutex::default() };
        Ok(Self { shared: Arc::new(common), _watchers: watchers })
    }

    /// Asks every endpoint for its models, so that a wrong address or key stops a run before any work is done.
    /// Returns what looks wrong but need not be.
    pub async fn probe(&self) -> Result<Vec<String>, Fatal> {
        let probes = self.shared.models.values().map(|model| model.probe());
        let warnings = futures::future::try_join_all(probes).await?;
        // Models that share a server say the same of it.
        let warnings: BTreeSet<_> = warnings.into_iter().flatten().collect();
        Ok(warnings.into_iter().collect())
    }

    /// Answers from the journal, or asks, journals durably, then answers. None if some of the prompts wait for a batch.
    pub async fn answers(&self, prompts: &[Prompt]) -> Result<Option<Vec<Answer>>, Fatal> {
        let answers = prompts.iter().map(async |prompt| {
            let answer = self.answer(prompt).await;
            if answer.is_err() {
                self.close();
            }
            answer
        });
        let mut all = Some(Vec::with_capacity(prompts.len()));
        let mut fatal: Option<Fatal> = None;
        // All of them, also after an error: calls that are under way are paid for.
        for answer in futures::future::join_all(answers).await {
            match answer {
                Ok(Some(answer)) => all.iter_mut().for_each(|all| all.push(answer.clone())),
                Ok(None) => all = None,
                // Why the models were closed explains more than that they were.
                Err(Fatal::Closed) => drop(fatal.get_or_insert(Fatal::Closed)),
                Err(error) => {
                    if fatal.as_ref().is_none_or(|fatal| matches!(fatal, Fatal::Closed)) {
                        fatal = Some(error);
                    }
                }
            }
        }
        fatal.map_or(Ok(all), Err)
    }

    async fn answer(&self, prompt: &Prompt) -> Result<Option<Answer>, Fatal> {
        let model = self.shared.models.get(&prompt.model);
        let model = model.ok_or_else(|| Fatal::UnknownModel { model: prompt.model.clone() })?;
        let key = key(prompt, &model.plan);
        Ok(match self.flight(key, model, prompt).await? {
            Landed::Answered(reply) => Some(Answer { prompt_id: hexadecimal(&key), reply }),
            Landed::Wanted => None,
        })
    }

    /// Sends nothing new any more: whoever still waits for a model gets [`Fatal::Closed`]. Calls that are under way, and
    /// will be paid for, come to their end and into the journal.
    pub fn close(&self) {
        self.shared.models.values().for_each(|model| model.close());
    }

    /// What each model did, by its name in the pipeline.
    pub fn counters(&self) -> BTreeMap<String, Counters> {
        self.shared.models.iter().map(|(name, model)| (name.clone(), model.counters())).collect()
    }

    /// What all of them cost together, from the journal's beginning on.
    pub fn spending(&self) -> Spending {
        let spent = self.shared.budget.spent();
        Spending {
            requests: spent.known.requests,
            tokens: spent.known.tokens,
            dollars: dollars(spent.known.picodollars),
            dollars_unsure: dollars(spent.lost.picodollars),
        }
    }

    /// The flight under this key, which is a new one if there is none.
    fn flight(&self, key: Key, model: &Arc<Model>, prompt: &Prompt) -> Flight {
        let mut flights = self.shared.flights();
        if let Some(flight) = flights.under_way.get(&key).and_then(|(_, flight)| flight.upgrade()) {
            model.tally.coalesced.add(1);
            return flight;
        }
        flights.begun += 1;
        let number = flights.begun;
        let landing = Landing { shared: Arc::clone(&self.shared), key, number };
        let flight = fly(landing, Arc::clone(model), prompt.clone()).boxed().shared();
        if let Some(weak) = flight.downgrade() {
            flights.under_way.insert(key, (number, weak));
        }
        flight
    }
}

impl fmt::Debug for Llm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Llm").field("mode", &self.shared.mode).finish_non_exhaustive()
    }
}

impl Common {
    fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a flight off the board when it is over, in whatever way.
struct Landing {
    shared: Arc<Common>,
    key: Key,
    number: u64,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut flights = self.shared.flights();
        // Under the same key another flight may have begun, if the last waiter of this one left just before.
        if flights.under_way.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            flights.under_way.remove(&self.key);
        }
    }
}

/// The journal is looked into here and not before: a flight that lands between a look and the beginning of another
/// flight would be flown twice.
async fn fly(landing: Landing, model: Arc<Model>, prompt: Prompt) -> Result<Landed, Fatal> {
    let Landing { shared, key, .. } = &landing;
    if let Some(found) = shared.journal.find(*key).await?
        && model.still_answers(&found, shared.mode)
    {
        model.tally.from_journal.add(1);
        return Ok(Landed::Answered(found.outcome));
    }
    if shared.mode == Mode::Batch && matches!(model.plan.backend, Backend::Endpoints(_)) {
        if let Some(failure) = model.unsendable(&prompt) {
            let entry = model.failed(*key, &prompt, failure.clone());
            shared.journal.keep(entry, None).await?;
            return Ok(Landed::Answered(Err(failure)));
        }
        let (name, served) = (model.plan.name.clone(), model.plan.served.clone());
        let prompt = journalled(&prompt);
        shared.journal.want(Wanted { key: *key, model: name, served, prompt }).await?;
        return Ok(Landed::Wanted);
    }
    if shared.mode == Mode::Replay {
        return Err(Fatal::NotInJournal { model: prompt.model, prompt_id: hexadecimal(key) });
    }
    let desk = Desk { journal: &shared.journal, budget: &shared.budget };
    let fresh = model.ask(*key, &prompt, desk).await?;
    let outcome = fresh.entry.outcome.clone();
    shared.journal.keep(fresh.entry.clone(), fresh.attempt).await?;
    fresh.book();
    Ok(Landed::Answered(outcome))
}

/// A prompt as the journal keeps it.
fn journalled(prompt: &Prompt) -> String {
    serde_json::to_string(prompt).expect("a prompt has nothing that JSON has not")
}

/// The gates of a run: one for each model at each server, whoever asks there.
#[derive(Debug, Default)]
struct Lanes {
    lanes: Vec<Arc<Lane>>,
}

impl Lanes {
    fn lane(&mut self, plan: &EndpointPlan, timeout: Duration) -> Result<Arc<Lane>, EndpointError> {
        if let Some(lane) = self.lanes.iter().find(|lane| lane.is(plan)) {
            return Ok(Arc::clone(lane));
        }
        let lane = Arc::new(Lane::open(plan, timeout)?);
        self.lanes.push(Arc::clone(&lane));
        Ok(lane)
    }
}

/// What decides a reply, in the form that is digested. The fields are those of the prompt, spelled out so that a new one
/// does not compile until it is decided whether it belongs here.
#[derive(Serialize)]
struct Identity<'a> {
    version: u32,
    server: &'static str,
    model: &'a str,
    system: &'a Option<String>,
    user: &'a str,
    max_tokens: u32,
    temperature: Option<f32>,
    top_p: Option<f32>,
    stop: &'a [String],
    shape: &'a Option<Shape>,
    seed: u32,
    #[serde(skip_serializing_if = "Map::is_empty")]
    extra: &'a Map<String, Value>,
}

fn key(prompt: &Prompt, plan: &ModelPlan) -> Key {
    let Prompt { model: _, system, user, max_tokens, temperature, top_p, stop, shape, seed } = prompt;
    let server = match plan.backend {
        Backend::Endpoints(_) => "endpoint",
        Backend::Embedded { .. } => "embedded",
    };
    let identity = Identity {
        version: KEY_VERSION,
        server,
        model: &plan.served,
        system,
        user,
        max_tokens: *max_tokens,
        temperature: *temperature,
        top_p: *top_p,
        stop,
        shape,
        seed: *seed,
        extra: &plan.extra,
    };
    let identity = serde_json::to_vec(&identity).expect("a prompt has nothing that JSON has not");
    *blake3::hash(&identity).as_bytes()
}

fn hexadecimal(key: &Key) -> String {
    blake3::Hash::from_bytes(*key).to_hex().to_string()
}

/// The time by the wall's clock, for what people read and for servers that name a date. Nothing that is written into a
/// row depends on it.
#[expect(clippy::disallowed_methods, reason = "the one place where this module reads the clock")]
fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
