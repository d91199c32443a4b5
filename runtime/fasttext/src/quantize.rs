//! Product quantisation: a row is kept as one of 256 centroids for every few of its columns, a byte each.

use std::io::{self, Read, Write};

use crate::matrix::{Dense, Form};
use crate::random::Random;
use crate::source::{Error, Source, write_floats};

mod kmeans;

/// What a byte can tell apart.
const CENTROIDS: usize = 256;

/// How a model is made small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantize {
    /// How many rows of words and hashes to keep, the longest ones; all if there are fewer, or if it is 0.
    pub cutoff: usize,
    /// How many columns share a byte.
    pub dsub: u32,
    /// Whether a row's length is a byte of its own.
    pub qnorm: bool,
    /// Whether the labels' rows are quantised as well, of which there must be 256 then.
    pub qout: bool,
    /// Where the centroids begin.
    pub seed: u64,
}

impl Default for Quantize {
    /// The official tool's defaults.
    fn default() -> Self {
        Self { cutoff: 0, dsub: 2, qnorm: false, qout: false, seed: 1234 }
    }
}

/// Why a model stays as large as it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantizeError {
    #[error("the model is quantised already")]
    Quantized,
    #[error("`dsub` must be from 1 to the model's {dim} columns")]
    Dsub { dim: u32 },
    #[error("{what} has {rows} rows, and at least 256 are needed")]
    TooSmall { what: &'static str, rows: usize },
    #[error("too many entries of the dictionary have the same hash")]
    Crowded,
}

/// A quantised matrix.
#[derive(Debug, Clone)]
pub(crate) struct Quantized {
    rows: usize,
    codes: Vec<u8>,
    quantizer: Quantizer,
    /// A code for each row's length, and what the codes mean.
    norms: Option<(Vec<u8>, Quantizer)>,
}

/// The centroids of every part of a row.
#[derive(Debug, Clone)]
struct Quantizer {
    dim: usize,
    dsub: usize,
    /// All parts are `dsub` wide but the last, which may be narrower.
    parts: usize,
    centroids: Vec<f32>,
}

impl Quantized {
    /// `dense` as codes. There must be at least 256 rows.
    pub(crate) fn new(dense: &Dense, how: &Quantize) -> Self {
        let mut random = Random::new(how.seed);
        let rows = dense.rows();
        let mut scaled = dense.clone();
        let norms = how.qnorm.then(|| {
            let mut lengths = Vec::with_capacity(rows);
            for row in 0..rows {
                let row = scaled.row_mut(row);
                let length = row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt() as f32;
                if 0.0 < length {
                    row.iter_mut().for_each(|x| *x /= length);
                }
                lengths.push(length);
            }
            let lengths = Dense { columns: 1, weights: lengths };
            let quantizer = Quantizer::learn(&lengths, 1, &mut random);
            (quantizer.codes(&lengths), quantizer)
        });
        let quantizer = Quantizer::learn(&scaled, how.dsub as usize, &mut random);
        Self { rows, codes: quantizer.codes(&scaled), quantizer, norms }
    }

    pub(crate) fn read<R: Read>(source: &mut Source<R>, form: Form) -> Result<Self, Error> {
        let qnorm = source.flag("whether lengths are quantised")?;
        let (rows, columns) = form.read(source)?;
        let size = source.count("the number of codes")?;
        let codes = source.bytes("the codes", size.into())?;
        let quantizer = Quantizer::read(source, columns)?;
        if u128::from(size) != u128::from(rows) * quantizer.parts as u128 {
            return Err(source.value(
                "the number of codes",
                size.into(),
                0,
                "expected one for each part of each row",
            ));
        }
        let norms = match qnorm {
            true => Some((source.bytes("the lengths", rows)?, Quantizer::read(source, 1)?)),
            false => None,
        };
        Ok(Self { rows: rows as usize, codes, quantizer, norms })
    }

    pub(crate) fn write(&self, mut to: impl Write) -> io::Result<()> {
        to.write_all(&[u8::from(self.norms.is_some())])?;
        to.write_all(&(self.rows as i64).to_le_bytes())?;
        to.write_all(&(self.quantizer.dim as i64).to_le_bytes())?;
        to.write_all(&(self.codes.len() as u32).to_le_bytes())?;
        to.write_all(&self.codes)?;
        self.quantizer.write(&mut to)?;
        if let Some((codes, quantizer)) = &self.norms {
            to.write_all(codes)?;
            quantizer.write(&mut to)?;
        }
        Ok(())
    }

    pub(crate) fn add_row(&self, row: usize, sum: &mut [f32]) {
        let norm = self.norm(row);
        for (sum, centroid) in self.parts(row, sum.chunks_mut(self.quantizer.dsub)) {
            for (sum, x) in sum.iter_mut().zip(centroid) {
                *sum += norm * x;
            }
        }
    }

    pub(crate) fn dot_row(&self, row: usize, vector: &[f32]) -> f32 {
        let mut product = 0.0;
        for (part, centroid) in self.parts(row, vector.chunks(self.quantizer.dsub)) {
            for (x, y) in part.iter().zip(centroid) {
                product += x * y;
            }
        }
        product * self.norm(row)
    }

    /// Each part of something as wide as a row, beside the row's centroid for it.
    fn parts<T>(&self, row: usize, parts: impl Iterator<Item = T>) -> impl Iterator<Item = (T, &[f32])> {
        let width = self.quantizer.parts;
        let codes = self.codes.get(row * width..(row + 1) * width).unwrap_or_default();
        let centroids = codes.iter().enumerate().map(|(part, &code)| self.quantizer.centroid(part, code));
        parts.zip(centroids)
    }

    fn norm(&self, row: usize) -> f32 {
        match &self.norms {
            Some((codes, quantizer)) => {
                codes.get(row).and_then(|&code| quantizer.centroid(0, code).first()).copied().unwrap_or(1.0)
            }
            None => 1.0,
        }
    }
}

impl Quantizer {
    fn read<R: Read>(source: &mut Source<R>, columns: u32) -> Result<Self, Error> {
        let dim = source.count("a quantiser's dim")?;
        if dim != columns {
            return Err(source.value("a quantiser's dim", dim.into(), 4, "expected the matrix's"));
        }
        let parts = source.count("a quantiser's parts")?;
        let dsub = source.count("a quantiser's dsub")?;
        if dsub == 0 || dim < dsub || dim.div_ceil(dsub) != parts {
            return Err(source.value(
                "a quantiser's dsub",
                dsub.into(),
                4,
                "expected one that gives its parts",
            ));
        }
        let last = source.count("the last part's width")?;
        if last != dim - dsub * (parts - 1) {
            return Err(source.value(
                "the last part's width",
                last.into(),
                4,
                "expected what is left of `dim`",
            ));
        }
        let centroids = source.floats("centroids", u64::from(dim) * CENTROIDS as u64)?;
        Ok(Self { dim: dim as usize, dsub: dsub as usize, parts: parts as usize, centroids })
    }

    fn write(&self, mut to: impl Write) -> io::Result<()> {
        for number in [self.dim, self.parts, self.dsub, self.width(self.parts - 1)] {
            to.write_all(&(number as u32).to_le_bytes())?;
        }
        write_floats(to, &self.centroids)
    }

    fn width(&self, part: usize) -> usize {
        self.dsub.min(self.dim - part * self.dsub)
    }

    fn centroid(&self, part: usize, code: u8) -> &[f32] {
        let width = self.width(part);
        let start = part * CENTROIDS * self.dsub + usize::from(code) * width;
        self.centroids.get(start..start + width).unwrap_or_default()
    }

    fn learn(dense: &Dense, dsub: usize, random: &mut Random) -> Self {
        let dim = dense.columns;
        let parts = dim.div_ceil(dsub);
        let mut quantizer = Self { dim, dsub, parts, centroids: Vec::with_capacity(dim * CENTROIDS) };
        for part in 0..parts {
            let start = part * dsub;
            let centroids = kmeans::learn(dense, start..start + quantizer.width(part), random);
            quantizer.centroids.extend(centroids);
        }
        quantizer
    }

    fn codes(&self, dense: &Dense) -> Vec<u8> {
        let mut codes = Vec::with_capacity(dense.rows() * self.parts);
        for row in 0..dense.rows() {
            for (part, x) in dense.row(row).chunks(self.dsub).enumerate() {
                let start = part * CENTROIDS * self.dsub;
                let all = self.centroids.get(start..start + CENTROIDS * x.len()).unwrap_or_default();
                codes.push(kmeans::nearest(all, x));
            }
        }
        codes
    }
}
