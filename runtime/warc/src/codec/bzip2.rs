//! One bzip2 stream at a time. Files of several streams are what parallel compressors make.

use std::fmt;
use std::io::{self, Read};

use bzip2::{Decompress, Status};

use super::{Growth, Opening, Step};
use crate::damage::Damage;
use crate::input::{Allowance, CHUNK, Input};

pub(crate) const MAGIC: [u8; 3] = *b"BZh";
/// Behind the magic bytes and the block size stands this, or that if there is no block.
const BLOCK_MAGIC: [u8; 6] = [0x31, 0x41, 0x59, 0x26, 0x53, 0x59];
const END_MAGIC: [u8; 6] = [0x17, 0x72, 0x45, 0x38, 0x50, 0x90];
/// Nothing comes out of a block before all of it is in, and incompressible ones are a little larger than 900 KB.
const PROBED_BYTES: usize = 1 << 20;
/// Unpacking a block costs as much, whatever comes out.
const PROBE_COST: u64 = 4 << 20;

/// A stream that is being decompressed.
pub(crate) struct Stream {
    decoder: Decompress,
    probed: Allowance,
    start: u64,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { decoder: _, probed: _, start } = self;
        f.debug_struct("Stream").field("start", start).finish_non_exhaustive()
    }
}

/// Whether an archive with these first bytes is made of streams.
pub(crate) fn may_begin(bytes: &[u8]) -> bool {
    let known = |expected: &[u8], at: usize| bytes.get(at..at + expected.len()) == Some(expected);
    known(&MAGIC, 0)
        && matches!(bytes.get(3), Some(b'1'..=b'9'))
        && (known(&BLOCK_MAGIC, 4) || known(&END_MAGIC, 4))
}

/// Whether all but one of the fixed bytes of a stream are here.
pub(crate) fn may_have_begun(bytes: &[u8]) -> bool {
    let Some([first @ .., size, a, b, c, d, e, f]) = bytes.first_chunk::<HEADER_BYTES>() else {
        return false;
    };
    let right = |found: &[u8], expected: &[u8]| found.iter().zip(expected).filter(|(a, b)| a == b).count();
    let block = [*a, *b, *c, *d, *e, *f];
    let digit = usize::from(matches!(size, b'1'..=b'9'));
    right(first, &MAGIC) + digit + right(&block, &BLOCK_MAGIC).max(right(&block, &END_MAGIC)) + 1
        == HEADER_BYTES
}

/// What `may_begin` looks at.
const HEADER_BYTES: usize = 10;

impl Stream {
    pub(crate) fn new() -> Self {
        Self { decoder: Decompress::new(false), probed: Allowance::default(), start: 0 }
    }

    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    pub(crate) fn growth(&self) -> Growth {
        Growth { packed: self.decoder.total_in(), unpacked: self.decoder.total_out() }
    }

    pub(crate) fn open<R: Read>(&mut self, input: &mut Input<R>) -> io::Result<Opening> {
        let header = input.peek(HEADER_BYTES)?;
        if header.is_empty() {
            return Ok(Opening::NothingMore);
        }
        if !may_begin(header) {
            let short =
                header.len() < HEADER_BYTES && MAGIC.starts_with(&header[..header.len().min(MAGIC.len())]);
            return Ok(Opening::Broken(if short { Damage::Truncated } else { Damage::Garbage }));
        }
        self.start = input.position();
        input.keep_from_here();
        self.decoder = Decompress::new(false);
        Ok(Opening::Opened)
    }

    pub(crate) fn step<R: Read>(&mut self, input: &mut Input<R>, out: &mut Vec<u8>) -> io::Result<Step> {
        let packed = input.stretch(self.start)?;
        if packed.is_empty() {
            return Ok(Step::Broken(Damage::Truncated));
        }
        out.reserve(CHUNK);
        let (read, wrote) = (self.decoder.total_in(), out.len());
        let status = self.decoder.decompress_vec(packed, out);
        let read = (self.decoder.total_in() - read) as usize;
        input.consume(read);
        Ok(match status {
            Ok(Status::StreamEnd) => Step::End,
            Ok(Status::Ok) if read != 0 || wrote != out.len() => Step::More,
            Ok(Status::Ok | Status::MemNeeded | Status::FlushOk | Status::RunOk | Status::FinishOk)
            | Err(_) => Step::Broken(Damage::CorruptBzip2),
        })
    }

    /// Decompresses the beginning of what may be a stream, and says how many bytes that made.
    pub(crate) fn probe<R: Read>(&mut self, input: &mut Input<R>, text: &mut [u8]) -> io::Result<usize> {
        if !may_begin(input.peek(HEADER_BYTES)?) || !self.probed.take(PROBE_COST, input.position()) {
            return Ok(0);
        }
        let bytes = input.peek(PROBED_BYTES)?;
        let bytes = &bytes[..bytes.len().min(PROBED_BYTES)];
        let mut probe = Decompress::new(false);
        Ok(match probe.decompress(bytes, text) {
            Ok(_) => probe.total_out() as usize,
            Err(_) => 0,
        })
    }
}
