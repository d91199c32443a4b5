//! Does the text say the same again and again?
//!
//! Shares are of characters, so each n-gram counts with its length. An n-gram is known by a hash of 64 bits of its
//! characters: two that are not the same and look so are some 10⁻¹³ likely on a page of a thousand words.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::judge::Judge;
use crate::limits::GopherRepetition;
use crate::python::trim;
use crate::text::{Text, chars, ratio};

pub(crate) const RULES: &[&str] = &[
    "gopher_dup_paragraph_fraction",
    "gopher_dup_paragraph_chars",
    "gopher_dup_line_fraction",
    "gopher_dup_line_chars",
    "gopher_top_2_gram",
    "gopher_top_3_gram",
    "gopher_top_4_gram",
    "gopher_dup_5_gram",
    "gopher_dup_6_gram",
    "gopher_dup_7_gram",
    "gopher_dup_8_gram",
    "gopher_dup_9_gram",
    "gopher_dup_10_gram",
];

/// How many parts were there before, and the characters of those.
pub(crate) fn duplicates<'a>(parts: impl Iterator<Item = &'a str>) -> (usize, usize) {
    let mut seen = HashSet::new();
    let again = parts.filter(|part| !seen.insert(*part));
    again.fold((0, 0), |(count, size), part| (count + 1, size + chars(part)))
}

/// Parts between runs of at least so many line ends.
fn parts(text: &str, ends: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(at) = rest.get(from..).and_then(|tail| tail.find('\n')).map(|at| from + at) {
        let (part, after) = rest.split_at(at);
        let next = after.trim_start_matches('\n');
        let run = after.len() - next.len();
        if run < ends {
            from = at + run;
            continue;
        }
        parts.push(part);
        rest = next;
        from = 0;
    }
    parts.push(rest);
    parts
}

fn paragraphs(text: &Text<'_>) -> (usize, usize, usize) {
    let parts = parts(trim(text.text()), 2);
    let (count, size) = duplicates(parts.iter().copied());
    (count, size, parts.len())
}

fn lines(text: &Text<'_>) -> (usize, usize, usize) {
    let parts = parts(text.text(), 1);
    let (count, size) = duplicates(parts.iter().copied());
    (count, size, parts.len())
}

/// The share of paragraphs that were there before. Two line ends part paragraphs.
#[must_use]
pub fn dup_paragraph_fraction(text: &Text<'_>) -> f64 {
    let (count, _, all) = paragraphs(text);
    ratio(count, all)
}

/// Their characters, of all.
#[must_use]
pub fn dup_paragraph_chars(text: &Text<'_>) -> f64 {
    ratio(paragraphs(text).1, text.chars())
}

/// The share of lines that were there before; empty lines do not count.
#[must_use]
pub fn dup_line_fraction(text: &Text<'_>) -> f64 {
    let (count, _, all) = lines(text);
    ratio(count, all)
}

/// Their characters, of all.
#[must_use]
pub fn dup_line_chars(text: &Text<'_>) -> f64 {
    ratio(lines(text).1, text.chars())
}

/// The characters of all occurrences of the commonest n-gram, of all. Of equally common ones the first counts.
#[must_use]
pub fn top_ngram_chars(text: &Text<'_>, n: usize) -> f64 {
    ratio(NGrams::new(text.words()).top(n), text.chars())
}

/// The characters of n-grams that were there before, of all. One that was is stepped over whole.
#[must_use]
pub fn dup_ngram_chars(text: &Text<'_>, n: usize) -> f64 {
    ratio(NGrams::new(text.words()).duplicate(n), text.chars())
}

/// All of them, in datatrove's order.
pub fn judge_repetition(
    text: &Text<'_>,
    limits: &GopherRepetition,
    judge: &mut Judge<'_>,
) -> ControlFlow<()> {
    let (count, size, all) = paragraphs(text);
    let fraction = ratio(count, all);
    judge.at_most("gopher_dup_paragraph_fraction", fraction, limits.max_dup_paragraph_fraction)?;
    let share = ratio(size, text.chars());
    judge.at_most("gopher_dup_paragraph_chars", share, limits.max_dup_paragraph_chars)?;
    let (count, size, all) = lines(text);
    judge.at_most("gopher_dup_line_fraction", ratio(count, all), limits.max_dup_line_fraction)?;
    judge.at_most("gopher_dup_line_chars", ratio(size, text.chars()), limits.max_dup_line_chars)?;
    let mut grams = NGrams::new(text.words());
    let tops = [limits.max_top_2_gram, limits.max_top_3_gram, limits.max_top_4_gram];
    for ((n, rule), most) in (2..).zip(RULES.iter().skip(4)).zip(tops) {
        judge.at_most(rule, ratio(grams.top(n), text.chars()), most)?;
    }
    let repeated = [
        limits.max_dup_5_gram,
        limits.max_dup_6_gram,
        limits.max_dup_7_gram,
        limits.max_dup_8_gram,
        limits.max_dup_9_gram,
        limits.max_dup_10_gram,
    ];
    for ((n, rule), most) in (5..).zip(RULES.iter().skip(7)).zip(repeated) {
        judge.at_most(rule, ratio(grams.duplicate(n), text.chars()), most)?;
    }
    ControlFlow::Continue(())
}

/// An odd number without pattern, for hashes of text as polynomials modulo 2⁶⁴.
const BASE: u64 = 0x9e37_79b9_7f4a_7c55;

/// All n-grams of some words, by hash: that of a run of words is the difference of two prefixes.
struct NGrams {
    /// The hash of all bytes before a word, and one more at the end.
    prefixes: Vec<u64>,
    /// Powers of the base.
    powers: Vec<u64>,
    /// Bytes and characters before a word.
    bytes: Vec<usize>,
    chars: Vec<usize>,
    table: Table,
}

impl NGrams {
    fn new(words: &[&str]) -> Self {
        let total: usize = words.iter().map(|word| word.len()).sum();
        let mut powers = Vec::with_capacity(total + 1);
        let mut power: u64 = 1;
        let (mut prefixes, mut bytes, mut sizes) = (vec![0], vec![0], vec![0]);
        let (mut hash, mut at, mut size) = (0_u64, 0, 0);
        for word in words {
            for byte in word.bytes() {
                hash = hash.wrapping_mul(BASE).wrapping_add(u64::from(byte) + 1);
                powers.push(power);
                power = power.wrapping_mul(BASE);
            }
            at += word.len();
            size += chars(word);
            prefixes.push(hash);
            bytes.push(at);
            sizes.push(size);
        }
        powers.push(power);
        Self { prefixes, powers, bytes, chars: sizes, table: Table::new(words.len()) }
    }

    fn words(&self) -> usize {
        self.prefixes.len() - 1
    }

    fn size(&self, at: usize, n: usize) -> usize {
        self.chars[at + n] - self.chars[at]
    }

    /// Of the characters of n words without anything between them.
    fn hash(&self, at: usize, n: usize) -> u64 {
        let power = self.powers[self.bytes[at + n] - self.bytes[at]];
        self.prefixes[at + n].wrapping_sub(self.prefixes[at].wrapping_mul(power))
    }

    fn top(&mut self, n: usize) -> usize {
        self.table.clear();
        let (mut most, mut first) = (0, 0);
        for at in 0..(self.words() + 1).saturating_sub(n) {
            // With a blank between them `ab c` is not `a bc`: where the words end counts as well.
            let ends = (1..n).fold(0_u64, |ends, word| {
                ends.wrapping_mul(BASE).wrapping_add((self.bytes[at + word] - self.bytes[at]) as u64)
            });
            let (count, since) = self.table.count(self.hash(at, n) ^ mix(ends), at);
            if (most, std::cmp::Reverse(first)) < (count, std::cmp::Reverse(since)) {
                (most, first) = (count, since);
            }
        }
        if most == 0 { 0 } else { (self.size(first, n) + n - 1) * most as usize }
    }

    fn duplicate(&mut self, n: usize) -> usize {
        self.table.clear();
        let (mut at, mut repeated) = (0, 0);
        while at + n <= self.words() {
            let (count, _) = self.table.count(self.hash(at, n), at);
            if count == 1 {
                at += 1;
            } else {
                repeated += self.size(at, n);
                at += n;
            }
        }
        repeated
    }
}

/// Spreads the bits: murmur's last step.
fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// Counts hashes; never more than half full. The standard map's hash of the hash would be most of the time here.
struct Table {
    slots: Vec<Slot>,
    /// What a slot of this filling is marked with: clearing is counting on.
    round: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    hash: u64,
    round: u32,
    count: u32,
    first: u32,
}

impl Table {
    fn new(most: usize) -> Self {
        Self { slots: vec![Slot::default(); (most.max(8) * 2).next_power_of_two()], round: 0 }
    }

    fn clear(&mut self) {
        self.round += 1;
    }

    /// How often the hash was there, this time included, and where it was first.
    fn count(&mut self, hash: u64, at: usize) -> (u32, usize) {
        let mask = self.slots.len() - 1;
        let mut slot = mix(hash) as usize & mask;
        while self.slots[slot].round == self.round && self.slots[slot].hash != hash {
            slot = (slot + 1) & mask;
        }
        let found = &mut self.slots[slot];
        if found.round != self.round {
            *found = Slot { hash, round: self.round, count: 0, first: at as u32 };
        }
        found.count += 1;
        (found.count, found.first as usize)
    }
}
