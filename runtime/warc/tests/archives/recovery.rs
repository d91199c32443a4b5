//! How much a given damage may cost: the criteria by which this reader is measured.

use std::collections::BTreeSet;

use palimpsest_warc::{Damage, Limits};

use crate::support::*;

const RECORDS: usize = 2000;
const FLIPS: usize = 40;

/// Places in the archive, the same in each run.
fn places(length: usize) -> BTreeSet<usize> {
    let mut state = 40_u64;
    let mut places = BTreeSet::new();
    while places.len() < FLIPS {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        places.insert((state >> 20) as usize % length);
    }
    places
}

/// Flips bytes of 2,000 records stored by themselves: which ones were hit, and what is read.
fn flipped(store: fn(&[u8]) -> Vec<u8>) -> (BTreeSet<usize>, Vec<palimpsest_warc::Entry>) {
    let members: Vec<_> = (0..RECORDS).map(|number| store(&record(number))).collect();
    let mut bytes = members.concat();
    let places = places(bytes.len());
    for &place in &places {
        bytes[place] ^= 0x5a;
    }
    let ends: Vec<_> = members
        .iter()
        .scan(0, |end, member| {
            *end += member.len();
            Some(*end)
        })
        .collect();
    let hit = places.iter().map(|place| ends.partition_point(|end| end <= place)).collect();
    (hit, read_cut(&bytes, usize::MAX, Limits::default()))
}

#[test]
fn forty_flipped_bytes_among_2000_members_cost_the_records_that_they_hit() {
    for pack in PACKED {
        let (hit, entries) = flipped(pack);
        assert!(30 < hit.len(), "most are in different members");
        let whole: BTreeSet<_> = entries.iter().filter(|entry| entry.damage.is_none()).map(number).collect();
        for entry in entries.iter().filter(|entry| entry.damage.is_none()) {
            assert!(entry.block == body(number(entry)).as_bytes(), "{} is changed", number(entry));
        }
        let lost: BTreeSet<_> = (0..RECORDS).filter(|number| !whole.contains(number)).collect();
        // A byte of a header that says when and where it was compressed costs nothing.
        assert!(lost.is_subset(&hit), "{:?} were not hit", lost.difference(&hit));
        assert!(hit.len() <= lost.len() + 2, "{:?} were hit", hit.difference(&lost));
        let flagged = entries.iter().filter(|entry| entry.damage.is_some()).count();
        assert!(flagged <= 2 * lost.len() && !lost.is_empty(), "{flagged} for {} lost ones", lost.len());
    }
}

#[test]
fn forty_flipped_bytes_among_2000_plain_records_cost_no_other() {
    let (hit, entries) = flipped(plain);
    let mut whole = BTreeSet::new();
    for entry in entries.iter().filter(|entry| entry.damage.is_none()) {
        let id = entry.head.as_ref().and_then(|head| head.get("warc-record-id"));
        let Some(number) = id.and_then(|id| id.parse::<usize>().ok()) else { continue };
        if number < RECORDS && entry.block == body(number).as_bytes() {
            whole.insert(number);
        }
    }
    // A plain file does not show that a byte of a block is another one: its record is there, changed.
    let lost: BTreeSet<_> = (0..RECORDS).filter(|number| !whole.contains(number)).collect();
    assert!(lost.is_subset(&hit), "{:?} were not hit", lost.difference(&hit));
}

#[test]
fn a_cut_at_any_byte_is_counted_unless_it_is_between_members() {
    for pack in PACKED {
        let members: Vec<_> = (0..4).map(|number| pack(&record(number))).collect();
        let archive = members.concat();
        let mut end = 0;
        let ends: Vec<_> = members
            .iter()
            .map(|member| {
                end += member.len();
                end
            })
            .collect();
        for cut in 1..archive.len() {
            let entries = read_cut(&archive[..cut], usize::MAX, Limits::default());
            let last = entries.last().unwrap().damage;
            if ends.contains(&cut) {
                assert_eq!(last, None, "cut at {cut}");
            } else {
                assert!(matches!(last, Some(Damage::Truncated | Damage::Garbage)), "cut at {cut}: {last:?}");
            }
            let whole = entries.iter().filter(|entry| entry.damage.is_none()).count();
            assert_eq!(whole, ends.iter().filter(|&&end| end <= cut).count(), "cut at {cut}");
        }
    }
}

#[test]
fn zeros_behind_the_last_record_cost_no_record() {
    for store in STORES {
        for zeros in [1, 15, 16, 511, 70_000] {
            let archive = [forty(store, &store(&record(20))), vec![0; zeros]].concat();
            let entries = read_cut(&archive, usize::MAX, Limits::default());
            let whole: Vec<_> = entries.iter().filter(|entry| entry.damage.is_none()).cloned().collect();
            assert_eq!(summary(&whole), forty_with(&["20"]), "{zeros} zeros");
            assert_eq!(entries.len(), 41, "{zeros} zeros are told");
            assert_eq!(entries[40].damage, Some(Damage::Garbage));
        }
    }
}
