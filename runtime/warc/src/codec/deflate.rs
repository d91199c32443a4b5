//! Deflate data that is in memory as a whole, inflated at once by libdeflate: half as much time again as zlib-rs takes.
//!
//! The only module with unsafe code. It knows slices and sizes and nothing of gzip.
#![expect(unsafe_code, reason = "the safe bindings do not say how long the deflate data was")]

use std::ffi::c_void;
use std::fmt;
use std::ptr::NonNull;

use libdeflate_sys::{
    libdeflate_alloc_decompressor, libdeflate_crc32, libdeflate_decompressor,
    libdeflate_deflate_decompress_ex, libdeflate_free_decompressor, libdeflate_result_LIBDEFLATE_SUCCESS,
};

pub(crate) struct Inflater {
    /// From `libdeflate_alloc_decompressor`, owned by this value, freed when it is dropped.
    decompressor: NonNull<libdeflate_decompressor>,
}

// SAFETY: a decompressor is plain memory that only its owner uses; libdeflate keeps no thread-local or global state
// that belongs to it, and `inflate` takes `&mut self`, so it is never used by two threads at a time.
unsafe impl Send for Inflater {}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}

impl Inflater {
    /// None if there is no memory for one.
    pub(crate) fn new() -> Option<Self> {
        // SAFETY: no argument, no precondition.
        let decompressor = unsafe { libdeflate_alloc_decompressor() };
        NonNull::new(decompressor).map(|decompressor| Self { decompressor })
    }

    /// Inflates the deflate data at the beginning of `packed` to the end of `out`, and says how long it was. None, and
    /// nothing in `out`, if it is damaged, not whole, or does not inflate to exactly `size` bytes.
    pub(crate) fn inflate(&mut self, packed: &[u8], out: &mut Vec<u8>, size: usize) -> Option<usize> {
        out.reserve(size);
        let room = &mut out.spare_capacity_mut()[..size];
        let (mut read, mut wrote) = (0, 0);
        // SAFETY: the decompressor is alive and used by nobody else. libdeflate reads within the `packed.len()` bytes at
        // `packed`, which are initialised, and writes within the `size` bytes at `room`, which belong to `out` and
        // overlap with nothing. It returns with both counts set if it succeeds.
        let result = unsafe {
            libdeflate_deflate_decompress_ex(
                self.decompressor.as_ptr(),
                packed.as_ptr().cast::<c_void>(),
                packed.len(),
                room.as_mut_ptr().cast::<c_void>(),
                size,
                &raw mut read,
                &raw mut wrote,
            )
        };
        if result != libdeflate_result_LIBDEFLATE_SUCCESS || wrote != size {
            return None;
        }
        let length = out.len() + size;
        // SAFETY: `reserve` made the capacity at least that, and the `size` bytes after the old length were all written,
        // as `wrote` says.
        unsafe { out.set_len(length) };
        Some(read)
    }
}

impl Drop for Inflater {
    fn drop(&mut self) {
        // SAFETY: it came from `libdeflate_alloc_decompressor`, and is not used after this.
        unsafe { libdeflate_free_decompressor(self.decompressor.as_ptr()) };
    }
}

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    // SAFETY: libdeflate reads `bytes.len()` bytes at `bytes`, which are initialised. The pointer of an empty slice is
    // not null, which would mean another question.
    unsafe { libdeflate_crc32(0, bytes.as_ptr().cast::<c_void>(), bytes.len()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn data_is_inflated_behind_what_is_there_and_measured() {
        let packed = deflate(b"hello hello hello");
        let mut out = b"before".to_vec();
        let with_more = [packed.as_slice(), b"more"].concat();
        assert_eq!(Inflater::new().unwrap().inflate(&with_more, &mut out, 17), Some(packed.len()));
        assert_eq!(out, b"beforehello hello hello");
    }

    #[test]
    fn what_is_not_exactly_as_expected_leaves_no_trace() {
        let packed = deflate(&b"hello ".repeat(1000));
        let mut inflater = Inflater::new().unwrap();
        let mut out = b"before".to_vec();
        for size in [0, 1, 5999, 6001] {
            assert_eq!(inflater.inflate(&packed, &mut out, size), None);
        }
        for cut in 0..packed.len() {
            assert_eq!(inflater.inflate(&packed[..cut], &mut out, 6000), None);
        }
        assert_eq!(out, b"before");
        assert_eq!(inflater.inflate(&packed, &mut out, 6000), Some(packed.len()));
    }

    #[test]
    fn the_checksum_is_that_of_gzip() {
        let mut crc = flate2::Crc::new();
        crc.update(b"123456789");
        assert_eq!(crc32(b"123456789"), crc.sum());
        assert_eq!(crc32(b""), 0);
    }
}
