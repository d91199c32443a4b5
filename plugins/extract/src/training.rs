//! What the model of blocks is trained on and with. No part of the stage.

use crate::dom::marks::Finder;
use crate::{blocks, dom, features};

/// A block of a page as training sees it.
#[derive(Debug)]
pub struct Sample {
    /// Its text on one line.
    pub text: String,
    /// The numbers that describe it.
    pub features: Vec<f32>,
    /// For each container around it the range of its blocks.
    pub containers: Vec<(usize, usize)>,
    /// The template that it is made by.
    pub group: u32,
}

/// The blocks of a page.
#[must_use]
pub fn samples(html: &str) -> Vec<Sample> {
    let tree = dom::build(html, &Finder::new());
    let blocks = blocks::split(&tree);
    let page = features::Page::new(&tree, &blocks);
    let sample = |(at, block)| {
        let mut features = Vec::new();
        page.describe(at, &mut features);
        Sample {
            text: features::text(&tree, block),
            features,
            containers: page
                .containers(block)
                .iter()
                .map(|container| (container.from, container.to))
                .collect(),
            group: page.groups.get(at).copied().unwrap_or_default(),
        }
    };
    blocks.iter().enumerate().map(sample).collect()
}
