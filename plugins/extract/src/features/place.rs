//! Where a block stands: in the page, by its title, and in the elements that hold it.

use crate::blocks::Block;
use crate::dom::{Kind, Node, marks::Marks};

use super::number::{flag, log, ratio};
use super::own::kind;
use super::{Page, shape::Sum};

/// The marks of which it matters whether they are those of a corner or of the whole page.
const WIDE: [u32; 10] = [0, 1, 2, 3, 5, 9, 12, 15, 17, 23];

impl Page<'_> {
    /// Where the block stands in the page.
    pub(super) fn place(&self, at: usize, block: &Block, to: &mut Vec<f32>) {
        let all = self.sum(0, self.blocks.len());
        let before = self.sum(0, at);
        let (from, end) = self.best_range;
        let is_in = (from..end).contains(&at);
        // How far up the best element's ancestors is the first that holds the block.
        let up = if is_in { 0.0 } else { self.up_to(self.best, at).min(30.0) };
        let place = |other: usize| match self.blocks.len() {
            count if other == count => 0.0,
            _ if other == at => 1.0,
            _ if other < at => 2.0,
            _ => 3.0,
        };
        let gap = if is_in {
            0
        } else if at < from {
            from - at
        } else {
            at + 1 - end
        };
        let next = self.blocks.get(at + 1..).unwrap_or_default().iter().take(12);
        let body = next.clone().find(|other| !other.tag.is_heading());
        to.extend([
            ratio(at, self.blocks.len()),
            ratio(before.weight, all.weight),
            log(at),
            log(self.blocks.len() - at),
            up,
            flag(at < from),
            flag(end <= at),
            log(gap),
            place(self.first_heading),
            place(self.title_block),
            body.map_or(-1.0, |body| log(body.counts.weight)),
            body.map_or(-1.0, |body| ratio(body.counts.link_weight, body.counts.weight)),
            f32::from(block.depth),
        ]);
    }

    /// How many elements up from this one is the first that holds the block.
    fn up_to(&self, node: u32, at: usize) -> f32 {
        let outside = |node: &u32| {
            let (from, to) = self.range(*node);
            *node != 0 && !(from..to).contains(&at)
        };
        self.ancestors(node).take_while(outside).fold(0.0, |count, _| count + 1.0)
    }

    /// How far the block is from the title, or from the first heading where none says the title.
    pub(super) fn title_distance(&self, at: usize, to: &mut Vec<f32>) {
        let title = if self.title_block < self.blocks.len() { self.title_block } else { self.first_heading };
        let Some(heading) = self.blocks.get(title) else {
            to.extend([-1.0; 3]);
            return;
        };
        let passed = at.checked_sub(title).map(|count| (log(count), log(self.sum(title, at).weight)));
        let (count, weight) = passed.unwrap_or((-1.0, -1.0));
        to.extend([count, weight, self.up_to(heading.owner, at)]);
    }

    /// How much of the page the innermost elements with marks hold.
    pub(super) fn extents(&self, block: &Block, to: &mut Vec<f32>) {
        let all = self.sum(0, self.blocks.len()).weight;
        let mut shares = [-1.0; WIDE.len()];
        let mut wanted: Marks = WIDE.iter().fold(0, |all, mark| all | 1 << mark);
        for node in self.ancestors(block.owner) {
            let Some(Node { kind: Kind::Element { marks, .. }, .. }) = self.tree.nodes.get(node as usize)
            else {
                break;
            };
            let found = marks & wanted;
            if found != 0 {
                let (from, to) = self.range(node);
                let share = ratio(self.sum(from, to).weight, all);
                for (place, mark) in shares.iter_mut().zip(WIDE) {
                    if found >> mark & 1 == 1 {
                        *place = share;
                    }
                }
                wanted &= !found;
            }
            if wanted == 0 {
                break;
            }
        }
        to.extend(shares);
    }

    /// The part of the best element, or of the element around it, that the block is in: how far up it is, and what it holds.
    pub(super) fn branch(&self, block: &Block, to: &mut Vec<f32>) {
        let (first, end) = self.best_range;
        let (mut branch, mut up) = (None, 0.0);
        for node in self.ancestors(block.owner) {
            let (from, to) = self.range(node);
            if from <= first && end <= to {
                break;
            }
            branch = Some(node);
            up += 1.0;
        }
        to.push(up);
        let Some(branch) = branch else {
            to.extend([-1.0; 4]);
            return;
        };
        let (from, end) = self.range(branch);
        let sum: Sum = self.sum(from, end);
        to.extend([
            log(sum.weight),
            ratio(sum.link_weight, sum.weight),
            ratio(sum.long, sum.weight),
            self.tree.nodes.get(branch as usize).and_then(Node::tag).map_or(-1.0, kind),
        ]);
    }
}
