//! The file's head: with which options the model was trained.

use std::io::{self, Read, Write};

use crate::source::{Error, Source};

const MAGIC: i32 = 793_712_314;
/// Version 12 gave supervised models character n-grams.
const VERSION: i32 = 12;
const OLD_VERSION: i32 = 11;
const SUPERVISED: i32 = 3;

/// Longer n-grams would make a prediction cost more than its text; the official tool's own default is 6.
pub(crate) const MAX_NGRAM: u32 = 64;

/// How a model's scores become probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// A tree of labels: the probabilities of a path's turns multiplied.
    Hierarchical,
    /// Each label for itself; a model that is read, never trained here.
    Negative,
    /// All labels share one probability.
    Softmax,
    /// Each label for itself.
    OneVsAll,
}

/// With which options a model was trained, as far as its file tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Info {
    pub dim: u32,
    pub epoch: i32,
    pub min_count: i32,
    pub word_ngrams: u32,
    pub loss: Loss,
    pub bucket: u32,
    pub minn: u32,
    pub maxn: u32,
    pub(crate) window: i32,
    pub(crate) negatives: i32,
    pub(crate) update_rate: i32,
    pub(crate) sampling: f64,
}

impl Loss {
    fn number(self) -> i32 {
        match self {
            Self::Hierarchical => 1,
            Self::Negative => 2,
            Self::Softmax => 3,
            Self::OneVsAll => 4,
        }
    }
}

impl Info {
    pub(crate) fn read<R: Read>(source: &mut Source<R>) -> Result<Self, Error> {
        match source.i32("the format's number") {
            Ok(MAGIC) => {}
            Ok(_) | Err(Error::Truncated { .. }) => return Err(Error::Magic),
            Err(other) => return Err(other),
        }
        let version = source.i32("the version")?;
        if version != VERSION && version != OLD_VERSION {
            return Err(Error::Version(version));
        }
        let dim = source.count("dim")?;
        let window = source.i32("ws")?;
        let epoch = source.i32("epoch")?;
        let min_count = source.i32("minCount")?;
        let negatives = source.i32("neg")?;
        let word_ngrams = ngram(source, "wordNgrams")?;
        let loss = match source.i32("loss")? {
            1 => Loss::Hierarchical,
            2 => Loss::Negative,
            3 => Loss::Softmax,
            4 => Loss::OneVsAll,
            other => return Err(source.value("loss", other.into(), 4, "expected 1 to 4")),
        };
        if source.i32("model")? != SUPERVISED {
            return Err(Error::NotSupervised);
        }
        let bucket = source.count("bucket")?;
        let minn = ngram(source, "minn")?;
        let maxn = ngram(source, "maxn")?;
        let update_rate = source.i32("lrUpdateRate")?;
        let sampling = source.f64("t")?;
        // Supervised models of the old version were trained without character n-grams, whatever their head says.
        let maxn = if version == OLD_VERSION { 0 } else { maxn };
        Ok(Self {
            dim,
            epoch,
            min_count,
            word_ngrams,
            loss,
            bucket,
            minn,
            maxn,
            window,
            negatives,
            update_rate,
            sampling,
        })
    }

    pub(crate) fn write(&self, mut to: impl Write) -> io::Result<()> {
        // Counts were read from an `i32`, or checked against one before training.
        let signed = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let numbers = [
            MAGIC,
            VERSION,
            signed(self.dim),
            self.window,
            self.epoch,
            self.min_count,
            self.negatives,
            signed(self.word_ngrams),
            self.loss.number(),
            SUPERVISED,
            signed(self.bucket),
            signed(self.minn),
            signed(self.maxn),
            self.update_rate,
        ];
        for number in numbers {
            to.write_all(&number.to_le_bytes())?;
        }
        to.write_all(&self.sampling.to_le_bytes())
    }

    /// Whether a text's rows include hashed ones.
    pub(crate) fn hashes(&self) -> bool {
        0 < self.bucket && (1 < self.word_ngrams || 0 < self.maxn)
    }
}

fn ngram<R: Read>(source: &mut Source<R>, what: &'static str) -> Result<u32, Error> {
    let value = source.count(what)?;
    if MAX_NGRAM < value {
        return Err(source.value(what, value.into(), 4, "expected at most 64"));
    }
    Ok(value)
}
