//! From tokens to a tree.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of sixty tags those that are not named are all alike here"
)]

use std::borrow::Cow;

use super::marks::{self, Finder, Marks};
use super::tags::Tag;
use super::tokens::{Attributes, Token, Tokens};
use super::{Kind, Node, Tree};

/// Browsers put no element deeper than 512; real pages stay under 100. What is deeper is put here.
const MAX_DEPTH: usize = 256;

/// More than any page needs to say who it is, and less than it takes to make that expensive.
const MAX_METAS: usize = 300;
const MAX_TIMES: usize = 1_000;
const MAX_DATA: usize = 20;

/// A class or id longer than this is a style sheet.
const MAX_CLASS: usize = 400;

/// The tree of a page.
pub(crate) fn build(html: &str, finder: &Finder) -> Tree {
    let mut builder = Builder {
        finder,
        tree: Tree::default(),
        stack: Vec::new(),
        overflow: 0,
        is_link: false,
        foreign: None,
        has_tex: false,
    };
    builder.open(Tag::Html, "html", "");
    for token in Tokens::new(html) {
        match token {
            Token::Text(text) => builder.text(text),
            Token::Start { tag, name, attributes, raw } => builder.start(tag, name, attributes, raw),
            Token::End { tag, name } => builder.end(tag, name),
        }
    }
    builder.close_foreign();
    builder.truncate(0);
    builder.tree
}

#[derive(Clone, Copy)]
struct Open<'a> {
    tag: Tag,
    name: &'a str,
    node: u32,
}

/// A formula or drawing that is being read: its markup is not that of the page.
struct Foreign {
    tag: Tag,
    depth: usize,
    /// The source of the formula, if it is given.
    tex: String,
    is_tex: bool,
    is_annotation: bool,
    is_display: bool,
    /// The text of its parts.
    text: String,
}

struct Builder<'a> {
    finder: &'a Finder,
    tree: Tree,
    stack: Vec<Open<'a>>,
    /// How many elements are open that are too deep to stand in the tree.
    overflow: usize,
    is_link: bool,
    foreign: Option<Foreign>,
    /// Whether formulas have been found as source, so that their renderings are second copies.
    has_tex: bool,
}

fn position(len: usize) -> u32 {
    u32::try_from(len).expect("a page of 4 GB is refused long before")
}

fn decoded(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'&', text.as_bytes()).is_some() {
        htmlize::unescape(text)
    } else {
        Cow::Borrowed(text)
    }
}

impl<'a> Builder<'a> {
    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let text = decoded(text);
        if let Some(foreign) = &mut self.foreign {
            let to = if foreign.is_tex { &mut foreign.tex } else { &mut foreign.text };
            if !foreign.is_annotation {
                to.push_str(&text);
                to.push(' ');
            }
            return;
        }
        self.push_text(&text);
    }

    /// The head ends where something begins that is to be seen.
    fn close_head(&mut self) {
        if let Some(at) = self.stack.len().checked_sub(1)
            && self.stack.get(at).is_some_and(|open| open.tag == Tag::Head)
        {
            self.truncate(at);
        }
    }

    fn push_text(&mut self, text: &str) {
        if !text.trim_start().is_empty() {
            self.close_head();
        }
        let from = position(self.tree.text.len());
        self.tree.text.push_str(text);
        let to = position(self.tree.text.len());
        let is_link = self.is_link;
        if let Some(Node { kind: Kind::Text { to: last, is_link: was_link, .. }, .. }) = self.tree.nodes.last_mut()
            && *last == from
            && *was_link == is_link
            // The node before may stand in an element that is closed.
            && self.last_is_sibling()
        {
            if let Some(Node { kind: Kind::Text { to: last, .. }, .. }) = self.tree.nodes.last_mut() {
                *last = to;
            }
            return;
        }
        self.push(Kind::Text { from, to, is_link });
    }

    fn last_is_sibling(&self) -> bool {
        let parent = self.stack.last().map_or(0, |open| open.node);
        self.tree.nodes.last().is_some_and(|node| node.parent == parent)
    }

    fn push(&mut self, kind: Kind) -> u32 {
        let node = position(self.tree.nodes.len());
        let parent = self.stack.last().map_or(0, |open| open.node);
        self.tree.nodes.push(Node { kind, parent, end: node + 1 });
        node
    }

    fn start(&mut self, tag: Tag, name: &'a str, attributes: &'a str, raw: &'a str) {
        if self.foreign.is_some() && self.foreign_start(tag, attributes) {
            return;
        }
        if !matches!(
            tag,
            Tag::Title
                | Tag::Meta
                | Tag::Base
                | Tag::Script
                | Tag::Raw
                | Tag::Void
                | Tag::Noscript
                | Tag::Template
        ) {
            self.close_head();
        }
        match tag {
            Tag::Format | Tag::Void | Tag::Base | Tag::Annotation | Tag::Raw => {}
            Tag::A => {
                self.is_link = Attributes(attributes).any(|(name, _)| name.eq_ignore_ascii_case("href"));
            }
            Tag::Meta => self.meta(attributes),
            Tag::Title => {
                if self.tree.head.title.is_empty() {
                    decoded(raw).trim().clone_into(&mut self.tree.head.title);
                }
            }
            Tag::Script => self.script(attributes, raw),
            Tag::Svg | Tag::Math => self.open_foreign(tag, attributes),
            Tag::Br | Tag::Hr => {
                if tag == Tag::Hr {
                    self.imply_ends(tag);
                }
                self.push(Kind::Element { tag, marks: 0, shape: 0 });
            }
            // Its text is what the reader is to write.
            Tag::Textarea => {}
            Tag::Html => {
                self.attributes(tag, name, attributes);
            }
            Tag::Body if self.stack.iter().any(|open| open.tag == tag) => {}
            _ => {
                self.imply_ends(tag);
                self.open(tag, name, attributes);
            }
        }
    }

    fn open(&mut self, tag: Tag, name: &'a str, attributes: &str) {
        if MAX_DEPTH <= self.stack.len() {
            self.overflow += 1;
            return;
        }
        let (marks, shape, is_rendering) = self.attributes(tag, name, attributes);
        // A formula's second copy, drawn from its source, says nothing.
        let shown = if is_rendering { Tag::Silent } else { tag };
        let node = self.push(Kind::Element { tag: shown, marks, shape });
        self.stack.push(Open { tag, name, node });
    }

    fn attributes(&mut self, tag: Tag, name: &str, attributes: &str) -> (Marks, u32, bool) {
        let mut is_rendering = false;
        let mut marks = marks::of_tag(tag);
        let mut shape = fnv(name.as_bytes(), 0x811c_9dc5);
        for (name, value) in Attributes(attributes) {
            match name {
                "class" | "CLASS" => {
                    let class = value.get(..MAX_CLASS).unwrap_or(value);
                    marks |= self.finder.words(class);
                    shape = fnv(class.as_bytes(), shape);
                    is_rendering |= class == "katex-html"
                        || self.has_tex && (class.starts_with("MathJax") || class.starts_with("mjx-"));
                }
                "id" | "ID" => marks |= self.finder.words(value.get(..MAX_CLASS).unwrap_or(value)),
                "role" => marks |= marks::of_role(value),
                "itemprop" => {
                    marks |= self.finder.words(value.get(..MAX_CLASS).unwrap_or(value));
                    marks |= marks::of_property(value);
                }
                "itemtype" => marks |= marks::of_type(value),
                "hidden" => marks |= 1 << marks::HIDDEN,
                "style" if is_hiding(value) => marks |= 1 << marks::HIDDEN,
                "aria-hidden" if value == "true" => marks |= 1 << marks::ARIA_HIDDEN,
                "datetime" => self.time(value),
                "lang" | "xml:lang" if tag == Tag::Html && self.tree.head.lang.is_none() => {
                    self.tree.head.lang = Some(decoded(value).into_owned());
                }
                _ => {}
            }
        }
        (marks, shape, is_rendering)
    }

    fn time(&mut self, value: &str) {
        if self.tree.head.times.len() < MAX_TIMES && value.len() <= 64 {
            let node = position(self.tree.nodes.len());
            self.tree.head.times.push((node, value.to_owned()));
        }
    }

    fn meta(&mut self, attributes: &str) {
        if MAX_METAS <= self.tree.head.metas.len() {
            return;
        }
        let (mut key, mut content) = (None, None);
        for (name, value) in Attributes(attributes) {
            match name.to_ascii_lowercase().as_str() {
                "name" | "property" | "itemprop" => key = key.or(Some(value)),
                "content" => content = content.or(Some(value)),
                _ => {}
            }
        }
        if let (Some(key), Some(content)) = (key, content)
            && key.len() <= 100
            && content.len() <= 10_000
        {
            self.tree.head.metas.push((key.to_ascii_lowercase(), decoded(content).into_owned()));
        }
    }

    fn script(&mut self, attributes: &str, raw: &str) {
        let kind = Attributes(attributes).find(|(name, _)| name.eq_ignore_ascii_case("type"));
        match kind.map(|(_, value)| value.split(';').next().unwrap_or_default()) {
            Some("application/ld+json") if self.tree.head.data.len() < MAX_DATA => {
                self.tree.head.data.push(raw.to_owned());
            }
            Some("math/tex") if self.foreign.is_none() => {
                self.has_tex = true;
                let fence = if attributes.contains("mode=display") { "$$" } else { "$" };
                self.push_text(&format!("{fence}{}{fence}", raw.trim()));
            }
            _ => {}
        }
    }

    fn open_foreign(&mut self, tag: Tag, attributes: &str) {
        // A drawing that is empty needs no end tag.
        if attributes.ends_with('/') {
            return;
        }
        let mut foreign = Foreign {
            tag,
            depth: 1,
            tex: String::new(),
            is_tex: false,
            is_annotation: false,
            is_display: false,
            text: String::new(),
        };
        for (name, value) in Attributes(attributes) {
            match name {
                "alttext" => decoded(value).trim().clone_into(&mut foreign.tex),
                "display" => foreign.is_display = value == "block",
                _ => {}
            }
        }
        self.foreign = Some(foreign);
    }

    /// Whether the tag is a part of the formula or drawing that is open. Those of blocks end it.
    fn foreign_start(&mut self, tag: Tag, attributes: &str) -> bool {
        let Some(foreign) = &mut self.foreign else { return false };
        if tag.is_block() {
            self.close_foreign();
            return false;
        }
        foreign.depth += usize::from(tag == foreign.tag && !attributes.ends_with('/'));
        if tag == Tag::Annotation {
            let mut encoding = Attributes(attributes).filter(|(name, _)| *name == "encoding");
            let is_tex = encoding.any(|(_, value)| value.contains("tex") || value.contains("TeX"));
            foreign.is_annotation = !is_tex;
            foreign.is_tex = is_tex;
            if is_tex {
                foreign.tex.clear();
            }
        }
        true
    }

    fn close_foreign(&mut self) {
        let Some(foreign) = self.foreign.take() else { return };
        if foreign.tag != Tag::Math {
            return;
        }
        let tex = foreign.tex.trim();
        if tex.is_empty() {
            self.push_text(&foreign.text);
        } else {
            let fence = if foreign.is_display { "$$" } else { "$" };
            self.push_text(&format!("{fence}{tex}{fence}"));
        }
    }

    /// Closes what this start tag closes without saying so.
    fn imply_ends(&mut self, tag: Tag) {
        match tag {
            Tag::Li => self.pop_to(|open| open == Tag::Li, ends_item),
            Tag::Dd | Tag::Dt => self.pop_to(|open| matches!(open, Tag::Dd | Tag::Dt), ends_item),
            Tag::Td | Tag::Th => self.pop_to(Tag::is_cell, |open| open == Tag::Table),
            Tag::Tr => self.pop_to(|open| open == Tag::Tr, |open| open == Tag::Table),
            Tag::Tbody => {
                self.pop_to(|open| matches!(open, Tag::Tbody | Tag::Caption), |open| open == Tag::Table);
            }
            Tag::Option => self.pop_to(|open| open == Tag::Option, |open| open != Tag::Option),
            _ => {}
        }
        if tag.ends_paragraph() && tag != Tag::Table {
            self.pop_to(|open| open == Tag::P, |open| open.is_scope() || open == Tag::Button);
        }
    }

    fn end(&mut self, tag: Tag, name: &str) {
        if let Some(foreign) = &mut self.foreign {
            if tag == Tag::Annotation {
                (foreign.is_tex, foreign.is_annotation) = (false, false);
            } else if tag == foreign.tag {
                foreign.depth -= 1;
                if foreign.depth == 0 {
                    self.close_foreign();
                }
                return;
            }
            if !tag.is_block() {
                return;
            }
            self.close_foreign();
        }
        match tag {
            Tag::A => self.is_link = false,
            Tag::Br => {
                self.push(Kind::Element { tag, marks: 0, shape: 0 });
            }
            // What follows them is a part of the page all the same.
            Tag::Html | Tag::Body | Tag::Format | Tag::Void => {}
            _ if 0 < self.overflow => self.overflow -= 1,
            Tag::Form => {
                // It ends without what was opened in it.
                if let Some(at) = self.stack.iter().rposition(|open| open.tag == Tag::Form) {
                    if at + 1 == self.stack.len() {
                        self.truncate(at);
                    } else if let Some(open) = self.stack.get_mut(at) {
                        (open.tag, open.name) = (Tag::Other, "");
                    }
                }
            }
            _ if tag.is_heading() => self.pop_to(Tag::is_heading, Tag::is_scope),
            _ if tag.is_table_part() => {
                self.pop_to(|open| open == tag, |open| open == Tag::Table && tag != open);
            }
            _ if tag.is_block() => self.pop_to(|open| open == tag, Tag::is_scope),
            _ => {
                for at in (0..self.stack.len()).rev() {
                    let Some(open) = self.stack.get(at) else { return };
                    if open.tag == tag && open.name.eq_ignore_ascii_case(name) {
                        return self.truncate(at);
                    }
                    if open.tag.is_block() {
                        return;
                    }
                }
            }
        }
    }

    /// Closes the innermost element that is wanted, and all in it, unless a barrier stands between.
    fn pop_to(&mut self, wanted: impl Fn(Tag) -> bool, barrier: impl Fn(Tag) -> bool) {
        for at in (0..self.stack.len()).rev() {
            let Some(open) = self.stack.get(at) else { return };
            if wanted(open.tag) {
                return self.truncate(at);
            }
            if barrier(open.tag) {
                return;
            }
        }
    }

    fn truncate(&mut self, at: usize) {
        let end = position(self.tree.nodes.len());
        for open in self.stack.drain(at..) {
            if let Some(node) = self.tree.nodes.get_mut(open.node as usize) {
                node.end = end;
            }
            if open.tag.is_cell() {
                self.is_link = false;
            }
        }
    }
}

/// An item's end tag may be left out, but only as far up as the next element that is not mere grouping.
fn ends_item(open: Tag) -> bool {
    open.is_block() && !matches!(open, Tag::Address | Tag::Div | Tag::P)
}

fn is_hiding(style: &str) -> bool {
    let style = style.get(..MAX_CLASS).unwrap_or(style);
    let bare: String = style.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect();
    bare.contains("display:none") || bare.contains("visibility:hidden")
}

fn fnv(bytes: &[u8], seed: u32) -> u32 {
    bytes.iter().fold(seed, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
