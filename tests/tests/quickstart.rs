//! The quickstart: what a newcomer runs first, and what has to come out of it.

use palimpsest_tests::pages::{self, Expect};

use crate::harness::{Place, palimpsest, root, same_bytes, weights};
use crate::server::Server;

/// The pipeline of the quickstart, with absolute paths and another model where one is given.
fn pipeline(model: Option<&str>) -> String {
    let text = std::fs::read_to_string(root().join("pipelines/quickstart.toml")).unwrap();
    let text =
        text.replace("\"quickstart.warc.gz\"", &format!("{:?}", root().join("pipelines/quickstart.warc.gz")));
    let text = text.replace("\"out/quickstart\"", "\"out\"");
    match model {
        Some(model) => text.replace("embedded = \"smollm2-135m-instruct\"", model),
        None => text,
    }
}

#[test]
fn the_quickstart_checks_and_shows_its_plan() {
    if weights("quickstart check").is_none() {
        return;
    }
    let checked = palimpsest().arg("check").arg(root().join("pipelines/quickstart.toml")).output().unwrap();
    let out = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    for word in ["quickstart", "extract", "language", "cleanup", "rephrase", "quickstart.warc.gz"] {
        assert!(out.contains(word), "no {word} in:\n{out}");
    }
}

#[test]
fn without_a_model_every_page_gets_what_its_author_expects() {
    let archive = root().join("pipelines/quickstart.warc.gz");
    let place = Place::new(&format!(
        "name = \"plain\"\nsource.archives = [{archive:?}]\n[[stages]]\nplugin = \"extract\"\n[[stages]]\n\
         plugin = \"language\"\nsettings = {{ min_confidence = 0.0 }}\n[sink]\npath = \"out\"\n"
    ));
    let ran = place.run(&[]).exits(1);
    let rows = ran.rows();
    let mut missing = Vec::new();
    for page in pages::all().filter(|page| matches!(page.expect, Expect::Text)) {
        let row = rows.iter().find(|row| row["url"] == page.url);
        let text = row.map_or("", |row| row["text"].as_str().unwrap());
        if !text.contains(page.says) {
            missing.push(format!("{}: no {:?}", page.url, page.says));
        } else if row.is_some_and(|row| row["language"] != page.language) {
            missing.push(format!(
                "{}: {} is taken for {}",
                page.url,
                page.language,
                row.unwrap()["language"]
            ));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    let not_wanted = |expect: &Expect| matches!(expect, Expect::Refused | Expect::Hostile | Expect::Damaged);
    let wrong: Vec<_> = pages::all()
        .filter(|page| not_wanted(&page.expect) && rows.iter().any(|row| row["url"] == page.url))
        .map(|page| page.url)
        .collect();
    assert!(wrong.is_empty(), "these are rows: {wrong:?}");
    let pages = ran.flow("pages");
    assert_eq!(pages["failed"]["body_too_large"], 1, "the bomb is refused: {pages}");
    let rejects = ran.rejects();
    let value = |reason: &str| rejects.iter().find(|it| it["reason"] == reason).map(|it| it["value"].clone());
    assert_eq!(value("http_status"), Some("404".into()));
    let records = ran.flow("records");
    assert!(records["failed"].as_object().unwrap().contains_key("truncated"), "{records}");
}

/// Instances are reused, so a stage that remembered anything would say something else in a new one, or after others.
#[test]
fn the_built_in_stages_say_the_same_in_fresh_instances_and_in_used_ones() {
    let archive = root().join("pipelines/quickstart.warc.gz");
    let place = |isolation: &str| {
        Place::new(&format!(
            "name = \"pure\"\nsource.archives = [{archive:?}]\n[[stages]]\nplugin = \"extract\"\n{isolation}\n\
             [[stages]]\nplugin = \"language\"\n{isolation}\n[sink]\npath = \"out\"\n"
        ))
    };
    let used = place("isolation = \"reuse\"").into_run(&["--workers", "1"]).exits(1);
    let fresh = place("isolation = \"fresh\"").into_run(&["--workers", "2"]).exits(1);
    same_bytes(&used, &fresh);
    assert!(50 < used.rows().len());
}

/// The whole quickstart on a few pages: text of the model in the rows, and every row says where it comes from.
fn has_model_text(model: Option<&str>, limit: &str) {
    let place = Place::new(&pipeline(model));
    let ran = place.run(&["--limit", limit]);
    assert!(ran.code < 2, "{}", ran.stderr);
    let report = ran.report();
    assert!(0 < report["models"][0]["calls"].as_u64().unwrap(), "{report}");
    let rows = ran.rows();
    let written: Vec<_> = rows.iter().filter(|row| row["kind"] == "synthetic").collect();
    assert!(!written.is_empty(), "no text of the model in {} rows\n{}", rows.len(), ran.stderr);
    for row in &rows {
        assert_eq!(row["language"], "en");
        assert!(row["warc_length"].as_u64().unwrap() > 0 && row["token_count"].as_u64().unwrap() > 0);
        assert_eq!(row["prompt_ids"].is_null(), row["usage"].is_null());
    }
    for row in written {
        assert!(!row["prompt_ids"].as_array().unwrap().is_empty() && row["span"].is_object(), "{row:?}");
    }
}

#[test]
fn the_embedded_model_writes_rows() {
    if weights("quickstart, embedded").is_some() {
        has_model_text(None, "10");
    }
}

#[test]
fn a_real_server_writes_rows() {
    if let Some(server) = Server::start("quickstart, server", 4) {
        let model = format!("endpoint = {:?}\nmodel = \"smollm2\"", server.endpoint);
        has_model_text(Some(&model), "10");
        assert!(!server.prompts().is_empty());
    }
}
