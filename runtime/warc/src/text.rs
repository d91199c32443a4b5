//! The archive without its compression: a window over plain bytes that knows where they are stored.
//!
//! Plain archives are one stretch of text. Gzip ones are a stretch for each member, with a seam between two; whoever
//! reads decides whether what it reads goes on after a seam.

use std::collections::VecDeque;
use std::io::{self, Read};

use crate::damage::{Damage, Format};
use crate::gzip::{MAGIC, Member, Opening, Step, may_begin};
use crate::head::{Found, PLAUSIBLE_BYTES, find, is_line_end, opens_record};
use crate::input::{Allowance, CHUNK, Input};

/// A record that runs over more members than this loses sight of where its later ones begin.
const MAX_SEAMS: usize = 64 << 10;
/// Deflate cannot do more than 1032, and text does not do more than twenty or so.
const BOMB_RATIO: u64 = 200;

#[derive(Debug)]
pub(crate) struct Text<R> {
    input: Input<R>,
    /// None for plain archives.
    member: Option<Member>,
    /// Whether `member` is open.
    inside: bool,
    window: Vec<u8>,
    /// The first byte of `window` that was not consumed.
    at: usize,
    /// Which byte of the text the window begins with.
    base: u64,
    /// What stands at the window's end, if it is known.
    edge: Option<Edge>,
    /// Where members begin, in the text and in the archive: that of the record that is being read, and those after it.
    seams: VecDeque<(u64, u64)>,
    allowance: Allowance,
}

/// What stops the window from growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    /// A member's end.
    Seam,
    /// The archive's end.
    End,
    Broken(Damage),
}

/// What an archive turned out to be.
#[derive(Debug)]
pub(crate) enum Kind {
    Archive,
    Unsupported(Format),
}

impl<R: Read> Text<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            input: Input::new(source),
            member: None,
            inside: false,
            window: Vec::new(),
            at: 0,
            base: 0,
            edge: None,
            seams: VecDeque::new(),
            allowance: Allowance::default(),
        }
    }

    /// Looks at the first bytes, and passes over those in front of the first record. To be called once, and first.
    pub(crate) fn recognise(&mut self) -> io::Result<Kind> {
        let first = self.input.peek(16)?;
        if let Some(format) = Format::of(first) {
            return Ok(Kind::Unsupported(format));
        }
        if may_begin(first) {
            self.member = Some(Member::new());
        } else if !opens_record(first) {
            self.find_beginning()?;
        }
        self.base = self.input.position();
        Ok(Kind::Archive)
    }

    /// Moves to the first record, plain or compressed, in an archive that does not begin with one.
    fn find_beginning(&mut self) -> io::Result<()> {
        let mut member = Member::new();
        let mut fresh = true;
        loop {
            let bytes = self.input.peek(PLAUSIBLE_BYTES)?;
            let Some(&byte) = bytes.first() else {
                return Ok(());
            };
            if fresh && find(&bytes[..bytes.len().min(PLAUSIBLE_BYTES)], true) == Found::Record(0) {
                return Ok(());
            }
            if byte == MAGIC[0] && member.record_begins(&mut self.input)? {
                self.member = Some(member);
                return Ok(());
            }
            fresh = byte == b'\n';
            let rest = &self.input.window()[1..];
            let dull = |&&byte: &&u8| byte != MAGIC[0] && byte != b'\n';
            let skipped = if fresh { 0 } else { rest.iter().take_while(dull).count() };
            self.input.consume(1 + skipped);
            self.input.keep_from_here();
        }
    }

    pub(crate) fn window(&self) -> &[u8] {
        &self.window[self.at..]
    }

    pub(crate) fn consume(&mut self, bytes: usize) {
        self.at += bytes;
        debug_assert!(self.at <= self.window.len(), "only what is in the window can be consumed");
    }

    /// Which byte of the text the window begins with, without what was consumed.
    pub(crate) fn position(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Lengthens the window. The same edge is met again and again, until [`Self::cross`] or [`Self::recover`].
    pub(crate) fn more(&mut self) -> io::Result<Option<Edge>> {
        if self.edge.is_some() {
            return Ok(self.edge);
        }
        self.forget();
        let before = self.window.len();
        self.edge = if self.member.is_some() { self.inflate()? } else { self.copy()? };
        Ok(if before < self.window.len() { None } else { self.edge })
    }

    /// The window, of at least `bytes` bytes unless an edge is nearer.
    pub(crate) fn peek(&mut self, bytes: usize) -> io::Result<&[u8]> {
        while self.window().len() < bytes && self.more()?.is_none() {}
        Ok(self.window())
    }

    /// Goes on after a seam.
    pub(crate) fn cross(&mut self) {
        debug_assert_eq!(self.edge, Some(Edge::Seam), "there is nothing behind any other edge");
        self.edge = None;
    }

    /// Goes on after a seam, and says whether what is being read does too: not where a new record begins.
    pub(crate) fn runs_on(&mut self) -> io::Result<bool> {
        let seam = self.window().len();
        self.cross();
        loop {
            let after = &self.window()[seam..];
            if 16 <= after.len() {
                return Ok(!opens_record(after));
            }
            match self.more()? {
                None => {}
                Some(Edge::Seam) if self.window().len() == seam => self.cross(),
                Some(_) => {
                    let after = &self.window()[seam..];
                    return Ok(!after.is_empty() && !opens_record(after));
                }
            }
        }
    }

    /// How many bytes of the window, of `left` at most, stand before the next record, and whether it is in sight. Bytes
    /// that may turn out to be its beginning are left out until more is known.
    pub(crate) fn before_record(&self, left: u64, fresh: bool) -> (usize, bool) {
        let whole = self.window();
        let window = &whole[..whole.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        match find(window, fresh) {
            Found::Record(at) => (at, true),
            Found::Perhaps(at) if self.edge.is_none() && window.len() as u64 != left => (at, false),
            Found::Perhaps(_) | Found::Nothing => (window.len(), false),
        }
    }

    fn copy(&mut self) -> io::Result<Option<Edge>> {
        if self.input.window().is_empty() && !self.input.fill()? {
            return Ok(Some(Edge::End));
        }
        self.window.extend_from_slice(self.input.window());
        self.input.consume(self.input.window().len());
        self.input.keep_from_here();
        Ok(None)
    }

    fn inflate(&mut self) -> io::Result<Option<Edge>> {
        let Some(member) = &mut self.member else {
            return Ok(Some(Edge::End));
        };
        if !self.inside {
            match member.open(&mut self.input)? {
                Opening::Opened => {}
                Opening::NothingMore => return Ok(Some(Edge::End)),
                Opening::Broken(damage) => return Ok(Some(Edge::Broken(damage))),
            }
            self.inside = true;
            if self.seams.len() < MAX_SEAMS {
                self.seams.push_back((self.base + self.window.len() as u64, member.start()));
            }
        }
        let before = self.window.len();
        self.window.reserve(CHUNK);
        loop {
            match member.step(&mut self.input, &mut self.window)? {
                Step::More if self.window.len() == before => {}
                Step::More => return Ok(None),
                Step::End => {
                    self.inside = false;
                    return Ok(Some(Edge::Seam));
                }
                Step::Broken(damage) => return Ok(Some(Edge::Broken(damage))),
            }
        }
    }

    fn forget(&mut self) {
        if self.window.len() - self.at <= self.at {
            self.window.drain(..self.at);
            self.base += self.at as u64;
            self.at = 0;
        }
    }

    /// Where the record that begins here is stored, and how far it is from there in the text.
    pub(crate) fn begin(&mut self) -> (u64, u64) {
        let position = self.position();
        while let Some(&(next, _)) = self.seams.get(1)
            && next <= position
            && self.seams[0].0 < position
        {
            self.seams.pop_front();
        }
        if self.member.is_some() && !self.inside && self.window().is_empty() {
            return (self.input.position(), 0);
        }
        match self.seams.front() {
            Some(&(text, stored)) if text <= position => (stored, position - text),
            _ if self.member.is_none() => (position, 0),
            _ => (self.input.position(), 0),
        }
    }

    /// Up to where the archive must be read to get at the text in front of the window.
    pub(crate) fn stored_end(&self) -> u64 {
        let position = self.position();
        if self.member.is_none() {
            return position;
        }
        let seam = self.seams.iter().skip(1).find(|(text, _)| position <= *text);
        seam.map_or(self.input.position(), |&(_, stored)| stored)
    }

    /// Whether the member that is being inflated is made to grow rather than to be read.
    pub(crate) fn is_bomb(&self) -> bool {
        self.member.as_ref().is_some_and(|member| self.inside && BOMB_RATIO < member.ratio())
    }

    /// Puts bytes that were consumed back in front of the window, if there were not too many of those already.
    pub(crate) fn unread(&mut self, bytes: &[u8]) -> bool {
        let position = self.position();
        let allowed = self.allowance.take(bytes.len() as u64, position);
        if allowed {
            self.window.splice(..self.at, bytes.iter().copied());
            self.base = position - bytes.len() as u64;
            self.at = 0;
        }
        allowed
    }

    /// Consumes line ends, up to something else or to an edge other than a seam.
    pub(crate) fn skip_blank(&mut self) -> io::Result<Option<Edge>> {
        loop {
            let blank = self.window().iter().take_while(|&&byte| is_line_end(byte)).count();
            self.consume(blank);
            if !self.window().is_empty() {
                return Ok(None);
            }
            match self.more()? {
                None => {}
                Some(Edge::Seam) => self.cross(),
                edge => return Ok(edge),
            }
        }
    }

    /// Goes to the next member with a record at its beginning, from wherever it may be hidden, and says whether there
    /// is one. What is in the window is lost.
    pub(crate) fn recover(&mut self) -> io::Result<bool> {
        self.base += self.window.len() as u64;
        self.window.clear();
        self.at = 0;
        self.seams.clear();
        let Some(member) = &mut self.member else {
            self.edge = Some(Edge::End);
            return Ok(false);
        };
        // What follows a member with a wrong checksum is usually the next member.
        if self.inside && !member.record_begins(&mut self.input)? {
            self.input.move_back(member.start() + 1);
        }
        self.inside = false;
        let found = member.find(&mut self.input)?;
        self.edge = if found { None } else { Some(Edge::End) };
        Ok(found)
    }
}
