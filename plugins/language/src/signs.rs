//! What every text of a language has: its letters and its commonest words.

/// Those of which letters and words are known, in the order of the alphabet.
pub(crate) const LANGUAGES: [&str; 16] =
    ["ar", "de", "en", "es", "fa", "fr", "hi", "id", "it", "mr", "nl", "pl", "pt", "ru", "tr", "vi"];

/// A language's letters beside those that all of its script share, and its commonest words; in lower case.
pub(crate) struct Signs {
    pub(crate) letters: &'static str,
    pub(crate) words: &'static str,
}

/// None for a language of which nothing is known.
pub(crate) fn signs(language: &str) -> Option<Signs> {
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
        "mr" => ("ळ", "आहे आणि व या हे तो ते ती हा ही की करण्यात नाही होते होता होती असे त्या पण आहेत"),
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

/// Whether every language of the script has the letter.
pub(crate) fn is_shared(letter: char) -> bool {
    letter.is_ascii_alphabetic()
        || matches!(letter, 'а'..='я' | '\u{621}'..='\u{65f}' | '\u{900}'..='\u{932}' | '\u{934}'..='\u{97f}')
}
