//! The rules of Gopher (Rae et al. 2021, appendix A), with the words and the thresholds of datatrove.

mod quality;
mod repetition;

pub use quality::{
    alpha_words, bullet_lines, ellipsis_lines, ellipsis_ratio, hash_ratio, judge_quality, mean_word_length,
    stop_words, words,
};
pub use repetition::{
    dup_line_chars, dup_line_fraction, dup_ngram_chars, dup_paragraph_chars, dup_paragraph_fraction,
    judge_repetition, top_ngram_chars,
};

pub(crate) use quality::RULES as QUALITY_RULES;
pub(crate) use repetition::{RULES as REPETITION_RULES, duplicates};
