//! Any bytes as an HTTP message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palimpsest::pages::http;

fuzz_target!(|data: &[u8]| {
    for message in [http::response(data), http::request(data)].into_iter().flatten() {
        assert!(message.body.len() <= data.len(), "a body is a part of the message");
        // Whether it can be undone is not the question.
        drop(http::decode(&message.headers, message.body, &mut Vec::new()));
    }
});
