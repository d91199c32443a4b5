//! From products to probabilities: the official tool's arithmetic, its table of the sigmoid included.

use crate::header::Loss;
use crate::matrix::Matrix;

/// The official tool looks sigmoids up in steps of 1/32 between -8 and 8.
const SIGMOID_STEPS: usize = 512;
const SIGMOID_MAX: f32 = 8.0;

/// A probability, or its logarithm where the labels are a tree, and the label's number.
pub(crate) type Scored = (f32, u32);

/// How this model scores.
#[derive(Debug, Clone)]
pub(crate) enum Scorer {
    Softmax,
    Sigmoid(Sigmoid),
    Tree(Tree),
}

#[derive(Debug, Clone)]
pub(crate) struct Sigmoid {
    table: Vec<f32>,
}

/// A Huffman tree: leaves are labels, and what is above them, in the order it was made, has a row of the output matrix
/// each.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    labels: usize,
    /// Left and right of each inner node.
    children: Vec<(u32, u32)>,
    /// Of each node but the root: its parent, and whether it is on the right.
    parents: Vec<(u32, bool)>,
}

impl Scorer {
    /// None where the labels' counts make no tree.
    pub(crate) fn new(loss: Loss, counts: &[i64]) -> Option<Self> {
        Some(match loss {
            Loss::Softmax => Self::Softmax,
            Loss::Negative | Loss::OneVsAll => Self::Sigmoid(Sigmoid::new()),
            Loss::Hierarchical => Self::Tree(Tree::new(counts)?),
        })
    }

    /// Offers the labels that may be among the best. `room` is room to work in.
    pub(crate) fn scores(
        &self,
        (output, labels): (&Matrix, usize),
        hidden: &[f32],
        best: &mut Best,
        room: &mut Vec<f32>,
    ) {
        match self {
            Self::Tree(tree) => return tree.scores(output, hidden, best),
            Self::Softmax => {
                output.products(labels, hidden, room);
                softmax(room);
            }
            Self::Sigmoid(sigmoid) => {
                output.products(labels, hidden, room);
                room.iter_mut().for_each(|x| *x = sigmoid.at(*x));
            }
        }
        for (label, &probability) in (0..).zip(room.iter()) {
            if best.threshold <= probability {
                best.push((probability, label));
            }
        }
    }

    /// What the official tool says instead of a score: it takes logarithms on the way.
    pub(crate) fn probability(&self, score: f32) -> f32 {
        match self {
            Self::Softmax | Self::Sigmoid(_) => log(f64::from(score)).exp(),
            Self::Tree(_) => score.exp(),
        }
    }
}

/// The official tool's logarithm, which a probability of nothing does not break.
fn log(probability: f64) -> f32 {
    // As there, the probability is a single, and the sum and its logarithm are doubles.
    (f64::from(probability as f32) + 1e-5).ln() as f32
}

pub(crate) fn softmax(products: &mut [f32]) {
    let max = products.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0_f32;
    for x in products.iter_mut() {
        *x = f64::from(*x - max).exp() as f32;
        sum += *x;
    }
    products.iter_mut().for_each(|x| *x /= sum);
}

impl Sigmoid {
    pub(crate) fn new() -> Self {
        let at = |step: usize| {
            let x = (step * 2 * SIGMOID_MAX as usize) as f32 / SIGMOID_STEPS as f32 - SIGMOID_MAX;
            (1.0 / (1.0 + f64::from((-x).exp()))) as f32
        };
        Self { table: (0..=SIGMOID_STEPS).map(at).collect() }
    }

    pub(crate) fn at(&self, x: f32) -> f32 {
        if x < -SIGMOID_MAX {
            0.0
        } else if SIGMOID_MAX < x {
            1.0
        } else {
            let step = (x + SIGMOID_MAX) * SIGMOID_STEPS as f32 / SIGMOID_MAX / 2.0;
            self.table.get(step as usize).copied().unwrap_or(f32::NAN)
        }
    }
}

impl Tree {
    /// None unless the counts fall and could have been counted: the official tool's way to build the tree needs both.
    pub(crate) fn new(counts: &[i64]) -> Option<Self> {
        const ENDLESS: i64 = 1_000_000_000_000_000;
        let labels = counts.len();
        let sum = counts.iter().try_fold(0_i64, |sum, &count| sum.checked_add(count))?;
        if labels == 0 || ENDLESS <= sum || !counts.is_sorted_by(|one, next| one >= next && 0 <= *next) {
            return None;
        }
        let inner = labels - 1;
        let mut weights = counts.to_vec();
        weights.resize(labels + inner, ENDLESS);
        let mut tree =
            Self { labels, children: Vec::with_capacity(inner), parents: vec![(0, false); labels + inner] };
        let (mut leaves, mut node) = (labels, labels);
        for parent in labels..labels + inner {
            let mut lightest = || {
                let leaf = leaves.checked_sub(1).filter(|&leaf| weights[leaf] < weights[node]);
                leaf.inspect(|&leaf| leaves = leaf).unwrap_or_else(|| {
                    node += 1;
                    node - 1
                })
            };
            let (left, right) = (lightest(), lightest());
            weights[parent] = weights[left] + weights[right];
            tree.children.push((left as u32, right as u32));
            tree.parents[left] = (parent as u32, false);
            tree.parents[right] = (parent as u32, true);
        }
        Some(tree)
    }

    fn scores(&self, output: &Matrix, hidden: &[f32], best: &mut Best) {
        let least = log(f64::from(best.threshold));
        let mut open = vec![(0.0_f32, self.parents.len() - 1)];
        while let Some((score, node)) = open.pop() {
            // Below, scores only fall.
            if score < least || score < best.floor() {
                continue;
            }
            let Some(inner) = node.checked_sub(self.labels) else {
                best.push((score, node as u32));
                continue;
            };
            let x = output.dot_row(inner, hidden);
            let right = (1.0 / f64::from(1.0 + (-x).exp())) as f32;
            let (left, other) = self.children[inner];
            open.push((score + log(f64::from(right)), other as usize));
            open.push((score + log(1.0 - f64::from(right)), left as usize));
        }
    }

    /// The rows of the output matrix on the way from a label to the root, and whether it comes from the right.
    pub(crate) fn path(&self, label: u32) -> impl Iterator<Item = (usize, bool)> {
        let root = self.parents.len() - 1;
        let mut node = label as usize;
        std::iter::from_fn(move || {
            if node == root {
                return None;
            }
            let (parent, right) = self.parents[node];
            node = parent as usize;
            Some((node - self.labels, right))
        })
    }
}

/// The best so far of many scores that are probable enough, at most twice as many as are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Best {
    wanted: usize,
    threshold: f32,
    found: Vec<Scored>,
    floor: Option<f32>,
}

impl Best {
    pub(crate) fn clear(&mut self, wanted: usize, threshold: f32) {
        self.wanted = wanted;
        self.threshold = threshold;
        self.found.clear();
        self.floor = None;
    }

    /// A lower score is not among the best any more.
    fn floor(&self) -> f32 {
        self.floor.unwrap_or(f32::NEG_INFINITY)
    }

    fn push(&mut self, scored: Scored) {
        if !scored.0.is_finite() || scored.0 < self.floor() {
            return;
        }
        self.found.push(scored);
        if self.wanted.saturating_mul(2) < self.found.len() {
            self.cut();
            self.floor = self.found.iter().map(|&(score, _)| score).reduce(f32::min);
        }
    }

    fn cut(&mut self) {
        if 0 < self.wanted && self.wanted < self.found.len() {
            self.found.select_nth_unstable_by(self.wanted - 1, order);
        }
        self.found.truncate(self.wanted);
    }

    /// The best, best first; of equally good ones the label that comes first in the model.
    pub(crate) fn sorted(&mut self) -> &[Scored] {
        self.cut();
        self.found.sort_unstable_by(order);
        &self.found
    }
}

fn order(one: &Scored, other: &Scored) -> std::cmp::Ordering {
    other.0.total_cmp(&one.0).then(one.1.cmp(&other.1))
}
