//! Reads GBNF.

use std::collections::HashMap;

use super::{Element, Grammar, GrammarError};

/// Elements of one grammar after its repetitions are written out. The schema of a large record makes a few thousand.
const MAX_ELEMENTS: usize = 50_000;

/// Groups within groups. A reader that calls itself must stop somewhere.
const MAX_DEPTH: usize = 100;

pub(super) fn parse(gbnf: &str) -> Result<Grammar, GrammarError> {
    let mut reader = Reader { rest: gbnf, len: gbnf.len(), ..Reader::default() };
    reader.space(true);
    while reader.peek().is_some() {
        reader.rule()?;
    }
    reader.finish()
}

/// The alternatives of a rule: sequences of classes and rules.
type Alternatives = Vec<Vec<Element>>;

#[derive(Default)]
struct Reader<'a> {
    rest: &'a str,
    len: usize,
    /// Groups and repetitions are rules without a name. None: named, but not yet defined.
    rules: Vec<Option<Alternatives>>,
    names: HashMap<&'a str, u32>,
    /// By number, because messages want them and maps have no order.
    named: Vec<(u32, &'a str)>,
    classes: Vec<Vec<(u32, u32)>>,
    class_ids: HashMap<Vec<(u32, u32)>, u32>,
    elements: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, wanted: char, expected: &'static str) -> Result<(), GrammarError> {
        if self.eat(wanted) { Ok(()) } else { Err(self.syntax(expected)) }
    }

    fn syntax(&self, expected: &'static str) -> GrammarError {
        GrammarError::Syntax { at: self.len - self.rest.len(), expected }
    }

    /// Skips blanks and comments, and line ends where they mean nothing.
    fn space(&mut self, lines: bool) {
        while let Some(next) = self.peek() {
            match next {
                ' ' | '\t' => {}
                '\r' | '\n' if lines => {}
                '#' => {
                    while self.peek().is_some_and(|next| next != '\r' && next != '\n') {
                        self.next();
                    }
                    continue;
                }
                _ => break,
            }
            self.next();
        }
    }

    /// The longest beginning of such characters.
    fn take(&mut self, such: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|next| !such(next)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn rule(&mut self) -> Result<(), GrammarError> {
        let name = self.take(is_name);
        if name.is_empty() {
            return Err(self.syntax("the name of a rule"));
        }
        let rule = self.named(name);
        self.space(false);
        for wanted in "::=".chars() {
            self.expect(wanted, "`::=`")?;
        }
        self.space(true);
        let alternatives = self.alternatives(false)?;
        self.rules[rule as usize] = Some(alternatives);
        match self.peek() {
            None | Some('\r' | '\n') => {}
            Some(_) => return Err(self.syntax("the end of a line")),
        }
        self.space(true);
        Ok(())
    }

    fn named(&mut self, name: &'a str) -> u32 {
        if let Some(&rule) = self.names.get(name) {
            return rule;
        }
        let rule = self.rules.len() as u32;
        self.rules.push(None);
        self.names.insert(name, rule);
        self.named.push((rule, name));
        rule
    }

    fn unnamed(&mut self, alternatives: Alternatives) -> Element {
        self.rules.push(Some(alternatives));
        Element::Rule(self.rules.len() as u32 - 1)
    }

    fn alternatives(&mut self, grouped: bool) -> Result<Alternatives, GrammarError> {
        self.depth += 1;
        if MAX_DEPTH < self.depth {
            return Err(GrammarError::TooDeep(MAX_DEPTH));
        }
        let mut alternatives = vec![self.sequence(grouped)?];
        while self.eat('|') {
            self.space(true);
            alternatives.push(self.sequence(grouped)?);
        }
        self.depth -= 1;
        Ok(alternatives)
    }

    fn sequence(&mut self, grouped: bool) -> Result<Vec<Element>, GrammarError> {
        let mut sequence = Vec::new();
        // Where the item begins that a repetition would repeat.
        let mut item = 0;
        while let Some(next) = self.peek() {
            if matches!(next, '*' | '+' | '?' | '{') && item == sequence.len() {
                return Err(self.syntax("something to repeat"));
            }
            if let Some((least, most)) = self.repetition(grouped)? {
                let repeated = sequence.split_off(item);
                self.repeat(&mut sequence, repeated, least, most)?;
                self.space(grouped);
                continue;
            }
            item = sequence.len();
            match next {
                '"' => self.literal(&mut sequence)?,
                '[' => sequence.push(self.class()?),
                '.' => {
                    self.next();
                    sequence.push(self.class_of(vec![(0, u32::from(char::MAX))]));
                }
                '(' => {
                    self.next();
                    self.space(true);
                    let alternatives = self.alternatives(true)?;
                    self.expect(')', "`)`")?;
                    sequence.push(self.unnamed(alternatives));
                }
                _ if is_name(next) => {
                    let name = self.take(is_name);
                    sequence.push(Element::Rule(self.named(name)));
                }
                _ => break,
            }
            self.spend(sequence.len() - item)?;
            self.space(grouped);
        }
        Ok(sequence)
    }

    fn spend(&mut self, elements: usize) -> Result<(), GrammarError> {
        self.elements = self.elements.saturating_add(elements);
        if MAX_ELEMENTS < self.elements { Err(GrammarError::TooLarge(MAX_ELEMENTS)) } else { Ok(()) }
    }

    fn literal(&mut self, sequence: &mut Vec<Element>) -> Result<(), GrammarError> {
        self.next();
        while !self.eat('"') {
            let character = self.character()?;
            let class = self.class_of(vec![(character, character)]);
            sequence.push(class);
        }
        Ok(())
    }

    fn class(&mut self) -> Result<Element, GrammarError> {
        self.next();
        let negated = self.eat('^');
        let mut ranges = Vec::new();
        while !self.eat(']') {
            let first = self.character()?;
            let mut after = self.rest.chars();
            let range = after.next() == Some('-') && after.next() != Some(']');
            let last = if range {
                self.next();
                self.character()?
            } else {
                first
            };
            ranges.push((first, last));
            self.spend(1)?;
        }
        let ranges = sorted(ranges);
        Ok(self.class_of(if negated { complement(&ranges) } else { ranges }))
    }

    fn class_of(&mut self, ranges: Vec<(u32, u32)>) -> Element {
        if let Some(&id) = self.class_ids.get(&ranges) {
            return Element::Class(id);
        }
        let id = self.classes.len() as u32;
        self.classes.push(ranges.clone());
        self.class_ids.insert(ranges, id);
        Element::Class(id)
    }

    fn character(&mut self) -> Result<u32, GrammarError> {
        let expected = "a character, `\"` or `]`";
        match self.next() {
            None => Err(self.syntax(expected)),
            Some('\\') => match self.next() {
                Some('x') => self.hex(2),
                Some('u') => self.hex(4),
                Some('U') => self.hex(8),
                Some('t') => Ok(0x09),
                Some('n') => Ok(0x0A),
                Some('r') => Ok(0x0D),
                Some(itself @ ('\\' | '"' | '[' | ']' | '-')) => Ok(u32::from(itself)),
                None | Some(_) => Err(self.syntax("an escape before this")),
            },
            Some(character) => Ok(u32::from(character)),
        }
    }

    fn hex(&mut self, digits: usize) -> Result<u32, GrammarError> {
        let mut value: u32 = 0;
        for _ in 0..digits {
            let digit = self.next().and_then(|next| next.to_digit(16));
            let digit = digit.ok_or_else(|| self.syntax("a hexadecimal digit before this"))?;
            value = (value << 4) | digit;
        }
        Ok(value)
    }

    /// `*`, `+`, `?`, `{n}`, `{n,}` or `{n,m}`, if one is next.
    fn repetition(&mut self, grouped: bool) -> Result<Option<(usize, Option<usize>)>, GrammarError> {
        let found = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                self.next();
                self.space(grouped);
                let least = self.number()?;
                self.space(grouped);
                let mut most = Some(least);
                if self.eat(',') {
                    self.space(grouped);
                    most = if self.peek() == Some('}') { None } else { Some(self.number()?) };
                    self.space(grouped);
                }
                if self.peek() != Some('}') {
                    return Err(self.syntax("`}`"));
                }
                (least, most)
            }
            None | Some(_) => return Ok(None),
        };
        self.next();
        Ok(Some(found))
    }

    fn number(&mut self) -> Result<usize, GrammarError> {
        let digits = self.take(|next| next.is_ascii_digit());
        if digits.is_empty() {
            return Err(self.syntax("a number"));
        }
        // What is too large for the type is too large for the limit too.
        digits.parse().map_err(|_too_large| GrammarError::TooLarge(MAX_ELEMENTS))
    }

    /// Writes an item out as often as it must come, and as rules as often as it may.
    fn repeat(
        &mut self,
        sequence: &mut Vec<Element>,
        item: Vec<Element>,
        least: usize,
        most: Option<usize>,
    ) -> Result<(), GrammarError> {
        let copies = least.max(most.unwrap_or(0)).max(1);
        self.spend(copies.saturating_mul(item.len() + 1))?;
        for _ in 0..least {
            sequence.extend(&item);
        }
        let Some(most) = most else {
            let again = Element::Rule(self.rules.len() as u32);
            let mut once = item;
            once.push(again);
            sequence.push(self.unnamed(vec![once, Vec::new()]));
            return Ok(());
        };
        let mut optional: Option<Element> = None;
        for _ in least..most {
            let mut once = item.clone();
            once.extend(optional);
            optional = Some(self.unnamed(vec![once, Vec::new()]));
        }
        sequence.extend(optional);
        Ok(())
    }

    fn finish(mut self) -> Result<Grammar, GrammarError> {
        let root = self.named("root");
        let mut grammar = Grammar { elements: Vec::new(), rules: Vec::new(), classes: self.classes, root };
        for (number, rule) in (0..).zip(self.rules) {
            let Some(alternatives) = rule else {
                let name = self.named.iter().find(|(rule, _)| *rule == number).map_or("", |(_, name)| name);
                return Err(GrammarError::Undefined(name.to_owned()));
            };
            let mut starts = Vec::with_capacity(alternatives.len());
            for alternative in alternatives {
                starts.push(grammar.elements.len() as u32);
                grammar.elements.extend(alternative);
                grammar.elements.push(Element::End);
            }
            grammar.rules.push(starts);
        }
        Ok(grammar)
    }
}

fn is_name(next: char) -> bool {
    next.is_ascii_alphanumeric() || next == '-'
}

/// Ranges in order, none empty, none touching the next.
fn sorted(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.retain(|(first, last)| first <= last);
    ranges.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            Some(_) | None => merged.push((first, last)),
        }
    }
    merged
}

fn complement(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut rest = Vec::with_capacity(ranges.len() + 1);
    let mut next = 0;
    for &(first, last) in ranges {
        if next < first {
            rest.push((next, first - 1));
        }
        next = last.saturating_add(1);
    }
    let last = u32::from(char::MAX);
    if next <= last {
        rest.push((next, last));
    }
    rest
}
