//! What the stage takes beside lingua by itself, on pages of sentences in the languages that the component knows:
//! lingua on whole pages, lingua on the windows that the stage looks at, and the stage as it is compiled for this
//! machine.
//!
//! ```sh
//! RAYON_NUM_THREADS=1 PALIMPSEST_DATA=… cargo bench --package palimpsest-language --bench lingua
//! ```
//!
//! Natively lingua asks its models in threads, the component cannot: hence the one thread.
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
use std::sync::LazyLock;
use std::time::Instant;

use lingua::{Language, LanguageDetector, LanguageDetectorBuilder};
use palimpsest_language::sample::Prose;
use palimpsest_language::{LanguageStage, Settings};
use palimpsest_plugin::Stage;
use palimpsest_plugin::testing::{self, document};

const MAX_BYTES: u64 = 64 << 20;

/// The mean length of a page's text in web crawls, about.
const PAGE_BYTES: usize = 3_100;

/// The sum of so many rounds counts, each with all that is compared, so that what else runs on a machine hits all.
const ROUNDS: usize = 8;

/// Linux counts the processor time of a process in hundredths of a second.
const TICKS: f64 = 100.0;

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
    let mut taken = [0.0; 3];
    for _ in 0..ROUNDS {
        for ((_, run), taken) in runs.iter_mut().zip(&mut taken) {
            let start = seconds();
            run();
            *taken += seconds() - start;
        }
    }
    let bytes: usize = pages.iter().map(String::len).sum();
    println!(
        "{} pages, {} bytes each, {} languages",
        pages.len(),
        bytes / pages.len(),
        Language::all().len()
    );
    for ((name, _), seconds) in runs.iter().zip(taken) {
        let page = seconds / (pages.len() * ROUNDS) as f64;
        let times = taken[0] / seconds;
        println!("{name:20} {:8.3} ms/page {:9.1} pages/s {times:6.2} x", page * 1_000.0, 1.0 / page);
    }
}

/// Processor time, all threads together; the clock's where the system does not say.
fn seconds() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let ticks = std::fs::read_to_string("/proc/self/stat").ok().and_then(|stat| {
        // The name of the process comes first, in brackets, and may have blanks.
        let (_, fields) = stat.rsplit_once(')')?;
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().ok()).sum::<Option<f64>>()
    });
    ticks.map_or_else(|| START.elapsed().as_secs_f64(), |ticks| ticks / TICKS)
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
