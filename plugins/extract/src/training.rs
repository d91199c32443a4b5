//! What the model of blocks is trained on. No part of the stage: `examples/blocks.rs` and `model/train.py` use it.

use crate::dom::marks::Finder;
use crate::{blocks, dom, features};

/// A block of a page as training sees it.
#[derive(Debug)]
pub struct Sample {
    /// Its text on one line.
    pub text: String,
    /// The numbers that describe it.
    pub features: Vec<f32>,
    /// How many of them the first look at a block takes.
    pub first: usize,
}

/// The blocks of a page.
#[must_use]
pub fn samples(html: &str) -> Vec<Sample> {
    let finder = Finder::new();
    let tree = dom::build(html, &finder);
    let blocks = blocks::split(&tree);
    let page = features::Page::new(&tree, &blocks, &finder);
    let sample = |(at, block)| {
        let mut features = Vec::new();
        page.describe(at, &mut features);
        let first = features.len();
        page.describe_further(at, &mut features);
        Sample { text: features::text(&tree, block), features, first }
    };
    blocks.iter().enumerate().map(sample).collect()
}
