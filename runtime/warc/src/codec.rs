//! What archives are compressed with, seen alike: members that are opened, unpacked step by step, and found again after
//! damage. A member is gzip's word; zstd calls it a frame, bzip2 a stream.

pub(crate) mod bzip2;
pub(crate) mod deflate;
pub(crate) mod gzip;
pub(crate) mod zstd;

use std::io::{self, Read};

use self::zstd::Dictionary;
use crate::damage::Damage;
use crate::input::Input;
use crate::mark::Container;
use crate::syntax::Syntax;

/// A member that is packed in no more than this, and unpacked is no larger than [`WHOLE_BYTES`], is unpacked at once.
/// Crawlers cut pages at 1 to 5 MiB, so this is nearly every record there is.
const WHOLE_PACKED_BYTES: usize = 4 << 20;
const WHOLE_BYTES: usize = 8 << 20;
/// More than the first bytes of any member that is told by them.
pub(crate) const FIRST_BYTES: usize = 16;
/// How much of a member's text is looked at to see whether a record begins there: a WARC mark, or the line that an ARC
/// record begins with.
const PROBE_BYTES: usize = 1 << 10;
/// Deflate cannot do more than 1032, and text does not do more than twenty or so.
const BOMB_RATIO: u64 = 200;
/// Less than this is no bomb whatever the ratio: members of this size are unpacked at once, without asking.
const BOMB_BYTES: u64 = WHOLE_BYTES as u64;

#[derive(Debug)]
pub(crate) enum Codec {
    Gzip(Box<gzip::Member>),
    Zstd(Box<zstd::Frame>),
    Bzip2(Box<bzip2::Stream>),
}

pub(crate) enum Opening {
    Opened,
    NothingMore,
    Broken(Damage),
}

pub(crate) enum Step {
    /// There may be more.
    More,
    End,
    Broken(Damage),
}

/// What was found in the search for a place to go on at.
pub(crate) enum Candidate {
    /// A member with a record at its beginning.
    Record,
    /// What may be a member, but if it is one, something else goes on in it.
    Member,
    Nothing,
}

/// How many bytes went into a decoder, and how many came out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Growth {
    pub(crate) packed: u64,
    pub(crate) unpacked: u64,
}

impl Codec {
    /// None for plain archives.
    pub(crate) fn new(container: Container, dictionary: Option<Dictionary>) -> Option<Self> {
        Some(match container {
            Container::Plain => return None,
            Container::Gzip => Self::Gzip(Box::new(gzip::Member::new())),
            Container::Zstd => Self::Zstd(Box::new(zstd::Frame::new(dictionary))),
            Container::Bzip2 => Self::Bzip2(Box::new(bzip2::Stream::new())),
        })
    }

    /// What begins with these bytes, if it is something that can be unpacked.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        Self::new(Self::kind_of(bytes)?, None)
    }

    pub(crate) fn kind_of(bytes: &[u8]) -> Option<Container> {
        if gzip::may_begin(bytes) {
            Some(Container::Gzip)
        } else if zstd::may_begin(bytes) {
            Some(Container::Zstd)
        } else if bzip2::may_begin(bytes) {
            Some(Container::Bzip2)
        } else {
            None
        }
    }

    /// What these first bytes of an archive may have been before one of them was damaged.
    pub(crate) fn resembling(bytes: &[u8]) -> Option<Container> {
        let resembles = |magic: &[u8]| {
            let right = magic.iter().zip(bytes).filter(|(expected, found)| expected == found).count();
            magic.len() == right + 1
        };
        if resembles(&gzip::MAGIC) || gzip::may_have_begun(bytes) {
            Some(Container::Gzip)
        } else if resembles(&zstd::MAGIC) || resembles(&zstd::DICTIONARY_MAGIC) {
            Some(Container::Zstd)
        } else if bzip2::may_have_begun(bytes) {
            Some(Container::Bzip2)
        } else {
            None
        }
    }

    /// Whether anything that can be unpacked, and is not to be skipped, begins with this byte.
    pub(crate) fn begins_with(byte: u8) -> bool {
        [gzip::MAGIC[0], zstd::MAGIC[0], bzip2::MAGIC[0]].contains(&byte)
    }

    pub(crate) fn container(&self) -> Container {
        match self {
            Self::Gzip(_) => Container::Gzip,
            Self::Zstd(_) => Container::Zstd,
            Self::Bzip2(_) => Container::Bzip2,
        }
    }

    /// Where in the archive the member begins.
    pub(crate) fn start(&self) -> u64 {
        match self {
            Self::Gzip(member) => member.start(),
            Self::Zstd(frame) => frame.start(),
            Self::Bzip2(stream) => stream.start(),
        }
    }

    /// What it is called that a member cannot be unpacked.
    pub(crate) fn corrupt(&self) -> Damage {
        match self {
            Self::Gzip(_) => Damage::CorruptGzip,
            Self::Zstd(_) => Damage::CorruptZstd,
            Self::Bzip2(_) => Damage::CorruptBzip2,
        }
    }

    /// Whether the member is made to grow rather than to be read.
    pub(crate) fn is_bomb(&self) -> bool {
        let growth = match self {
            Self::Gzip(member) => member.growth(),
            Self::Zstd(frame) => frame.growth(),
            Self::Bzip2(stream) => stream.growth(),
        };
        BOMB_BYTES < growth.unpacked && BOMB_RATIO < growth.unpacked / growth.packed.max(1)
    }

    /// Goes to the member that begins where `input` stands.
    pub(crate) fn open<R: Read>(&mut self, input: &mut Input<R>) -> io::Result<Opening> {
        match self {
            Self::Gzip(member) => member.open(input),
            Self::Zstd(frame) => frame.open(input),
            Self::Bzip2(stream) => stream.open(input),
        }
    }

    /// Unpacks the member that was just opened to the end of `out`, if it is a small one. None if it is not; otherwise
    /// all of it is there, or as much as there is before damage.
    pub(crate) fn whole<R: Read>(
        &mut self,
        input: &mut Input<R>,
        out: &mut Vec<u8>,
    ) -> io::Result<Option<Step>> {
        let size = match self {
            Self::Gzip(member) => member.whole_size(input)?,
            Self::Zstd(frame) => frame.whole_size(input)?,
            Self::Bzip2(_) => None,
        };
        let Some(size) = size else {
            return Ok(None);
        };
        out.reserve(size);
        let done = match self {
            Self::Gzip(member) => member.at_once(input, out, size),
            Self::Zstd(frame) => frame.at_once(input, out),
            Self::Bzip2(_) => false,
        };
        if done {
            return Ok(Some(Step::End));
        }
        // The size that it says it has is not to be trusted.
        let full = out.len() + WHOLE_BYTES;
        while out.len() <= full {
            match self.step(input, out)? {
                Step::More => {}
                step @ (Step::End | Step::Broken(_)) => return Ok(Some(step)),
            }
        }
        Ok(Some(Step::More))
    }

    /// Unpacks some more to the end of `out`.
    pub(crate) fn step<R: Read>(&mut self, input: &mut Input<R>, out: &mut Vec<u8>) -> io::Result<Step> {
        match self {
            Self::Gzip(member) => member.step(input, out),
            Self::Zstd(frame) => frame.step(input, out),
            Self::Bzip2(stream) => stream.step(input, out),
        }
    }

    /// Whether what stands in `input` is a member with a record at its beginning.
    pub(crate) fn record_begins<R: Read>(
        &mut self,
        input: &mut Input<R>,
        syntax: Syntax,
    ) -> io::Result<bool> {
        let mut text = [0; PROBE_BYTES];
        let bytes = match self {
            Self::Gzip(member) => member.probe(input, &mut text)?,
            Self::Zstd(frame) => frame.probe(input, &mut text)?,
            Self::Bzip2(stream) => stream.probe(input, &mut text)?,
        };
        Ok(syntax.seems_to_open(&text[..bytes]))
    }

    /// Moves `input` to the next place at which a member may begin.
    pub(crate) fn find<R: Read>(&mut self, input: &mut Input<R>, syntax: Syntax) -> io::Result<Candidate> {
        let magic: &[u8] = match self {
            Self::Gzip(_) => &gzip::MAGIC,
            Self::Zstd(_) => &zstd::MAGIC,
            Self::Bzip2(_) => &bzip2::MAGIC,
        };
        loop {
            input.keep_from_here();
            let window = input.window();
            let skipped = window.iter().position(|&byte| byte == magic[0]).unwrap_or(window.len());
            input.consume(skipped);
            let window = input.peek(FIRST_BYTES)?;
            if window.is_empty() {
                return Ok(Candidate::Nothing);
            }
            if window.starts_with(magic) && Self::kind_of(window) == Some(self.container()) {
                let begins = self.record_begins(input, syntax)?;
                return Ok(if begins { Candidate::Record } else { Candidate::Member });
            }
            input.consume(1);
        }
    }
}
