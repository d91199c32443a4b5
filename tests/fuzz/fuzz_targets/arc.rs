//! Any bytes behind the beginning of an ARC archive.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../reading.rs"]
mod reading;

const BEGINNING: &[u8] = b"filedesc://a.arc 0.0.0.0 20261001000000 text/plain 70\n1 0 a\n\
    URL IP-address Archive-date Content-type Archive-length\n\n\n\n\n\n\n\n";

fuzz_target!(|data: &[u8]| reading::check(&[BEGINNING, data].concat()));
