//! The names of languages: ISO 639-1, ISO 639-3, and `eng_Latn` for a language in a script.
//!
//! Data sets write all three, and some write the language where others write the group that it belongs to (`arb` and
//! `ara`). A stage that accepts only its own spelling drops everything and does not say why.

use lingua::Language;

/// ISO 639 for a language that cannot be told, here: that the component does not know.
pub(crate) const UNKNOWN: &str = "und";

/// Codes of ISO 639-3 that data sets write for a language that the models have under the code of its group.
const MEMBERS: [(&str, &str); 14] = [
    ("als", "sq"),
    ("arb", "ar"),
    ("azj", "az"),
    ("cmn", "zh"),
    ("ekk", "et"),
    ("fil", "tl"),
    ("khk", "mn"),
    ("lvs", "lv"),
    ("nor", "nb"),
    ("npi", "ne"),
    ("pes", "fa"),
    ("swh", "sw"),
    ("zlm", "ms"),
    ("zsm", "ms"),
];

/// The codes of all languages that this component was built with: ISO 639-1 where there is one.
pub(crate) fn known() -> Vec<String> {
    let mut codes: Vec<String> = Language::all().into_iter().map(code).collect();
    codes.sort_unstable();
    codes
}

/// ISO 639-1. There is one for each of the models' languages.
pub(crate) fn code(language: Language) -> String {
    language.iso_code_639_1().to_string()
}

/// The language of one of [`known`].
pub(crate) fn language(code: &str) -> Option<Language> {
    Language::all().into_iter().find(|language| language.iso_code_639_1().to_string() == code)
}

/// ISO 639-3 of one of [`known`], and of [`UNKNOWN`].
pub(crate) fn iso639_3(code: &str) -> String {
    language(code).map_or_else(|| UNKNOWN.to_owned(), |language| language.iso_code_639_3().to_string())
}

/// The code that this component uses for a language that a user names by either standard; none if it has no such
/// language.
pub(crate) fn resolve(name: &str) -> Option<String> {
    if name == UNKNOWN {
        return Some(UNKNOWN.to_owned());
    }
    let member = MEMBERS.iter().find(|(member, _)| *member == name).map(|(_, code)| *code);
    let name = member.unwrap_or(name);
    Language::all()
        .into_iter()
        .find(|language| {
            language.iso_code_639_1().to_string() == name || language.iso_code_639_3().to_string() == name
        })
        .map(code)
}

/// A language that a run wants, in any script or in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    language: String,
    script: Option<String>,
}

impl Wanted {
    /// None for a language that the component does not know.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (language, script) = match name.split_once('_') {
            Some((language, script)) => (language, Some(script.to_owned())),
            None => (name, None),
        };
        Some(Self { language: resolve(language)?, script })
    }

    pub(crate) fn is(&self, language: &str, script: &str) -> bool {
        self.language == language && self.script.as_deref().is_none_or(|wanted| wanted == script)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_have_one_code_and_many_names() {
        let check = |name, code: Option<&str>| assert_eq!(resolve(name).as_deref(), code, "{name}");
        check("en", Some("en"));
        check("eng", Some("en"));
        check("cmn", Some("zh"));
        check("zho", Some("zh"));
        check("arb", Some("ar"));
        check("und", Some("und"));
        check("xx", None);
        check("EN", None);
        check("", None);
    }

    #[test]
    fn every_code_has_a_long_one() {
        for code in known() {
            let long = iso639_3(&code);
            assert_eq!(long.len(), 3, "{code}");
            assert_eq!(resolve(&long), Some(code));
        }
        assert_eq!(iso639_3("en"), "eng");
        assert_eq!(iso639_3(UNKNOWN), UNKNOWN);
    }

    #[test]
    fn a_script_may_be_wanted() {
        let wanted = |name| Wanted::parse(name).unwrap();
        assert!(wanted("en").is("en", "Latn"));
        assert!(wanted("eng_Latn").is("en", "Latn"));
        assert!(!wanted("eng_Latn").is("en", "Arab"));
        assert!(!wanted("en").is("de", "Latn"));
        assert!(wanted("und_Thai").is("und", "Thai"));
        assert_eq!(Wanted::parse("xxx_Latn"), None);
    }
}
