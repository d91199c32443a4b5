//! What a page's own words call its parts: its headings, and short lines such as "12 comments".

use crate::blocks::Block;
use crate::dom::marks::{Finder, Marks};
use crate::dom::{Kind, Tag, Tree};

use super::number::{flag, log};

/// The marks that mean the same in a text as in a class.
const TOLD: [u32; 14] = [2, 3, 6, 8, 9, 10, 11, 12, 14, 15, 16, 20, 22, 23];

/// The marks of which it matters how long ago they were named.
const RECENT: [u32; 3] = [2, 9, 11];

/// Longer texts use words for what they mean.
const MAX_WEIGHT: u32 = 300;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Words {
    own: Marks,
    /// Of the headings that the block stands under.
    above: Marks,
    level: u8,
    since_heading: Option<u32>,
    since: [Option<u32>; RECENT.len()],
}

impl Words {
    pub(super) fn describe(&self, to: &mut Vec<f32>) {
        for marks in [self.own, self.above] {
            to.extend(TOLD.map(|mark| flag(marks >> mark & 1 == 1)));
        }
        to.push(f32::from(self.level));
        to.push(self.since_heading.map_or(-1.0, log));
        to.extend(self.since.map(|since| since.map_or(-1.0, log)));
    }
}

/// The words for each block.
pub(super) fn find(tree: &Tree, blocks: &[Block], finder: &Finder) -> Vec<Words> {
    // The headings that are open, each with its level. The title of a page may name anything.
    let mut headings: Vec<(u8, Marks)> = Vec::new();
    let mut heading_at = None;
    let mut last = [None; RECENT.len()];
    let mut found = Vec::with_capacity(blocks.len());
    for (at, block) in (0_u32..).zip(blocks) {
        let counts = &block.counts;
        // A link names what is elsewhere.
        let is_link = !block.tag.is_heading() && counts.weight * 4 < counts.link_weight * 5;
        let own = if counts.weight < MAX_WEIGHT && !is_link { marks(tree, block, finder) } else { 0 };
        let level = level(block.tag);
        if let Some(level) = level {
            while headings.pop_if(|(open, _)| level <= *open).is_some() {}
        }
        let mut words = Words {
            own,
            above: headings.iter().fold(0, |all, (_, marks)| all | marks),
            level: headings.last().map_or(0, |(level, _)| *level),
            since_heading: heading_at.map(|heading| at - heading),
            since: [None; RECENT.len()],
        };
        for ((since, last), mark) in words.since.iter_mut().zip(&mut last).zip(RECENT) {
            *since = last.map(|last: u32| at - last);
            if own >> mark & 1 == 1 {
                *last = Some(at);
            }
        }
        if let Some(level) = level {
            headings.push((level, if level == 1 { 0 } else { own }));
            heading_at = Some(at);
        }
        found.push(words);
    }
    found
}

fn marks(tree: &Tree, block: &Block, finder: &Finder) -> Marks {
    let nodes = tree.nodes.get(block.first as usize..block.last as usize).unwrap_or_default();
    nodes.iter().fold(0, |marks, node| match node.kind {
        Kind::Text { from, to, .. } => marks | finder.words(tree.text(from, to)),
        Kind::Element { .. } => marks,
    })
}

fn level(tag: Tag) -> Option<u8> {
    Some(match tag {
        Tag::H1 => 1,
        Tag::H2 => 2,
        Tag::H3 => 3,
        Tag::H4 => 4,
        Tag::H5 => 5,
        Tag::H6 => 6,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::blocks;
    use crate::dom;

    use super::*;

    const COMMENTS: Marks = 1 << 2;

    /// For each block whether it speaks of comments itself, and whether a heading above it does.
    #[track_caller]
    fn check(html: &str, expected: &[(bool, bool)]) {
        let finder = Finder::new();
        let tree = dom::build(html, &finder);
        let found = find(&tree, &blocks::split(&tree), &finder);
        let is = |marks: Marks| marks & COMMENTS != 0;
        assert_eq!(found.iter().map(|words| (is(words.own), is(words.above))).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_heading_names_what_is_under_it() {
        check(
            "<h2>Comments</h2><h3>A name</h3><p>text</p><h2>Other</h2><p>text</p>",
            &[(true, false), (false, true), (false, true), (false, false), (false, false)],
        );
        check("<h1>No comment</h1><p>text</p>", &[(true, false), (false, false)]);
    }

    #[test]
    fn links_and_long_texts_name_nothing() {
        let long = "No comment. ".repeat(40);
        check(
            &format!("<p><a href=x>Comments</a></p><p>12 comments</p><p>{long}</p>"),
            &[(false, false), (true, false), (false, false)],
        );
    }

    #[test]
    fn it_is_counted_how_long_ago_a_part_was_named() {
        let finder = Finder::new();
        let tree = dom::build("<p>one</p><p>3 comments</p><h2>two</h2><p>three</p>", &finder);
        let found = find(&tree, &blocks::split(&tree), &finder);
        assert_eq!(
            found.iter().map(|words| words.since[0]).collect::<Vec<_>>(),
            [None, None, Some(1), Some(2)]
        );
        assert_eq!(
            found.iter().map(|words| words.since_heading).collect::<Vec<_>>(),
            [None, None, None, Some(1)]
        );
    }
}
