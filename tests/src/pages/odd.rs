//! What a crawl also brings home: pages with nothing on them, junk, things that are not pages, traps and damage.

use super::{Coding, Damage, Expect, Page, page};
use crate::codings;

/// Far deeper than any page, and than any parser that calls itself for each level can go.
const DEPTH: usize = 20_000;

/// An image of one grey pixel.
const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU\
    \0\0\0\nIDATx\xdach\0\0\0\x82\0\x81\xdaE\x08;\0\0\0\0IEND\xaeB`\x82";

pub(super) const PAGES: &[Page] = &[
    page("en", "notice", "https://kettlelane.example/hours", include_str!("../../pages/odd-short.html"))
        .says("from ten until six on weekdays")
        .expect(Expect::Thin),
    page("en", "login", "https://nestbook.example/login", include_str!("../../pages/odd-login.html"))
        .expect(Expect::Thin),
    page("und", "application", "https://dashboards.example/", include_str!("../../pages/odd-loading.html"))
        .expect(Expect::Thin),
    page("en", "site map", "https://hardware.example/sitemap", include_str!("../../pages/odd-links.html"))
        .expect(Expect::Thin),
    page("en", "error", "https://meridianpost.example/x", include_str!("../../pages/odd-soft-404.html"))
        .expect(Expect::Thin),
    page("und", "empty", "https://dashboards.example/pixel", "").expect(Expect::Thin),
    page("en", "parked", "http://cheap-umbrella-deals.example/", include_str!("../../pages/odd-parked.html"))
        .typed("text/html")
        .expect(Expect::Junk),
    page("en", "spam", "http://shoes-shoes-shoes.example/buy", include_str!("../../pages/odd-spam.html"))
        .typed("text/html")
        .expect(Expect::Junk),
    page(
        "und",
        "gibberish",
        "https://theme-demo.example/sample",
        include_str!("../../pages/odd-gibberish.html"),
    )
    .expect(Expect::Junk),
    page("en", "error", "https://longtable.example/bread/rye/", include_str!("../../pages/odd-404.html"))
        .status(404)
        .expect(Expect::Refused),
    page("en", "error", "https://pennywort.example/rates", include_str!("../../pages/odd-500.html"))
        .status(500)
        .expect(Expect::Refused),
    page("en", "redirect", "http://openalmanac.example/tide", include_str!("../../pages/odd-301.html"))
        .status(301)
        .expect(Expect::Refused),
    page("und", "document", "https://riverbend.example/rubbish.pdf", "")
        .made(pdf)
        .typed("application/pdf")
        .expect(Expect::Refused),
    page("und", "image", "https://skywatch.example/dot.png", "")
        .made(|| PIXEL.to_vec())
        .typed("image/png")
        .expect(Expect::Refused),
    page("und", "data", "https://api.skerraferries.example/v2", include_str!("../../pages/odd-api.json"))
        .typed("application/json")
        .expect(Expect::Refused),
    page(
        "und",
        "robots",
        "https://panandladle.example/robots.txt",
        include_str!("../../pages/odd-robots.txt"),
    )
    .typed("text/plain; charset=utf-8")
    // Plain text is a page by its type; that this one says nothing is a filter's business.
    .expect(Expect::Junk),
    page("en", "feed", "https://wetboots.example/feed", include_str!("../../pages/odd-feed.xml"))
        .typed("application/rss+xml; charset=utf-8")
        .expect(Expect::Refused),
    page("und", "bomb", "http://bomb.example/", "")
        .made(codings::bomb)
        .coded(Coding::Bomb)
        .expect(Expect::Hostile),
    // Deeper than any author nests, and all that it says is at the bottom.
    page("en", "abyss", "http://abyss.example/", "").made(abyss).expect(Expect::Thin),
    page("en", "minutes", "https://parish.example/2025/11", include_str!("../../pages/odd-flipped.html"))
        .damaged(Damage::Flipped)
        .says("A motion to plant five was defeated by ten votes to nine")
        .expect(Expect::Damaged),
    page("en", "how-to", "https://knots.example/bowline", include_str!("../../pages/odd-overlong.html"))
        .damaged(Damage::Overlong)
        .says("the rabbit that comes out of its hole")
        .expect(Expect::Damaged),
];

/// Nothing can follow it.
pub(super) const LAST: &[Page] = &[page(
    "en",
    "science",
    "https://longtable.example/why-bread-goes-stale/",
    include_str!("../../pages/odd-cut.html"),
)
.damaged(Damage::Cut)
.says("a process that is called retrogradation")
.expect(Expect::Damaged)];

/// A document with one empty page on it.
fn pdf() -> Vec<u8> {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
    ];
    let mut file = "%PDF-1.4\n".to_owned();
    let mut table = "xref\n0 4\n0000000000 65535 f \n".to_owned();
    for (number, object) in (1..).zip(objects) {
        table += &format!("{:010} 00000 n \n", file.len());
        file += &format!("{number} 0 obj\n{object}\nendobj\n");
    }
    let start = file.len();
    file += &format!("{table}trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
    file.into_bytes()
}

fn abyss() -> Vec<u8> {
    let mut html = "<!DOCTYPE html><html><head><title>Down</title></head><body>".to_owned();
    html += &"<div><b>".repeat(DEPTH);
    html += "There is a sentence at the bottom, and nobody has ever come back with it.";
    html += &"</b></div>".repeat(DEPTH);
    html += "</body></html>";
    html.into_bytes()
}
