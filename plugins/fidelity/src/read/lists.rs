//! The words that gates need to know: grammar, denials, units. Figures and facts of English, and the grammar of six more
//! languages; what is not listed is content.

use super::Denial;

/// Sorted, which a test holds.
const STOP: &[&str] = &[
    "a",
    "about",
    "above",
    "across",
    "after",
    "again",
    "against",
    "ago",
    "all",
    "almost",
    "along",
    "already",
    "also",
    "although",
    "always",
    "am",
    "among",
    "an",
    "and",
    "another",
    "any",
    "anyone",
    "anything",
    "are",
    "around",
    "as",
    "at",
    "away",
    "back",
    "be",
    "because",
    "been",
    "before",
    "being",
    "below",
    "between",
    "both",
    "but",
    "by",
    "can",
    "cannot",
    "could",
    "did",
    "do",
    "does",
    "doing",
    "done",
    "down",
    "during",
    "each",
    "either",
    "else",
    "even",
    "ever",
    "every",
    "everyone",
    "everything",
    "few",
    "for",
    "from",
    "further",
    "get",
    "gets",
    "getting",
    "got",
    "had",
    "has",
    "have",
    "having",
    "he",
    "her",
    "here",
    "hers",
    "herself",
    "him",
    "himself",
    "his",
    "how",
    "however",
    "i",
    "if",
    "in",
    "into",
    "is",
    "it",
    "its",
    "itself",
    "just",
    "least",
    "less",
    "many",
    "may",
    "me",
    "might",
    "mine",
    "more",
    "most",
    "much",
    "must",
    "my",
    "myself",
    "neither",
    "never",
    "no",
    "none",
    "nor",
    "not",
    "nothing",
    "now",
    "of",
    "off",
    "often",
    "on",
    "once",
    "one",
    "only",
    "or",
    "other",
    "others",
    "our",
    "ours",
    "out",
    "over",
    "own",
    "per",
    "perhaps",
    "quite",
    "rather",
    "really",
    "same",
    "she",
    "should",
    "since",
    "so",
    "some",
    "someone",
    "something",
    "still",
    "such",
    "than",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "though",
    "through",
    "thus",
    "to",
    "too",
    "under",
    "until",
    "up",
    "upon",
    "us",
    "very",
    "was",
    "we",
    "well",
    "were",
    "what",
    "when",
    "where",
    "whether",
    "which",
    "while",
    "who",
    "why",
    "will",
    "with",
    "within",
    "would",
    "yet",
    "you",
    "your",
];

/// Grammar of German, French, Spanish, Italian, Portuguese and Dutch that looks like no English content word.
const FOREIGN_STOP: &[&str] = &[
    "aan", "aber", "al", "alla", "als", "ao", "auch", "auf", "aus", "aux", "avec", "bei", "bij", "che",
    "com", "como", "con", "da", "dalla", "dans", "das", "dass", "dat", "de", "dei", "del", "della", "delle",
    "dem", "den", "der", "des", "di", "dies", "diese", "do", "dos", "du", "durch", "e", "een", "ein", "eine",
    "einem", "einen", "einer", "el", "elle", "en", "er", "es", "est", "et", "eu", "fue", "für", "gli",
    "haben", "het", "hij", "ich", "ihre", "il", "ils", "im", "ist", "je", "kan", "la", "las", "le", "les",
    "leur", "los", "mais", "met", "mit", "más", "na", "naar", "nach", "ne", "nel", "nella", "niet", "noch",
    "nous", "não", "o", "oder", "ook", "os", "ou", "para", "pas", "per", "por", "pour", "que", "qui", "se",
    "sein", "sich", "sie", "sind", "son", "sono", "sur", "te", "um", "un", "una", "und", "une", "van",
    "voor", "vous", "werden", "wie", "wir", "zu",
];

/// Whether a word in lower case is grammar.
pub(crate) fn is_stop(word: &str) -> bool {
    let word = word.split('\'').next().unwrap_or(word);
    word.len() < 2
        || STOP.binary_search(&word).is_ok()
        || word.ends_with("n")
            && matches!(
                word,
                "don"
                    | "didn"
                    | "doesn"
                    | "isn"
                    | "wasn"
                    | "aren"
                    | "weren"
                    | "won"
                    | "couldn"
                    | "wouldn"
                    | "shouldn"
                    | "hasn"
                    | "haven"
                    | "hadn"
            )
        || FOREIGN_STOP.binary_search(&word).is_ok()
}

const PLAIN: &[&str] = &[
    "not", "never", "no", "nor", "neither", "none", "nobody", "nothing", "nowhere", "nicht", "kein", "keine",
    "keinen", "nie", "pas", "jamais", "ne", "nunca", "non", "não", "niet", "geen", "mai",
];

/// Stems of words that deny in their own way. A word that begins so is one.
const IMPLIED: &[&str] = &[
    "without",
    "fail",
    "den",
    "lack",
    "unable",
    "hardly",
    "barely",
    "scarcely",
    "rarely",
    "seldom",
    "few",
    "little",
    "less",
    "stop",
    "avoid",
    "lose",
    "lost",
    "miss",
    "against",
    "impossib",
    "unlikel",
    "illegal",
    "absen",
    "except",
    "instead",
    "despite",
    "wrong",
    "false",
    "myth",
    "doubt",
    "difficult",
    "hard",
    "disagree",
    "dislike",
    "declin",
    "oppos",
    "reduc",
    "free",
    "empty",
    "quit",
    "cancel",
    "eliminat",
    "remov",
    "exclud",
    "omit",
    "withdr",
    "escap",
    "resist",
    "skip",
    "ceas",
    "halt",
    "reluct",
    "yet",
    "ignor",
    "beyond",
    "far",
];

/// Stems of words that deny what stands anywhere behind them.
const FORBIDDING: &[&str] = &["ban", "block", "forbid", "forbad", "prevent", "prohib", "refus", "reject"];

/// Joined denials whose apostrophe was lost.
const BARE: &[&str] = &[
    "arent", "couldnt", "didnt", "doesnt", "dont", "hadnt", "hasnt", "havent", "isnt", "shouldnt", "wasnt",
    "werent", "wouldnt",
];

/// What `isn't` and `cannot` deny; other words as they are.
pub(super) fn affirmed(word: &str) -> &str {
    match word {
        "can't" | "cannot" | "cant" => "can",
        "won't" => "will",
        word if BARE.contains(&word) => word.strip_suffix("nt").unwrap_or(word),
        _ => word.strip_suffix("n't").unwrap_or(word),
    }
}

/// Whether a word in lower case denies what follows it.
pub(super) fn denial(word: &str) -> Denial {
    if word.ends_with("n't") || matches!(word, "cannot" | "cant") || BARE.contains(&word) {
        return Denial::Joined;
    }
    if PLAIN.contains(&word) {
        return Denial::Plain;
    }
    // `lost`, `bank` and `den` are words of their own, and nothing is won by telling them apart: an implied denial only
    // ever excuses.
    if FORBIDDING.iter().any(|stem| word.starts_with(stem)) {
        return Denial::Forbidding;
    }
    let prefixed = word.len() > 5
        && (word.starts_with("un")
            && !word.starts_with("under")
            && !["unit", "univ", "unif", "uniq", "unio", "unic", "unis"]
                .iter()
                .any(|start| word.starts_with(start))
            || word.starts_with("dis")
            || ["im", "in", "il", "ir"].iter().any(|prefix| word.starts_with(prefix))
                && ["ible", "able", "ect", "ent", "al", "ate", "ular"].iter().any(|end| word.ends_with(end))
            || word.ends_with("less"));
    if prefixed || IMPLIED.iter().any(|stem| word.starts_with(stem)) { Denial::Implied } else { Denial::None }
}

/// Names of a unit, and what it is called here.
const UNITS: &[(&str, &[&str])] = &[
    ("%", &["percent", "per cent", "pc", "percentage", "prozent"]),
    ("$", &["dollar", "dollars", "usd"]),
    ("£", &["pound sterling", "gbp"]),
    ("€", &["euro", "euros", "eur"]),
    ("¥", &["yen", "yuan"]),
    ("km", &["kilometre", "kilometres", "kilometer", "kilometers"]),
    ("mile", &["miles"]),
    ("metre", &["metres", "meter", "meters"]),
    ("cm", &["centimetre", "centimetres", "centimeter", "centimeters"]),
    ("mm", &["millimetre", "millimetres", "millimeter", "millimeters"]),
    ("foot", &["feet", "ft"]),
    ("inch", &["inches"]),
    ("kg", &["kilogram", "kilograms", "kilo", "kilos"]),
    ("gram", &["grams", "g"]),
    ("tonne", &["tonnes", "ton", "tons"]),
    ("litre", &["litres", "liter", "liters"]),
    ("gallon", &["gallons"]),
    ("second", &["seconds", "sec"]),
    ("minute", &["minutes", "min", "mins"]),
    ("hour", &["hours", "hr", "hrs"]),
    ("day", &["days"]),
    ("week", &["weeks"]),
    ("month", &["months"]),
    ("year", &["years", "yr", "yrs"]),
    ("decade", &["decades"]),
    ("century", &["centuries"]),
    ("mph", &["miles per hour"]),
    ("mb", &["megabyte", "megabytes"]),
    ("gb", &["gigabyte", "gigabytes"]),
    ("kw", &["kilowatt", "kilowatts"]),
];

/// The unit that stands beside the number at these bytes: the word or sign behind it, or the currency's sign before it.
pub(super) fn unit(text: &str, start: usize, end: usize) -> Option<&'static str> {
    let find = |word: &str| {
        UNITS.iter().find(|(name, names)| *name == word || names.contains(&word)).map(|(name, _)| *name)
    };
    let before = text.get(..start)?.chars().next_back()?;
    if matches!(before, '$' | '£' | '€' | '¥') {
        return find(before.encode_utf8(&mut [0; 4]));
    }
    let rest = text.get(end..)?;
    let after = rest.trim_start_matches([' ', '-', '\n', '\u{a0}']);
    if rest.len() - after.len() > 1 {
        return None;
    }
    if let Some(sign) = after.chars().next().filter(|sign| matches!(sign, '%' | '$' | '£' | '€')) {
        return find(sign.encode_utf8(&mut [0; 4]));
    }
    let word: String = after
        .chars()
        .take_while(|symbol| symbol.is_alphabetic())
        .take(12)
        .flat_map(char::to_lowercase)
        .collect();
    match word.as_str() {
        "per" if after.to_lowercase().starts_with("per cent") => Some("%"),
        word => find(word),
    }
}

/// What a country's name and the names of its people have no letters in common for, and what else is one thing.
pub(super) const ALIASES: [&[&str]; 9] = [
    &["uk", "britain", "british", "briton", "britons", "brits", "english", "england", "kingdom"],
    &["us", "usa", "america", "american", "americans", "u.s", "states"],
    &["eu", "europe", "european", "europeans"],
    &["un", "nations"],
    &["dutch", "netherlands", "holland"],
    &["france", "french"],
    &["germany", "german", "germans"],
    &["spain", "spanish", "spaniards"],
    &["greece", "greek", "greeks"],
];

const TITLES: &[&str] = &[
    "bishop",
    "captain",
    "chief",
    "doctor",
    "dr",
    "emperor",
    "empress",
    "general",
    "god",
    "internet",
    "king",
    "lady",
    "lord",
    "minister",
    "miss",
    "mr",
    "mrs",
    "ms",
    "mum",
    "dad",
    "president",
    "prince",
    "princess",
    "professor",
    "queen",
    "senator",
    "sir",
    "web",
];

/// A word that has a capital without being the name of one person or place.
pub(crate) fn is_title(word: &str) -> bool {
    TITLES.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        assert!(STOP.windows(2).all(|pair| pair[0] < pair[1]));
        let wrong: Vec<_> = FOREIGN_STOP.windows(2).filter(|pair| pair[0] >= pair[1]).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn units_stand_beside_their_numbers() {
        let check = |text: &str, expected| {
            let number = &palimpsest_checks::numbers::find(text)[0];
            assert_eq!(unit(text, number.start, number.end), expected, "{text}");
        };
        check("it took 12 months", Some("month"));
        check("some £6,442 in", Some("£"));
        check("up 10% of", Some("%"));
        check("up 10 per cent of", Some("%"));
        check("a five-year plan", Some("year"));
        check("12 people", None);
        check("in 2012", None);
    }

    #[test]
    fn denials_are_told() {
        for (word, expected) in [
            ("not", Denial::Plain),
            ("isn't", Denial::Joined),
            ("refused", Denial::Forbidding),
            ("unhappy", Denial::Implied),
            ("under", Denial::None),
            ("house", Denial::None),
            ("useless", Denial::Implied),
            ("impossible", Denial::Implied),
        ] {
            assert_eq!(denial(word), expected, "{word}");
        }
    }
}
