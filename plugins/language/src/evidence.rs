//! What speaks against a language that the models answered with.
//!
//! They choose among the languages that they know and are as sure of the nearest relative of one that they do not. So
//! an answer is held against what every text of that language has: its letters and its commonest words. Nothing is
//! known of rarer languages, so nothing is held against those.

use crate::script::Script;
use crate::strangers;

/// One letter in so many may belong to a name from elsewhere.
const FOREIGN: f64 = 0.012;

/// With fewer words a text may have none of the common ones: a heading, a list of names.
const MIN_WORDS: usize = 30;

/// Common words are one in three to one in ten of running text in every language of the table; lists have fewer.
const COMMON: f64 = 0.03;

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
