//! Whether two texts are in one language, as far as letters and the commonest words tell. Names no language to anybody: the
//! stage `language` does that.

use palimpsest_checks::words;
use palimpsest_plugin::text::is_unspaced;

/// Fewer letters than this say nothing.
const FEWEST_LETTERS: usize = 40;
/// Of the letters, a script with more than this share is the text's.
const MAIN: usize = 2;

/// Whether the texts are in different scripts, or mostly use the small words of different languages.
pub(crate) fn differ(source: &str, rewrite: &str) -> bool {
    match (script(source), script(rewrite)) {
        (Some(one), Some(other)) if one != other => true,
        (Some(_), Some(_)) => match (spoken(source), spoken(rewrite)) {
            (Some(one), Some(other)) => one != other,
            _ => false,
        },
        _ => false,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Hebrew,
    Arabic,
    Indic,
    Korean,
    Unspaced,
    Other,
}

const SCRIPTS: [Script; 9] = [
    Script::Latin,
    Script::Greek,
    Script::Cyrillic,
    Script::Hebrew,
    Script::Arabic,
    Script::Indic,
    Script::Korean,
    Script::Unspaced,
    Script::Other,
];

fn script_of(letter: char) -> Script {
    match letter {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Script::Latin,
        '\u{370}'..='\u{3ff}' => Script::Greek,
        '\u{400}'..='\u{52f}' => Script::Cyrillic,
        '\u{590}'..='\u{5ff}' => Script::Hebrew,
        '\u{600}'..='\u{77f}' => Script::Arabic,
        '\u{900}'..='\u{dff}' => Script::Indic,
        '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7af}' => Script::Korean,
        other if is_unspaced(other) => Script::Unspaced,
        _ => Script::Other,
    }
}

/// The script of most letters.
fn script(text: &str) -> Option<Script> {
    let mut letters = [0_usize; SCRIPTS.len()];
    let mut all = 0;
    for letter in text.chars().filter(|letter| letter.is_alphabetic()) {
        all += 1;
        if let Some(place) = SCRIPTS.iter().position(|script| *script == script_of(letter))
            && let Some(count) = letters.get_mut(place)
        {
            *count += 1;
        }
    }
    let main =
        SCRIPTS.iter().zip(letters).find(|(_, count)| all < count * MAIN).map(|(script, _)| *script)?;
    // A character of an unspaced script says as much as several letters.
    let needed = if main == Script::Unspaced { FEWEST_LETTERS / 4 } else { FEWEST_LETTERS };
    (needed <= all).then_some(main)
}

/// Small words that are common in one language and in none of the others here.
const SMALL: [&[&str]; 7] = [
    &["the", "and", "of", "to", "is", "that", "with", "it", "this", "are", "by", "from", "which", "they"],
    &["der", "und", "ist", "nicht", "ein", "eine", "das", "mit", "den", "auf", "für", "sich", "dem", "auch"],
    &["les", "et", "dans", "est", "des", "une", "pour", "qui", "sur", "pas", "avec", "sont", "au", "ce"],
    &["el", "los", "las", "y", "una", "con", "por", "del", "es", "para", "fue", "su", "lo", "pero"],
    &["il", "di", "che", "è", "gli", "della", "per", "sono", "nel", "alla", "anche", "dei", "più", "si"],
    &["não", "os", "uma", "com", "são", "ao", "mais", "pela", "pelo", "dos", "seu", "foi", "também", "em"],
    &["het", "een", "van", "niet", "zijn", "voor", "ook", "aan", "wordt", "naar", "bij", "maar", "ze", "dat"],
];

/// The language whose small words the text uses, if one is clearly ahead.
fn spoken(text: &str) -> Option<usize> {
    const FEWEST: usize = 4;
    let mut counts = [0_usize; SMALL.len()];
    for word in words::find(text) {
        for (count, small) in counts.iter_mut().zip(SMALL) {
            *count += usize::from(small.contains(&word.lower.as_str()));
        }
    }
    let best = counts.iter().copied().max().unwrap_or(0);
    let ahead = counts.iter().filter(|count| best <= **count * 2).count() == 1;
    (FEWEST <= best && ahead).then(|| counts.iter().position(|count| *count == best)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: &str = "The river had been rising since the morning, and by noon it was at the level of the road, which is rare.";
    const GERMAN: &str = "Der Fluss war seit dem Morgen gestiegen, und am Mittag stand er auf der Höhe der Straße, das ist nicht oft so.";
    const RUSSIAN: &str = "Река поднималась с самого утра, и к полудню нижние поля были уже под водой.";

    #[test]
    fn languages_differ_by_letters_or_small_words() {
        assert!(
            differ(ENGLISH, GERMAN)
                && differ(ENGLISH, RUSSIAN)
                && differ(RUSSIAN, "河水从早上开始上涨到中午时低处的田地已经被淹没了")
        );
        assert!(!differ(ENGLISH, ENGLISH) && !differ(GERMAN, GERMAN) && !differ(RUSSIAN, RUSSIAN));
        assert!(!differ(ENGLISH, "Sí.") && !differ("", GERMAN));
    }
}
