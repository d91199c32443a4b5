//! The ledger for machines ([`Report::to_json`]) and for people ([`summary`]).
//!
//! Values in, text out: who counted, who asked and who writes the text to a file are not known here. Apart from the
//! times and from how many replies the journal had already, two runs of the same plan have the same report.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use serde::Serialize;

use crate::ledger::{Flow, Ledger, Total};

/// Terminals and mails have at least as many columns.
const WIDTH: usize = 100;
/// A stage's or a model's name in a table; longer ones are cut.
const MAX_NAME: usize = 24;
/// The most common reasons say what to do; the rest stands in `report.json`.
const TOP_REASONS: usize = 5;

/// What a run was and came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The pipeline's.
    pub name: String,
    /// The program's.
    pub version: String,
    /// What the parts were made by.
    pub identity: String,
    /// Whether every archive has its part; otherwise the run was stopped and can go on.
    pub finished: bool,
    /// Whether all replies had to come from the journal.
    pub replay: bool,
    pub times: Times,
    pub total: Total,
    pub rows: u64,
    /// In the order in which a record passes them.
    pub places: Vec<PlaceFlow>,
    /// Deviations from the standards that cost nothing.
    pub oddities: BTreeMap<String, u64>,
    pub models: Vec<ModelUse>,
    pub spending: Spent,
    pub parts: Vec<PartLine>,
}

/// What all calls in the journal cost, those of earlier runs included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Spent {
    pub requests: u64,
    pub tokens: u64,
    pub dollars: f64,
    /// The most that may have been paid beside that, for calls whose cost nobody knows.
    pub dollars_unsure: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Times {
    pub seconds: f64,
    pub pages_per_second: f64,
    /// How long the readers stood still because the house was full: near `seconds`, the stages or the models are what
    /// a run waits for, and near nothing, the source is.
    pub source_waited_seconds: f64,
    /// Computing in each stage, all workers together, in the order of the stages.
    pub stage_seconds: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceFlow {
    pub place: String,
    pub flow: Flow,
}

/// What was asked of a model in this run, and what it cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ModelUse {
    pub name: String,
    /// Prompts that were sent.
    pub calls: u64,
    /// Prompts whose replies were in the journal, or on their way already.
    pub known: u64,
    /// Prompts that got no reply.
    pub failed: u64,
    /// Of the calls.
    pub prompt_tokens: u64,
    /// Of the prompts' tokens, what the server had in its cache.
    pub cached_tokens: u64,
    pub completion_tokens: u64,
    /// Replies whose tokens the server did not count.
    pub usage_estimated: u64,
    /// Calls beyond the first one of each prompt.
    pub retries: u64,
    /// How many calls could be under way at once in the end: what the gate found to do any good.
    pub at_once: u64,
    /// Seconds that prompts waited for limits, and for busy or broken servers; many wait at once.
    pub waited_seconds: f64,
    /// Of the calls; unknown without a price.
    pub dollars: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartLine {
    pub part: String,
    pub archive: String,
    pub rows: u64,
    pub bytes: u64,
    /// Made by an earlier run and kept.
    pub kept: bool,
}

/// What a report says beside the books.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub name: String,
    pub version: String,
    pub identity: String,
    pub finished: bool,
    pub replay: bool,
    pub seconds: f64,
    pub source_waited_seconds: f64,
    pub stage_seconds: Vec<f64>,
    pub models: Vec<ModelUse>,
    pub spending: Spent,
    pub parts: Vec<PartLine>,
}

impl Report {
    /// `ledger` is the sum of the parts' books; `fresh` is what of it this run did itself, for its speed.
    pub fn new(facts: Facts, ledger: &Ledger, fresh: &Ledger) -> Self {
        let place = |place: &str, flow: &Flow| PlaceFlow { place: place.to_owned(), flow: flow.clone() };
        let mut places = vec![place("records", &ledger.records), place("pages", &ledger.pages)];
        places.extend(ledger.stages.iter().map(|stage| place(&stage.stage, &stage.flow)));
        let pages_per_second =
            if 0.0 < facts.seconds { fresh.pages.taken as f64 / facts.seconds } else { 0.0 };
        Self {
            name: facts.name,
            version: facts.version,
            identity: facts.identity,
            finished: facts.finished,
            replay: facts.replay,
            times: Times {
                seconds: facts.seconds,
                pages_per_second,
                source_waited_seconds: facts.source_waited_seconds,
                stage_seconds: facts.stage_seconds,
            },
            total: ledger.total.clone(),
            rows: ledger.rows,
            places,
            oddities: ledger.oddities.clone(),
            models: facts.models,
            spending: facts.spending,
            parts: facts.parts,
        }
    }

    pub fn to_json(&self) -> String {
        let mut json =
            serde_json::to_string_pretty(self).expect("no map of a report has keys other than strings");
        json.push('\n');
        json
    }
}

/// A report for the terminal: plain text of at most 100 columns.
pub fn summary(report: &Report) -> String {
    let mut text = String::new();
    write_summary(&mut text, report).expect("writing to a string cannot fail");
    text
}

fn write_summary(to: &mut String, report: &Report) -> fmt::Result {
    let how = match (report.finished, report.replay) {
        (true, true) => "replayed",
        (true, false) => "finished",
        (false, _) => "stopped",
    };
    let Times { seconds, pages_per_second, .. } = report.times;
    let name = shown(&report.name);
    writeln!(to, "{name}: {how} after {seconds:.1} s, {pages_per_second:.1} pages/s\n")?;
    write_funnel(to, &report.places)?;
    let Total { read, written, dropped, failed } = &report.total;
    writeln!(
        to,
        "\n{} records read = {} written + {} dropped + {} failed",
        grouped(*read),
        grouped(*written),
        grouped(*dropped),
        grouped(*failed)
    )?;
    let bytes: u64 = report.parts.iter().map(|part| part.bytes).sum();
    let parts = counted(report.parts.len() as u64, "part");
    write!(to, "{} in {parts}, {} bytes", counted(report.rows, "row"), grouped(bytes))?;
    let kept = report.parts.iter().filter(|part| part.kept).count();
    if 0 < kept {
        write!(to, "; {} kept from an earlier run", counted(kept as u64, "part"))?;
    }
    to.write_char('\n')?;
    if !report.oddities.is_empty() {
        writeln!(to, "oddities  {}", reasons(&report.oddities, WIDTH - 10))?;
    }
    if !report.models.is_empty() {
        to.write_char('\n')?;
        write_models(to, &report.models)?;
        write_spending(to, report)?;
    }
    if !report.finished {
        to.write_str("\nwhat was done is kept: the same command goes on from here\n")?;
    }
    Ok(())
}

/// The traffic through each place, and below it the most common reasons of those that did not get through.
fn write_funnel(to: &mut String, places: &[PlaceFlow]) -> fmt::Result {
    let names = places.iter().map(|place| shown(&place.place));
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0).max("place".len());
    writeln!(
        to,
        "{:width$}  {:>13}{:>13}{:>13}{:>13}{:>13}",
        "place", "taken", "passed", "dropped", "failed", "emitted"
    )?;
    for PlaceFlow { place, flow } in places {
        let numbers = [flow.taken, flow.passed, flow.dropped_total(), flow.failed_total(), flow.emitted];
        write!(to, "{:width$}  ", shown(place))?;
        for number in numbers {
            write!(to, "{:>13}", grouped(number))?;
        }
        to.write_char('\n')?;
        for (word, counts) in [("dropped", &flow.dropped), ("failed", &flow.failed)] {
            if !counts.is_empty() {
                let lead = format!("{:width$}  {word}: ", "");
                writeln!(to, "{lead}{}", reasons(counts, WIDTH - lead.chars().count()))?;
            }
        }
    }
    Ok(())
}

fn write_models(to: &mut String, models: &[ModelUse]) -> fmt::Result {
    let names = models.iter().map(|model| shown(&model.name));
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0).max("model".len());
    writeln!(
        to,
        "{:width$}  {:>11}{:>11}{:>9}{:>16}{:>16}{:>11}",
        "model", "calls", "known", "failed", "prompt tok", "reply tok", "dollars"
    )?;
    for model in models {
        let dollars = model.dollars.map_or("unknown".to_owned(), |dollars| format!("{dollars:.2}"));
        writeln!(
            to,
            "{:width$}  {:>11}{:>11}{:>9}{:>16}{:>16}{dollars:>11}",
            shown(&model.name),
            grouped(model.calls),
            grouped(model.known),
            grouped(model.failed),
            grouped(model.prompt_tokens),
            grouped(model.completion_tokens)
        )?;
    }
    Ok(())
}

/// What the journal has cost, where that is more than this run.
fn write_spending(to: &mut String, report: &Report) -> fmt::Result {
    let Spent { requests, tokens, dollars, dollars_unsure } = report.spending;
    let calls: u64 = report.models.iter().map(|model| model.calls).sum();
    if dollars_unsure == 0.0 && (dollars == 0.0 || requests <= calls) {
        return Ok(());
    }
    let (requests, tokens) = (counted(requests, "request"), counted(tokens, "token"));
    write!(to, "with earlier runs: {requests}, {tokens}, ${dollars:.2}")?;
    if 0.0 < dollars_unsure {
        write!(to, "; costs unknown: ${dollars_unsure:.2} at most")?;
    }
    to.write_char('\n')
}

/// "12 empty, 3 short, and 2 more", the most common first, within a width.
fn reasons(counts: &BTreeMap<String, u64>, width: usize) -> String {
    let mut sorted: Vec<(&String, &u64)> = counts.iter().collect();
    sorted.sort_by(|(one, few), (other, many)| many.cmp(few).then(one.cmp(other)));
    let mut text = String::new();
    let mut told = 0;
    for (reason, count) in sorted.iter().take(TOP_REASONS) {
        let comma = if told == 0 { "" } else { ", " };
        let next = format!("{comma}{} {}", grouped(**count), printable(reason));
        let rest = sorted.len() - told - 1;
        let more = if rest == 0 { String::new() } else { format!(", and {rest} more") };
        if 0 < told && width < text.chars().count() + next.chars().count() + more.chars().count() {
            break;
        }
        text.push_str(&next);
        told += 1;
    }
    if told < sorted.len() {
        text.push_str(&format!(", and {} more", sorted.len() - told));
    }
    text
}

/// A name as far as a table has room for it.
fn shown(name: &str) -> String {
    let name = printable(name);
    if name.chars().count() <= MAX_NAME {
        return name;
    }
    name.chars().take(MAX_NAME - 1).chain(['…']).collect()
}

/// Reasons are plugins' words: they must not be able to command the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if 0 < index && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Fate, Outcome, Place};

    fn ledger() -> Ledger {
        let mut ledger = Ledger::new(["extract", "a-stage-with-a-name-that-is-too-long"]);
        for number in 0_usize..1200 {
            let mut fate = Fate::default();
            fate.step(Place::Records, Outcome::Passed(1));
            fate.step(Place::Pages, Outcome::Passed(1));
            match number {
                0..100 => fate.step(Place::Stage(0), Outcome::Dropped(format!("reason-{}", number % 7))),
                100..103 => fate.step(Place::Stage(0), Outcome::Failed("trap\u{1b}[2J".to_owned())),
                _ => {
                    fate.step(Place::Stage(0), Outcome::Passed(2));
                    fate.step(Place::Stage(1), Outcome::Passed(1));
                    fate.step(Place::Stage(1), Outcome::Dropped("dull".to_owned()));
                    fate.wrote(1);
                    fate.oddity("bare_newline");
                }
            }
            ledger.settle(&fate);
        }
        ledger.audit().unwrap();
        ledger
    }

    fn facts() -> Facts {
        let part = |part: &str, rows, kept| PartLine {
            part: part.to_owned(),
            archive: format!("crawl/{part}.warc.gz"),
            rows,
            bytes: 1_500_000,
            kept,
        };
        Facts {
            name: "quickstart".to_owned(),
            version: "0.1.0".to_owned(),
            identity: "00ff".to_owned(),
            finished: true,
            replay: false,
            seconds: 12.5,
            source_waited_seconds: 3.25,
            stage_seconds: vec![1.5],
            models: vec![
                ModelUse {
                    name: "writer".to_owned(),
                    calls: 2194,
                    known: 12,
                    failed: 3,
                    prompt_tokens: 1_234_567,
                    completion_tokens: 98_765,
                    dollars: Some(0.163),
                    ..ModelUse::default()
                },
                ModelUse { name: "small".to_owned(), ..ModelUse::default() },
            ],
            spending: Spent { requests: 2300, tokens: 1_500_000, dollars: 0.181, dollars_unsure: 0.004 },
            parts: vec![part("a", 1000, false), part("b", 97, true)],
        }
    }

    fn report(facts: Facts) -> Report {
        Report::new(facts, &ledger(), &ledger())
    }

    #[test]
    fn people_get_a_table() {
        let said = summary(&report(facts()));
        let expected = "\
quickstart: finished after 12.5 s, 96.0 pages/s

place                             taken       passed      dropped       failed      emitted
records                           1,200        1,200            0            0        1,200
pages                             1,200        1,200            0            0        1,200
extract                           1,200        1,097          100            3        2,194
                          dropped: 15 reason-0, 15 reason-1, 14 reason-2, 14 reason-3, and 3 more
                          failed: 3 trap?[2J
a-stage-with-a-name-tha…          2,194        1,097        1,097            0        1,097
                          dropped: 1,097 dull

1,200 records read = 1,097 written + 100 dropped + 3 failed
1,097 rows in 2 parts, 3,000,000 bytes; 1 part kept from an earlier run
oddities  1,097 bare_newline

model         calls      known   failed      prompt tok       reply tok    dollars
writer        2,194         12        3       1,234,567          98,765       0.16
small             0          0        0               0               0    unknown
with earlier runs: 2,300 requests, 1,500,000 tokens, $0.18; costs unknown: $0.00 at most
";
        assert_eq!(said, expected, "it says:\n{said}");
        assert!(said.lines().all(|line| line.chars().count() <= WIDTH), "{said}");
    }

    #[test]
    fn a_stopped_run_says_how_to_go_on() {
        let said = summary(&report(Facts { finished: false, ..facts() }));
        assert!(said.starts_with("quickstart: stopped after"), "{said}");
        assert!(said.ends_with("the same command goes on from here\n"), "{said}");
    }

    #[test]
    fn machines_get_every_number() {
        let json: serde_json::Value = serde_json::from_str(&report(facts()).to_json()).unwrap();
        assert_eq!(
            json["total"],
            serde_json::json!({ "read": 1200, "written": 1097, "dropped": 100, "failed": 3 })
        );
        assert_eq!(json["places"][2]["flow"]["dropped"].as_object().unwrap().len(), 7);
        assert_eq!(json["times"]["pages_per_second"], 96.0);
        assert_eq!(json["models"][1]["dollars"], serde_json::Value::Null);
        assert_eq!(json["parts"][1]["archive"], "crawl/b.warc.gz");
    }

    #[test]
    fn a_run_without_time_or_models_has_a_report_too() {
        let bare = Facts { seconds: 0.0, models: Vec::new(), parts: Vec::new(), ..facts() };
        let said = summary(&Report::new(bare, &Ledger::new([]), &Ledger::new([])));
        assert!(said.contains("after 0.0 s, 0.0 pages/s"), "{said}");
        assert!(said.contains("0 rows in 0 parts"), "{said}");
    }

    #[test]
    fn a_long_list_of_reasons_stays_within_its_line() {
        for width in [40, 60, 90] {
            let counts = (0..9).map(|number| (format!("{number}-{}", "x".repeat(20)), number)).collect();
            let text = reasons(&counts, width);
            assert!(text.chars().count() <= width, "{width}: {text}");
            assert!(text.starts_with("8 8-x") && text.ends_with(" more"), "{text}");
        }
    }
}
