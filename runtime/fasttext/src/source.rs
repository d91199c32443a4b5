//! The bytes of a model's file: little-endian values, each with the offset that a complaint needs.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};

/// Enough for the reads to be large, little enough not to matter beside any model.
const BUFFER_BYTES: usize = 64 << 10;

/// Why a file is no model that can be asked. Offsets are bytes from the file's start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("no fastText model: it does not begin with the format's number")]
    Magic,
    #[error("format version {0} is not known, only 11 and 12 are")]
    Version(i32),
    #[error("the model has no labels: only supervised models classify")]
    NotSupervised,
    #[error("the file ends at byte {offset}, within {what}")]
    Truncated { what: &'static str, offset: u64 },
    #[error("at byte {offset}, {what} would be {bytes} bytes long, and the file has {left} left")]
    TooLong { what: &'static str, bytes: u128, left: u64, offset: u64 },
    #[error("at byte {offset}, {what} is {value}: {expected}")]
    Value { what: &'static str, value: i64, expected: &'static str, offset: u64 },
    #[error("at byte {offset}, a weight is not a finite number")]
    NotFinite { offset: u64 },
    #[error("at byte {offset}, too many entries of the dictionary have the same hash")]
    Crowded { offset: u64 },
    #[error("the model cannot be read after byte {offset}")]
    Read { offset: u64, source: io::Error },
}

/// A file of a known length, read from its start to its end.
pub(crate) struct Source<R> {
    reader: BufReader<R>,
    offset: u64,
    length: u64,
}

impl<R: Read> Source<R> {
    pub(crate) fn new(reader: R, length: u64) -> Self {
        Self { reader: BufReader::with_capacity(BUFFER_BYTES, reader), offset: 0, length }
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// That `count` things of so many bytes can still come: asked before memory is taken for them.
    pub(crate) fn expect(&self, what: &'static str, count: u64, each: u64) -> Result<usize, Error> {
        let left = self.length.saturating_sub(self.offset);
        let bytes = u128::from(count) * u128::from(each);
        match usize::try_from(count) {
            Ok(count) if bytes <= u128::from(left) => Ok(count),
            Ok(_) | Err(_) => Err(Error::TooLong { what, bytes, left, offset: self.offset }),
        }
    }

    pub(crate) fn bytes(&mut self, what: &'static str, count: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; self.expect(what, count, 1)?];
        self.fill(what, &mut bytes)?;
        Ok(bytes)
    }

    /// Weights: none of them may be infinite or no number at all.
    pub(crate) fn floats(&mut self, what: &'static str, count: u64) -> Result<Vec<f32>, Error> {
        let count = self.expect(what, count, 4)?;
        let mut floats = Vec::with_capacity(count);
        let mut buffer = [0; 4 << 10];
        while floats.len() < count {
            let part = buffer.len().min((count - floats.len()) * 4);
            let part = buffer.get_mut(..part).expect("not longer than the buffer");
            let offset = self.offset;
            self.fill(what, part)?;
            let (quads, _) = part.as_chunks::<4>();
            floats.extend(quads.iter().map(|&quad| f32::from_le_bytes(quad)));
            let new = floats.len() - quads.len();
            if let Some(at) = floats.iter().skip(new).position(|float| !float.is_finite()) {
                return Err(Error::NotFinite { offset: offset + 4 * at as u64 });
            }
        }
        Ok(floats)
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, Error> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    pub(crate) fn i32(&mut self, what: &'static str) -> Result<i32, Error> {
        self.array(what).map(i32::from_le_bytes)
    }

    pub(crate) fn i64(&mut self, what: &'static str) -> Result<i64, Error> {
        self.array(what).map(i64::from_le_bytes)
    }

    pub(crate) fn f64(&mut self, what: &'static str) -> Result<f64, Error> {
        self.array(what).map(f64::from_le_bytes)
    }

    pub(crate) fn flag(&mut self, what: &'static str) -> Result<bool, Error> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.value(what, other.into(), 1, "expected 0 or 1")),
        }
    }

    /// A number of things: not negative.
    pub(crate) fn count(&mut self, what: &'static str) -> Result<u32, Error> {
        let value = self.i32(what)?;
        u32::try_from(value)
            .map_err(|_negative| self.value(what, value.into(), 4, "expected no negative number"))
    }

    /// The same where the format takes eight bytes for it.
    pub(crate) fn long_count(&mut self, what: &'static str) -> Result<u64, Error> {
        let value = self.i64(what)?;
        u64::try_from(value).map_err(|_negative| self.value(what, value, 8, "expected no negative number"))
    }

    /// A complaint about the value of so many bytes that has just been read.
    pub(crate) fn value(&self, what: &'static str, value: i64, width: u64, expected: &'static str) -> Error {
        Error::Value { what, value, expected, offset: self.offset.saturating_sub(width) }
    }

    /// Bytes up to a zero, which is left out, at the end of `into`.
    pub(crate) fn text(&mut self, what: &'static str, into: &mut Vec<u8>) -> Result<(), Error> {
        let left = self.length.saturating_sub(self.offset);
        let read = (&mut self.reader).take(left).read_until(0, into);
        let read = read.map_err(|source| Error::Read { offset: self.offset, source })?;
        self.offset += read as u64;
        match into.pop() {
            Some(0) if 0 < read => Ok(()),
            Some(_) | None => Err(Error::Truncated { what, offset: self.offset }),
        }
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.expect(what, 1, N as u64).map_err(|_short| Error::Truncated { what, offset: self.offset })?;
        self.fill(what, &mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, what: &'static str, bytes: &mut [u8]) -> Result<(), Error> {
        match self.reader.read_exact(bytes) {
            Ok(()) => {
                self.offset += bytes.len() as u64;
                Ok(())
            }
            Err(source) if source.kind() == ErrorKind::UnexpectedEof => {
                Err(Error::Truncated { what, offset: self.offset })
            }
            Err(source) => Err(Error::Read { offset: self.offset, source }),
        }
    }
}

/// Weights as the format has them, without a copy of all of them.
pub(crate) fn write_floats(mut to: impl Write, floats: &[f32]) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    for part in floats.chunks(BUFFER_BYTES / 4) {
        buffer.clear();
        buffer.extend(part.iter().flat_map(|float| float.to_le_bytes()));
        to.write_all(&buffer)?;
    }
    Ok(())
}
