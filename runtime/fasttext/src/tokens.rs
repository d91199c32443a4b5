//! What the official tool takes for a word, and its hash.

/// The token at the end of every text.
pub(crate) const END: &[u8] = b"</s>";

/// What a label begins with in a training file. Words of a text that begin so are not looked at.
pub(crate) const LABEL: &str = "__label__";

const OFFSET: u32 = 2_166_136_261;
const PRIME: u32 = 16_777_619;

/// The words of a text: bytes between ASCII white space, the same on every line.
pub(crate) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0x0B | 0x0C | 0))
        .filter(|word| !word.is_empty())
}

/// The words, and the end of the text.
pub(crate) fn tokens(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    words(text).chain(std::iter::once(END))
}

/// FNV-1a over *signed* bytes, as the first release had it by accident and all models since.
pub(crate) fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(OFFSET, |hash, &byte| step(hash, byte))
}

fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ i32::from(byte.cast_signed()).cast_unsigned()).wrapping_mul(PRIME)
}

/// The hashes of the n-grams of characters of a word between `<` and `>`. `marked` is room to work in.
pub(crate) fn subwords(
    word: &[u8],
    (minn, maxn): (u32, u32),
    marked: &mut Vec<u8>,
    mut found: impl FnMut(u32),
) {
    marked.clear();
    marked.push(b'<');
    marked.extend_from_slice(word);
    marked.push(b'>');
    let continues = |byte: u8| byte & 0xC0 == 0x80;
    for start in 0..marked.len() {
        let Some(rest) =
            marked.get(start..).filter(|rest| rest.first().is_some_and(|&byte| !continues(byte)))
        else {
            continue;
        };
        let (mut hash, mut chars) = (OFFSET, 0);
        for (place, &byte) in rest.iter().enumerate() {
            hash = step(hash, byte);
            if rest.get(place + 1).is_some_and(|&next| continues(next)) {
                continue;
            }
            chars += 1;
            // The two marks alone say nothing.
            let mark = chars == 1 && (start == 0 || place + 1 == rest.len());
            if (minn..=maxn).contains(&chars) && !mark {
                found(hash);
            }
            if maxn <= chars {
                break;
            }
        }
    }
}

/// The hashes of runs of two to `longest` tokens, given those of the tokens.
pub(crate) fn word_ngrams(hashes: &[u32], longest: u32, mut found: impl FnMut(u64)) {
    // The official tool keeps hashes in signed numbers, so their sign goes into the long ones.
    let signed = |hash: u32| i64::from(hash.cast_signed()).cast_unsigned();
    for (start, &first) in hashes.iter().enumerate() {
        let mut hash = signed(first);
        for &next in hashes.iter().skip(start + 1).take(longest.saturating_sub(1) as usize) {
            hash = hash.wrapping_mul(116_049_371).wrapping_add(signed(next));
            found(hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_words(text: &str, expected: &[&str]) {
        let found: Vec<_> = words(text.as_bytes()).map(|word| str::from_utf8(word).unwrap()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn words_end_at_ascii_white_space_only() {
        check_words("", &[]);
        check_words(" \n\t", &[]);
        check_words("a b\r\nc\u{b}d\0e", &["a", "b", "c", "d", "e"]);
        check_words("a\u{a0}b 字\u{3000}字", &["a\u{a0}b", "字\u{3000}字"]);
    }

    #[track_caller]
    fn check_subwords(word: &str, minn: u32, maxn: u32, expected: &[&str]) {
        let mut found = Vec::new();
        subwords(word.as_bytes(), (minn, maxn), &mut Vec::new(), |hash| found.push(hash));
        assert_eq!(found, expected.iter().map(|ngram| hash(ngram.as_bytes())).collect::<Vec<_>>());
    }

    #[test]
    fn character_ngrams_have_marks_and_whole_characters() {
        check_subwords("ab", 2, 3, &["<a", "<ab", "ab", "ab>", "b>"]);
        check_subwords("é字", 1, 2, &["<é", "é", "é字", "字", "字>"]);
        check_subwords("ab", 2, 0, &[]);
        check_subwords("", 1, 2, &["<>"]);
    }

    #[test]
    fn word_ngrams_are_runs() {
        let mut count = 0;
        word_ngrams(&[1, 2, 3, 4], 3, |_| count += 1);
        assert_eq!(count, 5);
        word_ngrams(&[1, 2, 3, 4], 1, |_| panic!("no runs of one"));
    }
}
