//! Weights, as they are or quantised: what a prediction needs of them is sums of rows and products with one vector.

use std::io::{self, Read, Write};

use crate::quantize::Quantized;
use crate::source::{Error, Source, write_floats};

/// So many rows are multiplied side by side: each sum runs in the official tool's order, and none waits for another.
const LANES: usize = 8;

#[derive(Debug, Clone)]
pub(crate) enum Matrix {
    Dense(Dense),
    Quantized(Quantized),
}

/// Row after row.
#[derive(Debug, Clone)]
pub(crate) struct Dense {
    pub(crate) columns: usize,
    pub(crate) weights: Vec<f32>,
}

/// What a matrix must be for the rest of its model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    pub(crate) what: &'static str,
    pub(crate) columns: u32,
    /// Fewer rows would leave a text or a label without one.
    pub(crate) rows: u64,
}

impl Matrix {
    pub(crate) fn read<R: Read>(source: &mut Source<R>, quantized: bool, form: Form) -> Result<Self, Error> {
        if quantized {
            return Quantized::read(source, form).map(Self::Quantized);
        }
        let (rows, columns) = form.read(source)?;
        let what = form.what;
        let count = rows.checked_mul(columns.into()).ok_or(Error::TooLong {
            what,
            bytes: u128::from(rows) * u128::from(columns) * 4,
            left: 0,
            offset: source.offset(),
        })?;
        Ok(Self::Dense(Dense { columns: columns as usize, weights: source.floats(what, count)? }))
    }

    pub(crate) fn write(&self, to: impl Write) -> io::Result<()> {
        match self {
            Self::Dense(dense) => dense.write(to),
            Self::Quantized(quantized) => quantized.write(to),
        }
    }

    pub(crate) fn is_quantized(&self) -> bool {
        matches!(self, Self::Quantized(_))
    }

    /// Adds a row to `sum`.
    pub(crate) fn add_row(&self, row: u32, sum: &mut [f32]) {
        match self {
            Self::Dense(dense) => {
                for (sum, weight) in sum.iter_mut().zip(dense.row(row as usize)) {
                    *sum += weight;
                }
            }
            Self::Quantized(quantized) => quantized.add_row(row as usize, sum),
        }
    }

    pub(crate) fn dot_row(&self, row: usize, vector: &[f32]) -> f32 {
        match self {
            Self::Dense(dense) => dot(dense.row(row), vector),
            Self::Quantized(quantized) => quantized.dot_row(row, vector),
        }
    }

    /// The products of the first `rows` rows with the vector.
    pub(crate) fn products(&self, rows: usize, vector: &[f32], products: &mut Vec<f32>) {
        match self {
            Self::Dense(dense) => dense.products(rows, vector, products),
            Self::Quantized(quantized) => {
                products.clear();
                products.extend((0..rows).map(|row| quantized.dot_row(row, vector)));
            }
        }
    }
}

impl Dense {
    pub(crate) fn row(&self, row: usize) -> &[f32] {
        self.weights.get(row * self.columns..(row + 1) * self.columns).unwrap_or_default()
    }

    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [f32] {
        self.weights.get_mut(row * self.columns..(row + 1) * self.columns).unwrap_or_default()
    }

    pub(crate) fn rows(&self) -> usize {
        self.weights.len() / self.columns
    }

    pub(crate) fn products(&self, rows: usize, vector: &[f32], products: &mut Vec<f32>) {
        products.clear();
        let whole = rows / LANES * LANES;
        for first in (0..whole).step_by(LANES) {
            let side: [&[f32]; LANES] = std::array::from_fn(|lane| self.row(first + lane));
            let mut sums = [0.0; LANES];
            for (column, x) in vector.iter().enumerate() {
                for (sum, row) in sums.iter_mut().zip(&side) {
                    *sum += row[column] * x;
                }
            }
            products.extend(sums);
        }
        products.extend((whole..rows).map(|row| dot(self.row(row), vector)));
    }

    fn write(&self, mut to: impl Write) -> io::Result<()> {
        to.write_all(&(self.rows() as i64).to_le_bytes())?;
        to.write_all(&(self.columns as i64).to_le_bytes())?;
        write_floats(to, &self.weights)
    }
}

impl Form {
    /// The number of rows and columns.
    pub(crate) fn read<R: Read>(self, source: &mut Source<R>) -> Result<(u64, u32), Error> {
        let rows = source.long_count(self.what)?;
        if rows < self.rows {
            return Err(source.value(
                self.what,
                rows.cast_signed(),
                8,
                "expected a row for each word, bucket and label",
            ));
        }
        let columns = source.long_count(self.what)?;
        if columns != u64::from(self.columns) || columns == 0 {
            return Err(source.value(
                self.what,
                columns.cast_signed(),
                8,
                "expected as many columns as `dim` says, and at least one",
            ));
        }
        Ok((rows, self.columns))
    }
}

fn dot(row: &[f32], vector: &[f32]) -> f32 {
    row.iter().zip(vector).fold(0.0, |sum, (weight, x)| sum + weight * x)
}
