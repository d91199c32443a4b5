//! Which errors the gates find, what they say of rewrites by people, and what they cost.
//!
//! `PALIMPSEST_DATA=… cargo bench -p palimpsest-fidelity --bench injected [-- alarms]` puts errors into the articles of
//! `rephrase/`, which teachers rewrote at three levels, one at a time, and prints for each kind the share that is found and
//! the share of the teachers' own rewrites that the same gates reject: on the half of the articles that limits were chosen
//! on, and on the other. `alarms` lists those rewrites.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops at the first surprise"
)]

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use palimpsest_fidelity::inject::Kind;
use palimpsest_fidelity::measured::{Article, judge, measure};
use serde_json::Value;

const MAX_BYTES: u64 = 64 << 20;

fn main() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = std::env::var_os("PALIMPSEST_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let path = data.join("rephrase/onestopenglish_docs.jsonl.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: no {}", path.display());
        return;
    };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).take(MAX_BYTES).read_to_string(&mut text).unwrap();
    let articles: Vec<Article> = text.lines().map(article).collect();
    for (name, tuning) in [("tuned on", true), ("held out", false)] {
        table(name, &articles, tuning);
    }
    cost(&articles);
}

fn article(line: &str) -> Article {
    let row: Value = serde_json::from_str(line).unwrap();
    let text = |key: &str| row[key].as_str().unwrap().to_owned();
    Article { id: text("id"), levels: ["advanced", "intermediate", "elementary"].map(text) }
}

fn table(name: &str, articles: &[Article], tuning: bool) {
    let table = measure(articles, tuning);
    println!("\n{name}: {} rewrites by teachers", table.rewrites);
    println!("{:20} {:>6} {:>7} {:>12} {:>13}", "error", "tried", "recall", "by any gate", "false alarms");
    for kind in Kind::ALL {
        let found = table.recall.get(&kind).copied().unwrap_or_default();
        let alarms = table.false_alarms.get(&kind).copied().unwrap_or_default();
        println!(
            "{:20} {:6} {:7.3} {:12.3} {:13.3}",
            kind.word(),
            found.tried,
            found.share(),
            found.share_by_any(),
            alarms.share()
        );
    }
    let union = table.false_alarms.values().next().copied().unwrap_or_default();
    println!("all gates together reject {:.3} of the rewrites by teachers", union.share_by_any());
    if std::env::args().any(|word| word == "alarms") {
        for (id, problem) in table.rejected {
            println!("  {id}: {problem}");
        }
    }
}

fn cost(articles: &[Article]) {
    const ROUNDS: usize = 10;
    let halves: Vec<(&str, &str)> = articles
        .iter()
        .flat_map(Article::pairs)
        .flat_map(|(source, rewrite)| [(part(source), part(rewrite))])
        .collect();
    let whole: Vec<(&str, &str)> = articles.iter().flat_map(Article::pairs).collect();
    for (name, pairs) in [("segments of a third of an article", halves), ("whole articles", whole)] {
        let begun = cpu();
        let passed =
            (0..ROUNDS).flat_map(|_| &pairs).filter(|(source, rewrite)| judge(source, rewrite)).count();
        let spent = (cpu() - begun).as_secs_f64() * 1e3;
        let bytes: usize = pairs.iter().map(|(source, rewrite)| source.len() + rewrite.len()).sum();
        let judged = count(pairs.len() * ROUNDS);
        println!(
            "{name}: {:.2} ms of CPU each, {:.0} bytes of source and rewrite ({:.2} pass)",
            spent / judged,
            count(bytes) / count(pairs.len()),
            count(passed) / judged
        );
    }
}

/// The first third.
fn part(text: &str) -> &str {
    text.get(..text.floor_char_boundary(text.len() / 3)).unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "figures of a few digits")]
fn count(count: usize) -> f64 {
    count as f64
}

/// User and system time of this process.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or_default();
    // Linux counts hundredths of a second for programs, whatever its own clock does.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
