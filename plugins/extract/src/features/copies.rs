//! What a page says twice.
//!
//! Some pages have their text once for each kind of reader, and show one of them. A refrain, a sample text or a list of
//! prices is said again too, and is a part of the text: what is dropped has to be much.

use crate::blocks::Block;
use crate::dom::Tree;

use super::runs;

/// A paragraph: shorter blocks are alike for many reasons.
const COPY_WEIGHT: u32 = 100;

/// So many paragraphs are not alike by chance.
const MIN_COPIED: usize = 4;

/// A stretch with so many different runs of words is a text of its own.
const MIN_RUNS: usize = 300;

/// Of ten runs so many have to be there before.
const MIN_SHARE: usize = 9;

/// For each block how many blocks say the same, and whether one of them comes before.
pub(super) fn find(blocks: &[Block]) -> Vec<(u16, bool)> {
    let mut hashes: Vec<(u64, usize)> =
        blocks.iter().enumerate().map(|(at, block)| (block.counts.hash, at)).collect();
    hashes.sort_unstable();
    let mut copies = vec![(0, false); blocks.len()];
    for same in hashes.chunk_by(|a, b| a.0 == b.0) {
        let count = u16::try_from(same.len()).unwrap_or(u16::MAX);
        for (rank, (_, at)) in same.iter().enumerate() {
            if let Some(copies) = copies.get_mut(*at) {
                *copies = (count, 0 < rank);
            }
        }
    }
    copies
}

/// Drops what is kept a second time, where so many paragraphs are there twice that it is no chance.
pub(super) fn drop_paragraphs(blocks: &[Block], keep: &mut [bool]) {
    let mut hashes: Vec<(u64, usize)> = (blocks.iter().enumerate().zip(keep.iter()))
        .filter(|((_, block), keep)| **keep && COPY_WEIGHT <= block.counts.weight)
        .map(|((at, block), _)| (block.counts.hash, at))
        .collect();
    hashes.sort_unstable();
    let copied = || hashes.chunk_by(|a, b| a.0 == b.0).filter(|same| 1 < same.len());
    if copied().count() < MIN_COPIED {
        return;
    }
    for (_, at) in copied().flat_map(|same| same.iter().skip(1)) {
        if let Some(keep) = keep.get_mut(*at) {
            *keep = false;
        }
    }
}

/// Drops a long stretch of blocks whose words have all been kept before, however they were cut into blocks.
pub(super) fn drop_stretches(tree: &Tree, blocks: &[Block], keep: &mut [bool]) {
    let kept: Vec<usize> = (0..).zip(keep.iter()).filter_map(|(at, keep)| keep.then_some(at)).collect();
    let words: u32 = kept.iter().filter_map(|at| blocks.get(*at)).map(|block| block.counts.words).sum();
    if (words as usize) < 2 * MIN_RUNS {
        return;
    }
    // Each run of words, with the block that it is in.
    let mut all: Vec<(u64, usize)> = Vec::new();
    for &at in &kept {
        if let Some(block) = blocks.get(at) {
            runs::of_block(tree, block, usize::MAX, |run| all.push((run, at)));
        }
    }
    let is_again = again(&all);
    let mut stretch: Vec<usize> = Vec::new();
    let mut runs: Vec<u64> = Vec::new();
    let mut drop = |stretch: &mut Vec<usize>, runs: &mut Vec<u64>| {
        runs.sort_unstable();
        runs.dedup();
        if MIN_RUNS <= runs.len() {
            for at in stretch.iter() {
                if let Some(keep) = keep.get_mut(*at) {
                    *keep = false;
                }
            }
        }
        stretch.clear();
        runs.clear();
    };
    let mut from = 0;
    for of_block in all.chunk_by(|a, b| a.1 == b.1) {
        let said = is_again.get(from..from + of_block.len()).unwrap_or_default();
        from += of_block.len();
        if said.len() * MIN_SHARE <= said.iter().filter(|is| **is).count() * 10 {
            stretch.extend(of_block.first().map(|(_, at)| at));
            runs.extend(of_block.iter().map(|(run, _)| run));
        } else {
            drop(&mut stretch, &mut runs);
        }
    }
    drop(&mut stretch, &mut runs);
}

/// For each run whether it is in a block before its own.
fn again(all: &[(u64, usize)]) -> Vec<bool> {
    let mut sorted: Vec<(u64, u32, usize)> =
        (0..).zip(all).map(|(at, (run, block))| (*run, at, *block)).collect();
    sorted.sort_unstable();
    let mut again = vec![false; all.len()];
    for same in sorted.chunk_by(|a, b| a.0 == b.0) {
        let Some((_, _, first)) = same.first() else { continue };
        for (_, at, block) in same {
            if let Some(again) = again.get_mut(*at as usize) {
                *again = first < block;
            }
        }
    }
    again
}

#[cfg(test)]
mod tests {
    use crate::blocks;
    use crate::dom::{self, marks::Finder};

    use super::*;

    /// A paragraph of so many words, all different.
    fn prose(name: &str, words: usize) -> String {
        (0..words).map(|word| format!("{name}{word} ")).collect()
    }

    #[track_caller]
    fn check(html: &str, kept: &[bool]) {
        let tree = dom::build(html, &Finder::new());
        let blocks = blocks::split(&tree);
        let mut keep = vec![true; blocks.len()];
        drop_paragraphs(&blocks, &mut keep);
        drop_stretches(&tree, &blocks, &mut keep);
        assert_eq!(keep, kept);
    }

    #[test]
    fn a_text_that_is_there_twice_is_kept_once() {
        let (a, b) = (prose("a", 200), prose("b", 200));
        check(&format!("<p>{a}</p><p>{b}</p><div>{a}{b}</div><p>end</p>"), &[true, true, false, true]);
        check(&format!("<div>{a}{b}</div><p>{a}</p><p>{b}</p>"), &[true, false, false]);
    }

    #[test]
    fn what_is_said_again_in_a_text_is_a_part_of_it() {
        let (a, b) = (prose("a", 100), prose("b", 400));
        check(&format!("<p>{a}</p><p>{b}</p><p>{a}</p>"), &[true; 3]);
        check(&format!("<p>{a}</p>{}", format!("<p>{a}</p>").repeat(5)), &[true; 6]);
        check(&format!("<p>{b}</p><p>{b}{}</p>", prose("c", 100)), &[true; 2]);
    }

    #[test]
    fn many_paragraphs_that_are_there_twice_are_kept_once() {
        let page: String =
            ["a", "b", "c", "d"].iter().map(|name| format!("<p>{}</p>", prose(name, 40))).collect();
        check(&page.repeat(2), &[true, true, true, true, false, false, false, false]);
    }
}
