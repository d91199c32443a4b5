//! One gzip member at a time: its header, its deflate stream, its checksum.

use std::io::{self, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};

use crate::damage::Damage;
use crate::head::opens_record;
use crate::input::Input;

/// The first bytes of every member: gzip's two, and deflate's number.
pub(crate) const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
/// File systems allow a quarter of this; without a limit, false members would be searched for the ends of their names.
const NAME_BYTES: usize = 1 << 10;
/// CRC-32 and length, four bytes each.
const TRAILER_BYTES: usize = 8;
/// A deflate block's code tables take up to some 600 bytes; what follows them shows whether a record begins here.
const PROBE_BYTES: usize = 2 << 10;

/// A member that is being inflated.
#[derive(Debug)]
pub(crate) struct Member {
    inflate: Decompress,
    /// For looking into what may be a member, without disturbing the one that is being inflated.
    probe: Option<Decompress>,
    crc: Crc,
    start: u64,
    /// Where its deflate stream begins.
    body: u64,
}

pub(crate) enum Step {
    /// The output is full, or the input's window empty.
    More,
    End,
    Broken(Damage),
}

pub(crate) enum Opening {
    Opened,
    NothingMore,
    Broken(Damage),
}

impl Member {
    pub(crate) fn new() -> Self {
        Self { inflate: Decompress::new(false), probe: None, crc: Crc::new(), start: 0, body: 0 }
    }

    /// Where in the archive it begins.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// How many bytes each stored byte became so far.
    pub(crate) fn ratio(&self) -> u64 {
        self.inflate.total_out() / self.inflate.total_in().max(1)
    }

    /// Goes to the member that begins where `input` stands.
    pub(crate) fn open<R: Read>(&mut self, input: &mut Input<R>) -> io::Result<Opening> {
        if input.peek(1)?.is_empty() {
            return Ok(Opening::NothingMore);
        }
        let header = match whole_header(input)? {
            Header::Length(length) => length,
            Header::Short => return Ok(Opening::Broken(Damage::Truncated)),
            Header::Wrong => return Ok(Opening::Broken(Damage::Garbage)),
        };
        self.start = input.position();
        input.keep_from_here();
        input.consume(header);
        self.body = input.position();
        self.inflate.reset(false);
        self.crc.reset();
        Ok(Opening::Opened)
    }

    /// Inflates into the spare room of `out`.
    pub(crate) fn step<R: Read>(&mut self, input: &mut Input<R>, out: &mut Vec<u8>) -> io::Result<Step> {
        if input.window().is_empty() && !input.fill()? {
            return Ok(Step::Broken(Damage::Truncated));
        }
        let (read, wrote) = (self.inflate.total_in(), out.len());
        let status = self.inflate.decompress_vec(input.window(), out, FlushDecompress::None);
        let read = (self.inflate.total_in() - read) as usize;
        input.consume(read);
        self.crc.update(&out[wrote..]);
        Ok(match status {
            Ok(Status::StreamEnd) => self.trailer(input)?,
            Ok(Status::Ok | Status::BufError) if read != 0 || wrote != out.len() => Step::More,
            Ok(Status::Ok | Status::BufError) | Err(_) => Step::Broken(Damage::CorruptGzip),
        })
    }

    fn trailer<R: Read>(&self, input: &mut Input<R>) -> io::Result<Step> {
        let Some((trailer, _)) = input.peek(TRAILER_BYTES)?.split_first_chunk::<TRAILER_BYTES>() else {
            let rest = input.window().len();
            input.consume(rest);
            return Ok(Step::Broken(Damage::Truncated));
        };
        let [a, b, c, d, e, f, g, h] = *trailer;
        let whole = u32::from_le_bytes([a, b, c, d]) == self.crc.sum()
            && u32::from_le_bytes([e, f, g, h]) == self.crc.amount();
        input.consume(TRAILER_BYTES);
        Ok(if whole { Step::End } else { Step::Broken(Damage::WrongChecksum) })
    }

    /// Moves `input` to the next member with a record at its beginning; false if there is none.
    pub(crate) fn find<R: Read>(&mut self, input: &mut Input<R>) -> io::Result<bool> {
        loop {
            input.keep_from_here();
            match input.window().iter().position(|&byte| byte == MAGIC[0]) {
                Some(skipped) => input.consume(skipped),
                None => input.consume(input.window().len()),
            }
            if input.peek(MAGIC.len())?.is_empty() {
                return Ok(false);
            }
            if self.record_begins(input)? {
                return Ok(true);
            }
            input.consume(1);
        }
    }

    /// Whether what stands in `input` is a member with a record at its beginning.
    pub(crate) fn record_begins<R: Read>(&mut self, input: &mut Input<R>) -> io::Result<bool> {
        let Header::Length(header) = whole_header(input)? else {
            return Ok(false);
        };
        let bytes = input.peek(header + PROBE_BYTES)?;
        let probe = self.probe.get_or_insert_with(|| Decompress::new(false));
        probe.reset(false);
        let mut out = [0; 32];
        // What is wrong with a member after its first bytes is found when it is read.
        let status = probe.decompress(&bytes[header..], &mut out, FlushDecompress::None);
        let made = &out[..probe.total_out() as usize];
        Ok(status.is_ok() && opens_record(made))
    }
}

enum Header {
    Length(usize),
    /// The archive ends inside it.
    Short,
    Wrong,
}

/// Whether an archive with these first bytes is made of members.
pub(crate) fn may_begin(bytes: &[u8]) -> bool {
    !bytes.is_empty() && !matches!(header(bytes), Header::Wrong)
}

fn whole_header<R: Read>(input: &mut Input<R>) -> io::Result<Header> {
    let mut wanted = 10;
    loop {
        let bytes = input.peek(wanted)?;
        match header(bytes) {
            // The window may have grown past what was asked for, but not at the end of the archive.
            Header::Short if wanted <= bytes.len() => wanted = bytes.len() + 1,
            found @ (Header::Length(_) | Header::Short | Header::Wrong) => return Ok(found),
        }
    }
}

/// RFC 1952, section 2.3.
fn header(bytes: &[u8]) -> Header {
    let known = bytes.len().min(MAGIC.len());
    if bytes[..known] != MAGIC[..known] {
        return Header::Wrong;
    }
    let Some(&flags) = bytes.get(3) else {
        return Header::Short;
    };
    let [has_crc, has_extra, has_name, has_comment] = [2, 4, 8, 16].map(|flag| flags & flag != 0);
    if flags & 0xe0 != 0 {
        return Header::Wrong;
    }
    let mut length = 10;
    if has_extra {
        let (Some(&low), Some(&high)) = (bytes.get(length), bytes.get(length + 1)) else {
            return Header::Short;
        };
        length += 2 + usize::from(u16::from_le_bytes([low, high]));
    }
    for present in [has_name, has_comment] {
        if present {
            let name = bytes.get(length..).unwrap_or_default();
            let Some(end) = name.iter().take(NAME_BYTES).position(|&byte| byte == 0) else {
                return if name.len() < NAME_BYTES { Header::Short } else { Header::Wrong };
            };
            length += end + 1;
        }
    }
    if has_crc {
        length += 2;
    }
    if bytes.len() < length { Header::Short } else { Header::Length(length) }
}
