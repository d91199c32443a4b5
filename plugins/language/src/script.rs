//! The scripts of texts, and which languages are written in them.
//!
//! A model answers with one of the languages that it knows whatever it is given, and with certainty where only one of
//! them is written in a script. So text in a script that none of them uses is not shown to it.

/// Writing systems that tell languages apart. Japanese mixes two and counts as one with Chinese.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    Latin,
    Cyrillic,
    Greek,
    Armenian,
    Georgian,
    Hebrew,
    Arabic,
    Devanagari,
    Bengali,
    Gurmukhi,
    Gujarati,
    Tamil,
    Telugu,
    Thai,
    Hangul,
    Cjk,
    Other,
}

const SCRIPTS: [Script; 17] = [
    Script::Latin,
    Script::Cyrillic,
    Script::Greek,
    Script::Armenian,
    Script::Georgian,
    Script::Hebrew,
    Script::Arabic,
    Script::Devanagari,
    Script::Bengali,
    Script::Gurmukhi,
    Script::Gujarati,
    Script::Tamil,
    Script::Telugu,
    Script::Thai,
    Script::Hangul,
    Script::Cjk,
    Script::Other,
];

/// The codes that texts can be given: ISO 15924.
pub(crate) const CODES: [&str; 18] = [
    "Arab", "Armn", "Beng", "Cyrl", "Deva", "Geor", "Grek", "Gujr", "Guru", "Hang", "Hani", "Hebr", "Jpan",
    "Latn", "Taml", "Telu", "Thai", "Zzzz",
];

/// How many letters a text has in each script.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts([u32; SCRIPTS.len()]);

impl Counts {
    pub(crate) fn add(&mut self, script: Script) {
        if let Some(count) = self.0.get_mut(script as usize) {
            *count += 1;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, other) in self.0.iter_mut().zip(other.0) {
            *count += other;
        }
    }

    pub(crate) fn of(&self, script: Script) -> u32 {
        self.0.get(script as usize).copied().unwrap_or(0)
    }

    /// The script that most letters are in; none without letters.
    pub(crate) fn most(&self) -> Option<Script> {
        let (script, count) = SCRIPTS.iter().zip(self.0).max_by_key(|(_, count)| *count)?;
        (0 < count).then_some(*script)
    }
}

impl Script {
    /// ISO 15924, as FineWeb-2 writes it behind a language; `Zzzz` for scripts that none of the models' languages uses.
    pub(crate) fn code(self, language: &str) -> &'static str {
        match self {
            Self::Latin => "Latn",
            Self::Cyrillic => "Cyrl",
            Self::Greek => "Grek",
            Self::Armenian => "Armn",
            Self::Georgian => "Geor",
            Self::Hebrew => "Hebr",
            Self::Arabic => "Arab",
            Self::Devanagari => "Deva",
            Self::Bengali => "Beng",
            Self::Gurmukhi => "Guru",
            Self::Gujarati => "Gujr",
            Self::Tamil => "Taml",
            Self::Telugu => "Telu",
            Self::Thai => "Thai",
            Self::Hangul => "Hang",
            // The one name of the three scripts that Japanese is written in together.
            Self::Cjk if language == "ja" => "Jpan",
            Self::Cjk => "Hani",
            Self::Other => "Zzzz",
        }
    }

    /// The script of a letter; none for what is no letter.
    pub(crate) fn of(letter: char) -> Option<Self> {
        if letter.is_ascii() {
            return letter.is_ascii_alphabetic().then_some(Self::Latin);
        }
        if let Some(script) = Self::of_letters(letter) {
            return Some(script);
        }
        if !letter.is_alphabetic() {
            return None;
        }
        Some(match u32::from(letter) {
            0xaa..=0x2af | 0x1e00..=0x1eff | 0xff21..=0xff5a => Self::Latin,
            0x370..=0x3ff | 0x1f00..=0x1fff => Self::Greek,
            0x400..=0x52f => Self::Cyrillic,
            0x530..=0x58f => Self::Armenian,
            0x590..=0x5ff => Self::Hebrew,
            0x600..=0x6ff | 0x750..=0x77f | 0xfb50..=0xfdff | 0xfe70..=0xfeff => Self::Arabic,
            0x900..=0x97f => Self::Devanagari,
            0x980..=0x9ff => Self::Bengali,
            0xa00..=0xa7f => Self::Gurmukhi,
            0xa80..=0xaff => Self::Gujarati,
            0xb80..=0xbff => Self::Tamil,
            0xc00..=0xc7f => Self::Telugu,
            0xe00..=0xe7f => Self::Thai,
            0x10a0..=0x10ff => Self::Georgian,
            0x1100..=0x11ff | 0x3130..=0x318f | 0xac00..=0xd7af => Self::Hangul,
            0x3005..=0x30ff
            | 0x31f0..=0x31ff
            | 0x3400..=0x9fff
            | 0xf900..=0xfaff
            | 0xff66..=0xff9d
            | 0x20000..=0x323af => Self::Cjk,
            _ => Self::Other,
        })
    }

    /// The same for the ranges that have letters only, which is most of most texts: whether a character is a letter is
    /// a search in a table, and took a tenth of the stage's time.
    fn of_letters(letter: char) -> Option<Self> {
        match u32::from(letter) {
            0xc0..=0xd6 | 0xd8..=0xf6 | 0xf8..=0x2af | 0x1e00..=0x1eff => Some(Self::Latin),
            0x400..=0x481 | 0x48a..=0x52f => Some(Self::Cyrillic),
            0x620..=0x657 | 0x671..=0x6d3 => Some(Self::Arabic),
            0x900..=0x93b | 0x93d..=0x94c => Some(Self::Devanagari),
            0xac00..=0xd7a3 => Some(Self::Hangul),
            0x3041..=0x3096 | 0x30a1..=0x30fa | 0x4e00..=0x9fff => Some(Self::Cjk),
            _ => None,
        }
    }

    /// Languages written in it, among those that the model could know.
    pub(crate) fn languages(self) -> &'static [&'static str] {
        match self {
            Self::Latin => &[
                "af", "az", "bs", "ca", "cs", "cy", "da", "de", "en", "eo", "es", "et", "eu", "fi", "fr",
                "ga", "hr", "hu", "id", "is", "it", "la", "lg", "lt", "lv", "mi", "ms", "nb", "nl", "nn",
                "pl", "pt", "ro", "sk", "sl", "sn", "so", "sq", "st", "sv", "sw", "tl", "tn", "tr", "ts",
                "vi", "xh", "yo", "zu",
            ],
            Self::Cyrillic => &["be", "bg", "kk", "mk", "mn", "ru", "sr", "uk"],
            Self::Greek => &["el"],
            Self::Armenian => &["hy"],
            Self::Georgian => &["ka"],
            Self::Hebrew => &["he"],
            Self::Arabic => &["ar", "fa", "ur"],
            Self::Devanagari => &["hi", "mr"],
            Self::Bengali => &["bn"],
            Self::Gurmukhi => &["pa"],
            Self::Gujarati => &["gu"],
            Self::Tamil => &["ta"],
            Self::Telugu => &["te"],
            Self::Thai => &["th"],
            Self::Hangul => &["ko"],
            Self::Cjk => &["ja", "zh"],
            Self::Other => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_have_scripts() {
        let check = |text: &str, script| {
            let mut counts = Counts::default();
            text.chars().filter_map(Script::of).for_each(|script| counts.add(script));
            assert_eq!(counts.most(), script, "{text}");
        };
        check("12 345 !?", None);
        check("Straße 12", Some(Script::Latin));
        check("Đường phố", Some(Script::Latin));
        check("улица", Some(Script::Cyrillic));
        check("οδός", Some(Script::Greek));
        check("한국어 text", Some(Script::Latin));
        check("대한민국의 text", Some(Script::Hangul));
        check("日本語のテキスト", Some(Script::Cjk));
        check("中文", Some(Script::Cjk));
        check("ภาษาไทย", Some(Script::Thai));
        check("עברית", Some(Script::Hebrew));
        check("ಕನ್ನಡ", Some(Script::Other));
    }

    #[test]
    fn the_short_way_tells_letters_of_their_script_only() {
        for letter in char::MIN..=char::MAX {
            if let Some(script) = Script::of_letters(letter) {
                assert!(letter.is_alphabetic(), "{letter:?}");
                assert_eq!(Some(script), Script::of(letter), "{letter:?}");
            }
        }
        let of = |letter| Script::of_letters(letter);
        assert_eq!(
            [of('\u{d7}'), of('\u{94d}'), of('\u{660}'), of('\u{482}')],
            [None; 4],
            "none of these is a letter"
        );
    }

    #[test]
    fn scripts_have_codes() {
        for script in SCRIPTS {
            for language in ["ja", "zh"] {
                assert!(CODES.contains(&script.code(language)), "{script:?}");
            }
        }
        assert!(CODES.is_sorted());
    }

    #[test]
    fn every_script_is_counted_in_its_own_place() {
        for (at, script) in SCRIPTS.iter().enumerate() {
            assert_eq!(*script as usize, at);
        }
    }
}
