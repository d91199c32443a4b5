//! An archive that is shaped like Common Crawl's, the same in every run: pages of invented words and real markup, each
//! with its request and metadata, which compress about as well as real ones do.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

const PAGES: usize = 1_500;
/// Pages are between the two, 240 MB of them in all.
const SHORTEST: usize = 20 << 10;
const LONGEST: usize = 300 << 10;

const SYLLABLES: [&str; 16] =
    ["ta", "re", "mon", "li", "ver", "sa", "no", "est", "qui", "per", "du", "ing", "o", "ar", "th", "b"];
const MARKUP: [&str; 10] = [
    "<p>",
    "</p>\n<p class=\"text\">",
    "<li><a href=\"/",
    "\">",
    "</a></li>\n",
    "<div id=\"",
    "</div>\n",
    "<br/>\n",
    " <b>",
    "</b> ",
];

/// Numbers that are the same in each run.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % below
    }

    /// Few are drawn often, and most seldom, as with words.
    fn skewed(&mut self, below: usize) -> usize {
        let (one, other) = (self.next(below), self.next(below));
        self.next(1 + one.min(other))
    }
}

/// Makes the archive, compressed as its name says: a member or a frame for each record.
pub(crate) fn make(archive: &Path) -> io::Result<()> {
    let mut chance = Chance(7);
    let words: Vec<String> = (0..6_000)
        .map(|_| (0..1 + chance.next(4)).map(|_| SYLLABLES[chance.next(SYLLABLES.len())]).collect())
        .collect();
    let mut file = BufWriter::new(File::create(archive)?);
    for number in 0..PAGES {
        let page = page(&mut chance, &words);
        let http = format!(
            "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n\
             Content-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nETag: \"{:x}\"\r\n\
             Cache-Control: max-age=0\r\nX-Cache: MISS\r\n\r\n",
            page.len(),
            chance.next(1 << 30)
        );
        let request = "GET / HTTP/1.1\r\nUser-Agent: bench\r\nAccept: */*\r\nHost: a\r\n\r\n";
        let block = [http.as_bytes(), page.as_bytes()].concat();
        for (kind, of, block) in [
            ("request", "application/http; msgtype=request", request.as_bytes()),
            ("response", "application/http; msgtype=response", &*block),
            ("metadata", "application/warc-fields", b"fetchTimeMs: 123\r\ncharset-detected: UTF-8\r\n"),
        ] {
            file.write_all(&pack(archive, &record(number, kind, of, block))?)?;
        }
    }
    file.flush()
}

fn record(number: usize, kind: &str, content_type: &str, block: &[u8]) -> Vec<u8> {
    let head = format!(
        "WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Date: 2024-01-01T00:00:00Z\r\n\
         WARC-Record-ID: <urn:uuid:{number:08x}-0000-4000-8000-{:012x}>\r\nContent-Length: {}\r\n\
         Content-Type: {content_type}\r\nWARC-Warcinfo-ID: <urn:uuid:92283950-ef2f-4d72-b224-f54c6ec90bb0>\r\n\
         WARC-IP-Address: 192.0.2.1\r\nWARC-Target-URI: http://example.com/{number}\r\n\r\n",
        kind.len(),
        block.len()
    );
    [head.as_bytes(), block, b"\r\n\r\n"].concat()
}

fn page(chance: &mut Chance, words: &[String]) -> String {
    let size = SHORTEST + chance.next(LONGEST - SHORTEST);
    let mut page = String::from("<!doctype html>\n<html><head><title>");
    while page.len() < size {
        if chance.next(7) == 0 {
            page.push_str(MARKUP[chance.next(MARKUP.len())]);
        } else if chance.next(60) == 0 {
            page.push_str(&format!("{:x}", chance.next(1 << 30)));
        } else {
            page.push_str(&words[chance.skewed(words.len())]);
            page.push(' ');
        }
        // Menus and the like: pages repeat themselves.
        if chance.next(40) == 0 {
            let from = chance.next(page.len());
            let to = (from + 200 + chance.next(600)).min(page.len());
            let again = page.get(from..to).unwrap_or_default().to_owned();
            page.push_str(&again);
        }
    }
    page + "</body></html>\n"
}

fn pack(archive: &Path, record: &[u8]) -> io::Result<Vec<u8>> {
    match archive.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(record)?;
            encoder.finish()
        }
        Some("zst") => zstd::bulk::compress(record, 3),
        _ => Ok(record.to_vec()),
    }
}
