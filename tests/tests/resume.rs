//! Runs that are replayed, killed, and started again, against a real llama.cpp server.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::harness::{Place, Ran, root, same_bytes, weights};
use crate::server::Server;

/// How often the run is killed.
const KILLS: usize = 10;

fn pipeline(model: &str, in_flight: u32) -> String {
    format!(
        "name = \"resume\"\n[source]\narchives = [{archive:?}]\n[models.writer]\n{model}\nin_flight = {in_flight}\n\
         [[stages]]\nplugin = \"extract\"\n[[stages]]\nplugin = \"language\"\nsettings = {{ keep = [\"en\"] }}\n\
         [[stages]]\nplugin = \"rephrase\"\nsettings = {{ model = \"writer\", styles = [\"concise\"], \
         keep_original = true, max_segments = 2 }}\n[sink]\npath = \"out\"\n",
        archive = root().join("pipelines/quickstart.warc.gz"),
    )
}

fn count(prompts: Vec<String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for prompt in prompts {
        *counts.entry(prompt).or_default() += 1;
    }
    counts
}

#[test]
fn a_run_that_is_killed_ten_times_asks_for_nothing_twice_and_writes_the_same_bytes() {
    let Some(server) = Server::start("resume", 2) else { return };
    let model = format!("endpoint = {:?}\nmodel = \"smollm2\"", server.endpoint);
    // One at a time, so that the server's log, which is by time, has them all.
    let place = Place::new(&pipeline(&model, 1));
    // Prompts that were on their way when a run was killed: nobody had their replies, so they are asked again.
    let mut lost: BTreeMap<String, usize> = BTreeMap::new();
    let mut killed = 0;
    // Not random: a failure can be looked at again. Not even either: the kills fall into reading, asking and writing.
    for millis in [300, 700, 1_100, 1_600, 2_300, 900, 3_100, 1_900, 2_700, 4_000].into_iter().take(KILLS) {
        let before = server.prompts().len();
        let mut run = place.command(&["--limit", "14"]).spawn().unwrap();
        let (told, wait) = std::sync::mpsc::sync_channel::<()>(0);
        assert!(wait.recv_timeout(Duration::from_millis(millis)).is_err());
        drop(told);
        if run.try_wait().unwrap().is_none() {
            killed += 1;
        }
        run.kill().unwrap();
        run.wait().unwrap();
        server.settle();
        let kept = place.journalled();
        for prompt in server.prompts().split_off(before) {
            if !kept.iter().any(|user| prompt.contains(user.as_str())) {
                *lost.entry(prompt).or_default() += 1;
            }
        }
        let visible = place.path("out/data/quickstart.jsonl.zst");
        assert!(!visible.exists() || run.try_wait().unwrap().is_some_and(|status| status.success()));
    }
    assert!(KILLS / 2 < killed, "only {killed} runs were still going when they were killed");
    let finished = place.run(&["--limit", "14"]);
    assert!(finished.code < 2, "{}", finished.stderr);
    let asked = count(server.prompts());
    assert!(10 < asked.len(), "only {} prompts", asked.len());
    for (prompt, times) in &asked {
        let excused = lost.get(prompt).copied().unwrap_or(0);
        assert!(*times <= 1 + excused, "asked {times} times, {excused} of them lost to a kill:\n{prompt}");
    }
    // The same journal, nothing to interrupt it, no model.
    std::fs::copy(place.path("out/journal.sqlite"), place.path("journal.sqlite")).unwrap();
    let again = place.run(&["--limit", "14", "--out", "again", "--journal", "journal.sqlite", "--replay"]);
    assert!(again.code < 2, "{}", again.stderr);
    same_bytes(&finished, &again);
    assert_eq!(count(server.prompts()), asked);
}

#[test]
fn the_same_run_with_other_numbers_of_everything_is_the_same_bytes() {
    if weights("replay").is_none() {
        return;
    }
    let model = "embedded = \"smollm2-135m-instruct\"";
    let place = Place::new(&pipeline(model, 4));
    let first = place.run(&["--limit", "10", "--workers", "2"]);
    assert!(first.code < 2, "{}", first.stderr);
    let asked = |ran: &Ran| ran.report()["models"][0]["calls"].as_u64().unwrap();
    assert!(0 < asked(&first));
    std::fs::write(place.path("pipeline.toml"), pipeline(model, 1) + "[run]\npages_in_flight = 2\n").unwrap();
    let options =
        ["--limit", "10", "--workers", "1", "--out", "again", "--journal", "out/journal.sqlite", "--replay"];
    let second = place.run(&options);
    assert!(second.code < 2, "{}", second.stderr);
    assert_eq!(asked(&second), 0);
    same_bytes(&first, &second);
    let third = place.run(&["--limit", "10", "--workers", "3"]);
    assert_eq!(third.report()["parts"][0]["kept"], true);
}

#[test]
fn a_replay_without_the_replies_says_so_and_leaves_nothing_half() {
    if weights("replay without replies").is_none() {
        return;
    }
    let place = Place::new(&pipeline("embedded = \"smollm2-135m-instruct\"", 1));
    place.run(&["--limit", "3", "--replay"]).exits(2).says(&["there is no journal"]);
    // The first pages of the archive have no prompts in English; then some have.
    assert!(place.run(&["--limit", "1"]).code < 2);
    let ran = place
        .run(&["--limit", "12", "--replay", "--out", "again", "--journal", "out/journal.sqlite"])
        .exits(3);
    assert!(!ran.sink.join("data/quickstart.jsonl.zst").exists());
    ran.says(&["a replay asks no model"]);
}

/// Waits until the journal of a run under way has replies.
fn wait_for_replies(place: &Place, run: &mut std::process::Child) {
    let (_keep, never) = std::sync::mpsc::sync_channel::<()>(0);
    let wal = place.path("out/journal.sqlite-wal");
    // The run has the journal to itself, so that its size is all that can be seen.
    while std::fs::metadata(&wal).map_or(0, |file| file.len()) < 100_000 {
        assert!(run.try_wait().unwrap().is_none(), "the run ended before it had replies");
        assert!(never.recv_timeout(Duration::from_millis(50)).is_err());
    }
}

#[test]
fn an_interrupted_run_stops_in_order_and_goes_on() {
    if weights("interrupt").is_none() {
        return;
    }
    let place = Place::new(&pipeline("embedded = \"smollm2-135m-instruct\"", 2));
    let mut run = place.command(&["--limit", "8"]).spawn().unwrap();
    wait_for_replies(&place, &mut run);
    let told = std::process::Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
    assert!(told.success());
    let output = run.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("the same command goes on from here"), "{stderr}");
    assert!(!place.path("out/data/quickstart.jsonl.zst").exists());
    let kept = place.journalled().len() as u64;
    assert!(0 < kept);
    let ran = place.run(&["--limit", "8"]);
    assert!(ran.code < 2, "{}", ran.stderr);
    assert_eq!(ran.report()["models"][0]["known"].as_u64(), Some(kept));
}

#[test]
fn a_server_that_dies_ends_the_run_in_order_and_what_was_answered_is_kept() {
    let Some(server) = Server::start("dead model", 1) else { return };
    let model = format!("endpoint = {:?}\nmodel = \"smollm2\"\npatience_seconds = 2", server.endpoint);
    let place = Place::new(&pipeline(&model, 1));
    let mut run = place.command(&["--limit", "8"]).spawn().unwrap();
    wait_for_replies(&place, &mut run);
    drop(server);
    let output = run.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    for word in ["the model `writer`", "out of order since", "the same command goes on from here"] {
        assert!(stderr.contains(word), "no {word:?} in {stderr}");
    }
    assert!(!place.path("out/data/quickstart.jsonl.zst").exists());
    assert!(!place.journalled().is_empty());
}
