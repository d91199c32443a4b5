//! Runs that write to a folder and to buckets, killed at any moment and started again, until they come to their end.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::bucket::Bucket;
use crate::dice::Dice;
use crate::harness::{Place, files, packed_archive};
use crate::stores::moto;

/// How often the run is killed in a folder, and in each of the two buckets; together 200 times.
const KILLS_ON_DISK: usize = 100;
const KILLS_IN_A_BUCKET: usize = 50;
const ARCHIVES: usize = 4;

/// Archives that do not compress well, of more than a MiB each: every one has several parts.
fn crawl(place: &Place) {
    let mut dice = Dice::of(4711);
    std::fs::create_dir(place.path("crawl")).unwrap();
    for number in 0..ARCHIVES {
        let texts: Vec<String> = (0..150)
            .map(|_| (0..2000).map(|_| format!("{:x} ", dice.below(1 << 24))).collect::<String>())
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        std::fs::write(place.path(&format!("crawl/{number}.warc.gz")), packed_archive(&texts)).unwrap();
    }
}

/// A run of the pipeline that writes to `out`.
fn run(place: &Place, out: &str, bucket: Option<&Bucket>) -> Command {
    let mut command = place.command(&["--out", out, "--quiet"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(bucket) = bucket {
        command.envs(bucket.environment());
    }
    command
}

type Files = Vec<(String, Vec<u8>)>;

/// What readers see, and the books; the claims name the attempts.
fn seen(mut files: Files) -> Files {
    files.retain(|(name, _)| ["data", "rejects", "_done"].iter().any(|it| name.starts_with(it)));
    files.sort();
    files
}

/// Kills runs until there were enough kills. `files` reads what a run has written to a place.
fn kill(place: &Place, bucket: Option<&Bucket>, kills: usize, files: &dyn Fn(&str) -> Files) {
    let begun = Instant::now();
    assert!(run(place, &out(bucket, 0), bucket).status().unwrap().success());
    let span = begun.elapsed().as_micros() as u64;
    let expected = seen(files(&out(bucket, 0)));
    assert!(2 * ARCHIVES <= expected.iter().filter(|(name, _)| name.starts_with("_done")).count());
    let mut dice = Dice::new();
    let (mut killed, mut attempt) = (0, 1);
    while killed < kills || attempt == 1 {
        let place_now = out(bucket, attempt);
        let mut child = run(place, &place_now, bucket).spawn().unwrap();
        #[expect(clippy::disallowed_methods, reason = "nothing tells when a run is to be killed")]
        std::thread::sleep(Duration::from_micros(dice.below(span)));
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            check(place, bucket, &place_now, &expected, files);
            attempt += 1;
        } else {
            killed += 1;
        }
    }
    let last = out(bucket, attempt);
    assert!(run(place, &last, bucket).status().unwrap().success());
    check(place, bucket, &last, &expected, files);
    println!("{killed} kills, {attempt} runs came to their end");
}

fn out(bucket: Option<&Bucket>, attempt: usize) -> String {
    let name = format!("out-{attempt}");
    bucket.map_or(name.clone(), |bucket| bucket.url(&name))
}

/// The same bytes as those of a run that nobody disturbed, and nothing else once it was swept.
fn check(place: &Place, bucket: Option<&Bucket>, out: &str, expected: &Files, files: &dyn Fn(&str) -> Files) {
    let mut gc = place.verb("gc", &["--idle-hours", "0", "--out", out]);
    gc.envs(bucket.into_iter().flat_map(Bucket::environment));
    let swept = gc.output().unwrap();
    assert!(swept.status.success(), "{}", String::from_utf8_lossy(&swept.stderr));
    let found = files(out);
    let left: Vec<_> = found.iter().filter(|(name, _)| name.starts_with("_stage")).collect();
    assert!(left.is_empty(), "{left:?}");
    let found = seen(found);
    let names = |files: &Files| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&found), names(expected));
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        assert!(found == expected, "{name} differs: {} and {} bytes", found.len(), expected.len());
    }
}

fn place(format: &str) -> Place {
    let place = Place::new(&format!(
        "name = \"killed\"\nsource.archives = [\"crawl/*.warc.gz\"]\n[[stages]]\nplugin = \"extract\"\n\
         [sink]\npath = \"out\"\nformat = \"{format}\"\npart_mb = 1\n"
    ));
    crawl(&place);
    place
}

#[test]
fn a_folder_holds_what_an_undisturbed_run_writes() {
    let place = place("jsonl.zst");
    kill(&place, None, KILLS_ON_DISK, &|out| {
        let folder = place.path(out);
        let name = |path: &PathBuf| path.strip_prefix(&folder).unwrap().to_string_lossy().into_owned();
        files(&folder).iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
    });
}

fn in_a_bucket(bucket: &Bucket, format: &str) {
    let prefix = bucket.url("");
    kill(&place(format), Some(bucket), KILLS_IN_A_BUCKET, &|out| {
        bucket.files(out.strip_prefix(&prefix).unwrap())
    });
}

#[test]
fn a_bucket_of_moto_holds_what_an_undisturbed_run_writes() {
    let Some(bucket) = moto("killed") else { return };
    in_a_bucket(&bucket, "parquet");
}

#[test]
fn a_bucket_of_s3s_holds_what_an_undisturbed_run_writes() {
    in_a_bucket(&Bucket::s3s(), "warc");
}
