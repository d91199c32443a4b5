//! A reply as it grows, token by token, until it says one of the words that end it.

/// The text of a reply. Bytes, because tokens may end within a character.
pub(super) struct Text {
    bytes: Vec<u8>,
    stops: Vec<String>,
    longest_stop: usize,
}

impl Text {
    /// Empty stop strings stop nothing.
    pub(super) fn new(mut stops: Vec<String>) -> Self {
        stops.retain(|stop| !stop.is_empty());
        let longest_stop = stops.iter().map(String::len).max().unwrap_or(0);
        Self { bytes: Vec::new(), stops, longest_stop }
    }

    /// Adds a token's text. True where that completed a stop string; the text ends before it then.
    pub(super) fn push(&mut self, piece: &[u8]) -> bool {
        let from = self.bytes.len().saturating_sub(self.longest_stop.saturating_sub(1));
        self.bytes.extend(piece);
        let fresh = &self.bytes[from..];
        let found = |stop: &String| fresh.windows(stop.len()).position(|window| window == stop.as_bytes());
        let Some(end) = self.stops.iter().filter_map(found).min() else { return false };
        self.bytes.truncate(from + end);
        true
    }

    /// The text. A character that its end cuts off is left away, and what is no character is replaced.
    pub(super) fn finish(mut self) -> String {
        if let Some(chunk) = self.bytes.utf8_chunks().last()
            && let cut @ 1.. = chunk.invalid().len()
            && std::str::from_utf8(chunk.invalid()).is_err_and(|error| error.error_len().is_none())
        {
            self.bytes.truncate(self.bytes.len() - cut);
        }
        match String::from_utf8(self.bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stops: &[&str], pieces: &[&[u8]], expected: &str, stopped: bool) {
        let mut text = Text::new(stops.iter().map(|&stop| stop.to_owned()).collect());
        let found = pieces.iter().any(|piece| text.push(piece));
        assert_eq!((text.finish().as_str(), found), (expected, stopped));
    }

    #[test]
    fn stop_strings_end_the_text_before_them() {
        check(&["\n\n"], &[b"one\n", b"\ntwo"], "one", true);
        check(&["END"], &[b"a", b"E", b"N", b"D", b"b"], "a", true);
        check(&["END"], &[b"aEN"], "aEN", false);
        check(&["é"], &[b"caf\xC3", b"\xA9!"], "caf", true);
    }

    #[test]
    fn the_first_stop_string_in_the_text_counts() {
        check(&["cd", "b"], &[b"abcd"], "a", true);
        check(&["", "b"], &[b"ab"], "a", true);
        check(&[""], &[b"ab"], "ab", false);
    }

    #[test]
    fn characters_may_come_in_pieces() {
        check(&[], &[b"\xF0\x9F", b"\x98\x80"], "😀", false);
        check(&[], &[b"a\xF0\x9F"], "a", false);
        check(&[], &[b"a\xFFb"], "a\u{FFFD}b", false);
        check(&[], &[b"a\xFF"], "a\u{FFFD}", false);
        check(&[], &[], "", false);
    }
}
