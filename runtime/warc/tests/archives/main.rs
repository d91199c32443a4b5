//! The reader from outside.

mod arc;
mod data;
mod properties;
mod reader;
mod recovery;
mod support;
mod zstd;
