//! The pipelines of published recipes, each on real pages, with a real model where one is asked.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use palimpsest_tests::archive::Record;
use serde_json::{Map, Value, json};

use crate::harness::{Place, Ran, data, packed_rows, palimpsest, root};
use crate::server::Server;

/// Real pages of every kind that the data has, English for the most part.
const PAGES: usize = 150;
/// A toy on two cores says some words a second.
const PAGES_FOR_A_MODEL: usize = 20;

/// A recipe as it is in the repository, on an archive of real pages, with some of its text replaced.
fn recipe(test: &str, name: &str, pages: usize, changes: &[(&str, &str)]) -> Option<Place> {
    let data = data(test)?;
    let mut text = std::fs::read_to_string(root().join(format!("pipelines/{name}.toml"))).unwrap();
    let changes = changes
        .iter()
        .chain(&[("\"quickstart.warc.gz\"", "\"pages.warc.gz\""), ("format = \"parquet\"\n", "")]);
    for (from, to) in changes {
        assert!(text.contains(from) || from.starts_with("format"), "{name}.toml has no {from}");
        text = text.replace(from, to);
    }
    let place = Place::new(&text);
    std::fs::write(place.path("pages.warc.gz"), archive(&data, pages)).unwrap();
    Some(place)
}

fn archive(data: &Path, pages: usize) -> Vec<u8> {
    let rows = packed_rows(&data.join("extraction/dev.jsonl.gz"));
    let step = rows.len() / pages;
    let mut bytes = Vec::new();
    for row in rows.iter().step_by(step.max(1)).take(pages) {
        let text = |key: &str| row[key].as_str().unwrap_or_default();
        let mut html = Vec::new();
        let file = std::fs::File::open(data.join("extraction").join(text("html_path"))).unwrap();
        std::io::copy(&mut flate2::read::MultiGzDecoder::new(file), &mut html).unwrap();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n", html.len());
        let url = if text("url").starts_with("http") {
            text("url").to_owned()
        } else {
            "https://a.example/".to_owned()
        };
        let record = Record::new("response", text("id"), 1)
            .field("WARC-Target-URI", &url)
            .block("application/http; msgtype=response", [head.as_bytes(), &html].concat());
        bytes.extend(record.member(Compression::fast()));
    }
    bytes
}

/// What dropped how many.
fn dropped(ran: &Ran, stage: &str) -> BTreeMap<String, u64> {
    let flow = ran.flow(stage);
    flow["dropped"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(reason, count)| (reason.clone(), count.as_u64().unwrap()))
        .collect()
}

fn number(row: &Map<String, Value>, column: &str) -> f64 {
    row[column].as_f64().unwrap_or_else(|| panic!("no {column} in {row:?}"))
}

#[test]
fn fineweb_keeps_running_english_text() {
    let Some(place) = recipe("fineweb", "fineweb", PAGES, &[]) else { return };
    let ran = place.run(&["--out", "out"]);
    assert!(ran.code < 2, "{}", ran.stderr);
    let rows = ran.rows();
    assert!((PAGES / 10..PAGES).contains(&rows.len()), "{} rows", rows.len());
    let by_rules = dropped(&ran, "quality");
    assert!(2 < by_rules.len(), "{by_rules:?}");
    for row in &rows {
        assert_eq!(row["language"], "en");
        assert!(0.65 <= number(row, "language_score"));
        assert!((50.0..=100_000.0).contains(&number(row, "gopher_words")), "{row:?}");
        assert!(number(row, "fineweb_char_dup_ratio") <= 0.01);
        assert!(row["minhash"].as_str().unwrap().len() > 500);
        let text = row["text"].as_str().unwrap();
        let addresses = text.matches("@").count();
        assert!(
            number(row, "pii_emails") == 0.0 || text.contains("someone@example.com"),
            "{addresses}: {text}"
        );
    }
}

/// Rows of the texts of pages and of what stands around them, labelled with the one for what is around and the one for
/// texts.
fn label_lines(file: &Path, column: &str, labels: [Value; 2]) {
    let mut rows = std::fs::File::create(file).unwrap();
    for page in packed_rows(&data("lines").unwrap().join("cleanup/silver_lines_dev.jsonl.gz")) {
        let lines = page["lines"].as_array().unwrap().iter().zip(page["keep"].as_array().unwrap());
        for (wanted, label) in labels.iter().enumerate() {
            let side: Vec<_> = lines
                .clone()
                .filter(|(_, keep)| **keep == wanted)
                .filter_map(|(line, _)| line.as_str())
                .collect();
            let mut row = json!({"text": side.join("\n"), "url": page["url"]});
            row[column] = label.clone();
            writeln!(rows, "{row}").unwrap();
        }
    }
}

#[test]
fn dclm_keeps_what_its_classifier_likes() {
    let Some(place) = recipe("dclm", "dclm", PAGES, &[]) else { return };
    // Not the published classifier, which has 2.4 GB, but a real one: texts of pages against the lines around them.
    label_lines(&place.path("lines.jsonl"), "label", [json!("lq"), json!("hq")]);
    let model = place.path("openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train.bin");
    let trained = palimpsest()
        .args(["train-classifier", "--label", "label", "--bucket", "50000", "--epoch", "20", "--out"])
        .arg(&model)
        .arg(place.path("lines.jsonl"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&trained.stdout).into_owned();
    assert!(trained.status.success(), "{told} {}", String::from_utf8_lossy(&trained.stderr));
    let accuracy: f64 = told.split_once("accuracy ").unwrap().1.split(';').next().unwrap().parse().unwrap();
    assert!(0.85 < accuracy, "{told}");
    let ran = place.run(&["--out", "out"]);
    assert!(ran.code < 2, "{}", ran.stderr);
    let rows = ran.rows();
    assert!(10 < rows.len(), "{} rows", rows.len());
    assert!(rows.iter().all(|row| 0.018_112 <= number(row, "dclm_score")));
}

#[test]
fn fineweb_edu_learns_from_a_model_what_teaches() {
    let Some(server) = Server::start("fineweb-edu", 2) else { return };
    let changes = [
        ("http://127.0.0.1:8000/v1", server.endpoint.as_str()),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "smollm2"),
    ];
    let Some(place) = recipe("fineweb-edu", "fineweb-edu-annotate", PAGES_FOR_A_MODEL, &changes) else {
        return;
    };
    let annotated = place.run(&["--out", "annotated"]);
    assert!(annotated.code < 2, "{}", annotated.stderr);
    let scores: Vec<_> = annotated.rows().iter().filter_map(|row| row["edu_score"].as_i64()).collect();
    assert!(5 < scores.len() && scores.iter().all(|score| (0..=5).contains(score)), "{scores:?}");
    // The toy's opinions are its own, and may be one and the same of every page: lines that people labelled are beside them.
    label_lines(&place.path("lines.jsonl"), "edu_score", [json!(0), json!(5)]);
    let trained = palimpsest()
        .args(["train-classifier", "--label", "edu_score", "--bucket", "50000", "--epoch", "20", "--out"])
        .arg(place.path("edu.bin"))
        .args([place.path("annotated"), place.path("lines.jsonl")])
        .output()
        .unwrap();
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
    let pipeline = std::fs::read_to_string(root().join("pipelines/fineweb-edu.toml")).unwrap();
    let pipeline =
        pipeline.replace("\"quickstart.warc.gz\"", "\"pages.warc.gz\"").replace("format = \"parquet\"", "");
    std::fs::write(place.path("pipeline.toml"), pipeline).unwrap();
    let ran = place.run(&["--out", "edu"]);
    assert!(ran.code < 2, "{}", ran.stderr);
    let kept = ran.rows();
    assert!(!kept.is_empty(), "{}", ran.stderr);
    assert!(kept.iter().all(|row| 2.5 <= number(row, "edu_score")));
    let flow = ran.flow("score");
    let low = dropped(&ran, "score").get("low_score").copied().unwrap_or(0);
    assert_eq!(flow["taken"].as_u64().unwrap(), low + kept.len() as u64, "{flow}");
}

/// The toy says less than half of what a style may: a replacement in a recipe that bounds it, one segment a page.
fn bounded(styles: &[&str], tokens: u32) -> String {
    let tables = styles.iter().map(|style| format!("{style} = {{ max_input = 330, max_output = {tokens} }}"));
    let tables = tables.collect::<Vec<_>>().join(", ");
    format!("retry = false, max_segments = 1, define = {{ {tables} }}, styles = ")
}

/// Of a style's rows none has what is between stages only, and each says what it was made by.
fn are_rewrites(rows: &[&Map<String, Value>]) {
    for row in rows {
        assert!(row.keys().all(|column| !column.starts_with('_')), "{row:?}");
        assert!(row["prompt_template"].is_string() && 0.0 < number(row, "rephrase_tokens_paid"), "{row:?}");
        assert_eq!(row["fidelity"], "passed", "{row:?}");
    }
}

#[test]
fn nemotron_cc_says_again_what_is_poor_and_adds_to_what_is_good() {
    let Some(server) = Server::start("nemotron-cc", 2) else { return };
    let Some(place) = recipe("nemotron-cc", "nemotron-cc-scores", PAGES, &[]) else { return };
    for (model, labels) in [
        ("openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train.bin", [json!("lq"), json!("hq")]),
        ("edu.bin", [json!(0), json!(5)]),
    ] {
        label_lines(&place.path("lines.jsonl"), "label", labels);
        let mut train = palimpsest();
        train.args(["train-classifier", "--label", "label", "--bucket", "50000", "--epoch", "20", "--out"]);
        assert!(train.args([place.path(model), place.path("lines.jsonl")]).status().unwrap().success());
    }
    assert!(place.run(&["--out", "scores"]).code < 2);
    let mut calibrate = palimpsest();
    calibrate.args(["calibrate", "--scorer", "dclm", "--scorer", "edu", "--out"]);
    assert!(calibrate.args([place.path("buckets.toml"), place.path("scores")]).status().unwrap().success());

    let mut pipeline = std::fs::read_to_string(root().join("pipelines/nemotron-cc.toml")).unwrap();
    let styles = ["wikipedia", "diverse_qa", "distill", "extract_knowledge", "knowledge_list"];
    for (from, to) in [
        ("http://127.0.0.1:8000/v1", server.endpoint.as_str()),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "smollm2"),
        ("quickstart.warc.gz", "pages.warc.gz"),
        ("format = \"parquet\"\npartition_by = [\"quality_bucket\", \"kind\", \"style\"]\n", ""),
        ("styles = [\"wikipedia\"]", &(bounded(&styles[..1], 90) + "[\"wikipedia\"]")),
        ("styles = [\"diverse_qa\"", &(bounded(&styles[1..], 90) + "[\"diverse_qa\"")),
    ] {
        assert!(pipeline.contains(from), "nemotron-cc.toml has no {from}");
        pipeline = pipeline.replace(from, to);
    }
    std::fs::write(place.path("pipeline.toml"), pipeline).unwrap();
    let ran = place.run(&["--out", "out", "--limit", "12"]);
    assert!(ran.code < 2, "{}", ran.stderr);
    let rows = ran.rows();
    let of = |style: &str| rows.iter().filter(|row| row["style"] == style).collect::<Vec<_>>();
    for style in styles {
        are_rewrites(&of(style));
    }
    let buckets =
        |style: &str| of(style).into_iter().map(|row| number(row, "quality_bucket")).collect::<Vec<_>>();
    assert!(buckets("wikipedia").iter().all(|bucket| *bucket <= 11.0));
    assert!(styles[1..].iter().flat_map(|style| buckets(style)).all(|bucket| 11.0 < bucket));
    assert!(!of("original").is_empty() && buckets("original").iter().all(|bucket| 11.0 < *bucket));
    let (scored, emitted) = (ran.flow("score"), ran.flow("rephrase-2"));
    assert!(5 < scored["passed"].as_u64().unwrap(), "{scored}");
    assert_eq!(ran.flow("fidelity")["taken"], emitted["emitted"]);
    let replayed = place.run(&["--out", "out", "--limit", "12", "--replay"]);
    assert_eq!(replayed.rows(), rows);
}

#[test]
fn recipes_that_rewrite_run_on_real_pages() {
    let Some(server) = Server::start("rewriting", 2) else { return };
    for (name, model, styles, tokens) in [
        (
            "wrap",
            "mistralai/Mistral-7B-Instruct-v0.3",
            ["wrap_easy", "wrap_medium", "wrap_hard", "wrap_qa"],
            90,
        ),
        ("finephrase", "HuggingFaceTB/SmolLM2-1.7B-Instruct", ["faq", "math", "table", "tutorial"], 90),
        (
            "cosmopedia",
            "mistralai/Mixtral-8x7B-Instruct-v0.1",
            ["textbook", "blog_post", "story", "wikihow"],
            300,
        ),
    ] {
        let limits = bounded(&styles, tokens);
        let changes = [
            ("http://127.0.0.1:8000/v1", server.endpoint.as_str()),
            (model, "smollm2"),
            ("plugin = \"quality\"", "plugin = \"quality\"\nsettings = { action = \"tag\" }"),
            ("styles = ", limits.as_str()),
        ];
        let Some(place) = recipe(name, name, PAGES_FOR_A_MODEL, &changes) else { return };
        let ran = place.run(&["--out", "out", "--limit", "3"]);
        assert!(ran.code < 2, "{name}: {}", ran.stderr);
        let rows = ran.rows();
        for style in styles {
            are_rewrites(&rows.iter().filter(|row| row["style"] == style).collect::<Vec<_>>());
        }
        // What the toy writes may all be too poor to keep; that it was asked and judged is what is tested.
        let flow = ran.flow("rephrase");
        assert!(0 < flow["taken"].as_u64().unwrap() && flow["failed"] == json!({}), "{name}: {flow}");
        let report = ran.report();
        let calls = report["models"][0]["calls"].as_u64().unwrap();
        assert!(styles.len() as u64 <= calls, "{name}: {report}");
        let replayed = place.run(&["--out", "out", "--limit", "3", "--replay"]);
        assert_eq!(replayed.rows(), rows, "{name}");
    }
}

#[test]
fn prox_runs_its_programs_on_real_pages() {
    let Some(server) = Server::start("prox", 2) else { return };
    // The published refiners are not here; a small model in their place writes programs as well as it can.
    let changes = [
        ("http://127.0.0.1:8000/v1", server.endpoint.as_str()),
        ("http://127.0.0.1:8001/v1", server.endpoint.as_str()),
        ("gair-prox/web-doc-refining-lm", "smollm2"),
        ("gair-prox/web-chunk-refining-lm", "smollm2"),
        (
            "system = \"\" }",
            "system = \"\", max_doc_tokens = 200, max_chunks = 1, max_chunk_tokens = 200, max_tokens = 32 }",
        ),
    ];
    let Some(place) = recipe("prox", "prox", PAGES_FOR_A_MODEL, &changes) else { return };
    let ran = place.run(&["--out", "out"]);
    assert!(ran.code < 2, "{}", ran.stderr);
    let flow = ran.flow("cleanup");
    assert!(10 < flow["taken"].as_u64().unwrap(), "{flow}");
    assert_eq!(flow["failed"], json!({}), "{flow}");
    let replayed = place.run(&["--out", "out", "--replay"]);
    assert_eq!(replayed.rows(), ran.rows());
}
