//! What holds for every archive, however broken.

use palimpsest_warc::{Entry, Limits, Reader, violations};

/// Small enough for the fuzzer to reach them.
const LIMITS: Limits = Limits { head_bytes: 4 << 10, line_bytes: 1 << 10, block_bytes: 16 << 10 };

pub fn check(archive: &[u8]) {
    let whole = entries(archive);
    let mut begun = 0;
    for entry in &whole {
        assert!(entry.block.len() <= LIMITS.block_bytes, "a block is no longer than allowed");
        assert!(begun <= entry.offset, "entries come in the order of the archive");
        assert!(entry.offset + entry.length <= archive.len() as u64, "an entry ends within the archive");
        begun = entry.offset;
        // What is forbidden can be said of every entry.
        violations(entry);
    }
    let bytewise = Reader::new(Slow(archive), LIMITS).map(|entry| entry.expect("memory can be read"));
    assert!(bytewise.eq(whole), "entries do not depend on how bytes arrive");
}

fn entries(archive: &[u8]) -> Vec<Entry> {
    Reader::new(archive, LIMITS).map(|entry| entry.expect("memory can be read")).collect()
}

/// A source that gives few bytes at a time.
struct Slow<'a>(&'a [u8]);

impl std::io::Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let (some, rest) = self.0.split_at(buffer.len().min(self.0.len()).min(7));
        buffer[..some.len()].copy_from_slice(some);
        self.0 = rest;
        Ok(some.len())
    }
}
