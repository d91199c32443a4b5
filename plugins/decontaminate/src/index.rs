//! The n-grams of benchmark files, and where each of them stands.
//!
//! An n-gram is eight bytes: 40 bits of its hash and the 24 bits that number the sample it comes from. Sorted, with a table of
//! where each range of hashes begins, a look-up is one step to there and a few along. Two different n-grams share 40 bits
//! once in 10^12, and all that comes of it is a candidate that the comparison of words then refuses. The words themselves are
//! not kept: a candidate's are read from the file's text once more.

use std::ops::Range;

use serde_json::Value;

use crate::words::{Word, ngrams, words};

/// All files of a stage together. An instance holds them and, for each of their words, some ten bytes more, and each
/// worker has an instance.
pub(crate) const MAX_BYTES: usize = 64 << 20;
/// Words of a sample: a longer text is several of them, each compared by itself, so that a comparison has an end. The
/// documentation of the setting `min_ratio` says this number.
const MAX_WORDS: usize = 1000;
/// Samples that an n-gram is remembered for. What more of them share is the benchmark's own phrasing.
const MAX_SHARED: usize = 64;

const SAMPLE_BITS: u32 = 24;
const SAMPLE_MASK: u64 = (1 << SAMPLE_BITS) - 1;
/// N-grams for one entry of the table of beginnings.
const IN_A_RANGE: usize = 4;

/// A file of a benchmark.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// A part of a benchmark that is compared as one: a text of a line, or a piece of a long one.
#[derive(Debug, Clone, Copy)]
struct Sample {
    file: u32,
    /// From 1.
    line: u32,
    /// Where the line begins in the file's text.
    offset: u32,
    /// Which of the line's texts.
    text: u32,
    /// Which piece of that text.
    piece: u32,
}

/// What was read of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) samples: usize,
    /// Texts with fewer words than an n-gram, which nothing can be found by.
    pub(crate) short: usize,
    /// Lines of a JSON Lines file that are no objects.
    pub(crate) unread: usize,
}

#[derive(Debug)]
pub(crate) struct Index {
    files: Vec<File>,
    fields: Vec<String>,
    size: usize,
    samples: Vec<Sample>,
    grams: Vec<u64>,
    /// Where in `grams` each range of hashes begins, and a last entry where they all end.
    begins: Vec<u32>,
    /// Bits of the hash that are below the number of its range.
    shift: u32,
    pub(crate) tallies: Vec<Tally>,
}

impl Index {
    /// Reads the files: JSON Lines where the first line is an object (of which `fields` are the texts, all of them where none
    /// is named), lines of text otherwise. `size` is the number of words in an n-gram.
    ///
    /// # Errors
    /// The files are too large, or have more samples than can be numbered.
    pub(crate) fn new(files: Vec<File>, fields: Vec<String>, size: usize) -> Result<Self, String> {
        let bytes: usize = files.iter().map(|file| file.text.len()).sum();
        if MAX_BYTES < bytes {
            return Err(format!("the files have {bytes} bytes together, more than {MAX_BYTES}"));
        }
        let mut index = Self {
            tallies: vec![Tally::default(); files.len()],
            files: Vec::new(),
            fields,
            size,
            samples: Vec::new(),
            // A word and the blank behind it have six bytes in most languages; growing by doubling would need twice the room.
            grams: Vec::with_capacity(bytes / 6),
            begins: Vec::new(),
            shift: 64,
        };
        for (number, file) in (0..).zip(&files) {
            index.read(number, &file.text)?;
        }
        index.files = files;
        index.sort();
        Ok(index)
    }

    fn read(&mut self, file: u32, text: &str) -> Result<(), String> {
        let json = is_json(text);
        let mut tally = Tally::default();
        for (line, (offset, said)) in (1..).zip(lines(text)) {
            if said.trim().is_empty() {
                continue;
            }
            let Some(texts) = texts(said, json, &self.fields) else {
                tally.unread += 1;
                continue;
            };
            for (number, text) in (0..).zip(texts) {
                let found = words(&text);
                tally.short += usize::from(found.len() < self.size);
                for (piece, range) in (0..).zip(pieces(found.len(), self.size)) {
                    let sample = self.samples.len() as u64;
                    if SAMPLE_MASK < sample {
                        return Err(format!("the files have more than {SAMPLE_MASK} texts"));
                    }
                    self.samples.push(Sample { file, line, offset, text: number, piece });
                    tally.samples += 1;
                    let grams = ngrams(found.get(range).unwrap_or_default(), self.size);
                    self.grams.extend(grams.map(|gram| (gram & !SAMPLE_MASK) | sample));
                }
            }
        }
        if let Some(place) = self.tallies.get_mut(file as usize) {
            *place = tally;
        }
        Ok(())
    }

    fn sort(&mut self) {
        self.grams.sort_unstable();
        self.grams.dedup();
        let (mut last, mut times) = (None, 0);
        self.grams.retain(|gram| {
            times = if last == Some(gram >> SAMPLE_BITS) { times + 1 } else { 1 };
            last = Some(gram >> SAMPLE_BITS);
            times <= MAX_SHARED
        });
        let ranges = (self.grams.len() / IN_A_RANGE).next_power_of_two().max(2);
        self.shift = 64 - ranges.trailing_zeros();
        self.begins = Vec::with_capacity(ranges + 1);
        for (place, gram) in (0_u32..).zip(&self.grams) {
            let range = (gram >> self.shift) as usize;
            while self.begins.len() <= range {
                self.begins.push(place);
            }
        }
        // 64 MiB have fewer n-grams than a u32 has numbers.
        self.begins.resize(ranges + 1, u32::try_from(self.grams.len()).unwrap_or(u32::MAX));
    }

    /// The numbers of the samples that have this n-gram.
    pub(crate) fn holding(&self, gram: u64) -> impl Iterator<Item = u32> {
        let range = (gram >> self.shift) as usize;
        let begin = self.begins.get(range).copied().unwrap_or_default() as usize;
        let end = self.begins.get(range + 1).copied().unwrap_or_default() as usize;
        let held = self.grams.get(begin..end).unwrap_or_default();
        held.iter()
            .filter(move |held| **held >> SAMPLE_BITS == gram >> SAMPLE_BITS)
            .map(|held| (held & SAMPLE_MASK) as u32)
    }

    /// The words of a sample.
    pub(crate) fn words_of(&self, sample: u32) -> Vec<Word> {
        let found = || -> Option<Vec<Word>> {
            let sample = self.samples.get(sample as usize)?;
            let text = &self.files.get(sample.file as usize)?.text;
            let line = text.get(sample.offset as usize..)?.split('\n').next()?;
            let text = texts(line, is_json(text), &self.fields)?.into_iter().nth(sample.text as usize)?;
            let mut found = words(&text);
            let range = pieces(found.len(), self.size).nth(sample.piece as usize)?;
            found.truncate(range.end);
            found.drain(..range.start);
            Some(found)
        };
        found().unwrap_or_default()
    }

    /// The file and line of a sample, `gsm8k:12`.
    pub(crate) fn name_of(&self, sample: u32) -> String {
        self.samples
            .get(sample as usize)
            .and_then(|sample| {
                Some(format!("{}:{}", self.files.get(sample.file as usize)?.name, sample.line))
            })
            .unwrap_or_default()
    }
}

/// Lines with the place where they begin.
fn lines(text: &str) -> impl Iterator<Item = (u32, &str)> {
    let mut offset = 0;
    text.split('\n').map(move |line| {
        let begin = offset;
        offset += line.len() + 1;
        (u32::try_from(begin).unwrap_or(u32::MAX), line)
    })
}

/// Whether the first line that says something is a JSON object.
fn is_json(text: &str) -> bool {
    let first = text.split('\n').find(|line| !line.trim().is_empty());
    first.is_some_and(|line| {
        line.trim_start().starts_with('{')
            && serde_json::from_str::<serde_json::Map<String, Value>>(line).is_ok()
    })
}

/// The texts of a line; none of what is no object where objects are expected.
fn texts(line: &str, json: bool, fields: &[String]) -> Option<Vec<String>> {
    if !json {
        return Some(vec![line.to_owned()]);
    }
    let object: serde_json::Map<String, Value> = serde_json::from_str(line).ok()?;
    let mut found = Vec::new();
    if fields.is_empty() {
        object.values().for_each(|value| collect(value, &mut found));
    } else {
        fields.iter().filter_map(|field| object.get(field)).for_each(|value| collect(value, &mut found));
    }
    Some(found)
}

/// Every text in a value. The parser has refused what is nested deeper than 128.
fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(values) => values.values().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The pieces of a text of so many words, if it has an n-gram: as few as may be, and all of the same length but for a word.
/// What is left over after pieces of the greatest length would be a piece of a few words, which a page that quotes the end
/// of the text holds in full. Neighbours share all but one word of an n-gram, so that none is lost between them.
fn pieces(words: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    let shared = size - 1;
    let apart = words.saturating_sub(shared);
    let number = apart.div_ceil(MAX_WORDS - shared);
    (0..number).map(move |piece| apart * piece / number..apart * (piece + 1) / number + shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(files: &[(&str, &str)], fields: &[&str], size: usize) -> Index {
        let files =
            files.iter().map(|(name, text)| File { name: (*name).to_owned(), text: (*text).to_owned() });
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        Index::new(files.collect(), fields, size).unwrap()
    }

    /// Which lines hold the n-gram that `text` is.
    #[track_caller]
    fn check(index: &Index, text: &str, lines: &[&str]) {
        let gram = ngrams(&words(text), index.size).next().unwrap();
        let found: Vec<String> = index.holding(gram).map(|sample| index.name_of(sample)).collect();
        assert_eq!(found, lines);
        for sample in index.holding(gram) {
            assert!(ngrams(&index.words_of(sample), index.size).any(|own| own == gram));
        }
    }

    #[test]
    fn ngrams_are_found_in_their_lines() {
        let index = index(&[("one", "a b c d\r\n\nb c d e\n"), ("two", "x\nA, b; c!")], &[], 3);
        check(&index, "a b c", &["one:1", "two:2"]);
        check(&index, "b c d", &["one:1", "one:3"]);
        check(&index, "c d e", &["one:3"]);
        check(&index, "c d f", &[]);
        assert_eq!(index.tallies[1], Tally { samples: 1, short: 1, unread: 0 });
    }

    #[test]
    fn fields_of_objects_are_texts_of_their_own() {
        let text = "{\"q\": \"a b c\", \"a\": [\"d e f\", {\"x\": \"g h i\"}], \"n\": 1}\nnot json\n[1]\n{\"q\": \"a b c\"}";
        let all = index(&[("f", text)], &[], 3);
        check(&all, "a b c", &["f:1", "f:4"]);
        check(&all, "g h i", &["f:1"]);
        check(&all, "c d e", &[]);
        assert_eq!(all.tallies[0], Tally { samples: 4, short: 0, unread: 2 });
        let some = index(&[("f", text)], &["a", "none"], 3);
        check(&some, "a b c", &[]);
        check(&some, "d e f", &["f:1"]);
    }

    #[test]
    fn long_texts_are_pieces_that_lose_nothing() {
        let text: Vec<String> = (0..2500).map(|number| format!("w{number}")).collect();
        let index = index(&[("f", &text.join(" "))], &[], 10);
        for begin in 0..=2490 {
            let gram = ngrams(&words(&text[begin..begin + 10].join(" ")), 10).next().unwrap();
            assert!(index.holding(gram).next().is_some(), "{begin}");
        }
        assert!((0..index.samples.len() as u32).all(|sample| index.words_of(sample).len() <= MAX_WORDS));
    }

    #[test]
    fn pieces_have_the_same_length() {
        for words in (0..40).chain([999, 1000, 1001, 1010, 1981, 1982, 1983, 2500, 123_456]) {
            let pieces: Vec<Range<usize>> = pieces(words, 10).collect();
            assert_eq!(pieces.is_empty(), words < 10, "{words}");
            let lengths = || pieces.iter().map(Range::len);
            let (least, most) = (lengths().min().unwrap_or_default(), lengths().max().unwrap_or_default());
            assert!(most <= MAX_WORDS && most - least <= 1, "{words}: {pieces:?}");
            assert!(pieces.len() < 2 || MAX_WORDS / 2 <= least, "{words}: {pieces:?}");
            assert!(pieces.windows(2).all(|pair| pair[1].start + 9 == pair[0].end), "{words}: {pieces:?}");
            assert_eq!(pieces.last().map_or(0, |last| last.end), if words < 10 { 0 } else { words });
        }
    }

    #[test]
    fn what_all_lines_share_is_remembered_for_some() {
        let text: String =
            (0..500).map(|number| format!("choose the right answer {number} x y z\n")).collect();
        let index = index(&[("f", &text)], &[], 3);
        let gram = ngrams(&words("choose the right"), 3).next().unwrap();
        assert_eq!(index.holding(gram).count(), MAX_SHARED);
        check(&index, "499 x y", &["f:500"]);
    }

    #[test]
    fn nothing_and_too_much_are_no_index() {
        let empty = index(&[("f", "")], &[], 3);
        check(&empty, "a b c", &[]);
        let huge = File { name: "f".to_owned(), text: "x".repeat(MAX_BYTES + 1) };
        assert!(Index::new(vec![huge], Vec::new(), 3).unwrap_err().contains("bytes"));
    }
}
