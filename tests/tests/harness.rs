//! The real binary, on pipelines written for a test, with the books checked after every run.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::{Map, Value};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The folder of real material, or None with a note that what needs it is skipped.
pub(crate) fn data(test: &str) -> Option<PathBuf> {
    let folder =
        std::env::var_os("PALIMPSEST_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("{test}: skipped, there is no {}; PALIMPSEST_DATA names the folder", folder.display());
    None
}

/// The rows of a gzipped file of JSON lines.
pub(crate) fn packed_rows(file: &Path) -> Vec<Value> {
    let file = std::io::BufReader::new(std::fs::File::open(file).expect("the data has the file"));
    let mut text = String::new();
    flate2::bufread::MultiGzDecoder::new(file).read_to_string(&mut text).expect("it is text");
    text.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
}

/// The program under test: built beside this test by the same command.
pub(crate) fn palimpsest() -> Command {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(Path::parent).unwrap().join("palimpsest");
    assert!(program.is_file(), "{} is not built; `cargo build --workspace` builds it", program.display());
    Command::new(program)
}

/// The user's cache folder, as the program sees it.
pub(crate) fn cache() -> PathBuf {
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = caches.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"));
    caches.join("palimpsest")
}

/// Says that a test is skipped. Where everything is installed that can be, PALIMPSEST_NO_SKIP makes that a failure.
pub(crate) fn skip(test: &str, why: &str) {
    assert!(std::env::var_os("PALIMPSEST_NO_SKIP").is_none(), "{test} is not to be skipped: {why}");
    println!("{test}: skipped, {why}");
}

/// The weights of the embedded model, or None with a note that what needs them is skipped.
pub(crate) fn weights(test: &str) -> Option<PathBuf> {
    use palimpsest::llm::weights;
    let cache = weights::default_cache(|name| std::env::var_os(name)).unwrap();
    let found = weights::locate("smollm2-135m-instruct", &cache);
    if let Err(error) = &found {
        skip(test, &error.to_string());
    }
    found.ok()
}

/// A stage that the tests bring, built as a component.
pub(crate) fn hostile() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let test = std::env::current_exe().unwrap();
            // The folder in which the build script has built the SDK for the built-in stages already.
            let target = test.parent().and_then(Path::parent).unwrap().join("plugins");
            let built = Command::new(env!("CARGO"))
                .current_dir(root())
                .args(["build", "--quiet", "--profile", "plugin", "--target", "wasm32-wasip2"])
                .args(["--package", "palimpsest-hostile", "--target-dir"])
                .arg(&target)
                .env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", "-C target-feature=+simd128")
                .env_remove("RUSTFLAGS")
                .status()
                .unwrap();
            assert!(built.success());
            target.join("wasm32-wasip2/plugin/palimpsest_hostile.wasm")
        })
        .clone()
}

/// A folder with a pipeline in it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// What a run of the program came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stderr: String,
    pub(crate) sink: PathBuf,
    /// Kept as long as what was written may be looked at.
    _place: Option<Place>,
}

impl Place {
    pub(crate) fn new(pipeline: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(place.path("pipeline.toml"), pipeline).unwrap();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.verb("run", arguments)
    }

    /// The user messages that the journal in the sink has replies to; none if there is no journal.
    pub(crate) fn journalled(&self) -> Vec<String> {
        let exported = palimpsest().args(["journal", "export"]).arg(self.path("out/journal.sqlite")).output();
        let lines = String::from_utf8(exported.unwrap().stdout).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let user = |line: Value| {
            Some(line["prompt"]["user"].as_str().unwrap().to_owned()).filter(|_| line["reply"].is_string())
        };
        lines.filter_map(user).collect()
    }

    /// One of the verbs that take a pipeline file.
    pub(crate) fn verb(&self, verb: &str, arguments: &[&str]) -> Command {
        let mut command = palimpsest();
        command.current_dir(self.folder.path()).args([verb, "pipeline.toml"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Like [`Place::run`], for a place that nothing else happens in.
    pub(crate) fn into_run(self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        Ran { _place: Some(self), ..ran }
    }

    /// Runs to the end and audits what was written.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, std::iter::empty::<(String, &str)>())
    }

    /// The same with these variables in its environment.
    pub(crate) fn run_with<'a>(
        &self,
        arguments: &[&str],
        environment: impl Iterator<Item = (String, &'a str)>,
    ) -> Ran {
        let output = self.command(arguments).envs(environment).output().unwrap();
        let out = arguments.iter().position(|it| *it == "--out").map_or("out", |at| arguments[at + 1]);
        let ran = Ran::new(&output, self.path(out));
        if ran.code < 2 {
            ran.audit();
        }
        ran
    }
}

impl Ran {
    fn new(output: &Output, sink: PathBuf) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code().unwrap_or(-1), stderr, sink, _place: None }
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in:\n{}", self.stderr);
        }
        self
    }

    pub(crate) fn report(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.sink.join("report.json")).unwrap()).unwrap()
    }

    /// The flow through a stage, `records` or `pages`.
    pub(crate) fn flow(&self, place: &str) -> Value {
        let report = self.report();
        let places = report["places"].as_array().unwrap();
        places.iter().find(|it| it["place"] == place).unwrap_or_else(|| panic!("no {place} in {report}"))["flow"].clone()
    }

    pub(crate) fn rows(&self) -> Vec<Map<String, Value>> {
        lines(&self.sink, "data")
    }

    pub(crate) fn rejects(&self) -> Vec<Map<String, Value>> {
        lines(&self.sink, "rejects")
    }

    /// Taken = passed + dropped + failed at each place, what one passes the next one takes, and the rows are there.
    #[track_caller]
    fn audit(&self) {
        let report = self.report();
        assert_eq!(report["finished"], true, "{report}");
        let number =
            |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{value} is no count in {report}"));
        let sum = |value: &Value| value.as_object().unwrap().values().map(number).sum::<u64>();
        let total = &report["total"];
        assert_eq!(
            number(&total["read"]),
            number(&total["written"]) + number(&total["dropped"]) + number(&total["failed"]),
            "{total}"
        );
        let mut before = number(&total["read"]);
        for it in report["places"].as_array().unwrap() {
            let flow = &it["flow"];
            assert_eq!(number(&flow["taken"]), before, "{it}");
            assert_eq!(
                number(&flow["taken"]),
                number(&flow["passed"]) + sum(&flow["dropped"]) + sum(&flow["failed"]),
                "{it}"
            );
            before = number(&flow["emitted"]);
        }
        assert_eq!(number(&report["rows"]), before);
        let readable = |file: &PathBuf| file.to_string_lossy().ends_with(".jsonl.zst");
        if files(&self.sink.join("data")).iter().any(readable) {
            assert_eq!(self.rows().len() as u64, before);
        }
        let left = files(&self.sink.join("_stage"));
        assert!(left.is_empty(), "{left:?}");
    }

    /// The bytes of everything that a run writes for its readers, by name. The report has times in it.
    pub(crate) fn bytes(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let of_readers = |path: &PathBuf| {
            ["data", "rejects", "_done"].iter().any(|folder| path.starts_with(self.sink.join(folder)))
        };
        let mut files: Vec<_> = files(&self.sink).into_iter().filter(of_readers).collect();
        files.sort();
        let name = |path: &Path| path.strip_prefix(&self.sink).unwrap().to_owned();
        files.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
    }
}

/// The first difference between two runs' outputs, for people.
#[track_caller]
pub(crate) fn same_bytes(left: &Ran, right: &Ran) {
    let (left, right) = (left.bytes(), right.bytes());
    let names = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&left), names(&right));
    assert!(!left.is_empty());
    for ((name, left), (_, right)) in left.iter().zip(&right) {
        assert!(left == right, "{} differs: {} and {} bytes", name.display(), left.len(), right.len());
    }
}

fn lines(sink: &Path, folder: &str) -> Vec<Map<String, Value>> {
    let mut files = files(&sink.join(folder));
    files.sort();
    let mut rows = Vec::new();
    for file in files.iter().filter(|it| it.to_string_lossy().ends_with(".jsonl.zst")) {
        let text = String::from_utf8(zstd::decode_all(std::fs::File::open(file).unwrap()).unwrap()).unwrap();
        rows.extend(text.lines().map(|line| serde_json::from_str::<Map<String, Value>>(line).unwrap()));
    }
    rows
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

/// An archive of text pages, one for each text, as a WET file has them.
pub(crate) fn archive(texts: &[&str]) -> Vec<u8> {
    texts.iter().enumerate().flat_map(|(number, text)| record(number, text)).collect()
}

/// The same in gzip members, one for each record.
pub(crate) fn packed_archive(texts: &[&str]) -> Vec<u8> {
    let member = |(number, text): (usize, &&str)| {
        let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        member.write_all(&record(number, text)).unwrap();
        member.finish().unwrap()
    };
    texts.iter().enumerate().flat_map(member).collect()
}

fn record(number: usize, text: &str) -> Vec<u8> {
    format!(
        "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: https://page-{number}.example/\r\n\
         WARC-Date: 2026-10-01T12:00:00Z\r\nWARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{number:012}>\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{text}\r\n\r\n",
        text.len()
    )
    .into_bytes()
}
