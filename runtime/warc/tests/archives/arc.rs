//! ARC, in all its ways of being stored.

use palimpsest_warc::{Damage, Entry, Limits, Oddity, RecordType};

use crate::support::{PACKED, STORES, plain, read, read_cut};

const VERSION: &str = "filedesc://a.arc 0.0.0.0 20140216050221 text/plain 61\n1 0 A\nURL IP-address Archive-date \
                       Content-type Archive-length\n\n";

fn version_block(text: &str) -> Vec<u8> {
    format!("filedesc://a.arc 0.0.0.0 20140216050221 text/plain {}\n{text}", text.len()).into_bytes()
}

fn capture(url: &str, block: &str, length: &str) -> Vec<u8> {
    format!("{url} 1.2.3.4 20140216050221 text/html {length}\n{block}\n").into_bytes()
}

fn page(number: usize) -> Vec<u8> {
    let block = block(number);
    capture(&format!("http://a/{number}"), &block, &block.len().to_string())
}

fn block(number: usize) -> String {
    format!("HTTP/1.1 200 OK\r\n\r\n<p>page {number}\nhttp://b/ is linked\n</p>").repeat(1 + number % 3)
}

fn summary(entries: &[Entry]) -> Vec<String> {
    entries
        .iter()
        .map(|entry| {
            let uri = entry.head.as_ref().and_then(|head| head.target_uri()).unwrap_or_default();
            let damage = entry.damage.map_or("", |damage| damage.reason());
            format!("{uri} {damage}").trim().to_owned()
        })
        .collect()
}

#[track_caller]
fn check(archive: &[u8], expected: &[&str]) {
    assert_eq!(summary(&read(archive)), expected);
}

#[test]
fn records_read_like_those_of_warc() {
    for store in STORES {
        let archive =
            [store(&version_block("1 1 A\nURL\n<xml/>\n")), store(&page(1)), store(&page(2))].concat();
        let entries = read(&archive);
        let head = |entry: usize| entries[entry].head.as_ref().unwrap();
        assert_eq!(head(0).record_type(), Some(RecordType::WarcInfo));
        assert_eq!(head(0).target_uri().unwrap(), "filedesc://a.arc");
        assert!(entries[0].block.ends_with(b"<xml/>\n"));
        assert_eq!(head(1).record_type(), Some(RecordType::Response));
        assert_eq!(head(1).target_uri().unwrap(), "http://a/1");
        assert_eq!(head(1).date().unwrap(), "2014-02-16T05:02:21Z");
        assert_eq!(head(1).content_type().unwrap(), "text/html");
        assert_eq!(head(1).content_length().unwrap(), block(1).len().to_string());
        assert!(head(1).is_arc() && head(1).version() == "ARC/1");
        assert_eq!(entries[1].block, block(1).as_bytes());
        assert_eq!(entries[2].block, block(2).as_bytes());
        assert!(entries.iter().all(|entry| entry.damage.is_none() && entry.oddities.is_empty()));
        assert_eq!(entries.len(), 3);
    }
}

#[test]
fn ten_fields_are_read_as_well_as_five() {
    let version = "filedesc://a.arc 0.0.0.0 19960923142103 text/plain 200 - - 0 a.arc 9\n2 0 Alexa\n";
    let capture = "http://a/ 1.2.3.4 19960923142103 text/html 404 cafe http://b/ 85 a.arc 4\nabc\n\n";
    let entries = read(format!("{version}\n{capture}").as_bytes());
    assert_eq!(summary(&entries), ["filedesc://a.arc", "http://a/"]);
    let head = entries[1].head.as_ref().unwrap();
    assert_eq!(head.version(), "ARC/2");
    assert_eq!(head.get("arc-result-code").unwrap(), "404");
    assert_eq!(head.get("arc-location").unwrap(), "http://b/");
    assert_eq!(entries[1].block, b"abc\n");
}

#[test]
fn an_archive_may_be_one_member_or_records_run_over_many() {
    let all = [VERSION.as_bytes().to_vec(), page(1), page(2), page(3)].concat();
    let expected = ["filedesc://a.arc", "http://a/1", "http://a/2", "http://a/3"];
    for pack in PACKED {
        check(&pack(&all), &expected);
        for size in [10, 50, 200] {
            let archive: Vec<u8> = all.chunks(size).flat_map(pack).collect();
            // The last line end may have a member to itself, which belongs to no entry.
            let entries = read_cut(&archive, 7, Limits::default());
            assert_eq!(summary(&entries), expected, "{size} bytes a member");
            assert_eq!(entries[3].block, block(3).as_bytes());
        }
    }
}

#[test]
fn records_need_nothing_between_them() {
    let one = |number| page(number).strip_suffix(b"\n").unwrap().to_vec();
    let block = "dns\n";
    let archive = [version_block("1 1 A\n"), capture("dns:a", block, "4"), one(1), one(2)].concat();
    check(&archive, &["filedesc://a.arc", "dns:a", "http://a/1", "http://a/2"]);
    let entries = read(&archive);
    assert!(entries.iter().all(|entry| entry.oddities.is_empty()), "{entries:?}");
}

#[test]
fn urls_may_have_blanks_and_archives_may_lack_their_beginning() {
    let spaced = capture("http://a/?title=Of Mice And Men", "x", "1");
    let entries = read(&[spaced, page(1)].concat());
    assert_eq!(summary(&entries), ["http://a/?title=Of Mice And Men", "http://a/1"]);
    assert_eq!(entries[0].oddities, [Oddity::ArcLine]);
    check(&[b"garbage\n".to_vec(), page(1), page(2)].concat(), &["garbage", "http://a/1", "http://a/2"]);
}

#[test]
fn wrong_lengths_cost_their_own_record() {
    let long = block(2).len() + 50;
    for (length, word) in [
        ("-1".to_owned(), "bad_length"),
        ("abc".to_owned(), "bad_length"),
        (long.to_string(), "contradicted_length"),
        ("10".to_owned(), "contradicted_length"),
        ("29000000000".to_owned(), "contradicted_length"),
        ("9".repeat(30), "contradicted_length"),
    ] {
        for store in STORES {
            let wrong = capture("http://a/2", &block(2), &length);
            let archive: Vec<u8> = [VERSION.as_bytes().to_vec(), page(1), wrong, page(3)]
                .iter()
                .flat_map(|one| store(one))
                .collect();
            let second = format!("http://a/2 {word}");
            check(&archive, &["filedesc://a.arc", "http://a/1", &second, "http://a/3"]);
        }
    }
}

#[test]
fn damage_costs_the_records_of_its_member() {
    for pack in PACKED {
        let good = pack(&page(1));
        for at in 0..good.len() {
            let mut member = good.clone();
            member[at] ^= 0x41;
            let archive = [pack(VERSION.as_bytes()), member.clone(), pack(&page(2))].concat();
            let words = summary(&read(&archive));
            assert_eq!(
                (&*words[0], words.last().unwrap().as_str()),
                ("filedesc://a.arc", "http://a/2"),
                "at {at}"
            );
            // The first member shows what the archive is; but so do the others.
            let words = summary(&read(&[member, pack(&page(2)), pack(&page(3))].concat()));
            assert!(
                words.ends_with(&["http://a/2".to_owned(), "http://a/3".to_owned()]),
                "at {at}: {words:?}"
            );
        }
    }
}

#[test]
fn a_cut_archive_is_never_taken_for_a_whole_one() {
    for store in STORES {
        let first = store(&page(1));
        let archive = [first.clone(), store(&page(2))].concat();
        // The last byte of a plain archive is only the line end behind the last block.
        let last = archive.len() - usize::from(store(b"x") == plain(b"x"));
        for cut in first.len() + 1..last {
            let entries = read(&archive[..cut]);
            assert_eq!(entries.len(), 2, "cut at {cut}");
            assert_eq!(entries[0].damage, None, "cut at {cut}");
            let damage = entries[1].damage.unwrap();
            assert!(matches!(damage, Damage::Truncated | Damage::Garbage), "cut at {cut}: {damage:?}");
        }
    }
}
