//! Grammars in GBNF: read, and asked which next bytes of a reply they allow.
//!
//! The notation is llama.cpp's, its matcher is not used. Grammars come from plugins, and that matcher follows an
//! ambiguous one into exponential time, a deep one into a stack overflow, and prints a faulty one on stderr: each would
//! cost more than the prompt that brought it. Here every step has a limit, and beyond it stands an error. The module
//! refuses to know tokens, models and probabilities.

mod parse;

use std::collections::{HashMap, HashSet};

/// How many places in the grammar a reply may be at at once. An unambiguous grammar is at as many as it has
/// alternatives there; only left recursion and piled-up ambiguity go beyond.
const MAX_PLACES: usize = 10_000;

/// How many open rules may be held for one reply. A nested reply opens a few with each level.
const MAX_OPEN: usize = 1 << 20;

/// How many steps one question about the whole vocabulary may take, a second or so. The usual grammar takes a tenth.
const MAX_STEPS: usize = 10_000_000;

/// Why a grammar cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum GrammarError {
    #[error("the grammar is not GBNF at byte {at}: {expected} was expected")]
    Syntax { at: usize, expected: &'static str },
    #[error("the grammar has no rule `{0}`")]
    Undefined(String),
    #[error("the grammar is larger than {0} elements")]
    TooLarge(usize),
    #[error("the grammar nests deeper than {0} groups")]
    TooDeep(usize),
    #[error("the grammar is left-recursive or too ambiguous")]
    TooAmbiguous,
    #[error("the grammar allows no text at all")]
    Nothing,
}

/// A grammar, flat: the alternatives of its rules stand one behind the other.
#[derive(Debug)]
pub(super) struct Grammar {
    elements: Vec<Element>,
    /// For each rule, where its alternatives begin.
    rules: Vec<Vec<u32>>,
    /// Sorted ranges of characters, both ends inclusive.
    classes: Vec<Vec<(u32, u32)>>,
    root: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    /// One character of a class.
    Class(u32),
    Rule(u32),
    /// The end of an alternative.
    End,
}

impl Grammar {
    pub(super) fn parse(gbnf: &str) -> Result<Self, GrammarError> {
        parse::parse(gbnf)
    }

    fn element(&self, at: u32) -> Element {
        self.elements[at as usize]
    }

    /// Whether a class has a character between two, inclusive.
    fn meets(&self, class: u32, low: u32, high: u32) -> bool {
        let ranges = &self.classes[class as usize];
        let next = ranges.partition_point(|&(_, last)| last < low);
        ranges.get(next).is_some_and(|&(first, _)| first <= high)
    }
}

/// An element of the grammar, and the open rule to return to after the end of its alternative.
type Place = (u32, u32);

/// The open rule below the root.
const GROUND: u32 = u32::MAX;

/// What a reply's beginning leaves open. Values of one [`Matcher`] mean nothing to another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    /// Where a character is wanted.
    places: Vec<Place>,
    /// Whether the reply may end here.
    complete: bool,
    partial: Option<Partial>,
}

/// The first bytes of a character: tokens end where they like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Partial {
    value: u32,
    missing: u32,
    /// The least character that needs as many bytes.
    least: u32,
}

/// A reply in the making, against its grammar.
#[derive(Debug)]
pub(super) struct Matcher {
    grammar: Grammar,
    state: State,
    open: OpenRules,
    /// Of one step; kept for its memory.
    seen: HashSet<Place>,
}

/// The open rules of all places. Equal ones are one, so that ways that meet again are counted once.
#[derive(Debug, Default)]
struct OpenRules {
    nodes: Vec<Place>,
    ids: HashMap<Place, u32>,
}

impl OpenRules {
    fn id(&mut self, place: Place) -> Result<u32, GrammarError> {
        let next = self.nodes.len();
        if MAX_OPEN <= next {
            return Err(GrammarError::TooAmbiguous);
        }
        Ok(*self.ids.entry(place).or_insert_with(|| {
            self.nodes.push(place);
            next as u32
        }))
    }

    /// Forgets all rules opened since there were so many.
    fn shrink(&mut self, len: usize) {
        for node in self.nodes.drain(len..) {
            self.ids.remove(&node);
        }
    }
}

impl Matcher {
    pub(super) fn new(grammar: Grammar) -> Result<Self, GrammarError> {
        let starts = grammar.rules[grammar.root as usize].iter().map(|&start| (start, GROUND)).collect();
        let state = State { places: Vec::new(), complete: false, partial: None };
        let mut matcher = Self { grammar, state, open: OpenRules::default(), seen: HashSet::new() };
        matcher.state = matcher.unfold(starts)?.ok_or(GrammarError::Nothing)?;
        Ok(matcher)
    }

    /// Whether the reply may end here.
    pub(super) fn may_end(&self) -> bool {
        self.state.complete && self.state.partial.is_none()
    }

    /// Whether nothing may follow.
    pub(super) fn must_end(&self) -> bool {
        self.state.places.is_empty()
    }

    /// Goes on by a piece of the reply, if the grammar allows it.
    pub(super) fn accept(&mut self, piece: &[u8]) -> Result<bool, GrammarError> {
        let before = self.open.nodes.len();
        let mut state = self.state.clone();
        for &byte in piece {
            match self.step(&state, byte)? {
                Some(next) => state = next,
                None => {
                    self.open.shrink(before);
                    return Ok(false);
                }
            }
        }
        self.state = state;
        Ok(true)
    }

    /// The ids of those pieces that may follow. The pieces are sorted, so that each common beginning is
    /// followed once; empty ones never may.
    pub(super) fn allowed<'p>(
        &mut self,
        pieces: impl IntoIterator<Item = (u32, &'p [u8])>,
    ) -> Result<Vec<u32>, GrammarError> {
        let before = self.open.nodes.len();
        let mut allowed = Vec::new();
        let mut steps = 0;
        let mut last: &[u8] = &[];
        // The states after each byte of `last`, as far as any lived.
        let mut path = vec![self.state.clone()];
        for (id, piece) in pieces {
            let common = last.iter().zip(piece).take_while(|(one, other)| one == other).count();
            // The byte after the path's end is where `last` died; what shares it dies there too.
            let dead = path.len() <= common;
            last = piece;
            if dead {
                continue;
            }
            path.truncate(common + 1);
            for &byte in &piece[path.len() - 1..] {
                let Some(state) = path.last() else { break };
                steps += 1 + state.places.len();
                let Some(next) = self.step(state, byte)? else { break };
                path.push(next);
            }
            if MAX_STEPS < steps {
                return Err(GrammarError::TooAmbiguous);
            }
            if path.len() == piece.len() + 1 && !piece.is_empty() {
                allowed.push(id);
            }
        }
        self.open.shrink(before);
        Ok(allowed)
    }

    fn step(&mut self, state: &State, byte: u8) -> Result<Option<State>, GrammarError> {
        let partial = match (state.partial, byte) {
            (None, 0..0x80) => return self.character(state, u32::from(byte)),
            (None, 0xC2..0xE0) => Partial { value: u32::from(byte & 0x1F), missing: 1, least: 0x80 },
            (None, 0xE0..0xF0) => Partial { value: u32::from(byte & 0x0F), missing: 2, least: 0x800 },
            (None, 0xF0..0xF5) => Partial { value: u32::from(byte & 0x07), missing: 3, least: 0x1_0000 },
            (Some(partial), 0x80..0xC0) => Partial {
                value: (partial.value << 6) | u32::from(byte & 0x3F),
                missing: partial.missing - 1,
                least: partial.least,
            },
            (None | Some(_), _) => return Ok(None),
        };
        // The characters that the bytes so far may still become.
        let low = (partial.value << (6 * partial.missing)).max(partial.least);
        let high = ((partial.value + 1) << (6 * partial.missing)) - 1;
        if partial.missing == 0 {
            // Too long a form, or half of a surrogate pair.
            let whole = partial.least <= partial.value && char::from_u32(partial.value).is_some();
            return if whole { self.character(state, partial.value) } else { Ok(None) };
        }
        let grammar = &self.grammar;
        let lives = state.places.iter().any(|&(at, _)| match grammar.element(at) {
            Element::Class(class) => grammar.meets(class, low, high),
            Element::Rule(_) | Element::End => false,
        });
        let next = State { places: state.places.clone(), complete: state.complete, partial: Some(partial) };
        Ok(lives.then_some(next))
    }

    fn character(&mut self, state: &State, character: u32) -> Result<Option<State>, GrammarError> {
        let grammar = &self.grammar;
        let wants = |&(at, below): &Place| match grammar.element(at) {
            Element::Class(class) if grammar.meets(class, character, character) => Some((at + 1, below)),
            Element::Class(_) | Element::Rule(_) | Element::End => None,
        };
        let moved: Vec<Place> = state.places.iter().filter_map(wants).collect();
        if moved.is_empty() {
            return Ok(None);
        }
        self.unfold(moved)
    }

    /// Follows rules into their alternatives and out of their ends, until each place wants a character. None where
    /// that leads nowhere.
    fn unfold(&mut self, mut todo: Vec<Place>) -> Result<Option<State>, GrammarError> {
        let Self { grammar, open, seen, .. } = self;
        let mut state = State { places: Vec::new(), complete: false, partial: None };
        seen.clear();
        while let Some((at, below)) = todo.pop() {
            if !seen.insert((at, below)) {
                continue;
            }
            if MAX_PLACES < seen.len() {
                return Err(GrammarError::TooAmbiguous);
            }
            match grammar.element(at) {
                Element::Class(_) => state.places.push((at, below)),
                Element::End if below == GROUND => state.complete = true,
                Element::End => todo.push(open.nodes[below as usize]),
                Element::Rule(rule) => {
                    // A rule at the end of an alternative returns to where the alternative would: loops stay flat.
                    let below = match grammar.element(at + 1) {
                        Element::End => below,
                        Element::Class(_) | Element::Rule(_) => open.id((at + 1, below))?,
                    };
                    todo.extend(grammar.rules[rule as usize].iter().map(|&start| (start, below)));
                }
            }
        }
        Ok((state.complete || !state.places.is_empty()).then_some(state))
    }
}

#[cfg(test)]
mod tests;
