//! Records in zstd frames, some of them damaged.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../packing.rs"]
mod packing;
#[path = "../reading.rs"]
mod reading;

fuzz_target!(|data: &[u8]| reading::check(&packing::packed(data, |piece| {
    zstd::bulk::compress(piece, 1).expect("memory can be written")
})));
