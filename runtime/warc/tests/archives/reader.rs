//! Odd and damaged archives, each cut in several ways.

use std::io::{self, Read};

use palimpsest_warc::{Damage, Format, Limits, Oddity, Reader};

use crate::support::*;

#[test]
fn good_archives_are_read_whole() {
    for store in STORES {
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
    for pack in PACKED {
        let entries = read(&pack(&all));
        assert_eq!(summary(&entries), forty_with(&["20"]));
        assert!(entries.iter().all(|entry| entry.offset == 0));
        assert!(entries.windows(2).all(|pair| pair[0].within < pair[1].within));
        let mixed = [pack(&[record(0), record(1)].concat()), pack(&record(2))].concat();
        check(&mixed, &["0", "1", "2"]);
    }
}

#[test]
fn a_record_may_run_over_several_members() {
    let all: Vec<u8> = (0..40).flat_map(record).collect();
    for pack in PACKED {
        for size in (100..130).chain([1000, 5000]) {
            let archive: Vec<u8> = all.chunks(size).flat_map(pack).collect();
            let entries = read(&archive);
            assert_eq!(summary(&entries), forty_with(&["20"]));
            for (number, entry) in entries.iter().enumerate() {
                assert_eq!(entry.block, body(number).as_bytes());
            }
        }
    }
}

#[test]
fn a_corrupt_member_costs_its_own_record() {
    for pack in PACKED {
        let mut member = pack(&record(20));
        let middle = member.len() / 2;
        for byte in &mut member[middle..middle + 8] {
            *byte ^= 0x5a;
        }
        let entries = read(&forty(pack, &member));
        assert_eq!(entries.len(), 40);
        assert_eq!(entries.iter().filter(|entry| entry.damage.is_none()).count(), 39);
    }
}

#[test]
fn every_corrupt_byte_of_a_member_costs_at_most_its_own_record() {
    for pack in PACKED {
        let good = pack(&record(1));
        for at in 0..good.len() {
            let mut member = good.clone();
            member[at] ^= 0x41;
            let archive = [pack(&record(0)), member, pack(&record(2))].concat();
            let entries = read_cut(&archive, usize::MAX, Limits::default());
            let ids = summary(&entries);
            assert_eq!((ids.first().unwrap().as_str(), ids.last().unwrap().as_str()), ("0", "2"), "at {at}");
            for entry in entries.iter().filter(|entry| entry.damage.is_none()) {
                assert!(entry.block == body(number(entry)).as_bytes(), "at {at}");
            }
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
    for store in STORES {
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
    for store in STORES {
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
    for store in [plain, gzip, zstd] {
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
        for store in STORES {
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
    for store in STORES {
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
    for store in STORES {
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
    check(b"\x04\x22\x4d\x18 and more", Format::Lz4);
    check(b"PK\x03\x04 and more", Format::Zip);
    check(&gzip(b"PK\x03\x04 and more"), Format::Zip);
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

#[test]
fn no_record_of_a_changed_member_passes_for_whole() {
    let all: Vec<u8> = (0..3).flat_map(record).collect();
    for pack in PACKED {
        let good = pack(&all);
        for at in 0..good.len() {
            let mut member = good.clone();
            member[at] ^= 0x11;
            let entries = read_cut(&[member, pack(&record(3))].concat(), usize::MAX, Limits::default());
            let words = summary(&entries);
            assert_eq!(words.last().unwrap(), "3", "at {at}: {words:?}");
            // Gzip's header may say another time or system than it did.
            for entry in entries.iter().filter(|entry| entry.damage.is_none()) {
                assert!(entry.block == body(number(entry)).as_bytes(), "at {at}: {words:?}");
            }
        }
    }
}
