//! Windows of objects, from a real server of the S3 protocol in this process, with a network that misbehaves before it.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::error_handling::HandleError;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures::stream;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;

use super::super::bucket::WINDOW_BYTES;
use super::*;
use crate::store::{Access, Store};

/// What happens to a request for an object's bytes.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    /// Another answer.
    Answer(u16, &'static str),
    /// The connection breaks after so many bytes.
    BreakAfter(usize),
    /// Nothing more comes after so many bytes.
    StallAfter(usize),
    /// So many bytes come at a time, with a pause after each.
    Throttle(usize, Duration),
}

/// A bucket, `crawls`, and the requests for its objects.
struct Place {
    wanted: Wanted,
    port: u16,
    ranges: Arc<Mutex<Vec<String>>>,
    /// Bodies that are being sent.
    open: Arc<AtomicUsize>,
    root: tempfile::TempDir,
}

/// Counts as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn faulty(body: Body, fault: Fault, open: &Arc<AtomicUsize>) -> Body {
    open.fetch_add(1, Ordering::SeqCst);
    let counted = Counted(Arc::clone(open));
    let limit = match fault {
        Fault::BreakAfter(bytes) | Fault::StallAfter(bytes) => bytes,
        Fault::None | Fault::Answer(..) | Fault::Throttle(..) => usize::MAX,
    };
    let state = (body.into_data_stream(), limit, counted, 0);
    Body::from_stream(stream::unfold(state, move |(mut body, left, counted, since)| async move {
        if left == 0 {
            if matches!(fault, Fault::StallAfter(_)) {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            return Some((Err(io::Error::other("broken on purpose")), (body, left, counted, since)));
        }
        let mut chunk = body.next().await?.unwrap();
        chunk.truncate(left);
        let (left, mut since) = (left - chunk.len(), since + chunk.len());
        if let Fault::Throttle(bytes, pause) = fault
            && bytes <= since
        {
            since = 0;
            tokio::time::sleep(pause).await;
        }
        Some((Ok(chunk), (body, left, counted, since)))
    }))
}

/// Serves until the test's runtime ends; the port.
async fn serve(router: Router) -> u16 {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

/// The one archive of the bucket that is served there.
fn of_bucket(port: u16, settings: &[(&str, &str)]) -> Wanted {
    let endpoint = format!("http://127.0.0.1:{port}");
    let common = [("aws_endpoint", endpoint.as_str()), ("aws_allow_http", "true")];
    let settings = common.iter().chain(settings).map(|&(name, value)| (name.to_owned(), value.to_owned()));
    Wanted {
        archives: vec!["s3://crawls/a.warc.gz".to_owned()],
        storage: settings.collect(),
        fetch: quick(&std::env::temp_dir()),
        ..Wanted::default()
    }
}

impl Place {
    /// `fault` is asked for every GET of an object, with its range and the number of those before.
    async fn new(fault: impl Fn(&HeaderMap, usize) -> Fault + Clone + Send + Sync + 'static) -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("crawls")).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root.path()).unwrap());
        service.set_auth(SimpleAuth::from_single("AK", "SK"));
        let service = HandleError::new(service.build(), |_error: s3s::HttpError| async {
            StatusCode::INTERNAL_SERVER_ERROR
        });
        let (ranges, open): (Arc<Mutex<Vec<String>>>, Arc<AtomicUsize>) = Default::default();
        let (asked, sending) = (Arc::clone(&ranges), Arc::clone(&open));
        let network = move |request: Request, next: Next| {
            let (asked, sending, fault) = (Arc::clone(&asked), Arc::clone(&sending), fault.clone());
            async move {
                let range = request.headers().get("range").map(|it| it.to_str().unwrap().to_owned());
                let Some(range) = range.filter(|_| request.method() == Method::GET) else {
                    return next.run(request).await;
                };
                let number = {
                    let mut asked = asked.lock().unwrap();
                    asked.push(range);
                    asked.len() - 1
                };
                let fault = fault(request.headers(), number);
                if let Fault::Answer(status, body) = fault {
                    return (StatusCode::from_u16(status).unwrap(), body).into_response();
                }
                let (head, body) = next.run(request).await.into_parts();
                Response::from_parts(head, faulty(body, fault, &sending))
            }
        };
        let router = Router::new().fallback_service(service).layer(middleware::from_fn(network));
        let port = serve(router).await;
        let wanted = of_bucket(
            port,
            &[("aws_access_key_id", "AK"), ("aws_secret_access_key", "SK"), ("aws_region", "us-east-1")],
        );
        Self { wanted, port, ranges, open, root }
    }

    async fn put(&self, name: &str, bytes: &[u8]) {
        let access = Access { settings: self.wanted.storage.clone(), retries: 0, ..Access::default() };
        Store::open("s3://crawls", &access).unwrap().put(name, bytes.to_owned()).await.unwrap();
    }

    /// The archive, with the requests forgotten that found it.
    async fn archive(&self) -> Archive {
        let archive = only(&self.wanted).await;
        self.ranges.lock().unwrap().clear();
        archive
    }

    async fn read(&self, from: u64) -> Result<Vec<u8>, String> {
        whole(&self.archive().await, from).await
    }

    fn asked(&self) -> Vec<String> {
        self.ranges.lock().unwrap().clone()
    }
}

fn first_byte(headers: &HeaderMap) -> bool {
    headers.get("range").is_some_and(|range| range == "bytes=0-0")
}

/// Faults of the requests that read, and not of the one that finds the object.
fn reading(fault: fn(usize) -> Fault) -> impl Fn(&HeaderMap, usize) -> Fault + Clone + Send + Sync + 'static {
    move |headers, number| if first_byte(headers) { Fault::None } else { fault(number) }
}

#[track_caller]
fn check_same(found: &[u8], expected: &[u8]) {
    assert!(found == expected, "{} of {} bytes", found.len(), expected.len());
}

#[tokio::test]
async fn an_object_is_read_in_windows_from_any_offset_on() {
    let place = Place::new(|_, _| Fault::None).await;
    let bytes = sample(2 * WINDOW_BYTES as usize + 5);
    place.put("a.warc.gz", &bytes).await;
    let archive = place.archive().await;
    assert_eq!((archive.name.as_str(), archive.size), ("s3://crawls/a.warc.gz", Some(bytes.len() as u64)));
    check_same(&whole(&archive, 0).await.unwrap(), &bytes);
    let windows = ["bytes=0-8388607", "bytes=16777216-16777220", "bytes=8388608-16777215"];
    let mut asked = place.asked();
    asked.sort();
    assert_eq!(asked, windows);
    for from in [1, WINDOW_BYTES as usize, bytes.len() - 1, bytes.len()] {
        check_same(&whole(&archive, from as u64).await.unwrap(), &bytes[from..]);
    }
    assert!(whole(&archive, bytes.len() as u64 + 1).await.unwrap_err().contains("has 16777221 bytes"));
    place.put("a.warc.gz", b"").await;
    check_same(&place.read(0).await.unwrap(), b"");
}

#[tokio::test]
async fn each_window_is_mended_by_itself() {
    let bytes = sample(2 * WINDOW_BYTES as usize + 5);
    let check = async |fault: fn(usize) -> Fault, least: usize| {
        let place = Place::new(reading(fault)).await;
        place.put("a.warc.gz", &bytes).await;
        check_same(&place.read(0).await.unwrap(), &bytes);
        let asked = place.asked();
        assert!(least <= asked.len(), "{asked:?}");
        asked
    };
    let asked = check(|number| if number < 3 { Fault::BreakAfter(1 << 20) } else { Fault::None }, 6).await;
    let second = asked[1].strip_prefix("bytes=").unwrap().strip_suffix("-8388607").unwrap();
    // What was on the wire when it broke may be lost.
    assert!((900_000..=1 << 20).contains(&second.parse().unwrap()), "{asked:?}");
    check(|number| if number % 2 == 0 { Fault::StallAfter(2 << 20) } else { Fault::None }, 6).await;
    const SLOW: Fault = Fault::Answer(503, "<Error><Code>SlowDown</Code></Error>");
    check(|number| if number % 3 != 0 { Fault::None } else { SLOW }, 4).await;
    check(|number| if number < 2 { Fault::Answer(500, "oops") } else { Fault::None }, 5).await;
    check(|number| if number < 2 { Fault::Answer(429, "") } else { Fault::None }, 5).await;
}

#[tokio::test]
async fn a_slow_body_has_no_time_limit() {
    // Each pause is shorter than a stall, and all of them together are much longer.
    let place = Place::new(reading(|_| Fault::Throttle(256 << 10, Duration::from_millis(80)))).await;
    let bytes = sample(3 << 20);
    place.put("a.warc.gz", &bytes).await;
    check_same(&place.read(0).await.unwrap(), &bytes);
    assert_eq!(place.asked().len(), 1);
}

#[tokio::test]
async fn a_reader_that_stalls_loses_nothing_and_holds_no_connection() {
    let place = Place::new(|_, _| Fault::None).await;
    let bytes = sample(5 * WINDOW_BYTES as usize);
    place.put("a.warc.gz", &bytes).await;
    let mut chunks = open(&place.archive().await, 0);
    let mut read = chunks.next().await.unwrap().unwrap().to_vec();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(place.open.load(Ordering::SeqCst), 0, "nothing is under way");
    assert_eq!(place.asked().len(), 3, "one window is read from, two are ahead");
    while let Some(chunk) = chunks.next().await {
        read.extend_from_slice(&chunk.unwrap());
        let ahead = place.asked().len() as u64 * WINDOW_BYTES - read.len() as u64;
        assert!(ahead <= 3 * WINDOW_BYTES, "{ahead}");
    }
    check_same(&read, &bytes);
}

#[tokio::test]
async fn a_reader_that_goes_takes_its_windows_with_it() {
    let place =
        Place::new(reading(|number| if number == 0 { Fault::None } else { Fault::StallAfter(5) })).await;
    place.put("a.warc.gz", &sample(3 * WINDOW_BYTES as usize)).await;
    let mut chunks = open(&place.archive().await, 0);
    chunks.next().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(place.open.load(Ordering::SeqCst), 2);
    drop(chunks);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(place.open.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_object_that_changes_meanwhile_is_an_error() {
    let place = Place::new(|_, _| Fault::None).await;
    let bytes = sample(5 * WINDOW_BYTES as usize);
    place.put("a.warc.gz", &bytes).await;
    let mut chunks = open(&place.archive().await, 0);
    let mut read = chunks.next().await.unwrap().unwrap().len();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut other = bytes;
    other.reverse();
    place.put("a.warc.gz", &other).await;
    let error = loop {
        match chunks.next().await.unwrap() {
            Ok(chunk) => read += chunk.len(),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("changed while it was read"), "{error}");
    assert_eq!(read as u64, 3 * WINDOW_BYTES, "what was asked for before is whole");
    // A server that keeps the condition says so itself.
    let place =
        Place::new(reading(|number| if number == 0 { Fault::None } else { Fault::Answer(412, "no") })).await;
    place.put("a.warc.gz", &sample(WINDOW_BYTES as usize + 1)).await;
    assert!(place.read(0).await.unwrap_err().contains("changed while it was read"));
}

#[tokio::test]
async fn a_refusal_is_final_and_says_why() {
    let place = Place::new(reading(|number| match number {
        0 => Fault::None,
        _ => Fault::Answer(403, "<Error><Code>AccessDenied</Code><Message>Not yours</Message></Error>"),
    }));
    let place = place.await;
    place.put("a.warc.gz", &sample(WINDOW_BYTES as usize + 1)).await;
    let says = place.read(0).await.unwrap_err();
    assert!(
        says.contains("AccessDenied: Not yours") && says.contains("aws_skip_signature = \"true\""),
        "{says}"
    );
    assert_eq!(place.asked().len(), 2);
    let mut stranger = place.wanted.clone();
    stranger.storage.push(("aws_secret_access_key".to_owned(), "wrong".to_owned()));
    let wrong = listed(&stranger).await.unwrap_err();
    assert!(wrong[0].contains("SignatureDoesNotMatch"), "{wrong:?}");
    let place = Place::new(reading(|_| Fault::Answer(503, "SlowDown"))).await;
    place.put("a.warc.gz", b"abc").await;
    let says = place.read(0).await.unwrap_err();
    assert!(says.contains("given up after") && says.contains("SlowDown"), "{says}");
    assert!(5 < place.asked().len());
}

#[tokio::test]
async fn objects_globs_prefixes_and_lists() {
    let place = Place::new(|_, _| Fault::None).await;
    for name in ["x/b.warc.gz", "x/a.warc.gz", "x/deep/c.warc", "x/notes.txt", "xy/d.warc", "x/o[1].warc"] {
        place.put(name, name.as_bytes()).await;
    }
    place.put("l/w.paths", b"x/b.warc.gz\nxy/d.warc\n").await;
    let names = async |patterns: &[&str], base: Option<&str>| {
        let archives = patterns.iter().map(|it| format!("s3://crawls{it}")).collect();
        listed(&Wanted { archives, base: base.map(str::to_owned), ..place.wanted.clone() }).await
    };
    let check = async |patterns: &[&str], expected: &[&str]| {
        let expected: Vec<_> = expected.iter().map(|it| format!("s3://crawls/{it}")).collect();
        assert_eq!(names(patterns, None).await.unwrap(), expected, "{patterns:?}");
    };
    check(&["/x/a.warc.gz"], &["x/a.warc.gz"]).await;
    check(&["/x/*.warc.gz"], &["x/a.warc.gz", "x/b.warc.gz"]).await;
    check(&["/x/?.warc.gz", "/x/*.warc*"], &["x/a.warc.gz", "x/b.warc.gz", "x/o[1].warc"]).await;
    check(&["/x/**/*.warc"], &["x/deep/c.warc", "x/o[1].warc"]).await;
    check(&["/x/o[1].warc"], &["x/o[1].warc"]).await;
    check(&["/x/"], &["x/a.warc.gz", "x/b.warc.gz", "x/deep/c.warc", "x/o[1].warc"]).await;
    check(&[""], &["x/a.warc.gz", "x/b.warc.gz", "x/deep/c.warc", "x/o[1].warc", "xy/d.warc"]).await;
    check(&["/l/w.paths"], &["x/b.warc.gz", "xy/d.warc"]).await;
    check(&["/l/*.paths"], &["x/b.warc.gz", "xy/d.warc"]).await;
    let based = names(&["/l/w.paths"], Some("s3://crawls/x")).await.unwrap();
    assert_eq!(based, ["s3://crawls/x/x/b.warc.gz", "s3://crawls/x/xy/d.warc"]);
    let wrong = names(&["/x/none.warc", "/x/*.none", "/l/", "/x//y.warc"], None).await.unwrap_err();
    assert!(wrong[0].contains("there is no file") && wrong[1].contains("nothing matches"), "{wrong:?}");
    assert!(wrong[2].contains(".warc.gz") && wrong[3].contains("is no pattern"), "{wrong:?}");
    let listing = list(&Wanted { archives: vec!["s3://crawls/x/*.gz".to_owned()], ..place.wanted.clone() })
        .await
        .unwrap();
    assert_eq!(listing.archives[1].size, Some(11));
    assert_eq!(whole(&listing.archives[1], 2).await.unwrap(), b"b.warc.gz");
    let nowhere = Wanted { archives: vec!["s3://nowhere/a.warc".to_owned()], ..place.wanted.clone() };
    assert!(listed(&nowhere).await.is_err());
}

#[tokio::test]
async fn a_crawl_is_read_from_the_bucket_if_somebody_vouches_for_us() {
    let place = Place::new(|_, _| Fault::None).await;
    std::fs::create_dir(place.root.path().join("commoncrawl")).unwrap();
    let access = Access { settings: place.wanted.storage.clone(), retries: 0, ..Access::default() };
    let store = Store::open("s3://commoncrawl", &access).unwrap();
    store.put("crawl-data/CC-MAIN-2026-40/wet.paths.gz", &b"crawl-data/a.wet.gz\n"[..]).await.unwrap();
    store.put("crawl-data/a.wet.gz", &b"text"[..]).await.unwrap();
    let wanted = Wanted { archives: vec!["cc://CC-MAIN-2026-40/wet".to_owned()], ..place.wanted.clone() };
    let listing = list(&wanted).await.unwrap();
    assert_eq!(listing.notes, ["cc://CC-MAIN-2026-40/wet: reading from s3://commoncrawl"]);
    assert_eq!(listing.archives[0].name, "s3://commoncrawl/crawl-data/a.wet.gz");
    assert_eq!(whole(&listing.archives[0], 0).await.unwrap(), b"text");
    assert_ne!(place.port, 0);
}

/// A gigabyte past a reader that dawdles: no more than three windows are asked for and not read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gigabyte_takes_no_more_than_three_windows() {
    const BLOCK: usize = 1 << 20;
    const TOTAL: u64 = 1 << 30;
    let block = Bytes::from(sample(BLOCK));
    let (sent, asked) = (block.clone(), Arc::new(AtomicUsize::new(0)));
    let windows = Arc::clone(&asked);
    // It only has to know ranges, which is what the real client asks for; signing is another test's.
    let router = Router::new().fallback(move |headers: HeaderMap| {
        let range = headers["range"].to_str().unwrap().strip_prefix("bytes=").unwrap().to_owned();
        let (first, last) = range.split_once('-').unwrap();
        let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
        windows.fetch_add(usize::from(first < last), Ordering::SeqCst);
        let length = last - first + 1;
        let (blocks, sent) = (length.div_ceil(BLOCK as u64), sent.clone());
        let body = stream::iter((0..blocks).map(move |at| {
            let left = usize::try_from(length - at * BLOCK as u64).unwrap();
            Ok::<_, Infallible>(sent.slice(..left.min(BLOCK)))
        }))
        .boxed();
        async move {
            let headers = [
                ("content-length", length.to_string()),
                ("content-range", format!("bytes {first}-{last}/{TOTAL}")),
                ("etag", "\"one\"".to_owned()),
                ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
            ];
            (StatusCode::PARTIAL_CONTENT, headers, Body::from_stream(body))
        }
    });
    let wanted = of_bucket(serve(router).await, &[("aws_skip_signature", "true")]);
    let mut chunks = open(&only(&wanted).await, 0);
    let (mut read, begun) = (0_u64, std::time::Instant::now());
    while let Some(chunk) = chunks.next().await {
        read += chunk.unwrap().len() as u64;
        let ahead = asked.load(Ordering::SeqCst) as u64 * WINDOW_BYTES - read;
        assert!(ahead <= 3 * WINDOW_BYTES, "{ahead}");
        if read.is_multiple_of(256 << 20) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    println!("1 GiB in windows in {:.2} s", begun.elapsed().as_secs_f64());
    assert_eq!(read, TOTAL);
}
