//! What the gateway itself costs: `cargo bench --workspace --bench gateway`.
//!
//! 1. Ten thousand prompts in flight at once at a server that takes its time, in a process of their own: peak memory.
//! 2. A server that replies at once, in this process: replies per second through journal, budget and gate.
//! 3. Limits per minute that the server enforces: how much of them is used, and how many calls are refused. For so many
//!    seconds as the first argument says, 90 by default.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and what fails ends it")]

use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use palimpsest::config::{Backend, BudgetTable, EndpointPlan, ModelPlan, PriceTable};
use palimpsest::llm::{Llm, Mode};
use palimpsest::prompt::Prompt;
use palimpsest_tests::provider::{Count, Curve, Dialect, Enforced, Engine, Limits, Provider, Settings};

const PROMPTS: usize = 10_000;
/// What the process that is measured is told.
const CHILD: &str = "in-flight";

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let first = arguments.next();
    if first.as_deref() == Some(CHILD) {
        return in_flight(&arguments.next().unwrap());
    }
    let seconds = first.and_then(|seconds| seconds.parse().ok()).unwrap_or(90);
    memory();
    throughput();
    limits(Duration::from_secs(seconds));
}

fn model(endpoint: &str, in_flight: usize) -> ModelPlan {
    let price = Some(PriceTable { input: 0.1, cached_input: None, output: 0.4, batch: None });
    ModelPlan::at("writer", EndpointPlan { in_flight, price, ..EndpointPlan::new(endpoint, "big") })
}

fn prompt(number: usize, words: usize) -> Prompt {
    Prompt {
        model: "writer".to_owned(),
        system: Some("Say it again.".to_owned()),
        user: format!("{number} {}", "word ".repeat(words)),
        max_tokens: 64,
        temperature: None,
        top_p: None,
        stop: Vec::new(),
        shape: None,
        seed: 1,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn open(model: ModelPlan, journal: &Path) -> Llm {
    let budget = BudgetTable { max_usd: Some(1e5), ..BudgetTable::default() };
    Llm::open(&[model], &budget, journal, Mode::Live).await.unwrap()
}

/// Asks everything at once, and says how long it took.
fn ask(runtime: &tokio::runtime::Runtime, llm: &Llm, prompts: &[Prompt]) -> Duration {
    let begun = Instant::now();
    runtime.block_on(async {
        let asked = prompts.iter().map(|prompt| llm.answers(std::slice::from_ref(prompt)));
        for answers in futures::future::join_all(asked).await {
            assert!(answers.unwrap().unwrap().iter().all(|answer| answer.reply.is_ok()));
        }
    });
    begun.elapsed()
}

/// Prompts of two kilobytes, ten thousand of them at the server at once as soon as the gate has found that it takes so
/// many.
fn memory() {
    let slow = Engine::new(usize::MAX, Curve::linear(20.0));
    let settings =
        Settings { engine: Some(slow), dialect: Dialect::Vllm, message_bytes: 0, ..Settings::default() };
    let provider = Provider::start(settings).unwrap();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([CHILD, &provider.endpoint()])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let most = std::thread::spawn({
        let id = child.id();
        move || {
            let (_keep, never) = std::sync::mpsc::sync_channel::<()>(0);
            let mut peak = 0;
            while let Ok(status) = std::fs::read_to_string(format!("/proc/{id}/status")) {
                let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let Some(kilobytes) = line.and_then(|line| line.trim().strip_suffix("kB")) else { break };
                peak = kilobytes.trim().parse::<u64>().unwrap().max(peak);
                assert!(never.recv_timeout(Duration::from_millis(50)).is_err());
            }
            peak
        }
    });
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let at_once = provider.ledger(|ledger| ledger.open().1);
    let peak = most.join().unwrap() / 1024;
    println!(
        "in flight: {} prompts, {at_once} at the server at once, {peak} MiB resident at most",
        4 * PROMPTS
    );
}

fn in_flight(endpoint: &str) {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let llm = runtime.block_on(open(model(endpoint, PROMPTS), &folder.path().join("journal.sqlite")));
    let prompts: Vec<_> = (0..4 * PROMPTS).map(|number| prompt(number, 400)).collect();
    ask(&runtime, &llm, &prompts);
}

fn throughput() {
    let provider = Provider::start(Settings { message_bytes: 0, ..Settings::default() }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let llm = runtime.block_on(open(model(&provider.endpoint(), 256), &folder.path().join("journal.sqlite")));
    for round in 0..3 {
        let prompts: Vec<_> = (0..PROMPTS).map(|number| prompt(round * PROMPTS + number, 20)).collect();
        let took = ask(&runtime, &llm, &prompts).as_secs_f64();
        println!(
            "instant replies: {:.0} a second, {PROMPTS} prompts waiting at first",
            PROMPTS as f64 / took
        );
    }
    let prompts: Vec<_> = (0..PROMPTS).map(|number| prompt(number, 20)).collect();
    let took = ask(&runtime, &llm, &prompts).as_secs_f64();
    println!("the same from the journal: {:.0} a second", PROMPTS as f64 / took);
}

fn limits(time: Duration) {
    let (requests, tokens) = (1200, 200_000);
    let limits = Limits {
        requests_per_minute: Some(requests.into()),
        tokens_per_minute: Some(tokens.into()),
        enforced: Enforced::Window,
        settles: true,
        ..Limits::default()
    };
    let count = Count::by(|text| palimpsest::tokens::count(text).into());
    let provider = Provider::start(Settings { limits, count, ..Settings::default() }).unwrap();
    let mut plan = model(&provider.endpoint(), 64);
    if let Backend::Endpoints(endpoints) = &mut plan.backend {
        endpoints[0].requests_per_minute = NonZeroU32::new(requests);
        endpoints[0].tokens_per_minute = NonZeroU32::new(tokens);
    }
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let llm = runtime.block_on(open(plan, &folder.path().join("journal.sqlite")));
    // Every tenth prompt is thirty times as long: some minutes are short of tokens, others of requests.
    let prompts: Vec<_> = (0..100_000).map(|n| prompt(n, if n % 10 == 0 { 900 } else { 30 })).collect();
    runtime.block_on(async {
        let asked = prompts.iter().map(|prompt| llm.answers(std::slice::from_ref(prompt)));
        drop(tokio::time::timeout(time, futures::future::join_all(asked)).await);
    });
    let minute = Duration::from_secs(60);
    provider.ledger(|ledger| {
        let most = ledger.most_in_any_window(minute);
        let arrived = ledger.most_arrivals_in_any_window(minute);
        let all = ledger.chats().count();
        println!(
            "limits: of {requests} requests and {tokens} tokens a minute at most {} and {} were used in any 60 s \
             ({} requests arrived), {:.2} % of {all} calls were refused",
            most.requests,
            most.used,
            arrived.requests,
            ledger.answered(429) as f64 / all as f64 * 100.0
        );
        let (requests_share, tokens_share) =
            (most.requests as f64 / f64::from(requests), most.used as f64 / f64::from(tokens));
        println!("  the scarcer one: {:.1} % used", requests_share.max(tokens_share) * 100.0);
    });
}
