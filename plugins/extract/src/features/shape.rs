//! Sums over the blocks of a page, and the places of its elements among them.

use crate::blocks::Block;
use crate::dom::{Kind, Tag, Tree};

/// Sums over blocks, up to each block.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) weight: u32,
    pub(super) link_weight: u32,
    pub(super) marks: u32,
    pub(super) long: u32,
}

pub(super) fn sums(blocks: &[Block]) -> Vec<Sum> {
    let mut sum = Sum::default();
    let mut sums = vec![sum];
    for block in blocks {
        let counts = &block.counts;
        sum.weight = sum.weight.saturating_add(counts.weight);
        sum.link_weight = sum.link_weight.saturating_add(counts.link_weight);
        sum.marks = sum.marks.saturating_add(counts.stops + counts.commas);
        if 100 <= counts.weight && counts.link_weight * 3 < counts.weight {
            sum.long = sum.long.saturating_add(counts.weight);
        }
        sums.push(sum);
    }
    sums
}

pub(super) fn starts(tree: &Tree, blocks: &[Block]) -> Vec<u32> {
    let mut starts = Vec::with_capacity(tree.nodes.len() + 1);
    let mut begun = 0;
    let mut next = blocks.iter().peekable();
    for node in 0..=tree.nodes.len() {
        while next.next_if(|block| (block.first as usize) < node).is_some() {
            begun += 1;
        }
        starts.push(begun);
    }
    starts
}

pub(super) fn alike(tree: &Tree) -> Vec<u16> {
    let key = |parent: u32, shape: u32| u64::from(parent) << 32 | u64::from(shape);
    let mut keys: Vec<(u64, u32)> = Vec::new();
    for (at, node) in (0_u32..).zip(&tree.nodes) {
        if let Kind::Element { shape, tag, .. } = node.kind
            && tag != Tag::Br
        {
            keys.push((key(node.parent, shape), at));
        }
    }
    keys.sort_unstable();
    let mut alike = vec![0; tree.nodes.len()];
    for same in keys.chunk_by(|a, b| a.0 == b.0) {
        let count = u16::try_from(same.len()).unwrap_or(u16::MAX);
        for (_, at) in same {
            if let Some(alike) = alike.get_mut(*at as usize) {
                *alike = count;
            }
        }
    }
    alike
}
