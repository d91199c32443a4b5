//! Members that are unpacked at once and in pieces make the same entries, whatever is wrong with them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;
use crate::mark::Container;

/// `at_once` says which of the two ways is to be gone, where there are two.
fn read(bytes: &[u8], container: Container, at_once: bool, limits: Limits) -> Vec<Entry> {
    let mark = Mark::new(0, container, Syntax::Undecided);
    let mut reader = Reader::resume(bytes, mark, None, limits);
    if !at_once {
        reader.text.never_at_once();
    }
    reader.collect::<io::Result<_>>().unwrap()
}

/// A way of storing records.
type Store = fn(&[u8]) -> Vec<u8>;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut compressor = zstd::bulk::Compressor::new(1).unwrap();
    compressor.include_checksum(true).unwrap();
    compressor.compress(bytes).unwrap()
}

fn record(number: u64, size: usize) -> Vec<u8> {
    let mut state = number;
    let block: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        b"etaoin<p>shrdlu \n"[(state >> 60) as usize]
    })
    .take(size)
    .collect();
    let head = format!("WARC/1.0\r\nWARC-Record-ID: {number}\r\nContent-Length: {size}\r\n\r\n");
    [head.as_bytes(), &block, b"\r\n\r\n"].concat()
}

#[derive(Debug, Clone)]
struct Archive {
    container: Container,
    bytes: Vec<u8>,
}

prop_compose! {
    /// Records of all sizes, so many in a member.
    fn archive()(
        sizes in prop::collection::vec(prop_oneof![0..300_usize, 0..90_000_usize], 1..8),
        shared in 1..4_usize,
        gz in any::<bool>(),
    ) -> Archive {
        let records: Vec<_> = sizes.iter().zip(0..).map(|(&size, number)| record(number, size)).collect();
        let (container, pack): (_, Store) =
            if gz { (Container::Gzip, gzip) } else { (Container::Zstd, zstd) };
        Archive { container, bytes: records.chunks(shared).flat_map(|records| pack(&records.concat())).collect() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn both_ways_lead_to_the_same_entries(
        Archive { container, mut bytes } in archive(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 0..4),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
        block_bytes in prop_oneof![Just(crate::BLOCK_BYTES), 0..50_000_usize],
    ) {
        for (index, mask) in flips {
            let at = index.index(bytes.len());
            bytes[at] ^= mask;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let limits = Limits { block_bytes, ..Limits::default() };
        let at_once = read(&bytes, container, true, limits);
        prop_assert!(at_once == read(&bytes, container, false, limits));
    }
}

#[test]
fn what_is_not_small_is_read_as_well() {
    let large = record(1, 9 << 20);
    for (container, archive) in [
        (Container::Gzip, [gzip(&record(0, 10)), gzip(&large), gzip(&record(2, 10))].concat()),
        (Container::Zstd, [zstd(&record(0, 10)), zstd(&large), zstd(&record(2, 10))].concat()),
    ] {
        let entries = read(&archive, container, true, Limits::default());
        assert!(entries == read(&archive, container, false, Limits::default()));
        assert!(entries.iter().all(|entry| entry.damage.is_none()));
        assert_eq!(entries.iter().map(|entry| entry.block.len()).collect::<Vec<_>>(), [10, 9 << 20, 10]);
    }
}

#[test]
fn a_size_that_is_not_true_costs_no_record() {
    // The size of the first member is found in front of bytes that look like the next one and are not.
    let mut fake = b"\x1f\x8b\x08".repeat(3);
    fake.splice(3..3, [0, 1, 0, 0]);
    let block = [fake.as_slice(), &record(9, 100)].concat();
    let head = format!("WARC/1.0\r\nWARC-Record-ID: 1\r\nContent-Length: {}\r\n\r\n", block.len());
    let nested = [head.as_bytes(), &block, b"\r\n\r\n"].concat();
    let mut stored = GzEncoder::new(Vec::new(), Compression::none());
    stored.write_all(&nested).unwrap();
    let archive = [gzip(&record(0, 10)), stored.finish().unwrap(), gzip(&record(2, 10))].concat();
    let entries = read(&archive, Container::Gzip, true, Limits::default());
    assert!(entries == read(&archive, Container::Gzip, false, Limits::default()));
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[1].block, block);
}
