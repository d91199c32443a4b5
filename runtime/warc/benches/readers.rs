//! CPU time of reading an archive, HTTP heads parsed, beside other readers:
//! `PYTHON=python3 cargo bench --package palimpsest-warc --bench readers`.
//!
//! The readers take turns in one process and on one thread, and what counts is the median of the rounds' ratios: other
//! work on the machine then slows both down. Python's libraries are read with where `PYTHON` (`python3` if unset) has
//! them. Without an archive in `PALIMPSEST_BENCH_ARCHIVE` three of 240 MB are made, one compressed as crawls are, one with
//! zstd and one plain; `PALIMPSEST_BENCH_ROUNDS` is how often each is read.
#![expect(clippy::print_stdout, reason = "what a benchmark is for")]

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use fastwarc::warc::iter::ArchiveIterator;
use palimpsest_warc::{Limits, Reader, RecordType};

#[path = "readers/archive.rs"]
mod archive;

const ROUNDS: usize = 15;
/// Python's readers take so long that the noise is small.
const PYTHON_ROUNDS: usize = 3;
/// The clock of a thread may tick in milliseconds, so an archive is read more than once between two looks at it.
const REPEATS: u32 = 4;
const MEGABYTE: f64 = 1e6;

/// What a reader saw, so that none is fast because it reads less.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    records: u64,
    ok: u64,
    fields: u64,
    body_bytes: u64,
}

/// What FastWARC does with a body. Ours is always in memory as a whole.
#[derive(Clone, Copy)]
enum Body {
    /// Reads it into a buffer, which a caller has to do who wants it.
    Read,
    /// Passes over it, which is the least that it can do.
    Skip,
}

fn main() {
    let rounds = std::env::var("PALIMPSEST_BENCH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let rounds = rounds.unwrap_or(ROUNDS);
    if let Some(archive) = std::env::var_os("PALIMPSEST_BENCH_ARCHIVE") {
        return compare(Path::new(&archive), rounds);
    }
    for name in ["made.warc.gz", "made.warc.zst", "made.warc"] {
        let archive = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        archive::make(&archive).expect("the target folder can be written");
        compare(&archive, rounds);
        fs::remove_file(&archive).expect("it was there a moment ago");
    }
}

fn compare(archive: &Path, rounds: usize) {
    let stored = fs::metadata(archive).expect("the archive can be read").len() as f64 / MEGABYTE;
    // The first reading is not measured: it fills the caches.
    let seen = ours(archive);
    assert_eq!(seen, fastwarcs(archive, Body::Read), "both see the same");
    assert_eq!(seen, fastwarcs(archive, Body::Skip), "both see the same");
    println!("{}: {stored:.1} MB stored, {seen:?}", archive.display());
    let (mut here, mut read, mut skip) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        here.push(timed(|| ours(archive)));
        read.push(timed(|| fastwarcs(archive, Body::Read)));
        skip.push(timed(|| fastwarcs(archive, Body::Skip)));
    }
    let time = median(here.clone());
    println!("  {:<32} {time:.3} s CPU, {:.0} MB/s stored", "ours", stored / time);
    show("fastwarc crate, bodies read", &read, &here);
    show("fastwarc crate, bodies passed over", &skip, &here);
    for (name, library) in [("warcio", "warcio"), ("FastWARC in Python", "fastwarc")] {
        let times: Vec<f64> = (0..PYTHON_ROUNDS).map_while(|_| python(library, archive, &seen)).collect();
        if times.is_empty() {
            println!("  {name:<32} not there, or it cannot read this");
        } else {
            show(name, &times, &vec![time; times.len()]);
        }
    }
}

fn show(name: &str, theirs: &[f64], ours: &[f64]) {
    let ratios: Vec<f64> = theirs.iter().zip(ours).map(|(theirs, ours)| theirs / ours).collect();
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(0.0, f64::max);
    let (time, ratio) = (median(theirs.to_vec()), median(ratios));
    println!("  {name:<32} {time:.3} s CPU, ours is {ratio:.2} times as fast [{least:.2} to {most:.2}]");
}

fn ours(archive: &Path) -> Seen {
    let mut seen = Seen::default();
    for entry in Reader::new(File::open(archive).expect("the archive can be read"), Limits::default()) {
        let entry = entry.expect("the archive can be read");
        assert_eq!(entry.damage, None, "the archive is a good one");
        let head = entry.head.as_ref().expect("an undamaged record has a head");
        let mut body = entry.block.len();
        if head.content_type().is_some_and(|value| value.starts_with("application/http")) {
            let mut fields = [httparse::EMPTY_HEADER; 128];
            let (status, found, parsed) = if head.record_type() == Some(RecordType::Request) {
                let mut request = httparse::Request::new(&mut fields);
                let parsed = request.parse(&entry.block);
                (None, request.headers.len(), parsed)
            } else {
                let mut response = httparse::Response::new(&mut fields);
                let parsed = response.parse(&entry.block);
                (response.code, response.headers.len(), parsed)
            };
            body -= parsed.expect("the archive is a good one").unwrap();
            seen.ok += u64::from(status == Some(200));
            seen.fields += found as u64;
        }
        seen.records += 1;
        seen.body_bytes += body as u64;
    }
    seen
}

fn fastwarcs(archive: &Path, body: Body) -> Seen {
    let mut seen = Seen::default();
    let mut buffer = vec![0; 64 << 10];
    for record in ArchiveIterator::from_path(archive).expect("the archive can be read") {
        let record = record.expect("the archive is a good one");
        let mut record = record.borrow_mut();
        if let Some(head) = record.http_headers() {
            seen.ok += u64::from(head.status_code() == Some(200));
            seen.fields += head.len() as u64;
        }
        seen.records += 1;
        seen.body_bytes += match body {
            Body::Read => read_through(record.reader_mut().expect("a record has one"), &mut buffer),
            Body::Skip => record.consume().expect("the archive is a good one") as u64,
        };
    }
    seen
}

fn read_through(body: &mut impl Read, buffer: &mut [u8]) -> u64 {
    let mut bytes = 0;
    loop {
        match body.read(buffer).expect("the archive is a good one") {
            0 => return bytes,
            read => bytes += read as u64,
        }
    }
}

/// How many seconds this thread is on a CPU for the work.
fn timed(work: impl Fn() -> Seen) -> f64 {
    let before = cpu_seconds();
    for _ in 0..REPEATS {
        work();
    }
    (cpu_seconds() - before) / f64::from(REPEATS)
}

fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says how long a thread ran");
    let first = text.split(' ').next().and_then(|first| first.parse().ok());
    let nanoseconds: u64 = first.expect("it says so in its first word");
    nanoseconds as f64 / 1e9
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The CPU time of reading it in Python. None where that cannot be, as warcio cannot read zstd.
fn python(library: &str, archive: &Path, seen: &Seen) -> Option<f64> {
    let program = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/readers/python.py");
    let output = Command::new(program).arg(script).arg(library).arg(archive).output().ok()?;
    let said = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    let mut words = said.split_ascii_whitespace();
    let time = words.next()?.parse().ok()?;
    let counted = [seen.records, seen.body_bytes].map(|count| count.to_string());
    assert_eq!(words.collect::<Vec<_>>(), counted, "{library} sees the same");
    Some(time)
}
