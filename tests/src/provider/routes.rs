//! Who answers what: the paths of OpenAI's interface, and those of servers that speak it.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::provider::batch::{Answered, File};
use crate::provider::chat;
use crate::provider::conduct::Refusal;
use crate::provider::house::{House, Open};
use crate::provider::http::{Request, Response};
use crate::provider::ledger::{Delivery, Digest, Entry, Route};
use crate::provider::multipart;
use crate::provider::reply::Ask;
use crate::provider::settings::Dialect;
use crate::provider::wire::Wire;

/// Chats are small; a prompt of a million tokens is four megabytes.
const MAX_CHAT_BYTES: usize = 32 << 20;

/// A form's heads and delimiters around its file.
const FORM_BYTES: usize = 64 << 10;

/// How large a body may be that is sent to a path.
pub(crate) fn most_bytes(path: &str, house: &House) -> usize {
    if path == "/v1/files" { house.settings.batches.most_bytes + FORM_BYTES } else { MAX_CHAT_BYTES }
}

/// What is sent for a request, and its entry in the ledger, which stays open until that is done.
pub(crate) async fn answer(house: &Arc<House>, request: Request) -> (Wire, Open) {
    let Request { head, body } = request;
    let path: Vec<_> = head.path.split('/').skip(1).filter(|segment| !segment.is_empty()).collect();
    let key = head.key.as_deref();
    if (head.method.as_str(), path.as_slice()) == ("POST", &["v1", "chat", "completions"]) {
        let ask = Ask::read(&body);
        let user = ask.as_ref().map_or("", Ask::user);
        let mut open = Open::enter(house, Route::Chat, &body, (key, user));
        let wire = chat::chat(house, &mut open, ask).await;
        open.answer(wire.status);
        return (wire, open);
    }
    let (route, answer): (_, Answer) = match (head.method.as_str(), path.as_slice()) {
        ("GET", ["v1", "models"]) => (Route::Models, models),
        ("GET", ["health"]) => (Route::Health, |_| Ok(Response::json(200, &json!({ "status": "ok" })))),
        ("GET", ["metrics"]) => (Route::Metrics, metrics),
        ("POST", ["v1", "files"]) => (Route::Files, upload),
        ("GET", ["v1", "files", _]) => (Route::Files, file),
        ("GET", ["v1", "files", _, "content"]) => (Route::Files, content),
        ("DELETE", ["v1", "files", _]) => (Route::Files, delete),
        ("POST", ["v1", "batches"]) => (Route::Batches, begin),
        ("GET", ["v1", "batches"]) => (Route::Batches, batches),
        ("GET", ["v1", "batches", _]) => (Route::Batches, batch),
        ("POST", ["v1", "batches", _, "cancel"]) => (Route::Batches, cancel),
        _ => (Route::Unknown, |_| Err(missing("There is no such path."))),
    };
    let open = Open::enter(house, route, &body, (key, ""));
    let id = path.get(2).copied().unwrap_or_default();
    let call = Call { house, id, media: &head.media, body: &body };
    let outside = matches!(route, Route::Health | Route::Metrics);
    let told = if outside || house.knows(open.key()) { answer(&call) } else { Err(Refusal::denied(401)) };
    let response = told.unwrap_or_else(|refusal| refusal.response(Timestamp::now()));
    open.answer(Some(response.status));
    (Wire::plain(response), open)
}

type Answer = fn(&Call<'_>) -> Result<Response, Refusal>;

/// A request to anything but chat: nothing there has to wait.
struct Call<'a> {
    house: &'a Arc<House>,
    id: &'a str,
    media: &'a str,
    body: &'a [u8],
}

fn missing(says: &str) -> Refusal {
    Refusal::error(404, "invalid_request_error", Value::Null, says)
}

fn wrong(says: &str) -> Refusal {
    Refusal::error(400, "invalid_request_error", Value::Null, says)
}

fn models(call: &Call<'_>) -> Result<Response, Refusal> {
    let names = &call.house.settings.models;
    if names.is_empty() {
        return Err(missing("This server does not tell its models."));
    }
    let told = names.iter().map(|name| json!({ "id": name, "object": "model", "owned_by": "provider" }));
    Ok(Response::json(200, &json!({ "object": "list", "data": told.collect::<Vec<_>>() })))
}

/// Prometheus text, with the names of vLLM or of llama.cpp.
fn metrics(call: &Call<'_>) -> Result<Response, Refusal> {
    let settings = &call.house.settings;
    let (running, waiting) = call.house.load();
    let usage = call.house.ledger().usage();
    let (prompt, said) = (usage.prompt_tokens as usize, usage.completion_tokens as usize);
    let (lines, labels): ([(&str, &str, usize); 4], &str) = match settings.dialect {
        Dialect::Vllm => (
            [
                ("vllm:num_requests_running", "gauge", running),
                ("vllm:num_requests_waiting", "gauge", waiting),
                ("vllm:prompt_tokens_total", "counter", prompt),
                ("vllm:generation_tokens_total", "counter", said),
            ],
            "{engine=\"0\",model_name=\"double\"}",
        ),
        Dialect::LlamaCpp => (
            [
                ("llamacpp:requests_processing", "gauge", running),
                ("llamacpp:requests_deferred", "gauge", waiting),
                ("llamacpp:prompt_tokens_total", "counter", prompt),
                ("llamacpp:tokens_predicted_total", "counter", said),
            ],
            "",
        ),
        Dialect::OpenAi => return Err(missing("There are no metrics.")),
    };
    if !settings.metrics {
        return Err(missing("There are no metrics."));
    }
    let point = if settings.dialect == Dialect::Vllm { ".0" } else { "" };
    let text = lines.iter().map(|(name, kind, value)| {
        format!("# HELP {name} As it is now.\n# TYPE {name} {kind}\n{name}{labels} {value}{point}\n")
    });
    Ok(Response::new(200, "text/plain; version=0.0.4", text.collect::<String>()))
}

fn upload(call: &Call<'_>) -> Result<Response, Refusal> {
    let parts = multipart::parts(call.media, call.body).ok_or_else(|| wrong("The body is no form."))?;
    let part = |name: &str| parts.iter().find(|part| part.name == name);
    if part("purpose").is_none_or(|purpose| purpose.data != b"batch") {
        return Err(wrong("`purpose` has to be `batch`."));
    }
    let file = part("file").ok_or_else(|| wrong("`file` is missing."))?;
    if call.house.settings.batches.most_bytes < file.data.len() {
        return Err(Refusal::error(413, "invalid_request_error", Value::Null, "The file is too large."));
    }
    let name = file.filename.unwrap_or("upload").to_owned();
    let bytes = Arc::new(file.data.to_vec());
    let created = Timestamp::now().as_second();
    let mut store = call.house.store();
    let id = store.keep(File { name, purpose: "batch", bytes, created });
    Ok(Response::json(200, &store.told_file(&id).unwrap_or_default()))
}

fn file(call: &Call<'_>) -> Result<Response, Refusal> {
    let told = call.house.store().told_file(call.id);
    told.map(|told| Response::json(200, &told)).ok_or_else(|| missing("No such file."))
}

fn content(call: &Call<'_>) -> Result<Response, Refusal> {
    let bytes = call.house.store().file(call.id).map(|file| Arc::clone(&file.bytes));
    let bytes = bytes.ok_or_else(|| missing("No such file."))?;
    Ok(Response::new(200, "application/octet-stream", bytes.to_vec()))
}

fn delete(call: &Call<'_>) -> Result<Response, Refusal> {
    if !call.house.store().delete(call.id) {
        return Err(missing("No such file."));
    }
    Ok(Response::json(200, &json!({ "id": call.id, "object": "file", "deleted": true })))
}

fn begin(call: &Call<'_>) -> Result<Response, Refusal> {
    let asked = serde_json::from_slice(call.body).map_err(|_no_json| wrong("The body is no JSON."))?;
    let settings = &call.house.settings;
    let mut store = call.house.store();
    let id = store.begin(&asked, settings, Timestamp::now().as_second());
    let id = id.ok_or_else(|| wrong("`input_file_id` names no file."))?;
    Ok(Response::json(200, &store.told_batch(&id, settings).unwrap_or_default()))
}

fn batches(call: &Call<'_>) -> Result<Response, Refusal> {
    Ok(Response::json(200, &call.house.store().told_batches(&call.house.settings)))
}

fn batch(call: &Call<'_>) -> Result<Response, Refusal> {
    let settings = &call.house.settings;
    let mut store = call.house.store();
    let answered = store.look(call.id, settings, Timestamp::now().as_second());
    let answered = answered.ok_or_else(|| missing("No such batch."))?;
    let told = store.told_batch(call.id, settings).unwrap_or_default();
    drop(store);
    if !answered.is_empty() {
        enter(call.house, answered);
    }
    Ok(Response::json(200, &told))
}

fn cancel(call: &Call<'_>) -> Result<Response, Refusal> {
    let mut store = call.house.store();
    if !store.cancel(call.id) {
        return Err(missing("No such batch."));
    }
    Ok(Response::json(200, &store.told_batch(call.id, &call.house.settings).unwrap_or_default()))
}

/// Enters the lines of a batch that is done.
fn enter(house: &House, answered: Vec<Answered>) {
    let kept = house.settings.message_bytes;
    house.change(|ledger| {
        let now = Instant::now();
        for line in answered {
            ledger.enter(Entry {
                number: 0,
                route: Route::BatchLine,
                arrived: now,
                body: line.body,
                attempt: 0,
                key: None::<Digest>,
                user: line.user.get(..line.user.floor_char_boundary(kept)).unwrap_or_default().to_owned(),
                accepted: false,
                reserved: 0,
                status: Some(line.status),
                usage: line.usage,
                price: line.price,
                delivery: Delivery::Complete,
            });
        }
    });
}
