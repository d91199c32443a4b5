//! What an archive says of itself makes the reader take no memory: bombs, and lengths that nobody stores.
//!
//! Rust's heap is counted byte by byte. The window that zstd takes beside it is seen in what the process used at most.

#![expect(unsafe_code, reason = "a global allocator is unsafe to write; this one only counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use flate2::{Compress, Compression, Crc, FlushCompress};
use palimpsest_warc::{Entry, Limits, Reader};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn grown(bytes: usize) {
    let now = NOW.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: the system's allocator does all of it, with the arguments as they came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller keeps this method's contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both stretches are there while one is copied to the other.
        grown(size);
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Blocks of a mebibyte are kept, so that what is measured is not what a caller allows.
const LIMITS: Limits = Limits { block_bytes: 1 << 20, head_bytes: 64 << 10, line_bytes: 16 << 10 };
/// What the reader may hold beside the block: a member, and what it unpacks to.
const MOST: usize = 32 << 20;
const MIB: usize = 1 << 20;
const TEN_GIB_IN_MIB: u64 = 10 << 10;

/// An archive that is never in memory: pieces, each of them so many times.
struct Streamed {
    pieces: Vec<(Vec<u8>, u64)>,
    at: usize,
}

impl Read for Streamed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some((bytes, times)) = self.pieces.first_mut() {
            if *times != 0 {
                let read = (&bytes[self.at..]).read(out)?;
                self.at += read;
                if self.at == bytes.len() {
                    self.at = 0;
                    *times -= 1;
                }
                return Ok(read);
            }
            self.pieces.remove(0);
        }
        Ok(0)
    }
}

type Pieces = Vec<(Vec<u8>, u64)>;

/// What an entry says in short: the number that its record was made with, and its damage.
fn said(entry: &Entry) -> String {
    let id = entry.head.as_ref().and_then(|head| head.record_id()).unwrap_or_default();
    let damage = entry.damage.map_or("", |damage| damage.reason());
    format!("{id} {damage}").trim().to_owned()
}

/// What an archive holds, and how much heap it took at most to say so.
fn read(pieces: Pieces, limits: Limits) -> (Vec<String>, usize) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let source = Streamed { pieces, at: 0 };
    let entries =
        Reader::new(source, limits).map(|entry| said(&entry.expect("memory can be read"))).collect();
    (entries, PEAK.load(Ordering::Relaxed) - before)
}

#[track_caller]
fn check(pieces: Pieces, expected: &[&str]) {
    let (entries, peak) = read(pieces, LIMITS);
    assert_eq!(entries, expected);
    assert!(peak <= MOST, "{peak} bytes");
}

fn head(number: usize, length: &str) -> Vec<u8> {
    format!(
        "WARC/1.0\r\nWARC-Type: resource\r\nWARC-Record-ID: {number}\r\nWARC-Date: 2024-01-01T00:00:00Z\r\n\
         Content-Length: {length}\r\n\r\n"
    )
    .into_bytes()
}

fn record(number: usize) -> Vec<u8> {
    [head(number, "5").as_slice(), b"hello\r\n\r\n"].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::bulk::compress(bytes, 3).expect("level 3 is known")
}

/// A gzip member of a beginning and of one text so many times, its checksum right.
fn gzip_bomb(beginning: &[u8], text: &[u8], times: u64) -> Pieces {
    let deflate = |bytes: &[u8], flush| {
        let mut out = Vec::with_capacity(2 * bytes.len() + 64);
        let mut encoder = Compress::new(Compression::default(), false);
        encoder.compress_vec(bytes, &mut out, flush).expect("there is room");
        assert_eq!(encoder.total_in(), bytes.len() as u64, "all of it was taken");
        out
    };
    let (mut crc, mut of_text) = (Crc::new(), Crc::new());
    crc.update(beginning);
    of_text.update(text);
    for _ in 0..times {
        crc.combine(&of_text);
    }
    let header = b"\x1f\x8b\x08\0\0\0\0\0\0\x03".as_slice();
    let first = [header, &deflate(beginning, FlushCompress::Full)].concat();
    let last = [&*deflate(b"", FlushCompress::Finish), &crc.sum().to_le_bytes(), &crc.amount().to_le_bytes()];
    // Behind a full flush nothing refers to what stands in front of it, so it may be repeated.
    vec![(first, 1), (deflate(text, FlushCompress::Full), times), (last.concat(), 1)]
}

/// Where in a zstd frame its window's size stands, as an exponent over ten and eighths of that.
const WINDOW_AT: usize = 5;
/// 2^27 bytes.
const LARGEST_WINDOW: u8 = 17 << 3;

/// A zstd frame of a beginning and of so many mebibytes of one letter, with 32 bytes for each of them.
fn zstd_bomb(beginning: &[u8], mebibytes: u64) -> Pieces {
    const BLOCK: usize = 128 << 10;
    let block = |kind: usize, size: usize| (kind << 1 | size << 3).to_le_bytes()[..3].to_vec();
    // No size, no checksum, and a window of one block.
    let header = b"\x28\xb5\x2f\xfd\0\x38".as_slice();
    let first = [header, &block(0, beginning.len()), beginning].concat();
    let repeated = [block(1, BLOCK), b"a".to_vec()].concat();
    vec![(first, 1), (repeated, mebibytes * (MIB / BLOCK) as u64), (b"\x01\0\0".to_vec(), 1)]
}

fn between(first: Vec<u8>, middle: Pieces, last: Vec<u8>) -> Pieces {
    std::iter::once((first, 1)).chain(middle).chain([(last, 1)]).collect()
}

#[test]
fn the_bombs_are_what_they_are_meant_to_be() {
    let unpacked = |bomb: Pieces| {
        let mut source = Streamed { pieces: bomb, at: 0 };
        let mut packed = Vec::new();
        io::copy(&mut source, &mut packed).unwrap();
        let mut unpacked = Vec::new();
        if packed.starts_with(b"\x1f\x8b") {
            io::copy(&mut flate2::bufread::MultiGzDecoder::new(&*packed), &mut unpacked).unwrap();
        } else {
            unpacked = ::zstd::bulk::decompress(&packed, 4 * MIB).unwrap();
        }
        unpacked
    };
    let expected = |byte: u8| [b"beginning".to_vec(), vec![byte; 3 * MIB]].concat();
    assert!(unpacked(gzip_bomb(b"beginning", &[0; MIB], 3)) == expected(0));
    assert!(unpacked(zstd_bomb(b"beginning", 3)) == expected(b'a'));
}

/// Whatever the record in front of it says, it costs no more than the member that it is in.
#[test]
fn ten_gigabytes_of_zeros_in_a_gzip_member() {
    let bomb = |beginning: &[u8]| {
        let bomb = gzip_bomb(beginning, &[0; MIB], TEN_GIB_IN_MIB);
        between(gzip(&record(1)), bomb, gzip(&record(3)))
    };
    check(bomb(b""), &["1", "garbage", "3"]);
    check(bomb(&head(2, "10737418240")), &["1", "2 too_large", "3"]);
    check(bomb(&head(2, "10")), &["1", "2 contradicted_length", "3"]);
    check(bomb(&[record(2), head(4, "x")].concat()), &["1", "2", "4 bad_length", "3"]);
    let mut cut = bomb(&head(2, "10737418240"));
    cut.truncate(3);
    check(cut, &["1", "2 too_large"]);
}

#[test]
fn ten_gigabytes_of_one_letter_in_a_zstd_frame() {
    let bomb =
        |beginning: &[u8]| between(zstd(&record(1)), zstd_bomb(beginning, TEN_GIB_IN_MIB), zstd(&record(3)));
    check(bomb(b""), &["1", "garbage", "3"]);
    check(bomb(&head(2, "10737418240")), &["1", "2 too_large", "3"]);
    check(bomb(&head(2, "10")), &["1", "2 contradicted_length", "3"]);
}

/// The largest window that is allowed is the decoder's, beside all that Rust's heap holds.
#[test]
fn a_bomb_in_a_zstd_frame_with_the_largest_window() {
    let mut bomb = zstd_bomb(&head(2, "10737418240"), TEN_GIB_IN_MIB);
    bomb[0].0[WINDOW_AT] = LARGEST_WINDOW;
    check(between(zstd(&record(1)), bomb.clone(), zstd(&record(3))), &["1", "2 too_large", "3"]);
    bomb[0].0[WINDOW_AT] = LARGEST_WINDOW + 1;
    check(between(zstd(&record(1)), bomb, zstd(&record(3))), &["1", "window_too_large", "3"]);
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return };
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kibibytes: usize = most.trim().trim_end_matches(" kB").parse().unwrap();
    println!("{kibibytes} KiB");
    // Beside the window there is what other tests held at the same time, the largest block first of all.
    assert!(kibibytes << 10 < (1 << 27) + 2 * Limits::default().block_bytes + MOST, "{kibibytes} KiB");
}

#[test]
fn a_bomb_in_a_bzip2_stream() {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(&head(1, "268435456")).unwrap();
    io::copy(&mut io::repeat(0).take(256 << 20), &mut encoder).unwrap();
    check(vec![(encoder.finish().unwrap(), 1)], &["1 too_large"]);
}

/// The record behind is found, and the lie costs no more than the bytes that are there.
#[test]
fn a_length_that_is_only_said() {
    for length in ["29000000000", "10000000000000000000", "340282366920938463463374607431768211456"] {
        let lie = [head(2, length).as_slice(), b"hello\r\n\r\n"].concat();
        let plain = [record(1), lie.clone(), record(3)].concat();
        check(vec![(plain, 1)], &["1", "2 contradicted_length", "3"]);
        let packed = [gzip(&record(1)), gzip(&lie), gzip(&record(3))].concat();
        check(vec![(packed, 1)], &["1", "2 contradicted_length", "3"]);
        let frames = [zstd(&record(1)), zstd(&lie), zstd(&record(3))].concat();
        check(vec![(frames, 1)], &["1", "2 contradicted_length", "3"]);
        check(vec![([record(1), lie].concat(), 1)], &["1", "2 truncated"]);
    }
}

/// A gigabyte is passed over, and none of it is kept.
#[test]
fn a_length_that_is_stored() {
    let lines = b"a line of a download that is much too large\r\n".repeat(MIB / 45);
    let length = (lines.len() as u64 * 1_024).to_string();
    let plain = vec![
        ([record(1), head(2, &length)].concat(), 1),
        (lines.clone(), 1_024),
        ([b"\r\n\r\n".to_vec(), record(3)].concat(), 1),
    ];
    check(plain, &["1", "2 too_large", "3"]);
    let packed = gzip_bomb(&head(2, &length), &lines, 1_024);
    check(between(gzip(&record(1)), packed, gzip(&record(3))), &["1", "2 too_large", "3"]);
}

#[test]
fn what_does_not_end() {
    let begun = |again: &[u8]| vec![(b"WARC/1.0\r\n".to_vec(), 1), (again.repeat(1 << 12), 1 << 12)];
    check(begun(b"a"), &["head_too_large"]);
    check(begun(b"a: b\r\n"), &["head_too_large"]);
    check(vec![(b"\r\n".repeat(1 << 12), 1 << 12)], &["garbage"]);
    check(vec![(vec![0; 1 << 12], 1 << 16)], &["garbage"]);
    // Members whose names have no end.
    check(vec![(b"\x1f\x8b\x08\x08aaaaaaaaaa".repeat(100), 10_000)], &["garbage"]);
}

/// What a caller allows is what a block costs, and twice that while it grows.
#[test]
fn a_block_of_the_largest_size() {
    let limits = Limits::default();
    let archive = vec![
        (head(1, &limits.block_bytes.to_string()), 1),
        (vec![b'a'; MIB], (limits.block_bytes / MIB) as u64),
        ([b"\r\n\r\n".to_vec(), record(2)].concat(), 1),
    ];
    let (entries, peak) = read(archive, limits);
    assert_eq!(entries, ["1", "2"]);
    assert!(peak <= 2 * limits.block_bytes + MOST, "{peak} bytes");
}
