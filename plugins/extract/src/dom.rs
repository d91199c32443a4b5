//! A page as a tree, made in time that grows with its length and nothing else.
//!
//! The nodes stand in the order of the source, each with the place where its subtree ends: nothing is ever moved, so no
//! markup can make it slow. What browsers do beyond that changes how a page looks, not what it says: formatting is no
//! part of the tree, and what is nested too deep is flattened. Which of the text matters is not known here.

mod build;
pub(crate) mod marks;
mod tags;
mod tokens;

pub(crate) use build::build;
use marks::Marks;
pub(crate) use tags::Tag;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A place in the tree's text.
    Text { from: u32, to: u32, is_link: bool },
    Element {
        tag: Tag,
        marks: Marks,
        /// A hash of the name and the class: what is made by the same template is alike in both.
        shape: u32,
    },
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) parent: u32,
    /// Behind the last node of the subtree.
    pub(crate) end: u32,
}

impl Node {
    pub(crate) fn tag(&self) -> Option<Tag> {
        match self.kind {
            Kind::Element { tag, .. } => Some(tag),
            Kind::Text { .. } => None,
        }
    }
}

/// What a page says of itself outside of its text.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) title: String,
    pub(crate) lang: Option<String>,
    /// The names in lower case and what they are set to.
    pub(crate) metas: Vec<(String, String)>,
    /// The sources of JSON-LD scripts.
    pub(crate) data: Vec<String>,
    /// The machine-readable times of `time` elements and the like, each with the node that it stands before.
    pub(crate) times: Vec<(u32, String)>,
}

#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    text: String,
    pub(crate) head: Head,
}

impl Tree {
    pub(crate) fn text(&self, from: u32, to: u32) -> &str {
        self.text.get(from as usize..to as usize).unwrap_or_default()
    }
}
