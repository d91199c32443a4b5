//! Palimpsest seen from outside, and the material that it is shown.
//!
//! The library makes `pipelines/quickstart.warc.gz`: [`pages`] says what is on it, [`quickstart`] puts it together, and
//! `make-quickstart` writes it down. The archive is a function of this crate's sources and of nothing else: no clock,
//! no randomness, no reader of our own. So a test can demand that the file in the tree is the file that they make.

pub mod archive;
mod capture;
mod codings;
mod large;
pub mod pages;
pub mod provider;
mod quickstart;

pub use codings::BOMB_BYTES;
pub use large::large;
pub use quickstart::{CONVERTED, quickstart};
