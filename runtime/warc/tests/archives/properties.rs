//! Whatever chance makes of good archives.

use palimpsest_warc::{Entry, Limits, Reader};
use proptest::prelude::*;

use crate::support::*;

/// Records by themselves, all in one member, and over many members.
fn archive() -> impl Strategy<Value = Vec<u8>> {
    let all = || (0..40).flat_map(record).collect::<Vec<u8>>();
    prop_oneof![
        (0..STORES.len()).prop_map(|store| forty(STORES[store], &STORES[store](&record(20)))),
        (0..PACKED.len()).prop_map(move |pack| PACKED[pack](&all())),
        (0..PACKED.len(), 50..3000_usize).prop_map(|(pack, size)| over_many(PACKED[pack], size)),
    ]
}

fn over_many(pack: fn(&[u8]) -> Vec<u8>, size: usize) -> Vec<u8> {
    (0..10).flat_map(record).collect::<Vec<u8>>().chunks(size).flat_map(pack).collect()
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

/// `PROPTEST_CASES` asks for more of them.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)
}

/// Changes a byte of an archive of twelve records; `shares` says which of them are stored in which member.
fn one_flip_costs_its_member(
    members: &[Vec<u8>],
    at: prop::sample::Index,
    mask: u8,
    shares: impl Fn(usize, usize) -> bool,
) -> Result<(), TestCaseError> {
    let mut bytes = members.concat();
    let at = at.index(bytes.len());
    bytes[at] ^= mask;
    let mut end = 0;
    let hit = members
        .iter()
        .position(|member| {
            end += member.len();
            at < end
        })
        .expect("the byte is one of the archive");
    let entries = read_cut(&bytes, usize::MAX, Limits::default());
    let whole: Vec<usize> = entries.iter().filter(|entry| entry.damage.is_none()).map(number).collect();
    prop_assert!(whole.is_sorted_by(|one, next| one < next), "none is there twice: {whole:?}");
    for entry in entries.iter().filter(|entry| entry.damage.is_none()) {
        prop_assert!(entry.block == body(number(entry)).as_bytes(), "none is changed without a word");
    }
    for number in (0..12).filter(|&number| !shares(number, hit)) {
        prop_assert!(whole.contains(&number), "{number} was not hit: {whole:?}, byte {at} in member {hit}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

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
    fn reading_goes_on_behind_any_entry_that_ends_a_member(
        archive in archive(),
        changes in prop::collection::vec(change(), 0..4),
    ) {
        let bytes = changed(archive, &changes);
        let whole = read_cut(&bytes, usize::MAX, Limits::default());
        let mut reader = Reader::new(&*bytes, Limits::default());
        for read in 1..=whole.len() {
            let entry = reader.next().unwrap().unwrap();
            let mark = reader.mark();
            prop_assert_eq!(mark.map(|mark| mark.offset), entry.resumable_after());
            let Some(mark) = mark else { continue };
            let rest = &bytes[mark.offset as usize..];
            let resumed: Vec<_> =
                Reader::resume(rest, mark, None, Limits::default()).collect::<Result<_, _>>().unwrap();
            let behind = &whole[read..];
            let place = |entry: &Entry| (entry.offset, entry.length, entry.within, entry.resumable_after());
            let places = |entries: &[Entry]| entries.iter().map(place).collect::<Vec<_>>();
            prop_assert_eq!(summary(&resumed), summary(behind), "behind {}", mark);
            prop_assert_eq!(places(&resumed), places(behind), "behind {}", mark);
            prop_assert!(resumed == behind, "behind {mark}");
        }
    }

    #[test]
    fn one_damaged_byte_costs_at_most_the_records_of_its_member(
        pack in 0..2_usize,
        shared in 1..4_usize,
        at in any::<prop::sample::Index>(),
        mask in 1..=255_u8,
    ) {
        let records: Vec<_> = (0..12).map(record).collect();
        let members: Vec<_> = records.chunks(shared).map(|records| PACKED[pack](&records.concat())).collect();
        one_flip_costs_its_member(&members, at, mask, |number, member| number / shared == member)?;
    }

    #[test]
    fn one_damaged_byte_costs_at_most_the_records_that_run_through_its_member(
        pack in 0..PACKED.len(),
        size in 50..3000_usize,
        at in any::<prop::sample::Index>(),
        mask in 1..=255_u8,
    ) {
        let records: Vec<_> = (0..12).map(record).collect();
        let members: Vec<_> = records.concat().chunks(size).map(PACKED[pack]).collect();
        let end = |number: usize| records[..=number].iter().map(Vec::len).sum::<usize>();
        one_flip_costs_its_member(&members, at, mask, |number, member| {
            let begin = end(number) - records[number].len();
            begin < (member + 1) * size && member * size < end(number)
        })?;
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
