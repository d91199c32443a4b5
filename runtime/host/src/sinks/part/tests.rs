use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::document::{Field, Kind, Value};
use crate::ledger::{Fate, Outcome, Place};

fn document(text: &str) -> Document {
    Document {
        id: "<urn:a>".to_owned(),
        url: "https://example.com/".to_owned(),
        date: "2026-10-01T00:00:00Z".to_owned(),
        text: text.to_owned(),
        fields: vec![Field { name: "score".to_owned(), value: Value::Number(0.25) }],
        span: None,
        replies: Vec::new(),
    }
}

fn origin() -> Origin {
    Origin { archive: "a.warc.gz".to_owned(), ..Origin::default() }
}

fn ledger(rows: u64) -> Ledger {
    let mut ledger = Ledger::new([]);
    for _ in 0..rows {
        let mut fate = Fate::default();
        fate.step(Place::Records, Outcome::Passed(1));
        fate.step(Place::Pages, Outcome::Passed(1));
        fate.wrote(1);
        ledger.settle(&fate);
    }
    ledger
}

fn begin(sink: &Path, rejects: bool) -> Part {
    let columns = [Column { name: "score".to_owned(), kind: Kind::Number }];
    Part::create(sink, "a", &columns, rejects).unwrap()
}

fn write(sink: &Path, texts: &[&str], rejects: bool) -> Finished {
    let mut part = begin(sink, rejects);
    for text in texts {
        part.row(&document(text), &origin(), 3).unwrap();
        let reject = Reject {
            id: None,
            url: None,
            date: None,
            origin: &origin(),
            stage: "pages",
            reason: "not_html",
            value: None,
            text: Some(text),
        };
        part.reject(&reject).unwrap();
    }
    part.finish(&ledger(texts.len() as u64), "plan").unwrap()
}

/// Every file below the sink that a reader sees, and with `hidden` those that it does not see too.
fn files(sink: &Path, hidden: bool) -> Vec<String> {
    let mut files = Vec::new();
    for folder in [DATA, REJECTS, PARTS] {
        let Ok(entries) = fs::read_dir(sink.join(folder)) else { continue };
        for entry in entries {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if hidden || !name.starts_with('.') {
                files.push(format!("{folder}/{name}"));
            }
        }
    }
    files.sort();
    files
}

fn texts(path: &Path) -> Vec<String> {
    let text = zstd::decode_all(File::open(path).unwrap()).unwrap();
    let lines = std::str::from_utf8(&text).unwrap().lines();
    let text_of =
        |line| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
    lines.map(text_of).collect()
}

#[test]
fn what_was_written_is_found_again() {
    let sink = TempDir::new().unwrap();
    let written = write(sink.path(), &["one", "zwei\n", "🦀"], true);
    assert_eq!(files(sink.path(), true), ["data/a.jsonl.zst", "parts/a.json", "rejects/a.jsonl.zst"]);
    assert_eq!(texts(&data_path(sink.path(), "a")), ["one", "zwei\n", "🦀"]);
    assert_eq!(texts(&rows_file(sink.path(), REJECTS, "a")), ["one", "zwei\n", "🦀"]);
    assert_eq!(finished(sink.path(), "a").unwrap(), Some(written.clone()));
    assert_eq!((written.rows, written.identity.as_str()), (3, "plan"));
    assert_eq!(finished(sink.path(), "b").unwrap(), None);
}

#[test]
fn the_same_documents_are_the_same_files() {
    let bytes = || {
        let sink = TempDir::new().unwrap();
        write(sink.path(), &["one", "two"], true);
        files(sink.path(), true)
            .iter()
            .map(|file| fs::read(sink.path().join(file)).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn a_part_that_is_not_finished_leaves_nothing() {
    let sink = TempDir::new().unwrap();
    let mut part = begin(sink.path(), true);
    part.row(&document("one"), &origin(), 3).unwrap();
    assert_eq!(files(sink.path(), false), [""; 0], "nothing is visible while it is written");
    assert_eq!(files(sink.path(), true), ["data/.a.jsonl.zst.tmp", "rejects/.a.jsonl.zst.tmp"]);
    drop(part);
    assert_eq!(files(sink.path(), true), [""; 0]);
}

#[test]
fn what_a_killed_run_left_is_written_over() {
    let sink = TempDir::new().unwrap();
    let part = begin(sink.path(), true);
    // A killed process runs no destructors; its locks go with it.
    let left = sink.path().join("data/.a.jsonl.zst.tmp");
    drop(part);
    fs::write(&left, "x".repeat(100_000)).unwrap();
    write(sink.path(), &["one"], true);
    assert_eq!(texts(&data_path(sink.path(), "a")), ["one"]);
    assert!(!left.exists());
}

#[test]
fn books_vouch_only_for_the_files_that_they_were_written_with() {
    let sink = TempDir::new().unwrap();
    // What stands in the file instead; nothing for a file that is gone.
    for (file, instead) in [
        ("data/a.jsonl.zst", None),
        ("data/a.jsonl.zst", Some("short")),
        ("rejects/a.jsonl.zst", None),
        ("parts/a.json", Some("{")),
        ("parts/a.json", Some("")),
    ] {
        write(sink.path(), &["one"], true);
        assert!(finished(sink.path(), "a").unwrap().is_some());
        let path = sink.path().join(file);
        match instead {
            Some(text) => fs::write(path, text).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
        assert_eq!(finished(sink.path(), "a").unwrap(), None, "{file}");
    }
}

#[test]
fn a_part_that_is_begun_again_is_not_finished() {
    let sink = TempDir::new().unwrap();
    write(sink.path(), &["one"], true);
    let part = begin(sink.path(), false);
    assert_eq!(finished(sink.path(), "a").unwrap(), None);
    part.finish(&ledger(0), "other plan").unwrap();
    assert_eq!(files(sink.path(), true), ["data/a.jsonl.zst", "parts/a.json"], "its rejects are gone too");
    assert_eq!(texts(&data_path(sink.path(), "a")), [""; 0]);
}

#[test]
fn two_runs_do_not_write_one_part() {
    let sink = TempDir::new().unwrap();
    let first = begin(sink.path(), true);
    let second = Part::create(sink.path(), "a", &[], true).unwrap_err();
    assert!(matches!(second, Fatal::Busy { .. }), "{second}");
    first.finish(&ledger(0), "plan").unwrap();
    assert!(finished(sink.path(), "a").unwrap().is_some());
}

#[test]
fn books_and_rows_must_agree() {
    let sink = TempDir::new().unwrap();
    let error = begin(sink.path(), true).finish(&ledger(2), "plan").unwrap_err();
    assert!(matches!(error, Fatal::Miscounted { written: 0, booked: 2, .. }), "{error}");
    assert_eq!(files(sink.path(), true), [""; 0]);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let sink = TempDir::new().unwrap();
    let file = sink.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Part::create(&file, "a", &[], true).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot write `{}`", file.join(DATA).display()));
}

/// A file system of 256 KiB, for as long as the value lives.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
            .arg(folder.path())
            .output();
        mount.is_ok_and(|it| it.status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg(self.0.path()).status().ok();
    }
}

#[test]
fn a_full_disk_is_said_to_be_full_and_shows_nothing_half() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: a small file system needs the right to mount one");
        return;
    };
    let sink = disk.0.path();
    let mut part = begin(sink, true);
    // Digits of a generator, so that they do not compress to less than the disk has.
    let mut state = 1_u64;
    for _ in 0..200 {
        let digits = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{:08x}", state >> 32)
        });
        part.row(&document(&digits.take(1000).collect::<String>()), &origin(), 3).unwrap();
    }
    let error = part.finish(&ledger(200), "plan").unwrap_err();
    assert!(matches!(error, Fatal::DiskFull { .. }), "{error:?}");
    assert!(error.to_string().contains("make room and start the run again"), "{error}");
    assert_eq!(files(sink, true), [""; 0]);
}

#[track_caller]
fn named(archives: &[&str], expected: &[&str]) {
    assert_eq!(stems(archives), expected);
}

#[test]
fn parts_are_named_after_their_archives() {
    named(&["crawl/x.warc.gz", "y.warc", "z.warc.wet.gz", "w.wet.gz"], &["x", "y", "z", "w"]);
    named(&["a/x.warc.gz", "b/x.warc.gz", "c/x.warc"], &["x", "x-2", "x-3"]);
    named(&["a/x.warc.gz", "b/x.warc.gz", "x-2.warc.gz"], &["x", "x-2", "x-2-2"]);
    named(&["X.warc.gz", "x.warc.gz"], &["X", "x-2"]);
    named(&["", ".warc.gz", "...", "dir/"], &["archive", "archive-2", "archive-3", "archive-4"]);
    named(&["a b:c?.warc.gz", ".hidden.warc.gz"], &["a_b_c_", "hidden"]);
    let long = "ü".repeat(500);
    let names = stems(&[&long, &long]);
    assert_eq!(names[0].len(), MAX_STEM_BYTES);
    assert_eq!(names[1], format!("{}-2", names[0]));
}

#[test]
fn a_part_of_any_name_can_be_written() {
    let sink = TempDir::new().unwrap();
    for stem in stems(&["ü".repeat(500), "../../etc/passwd".to_owned(), "a\\b\nc".to_owned()]) {
        Part::create(sink.path(), &stem, &[], true).unwrap().finish(&ledger(0), "plan").unwrap();
        assert!(finished(sink.path(), &stem).unwrap().is_some(), "{stem}");
    }
    assert_eq!(files(sink.path(), true).len(), 9);
}
