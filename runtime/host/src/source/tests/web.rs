//! Downloads: what a web server may do wrong, and what must become of it.

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::server::{Reply, Request, Server, Step};
use super::*;

const ETAG: &str = "ETag: \"one\"";
const LATER: Duration = Duration::from_secs(60);

/// A server, and the archive that is there.
struct Place {
    server: Server,
    wanted: Wanted,
    said: Arc<Mutex<Vec<String>>>,
    _spool: tempfile::TempDir,
}

impl Place {
    async fn new(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let server = Server::start(reply).await;
        let (spool, said) = (tempfile::tempdir().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let heard = Arc::clone(&said);
        let mut fetch = quick(spool.path());
        fetch.said = Said::new(move |line| heard.lock().unwrap().push(line));
        let wanted = Wanted { archives: vec![server.url("/a.warc")], fetch, ..Wanted::default() };
        Self { server, wanted, said, _spool: spool }
    }

    async fn read(&self, from: u64) -> Result<Vec<u8>, String> {
        whole(&only(&self.wanted).await, from).await
    }
}

/// What breaks the first three times, and is whole in the end.
async fn check_mended(
    validator: &'static str,
    broken: impl Fn(Reply, usize) -> Reply + Send + Sync + 'static,
) -> Vec<Request> {
    let bytes = sample(1 << 20);
    let sent = bytes.clone();
    let place = Place::new(move |request| {
        let reply = Reply::file(request, &sent, validator);
        if request.number < 3 { broken(reply, request.number) } else { reply }
    });
    let place = place.await;
    assert!(place.read(0).await.unwrap() == bytes);
    place.server.gets()
}

#[tokio::test]
async fn a_broken_transfer_goes_on_at_the_byte_that_it_reached() {
    let gets = check_mended(ETAG, |reply, _| reply.then(100_000, Step::Reset)).await;
    assert_eq!(
        gets.iter().map(Request::from).collect::<Vec<_>>(),
        [None, Some(100_000), Some(200_000), Some(300_000)]
    );
    assert!(gets[1..].iter().all(|request| request.header("if-range") == Some("\"one\"")));
    assert!(gets[0].header("user-agent").unwrap().starts_with("palimpsest/"));
}

#[tokio::test]
async fn a_transfer_that_ends_early_is_no_end() {
    let gets = check_mended("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", |mut reply, _| {
        reply.body = vec![Step::Send(sample(1000).into())];
        if reply.head.contains("206") { reply.then(0, Step::Reset) } else { reply }
    })
    .await;
    assert_eq!(gets[1].from(), Some(1000));
    assert_eq!(gets[1].header("if-range"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
}

#[tokio::test]
async fn a_transfer_that_stalls_is_begun_anew() {
    let gets = check_mended(
        ETAG,
        |reply, number| {
            if number == 0 { reply.then(300_000, Step::Wait(LATER)) } else { reply }
        },
    )
    .await;
    assert_eq!(gets.iter().map(Request::from).collect::<Vec<_>>(), [None, Some(300_000)]);
}

#[tokio::test]
async fn the_body_of_a_refusal_is_no_archive() {
    let busy = |status: &'static str| {
        move |_: Reply, _: usize| Reply::new(status, &[], b"<Error><Code>SlowDown</Code></Error>")
    };
    assert_eq!(check_mended(ETAG, busy("503 Slow Down")).await.len(), 4);
    assert_eq!(check_mended(ETAG, busy("500 Internal Error")).await.len(), 4);
    assert_eq!(check_mended(ETAG, busy("425 Too Early")).await.len(), 4);
    // A silent server is as busy as one that says so.
    let silent = check_mended(ETAG, |_, number| match number {
        0 => Reply { head: String::new(), body: vec![Step::Wait(LATER)] },
        _ => Reply { head: String::new(), body: Vec::new() },
    });
    assert_eq!(silent.await.len(), 4);
}

#[tokio::test]
async fn a_server_says_when_to_come_back() {
    let begun = Instant::now();
    let gets = check_mended(ETAG, |reply, number| match number {
        0 => Reply::new("429 Too Many Requests", &["Retry-After: 1"], b"slow down"),
        _ => reply,
    });
    assert_eq!(gets.await.len(), 2);
    assert!(Duration::from_secs(1) <= begun.elapsed());
}

#[tokio::test]
async fn a_403_means_slow_down_and_is_given_up_with_its_words() {
    let forbidden = || Reply::new("403 Forbidden", &[], b"<html>please write to\n us@example</html>");
    let gets = check_mended(ETAG, move |reply, number| if number < 2 { forbidden() } else { reply }).await;
    assert_eq!(gets.len(), 3);
    let place = Place::new(move |_| forbidden()).await;
    let says = place.read(0).await.unwrap_err();
    assert!(says.contains("please write to us@example") && says.contains("403"), "{says}");
    assert_eq!(place.server.gets().len(), 3);
    let said = place.said.lock().unwrap().clone();
    assert!(said.len() == 2 && said[0].contains("please write to us@example"), "{said:?}");
}

#[tokio::test]
async fn a_server_without_ranges_is_read_again_from_the_start() {
    let gets =
        check_mended(ETAG, |_, _| Reply::new("200 OK", &[ETAG], &sample(1 << 20)).then(400_000, Step::Reset));
    // The fourth answer knows ranges again; the others got no further than the first.
    assert_eq!(
        gets.await.iter().map(Request::from).collect::<Vec<_>>(),
        [None, Some(400_000), Some(400_000), Some(400_000)]
    );
    let bytes = sample(1 << 20);
    let sent = bytes.clone();
    let place = Place::new(move |request| {
        let reply = Reply::new("200 OK", &[], &sent);
        if request.number == 0 { reply.then(400_000, Step::Reset) } else { reply }
    });
    let place = place.await;
    assert!(place.read(0).await.unwrap() == bytes);
    assert!(place.read(500_000).await.unwrap() == bytes[500_000..]);
}

#[tokio::test]
async fn a_file_that_changes_meanwhile_is_an_error() {
    let check = async |second: fn(&Request) -> Reply, says: &str| {
        let place = Place::new(move |request| match request.number {
            0 => Reply::file(request, &sample(1 << 20), ETAG).then(300_000, Step::Reset),
            _ => second(request),
        });
        let place = place.await;
        let (mut read, mut chunks) = (0, open(&only(&place.wanted).await, 0));
        let error = loop {
            match chunks.next().await.unwrap() {
                Ok(chunk) => read += chunk.len(),
                Err(error) => break error,
            }
        };
        assert_eq!(read, 300_000, "what came before is handed on");
        assert!(error.to_string().contains("changed while it was read"), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    };
    check(|request| Reply::file(request, &sample(1 << 20), "ETag: \"two\""), "\"two\"").await;
    check(|_| Reply::new("200 OK", &["ETag: \"two\""], b"another file"), "\"two\"").await;
    check(|request| Reply::file(request, &sample(900_000), ETAG), "900000").await;
    check(|request| Reply::file(request, &sample(1000), ETAG), "1000").await;
}

#[tokio::test]
async fn redirects_lead_to_no_other_place() {
    let check = async |location: String, says: &str| {
        let place =
            Place::new(move |_| Reply::new("302 Found", &[&format!("Location: {location}")], b"gone"));
        let place = place.await;
        let wrong = listed(&place.wanted).await.unwrap_err();
        assert!(wrong[0].contains(says), "{wrong:?}");
        assert!(place.server.requests.lock().unwrap().len() < 8);
    };
    check("http://169.254.169.254/latest/meta-data/".to_owned(), "same host only").await;
    check("http://localhost:1/".to_owned(), "same host only").await;
    check("file:///etc/passwd".to_owned(), "same host only").await;
    check("/again".to_owned(), "redirects").await;
    // The server changes its mind when it is read.
    let place = Place::new(|request| match request.method.as_str() {
        "HEAD" => Reply::new("200 OK", &[], b"x"),
        _ => Reply::new("307 Temporary Redirect", &["Location: http://169.254.169.254/a"], b""),
    });
    let says = place.await.read(0).await.unwrap_err();
    assert!(says.contains("169.254.169.254") && says.contains("same host only"), "{says}");
    // Elsewhere on the same host is fine.
    let place = Place::new(|request| match request.path.as_str() {
        "/a.warc" => Reply::new("301 Moved Permanently", &["Location: /b.warc"], b""),
        _ => Reply::file(request, b"moved", ETAG),
    });
    assert_eq!(place.await.read(0).await.unwrap(), b"moved");
}

#[tokio::test]
async fn an_archives_own_compression_is_not_undone() {
    let packed = [&[0x1f, 0x8b, 8, 0][..], &sample(5000)].concat();
    let sent = packed.clone();
    let place = Place::new(move |request| Reply::file(request, &sent, "Content-Encoding: gzip")).await;
    assert!(place.read(0).await.unwrap() == packed);
    assert_eq!(place.server.gets()[0].header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn a_reader_that_stalls_loses_nothing_and_holds_no_connection() {
    let bytes = sample(12 << 20);
    let sent = bytes.clone();
    let mut place = Place::new(move |request| Reply::file(request, &sent, ETAG)).await;
    place.wanted.fetch.spool_bytes = 4 << 20;
    let mut chunks = open(&only(&place.wanted).await, 0);
    let mut read = chunks.next().await.unwrap().unwrap().to_vec();
    // Several times as long as a connection may be silent.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(place.server.open.load(Ordering::SeqCst), 0);
    assert_eq!(place.server.gets().len(), 1);
    while let Some(chunk) = chunks.next().await {
        read.extend_from_slice(&chunk.unwrap());
    }
    assert!(read == bytes);
    assert!((2..=6).contains(&place.server.gets().len()), "{:?}", place.server.gets());
    assert!(place.said.lock().unwrap().is_empty(), "a full spool is nobody's failure");
}

#[tokio::test]
async fn a_slow_network_feeds_a_fast_reader_as_bytes_come() {
    let bytes = sample(10_000);
    let sent = bytes.clone();
    let place = Place::new(move |request| {
        let mut reply = Reply::file(request, &sent, ETAG);
        // Each wait is shorter than a stall, all of them are longer.
        reply.body = sent
            .chunks(1000)
            .flat_map(|it| [Step::Send(Bytes::copy_from_slice(it)), Step::Wait(Duration::from_millis(60))])
            .collect();
        reply
    });
    let place = place.await;
    let mut chunks = open(&only(&place.wanted).await, 0);
    let begun = Instant::now();
    assert_eq!(chunks.next().await.unwrap().unwrap().len(), 1000);
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    let mut read = 1000;
    while let Some(chunk) = chunks.next().await {
        read += chunk.unwrap().len();
    }
    assert_eq!((read, place.server.gets().len()), (10_000, 1));
}

#[tokio::test]
async fn a_body_in_chunks_goes_on_as_well() {
    let bytes = sample(50_000);
    let sent = bytes.clone();
    let place = Place::new(move |request| match request.number {
        0 => {
            let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{ETAG}\r\n");
            let chunk = [b"4e20\r\n", &sent[..20_000], b"\r\n"].concat();
            Reply { head, body: vec![Step::Send(chunk.into())] }
        }
        _ => Reply::file(request, &sent, ETAG),
    });
    let place = place.await;
    assert!(place.read(0).await.unwrap() == bytes);
    assert_eq!(place.server.gets()[1].from(), Some(20_000));
}

#[tokio::test]
async fn a_file_is_read_from_an_offset_on_and_no_further_than_its_end() {
    let bytes = sample(100_000);
    let sent = bytes.clone();
    let place = Place::new(move |request| Reply::file(request, &sent, ETAG)).await;
    for from in [0, 1, 99_999, 100_000] {
        assert!(place.read(from as u64).await.unwrap() == bytes[from..]);
    }
    assert!(place.read(100_001).await.unwrap_err().contains("has 100000 bytes"));
    let empty = Place::new(|request| Reply::file(request, b"", ETAG)).await;
    assert_eq!(empty.read(0).await.unwrap(), b"");
}

#[tokio::test]
async fn a_server_that_stays_broken_is_given_up() {
    let place = Place::new(|request| match request.method.as_str() {
        "HEAD" => Reply::new("200 OK", &[], b"x"),
        _ => Reply::new("503 Slow Down", &[], b"busy"),
    });
    let place = place.await;
    let begun = Instant::now();
    let says = place.read(0).await.unwrap_err();
    assert!(says.contains("given up after") && says.contains("503 busy"), "{says}");
    assert!((1000..10_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    assert!(5 < place.server.gets().len());
    // A byte or two with each try are no progress.
    let place =
        Place::new(|request| Reply::file(request, &sample(1 << 20), ETAG).then(100, Step::Reset)).await;
    assert!(place.read(0).await.unwrap_err().contains("given up after"));
}

#[tokio::test]
async fn a_spool_that_cannot_be_made_is_said() {
    let mut place = Place::new(|request| Reply::file(request, &sample(4 << 20), ETAG)).await;
    place.wanted.fetch.spool = PathBuf::from("/nonexistent/spool");
    let mut chunks = open(&only(&place.wanted).await, 0);
    chunks.next().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let error = loop {
        if let Err(error) = chunks.next().await.unwrap() {
            break retry::chain(&error);
        }
    };
    assert!(error.contains("cannot spool the download in `/nonexistent/spool`: No such file"), "{error}");
}

#[tokio::test]
async fn a_reader_that_goes_takes_its_download_with_it() {
    let place =
        Place::new(|request| Reply::file(request, &sample(1 << 20), ETAG).then(1000, Step::Wait(LATER)));
    let mut place = place.await;
    place.wanted.fetch.pace.stall = LATER;
    let mut chunks = open(&only(&place.wanted).await, 0);
    chunks.next().await.unwrap().unwrap();
    assert_eq!(place.server.open.load(Ordering::SeqCst), 1);
    drop(chunks);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(place.server.open.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn common_crawl_and_its_mirrors_are_asked_for_ten_files_at_once() {
    let place = Place::new(|request| {
        let mut reply = Reply::file(request, &sample(1000), ETAG);
        reply.body.insert(0, Step::Wait(Duration::from_millis(60)));
        reply
    });
    let mut place = place.await;
    let read_all = async |wanted: &Wanted| {
        let archives = list(wanted).await.unwrap().archives;
        place.server.most.store(0, Ordering::SeqCst);
        let all = futures::future::join_all(archives.iter().map(|archive| whole(archive, 0))).await;
        assert!(all.iter().all(|bytes| bytes.as_ref().unwrap().len() == 1000));
        place.server.most.load(Ordering::SeqCst)
    };
    place.wanted.archives = (0..32).map(|number| place.server.url(&format!("/{number}.warc"))).collect();
    assert!(10 < read_all(&place.wanted).await, "others say themselves what is too much");
    place.wanted.common_crawl = Some(place.server.url("/"));
    let most = read_all(&place.wanted).await;
    assert!((5..=10).contains(&most), "{most}");
}

#[tokio::test]
async fn a_name_of_this_machine_that_is_not_localhost_is_not_asked() {
    let place = Place::new(|request| Reply::file(request, b"hello", ETAG)).await;
    let at = |host: &str, allow_private: bool| Wanted {
        archives: vec![format!("http://{host}:{}/a.warc", place.server.port)],
        allow_private,
        ..place.wanted.clone()
    };
    assert_eq!(whole(&only(&at("localhost", false)).await, 0).await.unwrap(), b"hello");
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let mut names = hosts.lines().filter_map(|line| line.strip_prefix("127.")?.split_whitespace().nth(1));
    let Some(name) = names.find(|name| !name.ends_with("localhost")) else {
        println!("a name of this machine: skipped, /etc/hosts has none but localhost");
        return;
    };
    let wrong = listed(&at(name, false)).await.unwrap_err();
    assert!(wrong[0].contains("not public") && wrong[0].contains("allow_private = true"), "{wrong:?}");
    assert_eq!(whole(&only(&at(name, true)).await, 0).await.unwrap(), b"hello");
}

/// A gigabyte past a reader that dawdles: what is between the two never exceeds the spool.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gigabyte_takes_no_more_than_the_spool() {
    const BLOCK: usize = 1 << 20;
    const BLOCKS: usize = 1 << 10;
    const SPOOL: usize = 32 << 20;
    /// What is in memory, and what sockets hold.
    const SLACK: usize = 16 << 20;
    let block = sample(BLOCK);
    let total = BLOCK * BLOCKS;
    let sent = Bytes::from(block.clone());
    let mut place = Place::new(move |request| {
        let from = request.from().unwrap_or(0);
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{total}\r\n{ETAG}\r\n",
            total - from,
            total - 1
        );
        let head = if from == 0 { format!("HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n{ETAG}\r\n") } else { head };
        let first = Step::Send(sent.slice(from % BLOCK..));
        let rest = (from / BLOCK + 1..BLOCKS).map(|_| Step::Send(sent.clone()));
        // Every answer breaks off after a part.
        Reply { head, body: std::iter::once(first).chain(rest.take(400)).collect() }
    })
    .await;
    place.wanted.fetch.spool_bytes = SPOOL as u64;
    let mut chunks = open(&only(&place.wanted).await, 0);
    let (mut read, mut most, mut dawdled, begun) = (0, 0, 0, Instant::now());
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.unwrap();
        assert!(chunk.len() <= 1 << 20);
        let at = read % BLOCK;
        let same = chunk.len().min(BLOCK - at);
        assert!(chunk[..same] == block[at..at + same]);
        read += chunk.len();
        if read / (256 << 20) > dawdled {
            dawdled += 1;
            let ahead = || place.server.position.load(Ordering::SeqCst).saturating_sub(read);
            let waiting = Instant::now();
            while dawdled == 1 && ahead() < SPOOL / 2 && waiting.elapsed() < Duration::from_secs(20) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(ahead() <= SPOOL + SLACK, "{}", ahead());
            most = most.max(ahead());
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "1 GiB by HTTP in {seconds:.2} s, {} requests, at most {most} bytes ahead",
        place.server.gets().len()
    );
    assert!(read == total && SPOOL / 2 <= most, "{read} {most}");
}
