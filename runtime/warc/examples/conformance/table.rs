//! What this reader, warcio and FastWARC make of each file of a folder. What the others make of it was written down before,
//! in the folder's `conformance.tsv`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use palimpsest_warc::{Entry, Limits, Reader};

const HEADER: &str = "\
| file | whole records | damage and oddities | warcio 1.8.1 | FastWARC 2.0.1 |
|---|---|---|---|---|
";
const FILE: &str = "file";
const PEERS: [[&str; 2]; 2] = [["warcio_records", "warcio_error"], ["fastwarc_records", "fastwarc_error"]];

/// The table, with a row for each file and one for all of them.
pub(crate) fn table(folder: &Path) -> io::Result<String> {
    let text = fs::read_to_string(folder.join("conformance.tsv"))?;
    let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let names = lines.next().unwrap_or_default();
    let mut table = HEADER.to_owned();
    let mut sums = [0; 3];
    for fields in lines {
        let field = |name: &str| {
            let at = names.iter().position(|known| *known == name);
            at.and_then(|at| fields.get(at).copied())
                .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, format!("no column `{name}`")))
        };
        let file = field(FILE)?;
        let (records, notes) = ours(&folder.join(file))?;
        let mut row = vec![file.to_owned(), listed(&records), listed(&notes)];
        sums[0] += records.values().sum::<u64>();
        for (sum, [records, error]) in sums[1..].iter_mut().zip(PEERS) {
            let (records, error) = (field(records)?, field(error)?);
            *sum += counted(records);
            row.push(theirs(records, error));
        }
        push(&mut table, &row);
    }
    let [ours, warcio, fastwarc] = sums.map(|sum| sum.to_string());
    push(&mut table, &["all".to_owned(), ours, String::new(), warcio, fastwarc]);
    Ok(table)
}

fn push(table: &mut String, row: &[String]) {
    table.push_str(&format!("| {} |\n", row.join(" | ")));
}

type Counts = BTreeMap<String, u64>;

/// Undamaged records by type, and how often which word was said of any entry.
fn ours(archive: &Path) -> io::Result<(Counts, Counts)> {
    let (mut records, mut notes) = (Counts::new(), Counts::new());
    for entry in Reader::new(File::open(archive)?, Limits::default()) {
        let entry = entry?;
        match entry.damage {
            None => *records.entry(record_type(&entry)).or_default() += 1,
            Some(damage) => *notes.entry(damage.reason().to_owned()).or_default() += 1,
        }
        for oddity in &entry.oddities {
            *notes.entry(oddity.word().to_owned()).or_default() += 1;
        }
    }
    Ok((records, notes))
}

fn record_type(entry: &Entry) -> String {
    let name = entry.head.as_ref().and_then(|head| head.get("warc-type"));
    name.map_or_else(|| "untyped".to_owned(), |name| name.to_ascii_lowercase())
}

fn listed(counts: &Counts) -> String {
    counts.iter().map(|(word, count)| format!("{word}={count}")).collect::<Vec<_>>().join(" ")
}

/// `request=2 response=1`, or a dash, and the error that reading ended with.
fn theirs(records: &str, error: &str) -> String {
    match (records.trim_matches('-'), error.is_empty()) {
        ("", true) => "nothing, no error".to_owned(),
        ("", false) => "an error".to_owned(),
        (records, true) => records.to_owned(),
        (records, false) => format!("{records}, then an error"),
    }
}

fn counted(records: &str) -> u64 {
    let number = |of_type: &str| of_type.split_once('=')?.1.parse::<u64>().ok();
    records.split(' ').filter_map(number).sum()
}
