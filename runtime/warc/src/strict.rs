//! What of an entry the standard forbids: WARC 1.1 (ISO 28500:2017), and 1.0 where the record says that it is that.
//!
//! It judges entries that were read with all tolerance, so it says more than damage and oddities do. Payload digests are
//! not looked at: what the payload is depends on the protocol, which this crate does not know.

use sha1::{Digest, Sha1};
use sha2::Sha256;
use warc::RecordType;

use crate::damage::Oddity;
use crate::head::Head;
use crate::reader::Entry;

/// Something that the standard forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Violation {
    /// Bytes that cannot be read as a record, or not to its end.
    Damaged,
    /// A record of another format.
    NotWarc,
    UnknownVersion,
    LfLines,
    FoldedLine,
    ColonlessLine,
    HeadNotUtf8,
    Separator,
    GarbageAfter,
    /// Compressed together with another record.
    SharedMember,
    MissingType,
    MissingId,
    MissingDate,
    MissingLength,
    /// A field twice that may be there once.
    RepeatedField,
    UnknownType,
    BadId,
    BadDate,
    MissingTarget,
    BadTarget,
    /// A block of which nothing says what it is.
    MissingContentType,
    /// A revisit without a profile.
    MissingProfile,
    /// A continuation that does not say of what, or which part it is.
    MissingSegment,
    /// A block digest that is no digest.
    BadBlockDigest,
    /// A block digest of other bytes than the block's.
    WrongBlockDigest,
}

impl Violation {
    /// The fixed word under which it is shown and counted.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::NotWarc => "not_warc",
            Self::UnknownVersion => "unknown_version",
            Self::LfLines => "lf_lines",
            Self::FoldedLine => "folded_line",
            Self::ColonlessLine => "colonless_line",
            Self::HeadNotUtf8 => "head_not_utf8",
            Self::Separator => "separator",
            Self::GarbageAfter => "garbage_after",
            Self::SharedMember => "shared_member",
            Self::MissingType => "missing_type",
            Self::MissingId => "missing_id",
            Self::MissingDate => "missing_date",
            Self::MissingLength => "missing_length",
            Self::RepeatedField => "repeated_field",
            Self::UnknownType => "unknown_type",
            Self::BadId => "bad_id",
            Self::BadDate => "bad_date",
            Self::MissingTarget => "missing_target",
            Self::BadTarget => "bad_target",
            Self::MissingContentType => "missing_content_type",
            Self::MissingProfile => "missing_profile",
            Self::MissingSegment => "missing_segment",
            Self::BadBlockDigest => "bad_block_digest",
            Self::WrongBlockDigest => "wrong_block_digest",
        }
    }
}

/// The fields that a record may have more than once.
const REPEATABLE: &str = "WARC-Concurrent-To";
/// What the names of fields begin with that are the standard's, beside two of its own.
const STANDARD_PREFIX: &str = "warc-";
/// Those that the standard defines; it leaves others to whoever needs them, but asks readers to pass over them.
const TYPES_WITH_TARGET: [RecordType; 5] = [
    RecordType::Response,
    RecordType::Resource,
    RecordType::Request,
    RecordType::Revisit,
    RecordType::Conversion,
];

/// What of the entry the standard forbids, in the order of [`Violation`], each once. Of an entry that could not be read
/// as a WARC record, only that.
pub fn violations(entry: &Entry) -> Vec<Violation> {
    let mut found = Vec::new();
    if entry.damage.is_some() {
        found.push(Violation::Damaged);
    }
    match &entry.head {
        Some(head) if head.is_arc() => found.push(Violation::NotWarc),
        Some(head) => {
            found.extend(entry.oddities.iter().filter_map(|oddity| of_oddity(*oddity)));
            // Members are for single records. A record whose own place is shared shows it by where it begins, the first
            // one by where reading cannot go on.
            let shares = 0 < entry.within || entry.resumable_after().is_none();
            if shares && entry.damage.is_none() {
                found.push(Violation::SharedMember);
            }
            named_fields(head, &mut found);
            of_type(head, entry.block.is_empty() && entry.damage.is_none(), &mut found);
            if entry.damage.is_none() {
                found.extend(
                    head.get("warc-block-digest").and_then(|digest| check_digest(&digest, &entry.block)),
                );
            }
        }
        None => {}
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn of_oddity(oddity: Oddity) -> Option<Violation> {
    Some(match oddity {
        // Which versions there are is another question than which can be read.
        Oddity::Version => return None,
        Oddity::LfLines => Violation::LfLines,
        Oddity::FoldedLine => Violation::FoldedLine,
        Oddity::ColonlessLine => Violation::ColonlessLine,
        Oddity::HeadEncoding => Violation::HeadNotUtf8,
        Oddity::RepeatedLength => Violation::RepeatedField,
        Oddity::MissingType => Violation::MissingType,
        Oddity::MissingId => Violation::MissingId,
        Oddity::MissingDate => Violation::MissingDate,
        Oddity::Separator => Violation::Separator,
        Oddity::GarbageAfter => Violation::GarbageAfter,
        Oddity::ArcLine => return None,
    })
}

/// What holds of every record.
fn named_fields(head: &Head, found: &mut Vec<Violation>) {
    let mut check = |right: bool, violation| {
        if !right {
            found.push(violation);
        }
    };
    check(matches!(head.version(), "1.0" | "1.1"), Violation::UnknownVersion);
    check(head.bytes("content-length").is_some(), Violation::MissingLength);
    let mut names: Vec<String> = head
        .fields()
        .map(|(name, _)| String::from_utf8_lossy(name).to_ascii_lowercase())
        .filter(|name| {
            name.starts_with(STANDARD_PREFIX) || name == "content-length" || name == "content-type"
        })
        .filter(|name| !name.eq_ignore_ascii_case(REPEATABLE))
        .collect();
    names.sort_unstable();
    check(names.windows(2).all(|pair| pair[0] != pair[1]), Violation::RepeatedField);
    if let Some(id) = head.record_id() {
        let uri = id.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
        check(uri.is_some_and(is_uri), Violation::BadId);
    }
    if let Some(date) = head.date() {
        check(is_date(&date, head.version() != "1.0"), Violation::BadDate);
    }
    // Version 1.0 had angle brackets in its grammar, by mistake, and none in its examples.
    if let Some(target) = head.target_uri() {
        let bare = target.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
        let uri = bare.filter(|_| head.version() == "1.0").unwrap_or(&target);
        check(is_uri(uri), Violation::BadTarget);
    }
}

/// What depends on the type.
fn of_type(head: &Head, empty: bool, found: &mut Vec<Violation>) {
    let Some(record_type) = head.record_type() else {
        return;
    };
    let mut need = |name: &str, violation| {
        if head.bytes(name).is_none() {
            found.push(violation);
        }
    };
    if TYPES_WITH_TARGET.contains(&record_type) {
        need("warc-target-uri", Violation::MissingTarget);
    }
    match record_type {
        RecordType::Continuation => {
            need("warc-segment-origin-id", Violation::MissingSegment);
            need("warc-segment-number", Violation::MissingSegment);
            need("warc-target-uri", Violation::MissingTarget);
        }
        RecordType::Revisit => need("warc-profile", Violation::MissingProfile),
        RecordType::Unknown(_) => found.push(Violation::UnknownType),
        RecordType::WarcInfo
        | RecordType::Response
        | RecordType::Resource
        | RecordType::Request
        | RecordType::Metadata
        | RecordType::Conversion => {}
    }
    let continues = head.record_type() == Some(RecordType::Continuation);
    if !empty && !continues && head.bytes("content-type").is_none() {
        found.push(Violation::MissingContentType);
    }
}

/// A scheme, and something behind it, without what no URI contains.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(known)
        && !rest.is_empty()
        && rest.bytes().all(|byte| !byte.is_ascii_control() && !matches!(byte, b' ' | b'<' | b'>' | b'"'))
}

/// `2014-02-16T05:02:21Z`; since version 1.1 also with parts of a second, or without its last parts.
fn is_date(text: &str, since_1_1: bool) -> bool {
    const WHOLE: &str = "0000-00-00T00:00:00Z";
    let shaped = |shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(byte, model)| match model {
                b'0' => byte.is_ascii_digit(),
                letter => byte == letter,
            })
    };
    let fraction = || {
        let digits = text.get(20..)?.strip_suffix('Z')?;
        let right = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        (right && text.get(..20)?.ends_with('.')).then(|| text.get(..19)).flatten()
    };
    let shorter = ["0000", "0000-00", "0000-00-00", "0000-00-00T00:00Z"];
    let shape_is_right = shaped(WHOLE)
        || (since_1_1
            && (shorter.into_iter().any(shaped)
                || fraction().is_some_and(|whole| is_date(&format!("{whole}Z"), false))));
    let within = |from: usize, least: u8, most: u8| {
        let part = text.get(from..from + 2).and_then(|part| part.parse::<u8>().ok());
        text.len() < from + 2 || part.is_some_and(|part| (least..=most).contains(&part))
    };
    shape_is_right
        && within(5, 1, 12)
        && within(8, 1, 31)
        && within(11, 0, 23)
        && within(14, 0, 59)
        && within(17, 0, 60)
}

/// What is wrong with a digest of these bytes, as far as its algorithm is known.
fn check_digest(digest: &str, bytes: &[u8]) -> Option<Violation> {
    let Some((algorithm, value)) = digest.split_once(':') else {
        return Some(Violation::BadBlockDigest);
    };
    let computed = match algorithm.to_ascii_lowercase().replace('-', "").as_str() {
        "sha1" => Sha1::digest(bytes).to_vec(),
        "sha256" => Sha256::digest(bytes).to_vec(),
        _ => return None,
    };
    match decode(value, computed.len()) {
        None => Some(Violation::BadBlockDigest),
        Some(written) if written != computed => Some(Violation::WrongBlockDigest),
        Some(_) => None,
    }
}

/// Base 32 or base 16, whichever has the right length.
fn decode(value: &str, length: usize) -> Option<Vec<u8>> {
    let value = value.trim_end_matches('=');
    let (bits, symbols): (usize, &[u8]) = if value.len() == 2 * length {
        (4, b"0123456789ABCDEF")
    } else if value.len() == (8 * length).div_ceil(5) {
        (5, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    } else {
        return None;
    };
    let mut bytes = Vec::with_capacity(length);
    let (mut held, mut holds) = (0_u32, 0);
    for symbol in value.bytes() {
        let number = symbols.iter().position(|known| known.eq_ignore_ascii_case(&symbol))?;
        held = (held << bits) | u32::try_from(number).ok()?;
        holds += bits;
        if 8 <= holds {
            holds -= 8;
            bytes.push((held >> holds) as u8);
            held &= (1 << holds) - 1;
        }
    }
    (bytes.len() == length).then_some(bytes)
}

#[cfg(test)]
mod tests;
