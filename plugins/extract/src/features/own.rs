//! What can be seen of a block by itself.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of sixty tags those that are not named are all alike here"
)]

use crate::blocks::{Block, Counts};
use crate::dom::Tag;

use super::number::{flag, log, ratio};

pub(super) fn own(block: &Block, to: &mut Vec<f32>) {
    let counts: &Counts = &block.counts;
    to.extend([
        log(counts.weight),
        log(counts.words),
        ratio(counts.weight, counts.words),
        ratio(counts.link_weight, counts.weight),
        log(counts.links),
        log(counts.stops),
        log(counts.commas),
        ratio(counts.stops * 100, counts.weight),
        ratio(counts.digits, counts.weight),
        ratio(counts.symbols, counts.weight),
        ratio(counts.upper_words, counts.words),
        log(counts.breaks),
        log(counts.cells),
        kind(block.tag),
        flag(counts.last.is_alphanumeric()),
        flag(matches!(counts.last, '.' | '!' | '?' | '。' | '！' | '？' | '"' | '”' | '»')),
        flag(matches!(counts.last, ':' | '：')),
        flag(counts.first == '©' || counts.last == '»' || counts.last == '›' || counts.last == '…'),
        flag(counts.first.is_uppercase()),
        flag(counts.first.is_ascii_digit()),
    ]);
}

pub(super) fn kind(tag: Tag) -> f32 {
    match tag {
        Tag::P => 0.0,
        Tag::Pre => 1.0,
        Tag::Blockquote => 2.0,
        Tag::H1 => 3.0,
        Tag::H2 => 4.0,
        Tag::H3 => 5.0,
        Tag::H4 | Tag::H5 | Tag::H6 => 6.0,
        Tag::Dd => 7.0,
        Tag::Dt => 8.0,
        Tag::Td | Tag::Th => 9.0,
        Tag::Tr | Tag::Table | Tag::Tbody => 10.0,
        Tag::Li => 11.0,
        Tag::Article => 12.0,
        Tag::Section | Tag::Main => 13.0,
        Tag::Div => 14.0,
        Tag::Figcaption | Tag::Caption => 15.0,
        Tag::Ul | Tag::Ol | Tag::Dl => 16.0,
        Tag::Body => 17.0,
        _ => 18.0,
    }
}
