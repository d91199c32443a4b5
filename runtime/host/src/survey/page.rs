//! The survey for people: as text for a terminal, and as a page with its pictures in it.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::chart::ChartError;
use super::{Rate, Style, Survey, in_time};

/// Languages and classes of hosts that have rows of their own; the others are in the sums.
const MAX_GROUPS: usize = 10;

struct Table {
    title: String,
    head: [&'static str; 6],
    rows: Vec<Row>,
}

struct Row {
    name: String,
    cells: [String; 6],
}

/// What is said of a dump.
const RATES: [&str; 6] = ["pages", "words", "hits", "per million", "95 % interval", "of the baseline"];
/// What is said of a style.
const STYLES: [&str; 6] =
    ["rows", "begin alike", "distinct-1 2 3", "compression", "pairs alike", "paid per kept"];

/// The tables as text. `baseline` is the last dump of the time before.
pub fn text(survey: &Survey, baseline: &str) -> String {
    let mut text = format!("{} pages", survey.pages());
    if 0 < survey.measured() {
        write!(text, ", {} of them measured for synthetic text", survey.measured()).ok();
    }
    text.push('\n');
    for Table { title, head, rows } in tables(survey, baseline) {
        let width =
            rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(title.chars().count());
        write!(text, "\n{title:width$}").ok();
        head.iter().for_each(|head| {
            write!(text, "  {head:>16}").ok();
        });
        text.push('\n');
        for row in rows {
            write!(text, "{:width$}", row.name).ok();
            row.cells.iter().for_each(|cell| {
                write!(text, "  {cell:>16}").ok();
            });
            text.push('\n');
        }
    }
    if !survey.scopes().is_empty() {
        text.push_str("\ncleaned by\n");
        for (scope, pages) in survey.scopes() {
            writeln!(text, "  {scope:8} {pages:>10} pages").ok();
        }
    }
    text
}

/// One file that needs nothing beside it.
pub fn html(survey: &Survey, baseline: &str) -> Result<String, ChartError> {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Palimpsest report</title>\n<style>\n\
         body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem }\n\
         table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .2rem .8rem; text-align: right }\n\
         td:first-child, th:first-child { text-align: left } tr { border-bottom: 1px solid #ddd }\n\
         svg { max-width: 100%; height: auto }\n</style></head><body>\n<h1>Palimpsest report</h1>\n",
    );
    writeln!(
        page,
        "<p>{} pages, {} of them measured for synthetic text.</p>",
        survey.pages(),
        survey.measured()
    )
    .ok();
    for chart in survey.charts() {
        writeln!(page, "<figure>{}</figure>", chart.svg()?).ok();
    }
    for Table { title, head, rows } in tables(survey, baseline) {
        write!(page, "<table><tr><th>{}</th>", escaped(&title)).ok();
        head.iter().for_each(|head| {
            write!(page, "<th>{head}</th>").ok();
        });
        page.push_str("</tr>\n");
        for row in rows {
            write!(page, "<tr><td>{}</td>", escaped(&row.name)).ok();
            row.cells.iter().for_each(|cell| {
                write!(page, "<td>{}</td>", escaped(cell)).ok();
            });
            page.push_str("</tr>\n");
        }
        page.push_str("</table>\n");
    }
    for (scope, pages) in survey.scopes() {
        writeln!(page, "<p>Cleaned by {}: {pages} pages.</p>", escaped(scope)).ok();
    }
    page.push_str("</body></html>\n");
    Ok(page)
}

fn tables(survey: &Survey, baseline: &str) -> Vec<Table> {
    let rates = survey.rates();
    let base = survey.baseline(baseline).map(|rate| rate.interval().rate).filter(|rate| 0.0 < *rate);
    let mut tables = Vec::new();
    let rates_of = |title: &str, rows| Table { title: title.to_owned(), head: RATES, rows };
    let rows = |rates: &BTreeMap<String, Rate>| -> Vec<Row> {
        in_time(rates).into_iter().map(|(dump, rate)| row(dump.clone(), rate, base)).collect()
    };
    if !rates.all.is_empty() {
        tables.push(rates_of("crawl", rows(rates.all)));
    }
    for (title, groups) in [("language", rates.languages), ("host class", rates.hosts)] {
        if groups.len() < 2 {
            continue;
        }
        let mut sums: Vec<(String, Rate)> = groups
            .iter()
            .map(|(name, rates)| {
                let mut sum = Rate::default();
                rates.values().for_each(|rate| sum.merge(rate));
                (name.clone(), sum)
            })
            .collect();
        sums.sort_by_key(|(_, rate)| std::cmp::Reverse(rate.words()));
        let rows = sums.into_iter().take(MAX_GROUPS).map(|(name, rate)| row(name, &rate, base));
        tables.push(rates_of(title, rows.collect()));
    }
    let styles: Vec<Row> = survey.styles().into_iter().map(|(name, style)| style_row(name, &style)).collect();
    if !styles.is_empty() {
        tables.push(Table { title: "style".to_owned(), head: STYLES, rows: styles });
    }
    tables
}

fn style_row(name: &str, style: &Style) -> Row {
    let Style { figures, paid } = style;
    Row {
        name: name.to_owned(),
        cells: [
            figures.rows.to_string(),
            format!("{:.0} in 1000", figures.openings),
            figures.distinct.map(|share| format!("{share:.2}")).join(" "),
            format!("{:.2} ×", figures.compression),
            format!("{:.1} %", 100.0 * figures.alike),
            paid.map_or_else(|| "–".to_owned(), |paid| format!("{paid:.1}")),
        ],
    }
}

fn row(name: String, rate: &Rate, base: Option<f64>) -> Row {
    let interval = rate.interval();
    let ratio = base.map_or_else(|| "–".to_owned(), |base| format!("{:.2} ×", interval.rate / base));
    Row {
        name,
        cells: [
            rate.pages().to_string(),
            rate.words().to_string(),
            rate.hits().to_string(),
            format!("{:.1}", interval.rate),
            format!("{:.1} – {:.1}", interval.low, interval.high),
            ratio,
        ],
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_survey_is_told_in_both_forms() {
        let mut survey = Survey::new("synthetic");
        for id in 0..200 {
            let (dump, hits, language) =
                if id < 100 { ("CC-MAIN-2021-04", id / 99, "en") } else { ("CC-MAIN-2025-05", 1, "<de>") };
            let row = json!({"id": id.to_string(), "dump": dump, "language": language, "host_class": "com",
                             "synthetic_words": 500, "synthetic_hits": hits, "cleanup_scope": "site"});
            survey.add(row.as_object().unwrap());
        }
        let told = text(&survey, "2022");
        assert!(told.starts_with("200 pages, 200 of them measured"), "{told}");
        assert!(
            told.contains("CC-MAIN-2025-05") && told.contains("100.00 ×") && told.contains("2000.0"),
            "{told}"
        );
        assert!(told.contains("site            200 pages"), "{told}");
        let page = html(&survey, "2022").unwrap();
        assert!(page.contains("<svg") && page.contains("&lt;de&gt;") && !page.contains("<de>"), "{page}");
        assert!(!text(&Survey::new("synthetic"), "2022").contains("crawl"));
        let row = |n: u32| {
            json!({"id": format!("{n}#2.0"), "kind": "synthetic", "style": "wrap_easy", "text": format!("The same words {n}"),
                   "rephrase_tokens_paid": 300, "rephrase_tokens_kept": 100})
        };
        (0..10).for_each(|n| survey.add(row(n).as_object().unwrap()));
        let told = text(&survey, "2022");
        let line = told.lines().find(|line| line.starts_with("wrap_easy")).unwrap();
        assert!(line.ends_with("3.0") && line.contains("100 in 1000"), "{told}");
    }
}
