//! What the data of a page says about its text: the text itself, what it is about, and what kind of thing it is.

use serde_json::Value;

use crate::blocks::Block;
use crate::dom::{Head, Tree};

use super::number::flag;
use super::runs::{self, Runs};

/// So many words of a block tell whether it is a part of a text.
const BLOCK_WORDS: usize = 50;

/// Data that is longer is that of a program, not of a page.
const MAX_DATA: usize = 1 << 20;

/// How deep data is nested before it is no longer read.
const MAX_DEPTH: usize = 12;

#[derive(Debug, Default)]
pub(super) struct Said {
    body: Runs,
    summary: Runs,
    kinds: [bool; 4],
}

impl Said {
    pub(super) fn new(head: &Head) -> Self {
        let mut said = Self::default();
        for source in head.data.iter().filter(|source| source.len() <= MAX_DATA) {
            if let Ok(data) = serde_json::from_str::<Value>(source) {
                said.read(&data, MAX_DEPTH);
            }
        }
        for (name, text) in &head.metas {
            if matches!(name.as_str(), "description" | "og:description" | "twitter:description") {
                said.summary.add(text);
            }
        }
        said.body.sort();
        said.summary.sort();
        said
    }

    fn read(&mut self, data: &Value, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else { return };
        match data {
            Value::Object(fields) => {
                for (key, value) in fields {
                    match (key.as_str(), value) {
                        ("articleBody" | "text", Value::String(text)) => self.body.add(text),
                        ("description", Value::String(text)) => self.summary.add(text),
                        ("@type", Value::String(kind)) => self.kind(kind),
                        _ => self.read(value, depth),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.read(value, depth)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn kind(&mut self, kind: &str) {
        let is = [
            kind.ends_with("Article") || kind == "BlogPosting",
            kind == "Product" || kind == "ProductGroup",
            kind == "DiscussionForumPosting" || kind == "QAPage" || kind == "Question",
            kind == "ItemList" || kind == "CollectionPage",
        ];
        for (known, is) in self.kinds.iter_mut().zip(is) {
            *known |= is;
        }
    }

    /// Whether something that the page is about is an article.
    pub(super) fn is_article(&self) -> bool {
        self.kinds.first().is_some_and(|is| *is)
    }

    pub(super) fn describe(&self, tree: &Tree, block: &Block, to: &mut Vec<f32>) {
        if self.body.is_empty() && self.summary.is_empty() {
            to.extend([-1.0, -1.0]);
        } else {
            let mut found = Vec::new();
            runs::of_block(tree, block, BLOCK_WORDS, |run| found.push(run));
            to.extend([self.body.share(&found), self.summary.share(&found)]);
        }
        to.extend(self.kinds.map(flag));
    }
}

#[cfg(test)]
mod tests {
    use crate::blocks;
    use crate::dom::{self, marks::Finder};

    use super::*;

    #[track_caller]
    fn check(html: &str, said: &[f32]) {
        let tree = dom::build(html, &Finder::new());
        let blocks = blocks::split(&tree);
        let mut found = Vec::new();
        Said::new(&tree.head).describe(&tree, blocks.last().unwrap(), &mut found);
        assert_eq!(found, said, "{html:?}");
    }

    fn data(data: &str) -> String {
        format!(
            "<script type='application/ld+json'>{data}</script><p>The river had been, rising <b>since</b> the morning."
        )
    }

    #[test]
    fn the_data_of_a_page_is_compared_with_its_blocks() {
        check("<p>The river had been rising.", &[-1.0, -1.0, 0.0, 0.0, 0.0, 0.0]);
        check(
            &data(
                r#"{"@graph": [{"@type": "NewsArticle", "articleBody": "THE RIVER had been rising since the morning, and"}]}"#,
            ),
            &[1.0, -1.0, 1.0, 0.0, 0.0, 0.0],
        );
        check(
            &data(r#"{"@type": "Product", "description": "river had been rising"}"#),
            &[-1.0, 0.2, 0.0, 1.0, 0.0, 0.0],
        );
        check(
            &data(r#"{"@type": "QAPage", "text": "A lake of no importance"}"#),
            &[0.0, -1.0, 0.0, 0.0, 1.0, 0.0],
        );
        check(&data(r#"{"@type": "#), &[-1.0, -1.0, 0.0, 0.0, 0.0, 0.0]);
        check(
            "<meta name=description content='since the morning: rain'><p>Since the morning, rain",
            &[-1.0, 1.0, 0.0, 0.0, 0.0, 0.0],
        );
    }
}
