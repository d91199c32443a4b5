//! A model that has been read or trained: asked by any number of threads at once.

use std::fmt;
use std::io::{self, Read, Write};

use crate::dictionary::Dictionary;
use crate::header::Info;
use crate::loss::{Best, Scorer};
use crate::matrix::{Dense, Form, Matrix};
use crate::quantize::{Quantize, QuantizeError, Quantized};
use crate::source::{Error, Source};
use crate::tokens;

/// The least rows of which 256 centroids can be learnt.
const LEAST_ROWS: usize = 256;

/// Rows are looked up first and added then, so that the processor can fetch many of them at once; this many stay in its
/// nearest cache.
const ROWS_AT_ONCE: usize = 1024;

/// A supervised model.
#[derive(Clone)]
pub struct Model {
    pub(crate) info: Info,
    pub(crate) dictionary: Dictionary,
    labels: Vec<String>,
    input: Matrix,
    output: Matrix,
    scorer: Scorer,
}

/// A label and its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction<'a> {
    /// As the model has it, `__label__` included.
    pub label: &'a str,
    /// As the official tool says it, which is 0.00001 too much: it adds that before it takes a logarithm.
    pub probability: f32,
}

/// Room to work in, for a thread that asks often.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    hashes: Vec<u32>,
    rows: Vec<u32>,
    hidden: Vec<f32>,
    products: Vec<f32>,
    best: Best,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("info", &self.info)
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Reads a `.bin` or `.ftz` file that is `length` bytes long, which bounds the memory that is taken.
    ///
    /// # Errors
    /// The file is cut, or no supervised fastText model whose parts fit together.
    pub fn read(file: impl Read, length: u64) -> Result<Self, Error> {
        let mut source = Source::new(file, length);
        let info = Info::read(&mut source)?;
        let dictionary = Dictionary::read(&mut source)?;
        let quantized = source.flag("whether the input is quantised")?;
        if !quantized && dictionary.is_pruned() {
            return Err(source.value(
                "whether the input is quantised",
                0,
                1,
                "expected 1, since the dictionary is pruned",
            ));
        }
        let (columns, rows) = (info.dim, dictionary.rows_needed(&info));
        let input = Matrix::read(&mut source, quantized, Form { what: "the input matrix", columns, rows })?;
        let qout = source.flag("whether the output is quantised")?;
        let rows = dictionary.label_counts().len() as u64;
        let form = Form { what: "the output matrix", columns, rows };
        let output = Matrix::read(&mut source, quantized && qout, form)?;
        let Some(scorer) = Scorer::new(info.loss, dictionary.label_counts()) else {
            return Err(source.value("the loss", 1, 0, "expected labels whose counts fall, for their tree"));
        };
        Ok(Self::of(info, dictionary, [input, output], scorer))
    }

    /// Reads a model from memory.
    ///
    /// # Errors
    /// As [`Model::read`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(bytes, bytes.len() as u64)
    }

    pub(crate) fn of(info: Info, dictionary: Dictionary, matrices: [Matrix; 2], scorer: Scorer) -> Self {
        let labels = dictionary.labels().map(|label| String::from_utf8_lossy(label).into_owned()).collect();
        let [input, output] = matrices;
        Self { info, dictionary, labels, input, output, scorer }
    }

    /// Writes the file that was read, or that the official tool would have written: `.ftz` if the model is quantised,
    /// else `.bin`.
    ///
    /// # Errors
    /// Only those of the writer.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        self.info.write(&mut to)?;
        self.dictionary.write(&mut to)?;
        to.write_all(&[u8::from(self.input.is_quantized())])?;
        self.input.write(&mut to)?;
        to.write_all(&[u8::from(self.output.is_quantized())])?;
        self.output.write(&mut to)?;
        to.flush()
    }

    /// With which options the model was trained.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// The labels, `__label__` included, the most frequent one first.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = &str> {
        self.labels.iter().map(String::as_str)
    }

    /// The best `k` labels whose probability is at least `threshold`, best first.
    ///
    /// The text is one text: line ends count as blanks, which is what DCLM and others make of them, since the official
    /// tool takes one line at a time. None at all for a text of which the model knows nothing.
    #[must_use]
    pub fn predict(&self, text: &str, k: usize, threshold: f32) -> Vec<Prediction<'_>> {
        let mut scratch = Scratch::default();
        self.predict_with(text, k, threshold, &mut scratch).collect()
    }

    /// The same without new memory for each text.
    pub fn predict_with<'a, 'b>(
        &'a self,
        text: &str,
        k: usize,
        threshold: f32,
        scratch: &'b mut Scratch,
    ) -> impl ExactSizeIterator<Item = Prediction<'a>> + use<'a, 'b> {
        let Scratch { hashes, rows, hidden, products, best } = scratch;
        best.clear(k.min(self.labels.len()), threshold);
        hidden.clear();
        hidden.resize(self.info.dim as usize, 0.0);
        rows.clear();
        let mut count = 0_u64;
        let mut add = |rows: &mut Vec<u32>| {
            count += rows.len() as u64;
            rows.drain(..).for_each(|row| self.input.add_row(row, hidden));
        };
        self.dictionary.rows(&self.info, text.as_bytes(), hashes, |row| {
            rows.push(row);
            if rows.len() == ROWS_AT_ONCE {
                add(rows);
            }
        });
        add(rows);
        if 0 < count && 0 < k {
            let share = (1.0 / count as f64) as f32;
            hidden.iter_mut().for_each(|x| *x *= share);
            self.scorer.scores((&self.output, self.labels.len()), hidden, best, products);
        }
        best.sorted().iter().map(|&(score, label)| Prediction {
            label: &self.labels[label as usize],
            probability: self.scorer.probability(score),
        })
    }

    /// The model made small: a byte for every few weights, and fewer rows if that is wanted.
    ///
    /// # Errors
    /// It is quantised already, or too small for it.
    pub fn quantize(&self, how: &Quantize) -> Result<Self, QuantizeError> {
        let (Matrix::Dense(input), Matrix::Dense(output)) = (&self.input, &self.output) else {
            return Err(QuantizeError::Quantized);
        };
        if !(1..=self.info.dim).contains(&how.dsub) {
            return Err(QuantizeError::Dsub { dim: self.info.dim });
        }
        let kept = kept(input, how.cutoff, self.dictionary.find(tokens::END, tokens::hash(tokens::END)));
        let (dictionary, input) = match &kept {
            None => (self.dictionary.clone(), input.clone()),
            Some(rows) => {
                let weights = rows.iter().flat_map(|&row| input.row(row as usize)).copied().collect();
                let dictionary = self.dictionary.keep(rows).map_err(|_crowded| QuantizeError::Crowded)?;
                (dictionary, Dense { columns: input.columns, weights })
            }
        };
        large_enough("the input matrix", &input)?;
        let output = if how.qout {
            large_enough("the output matrix", output)?;
            // As in the official tool, `dsub` is for the input only.
            Matrix::Quantized(Quantized::new(output, &Quantize { dsub: 2.min(self.info.dim), ..*how }))
        } else {
            self.output.clone()
        };
        let input = Matrix::Quantized(Quantized::new(&input, how));
        Ok(Self::of(self.info, dictionary, [input, output], self.scorer.clone()))
    }
}

fn large_enough(what: &'static str, dense: &Dense) -> Result<(), QuantizeError> {
    match dense.rows() {
        rows if rows < LEAST_ROWS => Err(QuantizeError::TooSmall { what, rows }),
        _ => Ok(()),
    }
}

/// The rows to keep, ascending: that of the text's end, and the longest. None: all.
fn kept(input: &Dense, cutoff: usize, end: Option<u32>) -> Option<Vec<u32>> {
    if cutoff == 0 || input.rows() <= cutoff {
        return None;
    }
    let length =
        |row: u32| input.row(row as usize).iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>();
    let mut rows: Vec<(bool, f64, u32)> =
        (0..input.rows() as u32).map(|row| (end == Some(row), length(row), row)).collect();
    rows.sort_by(|one, other| other.0.cmp(&one.0).then(other.1.total_cmp(&one.1)).then(one.2.cmp(&other.2)));
    let mut kept: Vec<u32> = rows.into_iter().take(cutoff).map(|(_, _, row)| row).collect();
    kept.sort_unstable();
    Some(kept)
}
