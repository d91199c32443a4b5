//! A server that queues instead of refusing: `cargo bench --workspace --bench slots`.
//!
//! A real llama.cpp server with four slots and the weights of the embedded model writes replies for a fixed number of
//! calls at once, one number after the other, and then for as many as the gate finds by itself. The figures are tokens
//! per second; the last one is compared with the best fixed number. Rounds alternate, because the machine is not always
//! equally fast. An argument is the replies of each run.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and what fails ends it")]

use std::collections::BTreeMap;
use std::time::Instant;

use futures::StreamExt as _;
use palimpsest::config::{BudgetTable, EndpointPlan, ModelPlan};
use palimpsest::llm::{Llm, Mode};
use palimpsest::prompt::Prompt;

#[path = "../tests/harness.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod harness;
#[path = "../tests/server.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod server;

const SLOTS: u32 = 4;
const FIXED: [usize; 5] = [2, 4, 5, 6, 8];
const ROUNDS: usize = 3;

fn main() {
    let replies = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(60);
    let server = server::Server::start("slots", SLOTS).expect("the test server is installed");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut speeds: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut turn = 0;
    for _ in 0..ROUNDS {
        for fixed in FIXED {
            turn += 1;
            let name = format!("{fixed} at once");
            let speed = runtime.block_on(speed(&server.endpoint, Some(fixed), replies, turn));
            println!("{name}: {:.1} tokens a second", speed.0);
            speeds.entry(name).or_default().push(speed.0);
        }
        turn += 1;
        let speed = runtime.block_on(speed(&server.endpoint, None, replies, turn));
        println!("by itself, {} at once in the end: {:.1} tokens a second", speed.1, speed.0);
        speeds.entry("by itself".to_owned()).or_default().push(speed.0);
    }
    let medians: BTreeMap<_, _> = speeds.into_iter().map(|(name, speeds)| (name, median(speeds))).collect();
    let best = medians.iter().filter(|(name, _)| *name != "by itself");
    let best = best.max_by(|one, other| one.1.total_cmp(other.1)).unwrap();
    println!("best fixed number: {} with {:.1} tokens a second", best.0, best.1);
    println!("by itself: {:.3} of it", medians["by itself"] / best.1);
}

/// Tokens per second, and how many calls may be under way in the end.
async fn speed(endpoint: &str, fixed: Option<usize>, replies: usize, turn: usize) -> (f64, u64) {
    let plan = ModelPlan::at("writer", EndpointPlan::new(endpoint, "smollm2"));
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.sqlite");
    let llm = Llm::open(&[plan], &BudgetTable::default(), &journal, Mode::Live).await.unwrap();
    // No two runs share a prompt, because servers remember them.
    let first = turn * 10_000;
    let prompts: Vec<_> = (first..first + replies).map(prompt).collect();
    let begun = Instant::now();
    let ask = |prompt| llm.answers(std::slice::from_ref(prompt));
    match fixed {
        Some(fixed) => {
            let asked = futures::stream::iter(prompts.iter().map(ask)).buffer_unordered(fixed);
            asked.for_each(|answers| async { drop(answers.unwrap()) }).await;
        }
        None => {
            futures::future::join_all(prompts.iter().map(ask))
                .await
                .into_iter()
                .for_each(|it| drop(it.unwrap()));
        }
    }
    let counters = llm.counters().remove("writer").unwrap();
    (counters.completion_tokens as f64 / begun.elapsed().as_secs_f64(), counters.at_once)
}

/// A sentence of its own for each, and replies of different lengths.
fn prompt(number: usize) -> Prompt {
    let topic = ["rivers", "bread", "clocks", "bridges", "ink", "wool", "maps"][number % 7];
    Prompt {
        model: "writer".to_owned(),
        system: None,
        user: format!("Write sentence number {number} of a text about {topic}, and go on from there."),
        max_tokens: 16 + (number as u32 * 37) % 80,
        temperature: Some(0.8),
        top_p: None,
        stop: Vec::new(),
        shape: None,
        seed: u32::try_from(number).unwrap(),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
