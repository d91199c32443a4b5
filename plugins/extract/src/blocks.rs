//! A page cut into blocks: the pieces of text that no other text runs into, each with what can be counted in it.
//!
//! A paragraph, an item, a heading or a row is a block. Which of them belong together is not known here.

use crate::dom::marks::{self, HIDDEN};
use crate::dom::{Kind, Tag, Tree};

/// For each mark how deep the innermost element around a block stands that carries it.
pub(crate) type Nearest = [u8; marks::COUNT];

/// No element around the block carries the mark.
pub(crate) const NOWHERE: u8 = u8::MAX;

/// A row of more cells is taken apart.
const MAX_CELLS: usize = 40;

#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// Its first text node, and behind its last.
    pub(crate) first: u32,
    pub(crate) last: u32,
    /// The innermost block-level element around it.
    pub(crate) owner: u32,
    pub(crate) tag: Tag,
    pub(crate) depth: u8,
    pub(crate) nearest: Nearest,
    pub(crate) counts: Counts,
}

/// What is counted in a text. `weight` is characters as a reader of an alphabet would count them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) weight: u32,
    pub(crate) link_weight: u32,
    pub(crate) links: u32,
    pub(crate) words: u32,
    pub(crate) upper_words: u32,
    pub(crate) digits: u32,
    pub(crate) stops: u32,
    pub(crate) commas: u32,
    pub(crate) symbols: u32,
    pub(crate) letters: u32,
    pub(crate) breaks: u32,
    pub(crate) cells: u32,
    pub(crate) hash: u64,
    pub(crate) first: char,
    pub(crate) last: char,
}

/// Ideographs and syllables say in one character what takes an alphabet three.
const IDEOGRAPH: u32 = 3;

pub(crate) fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{30ff}' | '\u{31f0}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn is_stop(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？' | '؟' | '۔' | '।' | '॥' | '။' | '።' | '։')
}

fn is_comma(c: char) -> bool {
    matches!(c, ',' | ';' | '，' | '、' | '；' | '،' | '؛' | '၊' | '፣')
}

impl Counts {
    /// Adds a text; `is_inside` tells whether the character before was part of a word.
    fn add(&mut self, text: &str, is_link: bool, is_inside: &mut bool) {
        for c in text.chars() {
            if c.is_whitespace() || c.is_control() {
                *is_inside = false;
                continue;
            }
            let is_wide = !c.is_ascii() && is_ideograph(c);
            let weight = if is_wide { IDEOGRAPH } else { 1 } + u32::from(!*is_inside);
            self.weight += weight;
            self.link_weight += if is_link { weight } else { 0 };
            if !*is_inside || is_wide {
                self.words += 1;
                self.upper_words += u32::from(c.is_uppercase());
            }
            *is_inside = true;
            if self.hash == 0 {
                self.hash = 0xcbf2_9ce4_8422_2325;
                self.first = c;
            }
            self.last = c;
            self.hash = (self.hash ^ u64::from(u32::from(c))).wrapping_mul(0x100_0000_01b3);
            if c.is_ascii_digit() {
                self.digits += 1;
                self.letters += 1;
            } else if !c.is_alphanumeric() {
                self.stops += u32::from(is_stop(c));
                self.commas += u32::from(is_comma(c));
                self.symbols += 1;
            } else {
                self.letters += 1;
            }
        }
    }
}

/// The blocks of a tree in their order.
pub(crate) fn split(tree: &Tree) -> Vec<Block> {
    let mut splitter = Splitter { blocks: Vec::new(), open: None, is_inside: false, was_link: false };
    let root = Frame {
        end: u32::MAX,
        tag: Tag::Body,
        block: 0,
        block_tag: Tag::Body,
        nearest: [NOWHERE; marks::COUNT],
        is_row: false,
        depth: 1,
    };
    let mut stack = vec![root];
    let mut at = 0;
    while let Some(node) = tree.nodes.get(at as usize) {
        while let Some(frame) = stack.last().filter(|frame| frame.end <= at) {
            if frame.tag.is_block() {
                splitter.finish();
            }
            stack.pop();
            if stack.is_empty() {
                return splitter.blocks;
            }
        }
        let Some(frame) = stack.last().cloned() else { break };
        match node.kind {
            Kind::Text { from, to, is_link } => {
                splitter.text(at, tree.text(from, to), is_link, &frame);
            }
            Kind::Element { tag, .. } if tag.is_silent() => {
                at = node.end;
                continue;
            }
            Kind::Element { tag: Tag::Br, .. } => splitter.line(),
            Kind::Element { tag, marks, .. } => {
                let joins = frame.is_row && tag.is_cell();
                if joins {
                    splitter.cell();
                } else if tag.is_block() {
                    splitter.finish();
                }
                if at + 1 < node.end {
                    let mut inside = frame.inside(tag, joins, marks);
                    (inside.end, inside.depth) = (node.end, stack.len() + 1);
                    if tag == Tag::Tr {
                        inside.is_row = is_plain_row(tree, at, node.end);
                    }
                    if tag.is_block() && !joins {
                        (inside.block, inside.block_tag) = (at, tag);
                    }
                    stack.push(inside);
                }
            }
        }
        at += 1;
    }
    splitter.finish();
    splitter.blocks
}

/// Whether all cells of the row are mere pieces of a line.
fn is_plain_row(tree: &Tree, row: u32, end: u32) -> bool {
    let mut cells = 0;
    for node in tree.nodes.get(row as usize + 1..end as usize).unwrap_or_default() {
        match node.tag() {
            Some(tag) if tag.is_cell() => cells += 1,
            Some(tag) if tag.is_block() || tag == Tag::Br => return false,
            _ => {}
        }
    }
    cells <= MAX_CELLS
}

#[derive(Clone)]
struct Frame {
    end: u32,
    tag: Tag,
    block: u32,
    block_tag: Tag,
    nearest: Nearest,
    /// Whether cells that begin here are pieces of one block.
    is_row: bool,
    /// How many frames there are with this one.
    depth: usize,
}

impl Frame {
    /// The frame of an element in this one, but for its place.
    fn inside(&self, tag: Tag, joins: bool, marks: marks::Marks) -> Self {
        let mut inside = Self {
            tag: if joins { Tag::Span } else { tag },
            is_row: joins || self.is_row && !tag.is_block(),
            ..self.clone()
        };
        for (mark, nearest) in inside.nearest.iter_mut().enumerate() {
            if marks >> mark & 1 == 1 {
                *nearest = u8::try_from(self.depth).unwrap_or(NOWHERE - 1);
            }
        }
        inside
    }
}

struct Splitter {
    blocks: Vec<Block>,
    open: Option<Block>,
    is_inside: bool,
    was_link: bool,
}

impl Splitter {
    fn text(&mut self, at: u32, text: &str, is_link: bool, frame: &Frame) {
        if text.trim_start().is_empty() {
            self.is_inside = false;
            return;
        }
        let block = self.open.get_or_insert_with(|| Block {
            first: at,
            last: at + 1,
            owner: frame.block,
            tag: frame.block_tag,
            depth: u8::try_from(frame.depth).unwrap_or(u8::MAX),
            nearest: frame.nearest,
            counts: Counts::default(),
        });
        block.last = at + 1;
        if is_link && !self.was_link {
            block.counts.links += 1;
        }
        self.was_link = is_link;
        block.counts.add(text, is_link, &mut self.is_inside);
    }

    fn line(&mut self) {
        self.is_inside = false;
        self.was_link = false;
        if let Some(block) = &mut self.open {
            block.counts.breaks += 1;
        }
    }

    fn cell(&mut self) {
        self.is_inside = false;
        self.was_link = false;
        if let Some(block) = &mut self.open {
            block.counts.cells += 1;
        }
    }

    fn finish(&mut self) {
        self.is_inside = false;
        self.was_link = false;
        // What has no letters and no digits is decoration.
        if let Some(block) = self.open.take()
            && 0 < block.counts.letters
        {
            self.blocks.push(block);
        }
    }
}

impl Block {
    /// How far up the innermost element with the mark is; none around the block has it: 30.
    pub(crate) fn distance(&self, mark: usize) -> f32 {
        match self.nearest.get(mark) {
            Some(&NOWHERE) | None => 30.0,
            Some(&depth) => f32::from(self.depth.saturating_sub(depth).min(29)),
        }
    }

    pub(crate) fn is_hidden(&self) -> bool {
        self.nearest.get(HIDDEN as usize).is_some_and(|&depth| depth != NOWHERE)
    }
}
