//! WARC archives: bytes in, records out, whatever is wrong with them.
//!
//! [`Reader`] takes any `Read` and yields an [`Entry`] for each record and for each stretch of bytes that is not one.
//! Damage is a value of the entry that it hit, reading goes on after it, and a cut archive is never taken for a whole
//! one. Nothing is allocated because an archive says so. The crate does not know what a block holds: HTTP, pages and
//! charsets are its callers' business, as are names, networks and threads.
//!
//! WARC and ARC, plain, gzip, zstd and bzip2 are told apart by content. A member usually holds one record; several records
//! in a member, one member for all of them, and records that run on over member after member are read as well.

pub mod arc;
mod codec;
mod damage;
mod head;
mod input;
mod mark;
mod reader;
mod strict;
mod syntax;
mod text;

pub use codec::zstd::Dictionary;
pub use damage::{Damage, Format, Oddity};
pub use head::Head;
pub use mark::{BadMark, Container, Mark};
pub use reader::{Entry, Reader};
pub use strict::{Violation, violations};
pub use warc::RecordType;

/// Heads of real records stay under 4 KiB; sixteen times that is an attack or not a head.
pub const HEAD_BYTES: usize = 64 << 10;
/// The longest line is a URL with all of its parameters; servers refuse those from 8 KiB on.
pub const LINE_BYTES: usize = 16 << 10;
/// Larger blocks are downloads, not pages; Common Crawl cuts its own at 1 MiB, and since 2025 at 5 MiB.
pub const BLOCK_BYTES: usize = 64 << 20;

/// What one record may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A longer head is not read to its end.
    pub head_bytes: usize,
    /// A head with a longer line is not read either.
    pub line_bytes: usize,
    /// A longer block is passed over, not kept.
    pub block_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head_bytes: HEAD_BYTES, line_bytes: LINE_BYTES, block_bytes: BLOCK_BYTES }
    }
}
