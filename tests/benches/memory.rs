//! Peak memory of a run by the size of its archive: `cargo bench --workspace --bench memory`.
//!
//! Runs the extractor over archives of 10 MB and of 1 GB (other sizes as arguments, in MB) and prints the peak resident
//! memory of each and their ratio. The kernel keeps the peak, so it is read while the process is still there.

#![expect(clippy::print_stdout, reason = "what a benchmark is for")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

fn main() {
    let sizes: Vec<u64> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![10, 1_000] } else { sizes };
    let bench = std::env::current_exe().expect("a process has a file");
    let program = bench.ancestors().nth(2).expect("it lies in target/release/deps").join("palimpsest");
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let mut peaks = Vec::new();
    for size in sizes {
        let archive = folder.path().join(format!("{size}.warc.gz"));
        let mut file = std::io::BufWriter::new(std::fs::File::create(&archive).expect("it can be made"));
        let pages = palimpsest_tests::large(size * 1_000_000, &mut file).expect("it can be written");
        drop(file);
        let (peak, took) = peak(&program, folder.path(), &archive);
        println!("{size} MB: {pages} pages in {:.1} s, peak {peak} KiB", took.as_secs_f64());
        peaks.push(peak);
    }
    if let (Some(first), Some(last)) = (peaks.first(), peaks.last()) {
        println!("ratio of the peaks, last to first: {:.3}", *last as f64 / *first as f64);
    }
}

/// Runs the pipeline; the peak in KiB and the time.
fn peak(program: &Path, folder: &Path, archive: &Path) -> (u64, Duration) {
    let pipeline = folder.join("pipeline.toml");
    let text = format!(
        "name = \"memory\"\nsource.archives = [{archive:?}]\n[[stages]]\nplugin = \"extract\"\n[sink]\npath = {:?}\n",
        archive.with_extension("out")
    );
    std::fs::write(&pipeline, text).expect("it can be written");
    let begun = Instant::now();
    let mut process = Command::new(program)
        .arg("run")
        .arg(&pipeline)
        .arg("--quiet")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program is built");
    let status = format!("/proc/{}/status", process.id());
    let (_keep, never) = sync_channel::<()>(0);
    let mut peak = 0;
    while process.try_wait().expect("it is our child").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(now) = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()) {
            peak = now;
        }
        assert_eq!(never.recv_timeout(Duration::from_millis(20)), Err(RecvTimeoutError::Timeout));
    }
    (peak, begun.elapsed())
}
