//! A source and its rewrite, read once for all gates: words as numbers that mean the same in both, sentences, what counts
//! things, what names things, what denies things. Compares nothing.

mod lists;
mod names;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use palimpsest_checks::numbers::{self, Written};
use palimpsest_checks::{sentences, stems, words};

pub(crate) use lists::{is_stop, is_title};

/// What a word does in its sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Grammar: says nothing of what the text is about.
    Stop,
    Content,
    Number,
}

/// Whether a word denies what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denial {
    None,
    /// `refuse`, `without`, `unlikely`: another way to say no.
    Implied,
    /// `forbid`, `prevent`: the same, and what it bears on may stand far behind it.
    Forbidding,
    /// `not`, `never`.
    Plain,
    /// `isn't`, `cannot`: a denial and what it denies in one word, whose form is the latter's.
    Joined,
}

impl Denial {
    pub(crate) fn is_plain(self) -> bool {
        matches!(self, Self::Plain | Self::Joined)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// Its stem.
    pub(crate) stem: u32,
    /// Its form in lower case.
    pub(crate) form: u32,
    pub(crate) role: Role,
    pub(crate) denial: Denial,
    pub(crate) sentence: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// What it may be known by as a part of a name; empty where it is none.
    pub(crate) keys: Vec<u32>,
    capital: bool,
    /// First of its sentence, its quotation or its line, where a capital says nothing.
    opens: bool,
    /// All letters are capitals.
    acronym: bool,
}

/// Something that the text counts or names: tokens in a row.
#[derive(Debug, Clone)]
pub(crate) struct Mention {
    pub(crate) first: usize,
    pub(crate) last: usize,
    /// What it may be known by in the other text: a number's readings, a name's words.
    pub(crate) keys: Vec<u32>,
    /// What is counted, where a unit stands beside it.
    pub(crate) unit: Option<&'static str>,
    /// A number that is written so that it is surely one; any name.
    pub(crate) sure: bool,
}

impl Mention {
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.keys.iter().any(|key| other.keys.contains(key))
    }
}

/// A text with its words as numbers.
#[derive(Debug, Default)]
pub(crate) struct Side {
    pub(crate) tokens: Vec<Token>,
    /// The first token of each sentence and the one behind its last.
    pub(crate) sentences: Vec<(usize, usize)>,
    pub(crate) numbers: Vec<Mention>,
    pub(crate) names: Vec<Mention>,
}

impl Side {
    pub(crate) fn sentence(&self, at: usize) -> &[Token] {
        let (first, end) = self.sentences.get(at).copied().unwrap_or_default();
        self.tokens.get(first..end).unwrap_or_default()
    }

    /// The bytes of a sentence, from its first word to its last.
    pub(crate) fn bytes(&self, at: usize) -> Option<std::ops::Range<usize>> {
        let tokens = self.sentence(at);
        Some(tokens.first()?.start..tokens.last()?.end)
    }
}

/// A source and its rewrite.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) source: Side,
    pub(crate) rewrite: Side,
}

pub(crate) fn pair(source: &str, rewrite: &str) -> Pair {
    let mut vocabulary = Vocabulary::default();
    let mut source = side(source, &mut vocabulary);
    let mut rewrite = side(rewrite, &mut vocabulary);
    names::find(&mut source, &mut rewrite, &mut vocabulary);
    Pair { source, rewrite }
}

/// The text with apostrophes, quotes and dashes that were read in a wrong encoding led back: those of old Macintoshes
/// (`donÕt`, `Òyes,Ó`), and what is left of an apostrophe when its character was cut to a byte. An `Õ` between small letters
/// is in no language.
pub(crate) fn mended(text: &str) -> Cow<'_, str> {
    const CUT: [char; 2] = ['\u{19}', '\u{92}'];
    let between = |is: &dyn Fn(char) -> bool| {
        let mut before = ' ';
        text.chars().zip(text.chars().skip(1)).any(|(symbol, after)| {
            let odd = is(symbol) && before.is_lowercase() && after.is_lowercase();
            before = symbol;
            odd
        })
    };
    let cut = text.contains(CUT);
    let macintosh = text.contains('Õ') && between(&|symbol| symbol == 'Õ');
    if !cut && !macintosh {
        return Cow::Borrowed(text);
    }
    let mend = |symbol| match symbol {
        '\u{19}' | '\u{92}' => '’',
        'Õ' if macintosh => '’',
        'Ò' if macintosh => '“',
        'Ó' if macintosh => '”',
        'Ð' if macintosh => '–',
        'Ô' if macintosh => '‘',
        other => other,
    };
    Cow::Owned(text.chars().map(mend).collect())
}

/// A number for each string, in the order in which they came.
#[derive(Debug, Default)]
struct Vocabulary {
    ids: HashMap<String, u32>,
    facts: BTreeMap<u32, Facts>,
    words: Vec<String>,
}

/// What is the same wherever a word stands.
#[derive(Debug, Clone, Copy)]
struct Facts {
    stem: u32,
    role: Role,
    denial: Denial,
}

impl Vocabulary {
    fn id(&mut self, word: &str) -> u32 {
        if let Some(&id) = self.ids.get(word) {
            return id;
        }
        let id = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        self.ids.insert(word.to_owned(), id);
        self.words.push(word.to_owned());
        id
    }

    /// The form of a word in lower case and what is known of it. `Isn't` has the form of `is`, and facts of its own.
    fn facts(&mut self, word: &str) -> (u32, Facts) {
        let id = self.id(word);
        let affirmed = lists::affirmed(word);
        let form = if affirmed == word { id } else { self.id(affirmed) };
        if let Some(facts) = self.facts.get(&id) {
            return (form, *facts);
        }
        let stem = self.id(&stems::stem(affirmed));
        let role = if lists::is_stop(word) { Role::Stop } else { Role::Content };
        let facts = Facts { stem, role, denial: lists::denial(word) };
        self.facts.insert(id, facts);
        (form, facts)
    }

    fn word(&self, id: u32) -> &str {
        self.words.get(id as usize).map_or("", String::as_str)
    }
}

fn side(text: &str, vocabulary: &mut Vocabulary) -> Side {
    let mut side = Side::default();
    let mut numbers = numbers::find(text).into_iter().peekable();
    let mut words = words::find(text).into_iter().peekable();
    let ranges = sentences::find(text);
    let mut ends = 0;
    for range in ranges {
        let first = side.tokens.len();
        let sentence = side.sentences.len();
        while let Some(word) = words.next_if(|word| word.start < range.end) {
            while numbers.next_if(|number| number.end <= word.start).is_some() {}
            let before = text.get(ends..word.start).unwrap_or_default();
            ends = word.end;
            let opens =
                side.tokens.len() == first || before.contains(['"', '“', '‘', '«', '„', ':', '(', '•', '…']);
            let number = numbers.next_if(|number| number.start < word.end);
            let (form, facts) = vocabulary.facts(&word.lower);
            let mut token = Token {
                stem: facts.stem,
                form,
                role: facts.role,
                denial: match words.peek().map_or("", |next| next.lower.as_str()) {
                    // `Not only this but also that` denies nothing.
                    "only" | "just" | "merely" | "necessarily" => Denial::None,
                    _ => facts.denial,
                },
                sentence,
                start: word.start,
                end: word.end,
                keys: Vec::new(),
                capital: word.capital,
                opens,
                acronym: is_acronym(text.get(word.start..word.end).unwrap_or_default()),
            };
            if let Some(number) = number {
                let sure = number.written != Written::Loose;
                if sure {
                    token.role = Role::Number;
                    token.end = number.end.max(word.end);
                    while words.next_if(|word| word.start < number.end).is_some() {}
                    ends = token.end;
                    let key = number.readings.first().map_or_else(String::new, |one| format!("#{one}"));
                    token.stem = vocabulary.id(&key);
                }
                let at = side.tokens.len();
                let keys =
                    number.readings.iter().map(|reading| vocabulary.id(&format!("#{reading}"))).collect();
                let unit = lists::unit(text, number.start, number.end);
                side.numbers.push(Mention { first: at, last: at, keys, unit, sure });
            }
            side.tokens.push(token);
        }
        if first < side.tokens.len() {
            side.sentences.push((first, side.tokens.len()));
        }
    }
    side
}

fn is_acronym(word: &str) -> bool {
    let mut capitals = 0;
    word.chars().all(|symbol| {
        capitals += usize::from(symbol.is_uppercase());
        symbol.is_uppercase() || symbol.is_numeric()
    }) && 2 <= capitals
}
