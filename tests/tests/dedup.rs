//! Duplicates within a run, which pages find by the notes that others left: of each one survives, in every order, after any
//! number of kills, and in a replay the same one.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::Compression;
use palimpsest_tests::archive::Record;
use palimpsest_tests::provider::{Ask, Ledger, Provider, Replies, Settings};
use serde_json::{Map, Value};

use crate::dice::Dice;
use crate::harness::{Place, Ran, same_bytes};

const ARCHIVES: usize = 4;
const TEXTS: usize = 120;
const KILLS: usize = 12;

/// In each archive every text once: as it is in the first two, with a few other words in the others.
fn crawl(place: &Place) {
    std::fs::create_dir(place.path("crawl")).unwrap();
    for archive in 0..ARCHIVES {
        let mut bytes = Vec::new();
        for text in 0..TEXTS {
            // Each archive has them in another order.
            let text = (text * 7 + archive * 31) % TEXTS;
            let name = format!("{text}-{archive}");
            let record = Record::new("conversion", &name, 1)
                .field("WARC-Target-URI", &format!("https://host-{archive}.example/{text}"))
                .block("text/plain", said(text, archive).into_bytes());
            bytes.extend(record.member(Compression::fast()));
        }
        std::fs::write(place.path(&format!("crawl/{archive}.warc.gz")), bytes).unwrap();
    }
}

/// 400 words, of which at most four are the archive's own.
fn said(text: usize, archive: usize) -> String {
    let mut dice = Dice::of(text as u64 + 1);
    let mut words: Vec<String> = (0..400).map(|_| format!("{:x}", dice.below(1 << 20))).collect();
    if 1 < archive {
        for place in 0..4 {
            words[place * 97] = format!("own{archive}");
        }
    }
    format!("text {text} {}", words.join(" "))
}

fn place(settings: &str) -> Place {
    place_with(settings, "")
}

/// With more stages behind it.
fn place_with(settings: &str, stages: &str) -> Place {
    let place = Place::new(&format!(
        "name = \"dedup\"\n[source]\narchives = [\"crawl/*.warc.gz\"]\nrecords = [\"conversion\"]\nat_once = 3\n\
         [[stages]]\nplugin = \"extract\"\n[[stages]]\nplugin = \"dedup\"\nsettings = {{ {settings} }}\n{stages}\
         [sink]\npath = \"out\"\n[run]\nworkers = 2\njournal = \"journal.sqlite\"\n"
    ));
    crawl(&place);
    place
}

fn text_of(row: &Map<String, Value>) -> u32 {
    let words = row["text"].as_str().unwrap().strip_prefix("text ").unwrap();
    words.split(' ').next().unwrap().parse().unwrap()
}

/// Every text has one row, and whoever was dropped names a page that says the same and came before it.
#[track_caller]
fn one_of_each(ran: &Ran) {
    let rows = ran.rows();
    let texts: BTreeSet<u32> = rows.iter().map(text_of).collect();
    assert_eq!((rows.len(), texts.len()), (TEXTS, TEXTS));
    let id = |row: &Map<String, Value>| row["id"].as_str().unwrap().to_owned();
    let mut pages: BTreeMap<String, (u32, Option<String>)> =
        rows.iter().map(|row| (id(row), (text_of(row), None))).collect();
    let mut exact = 0;
    for reject in ran.rejects() {
        let (similarity, twin) = reject["value"].as_str().unwrap().split_once(' ').unwrap();
        assert!(0.75 <= similarity.parse::<f64>().unwrap(), "{similarity}");
        exact += u32::from(reject["reason"] == "exact_duplicate");
        pages.insert(id(&reject), (text_of(&reject), Some(twin.to_owned())));
    }
    assert_eq!(pages.len(), TEXTS * ARCHIVES);
    assert!(0 < exact);
    for (text, twin) in pages.values() {
        let (mut at, mut steps) = (twin.clone(), 0);
        while let Some(twin) = at {
            assert_eq!(pages[&twin].0, *text, "a page is taken for another");
            steps += 1;
            assert!(steps < ARCHIVES, "the pages are each other's duplicates, and none is left");
            at = pages[&twin].1.clone();
        }
    }
}

#[test]
fn one_of_each_text_survives_and_a_replay_has_the_same() {
    let place = place("");
    let ran = place.run(&[]).exits(0);
    one_of_each(&ran);
    assert!(place.path("journal.notes.sqlite").is_file());
    let replayed = place.run(&["--replay", "--out", "replayed"]).exits(0);
    same_bytes(&ran, &replayed);
    std::fs::remove_file(place.path("journal.notes.sqlite")).unwrap();
    let refused = place.run(&["--replay", "--out", "without"]);
    assert!(refused.code != 0 && refused.stderr.contains("there are no notes"), "{}", refused.stderr);
}

#[test]
fn a_run_that_is_killed_again_and_again_keeps_one_of_each() {
    let undisturbed = place("");
    let begun = Instant::now();
    one_of_each(&undisturbed.run(&[]).exits(0));
    let span = begun.elapsed().as_micros() as u64;
    let place = place("");
    let mut dice = Dice::new();
    for _ in 0..KILLS {
        let mut command = place.command(&["--quiet"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        #[expect(clippy::disallowed_methods, reason = "nothing tells when a run is to be killed")]
        std::thread::sleep(Duration::from_micros(dice.below(span)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let ran = place.run(&[]).exits(0);
    one_of_each(&ran);
    let replayed = place.run(&["--replay", "--out", "replayed"]).exits(0);
    same_bytes(&ran, &replayed);
}

/// What a model is asked about a page is paid for, so the next run must not find another page to be the first one.
#[test]
fn a_model_behind_it_is_asked_about_one_of_each_however_often_the_run_is_killed() {
    // A text, and the archive whose own words are in it.
    type Asked = BTreeSet<(u32, Option<usize>)>;
    let asked: Arc<Mutex<Asked>> = Arc::default();
    let noted = Arc::clone(&asked);
    let replies = Replies::by(move |ask: &Ask| {
        let user = ask.user();
        let number = |words: &str| words.split(' ').next().and_then(|number| number.parse::<u32>().ok());
        let text = user.split("text ").skip(1).find_map(number).unwrap();
        let own = (2..ARCHIVES).find(|archive| user.contains(&format!(" own{archive} ")));
        noted.lock().unwrap().insert((text, own));
        "{\"reason\": \"so\", \"score\": 3}".to_owned()
    });
    let provider = Provider::start(Settings { replies, ..Settings::default() }).unwrap();
    let place = place_with(
        "",
        &format!(
            "[[stages]]\nplugin = \"annotate\"\nsettings = {{ model = \"judge\" }}\n\
             [models.judge]\nendpoint = \"{}\"\nmodel = \"m\"\n",
            provider.endpoint()
        ),
    );
    let pipeline = std::fs::read_to_string(place.path("pipeline.toml")).unwrap();
    let mut dice = Dice::new();
    for kill in 0..KILLS {
        // Every time the pages come in another order.
        let order =
            pipeline.replace("at_once = 3", if kill % 2 == 0 { "at_once = 4" } else { "at_once = 1" });
        std::fs::write(place.path("pipeline.toml"), order).unwrap();
        let mut child =
            place.command(&["--quiet"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pages = (kill + 1) * TEXTS / (KILLS + 2);
        provider.wait(Duration::from_secs(60), |ledger: &Ledger| pages as u64 <= ledger.requests());
        #[expect(clippy::disallowed_methods, reason = "nothing tells when a run is to be killed")]
        std::thread::sleep(Duration::from_micros(dice.below(20_000)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    one_of_each(&place.run(&[]).exits(0));
    let asked = asked.lock().unwrap();
    let texts: BTreeSet<u32> = asked.iter().map(|(text, _)| *text).collect();
    assert_eq!((asked.len(), texts.len()), (TEXTS, TEXTS), "another page of a text was asked about");
}

#[test]
fn notes_are_of_one_pipeline() {
    let place = place("documents = \"exact\"");
    assert_eq!(place.run(&[]).exits(0).rows().len(), 3 * TEXTS, "two archives have other words");
    // Another setting is another stage: nothing of the first one's notes makes its pages duplicates.
    let pipeline = std::fs::read_to_string(place.path("pipeline.toml")).unwrap();
    std::fs::write(place.path("pipeline.toml"), pipeline.replace("documents = \"exact\"", "")).unwrap();
    one_of_each(&place.run(&["--out", "other"]).exits(0));
}

#[test]
fn lines_that_a_host_repeats_stay_where_they_came_first() {
    let place = Place::new(
        "name = \"lines\"\n[source]\narchives = [\"crawl.warc.gz\"]\nrecords = [\"conversion\"]\n\
         [[stages]]\nplugin = \"extract\"\nsettings = { min_chars = 0 }\n[[stages]]\nplugin = \"dedup\"\n\
         settings = { documents = \"off\", lines = { min_pages = 1 } }\n[sink]\npath = \"out\"\n[run]\nworkers = 2\n",
    );
    let mut bytes = Vec::new();
    for page in 0..40 {
        let host = page % 2;
        let text = format!(
            "Home and products of host {host}\nPage {page} has a line of its own\nAll rights reserved"
        );
        let record = Record::new("conversion", &page.to_string(), 1)
            .field("WARC-Target-URI", &format!("https://host-{host}.example/{page}"))
            .block("text/plain", text.into_bytes());
        bytes.extend(record.member(Compression::fast()));
    }
    std::fs::write(place.path("crawl.warc.gz"), bytes).unwrap();
    let ran = place.run(&[]).exits(0);
    let rows = ran.rows();
    assert_eq!(rows.len(), 40);
    let with = |line: &str| rows.iter().filter(|row| row["text"].as_str().unwrap().contains(line)).count();
    assert_eq!((with("line of its own"), with("Home and"), with("All rights")), (40, 2, 2));
    let removed: i64 = rows.iter().map(|row| row["lines_removed"].as_i64().unwrap()).sum();
    assert_eq!(removed, 2 * 38);
}
