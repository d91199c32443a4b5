//! What the rows of one or several runs say together: how synthetic each crawl is, and what cleaning a page costs as the
//! crawl grows. Rows in, tables and charts out; where rows are is not known here.
//!
//! Rows of one page follow each other, and their ids begin with that of the page. A page is counted once, and so is what
//! was measured before it became several rows; what was measured of each row counts as that page's. The measures are the
//! fields of the stages `synthetic` and `cleanup`; rows without them only count as pages. Pages that were dropped after a
//! model was paid for them have no rows and are not seen here.

pub mod chart;
pub mod diversity;
pub mod page;
mod rate;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use chart::{Chart, Line, Point};
use diversity::{Diversity, Figures};
pub use rate::{Interval, Rate};

/// The columns that are looked at whatever the meter.
const COLUMNS: [&str; 14] = [
    "id",
    "url",
    "dump",
    "language",
    "host_class",
    "cleanup_scope",
    "prompt_ids",
    "usage",
    "token_count",
    "text",
    "kind",
    "style",
    PAID,
    KEPT,
];
/// What the stage `rephrase` says of a style's replies: tokens of all, and of those that are in the row.
const PAID: &str = "rephrase_tokens_paid";
const KEPT: &str = "rephrase_tokens_kept";
/// Of rows that no model wrote.
const SYNTHETIC: &str = "synthetic";

/// The columns of a meter, which the stage `synthetic` names by its `prefix`.
#[derive(Debug)]
struct Meter {
    period: String,
    words: String,
    hits: String,
}

/// Lines of one chart that can be told apart.
const MAX_LINES: usize = 6;
/// Points of the cost curve: more than a screen has columns for.
const MAX_POINTS: usize = 400;
/// Prompts that are remembered to see which replies were shared. Beyond it a prompt counts as new.
const MAX_PROMPTS: usize = 4_000_000;

/// All of the rows so far.
#[derive(Debug)]
pub struct Survey {
    meter: Meter,
    pages: u64,
    measured: u64,
    page: Page,
    /// By dump, or by month where there is none; for all pages, by language and by class of host.
    all: BTreeMap<String, Rate>,
    languages: BTreeMap<String, BTreeMap<String, Rate>>,
    hosts: BTreeMap<String, BTreeMap<String, Rate>>,
    cost: Cost,
    diversity: Diversity,
    /// Tokens paid and kept, by style.
    spent: BTreeMap<String, (u64, u64)>,
}

/// What is known of a style.
#[derive(Debug)]
pub struct Style {
    pub figures: Figures,
    /// Tokens paid, prompts included, for each token of a reply that was kept; of rows that say.
    pub paid: Option<f64>,
}

/// The page whose rows are being read.
#[derive(Debug, Default)]
struct Page {
    name: Option<String>,
    /// Words and hits that were measured of it.
    measured: BTreeSet<(u64, u64)>,
}

/// What models were asked for the pages, in the order of the rows.
#[derive(Debug, Default)]
struct Cost {
    scopes: BTreeMap<String, u64>,
    paid: BTreeSet<[u8; 8]>,
    /// Tokens asked for and replied, by page: sums over so many pages each.
    curve: Vec<(u64, f64)>,
    stride: u64,
    pages: u64,
    tokens: f64,
}

impl Survey {
    /// Of what the stage `synthetic` has measured under this prefix.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        let column = |name: &str| format!("{prefix}_{name}");
        Self {
            meter: Meter { period: column("period"), words: column("words"), hits: column("hits") },
            pages: 0,
            measured: 0,
            page: Page::default(),
            all: BTreeMap::new(),
            languages: BTreeMap::new(),
            hosts: BTreeMap::new(),
            cost: Cost::default(),
            diversity: Diversity::default(),
            spent: BTreeMap::new(),
        }
    }

    /// The columns that it looks at.
    pub fn columns(&self) -> Vec<String> {
        let Meter { period, words, hits } = &self.meter;
        let all = COLUMNS.into_iter().chain([period.as_str(), words.as_str(), hits.as_str()]);
        all.map(str::to_owned).collect()
    }

    /// Takes one row in.
    pub fn add(&mut self, row: &Map<String, Value>) {
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        let count = |name: &str| row.get(name).and_then(Value::as_u64);
        let name = text("id").or(text("url")).map(page_of);
        let is_new = name.is_none() || name != self.page.name.as_deref();
        if is_new {
            self.pages += 1;
            self.page = Page { name: name.map(str::to_owned), measured: BTreeSet::new() };
        }
        if let (Some(words), Some(hits)) = (count(&self.meter.words), count(&self.meter.hits))
            && self.page.measured.insert((words, hits))
        {
            self.measured += u64::from(self.page.measured.len() == 1);
            // Rows without a name are pages of their own.
            let own = self.pages.to_string();
            let page = name.unwrap_or(&own);
            let dump = text("dump").or(text(&self.meter.period)).unwrap_or("unknown");
            let add = |to: &mut BTreeMap<String, Rate>| {
                to.entry(dump.to_owned()).or_default().add(page, words, hits);
            };
            add(&mut self.all);
            add(self.languages.entry(text("language").unwrap_or("und").to_owned()).or_default());
            add(self.hosts.entry(text("host_class").unwrap_or("unknown").to_owned()).or_default());
        }
        if let (Some(SYNTHETIC), Some(style), Some(rewrite)) = (text("kind"), text("style"), text("text")) {
            let own = self.pages.to_string();
            let id = text("id").unwrap_or(&own);
            self.diversity.add(name.unwrap_or(&own), id, style, rewrite);
            if let (Some(paid), Some(kept)) = (count(PAID), count(KEPT)) {
                let (all_paid, all_kept) = self.spent.entry(style.to_owned()).or_default();
                *all_paid = all_paid.saturating_add(paid);
                *all_kept = all_kept.saturating_add(kept);
            }
        }
        if let Some(scope) = text("cleanup_scope") {
            self.cost.add(is_new.then_some(scope), row);
        }
    }

    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Pages that the stage `synthetic` has measured.
    pub fn measured(&self) -> u64 {
        self.measured
    }

    /// Pages by what cleaned them: the program of their site, one of their own, none.
    pub fn scopes(&self) -> &BTreeMap<String, u64> {
        &self.cost.scopes
    }

    /// The styles in which models have written.
    pub fn styles(&self) -> BTreeMap<&str, Style> {
        let paid = |style: &str| {
            let (paid, kept) = self.spent.get(style)?;
            (0 < *kept).then(|| *paid as f64 / *kept as f64)
        };
        let figures = self.diversity.figures().into_iter();
        figures.map(|(style, figures)| (style, Style { figures, paid: paid(style) })).collect()
    }

    /// The rates of all pages by dump; of those that some language or class of hosts has, by its name.
    pub fn rates(&self) -> Rates<'_> {
        Rates { all: &self.all, languages: &self.languages, hosts: &self.hosts }
    }

    /// The rate of the dumps up to and with these together, which later ones are compared with: those of a year, of a year
    /// and week or month, of a crawl's name. None without such dumps.
    pub fn baseline(&self, last: &str) -> Option<Rate> {
        let last = year_of(last)?;
        let is_early = |year: &str| year <= last || year.starts_with(last);
        let early = self.all.iter().filter(|(dump, _)| year_of(dump).is_some_and(is_early));
        let mut sum: Option<Rate> = None;
        for (_, rate) in early {
            sum.get_or_insert_default().merge(rate);
        }
        sum
    }

    /// Pictures of what there is to see.
    pub fn charts(&self) -> Vec<Chart> {
        let mut charts = Vec::new();
        if !self.all.is_empty() {
            let only = BTreeMap::from([("all pages".to_owned(), self.all.clone())]);
            charts.push(self.over_dumps("Proxy words of synthetic text, per million words", &only));
        }
        for (title, groups) in
            [("Proxy words by language", &self.languages), ("Proxy words by class of host", &self.hosts)]
        {
            if 1 < groups.len() {
                charts.push(self.over_dumps(title, groups));
            }
        }
        charts.extend(self.cost.chart());
        charts
    }

    fn over_dumps(&self, title: &str, groups: &BTreeMap<String, BTreeMap<String, Rate>>) -> Chart {
        let dumps: Vec<&String> = in_time(&self.all).into_iter().map(|(dump, _)| dump).collect();
        let mut by_words: Vec<_> = groups.iter().collect();
        by_words.sort_by_key(|(_, rates)| std::cmp::Reverse(rates.values().map(Rate::words).sum::<u64>()));
        let lines = by_words.into_iter().take(MAX_LINES).map(|(name, rates)| {
            let points = dumps.iter().enumerate().filter_map(|(place, dump)| {
                let Interval { rate, low, high } = rates.get(*dump)?.interval();
                Some(Point { x: place as f64, y: rate, low, high })
            });
            Line { name: name.clone(), points: points.collect() }
        });
        Chart {
            title: title.to_owned(),
            x: "crawl".to_owned(),
            y: "hits per million words".to_owned(),
            lines: lines.collect(),
            names: dumps.into_iter().cloned().collect(),
        }
    }
}

/// Rates by dump.
#[derive(Debug, Clone, Copy)]
pub struct Rates<'a> {
    pub all: &'a BTreeMap<String, Rate>,
    pub languages: &'a BTreeMap<String, BTreeMap<String, Rate>>,
    pub hosts: &'a BTreeMap<String, BTreeMap<String, Rate>>,
}

/// The page that a row is of: the drafts that a page became are named after it.
fn page_of(id: &str) -> &str {
    id.split_once('#').map_or(id, |(page, _)| page)
}

/// The year and what follows it in a crawl's name or a month: `CC-MAIN-2023-14` is `2023-14`.
pub fn year_of(dump: &str) -> Option<&str> {
    let mut rest = dump;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        rest = rest.get(start..)?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 4 {
            return Some(rest);
        }
        rest = rest.get(digits..)?;
    }
    None
}

/// Dumps as they followed each other, whatever they are called.
fn in_time(rates: &BTreeMap<String, Rate>) -> Vec<(&String, &Rate)> {
    let mut dumps: Vec<_> = rates.iter().collect();
    dumps.sort_by_key(|(dump, _)| year_of(dump));
    dumps
}

impl Cost {
    /// A row of a page; with what cleaned it, if it is the page's first.
    fn add(&mut self, scope: Option<&str>, row: &Map<String, Value>) {
        if let Some(scope) = scope {
            *self.scopes.entry(scope.to_owned()).or_default() += 1;
            self.pages += 1;
        }
        let prompts: Vec<&str> = row
            .get("prompt_ids")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let new = prompts.iter().filter(|prompt| self.is_new(prompt)).count();
        let usage = row.get("usage").and_then(Value::as_object);
        let tokens: f64 = usage.into_iter().flat_map(Map::values).filter_map(Value::as_f64).sum();
        // A row says what all of its replies took together; of several, those that others paid for count as their part.
        if !prompts.is_empty() {
            self.tokens += tokens * new as f64 / prompts.len() as f64;
        }
        self.mark();
    }

    fn is_new(&mut self, prompt: &str) -> bool {
        let digest = blake3::hash(prompt.as_bytes());
        let Some(short) = digest.as_bytes().first_chunk::<8>() else { return true };
        if MAX_PROMPTS <= self.paid.len() {
            return !self.paid.contains(short);
        }
        self.paid.insert(*short)
    }

    /// Keeps a point now and then, and every second one when there are too many.
    fn mark(&mut self) {
        let stride = self.stride.max(1);
        match self.curve.last_mut() {
            Some((pages, tokens)) if *pages == self.pages => *tokens = self.tokens,
            _ if self.pages.is_multiple_of(stride) => self.curve.push((self.pages, self.tokens)),
            Some(_) | None => {}
        }
        if MAX_POINTS < self.curve.len() {
            self.stride = stride * 2;
            let stride = self.stride;
            self.curve.retain(|(pages, _)| pages.is_multiple_of(stride));
        }
    }

    fn chart(&self) -> Option<Chart> {
        if self.tokens == 0.0 {
            return None;
        }
        let mean = self.curve.iter().map(|(pages, tokens)| {
            let y = tokens / *pages as f64;
            Point { x: *pages as f64, y, low: y, high: y }
        });
        let mean = Line { name: "all pages so far".to_owned(), points: mean.collect() };
        // A tenth of the curve at a time, or single pages would be all that is to be seen.
        let span = self.curve.len().div_ceil(10).max(1);
        let recent = self.curve.iter().zip(self.curve.iter().skip(span)).map(|(from, to)| {
            let y = (to.1 - from.1) / (to.0 - from.0) as f64;
            Point { x: to.0 as f64, y, low: y, high: y }
        });
        let recent = Line { name: "the last tenth".to_owned(), points: recent.collect() };
        Some(Chart {
            title: "Model tokens per page".to_owned(),
            x: "pages so far".to_owned(),
            y: "model tokens per page".to_owned(),
            names: Vec::new(),
            lines: vec![mean, recent],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn survey(rows: impl IntoIterator<Item = Value>) -> Survey {
        let mut survey = Survey::new("synthetic");
        for row in rows {
            survey.add(row.as_object().unwrap());
        }
        survey
    }

    #[test]
    fn rates_are_by_dump_language_and_host() {
        let row = |id: u32, dump: &str, hits: u32| {
            json!({"id": id.to_string(), "dump": dump, "language": "en", "host_class": "org",
                   "synthetic_words": 1_000, "synthetic_hits": hits})
        };
        let early = (0..50).map(|id| row(id, "CC-MAIN-2022-05", u32::from(id == 0)));
        let late = (50..100).map(|id| row(id, "CC-MAIN-2024-10", 1));
        let survey = survey(early.chain(late).chain([json!({"id": "x"})]));
        assert_eq!((survey.pages(), survey.measured()), (101, 100));
        let rates: Vec<_> = survey.rates().all.values().map(|rate| rate.interval().rate).collect();
        assert_eq!(rates, [20.0, 1000.0]);
        assert_eq!(survey.rates().languages["en"].len(), 2);
        assert_eq!(survey.baseline("2022-49").unwrap().interval().rate, 20.0);
        assert!(survey.baseline("2019").is_none());
        let charts = survey.charts();
        assert_eq!(charts.len(), 1, "one language and one class of host are no comparison");
        assert_eq!(charts[0].names, ["CC-MAIN-2022-05", "CC-MAIN-2024-10"]);
        let point = &charts[0].lines[0].points[1];
        assert!(point.low < point.y && point.y <= point.high, "{point:?}");
    }

    #[test]
    fn the_baseline_is_a_year_a_week_or_a_crawl() {
        let row = |dump: &str, hits: u32| json!({"id": dump, "dump": dump, "synthetic_words": 1_000, "synthetic_hits": hits});
        let survey =
            survey([row("CC-MAIN-2021-49", 1), row("CC-MAIN-2022-05", 2), row("CC-MAIN-2022-49", 4)]);
        let check = |last, hits| assert_eq!(survey.baseline(last).map(|rate| rate.hits()), hits, "{last}");
        check("2022", Some(7));
        check("2022-05", Some(3));
        check("CC-MAIN-2022-05", Some(3));
        check("2021", Some(1));
        check("2020", None);
        check("before", None);
    }

    #[test]
    fn rows_of_a_page_are_one_page() {
        let row = |id: &str, words: u32, hits: u32| json!({"id": id, "synthetic_words": words, "synthetic_hits": hits, "cleanup_scope": "page", "prompt_ids": [id], "usage": {"prompt_tokens": 10}});
        let copied = survey([row("<a>#2.0", 1000, 3), row("<a>#2.1", 1000, 3), row("<b>#2.0", 1000, 5)]);
        assert_eq!((copied.pages(), copied.measured()), (2, 2));
        assert_eq!(copied.rates().all["unknown"].hits(), 8);
        assert_eq!(copied.scopes()["page"], 2);
        assert_eq!(copied.charts().last().unwrap().lines[0].points.last().unwrap().y, 15.0);
        let own = survey([row("<a>#2.0", 1000, 3), row("<a>#2.1", 500, 1)]);
        assert_eq!((own.pages(), own.measured(), own.rates().all["unknown"].words()), (1, 1, 1500));
        let unnamed = survey([
            json!({"synthetic_words": 9, "synthetic_hits": 1}),
            json!({"synthetic_words": 9, "synthetic_hits": 1}),
        ]);
        assert_eq!((unnamed.pages(), unnamed.measured()), (2, 2));
    }

    #[test]
    fn years_are_found_in_names_of_crawls_and_in_months() {
        let check = |dump, year: Option<&str>| assert_eq!(year_of(dump), year, "{dump}");
        check("CC-MAIN-2023-14", Some("2023-14"));
        check("2024-03", Some("2024-03"));
        check("crawl-7", None);
        check("unknown", None);
        check("20231", None);
        let rates = ["2020-01", "CC-MAIN-2019-04", "z"].map(|dump| (dump.to_owned(), Rate::default()));
        let rates = BTreeMap::from(rates);
        let names: Vec<_> = in_time(&rates).into_iter().map(|(dump, _)| dump.as_str()).collect();
        assert_eq!(names, ["z", "CC-MAIN-2019-04", "2020-01"]);
    }

    #[test]
    fn a_reply_that_is_shared_is_paid_for_once() {
        let page = |prompt: &str, scope: &str| json!({"cleanup_scope": scope, "prompt_ids": [prompt], "usage": {"prompt_tokens": 90, "completion_tokens": 10}});
        let own = (0..10).map(|n| page(&format!("own-{n}"), "page"));
        let site = (0..5000).map(|_| page("site", "site"));
        let survey = survey(own.chain(site));
        assert_eq!(survey.scopes(), &BTreeMap::from([("page".to_owned(), 10), ("site".to_owned(), 5000)]));
        let charts = survey.charts();
        let [mean, recent] = charts[0].lines.as_slice() else { panic!("two lines") };
        assert!(mean.points.len() <= MAX_POINTS);
        let last = mean.points.last().unwrap();
        assert!((last.y - 1100.0 / last.x).abs() < 1e-9, "{last:?}");
        assert_eq!(recent.points.last().unwrap().y, 0.0);
    }
}
