//! What a prompt needs of a document besides its text: a line that the page cannot write, and chance without dice.
//!
//! Both come from the document's id, so a stage that is called again with replies says the same again.

/// A number that looks like chance and is decided by `parts` alone.
#[must_use]
pub fn seed(parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        // The byte 255 is in no UTF-8 text, so ["ab", "c"] and ["a", "bc"] differ.
        for byte in part.bytes().chain([u8::MAX]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    // FNV's low bits are weak on short inputs; the finalizer of SplitMix64 spreads them.
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// A line that stands before and after a text in a prompt and does not occur in it. Who writes a page does not know
/// the id that its capture will get, so the page cannot end its own quotation.
#[must_use]
pub fn fence(id: &str, text: &str) -> String {
    let mut attempt = 0_u64;
    loop {
        let line = format!("=== {:016x} ===", seed(&[id, "fence", &attempt.to_string()]));
        if !text.contains(&line) {
            return line;
        }
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{fence, seed};

    #[test]
    fn a_seed_is_decided_by_all_parts_and_their_borders() {
        assert_eq!(seed(&["a", "b"]), seed(&["a", "b"]));
        for other in [&["a", "c"][..], &["ab"], &["a", "b", ""], &["b", "a"], &[]] {
            assert_ne!(seed(&["a", "b"]), seed(other), "{other:?}");
        }
        let odd = (0..1000).filter(|number| seed(&[&number.to_string()]) % 2 == 1).count();
        assert!((400..600).contains(&odd), "{odd} of 1000 are odd");
    }

    #[test]
    fn a_page_that_holds_its_own_fence_gets_another() {
        let first = fence("id", "text");
        assert_eq!(first, fence("id", "other text"));
        assert_ne!(first, fence("other id", "text"));
        let second = fence("id", &format!("text\n{first}\nmore"));
        assert_ne!(first, second);
        assert!(!fence("id", &format!("{first}\n{second}")).is_empty());
    }
}
