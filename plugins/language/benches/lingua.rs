//! What the stage takes beside lingua by itself, on pages of sentences in the languages that the component knows:
//! lingua on whole pages, lingua on the windows that the stage looks at, and the stage as it is compiled for this
//! machine.
//!
//! ```sh
//! PALIMPSEST_DATA=… cargo bench --package palimpsest-language --bench lingua
//! ```
//!
//! The component is measured with the program. The pages go to standard output with `documents`; the difference
//! between one and ten times as many is without the start, and stands beside the line `the windows` of the table:
//!
//! ```sh
//! cargo bench --package palimpsest-language --bench lingua -- documents > pages.jsonl
//! time palimpsest apply language --settings '{"min_confidence": 0}' < pages.jsonl > verdicts.jsonl
//! for i in 1 2 3 4 5 6 7 8 9 10; do cat pages.jsonl; done > ten.jsonl
//! time palimpsest apply language --settings '{"min_confidence": 0}' < ten.jsonl > verdicts.jsonl
//! ```
#![expect(clippy::print_stdout, reason = "what a benchmark is for")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lingua::{Language, LanguageDetector, LanguageDetectorBuilder};
use palimpsest_language::sample::Prose;
use palimpsest_language::{LanguageStage, Settings};
use palimpsest_plugin::Stage;
use palimpsest_plugin::testing::{self, document};

const MAX_BYTES: u64 = 64 << 20;

/// The mean length of a page's text in web crawls, about.
const PAGE_BYTES: usize = 3_100;

/// The best of so many rounds counts: what else runs on a machine only makes a round slower.
const ROUNDS: usize = 5;

fn main() {
    let pages = pages();
    if std::env::args().any(|argument| argument == "documents") {
        for (n, text) in pages.iter().enumerate() {
            let url = format!("https://bench.example/{n}");
            println!("{}", serde_json::json!({ "id": n.to_string(), "url": url, "text": text }));
        }
        return;
    }
    let settings = Settings { min_confidence: 0.0, ..Settings::default() };
    let (count, chars) = (settings.windows as usize, settings.window_chars as usize);
    let windows: Vec<Vec<String>> =
        pages.iter().map(|page| Prose::of(page, chars).windows(count, chars)).collect();
    let lingua = LanguageDetectorBuilder::from_all_languages().build();
    let stage = LanguageStage::configure(settings).expect("the default settings, more or less");

    let mut whole = || pages.iter().for_each(|page| ask(&lingua, page));
    let mut cut = || windows.iter().flatten().for_each(|window| ask(&lingua, window));
    let mut ours = || {
        for page in &pages {
            black_box(testing::run(&stage, &document(page), &[])).ok();
        }
    };
    let mut runs: [(&str, &mut dyn FnMut()); 3] =
        [("lingua, whole pages", &mut whole), ("lingua, the windows", &mut cut), ("the stage", &mut ours)];
    let mut best = [Duration::MAX; 3];
    for _ in 0..ROUNDS {
        for ((_, run), best) in runs.iter_mut().zip(&mut best) {
            let start = Instant::now();
            run();
            *best = start.elapsed().min(*best);
        }
    }
    let bytes: usize = pages.iter().map(String::len).sum();
    println!(
        "{} pages, {} bytes each, {} languages",
        pages.len(),
        bytes / pages.len(),
        Language::all().len()
    );
    let slowest = best[0].as_secs_f64();
    for ((name, _), best) in runs.iter().zip(best) {
        let seconds = best.as_secs_f64();
        println!(
            "{name:20} {:8.3} ms/page {:9.1} pages/s {:6.2} x",
            seconds * 1_000.0 / pages.len() as f64,
            pages.len() as f64 / seconds,
            slowest / seconds
        );
    }
}

fn ask(lingua: &LanguageDetector, text: &str) {
    black_box(lingua.compute_language_confidence_values(text));
}

/// Sentences of one language, one after the other, until they are a page.
fn pages() -> Vec<String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = std::env::var_os("PALIMPSEST_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let path = data.join("langid/dev.jsonl.gz");
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file)
        .take(MAX_BYTES)
        .read_to_string(&mut text)
        .expect("the data are text");
    let mut pages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).expect("a row is JSON");
        let (Some(code), Some("sentence")) = (row["lang_iso639_1"].as_str(), row["level"].as_str()) else {
            continue;
        };
        if !Language::all().into_iter().any(|language| language.iso_code_639_1().to_string() == code) {
            continue;
        }
        let pages = pages.entry(code.to_owned()).or_default();
        if pages.last().is_none_or(|page| PAGE_BYTES < page.len()) {
            pages.push(String::new());
        }
        if let Some(page) = pages.last_mut() {
            page.push_str(row["text"].as_str().unwrap_or_default());
            page.push('\n');
        }
    }
    pages.into_values().flatten().filter(|page| PAGE_BYTES < page.len()).collect()
}
