//! Buckets of moto, an implementation of S3 that shares nothing with ours, where `make test-tools` has put it.

use std::process::{Child, Command, Stdio};

use super::super::bucket::WINDOW_BYTES;
use super::*;
use crate::store::{Access, Store};

/// A server that ends with the test.
struct Moto {
    child: Child,
    port: u16,
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Moto {
    async fn start() -> Option<Self> {
        // A port that is free now is very likely free in a moment.
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let folder = |name: &str| std::env::var_os(name).map(std::path::PathBuf::from);
        let caches = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
        let packages = caches.unwrap_or_default().join("palimpsest/test-tools");
        if !packages.join("moto").is_dir() {
            let why = format!("there is no moto in {}; `make test-tools` installs it", packages.display());
            assert!(std::env::var_os("PALIMPSEST_NO_SKIP").is_none(), "moto is not to be skipped: {why}");
            println!("moto: skipped, {why}");
            return None;
        }
        let server = Command::new("python3")
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .env("PYTHONPATH", packages)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = server.expect("whoever installed moto has Python");
        let moto = Self { child, port };
        let begun = std::time::Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "moto does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(moto)
    }

    fn wanted(&self, archive: &str, settings: &[(&str, &str)]) -> Wanted {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let common =
            [("aws_endpoint", endpoint.as_str()), ("aws_allow_http", "true"), ("aws_region", "us-east-1")];
        let storage =
            common.iter().chain(settings).map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Wanted {
            archives: vec![archive.to_owned()],
            storage,
            fetch: quick(&std::env::temp_dir()),
            ..Wanted::default()
        }
    }

    async fn ask(&self, method: reqwest::Method, path: &str, header: Option<(&str, &str)>, body: Vec<u8>) {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let mut request = reqwest::Client::new().request(method, url).body(body);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        assert!(request.send().await.unwrap().status().is_success(), "{path}");
    }
}

#[tokio::test]
async fn real_objects_with_credentials_without_and_with_none() {
    let Some(moto) = Moto::start().await else { return };
    drop(rustls::crypto::ring::default_provider().install_default());
    moto.ask(reqwest::Method::PUT, "/crawls", None, Vec::new()).await;
    let bytes = sample(2 * WINDOW_BYTES as usize + 5);
    moto.ask(reqwest::Method::PUT, "/crawls/x/a.warc.gz", Some(("x-amz-acl", "public-read")), bytes.clone())
        .await;
    moto.ask(reqwest::Method::PUT, "/crawls/x/b.warc.gz", None, b"b".to_vec()).await;
    let list_of_paths = b"x/b.warc.gz\nx/a.warc.gz\n".to_vec();
    moto.ask(reqwest::Method::PUT, "/crawls/w.paths", None, list_of_paths).await;

    let keys = [("aws_access_key_id", "AK"), ("aws_secret_access_key", "SK")];
    let found = listed(&moto.wanted("s3://crawls/x/*.warc.gz", &keys)).await.unwrap();
    assert_eq!(found, ["s3://crawls/x/a.warc.gz", "s3://crawls/x/b.warc.gz"]);
    let found = listed(&moto.wanted("s3://crawls/w.paths", &keys)).await.unwrap();
    assert_eq!(found, ["s3://crawls/x/b.warc.gz", "s3://crawls/x/a.warc.gz"]);
    let archive = only(&moto.wanted("s3://crawls/x/a.warc.gz", &keys)).await;
    assert!(whole(&archive, 0).await.unwrap() == bytes);
    assert!(whole(&archive, WINDOW_BYTES + 1).await.unwrap() == bytes[WINDOW_BYTES as usize + 1..]);
    assert_eq!(whole(&archive, bytes.len() as u64).await.unwrap(), b"");

    // Changed between two windows.
    let mut chunks = open(&archive, 0);
    chunks.next().await.unwrap().unwrap();
    let access = Access { settings: moto.wanted("", &keys).storage, retries: 0, ..Access::default() };
    let longer = [bytes.clone(), sample(4 * WINDOW_BYTES as usize)].concat();
    let store = Store::open("s3://crawls", &access).unwrap();
    store.put("x/c.warc.gz", longer.clone()).await.unwrap();
    let changing = only(&moto.wanted("s3://crawls/x/c.warc.gz", &keys)).await;
    let mut chunks = open(&changing, 0);
    chunks.next().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    store.put("x/c.warc.gz", sample(longer.len())).await.unwrap();
    let error = loop {
        if let Err(error) = chunks.next().await.unwrap() {
            break error.to_string();
        }
    };
    assert!(error.contains("changed while it was read"), "{error}");

    // Nobody: what is public is read, the rest is refused with words.
    let nobody = [("aws_skip_signature", "true")];
    let archive = only(&moto.wanted("s3://crawls/x/a.warc.gz", &nobody)).await;
    assert!(whole(&archive, 0).await.unwrap() == bytes);
    let wrong = listed(&moto.wanted("s3://crawls/x/b.warc.gz", &nobody)).await.unwrap_err();
    assert!(wrong[0].contains("403 Forbidden") && wrong[0].contains("credentials"), "{wrong:?}");
    let wrong = listed(&moto.wanted("s3://crawls/x/none.warc.gz", &keys)).await.unwrap_err();
    assert!(wrong[0].contains("there is no file"), "{wrong:?}");
    let wrong = listed(&moto.wanted("s3://nowhere/a.warc.gz", &keys)).await.unwrap_err();
    assert!(wrong[0].contains("NoSuchBucket"), "{wrong:?}");
}
