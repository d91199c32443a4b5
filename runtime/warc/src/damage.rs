//! What can be wrong with a stretch of an archive: damage costs the record, an oddity does not.

use std::fmt;

/// Why an entry cannot be relied on. Its head and block are what could be read of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("the archive ends inside the record")]
    Truncated,
    #[error("the gzip member does not inflate")]
    CorruptGzip,
    #[error("the zstd frame cannot be decompressed")]
    CorruptZstd,
    #[error("the bzip2 stream cannot be decompressed")]
    CorruptBzip2,
    /// The block is whole, but bytes in it may have changed since they were written.
    #[error("the gzip member or zstd frame unpacks to other bytes than were written")]
    WrongChecksum,
    #[error("the zstd frame asks for more memory than is allowed")]
    WindowTooLarge,
    #[error("the zstd frame needs a dictionary that is not there")]
    MissingDictionary,
    #[error("the zstd dictionary cannot be read")]
    BadDictionary,
    #[error("the record's head cannot be understood")]
    BadHead,
    #[error("the record's head, or a line of it, is longer than allowed")]
    HeadTooLarge,
    #[error("the record has no Content-Length")]
    MissingLength,
    #[error("the record's Content-Length is not one number")]
    BadLength,
    #[error("the record does not end where its Content-Length says")]
    ContradictedLength,
    #[error("the record's block is longer than allowed")]
    TooLarge,
    #[error("bytes that belong to no record")]
    Garbage,
    #[error("{0} archives are not read")]
    Unsupported(Format),
}

impl Damage {
    /// The fixed word under which it is counted.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::CorruptGzip => "corrupt_gzip",
            Self::CorruptZstd => "corrupt_zstd",
            Self::CorruptBzip2 => "corrupt_bzip2",
            Self::WrongChecksum => "wrong_checksum",
            Self::WindowTooLarge => "window_too_large",
            Self::MissingDictionary => "missing_dictionary",
            Self::BadDictionary => "bad_dictionary",
            Self::BadHead => "bad_head",
            Self::HeadTooLarge => "head_too_large",
            Self::MissingLength => "missing_length",
            Self::BadLength => "bad_length",
            Self::ContradictedLength => "contradicted_length",
            Self::TooLarge => "too_large",
            Self::Garbage => "garbage",
            Self::Unsupported(_) => "unsupported_format",
        }
    }
}

/// Containers that are recognised and not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Lz4,
    SevenZip,
    Xz,
    Zip,
}

impl Format {
    /// By the first bytes.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Self::Lz4),
            [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => Some(Self::SevenZip),
            [0xfd, b'7', b'z', b'X', b'Z', ..] => Some(Self::Xz),
            [b'P', b'K', 3, 4, ..] => Some(Self::Zip),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lz4 => "LZ4",
            Self::SevenZip => "7z",
            Self::Xz => "xz",
            Self::Zip => "ZIP",
        })
    }
}

/// A deviation from the standard that leaves no doubt about what was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// A version that no standard defines.
    Version,
    /// Head lines that end in a bare line feed.
    LfLines,
    FoldedLine,
    /// A head line without a colon, which is passed over.
    ColonlessLine,
    /// A head that is not UTF-8.
    HeadEncoding,
    /// Content-Length twice, with the same value.
    RepeatedLength,
    MissingType,
    MissingId,
    MissingDate,
    /// Something else than two line ends after the block.
    Separator,
    /// The record is whole, and what follows it belongs to no record.
    GarbageAfter,
    /// Blanks within the fields of an ARC record, or a date of more or fewer than 14 digits.
    ArcLine,
}

impl Oddity {
    /// The fixed word under which it is counted.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Version => "warc_version",
            Self::LfLines => "warc_lf_lines",
            Self::FoldedLine => "warc_folded_line",
            Self::ColonlessLine => "warc_colonless_line",
            Self::HeadEncoding => "warc_head_encoding",
            Self::RepeatedLength => "warc_repeated_length",
            Self::MissingType => "warc_missing_type",
            Self::MissingId => "warc_missing_id",
            Self::MissingDate => "warc_missing_date",
            Self::Separator => "warc_separator",
            Self::GarbageAfter => "warc_garbage_after",
            Self::ArcLine => "arc_line",
        }
    }
}
