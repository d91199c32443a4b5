//! Tokens as a model counts them: in a vocabulary that is built in, or in the one of a `tokenizer.json` beside the model.
//!
//! For estimates only. What a run decides is counted by `tokens`, which is a function of the text alone. Counted is the
//! text as it is: neither the marks that a chat template puts around it nor the tokens that a model wants in front.
//!
//! A tokenizer file is somebody else's program. It is read up to a bound, it does not truncate or pad here and does not
//! throw dice, and where the tokenizer fails or panics, on loading or on a text, that costs an error or a rough count.

use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use tokenizers::{ModelWrapper, Tokenizer};

use super::VOCABULARIES;

/// The largest vocabularies in use, of 260,000 tokens, make files of some 35 MB.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Longer texts are counted in pieces. A tokenizer keeps the text, place and masks of all tokens of a text at once, and
/// splits it with patterns that may look back and forth; a cut costs one token at most, where no line or word ends.
const PIECE_BYTES: usize = 16 << 10;

/// A letter that no vocabulary has, and those that every one has.
const PROBE: &str = "to be \u{10fffd}";

/// A way to count tokens. To be shared: it is as large as its file.
pub struct Vocabulary {
    name: String,
    counter: Counter,
}

enum Counter {
    BuiltIn(&'static bpe_openai::Tokenizer),
    File(Box<Tokenizer>),
}

/// Why there is no such vocabulary.
#[derive(Debug, thiserror::Error)]
pub enum VocabularyError {
    #[error("there is no vocabulary `{0}`; built in are {names}", names = VOCABULARIES.join(", "))]
    Unknown(String),
    #[error("the tokenizer file `{}` cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the tokenizer file `{}` has more than {MAX_FILE_BYTES} bytes", .0.display())]
    TooLarge(PathBuf),
    #[error("the tokenizer file `{}` cannot be used", path.display())]
    Unusable { path: PathBuf, source: Unusable },
}

/// What is wrong with a tokenizer file.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("it is no tokenizer: {0}")]
    Malformed(String),
    #[error("it cannot count every text: {0}")]
    Incomplete(String),
    #[error("the tokenizer panics")]
    Panics,
}

impl std::fmt::Debug for Vocabulary {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Vocabulary").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Vocabulary {
    /// A vocabulary that is built in.
    pub fn named(name: &str) -> Result<Self, VocabularyError> {
        let tokenizer = match name {
            "o200k_base" => bpe_openai::o200k_base(),
            "cl100k_base" => bpe_openai::cl100k_base(),
            "voyage3_base" => bpe_openai::voyage3_base(),
            _ => return Err(VocabularyError::Unknown(name.to_owned())),
        };
        Ok(Self { name: name.to_owned(), counter: Counter::BuiltIn(tokenizer) })
    }

    /// The vocabulary of a `tokenizer.json`.
    pub fn open(path: &Path) -> Result<Self, VocabularyError> {
        let unreadable = |source| VocabularyError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        io::copy(&mut file.take(MAX_FILE_BYTES + 1), &mut bytes).map_err(unreadable)?;
        if MAX_FILE_BYTES < bytes.len() as u64 {
            return Err(VocabularyError::TooLarge(path.to_owned()));
        }
        match tokenizer_of(&bytes) {
            Ok(tokenizer) => {
                let counter = Counter::File(Box::new(tokenizer));
                Ok(Self { name: path.display().to_string(), counter })
            }
            Err(source) => Err(VocabularyError::Unusable { path: path.to_owned(), source }),
        }
    }

    /// The name of the vocabulary, or its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tokens of the text.
    pub fn count(&self, text: &str) -> u32 {
        let tokens = match &self.counter {
            Counter::BuiltIn(tokenizer) => tokenizer.count(text),
            Counter::File(tokenizer) => pieces(text).map(|piece| count(tokenizer, piece)).sum(),
        };
        tokens.try_into().unwrap_or(u32::MAX)
    }
}

fn tokenizer_of(bytes: &[u8]) -> Result<Tokenizer, Unusable> {
    // Merges that are longer than every token panic while the file is loaded.
    let loaded = catch_unwind(|| Tokenizer::from_bytes(bytes)).map_err(|_panic| Unusable::Panics)?;
    let mut tokenizer = loaded.map_err(|error| Unusable::Malformed(error.to_string()))?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(|error| Unusable::Malformed(error.to_string()))?;
    if let ModelWrapper::BPE(model) = tokenizer.get_model()
        && model.dropout.is_some()
    {
        let mut model = model.clone();
        model.dropout = None;
        tokenizer.with_model(model);
    }
    match encode(&tokenizer, PROBE) {
        Some(Ok(_)) => Ok(tokenizer),
        Some(Err(error)) => Err(Unusable::Incomplete(error.to_string())),
        None => Err(Unusable::Panics),
    }
}

/// Tokens of a piece. One that cannot be encoded has at most as many tokens as bytes, and is counted so.
fn count(tokenizer: &Tokenizer, piece: &str) -> usize {
    encode(tokenizer, piece).and_then(Result::ok).unwrap_or(piece.len())
}

/// None where the tokenizer panics, which some do on letters that their normalization makes longer or shorter.
fn encode(tokenizer: &Tokenizer, piece: &str) -> Option<tokenizers::Result<usize>> {
    // What it shares between texts is a cache of words, behind a lock of its own.
    let encoding = catch_unwind(AssertUnwindSafe(|| tokenizer.encode_fast(piece, false)));
    encoding.ok().map(|encoding| encoding.map(|encoding| encoding.len()))
}

/// The text, cut after lines and else before spaces.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at(end_of_piece(rest));
        rest = after;
        Some(piece)
    })
}

/// Where a piece from the beginning of a text ends. Not at its beginning, unless it is empty.
fn end_of_piece(text: &str) -> usize {
    if text.len() <= PIECE_BYTES {
        return text.len();
    }
    let longest = text.floor_char_boundary(PIECE_BYTES);
    let within = text.get(..longest).unwrap_or_default();
    let line_end = within.rfind('\n').map(|line_end| line_end + 1);
    line_end.or_else(|| within.rfind(' ').filter(|word_end| 0 < *word_end)).unwrap_or(longest)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tempfile::NamedTempFile;
    use tokenizers::models::bpe::{BPE, Vocab};
    use tokenizers::models::wordlevel::WordLevel;
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;
    use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
    use tokenizers::{PaddingParams, TruncationParams};

    use super::*;

    fn file_of(content: &[u8]) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn opened(tokenizer: &Tokenizer) -> Vocabulary {
        let file = file_of(tokenizer.to_string(false).unwrap().as_bytes());
        Vocabulary::open(file.path()).unwrap()
    }

    /// Every byte, "to" and "be" with its space.
    fn pairs() -> BPE {
        let letters = ByteLevel::alphabet().into_iter().map(String::from);
        let tokens = letters.chain(["to", "Ġb", "Ġbe"].map(str::to_owned));
        let vocabulary: Vocab = tokens.zip(0..).collect();
        let merges =
            [("t", "o"), ("Ġ", "b"), ("Ġb", "e")].map(|(left, right)| (left.to_owned(), right.to_owned()));
        BPE::builder().vocab_and_merges(vocabulary, merges.to_vec()).build().unwrap()
    }

    fn byte_level(model: BPE) -> Tokenizer {
        let mut tokenizer = Tokenizer::new(model);
        tokenizer.with_pre_tokenizer(Some(ByteLevel::default().add_prefix_space(false)));
        tokenizer
    }

    fn words(vocabulary: &[&str], unknown: &str) -> Tokenizer {
        let vocabulary = vocabulary.iter().map(|word| (*word).to_owned()).zip(0..).collect();
        let model = WordLevel::builder().vocab(vocabulary).unk_token(unknown.to_owned()).build().unwrap();
        let mut tokenizer = Tokenizer::new(model);
        tokenizer.with_pre_tokenizer(Some(WhitespaceSplit));
        tokenizer
    }

    #[track_caller]
    fn check(vocabulary: &Vocabulary, text: &str, tokens: u32) {
        assert_eq!(vocabulary.count(text), tokens, "{text:?}");
    }

    #[track_caller]
    fn refuses(content: &str, complaint: &str) {
        let error = Vocabulary::open(file_of(content.as_bytes()).path()).unwrap_err();
        let VocabularyError::Unusable { source, .. } = error else {
            panic!("{error}");
        };
        assert!(source.to_string().starts_with(complaint), "{source}");
    }

    #[test]
    fn built_in_vocabularies_have_names() {
        check(&Vocabulary::named("o200k_base").unwrap(), "hello world", 2);
        check(&Vocabulary::named("o200k_base").unwrap(), "日本語", 2);
        check(&Vocabulary::named("cl100k_base").unwrap(), "hello world", 2);
        check(&Vocabulary::named("cl100k_base").unwrap(), "日本語", 4);
        for name in VOCABULARIES {
            assert_eq!(Vocabulary::named(name).unwrap().name(), name);
        }
        let error = Vocabulary::named("p50k_base").unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no vocabulary `p50k_base`; built in are o200k_base, cl100k_base, voyage3_base"
        );
    }

    #[test]
    fn a_file_counts_in_its_own_tokens() {
        let vocabulary = opened(&byte_level(pairs()));
        check(&vocabulary, "", 0);
        check(&vocabulary, "to be", 2);
        check(&vocabulary, "to be or not to be", 2 + 3 + 4 + 2 + 1);
        check(&vocabulary, "日", 3);
        let vocabulary = opened(&words(&["?", "to", "be"], "?"));
        check(&vocabulary, "to be or not to be", 6);
    }

    #[test]
    fn a_file_neither_truncates_nor_pads_nor_throws_dice() {
        let mut model = pairs();
        model.dropout = Some(1.0);
        let mut tokenizer = byte_level(model);
        tokenizer
            .with_padding(Some(PaddingParams { pad_to_multiple_of: Some(8), ..PaddingParams::default() }));
        tokenizer
            .with_truncation(Some(TruncationParams { max_length: 1, ..TruncationParams::default() }))
            .unwrap();
        check(&opened(&tokenizer), "to be", 2);
    }

    #[test]
    fn a_long_text_is_counted_in_pieces() {
        let vocabulary = opened(&words(&["?"], "?"));
        let lines = "to be or not to be\n".repeat(20_000);
        check(&vocabulary, &lines, 120_000);
        check(&vocabulary, &lines.replace('\n', " "), 120_000);
        let vocabulary = opened(&byte_level(pairs()));
        check(&vocabulary, &"ü".repeat(1 << 17), 2 << 17);
        check(&vocabulary, &" ".repeat(1 << 17), 1 << 17);
        assert_eq!(pieces(&lines).collect::<String>(), lines);
        assert!(pieces(&lines).all(|piece| piece.len() <= PIECE_BYTES && piece.ends_with('\n')));
    }

    #[test]
    fn a_text_that_cannot_be_encoded_has_as_many_tokens_as_bytes() {
        // It knows the words of the probe, and none for words that it does not know.
        let known: Vec<_> = PROBE.split(' ').collect();
        let vocabulary = opened(&words(&known, "?"));
        check(&vocabulary, "be to be", 3);
        check(&vocabulary, "or", 2);
    }

    #[test]
    fn a_file_that_is_no_tokenizer_is_an_error() {
        refuses("", "it is no tokenizer: EOF");
        refuses("{}", "it is no tokenizer: ");
        refuses(&"[".repeat(100_000), "it is no tokenizer: ");
        let knows_no_others = words(&["to", "be"], "?").to_string(false).unwrap();
        refuses(&knows_no_others, "it cannot count every text: WordLevel error: Missing [UNK] token");
    }

    #[test]
    fn a_file_that_makes_the_tokenizer_panic_is_an_error() {
        let content = r#"{"version": "1.0", "added_tokens": [], "model":
            {"type": "BPE", "vocab": {"abc": 0, "def": 1}, "merges": [["abc", "def"]]}}"#;
        refuses(content, "the tokenizer panics");
    }

    #[test]
    fn a_file_is_read_up_to_a_bound() {
        let file = file_of(b"");
        file.as_file().set_len(MAX_FILE_BYTES + 1).unwrap();
        assert!(matches!(Vocabulary::open(file.path()), Err(VocabularyError::TooLarge(_))));
        let gone = file.path().to_owned();
        drop(file);
        assert!(matches!(Vocabulary::open(&gone), Err(VocabularyError::Unreadable { .. })));
    }

    #[test]
    fn workers_share_a_vocabulary() {
        let vocabulary = opened(&byte_level(pairs()));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| check(&vocabulary, "to be", 2));
            }
        });
    }
}
