//! What the writer of a site's program is shown: the lines that several of the site's pages have, numbered, and some that
//! only one has, so that it sees what the pages are about.

use std::collections::BTreeMap;

use super::pattern::mask;
use super::sample::Sample;

/// The most lines to choose from; menus that are longer are shown in part. Half of all pages have fewer lines in full.
const MAX_ROWS: usize = 200;

/// The most lines shown for comparison.
const MAX_OTHERS: usize = 8;

/// What is shown of a line.
const SHOWN_CHARS: usize = 100;

/// The lines of a site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Listing {
    /// Masks, in the order in which they stand on pages.
    pub rows: Vec<Row>,
    pub others: Vec<String>,
    /// Of how many pages.
    pub pages: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub mask: String,
    /// On how many of the pages it stands.
    pub pages: usize,
}

impl Listing {
    /// `tokens` is what a shown line costs of `most`.
    pub(super) fn new(samples: &[Sample], most: u32, tokens: impl Fn(&str) -> u32) -> Self {
        let mut found: BTreeMap<String, Found> = BTreeMap::new();
        for (page, sample) in samples.iter().enumerate() {
            for (line, text) in sample.texts().enumerate() {
                // What has no letter is no line to know a site by: numbers, rules, arrows.
                let mask = mask(text);
                if mask.chars().any(char::is_alphabetic) {
                    let place = Place { page, line };
                    found.entry(mask).or_insert(Found { first: place, last: None, pages: 0 }).count(page);
                }
            }
        }
        let (mut rows, mut others): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(_, found)| 1 < found.pages);
        rows.sort_by(|(_, one), (_, other)| other.pages.cmp(&one.pages).then(one.first.cmp(&other.first)));
        rows.truncate(MAX_ROWS);
        let mut used = 0_u32;
        rows.retain(|(mask, _)| {
            used = used.saturating_add(tokens(&shown(mask)));
            used <= most
        });
        rows.sort_by_key(|(_, found)| found.first);
        others.sort_by_key(|(_, found)| found.first);
        let step = others.len().div_ceil(MAX_OTHERS).max(1);
        Self {
            rows: rows.into_iter().map(|(mask, found)| Row { mask, pages: found.pages }).collect(),
            others: others.into_iter().step_by(step).map(|(mask, _)| shown(&mask)).collect(),
            pages: samples.len(),
        }
    }

    /// The rows as lines of text.
    pub(super) fn lines(&self) -> Vec<String> {
        self.rows.iter().map(|row| shown(&row.mask)).collect()
    }
}

fn shown(mask: &str) -> String {
    mask.chars().take(SHOWN_CHARS).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    page: usize,
    line: usize,
}

struct Found {
    first: Place,
    last: Option<usize>,
    pages: usize,
}

impl Found {
    fn count(&mut self, page: usize) {
        if self.last.replace(page) != Some(page) {
            self.pages += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pages: &[&str], most: u32, rows: &str, others: &str) {
        let samples: Vec<_> = pages.iter().map(|page| Sample::new(&page.replace('|', "\n"))).collect();
        let listing = Listing::new(&samples, most, |line| line.split(' ').count().try_into().unwrap());
        let shown: Vec<_> = listing.rows.iter().map(|row| format!("{} {}", row.pages, row.mask)).collect();
        assert_eq!((shown.join("|"), listing.others.join("|")), (rows.to_owned(), others.to_owned()));
    }

    #[test]
    fn lines_of_several_pages_are_listed_as_they_stand() {
        let pages = ["Home|One|Home|Page 1|Bye", "Home|Two|Page 2|Bye", "Home|Three|---|Bye"];
        check(&pages, 100, "3 Home|2 Page #|3 Bye", "One|Two|Three");
        check(&pages, 3, "3 Home|3 Bye", "One|Two|Three");
        check(&["Home|One"], 100, "", "Home|One");
        check(&[], 100, "", "");
    }

    #[test]
    fn long_sites_are_listed_in_part() {
        let letter = |number: u8| char::from(b'a' + number);
        let page: String = (0..500_u16)
            .map(|line| {
                [letter((line / 26) as u8), letter((line % 26) as u8), '\n'].iter().collect::<String>()
            })
            .collect();
        let listing = Listing::new(&[Sample::new(&page), Sample::new(&page)], u32::MAX, |_| 1);
        assert_eq!(listing.rows.len(), MAX_ROWS);
        let listing = Listing::new(&[Sample::new(&page)], u32::MAX, |_| 1);
        assert_eq!((listing.rows.len(), listing.others.len()), (0, MAX_OTHERS));
    }
}
