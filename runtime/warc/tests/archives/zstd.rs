//! What only zstd has: dictionaries, frames to be skipped, frames without a size, windows.

use std::io::Write;

use palimpsest_warc::{Damage, Dictionary, Limits, Reader};

use crate::support::*;

fn skippable(magic: u8, bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![magic, 0x2a, 0x4d, 0x18];
    frame.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    frame.extend_from_slice(bytes);
    frame
}

/// One that was trained on records like those of the tests.
fn trained() -> Vec<u8> {
    let samples: Vec<Vec<u8>> = (100..400).map(record).collect();
    ::zstd::dict::from_samples(&samples, 4 << 10).expect("there are enough samples")
}

fn forty_with_dictionary(dictionary: &[u8], stored: &[u8]) -> Vec<u8> {
    let mut archive = skippable(0x5d, stored);
    for number in 0..40 {
        archive.extend_from_slice(&zstd_with(dictionary, &record(number)));
    }
    archive
}

#[test]
fn dictionaries_are_used_plain_or_compressed() {
    let trained = trained();
    for stored in [trained.clone(), zstd(&trained)] {
        let archive = forty_with_dictionary(&trained, &stored);
        let entries = read_cut(&archive, usize::MAX, Limits::default());
        assert_eq!(summary(&entries), forty_with(&["20"]));
        assert!(entries.iter().all(|entry| entry.block == body(number(entry)).as_bytes()));
        assert_eq!(entries[0].offset, 8 + stored.len() as u64);
        assert_eq!(read_cut(&archive, 1, Limits::default()), entries);
    }
    // Any bytes will do; frames do not say that they need them.
    let raw = body(7).into_bytes();
    let entries = read_cut(&forty_with_dictionary(&raw, &raw), 7, Limits::default());
    assert_eq!(summary(&entries), forty_with(&["20"]));
}

#[test]
fn a_dictionary_is_read_from_the_beginning_of_an_archive() {
    let trained = trained();
    let archive = forty_with_dictionary(&trained, &zstd(&trained));
    assert!(Dictionary::of(&*archive).unwrap().is_some());
    let other = forty_with_dictionary(&trained, &trained);
    assert_eq!(Dictionary::of(&*other).unwrap(), Dictionary::of(&*archive).unwrap());
    for without in [zstd(&record(0)), gzip(&record(0)), record(0), Vec::new(), archive[..100].to_vec()] {
        assert_eq!(Dictionary::of(&*without).unwrap(), None);
    }
}

#[test]
fn what_cannot_be_read_without_its_dictionary_is_said_to_be_so() {
    let trained = trained();
    let archive = forty_with_dictionary(&trained, &trained);
    let frames = &archive[8 + trained.len()..];
    check(frames, &["missing_dictionary"]);
    let damaged = forty_with_dictionary(&trained, b"\x28\xb5\x2f\xfd is no frame");
    let words = summary(&read_cut(&damaged, usize::MAX, Limits::default()));
    assert_eq!(words, ["bad_dictionary", "missing_dictionary"]);
    // Frames that do not need it are read all the same.
    let both = [skippable(0x5d, b""), zstd(&record(0)), frames.to_vec(), zstd(&record(1))].concat();
    let words = summary(&read_cut(&both, usize::MAX, Limits::default()));
    assert_eq!(words, ["bad_dictionary", "0", "missing_dictionary", "1"]);
    check(&skippable(0x5d, &trained)[..1000], &["bad_dictionary"]);
}

#[test]
fn frames_to_be_skipped_are_skipped() {
    let skipped = [skippable(0x50, b"WARC/1.0 or not"), skippable(0x5f, &vec![7; 3 << 20])].concat();
    let archive = [skipped.clone(), zstd(&record(0)), skipped.clone(), zstd(&record(1)), skipped].concat();
    for size in [usize::MAX, 4099] {
        let entries = read_cut(&archive, size, Limits::default());
        assert_eq!(summary(&entries), ["0", "1"]);
    }
}

#[test]
fn a_wrong_length_of_a_frame_to_be_skipped_costs_no_record() {
    let mut skipped = skippable(0x50, b"seventeen letters");
    skipped[4] ^= 0x15;
    let archive = [zstd(&record(0)), skipped, zstd(&record(1))].concat();
    let entries = read_cut(&archive, usize::MAX, Limits::default());
    let words = summary(&entries);
    assert_eq!(words.len(), 3, "{words:?}");
    assert_eq!((&*words[0], &*words[2]), ("0", "1"));
    assert!(entries[1].damage.is_some());
}

/// As a writer makes them that does not know how much is to come.
fn streamed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ::zstd::stream::Encoder::new(Vec::new(), 1).expect("memory can be written");
    encoder.include_checksum(true).expect("memory can be written");
    for piece in bytes.chunks(1000) {
        encoder.write_all(piece).expect("memory can be written");
    }
    encoder.finish().expect("memory can be written")
}

#[test]
fn frames_need_not_say_how_large_they_are() {
    let archive = forty(streamed, &streamed(&record(20)));
    let entries = read(&archive);
    assert_eq!(summary(&entries), forty_with(&["20"]));
    let all: Vec<u8> = (0..2000).flat_map(record).collect();
    let entries = read_cut(&streamed(&all), usize::MAX, Limits::default());
    assert_eq!(entries.len(), 2000);
    assert!(entries.iter().all(|entry| entry.block == body(number(entry)).as_bytes()));
}

#[test]
fn a_wrong_checksum_is_told_from_other_damage() {
    let mut member = zstd(&record(20));
    let end = member.len();
    member[end - 2] ^= 1;
    let entries = read(&forty(zstd, &member));
    assert_eq!(summary(&entries), forty_with(&["20 wrong_checksum"]));
    assert_eq!(entries[20].block, body(20).as_bytes());
}

#[test]
fn a_window_that_is_too_large_is_refused() {
    // No size, no checksum, a window of 2^31 bytes, one block that holds nothing.
    let asks = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00];
    let archive = [zstd(&record(0)), asks.to_vec(), zstd(&record(1))].concat();
    check(&archive, &["0", "window_too_large", "1"]);
}

#[test]
fn records_go_on_after_damage_among_large_frames() {
    let large: String = (0..2000).map(body).collect();
    let large = record_as(1, large.as_bytes(), &format!("Content-Length: {}\r\n", large.len()));
    let whole = streamed(&large);
    for at in [10, 1000, whole.len() / 2, whole.len() - 10] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        let archive = [zstd(&record(0)), damaged, zstd(&record(2))].concat();
        let entries: Vec<_> = Reader::new(&*archive, Limits::default()).map(Result::unwrap).collect();
        let words = summary(&entries);
        assert_eq!((&*words[0], &*words[words.len() - 1]), ("0", "2"), "at {at}: {words:?}");
        let hit = entries.iter().filter(|entry| entry.damage.is_some()).count();
        assert_eq!(hit, words.len() - 2, "at {at}: {words:?}");
        let zstd = [Damage::CorruptZstd, Damage::WrongChecksum].map(Some);
        assert!(zstd.contains(&entries[1].damage), "at {at}: {words:?}");
    }
}
