//! Any body under any content type, decoded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palimpsest::pages::charset::decode;

fuzz_target!(|input: (Option<&str>, Option<&str>, &[u8])| {
    let (content_type, top_level_domain, body) = input;
    // The detector takes lower-case letters only, which its caller sees to.
    let domain = top_level_domain.filter(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_lowercase()));
    let mut oddities = Vec::new();
    if let Some(decoded) = decode(body, content_type, domain, &mut oddities) {
        assert!(decoded.text.len() <= 3 * body.len() + 3, "text grows no more than encodings can make it");
    }
});
