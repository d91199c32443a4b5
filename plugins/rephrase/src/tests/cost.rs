//! What it costs to read and judge a segment. Ignored, because it measures the machine too, and
//! asks Linux for the time:
//! `cargo test --release -p palimpsest-rephrase cost -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Duration;

use palimpsest_plugin::Reply;
use palimpsest_plugin::testing::reply;

use super::{BRIDGE, MARKET};
use crate::gate::Secrets;
use crate::judge::Asked;
use crate::style::{Asking, Draws, resolve};

const ROUNDS: u32 = 2_000;

/// Computing time of this thread, which no neighbour on the machine adds to.
fn computed() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split_whitespace().next().unwrap().parse().unwrap())
}

#[test]
#[ignore = "measures the machine"]
fn a_segment_is_read_and_judged_in_less_than_a_millisecond() {
    let text = format!("{BRIDGE}\n{MARKET}\n").repeat(6);
    let pairs = "Question: When was the bridge opened?\nAnswer: It was opened in 1932.\n\n";
    for (name, answer) in [
        ("wikipedia", format!("Paraphrase:\n{}", text.replace("bridge", "crossing"))),
        ("diverse_qa", (0..8).map(|number| pairs.replace('?', &format!(" {number}?"))).collect()),
        ("knowledge_list", text.lines().map(|line| format!("- So {line}\n")).collect()),
        ("instruction", format!("{{\"items\": [{{\"question\": \"{BRIDGE}\", \"answer\": \"{MARKET}\"}}]}}")),
    ] {
        let styles = resolve(&[name.to_owned()], &std::collections::BTreeMap::new()).unwrap();
        let draws =
            Draws { id: "id", seed: 0, language: "English", topics: &[], topic_share: 0.0, personas: &[] };
        let asking = Asking::new(&styles[0], &draws);
        let secrets = Secrets::new(&asking.words());
        let asked = Asked {
            style: &styles[0],
            secrets: &secrets,
            id: "id",
            text: &text,
            tokens: 450,
            start: 0,
            context: None,
        };
        let reply: Reply = reply(&answer).unwrap();
        let started = computed();
        for _ in 0..ROUNDS {
            let _judged = black_box(asked.judge(black_box(&reply), &mut Vec::new()));
        }
        let each = (computed() - started) / ROUNDS;
        println!("{name}: {each:?} for a segment of {} characters", text.len());
        assert!(each < Duration::from_millis(1), "{name}: {each:?}");
    }
    let started = computed();
    let names: Vec<String> = ["wikipedia".to_owned()].into();
    for _ in 0..100 {
        black_box(resolve(&names, &std::collections::BTreeMap::new()).unwrap());
    }
    println!("all styles are read in {:?}", (computed() - started) / 100);
}
