//! Entry after entry: where each begins and ends, what is in it, and where reading goes on after damage.
//!
//! Where a record's length and what follows it disagree, the beginning of the next record is believed: a head at the
//! beginning of a line, or of a gzip member. So a block that holds an archive of its own is safe as long as the record
//! around it is undamaged.

use std::io::{self, Read};

use crate::Limits;
use crate::arc;
use crate::codec::zstd::Dictionary;
use crate::damage::{Damage, Format, Oddity};
use crate::head::Head;
use crate::mark::Mark;
use crate::syntax::{Found, Syntax, is_line_end};
use crate::text::{Edge, Kind, Text};

/// A block starts out with room for this much, whatever it is said to be; pages rarely need more.
const FIRST_BYTES: u64 = 64 << 10;
/// More than the first bytes of any format that is told from a record by them.
const FORMAT_BYTES: usize = 16;

/// A record, or bytes that are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where its first byte is stored; in compressed archives, where the member with that byte begins.
    pub offset: u64,
    /// How many bytes of the archive must be read from `offset` to get at the whole entry. Entries follow each other
    /// without gaps, but for empty lines and members, and overlap only where they share a member, or where a damaged
    /// member seemed to go on into the next one. Zero if the archive is of a kind that is not read.
    pub length: u64,
    /// How far into the unpacked member it begins: zero but for records that share a member.
    pub within: u64,
    /// None where no record could be made out.
    pub head: Option<Head>,
    pub block: Vec<u8>,
    pub damage: Option<Damage>,
    pub oddities: Vec<Oddity>,
    resumable: bool,
}

impl Entry {
    /// Where in the archive reading can go on behind it: [`Mark::at`] makes a place of it for [`Reader::resume`]. None
    /// where it shares a member with the next entry.
    pub fn resumable_after(&self) -> Option<u64> {
        self.resumable.then_some(self.offset + self.length)
    }
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

/// What stands behind a block and the line ends after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Record,
    /// Nothing that belongs to the text so far.
    Nothing,
    Other,
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

    /// Goes on in an archive that was read up to `mark`, where the source has to stand. Zstd archives need the dictionary
    /// from their beginning again, if they have one.
    pub fn resume(source: R, mark: Mark, dictionary: Option<Dictionary>, limits: Limits) -> Self {
        Self { text: Text::resumed(source, mark, dictionary), limits, state: State::Reading }
    }

    /// Where reading can go on behind the last entry. None before the first one, where members are shared, and where the
    /// archive is of a kind that is not read.
    pub fn mark(&self) -> Option<Mark> {
        match self.state {
            State::Reading => self.text.mark(),
            State::New | State::Done => None,
        }
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
            Kind::Archive if self.text.position() == 0 || self.text.has_dictionary() => return Ok(None),
            Kind::Archive => (self.text.position(), Damage::Garbage),
            Kind::BadDictionary => (self.text.position(), Damage::BadDictionary),
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
            resumable: self.state == State::Reading,
        }))
    }

    fn finish(&mut self, mut draft: Draft) -> io::Result<Entry> {
        if let Some(damage) = self.text.known_damage() {
            draft.damaged(damage);
        }
        if draft.broken {
            let found = self.text.recover()?;
            // Whatever else ended the member, it was not the end of the archive.
            if found && draft.damage == Some(Damage::Truncated) {
                draft.damage = Some(self.text.corrupt());
            }
        }
        let resumable = self.state == State::Reading && self.text.mark().is_some();
        Ok(Entry {
            offset: draft.offset,
            length: self.text.stored_end().saturating_sub(draft.offset),
            within: draft.within,
            head: draft.head,
            block: draft.block,
            damage: draft.damage,
            oddities: draft.oddities,
            resumable,
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

    fn head(&mut self, draft: &mut Draft) -> io::Result<Result<Head, Lost>> {
        if self.text.syntax() == Syntax::Undecided {
            self.decide()?;
        }
        match self.text.syntax() {
            Syntax::Arc => self.arc_head(draft),
            Syntax::Undecided | Syntax::Warc => self.warc_head(draft),
        }
    }

    /// Tells from the archive's first record how its records are written, if it is one.
    fn decide(&mut self) -> io::Result<()> {
        for syntax in [Syntax::Warc, Syntax::Arc] {
            while syntax.opens(self.text.window()).is_none() {
                match self.text.more()? {
                    None => {}
                    Some(Edge::Seam) if self.text.runs_on()? => {}
                    Some(Edge::Seam | Edge::End | Edge::Broken(_)) => break,
                }
            }
            if syntax.opens(self.text.window()) == Some(true) {
                self.text.decide(syntax);
                break;
            }
        }
        Ok(())
    }

    /// Reads the line that an ARC record begins with.
    fn arc_head(&mut self, draft: &mut Draft) -> io::Result<Result<Head, Lost>> {
        loop {
            let window = self.text.window();
            if !arc::may_be_line(window) {
                return Ok(Err(self.no_record(draft)));
            }
            let sought = &window[..window.len().min(self.limits.line_bytes)];
            if let Some(end) = sought.iter().position(|&byte| byte == b'\n') {
                let Some(line) = arc::Line::parse(&sought[..end]) else {
                    return Ok(Err(self.no_record(draft)));
                };
                let head = line.head(&mut draft.oddities);
                self.text.consume(end + 1);
                return Ok(Ok(head));
            }
            if sought.len() == self.limits.line_bytes {
                return Ok(Err(Lost { damage: Damage::HeadTooLarge, at_end: false }));
            }
            let scanned = window.len();
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
            self.text.consume(scanned);
            return Ok(Err(Lost { damage, at_end: true }));
        }
    }

    /// Reads a WARC head. One that cannot be understood is consumed, what is no head is not.
    fn warc_head(&mut self, draft: &mut Draft) -> io::Result<Result<Head, Lost>> {
        let inside = |damage| Ok(Err(Lost { damage, at_end: false }));
        let mut scanned = 0;
        let mut line = 0;
        loop {
            let window = self.text.window();
            if FORMAT_BYTES <= window.len() && Syntax::Warc.opens(window) != Some(true) {
                return Ok(Err(self.no_record(draft)));
            }
            while scanned < window.len() {
                // A line may end right behind its last byte that is allowed.
                let last = self.limits.line_bytes.saturating_add(line).min(self.limits.head_bytes);
                let sought = &window[scanned..window.len().min(last.saturating_add(1))];
                let Some(end) = sought.iter().position(|&byte| byte == b'\n') else {
                    scanned += sought.len();
                    if last < scanned {
                        self.text.consume(last);
                        return inside(Damage::HeadTooLarge);
                    }
                    break;
                };
                let at = scanned + end;
                if line != 0 && window[line..at].iter().all(|&byte| byte == b'\r') {
                    let head = Head::parse(&window[..=at], &mut draft.oddities);
                    self.text.consume(at + 1);
                    return Ok(head.map_err(|damage| Lost { damage, at_end: false }));
                }
                if self.limits.head_bytes <= at {
                    self.text.consume(at);
                    return inside(Damage::HeadTooLarge);
                }
                line = at + 1;
                scanned = line;
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
            if !draft.broken && Syntax::Warc.opens(&self.text.window()[..scanned]) != Some(true) {
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
        let there = self.text.window().len() as u64;
        draft.block.reserve(length.min(FIRST_BYTES.max(there)) as usize);
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
        let (separator, after) = self.behind_block()?;
        let lf_lines = draft.oddities.contains(&Oddity::LfLines);
        let standard = match self.text.syntax() {
            // Some writers put an empty line between two records, some none.
            Syntax::Arc => after != After::Other || !separator.is_empty(),
            Syntax::Undecided | Syntax::Warc => {
                separator == b"\r\n\r\n" || (separator == b"\n\n" && lf_lines)
            }
        };
        if !standard {
            draft.oddities.push(Oddity::Separator);
        }
        if after == After::Other {
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

    /// The line ends behind a block, of as many as matter, and what stands behind them.
    fn behind_block(&mut self) -> io::Result<(Vec<u8>, After)> {
        let syntax = self.text.syntax();
        let mut wanted = FORMAT_BYTES;
        loop {
            let ahead = self.text.peek(wanted)?;
            let ends = ahead.iter().take(FORMAT_BYTES).take_while(|&&byte| is_line_end(byte)).count();
            let after = match (syntax.opens(ahead), ahead.get(ends)) {
                (_, None) => After::Nothing,
                (Some(true), Some(_)) => After::Record,
                (Some(false), Some(_)) => After::Other,
                (None, Some(_)) if wanted <= ahead.len() => {
                    wanted = ahead.len() + 1;
                    continue;
                }
                // What is left of the archive, or of the member, may be the beginning of a line.
                (None, Some(_)) if syntax == Syntax::Arc => After::Record,
                (None, Some(_)) => After::Other,
            };
            return Ok((ahead[..ends].to_vec(), after));
        }
    }

    /// Cuts a block at the record that it swallowed, and puts that one back to be read.
    fn put_back_swallowed(&mut self, draft: &mut Draft) -> io::Result<bool> {
        let syntax = self.text.syntax();
        let at = match syntax.find(&draft.block, false) {
            Found::Record(at) => at,
            Found::Perhaps(at) => {
                // The block's end cuts what may be a head in two.
                let plausible = syntax.plausible_bytes();
                let ahead = self.text.peek(plausible)?;
                let ahead = &ahead[..ahead.len().min(plausible)];
                if syntax.find(&[&draft.block[at..], ahead].concat(), true) != Found::Record(0) {
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

    /// Consumes bytes that are passed over, and keeps them if there is a head that they may belong to and `room` for them.
    fn pass(&mut self, draft: &mut Draft, bytes: usize, room: u64) -> u64 {
        if room < bytes as u64 {
            draft.damaged(Damage::TooLarge);
            draft.block = Vec::new();
        } else if draft.head.is_some() {
            draft.block.extend_from_slice(&self.text.window()[..bytes]);
        }
        self.text.consume(bytes);
        bytes as u64
    }

    /// Goes to the next record, wherever it begins, at most to the end of a block of `length`. The bytes between are kept
    /// if there is a head that they may belong to, and if they are not too many.
    fn pass_over(&mut self, draft: &mut Draft, length: Option<u64>) -> io::Result<()> {
        let limit = self.limits.block_bytes as u64;
        // A length that was contradicted has put bytes there already.
        let kept = draft.block.len() as u64;
        let mut passed = 0;
        // Behind the line of an ARC record the next line begins; a WARC head is not expected right behind another.
        let mut fresh = draft.head.as_ref().is_some_and(Head::is_arc);
        loop {
            let left = length.map_or(u64::MAX, |length| length - passed);
            let (bytes, found) = self.text.before_record(left, fresh);
            fresh = self.text.window()[..bytes].last().map_or(fresh, |&byte| byte == b'\n');
            passed += self.pass(draft, bytes, limit - limit.min(kept + passed));
            if found {
                break;
            }
            if length == Some(passed) {
                return self.after_block(draft);
            }
            if limit < kept + passed && self.text.is_bomb() {
                draft.broken = true;
                return Ok(());
            }
            match self.text.more()? {
                None => {}
                Some(Edge::Seam) => {
                    let rest = self.text.window().len();
                    if !self.text.runs_on()? {
                        self.pass(draft, rest, limit - limit.min(kept + passed));
                        break;
                    }
                    fresh = true;
                }
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

#[cfg(test)]
mod tests;
