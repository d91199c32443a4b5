//! The real client against a server on loopback that misbehaves on purpose.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use futures::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::*;
use crate::config::{PriceTable, Secret};
use crate::prompt::Finish;

impl Llm {
    /// The answer of a run that waits for no batch.
    async fn said(&self, prompt: &Prompt) -> Result<Answer, Fatal> {
        Ok(self.answer(prompt).await?.expect("nothing waits for a batch"))
    }
}

/// No caps.
const FREE: BudgetTable = BudgetTable { max_usd: None, max_requests: None, max_tokens: None };

/// What the server does with one call.
enum Say {
    Reply(&'static str),
    Json(Value),
    Status(u16, &'static [(&'static str, &'static str)], String),
    /// Half a reply, then the connection is gone.
    Cut,
    Hang,
    /// A reply as soon as the semaphore lets it.
    When(Arc<Semaphore>),
}

struct Server {
    url: String,
    calls: Arc<Mutex<Vec<Value>>>,
}

impl Server {
    /// A server that behaves by the number of the call, counted from 0.
    async fn start(behave: impl Fn(usize) -> Say + Send + Sync + 'static) -> Self {
        Self::with_models(move |call, _| behave(call), 404, "").await
    }

    /// One that also looks at what the user says.
    async fn with_models(
        behave: impl Fn(usize, &str) -> Say + Send + Sync + 'static,
        status: u16,
        models: &'static str,
    ) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&calls);
        let behave = Arc::new(behave);
        let chat = move |body: Bytes| {
            let (seen, behave) = (Arc::clone(&seen), Arc::clone(&behave));
            async move {
                let body: Value = serde_json::from_slice(&body).unwrap();
                let user = body["messages"][1]["content"].as_str().unwrap_or_default().to_owned();
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(body);
                    seen.len() - 1
                };
                respond(behave(number, &user)).await
            }
        };
        let list = move || async move { plain(status, &[], models.to_owned()) };
        let router = Router::new().route("/v1/chat/completions", post(chat)).route("/v1/models", get(list));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, calls }
    }

    fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }
}

fn completion(text: &str) -> Value {
    json!({
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10},
    })
}

fn plain(status: u16, headers: &[(&'static str, &'static str)], body: String) -> Response {
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body)).unwrap()
}

async fn respond(say: Say) -> Response {
    match say {
        Say::Reply(text) => plain(200, &[], completion(text).to_string()),
        Say::Json(json) => plain(200, &[], json.to_string()),
        Say::Status(status, headers, body) => plain(status, headers, body),
        Say::Cut => {
            let half = completion("lost").to_string().split_at(40).0.to_owned();
            let parts = [Ok(half), Err(std::io::Error::other("gone"))];
            Response::new(Body::from_stream(futures::stream::iter(parts)))
        }
        Say::Hang => std::future::pending().await,
        Say::When(may) => {
            may.acquire().await.unwrap().forget();
            plain(200, &[], completion("released").to_string())
        }
    }
}

fn plan(url: &str) -> ModelPlan {
    let price = PriceTable { input: 1.0, cached_input: None, output: 10.0, batch: None };
    let endpoint = EndpointPlan { in_flight: 64, price: Some(price), ..EndpointPlan::new(url, "big") };
    let (timeout, patience) = (Duration::from_secs(20), Duration::from_secs(60));
    ModelPlan { timeout, patience, ..ModelPlan::at("writer", endpoint) }
}

/// The plan's only endpoint.
fn endpoint(plan: &mut ModelPlan) -> &mut EndpointPlan {
    let Backend::Endpoints(endpoints) = &mut plan.backend else { panic!("it is at an endpoint") };
    &mut endpoints[0]
}

fn prompt(user: &str) -> Prompt {
    Prompt {
        model: "writer".to_owned(),
        system: Some("rewrite".to_owned()),
        user: user.to_owned(),
        max_tokens: 50,
        temperature: Some(0.7),
        top_p: None,
        stop: Vec::new(),
        shape: None,
        seed: 7,
    }
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.sqlite");
    (folder, journal)
}

async fn open(plan: ModelPlan, journal: &Path) -> Llm {
    open_waiting(plan, journal, Duration::from_millis(1)).await
}

async fn open_waiting(plan: ModelPlan, journal: &Path, first_wait: Duration) -> Llm {
    let mut llm = Llm::open(&[plan], &FREE, journal, Mode::Live).await.unwrap();
    let models = &mut Arc::get_mut(&mut llm.shared).unwrap().models;
    Arc::get_mut(models.get_mut("writer").unwrap()).unwrap().first_wait = first_wait;
    llm
}

fn counters(llm: &Llm) -> Counters {
    llm.counters().remove("writer").unwrap()
}

/// The reply, or the failure, after the server has been called exactly so often.
async fn check(
    behave: impl Fn(usize) -> Say + Send + Sync + 'static,
    expected: Result<&str, &str>,
    calls: usize,
) {
    let server = Server::start(behave).await;
    let (_folder, journal) = folder();
    let llm = open(ModelPlan { timeout: Duration::from_millis(300), ..plan(&server.url) }, &journal).await;
    let reply = llm.said(&prompt("page")).await.unwrap().reply;
    match (&reply, expected) {
        (Ok(reply), Ok(text)) => assert_eq!(reply.text, text),
        (Err(failure), Err(says)) => assert!(failure.to_string().contains(says), "{failure}"),
        _ => panic!("{reply:?} instead of {expected:?}"),
    }
    assert_eq!(server.calls(), calls);
    assert_eq!(counters(&llm).retries, calls as u64 - 1);
}

fn first(trouble: Say) -> impl Fn(usize) -> Say + Send + Sync + 'static {
    let trouble = Mutex::new(Some(trouble));
    move |_| trouble.lock().unwrap().take().unwrap_or(Say::Reply("ok"))
}

fn status(status: u16, body: &str) -> Say {
    Say::Status(status, &[], body.to_owned())
}

#[tokio::test]
async fn a_request_carries_the_prompt_and_a_reply_its_cost() {
    let server = Server::start(|_| Say::Reply("said")).await;
    let (_folder, journal) = folder();
    let llm = open(plan(&server.url), &journal).await;
    let answer = llm.said(&prompt("page")).await.unwrap();
    let reply =
        Reply { text: "said".to_owned(), finish: Finish::Stop, prompt_tokens: 100, completion_tokens: 10 };
    assert_eq!(answer.reply, Ok(reply));
    assert_eq!(answer.prompt_id, prompt_id(&prompt("page"), &plan(&server.url)));
    let sent = server.calls.lock().unwrap().clone();
    assert_eq!(sent[0]["messages"][1]["content"], "page");
    assert_eq!(sent[0]["model"], "big");
    let counters = counters(&llm);
    assert_eq!((counters.asked, counters.prompt_tokens, counters.completion_tokens), (1, 100, 10));
    assert_eq!(counters.dollars, Some(0.0002));
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_never_counted_against() {
    for busy in [408, 429, 503, 529] {
        check(first(status(busy, "<html>later</html>")), Ok("ok"), 2).await;
    }
    check(|call| if call < 9 { status(429, "") } else { Say::Reply("ok") }, Ok("ok"), 10).await;
}

#[tokio::test]
async fn a_wait_that_the_server_asks_for_is_kept_in_every_form() {
    let forms: [&'static [(&str, &str)]; 3] = [
        &[("retry-after", "0.15")],
        &[("retry-after-ms", "150")],
        &[("retry-after-ms", "150"), ("retry-after", "30")],
    ];
    for form in forms {
        let begun = Instant::now();
        check(first(Say::Status(429, form, String::new())), Ok("ok"), 2).await;
        assert!(Duration::from_millis(150) <= begun.elapsed(), "{form:?}");
    }
    for form in ["0", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        let headers: &'static [(&str, &str)] = vec![("retry-after", form)].leak();
        check(first(Say::Status(429, headers, String::new())), Ok("ok"), 2).await;
    }
}

#[tokio::test]
async fn a_fault_passes_or_is_given_up() {
    check(first(status(500, "oops")), Ok("ok"), 2).await;
    check(first(status(502, &"x".repeat(10 << 20))), Ok("ok"), 2).await;
    check(first(Say::Cut), Ok("ok"), 2).await;
    check(first(Say::Hang), Ok("ok"), 2).await;
    check(first(Say::Json(json!({"choices": []}))), Ok("ok"), 2).await;
}

/// A server that fails at a prompt while it answers others, and one that answers nobody.
#[tokio::test]
async fn a_prompt_is_given_up_when_others_are_answered_and_a_server_when_nobody_is() {
    let poison = |_, user: &str| if user == "poison" { status(500, "oops") } else { Say::Reply("ok") };
    let server = Server::with_models(poison, 404, "").await;
    let (_folder, journal) = folder();
    let llm = open(plan(&server.url), &journal).await;
    let asked = prompt("poison");
    let mut poisoned = Box::pin(llm.said(&asked));
    for number in 0.. {
        let fine = prompt(&format!("fine {number}"));
        let answered = futures::future::select(poisoned, Box::pin(llm.said(&fine))).await;
        match answered {
            futures::future::Either::Right((fine, rest)) => {
                fine.unwrap().reply.unwrap();
                poisoned = rest;
            }
            futures::future::Either::Left((answer, _)) => {
                let failure = answer.unwrap().reply.unwrap_err();
                assert_eq!(failure, Failure::GaveUp("500 oops".to_owned()));
                break;
            }
        }
    }
    let tried =
        server.calls.lock().unwrap().iter().filter(|body| body.to_string().contains("poison")).count();
    // Not before the fourth time, and not before somebody else was answered since the time before.
    assert!((4..10).contains(&tried), "{tried}");

    let server = Server::start(|_| status(500, "oops")).await;
    let (_folder, journal) = folder();
    let llm = open(ModelPlan { patience: Duration::from_millis(100), ..plan(&server.url) }, &journal).await;
    let prompts: Vec<_> = (0..9).map(|number| prompt(&format!("page {number}"))).collect();
    let error =
        futures::future::try_join_all(prompts.iter().map(|prompt| llm.said(prompt))).await.unwrap_err();
    assert!(matches!(error, Fatal::ModelDown { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_refuses_the_first_prompts_stops_the_run() {
    let server = Server::start(|_| status(400, "unknown field `seed`")).await;
    let (_folder, journal) = folder();
    let llm = open(plan(&server.url), &journal).await;
    let mut refused = 0;
    let error = loop {
        match llm.said(&prompt(&format!("page {refused}"))).await {
            Ok(answer) => assert!(matches!(answer.reply, Err(Failure::Refused(_)))),
            Err(error) => break error,
        }
        refused += 1;
    };
    assert!(matches!(&error, Fatal::Refuses { says, .. } if says.contains("unknown field")), "{error}");
    assert_eq!(refused, 10);
}

#[tokio::test]
async fn a_budget_is_kept_over_runs_and_calls_that_nobody_knows_the_cost_of_count_at_their_worst() {
    let server = Server::start(|_| Say::Reply("ok")).await;
    let (_folder, journal) = folder();
    // Each reply costs 200 microdollars; the worst of each is 256 + 11 tokens of a prompt and 50 of a reply.
    let budget = BudgetTable { max_usd: Some(0.001_4), ..FREE };
    let mut answered = 0;
    for _ in 0..2 {
        let llm = Llm::open(&[plan(&server.url)], &budget, &journal, Mode::Live).await.unwrap();
        let error = loop {
            match llm.said(&prompt(&format!("page {answered}"))).await {
                Ok(_) => answered += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(&error, Fatal::OverBudget { key: "budget.max_usd", .. }), "{error}");
        assert_eq!((answered, server.calls()), (4, 4));
        let spending = llm.spending();
        assert_eq!((spending.requests, spending.dollars, spending.dollars_unsure), (4, 0.0008, 0.0));
    }
    let server = Server::start(|_| Say::Cut).await;
    let budget = BudgetTable { max_usd: Some(0.003), ..FREE };
    let llm = Llm::open(&[plan(&server.url)], &budget, &journal, Mode::Live).await.unwrap();
    let error = llm.said(&prompt("lost")).await.unwrap_err();
    assert!(matches!(&error, Fatal::OverBudget { .. }), "{error}");
    let spent = llm.spending();
    drop(llm);
    // 2,200 microdollars are left for calls that cost 767 at the worst.
    assert_eq!(server.calls(), 2);
    assert_eq!((spent.requests, spent.dollars, spent.dollars_unsure), (6, 0.0008, 0.001_534));
    let llm = Llm::open(&[plan(&server.url)], &FREE, &journal, Mode::Replay).await.unwrap();
    assert_eq!(llm.spending(), spent);
}

#[tokio::test]
async fn a_refused_prompt_is_not_sent_again() {
    check(
        |_| status(400, r#"{"error":{"message":"no images"}}"#),
        Err("refuses the prompt: 400 no images"),
        1,
    )
    .await;
    let openai = r#"{"error":{"message":"This model's maximum context length is 4096 tokens.","code":"context_length_exceeded"}}"#;
    check(|_| status(400, openai), Err("context of 4096 tokens"), 1).await;
    let llama =
        r#"{"error":{"code":400,"type":"exceed_context_size_error","n_ctx":2048,"message":"too large"}}"#;
    check(|_| status(400, llama), Err("context of 2048 tokens"), 1).await;
}

#[tokio::test]
async fn a_reply_without_usage_is_estimated() {
    let two = json!({"choices": [{"message": {"content": "one two"}}, {"message": {"content": "three"}}]});
    let server = Server::start(move |_| Say::Json(two.clone())).await;
    let (_folder, journal) = folder();
    let llm = open(plan(&server.url), &journal).await;
    let reply = llm.said(&prompt("page")).await.unwrap().reply.unwrap();
    assert_eq!((reply.text.as_str(), reply.completion_tokens), ("one two", 2));
    assert_eq!(counters(&llm).usage_estimated, 1);
}

async fn fatal(behave: impl Fn(usize) -> Say + Send + Sync + 'static) -> (Fatal, usize) {
    let server = Server::start(behave).await;
    let (_folder, journal) = folder();
    let mut plan = plan(&server.url.replace("http://", "http://user:hidden@"));
    plan.patience = Duration::from_millis(100);
    let llm = open(plan, &journal).await;
    let error = llm.said(&prompt("page")).await.unwrap_err();
    assert!(error.to_string().contains("`writer`") && !error.to_string().contains("hidden"), "{error}");
    (error, server.calls())
}

#[tokio::test]
async fn what_no_prompt_can_change_stops_the_run_at_once() {
    for denied in [401, 403] {
        assert!(matches!(fatal(move |_| status(denied, "key?")).await, (Fatal::Denied { .. }, 1)));
    }
    let quota = r#"{"error":{"message":"pay first","type":"insufficient_quota"}}"#;
    assert!(matches!(fatal(move |_| status(429, quota)).await, (Fatal::Spent { .. }, 1)));
    assert!(matches!(fatal(|_| status(404, "no such model")).await, (Fatal::NotThere { .. }, 1)));
    let elsewhere = || Say::Status(308, &[("location", "http://127.0.0.1:1/")], String::new());
    assert!(matches!(fatal(move |_| elsewhere()).await, (Fatal::NotThere { .. }, 1)));
}

#[tokio::test]
async fn patience_with_a_busy_server_ends() {
    let (error, calls) = fatal(|_| status(503, "loading")).await;
    assert!(matches!(&error, Fatal::ModelDown { says, .. } if says == "503 loading"), "{error}");
    assert!(1 < calls, "{calls}");
    let long = || Say::Status(429, &[("retry-after", "3600")], String::new());
    assert!(matches!(fatal(move |_| long()).await, (Fatal::ModelDown { .. }, 1)));
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for() {
    let (_folder, journal) = folder();
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", port.local_addr().unwrap());
    drop(port);
    let llm = open(ModelPlan { patience: Duration::from_millis(100), ..plan(&url) }, &journal).await;
    assert!(matches!(llm.probe().await, Err(Fatal::Unreachable { .. })));
    let error = llm.said(&prompt("page")).await.unwrap_err();
    assert!(matches!(error, Fatal::ModelDown { .. }), "{error}");
    assert!(2 < counters(&llm).retries);
}

#[tokio::test]
async fn who_waits_for_another_try_is_not_in_flight() {
    let server = Server::start(first(status(500, "oops"))).await;
    let (_folder, journal) = folder();
    let mut plan = plan(&server.url);
    endpoint(&mut plan).in_flight = 1;
    let llm = open_waiting(plan, &journal, Duration::from_secs(60)).await;
    let (slow, quick) = (prompt("slow"), prompt("quick"));
    let (slow, mut quick) = (Box::pin(llm.said(&slow)), Box::pin(llm.said(&quick)));
    // Were the slow one in flight while it waits, the quick one would have to wait for it.
    let answered = futures::future::select(slow, &mut quick).await;
    let futures::future::Either::Right((answer, _)) = answered else { panic!("the slow one was first") };
    assert_eq!(answer.unwrap().reply.unwrap().text, "ok");
}

#[tokio::test]
async fn equal_prompts_are_asked_once() {
    let server = Server::start(|_| Say::Reply("shared")).await;
    let (_folder, journal) = folder();
    let llm = open(plan(&server.url), &journal).await;
    let prompt = prompt("page");
    for answer in join_all((0..50).map(|_| llm.said(&prompt))).await {
        assert_eq!(answer.unwrap().reply.unwrap().text, "shared");
    }
    assert_eq!(server.calls(), 1);
    let counters = counters(&llm);
    assert_eq!((counters.asked, counters.coalesced), (1, 49));
    assert!(llm.shared.flights().under_way.is_empty());
}

#[tokio::test]
async fn who_goes_first_may_leave_first() {
    let may = Arc::new(Semaphore::new(0));
    let server = Server::start({
        let may = Arc::clone(&may);
        move |_| Say::When(Arc::clone(&may))
    })
    .await;
    let (_folder, journal) = folder();
    let llm = Arc::new(open(plan(&server.url), &journal).await);
    let ask = || {
        let llm = Arc::clone(&llm);
        tokio::spawn(async move { llm.said(&prompt("page")).await.unwrap().reply.unwrap().text })
    };
    let leaves = ask();
    while server.calls() == 0 {
        tokio::task::yield_now().await;
    }
    let stays = ask();
    while counters(&llm).coalesced == 0 {
        tokio::task::yield_now().await;
    }
    leaves.abort();
    assert!(leaves.await.unwrap_err().is_cancelled());
    may.add_permits(1);
    assert_eq!(stays.await.unwrap(), "released");
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn when_all_have_left_the_next_one_asks_again() {
    let server = Server::start(first(Say::Hang)).await;
    let (_folder, journal) = folder();
    let llm = open(plan(&server.url), &journal).await;
    let asked = prompt("page");
    let mut leaves = Box::pin(llm.said(&asked));
    while server.calls() == 0 {
        assert!(futures::poll!(&mut leaves).is_pending());
        tokio::task::yield_now().await;
    }
    drop(leaves);
    assert!(llm.shared.flights().under_way.is_empty());
    assert_eq!(llm.said(&asked).await.unwrap().reply.unwrap().text, "ok");
    assert_eq!(server.calls(), 2);
}

#[tokio::test]
async fn a_second_run_asks_for_no_reply_again() {
    let server = Server::start(|_| Say::Reply("ok")).await;
    let (_folder, journal) = folder();
    let prompts: Vec<_> = (0..6).map(|number| prompt(&format!("page {number}"))).collect();
    let mut first = Vec::new();
    let llm = open(plan(&server.url), &journal).await;
    for prompt in &prompts {
        first.push(llm.said(prompt).await.unwrap());
    }
    drop(llm);
    for mode in [Mode::Live, Mode::Replay] {
        // Another machine serves the model; nobody is there.
        let llm = Llm::open(&[plan("http://127.0.0.1:1/v1")], &FREE, &journal, mode).await.unwrap();
        let again = join_all(prompts.iter().map(|prompt| llm.said(prompt))).await;
        assert_eq!(again.into_iter().collect::<Result<Vec<_>, _>>().unwrap(), first);
        let counters = counters(&llm);
        assert_eq!((counters.asked, counters.from_journal, counters.dollars), (0, 6, Some(0.0)));
    }
    assert_eq!(server.calls(), 6);
}

#[tokio::test]
async fn a_failure_is_told_to_all_of_its_run_and_asked_again_by_the_next_one() {
    let server = Server::start(|call| if call == 0 { status(400, "no") } else { Say::Reply("ok") }).await;
    let (_folder, journal) = folder();
    let replay = async || {
        let llm = Llm::open(&[plan("http://127.0.0.1:1/v1")], &FREE, &journal, Mode::Replay).await.unwrap();
        llm.said(&prompt("page")).await.unwrap().reply
    };
    let refused = Err(Failure::Refused("400 no".to_owned()));
    let llm = open(plan(&server.url), &journal).await;
    assert_eq!(llm.said(&prompt("page")).await.unwrap().reply, refused);
    assert_eq!(llm.said(&prompt("page")).await.unwrap().reply, refused);
    assert_eq!((server.calls(), counters(&llm).refused), (1, 1));
    drop(llm);
    assert_eq!(replay().await, refused);
    let llm = open(plan(&server.url), &journal).await;
    assert_eq!(llm.said(&prompt("page")).await.unwrap().reply.unwrap().text, "ok");
    drop(llm);
    assert_eq!(replay().await.unwrap().text, "ok");
    assert_eq!(server.calls(), 2);
}

#[tokio::test]
async fn a_replay_without_the_reply_says_which_one_is_missing() {
    let (_folder, journal) = folder();
    let plan = plan("http://127.0.0.1:1/v1");
    drop(open(plan.clone(), &journal).await);
    let llm = Llm::open(std::slice::from_ref(&plan), &FREE, &journal, Mode::Replay).await.unwrap();
    let error = llm.said(&prompt("page")).await.unwrap_err();
    let id = prompt_id(&prompt("page"), &plan);
    assert!(
        matches!(&error, Fatal::NotInJournal { model, prompt_id } if model == "writer" && *prompt_id == id)
    );
    assert!(error.to_string().contains(&id));
}

#[tokio::test]
async fn a_replay_needs_no_model_and_a_run_needs_what_it_names() {
    let (_folder, journal) = folder();
    drop(open(plan("http://127.0.0.1:1/v1"), &journal).await);
    let bad = plan("ftp://files");
    Llm::open(std::slice::from_ref(&bad), &FREE, &journal, Mode::Replay).await.unwrap();
    let error = Llm::open(&[bad], &FREE, &journal, Mode::Live).await.unwrap_err();
    assert!(matches!(error, Fatal::Endpoint { source: EndpointError::Url, .. }), "{error}");
    let llm = Llm::open(&[], &FREE, &journal, Mode::Replay).await.unwrap();
    assert!(matches!(llm.said(&prompt("page")).await, Err(Fatal::UnknownModel { .. })));
    #[cfg(not(feature = "embedded"))]
    {
        let backend = Backend::Embedded { context: 512, in_flight: 1 };
        let error =
            Llm::open(&[ModelPlan { backend, ..plan("") }], &FREE, &journal, Mode::Live).await.unwrap_err();
        assert!(matches!(error, Fatal::NoEmbedded { .. }), "{error}");
    }
}

#[tokio::test]
async fn the_key_is_sent_and_limits_are_kept() {
    let server = Server::start(|_| Say::Reply("ok")).await;
    let (_folder, journal) = folder();
    let mut plan = plan(&server.url);
    endpoint(&mut plan).tokens_per_minute = NonZeroU32::new(100_000);
    endpoint(&mut plan).requests_per_minute = NonZeroU32::new(1000);
    endpoint(&mut plan).key = Some(Secret::new("k".to_owned()));
    let llm = open(plan, &journal).await;
    let prompts: Vec<_> = (0..40).map(|number| prompt(&format!("page {number}"))).collect();
    for answer in join_all(prompts.iter().map(|prompt| llm.said(prompt))).await {
        answer.unwrap().reply.unwrap();
    }
    assert_eq!(server.calls(), 40);
}

#[tokio::test]
async fn a_probe_tells_what_is_wrong_before_any_work() {
    let probe = async |status, models| {
        let server = Server::with_models(|_, _| Say::Hang, status, models).await;
        let (_folder, journal) = folder();
        open(plan(&server.url), &journal).await.probe().await
    };
    assert!(probe(200, r#"{"data":[{"id":"small"},{"id":"big"}]}"#).await.unwrap().is_empty());
    assert!(probe(404, "").await.unwrap().is_empty());
    assert!(probe(200, "<html>").await.unwrap().is_empty());
    let warnings = probe(200, r#"{"data":[{"id":"small"}]}"#).await.unwrap();
    assert!(warnings[0].contains("no model `big`, but small"), "{warnings:?}");
    assert!(matches!(probe(401, "key?").await, Err(Fatal::Denied { .. })));
    assert_eq!(probe(500, "oops").await.unwrap().len(), 1);
}

#[test]
fn everything_that_decides_a_reply_is_in_its_key_and_nothing_else() {
    let served = |url: &str, served: &str| ModelPlan { served: served.to_owned(), ..plan(url) };
    let here = served("http://here/v1", "big");
    let same = prompt_id(&prompt("page"), &here);
    assert_eq!(
        same,
        prompt_id(&Prompt { model: "alias".to_owned(), ..prompt("page") }, &served("http://there", "big"))
    );
    let different = [
        prompt("other"),
        Prompt { system: None, ..prompt("page") },
        Prompt { system: Some(String::new()), ..prompt("page") },
        Prompt { max_tokens: 51, ..prompt("page") },
        Prompt { temperature: None, ..prompt("page") },
        Prompt { temperature: Some(0.8), ..prompt("page") },
        Prompt { top_p: Some(0.7), ..prompt("page") },
        Prompt { stop: vec!["a".to_owned(), "b".to_owned()], ..prompt("page") },
        Prompt { stop: vec!["ab".to_owned()], ..prompt("page") },
        Prompt { shape: Some(Shape::Grammar("1".to_owned())), ..prompt("page") },
        Prompt { shape: Some(Shape::JsonSchema("1".to_owned())), ..prompt("page") },
        Prompt { seed: 8, ..prompt("page") },
    ];
    let mut ids: BTreeSet<_> = different.iter().map(|prompt| prompt_id(prompt, &here)).collect();
    ids.insert(prompt_id(&prompt("page"), &served("http://here/v1", "small")));
    let embedded = Backend::Embedded { context: 512, in_flight: 4 };
    ids.insert(prompt_id(&prompt("page"), &ModelPlan { backend: embedded, ..here.clone() }));
    let mut thinking = here.clone();
    thinking.extra.insert("chat_template_kwargs".to_owned(), json!({ "enable_thinking": true }));
    ids.insert(prompt_id(&prompt("page"), &thinking));
    ids.insert(same.clone());
    assert_eq!(ids.len(), different.len() + 4);
    // Journals outlive programs: a key that changes by accident would make every reply be paid for again.
    assert_eq!(same, "b0e8662c39c2d42c2063f07c2b373957b977cd04311e785d44018c304d6036af");
}

/// Of three prompts on one place the first is under way, one waits for the place, and one for its next try.
#[tokio::test]
async fn a_closed_model_finishes_what_is_under_way_and_begins_nothing() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let behave = move |call| if call == 0 { status(500, "oops") } else { Say::When(Arc::clone(&held)) };
    let server = Server::start(behave).await;
    let (_folder, journal) = folder();
    let mut plan = plan(&server.url);
    endpoint(&mut plan).in_flight = 1;
    let llm = Arc::new(open_waiting(plan, &journal, Duration::from_secs(60)).await);
    let asked = |text: &str| {
        let (llm, prompt) = (Arc::clone(&llm), prompt(text));
        tokio::spawn(async move { llm.said(&prompt).await })
    };
    let retrying = asked("retrying");
    while server.calls() < 1 {
        tokio::task::yield_now().await;
    }
    let under_way = asked("under way");
    while server.calls() < 2 {
        tokio::task::yield_now().await;
    }
    let waiting = asked("waiting");
    tokio::task::yield_now().await;
    llm.close();
    assert!(matches!(retrying.await.unwrap(), Err(Fatal::Closed)));
    assert!(matches!(waiting.await.unwrap(), Err(Fatal::Closed)));
    gate.add_permits(1);
    assert!(under_way.await.unwrap().unwrap().reply.is_ok());
    assert_eq!(server.calls(), 2);
}

/// One prompt of a page is at the server and the other waits when the run stops: the first one's reply is kept.
#[tokio::test]
async fn a_page_that_is_stopped_keeps_what_is_under_way() {
    let may = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&may);
    let server = Server::start(move |_| Say::When(Arc::clone(&held))).await;
    let (_folder, journal) = folder();
    let mut plan = plan(&server.url);
    endpoint(&mut plan).in_flight = 1;
    let llm = Arc::new(open(plan.clone(), &journal).await);
    let both = [prompt("under way"), prompt("waiting")];
    let asked = tokio::spawn({
        let (llm, both) = (Arc::clone(&llm), both.clone());
        async move { llm.answers(&both).await }
    });
    while server.calls() < 1 {
        tokio::task::yield_now().await;
    }
    llm.close();
    tokio::time::sleep(Duration::from_millis(20)).await;
    may.add_permits(1);
    assert!(matches!(asked.await.unwrap(), Err(Fatal::Closed)));
    assert_eq!(llm.spending().dollars_unsure, 0.0);
    drop(llm);
    let llm = Llm::open(&[plan], &FREE, &journal, Mode::Replay).await.unwrap();
    assert_eq!(llm.said(&both[0]).await.unwrap().reply.unwrap().text, "released");
}

/// A batch whose prompts were answered live in the meantime changes no reply, and costs what it costs.
#[tokio::test]
async fn a_reply_that_is_there_outlives_a_batch() {
    let server = Server::start(|_| Say::Reply("live")).await;
    let (folder, journal) = folder();
    let plan = plan(&server.url);
    let batched = Llm::open(std::slice::from_ref(&plan), &FREE, &journal, Mode::Batch).await.unwrap();
    let (one, two) = (prompt("one"), prompt("two"));
    assert_eq!(batched.answers(&[one.clone(), two.clone()]).await.unwrap(), None);
    drop(batched);
    let models = [plan.clone()];
    let mut desk = batch::desk::Desk::open(&journal, &models).unwrap();
    assert_eq!(desk.write(folder.path()).unwrap()[0].prompts, 2);
    drop(desk);
    let llm = open(plan.clone(), &journal).await;
    llm.said(&one).await.unwrap();
    drop(llm);
    let line = |prompt: &Prompt, body: Value| {
        let response = json!({ "status_code": 200, "body": body });
        json!({ "custom_id": prompt_id(prompt, &plan), "response": response }).to_string()
    };
    let results = folder.path().join("results.jsonl");
    let twice = line(&two, completion("batch"));
    std::fs::write(&results, [line(&one, completion("batch")), twice.clone(), twice].join("\n")).unwrap();
    let mut desk = batch::desk::Desk::open(&journal, &models).unwrap();
    let imported = desk.import(&[results]).unwrap();
    assert_eq!((imported.replies, imported.unknown), (1, 2));
    assert!(desk.unsubmitted().unwrap().is_empty());
    drop(desk);
    let replayed = Llm::open(&models, &FREE, &journal, Mode::Replay).await.unwrap();
    assert_eq!(replayed.said(&one).await.unwrap().reply.unwrap().text, "live");
    assert_eq!(replayed.said(&two).await.unwrap().reply.unwrap().text, "batch");
    assert_eq!(replayed.spending().requests, 2);
}

#[tokio::test]
async fn what_no_batch_can_ask_fails_at_once() {
    let (_folder, journal) = folder();
    let llm = Llm::open(&[plan("http://127.0.0.1:1/v1")], &FREE, &journal, Mode::Batch).await.unwrap();
    let prompt = Prompt { shape: Some(Shape::JsonSchema("{".to_owned())), ..prompt("page") };
    let answer = llm.answers(std::slice::from_ref(&prompt)).await.unwrap().unwrap().remove(0);
    assert!(matches!(answer.reply, Err(Failure::Refused(_))), "{answer:?}");
}
