//! A record becomes a page: what a server sent, without the codings of the transfer, as text where it is text.
//!
//! Every HTTP status is a page here; which ones are worth reading is for stages to say. What is declared wrongly is read
//! as what it is where that is beyond doubt, and noted as an oddity.

pub mod charset;
pub mod http;

use std::borrow::Cow;

use data_encoding::HEXLOWER;
use palimpsest_warc::arc::bare_payload;
use palimpsest_warc::{Head, RecordType};
use serde::Serialize;
use sha1::{Digest, Sha1};

use crate::ledger::Outcome;
use crate::records::Record;

/// What a record says, past the protocol by which it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub url: String,
    /// As the record has it, which should be RFC 3339.
    pub date: String,
    /// None for records that no HTTP server sent.
    pub status: Option<u16>,
    /// In their order; for records that no HTTP server sent, the content type of the record.
    pub headers: Vec<(String, String)>,
    /// Without transfer and content codings.
    pub body: Vec<u8>,
    /// The body as text, if it is text.
    pub text: Option<String>,
    /// The name of the encoding that the text was written in; none where there is no text.
    pub charset: Option<&'static str>,
    /// Deviations that cost nothing, under fixed words.
    pub oddities: Vec<&'static str>,
}

impl Page {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        http::header(&self.headers, name)
    }

    /// The text, or that there is none.
    pub fn require_text(&self) -> Result<&str, Reject> {
        self.text.as_deref().ok_or(Reject::NotText)
    }
}

/// Why a record is no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    #[error("the record has no URI")]
    NoUrl,
    #[error("the record is of another protocol than HTTP")]
    NotHttp,
    #[error("the HTTP head cannot be understood")]
    BadHead,
    #[error("the body is longer than {} bytes without its codings", http::BODY_BYTES)]
    TooLarge,
    #[error("the body grows more than {} times without its codings", http::BOMB_RATIO)]
    Bomb,
    #[error("the body's content coding cannot be undone")]
    BadCoding,
    #[error("the body has an unknown content coding")]
    UnknownCoding,
    #[error("the body has more than {} content codings", http::MAX_CODINGS)]
    TooManyCodings,
    #[error("the body is not text")]
    NotText,
}

impl Reject {
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoUrl => "no_url",
            Self::NotHttp => "not_http",
            Self::BadHead => "bad_http_head",
            Self::TooLarge => "body_too_large",
            Self::Bomb => "bomb",
            Self::BadCoding => "bad_coding",
            Self::UnknownCoding => "unknown_coding",
            Self::TooManyCodings => "too_many_codings",
            Self::NotText => "not_text",
        }
    }

    /// That something is not a text page is no failure; that it cannot be read is.
    pub fn outcome(&self) -> Outcome {
        let reason = self.reason().to_owned();
        match self {
            Self::NotHttp | Self::NotText => Outcome::Dropped(reason),
            Self::NoUrl
            | Self::BadHead
            | Self::TooLarge
            | Self::Bomb
            | Self::BadCoding
            | Self::UnknownCoding
            | Self::TooManyCodings => Outcome::Failed(reason),
        }
    }
}

/// What a record carries, past the protocol by which it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload<'a> {
    /// None where the block is not an HTTP response.
    pub status: Option<u16>,
    pub headers: Vec<(String, String)>,
    pub bytes: Cow<'a, [u8]>,
    pub oddities: Vec<&'static str>,
}

/// The payload of a record of any type: of HTTP messages the body without its codings, else the whole block.
pub fn payload(record: &Record) -> Result<Payload<'_>, Reject> {
    let content_type = record.entry.head.as_ref().and_then(Head::content_type);
    let declared = content_type.as_deref().map(|value| value.trim_start().to_ascii_lowercase());
    let says_http = declared.as_deref().is_some_and(|value| value.starts_with("application/http"));
    let message = match record.record_type() {
        Some(RecordType::Request) if says_http => http::request(&record.entry.block),
        Some(RecordType::Response | RecordType::Revisit)
            if says_http || record.entry.block.starts_with(b"HTTP/") =>
        {
            http::response(&record.entry.block)
        }
        _ => {
            let block = &record.entry.block[..];
            let bytes = match &record.entry.head {
                Some(head) if head.is_arc() => bare_payload(head, block),
                Some(_) | None => block,
            };
            let headers = content_type.map(|value| ("content-type".to_owned(), value.into_owned()));
            return Ok(Payload {
                status: None,
                headers: headers.into_iter().collect(),
                bytes: Cow::Borrowed(bytes),
                oddities: Vec::new(),
            });
        }
    };
    let message = message?;
    let mut oddities = message.oddities;
    let bytes = http::decode(&message.headers, message.body, &mut oddities)?;
    Ok(Payload { status: message.status, headers: message.headers, bytes, oddities })
}

/// The page that a record holds.
pub fn read(record: &Record) -> Result<Page, Reject> {
    let url = record.url().ok_or(Reject::NoUrl)?;
    let payload = payload(record)?;
    if record.record_type() == Some(RecordType::Response) && payload.status.is_none() {
        return Err(Reject::NotHttp);
    }
    let mut oddities = payload.oddities;
    let body = payload.bytes.into_owned();
    let content_type = http::header(&payload.headers, "content-type");
    let decoded = charset::decode(&body, content_type, top_level_domain(&url), &mut oddities);
    let (text, charset) = decoded.map_or((None, None), |decoded| (Some(decoded.text), Some(decoded.charset)));
    Ok(Page {
        url,
        date: record.date().unwrap_or_default(),
        status: payload.status,
        headers: payload.headers,
        body,
        text,
        charset,
        oddities,
    })
}

/// `http://www.example.jp/` → `jp`: a hint at the encoding.
fn top_level_domain(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?.split(':').next()?;
    let (_, domain) = host.rsplit_once('.')?;
    let plain = !domain.is_empty() && domain.bytes().all(|byte| byte.is_ascii_lowercase());
    plain.then_some(domain)
}

/// A record as `palimpsest records` shows it. What is not known is null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    pub i: u64,
    pub offset: u64,
    pub length: u64,
    #[serde(rename = "type")]
    pub record_type: Option<String>,
    pub uri: Option<String>,
    pub date: Option<String>,
    /// As it was written, which need not be a number.
    pub content_length: Option<String>,
    pub http_status: Option<u16>,
    pub payload_sha1: Option<String>,
    pub payload_length: Option<u64>,
    /// A fixed word.
    pub damage: Option<&'static str>,
}

/// What can be told of a record, damaged or not.
pub fn line(record: &Record) -> Line {
    let head = record.entry.head.as_ref();
    let payload = head.and_then(|_| payload(record).ok());
    Line {
        i: record.number,
        offset: record.entry.offset,
        length: record.entry.length,
        record_type: head.and_then(|head| head.get("warc-type")).map(Cow::into_owned),
        uri: head.and_then(Head::target_uri).map(Cow::into_owned),
        date: head.and_then(Head::date).map(Cow::into_owned),
        content_length: head.and_then(Head::content_length).map(Cow::into_owned),
        http_status: payload.as_ref().and_then(|payload| payload.status),
        payload_sha1: payload.as_ref().map(|payload| HEXLOWER.encode(&Sha1::digest(&payload.bytes))),
        payload_length: payload.as_ref().map(|payload| payload.bytes.len() as u64),
        damage: record.entry.damage.map(|damage| damage.reason()),
    }
}

#[cfg(test)]
mod tests;
