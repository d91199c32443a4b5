//! The archive as it is stored: a window over a stream of bytes that can be moved back a little.

use std::io::{self, ErrorKind, Read};

/// Enough for a read to be worth its system call, and small enough for the inner caches.
pub(crate) const CHUNK: usize = 64 << 10;
/// How far back the search for the next record may start after damage. A damaged deflate stream is noticed at the next
/// block of it at the latest, and those are tens of kilobytes.
const LOOKBACK: usize = 1 << 20;

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
    buffer: Vec<u8>,
    /// The first byte of `buffer` that was not consumed.
    at: usize,
    /// Where in the archive `buffer` begins.
    start: u64,
    /// From where on bytes are kept for a move back.
    kept_from: u64,
    ended: bool,
    allowance: Allowance,
}

impl<R: Read> Input<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            at: 0,
            start: 0,
            kept_from: 0,
            ended: false,
            allowance: Allowance::default(),
        }
    }

    /// Where in the archive the window begins.
    pub(crate) fn position(&self) -> u64 {
        self.start + self.at as u64
    }

    pub(crate) fn window(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Lengthens the window by a whole chunk, or by what is left. Chunks are whole so that nothing that is made of them
    /// depends on how the source happened to cut its bytes.
    pub(crate) fn fill(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.forget();
        let before = self.buffer.len();
        let mut filled = before;
        self.buffer.resize(before + CHUNK, 0);
        while filled < self.buffer.len() {
            match self.source.read(&mut self.buffer[filled..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.truncate(filled);
                    return Err(error);
                }
            }
        }
        self.buffer.truncate(filled);
        Ok(before < filled)
    }

    /// The window, of at least `bytes` bytes unless the archive ends before.
    pub(crate) fn peek(&mut self, bytes: usize) -> io::Result<&[u8]> {
        while self.window().len() < bytes && self.fill()? {}
        Ok(self.window())
    }

    pub(crate) fn consume(&mut self, bytes: usize) {
        self.at += bytes;
        debug_assert!(self.at <= self.buffer.len(), "only what is in the window can be consumed");
    }

    /// Bytes before the window are not needed any more.
    pub(crate) fn keep_from_here(&mut self) {
        self.kept_from = self.position();
    }

    /// Moves back to `position`, or as near to it as the kept bytes allow.
    pub(crate) fn move_back(&mut self, position: u64) {
        let target = position.max(self.start).min(self.position());
        let bytes = self.position() - target;
        if self.allowance.take(bytes, self.position()) {
            self.at -= bytes as usize;
        }
    }

    /// Drops the bytes that nobody can come back to, once they are the greater part: each byte is moved once or so.
    fn forget(&mut self) {
        let kept = self.kept_from.saturating_sub(self.start) as usize;
        let dropped = kept.min(self.at).max(self.at.saturating_sub(LOOKBACK));
        if self.buffer.len() - dropped <= dropped {
            self.buffer.drain(..dropped);
            self.at -= dropped;
            self.start += dropped as u64;
        }
    }
}
