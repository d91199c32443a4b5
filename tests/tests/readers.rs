//! What others make of the rows: pyarrow, DuckDB, the `datasets` library, warcio and FastWARC.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::harness::{Place, Ran, cache, root, skip};

/// The folder of Python packages that read rows, or a note that what needs them is skipped.
fn packages(test: &str) -> Option<std::path::PathBuf> {
    let packages = cache().join("test-tools");
    if packages.join("pyarrow").is_dir() {
        return Some(packages);
    }
    skip(test, &format!("there is no pyarrow in {}; `make test` installs it", packages.display()));
    None
}

fn read(packages: &Path, reader: &str, sink: &Path) -> Value {
    let output = Command::new("python3")
        .arg(root().join("tests/readers.py"))
        .arg(reader)
        .arg(sink)
        .env("PYTHONPATH", packages)
        // Nothing is fetched, and nothing is left in the user's caches.
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_HOME", sink.with_extension("cache"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{reader}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn run(sink: &str) -> Ran {
    let pipeline = format!(
        "name = \"readers\"\nsource.archives = [{:?}]\n[[stages]]\nplugin = \"extract\"\n[[stages]]\n\
         plugin = \"language\"\n[sink]\npath = \"out\"\n{sink}\n",
        root().join("pipelines/quickstart.warc.gz")
    );
    Place::new(&pipeline).into_run(&[])
}

/// As `readers.py` describes it, of rows that were read by other means.
fn digest(ran: &Ran) -> (u64, String) {
    let mut pairs: Vec<[String; 2]> = ran
        .rows()
        .iter()
        .map(|row| ["id", "text"].map(|column| row[column].as_str().unwrap().to_owned()))
        .collect();
    pairs.sort();
    let mut hasher = Sha256::new();
    for part in pairs.iter().flatten() {
        hasher.update(format!("{}:", part.len()));
        hasher.update(part);
    }
    let hexadecimal = hasher.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    });
    (pairs.len() as u64, hexadecimal)
}

#[track_caller]
fn check(test: &str, sink: &str, readers: &[&str]) {
    let Some(packages) = packages(test) else { return };
    let (rows, sha256) = digest(&run(""));
    assert!(40 < rows);
    let ran = run(sink);
    for reader in readers {
        let found = read(&packages, reader, &ran.sink);
        assert_eq!((&found["rows"], &found["sha256"]), (&rows.into(), &sha256.clone().into()), "{reader}");
    }
    if readers.contains(&"datasets") {
        assert!(1 <= read(&packages, "card", &ran.sink)["examples"].as_u64().unwrap());
    }
}

#[test]
fn lines_of_json_are_read() {
    check("jsonl", "", &["pyarrow", "duckdb", "datasets", "streaming"]);
}

#[test]
fn parquet_is_read() {
    check("parquet", "format = \"parquet\"", &["pyarrow", "duckdb", "datasets", "streaming"]);
}

#[test]
fn parquet_in_folders_by_column_is_read() {
    let sink = "format = \"parquet\"\npartition_by = [\"language\", \"html_lang\"]";
    check("folders", sink, &["pyarrow", "duckdb", "datasets", "streaming"]);
}

#[test]
fn refined_pages_as_a_web_archive_are_read() {
    check("warc", "format = \"warc\"", &["warcio", "fastwarc"]);
}

/// Refined pages are an archive like any other: another pipeline goes on with them.
#[test]
fn refined_pages_go_through_another_pipeline() {
    let refined = run("format = \"warc\"");
    let place = Place::new(&format!(
        "name = \"again\"\nsource.archives = [{:?}]\n[[stages]]\nplugin = \"extract\"\n[sink]\npath = \"out\"\n",
        refined.sink.join("data/*.warc.gz")
    ));
    let again = place.run(&[]).exits(0);
    let texts = |ran: &Ran| ran.rows().iter().map(|row| row["text"].clone()).collect::<Vec<_>>();
    assert_eq!(texts(&again), texts(&run("")));
}
