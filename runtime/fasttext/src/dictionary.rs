//! Which rows of the input matrix a text stands for: those of its words, of their parts, and of runs of words.

use std::io::{self, Read, Write};

use crate::header::Info;
use crate::source::{Error, Source};
use crate::table::{Crowded, Table};
use crate::tokens;

/// A word's zero, count and kind: the least that an entry takes in the file.
const ENTRY_BYTES: u64 = 10;

/// Words first, then labels; an entry's number is its place.
#[derive(Debug, Clone)]
pub(crate) struct Dictionary {
    /// All entries' bytes, one after the other, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    counts: Vec<i64>,
    words: u32,
    labels: u32,
    tokens: i64,
    table: Table,
    pruned: Option<Pruned>,
}

/// Which of the hashed rows a pruned model has kept, and where.
#[derive(Debug, Clone)]
struct Pruned {
    /// Hash modulo bucket, and the row behind those of the words.
    kept: Vec<(u32, u32)>,
    table: Table,
}

impl Pruned {
    fn new(kept: Vec<(u32, u32)>) -> Result<Self, Crowded> {
        let mut table = Table::with_room(kept.len());
        for (place, &(hash, _)) in (0..).zip(&kept) {
            table.insert(hash, place, |_same_hash| true)?;
        }
        Ok(Self { kept, table })
    }

    fn row(&self, hash: u32) -> Option<u32> {
        let place = self.table.find(hash, |_same_hash| true)?;
        self.kept.get(place as usize).map(|&(_, row)| row)
    }
}

impl Dictionary {
    /// A dictionary of these words and labels with their counts, in this order.
    pub(crate) fn new(words: &[(&[u8], i64)], labels: &[(&[u8], i64)], tokens: i64) -> Result<Self, Crowded> {
        let count = |entries: &[(&[u8], i64)]| entries.len().try_into().unwrap_or(u32::MAX);
        let entries = || words.iter().chain(labels);
        let mut dictionary = Self {
            bytes: Vec::with_capacity(entries().map(|(entry, _)| entry.len()).sum()),
            ends: Vec::with_capacity(words.len() + labels.len()),
            counts: entries().map(|&(_, count)| count).collect(),
            words: count(words),
            labels: count(labels),
            tokens,
            table: Table::with_room(words.len() + labels.len()),
            pruned: None,
        };
        for &(entry, _) in entries() {
            dictionary.bytes.extend_from_slice(entry);
            dictionary.enter()?;
        }
        Ok(dictionary)
    }

    pub(crate) fn read<R: Read>(source: &mut Source<R>) -> Result<Self, Error> {
        let size = source.count("the dictionary's size")?;
        let words = source.count("the number of words")?;
        let labels = source.count("the number of labels")?;
        if words.checked_add(labels) != Some(size) {
            return Err(source.value(
                "the number of labels",
                labels.into(),
                4,
                "expected all that are no words",
            ));
        }
        if labels == 0 {
            return Err(Error::NotSupervised);
        }
        let tokens = source.i64("the number of tokens")?;
        let pruned = source.i64("the number of kept hashes")?;
        let room = source.expect("the dictionary", size.into(), ENTRY_BYTES)?;
        let mut dictionary = Self {
            bytes: Vec::new(),
            ends: Vec::with_capacity(room),
            counts: Vec::with_capacity(room),
            words,
            labels,
            tokens,
            table: Table::with_room(room),
            pruned: None,
        };
        for number in 0..size {
            source.text("a word", &mut dictionary.bytes)?;
            dictionary.counts.push(source.i64("a count")?);
            let kind = source.u8("an entry's kind")?;
            if kind != u8::from(words <= number) {
                return Err(source.value("an entry's kind", kind.into(), 1, "expected words before labels"));
            }
            dictionary.enter().map_err(|Crowded| Error::Crowded { offset: source.offset() })?;
        }
        // A negative number is a dictionary that was never pruned; none at all, one that has kept no hash.
        if let Ok(kept) = u64::try_from(pruned) {
            let count = source.expect("the kept hashes", kept, 8)?;
            let mut pairs = Vec::with_capacity(count);
            for _ in 0..count {
                pairs.push((source.count("a kept hash")?, source.count("a kept row")?));
            }
            let pruned = Pruned::new(pairs).map_err(|Crowded| Error::Crowded { offset: source.offset() })?;
            dictionary.pruned = Some(pruned);
        }
        Ok(dictionary)
    }

    /// Takes the bytes behind the last entry as the next one.
    fn enter(&mut self) -> Result<(), Crowded> {
        let number = self.ends.len();
        self.ends.push(self.bytes.len());
        let hash = tokens::hash(self.entry(number));
        let mut table = std::mem::replace(&mut self.table, Table::with_room(0));
        let word = self.entry(number);
        let done = table.insert(hash, number as u32, |other| self.entry(other as usize) == word);
        self.table = table;
        done
    }

    fn entry(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.bytes.get(start..self.ends[number]).unwrap_or_default()
    }

    pub(crate) fn write(&self, mut to: impl Write) -> io::Result<()> {
        for number in [self.words + self.labels, self.words, self.labels] {
            to.write_all(&number.to_le_bytes())?;
        }
        let kept = self.pruned.as_ref().map_or(-1, |pruned| pruned.kept.len() as i64);
        to.write_all(&self.tokens.to_le_bytes())?;
        to.write_all(&kept.to_le_bytes())?;
        for (number, count) in self.counts.iter().enumerate() {
            to.write_all(self.entry(number))?;
            to.write_all(&[0])?;
            to.write_all(&count.to_le_bytes())?;
            to.write_all(&[u8::from(self.words as usize <= number)])?;
        }
        for (hash, row) in self.pruned.iter().flat_map(|pruned| &pruned.kept) {
            to.write_all(&hash.to_le_bytes())?;
            to.write_all(&row.to_le_bytes())?;
        }
        Ok(())
    }

    pub(crate) fn words(&self) -> u32 {
        self.words
    }

    /// How many tokens the model was trained on, labels included.
    pub(crate) fn tokens(&self) -> i64 {
        self.tokens
    }

    pub(crate) fn labels(&self) -> impl Iterator<Item = &[u8]> {
        (self.words as usize..self.ends.len()).map(|number| self.entry(number))
    }

    pub(crate) fn label_counts(&self) -> &[i64] {
        self.counts.get(self.words as usize..).unwrap_or_default()
    }

    pub(crate) fn is_pruned(&self) -> bool {
        self.pruned.is_some()
    }

    /// How many rows the input matrix must have at least for every text to find its rows.
    pub(crate) fn rows_needed(&self, info: &Info) -> u64 {
        let hashed = match &self.pruned {
            Some(pruned) => pruned.kept.iter().map(|&(_, row)| u64::from(row) + 1).max().unwrap_or(0),
            None if info.hashes() => info.bucket.into(),
            None => 0,
        };
        u64::from(self.words) + hashed
    }

    /// The number of a word or label.
    pub(crate) fn find(&self, entry: &[u8], hash: u32) -> Option<u32> {
        self.table.find(hash, |number| self.entry(number as usize) == entry)
    }

    /// Calls `row` with every row that the text stands for, in the official tool's order, and says how many tokens it
    /// has. `hashes` is room to work in.
    pub(crate) fn rows(
        &self,
        info: &Info,
        text: &[u8],
        hashes: &mut Vec<u32>,
        mut row: impl FnMut(u32),
    ) -> u64 {
        hashes.clear();
        let mut marked = Vec::new();
        let mut count = 0;
        for token in tokens::tokens(text) {
            count += 1;
            let hash = tokens::hash(token);
            let known = self.find(token, hash);
            match known {
                Some(number) if self.words <= number => continue,
                Some(number) => row(number),
                None if token.starts_with(tokens::LABEL.as_bytes()) => continue,
                None => {}
            }
            hashes.push(hash);
            if 0 < info.maxn && 0 < info.bucket && token != tokens::END {
                tokens::subwords(token, (info.minn, info.maxn), &mut marked, |hash| {
                    if let Some(number) = self.hashed(hash % info.bucket) {
                        row(number);
                    }
                });
            }
        }
        if 1 < info.word_ngrams && 0 < info.bucket {
            tokens::word_ngrams(hashes, info.word_ngrams, |hash| {
                if let Some(number) = self.hashed((hash % u64::from(info.bucket)) as u32) {
                    row(number);
                }
            });
        }
        count
    }

    fn hashed(&self, hash: u32) -> Option<u32> {
        match &self.pruned {
            Some(pruned) => pruned.row(hash).map(|row| self.words + row),
            None => Some(self.words + hash),
        }
    }

    /// The dictionary with these rows only, ascending, which keep their order.
    pub(crate) fn keep(&self, rows: &[u32]) -> Result<Self, Crowded> {
        let (words, hashed): (Vec<_>, Vec<_>) = rows.iter().partition(|&&row| row < self.words);
        let pair = |number: usize| (self.entry(number), self.counts[number]);
        let words: Vec<_> = words.into_iter().map(|&row| pair(row as usize)).collect();
        let labels: Vec<_> = (self.words as usize..self.ends.len()).map(pair).collect();
        let mut dictionary = Self::new(&words, &labels, self.tokens)?;
        let kept = hashed.into_iter().zip(0..).map(|(row, place)| (row - self.words, place)).collect();
        dictionary.pruned = Some(Pruned::new(kept)?);
        Ok(dictionary)
    }
}
