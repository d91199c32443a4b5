//! Archives from buckets and rows to them, on real S3 servers.

use std::collections::BTreeSet;

use crate::bucket::Bucket;
use crate::harness::{Place, Ran, cache, root, skip};

/// A server of moto, or a note that what needs it is skipped.
pub(crate) fn moto(test: &str) -> Option<Bucket> {
    let packages = cache().join("test-tools");
    if packages.join("moto").is_dir() {
        return Some(Bucket::moto(&packages));
    }
    skip(test, &format!("there is no moto in {}; `make test` installs it", packages.display()));
    None
}

/// The rows of a run without what names their archive.
fn rows(ran: &Ran) -> Vec<serde_json::Map<String, serde_json::Value>> {
    let mut rows = ran.rows();
    for row in &mut rows {
        assert!(row.remove("file_path").is_some());
    }
    rows
}

fn pipeline(archives: &[&str]) -> Place {
    Place::new(&format!(
        "name = \"stores\"\nsource.archives = {archives:?}\n[[stages]]\nplugin = \"extract\"\n[sink]\npath = \"out\"\n"
    ))
}

/// What a crawl's user does: a list of paths in a bucket names archives in it, and the rows are those of the same
/// archives on disk.
fn archives_are_the_same_as_on_disk(bucket: &Bucket) {
    let archive = root().join("pipelines/quickstart.warc.gz");
    let list = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(list.path(), "crawl/a/quickstart.warc.gz\ncrawl/b/quickstart.warc.gz\n").unwrap();
    bucket.upload(list.path(), "crawl/warc.paths");
    for folder in ["a", "b"] {
        bucket.upload(&archive, &format!("crawl/{folder}/quickstart.warc.gz"));
    }
    let on_disk = archive.to_string_lossy();
    let once = rows(&pipeline(&[&on_disk]).into_run(&[]).exits(1));
    assert!(40 < once.len());
    let expected = [once.clone(), once].concat();
    for archives in ["s3://crawls/crawl/warc.paths", "s3://crawls/crawl/*/*.warc.gz", "s3://crawls/crawl/"] {
        let place = pipeline(&[archives]);
        let ran = place.run_with(&[], bucket.environment()).exits(1);
        assert_eq!(rows(&ran), expected, "{archives}");
        let paths: BTreeSet<_> = ran.rows().iter().map(|row| row["file_path"].to_string()).collect();
        let expected = ["a", "b"].map(|folder| format!("\"s3://crawls/crawl/{folder}/quickstart.warc.gz\""));
        assert_eq!(paths, BTreeSet::from(expected));
    }
}

#[test]
fn archives_in_moto_are_the_same_as_on_disk() {
    let Some(bucket) = moto("archives") else { return };
    archives_are_the_same_as_on_disk(&bucket);
}

#[test]
fn archives_in_s3s_are_the_same_as_on_disk() {
    archives_are_the_same_as_on_disk(&Bucket::s3s());
}

#[test]
fn who_may_not_read_a_bucket_is_told_what_to_do() {
    let bucket = Bucket::s3s();
    bucket.upload(&root().join("pipelines/quickstart.warc.gz"), "a.warc.gz");
    let place = pipeline(&["s3://crawls/a.warc.gz"]);
    let wrong = bucket.environment().map(|(name, value)| {
        let value = if name == "AWS_SECRET_ACCESS_KEY" { "guessed" } else { value };
        (name, value)
    });
    let ran = place.run_with(&[], wrong);
    assert!((2..=3).contains(&ran.code), "{}", ran.stderr);
    ran.says(&["s3://crawls/a.warc.gz", "credentials"]);
}
