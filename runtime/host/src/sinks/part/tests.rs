use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::document::{Column, Field, Kind, Value};
use crate::ledger::{Fate, Outcome, Place};
use crate::sinks::commit::tests::now;
use crate::sinks::commit::{finished, sweep};
use crate::store::Access;

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

/// A sink in a folder, and the runtime that it waits on.
struct Folder {
    sink: Arc<Sink>,
    runtime: tokio::runtime::Runtime,
}

impl Folder {
    fn new(place: &Path, format: Format, partition_by: &[&str]) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let partition_by: Vec<_> = partition_by.iter().map(|it| (*it).to_owned()).collect();
        let columns = [
            Column { name: "score".to_owned(), kind: Kind::Number },
            Column { name: "topic".to_owned(), kind: Kind::Text },
        ];
        let sink = Sink {
            store: Store::open(place.to_str().unwrap(), &Access::default()).unwrap(),
            runtime: runtime.handle().clone(),
            format,
            table: Table::new(&columns, &partition_by),
            partition_by,
            rejects: true,
            attempt: "attempt".to_owned(),
        };
        Self { sink: Arc::new(sink), runtime }
    }

    fn begin(&self, name: &str) -> Result<Part, Fatal> {
        let of = Of {
            name: name.to_owned(),
            archive: "a.warc.gz".to_owned(),
            identity: "plan".to_owned(),
            start: Mark::default(),
        };
        Part::create(&self.sink, of)
    }

    fn write(&self, name: &str, texts: &[&str]) -> Finished {
        let mut part = self.begin(name).unwrap();
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
        part.finish(&ledger(texts.len() as u64), None).unwrap()
    }

    fn finished(&self) -> BTreeMap<String, Finished> {
        self.runtime.block_on(finished(&self.sink.store)).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sink.store.on_disk(name).unwrap()
    }

    /// Every file below the sink.
    fn files(&self) -> Vec<String> {
        let entries = self.runtime.block_on(self.sink.store.list("")).unwrap();
        entries.into_iter().map(|entry| entry.name).collect()
    }
}

fn texts(path: &Path) -> Vec<String> {
    let text = zstd::decode_all(File::open(path).unwrap()).unwrap();
    let lines = std::str::from_utf8(&text).unwrap().lines();
    let text_of =
        |line| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
    lines.map(text_of).collect()
}

const WHOLE: [&str; 4] = ["_commit/a.json", "_done/a.json", "data/a.jsonl.zst", "rejects/a.jsonl.zst"];

#[test]
fn what_was_written_is_found_again() {
    let place = TempDir::new().unwrap();
    let sink = Folder::new(place.path(), Format::JsonlZst, &[]);
    let written = sink.write("a", &["one", "zwei\n", "🦀"]);
    assert_eq!(sink.files(), WHOLE);
    assert!(!sink.path("_stage/a").exists(), "nothing is left of the attempt");
    for folder in ["data", "rejects"] {
        assert_eq!(texts(&sink.path(&format!("{folder}/a.jsonl.zst"))), ["one", "zwei\n", "🦀"]);
    }
    assert_eq!((written.rows, written.identity.as_str()), (3, "plan"));
    for file in written.files.iter().chain(&written.rejects) {
        let bytes = fs::read(sink.path(&file.path)).unwrap();
        assert_eq!(
            (bytes.len() as u64, blake3::hash(&bytes).to_hex().to_string()),
            (file.bytes, file.blake3.clone())
        );
    }
    assert_eq!(sink.finished(), BTreeMap::from([("a".to_owned(), written)]));
}

#[test]
fn the_same_documents_are_the_same_files() {
    for format in [Format::JsonlZst, Format::Parquet, Format::Warc] {
        let bytes = || {
            let place = TempDir::new().unwrap();
            let sink = Folder::new(place.path(), format, &[]);
            sink.write("a", &["one", "two"]);
            sink.files().iter().map(|file| fs::read(sink.path(file)).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(bytes(), bytes(), "{format:?}");
    }
}

#[test]
fn a_part_that_is_not_finished_leaves_nothing() {
    let place = TempDir::new().unwrap();
    let sink = Folder::new(place.path(), Format::JsonlZst, &[]);
    let mut part = sink.begin("a").unwrap();
    part.row(&document("one"), &origin(), 3).unwrap();
    let aside = ["_stage/a/attempt/data/a.jsonl.zst", "_stage/a/attempt/rejects/a.jsonl.zst"];
    assert_eq!(sink.files(), aside, "nothing is visible while it is written");
    drop(part);
    assert_eq!(sink.files(), [""; 0]);
}

#[test]
fn what_a_killed_run_left_is_swept_away() {
    let place = TempDir::new().unwrap();
    let sink = Folder::new(place.path(), Format::JsonlZst, &[]);
    // A killed process runs no destructors.
    std::mem::forget(sink.begin("a").unwrap());
    sink.write("b", &["one"]);
    fs::write(sink.path("_done/b.json#1"), "half").unwrap();
    let swept = sink.runtime.block_on(sweep(&sink.sink.store, now(), std::time::Duration::ZERO)).unwrap();
    assert_eq!(swept.files, 3);
    assert_eq!(sink.files().len(), WHOLE.len());
    assert!(!sink.path("_done/b.json#1").exists());
}

#[test]
fn a_part_with_folders_has_a_file_in_each_and_none_without_rows() {
    let place = TempDir::new().unwrap();
    let sink = Folder::new(place.path(), Format::JsonlZst, &["topic"]);
    let mut part = sink.begin("a").unwrap();
    for topic in ["sea", "sky", "sea"] {
        let mut document = document(topic);
        document.fields.push(Field { name: "topic".to_owned(), value: Value::Text(topic.to_owned()) });
        part.row(&document, &origin(), 3).unwrap();
    }
    let written = part.finish(&ledger(3), None).unwrap();
    let files: Vec<_> = written.files.iter().map(|file| (file.path.as_str(), file.rows)).collect();
    assert_eq!(files, [("data/topic=sea/a.jsonl.zst", 2), ("data/topic=sky/a.jsonl.zst", 1)]);
    assert_eq!(texts(&sink.path("data/topic=sea/a.jsonl.zst")), ["sea", "sea"]);
    assert_eq!(sink.write("b", &[]).files, []);
}

#[test]
fn a_column_with_too_many_values_is_refused() {
    let place = TempDir::new().unwrap();
    let sink = Folder::new(place.path(), Format::JsonlZst, &["topic"]);
    let mut part = sink.begin("a").unwrap();
    let mut rows = (0..).map(|number: usize| {
        let mut document = document("text");
        document.fields.push(Field { name: "topic".to_owned(), value: Value::Text(number.to_string()) });
        part.row(&document, &origin(), 3)
    });
    let (number, refused) = rows.by_ref().enumerate().find(|(_, row)| row.is_err()).unwrap();
    assert_eq!(number, MAX_FOLDERS);
    assert!(refused.unwrap_err().to_string().contains("topic have more than 256 values"));
}

#[test]
fn books_and_rows_must_agree() {
    let place = TempDir::new().unwrap();
    let sink = Folder::new(place.path(), Format::JsonlZst, &[]);
    let error = sink.begin("a").unwrap().finish(&ledger(2), None).unwrap_err();
    assert!(matches!(error, Fatal::Miscounted { written: 0, booked: 2, .. }), "{error}");
    assert_eq!(sink.files(), [""; 0]);
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
    let sink = Folder::new(disk.0.path(), Format::JsonlZst, &[]);
    let mut part = sink.begin("a").unwrap();
    // Digits of a generator, so that they do not compress to less than the disk has.
    let mut state = 1_u64;
    for _ in 0..200 {
        let digits = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{:08x}", state >> 32)
        });
        part.row(&document(&digits.take(1000).collect::<String>()), &origin(), 3).unwrap();
    }
    let error = part.finish(&ledger(200), None).unwrap_err();
    assert!(matches!(error, Fatal::DiskFull { .. }), "{error:?}");
    assert!(error.to_string().contains("make room and start the run again"), "{error}");
    assert_eq!(sink.files(), [""; 0]);
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
    let place = TempDir::new().unwrap();
    let sink = Folder::new(place.path(), Format::JsonlZst, &[]);
    for stem in stems(&["ü".repeat(500), "../../etc/passwd".to_owned(), "a\\b\nc".to_owned()]) {
        sink.begin(&stem).unwrap().finish(&ledger(0), None).unwrap();
        assert!(sink.finished().contains_key(&stem), "{stem}");
    }
    assert_eq!(sink.files().len(), 3 * WHOLE.len());
}

#[test]
fn the_parts_of_an_archive_are_told_from_those_of_others() {
    let names = ["a", "a.part-00002", "a.part-00010", "a.part-x", "a.b", "ab.part-00002"];
    let books = |name: &&str| {
        let books = Finished {
            name: (*name).to_owned(),
            identity: String::new(),
            archive: String::new(),
            start: Mark::default(),
            next: None,
            rows: 0,
            files: Vec::new(),
            rejects: None,
            ledger: ledger(0),
        };
        ((*name).to_owned(), books)
    };
    let there: BTreeMap<_, _> = names.iter().map(books).collect();
    let found: Vec<_> = of_stem(&there, "a").into_iter().map(|(number, name, _)| (number, name)).collect();
    assert_eq!(found, [(0, "a"), (1, "a.part-00002"), (9, "a.part-00010")]);
    assert_eq!((name("a", 0), name("a", 9)), ("a".to_owned(), "a.part-00010".to_owned()));
}
