//! fastText's supervised classifiers without fastText: models are read (`.bin` and quantised `.ftz`), asked, trained,
//! quantised and written, in files that the official tool reads and writes too.
//!
//! ```
//! use palimpsest_fasttext::{Model, Params, Sample, train};
//!
//! let samples = [
//!     Sample { labels: vec!["hq"], text: "the river had been rising since the morning" },
//!     Sample { labels: vec!["lq"], text: "buy now login register share" },
//! ];
//! let model = train(&samples, &Params { epoch: 50, bucket: 1000, ..Params::default() })?;
//! let mut file = Vec::new();
//! model.write(&mut file)?;
//! let model = Model::from_bytes(&file)?;
//! assert_eq!(model.predict("the river", 1, 0.0)[0].label, "__label__hq");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A model is read once and asked by many threads: [`Model::predict`] takes `&self`. A model's file is hostile like
//! anything from outside: lengths are compared with what the file has left before memory is taken for them, and every
//! index that a prediction uses has been compared with its table when the model was read. Unsupervised models, which
//! have no labels, are refused, and no file, network or clock is known here.

mod dictionary;
mod header;
mod loss;
mod matrix;
mod model;
mod quantize;
mod random;
mod source;
mod table;
mod tokens;
mod train;

pub use header::{Info, Loss};
pub use model::{Model, Prediction, Scratch};
pub use quantize::{Quantize, QuantizeError};
pub use source::Error;
pub use train::{Params, Sample, TrainError, train};
