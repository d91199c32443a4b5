//! A page as its server sent it and as a crawler wrote it down: request, response and metadata.

use flate2::Compression;

use crate::archive::{self, Record};
use crate::codings;
use crate::pages::{Coding, Damage, Page};

const AGENT: &str = "palimpsest-quickstart/1.0";

/// A response of a server. The two bodies differ where it came in chunks: a digest is of the first, a record holds the
/// second.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    pub(crate) head: String,
    payload: Vec<u8>,
    sent: Vec<u8>,
}

impl Http {
    /// What the page's server sends; the body is given, since it may be a variation on the page's own.
    pub(crate) fn new(page: &Page, body: Vec<u8>) -> Self {
        let (content, chunked) = headers(page.coding);
        let payload = match page.coding {
            Coding::Plain | Coding::Chunked | Coding::ClaimedGzip | Coding::ClaimedChunked | Coding::Bomb => {
                body
            }
            Coding::Gzip | Coding::ChunkedGzip => codings::gzip(&body, Compression::best()),
            Coding::Deflate => codings::deflate(&body),
            Coding::RawDeflate => codings::raw_deflate(&body),
            Coding::Brotli => codings::brotli(&body),
            Coding::Zstd => codings::zstd(&body),
        };
        let mut head = format!("HTTP/1.1 {} {}\r\n", page.status, phrase(page.status));
        head += "Date: Sat, 14 Feb 2026 09:00:00 GMT\r\nServer: httpd\r\n";
        head += &format!("Content-Type: {}\r\n", page.content_type);
        if page.status == 301 {
            head += "Location: https://openalmanac.example/wiki/Tide\r\n";
        }
        if let Some(coding) = content {
            head += &format!("Content-Encoding: {coding}\r\n");
        }
        head += &if chunked {
            "Transfer-Encoding: chunked\r\n".to_owned()
        } else {
            format!("Content-Length: {}\r\n", payload.len())
        };
        head += "\r\n";
        let sent = match page.coding {
            Coding::Chunked | Coding::ChunkedGzip => codings::chunked(&payload),
            Coding::Plain
            | Coding::Gzip
            | Coding::Deflate
            | Coding::RawDeflate
            | Coding::Brotli
            | Coding::Zstd
            | Coding::ClaimedGzip
            | Coding::ClaimedChunked
            | Coding::Bomb => payload.clone(),
        };
        Self { head, payload, sent }
    }

    pub(crate) fn digest(&self) -> String {
        archive::digest(&self.payload)
    }

    /// The record of the response, and how its damage shows in it. What happens to the member is the archive's part.
    pub(crate) fn record(mut self, page: &Page, url: &str, second: u32) -> Record {
        if page.damage == Damage::Truncated {
            self.sent.truncate(self.sent.len() * 2 / 3);
            self.payload.clone_from(&self.sent);
        }
        let block = [self.head.as_bytes(), &self.sent].concat();
        let mut record = Record::new("response", url, second)
            .field("WARC-Target-URI", url)
            .field("WARC-Warcinfo-ID", &archive::id("warcinfo", "quickstart"))
            .field("WARC-IP-Address", "192.0.2.80")
            .field("WARC-Payload-Digest", &self.digest())
            .field("WARC-Block-Digest", &archive::digest(&block))
            .field("WARC-Identified-Payload-Type", page.media_type());
        if page.damage == Damage::Truncated {
            record = record.field("WARC-Truncated", "length");
        }
        let excess = if page.damage == Damage::Overlong { 300 } else { 0 };
        record.block("application/http; msgtype=response", block).claiming(excess)
    }
}

/// What was sent for a page. Common Crawl writes it before the response.
pub(crate) fn request(page: &Page, second: u32) -> Record {
    let path = page.url.splitn(4, '/').nth(3).unwrap_or_default();
    let block = format!(
        "GET /{path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {AGENT}\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\r\n",
        page.host()
    );
    Record::new("request", page.url, second)
        .field("WARC-Target-URI", page.url)
        .field("WARC-Warcinfo-ID", &archive::id("warcinfo", "quickstart"))
        .field("WARC-Concurrent-To", &archive::id("response", page.url))
        .block("application/http; msgtype=request", block.into_bytes())
}

/// What the crawler thought of it. Common Crawl writes it after the response.
pub(crate) fn metadata(page: &Page, second: u32) -> Record {
    let block =
        format!("fetchTimeMs: {}\r\ncharset-detected: {}\r\n", 40 + second % 300, page.charset.name());
    Record::new("metadata", page.url, second)
        .field("WARC-Target-URI", page.url)
        .field("WARC-Warcinfo-ID", &archive::id("warcinfo", "quickstart"))
        .field("WARC-Concurrent-To", &archive::id("response", page.url))
        .block("application/warc-fields", block.into_bytes())
}

/// `Content-Encoding`, and whether `Transfer-Encoding` says chunked.
fn headers(coding: Coding) -> (Option<&'static str>, bool) {
    match coding {
        Coding::Plain => (None, false),
        Coding::Chunked | Coding::ClaimedChunked => (None, true),
        Coding::Gzip | Coding::ClaimedGzip | Coding::Bomb => (Some("gzip"), false),
        Coding::ChunkedGzip => (Some("gzip"), true),
        Coding::Deflate | Coding::RawDeflate => (Some("deflate"), false),
        Coding::Brotli => (Some("br"), false),
        Coding::Zstd => (Some("zstd"), false),
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        404 => "Not Found",
        500 => "Internal Server Error",
        _ => "",
    }
}
