//! Records in gzip members, some of them damaged.
#![no_main]

use std::io::Write as _;

use libfuzzer_sys::fuzz_target;

#[path = "../packing.rs"]
mod packing;
#[path = "../reading.rs"]
mod reading;

fuzz_target!(|data: &[u8]| reading::check(&packing::packed(data, |piece| {
    let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    member.write_all(piece).expect("memory can be written");
    member.finish().expect("memory can be written")
})));
