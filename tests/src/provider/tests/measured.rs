//! How fast the double is and how much it holds: measurements, to be run alone.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Instant;

use super::*;

/// The processor time of the server's thread, and the memory of the process, as Linux tells them.
fn spent() -> (Duration, u64) {
    let threads = Path::new("/proc/self/task").read_dir().unwrap().map(|thread| thread.unwrap().path());
    let server =
        threads.filter(|thread| std::fs::read_to_string(thread.join("comm")).unwrap() == "provider\n");
    let nanoseconds = server.map(|thread| {
        let told = std::fs::read_to_string(thread.join("schedstat")).unwrap();
        told.split(' ').next().unwrap().parse::<u64>().unwrap()
    });
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes = resident.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
    (Duration::from_nanos(nanoseconds.sum()), kilobytes << 10)
}

/// `--ignored --nocapture --exact provider::tests::measured::instant_replies_a_second` measures it, alone.
#[test]
#[ignore = "a measurement of the machine"]
fn instant_replies_a_second() {
    let replies = Replies::words(8, 8);
    let provider = start(Settings { replies, message_bytes: 0, ..Settings::default() });
    let (connections, each) = (32, 200_000 / 32);
    let body = chat(&"a page of some length ".repeat(10), 50);
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    let sent = [head.as_bytes(), body.as_bytes()].concat();
    let length = {
        let mut client = Client::new(&provider);
        client.stream.write_all(&sent).unwrap();
        client.more().unwrap();
        client.held.len()
    };
    let (before, begun) = (spent().0, Instant::now());
    let mut clients: Vec<_> = (0..connections).map(|_| Client::new(&provider)).collect();
    let mut answer = vec![0; length];
    for _ in 0..each {
        for client in &mut clients {
            client.stream.write_all(&sent).unwrap();
        }
        for client in &mut clients {
            client.stream.read_exact(&mut answer).unwrap();
        }
    }
    let (elapsed, busy) = (begun.elapsed().as_secs_f64(), (spent().0 - before).as_secs_f64());
    let replies = f64::from(connections * each);
    println!("{:.0} replies a second, {:.0} for each second of its core", replies / elapsed, replies / busy);
    assert!(15_000.0 < replies / busy);
}

/// Likewise. Both ends of each connection are in this process, which has to be allowed 20,100 files for all of them.
#[test]
#[ignore = "a measurement of the machine"]
fn ten_thousand_connections() {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let count = files.saturating_sub(100).div_euclid(2).min(10_000);
    let conduct = Conduct::always(Act::Late(PATIENCE));
    let provider = start(Settings { conduct, message_bytes: 0, ..Settings::default() });
    let body = chat(&"a page of some length ".repeat(100), 50);
    let before = spent().1;
    let mut clients: Vec<_> = (0..count).map(|_| Client::new(&provider)).collect();
    for client in &mut clients {
        client.ask(&body);
    }
    let all = usize::try_from(count).unwrap();
    assert!(provider.wait(PATIENCE, |ledger| ledger.open().0 == all));
    let grown = spent().1 - before;
    println!(
        "{count} requests of {} bytes under way: {} MB, {} bytes each",
        body.len(),
        grown >> 20,
        grown / count
    );
    assert!(clients.iter_mut().all(|client| client.told().status == 200));
    assert!(grown / count < 32 << 10);
}
