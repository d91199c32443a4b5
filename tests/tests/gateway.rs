//! Runs against a provider with a ledger of its own, which enforces its limits and misbehaves on order.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use palimpsest_tests::provider::{
    Act, At, BatchRules, Conduct, Curve, Engine, Fate, Fates, Ledger, Odd, Price, Provider, Refusal,
    RetryAfter, Settings,
};

use crate::dice::Dice;
use crate::harness::{Place, Ran, root, same_bytes};

const KEY: &str = "sk-canary-5f3a1c";
const PRICE: Price = Price { input: 1.0, cached_input: 0.5, output: 10.0 };

/// A pipeline over the quickstart's archive in which every English page is rewritten, in one prompt or two.
fn pipeline(endpoint: &str, model: &str, rest: &str) -> String {
    format!(
        "name = \"gateway\"\n[source]\narchives = [{archive:?}]\n[models.writer]\nendpoint = {endpoint:?}\n\
         model = \"big\"\nprice = {{ input = 1.0, cached_input = 0.5, output = 10.0, batch = 0.5 }}\n{model}\n{rest}\n\
         [[stages]]\nplugin = \"extract\"\n[[stages]]\nplugin = \"rephrase\"\nsettings = {{ model = \"writer\", \
         styles = [\"concise\"], keep_original = true, max_segments = 2 }}\n[sink]\npath = \"out\"\n",
        archive = root().join("pipelines/quickstart.warc.gz"),
    )
}

fn provider(settings: Settings) -> Provider {
    Provider::start(Settings { price: PRICE, cached_share: 0.3, ..settings }).unwrap()
}

/// A server that takes its time: so many slots, each with some tokens a second.
fn slow(slots: usize) -> Settings {
    Settings { engine: Some(Engine::new(slots, Curve::linear(300.0))), ..Settings::default() }
}

/// The rows as they are without any trouble.
fn undisturbed() -> Ran {
    let provider = provider(Settings::default());
    Place::new(&pipeline(&provider.endpoint(), "", "")).into_run(&[]).exits(1)
}

fn sleep(time: Duration) {
    let (_keep, never) = std::sync::mpsc::sync_channel::<()>(0);
    assert!(never.recv_timeout(time).is_err());
}

/// A number from the environment, for runs that take longer than a test may.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

fn picodollars(dollars: &serde_json::Value) -> f64 {
    (dollars.as_f64().unwrap() * 1e12).round()
}

fn asked(ledger: &Ledger, from: usize) -> Vec<String> {
    ledger.chats().skip(from).map(|entry| entry.user.clone()).collect()
}

#[test]
fn every_kind_of_trouble_passes_and_the_books_are_those_of_the_provider() {
    let wait = Duration::from_millis(50);
    let busy = |status, form| Act::Refuse(Refusal::busy(status).after(form, wait));
    let trouble = vec![
        (0.03, busy(429, RetryAfter::Seconds)),
        (0.03, busy(429, RetryAfter::Fraction)),
        (0.03, busy(429, RetryAfter::Date)),
        (0.03, busy(503, RetryAfter::Milliseconds)),
        (0.03, busy(529, RetryAfter::None)),
        (0.05, Act::Refuse(Refusal::html(502))),
        (0.05, Act::Refuse(Refusal::broken(500))),
    ];
    let provider = provider(Settings { conduct: Conduct::mix(7, 2, trouble), ..Settings::default() });
    let ran = Place::new(&pipeline(&provider.endpoint(), "", "")).into_run(&[]).exits(1);
    same_bytes(&ran, &undisturbed());
    let report = ran.report();
    assert!(0 < report["models"][0]["retries"].as_u64().unwrap(), "{report}");
    let charged = provider.ledger(Ledger::charge);
    assert_eq!(picodollars(&report["spending"]["dollars"]), charged as f64);
}

/// Replies that come late, in drops, twice, with a megabyte beside them, without usage, or half.
#[test]
fn odd_replies_give_the_same_texts_and_what_they_cost_is_known_or_bounded() {
    let odd = vec![
        (0.08, Act::Reset(At::InBody)),
        (0.08, Act::Late(Duration::from_millis(200))),
        (0.08, Act::Drip { bytes: 64, pause: Duration::from_millis(5) }),
        (0.08, Act::Odd(Odd::NoUsage)),
        (0.08, Act::Odd(Odd::Choices(2))),
        (0.08, Act::Odd(Odd::Padded(1 << 20))),
        (0.08, Act::Odd(Odd::Trailing)),
    ];
    let provider = provider(Settings { conduct: Conduct::mix(3, 2, odd), ..Settings::default() });
    let ran = Place::new(&pipeline(&provider.endpoint(), "", "")).into_run(&[]).exits(1);
    let texts = |ran: &Ran| ran.rows().iter().map(|row| row["text"].clone()).collect::<Vec<_>>();
    assert!(texts(&ran) == texts(&undisturbed()));
    let spending = ran.report()["spending"].clone();
    let (known, unsure) = (picodollars(&spending["dollars"]), picodollars(&spending["dollars_unsure"]));
    let charged = provider.ledger(Ledger::charge) as f64;
    assert!(0.0 < unsure && charged <= known + unsure, "{charged} charged, {known} known, {unsure} unsure");
}

#[test]
fn a_server_that_dies_for_a_while_is_waited_for_and_nothing_is_lost() {
    let provider = provider(slow(2));
    let place = Place::new(&pipeline(&provider.endpoint(), "in_flight = 8", ""));
    let run = place.command(&[]).spawn().unwrap();
    assert!(provider.wait(Duration::from_secs(30), |ledger| 5 < ledger.chats().count()));
    provider.die();
    sleep(Duration::from_secs(setting("PALIMPSEST_OUTAGE_SECONDS", 5)));
    provider.revive().unwrap();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = std::fs::read(place.path("out/data/quickstart.jsonl.zst")).unwrap();
    let expected = undisturbed();
    assert!(rows == std::fs::read(expected.sink.join("data/quickstart.jsonl.zst")).unwrap());
}

#[test]
fn a_key_that_is_refused_stops_the_run_and_stands_nowhere() {
    for known in [Some(KEY.to_owned()), Some("another".to_owned())] {
        let refused = known.as_deref() != Some(KEY);
        let provider = provider(Settings { key: known, ..slow(2) });
        let place = Place::new(&pipeline(&provider.endpoint(), "key = { env = \"WRITER_KEY\" }", ""));
        let run = place.command(&[]).env("WRITER_KEY", KEY).spawn().unwrap();
        if !refused {
            assert!(provider.wait(Duration::from_secs(30), |ledger| 2 < ledger.chats().count()));
            let arguments = std::fs::read(format!("/proc/{}/cmdline", run.id())).unwrap();
            assert!(!contains(&arguments, KEY), "the key is in the list of processes");
            let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", run.id()));
            assert_eq!(children.unwrap_or_default().trim(), "", "who has a child gives it an environment");
        }
        let output = run.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(if refused { 2 } else { 1 }), "{stderr}");
        if refused {
            assert!(stderr.contains("denies access") && stderr.contains("models.writer.key"), "{stderr}");
        }
        assert!(!contains(&output.stderr, KEY) && !contains(&output.stdout, KEY), "{stderr}");
        let files = files_below(&place.path("."));
        assert!(files.iter().any(|(name, _)| name.ends_with("pipeline.toml")));
        for (name, bytes) in files {
            assert!(!contains(&bytes, KEY), "the key is in {name}");
        }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn files_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files.extend(files_below(&entry.path()));
        } else {
            files.push((entry.path().display().to_string(), std::fs::read(entry.path()).unwrap()));
        }
    }
    files
}

/// Kills a run after a while, unless it is over before.
fn kill_after(mut run: Child, time: Duration) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < time {
        if run.try_wait().unwrap().is_some() {
            return false;
        }
        sleep(Duration::from_millis(5));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    true
}

#[test]
fn fifty_kills_pay_for_no_reply_twice() {
    // So slow that the work lasts for longer than the kills.
    let engine = Some(Engine::new(4, Curve::linear(100.0)));
    let provider = provider(Settings { engine, ..Settings::default() });
    let place = Place::new(&pipeline(&provider.endpoint(), "in_flight = 8", ""));
    let mut dice = Dice::of(setting("PALIMPSEST_SEED", 1));
    let mut killed = 0;
    let mut before = 0;
    for _ in 0..50 {
        let known: BTreeSet<String> = place.journalled().into_iter().collect();
        let run = place.command(&[]).stderr(Stdio::null()).spawn().unwrap();
        killed += u32::from(kill_after(run, Duration::from_millis(80 + dice.below(400))));
        let sent = provider.ledger(|ledger| asked(ledger, before));
        before += sent.len();
        let again: Vec<_> = sent.iter().filter(|user| known.contains(*user)).collect();
        assert!(again.is_empty(), "asked again: {again:?}");
    }
    assert!(40 < killed, "only {killed} runs were still going when they were killed");
    let ran = place.run(&[]).exits(1);
    same_bytes(&ran, &undisturbed());
    let spending = ran.report()["spending"].clone();
    // What the provider charged is what is known, and of calls that were lost in a kill no more than was reserved.
    let charged = provider.ledger(Ledger::charge) as f64;
    let (known, unsure) = (picodollars(&spending["dollars"]), picodollars(&spending["dollars_unsure"]));
    assert!(
        known <= charged && charged <= known + unsure,
        "{charged} charged, {known} known, {unsure} unsure"
    );
    let complete: u64 = provider.ledger(|ledger| {
        let known: BTreeSet<String> = place.journalled().into_iter().collect();
        let mut seen = BTreeSet::new();
        // The last call of each prompt is the one whose reply was kept.
        let entries: Vec<_> = ledger.chats().collect();
        entries
            .iter()
            .rev()
            .filter(|it| known.contains(&it.user) && seen.insert(it.user.clone()))
            .map(|it| it.price)
            .sum()
    });
    assert_eq!(known, complete as f64);
}

#[test]
fn a_cap_is_never_passed_and_raised_it_goes_on() {
    let all = {
        let provider = provider(Settings::default());
        Place::new(&pipeline(&provider.endpoint(), "", "")).into_run(&[]).exits(1);
        provider.ledger(Ledger::charge)
    };
    let cap = all / 2;
    let capped = |cap: u64| format!("[budget]\nmax_usd = {:.9}\n", cap as f64 / 1e12);
    let provider = provider(slow(4));
    let place = Place::new(&pipeline(&provider.endpoint(), "in_flight = 8", &capped(cap)));
    let mut dice = Dice::of(7);
    for _ in 0..10 {
        let run = place.command(&[]).stderr(Stdio::null()).spawn().unwrap();
        kill_after(run, Duration::from_millis(100 + dice.below(500)));
    }
    let ran = place.run(&[]).exits(30).says(&["budget.max_usd", "the same command goes on from here"]);
    let charged = provider.ledger(Ledger::charge);
    assert!(charged <= cap, "{charged} of {cap}");
    assert_eq!(ran.report()["finished"], false);
    let raised = pipeline(&provider.endpoint(), "in_flight = 8", &capped(3 * all));
    std::fs::write(place.path("pipeline.toml"), raised).unwrap();
    let ran = place.run(&[]).exits(1);
    same_bytes(&ran, &undisturbed());
}

#[test]
fn a_batch_gives_the_rows_that_a_run_gives() {
    let expected = undisturbed();
    let provider = provider(Settings { batches: BatchRules::default(), ..Settings::default() });
    let place = Place::new(&pipeline(&provider.endpoint(), "", ""));
    let waits = place.run(&["--batch", "prompts"]).exits(31).says(&["palimpsest batch submit pipeline.toml"]);
    assert_eq!(waits.report()["finished"], false);
    assert_eq!(provider.ledger(|ledger| ledger.chats().count()), 0);
    let (code, said) = batch(&place, &["submit", "pipeline.toml"]);
    assert_eq!(code, 0, "{said}");
    fetch(&place);
    let ran = place.run(&["--batch", "prompts"]);
    let ran = if ran.code == 31 { place.run(&[]) } else { ran }.exits(1);
    same_bytes(&ran, &expected);
    assert_eq!(provider.ledger(|ledger| ledger.chats().count()), 0, "nothing was asked outside of the batch");
    let spent = picodollars(&ran.report()["spending"]["dollars"]);
    assert_eq!(spent, provider.ledger(Ledger::charge) as f64);
}

/// One of the verbs of batches: how it ended, and what it said.
fn batch(place: &Place, verb: &[&str]) -> (i32, String) {
    let mut command = crate::harness::palimpsest();
    let output = command.current_dir(place.path(".")).arg("batch").args(verb).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Waits until every batch is over.
fn fetch(place: &Place) {
    let begun = Instant::now();
    loop {
        let (code, said) = batch(place, &["fetch", "pipeline.toml"]);
        if code == 0 {
            return;
        }
        assert!(code == 31 && begun.elapsed() < Duration::from_secs(60), "{said}");
        sleep(Duration::from_millis(200));
    }
}

#[test]
fn results_of_vllm_are_taken_from_a_file() {
    let expected = undisturbed();
    let provider = provider(Settings::default());
    let place = Place::new(&pipeline(&provider.endpoint(), "", ""));
    place.run(&["--batch", "prompts"]).exits(31);
    let prompts = std::fs::read_dir(place.path("prompts")).unwrap().next().unwrap().unwrap().path();
    // What `vllm run-batch` writes: the same lines in another order, each with the body that the server would have sent.
    let client = std::fs::read_to_string(&prompts).unwrap();
    let mut results: Vec<String> = client
        .lines()
        .map(|line| {
            let request: serde_json::Value = serde_json::from_str(line).unwrap();
            let body = post(&provider, &request["body"]);
            serde_json::json!({
                "id": "vllm-00ff",
                "custom_id": request["custom_id"],
                "response": { "status_code": 200, "request_id": "vllm-batch-00ff", "body": body },
                "error": null,
            })
            .to_string()
        })
        .collect();
    results.reverse();
    results.insert(1, "not json".to_owned());
    std::fs::write(place.path("results.jsonl"), results.join("\n")).unwrap();
    let (code, said) = batch(&place, &["import", "pipeline.toml", "results.jsonl"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("1 lines cannot be used"), "{said}");
    let asked = provider.ledger(|ledger| ledger.chats().count());
    let ran = place.run(&[]).exits(1);
    same_bytes(&ran, &expected);
    assert_eq!(provider.ledger(|ledger| ledger.chats().count()), asked);
}

/// One call, by hand.
fn post(provider: &Provider, body: &serde_json::Value) -> serde_json::Value {
    use std::io::{Read as _, Write as _};
    let mut connection = std::net::TcpStream::connect(("127.0.0.1", provider.port())).unwrap();
    let body = body.to_string();
    write!(
        connection,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    connection.take(1 << 20).read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

#[test]
fn a_later_stage_and_a_threshold_cost_no_call() {
    let provider = provider(Settings::default());
    let text = pipeline(&provider.endpoint(), "", "");
    let place = Place::new(&text);
    place.run(&[]).exits(1);
    let asked = provider.ledger(|ledger| ledger.chats().count());
    let longer = text
        .replace("[sink]", "[[stages]]\nplugin = \"language\"\nsettings = { min_confidence = 0.5 }\n[sink]");
    std::fs::write(place.path("pipeline.toml"), longer).unwrap();
    place.run(&["--overwrite"]).exits(1);
    assert_eq!(provider.ledger(|ledger| ledger.chats().count()), asked);
    assert!(0 < asked);
}

#[test]
fn what_a_batch_does_not_answer_takes_another_round() {
    let expected = undisturbed();
    // Of what is asked for the first time a third expires and a third fails.
    let seen = Mutex::new(BTreeSet::new());
    let fates = Fates::by(move |line| {
        match (seen.lock().unwrap().insert(line.custom_id.to_owned()), line.number % 3) {
            (true, 0) => Fate::Expired,
            (true, 1) => Fate::Failed(Refusal::broken(500)),
            _ => Fate::Answered,
        }
    });
    let batches = BatchRules { fates, ..BatchRules::default() };
    let provider = provider(Settings { batches, ..Settings::default() });
    let place = Place::new(&pipeline(&provider.endpoint(), "", ""));
    let mut rounds = 0;
    let ran = loop {
        let ran = place.run(&["--batch", "prompts"]);
        if ran.code != 31 {
            break ran.exits(1);
        }
        rounds += 1;
        let (code, said) = batch(&place, &["submit", "pipeline.toml"]);
        assert_eq!(code, 0, "{said}");
        fetch(&place);
    };
    assert_eq!(rounds, 2);
    same_bytes(&ran, &expected);
    let spent = picodollars(&ran.report()["spending"]["dollars"]);
    assert_eq!(spent, provider.ledger(Ledger::charge) as f64);
}

#[test]
fn one_of_two_servers_is_enough() {
    let (first, second) = (provider(slow(2)), provider(slow(2)));
    let endpoint = |url: &str| format!("[[models.writer.endpoints]]\nurl = {url:?}\n");
    let text = pipeline("", "", &(endpoint(&first.endpoint()) + &endpoint(&second.endpoint())));
    let place = Place::new(&text.replace("endpoint = \"\"\n", ""));
    let run = place.command(&[]).spawn().unwrap();
    let both = || [&first, &second].iter().all(|it| it.ledger(|ledger| 3 < ledger.chats().count()));
    let begun = Instant::now();
    while !both() {
        assert!(begun.elapsed() < Duration::from_secs(30), "one of the servers is not asked");
        sleep(Duration::from_millis(10));
    }
    first.die();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = std::fs::read(place.path("out/data/quickstart.jsonl.zst")).unwrap();
    assert!(rows == std::fs::read(undisturbed().sink.join("data/quickstart.jsonl.zst")).unwrap());
}

#[test]
fn documents_are_sent_to_the_model_that_is_good_at_their_language() {
    let (all, german) = (provider(Settings::default()), provider(Settings::default()));
    let rest = format!(
        "[[models.writer.routes]]\nwhen = \"language == 'de'\"\nto = \"german\"\n[models.german]\n\
         endpoint = {:?}\nmodel = \"klein\"\n",
        german.endpoint()
    );
    let text = pipeline(&all.endpoint(), "", &rest).replacen(
        "[[stages]]\nplugin = \"rephrase\"",
        "[[stages]]\nplugin = \"language\"\n[[stages]]\nplugin = \"rephrase\"",
        1,
    );
    let ran = Place::new(&text).into_run(&[]).exits(1);
    let prompts = |provider: &Provider| provider.ledger(|ledger| asked(ledger, 0));
    let (to_all, to_german) = (prompts(&all), prompts(&german));
    assert!(
        !to_german.is_empty() && to_german.len() < to_all.len(),
        "{} and {}",
        to_german.len(),
        to_all.len()
    );
    let report = ran.report();
    let calls = |name: &str| {
        let models = report["models"].as_array().unwrap();
        models.iter().find(|it| it["name"] == name).unwrap()["calls"].as_u64().unwrap() as usize
    };
    assert_eq!((calls("writer"), calls("german")), (to_all.len(), to_german.len()));
    let rows = ran.rows();
    let german_rows = rows.iter().filter(|row| row["language"] == "de" && row["kind"] == "synthetic");
    assert!(german_rows.clone().count() <= to_german.len());
}

#[test]
fn an_estimate_asks_nobody_and_is_about_right() {
    let provider = provider(Settings::default());
    let place = Place::new(&pipeline(&provider.endpoint(), "requests_per_minute = 10", ""));
    let mut command = place.verb("estimate", &["--json"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let estimate: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(provider.ledger(|ledger| ledger.chats().count()), 0);
    // The sample is all of the archive, so that only what replies are is guessed.
    let place = Place::new(&pipeline(&provider.endpoint(), "", ""));
    let ran = place.run(&[]).exits(1);
    let used = &ran.report()["models"][0];
    let writer = &estimate["models"]["writer"];
    assert_eq!(writer["requests"], used["calls"], "{writer}");
    let hours = writer["cost"]["hours"]["expected"].as_f64().unwrap();
    assert!((hours * 600.0 - used["calls"].as_f64().unwrap()).abs() < 0.5 * used["calls"].as_f64().unwrap());
    let dollars = writer["cost"]["dollars"]["expected"].as_f64().unwrap();
    assert!(0.0 < dollars && dollars <= writer["cost"]["most_dollars"].as_f64().unwrap());
    let mut command = place.verb("run", &["--dry-run"]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("[models.writer]") && said.contains("dollars at most"), "{said}");
}
