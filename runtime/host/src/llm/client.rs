//! One call to an OpenAI-compatible server: a prompt becomes a request, a response becomes a reply or trouble.
//!
//! The request has the fields that the protocol names, `grammar` (GBNF), which llama.cpp's server understands and
//! others refuse, and those that the pipeline adds. A response is read leniently: only the reply's text is needed. The module does not wait, repeat or
//! remember anything.

pub(crate) mod batches;

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Url, redirect};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::config::{LengthField, Secret};
use crate::llm::budget::Usage;
use crate::llm::retry::{self, Trouble};
use crate::prompt::{Failure, Finish, Prompt, Reply, Shape};
use crate::tokens;

const USER_AGENT: &str = concat!("palimpsest/", env!("CARGO_PKG_VERSION"));

/// A server that is there accepts a connection within milliseconds; ten seconds allow for lost packets.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A list of models is made without any model, so a server that needs longer has a problem worth a message.
const PROBE_TIMEOUT: Duration = Duration::from_secs(20);

/// The longest reply of any model is about 100,000 tokens, half a megabyte; escapes and extra fields may double it.
const MAX_REPLY_BYTES: usize = 8 << 20;

/// An account of an error is a few hundred bytes; of an error page the beginning is enough.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// A server counts itself without any model.
const METRICS_TIMEOUT: Duration = Duration::from_secs(5);

/// A chat's own tokens around those of its messages, about.
const CHAT_TOKENS: u32 = 16;

/// The same with the longest system message that a template is known to add by itself.
const MOST_CHAT_TOKENS: u64 = 256;

/// One server.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    chat: Url,
    models: Url,
    /// Beside the protocol's own addresses, where vLLM and llama.cpp have it.
    metrics: Url,
    /// Without credentials, for messages.
    shown: String,
    clock: fn() -> Timestamp,
}

/// What a request says beside the prompt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form<'a> {
    /// What the server calls the model.
    pub(crate) model: &'a str,
    pub(crate) seed: u32,
    pub(crate) length_field: LengthField,
    pub(crate) extra: &'a Map<String, Value>,
}

/// A reply as it came.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) reply: Reply,
    pub(crate) usage: Usage,
    /// Whether the server left out how many tokens it was.
    pub(crate) usage_estimated: bool,
    /// How long the server wants no other call, because a limit is used up.
    pub(crate) pause: Option<Duration>,
}

/// Why an endpoint cannot be asked at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("the endpoint is no URL that begins with http:// or https://")]
    Url,
    #[error("the key has characters that no HTTP header may have")]
    Key,
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

impl Client {
    /// `timeout` is how long the server may send nothing. `clock` is asked when a server says when to come back.
    pub(crate) fn new(
        endpoint: &str,
        key: Option<&Secret>,
        timeout: Duration,
        clock: fn() -> Timestamp,
    ) -> Result<Self, EndpointError> {
        let base = Url::parse(endpoint).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let base = base.ok_or(EndpointError::Url)?;
        Ok(Self {
            http: http(&base, key, timeout)?,
            chat: below(&base, &["chat", "completions"])?,
            models: below(&base, &["models"])?,
            metrics: beside(&base, "metrics")?,
            shown: shown(&base),
            base,
            clock,
        })
    }

    /// The endpoint for messages: without credentials, and without a query, which may have some too.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    pub(crate) async fn complete(&self, prompt: &Prompt, form: Form<'_>) -> Result<Completion, Trouble> {
        let body = request(prompt, form).map_err(Trouble::Prompt)?;
        let request = self.http.post(self.chat.clone()).header(CONTENT_TYPE, "application/json").body(body);
        let (body, headers) = self.send(request).await?;
        let header = |name: &'static str| headers.get(name).and_then(|value| value.to_str().ok());
        let mut completion = completion(&body, prompt)?;
        completion.pause = retry::used_up(&header);
        Ok(completion)
    }

    /// What the server counts of itself, if it does, in Prometheus' text form.
    pub(crate) async fn metrics(&self) -> Result<String, Trouble> {
        let (body, _) = self.send(self.http.get(self.metrics.clone()).timeout(METRICS_TIMEOUT)).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// The names of the models that the server has, if it tells.
    pub(crate) async fn models(&self) -> Result<Vec<String>, Trouble> {
        let (body, _) = self.send(self.http.get(self.models.clone()).timeout(PROBE_TIMEOUT)).await?;
        let listing: Value = serde_json::from_slice(&body).unwrap_or_default();
        let models = listing.get("data").and_then(Value::as_array).into_iter().flatten();
        Ok(models.filter_map(|model| Some(model.get("id")?.as_str()?.to_owned())).collect())
    }

    /// The body of a success, and its headers.
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<(Vec<u8>, HeaderMap), Trouble> {
        let mut response = request.send().await.map_err(failed)?;
        let headers = std::mem::take(response.headers_mut());
        if response.status().is_success() {
            let (body, rest) = read(response, MAX_REPLY_BYTES).await;
            let lost = |says| Trouble::Fault { says, worked: true };
            return match rest {
                Rest::Nothing => Ok((body, headers)),
                Rest::More => Err(lost(format!("a reply of more than {MAX_REPLY_BYTES} bytes"))),
                Rest::Lost(error) => Err(failed(error)),
            };
        }
        *response.headers_mut() = headers;
        Err(self.refused(response).await)
    }

    /// What a response other than a success means.
    async fn refused(&self, mut response: reqwest::Response) -> Trouble {
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let header = |name: &'static str| headers.get(name).and_then(|value| value.to_str().ok());
        // Whatever of the body is lost, the status was heard.
        let (body, _) = read(response, MAX_ERROR_BYTES).await;
        let body = String::from_utf8_lossy(&body);
        retry::trouble(retry::Response { status, header: &header, body: &body }, (self.clock)())
    }
}

fn http(base: &Url, key: Option<&Secret>, timeout: Duration) -> Result<reqwest::Client, EndpointError> {
    // Whoever was first to choose a provider for the process is right: it may have been another model's client.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut headers = HeaderMap::new();
    if let Some(key) = key {
        let bearer = HeaderValue::try_from(format!("Bearer {}", key.reveal()));
        let mut bearer = bearer.map_err(|_key_in_it| EndpointError::Key)?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .default_headers(headers)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(timeout)
        // A redirect would take the key to somewhere that the pipeline does not name.
        .redirect(redirect::Policy::none())
        // Only `retry` decides about second calls.
        .retry(reqwest::retry::never());
    if base.scheme() == "http" {
        // A machine without certificates can still ask the server next to it.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| EndpointError::Client(chain(&error)))
}

/// The base URL with more segments; a query stays.
fn below(base: &Url, segments: &[&str]) -> Result<Url, EndpointError> {
    let mut url = base.clone();
    url.path_segments_mut().map_err(|()| EndpointError::Url)?.pop_if_empty().extend(segments);
    Ok(url)
}

/// A name in the place of the base URL's last segment, which is the protocol's version.
fn beside(base: &Url, name: &str) -> Result<Url, EndpointError> {
    let mut url = base.clone();
    url.path_segments_mut().map_err(|()| EndpointError::Url)?.pop_if_empty().pop().push(name);
    Ok(url)
}

fn shown(base: &Url) -> String {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    // These fail for URLs that cannot have credentials.
    let bare = url.set_username("").and_then(|()| url.set_password(None));
    if bare.is_ok() { url.into() } else { base.host_str().unwrap_or_default().to_owned() }
}

/// What was left of a body when reading stopped.
enum Rest {
    Nothing,
    More,
    Lost(reqwest::Error),
}

async fn read(mut response: reqwest::Response, most: usize) -> (Vec<u8>, Rest) {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if most < body.len() + chunk.len() => {
                let left = most - body.len();
                body.extend(chunk.into_iter().take(left));
                return (body, Rest::More);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return (body, Rest::Nothing),
            Err(error) => return (body, Rest::Lost(error)),
        }
    }
}

fn failed(error: reqwest::Error) -> Trouble {
    let error = error.without_url();
    let says = chain(&error);
    // A connection that is not made in time is none.
    if error.is_connect() {
        Trouble::Unreachable(says)
    } else if error.is_timeout() {
        Trouble::Late(says)
    } else {
        Trouble::Fault { says, worked: true }
    }
}

/// An error with its causes on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut says = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        says = format!("{says}: {error}");
        cause = error.source();
    }
    retry::words(&says)
}

/// More tokens than a call can take, in any vocabulary: a token is a byte at least, and a chat's own are few.
pub(crate) fn worst(prompt: &Prompt, extra: &Map<String, Value>) -> Usage {
    let bytes = prompt.user.len() + prompt.system.as_ref().map_or(0, String::len);
    let shape = match &prompt.shape {
        None => 0,
        // Some servers put the schema into the prompt.
        Some(Shape::Grammar(text) | Shape::JsonSchema(text)) => text.len(),
    };
    // Tools and the like are read by the model too.
    let extra = if extra.is_empty() { 0 } else { Value::Object(extra.clone()).to_string().len() };
    let prompt_tokens = (bytes + shape + extra) as u64 + MOST_CHAT_TOKENS;
    Usage { prompt: prompt_tokens, cached: 0, completion: prompt.max_tokens.into() }
}

/// The tokens of a prompt in the server's eyes, about.
pub(crate) fn estimate(prompt: &Prompt) -> u32 {
    let system = prompt.system.as_deref().map_or(0, tokens::count);
    tokens::count(&prompt.user).saturating_add(system).saturating_add(CHAT_TOKENS)
}

#[derive(Debug, Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop: &'a [String],
    seed: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grammar: Option<&'a str>,
    #[serde(flatten)]
    extra: &'a Map<String, Value>,
}

#[derive(Debug, Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Debug, Serialize)]
struct ResponseFormat {
    r#type: &'static str,
    json_schema: JsonSchema,
}

#[derive(Debug, Serialize)]
struct JsonSchema {
    name: &'static str,
    strict: bool,
    /// As the stage wrote it: the order of its properties is the order in which the model fills them in.
    schema: Box<RawValue>,
}

/// The body of a request.
pub(crate) fn request(prompt: &Prompt, form: Form<'_>) -> Result<Vec<u8>, Failure> {
    let system = prompt.system.as_deref().map(|content| Message { role: "system", content });
    let user = Message { role: "user", content: &prompt.user };
    let most = |field| (form.length_field == field).then_some(prompt.max_tokens);
    let mut request = Request {
        model: form.model,
        messages: system.into_iter().chain([user]).collect(),
        max_tokens: most(LengthField::MaxTokens),
        max_completion_tokens: most(LengthField::MaxCompletionTokens),
        temperature: prompt.temperature,
        top_p: prompt.top_p,
        stop: &prompt.stop,
        seed: form.seed,
        response_format: None,
        grammar: None,
        extra: form.extra,
    };
    match &prompt.shape {
        None => {}
        Some(Shape::Grammar(grammar)) => request.grammar = Some(grammar),
        Some(Shape::JsonSchema(schema)) => {
            let schema = RawValue::from_string(schema.clone())
                .map_err(|error| Failure::Refused(format!("the JSON schema is no JSON: {error}")))?;
            let json_schema = JsonSchema { name: "reply", strict: true, schema };
            request.response_format = Some(ResponseFormat { r#type: "json_schema", json_schema });
        }
    }
    serde_json::to_vec(&request).map_err(|error| Failure::Refused(error.to_string()))
}

#[derive(Debug, Deserialize)]
struct Response {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Value,
}

#[derive(Debug, Deserialize)]
struct Choice {
    message: ResponseMessage,
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ResponseMessage {
    content: Option<String>,
    refusal: Option<String>,
}

/// The reply in a response. Of several choices, which nobody asked for, the first one counts.
pub(crate) fn completion(body: &[u8], prompt: &Prompt) -> Result<Completion, Trouble> {
    let fault = |says: String| Trouble::Fault { says, worked: true };
    let response: Response = serde_json::from_slice(body)
        .map_err(|error| fault(format!("a response that is no chat completion: {error}")))?;
    let choice = response.choices.into_iter().next();
    let choice = choice.ok_or_else(|| fault("a response without choices".to_owned()))?;
    let finish = match choice.finish_reason.as_deref() {
        Some("length") => Finish::Length,
        Some("content_filter") => Finish::Filtered,
        Some(_) | None if choice.message.refusal.is_some() => Finish::Filtered,
        Some(_) | None => Finish::Stop,
    };
    // A model that thought until its tokens were used up has said nothing, which is a reply too.
    let text = choice.message.content.unwrap_or_default();
    let tokens = |path: &str| response.usage.pointer(path)?.as_u64()?.try_into().ok();
    let (asked, said): (Option<u32>, Option<u32>) = (tokens("/prompt_tokens"), tokens("/completion_tokens"));
    let cached = tokens("/prompt_tokens_details/cached_tokens").unwrap_or(0);
    let reply = Reply {
        prompt_tokens: asked.unwrap_or_else(|| estimate(prompt)),
        completion_tokens: said.unwrap_or_else(|| tokens::count(&text)),
        text,
        finish,
    };
    let usage = Usage {
        prompt: reply.prompt_tokens.into(),
        cached: cached.into(),
        completion: reply.completion_tokens.into(),
    };
    Ok(Completion { usage, usage_estimated: asked.is_none() || said.is_none(), reply, pause: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(shape: Option<Shape>) -> Prompt {
        Prompt {
            model: "writer".to_owned(),
            system: Some("be brief".to_owned()),
            user: "hello world".to_owned(),
            max_tokens: 9,
            temperature: Some(0.5),
            top_p: None,
            stop: vec!["END".to_owned()],
            shape,
            seed: 7,
        }
    }

    fn form(extra: &Map<String, Value>) -> Form<'_> {
        Form { model: "big", seed: 7, length_field: LengthField::MaxTokens, extra }
    }

    #[track_caller]
    fn sends(shape: Option<Shape>, expected: &str) {
        let body = String::from_utf8(request(&prompt(shape), form(&Map::new())).unwrap()).unwrap();
        assert_eq!(body, expected);
    }

    #[track_caller]
    fn reads(body: &str, text: &str, finish: Finish, tokens: (u32, u32)) {
        let reply = completion(body.as_bytes(), &prompt(None)).unwrap().reply;
        assert_eq!((reply.text.as_str(), reply.finish), (text, finish));
        assert_eq!((reply.prompt_tokens, reply.completion_tokens), tokens);
    }

    #[test]
    fn a_request_says_what_the_prompt_says_and_no_more() {
        let common = concat!(
            r#"{"model":"big","messages":[{"role":"system","content":"be brief"},"#,
            r#"{"role":"user","content":"hello world"}],"max_tokens":9,"temperature":0.5,"stop":["END"],"seed":7"#
        );
        sends(None, &format!("{common}}}"));
        sends(
            Some(Shape::Grammar("root ::= a".to_owned())),
            &format!(r#"{common},"grammar":"root ::= a"}}"#),
        );
        sends(
            Some(Shape::JsonSchema(r#"{"z":1,"a":2}"#.to_owned())),
            &format!(
                r#"{common},"response_format":{{"type":"json_schema","json_schema":{{"name":"reply","strict":true,"schema":{{"z":1,"a":2}}}}}}}}"#
            ),
        );
    }

    #[test]
    fn a_pipeline_may_add_fields_and_name_the_length_otherwise() {
        let extra = serde_json::json!({ "chat_template_kwargs": { "enable_thinking": false } });
        let extra = extra.as_object().unwrap();
        let form = Form { length_field: LengthField::MaxCompletionTokens, seed: 8, ..form(extra) };
        let body: Value = serde_json::from_slice(&request(&prompt(None), form).unwrap()).unwrap();
        assert_eq!(body["chat_template_kwargs"]["enable_thinking"], false);
        assert_eq!((&body["max_completion_tokens"], body.get("max_tokens")), (&Value::from(9), None));
        assert_eq!(body["seed"], 8);
    }

    #[test]
    fn a_schema_that_is_no_json_is_refused_before_any_call() {
        let refused = request(&prompt(Some(Shape::JsonSchema("{} }".to_owned()))), form(&Map::new()));
        assert!(matches!(refused, Err(Failure::Refused(_))), "{refused:?}");
    }

    #[test]
    fn a_response_is_read_leniently() {
        let usage = r#""usage":{"prompt_tokens":3,"completion_tokens":4}"#;
        let choice =
            |rest: &str| format!(r#"{{"id":"x","choices":[{{"index":0,{rest}}}],{usage},"new":{{}}}}"#);
        let said = r#""message":{"role":"assistant","content":"hi"}"#;
        reads(&choice(&format!(r#"{said},"finish_reason":"stop""#)), "hi", Finish::Stop, (3, 4));
        reads(&choice(&format!(r#"{said},"finish_reason":"length""#)), "hi", Finish::Length, (3, 4));
        reads(
            &choice(&format!(r#"{said},"finish_reason":"content_filter""#)),
            "hi",
            Finish::Filtered,
            (3, 4),
        );
        reads(&choice(&format!(r#"{said},"finish_reason":"eos""#)), "hi", Finish::Stop, (3, 4));
        reads(&choice(said), "hi", Finish::Stop, (3, 4));
        reads(&choice(r#""message":{"content":null},"finish_reason":"length""#), "", Finish::Length, (3, 4));
        let refusal = r#""message":{"content":null,"refusal":"no"},"finish_reason":"stop""#;
        reads(&choice(refusal), "", Finish::Filtered, (3, 4));
        let two = format!(r#"{{"choices":[{{{said}}},{{"message":{{"content":"ho"}}}}],{usage}}}"#);
        reads(&two, "hi", Finish::Stop, (3, 4));
    }

    #[test]
    fn missing_and_senseless_usage_is_estimated() {
        let estimated = (estimate(&prompt(None)), 1);
        for usage in ["", r#","usage":null"#, r#","usage":{"prompt_tokens":-3,"completion_tokens":"4"}"#] {
            let body = format!(r#"{{"choices":[{{"message":{{"content":"hi"}}}}]{usage}}}"#);
            reads(&body, "hi", Finish::Stop, estimated);
            assert!(completion(body.as_bytes(), &prompt(None)).unwrap().usage_estimated);
        }
    }

    #[test]
    fn what_is_no_completion_is_a_fault() {
        for body in
            ["", "<html>", "{}", r#"{"choices":[]}"#, r#"{"choices":[{"message":{"content":"hi"}}]} x"#]
        {
            let trouble = completion(body.as_bytes(), &prompt(None)).unwrap_err();
            assert!(matches!(trouble, Trouble::Fault { worked: true, .. }), "{body}: {trouble:?}");
        }
    }

    #[test]
    fn endpoints_are_checked_and_shown_without_secrets() {
        let client = |url: &str, key: Option<&str>| {
            let key = key.map(|key| Secret::new(key.to_owned()));
            Client::new(url, key.as_ref(), CONNECT_TIMEOUT, || Timestamp::UNIX_EPOCH)
        };
        let fine = client("http://me:word@localhost:8000/v1/?api-version=2&key=s3", Some("k")).unwrap();
        assert_eq!(fine.shown(), "http://localhost:8000/v1/");
        let chat = "http://me:word@localhost:8000/v1/chat/completions?api-version=2&key=s3";
        assert_eq!(fine.chat.as_str(), chat);
        assert_eq!(fine.metrics.path(), "/metrics");
        assert_eq!(client("localhost:8000", None).unwrap_err(), EndpointError::Url);
        assert_eq!(client("file:///etc", None).unwrap_err(), EndpointError::Url);
        assert_eq!(client("http://localhost", Some("a\nb")).unwrap_err(), EndpointError::Key);
    }
}
