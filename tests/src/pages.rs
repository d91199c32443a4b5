//! The table of the pages: what each is, how its server sent it, and what a good reader makes of it.
//!
//! The texts were written for this project and stand in `tests/pages`, one file each, in UTF-8 whatever they are sent
//! in. Hosts are under `.example`, so that no page can be taken for somebody's.

mod english;
mod odd;
mod others;

use std::borrow::Cow;

/// A page and the way in which it is captured.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    pub url: &'static str,
    /// ISO 639-1, or `und` where there is nothing to tell it by.
    pub language: &'static str,
    pub genre: &'static str,
    pub source: Source,
    pub status: u16,
    /// The whole `Content-Type` header.
    pub content_type: &'static str,
    pub charset: Charset,
    pub coding: Coding,
    pub damage: Damage,
    pub expect: Expect,
    /// Words of the main text; blank where there is none to keep.
    pub says: &'static str,
    /// Words of the menus, banners and footers around it; blank where there are none.
    pub furniture: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub enum Source {
    Text(&'static str),
    /// Bytes that would be a nuisance as a file.
    Made(fn() -> Vec<u8>),
}

/// What the characters are encoded in. Who says so differs: the header, a `<meta>`, both, or nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    Utf8,
    Utf8WithMark,
    Windows1251,
    Windows1252,
    ShiftJis,
    EucJp,
}

/// What stands between the page's bytes and the record's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Plain,
    Chunked,
    Gzip,
    ChunkedGzip,
    /// As the standard has it: in a zlib wrapper.
    Deflate,
    /// As some servers have it: without.
    RawDeflate,
    Brotli,
    Zstd,
    /// The header says gzip, the body is not.
    ClaimedGzip,
    /// The header says chunked, the body is not: crawlers that remove the coding and keep the header leave this behind.
    ClaimedChunked,
    /// The body is gzip already, as its source made it.
    Bomb,
}

/// What befell the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    None,
    /// The crawler stopped reading at two thirds of the body, and says so.
    Truncated,
    /// Bytes of the compressed member were turned over.
    Flipped,
    /// The record claims more bytes than its member holds.
    Overlong,
    /// The archive ends in the middle of the member.
    Cut,
}

/// What a good reader makes of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It keeps what the page says, and the less of the furniture the better: old pages give no hint where theirs is.
    Text,
    /// A page, but with little or nothing on it.
    Thin,
    /// Words without worth: a filter's business, never a failure.
    Junk,
    /// Not a page at all, by its status or by its type.
    Refused,
    /// Made to do harm. It must cost itself and nothing else.
    Hostile,
    /// The record cannot be read whole; the records after it can.
    Damaged,
}

/// Every page, in the order of the archive.
pub fn all() -> impl Iterator<Item = &'static Page> {
    english::PAGES.iter().chain(odd::PAGES).chain(others::PAGES).chain(odd::LAST)
}

const fn page(language: &'static str, genre: &'static str, url: &'static str, text: &'static str) -> Page {
    Page {
        url,
        language,
        genre,
        source: Source::Text(text),
        status: 200,
        content_type: "text/html; charset=utf-8",
        charset: Charset::Utf8,
        coding: Coding::Plain,
        damage: Damage::None,
        expect: Expect::Text,
        says: "",
        furniture: "",
    }
}

impl Page {
    const fn says(self, says: &'static str) -> Self {
        Self { says, ..self }
    }

    const fn amid(self, furniture: &'static str) -> Self {
        Self { furniture, ..self }
    }

    const fn made(self, make: fn() -> Vec<u8>) -> Self {
        Self { source: Source::Made(make), ..self }
    }

    const fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    const fn typed(self, content_type: &'static str) -> Self {
        Self { content_type, ..self }
    }

    const fn charset(self, charset: Charset) -> Self {
        Self { charset, ..self }
    }

    const fn coded(self, coding: Coding) -> Self {
        Self { coding, ..self }
    }

    const fn damaged(self, damage: Damage) -> Self {
        Self { damage, ..self }
    }

    const fn expect(self, expect: Expect) -> Self {
        Self { expect, ..self }
    }

    /// The text as it was written, where it is one.
    pub fn text(&self) -> Option<&'static str> {
        match self.source {
            Source::Text(text) => Some(text),
            Source::Made(_) => None,
        }
    }

    /// The body before any coding, in the page's charset.
    pub fn bytes(&self) -> Vec<u8> {
        match self.source {
            Source::Text(text) => self.charset.encode(text),
            Source::Made(make) => make(),
        }
    }

    /// The media type without its parameters.
    pub fn media_type(&self) -> &'static str {
        self.content_type.split(';').next().unwrap_or_default()
    }

    pub fn host(&self) -> &'static str {
        self.url.split('/').nth(2).unwrap_or_default()
    }
}

impl Charset {
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 | Self::Utf8WithMark => "UTF-8",
            Self::Windows1251 => "windows-1251",
            Self::Windows1252 => "windows-1252",
            Self::ShiftJis => "Shift_JIS",
            Self::EucJp => "EUC-JP",
        }
    }

    /// A character that the charset does not have becomes a numeric reference, as in a browser's form.
    pub fn encode(self, text: &str) -> Vec<u8> {
        let encoding = match self {
            Self::Utf8 => return text.as_bytes().to_vec(),
            Self::Utf8WithMark => return [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            Self::Windows1251 => encoding_rs::WINDOWS_1251,
            Self::Windows1252 => encoding_rs::WINDOWS_1252,
            Self::ShiftJis => encoding_rs::SHIFT_JIS,
            Self::EucJp => encoding_rs::EUC_JP,
        };
        let (bytes, _, _): (Cow<'_, [u8]>, _, _) = encoding.encode(text);
        bytes.into_owned()
    }
}

#[cfg(test)]
mod tests;
