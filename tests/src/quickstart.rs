//! The archive of the quickstart, record by record.

use flate2::Compression;

use crate::archive::{self, Record};
use crate::capture::{self, Http};
use crate::pages::{self, Damage, Page};

/// The address of the one record that is a text already. Its words are those of `en-lighthouse.txt`.
pub const CONVERTED: &str = "https://pharos.example/alexandria";

/// Between one capture and the next.
const SECONDS: u32 = 7;

/// Every so many pages one has its request and its metadata with it.
const TRIPLES: u32 = 3;

/// The archive, which is the same every time.
pub fn quickstart() -> Vec<u8> {
    let mut archive = member(&warcinfo("quickstart.warc.gz"));
    archive.extend(member(&resolved()));
    for (number, page) in (1..).zip(pages::all()) {
        let second = number * SECONDS;
        let triple = number % TRIPLES == 0;
        if triple {
            archive.extend(member(&capture::request(page, second)));
        }
        archive.extend(response(page, second));
        if triple {
            archive.extend(member(&capture::metadata(page, second)));
        }
        // Where the pages in English end and the odd ones begin, the crawler comes by the first page again.
        if page.genre == "chess" {
            archive.extend(member(&revisit(second + 1)));
            archive.extend(member(&conversion(second + 2)));
        }
    }
    archive
}

fn member(record: &Record) -> Vec<u8> {
    record.member(Compression::best())
}

fn response(page: &Page, second: u32) -> Vec<u8> {
    let mut member = member(&Http::new(page, page.bytes()).record(page, page.url, second));
    match page.damage {
        Damage::None | Damage::Truncated | Damage::Overlong => {}
        Damage::Flipped => {
            let middle = member.len() / 2;
            for byte in &mut member[middle..middle + 40] {
                *byte = !*byte;
            }
        }
        Damage::Cut => member.truncate(member.len() / 2),
    }
    member
}

/// The first record of an archive. `filename` is what the archive calls itself.
pub(crate) fn warcinfo(filename: &str) -> Record {
    let block = "isPartOf: QUICKSTART-2026-07\r\n\
        description: Pages written for Palimpsest, with everything around them that the web has\r\n\
        publisher: Palimpsest\r\n\
        hostname: crawler.example\r\n\
        software: make-quickstart/0.1\r\n\
        robots: checked via robots.txt\r\n\
        format: WARC File Format 1.0\r\n\
        conformsTo: http://bibnum.bnf.fr/WARC/WARC_ISO_28500_version1_latestdraft.pdf\r\n";
    Record::new("warcinfo", "quickstart", 0)
        .field("WARC-Filename", filename)
        .block("application/warc-fields", block.as_bytes().to_vec())
}

/// An answer of a name server, as Heritrix keeps it: a response that is not HTTP.
fn resolved() -> Record {
    let uri = "dns:openalmanac.example";
    Record::new("response", uri, 1)
        .field("WARC-Target-URI", uri)
        .field("WARC-IP-Address", "192.0.2.53")
        .block("text/dns", b"20260214090001\r\nopenalmanac.example.\t300\tIN\tA\t192.0.2.80\r\n".to_vec())
}

/// The page on tides again under an address with a tail: nothing new, says the digest.
fn revisit(second: u32) -> Record {
    let Some(page) = pages::all().next() else {
        unreachable!("the table is not empty");
    };
    let http = Http::new(page, page.bytes());
    let url = format!("{}?utm_source=newsletter", page.url);
    Record::new("revisit", &url, second)
        .field("WARC-Target-URI", &url)
        .field("WARC-Payload-Digest", &http.digest())
        .field("WARC-Refers-To", &archive::id("response", page.url))
        .field("WARC-Refers-To-Target-URI", page.url)
        .field("WARC-Refers-To-Date", &archive::date(SECONDS))
        .field("WARC-Profile", "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest")
        .block("application/http; msgtype=response", http.head.into_bytes())
}

/// A text that somebody else has extracted, as in Common Crawl's WET files.
fn conversion(second: u32) -> Record {
    let text = include_bytes!("../pages/en-lighthouse.txt");
    Record::new("conversion", CONVERTED, second)
        .field("WARC-Target-URI", CONVERTED)
        .field("WARC-Refers-To", &archive::id("response", CONVERTED))
        .field("WARC-Block-Digest", &archive::digest(text))
        .field("WARC-Identified-Content-Language", "eng")
        .block("text/plain", text.to_vec())
}

#[cfg(test)]
mod tests;
