//! Palimpsest turns web crawls into pretraining text.
//!
//! An archive is a stream of bytes ([`source`]); the bytes become records ([`records`]), the records that are captures
//! become pages ([`pages`]), and a page is the first document ([`document`]) of its record. Documents pass the stages of
//! the pipeline ([`stages`]): WebAssembly components that emit, drop, or ask a language model, in which case the replies
//! come from the journal or from the model ([`llm`]) and the stage is called again. What comes out of the last stage
//! becomes rows of a part ([`sinks`]), and what became of every record is booked ([`ledger`]) and told ([`report`]). Archives
//! and parts may be in buckets as well as in folders ([`store`]).
//! Classifiers that stages call are [`classifiers`].
//! What documents of a run tell each other is kept on a [`board`], and what rows say together is a [`survey`].
//! [`config`] turns a pipeline file into the plan of all this, whose conditions on documents are [`condition`]s, and
//! [`run`] carries it out.

pub mod board;
pub mod classifiers;
pub mod condition;
pub mod config;
pub mod document;
pub mod estimate;
pub mod ledger;
pub mod llm;
pub mod pages;
pub mod prompt;
pub mod records;
pub mod report;
pub mod run;
pub mod sinks;
pub mod source;
pub mod stages;
pub mod store;
pub mod survey;
pub mod tokens;
pub mod training;

pub use palimpsest_calibration as calibration;
