//! The thresholds of each set, with the published figures as defaults.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::Segmentation;

/// All that rules need to know in one language.
#[derive(Debug, Clone)]
pub struct Limits {
    pub words: Option<Segmentation>,
    pub stop_words: BTreeSet<String>,
    pub min_stop_words: u32,
    pub gopher_quality: GopherQuality,
    pub gopher_repetition: GopherRepetition,
    pub c4: C4,
    pub c4_paragraph: C4Paragraph,
    pub fineweb: FineWeb,
    pub dclm: Dclm,
    pub refinedweb: RefinedWeb,
    pub curator: Curator,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            words: None,
            stop_words: BTreeSet::new(),
            // Gopher.
            min_stop_words: 2,
            gopher_quality: GopherQuality::default(),
            gopher_repetition: GopherRepetition::default(),
            c4: C4::default(),
            c4_paragraph: C4Paragraph::default(),
            fineweb: FineWeb::default(),
            dclm: Dclm::default(),
            refinedweb: RefinedWeb::default(),
            curator: Curator::default(),
        }
    }
}

/// A table of the settings: its keys, their types and their published defaults.
macro_rules! limits {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $key:ident: $type:ty = $default:expr,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$doc])* pub $key: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }
    };
}

fn owned(phrases: &[&str]) -> Vec<String> {
    phrases.iter().map(|phrase| (*phrase).to_owned()).collect()
}

/// What notices about cookies and terms say (C4's code).
const POLICY_PHRASES: [&str; 6] =
    ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"];

limits! {
    /// Gopher (Rae et al. 2021, appendix A.1.1).
    GopherQuality {
        /// Words, marks not counted, below which `gopher_words` is broken.
        min_words: u32 = 50,
        /// The same, above which it is.
        max_words: u32 = 100_000,
        /// Mean characters of a word below which `gopher_mean_word_length` is broken.
        min_mean_word_length: f64 = 3.0,
        /// The same, above which it is.
        max_mean_word_length: f64 = 10.0,
        /// Signs `#` for each word, and ellipses for each word, above which `gopher_hash_ratio` and
        /// `gopher_ellipsis_ratio` are broken.
        max_symbol_ratio: f64 = 0.1,
        /// The share of lines with a bullet above which `gopher_bullet_lines` is broken.
        max_bullet_lines: f64 = 0.9,
        /// The share of lines that end with an ellipsis above which `gopher_ellipsis_lines` is broken.
        max_ellipsis_lines: f64 = 0.3,
        /// The share of words with a letter below which `gopher_alpha_words` is broken.
        min_alpha_words: f64 = 0.8,
    }
}

limits! {
    /// Gopher (Rae et al. 2021, table A1). All are shares; above each its rule is broken.
    GopherRepetition {
        /// Lines that were there before, of lines.
        max_dup_line_fraction: f64 = 0.30,
        /// Paragraphs that were there before, of paragraphs.
        max_dup_paragraph_fraction: f64 = 0.30,
        /// Characters of lines that were there before, of characters.
        max_dup_line_chars: f64 = 0.20,
        /// Characters of paragraphs that were there before, of characters.
        max_dup_paragraph_chars: f64 = 0.20,
        /// Characters of the commonest pair of words.
        max_top_2_gram: f64 = 0.20,
        /// The same of three words.
        max_top_3_gram: f64 = 0.18,
        /// The same of four words.
        max_top_4_gram: f64 = 0.16,
        /// Characters of five words that were there before.
        max_dup_5_gram: f64 = 0.15,
        /// The same of six words.
        max_dup_6_gram: f64 = 0.14,
        /// The same of seven words.
        max_dup_7_gram: f64 = 0.13,
        /// The same of eight words.
        max_dup_8_gram: f64 = 0.12,
        /// The same of nine words.
        max_dup_9_gram: f64 = 0.11,
        /// The same of ten words.
        max_dup_10_gram: f64 = 0.10,
    }
}

limits! {
    /// C4 (Raffel et al. 2020, section 2.2, and its code).
    C4 {
        /// Take out lines that do not end with `.`, `?`, `!` or a quotation mark. FineWeb does not.
        end_punctuation: bool = true,
        /// Take out lines with fewer words.
        min_words_per_line: u32 = 3,
        /// Take out lines with a word of more characters; 0 for no limit.
        max_word_chars: u32 = 1000,
        /// Take out lines with the word JavaScript.
        remove_javascript: bool = true,
        /// Take out lines with one of these phrases, in small letters. Default: six about terms and cookies.
        policy_phrases: Vec<String> = owned(&POLICY_PHRASES),
        /// Take `[1]`, `[edit]` and `[citation needed]` out of lines.
        remove_citations: bool = true,
        /// Whether `lorem ipsum` breaks `c4_lorem_ipsum`.
        lorem_ipsum: bool = true,
        /// Whether a `{` breaks `c4_curly_bracket`.
        curly_bracket: bool = true,
        /// Sentences of the lines that stay below which `c4_sentences` is broken.
        min_sentences: u32 = 5,
    }
}

limits! {
    /// mC4 (Xue et al. 2021).
    C4Paragraph {
        /// Lines of `min_chars` below which `c4_paragraphs` is broken.
        min_paragraphs: u32 = 3,
        /// Characters of such a line.
        min_chars: u32 = 200,
    }
}

limits! {
    /// FineWeb (Penedo et al. 2024, section 3.6).
    FineWeb {
        /// The share of lines that end a sentence below which `fineweb_line_punct_ratio` is broken.
        min_line_punct_ratio: f64 = 0.12,
        /// Whether a text none of whose lines ends a sentence passes: for languages that write no marks.
        allow_no_line_punct: bool = false,
        /// The share of short lines above which `fineweb_short_line_ratio` is broken.
        max_short_line_ratio: f64 = 0.67,
        /// Characters of a short line at most.
        short_line_chars: u32 = 30,
        /// Characters of lines that were there before, of all, above which `fineweb_char_dup_ratio` is broken.
        max_char_dup_ratio: f64 = 0.01,
        /// Line ends for each word above which `fineweb_list_ratio` is broken.
        max_list_ratio: f64 = 0.3,
    }
}

limits! {
    /// DCLM (Li et al. 2024), whose figures are RefinedWeb's and Gopher's.
    Dclm {
        /// Characters below which `dclm_chars` is broken.
        min_chars: u32 = 150,
        /// Words, marks not counted, below which `dclm_words` is broken.
        min_words: u32 = 50,
        /// The same, above which it is.
        max_words: u32 = 100_000,
        /// Mean characters of a word below which `dclm_mean_word_length` is broken.
        min_mean_word_length: f64 = 3.0,
        /// The same, above which it is.
        max_mean_word_length: f64 = 10.0,
        /// Signs `#` and ellipses for each word above which `dclm_symbol_ratio` is broken.
        max_symbol_ratio: f64 = 0.1,
        /// The share of lines with a bullet above which `dclm_bullet_lines` is broken.
        max_bullet_lines: f64 = 0.9,
        /// The share of lines that end with an ellipsis above which `dclm_ellipsis_lines` is broken.
        max_ellipsis_lines: f64 = 0.3,
        /// The share of words without a letter above which `dclm_non_alpha_words` is broken.
        max_non_alpha_words: f64 = 0.2,
    }
}

limits! {
    /// RefinedWeb (Penedo et al. 2023, appendix G.2), with DCLM's figures. All but the last take lines out.
    RefinedWeb {
        /// The share of capitals of a line above which it goes.
        max_uppercase: f64 = 0.5,
        /// The share of digits of a line above which it goes.
        max_digits: f64 = 0.999_999,
        /// Words of a line below which it goes.
        min_words_per_line: u32 = 2,
        /// Words of a line up to which the phrases below are looked for in it.
        button_words: u32 = 10,
        /// Phrases that a line that goes begins with, in small letters.
        begins: Vec<String> = owned(&["sign in", "sign-in"]),
        /// Phrases that it ends with; what points on behind them does not count.
        ends: Vec<String> = owned(&["read more"]),
        /// Phrases that it has somewhere.
        contains: Vec<String> = owned(&["items in cart"]),
        /// The share of words that went with lines above which `refinedweb_removed_words` is broken.
        max_removed_words: f64 = 0.05,
    }
}

limits! {
    /// NeMo Curator's heuristics for English.
    Curator {
        /// The share of characters that are no letters, digits or blanks above which `curator_non_alphanumeric` is broken.
        max_non_alphanumeric: f64 = 0.25,
        /// Signs `#` and ellipses for each word above which `curator_symbol_ratio` is broken.
        max_symbol_ratio: f64 = 0.1,
        /// The share of digits above which `curator_digits` is broken.
        max_digits: f64 = 0.15,
        /// The share of characters in addresses above which `curator_url_chars` is broken.
        max_url_chars: f64 = 0.2,
        /// The share of lines with a bullet above which `curator_bullet_lines` is broken.
        max_bullet_lines: f64 = 0.9,
        /// The share of blanks above which `curator_whitespace` is broken.
        max_whitespace: f64 = 0.25,
        /// The share of brackets above which `curator_parentheses` is broken.
        max_parentheses: f64 = 0.1,
        /// Words between blanks below which `curator_words` is broken.
        min_words: u32 = 50,
        /// The same, above which it is.
        max_words: u32 = 100_000,
        /// Mean characters of a word below which `curator_mean_word_length` is broken.
        min_mean_word_length: f64 = 3.0,
        /// The same, above which it is.
        max_mean_word_length: f64 = 10.0,
        /// The share of paragraphs with one of the phrases above which `curator_boilerplate` is broken.
        max_boilerplate: f64 = 0.4,
        /// What notices say, in small letters. Default: C4's six phrases.
        boilerplate_phrases: Vec<String> = owned(&POLICY_PHRASES),
        /// The share of lines that end no sentence above which `curator_no_end_mark` is broken.
        max_no_end_mark: f64 = 0.85,
        /// The share of lines that end with an ellipsis above which `curator_ellipsis_lines` is broken.
        max_ellipsis_lines: f64 = 0.3,
        /// The share of words with a letter below which `curator_alpha_words` is broken.
        min_alpha_words: f64 = 0.8,
    }
}
