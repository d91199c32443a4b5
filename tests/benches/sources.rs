//! Archives from a bucket beside the same archives on disk: `cargo bench --workspace --bench sources`.
//!
//! `palimpsest records` reads an archive of 200 MB (another size as an argument, in MB) from disk and from an S3 server in
//! this process, by turns, and the medians of the ratios are printed: of the times, in which the server takes its share of
//! the machine, and of the processor time of the program alone.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and what fails ends it")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

#[path = "../tests/bucket.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod bucket;

use bucket::Bucket;

const ROUNDS: usize = 9;
/// Of the kernel's accounts, on every architecture that Linux runs on today.
const TICKS_PER_SECOND: f64 = 100.0;

fn main() {
    let megabytes: u64 = std::env::args().skip(1).find_map(|size| size.parse().ok()).unwrap_or(200);
    let bench = std::env::current_exe().unwrap();
    let program = bench.ancestors().nth(2).unwrap().join("palimpsest");
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("a.warc.gz");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&archive).unwrap());
    palimpsest_tests::large(megabytes * 1_000_000, &mut file).unwrap();
    drop(file);
    let bucket = Bucket::s3s();
    bucket.upload(&archive, "a.warc.gz");
    let (mut disk, mut wall, mut processor) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let local = seconds(&program, &archive.to_string_lossy(), &bucket);
        let far = seconds(&program, &bucket.url("a.warc.gz"), &bucket);
        // The first round fills the caches.
        if round != 0 {
            disk.push(local.0);
            wall.push(local.0 / far.0);
            processor.push(local.1 / far.1);
        }
    }
    println!("from disk: {:.2} s", median(disk));
    println!("speed from the bucket, of that from disk: {:.3}", median(wall));
    println!("the same by the program's processor time: {:.3}", median(processor));
}

/// Seconds on the clock, and of the processors.
fn seconds(program: &Path, archive: &str, bucket: &Bucket) -> (f64, f64) {
    let (begun, before) = (Instant::now(), of_children());
    let mut command = Command::new(program);
    command.args(["records", archive]).envs(bucket.environment()).stdout(Stdio::null());
    // Archives that are made for tests have damaged records in them, which is told by the code.
    assert!(command.status().unwrap().code().is_some_and(|code| code < 2));
    (begun.elapsed().as_secs_f64(), of_children() - before)
}

/// The processor time of the children that have ended, in seconds.
fn of_children() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name of the program may have blanks in it; it ends with the last bracket.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = [13, 14].iter().map(|&field| fields[field].parse::<f64>().unwrap()).sum();
    ticks / TICKS_PER_SECOND
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
