//! What speaks against a language that the models answered with, and which ones are worth asking for.
//!
//! They choose among the languages that they know and are as sure of the nearest relative of one that they do not. So
//! an answer is held against what every text of that language has: its letters and its commonest words. Nothing is
//! known of rarer languages, so nothing is held against those.

use std::cmp::Reverse;

use crate::look::Look;
use crate::script::Script;
use crate::signs::{LANGUAGES, signs};
use crate::strangers;

/// One letter in so many may belong to a name from elsewhere.
const FOREIGN: f64 = 0.012;

/// With fewer words a text may have none of the common ones: a heading, a list of names.
const MIN_WORDS: usize = 30;

/// Common words are one in three to one in ten of running text in every language of the table; lists have fewer.
const COMMON: f64 = 0.03;

/// Of a window of some thirty words; one in eight must be.
const MIN_COMMON: usize = 4;

/// A text that is plainly in a language is asked about for that one and so many others.
const RIVALS: usize = 2;

/// Whether these pieces of a text are hardly in that language.
pub(crate) fn contradicts(language: &str, text: &[&Look]) -> bool {
    let Some(signs) = signs(language) else { return false };
    let look = Look::merged(text);
    has_other_letters(language, signs.letters, &look)
        || lacks_words(language, &look)
        || strangers::are_likelier(language, &look.words)
}

fn has_other_letters(language: &str, own: &str, look: &Look) -> bool {
    let script = look.scripts.most();
    let of_script =
        |(letter, count): (&char, &u32)| (Script::of(*letter) == script).then_some((*letter, *count));
    let others = || look.special.iter().filter_map(of_script);
    let count = |is_one: &dyn Fn(char) -> bool| -> u32 {
        others().filter(|(letter, _)| is_one(*letter)).map(|(_, count)| count).sum()
    };
    let other = count(&|letter| !own.contains(letter));
    // Bulgarian has no letter that Russian lacks, but it writes a common vowel with one that is rare there.
    let bulgarian = language == "ru" && look.russian < look.hard_signs;
    // Names bring their accents along within the Latin script, but not their letters into another one.
    let names = if script == Some(Script::Latin) { 2 } else { 0 };
    let all = script.map_or(0, |script| look.scripts.of(script));
    bulgarian || names < other && f64::from(all) * FOREIGN < f64::from(other)
}

/// Whether a piece of text is so plainly in that language that no model need be asked: in its letters, with more of its
/// common words than of any other language's. Languages of which nothing is known never are.
pub(crate) fn is_plainly(language: &str, look: &Look) -> bool {
    match (language, look.scripts.most()) {
        ("ko", script) => script == Some(Script::Hangul),
        // What has as much kana as particles need is Japanese, and what has none is not.
        ("ja" | "zh", Some(Script::Cjk)) => {
            let all = look.scripts.of(Script::Cjk);
            if language == "ja" { all < 5 * look.kana } else { look.kana == 0 && 40 <= all }
        }
        _ => {
            let Some(signs) = signs(language) else { return false };
            !has_other_letters(language, signs.letters, look)
                && (says_it(language, look) || no_other_has_its_letters(language, look))
        }
    }
}

fn no_other_has_its_letters(language: &str, look: &Look) -> bool {
    let Some(script) = look.scripts.most() else { return false };
    let mut others =
        LANGUAGES.iter().filter(|other| **other != language && script.languages().contains(other));
    script.languages().contains(&language)
        && others.all(|other| signs(other).is_some_and(|signs| has_other_letters(other, signs.letters, look)))
}

/// Whether the words are this language's more than any other's.
fn says_it(language: &str, look: &Look) -> bool {
    let counts = look.words.counts();
    let most = |own: bool| {
        let counts = LANGUAGES.iter().zip(counts).filter(|(known, _)| (**known == language) == own);
        counts.map(|(_, count)| count).max().unwrap_or(0)
    };
    let (own, other) = (most(true), most(false));
    MIN_COMMON <= own && look.words.all <= own * 8 && 3 * other <= 2 * own
}

/// Those of the known languages that are worth asking the models for, where words and letters say which language a text
/// is in: that one, the ones whose words it has most of beside, and all of which nothing is known here. None where all
/// are.
pub(crate) fn candidates<'a>(look: &Look, known: &'a [String]) -> Option<Vec<&'a str>> {
    let script = look.scripts.most()?;
    let counts = look.words.counts();
    let count = |language: &str| {
        LANGUAGES.iter().zip(counts).find(|(code, _)| **code == language).map_or(0, |(_, count)| count)
    };
    let of_script = known.iter().map(String::as_str).filter(|code| script.languages().contains(code));
    let (mut few, others): (Vec<&str>, Vec<&str>) = of_script.partition(|code| signs(code).is_some());
    // Stable: languages with as many words stay in the order of the alphabet.
    few.sort_by_key(|language| Reverse(count(language)));
    if !is_plainly(few.first()?, look) || few.len() <= 1 + RIVALS {
        return None;
    }
    few.truncate(1 + RIVALS);
    few.extend(others);
    Some(few)
}

fn lacks_words(language: &str, look: &Look) -> bool {
    MIN_WORDS <= look.words.all && (look.words.common_in(language) as f64) < look.words.all as f64 * COMMON
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: &str, text: &str, against: bool) {
        assert_eq!(contradicts(language, &[&Look::of(text)]), against, "{language}: {text}");
    }

    #[test]
    fn a_window_may_be_plainly_in_a_language() {
        fn check(language: &str, text: &str, plainly: bool) {
            assert_eq!(is_plainly(language, &Look::of(text)), plainly, "{language}: {text}");
        }
        let english =
            "The house at the end of the road was built in a year when it rained from March to May.";
        check("en", english, true);
        check("de", english, false);
        check("sw", english, false);
        let german = "Das Haus am Ende der Straße wurde in dem Jahr gebaut, in dem es von März bis Mai nicht geregnet hat.";
        check("de", german, true);
        check("nl", german, false);
        let spanish = "La casa que está al final de la calle se construyó en el año en que no llovió y los campos se secaron.";
        check("es", spanish, true);
        check("pt", spanish, false);
        check("en", "Products Services Company Contact Login Register Download Support", false);
        check("pl", "Źdźbła żółkną, ćmy śpią, gąsienice pełzną wśród łąk", true);
        check("vi", "Trường học ở làng xây dựng năm ngoái", true);
        check("es", "Cómo Ángel Núñez pintó Málaga", false);
        check("ko", "이 집은 비가 많이 오던 해에 지어졌다", true);
        check("ja", "この家は雨の多い年に建てられた。", true);
        check("zh", "この家は雨の多い年に建てられた。", false);
        check("zh", &"这座房子是在多雨的那一年建成的".repeat(3), true);
        check("ja", &"这座房子是在多雨的那一年建成的".repeat(3), false);
    }

    #[cfg(not(feature = "all"))]
    #[test]
    fn few_models_are_worth_asking_where_the_words_say_it() {
        let known = crate::codes::known();
        let check = |text: &str, expected: Option<&[&str]>| {
            assert_eq!(candidates(&Look::of(text), &known).as_deref(), expected, "{text}");
        };
        let german = "Der Fluss war seit dem Morgen gestiegen, und am Mittag standen die Felder in der Ebene unter Wasser.";
        check(german, Some(&["de", "nl", "en"]));
        check("Products Services Company Contact Login Register Download Support", None);
        check("Älvar och åar på vägen över bron från gården till de andra som är i en by", None);
        // The models of a script with two languages are asked anyway.
        check("هذا نص باللغة العربية في البيت من الكتاب إلى المدينة على الطريق", None);
        check("", None);
    }

    #[test]
    fn letters_speak_against_languages() {
        check("de", "Die Straße führt über die Brücke.", false);
        check("de", "Vägen går över bron på andra sidan ån.", true);
        check("pl", "Příliš žluťoučký kůň úpěl ďábelské ódy", true);
        check("tr", "Bu gün hava çox gözəldir və biz şəhərə gedirik", true);
        check("tr", "İstanbul'da ışıklar söndü", false);
        check("en", "A naïve café", false);
        check("en", "A visit to Tromsø with Åse", false);
        check("ru", "Ъгълът на улицата е далеч от къщата.", true);
        check("ru", "Съешь ещё этих мягких французских булок", false);
        check("ru", "Вулиця веде через міст до її хати", true);
        check("ar", "هذا نص باللغة العربية", false);
        check("ar", "این یک متن فارسی است که گفته می‌شود", true);
        check("fa", "این یک متن فارسی است که گفته می‌شود", false);
        check("sw", "Vägen går över bron", false);
    }

    #[test]
    fn words_speak_against_languages() {
        let swahili = "watu wote wamezaliwa huru hadhi na haki zao ni sawa wote wamejaliwa akili na dhamiri hivyo yapasa \
                       watendeane kindugu kila mtu anastahili kuwa na haki zote na uhuru wote bila ya ubaguzi";
        check("id", swahili, true);
        check("id", "semua orang dilahirkan merdeka", false);
        let names = "Anna Berta Carl Doris Emil ".repeat(5);
        check("de", &names, false);
        check("de", &format!("{names}Anna Berta Carl Doris Emil"), true);
        check("de", &format!("{names}{names} «und» die"), false);
    }
}
