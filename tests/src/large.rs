//! An archive of any size for measuring: the pages again and again, no two copies alike.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;

use flate2::Compression;

use crate::capture::Http;
use crate::pages::{self, Damage, Expect, Page};
use crate::quickstart::warcinfo;

/// One paragraph in so many is replaced by one of another page in the same language.
const BORROWED: u64 = 3;

/// A page of the web is tens of kilobytes, most of it menus. Without them records would be short and compress badly, and
/// a reader would be measured on its heads.
const LINKS: Range<usize> = 100..700;

/// Crawlers compress for speed; so does a program that writes a gigabyte.
const LEVEL: u32 = 6;

/// Writes an archive of at least that many bytes, and says how many pages are on it. Equal sizes make equal archives, and
/// a smaller archive is the beginning of a larger one.
pub fn large(bytes: u64, to: &mut impl Write) -> io::Result<u64> {
    let pages: Vec<_> =
        pages::all().filter(|page| page.expect == Expect::Text && page.damage == Damage::None).collect();
    let pool = paragraphs(&pages);
    let info = warcinfo("large.warc.gz").member(Compression::new(LEVEL));
    to.write_all(&info)?;
    let mut written = info.len() as u64;
    let mut copies = 0;
    // Each page in turn, so that every length of archive has every kind of page.
    for page in pages.iter().copied().cycle() {
        if written >= bytes {
            break;
        }
        let Some(source) = page.text() else { continue };
        let borrowed = pool.get(page.language).map(Vec::as_slice).unwrap_or_default();
        let text = varied(source, borrowed, &mut Shuffler(copies));
        let separator = if page.url.contains('?') { '&' } else { '?' };
        let url = format!("{}{separator}copy={copies}", page.url);
        let second = u32::try_from(copies).unwrap_or(u32::MAX / 2);
        let http = Http::new(page, page.charset.encode(&text));
        let member = http.record(page, &url, second).member(Compression::new(LEVEL));
        to.write_all(&member)?;
        written += member.len() as u64;
        copies += 1;
    }
    Ok(copies)
}

fn paragraphs(pages: &[&Page]) -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut pool: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for page in pages {
        for piece in page.text().unwrap_or_default().split("<p>").skip(1) {
            if let Some((paragraph, _)) = piece.split_once("</p>") {
                pool.entry(page.language).or_default().push(paragraph);
            }
        }
    }
    pool
}

/// The same page with its paragraphs in another order, and some of them from elsewhere. Whatever is not between `<p>` and
/// `</p>` stays where it is, so the page remains as good or as broken as it was.
fn varied(source: &str, pool: &[&str], shuffler: &mut Shuffler) -> String {
    let mut pieces = source.split("<p>");
    let mut text = with_menu(pieces.next().unwrap_or_default(), shuffler);
    let pieces: Vec<_> = pieces.map(|piece| piece.split_once("</p>").ok_or(piece)).collect();
    let mut paragraphs: Vec<_> = pieces.iter().flatten().map(|(paragraph, _)| *paragraph).collect();
    for last in (1..paragraphs.len()).rev() {
        paragraphs.swap(last, shuffler.below(last + 1));
    }
    let mut paragraphs = paragraphs.into_iter();
    for piece in pieces {
        text += "<p>";
        match (piece, paragraphs.next()) {
            (Ok((own, rest)), paragraph) => {
                let elsewhere = shuffler.next().is_multiple_of(BORROWED) && !pool.is_empty();
                let here =
                    if elsewhere { pool[shuffler.below(pool.len())] } else { paragraph.unwrap_or(own) };
                text += here;
                text += "</p>";
                text += rest;
            }
            (Err(broken), _) => text += broken,
        }
    }
    text
}

/// The beginning of a page with a menu after its `<body>`, or as it was if that is not to be found.
fn with_menu(head: &str, shuffler: &mut Shuffler) -> String {
    let Some((before, rest)) = head.split_once("<body") else { return head.to_owned() };
    let Some((attributes, after)) = rest.split_once('>') else { return head.to_owned() };
    let mut text = format!("{before}<body{attributes}><ul class=\"menu\">\n");
    for _ in 0..LINKS.start + shuffler.below(LINKS.len()) {
        let (section, item) = (shuffler.below(40), shuffler.below(1000));
        text +=
            &format!("<li><a href=\"/section/{section}/{item}\">Section {section}, item {item}</a></li>\n");
    }
    text + "</ul>" + after
}

/// Numbers without pattern from a seed: splitmix64.
struct Shuffler(u64);

impl Shuffler {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Below `bound`, which is not zero. The bias of a remainder is nothing among a few dozen paragraphs.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("less than a usize")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn make(bytes: u64) -> (u64, Vec<u8>) {
        let mut archive = Vec::new();
        (large(bytes, &mut archive).unwrap(), archive)
    }

    #[test]
    fn it_is_as_long_as_asked_and_the_same_every_time() {
        let (pages, archive) = make(1_000_000);
        assert!((1_000_000..1_020_000).contains(&archive.len()), "{}", archive.len());
        assert!(pages > 100, "{pages}");
        assert!(make(1_000_000).1 == archive);
        assert!(archive.starts_with(&make(400_000).1));
    }

    #[test]
    fn no_two_copies_are_alike() {
        let page = pages::all().next().unwrap();
        let pool = paragraphs(&[page]);
        let copies: BTreeSet<_> =
            (0..50).map(|seed| varied(page.text().unwrap(), &pool["en"], &mut Shuffler(seed))).collect();
        assert_eq!(copies.len(), 50);
    }

    #[test]
    fn a_page_without_paragraphs_is_left_as_it_is() {
        for source in ["", "<p>", "a<p>b", "<div>c</div>"] {
            assert_eq!(varied(source, &[], &mut Shuffler(1)), source);
        }
    }
}
