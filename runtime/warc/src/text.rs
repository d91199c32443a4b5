//! The archive without its compression: a window over plain bytes that knows where they are stored.
//!
//! Plain archives are one stretch of text. Compressed ones are a stretch for each member, with a seam between two;
//! whoever reads decides whether what it reads goes on after a seam.

use std::collections::VecDeque;
use std::io::{self, Read};

use crate::codec::zstd::{self, Dictionary};
use crate::codec::{Candidate, Codec, FIRST_BYTES, Opening, Step};
use crate::damage::{Damage, Format};
use crate::input::{Allowance, Input};
use crate::mark::{Container, Mark};
use crate::syntax::{Found, Syntax, is_line_end};

/// A record that runs over more members than this loses sight of where its later ones begin.
const MAX_SEAMS: usize = 64 << 10;
/// To see whether bytes are a member takes about as long as to read this many again, beside those that are.
const TAKE_UP_COST: u64 = 64 << 10;

#[derive(Debug)]
pub(crate) struct Text<R> {
    input: Input<R>,
    /// None for plain archives.
    codec: Option<Codec>,
    syntax: Syntax,
    /// Whether a member is open.
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
    /// An archive whose frames were compressed with something that cannot be read.
    BadDictionary,
    Unsupported(Format),
}

impl<R: Read> Text<R> {
    pub(crate) fn new(source: R) -> Self {
        Self::at(source, 0)
    }

    /// Of an archive that is known already, and whose source stands at the mark.
    pub(crate) fn resumed(source: R, mark: Mark, dictionary: Option<Dictionary>) -> Self {
        let mut text = Self::at(source, mark.offset);
        text.codec = Codec::new(mark.container(), dictionary);
        text.syntax = mark.syntax();
        text
    }

    fn at(source: R, offset: u64) -> Self {
        Self {
            input: Input::new(source, offset),
            codec: None,
            syntax: Syntax::Undecided,
            inside: false,
            window: Vec::new(),
            at: 0,
            base: offset,
            edge: None,
            seams: VecDeque::new(),
            allowance: Allowance::default(),
        }
    }

    pub(crate) fn syntax(&self) -> Syntax {
        self.syntax
    }

    /// What the first record shows.
    pub(crate) fn decide(&mut self, syntax: Syntax) {
        self.syntax = syntax;
    }

    /// Looks at the first bytes, and passes over those in front of the first record. To be called once, and first.
    pub(crate) fn recognise(&mut self) -> io::Result<Kind> {
        let first = self.input.peek(FIRST_BYTES)?;
        let mut kind = Kind::Archive;
        if let Some(codec) = Codec::of(first) {
            self.codec = Some(codec);
        } else if let Some(format) = Format::of(first) {
            return Ok(Kind::Unsupported(format));
        } else {
            let damaged = Codec::resembling(first);
            let likely = self.input.peek(self.syntax.plausible_bytes())?;
            if self.syntax.opens(likely) != Some(true) {
                match damaged {
                    Some(container) => self.codec = Codec::new(container, None),
                    None => self.find_beginning()?,
                }
            }
        }
        if let Some(Codec::Zstd(frame)) = &mut self.codec {
            match zstd::dictionary(&mut self.input)? {
                zstd::Found::Dictionary(dictionary) => **frame = zstd::Frame::new(Some(dictionary)),
                zstd::Found::Nothing => {}
                zstd::Found::Broken => kind = Kind::BadDictionary,
            }
        }
        self.base = self.input.position();
        Ok(kind)
    }

    /// Moves to the first record, plain or compressed, in an archive that does not begin with one.
    fn find_beginning(&mut self) -> io::Result<()> {
        let mut codecs = [const { None }; Container::ALL.len()];
        let mut fresh = true;
        loop {
            let plausible = self.syntax.plausible_bytes();
            let bytes = self.input.peek(plausible)?;
            let bytes = &bytes[..bytes.len().min(plausible)];
            let Some(&byte) = bytes.first() else {
                return Ok(());
            };
            if fresh && self.syntax.begins(bytes) {
                return Ok(());
            }
            if let Some(kind) = Codec::kind_of(bytes) {
                let place = &mut codecs[kind as usize];
                let mut codec = place.take().or_else(|| Codec::new(kind, None));
                if let Some(found) = &mut codec
                    && found.record_begins(&mut self.input, self.syntax)?
                {
                    self.codec = codec;
                    return Ok(());
                }
                codecs[kind as usize] = codec;
            }
            fresh = byte == b'\n';
            let rest = &self.input.window()[1..];
            let dull = |&&byte: &&u8| byte != b'\n' && !Codec::begins_with(byte);
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
        self.edge = if self.codec.is_some() { self.unpack()? } else { self.copy()? };
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
            // Members begin with records, not with empty lines: those are the end of what is being read.
            if after.first().is_some_and(|&byte| is_line_end(byte)) {
                return Ok(true);
            }
            if let Some(opens) = self.syntax.opens(after) {
                return Ok(!opens);
            }
            match self.more()? {
                None => {}
                Some(Edge::Seam) if self.window().len() == seam => self.cross(),
                Some(_) => return Ok(self.window().len() != seam),
            }
        }
    }

    /// How many bytes of the window, of `left` at most, stand before the next record, and whether it is in sight. Bytes
    /// that may turn out to be its beginning are left out until more is known.
    pub(crate) fn before_record(&self, left: u64, fresh: bool) -> (usize, bool) {
        let whole = self.window();
        let window = &whole[..whole.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        match self.syntax.find(window, fresh) {
            Found::Record(at) => (at, true),
            Found::Perhaps(at)
                if matches!(self.edge, None | Some(Edge::Seam)) && window.len() as u64 != left =>
            {
                (at, false)
            }
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

    fn unpack(&mut self) -> io::Result<Option<Edge>> {
        let Some(codec) = &mut self.codec else {
            return Ok(Some(Edge::End));
        };
        let before = self.window.len();
        let mut step = None;
        if !self.inside {
            match codec.open(&mut self.input)? {
                Opening::Opened => {}
                Opening::NothingMore => return Ok(Some(Edge::End)),
                Opening::Broken(damage) => return Ok(Some(Edge::Broken(damage))),
            }
            self.inside = true;
            if self.seams.len() < MAX_SEAMS {
                self.seams.push_back((self.base + before as u64, codec.start()));
            }
            step = codec.whole(&mut self.input, &mut self.window)?;
        }
        loop {
            match step.take() {
                Some(Step::More) if before < self.window.len() => return Ok(None),
                None | Some(Step::More) => step = Some(codec.step(&mut self.input, &mut self.window)?),
                Some(Step::End) => {
                    self.inside = false;
                    return Ok(Some(Edge::Seam));
                }
                Some(Step::Broken(damage)) => return Ok(Some(Edge::Broken(damage))),
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
        {
            self.seams.pop_front();
        }
        if self.codec.is_some() && !self.inside && self.window().is_empty() {
            return (self.input.position(), 0);
        }
        match self.seams.front() {
            Some(&(text, stored)) if text <= position => (stored, position - text),
            _ if self.codec.is_none() => (position, 0),
            _ => (self.input.position(), 0),
        }
    }

    /// Up to where the archive must be read to get at the text in front of the window.
    pub(crate) fn stored_end(&self) -> u64 {
        let position = self.position();
        if self.codec.is_none() {
            return position;
        }
        let seam = self.seams.iter().find(|(text, _)| position <= *text);
        seam.map_or(self.input.position(), |&(_, stored)| stored)
    }

    /// Whether the member that is being inflated is made to grow rather than to be read.
    pub(crate) fn is_bomb(&self) -> bool {
        self.codec.as_ref().is_some_and(|codec| self.inside && codec.is_bomb())
    }

    /// Where reading can go on from here without what was read before, if it can: where a member begins.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let position = self.position();
        let container = self.codec.as_ref().map_or(Container::Plain, Codec::container);
        let between = !self.inside && self.window().is_empty();
        let begins = self.codec.is_none() || between || self.seams.iter().any(|&(text, _)| text == position);
        begins.then(|| Mark::new(self.stored_end(), container, self.syntax))
    }

    /// What is known to be wrong with the member that the text in front of the window comes from. Its bytes may have
    /// changed anywhere; what is cut is only missing.
    pub(crate) fn known_damage(&self) -> Option<Damage> {
        match self.edge {
            Some(Edge::Broken(damage)) if damage != Damage::Truncated && self.inside => {
                let begin = self.seams.back().map_or(0, |&(text, _)| text);
                (begin < self.position()).then_some(damage)
            }
            Some(Edge::Broken(_) | Edge::Seam | Edge::End) | None => None,
        }
    }

    pub(crate) fn has_dictionary(&self) -> bool {
        matches!(&self.codec, Some(Codec::Zstd(frame)) if frame.has_dictionary())
    }

    /// What it is called that the archive cannot be unpacked.
    pub(crate) fn corrupt(&self) -> Damage {
        self.codec.as_ref().map_or(Damage::Garbage, Codec::corrupt)
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

    /// Leaves all members to the decoders that can take them in pieces.
    #[cfg(test)]
    pub(crate) fn never_at_once(&mut self) {
        match &mut self.codec {
            Some(Codec::Gzip(member)) => member.never_at_once(),
            Some(Codec::Zstd(frame)) => frame.never_at_once(),
            Some(Codec::Bzip2(_)) | None => {}
        }
    }

    /// Goes on at the next member after damage, from wherever it may be hidden, and says whether there is one. What is in
    /// the window is lost.
    pub(crate) fn recover(&mut self) -> io::Result<bool> {
        self.base += self.window.len() as u64;
        self.window.clear();
        self.at = 0;
        self.seams.clear();
        self.edge = Some(Edge::End);
        let Some(codec) = &mut self.codec else {
            return Ok(false);
        };
        // What follows a member with a wrong checksum is usually the next member.
        if self.inside && !codec.record_begins(&mut self.input, self.syntax)? {
            self.input.move_back(codec.start() + 1);
        }
        self.inside = false;
        loop {
            let Some(codec) = &mut self.codec else {
                return Ok(false);
            };
            match codec.find(&mut self.input, self.syntax)? {
                Candidate::Nothing => return Ok(false),
                Candidate::Record => {
                    self.edge = None;
                    return Ok(true);
                }
                Candidate::Member => {}
            }
            if self.take_up()? {
                return Ok(true);
            }
            if !self.input.peek(1)?.is_empty() {
                self.input.consume(1);
            }
        }
    }

    /// Takes up a member that a record runs on in. That it is one is shown by nothing but that it is undamaged from
    /// beginning to end, so it must be a small one.
    fn take_up(&mut self) -> io::Result<bool> {
        let Some(codec) = &mut self.codec else {
            return Ok(false);
        };
        if codec.container() == Container::Bzip2 {
            // Ten fixed bytes are no coincidence.
            self.edge = None;
            return Ok(true);
        }
        let start = self.input.position();
        if !self.allowance.take(TAKE_UP_COST, start) {
            return Ok(false);
        }
        if matches!(codec.open(&mut self.input)?, Opening::Opened)
            && let Some(Step::End) = codec.whole(&mut self.input, &mut self.window)?
        {
            self.seams.push_back((self.base, codec.start()));
            self.edge = Some(Edge::Seam);
            return Ok(true);
        }
        self.window.clear();
        self.input.move_back(start);
        Ok(false)
    }
}
