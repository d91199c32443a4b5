//! The model that says how likely a block is to be a part of the page's main text: decision trees, added up.
//!
//! It knows numbers only. What they are and where the trees come from is told in `training.rs`.

/// The trees, one on a line in the order in which they are walked: `F<=T` asks whether number F is at most T, what
/// follows is the tree for yes and then the one for no; a figure alone is the answer.
const SOURCE: &str = include_str!("../model/blocks.txt");

/// So many trees ask about the first numbers only, and tell what is nowhere near a text.
const GLANCE: usize = 60;

/// Of 40 000 blocks below this, of pages that a model had not seen, it would have given none more than 0.3.
const HOPELESS: f32 = -1.25;

/// The value is the answer.
const ANSWER: u16 = u16::MAX;

#[derive(Debug, Clone, Copy)]
struct Node {
    /// What is asked about, or `ANSWER`.
    feature: u16,
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
                self.nodes.push(Node { feature, no: 0, value });
                continue;
            }
            self.nodes.push(Node { feature: ANSWER, no: 0, value: word.parse().ok()? });
            let Some(question) = asked.pop() else {
                return words.next().is_none().then_some(());
            };
            let len = self.nodes.len();
            self.nodes.get_mut(question)?.no = u16::try_from(len - question).ok()?;
        }
    }

    /// The probability for a block of these numbers, to which `further` adds the others when they are needed: most of
    /// most pages is told from a text by a few questions.
    pub(crate) fn probability(&self, numbers: &mut Vec<f32>, further: impl FnOnce(&mut Vec<f32>)) -> f32 {
        let (first, others) = self.roots.split_at(GLANCE.min(self.roots.len()));
        let sum = self.sum(first, numbers);
        if sum < HOPELESS {
            // The second half of the model is taken to say what the first does.
            return logistic(2.0 * sum);
        }
        further(numbers);
        logistic(sum + self.sum(others, numbers))
    }

    fn sum(&self, roots: &[usize], numbers: &[f32]) -> f32 {
        roots.iter().map(|&root| answer(self.nodes.get(root..).unwrap_or_default(), numbers)).sum()
    }
}

fn logistic(sum: f32) -> f32 {
    1.0 / (1.0 + (-sum).exp())
}

fn answer(tree: &[Node], features: &[f32]) -> f32 {
    let mut at = 0;
    while let Some(node) = tree.get(at) {
        if node.feature == ANSWER {
            return node.value;
        }
        let is_yes = features.get(usize::from(node.feature)).is_some_and(|&number| number <= node.value);
        at += if is_yes { 1 } else { usize::from(node.no) };
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_walked() {
        let model = Model::parse("# a comment\n0<=1.5 1<=0 -1 3 0.5\n0<=9 0 1").unwrap();
        let check = |numbers: &[f32], sum: f32| {
            let found = model.probability(&mut numbers.to_vec(), |_| {});
            assert!((found - 1.0 / (1.0 + (-sum).exp())).abs() < 1e-6, "{numbers:?}");
        };
        check(&[1.5, 0.0], -1.0);
        check(&[1.0, 0.1], 3.0);
        check(&[2.0, 0.0], 0.5);
        check(&[10.0, 0.0], 1.5);
    }

    #[test]
    fn what_is_hopeless_is_not_looked_at_further() {
        let model = Model::parse(&format!("{}1<=0 0 9\n", "0<=0 0.1 -0.1\n".repeat(GLANCE))).unwrap();
        let hopeless = model.probability(&mut vec![1.0], |_| panic!("not needed"));
        assert!(hopeless < 1e-5, "{hopeless}");
        assert!(0.99 < model.probability(&mut vec![0.0], |numbers| numbers.push(1.0)));
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
        let sample = &crate::training::samples("<p>A paragraph of a page.</p>")[0];
        let numbers = sample.features.len();
        assert!(SOURCE.starts_with(&format!("# {numbers} numbers;")), "{numbers}");
        let asked = |nodes: &[Node]| {
            nodes.iter().map(|node| node.feature).filter(|asked| *asked != ANSWER).max().map(usize::from)
        };
        assert!(asked(&model.nodes).is_some_and(|asked| asked < numbers), "of {numbers}");
        let glance = &model.nodes[..model.roots[GLANCE]];
        assert!(asked(glance).is_some_and(|asked| asked < sample.first), "of {}", sample.first);
    }
}
