//! What is known of each block of a page, as numbers: the block, what stands around it, and the page.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of sixty tags those that are not named are all alike here"
)]

mod copies;
mod groups;
mod number;
mod own;
mod place;
mod runs;
mod said;
mod shape;
mod words;

use crate::blocks::Block;
use crate::dom::marks::{self, Finder};
use crate::dom::{Kind, Tag, Tree};
use groups::Group;
use number::{Count, flag, log, ratio};
use own::{kind, own};
use said::Said;
use shape::Sum;
use words::Words;

/// How many containers around a block are looked at: each holds more blocks than the one before.
const LEVELS: usize = 4;

/// How many neighbours on each side.
const NEIGHBOURS: [isize; 6] = [-3, -2, -1, 1, 2, 3];

#[derive(Debug)]
pub(crate) struct Page<'a> {
    tree: &'a Tree,
    blocks: &'a [Block],
    sums: Vec<Sum>,
    /// For each node how many blocks begin before it.
    starts: Vec<u32>,
    /// For each node how many of its siblings look like it.
    alike: Vec<u16>,
    /// For each block how many blocks say the same, and whether one of them comes before.
    copies: Vec<(u16, bool)>,
    words: Vec<Words>,
    said: Said,
    near_groups: Vec<Group>,
    far_groups: Vec<Group>,
    best: u32,
    best_range: (usize, usize),
    first_heading: usize,
    title_block: usize,
    common: [f32; 12],
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Container {
    node: u32,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

impl<'a> Page<'a> {
    pub(crate) fn new(tree: &'a Tree, blocks: &'a [Block], finder: &Finder) -> Self {
        let mut page = Self {
            tree,
            blocks,
            sums: shape::sums(blocks),
            starts: shape::starts(tree, blocks),
            alike: shape::alike(tree),
            copies: copies::find(blocks),
            words: words::find(tree, blocks, finder),
            said: Said::new(&tree.head),
            near_groups: groups::find(tree, blocks, 2),
            far_groups: groups::find(tree, blocks, 4),
            best: 0,
            best_range: (0, 0),
            first_heading: blocks.iter().position(|block| block.tag == Tag::H1).unwrap_or(blocks.len()),
            title_block: blocks.len(),
            common: [0.0; 12],
        };
        page.title_block = page.find_title();
        page.best = page.find_best();
        page.best_range = page.range(page.best);
        page.common = page.common();
        page
    }

    fn range(&self, node: u32) -> (usize, usize) {
        let end = self.tree.nodes.get(node as usize).map_or(0, |node| node.end);
        let start =
            |node: u32| self.starts.get(node as usize).map_or(self.blocks.len(), |&start| start as usize);
        (start(node), start(end))
    }

    /// An element and those around it.
    fn ancestors(&self, node: u32) -> impl Iterator<Item = u32> {
        let parent = |node: u32| self.tree.nodes.get(node as usize).map_or(0, |node| node.parent);
        std::iter::successors(Some(node), move |&node| (node != 0).then(|| parent(node)))
    }

    fn sum(&self, from: usize, to: usize) -> Sum {
        let (Some(from), Some(to)) = (self.sums.get(from), self.sums.get(to)) else { return Sum::default() };
        Sum {
            weight: to.weight - from.weight,
            link_weight: to.link_weight - from.link_weight,
            marks: to.marks - from.marks,
            long: to.long - from.long,
        }
    }

    /// The containers around a block, from the inside.
    pub(crate) fn containers(&self, block: &Block) -> [Container; LEVELS] {
        let mut node = block.owner;
        let mut found = [Container { node, from: 0, to: self.blocks.len() }; LEVELS];
        let mut size = 1;
        let mut levels = found.iter_mut();
        let mut level = levels.next();
        loop {
            let (from, to) = self.range(node);
            if size < to - from {
                let Some(place) = level else { break };
                *place = Container { node, from, to };
                size = to - from;
                level = levels.next();
                if level.is_none() {
                    break;
                }
            }
            if node == 0 {
                break;
            }
            node = self.tree.nodes.get(node as usize).map_or(0, |node| node.parent);
        }
        found
    }

    /// The heading that says what the page's title says.
    fn find_title(&self) -> usize {
        let title = letters(&self.tree.head.title);
        if title.len() < 5 {
            return self.blocks.len();
        }
        let says = |block: &&Block| {
            if !(5..=400).contains(&block.counts.weight) || block.is_hidden() {
                return false;
            }
            let text = letters(&text(self.tree, block));
            5 <= text.len() && title.starts_with(&text)
                || text.starts_with(&title)
                || 20 <= text.len() && title.contains(&text)
        };
        let heading = self.blocks.iter().position(|block| block.tag.is_heading() && says(&block));
        heading.unwrap_or(self.blocks.len())
    }

    /// The element in which most paragraphs stand close together.
    fn find_best(&self) -> u32 {
        let mut scores = vec![0.0_f32; self.tree.nodes.len()];
        for block in self.blocks {
            let counts = block.counts;
            if counts.weight < 40 || block.is_hidden() || block.tag.is_heading() {
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "a score of a few digits")]
            let score = (1.0 + counts.commas as f32 + (counts.weight as f32 / 100.0).min(5.0))
                * (1.0 - counts.link_weight as f32 / counts.weight as f32);
            let mut node = block.owner;
            if matches!(block.tag, Tag::P | Tag::Pre | Tag::Blockquote) {
                node = self.tree.nodes.get(node as usize).map_or(0, |node| node.parent);
            }
            for share in [1.0, 0.5, 0.17, 0.11, 0.08] {
                if let Some(sum) = scores.get_mut(node as usize) {
                    *sum += score * share;
                }
                if node == 0 {
                    break;
                }
                node = self.tree.nodes.get(node as usize).map_or(0, |node| node.parent);
            }
        }
        let mut best = (0, 0.0);
        for (node, score) in scores.into_iter().enumerate() {
            if score <= best.1 {
                continue;
            }
            let node = u32::try_from(node).unwrap_or(0);
            let (from, to) = self.range(node);
            let sum = self.sum(from, to);
            let score = score * (1.0 - ratio(sum.link_weight, sum.weight));
            if best.1 < score {
                best = (node, score);
            }
        }
        best.0
    }

    fn common(&self) -> [f32; 12] {
        let all = self.sum(0, self.blocks.len());
        let best = self.sum(self.best_range.0, self.best_range.1);
        let tagged = |mark: u32| -> u32 {
            let inside = self.blocks.iter().filter(|block| block.distance(mark as usize) < 30.0);
            inside.map(|block| block.counts.weight).sum()
        };
        let count = |tag: Tag| self.tree.nodes.iter().filter(|node| node.tag() == Some(tag)).count();
        [
            log(all.weight),
            ratio(all.link_weight, all.weight),
            log(self.blocks.len()),
            ratio(all.long, all.weight),
            ratio(best.weight, all.weight),
            ratio(best.link_weight, best.weight),
            ratio(best.long, best.weight),
            ratio(tagged(marks::ARTICLE_TAG), all.weight),
            ratio(tagged(marks::MAIN_TAG), all.weight),
            log(count(Tag::Article)),
            match self.kind() {
                Some("article" | "blog" | "news") => 1.0,
                Some("website") => 2.0,
                Some("product" | "og:product") => 3.0,
                Some(_) => 4.0,
                None => 0.0,
            },
            ratio(all.marks, all.weight),
        ]
    }

    /// The numbers of a block that most blocks are judged by, added to those that are there.
    pub(crate) fn describe(&self, at: usize, to: &mut Vec<f32>) {
        let Some(block) = self.blocks.get(at) else { return };
        own(block, to);
        for mark in 0..marks::COUNT {
            to.push(block.distance(mark));
        }
        for step in NEIGHBOURS {
            match at.checked_add_signed(step).and_then(|at| self.blocks.get(at)) {
                Some(other) => to.extend([
                    log(other.counts.weight),
                    ratio(other.counts.link_weight, other.counts.weight),
                    kind(other.tag),
                    flag(other.owner == block.owner),
                ]),
                None => to.extend([-1.0, -1.0, -1.0, -1.0]),
            }
        }
        let all = self.sum(0, self.blocks.len());
        for container in self.containers(block) {
            let sum = self.sum(container.from, container.to);
            let tag = self.tree.nodes.get(container.node as usize).and_then(crate::dom::Node::tag);
            to.extend([
                log(sum.weight),
                ratio(sum.link_weight, sum.weight),
                log(container.to - container.from),
                ratio(sum.long, sum.weight),
                ratio(sum.marks, sum.weight),
                ratio(sum.weight, all.weight),
                log(self.alike.get(container.node as usize).copied().unwrap_or(0)),
                tag.map_or(-1.0, kind),
            ]);
        }
        to.push(log(self.alike.get(block.owner as usize).copied().unwrap_or(0)));
        self.place(at, block, to);
        let (copies, is_again) = self.copies.get(at).copied().unwrap_or_default();
        to.extend([log(copies), flag(is_again)]);
        to.extend(self.common);
    }

    /// The numbers that come after those of `describe`: what the words, the data and the templates of the page tell.
    pub(crate) fn describe_further(&self, at: usize, to: &mut Vec<f32>) {
        let Some(block) = self.blocks.get(at) else { return };
        let all = self.sum(0, self.blocks.len());
        if let Some(words) = self.words.get(at) {
            words.describe(to);
        }
        self.said.describe(self.tree, block, to);
        for groups in [&self.near_groups, &self.far_groups] {
            if let Some(group) = groups.get(at) {
                group.describe(all.weight, to);
            }
        }
        self.extents(block, to);
        self.branch(block, to);
        self.title_distance(at, to);
    }

    /// What kind of page it calls itself.
    fn kind(&self) -> Option<&str> {
        let kind = self.tree.head.metas.iter().find(|(name, _)| name == "og:type");
        kind.map(|(_, kind)| kind.as_str())
    }

    /// Whether it calls itself an article.
    pub(crate) fn is_article(&self) -> bool {
        matches!(self.kind(), Some("article" | "blog" | "news")) || self.said.is_article()
    }

    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// For each block how many words it has.
    pub(crate) fn words(&self) -> impl Iterator<Item = f32> {
        self.blocks.iter().map(|block| block.counts.words.float())
    }

    /// Drops what is kept a second time.
    pub(crate) fn drop_copies(&self, keep: &mut [bool]) {
        copies::drop_paragraphs(self.blocks, keep);
        copies::drop_stretches(self.tree, self.blocks, keep);
    }
}

/// The text of a block on one line.
pub(crate) fn text(tree: &Tree, block: &Block) -> String {
    let mut out = String::new();
    let mut at = block.first;
    while at < block.last {
        let Some(node) = tree.nodes.get(at as usize) else { break };
        match node.kind {
            Kind::Text { from, to, .. } => out.push_str(tree.text(from, to)),
            Kind::Element { tag, .. } if tag.is_silent() => {
                at = node.end;
                continue;
            }
            Kind::Element { tag, .. } => {
                if tag == Tag::Br || tag.is_cell() {
                    out.push(' ');
                }
            }
        }
        at += 1;
    }
    crate::text::line(&out)
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(500).collect()
}
