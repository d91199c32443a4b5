//! One model of a run: asked through the gates of its servers, again where that helps, and counted.
//!
//! What a failure means is decided in `retry`, from what `health` knows of prompt and model; this module carries it out.

mod health;
mod tally;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::select_all;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::config::{Backend, ModelPlan};
#[cfg(feature = "embedded")]
use crate::llm::adapt::Adaptive;
use crate::llm::budget::{Budget, Cost, Reservation, Usage};
use crate::llm::client::{self, Client, Completion, Form};
#[cfg(feature = "embedded")]
use crate::llm::gate::Gate;
use crate::llm::gate::{Pass, Turn};
use crate::llm::journal::{Attempt, AttemptId, End, Entry, Found, Journal, Key};
use crate::llm::lane::Lane;
use crate::llm::retry::{self, Action, Refusal, Trouble};
use crate::llm::{Counters, Fatal, Lanes, Mode, hexadecimal, journalled, now};
#[cfg(feature = "embedded")]
use crate::llm::{embedded, weights};
use crate::prompt::{Failure, Prompt};
use health::{Health, Terms, Tries};
use tally::Tally;

/// What the first wait after a failed call may be; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// One model of the pipeline.
pub(super) struct Model {
    pub(super) plan: ModelPlan,
    /// None in a replay.
    server: Option<Server>,
    health: Mutex<Health>,
    closed: watch::Sender<bool>,
    pub(super) tally: Tally,
    pub(super) first_wait: Duration,
}

enum Server {
    /// One or more.
    Endpoints(Vec<Arc<Lane>>),
    #[cfg(feature = "embedded")]
    Embedded(embedded::Embedded, Arc<Gate>),
}

/// Where calls are booked.
#[derive(Clone, Copy)]
pub(super) struct Desk<'a> {
    pub(super) journal: &'a Journal,
    pub(super) budget: &'a Arc<Budget>,
}

/// An answer that is not in the journal yet.
pub(super) struct Fresh {
    pub(super) entry: Entry,
    pub(super) attempt: Option<AttemptId>,
    /// None where the calls are booked already.
    reservation: Option<Reservation>,
}

/// What calls came to.
struct Answered {
    answer: Result<Completion, Failure>,
    picodollars: Option<u64>,
    attempt: Option<AttemptId>,
    reservation: Option<Reservation>,
}

/// What a prompt failed for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    /// The server does not take what was sent.
    Request,
    Else,
}

impl Fresh {
    /// Books the answer, once the journal has it.
    pub(super) fn book(self) {
        let Some(reservation) = self.reservation else { return };
        let Usage { prompt, completion, .. } = self.entry.usage;
        let picodollars = self.entry.picodollars.unwrap_or(0);
        let cost = Cost { requests: 1, tokens: prompt.saturating_add(completion), picodollars };
        if self.entry.usage_estimated {
            reservation.spend_about(cost);
        } else {
            reservation.spend(cost);
        }
    }
}

impl Model {
    pub(super) async fn open(plan: &ModelPlan, mode: Mode, lanes: &mut Lanes) -> Result<Self, Fatal> {
        let server = match (mode, &plan.backend) {
            (Mode::Live, _) | (Mode::Batch, Backend::Embedded { .. }) => {
                Some(Server::open(plan, lanes).await?)
            }
            (Mode::Batch, Backend::Endpoints(_)) | (Mode::Replay, _) => None,
        };
        Ok(Self {
            plan: plan.clone(),
            server,
            health: Mutex::default(),
            closed: watch::Sender::new(false),
            tally: Tally::default(),
            first_wait: FIRST_WAIT,
        })
    }

    /// Whether an answer in the journal is as good as a new one. What failed in a run before may not fail today; in
    /// this run it has failed for everybody, so that a replay says the same to all who asked. Of a batch, which is
    /// another run, what the server has judged is final.
    pub(super) fn still_answers(&self, found: &Found, mode: Mode) -> bool {
        match (&found.outcome, mode) {
            (Ok(_), _)
            | (_, Mode::Replay)
            | (Err(Failure::Refused(_) | Failure::TooLong(_)), Mode::Batch) => true,
            (Err(_), _) => found.this_run,
        }
    }

    pub(super) async fn probe(&self) -> Result<Vec<String>, Fatal> {
        let Some(Server::Endpoints(lanes)) = &self.server else { return Ok(Vec::new()) };
        let probes = lanes.iter().map(|lane| self.probe_lane(lane));
        let warnings = futures::future::try_join_all(probes).await?;
        Ok(warnings.into_iter().flatten().collect())
    }

    async fn probe_lane(&self, lane: &Lane) -> Result<Option<String>, Fatal> {
        let (client, model) = (&lane.client, &lane.served);
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
            Err(
                Trouble::Busy { says, .. }
                | Trouble::Fault { says, .. }
                | Trouble::Late(says)
                | Trouble::Output(says)
                | Trouble::Filtered(says),
            ) => Ok(Some(format!("models.{name}.endpoint: {url} does not list its models: {says}"))),
        }
    }

    /// Asks until there is an answer, which may be that there is none.
    pub(super) async fn ask(&self, key: Key, prompt: &Prompt, desk: Desk<'_>) -> Result<Fresh, Fatal> {
        let began = Instant::now();
        let fresh = match &self.server {
            Some(Server::Endpoints(lanes)) => self.ask_endpoints(lanes, key, prompt, desk).await?,
            #[cfg(feature = "embedded")]
            Some(Server::Embedded(embedded, gate)) => self.ask_embedded(embedded, gate, prompt, desk).await?,
            None => {
                let model = prompt.model.clone();
                return Err(Fatal::NotInJournal { model, prompt_id: hexadecimal(&key) });
            }
        };
        let (outcome, usage, usage_estimated) = match fresh.answer {
            Ok(completion) => (Ok(completion.reply), completion.usage, completion.usage_estimated),
            Err(failure) => (Err(failure), Usage::default(), false),
        };
        self.tally.count(&outcome, usage, fresh.picodollars, usage_estimated);
        let entry = Entry {
            key,
            model: self.plan.name.clone(),
            served: self.plan.served.clone(),
            prompt: journalled(prompt),
            outcome,
            usage,
            usage_estimated,
            picodollars: fresh.picodollars,
            seconds: began.elapsed().as_secs_f64(),
            answered: now().as_second(),
        };
        Ok(Fresh { entry, attempt: fresh.attempt, reservation: fresh.reservation })
    }

    /// Why a prompt cannot even be put into a request, if so.
    pub(super) fn unsendable(&self, prompt: &Prompt) -> Option<Failure> {
        let (length_field, extra) = (self.plan.length_field, &self.plan.extra);
        let form = Form { model: &self.plan.served, seed: prompt.seed, length_field, extra };
        client::request(prompt, form).err()
    }

    /// The entry of a prompt for which nobody was asked.
    pub(super) fn failed(&self, key: Key, prompt: &Prompt, failure: Failure) -> Entry {
        let outcome = Err(failure);
        self.tally.count(&outcome, Usage::default(), None, false);
        Entry {
            key,
            model: self.plan.name.clone(),
            served: self.plan.served.clone(),
            prompt: journalled(prompt),
            outcome,
            usage: Usage::default(),
            usage_estimated: false,
            picodollars: None,
            seconds: 0.0,
            answered: now().as_second(),
        }
    }

    async fn ask_endpoints(
        &self,
        lanes: &[Arc<Lane>],
        key: Key,
        prompt: &Prompt,
        desk: Desk<'_>,
    ) -> Result<Answered, Fatal> {
        // Counting takes longer than everything else that the program does for a call.
        let counts = lanes.iter().any(|lane| lane.counts_tokens);
        let most = if counts { client::estimate(prompt).saturating_add(prompt.max_tokens) } else { 0 };
        let worst = self.worst(lanes, prompt);
        let mut tries = Tries::default();
        let mut turn = Turn::First;
        let mut left: Option<&Arc<Lane>> = None;
        loop {
            let mut reservation = self.reserve(worst, desk).await?;
            let (lane, pass) = self.enter(lanes, most, turn, left).await?;
            let attempt = Attempt { key, model: self.plan.name.clone(), worst };
            let attempt = desk.journal.begin(attempt).await?;
            reservation.send();
            if turn == Turn::First {
                self.tally.asked.add(1);
            }
            let form = self.form(lane, prompt, &tries);
            let mut trouble = match lane.client.complete(prompt, form).await {
                Ok(completion) => {
                    let reply = &completion.reply;
                    let tokens = reply.prompt_tokens.saturating_add(reply.completion_tokens);
                    pass.replied(tokens, reply.completion_tokens);
                    if let Some(pause) = completion.pause {
                        lane.gate.hold(pause.min(self.plan.patience));
                    }
                    self.health().answered(Instant::now());
                    let picodollars = lane.price.map(|price| price.of(completion.usage));
                    let answer = Ok(completion);
                    return Ok(Answered {
                        answer,
                        picodollars,
                        attempt: Some(attempt),
                        reservation: Some(reservation),
                    });
                }
                Err(trouble) => trouble,
            };
            // Whoever waits for the next try is not in flight.
            let dice = dice(key, tries.number());
            self.end(lane, pass, &trouble, dice);
            book(&trouble, attempt, reservation, desk).await?;
            turn = if matches!(trouble, Trouble::Busy { .. }) { Turn::TurnedAway } else { Turn::Failed };
            left = Some(lane);
            // Another server need not wait for what this one asks; its own gate does.
            if let Trouble::Busy { wait, .. } = &mut trouble
                && 1 < lanes.len()
            {
                *wait = None;
            }
            let terms = Terms { patience: self.plan.patience, first_wait: self.first_wait, dice };
            let standing = self.health().standing(&trouble, &mut tries, terms, Instant::now());
            let wrong = if matches!(trouble, Trouble::Prompt(_)) { Wrong::Request } else { Wrong::Else };
            match retry::action(trouble, standing) {
                Action::Again(wait) => self.wait(wait, &mut tries).await?,
                Action::Fail(failure) => return self.give_up(&lane.client, failure, wrong),
                Action::Down(says) => return Err(self.down(&lane.client, says)),
                Action::Stop(refusal) => return Err(self.refused(&lane.client, refusal)),
            }
        }
    }

    /// A seed that the model has not failed with yet.
    fn form<'a>(&'a self, lane: &'a Lane, prompt: &Prompt, tries: &Tries) -> Form<'a> {
        Form {
            model: &lane.served,
            // Within what servers read as a signed number.
            seed: prompt.seed.wrapping_add(tries.outputs) & 0x7fff_ffff,
            length_field: self.plan.length_field,
            extra: &self.plan.extra,
        }
    }

    /// The most that one call can cost at any of the servers.
    fn worst(&self, lanes: &[Arc<Lane>], prompt: &Prompt) -> Cost {
        let usage = client::worst(prompt, &self.plan.extra);
        let prices = lanes.iter().filter_map(|lane| lane.price);
        Cost {
            requests: 1,
            tokens: usage.prompt.saturating_add(usage.completion),
            picodollars: prices.map(|price| price.at_most(usage)).max().unwrap_or(0),
        }
    }

    #[cfg(feature = "embedded")]
    async fn ask_embedded(
        &self,
        embedded: &embedded::Embedded,
        gate: &Arc<Gate>,
        prompt: &Prompt,
        desk: Desk<'_>,
    ) -> Result<Answered, Fatal> {
        let reservation = self.reserve(self.worst(&[], prompt), desk).await?;
        let pass = self.until_closed(gate.enter(0, Turn::First)).await?;
        self.tally.asked.add(1);
        let answer = embedded.complete(prompt).await;
        let outcome = answer.map_err(|error| embedded_fails(&self.plan.name, &error))?;
        let answer = match outcome {
            Ok(reply) => {
                pass.replied(0, reply.completion_tokens);
                let (prompt, completion) = (reply.prompt_tokens.into(), reply.completion_tokens.into());
                let usage = Usage { prompt, cached: 0, completion };
                Ok(Completion { reply, usage, usage_estimated: false, pause: None })
            }
            Err(failure) => {
                pass.refused();
                Err(failure)
            }
        };
        Ok(Answered { answer, picodollars: None, attempt: None, reservation: Some(reservation) })
    }

    /// Nothing new is sent any more; calls that are under way come to their end.
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Waits, unless the model is closed meanwhile. The time is counted.
    async fn until_closed<T>(&self, wait: impl Future<Output = T>) -> Result<T, Fatal> {
        let began = Instant::now();
        let mut closed = self.closed.subscribe();
        let done = tokio::select! {
            biased;
            // An error would mean that the sender is gone, and it is ours.
            _ = closed.wait_for(|closed| *closed) => return Err(Fatal::Closed),
            done = wait => done,
        };
        self.tally.waited_micros.add(micros(began.elapsed()));
        Ok(done)
    }

    async fn reserve(&self, worst: Cost, desk: Desk<'_>) -> Result<Reservation, Fatal> {
        let reserved = self.until_closed(desk.budget.reserve(worst)).await?;
        reserved.map_err(|over| Fatal::OverBudget { key: over.0, spent: desk.budget.says() })
    }

    /// Leave to make a call, from whichever server gives it first; where several do, from the least busy one, and not
    /// from the one that the call has just failed at.
    async fn enter<'a>(
        &self,
        lanes: &'a [Arc<Lane>],
        tokens: u32,
        turn: Turn,
        left: Option<&Arc<Lane>>,
    ) -> Result<(&'a Arc<Lane>, Pass), Fatal> {
        let entering = |lane: &'a Arc<Lane>| async move { (lane, lane.gate.enter(tokens, turn).await) };
        if let [lane] = lanes {
            return self.until_closed(entering(lane)).await;
        }
        let has_left = |lane: &Arc<Lane>| left.is_some_and(|left| Arc::ptr_eq(left, lane));
        let mut order: Vec<_> = lanes.iter().map(|lane| (has_left(lane), lane.load(), lane)).collect();
        order.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
        let entering = order.into_iter().map(|(_, _, lane)| entering(lane).boxed());
        let (entered, _, _) = self.until_closed(select_all(entering)).await?;
        Ok(entered)
    }

    async fn wait(&self, wait: Duration, tries: &mut Tries) -> Result<(), Fatal> {
        self.tally.retries.add(1);
        tries.waited += wait;
        self.until_closed(tokio::time::sleep(wait)).await
    }

    /// Ends a call that failed.
    fn end(&self, lane: &Lane, pass: Pass, trouble: &Trouble, dice: f64) {
        match trouble {
            Trouble::Busy { wait, .. } => {
                let wait = wait.map(|wait| wait.min(self.plan.patience));
                if let Some(wait) = wait {
                    lane.gate.hold(wait);
                }
                pass.overloaded(wait);
            }
            Trouble::Unreachable(_) => pass.failed(false, dice),
            Trouble::Late(_) => pass.timed_out(dice),
            Trouble::Fault { worked, .. } => pass.failed(*worked, dice),
            Trouble::Output(_) | Trouble::Filtered(_) | Trouble::Prompt(_) | Trouble::Final(_) => {
                pass.refused();
            }
        }
    }

    /// A prompt that gets no reply. Many refusals at the very beginning are not about single prompts.
    fn give_up(&self, client: &Client, failure: Failure, trouble: Wrong) -> Result<Answered, Fatal> {
        // A server that judges a prompt is well.
        if !matches!(failure, Failure::GaveUp(_)) {
            self.health().answered(Instant::now());
        }
        if let Failure::Refused(says) = &failure
            && trouble == Wrong::Request
            && self.health().refused()
        {
            let (model, url) = (self.plan.name.clone(), client.shown().to_owned());
            return Err(Fatal::Refuses { model, url, says: says.clone() });
        }
        Ok(Answered { answer: Err(failure), picodollars: None, attempt: None, reservation: None })
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn down(&self, client: &Client, says: String) -> Fatal {
        let ill_for = self.health().ill_for(Instant::now());
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

    fn at_once(&self) -> usize {
        match &self.server {
            Some(Server::Endpoints(lanes)) => lanes.iter().map(|lane| lane.gate.limit()).sum(),
            #[cfg(feature = "embedded")]
            Some(Server::Embedded(_, gate)) => gate.limit(),
            None => 0,
        }
    }

    /// Whether all that the model does has a price.
    fn has_price(&self) -> bool {
        match &self.plan.backend {
            Backend::Endpoints(endpoints) => endpoints.iter().all(|endpoint| endpoint.price.is_some()),
            Backend::Embedded { .. } => false,
        }
    }

    pub(super) fn counters(&self) -> Counters {
        self.tally.counters(self.at_once(), self.has_price())
    }
}

impl Server {
    #[cfg_attr(
        not(feature = "embedded"),
        expect(clippy::unused_async, reason = "only weights take time to load")
    )]
    async fn open(plan: &ModelPlan, lanes: &mut Lanes) -> Result<Self, Fatal> {
        match &plan.backend {
            Backend::Endpoints(endpoints) => {
                let lanes = endpoints.iter().map(|endpoint| lanes.lane(endpoint, plan.timeout));
                let lanes = lanes.collect::<Result<_, _>>();
                lanes
                    .map(Self::Endpoints)
                    .map_err(|source| Fatal::Endpoint { model: plan.name.clone(), source })
            }
            #[cfg(feature = "embedded")]
            Backend::Embedded { context, in_flight } => {
                let embedded = load(plan, *context, *in_flight).await?;
                let gate = Gate::new(None, None, Adaptive::fixed(*in_flight));
                Ok(Self::Embedded(embedded, Arc::new(gate)))
            }
            #[cfg(not(feature = "embedded"))]
            Backend::Embedded { .. } => Err(Fatal::NoEmbedded { model: plan.name.clone() }),
        }
    }
}

/// Reads the weights of an embedded model, on a thread that may take its time.
#[cfg(feature = "embedded")]
async fn load(plan: &ModelPlan, context: u32, slots: usize) -> Result<embedded::Embedded, Fatal> {
    let name = plan.served.clone();
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

/// Books a call that brought no reply.
async fn book(
    trouble: &Trouble,
    attempt: AttemptId,
    reservation: Reservation,
    desk: Desk<'_>,
) -> Result<(), Fatal> {
    // A model that wrote what its server cannot read has written it.
    if matches!(trouble, Trouble::Fault { worked: true, .. } | Trouble::Late(_) | Trouble::Output(_)) {
        reservation.lose();
        desk.journal.end(attempt, End::Lost).await?;
    } else {
        reservation.spend(Cost { requests: 1, ..Cost::default() });
        desk.journal.end(attempt, End::Free).await?;
    }
    Ok(())
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

    #[test]
    fn dice_differ() {
        let thrown: Vec<_> = (0..4).map(|tries| dice([7; 32], tries)).chain([dice([8; 32], 0)]).collect();
        for (index, one) in thrown.iter().enumerate() {
            assert!((0.0..=1.0).contains(one) && !thrown[..index].contains(one), "{thrown:?}");
        }
    }
}
