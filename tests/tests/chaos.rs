//! A network that is slow and breaks, and a reader that stands still: nothing is lost.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::bucket::Bucket;
use crate::harness::palimpsest;

/// How long the reader of the lines stands still; `PALIMPSEST_STALL_SECONDS` is another time.
const STALL: Duration = Duration::from_secs(5);
/// Bytes that a connection carries before it breaks: windows have more.
const BREAK_BYTES: u64 = 3 << 20;
const PIECE_BYTES: usize = 64 << 10;
/// Between two pieces: some 12 MB a second.
const PAUSE: Duration = Duration::from_millis(5);

/// Passes connections on to a server, answers slowly, and broken after so many bytes.
struct Network {
    port: u16,
    broken: Arc<AtomicU64>,
}

impl Network {
    fn before(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let broken = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&broken);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else { return };
                let count = Arc::clone(&count);
                std::thread::spawn(move || pass(&client, &upstream, &count));
            }
        });
        Self { port, broken }
    }
}

fn pass(client: &TcpStream, server: &TcpStream, broken: &AtomicU64) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut from, mut to) = (client, server);
            // Either side may hang up whenever it likes.
            drop(std::io::copy(&mut from, &mut to));
            drop(server.shutdown(Shutdown::Write));
        });
        let (mut from, mut to) = (server, client);
        let mut piece = vec![0; PIECE_BYTES];
        let mut passed = 0;
        while let Ok(read @ 1..) = from.read(&mut piece) {
            if to.write_all(&piece[..read]).is_err() {
                break;
            }
            passed += read as u64;
            if BREAK_BYTES < passed {
                broken.fetch_add(1, Ordering::Relaxed);
                break;
            }
            #[expect(clippy::disallowed_methods, reason = "a slow network is one that waits")]
            std::thread::sleep(PAUSE);
        }
        for side in [client, server] {
            drop(side.shutdown(Shutdown::Both));
        }
    });
}

/// What `palimpsest records` prints; its reader stands still after the first lines.
fn records(mut command: Command, stall: Duration) -> Vec<u8> {
    let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = process.stdout.take().unwrap();
    let mut printed = vec![0; 1000];
    lines.read_exact(&mut printed).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a reader that stands still is one that waits")]
    std::thread::sleep(stall);
    std::io::copy(&mut lines, &mut printed).unwrap();
    assert!(process.wait().unwrap().code().is_some_and(|code| code < 2));
    printed
}

#[test]
fn a_network_that_breaks_and_a_reader_that_stands_still_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("a.warc.gz");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&archive).unwrap());
    palimpsest_tests::large(60_000_000, &mut file).unwrap();
    file.flush().unwrap();
    let bucket = Bucket::s3s();
    bucket.upload(&archive, "a.warc.gz");
    let network = Network::before(bucket.port());
    let mut local = palimpsest();
    local.arg("records").arg(&archive);
    let expected = records(local, Duration::ZERO);
    let seconds = std::env::var("PALIMPSEST_STALL_SECONDS").ok().map(|it| it.parse().unwrap());
    let mut remote = palimpsest();
    remote.args(["records", &bucket.url("a.warc.gz")]).envs(bucket.environment());
    remote.env("AWS_ENDPOINT", format!("http://127.0.0.1:{}", network.port));
    let found = records(remote, seconds.map_or(STALL, Duration::from_secs));
    assert!(found == expected, "{} and {} bytes of lines", found.len(), expected.len());
    let broken = network.broken.load(Ordering::Relaxed);
    let size = archive.metadata().unwrap().len();
    println!("{size} bytes over {broken} connections that broke");
    assert!(size / (2 * BREAK_BYTES) < broken, "the network broke {broken} times for {size} bytes");
}
