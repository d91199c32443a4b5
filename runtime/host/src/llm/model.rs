//! One model of a run: asked through its gate, again where that helps, and counted.
//!
//! What a failure means is decided in `retry`; this module keeps what that decision needs to know (how the prompt and
//! the model have fared) and carries it out. It refuses to know the journal.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::config::{Backend, ModelPlan};
use crate::llm::client::{self, Client, Completion};
use crate::llm::gate::{Gate, Pass};
use crate::llm::journal::{Entry, Found, Key};
use crate::llm::retry::{self, Action, Refusal, Standing, Trouble};
use crate::llm::{Counters, Fatal, Mode, Outcome, hexadecimal, now, served};
#[cfg(feature = "embedded")]
use crate::llm::{embedded, weights};
use crate::prompt::{Failure, Prompt};

/// What the first wait after a failed call may be; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// One model of the pipeline.
pub(super) struct Model {
    pub(super) plan: ModelPlan,
    /// None in a replay.
    server: Option<Server>,
    gate: Gate,
    health: Mutex<Health>,
    closed: watch::Sender<bool>,
    pub(super) tally: Tally,
    pub(super) first_wait: Duration,
}

enum Server {
    Endpoint(Box<Client>),
    #[cfg(feature = "embedded")]
    Embedded(embedded::Embedded),
}

/// How a model has been since its last success.
#[derive(Debug, Default)]
struct Health {
    ill_since: Option<Instant>,
    last_failure: Option<Instant>,
    given_up: u32,
}

/// How a prompt has fared so far.
#[derive(Debug, Default)]
struct Tries {
    faults: u32,
    turned_away: u32,
    /// Without the time in line.
    waited: Duration,
}

impl Model {
    pub(super) async fn open(plan: &ModelPlan, mode: Mode) -> Result<Self, Fatal> {
        let server = match mode {
            Mode::Live => Some(Server::open(plan).await?),
            Mode::Replay => None,
        };
        Ok(Self {
            plan: plan.clone(),
            server,
            gate: Gate::new(plan.requests_per_minute, plan.tokens_per_minute, plan.in_flight),
            health: Mutex::default(),
            closed: watch::Sender::new(false),
            tally: Tally::default(),
            first_wait: FIRST_WAIT,
        })
    }

    /// Whether an answer in the journal is as good as a new one.
    pub(super) fn still_answers(&self, found: &Found) -> bool {
        match (&found.outcome, &self.plan.backend) {
            // What failed in the run before may not fail today; in this run it has failed for everybody, so that a
            // replay says the same to all who asked.
            (Err(Failure::GaveUp(_)), _) => found.this_run,
            (Err(Failure::TooLong(then)), Backend::Embedded { context, .. }) => then == context,
            (Ok(_) | Err(Failure::TooLong(_) | Failure::Refused(_)), _) => true,
        }
    }

    pub(super) async fn probe(&self) -> Result<Option<String>, Fatal> {
        let (Some(Server::Endpoint(client)), Backend::Endpoint { model, .. }) =
            (&self.server, &self.plan.backend)
        else {
            return Ok(None);
        };
        let (name, url) = (&self.plan.name, client.shown());
        match client.models().await {
            Ok(served) if served.is_empty() || served.contains(model) => Ok(None),
            Ok(served) => {
                let served = retry::words(&served.join(", "));
                Ok(Some(format!("models.{name}.model: {url} has no model `{model}`, but {served}")))
            }
            // A server need not list its models.
            Err(Trouble::Final(Refusal::NotThere(_)) | Trouble::Prompt(_)) => Ok(None),
            Err(Trouble::Final(refusal)) => Err(self.refused(client, refusal)),
            Err(Trouble::Unreachable(says)) => {
                Err(Fatal::Unreachable { model: name.clone(), url: url.to_owned(), says })
            }
            Err(Trouble::Busy { says, .. } | Trouble::Fault(says)) => {
                Ok(Some(format!("models.{name}.endpoint: {url} does not list its models: {says}")))
            }
        }
    }

    /// Asks until there is an answer, which may be that there is none.
    pub(super) async fn ask(&self, key: Key, prompt: &Prompt) -> Result<Entry, Fatal> {
        let began = Instant::now();
        let (outcome, usage_estimated) = match &self.server {
            Some(Server::Endpoint(client)) => match self.ask_endpoint(client, key, prompt).await? {
                Ok(completion) => (Ok(completion.reply), completion.usage_estimated),
                Err(failure) => (Err(failure), false),
            },
            #[cfg(feature = "embedded")]
            Some(Server::Embedded(embedded)) => (self.ask_embedded(embedded, prompt).await?, false),
            None => {
                let model = prompt.model.clone();
                return Err(Fatal::NotInJournal { model, prompt_id: hexadecimal(&key) });
            }
        };
        self.tally.count(&outcome, usage_estimated);
        Ok(Entry {
            key,
            model: self.plan.name.clone(),
            served: served(&self.plan.backend).to_owned(),
            prompt: serde_json::to_string(prompt).expect("a prompt has nothing that JSON has not"),
            dollars: outcome
                .as_ref()
                .ok()
                .and_then(|reply| self.dollars(reply.prompt_tokens.into(), reply.completion_tokens.into())),
            outcome,
            usage_estimated,
            seconds: began.elapsed().as_secs_f64(),
            answered: now().as_second(),
        })
    }

    async fn ask_endpoint(
        &self,
        client: &Client,
        key: Key,
        prompt: &Prompt,
    ) -> Result<Result<Completion, Failure>, Fatal> {
        let most = client::estimate(prompt).saturating_add(prompt.max_tokens);
        let mut tries = Tries::default();
        let mut pass = self.enter(most).await?;
        self.tally.asked.add(1);
        loop {
            let trouble = match client.complete(prompt).await {
                Ok(completion) => {
                    let reply = &completion.reply;
                    pass.settle(reply.prompt_tokens.saturating_add(reply.completion_tokens));
                    self.well();
                    return Ok(Ok(completion));
                }
                Err(trouble) => trouble,
            };
            // Whoever waits for the next try is not in flight.
            self.end(pass, &trouble);
            let standing = self.standing(&trouble, &mut tries, key);
            match retry::action(trouble, standing) {
                Action::Again(wait) => {
                    self.tally.retries.add(1);
                    self.tally.waited_micros.add(micros(wait));
                    tries.waited += wait;
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.closing() => return Err(Fatal::Closed),
                    }
                    pass = self.enter(most).await?;
                }
                Action::Fail(failure) => {
                    self.failed(&failure);
                    return Ok(Err(failure));
                }
                Action::Down(says) => return Err(self.down(client, says)),
                Action::Stop(refusal) => return Err(self.refused(client, refusal)),
            }
        }
    }

    #[cfg(feature = "embedded")]
    async fn ask_embedded(&self, embedded: &embedded::Embedded, prompt: &Prompt) -> Result<Outcome, Fatal> {
        let _pass = self.enter(client::estimate(prompt).saturating_add(prompt.max_tokens)).await?;
        self.tally.asked.add(1);
        embedded.complete(prompt).await.map_err(|error| embedded_fails(&self.plan.name, &error))
    }

    /// Nothing new is sent any more; calls that are under way come to their end.
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Ends when the model is closed.
    async fn closing(&self) {
        // An error would mean that the sender is gone, and it is ours.
        drop(self.closed.subscribe().wait_for(|closed| *closed).await);
    }

    async fn enter(&self, tokens: u32) -> Result<Pass<'_>, Fatal> {
        let lined_up = Instant::now();
        let pass = tokio::select! {
            biased;
            () = self.closing() => return Err(Fatal::Closed),
            pass = self.gate.enter(tokens) => pass,
        };
        self.tally.waited_micros.add(micros(lined_up.elapsed()));
        Ok(pass)
    }

    /// Ends a call that failed.
    fn end(&self, pass: Pass<'_>, trouble: &Trouble) {
        match trouble {
            Trouble::Busy { wait, .. } => {
                pass.settle(0);
                if let Some(wait) = wait {
                    self.gate.hold((*wait).min(self.plan.patience));
                }
            }
            Trouble::Unreachable(_) | Trouble::Prompt(_) | Trouble::Final(_) => pass.settle(0),
            // The server may have worked on it.
            Trouble::Fault(_) => drop(pass),
        }
    }

    /// Writes the trouble down and says how prompt and model stand after it.
    fn standing(&self, trouble: &Trouble, tries: &mut Tries, key: Key) -> Standing {
        let now = Instant::now();
        match trouble {
            Trouble::Busy { .. } | Trouble::Unreachable(_) => tries.turned_away += 1,
            Trouble::Fault(_) => tries.faults += 1,
            Trouble::Prompt(_) | Trouble::Final(_) => {}
        }
        let mut health = self.health();
        // Nobody asked in the meantime: what was then says nothing about today.
        if health.last_failure.is_none_or(|last| self.plan.patience < now - last) {
            *health = Health::default();
        }
        health.last_failure = Some(now);
        let ill_since = *health.ill_since.get_or_insert(now);
        Standing {
            faults: tries.faults,
            turned_away: tries.turned_away,
            waited: tries.waited,
            ill_for: now - ill_since,
            given_up: health.given_up,
            patience: self.plan.patience,
            first_wait: self.first_wait,
            dice: dice(key, tries.faults.saturating_add(tries.turned_away)),
        }
    }

    fn failed(&self, failure: &Failure) {
        match failure {
            Failure::GaveUp(_) => self.health().given_up += 1,
            // A server that judges a prompt is well.
            Failure::Refused(_) | Failure::TooLong(_) => self.well(),
        }
    }

    fn well(&self) {
        *self.health() = Health::default();
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn down(&self, client: &Client, says: String) -> Fatal {
        let ill_for = self.health().ill_since.map_or(Duration::ZERO, |since| since.elapsed());
        let since = now().checked_sub(ill_for).unwrap_or(Timestamp::UNIX_EPOCH);
        // Fractions of seconds say nothing to people.
        let since = Timestamp::from_second(since.as_second()).unwrap_or(since);
        Fatal::ModelDown { model: self.plan.name.clone(), url: client.shown().to_owned(), since, says }
    }

    fn refused(&self, client: &Client, refusal: Refusal) -> Fatal {
        let (model, url) = (self.plan.name.clone(), client.shown().to_owned());
        match refusal {
            Refusal::Denied(says) => Fatal::Denied { model, url, says },
            Refusal::Spent(says) => Fatal::Spent { model, url, says },
            Refusal::NotThere(says) => Fatal::NotThere { model, url, says },
        }
    }

    fn dollars(&self, prompt_tokens: u64, completion_tokens: u64) -> Option<f64> {
        let price = self.plan.price?;
        Some((prompt_tokens as f64 * price.input + completion_tokens as f64 * price.output) / 1e6)
    }

    pub(super) fn counters(&self) -> Counters {
        let tally = &self.tally;
        let (prompt_tokens, completion_tokens) = (tally.prompt_tokens.get(), tally.completion_tokens.get());
        Counters {
            asked: tally.asked.get(),
            from_journal: tally.from_journal.get(),
            coalesced: tally.coalesced.get(),
            refused: tally.refused.get(),
            too_long: tally.too_long.get(),
            gave_up: tally.gave_up.get(),
            retries: tally.retries.get(),
            waited_seconds: tally.waited_micros.get() as f64 / 1e6,
            prompt_tokens,
            completion_tokens,
            usage_estimated: tally.usage_estimated.get(),
            dollars: self.dollars(prompt_tokens, completion_tokens),
        }
    }
}

impl Server {
    #[cfg_attr(
        not(feature = "embedded"),
        expect(clippy::unused_async, reason = "only weights take time to load")
    )]
    async fn open(plan: &ModelPlan) -> Result<Self, Fatal> {
        match &plan.backend {
            Backend::Endpoint { url, model, key } => {
                let client = Client::new(url, model, key.as_ref(), plan.timeout, now);
                client
                    .map(|client| Self::Endpoint(Box::new(client)))
                    .map_err(|source| Fatal::Endpoint { model: plan.name.clone(), source })
            }
            #[cfg(feature = "embedded")]
            Backend::Embedded { name, context } => {
                load(plan, name.clone(), *context).await.map(Self::Embedded)
            }
            #[cfg(not(feature = "embedded"))]
            Backend::Embedded { .. } => Err(Fatal::NoEmbedded { model: plan.name.clone() }),
        }
    }
}

/// Reads the weights of an embedded model, on a thread that may take its time.
#[cfg(feature = "embedded")]
async fn load(plan: &ModelPlan, name: String, context: u32) -> Result<embedded::Embedded, Fatal> {
    let slots = plan.in_flight;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let threads = embedded::default_threads(cores);
    let loading = tokio::task::spawn_blocking(move || {
        let cache = weights::default_cache(|name| std::env::var_os(name)).unwrap_or_default();
        let path = weights::locate(&name, &cache).map_err(|error| client::chain(&error))?;
        embedded::Embedded::load(&path, context, slots, threads).map_err(|error| client::chain(&error))
    });
    match loading.await {
        Ok(Ok(embedded)) => Ok(embedded),
        Ok(Err(says)) => Err(Fatal::Embedded { model: plan.name.clone(), says }),
        Err(panic) => Err(Fatal::Embedded { model: plan.name.clone(), says: panic.to_string() }),
    }
}

#[cfg(feature = "embedded")]
fn embedded_fails(model: &str, error: &dyn std::error::Error) -> Fatal {
    Fatal::Embedded { model: model.to_owned(), says: client::chain(error) }
}

/// The books of one model.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) from_journal: Count,
    pub(super) coalesced: Count,
    asked: Count,
    refused: Count,
    too_long: Count,
    gave_up: Count,
    retries: Count,
    waited_micros: Count,
    prompt_tokens: Count,
    completion_tokens: Count,
    usage_estimated: Count,
}

impl Tally {
    fn count(&self, outcome: &Outcome, usage_estimated: bool) {
        match outcome {
            Ok(reply) => {
                self.prompt_tokens.add(reply.prompt_tokens.into());
                self.completion_tokens.add(reply.completion_tokens.into());
            }
            Err(Failure::Refused(_)) => self.refused.add(1),
            Err(Failure::TooLong(_)) => self.too_long.add(1),
            Err(Failure::GaveUp(_)) => self.gave_up.add(1),
        }
        self.usage_estimated.add(usage_estimated.into());
    }
}

#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// From 0 to 1: the same for the same try of the same prompt, and evenly spread over all others.
fn dice(key: Key, tries: u32) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&key).update(&tries.to_le_bytes());
    let [a, b, c, d, ..] = *hasher.finalize().as_bytes();
    f64::from(u32::from_le_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

fn micros(time: Duration) -> u64 {
    time.as_micros().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn model() -> Model {
        let plan = ModelPlan {
            name: "writer".to_owned(),
            backend: Backend::Endpoint { url: String::new(), model: String::new(), key: None },
            requests_per_minute: None,
            tokens_per_minute: None,
            in_flight: 1,
            price: None,
            timeout: SECOND,
            patience: 100 * SECOND,
        };
        Model::open(&plan, Mode::Replay).await.unwrap()
    }

    #[track_caller]
    fn fails(model: &Model, ill_for: Duration, given_up: u32) {
        let standing = model.standing(&Trouble::Fault(String::new()), &mut Tries::default(), [0; 32]);
        assert_eq!((standing.ill_for, standing.given_up), (ill_for, given_up));
    }

    #[tokio::test(start_paused = true)]
    async fn a_model_is_ill_from_its_first_failure_to_its_next_success() {
        let model = model().await;
        fails(&model, Duration::ZERO, 0);
        tokio::time::advance(60 * SECOND).await;
        model.failed(&Failure::GaveUp(String::new()));
        fails(&model, 60 * SECOND, 1);
        tokio::time::advance(60 * SECOND).await;
        fails(&model, 120 * SECOND, 1);
        model.failed(&Failure::TooLong(9));
        fails(&model, Duration::ZERO, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_model_that_nobody_asks_does_not_get_worse() {
        let model = model().await;
        fails(&model, Duration::ZERO, 0);
        model.failed(&Failure::GaveUp(String::new()));
        tokio::time::advance(101 * SECOND).await;
        fails(&model, Duration::ZERO, 0);
    }

    #[test]
    fn dice_differ() {
        let thrown: Vec<_> = (0..4).map(|tries| dice([7; 32], tries)).chain([dice([8; 32], 0)]).collect();
        for (index, one) in thrown.iter().enumerate() {
            assert!((0.0..=1.0).contains(one) && !thrown[..index].contains(one), "{thrown:?}");
        }
    }
}
