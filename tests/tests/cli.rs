//! The command from outside: what it prints, what it complains about, and how it ends.

use std::io::Write as _;
use std::process::Stdio;

use crate::harness::{Place, archive, palimpsest, root};

#[test]
fn a_wrong_file_is_complained_about_all_at_once_and_where() {
    let place = Place::new(
        "name = \"x\"\n[source]\nachives = [\"a.warc\"]\n[[stages]]\nplugin = \"extrakt\"\n[sink]\npath = \"out\"\nformat = \"csv\"\n",
    );
    place.run(&[]).exits(2).says(&["pipeline.toml:3:1", "archives", "extract", "jsonl.zst"]);
}

#[test]
fn what_is_missing_stops_before_any_work() {
    let place = Place::new(
        "name = \"x\"\nsource.archives = [\"a.warc\"]\n[[stages]]\nplugin = \"no.wasm\"\n[sink]\npath = \"out\"\n",
    );
    let ran = place.run(&[]).exits(2).says(&["there is no file", "a.warc", "no.wasm"]);
    assert!(!ran.sink.join("data").exists());
}

#[test]
fn a_model_that_is_not_there_stops_before_any_work() {
    let place = Place::new(
        "name = \"x\"\nsource.archives = [\"a.warc\"]\n[models.w]\nendpoint = \"http://127.0.0.1:9/v1\"\nmodel = \"m\"\n\
         [[stages]]\nplugin = \"rephrase\"\nsettings = { model = \"w\", styles = [\"concise\"] }\n[sink]\npath = \"out\"\n",
    );
    std::fs::write(place.path("a.warc"), archive(&["text"])).unwrap();
    let ran = place.run(&[]).exits(2).says(&["127.0.0.1:9"]);
    assert!(!ran.sink.join("data").exists());
}

#[test]
fn a_disk_that_is_full_ends_the_run_in_order() {
    let place = Place::new(
        "name = \"x\"\nsource.archives = [\"a.warc\"]\n[[stages]]\nplugin = \"extract\"\nsettings = { min_chars = 0 }\n\
         [sink]\npath = \"full/out\"\n",
    );
    let full = place.path("full");
    std::fs::create_dir(&full).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "none"])
        .arg(&full)
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("full disk: skipped, no small file system can be mounted here");
        return;
    }
    // Text that does not compress: every page is digits of another number.
    let page = |seed: u64| -> String {
        let mut state = seed * 2 + 1;
        let mut digits = String::new();
        for _ in 0..200 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            digits += &format!("{:x} ", state >> 8);
        }
        digits
    };
    let pages: Vec<_> = (0..2_000).map(page).collect();
    let pages: Vec<_> = pages.iter().map(String::as_str).collect();
    std::fs::write(place.path("a.warc"), archive(&pages)).unwrap();
    let ran = place.run(&[]);
    let left: Vec<_> = std::fs::read_dir(full.join("out/data")).into_iter().flatten().collect();
    std::process::Command::new("umount").arg(&full).status().unwrap();
    let ran = ran.exits(3);
    assert!(left.is_empty(), "{left:?}");
    ran.says(&["disk is full"]);
}

#[test]
fn records_prints_a_line_each_and_tells_damage_by_its_exit_code() {
    let archive = root().join("pipelines/quickstart.warc.gz");
    let output = palimpsest().arg("records").arg(archive).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(60 < lines.len());
    assert_eq!(lines[0]["type"], "warcinfo");
    assert!(lines.iter().enumerate().all(|(number, line)| line["i"] == number));
    assert_eq!(lines.last().unwrap()["damage"], "truncated");
}

fn apply(arguments: &[&str], documents: &str) -> Vec<serde_json::Value> {
    let mut process = palimpsest()
        .arg("apply")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(documents.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn apply_lets_a_stage_judge_documents() {
    let documents = concat!(
        "{\"id\":\"a\",\"url\":\"https://a.example/\",\"html\":\"<html><body><article><p>The first paragraph of the page says something.</p><p>And the second one says something more.</p></article></body></html>\"}\n",
        "{\"id\":\"b\",\"url\":\"https://b.example/\",\"status\":404,\"html\":\"<p>gone</p>\"}\n",
        // windows-1251, told by the header alone.
        "{\"id\":\"c\",\"url\":\"https://c.example/\",\"headers\":{\"Content-Type\":\"text/plain; charset=windows-1251\"},\"body_base64\":\"z/Do4uXyLCDs6PAg6CDi8eUsIPfy7iDiIO3l7A==\"}\n",
    );
    let verdicts = apply(&["extract", "--settings", "{\"min_chars\": 0}"], documents);
    assert_eq!(verdicts.len(), 3);
    assert_eq!((&verdicts[0]["id"], &verdicts[0]["verdict"]), (&"a".into(), &"emit".into()));
    assert!(verdicts[0]["drafts"][0]["text"].as_str().unwrap().contains("The first paragraph"));
    assert_eq!((&verdicts[1]["verdict"], &verdicts[1]["reason"]), (&"drop".into(), &"http_status".into()));
    assert_eq!(verdicts[1]["value"], "404");
    assert!(verdicts[2]["drafts"][0]["text"].as_str().unwrap().contains("Привет, мир"), "{}", verdicts[2]);
}

#[test]
fn apply_shows_prompts_and_goes_on_with_the_replies_that_are_given() {
    let text = "The lighthouse at the cape was built in 1874 from local granite. It stands 31 metres tall and its lamp can be \
                seen from 20 miles away. Keepers lived beside it with their families until it was automated in 1986.";
    let document =
        format!("{}\n", serde_json::json!({ "id": "a", "url": "https://a.example/", "text": text }));
    let settings = ["rephrase", "--settings", "{\"model\": \"m\", \"styles\": [\"concise\"]}"];
    let asked = apply(&settings, &document);
    assert_eq!(asked[0]["verdict"], "ask", "{}", asked[0]);
    assert!(asked[0]["prompts"][0]["user"].as_str().unwrap().contains("lighthouse"));
    let place = Place::new("");
    let reply = "The granite lighthouse at the cape, built in 1874, stands 31 metres tall, and its lamp is seen 20 miles away. \
                 Keepers and their families lived there until 1986, when it was automated.";
    std::fs::write(place.path("replies"), serde_json::json!({ "id": "a", "replies": [reply] }).to_string())
        .unwrap();
    let replies = place.path("replies");
    let judged = apply(&[&settings[..], &["--replies", replies.to_str().unwrap()]].concat(), &document);
    assert_eq!(judged[0]["verdict"], "emit", "{}", judged[0]);
    assert!(judged[0]["drafts"][0]["text"].as_str().unwrap().contains("granite lighthouse"));
}
