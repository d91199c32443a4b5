//! Any body under any chain of transfer and content codings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palimpsest::pages::http;

const CODINGS: [&str; 8] = ["gzip", "deflate", "br", "zstd", "chunked", "identity", "x-gzip", "none"];

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (first, second, body) = input;
    let coding = |byte: u8| CODINGS[usize::from(byte) % CODINGS.len()];
    let chain = format!("{}, {}", coding(first >> 3), coding(first));
    let headers =
        [("Content-Encoding".to_owned(), chain), ("Transfer-Encoding".to_owned(), coding(second).to_owned())];
    let mut oddities = Vec::new();
    if let Ok(decoded) = http::decode(&headers, body, &mut oddities) {
        assert!(decoded.len() <= http::BODY_BYTES, "a body is no longer than allowed");
    }
});
