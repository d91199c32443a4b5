//! Any bytes as an archive, of whatever kind they look like.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../reading.rs"]
mod reading;

fuzz_target!(|data: &[u8]| reading::check(data));
