//! Blocks that the same template made: the paragraphs of an article, the comments under it, the names of those who wrote
//! them.

use crate::blocks::Block;
use crate::dom::{Kind, Tree};

use super::number::{log, ratio};

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    blocks: u32,
    weight: u32,
    link_weight: u32,
    /// How many of them stand behind a block that is all link, how many before one, how many break off.
    behind_links: u32,
    before_links: u32,
    broken_off: u32,
    /// How many elements hold them.
    parents: u32,
    /// The first of its blocks and the last.
    ends: (u32, u32),
}

impl Group {
    pub(super) fn describe(&self, all: u32, to: &mut Vec<f32>) {
        to.extend([
            log(self.blocks),
            ratio(self.weight, all),
            ratio(self.link_weight, self.weight),
            (1.0 + ratio(self.weight, self.blocks)).ln(),
            // How close together they stand.
            ratio(self.blocks, 1 + self.ends.1 - self.ends.0),
            ratio(self.behind_links, self.blocks),
            ratio(self.before_links, self.blocks),
            ratio(self.broken_off, self.blocks),
            ratio(self.parents, self.blocks),
        ]);
    }
}

/// The groups of blocks whose innermost elements, up to `levels` of them, have the same names and classes.
pub(super) fn find(tree: &Tree, blocks: &[Block], levels: usize) -> Vec<Group> {
    let mut keys: Vec<(u64, u32)> =
        (0..).zip(blocks).map(|(at, block)| (key(tree, block.owner, levels), at)).collect();
    keys.sort_unstable();
    let mut groups = vec![Group::default(); blocks.len()];
    for same in keys.chunk_by(|a, b| a.0 == b.0) {
        let mut group = Group::default();
        let mut holder = None;
        for (_, at) in same {
            let Some(block) = blocks.get(*at as usize) else { continue };
            let is_link = |at: Option<usize>| {
                u32::from(
                    at.and_then(|at| blocks.get(at))
                        .is_some_and(|block| block.counts.weight * 4 < block.counts.link_weight * 5),
                )
            };
            group.behind_links += is_link((*at as usize).checked_sub(1));
            group.before_links += is_link((*at as usize).checked_add(1));
            group.broken_off += u32::from(matches!(block.counts.last, '…' | ']' | '»' | '›'));
            let parent = tree.nodes.get(block.owner as usize).map(|node| node.parent);
            group.parents += u32::from(parent != holder);
            holder = parent;
            group.blocks += 1;
            group.weight = group.weight.saturating_add(block.counts.weight);
            group.link_weight = group.link_weight.saturating_add(block.counts.link_weight);
        }
        if let (Some(first), Some(last)) = (same.first(), same.last()) {
            group.ends = (first.1, last.1);
        }
        for (_, at) in same {
            if let Some(to) = groups.get_mut(*at as usize) {
                *to = group;
            }
        }
    }
    groups
}

fn key(tree: &Tree, mut node: u32, levels: usize) -> u64 {
    let mut key = 0_u64;
    for _ in 0..levels {
        let Some(found) = tree.nodes.get(node as usize) else { break };
        if let Kind::Element { shape, .. } = found.kind {
            key = (key.rotate_left(7) ^ u64::from(shape)).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
        node = found.parent;
    }
    key
}

#[cfg(test)]
mod tests {
    use crate::blocks;
    use crate::dom::{self, marks::Finder};

    use super::*;

    #[test]
    fn what_the_same_template_made_is_a_group() {
        let teaser = "<div class=item><h3><a href=x>A title</a></h3><p class=dek>What it says…</p></div>";
        let page = format!("<article><p>one</p><p>two</p></article><section>{}</section>", teaser.repeat(3));
        let tree = dom::build(&page, &Finder::new());
        let found = find(&tree, &blocks::split(&tree), 2);
        let paragraphs = found[0];
        assert_eq!((paragraphs.blocks, paragraphs.parents, paragraphs.behind_links), (2, 1, 0));
        assert_eq!((paragraphs.ends, paragraphs.broken_off), ((0, 1), 0));
        let titles = found[2];
        assert_eq!((titles.blocks, titles.parents, titles.before_links), (3, 3, 0));
        let texts = found[3];
        assert_eq!((texts.blocks, texts.parents, texts.behind_links, texts.before_links), (3, 3, 3, 2));
        assert_eq!((texts.ends, texts.broken_off), ((3, 7), 3));
    }
}
