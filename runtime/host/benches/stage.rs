//! What the border between host and guest costs: `cargo bench --package palimpsest --bench stage`.
//!
//! A stage that reads URL and status, by the size of the document's text, with a reused and with a fresh instance; and
//! the extractor in its component beside the same function natively would be `plugins/extract`'s own benchmark.

use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use palimpsest::classifiers::Classifiers;
use palimpsest::config::{Isolation, StagePlan};
use palimpsest::document::{Capture, Document};
use palimpsest::stages::{Shared, Stages, Turn, Worker};

/// Builds the guest into the folder in which the build script has built the SDK already.
fn guest() -> PathBuf {
    let bench = std::env::current_exe().expect("a process has a file");
    let target = bench.ancestors().nth(2).expect("it lies in target/release/deps").join("plugins");
    let built = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--profile", "plugin", "--target", "wasm32-wasip2"])
        .args(["--package", "palimpsest-status", "--target-dir"])
        .arg(&target)
        .env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", "-C target-feature=+simd128")
        .status()
        .expect("cargo runs");
    assert!(built.success());
    target.join("wasm32-wasip2/plugin/palimpsest_status.wasm")
}

fn worker(isolation: Isolation) -> Worker {
    let guest = guest();
    let mut plan =
        StagePlan::alone(&guest.to_string_lossy(), &serde_json::Map::new(), &[]).expect("a component");
    plan.isolation = isolation;
    Worker::new(Arc::new(
        Stages::load(&[plan], 1, None, Shared::alone(Classifiers::default())).expect("it loads"),
    ))
}

fn stage(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stage that reads URL and status");
    let capture = Arc::new(Capture { status: 200, ..Capture::default() });
    for (name, isolation) in [("reused", Isolation::Reuse), ("fresh", Isolation::Fresh)] {
        let mut worker = worker(isolation);
        for bytes in [0, 1_000, 10_000, 100_000] {
            let document = Document {
                id: "<urn:uuid:00000000-0000-4000-8000-000000000001>".to_owned(),
                url: "https://example.com/page".to_owned(),
                date: "2026-10-01T12:00:00Z".to_owned(),
                text: "x".repeat(bytes),
                fields: Vec::new(),
                span: None,
                replies: Vec::new(),
            };
            group.bench_function(BenchmarkId::new(name, bytes), |bencher| {
                let turn = Turn { document: &document, capture: &capture, replies: &[], rounds: 0 };
                bencher.iter(|| black_box(worker.step(0, black_box(&turn))).verdict.is_ok());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, stage);
criterion_main!(benches);
