//! How good the text of real pages is, and what it costs.
//!
//! `PALIMPSEST_DATA=… cargo bench -p palimpsest-extract --bench pages [-- FAVOR [PREDICTIONS]]` scores the development
//! pages of `extraction/` as they are published: the F1 of runs of four words against the text that people marked (s4),
//! and the share of snippets that are there and that are not. It prints each source and each type of page, and the CPU
//! time for a page. FAVOR is a value of that setting; PREDICTIONS is a file for the texts, as `{id, text}` rows.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops at the first surprise"
)]

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use palimpsest_extract::{Extract, Favor, Settings};
use palimpsest_plugin::Stage;
use palimpsest_plugin::testing::{self, TestPage, Verdict, html};
use serde_json::{Value, json};

const MAX_BYTES: u64 = 64 << 20;

fn main() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = std::env::var_os("PALIMPSEST_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let folder = data.join("extraction");
    if !folder.exists() {
        println!("skipped: no {}", folder.display());
        return;
    }
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let favor = words.next().unwrap_or_else(|| "balanced".to_owned());
    let mut predictions = words.next().map(|path| BufWriter::new(File::create(path).unwrap()));
    let favor: Favor = serde_json::from_value(json!(favor)).unwrap();
    let settings = || Settings { favor, min_chars: 0, ..Settings::default() };
    let stage = Extract::configure(settings()).unwrap();

    let rows: Vec<Value> =
        read(folder.join("dev.jsonl.gz")).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let pages: Vec<TestPage> =
        rows.iter().map(|row| html(&read(folder.join(row["html_path"].as_str().unwrap())))).collect();
    let mut scores: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let begun = cpu();
    let texts: Vec<String> = pages.iter().map(|page| text(&stage, page)).collect();
    let spent = cpu() - begun;
    for (row, text) in rows.iter().zip(&texts) {
        score(row, text, &mut scores);
        if let Some(file) = &mut predictions {
            writeln!(file, "{}", json!({"id": row["id"], "text": text})).unwrap();
        }
    }
    for (name, values) in scores {
        println!(
            "{name:44} {:4} pages {:.3}",
            values.len(),
            values.iter().sum::<f64>() / count(values.len())
        );
    }
    let bytes: usize = pages.iter().map(|page| page.body.len()).sum();
    let seconds = spent.as_secs_f64();
    println!(
        "{} pages, {:.0} MB, {seconds:.2} s of CPU: {:.0} pages/s, {:.0} MB/s",
        pages.len(),
        count(bytes) / 1e6,
        count(pages.len()) / seconds,
        count(bytes) / 1e6 / seconds
    );
}

#[expect(clippy::cast_precision_loss, reason = "figures of a few digits")]
fn count(count: usize) -> f64 {
    count as f64
}

fn read(path: PathBuf) -> String {
    let file = flate2::read::MultiGzDecoder::new(File::open(path).unwrap()).take(MAX_BYTES);
    let bytes: Vec<u8> = BufReader::new(file).bytes().collect::<Result<_, _>>().unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn text(stage: &Extract, page: &TestPage) -> String {
    match testing::run(stage, page, &[]).unwrap() {
        Verdict::Emit(mut drafts) => drafts.remove(0).text.unwrap_or_default(),
        Verdict::Drop(_) | Verdict::Ask(_) => String::new(),
    }
}

/// User and system time of this process, of which all but the page under test is asleep.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or_default();
    // Linux counts hundredths of a second for programs, whatever its own clock does.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn score(row: &Value, text: &str, scores: &mut BTreeMap<String, Vec<f64>>) {
    let source = row["source"].as_str().unwrap();
    let mut add = |measure: &str, value: f64| {
        scores.entry(format!("{source} {measure}")).or_default().push(value);
        if row["source"] == "wcxb-dev" {
            let kind = row["page_type"].as_str().unwrap();
            scores.entry(format!("{source}/{kind} {measure}")).or_default().push(value);
        }
    };
    let gold = tokens(row["gold_text"].as_str().unwrap_or_default());
    if !gold.is_empty() {
        add("s4", f1(&tokens(text), &gold));
    }
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let (text, empty) = (plain(text), Vec::new());
    let share = |key: &str| {
        let snippets = row[key].as_array().unwrap_or(&empty);
        let found =
            snippets.iter().filter(|snippet| text.contains(&plain(snippet.as_str().unwrap()))).count();
        (!snippets.is_empty()).then(|| count(found) / count(snippets.len()))
    };
    if let Some(found) = share("must") {
        add("must", found);
        if let Some(found) = share("mustnot") {
            add("mustnot_absent", 1.0 - found);
        }
    }
}

/// Words; of scripts without blanks each character.
fn tokens(text: &str) -> Vec<String> {
    let alone = |c: char| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{e00}'..='\u{e7f}' | '\u{1000}'..='\u{109f}');
    let (mut tokens, mut word) = (Vec::new(), String::new());
    for c in text.to_lowercase().chars() {
        if !alone(c) && (c.is_alphanumeric() || c == '_') {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            tokens.push(std::mem::take(&mut word));
        }
        if alone(c) {
            tokens.push(c.to_string());
        }
    }
    tokens.extend((!word.is_empty()).then_some(word));
    tokens
}

fn f1(tokens: &[String], gold: &[String]) -> f64 {
    let grams = |tokens: &'_ [String]| {
        let mut grams: HashMap<Vec<String>, usize> = HashMap::new();
        for gram in tokens.windows(tokens.len().clamp(1, 4)) {
            *grams.entry(gram.to_vec()).or_default() += 1;
        }
        grams
    };
    let (found, gold) = (grams(tokens), grams(gold));
    let both: usize = gold.keys().map(|gram| gold[gram].min(found.get(gram).copied().unwrap_or(0))).sum();
    let all = found.values().sum::<usize>() + gold.values().sum::<usize>();
    2.0 * count(both) / count(all)
}
