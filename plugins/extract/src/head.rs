//! What a page says of itself: its title, its language, and the day it was published.
//!
//! Nothing of it is guessed from the text.

mod day;

use serde_json::Value;

use crate::dom::Head;
use crate::text;
use day::Day;

/// A title longer than this is a text.
const MAX_TITLE_CHARS: usize = 500;

/// Names under which pages give the day of publication, the plainest first.
const PUBLISHED: [&str; 17] = [
    "article:published_time",
    "og:article:published_time",
    "datepublished",
    "citation_publication_date",
    "dc.date.issued",
    "dcterms.issued",
    "dcterms.created",
    "dc.date.created",
    "parsely-pub-date",
    "sailthru.date",
    "publish_date",
    "publishdate",
    "publish-date",
    "pubdate",
    "dc.date",
    "dcterms.date",
    "date",
];

pub(crate) fn title(head: &Head) -> Option<String> {
    let meta = |key: &str| head.metas.iter().find(|(name, _)| name == key).map(|(_, title)| title.as_str());
    let titles = [meta("og:title"), Some(head.title.as_str()), meta("twitter:title"), meta("dc.title")];
    let title = titles.into_iter().flatten().map(text::line).find(|title| !title.is_empty())?;
    Some(title.chars().take(MAX_TITLE_CHARS).collect())
}

/// A language tag of RFC 5646, or something of that form.
pub(crate) fn lang(head: &Head) -> Option<String> {
    let lang = head.lang.as_deref()?.trim();
    let is_tag = lang
        .split('-')
        .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    (is_tag && lang.len() <= 35).then(|| lang.to_owned())
}

/// The day of publication in ISO 8601, where the page says one that is not after its capture. `around` are the nodes
/// that the day of a text without other data would stand between.
pub(crate) fn published(head: &Head, captured: &str, around: (u32, u32)) -> Option<String> {
    let last = Day::parse(captured).map(Day::latest);
    let day = |text: &str| Day::parse(text).filter(|day| last.is_none_or(|last| *day <= last));
    let meta = PUBLISHED.iter().find_map(|name| {
        let mut said = head.metas.iter().filter(|(key, _)| key == name);
        said.find_map(|(_, value)| day(value))
    });
    let data = || {
        let mut said = head.data.iter().filter_map(|source| serde_json::from_str::<Value>(source).ok());
        said.find_map(|data| first(&data, "datePublished").and_then(day))
    };
    meta.or_else(data).or_else(|| time(head, day, around)).map(Day::iso)
}

/// The first value of the key, wherever in the data it is.
fn first<'a>(data: &'a Value, key: &str) -> Option<&'a str> {
    match data {
        Value::Object(fields) => (fields.get(key).and_then(Value::as_str))
            .or_else(|| fields.values().find_map(|value| first(value, key))),
        Value::Array(values) => values.iter().find_map(|value| first(value, key)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The first time beside the beginning of the text, or the only day that the page's times name.
fn time(head: &Head, day: impl Fn(&str) -> Option<Day>, (from, to): (u32, u32)) -> Option<Day> {
    let mut times = head.times.iter().filter_map(|(node, time)| Some((*node, day(time)?)));
    if let Some((_, day)) = times.clone().find(|(node, _)| (from..to).contains(node)) {
        return Some(day);
    }
    let (_, first) = times.next()?;
    times.all(|(_, other)| other == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use crate::dom::{self, marks::Finder};

    use super::*;

    #[track_caller]
    fn check(html: &str, day: Option<&str>) {
        let tree = dom::build(html, &Finder::new());
        assert_eq!(published(&tree.head, "2026-10-01T12:00:00Z", (0, 0)).as_deref(), day, "{html:?}");
    }

    #[test]
    fn days_of_publication_are_found() {
        check("<meta property='article:published_time' content='2019-11-19T10:00:00Z'>", Some("2019-11-19"));
        check("<meta name=Date content='Nov 19, 2019'>", Some("2019-11-19"));
        check(
            "<script type='application/ld+json'>{\"@graph\": [{\"a\": 1}, {\"datePublished\": \"2019-11-19\"}]}</script>",
            Some("2019-11-19"),
        );
        check("<p><time datetime='2019-11-19'>today</time>", Some("2019-11-19"));
        check("<p><time datetime=2019-11-19>a</time><time datetime=2018-01-01>b</time>", None);
    }

    #[test]
    fn days_that_cannot_be_are_none() {
        check("<meta name=date content='2026-10-02'>", Some("2026-10-02"));
        check("<meta name=date content='2026-10-03'>", None);
        check(
            "<meta name=date content='0000-00-00'><meta name=dc.date content=2019-11-19>",
            Some("2019-11-19"),
        );
        check("<script type='application/ld+json'>{\"datePublished\": </script>", None);
        let deep = format!("<script type='application/ld+json'>{}</script>", "[".repeat(100_000));
        check(&deep, None);
    }

    #[test]
    fn titles_are_one_line() {
        let check = |html: &str, title: Option<&str>| {
            let tree = dom::build(html, &Finder::new());
            assert_eq!(super::title(&tree.head).as_deref(), title);
        };
        check("<title> a &amp;\n b </title>", Some("a & b"));
        check("<title>a | site</title><meta property=og:title content='a'>", Some("a"));
        check("<title></title>", None);
        check("<svg><title>x</title></svg><title>y</title>", Some("y"));
    }
}
