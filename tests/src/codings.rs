//! What HTTP may do to a body: content codings, chunks, and the bomb. Encoders only.

use std::io::{self, Write};
use std::sync::OnceLock;

use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flate2::{Compression, GzBuilder};

/// What the bomb inflates to: more than a reader may keep, from a body of one megabyte. That body is nearly all zeros
/// itself, so the archive has room for it.
pub const BOMB_BYTES: usize = (1 << 30) + (1 << 20);

/// Most servers flush about so much at once; it is no power of two so that no reader's buffer ends where a chunk does.
const CHUNK: usize = 1_300;

/// A meta-block's length is written here in sixteen bits.
const BROTLI_BLOCK: usize = 1 << 16;

/// Nothing of the machine or of the day goes into the header, so that equal bytes make equal members.
pub(crate) fn gzip(bytes: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = gzip_encoder(level);
    into_memory(encoder.write_all(bytes));
    into_memory(encoder.finish())
}

fn gzip_encoder(level: Compression) -> GzEncoder<Vec<u8>> {
    GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), level)
}

pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    into_memory(encoder.write_all(bytes));
    into_memory(encoder.finish())
}

pub(crate) fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    into_memory(encoder.write_all(bytes));
    into_memory(encoder.finish())
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    into_memory(zstd::bulk::compress(bytes, 9))
}

/// A brotli stream of stored meta-blocks (RFC 7932, section 9.2). Nothing is gained by it but the coding, which is all
/// that is wanted, and an encoder would be one more crate to build.
pub(crate) fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut stream = Vec::with_capacity(bytes.len() + 8);
    // A window of 64 KiB is one bit, 0; without it the fields of a meta-block would begin on a byte.
    let mut before = 1;
    for block in bytes.chunks(BROTLI_BLOCK) {
        // Not the last (1 bit), four nibbles of length (2 bits, 0), length less one (16 bits), stored (1 bit).
        let header = ((block.len() - 1) << 3 | 1 << 19) << before;
        stream.extend_from_slice(&header.to_le_bytes()[..3]);
        stream.extend_from_slice(block);
        before = 0;
    }
    // The last, and empty.
    stream.push(0b11 << before);
    stream
}

pub(crate) fn chunked(bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(bytes.len() + bytes.len() / 100 + 16);
    for chunk in bytes.chunks(CHUNK) {
        body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    body
}

/// A page that begins like any other and then does not end. Made once, since it takes seconds.
pub(crate) fn bomb() -> Vec<u8> {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(packed_bomb).clone()
}

fn packed_bomb() -> Vec<u8> {
    let block = [0; 1 << 20];
    let mut encoder = gzip_encoder(Compression::best());
    let head = b"<!DOCTYPE html><html><head><title>Small</title></head><body><p>";
    into_memory(encoder.write_all(head));
    let mut left = BOMB_BYTES - head.len();
    while left > 0 {
        let now = left.min(block.len());
        into_memory(encoder.write_all(&block[..now]));
        left -= now;
    }
    into_memory(encoder.finish())
}

fn into_memory<T>(outcome: io::Result<T>) -> T {
    outcome.expect("writing to a Vec cannot fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_have_their_length_before_them_and_a_zero_at_the_end() {
        assert_eq!(chunked(b"abc"), b"3\r\nabc\r\n0\r\n\r\n");
        assert!(chunked(&[b'x'; CHUNK + 1]).ends_with(b"\r\n1\r\nx\r\n0\r\n\r\n"));
    }

    #[test]
    fn brotli_is_stored() {
        assert_eq!(brotli(b""), [0b110]);
        assert_eq!(brotli(b"abc"), [0b0010_0000, 0, 0b1_0000, b'a', b'b', b'c', 0b11]);
    }

    #[test]
    fn gzip_says_nothing_about_the_machine() {
        assert_eq!(gzip(b"abc", Compression::best())[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
    }
}
