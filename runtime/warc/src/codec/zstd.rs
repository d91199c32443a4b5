//! One zstd frame at a time, and the frames between them that are to be skipped. The first of those may hold the
//! dictionary that the others need, as the IIPC's proposal for `.warc.zst` has it.

use std::fmt;
use std::io::{self, Read};

use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;
use zstd::zstd_safe::{
    self, DCtx, DDict, DParameter, InBuffer, OutBuffer, ResetDirective, SafeResult,
    find_frame_compressed_size, get_dict_id_from_frame, get_frame_content_size, is_error_kind,
};

use super::{Growth, Opening, Step, WHOLE_BYTES, WHOLE_PACKED_BYTES};
use crate::damage::Damage;
use crate::input::{Allowance, CHUNK, Input, LOOKBACK};

pub(crate) const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Of the skippable frame with the dictionary.
pub(crate) const DICTIONARY_MAGIC: [u8; 4] = [0x5d, 0x2a, 0x4d, 0x18];
/// The magic bytes and the length of a frame that is to be skipped.
const SKIPPABLE_HEADER_BYTES: usize = 8;
/// The longest header of a frame.
const HEADER_BYTES: usize = 18;
/// What a decoder wants to see first.
const FIRST_BYTES: usize = 5;
/// No block unpacks to more.
const BLOCK_BYTES: usize = 128 << 10;
/// A block, and the headers in front of it.
const PROBED_BYTES: usize = BLOCK_BYTES + HEADER_BYTES + 3;
/// No more memory for a window than this power of two says: 128 MiB, what `zstd --long` asks for.
const WINDOW_LOG: u32 = 27;
/// Dictionaries are trained to a hundredth of what they are for; this is ten times the largest that is in use.
const DICTIONARY_BYTES: usize = 16 << 20;

/// What all frames of an archive were compressed with, from the archive's beginning.
#[derive(Clone, PartialEq, Eq)]
pub struct Dictionary(Vec<u8>);

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dictionary({} bytes)", self.0.len())
    }
}

impl Dictionary {
    /// None if it is no dictionary.
    fn new(bytes: Vec<u8>) -> Option<Self> {
        // It is digested at the first use only.
        let usable = !bytes.is_empty() && DDict::try_create(&bytes).is_some();
        usable.then_some(Self(bytes))
    }

    /// Reads the dictionary of an archive from its first bytes; reading stops behind it. None if there is none, or if it
    /// cannot be read.
    pub fn of(beginning: impl Read) -> io::Result<Option<Self>> {
        let mut input = Input::new(beginning, 0);
        Ok(match dictionary(&mut input)? {
            Found::Dictionary(dictionary) => Some(dictionary),
            Found::Nothing | Found::Broken => None,
        })
    }
}

/// What stands in front of an archive's first frame.
pub(crate) enum Found {
    Dictionary(Dictionary),
    Nothing,
    Broken,
}

/// Reads the skippable frame with the dictionary, if the archive begins with one, and consumes it.
pub(crate) fn dictionary<R: Read>(input: &mut Input<R>) -> io::Result<Found> {
    let header = input.peek(SKIPPABLE_HEADER_BYTES)?;
    let Some(length) = skippable_length(header).filter(|_| header.starts_with(&DICTIONARY_MAGIC)) else {
        return Ok(Found::Nothing);
    };
    input.consume(SKIPPABLE_HEADER_BYTES);
    if DICTIONARY_BYTES < length as usize {
        input.skip(length)?;
        return Ok(Found::Broken);
    }
    let length = length as usize;
    let stored = input.peek(length)?;
    if stored.len() < length {
        let rest = stored.len();
        input.consume(rest);
        return Ok(Found::Broken);
    }
    let stored = &stored[..length];
    let dictionary = if stored.starts_with(&MAGIC) { unpacked(stored) } else { Some(stored.to_vec()) };
    input.consume(length);
    input.keep_from_here();
    let dictionary = dictionary.and_then(Dictionary::new);
    Ok(dictionary.map_or(Found::Broken, Found::Dictionary))
}

/// Dictionaries may be compressed themselves.
fn unpacked(stored: &[u8]) -> Option<Vec<u8>> {
    let mut context = DCtx::create();
    context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG)).ok()?;
    let mut out = Vec::new();
    let mut source = InBuffer::around(stored);
    loop {
        if DICTIONARY_BYTES < out.len() {
            return None;
        }
        out.reserve(BLOCK_BYTES);
        let before = (source.pos(), out.len());
        let hint = stream(&mut context, &mut source, &mut out).ok()?;
        if hint == 0 {
            return Some(out);
        }
        if before == (source.pos(), out.len()) {
            return None;
        }
    }
}

/// Decompresses to the end of `out`, into the room that it has.
fn stream(context: &mut DCtx<'_>, source: &mut InBuffer<'_>, out: &mut Vec<u8>) -> SafeResult {
    let at = out.len();
    context.decompress_stream(&mut OutBuffer::around_pos(out, at), source)
}

/// The length of a frame that is to be skipped, without its header.
fn skippable_length(header: &[u8]) -> Option<u64> {
    match header {
        &[0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, ..] => Some(u64::from(u32::from_le_bytes([a, b, c, d]))),
        _ => None,
    }
}

/// Whether an archive with these first bytes is made of frames.
pub(crate) fn may_begin(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC) || skippable_length(bytes).is_some()
}

/// A frame that is being decompressed.
pub(crate) struct Frame {
    context: DCtx<'static>,
    dictionary: Option<Dictionary>,
    /// For looking into what may be a frame, without disturbing the one that is being decompressed.
    probe: Option<DCtx<'static>>,
    /// A look takes up to a whole block, so archives full of false beginnings must not be given many.
    probed: Allowance,
    start: u64,
    growth: Growth,
    /// How much the decoder wants to see next: a block and the header of the next one. It is fed nothing else, so that
    /// what it makes of a damaged frame does not depend on how the frame was cut.
    wanted: usize,
    /// Whether small frames are decompressed at once.
    at_once: bool,
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("dictionary", &self.dictionary)
            .field("start", &self.start)
            .field("growth", &self.growth)
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

fn context(dictionary: Option<&Dictionary>) -> DCtx<'static> {
    let mut context = DCtx::create();
    context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG)).expect("zstd allows up to 31");
    if let Some(Dictionary(bytes)) = dictionary {
        context.load_dictionary(bytes).expect("it was loaded once before");
    }
    context
}

impl Frame {
    pub(crate) fn new(dictionary: Option<Dictionary>) -> Self {
        Self {
            context: context(dictionary.as_ref()),
            dictionary,
            probe: None,
            probed: Allowance::default(),
            start: 0,
            growth: Growth::default(),
            wanted: FIRST_BYTES,
            at_once: true,
        }
    }

    /// Leaves all to the decoder that can take frames in pieces.
    #[cfg(test)]
    pub(crate) fn never_at_once(&mut self) {
        self.at_once = false;
    }

    pub(crate) fn has_dictionary(&self) -> bool {
        self.dictionary.is_some()
    }

    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    pub(crate) fn growth(&self) -> Growth {
        self.growth
    }

    /// Passes over frames that are to be skipped, and begins the next one.
    pub(crate) fn open<R: Read>(&mut self, input: &mut Input<R>) -> io::Result<Opening> {
        while let Some(length) = skippable_length(input.peek(SKIPPABLE_HEADER_BYTES)?) {
            if !skip(input, SKIPPABLE_HEADER_BYTES as u64 + length)? {
                return Ok(Opening::Broken(Damage::Truncated));
            }
        }
        let header = input.peek(HEADER_BYTES)?;
        if header.is_empty() {
            return Ok(Opening::NothingMore);
        }
        if !header.starts_with(&MAGIC) {
            let short = MAGIC.starts_with(header)
                || (header.len() < SKIPPABLE_HEADER_BYTES && begins_skippable(header));
            return Ok(Opening::Broken(if short { Damage::Truncated } else { Damage::Garbage }));
        }
        let needs = get_dict_id_from_frame(header);
        let has =
            self.dictionary.as_ref().and_then(|Dictionary(bytes)| zstd_safe::get_dict_id_from_dict(bytes));
        if needs.is_some() && needs != has {
            return Ok(Opening::Broken(Damage::MissingDictionary));
        }
        self.start = input.position();
        input.keep_from_here();
        self.reset();
        Ok(Opening::Opened)
    }

    fn reset(&mut self) {
        self.context.reset(ResetDirective::SessionOnly).expect("a session can always be ended");
        self.growth = Growth::default();
        self.wanted = FIRST_BYTES;
    }

    /// How large a small frame, which was just opened, says it is.
    pub(crate) fn whole_size<R: Read>(&self, input: &mut Input<R>) -> io::Result<Option<usize>> {
        let Ok(Some(size)) = get_frame_content_size(input.peek(HEADER_BYTES)?) else {
            return Ok(None);
        };
        let Some(size) = usize::try_from(size).ok().filter(|&size| size <= WHOLE_BYTES) else {
            return Ok(None);
        };
        // Most frames end within the first piece; the others are measured again each time the window has doubled.
        let mut wanted = CHUNK;
        loop {
            let window = input.peek(wanted)?;
            let ended = window.len() < wanted;
            if find_frame_compressed_size(&window[..window.len().min(wanted)]).is_ok() {
                return Ok(Some(size));
            }
            if ended || wanted == WHOLE_PACKED_BYTES {
                return Ok(None);
            }
            wanted = (2 * wanted).min(WHOLE_PACKED_BYTES);
        }
    }

    /// Decompresses the whole frame to the end of `out`; false, and nothing has happened, if anything is wrong with it.
    pub(crate) fn at_once<R: Read>(&mut self, input: &mut Input<R>, out: &mut Vec<u8>) -> bool {
        let window = input.window();
        let Some(packed) = find_frame_compressed_size(window).ok().filter(|_| self.at_once) else {
            return false;
        };
        let before = out.len();
        let mut end = io::Cursor::new(&mut *out);
        end.set_position(before as u64);
        if self.context.decompress(&mut end, &window[..packed]).is_ok() {
            input.consume(packed);
            return true;
        }
        out.truncate(before);
        self.reset();
        false
    }

    pub(crate) fn step<R: Read>(&mut self, input: &mut Input<R>, out: &mut Vec<u8>) -> io::Result<Step> {
        let packed = input.peek(self.wanted)?;
        let packed = &packed[..packed.len().min(self.wanted)];
        if packed.is_empty() {
            return Ok(Step::Broken(Damage::Truncated));
        }
        out.reserve(BLOCK_BYTES);
        let before = out.len();
        let mut source = InBuffer::around(packed);
        let result = stream(&mut self.context, &mut source, out);
        let (read, wrote) = (source.pos(), out.len() - before);
        let fed = packed.len();
        self.growth.packed += read as u64;
        self.growth.unpacked += wrote as u64;
        Ok(match result {
            Ok(0) => {
                input.consume(read);
                Step::End
            }
            Ok(wanted) if read != 0 || wrote != 0 => {
                input.consume(read);
                self.wanted = wanted;
                Step::More
            }
            Ok(_) => Step::Broken(Damage::CorruptZstd),
            Err(code) => {
                let damage = damage(code);
                if damage == Damage::WrongChecksum {
                    // Behind the checksum the next frame is expected.
                    input.consume(fed);
                }
                Step::Broken(damage)
            }
        })
    }

    /// Decompresses the beginning of what may be a frame, and says how many bytes that made.
    pub(crate) fn probe<R: Read>(&mut self, input: &mut Input<R>, text: &mut [u8]) -> io::Result<usize> {
        let bytes = input.peek(HEADER_BYTES)?;
        if !bytes.starts_with(&MAGIC) || get_frame_content_size(bytes).is_err() {
            return Ok(0);
        }
        let bytes = input.peek(PROBED_BYTES)?;
        let bytes = &bytes[..bytes.len().min(PROBED_BYTES)];
        let dictionary = self.dictionary.as_ref();
        let probe = self.probe.get_or_insert_with(|| context(dictionary));
        probe.reset(ResetDirective::SessionOnly).expect("a session can always be ended");
        let mut out = Vec::with_capacity(BLOCK_BYTES);
        let (mut at, mut wanted) = (0, FIRST_BYTES);
        while out.is_empty() && wanted != 0 && at < bytes.len() {
            let mut source = InBuffer::around(&bytes[at..bytes.len().min(at + wanted)]);
            match stream(probe, &mut source, &mut out) {
                Ok(hint) if source.pos() != 0 => wanted = hint,
                Ok(_) | Err(_) => break,
            }
            at += source.pos();
        }
        let bytes = out.len().min(text.len());
        text[..bytes].copy_from_slice(&out[..bytes]);
        let cost = (at + out.len()) as u64;
        Ok(if self.probed.take(cost, input.position()) { bytes } else { 0 })
    }
}

/// Passes over a frame of `length`; false, and `input` stands where it stood as far as it can, if it is damaged.
fn skip<R: Read>(input: &mut Input<R>, length: u64) -> io::Result<bool> {
    let Some(near) = usize::try_from(length).ok().filter(|&length| length < LOOKBACK) else {
        return input.skip(length);
    };
    // A length that leads to something else than a frame is not the one that was written.
    let window = input.peek(near + MAGIC.len())?;
    let Some(after) = window.get(near..) else {
        return Ok(false);
    };
    let right = after.is_empty() || after.starts_with(&MAGIC) || begins_skippable(after);
    if right {
        input.consume(near);
    }
    Ok(right)
}

fn begins_skippable(bytes: &[u8]) -> bool {
    let known = bytes.len().min(4);
    matches!(bytes.first(), Some(0x50..=0x5f)) && bytes[1..known] == DICTIONARY_MAGIC[1..known]
}

fn damage(code: usize) -> Damage {
    let is = |kind| is_error_kind(code, kind);
    if is(ZSTD_ErrorCode::ZSTD_error_checksum_wrong) {
        Damage::WrongChecksum
    } else if is(ZSTD_ErrorCode::ZSTD_error_frameParameter_windowTooLarge) {
        Damage::WindowTooLarge
    } else if is(ZSTD_ErrorCode::ZSTD_error_dictionary_wrong) {
        Damage::MissingDictionary
    } else {
        Damage::CorruptZstd
    }
}
