//! Files and batches: many requests in one upload, answered later, at half the price.
//!
//! A batch goes on by itself, through `validating`, `in_progress` and `finalizing`, by being looked at or by time; no task
//! works on it, so it outlives a server that dies. Its lines are answered all at once when it is first seen to be done,
//! which is when they are charged and entered in the ledger. Its own statuses and files are those of OpenAI's reference.

mod lines;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::provider::batch::lines::{Asked, ENDPOINT, complaint, lines};
use crate::provider::conduct::Refusal;
use crate::provider::ledger::Digest;
use crate::provider::reply::{self, Ask, Usage};
use crate::provider::settings::Settings;

/// How batches are treated.
#[derive(Debug, Clone)]
pub struct BatchRules {
    pub pace: Pace,
    pub fates: Fates,
    /// More lines make the batch fail.
    pub most_lines: usize,
    /// More bytes are no file.
    pub most_bytes: usize,
    /// Prompt tokens in all batches that are not done; a batch that would exceed it fails.
    pub most_enqueued_tokens: Option<u64>,
}

impl Default for BatchRules {
    fn default() -> Self {
        Self {
            pace: Pace::Polls(1),
            fates: Fates::by(|_| Fate::Answered),
            most_lines: 50_000,
            most_bytes: 200 << 20,
            most_enqueued_tokens: None,
        }
    }
}

/// How long a batch stays in each of its three statuses before the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Until it was looked at so often: a test needs no clock.
    Polls(u32),
    Time(Duration),
}

/// What becomes of a line.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    Answered,
    /// It stands in the error file with this status and body.
    Failed(Refusal),
    /// It stands in the error file as `batch_expired`, and the batch is `expired`.
    Expired,
}

/// A line that a fate is chosen for.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// From 0.
    pub number: usize,
    pub custom_id: &'a str,
    pub ask: &'a Ask,
}

/// The rule that chooses fates.
#[derive(Clone)]
pub struct Fates(Arc<dyn Fn(&Line<'_>) -> Fate + Send + Sync>);

impl Fates {
    pub fn by(rule: impl Fn(&Line<'_>) -> Fate + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }
}

impl fmt::Debug for Fates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fates")
    }
}

/// A file that was uploaded, or made.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) purpose: &'static str,
    pub(crate) bytes: Arc<Vec<u8>>,
    pub(crate) created: i64,
}

/// All files and batches.
#[derive(Debug, Default)]
pub(crate) struct Store {
    made: u64,
    files: BTreeMap<String, File>,
    batches: BTreeMap<String, Batch>,
}

#[derive(Debug)]
struct Batch {
    input: String,
    metadata: Value,
    begun: Instant,
    created: i64,
    polls: u32,
    tokens: u64,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    /// What is wrong with its file.
    Invalid(Vec<Value>),
    Waiting(Vec<Asked>),
    Cancelled,
    Done {
        status: &'static str,
        output: Option<String>,
        errors: Option<String>,
        answered: usize,
        failed: usize,
    },
}

/// A line that was answered, for the ledger.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) body: Digest,
    pub(crate) user: String,
    pub(crate) status: u16,
    pub(crate) usage: Usage,
    pub(crate) price: u64,
}

impl Store {
    /// An id that sorts by age.
    fn id(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}{:06}", self.made)
    }

    pub(crate) fn keep(&mut self, file: File) -> String {
        let id = self.id("file-");
        self.files.insert(id.clone(), file);
        id
    }

    pub(crate) fn file(&self, id: &str) -> Option<&File> {
        self.files.get(id)
    }

    pub(crate) fn delete(&mut self, id: &str) -> bool {
        self.files.remove(id).is_some()
    }

    pub(crate) fn told_file(&self, id: &str) -> Option<Value> {
        let file = self.files.get(id)?;
        Some(json!({
            "id": id, "object": "file", "bytes": file.bytes.len(), "created_at": file.created,
            "filename": file.name, "purpose": file.purpose, "status": "processed",
        }))
    }

    /// Begins a batch; None without its file.
    pub(crate) fn begin(&mut self, asked: &Value, settings: &Settings, created: i64) -> Option<String> {
        let input = asked.get("input_file_id")?.as_str()?.to_owned();
        let endpoint = asked.get("endpoint").and_then(Value::as_str).unwrap_or_default();
        let bytes = Arc::clone(&self.files.get(&input)?.bytes);
        let (lines, mut wrong) = lines(&bytes, endpoint, &settings.batches);
        let asks = lines.iter().filter_map(|line| line.ask.as_ref().ok());
        let tokens = asks.map(|ask| ask.prompt_tokens(&settings.count)).sum();
        let waiting = self.batches.values().filter(|batch| matches!(batch.kept, Kept::Waiting(_)));
        let enqueued = waiting.map(|batch| batch.tokens).sum::<u64>();
        if settings.batches.most_enqueued_tokens.is_some_and(|most| most < tokens + enqueued) {
            wrong.push(complaint("token_limit_exceeded", "the enqueued token limit is reached", None));
        }
        let kept = if wrong.is_empty() { Kept::Waiting(lines) } else { Kept::Invalid(wrong) };
        let metadata = asked.get("metadata").cloned().unwrap_or_default();
        let id = self.id("batch_");
        let batch = Batch { input, metadata, begun: Instant::now(), created, polls: 0, tokens, kept };
        self.batches.insert(id.clone(), batch);
        Some(id)
    }

    /// Looks at a batch, which may be what it waits for. What was answered by that is returned.
    pub(crate) fn look(&mut self, id: &str, settings: &Settings, now: i64) -> Option<Vec<Answered>> {
        let batch = self.batches.get_mut(id)?;
        batch.polls = batch.polls.saturating_add(1);
        if batch.stage(settings.batches.pace) < 3 {
            return Some(Vec::new());
        }
        let Kept::Waiting(lines) = &batch.kept else { return Some(Vec::new()) };
        let mut made = Made::default();
        for (number, line) in lines.iter().enumerate() {
            made.line(number, line, settings);
        }
        let status = if made.expired { "expired" } else { "completed" };
        let (answered, failed) = (made.output.len(), made.errors.len());
        let mut file = |name: &str, lines: BTreeMap<Digest, Value>| {
            let text = lines.into_values().map(|line| line.to_string() + "\n").collect::<String>();
            let bytes = Arc::new(text.into_bytes());
            let name = format!("{id}_{name}.jsonl");
            (!bytes.is_empty())
                .then(|| self.keep(File { name, purpose: "batch_output", bytes, created: now }))
        };
        let (output, errors) = (file("output", made.output), file("error", made.errors));
        let kept = Kept::Done { status, output, errors, answered, failed };
        self.batches.get_mut(id)?.kept = kept;
        Some(made.answered)
    }

    pub(crate) fn cancel(&mut self, id: &str) -> bool {
        let Some(batch) = self.batches.get_mut(id) else { return false };
        if matches!(batch.kept, Kept::Waiting(_)) {
            batch.kept = Kept::Cancelled;
        }
        true
    }

    pub(crate) fn told_batch(&self, id: &str, settings: &Settings) -> Option<Value> {
        let batch = self.batches.get(id)?;
        let stage = batch.stage(settings.batches.pace);
        let on_the_way = ["validating", "in_progress", "finalizing"].get(stage as usize).copied();
        let mut told = json!({
            "id": id, "object": "batch", "endpoint": ENDPOINT, "errors": null,
            "input_file_id": batch.input, "completion_window": "24h",
            "output_file_id": null, "error_file_id": null, "created_at": batch.created,
            "expires_at": batch.created + 24 * 60 * 60, "metadata": batch.metadata,
            "request_counts": { "total": 0, "completed": 0, "failed": 0 },
        });
        let status = match &batch.kept {
            Kept::Invalid(_) if stage == 0 => "validating",
            Kept::Invalid(wrong) => {
                told["errors"] = json!({ "object": "list", "data": wrong });
                "failed"
            }
            Kept::Waiting(lines) => {
                told["request_counts"]["total"] = lines.len().into();
                on_the_way.unwrap_or("finalizing")
            }
            Kept::Cancelled => "cancelled",
            Kept::Done { status, output, errors, answered, failed } => {
                told["output_file_id"] = json!(output);
                told["error_file_id"] = json!(errors);
                told["request_counts"] =
                    json!({ "total": answered + failed, "completed": answered, "failed": failed });
                status
            }
        };
        told["status"] = status.into();
        Some(told)
    }

    /// The newest first, as the reference says.
    pub(crate) fn told_batches(&self, settings: &Settings) -> Value {
        let ids = self.batches.keys().rev();
        let told: Vec<_> = ids.filter_map(|id| self.told_batch(id, settings)).collect();
        let id = |batch: Option<&Value>| batch.map(|batch| batch["id"].clone());
        json!({
            "object": "list", "first_id": id(told.first()), "last_id": id(told.last()),
            "has_more": false, "data": told,
        })
    }
}

impl Batch {
    /// From 0, validating, to 3, done.
    fn stage(&self, pace: Pace) -> u32 {
        let stages = match pace {
            Pace::Polls(each) => u128::from(self.polls.checked_div(each).unwrap_or(3)),
            Pace::Time(each) => self.begun.elapsed().as_nanos().checked_div(each.as_nanos()).unwrap_or(3),
        };
        stages.min(3) as u32
    }
}

/// What is made of a batch. OpenAI promises no order, so the hash of a line's id gives one that is not that of the input.
#[derive(Debug, Default)]
struct Made {
    output: BTreeMap<Digest, Value>,
    errors: BTreeMap<Digest, Value>,
    answered: Vec<Answered>,
    expired: bool,
}

impl Made {
    fn line(&mut self, number: usize, line: &Asked, settings: &Settings) {
        let place = Digest::of(line.custom_id.as_bytes());
        let (ask, fate) = match &line.ask {
            Ok(ask) => {
                let seen = Line { number, custom_id: &line.custom_id, ask };
                (ask, (settings.batches.fates.0)(&seen))
            }
            Err(says) => {
                let refusal = Refusal::error(400, "invalid_request_error", Value::Null, says);
                (&Ask::default(), Fate::Failed(refusal))
            }
        };
        let response = |status: u16, body: Value| json!({ "status_code": status, "request_id": format!("req_{}", place.short()), "body": body });
        let told = |response: Value, error: Value| {
            let id = format!("batch_req_{}", place.short());
            json!({ "id": id, "custom_id": line.custom_id, "response": response, "error": error })
        };
        let entered = |status: u16, usage: Usage, price: u64| Answered {
            body: line.body,
            user: ask.user().to_owned(),
            status,
            usage,
            price,
        };
        match fate {
            Fate::Answered => {
                let reply = reply::reply(ask, settings);
                let body = reply::completion(ask, &reply);
                self.output.insert(place, told(response(200, body), Value::Null));
                self.answered.push(entered(200, reply.usage, settings.price.of(reply.usage) / 2));
            }
            Fate::Failed(refusal) => {
                let body = serde_json::from_slice(&refusal.body)
                    .unwrap_or_else(|_no_json| String::from_utf8_lossy(&refusal.body).into());
                self.errors.insert(place, told(response(refusal.status, body), Value::Null));
                self.answered.push(entered(refusal.status, Usage::default(), 0));
            }
            Fate::Expired => {
                let message = "This request could not be executed before the completion window expired.";
                let error = json!({ "code": "batch_expired", "message": message });
                self.errors.insert(place, told(Value::Null, error));
                self.expired = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: &str) -> String {
        let messages = json!([{ "role": "user", "content": id }]);
        let body = json!({ "model": "m", "messages": messages });
        json!({ "custom_id": id, "method": "POST", "url": ENDPOINT, "body": body }).to_string() + "\n"
    }

    #[test]
    fn enqueued_tokens_are_limited() {
        let rules = BatchRules { most_enqueued_tokens: Some(12), ..BatchRules::default() };
        let settings = Settings { batches: rules, ..Settings::default() };
        let mut store = Store::default();
        let bytes = Arc::new((request("a") + &request("b")).into_bytes());
        let input = store.keep(File { name: "f".to_owned(), purpose: "batch", bytes, created: 0 });
        let asked = json!({ "input_file_id": input, "endpoint": ENDPOINT });
        let [one, two] = [(); 2].map(|()| store.begin(&asked, &settings, 0).unwrap());
        let status = |store: &Store, id: &str| store.told_batch(id, &settings).unwrap()["status"].clone();
        for expected in ["in_progress", "finalizing", "completed"] {
            store.look(&one, &settings, 0).unwrap();
            assert_eq!(status(&store, &one), expected);
        }
        assert_eq!(store.look(&two, &settings, 0).unwrap().len(), 0);
        assert_eq!(status(&store, &two), "failed");
        let three = store.begin(&asked, &settings, 0).unwrap();
        assert_eq!(status(&store, &three), "validating");
        assert!(store.cancel(&three));
        assert_eq!(status(&store, &three), "cancelled");
    }
}
