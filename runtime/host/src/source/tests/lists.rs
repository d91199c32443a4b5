//! Which archives patterns name, and which they may not.

use std::io::Write as _;

use super::server::{Reply, Server};
use super::*;

fn wanted(archives: &[&str]) -> Wanted {
    let archives = archives.iter().map(|&it| it.to_owned()).collect();
    Wanted { archives, fetch: quick(&std::env::temp_dir()), ..Wanted::default() }
}

fn packed(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[tokio::test]
async fn local_archives_come_in_the_order_of_the_patterns_and_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("deep")).unwrap();
    for name in ["b.warc", "a.warc", "c.wet", "odd[1].warc", "deep/d.WARC.gz", "deep/notes.txt"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    std::fs::write(folder.path().join("l.paths"), "c.wet\nb.warc\n").unwrap();
    let names = async |patterns: &[&str]| {
        let patterns: Vec<_> =
            patterns.iter().map(|it| folder.path().join(it).to_string_lossy().into_owned()).collect();
        let patterns: Vec<_> = patterns.iter().map(String::as_str).collect();
        listed(&wanted(&patterns)).await
    };
    let check = async |patterns: &[&str], expected: &[&str]| {
        let found = names(patterns).await.unwrap();
        let start = format!("{}/", folder.path().display());
        let found: Vec<_> = found.iter().map(|name| name.strip_prefix(&start).unwrap()).collect();
        assert_eq!(found, expected, "{patterns:?}");
    };
    check(&["*.wet", "*.warc"], &["c.wet", "a.warc", "b.warc", "odd[1].warc"]).await;
    check(&["b.warc", "*.warc"], &["b.warc", "a.warc", "odd[1].warc"]).await;
    check(&["odd[1].warc"], &["odd[1].warc"]).await;
    check(&["deep/"], &["deep/d.WARC.gz"]).await;
    check(&["a.warc", "l.paths"], &["a.warc", "c.wet", "b.warc"]).await;
    check(&["*.paths"], &["c.wet", "b.warc"]).await;
    let url = format!("file://{}/*.warc", folder.path().display());
    assert_eq!(listed(&wanted(&[&url])).await.unwrap().len(), 3);
    let wrong = names(&["no.warc", "*.none", "a.warc", "b[.warc"]).await.unwrap_err();
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    assert!(wrong[0].contains("there is no file") && wrong[1].contains("nothing matches"), "{wrong:?}");
    assert!(wrong[2].contains("is no pattern"), "{wrong:?}");
}

#[tokio::test]
async fn mistakes_say_what_would_be_accepted_all_at_once() {
    let check = async |pattern: &str, says: &str| {
        let wrong = listed(&wanted(&[pattern])).await.unwrap_err();
        assert!(wrong.len() == 1 && wrong[0].contains(says), "{pattern}: {wrong:?}");
    };
    check("ftp://a/b.warc", "accepted are paths and globs").await;
    check("http://", "is no URL").await;
    check("http://a.example/x/", "do not list their files").await;
    check("http://a.example/*.warc", "do not list their files").await;
    check("http://user:secret@a.example/x.warc", "user's name or password").await;
    check("http://169.254.169.254/latest/x.warc", "allow_private = true").await;
    check("http://0x7f.0.0.1:1/x.warc", "127.0.0.1").await;
    check("file://elsewhere/x", "file:///PATH").await;
    check("s3://", "s3://BUCKET/KEY").await;
    check("s3://b*/x", "s3://BUCKET/KEY").await;
    check("cc://CC-MAIN-2026-40", "cc://CRAWL/KIND").await;
    check("cc://CC-MAIN-2026-40/pages", "robotstxt").await;
    let all = ["ftp://a/b", "cc://x", "s3://", "/nonexistent/a.warc"];
    assert_eq!(listed(&wanted(&all)).await.unwrap_err().len(), 4);
    let secret = listed(&wanted(&["http://user:secret@a.example/x.warc"])).await.unwrap_err();
    assert!(!secret[0].contains("secret"), "{secret:?}");
    let mut based = wanted(&["a.paths"]);
    based.base = Some("ftp://a/".to_owned());
    based.common_crawl = Some("http://169.254.169.254/".to_owned());
    let wrong = listed(&based).await.unwrap_err();
    assert!(wrong[0].contains("source.base") && wrong[1].contains("source.common_crawl"), "{wrong:?}");
}

#[tokio::test]
async fn buckets_without_credentials_are_said_at_once() {
    let mut wanted = wanted(&["s3://crawls/a.warc"]);
    wanted.storage = vec![("aws_metadata_endpoint".to_owned(), "http://127.0.0.1:1".to_owned())];
    let begun = std::time::Instant::now();
    let wrong = listed(&wanted).await.unwrap_err();
    assert!(wrong[0].contains("no credentials") && wrong[0].contains("aws_skip_signature"), "{wrong:?}");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

/// A web server with some files.
async fn files(files: &[(&'static str, Vec<u8>)]) -> Server {
    let files = files.to_vec();
    Server::start(move |request| match files.iter().find(|(path, _)| *path == request.path) {
        Some((_, bytes)) => Reply::file(request, bytes, "ETag: \"one\""),
        None => Reply::new("404 Not Found", &[], b"nothing here"),
    })
    .await
}

#[tokio::test]
async fn a_list_of_a_web_server_names_files_of_its_host_or_of_a_base() {
    let text = "x/a.warc\nx/b.warc\nx/a.warc\n";
    let server =
        files(&[("/l/w.paths.gz", packed(text)), ("/l/w.paths", text.into()), ("/x/a.warc", b"a".to_vec())])
            .await;
    for list in ["/l/w.paths.gz", "/l/w.paths"] {
        let found = listed(&wanted(&[&server.url(list)])).await.unwrap();
        assert_eq!(found, [server.url("/x/a.warc"), server.url("/x/b.warc")]);
    }
    let mut based = wanted(&[&server.url("/l/w.paths")]);
    based.base = Some(server.url("/mirror"));
    assert_eq!(
        listed(&based).await.unwrap(),
        [server.url("/mirror/x/a.warc"), server.url("/mirror/x/b.warc")]
    );
    // A list on this machine whose files are elsewhere.
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("w.paths");
    std::fs::write(&local, text).unwrap();
    based.archives = vec![local.to_string_lossy().into_owned(), server.url("/x/a.warc")];
    based.base = Some(server.url("/"));
    let listing = list(&based).await.unwrap();
    assert_eq!(listing.archives.len(), 2, "the same file is none twice");
    assert_eq!(whole(&listing.archives[0], 0).await.unwrap(), b"a");
}

#[tokio::test]
async fn a_hostile_list_names_nothing() {
    let text = "x/a.warc\nfile:///etc/passwd\nhttp://169.254.169.254/a\n../../b\n/c\n";
    let server = files(&[("/w.paths", text.into())]).await;
    let wrong = listed(&wanted(&[&server.url("/w.paths")])).await.unwrap_err();
    assert_eq!(wrong.len(), 4, "{wrong:?}");
    for (wrong, (line, rule)) in
        wrong.iter().zip([(2, "leads away"), (3, "leads away"), (4, "`..`"), (5, "absolute")])
    {
        assert!(wrong.contains(&format!("line {line} of")) && wrong.contains(rule), "{wrong}");
        assert!(wrong.contains(&server.url("/w.paths")));
    }
}

#[tokio::test]
async fn files_that_are_not_there_are_said_before_any_work() {
    let server = files(&[("/a.warc", b"abc".to_vec())]).await;
    let wrong =
        listed(&wanted(&[&server.url("/b.warc"), &server.url("/a.warc"), &server.url("/c.paths")])).await;
    let wrong = wrong.unwrap_err();
    assert!(wrong.len() == 2 && wrong.iter().all(|it| it.contains("there is no file")), "{wrong:?}");
    let archive = only(&wanted(&[&server.url("/a.warc#part")])).await;
    assert_eq!((archive.size, archive.name), (Some(3), server.url("/a.warc")));
    let wrong = listed(&wanted(&["http://127.0.0.1:1/a.warc"])).await.unwrap_err();
    assert!(wrong[0].contains("cannot read") && wrong[0].contains("refused"), "{wrong:?}");
    // Servers that will not say have files all the same, and signatures stand in no row.
    let shy = Server::start(|request| match request.method.as_str() {
        "HEAD" => Reply::new("405 Method Not Allowed", &[], b""),
        _ => Reply::file(request, b"abc", "ETag: \"one\""),
    });
    let shy = shy.await;
    let archive = only(&wanted(&[&shy.url("/a.warc?X-Amz-Signature=abc")])).await;
    assert_eq!((archive.size, archive.name.as_str()), (None, shy.url("/a.warc").as_str()));
    assert_eq!(whole(&archive, 0).await.unwrap(), b"abc");
    assert!(shy.gets()[0].path.contains("Signature"));
}

#[tokio::test]
async fn a_crawl_is_the_list_of_its_paths_and_says_where_from() {
    let entry = "crawl-data/CC-MAIN-2026-40/segments/1/warc/a.warc.gz";
    let server = files(&[
        ("/cc/crawl-data/CC-MAIN-2026-40/warc.paths.gz", packed(entry)),
        ("/cc/crawl-data/CC-MAIN-2026-40/segments/1/warc/a.warc.gz", b"a".to_vec()),
    ])
    .await;
    let mut wanted = wanted(&["cc://CC-MAIN-2026-40/warc"]);
    wanted.common_crawl = Some(server.url("/cc"));
    // The base is for other lists.
    wanted.base = Some("/elsewhere".to_owned());
    let archive = only(&wanted).await;
    assert_eq!(archive.name, server.url(&format!("/cc/{entry}")));
    assert_eq!(whole(&archive, 0).await.unwrap(), b"a");
    wanted.archives = vec!["cc://CC-MAIN-2026-40/wet".to_owned()];
    let wrong = listed(&wanted).await.unwrap_err();
    assert!(wrong[0].contains("there is no file") && wrong[0].contains("wet.paths.gz"), "{wrong:?}");
}

#[tokio::test]
async fn a_large_list_is_read_in_its_order() {
    let lines: Vec<_> = (0..90_000).rev().map(|number| format!("s/{number}.warc.gz")).collect();
    let server = files(&[("/w.paths.gz", packed(&lines.join("\n")))]).await;
    let found = listed(&wanted(&[&server.url("/w.paths.gz")])).await.unwrap();
    assert_eq!(found.len(), 90_000);
    assert_eq!((&found[0], &found[89_999]), (&server.url("/s/89999.warc.gz"), &server.url("/s/0.warc.gz")));
}
