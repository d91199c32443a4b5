//! The reader from outside: odd and damaged archives, each cut in several ways, and whatever chance makes of good ones.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use palimpsest_warc::{Damage, Entry, Format, Limits, Oddity, Reader};
use proptest::prelude::*;

/// A source that gives `size` bytes at a time.
struct Cut<'a> {
    bytes: &'a [u8],
    size: usize,
}

impl Read for Cut<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let size = self.size.min(out.len());
        self.bytes.read(&mut out[..size])
    }
}

fn read_cut(bytes: &[u8], size: usize, limits: Limits) -> Vec<Entry> {
    // No archive has more entries than bytes: one that seems to is being read in a circle.
    let most = bytes.len() + 1;
    let entries: Vec<_> = Reader::new(Cut { bytes, size }, limits)
        .take(most + 1)
        .collect::<io::Result<_>>()
        .expect("memory can be read");
    assert!(entries.len() <= most, "the reader goes round in a circle");
    entries
}

#[track_caller]
fn read_with(bytes: &[u8], limits: Limits) -> Vec<Entry> {
    let whole = read_cut(bytes, usize::MAX, limits);
    for size in [1, 3, 7, 4099] {
        assert!(read_cut(bytes, size, limits) == whole, "the cutting shows at {size} bytes a read");
    }
    assert_covers(&whole, bytes.len() as u64);
    whole
}

#[track_caller]
fn read(bytes: &[u8]) -> Vec<Entry> {
    read_with(bytes, Limits::default())
}

/// Entries follow each other without gaps, and those that overlap share a member.
#[track_caller]
fn assert_covers(entries: &[Entry], length: u64) {
    let unread = |entry: &Entry| matches!(entry.damage, Some(Damage::Unsupported(_)));
    let mut end = 0;
    let mut last = 0;
    for entry in entries.iter().filter(|entry| !unread(entry)) {
        let shares = 0 < entry.within || entry.offset == last;
        assert!(entry.offset == end || (shares && entry.offset <= end), "{entry:?} after {end}");
        assert!(0 < entry.length, "{entry:?}");
        last = entry.offset;
        end = end.max(entry.offset + entry.length);
    }
    if !entries.iter().any(unread) {
        assert_eq!(end, length, "the archive is covered to its end");
    }
}

/// What was read, in short: `3` for record 3, `3 truncated` for what is left of it, `garbage` for what is none.
fn summary(entries: &[Entry]) -> Vec<String> {
    entries
        .iter()
        .map(|entry| {
            let id = entry.head.as_ref().and_then(|head| head.record_id()).unwrap_or_default();
            let damage = entry.damage.map_or("", |damage| damage.reason());
            format!("{id} {damage}").trim().to_owned()
        })
        .collect()
}

#[track_caller]
fn check(bytes: &[u8], expected: &[&str]) {
    assert_eq!(summary(&read(bytes)), expected);
}

/// Text that compresses like text, and not the same for any two numbers.
fn body(number: usize) -> String {
    let mut state = number as u64 + 1;
    (0..400)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ["the ", "crawl ", "<p>", "of\n", "pages ", "x7 ", "ends ", "\r\n"][(state >> 60) as usize % 8]
        })
        .collect()
}

fn record_as(number: usize, block: &[u8], length: &str) -> Vec<u8> {
    let mut record = format!(
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: {number}\r\nWARC-Date: 2024-01-01T00:00:00Z\r\n\
         {length}\r\n"
    )
    .into_bytes();
    record.extend_from_slice(block);
    record.extend_from_slice(b"\r\n\r\n");
    record
}

fn record(number: usize) -> Vec<u8> {
    let body = body(number);
    record_as(number, body.as_bytes(), &format!("Content-Length: {}\r\n", body.len()))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

fn plain(record: &[u8]) -> Vec<u8> {
    record.to_vec()
}

/// Forty records, one of them different.
fn forty(store: fn(&[u8]) -> Vec<u8>, twentieth: &[u8]) -> Vec<u8> {
    (0..40)
        .flat_map(|number| if number == 20 { twentieth.to_vec() } else { store(&record(number)) })
        .collect()
}

fn forty_with(twentieth: &[&str]) -> Vec<String> {
    let number = |number: usize| number.to_string();
    (0..20)
        .map(number)
        .chain(twentieth.iter().map(|&entry| entry.to_owned()))
        .chain((21..40).map(number))
        .collect()
}

#[track_caller]
fn check_forty(archive: &[u8], twentieth: &[&str]) {
    assert_eq!(summary(&read(archive)), forty_with(twentieth));
}

#[test]
fn good_archives_are_read_whole() {
    for store in [plain, gzip] {
        let archive = forty(store, &store(&record(20)));
        let entries = read(&archive);
        assert_eq!(summary(&entries), forty_with(&["20"]));
        for (number, entry) in entries.iter().enumerate() {
            assert_eq!(entry.block, body(number).as_bytes());
            assert_eq!(entry.oddities, []);
            let stored = &archive[entry.offset as usize..][..entry.length as usize];
            assert_eq!(stored, store(&record(number)), "a record can be read from its own bytes");
        }
    }
}

#[test]
fn one_member_may_hold_several_records() {
    let all: Vec<u8> = (0..40).flat_map(record).collect();
    let entries = read(&gzip(&all));
    assert_eq!(summary(&entries), forty_with(&["20"]));
    assert!(entries.iter().all(|entry| entry.offset == 0));
    assert!(entries.windows(2).all(|pair| pair[0].within < pair[1].within));
    let mixed = [gzip(&[record(0), record(1)].concat()), gzip(&record(2))].concat();
    check(&mixed, &["0", "1", "2"]);
}

#[test]
fn a_record_may_run_over_several_members() {
    let all: Vec<u8> = (0..40).flat_map(record).collect();
    for size in [100, 1000, 5000] {
        let archive: Vec<u8> = all.chunks(size).flat_map(gzip).collect();
        let entries = read(&archive);
        assert_eq!(summary(&entries), forty_with(&["20"]));
        for (number, entry) in entries.iter().enumerate() {
            assert_eq!(entry.block, body(number).as_bytes());
        }
    }
}

#[test]
fn a_corrupt_member_costs_its_own_record() {
    let mut member = gzip(&record(20));
    let middle = member.len() / 2;
    for byte in &mut member[middle..middle + 8] {
        *byte ^= 0x5a;
    }
    let entries = read(&forty(gzip, &member));
    assert_eq!(entries.len(), 40);
    assert_eq!(entries.iter().filter(|entry| entry.damage.is_none()).count(), 39);
}

#[test]
fn every_corrupt_byte_of_a_member_costs_at_most_its_own_record() {
    let good = gzip(&record(1));
    for at in 0..good.len() {
        let mut member = good.clone();
        member[at] ^= 0x41;
        let entries =
            read_cut(&[gzip(&record(0)), member, gzip(&record(2))].concat(), usize::MAX, Limits::default());
        let ids = summary(&entries);
        assert_eq!((ids.first().unwrap().as_str(), ids.last().unwrap().as_str()), ("0", "2"), "at {at}");
        for entry in entries.iter().filter(|entry| entry.damage.is_none()) {
            let number = entry.head.as_ref().unwrap().get("warc-record-id").unwrap().parse().unwrap();
            assert!(entry.block == body(number).as_bytes(), "at {at}");
        }
    }
}

#[test]
fn a_wrong_checksum_costs_the_record_and_shows_its_block() {
    let mut member = gzip(&record(20));
    let end = member.len();
    member[end - 6] ^= 1;
    let archive = forty(gzip, &member);
    check_forty(&archive, &["20 wrong_checksum"]);
    assert_eq!(read(&archive)[20].block, body(20).as_bytes());
}

#[test]
fn garbage_between_records_costs_none() {
    let garbage = b"\x1f\x8b\x08 is not a member, and WARC/1.0 is not a head.\r\nWARC/1.0\r\nnor is this\r\n";
    for store in [plain, gzip] {
        let twentieth = [store(&record(20)), garbage.to_vec()].concat();
        check_forty(&forty(store, &twentieth), &["20", "garbage"]);
    }
    check(&[garbage.to_vec(), record(0)].concat(), &["garbage", "0"]);
    check(&[garbage.to_vec(), gzip(&record(0))].concat(), &["garbage", "0"]);
    check(&[gzip(&record(0)), vec![0; 5000]].concat(), &["0", "garbage"]);
    check(&gzip(&[record(0), garbage.to_vec(), record(1)].concat()), &["0", "garbage", "1"]);
    check(b"<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>\n", &["garbage"]);
    check(&gzip(b"<html>nothing</html>"), &["garbage"]);
}

#[test]
fn a_cut_archive_is_never_taken_for_a_whole_one() {
    for store in [plain, gzip] {
        let first = store(&record(0));
        let archive = [first.clone(), store(&record(1))].concat();
        // The last four bytes of a plain archive are only the line ends behind the last block.
        let last = archive.len() - if store(b"x") == b"x" { 4 } else { 0 };
        for cut in first.len() + 1..last {
            let entries = read_cut(&archive[..cut], usize::MAX, Limits::default());
            assert_eq!(entries.len(), 2, "cut at {cut}");
            assert_eq!(entries[0].damage, None, "cut at {cut}");
            let damage = entries[1].damage.unwrap();
            assert!(matches!(damage, Damage::Truncated | Damage::Garbage), "cut at {cut}: {damage:?}");
        }
    }
    let archive = forty(gzip, &gzip(&record(20)));
    let cut = read(&archive)[20].offset as usize + 300;
    let entries = read(&archive[..cut]);
    assert_eq!((entries.len(), entries[20].damage), (21, Some(Damage::Truncated)));
    assert!(body(20).as_bytes().starts_with(&entries[20].block) && !entries[20].block.is_empty());
}

#[test]
fn a_wrong_length_costs_its_own_record() {
    let length = body(20).len();
    for store in [plain, gzip] {
        for (wrong, word) in [
            ((length + 7).to_string(), "contradicted_length"),
            ((length - 7).to_string(), "contradicted_length"),
            ((length + 4000).to_string(), "contradicted_length"),
            ("99999999999".to_owned(), "contradicted_length"),
            ("10000000000000".to_owned(), "contradicted_length"),
            (u64::MAX.to_string(), "contradicted_length"),
            ("1".repeat(300), "contradicted_length"),
            ("-1".to_owned(), "bad_length"),
            ("0x10".to_owned(), "bad_length"),
            ("many".to_owned(), "bad_length"),
        ] {
            let twentieth = record_as(20, body(20).as_bytes(), &format!("Content-Length: {wrong}\r\n"));
            check_forty(&forty(store, &store(&twentieth)), &[&format!("20 {word}")]);
            let one_member = gzip(&forty(plain, &twentieth));
            check_forty(&one_member, &[&format!("20 {word}")]);
        }
        let without = record_as(20, body(20).as_bytes(), "");
        check_forty(&forty(store, &store(&without)), &["20 missing_length"]);
        assert_eq!(read(&store(&without))[0].block, body(20).as_bytes());
    }
}

#[test]
fn heads_may_be_odd() {
    let block = "block";
    let check = |head: &str, separator: &str, oddities: &[Oddity]| {
        for store in [plain, gzip] {
            let odd = format!("{head}{block}{separator}");
            let archive = [store(&record(0)), store(odd.as_bytes()), store(&record(2))].concat();
            let entries = read(&archive);
            assert_eq!(entries.len(), 3, "{head}");
            assert_eq!((&*entries[1].block, entries[1].damage), (block.as_bytes(), None), "{head}");
            assert_eq!(entries[1].oddities, oddities, "{head}");
        }
    };
    let id = "WARC-Record-ID: 1\r\nWARC-Type: x\r\nWARC-Date: y\r\nContent-Length: 5\r\n\r\n";
    check(&format!("WARC/2.0\r\n{id}"), "\r\n\r\n", &[]);
    check(&format!("WARC/0.17\r\n{id}"), "\r\n\r\n", &[]);
    check(&format!("WARC/1.0\r\n{}", id.to_lowercase()), "\r\n\r\n", &[]);
    check(&format!("WARC/1.0\n{}", id.replace('\r', "")), "\n\n", &[Oddity::LfLines]);
    check(&format!("WARC/1.0\r\n{}", id.replace(" 1", "\r\n 1")), "\r\n\r\n", &[Oddity::FoldedLine]);
    check(&format!("WARC/1.0\r\n{id}"), "\r\n", &[Oddity::Separator]);
    check(&format!("WARC/1.0\r\n{id}"), "", &[Oddity::Separator]);
    check(&format!("WARC/1.0\r\n{id}"), "\r\r\n\r\n\n", &[Oddity::Separator]);
    check(&format!("WARC/1.0\r\n{}", id.replace("WARC-Record-ID", "Id")), "\r\n\r\n", &[Oddity::MissingId]);
}

#[test]
fn heads_that_are_none_cost_their_own_record() {
    for store in [plain, gzip] {
        let long_line = record_as(20, b"x", &format!("Content-Length: 1\r\nA: {}\r\n", "a".repeat(20_000)));
        check_forty(&forty(store, &store(&long_line)), &["head_too_large"]);
        let long_head = record_as(20, b"x", &format!("Content-Length: 1\r\n{}", "A: a\r\n".repeat(20_000)));
        check_forty(&forty(store, &store(&long_head)), &["head_too_large"]);
        let bad = String::from_utf8(record(20)).unwrap().replace("WARC/1.0", "WARC/one");
        check_forty(&forty(store, &store(bad.as_bytes())), &["bad_head"]);
    }
}

#[test]
fn large_blocks_are_passed_over() {
    let limits = Limits { block_bytes: 1000, ..Limits::default() };
    let large = record_as(1, &vec![b'x'; 5000], "Content-Length: 5000\r\n");
    for store in [plain, gzip] {
        let small = |number| store(&record_as(number, b"x", "Content-Length: 1\r\n"));
        let entries = read_with(&[small(0), store(&large), small(2)].concat(), limits);
        assert_eq!(summary(&entries), ["0", "1 too_large", "2"]);
        assert!(entries[1].block.is_empty());
    }
}

#[test]
fn a_bomb_is_left_before_it_has_gone_off() {
    let limits = Limits { block_bytes: 1 << 20, ..Limits::default() };
    let zeros = vec![0; 64 << 20];
    let bomb = record_as(1, &zeros, &format!("Content-Length: {}\r\n", zeros.len()));
    let archive = [gzip(&record(0)), gzip(&bomb), gzip(&record(2)), gzip(&zeros), gzip(&record(3))].concat();
    let entries = read_cut(&archive, usize::MAX, limits);
    assert_eq!(summary(&entries), ["0", "1 too_large", "2", "garbage", "3"]);
    assert!(entries.iter().all(|entry| entry.block.capacity() <= 2 << 20));
}

#[test]
fn other_formats_are_named() {
    let check = |bytes: &[u8], format| {
        let entries = read(bytes);
        let damage: Vec<_> = entries.iter().map(|entry| entry.damage).collect();
        assert_eq!(damage, [Some(Damage::Unsupported(format))]);
    };
    check(b"\x28\xb5\x2f\xfd and more", Format::Zstd);
    check(b"\x5d\x2a\x4d\x18 a dictionary", Format::Zstd);
    check(b"\x04\x22\x4d\x18 and more", Format::Lz4);
    check(b"BZh91AY&SY", Format::Bzip2);
    check(b"PK\x03\x04 and more", Format::Zip);
    check(b"filedesc://a.arc 0.0.0.0 20140301000000 text/plain 9\n", Format::Arc);
    check(&gzip(b"filedesc://a.arc 0.0.0.0 20140301000000 text/plain 9\n"), Format::Arc);
    assert_eq!(read(b""), []);
}

#[test]
fn an_error_of_the_source_ends_the_entries() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let archive = record(0);
    let mut reader = Reader::new(archive.chain(Fails), Limits::default());
    assert_eq!(reader.next().unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert!(reader.next().is_none());
}

#[test]
fn false_starts_do_not_multiply_the_work() {
    // Each head claims all the rest; each is found to lie only at the archive's end.
    let liar = b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 50000000\r\n\r\n";
    let archive = liar.repeat(100_000);
    let entries = read_cut(&archive, usize::MAX, Limits::default());
    assert!(entries.len() < 1000, "{} entries, each made by reading the rest", entries.len());
    assert!(entries.iter().all(|entry| entry.damage.is_some()));
    // What looks like members whose names have no end: looking for each end through the rest would take minutes.
    let archive = [gzip(&record(0)), b"\x1f\x8b\x08\x08aaaaaa".repeat(200_000)].concat();
    assert_eq!(summary(&read_cut(&archive, usize::MAX, Limits::default())), ["0", "garbage"]);
}

#[test]
fn another_reader_agrees() {
    let archive: Vec<u8> = (0..40).flat_map(record).collect();
    // That one wants UUIDs or the like, and is given what it wants.
    let theirs: Vec<Vec<u8>> = warc::WarcReader::new(io::BufReader::new(&*archive))
        .iter_raw_records()
        .map(|record| record.unwrap().1)
        .collect();
    let ours: Vec<Vec<u8>> = read(&archive).into_iter().map(|entry| entry.block).collect();
    assert_eq!(ours, theirs);
}

fn archive() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(forty(plain, &record(20))),
        Just(forty(gzip, &gzip(&record(20)))),
        Just((0..40).flat_map(record).collect::<Vec<u8>>()).prop_map(|all| gzip(&all)),
        (50..3000_usize).prop_map(|size| {
            (0..10).flat_map(record).collect::<Vec<u8>>().chunks(size).flat_map(gzip).collect()
        }),
    ]
}

#[derive(Debug, Clone)]
enum Change {
    Flip(u8),
    Remove(usize),
    Insert(Vec<u8>),
    Repeat(usize),
    End,
}

fn change() -> impl Strategy<Value = (prop::sample::Index, Change)> {
    let change = prop_oneof![
        4 => (1..=255_u8).prop_map(Change::Flip),
        1 => (1..2000_usize).prop_map(Change::Remove),
        1 => prop::collection::vec(any::<u8>(), 1..200).prop_map(Change::Insert),
        1 => Just(Change::Insert(b"\r\n\r\n".to_vec())),
        1 => Just(Change::Insert(gzip(b""))),
        1 => (1..3000_usize).prop_map(Change::Repeat),
        1 => Just(Change::End),
    ];
    (any::<prop::sample::Index>(), change)
}

fn changed(mut bytes: Vec<u8>, changes: &[(prop::sample::Index, Change)]) -> Vec<u8> {
    for (index, change) in changes {
        let at = index.index(bytes.len() + 1).min(bytes.len());
        let to = |size: &usize| (at + size).min(bytes.len());
        match change {
            Change::Flip(mask) => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= mask),
            Change::Remove(size) => drop(bytes.drain(at..to(size))),
            Change::Insert(more) => drop(bytes.splice(at..at, more.iter().copied())),
            Change::Repeat(size) => {
                let more = bytes[at..to(size)].to_vec();
                drop(bytes.splice(at..at, more));
            }
            Change::End => bytes.truncate(at),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_archive_is_too_broken_to_be_read(
        archive in archive(),
        changes in prop::collection::vec(change(), 0..5),
        size in 1..10_000_usize,
    ) {
        let bytes = changed(archive, &changes);
        let whole = read_cut(&bytes, usize::MAX, Limits::default());
        prop_assert!(read_cut(&bytes, size, Limits::default()) == whole);
        let mut last = (0, 0);
        for entry in &whole {
            prop_assert!(last <= (entry.offset, entry.within), "in the order of the archive");
            prop_assert!(entry.offset + entry.length <= bytes.len() as u64);
            last = (entry.offset, entry.within);
        }
    }

    #[test]
    fn no_bytes_are_too_broken_to_be_read(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        read(&bytes);
    }

    #[test]
    fn plain_archives_are_covered_whatever_happened_to_them(
        changes in prop::collection::vec(change(), 0..5),
    ) {
        let bytes = changed(forty(plain, &record(20)), &changes);
        let entries = read_cut(&bytes, usize::MAX, Limits::default());
        if entries.first().is_none_or(|entry| entry.offset == 0) {
            assert_covers(&entries, bytes.len() as u64);
        }
    }

    #[test]
    fn small_limits_hold(block_bytes in 0..3000_usize, head_bytes in 10..400_usize) {
        let limits = Limits { block_bytes, head_bytes, line_bytes: 100 };
        for archive in [forty(plain, &record(20)), forty(gzip, &gzip(&record(20)))] {
            for entry in read_cut(&archive, usize::MAX, limits) {
                prop_assert!(entry.block.len() <= block_bytes);
            }
        }
    }
}
