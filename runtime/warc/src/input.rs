//! The archive as it is stored: a window over a stream of bytes that can be moved back a little.

use std::io::{self, ErrorKind, Read};

/// Enough for a read to be worth its system call, and small enough for the inner caches.
pub(crate) const CHUNK: usize = 64 << 10;
/// How far back the search for the next record may start after damage. A damaged deflate stream is noticed at the next
/// block of it at the latest, and those are tens of kilobytes; a bzip2 block is 900 KB at most.
pub(crate) const LOOKBACK: usize = 1 << 20;

/// How many bytes may be read again, so that an archive made of false starts costs a small multiple of its size.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    used: u64,
}

impl Allowance {
    /// What even the shortest archive may have read again: a few whole blocks.
    const FREE: u64 = 256 << 20;
    const FACTOR: u64 = 4;

    /// Whether `bytes` may be read again, `position` bytes into the stream.
    pub(crate) fn take(&mut self, bytes: u64, position: u64) -> bool {
        let used = self.used.saturating_add(bytes);
        let allowed = used <= position.saturating_mul(Self::FACTOR).saturating_add(Self::FREE);
        if allowed {
            self.used = used;
        }
        allowed
    }
}

#[derive(Debug)]
pub(crate) struct Input<R> {
    source: R,
    /// Bytes that were read, and room for more.
    buffer: Vec<u8>,
    /// The first byte of `buffer` that was not consumed.
    at: usize,
    /// Where in `buffer` the bytes that were read end.
    end: usize,
    /// Where in the archive `buffer` begins.
    start: u64,
    /// From where on bytes are kept for a move back.
    kept_from: u64,
    ended: bool,
    allowance: Allowance,
}

impl<R: Read> Input<R> {
    /// `start` is where in the archive the source stands.
    pub(crate) fn new(source: R, start: u64) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            at: 0,
            end: 0,
            start,
            kept_from: start,
            ended: false,
            allowance: Allowance::default(),
        }
    }

    /// Where in the archive the window begins.
    pub(crate) fn position(&self) -> u64 {
        self.start + self.at as u64
    }

    pub(crate) fn window(&self) -> &[u8] {
        &self.buffer[self.at..self.end]
    }

    /// Lengthens the window by a whole chunk, or by what is left. Chunks are whole so that nothing that is made of them
    /// depends on how the source happened to cut its bytes.
    pub(crate) fn fill(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.make_room();
        let before = self.end;
        let full = before + CHUNK;
        while self.end < full {
            match self.source.read(&mut self.buffer[self.end..full]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(bytes) => self.end += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(before < self.end)
    }

    /// The window, of at least `bytes` bytes unless the archive ends before.
    pub(crate) fn peek(&mut self, bytes: usize) -> io::Result<&[u8]> {
        while self.window().len() < bytes && self.fill()? {}
        Ok(self.window())
    }

    /// The window up to the next whole number of chunks after `from`: what a decoder is fed, so that what it says of a
    /// damaged member does not depend on where in a chunk the member begins.
    pub(crate) fn stretch(&mut self, from: u64) -> io::Result<&[u8]> {
        let into_chunk = ((self.position() - from) % CHUNK as u64) as usize;
        let wanted = CHUNK - into_chunk;
        let window = self.peek(wanted)?;
        Ok(&window[..window.len().min(wanted)])
    }

    pub(crate) fn consume(&mut self, bytes: usize) {
        self.at += bytes;
        debug_assert!(self.at <= self.end, "only what is in the window can be consumed");
    }

    /// Consumes `bytes` bytes, in the window or not; false if the archive ends before.
    pub(crate) fn skip(&mut self, bytes: u64) -> io::Result<bool> {
        let mut left = bytes;
        loop {
            let here = self.window().len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.consume(here);
            self.keep_from_here();
            left -= here as u64;
            if left == 0 {
                return Ok(true);
            }
            if !self.fill()? {
                return Ok(false);
            }
        }
    }

    /// Bytes before the window are not needed any more.
    pub(crate) fn keep_from_here(&mut self) {
        self.kept_from = self.position();
    }

    /// Moves back to `position`, or as near to it as bytes are kept for.
    pub(crate) fn move_back(&mut self, position: u64) {
        let nearest = self.position().saturating_sub(LOOKBACK as u64);
        let target = position.max(nearest).max(self.start).min(self.position());
        let bytes = self.position() - target;
        if self.allowance.take(bytes, self.position()) {
            self.at -= bytes as usize;
        }
    }

    /// Makes room for a chunk. Bytes that nobody can come back to are dropped once they are the greater part, so that
    /// each byte is moved once or so.
    fn make_room(&mut self) {
        let kept = self.kept_from.saturating_sub(self.start) as usize;
        let dropped = kept.min(self.at).max(self.at.saturating_sub(LOOKBACK));
        if self.end - dropped <= dropped {
            self.buffer.copy_within(dropped..self.end, 0);
            self.at -= dropped;
            self.end -= dropped;
            self.start += dropped as u64;
        }
        if self.buffer.len() < self.end + CHUNK {
            self.buffer.resize(self.end + CHUNK, 0);
        }
    }
}
