//! What is known of each block of a page, as numbers: the block, what stands around it, and the page.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of sixty tags those that are not named are all alike here"
)]

use crate::blocks::{Block, Counts};
use crate::dom::{Kind, Tag, Tree, marks};

/// How many containers around a block are looked at: each holds more blocks than the one before.
const LEVELS: usize = 4;

/// How many neighbours on each side.
const NEIGHBOURS: [isize; 6] = [-3, -2, -1, 1, 2, 3];

/// A paragraph: shorter blocks are alike for many reasons.
const COPY_WEIGHT: u32 = 100;

/// So many paragraphs are not alike by chance.
const MIN_COPIED: usize = 4;

/// Sums over blocks, up to each block.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    weight: u32,
    link_weight: u32,
    marks: u32,
    long: u32,
}

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
    pub(crate) fn new(tree: &'a Tree, blocks: &'a [Block]) -> Self {
        let mut page = Self {
            tree,
            blocks,
            sums: sums(blocks),
            starts: starts(tree, blocks),
            alike: alike(tree),
            copies: copies(blocks),
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
        let kind = self.tree.head.metas.iter().find(|(name, _)| name == "og:type");
        let kind = kind.map(|(_, kind)| kind.as_str());
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
            match kind {
                Some("article" | "blog" | "news") => 1.0,
                Some("website") => 2.0,
                Some("product" | "og:product") => 3.0,
                Some(_) => 4.0,
                None => 0.0,
            },
            ratio(all.marks, all.weight),
        ]
    }

    /// The numbers of a block, added to those that are there.
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
                    f32::from(u8::from(other.owner == block.owner)),
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
        to.extend([log(copies), f32::from(u8::from(is_again))]);
        to.extend(self.common);
    }

    /// Where the block stands in the page.
    fn place(&self, at: usize, block: &Block, to: &mut Vec<f32>) {
        let all = self.sum(0, self.blocks.len());
        let before = self.sum(0, at);
        let (from, end) = self.best_range;
        let is_in = (from..end).contains(&at);
        // How far up the best element's ancestors is the first that holds the block.
        let mut up = 0.0;
        let mut node = self.best;
        if !is_in {
            for _ in 0..30 {
                let (from, to) = self.range(node);
                if (from..to).contains(&at) || node == 0 {
                    break;
                }
                up += 1.0;
                node = self.tree.nodes.get(node as usize).map_or(0, |node| node.parent);
            }
        }
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
            f32::from(u8::from(at < from)),
            f32::from(u8::from(end <= at)),
            log(gap),
            place(self.first_heading),
            place(self.title_block),
            body.map_or(-1.0, |body| log(body.counts.weight)),
            body.map_or(-1.0, |body| ratio(body.counts.link_weight, body.counts.weight)),
            f32::from(block.depth),
        ]);
    }

    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// For each block how many words it has.
    pub(crate) fn words(&self) -> impl Iterator<Item = f32> {
        self.blocks.iter().map(|block| block.counts.words.float())
    }

    /// Drops what is kept a second time, where so much is there twice that the page has its text once for each kind of
    /// reader. A refrain or a sample text is repeated too, but it is few paragraphs.
    pub(crate) fn drop_copies(&self, keep: &mut [bool]) {
        let mut hashes: Vec<(u64, usize)> = (self.blocks.iter().enumerate().zip(keep.iter()))
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
}

fn own(block: &Block, to: &mut Vec<f32>) {
    let counts: &Counts = &block.counts;
    let flag = |is: bool| f32::from(u8::from(is));
    to.extend([
        log(counts.weight),
        log(counts.words),
        ratio(counts.weight, counts.words),
        ratio(counts.link_weight, counts.weight),
        log(counts.links),
        log(counts.stops),
        log(counts.commas),
        ratio(counts.stops * 100, counts.weight),
        ratio(counts.digits, counts.weight),
        ratio(counts.symbols, counts.weight),
        ratio(counts.upper_words, counts.words),
        log(counts.breaks),
        log(counts.cells),
        kind(block.tag),
        flag(counts.last.is_alphanumeric()),
        flag(matches!(counts.last, '.' | '!' | '?' | '。' | '！' | '？' | '"' | '”' | '»')),
        flag(matches!(counts.last, ':' | '：')),
        flag(counts.first == '©' || counts.last == '»' || counts.last == '›' || counts.last == '…'),
        flag(counts.first.is_uppercase()),
        flag(counts.first.is_ascii_digit()),
    ]);
}

fn kind(tag: Tag) -> f32 {
    match tag {
        Tag::P => 0.0,
        Tag::Pre => 1.0,
        Tag::Blockquote => 2.0,
        Tag::H1 => 3.0,
        Tag::H2 => 4.0,
        Tag::H3 => 5.0,
        Tag::H4 | Tag::H5 | Tag::H6 => 6.0,
        Tag::Dd => 7.0,
        Tag::Dt => 8.0,
        Tag::Td | Tag::Th => 9.0,
        Tag::Tr | Tag::Table | Tag::Tbody => 10.0,
        Tag::Li => 11.0,
        Tag::Article => 12.0,
        Tag::Section | Tag::Main => 13.0,
        Tag::Div => 14.0,
        Tag::Figcaption | Tag::Caption => 15.0,
        Tag::Ul | Tag::Ol | Tag::Dl => 16.0,
        Tag::Body => 17.0,
        _ => 18.0,
    }
}

fn sums(blocks: &[Block]) -> Vec<Sum> {
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

fn starts(tree: &Tree, blocks: &[Block]) -> Vec<u32> {
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

fn alike(tree: &Tree) -> Vec<u16> {
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

fn copies(blocks: &[Block]) -> Vec<(u16, bool)> {
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

trait Count {
    fn float(self) -> f32;
}

impl Count for u32 {
    #[expect(clippy::cast_precision_loss, reason = "seven digits are enough for a size")]
    fn float(self) -> f32 {
        self as f32
    }
}

impl Count for u16 {
    fn float(self) -> f32 {
        f32::from(self)
    }
}

impl Count for usize {
    #[expect(clippy::cast_precision_loss, reason = "seven digits are enough for a size")]
    fn float(self) -> f32 {
        self as f32
    }
}

/// Sizes that differ by a factor differ by as much wherever they are.
fn log(count: impl Count) -> f32 {
    (1.0 + count.float()).ln()
}

fn ratio(part: impl Count, whole: impl Count) -> f32 {
    let whole = whole.float();
    if whole == 0.0 { 0.0 } else { part.float() / whole }
}
