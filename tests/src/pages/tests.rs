use std::collections::BTreeSet;

use super::*;

fn texts(language: &str) -> usize {
    all().filter(|page| page.language == language && page.expect == Expect::Text).count()
}

#[track_caller]
fn at_least(least: usize, what: &str, found: usize) {
    assert!(found >= least, "{what}: {found} of at least {least}");
}

fn squashed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn there_are_enough_pages_of_every_kind() {
    let genres: BTreeSet<_> =
        all().filter(|page| page.expect == Expect::Text).map(|page| page.genre).collect();
    at_least(26, "pages in English", texts("en"));
    for language in ["de", "fr", "es", "ru", "ja"] {
        at_least(3, language, texts(language));
    }
    at_least(40, "pages with a text", all().filter(|page| page.expect == Expect::Text).count());
    at_least(25, "genres", genres.len());
    for (kind, least) in [(Expect::Thin, 5), (Expect::Junk, 3), (Expect::Refused, 6), (Expect::Hostile, 1)] {
        at_least(least, &format!("{kind:?}"), all().filter(|page| page.expect == kind).count());
    }
}

#[test]
fn there_is_every_coding_charset_and_damage() {
    let codings: BTreeSet<_> = all().map(|page| format!("{:?}", page.coding)).collect();
    let charsets: BTreeSet<_> = all().map(|page| format!("{:?}", page.charset)).collect();
    let damages: BTreeSet<_> = all().map(|page| format!("{:?}", page.damage)).collect();
    assert_eq!((codings.len(), charsets.len(), damages.len()), (11, 6, 5), "a variant that no page has");
}

#[test]
fn the_english_pages_have_substance() {
    for page in english::PAGES {
        at_least(300, page.url, words(page.text().unwrap()));
    }
}

/// Without tags, scripts and styles; enough for counting.
fn words(html: &str) -> usize {
    let mut hidden = false;
    let mut count = 0;
    for (tag, text) in html.split('<').filter_map(|piece| piece.split_once('>')) {
        hidden = tag.starts_with("script") || tag.starts_with("style") || (hidden && !tag.starts_with('/'));
        if !hidden {
            count += text.split_whitespace().count();
        }
    }
    count
}

#[test]
fn what_a_page_says_is_on_it() {
    for page in all() {
        let Some(text) = page.text() else { continue };
        let text = squashed(text);
        assert!(text.contains(page.says), "{}: {}", page.url, page.says);
        assert!(text.contains(page.furniture), "{}: {}", page.url, page.furniture);
        assert!(!page.says.is_empty() || page.expect != Expect::Text, "{} says nothing", page.url);
    }
}

#[test]
fn every_text_can_be_written_in_its_charset() {
    for page in all() {
        let (Some(text), Some(encoding)) =
            (page.text(), encoding_rs::Encoding::for_label(page.charset.name().as_bytes()))
        else {
            continue;
        };
        let bytes = page.charset.encode(text);
        let (decoded, _, damaged) = encoding.decode(&bytes);
        assert!(decoded == text && !damaged, "{}", page.url);
    }
}

#[test]
fn addresses_are_reserved_and_unique() {
    let urls: BTreeSet<_> = all().map(|page| page.url).collect();
    assert_eq!(urls.len(), all().count());
    for page in all() {
        assert!(page.host().ends_with(".example"), "{}", page.url);
    }
}
