//! What stages that judge rewrites read in a text: its words, its sentences, its numbers, what a model says of itself,
//! and where a text goes round in circles.
//!
//! Values in, values out: nothing here knows a stage, a setting or a threshold, and nothing decides. So `rephrase`,
//! which looks at a reply as it comes, and `fidelity`, which holds it against its source, mean the same by a word.

pub mod numbers;
pub mod runs;
pub mod sentences;
pub mod stems;
pub mod talk;
pub mod words;

pub use numbers::Number;
pub use words::Word;
