//! One gzip member at a time: its header, its deflate stream, its checksum.

use std::io::{self, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::deflate::{Inflater, crc32};
use super::{Growth, Opening, Step, WHOLE_BYTES, WHOLE_PACKED_BYTES};
use crate::damage::Damage;
use crate::input::{CHUNK, Input};

/// The first bytes of every member: gzip's two, and deflate's number.
pub(crate) const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
/// File systems allow a quarter of this; without a limit, false members would be searched for the ends of their names.
const NAME_BYTES: usize = 1 << 10;
/// CRC-32 and length, four bytes each.
const TRAILER_BYTES: usize = 8;
/// A deflate block's code tables take up to some 600 bytes; what follows them shows whether a record begins here.
const PROBED_BYTES: usize = 2 << 10;

/// A member that is being inflated.
#[derive(Debug)]
pub(crate) struct Member {
    inflate: Decompress,
    /// For members that are inflated at once. None where there is no memory for one, which only makes it slower.
    inflater: Option<Inflater>,
    /// For looking into what may be a member, without disturbing the one that is being inflated.
    probe: Option<Decompress>,
    crc: Crc,
    start: u64,
    /// Where its deflate stream begins.
    body: u64,
}

impl Member {
    pub(crate) fn new() -> Self {
        Self {
            inflate: Decompress::new(false),
            inflater: Inflater::new(),
            probe: None,
            crc: Crc::new(),
            start: 0,
            body: 0,
        }
    }

    /// Leaves all to the decoder that can take members in pieces.
    #[cfg(test)]
    pub(crate) fn never_at_once(&mut self) {
        self.inflater = None;
    }

    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    pub(crate) fn growth(&self) -> Growth {
        Growth { packed: self.inflate.total_in(), unpacked: self.inflate.total_out() }
    }

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

    /// How much a small member, whose header was just read, says it inflates to.
    ///
    /// A member does not say where it ends, but the next one usually begins there, and in front of that stands the size
    /// of this one. That bytes look like both by chance is rare, and found out when it has been inflated.
    pub(crate) fn whole_size<R: Read>(&self, input: &mut Input<R>) -> io::Result<Option<usize>> {
        let mut seen = 0;
        loop {
            let window = input.peek(seen + 1)?;
            let ended = window.len() == seen;
            let window = &window[..window.len().min(WHOLE_PACKED_BYTES)];
            if ended {
                return Ok(size_before(window));
            }
            let mut at = (seen + 1).saturating_sub(MAGIC.len());
            while let Some(next) = next_magic(&window[at..]) {
                if let Some(size) = size_before(&window[..at + next]) {
                    return Ok(Some(size));
                }
                at += next + 1;
            }
            if window.len() == WHOLE_PACKED_BYTES {
                return Ok(None);
            }
            seen = window.len();
        }
    }

    /// Inflates the whole member to the end of `out`; false, and nothing has happened, if anything is wrong with it.
    pub(crate) fn at_once<R: Read>(&mut self, input: &mut Input<R>, out: &mut Vec<u8>, size: usize) -> bool {
        let Some(inflater) = &mut self.inflater else {
            return false;
        };
        let window = input.window();
        let begin = out.len();
        let Some(read) = inflater.inflate(window, out, size) else {
            return false;
        };
        let made = &out[begin..];
        let trailer = window[read..].first_chunk::<TRAILER_BYTES>();
        if trailer.is_some_and(|trailer| *trailer == trailer_of(crc32(made), made.len() as u32)) {
            input.consume(read + TRAILER_BYTES);
            return true;
        }
        out.truncate(begin);
        false
    }

    pub(crate) fn step<R: Read>(&mut self, input: &mut Input<R>, out: &mut Vec<u8>) -> io::Result<Step> {
        let packed = input.stretch(self.body)?;
        if packed.is_empty() {
            return Ok(Step::Broken(Damage::Truncated));
        }
        out.reserve(CHUNK);
        let (read, wrote) = (self.inflate.total_in(), out.len());
        let status = self.inflate.decompress_vec(packed, out, FlushDecompress::None);
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
        let Some(trailer) = input.peek(TRAILER_BYTES)?.first_chunk::<TRAILER_BYTES>().copied() else {
            let rest = input.window().len();
            input.consume(rest);
            return Ok(Step::Broken(Damage::Truncated));
        };
        input.consume(TRAILER_BYTES);
        let whole = trailer == trailer_of(self.crc.sum(), self.crc.amount());
        Ok(if whole { Step::End } else { Step::Broken(Damage::WrongChecksum) })
    }

    /// Inflates the beginning of what may be a member, and says how many bytes that made.
    pub(crate) fn probe<R: Read>(&mut self, input: &mut Input<R>, text: &mut [u8]) -> io::Result<usize> {
        let Header::Length(header) = whole_header(input)? else {
            return Ok(0);
        };
        let bytes = input.peek(header + PROBED_BYTES)?;
        let bytes = &bytes[header..bytes.len().min(header + PROBED_BYTES)];
        let probe = self.probe.get_or_insert_with(|| Decompress::new(false));
        probe.reset(false);
        // What is wrong with a member is found when it is read; what is made before that shows whether it should be.
        drop(probe.decompress(bytes, text, FlushDecompress::None));
        Ok(probe.total_out() as usize)
    }
}

/// The end of a member that inflates to bytes with this checksum and number.
fn trailer_of(sum: u32, amount: u32) -> [u8; TRAILER_BYTES] {
    let mut trailer = [0; TRAILER_BYTES];
    trailer[..4].copy_from_slice(&sum.to_le_bytes());
    trailer[4..].copy_from_slice(&amount.to_le_bytes());
    trailer
}

/// Where the next bytes are that look like a member's first ones.
fn next_magic(bytes: &[u8]) -> Option<usize> {
    /// So many pairs of bytes are compared at a time, which compilers make a few instructions of.
    const LANE: usize = 64;
    let mut at = 0;
    while let Some(lane) = bytes.get(at..at + LANE + 1) {
        let pairs = lane[..LANE].iter().zip(&lane[1..]);
        if pairs.fold(false, |found, (&first, &second)| found | ((first == MAGIC[0]) & (second == MAGIC[1])))
        {
            let end = (at + LANE + MAGIC.len()).min(bytes.len());
            if let Some(found) = bytes[at..end].windows(MAGIC.len()).position(|bytes| bytes == MAGIC) {
                return Some(at + found);
            }
        }
        at += LANE;
    }
    bytes[at..].windows(MAGIC.len()).position(|bytes| bytes == MAGIC).map(|found| at + found)
}

/// The size that a member says it has, if it ends here and is a small one.
fn size_before(bytes: &[u8]) -> Option<usize> {
    let size = u32::from_le_bytes(*bytes.last_chunk::<4>()?) as usize;
    (TRAILER_BYTES < bytes.len() && size <= WHOLE_BYTES).then_some(size)
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

/// Whether a member begins here whose flags are impossible, but whose other fixed values are not.
pub(crate) fn may_have_begun(bytes: &[u8]) -> bool {
    let speeds = [0, 2, 4];
    let systems = |byte: &u8| *byte < 14 || *byte == 255;
    bytes.starts_with(&MAGIC)
        && bytes.get(8).is_some_and(|byte| speeds.contains(byte))
        && bytes.get(9).is_some_and(systems)
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
