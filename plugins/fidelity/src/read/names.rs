//! Names: words with a capital where grammar asks for none. A script without capitals has none that could be found, and
//! in a language that writes all nouns with one (German) nothing is said.

use std::collections::BTreeSet;

use super::{Mention, Role, Side, Token, Vocabulary, lists};

/// Of the content words inside of sentences, more than this share with capitals is a grammar, or a headline.
const MOST_CAPITALS: f64 = 0.5;

pub(super) fn find(source: &mut Side, rewrite: &mut Side, vocabulary: &mut Vocabulary) {
    let sides = [&*source, &*rewrite];
    if sides.iter().any(|side| MOST_CAPITALS < capitals(side)) {
        return;
    }
    // A word that is also written small is no name where it opens a sentence.
    let tokens = || sides.iter().flat_map(|side| side.tokens.iter());
    let small: BTreeSet<u32> = tokens().filter(|token| !token.capital).map(|token| token.form).collect();
    let named: BTreeSet<u32> = sides
        .iter()
        .flat_map(|side| {
            side.tokens.iter().filter(|token| token.capital && !token.opens && !is_heading(side, token))
        })
        .map(|token| token.form)
        .collect();
    let is_name = |side: &Side, token: &Token| {
        let told = if token.opens || is_heading(side, token) {
            named.contains(&token.form) && !small.contains(&token.form)
        } else {
            true
        };
        token.capital && token.role == Role::Content && told || token.acronym && !is_heading(side, token)
    };
    let found = sides.map(|side| mentions(side, &is_name, vocabulary));
    for (side, (names, keys)) in [source, rewrite].into_iter().zip(found) {
        side.names = names;
        for (token, keys) in side.tokens.iter_mut().zip(keys) {
            token.keys = keys;
        }
    }
}

fn capitals(side: &Side) -> f64 {
    let inner = || side.tokens.iter().filter(|token| token.role == Role::Content && !token.opens);
    palimpsest_checks::runs::share(inner().filter(|token| token.capital).count(), inner().count())
}

/// Whether four of five content words of the token's sentence have capitals.
fn is_heading(side: &Side, token: &Token) -> bool {
    const LONGEST: usize = 16;
    let sentence = side.sentence(token.sentence);
    if LONGEST < sentence.len() {
        return false;
    }
    let content = || sentence.iter().filter(|token| token.role == Role::Content);
    let capitals = content().filter(|token| token.capital).count();
    content().count() * 4 <= capitals * 5 && 4 < content().count()
}

fn mentions(
    side: &Side,
    is_name: &dyn Fn(&Side, &Token) -> bool,
    vocabulary: &mut Vocabulary,
) -> (Vec<Mention>, Vec<Vec<u32>>) {
    let mut mentions: Vec<Mention> = Vec::new();
    let mut all: Vec<Vec<u32>> = vec![Vec::new(); side.tokens.len()];
    let mut before = false;
    for (at, token) in side.tokens.iter().enumerate() {
        let name = is_name(side, token);
        if name {
            let keys = keys(token, vocabulary);
            if let Some(place) = all.get_mut(at) {
                place.clone_from(&keys);
            }
            match mentions.last_mut() {
                Some(last)
                    if before
                        && !token.opens
                        && side.tokens.get(last.last).is_some_and(|last| token.start - last.end <= 1) =>
                {
                    last.last = at;
                    last.keys.extend(keys);
                }
                _ => mentions.push(Mention { first: at, last: at, keys, unit: None, sure: true }),
            }
        }
        before = name;
    }
    (mentions, all)
}

/// A name's word, without what the grammar adds; and what else it may be called.
fn keys(token: &Token, vocabulary: &mut Vocabulary) -> Vec<u32> {
    let word = vocabulary.word(token.form).to_owned();
    let bare = word.strip_suffix("'s").unwrap_or(&word);
    let mut keys = vec![vocabulary.id(&root(bare))];
    if let Some(alias) = lists::ALIASES.iter().position(|names| names.contains(&bare)) {
        keys.push(vocabulary.id(&format!("@{alias}")));
    }
    keys
}

/// `Argentina` and `Argentinian`, `China` and `Chinese`, `Banksy` and `Banksys`.
fn root(word: &str) -> String {
    const ENDINGS: [&str; 16] = [
        "inians", "inian", "ians", "ian", "ans", "an", "ese", "ish", "ers", "er", "ia", "es", "s", "a", "y",
        "e",
    ];
    const SHORTEST: usize = 4;
    let base =
        ENDINGS.iter().find_map(|ending| word.strip_suffix(ending).filter(|base| SHORTEST <= base.len()));
    format!("@{}", base.unwrap_or(word))
}
