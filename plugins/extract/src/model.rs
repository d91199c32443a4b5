//! The model that says how likely a block is to be a part of the page's main text: decision trees, added up.
//!
//! It knows numbers only. What they are and where the trees come from is told in `training.rs`.

/// The trees, one on a line in the order in which they are walked: `F<=T` asks whether number F is at most T, what
/// follows is the tree for yes and then the one for no; a figure alone is the answer.
const SOURCE: &str = include_str!("../model/blocks.txt");

#[derive(Debug, Clone, Copy)]
struct Node {
    /// What is asked about; none: the value is the answer.
    feature: Option<u16>,
    /// How much further the branch for no begins.
    no: u16,
    value: f32,
}

#[derive(Debug)]
pub(crate) struct Model {
    nodes: Vec<Node>,
    roots: Vec<usize>,
}

impl Model {
    /// The model of this build. An error is one of whoever trained it, which the tests catch.
    pub(crate) fn new() -> Result<Self, String> {
        Self::parse(SOURCE)
    }

    fn parse(source: &str) -> Result<Self, String> {
        let mut model = Self { nodes: Vec::new(), roots: Vec::new() };
        for (number, line) in (1..).zip(source.lines()).filter(|(_, line)| !line.starts_with('#')) {
            model.roots.push(model.nodes.len());
            model.tree(line).ok_or_else(|| format!("line {number} of the model is no tree"))?;
        }
        Ok(model)
    }

    fn tree(&mut self, line: &str) -> Option<()> {
        // The questions whose branch for yes is being read.
        let mut asked: Vec<usize> = Vec::new();
        let mut words = line.split(' ');
        loop {
            let word = words.next()?;
            if let Some((feature, threshold)) = word.split_once("<=") {
                asked.push(self.nodes.len());
                let (feature, value) = (feature.parse().ok()?, threshold.parse().ok()?);
                self.nodes.push(Node { feature: Some(feature), no: 0, value });
                continue;
            }
            self.nodes.push(Node { feature: None, no: 0, value: word.parse().ok()? });
            let Some(question) = asked.pop() else {
                return words.next().is_none().then_some(());
            };
            let len = self.nodes.len();
            self.nodes.get_mut(question)?.no = u16::try_from(len - question).ok()?;
        }
    }

    /// The probability for a block of these numbers.
    pub(crate) fn probability(&self, features: &[f32]) -> f32 {
        let sum: f32 = self.roots.iter().map(|&root| self.walk(root, features)).sum();
        1.0 / (1.0 + (-sum).exp())
    }

    fn walk(&self, root: usize, features: &[f32]) -> f32 {
        let mut at = root;
        while let Some(node) = self.nodes.get(at) {
            let Some(feature) = node.feature else { return node.value };
            let is_yes = features.get(usize::from(feature)).is_some_and(|&number| number <= node.value);
            at += if is_yes { 1 } else { usize::from(node.no) };
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_walked() {
        let model = Model::parse("# a comment\n0<=1.5 1<=0 -2 3 0.5\n0<=9 0 1").unwrap();
        let check = |features: &[f32], sum: f32| {
            let expected = 1.0 / (1.0 + (-sum).exp());
            assert!((model.probability(features) - expected).abs() < 1e-6, "{features:?}");
        };
        check(&[1.5, 0.0], -2.0);
        check(&[1.0, 0.1], 3.0);
        check(&[2.0, 0.0], 0.5);
        check(&[10.0, 0.0], 1.5);
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        for source in ["", "0<=1 2", "0<=1 2 3 4", "x", "0<=x 1 2", "x<=1 1 2"] {
            assert!(Model::parse(&format!("{source}\n")).is_err(), "{source:?}");
        }
    }

    /// Numbers that were counted otherwise when the model was trained would be taken for each other.
    #[test]
    fn the_model_of_this_build_is_for_the_numbers_of_this_build() {
        let model = Model::new().unwrap();
        assert!(!model.roots.is_empty());
        let numbers = crate::training::samples("<p>A paragraph of a page.</p>")[0].features.len();
        assert!(SOURCE.starts_with(&format!("# {numbers} numbers;")), "{numbers}");
        let asked = model.nodes.iter().filter_map(|node| node.feature).max();
        assert!(asked.is_some_and(|asked| usize::from(asked) < numbers), "{asked:?} of {numbers}");
    }
}
