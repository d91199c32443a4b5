//! One plugin on documents from outside a run: for looking at what it says, and for scoring it.
//!
//! Documents come and verdicts go as JSON lines. Replies are given, never asked for; a document whose replies are used
//! up ends with the prompts that it asks next.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::classifiers::Classifiers;
use crate::config::StagePlan;
use crate::document::{Capture, Document, Draft, Field, Value};
use crate::pages::charset;
use crate::prompt::{Failure, Finish, Prompt, Reply, Shape};
use crate::stages::{Line, Shared, Stages, StagesError, Turn, Verdict, Worker, prompts, reason_and_value};
use crate::tokens;

/// A line of input is a page and what is around it.
const MAX_LINE_BYTES: u64 = 256 << 20;

/// Why the plugin cannot be applied to what is given.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("{} things are wrong with the plugin", .0.len())]
    Load(Vec<StagesError>),
    #[error("line {line} of the {what} is not one of them as JSON")]
    Line {
        line: usize,
        what: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("line {line} of the documents: {says}")]
    Document { line: usize, says: String },
    #[error("line {line} of the {what} has more than {MAX_LINE_BYTES} bytes")]
    TooLong { line: usize, what: &'static str },
    #[error("cannot read or write")]
    Io(#[from] io::Error),
}

/// A document as it is given. What is left out is empty.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    id: String,
    #[serde(default)]
    url: String,
    /// RFC 3339.
    date: Option<String>,
    /// Of the HTTP response; 200 where there is a body and no status.
    status: Option<u16>,
    #[serde(default)]
    headers: Map<String, Json>,
    html: Option<String>,
    body_base64: Option<String>,
    #[serde(default)]
    text: String,
    #[serde(default)]
    fields: Map<String, Json>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenReplies {
    id: String,
    /// A text, or null for a prompt that got no reply.
    replies: Vec<Option<String>>,
}

/// What the plugin is applied to.
pub struct Input<'a, D> {
    pub documents: D,
    pub replies: Option<&'a mut dyn BufRead>,
}

impl<D> fmt::Debug for Input<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").finish_non_exhaustive()
    }
}

/// Applies the plugin to each document; what it writes to its log goes to `log`.
pub fn apply(
    (plan, classifiers): (StagePlan, Classifiers),
    cache: Option<&std::path::Path>,
    input: Input<'_, impl BufRead>,
    out: &mut dyn Write,
    log: &mut dyn FnMut(Line),
) -> Result<(), ApplyError> {
    let stages = Stages::load(&[plan], 1, cache, Shared::alone(classifiers)).map_err(ApplyError::Load)?;
    let mut worker = Worker::new(Arc::new(stages));
    let mut known = HashMap::new();
    if let Some(replies) = input.replies {
        lines(replies, "replies", |line, text| {
            let it: GivenReplies = parse(text, line, "replies")?;
            known.insert(it.id, it.replies);
            Ok(())
        })?;
    }
    lines(input.documents, "documents", |line, text| {
        let given: Given = parse(text, line, "documents")?;
        let replies = known.remove(&given.id).unwrap_or_default();
        let id = given.id.clone();
        let (document, capture) = document(given).map_err(|says| ApplyError::Document { line, says })?;
        let verdict = judge(&mut worker, &document, &Arc::new(capture), replies, log);
        let mut written = Map::from_iter([("id".to_owned(), Json::String(id))]);
        written.extend(verdict);
        serde_json::to_writer(&mut *out, &written).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
        Ok(())
    })?;
    out.flush()?;
    Ok(())
}

/// Calls the stage until it is content, or until there are not enough replies for what it asks.
fn judge(
    worker: &mut Worker,
    document: &Document,
    capture: &Arc<Capture>,
    given: Vec<Option<String>>,
    log: &mut dyn FnMut(Line),
) -> Map<String, Json> {
    let mut given = given.into_iter();
    let mut replies = Vec::new();
    let mut rounds = 0;
    loop {
        let step = worker.step(0, &Turn { document, capture, replies: &replies, rounds });
        step.lines.into_iter().for_each(&mut *log);
        match step.verdict {
            Ok(Verdict::Ask(asks)) if asks.len() <= given.len() => {
                rounds += 1;
                replies.extend(given.by_ref().take(asks.len()).map(reply));
            }
            Ok(Verdict::Ask(asks)) => {
                let asks = prompts(asks, 0, &document.id, worker.stages()[0].name(), replies.len());
                let prompts: Vec<_> = asks.iter().map(prompt_out).collect();
                return object(json!({ "verdict": "ask", "prompts": prompts }));
            }
            Ok(Verdict::Drop(said)) => {
                let (reason, value) = reason_and_value(&said);
                return object(json!({ "verdict": "drop", "reason": reason, "value": value }));
            }
            Ok(Verdict::Emit(drafts)) => {
                let stage = &worker.stages()[0];
                return match document.apply(drafts.clone(), stage.name(), 0, &stage.columns) {
                    Ok(_) => {
                        let drafts: Vec<_> = drafts.iter().map(|draft| draft_out(draft, document)).collect();
                        object(json!({ "verdict": "emit", "drafts": drafts }))
                    }
                    Err(misdraft) => fail(misdraft.reason(), &misdraft.to_string()),
                };
            }
            Err(failed) => return fail(failed.reason.word(), &failed.says),
        }
    }
}

fn fail(reason: &str, says: &str) -> Map<String, Json> {
    object(json!({ "verdict": "fail", "reason": reason, "says": says }))
}

fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => Map::new(),
    }
}

fn reply(text: Option<String>) -> Result<Reply, Failure> {
    let text = text.ok_or_else(|| Failure::GaveUp("no reply is given".to_owned()))?;
    let completion_tokens = tokens::count(&text);
    Ok(Reply { text, finish: Finish::Stop, prompt_tokens: 0, completion_tokens })
}

fn draft_out(draft: &Draft, document: &Document) -> Json {
    let fields: Map<_, _> =
        draft.fields.iter().map(|field| (field.name.clone(), json!(field.value))).collect();
    let span = draft.span.map(|(start, end)| json!({ "start": start, "end": end }));
    json!({ "text": draft.text.as_ref().unwrap_or(&document.text), "fields": fields, "span": span })
}

fn prompt_out(prompt: &Prompt) -> Json {
    let shape = prompt.shape.as_ref().map(|shape| match shape {
        Shape::JsonSchema(schema) => json!({ "json_schema": schema }),
        Shape::Grammar(grammar) => json!({ "grammar": grammar }),
    });
    json!({
        "model": prompt.model, "system": prompt.system, "user": prompt.user, "max_tokens": prompt.max_tokens,
        "temperature": prompt.temperature, "top_p": prompt.top_p, "stop": prompt.stop, "shape": shape,
    })
}

fn document(given: Given) -> Result<(Document, Capture), String> {
    let mut headers = Vec::new();
    for (name, value) in given.headers {
        let Json::String(value) = value else { return Err(format!("the header `{name}` is no text")) };
        headers.push((name, value));
    }
    let (body, html) = match (given.html, given.body_base64) {
        (Some(html), None) => (html.clone().into_bytes(), Some(html)),
        (None, Some(coded)) => {
            let body = BASE64.decode(coded).map_err(|error| format!("`body_base64`: {error}"))?;
            let content_type = headers
                .iter()
                .find(|(name, _): &&(String, String)| name.eq_ignore_ascii_case("content-type"));
            let content_type = content_type.map(|(_, value)| value.as_str());
            let html =
                charset::decode(&body, content_type, None, &mut Vec::new()).map(|decoded| decoded.text);
            (body, html)
        }
        (None, None) => (Vec::new(), None),
        (Some(_), Some(_)) => return Err("it has both `html` and `body_base64`".to_owned()),
    };
    let captured = html.is_some() || !body.is_empty();
    let status = given.status.unwrap_or(if captured { 200 } else { 0 });
    let mut fields = Vec::new();
    for (name, value) in given.fields {
        let value = value_in(value).ok_or_else(|| format!("the field `{name}` has no kind of a column"))?;
        fields.push(Field { name, value });
    }
    let document = Document {
        id: given.id,
        url: given.url,
        date: given.date.unwrap_or_default(),
        text: given.text,
        fields,
        span: None,
        replies: Vec::new(),
    };
    Ok((document, Capture { status, headers, body, html }))
}

fn value_in(json: Json) -> Option<Value> {
    match json {
        Json::String(text) => Some(Value::Text(text)),
        Json::Bool(flag) => Some(Value::Flag(flag)),
        Json::Number(number) => {
            number.as_i64().map(Value::Integer).or_else(|| number.as_f64().map(Value::Number))
        }
        Json::Array(texts) => {
            let texts = texts.into_iter().map(|text| text.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().map(Value::Texts)
        }
        Json::Null | Json::Object(_) => None,
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str, line: usize, what: &'static str) -> Result<T, ApplyError> {
    serde_json::from_str(text).map_err(|source| ApplyError::Line { line, what, source })
}

fn lines(
    mut from: impl BufRead,
    what: &'static str,
    mut each: impl FnMut(usize, &str) -> Result<(), ApplyError>,
) -> Result<(), ApplyError> {
    let mut text = String::new();
    for line in 1.. {
        text.clear();
        let read = io::Read::take(&mut from, MAX_LINE_BYTES).read_line(&mut text)?;
        if read == 0 {
            break;
        }
        if read as u64 == MAX_LINE_BYTES {
            return Err(ApplyError::TooLong { line, what });
        }
        if !text.trim().is_empty() {
            each(line, &text)?;
        }
    }
    Ok(())
}
