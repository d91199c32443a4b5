//! What speaks against a language that the models answered with.
//!
//! They choose among the languages that they know and are as sure of the nearest relative of one that they do not. So
//! an answer is held against what every text of that language has: its letters and its commonest words. Nothing is
//! known of rarer languages, so nothing is held against those.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::script::Script;
use crate::strangers;

/// One letter in so many may belong to a name from elsewhere.
const FOREIGN: f64 = 0.012;

/// With fewer words a text may have none of the common ones: a heading, a list of names.
const MIN_WORDS: usize = 30;

/// Common words are one in three to one in ten of running text in every language of the table; lists have fewer.
const COMMON: f64 = 0.03;

/// Of a window of some thirty words; one in eight must be.
const MIN_COMMON: usize = 4;

/// Those of which letters and words are known.
const LANGUAGES: [&str; 15] =
    ["ar", "de", "en", "es", "fa", "fr", "hi", "id", "it", "nl", "pl", "pt", "ru", "tr", "vi"];

/// In which languages a word is a common one: a bit for each place in the list above.
static COMMON_WORDS: LazyLock<HashMap<&str, u16>> = LazyLock::new(|| {
    let mut words = HashMap::new();
    for (place, language) in LANGUAGES.into_iter().enumerate() {
        for word in signs(language).iter().flat_map(|signs| signs.words.split(' ')) {
            *words.entry(word).or_default() |= 1 << place;
        }
    }
    words
});

/// A language's letters beside those that all of its script share, and its commonest words; in lower case.
struct Signs {
    letters: &'static str,
    words: &'static str,
}

fn signs(language: &str) -> Option<Signs> {
    let (letters, words) = match language {
        "ar" => ("", "في من على أن إلى عن ما هذا التي الذي مع لا هذه كان و أو ذلك بين"),
        "de" => (
            "äöüßé",
            "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an wir sie oder",
        ),
        "en" => (
            "éèïç",
            "the of and to in a is that for it on with as was are be this by you at have not from or your we i",
        ),
        "es" => ("áéíñóúüªº", "de la que el en y a los se del las un por con no una para su es al lo o más"),
        "fa" => ("پچژگکیۀ", "و در به از که این را با است برای آن یک هم ها می"),
        "fr" => (
            "àâæçèéêëîïôœùûüÿ",
            "de la le et les des en un du une que est pour qui dans a par plus au sur il ne se pas vous ou",
        ),
        "hi" => ("", "के है में की और से का को पर ने यह हैं भी एक नहीं हो कि तो ही"),
        "id" => (
            "é",
            "yang dan di ini dengan untuk dari dalam pada itu tidak adalah ke akan juga atau oleh saya anda",
        ),
        "it" => {
            ("àèéìíòóùúîªº", "di e il la che in a per un è del della con si una i le non da sono al dei o")
        }
        "nl" => (
            "áéèëêïíóöúüĳ",
            "de van het een en in is dat op te voor met zijn die niet aan er om ook als of je",
        ),
        "pl" => ("ąćęłńóśźż", "w i na z do się nie jest to że o a od po za jak przez dla są oraz lub ze"),
        "pt" => {
            ("àáâãçéêíóôõúüªº", "de a o que e do da em um para com não uma os no se na por as dos mais ou")
        }
        "ru" => ("ё", "и в на не с что по а для как это из к от за о у же или то вы мы я"),
        // The last three are the letters of Turkish that a page in Latin-5 has where it is read as Latin-1.
        "tr" => (
            "âçğıîöşüûðýþ",
            "ve bir bu da de için ile olarak çok daha olan en gibi kadar ne var sonra veya o her",
        ),
        "vi" => (
            "àáâãèéêìíòóôõùúýăđĩũơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ",
            "và của là có cho các không được một trong với những người để khi đã từ này như ở về",
        ),
        _ => return None,
    };
    Some(Signs { letters, words })
}

/// Whether these pieces of a text are hardly in that language.
pub(crate) fn contradicts(language: &str, text: &[&str]) -> bool {
    let Some(signs) = signs(language) else { return false };
    if has_other_letters(language, signs.letters, text) {
        return true;
    }
    let words = words(text);
    lacks_words(signs.words, &words) || strangers::are_likelier(language, signs.words, &words)
}

fn has_other_letters(language: &str, own: &str, text: &[&str]) -> bool {
    let text: String = text.iter().flat_map(|piece| piece.chars()).flat_map(char::to_lowercase).collect();
    let script = Script::of_most(&text);
    let (mut all, mut other, mut hard_signs, mut russian) = (0_u32, 0_u32, 0_u32, 0_u32);
    for letter in text.chars() {
        let of = Script::of(letter);
        if of.is_none() || of != script {
            continue;
        }
        all += 1;
        hard_signs += u32::from(letter == 'ъ');
        russian += u32::from(matches!(letter, 'ы' | 'э' | 'ё'));
        other += u32::from(!is_shared(letter) && !own.contains(letter));
    }
    // Bulgarian has no letter that Russian lacks, but it writes a common vowel with one that is rare there.
    let bulgarian = language == "ru" && russian < hard_signs;
    // Names bring their accents along within the Latin script, but not their letters into another one.
    let names = if script == Some(Script::Latin) { 2 } else { 0 };
    bulgarian || names < other && f64::from(all) * FOREIGN < f64::from(other)
}

/// Whether every language of the script has the letter.
fn is_shared(letter: char) -> bool {
    letter.is_ascii_alphabetic()
        || matches!(letter, 'а'..='я' | '\u{621}'..='\u{65f}' | '\u{900}'..='\u{932}' | '\u{934}'..='\u{97f}')
}

/// Whether a piece of text is so plainly in that language that no model need be asked: in its letters, with more of its
/// common words than of any other language's. Languages of which nothing is known never are.
pub(crate) fn is_plainly(language: &str, text: &str) -> bool {
    let kana = |c: char| matches!(c, '\u{3041}'..='\u{30ff}');
    match (language, Script::of_most(text)) {
        ("ko", script) => script == Some(Script::Hangul),
        // What has as much kana as particles need is Japanese, and what has none is not.
        ("ja" | "zh", Some(Script::Cjk)) => {
            let all = text.chars().filter(|c| Script::of(*c) == Some(Script::Cjk)).count();
            let kana = text.chars().filter(|c| kana(*c)).count();
            if language == "ja" { all < 5 * kana } else { kana == 0 && 40 <= all }
        }
        _ => {
            let Some(signs) = signs(language) else { return false };
            !has_other_letters(language, signs.letters, &[text]) && says_it(language, text)
        }
    }
}

/// Whether the words are this language's more than any other's.
fn says_it(language: &str, text: &str) -> bool {
    let mut counts = [0_usize; LANGUAGES.len()];
    let words = words(&[text]);
    for word in &words {
        let mut of = COMMON_WORDS.get(word.as_str()).copied().unwrap_or(0);
        while of != 0 {
            counts[of.trailing_zeros() as usize] += 1;
            of &= of - 1;
        }
    }
    let own =
        LANGUAGES.iter().zip(counts).find(|(known, _)| **known == language).map_or(0, |(_, count)| count);
    let other =
        LANGUAGES.iter().zip(counts).filter(|(known, _)| **known != language).map(|(_, count)| count).max();
    MIN_COMMON <= own && words.len() <= own * 8 && 3 * other.unwrap_or(0) <= 2 * own
}

fn words(text: &[&str]) -> Vec<String> {
    let word = |word: &str| {
        word.trim_matches(|c: char| c.is_ascii_punctuation() || "«»„“”‘’–—…،؛।".contains(c)).to_lowercase()
    };
    text.iter().flat_map(|piece| piece.split_whitespace()).map(word).collect()
}

fn lacks_words(common: &str, words: &[String]) -> bool {
    let found = words.iter().filter(|word| common.split(' ').any(|known| known == *word)).count();
    MIN_WORDS <= words.len() && (found as f64) < words.len() as f64 * COMMON
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: &str, text: &str, against: bool) {
        assert_eq!(contradicts(language, &[text]), against, "{language}: {text}");
    }

    #[test]
    fn a_window_may_be_plainly_in_a_language() {
        fn check(language: &str, text: &str, plainly: bool) {
            assert_eq!(is_plainly(language, text), plainly, "{language}: {text}");
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
        check("ko", "이 집은 비가 많이 오던 해에 지어졌다", true);
        check("ja", "この家は雨の多い年に建てられた。", true);
        check("zh", "この家は雨の多い年に建てられた。", false);
        check("zh", &"这座房子是在多雨的那一年建成的".repeat(3), true);
        check("ja", &"这座房子是在多雨的那一年建成的".repeat(3), false);
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
