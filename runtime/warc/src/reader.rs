//! Entry after entry: where each begins and ends, what is in it, and where reading goes on after damage.
//!
//! Where a record's length and what follows it disagree, the beginning of the next record is believed: a head at the
//! beginning of a line, or of a gzip member. So a block that holds an archive of its own is safe as long as the record
//! around it is undamaged.

use std::io::{self, Read};

use crate::Limits;
use crate::damage::{Damage, Format, Oddity};
use crate::head::{Found, Head, PLAUSIBLE_BYTES, find, is_line_end, opens_record};
use crate::text::{Edge, Kind, Text};

/// A block starts out with room for this much, whatever it is said to be; pages rarely need more.
const FIRST_BYTES: u64 = 64 << 10;
/// More than the first bytes of any format that is told from a record by them.
const FORMAT_BYTES: usize = 16;

/// A record, or bytes that are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where its first byte is stored; in gzip archives, where the member with that byte begins.
    pub offset: u64,
    /// How many bytes of the archive must be read from `offset` to get at the whole entry. Entries follow each other
    /// without gaps, but for empty lines and members, and overlap only where they share a member. Zero if the archive is
    /// of a kind that is not read.
    pub length: u64,
    /// How far into the inflated member it begins: zero but for records that share a member.
    pub within: u64,
    /// None where no record could be made out.
    pub head: Option<Head>,
    pub block: Vec<u8>,
    pub damage: Option<Damage>,
    pub oddities: Vec<Oddity>,
}

/// The entries of an archive. An error is one of the source, and ends it.
#[derive(Debug)]
pub struct Reader<R> {
    text: Text<R>,
    limits: Limits,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    New,
    Reading,
    Done,
}

/// An entry that is being read.
#[derive(Debug, Default)]
struct Draft {
    offset: u64,
    within: u64,
    head: Option<Head>,
    block: Vec<u8>,
    damage: Option<Damage>,
    oddities: Vec<Oddity>,
    /// The text cannot be read on from here.
    broken: bool,
}

/// No head, and why.
struct Lost {
    damage: Damage,
    /// Whether the next record begins right here, or is to be looked for by other means.
    at_end: bool,
}

impl Draft {
    fn damaged(&mut self, damage: Damage) {
        self.damage.get_or_insert(damage);
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Done {
            return None;
        }
        let entry = self.entry().transpose();
        if !matches!(entry, Some(Ok(_))) {
            self.state = State::Done;
        }
        entry
    }
}

impl<R: Read> Reader<R> {
    pub fn new(source: R, limits: Limits) -> Self {
        Self { text: Text::new(source), limits, state: State::New }
    }

    fn entry(&mut self) -> io::Result<Option<Entry>> {
        if self.state == State::New {
            self.state = State::Reading;
            if let Some(entry) = self.beginning()? {
                return Ok(Some(entry));
            }
        }
        let mut draft = Draft::default();
        match self.text.skip_blank()? {
            Some(Edge::Broken(damage)) => {
                (draft.offset, _) = self.text.begin();
                draft.damaged(damage);
                draft.broken = true;
            }
            Some(Edge::Seam | Edge::End) => return Ok(None),
            None => {
                (draft.offset, draft.within) = self.text.begin();
                self.record(&mut draft)?;
            }
        }
        self.finish(draft).map(Some)
    }

    /// What stands in front of the first record.
    fn beginning(&mut self) -> io::Result<Option<Entry>> {
        let (length, damage) = match self.text.recognise()? {
            Kind::Archive if self.text.position() == 0 => return Ok(None),
            Kind::Archive => (self.text.position(), Damage::Garbage),
            // The rest is not fetched just to be counted.
            Kind::Unsupported(format) => {
                self.state = State::Done;
                (0, Damage::Unsupported(format))
            }
        };
        Ok(Some(Entry {
            offset: 0,
            length,
            within: 0,
            head: None,
            block: Vec::new(),
            damage: Some(damage),
            oddities: Vec::new(),
        }))
    }

    fn finish(&mut self, mut draft: Draft) -> io::Result<Entry> {
        if draft.broken {
            let found = self.text.recover()?;
            // Whatever else ended the member, it was not the end of the archive.
            if found && draft.damage == Some(Damage::Truncated) {
                draft.damage = Some(Damage::CorruptGzip);
            }
        }
        Ok(Entry {
            offset: draft.offset,
            length: self.text.stored_end().saturating_sub(draft.offset),
            within: draft.within,
            head: draft.head,
            block: draft.block,
            damage: draft.damage,
            oddities: draft.oddities,
        })
    }

    fn record(&mut self, draft: &mut Draft) -> io::Result<()> {
        let head = match self.head(draft)? {
            Ok(head) => head,
            Err(Lost { damage, at_end }) => {
                draft.damaged(damage);
                return if at_end { Ok(()) } else { self.pass_over(draft, None) };
            }
        };
        let length = head.block_length();
        draft.head = Some(head);
        match length {
            Ok(length) if length <= self.limits.block_bytes as u64 => self.block(draft, length),
            Ok(length) => self.pass_over(draft, Some(length)),
            Err(damage) => {
                draft.damaged(damage);
                self.pass_over(draft, None)
            }
        }
    }

    /// Reads a head. One that cannot be understood is consumed, what is no head is not.
    fn head(&mut self, draft: &mut Draft) -> io::Result<Result<Head, Lost>> {
        let inside = |damage| Ok(Err(Lost { damage, at_end: false }));
        let mut scanned = 0;
        let mut line = 0;
        loop {
            let window = self.text.window();
            if FORMAT_BYTES <= window.len() && !opens_record(window) {
                return Ok(Err(self.no_record(draft)));
            }
            for (at, &byte) in window.iter().enumerate().skip(scanned) {
                if byte == b'\n' {
                    if line != 0 && window[line..at].iter().all(|&byte| byte == b'\r') {
                        let head = Head::parse(&window[..=at], &mut draft.oddities);
                        self.text.consume(at + 1);
                        return Ok(head.map_err(|damage| Lost { damage, at_end: false }));
                    }
                    line = at + 1;
                }
                if self.limits.line_bytes + line <= at || self.limits.head_bytes <= at {
                    self.text.consume(at);
                    return inside(Damage::HeadTooLarge);
                }
            }
            scanned = window.len();
            let damage = match self.text.more()? {
                None => continue,
                Some(Edge::Seam) if self.text.runs_on()? => continue,
                Some(Edge::Seam) => Damage::BadHead,
                Some(Edge::End) => Damage::Truncated,
                Some(Edge::Broken(damage)) => {
                    draft.broken = true;
                    damage
                }
            };
            if !draft.broken && !opens_record(&self.text.window()[..scanned]) {
                return Ok(Err(self.no_record(draft)));
            }
            self.text.consume(scanned);
            return Ok(Err(Lost { damage, at_end: true }));
        }
    }

    /// What stands where a record should.
    fn no_record(&mut self, draft: &Draft) -> Lost {
        match Format::of(self.text.window()) {
            Some(format) if draft.offset == 0 && draft.within == 0 => {
                self.state = State::Done;
                Lost { damage: Damage::Unsupported(format), at_end: true }
            }
            _ => Lost { damage: Damage::Garbage, at_end: false },
        }
    }

    /// Reads a block of the length that its head says.
    fn block(&mut self, draft: &mut Draft, length: u64) -> io::Result<()> {
        draft.block.reserve(length.min(FIRST_BYTES) as usize);
        loop {
            let window = self.text.window();
            let missing = length as usize - draft.block.len();
            let bytes = missing.min(window.len());
            draft.block.extend_from_slice(&window[..bytes]);
            self.text.consume(bytes);
            if bytes == missing {
                return self.after_block(draft);
            }
            match self.text.more()? {
                None => {}
                Some(Edge::Seam) if self.text.runs_on()? => {}
                Some(Edge::Seam) => {
                    self.put_back_swallowed(draft)?;
                    draft.damaged(Damage::ContradictedLength);
                    return Ok(());
                }
                Some(Edge::End) => {
                    if !self.put_back_swallowed(draft)? {
                        draft.damaged(Damage::Truncated);
                    }
                    return Ok(());
                }
                Some(Edge::Broken(damage)) => {
                    draft.damaged(damage);
                    draft.broken = true;
                    return Ok(());
                }
            }
        }
    }

    /// Checks that a block ends where its head said, and consumes the line ends behind it.
    fn after_block(&mut self, draft: &mut Draft) -> io::Result<()> {
        let ahead = self.text.peek(FORMAT_BYTES)?;
        let ends = ahead.iter().take_while(|&&byte| is_line_end(byte)).count();
        let (separator, after) = ahead.split_at(ends);
        let standard =
            separator == b"\r\n\r\n" || (separator == b"\n\n" && draft.oddities.contains(&Oddity::LfLines));
        if !standard {
            draft.oddities.push(Oddity::Separator);
        }
        if !after.is_empty() && !opens_record(after) {
            if standard {
                draft.oddities.push(Oddity::GarbageAfter);
            } else {
                draft.damaged(Damage::ContradictedLength);
                return if self.put_back_swallowed(draft)? { Ok(()) } else { self.pass_over(draft, None) };
            }
        }
        loop {
            let window = self.text.window();
            let blank = window.iter().take_while(|&&byte| is_line_end(byte)).count();
            let more = blank < window.len();
            self.text.consume(blank);
            if more {
                return Ok(());
            }
            match self.text.more()? {
                None => {}
                Some(Edge::Seam | Edge::End) => return Ok(()),
                Some(Edge::Broken(damage)) => {
                    draft.damaged(damage);
                    draft.broken = true;
                    return Ok(());
                }
            }
        }
    }

    /// Cuts a block at the record that it swallowed, and puts that one back to be read.
    fn put_back_swallowed(&mut self, draft: &mut Draft) -> io::Result<bool> {
        let at = match find(&draft.block, false) {
            Found::Record(at) => at,
            Found::Perhaps(at) => {
                // The block's end cuts what may be a head in two.
                let ahead = self.text.peek(PLAUSIBLE_BYTES)?;
                let ahead = &ahead[..ahead.len().min(PLAUSIBLE_BYTES)];
                if find(&[&draft.block[at..], ahead].concat(), true) != Found::Record(0) {
                    return Ok(false);
                }
                at
            }
            Found::Nothing => return Ok(false),
        };
        if !self.text.unread(&draft.block[at..]) {
            return Ok(false);
        }
        draft.block.truncate(at);
        draft.damaged(Damage::ContradictedLength);
        trim_separator(&mut draft.block);
        Ok(true)
    }

    /// Goes to the next record, wherever it begins, at most to the end of a block of `length`. The bytes between are kept
    /// if there is a head that they may belong to, and if they are not too many.
    fn pass_over(&mut self, draft: &mut Draft, length: Option<u64>) -> io::Result<()> {
        let limit = self.limits.block_bytes as u64;
        let mut passed = 0;
        let mut fresh = false;
        loop {
            let left = length.map_or(u64::MAX, |length| length - passed);
            let (bytes, found) = self.text.before_record(left, fresh);
            let stretch = &self.text.window()[..bytes];
            fresh = stretch.last().map_or(fresh, |&byte| byte == b'\n');
            passed += bytes as u64;
            if limit < passed {
                draft.damaged(Damage::TooLarge);
                draft.block = Vec::new();
            } else if draft.head.is_some() {
                draft.block.extend_from_slice(stretch);
            }
            self.text.consume(bytes);
            if found {
                break;
            }
            if length == Some(passed) {
                return self.after_block(draft);
            }
            if limit < passed && self.text.is_bomb() {
                draft.broken = true;
                return Ok(());
            }
            match self.text.more()? {
                None => {}
                Some(Edge::Seam) if self.text.runs_on()? => fresh = true,
                Some(Edge::Seam) => break,
                Some(Edge::End) if length.is_none() => break,
                Some(Edge::End) => {
                    draft.damaged(Damage::Truncated);
                    return Ok(());
                }
                Some(Edge::Broken(damage)) => {
                    draft.damaged(damage);
                    draft.broken = true;
                    return Ok(());
                }
            }
        }
        draft.damaged(Damage::ContradictedLength);
        trim_separator(&mut draft.block);
        Ok(())
    }
}

/// Takes away the line ends that stand between a block and the next record.
fn trim_separator(block: &mut Vec<u8>) {
    for _ in 0..2 {
        if block.ends_with(b"\n") {
            block.pop();
            if block.ends_with(b"\r") {
                block.pop();
            }
        }
    }
}
