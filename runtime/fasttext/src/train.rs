//! Training: fastText's supervised learning, one thread, the same bytes from the same samples and seed.

use std::collections::HashMap;

use crate::dictionary::Dictionary;
use crate::header::{Info, Loss, MAX_NGRAM};
use crate::loss::{Scorer, Sigmoid, softmax};
use crate::matrix::{Dense, Matrix};
use crate::model::Model;
use crate::random::Random;
use crate::tokens;

/// More weights than this are a slip of the pen: 16 GiB are twenty times the official defaults.
const MAX_BYTES: u64 = 16 << 30;

/// How a model is trained; names and defaults are the official tool's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Params {
    /// The learning rate at the beginning; it falls to nothing in a straight line.
    pub lr: f32,
    /// Columns of the matrices.
    pub dim: u32,
    /// How often each sample is learnt from.
    pub epoch: u32,
    /// A rarer word has no row of its own.
    pub min_count: u32,
    /// The longest run of words that has a row, hashed.
    pub word_ngrams: u32,
    /// How many rows hashes share, if there is something to hash: they are most of the memory, 4 × `dim` bytes each.
    pub bucket: u32,
    /// The shortest n-gram of characters that has a row, hashed.
    pub minn: u32,
    /// The longest; 0 for none.
    pub maxn: u32,
    /// How scores become probabilities; [`Loss::Negative`] is not trained.
    pub loss: Loss,
    /// After how many tokens the learning rate is set anew.
    pub lr_update_rate: u32,
    /// Where the first weights and the order of the samples come from.
    pub seed: u64,
    /// Whether the samples are learnt from in another order each time. The official tool takes the file's order, which
    /// unlearns what came first where the samples are sorted by label.
    pub shuffle: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            lr: 0.1,
            dim: 100,
            epoch: 5,
            min_count: 1,
            word_ngrams: 1,
            bucket: 2_000_000,
            minn: 0,
            maxn: 0,
            loss: Loss::Softmax,
            lr_update_rate: 100,
            seed: 0,
            shuffle: true,
        }
    }
}

/// A text and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample<'a> {
    /// With `__label__` before them or without. White space within them becomes `_`.
    pub labels: Vec<&'a str>,
    /// As [`Model::predict`] will see it: words that begin with `__label__` are passed over.
    pub text: &'a str,
}

/// Why there is no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    #[error("no sample has a label")]
    NoLabels,
    #[error("`{key}` must be {expected}")]
    Param { key: &'static str, expected: &'static str },
    #[error("the weights would take {bytes} bytes, more than {MAX_BYTES}: lower `bucket` or `dim`")]
    TooLarge { bytes: u64 },
    #[error("too many words have the same hash")]
    Crowded,
    #[error("the weights grew without bounds: lower `lr`")]
    Diverged,
}

impl Params {
    fn check(&self) -> Result<(), TrainError> {
        let signed = 1..=i32::MAX.cast_unsigned();
        let complaint = if !(self.lr.is_finite() && 0.0 < self.lr) {
            ("lr", "a number above 0")
        } else if !signed.contains(&self.dim) {
            ("dim", "at least 1")
        } else if !signed.contains(&self.epoch) {
            ("epoch", "at least 1")
        } else if !(1..=MAX_NGRAM).contains(&self.word_ngrams) {
            ("word_ngrams", "from 1 to 64")
        } else if MAX_NGRAM < self.maxn || self.maxn < self.minn {
            ("maxn", "at least `minn`, and at most 64")
        } else if i32::MAX.cast_unsigned() < self.bucket.max(self.min_count).max(self.lr_update_rate) {
            ("bucket", "below 2147483648, like all counts")
        } else if self.hashes() && self.bucket == 0 {
            ("bucket", "at least 1, since there are n-grams to hash")
        } else if self.loss == Loss::Negative {
            ("loss", "one of softmax, one-vs-all and hierarchical")
        } else {
            return Ok(());
        };
        Err(TrainError::Param { key: complaint.0, expected: complaint.1 })
    }

    fn hashes(&self) -> bool {
        1 < self.word_ngrams || 0 < self.maxn
    }

    fn info(&self) -> Info {
        let signed = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        Info {
            dim: self.dim,
            epoch: signed(self.epoch),
            min_count: signed(self.min_count),
            word_ngrams: self.word_ngrams,
            loss: self.loss,
            bucket: if self.hashes() { self.bucket } else { 0 },
            minn: self.minn,
            maxn: self.maxn,
            update_rate: signed(self.lr_update_rate),
            // What only unsupervised training looks at, at the official defaults.
            window: 5,
            negatives: 5,
            sampling: 1e-4,
        }
    }
}

/// Trains a model.
///
/// Memory: the samples stay where they are; the weights take 4 × `dim` × (words + `bucket` + labels) bytes.
///
/// # Errors
/// No sample has a label, the parameters are out of range, or the weights grew without bounds.
pub fn train(samples: &[Sample<'_>], params: &Params) -> Result<Model, TrainError> {
    params.check()?;
    let info = params.info();
    let labels: Vec<Vec<String>> = samples.iter().map(|sample| names(&sample.labels)).collect();
    let dictionary = dictionary(samples, &labels, params)?;
    let mut random = Random::new(params.seed);
    let (input, output) = matrices(&dictionary, &info, &mut random)?;
    let scorer = Scorer::new(info.loss, dictionary.label_counts()).ok_or(TrainError::NoLabels)?;
    let targets: Vec<Vec<u32>> = labels.iter().map(|labels| numbers(&dictionary, labels)).collect();

    let mut learner = Learner {
        sigmoid: Sigmoid::new(),
        hidden: vec![0.0; input.columns],
        gradient: vec![0.0; input.columns],
        products: Vec::new(),
        rows: Vec::new(),
        scorer: &scorer,
        input,
        output,
    };
    let total = dictionary.tokens() as f64 * f64::from(params.epoch);
    let (mut done, mut waiting) = (0_u64, 0_u64);
    let mut order: Vec<usize> = (0..samples.len()).collect();
    let mut hashes = Vec::new();
    for _ in 0..params.epoch {
        if params.shuffle {
            random.shuffle(&mut order);
        }
        for &place in &order {
            let lr = params.lr * (1.0 - done as f64 / total) as f32;
            let text = samples[place].text.as_bytes();
            learner.rows.clear();
            let tokens = dictionary.rows(&info, text, &mut hashes, |row| learner.rows.push(row));
            waiting += tokens + labels[place].len() as u64;
            learner.learn(&targets[place], lr, &mut random);
            if u64::from(params.lr_update_rate) < waiting {
                done += std::mem::take(&mut waiting);
            }
        }
    }
    let Learner { input, output, .. } = learner;
    if !input.weights.iter().chain(&output.weights).all(|weight| weight.is_finite()) {
        return Err(TrainError::Diverged);
    }
    Ok(Model::of(info, dictionary, [Matrix::Dense(input), Matrix::Dense(output)], scorer))
}

/// The labels as a training file has them: words that begin with the prefix.
fn names(labels: &[&str]) -> Vec<String> {
    let name = |label: &&str| {
        let bare = label.strip_prefix(tokens::LABEL).unwrap_or(label);
        let parts: Vec<_> = tokens::words(bare.as_bytes()).map(String::from_utf8_lossy).collect();
        format!("{}{}", tokens::LABEL, parts.join("_"))
    };
    labels.iter().map(name).collect()
}

/// Words and labels, the frequent ones first, and of equally frequent ones that which came first.
fn dictionary(
    samples: &[Sample<'_>],
    labels: &[Vec<String>],
    params: &Params,
) -> Result<Dictionary, TrainError> {
    let (mut words, mut names) = (Counts::default(), Counts::default());
    for (sample, labels) in samples.iter().zip(labels) {
        for token in tokens::tokens(sample.text.as_bytes()) {
            words.add(token);
        }
        for label in labels {
            names.add(label.as_bytes());
        }
    }
    if names.counts.is_empty() {
        return Err(TrainError::NoLabels);
    }
    let tokens = words.tokens() + names.tokens();
    let least = i64::from(params.min_count);
    let is_label = |word: &[u8]| word.starts_with(tokens::LABEL.as_bytes());
    words.counts.retain(|&(word, count)| least <= count && !is_label(word));
    Dictionary::new(&words.sorted(), &names.sorted(), tokens).map_err(|_crowded| TrainError::Crowded)
}

/// Things counted, in the order in which they came.
#[derive(Default)]
struct Counts<'a> {
    places: HashMap<&'a [u8], usize>,
    counts: Vec<(&'a [u8], i64)>,
}

impl<'a> Counts<'a> {
    fn add(&mut self, thing: &'a [u8]) {
        let place = *self.places.entry(thing).or_insert_with(|| {
            self.counts.push((thing, 0));
            self.counts.len() - 1
        });
        self.counts[place].1 += 1;
    }

    fn tokens(&self) -> i64 {
        self.counts.iter().map(|&(_, count)| count).sum()
    }

    fn sorted(mut self) -> Vec<(&'a [u8], i64)> {
        self.counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        self.counts
    }
}

/// Small random weights for the words and hashes, none yet for the labels.
fn matrices(dictionary: &Dictionary, info: &Info, random: &mut Random) -> Result<(Dense, Dense), TrainError> {
    let columns = info.dim as usize;
    let rows = dictionary.rows_needed(info).max(1);
    let labels = dictionary.label_counts().len();
    let bytes = (rows + labels as u64).saturating_mul(4).saturating_mul(info.dim.into());
    if MAX_BYTES < bytes {
        return Err(TrainError::TooLarge { bytes });
    }
    let bound = 1.0 / f64::from(info.dim);
    let weights =
        (0..rows as usize * columns).map(|_| ((random.unit() * 2.0 - 1.0) * bound) as f32).collect();
    Ok((Dense { columns, weights }, Dense { columns, weights: vec![0.0; labels * columns] }))
}

fn numbers(dictionary: &Dictionary, labels: &[String]) -> Vec<u32> {
    let number = |label: &String| dictionary.find(label.as_bytes(), tokens::hash(label.as_bytes()));
    labels.iter().filter_map(number).filter_map(|number| number.checked_sub(dictionary.words())).collect()
}

/// The weights, and room for one step.
struct Learner<'a> {
    input: Dense,
    output: Dense,
    scorer: &'a Scorer,
    sigmoid: Sigmoid,
    hidden: Vec<f32>,
    gradient: Vec<f32>,
    products: Vec<f32>,
    rows: Vec<u32>,
}

impl Learner<'_> {
    /// One step towards the labels of the text whose rows are in `self.rows`.
    fn learn(&mut self, labels: &[u32], lr: f32, random: &mut Random) {
        if labels.is_empty() || self.rows.is_empty() {
            return;
        }
        self.hidden.fill(0.0);
        self.gradient.fill(0.0);
        for &row in &self.rows {
            add(&mut self.hidden, self.input.row(row as usize), 1.0);
        }
        let share = (1.0 / self.rows.len() as f64) as f32;
        self.hidden.iter_mut().for_each(|x| *x *= share);
        self.turn(labels, lr, random);
        // The text's own change is shared among its rows.
        self.gradient.iter_mut().for_each(|x| *x *= share);
        for &row in &self.rows {
            add(self.input.row_mut(row as usize), &self.gradient, 1.0);
        }
    }

    /// Changes the labels' rows, and gathers what that says of the text's.
    fn turn(&mut self, labels: &[u32], lr: f32, random: &mut Random) {
        let scorer = self.scorer;
        match scorer {
            Scorer::Softmax => {
                let target = labels[random.below(labels.len())] as usize;
                self.output.products(self.output.rows(), &self.hidden, &mut self.products);
                softmax(&mut self.products);
                for row in 0..self.products.len() {
                    let wanted = if row == target { 1.0 } else { 0.0 };
                    self.row(row, lr * (wanted - self.products[row]));
                }
            }
            Scorer::Sigmoid(_) => {
                for row in 0..self.output.rows() {
                    let wanted = labels.iter().any(|&label| label as usize == row);
                    self.decide(row, wanted, lr);
                }
            }
            Scorer::Tree(tree) => {
                let target = labels[random.below(labels.len())];
                for (row, right) in tree.path(target) {
                    self.decide(row, right, lr);
                }
            }
        }
    }

    /// A step towards yes or no.
    fn decide(&mut self, row: usize, wanted: bool, lr: f32) {
        let product = self.output.row(row).iter().zip(&self.hidden).map(|(x, y)| x * y).sum::<f32>();
        let wanted = if wanted { 1.0 } else { 0.0 };
        self.row(row, lr * (wanted - self.sigmoid.at(product)));
    }

    fn row(&mut self, row: usize, step: f32) {
        add(&mut self.gradient, self.output.row(row), step);
        add(self.output.row_mut(row), &self.hidden, step);
    }
}

fn add(to: &mut [f32], row: &[f32], factor: f32) {
    for (to, x) in to.iter_mut().zip(row) {
        *to += factor * x;
    }
}
