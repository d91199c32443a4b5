//! What stands beside the rows: a card for people, which is also how `datasets` and the Hub know what to load, and a
//! manifest for machines. Both are made of the books and say nothing that depends on when they were made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::Serialize;

use super::row::{Holds, Table, TableColumn};
use super::{Format, SOFTWARE, hive};
use crate::document::Kind;
use crate::ledger::Total;

/// Viewers look at every configuration. Folders beyond these are still in the default one.
const MAX_CONFIGURATIONS: usize = 50;
/// The configuration that holds every row.
const DEFAULT: &str = "default";
/// How the Hub names sizes: the first with so many rows that the dataset has fewer.
const SIZES: [(u64, &str); 10] = [
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
    (10_000_000_000, "1B<n<10B"),
    (100_000_000_000, "10B<n<100B"),
    (1_000_000_000_000, "100B<n<1T"),
];
const LARGEST: &str = "n>1T";

/// A file of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Relative to the card: `data/`, the folders that its rows have in common, and its name.
    pub path: String,
    pub rows: u64,
    pub bytes: u64,
    /// Of the file's bytes, hexadecimal.
    pub blake3: String,
}

/// All that is known of the rows of a run.
#[derive(Debug, Clone, Copy)]
pub struct Dataset<'a> {
    /// The pipeline's.
    pub name: &'a str,
    /// What decides the rows: the pipeline and everything that it names.
    pub identity: &'a str,
    pub format: Format,
    pub table: &'a Table,
    pub files: &'a [File],
    pub total: &'a Total,
    /// Languages of the texts, as far as they are known.
    pub languages: &'a [String],
}

/// `README.md`.
pub fn card(dataset: &Dataset<'_>) -> String {
    let configurations = configurations(dataset);
    // Writing to a string cannot fail, here and below.
    let mut card = String::new();
    front_matter(&mut card, dataset, &configurations);
    introduction(&mut card, dataset);
    columns(&mut card, dataset.table);
    folders(&mut card, dataset, &configurations);
    loading(&mut card, dataset, &configurations);
    writeln!(
        card,
        "## Made again\n\n`palimpsest run` with the same pipeline file and the same journal of replies writes the same \
         bytes; with the journal\nalone, `palimpsest run --replay` needs no model. `manifest.json` has the size and the \
         BLAKE3 digest of every file, and\nthe identity of what made them: `{}`.",
        plain(dataset.identity)
    )
    .ok();
    card
}

/// `manifest.json`.
pub fn manifest(dataset: &Dataset<'_>) -> serde_json::Result<String> {
    let files = sorted(dataset.files);
    let manifest = Manifest {
        name: dataset.name,
        software: SOFTWARE,
        identity: dataset.identity,
        format: dataset.format.suffix().trim_start_matches('.'),
        rows: dataset.files.iter().map(|file| file.rows).sum(),
        bytes: dataset.files.iter().map(|file| file.bytes).sum(),
        records: dataset.total,
        files: files
            .iter()
            .map(|file| Entry {
                path: &file.path,
                rows: file.rows,
                bytes: file.bytes,
                blake3: &file.blake3,
                partition: hive::parse(folder(&file.path)).into_iter().collect(),
            })
            .collect(),
    };
    serde_json::to_string_pretty(&manifest).map(|text| text + "\n")
}

#[derive(Serialize)]
struct Manifest<'a> {
    name: &'a str,
    software: &'a str,
    identity: &'a str,
    format: &'a str,
    rows: u64,
    bytes: u64,
    records: &'a Total,
    files: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    path: &'a str,
    rows: u64,
    bytes: u64,
    blake3: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    partition: BTreeMap<String, Option<String>>,
}

/// Rows that can be loaded by a name: those of one folder.
struct Configuration {
    name: String,
    folder: String,
    rows: u64,
}

/// One for each folder; none where there are too many, or where no reader knows the format.
fn configurations(dataset: &Dataset<'_>) -> Vec<Configuration> {
    let mut rows: BTreeMap<&str, u64> = BTreeMap::new();
    for file in dataset.files {
        *rows.entry(folder(&file.path)).or_default() += file.rows;
    }
    rows.remove("");
    if MAX_CONFIGURATIONS < rows.len() || dataset.format == Format::Warc {
        return Vec::new();
    }
    let mut taken = BTreeSet::from([DEFAULT.to_owned()]);
    let named = rows.into_iter().map(|(folder, rows)| {
        let values =
            hive::parse(folder).into_iter().map(|(_, value)| value.unwrap_or_else(|| "none".to_owned()));
        let name = values.map(|value| word(&value)).collect::<Vec<_>>().join("-");
        let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| taken.insert(name.clone()));
        Configuration { name: free.unwrap_or(name), folder: folder.to_owned(), rows }
    });
    named.collect()
}

/// A name of a configuration becomes one of a file.
fn word(value: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-');
    value.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect()
}

fn front_matter(card: &mut String, dataset: &Dataset<'_>, configurations: &[Configuration]) {
    let rows: u64 = dataset.files.iter().map(|file| file.rows).sum();
    let size = SIZES.iter().find(|(limit, _)| rows < *limit).map_or(LARGEST, |(_, name)| name);
    writeln!(card, "---\npretty_name: {}", yaml(dataset.name)).ok();
    let is_code =
        |code: &&String| matches!(code.len(), 2 | 3) && code.bytes().all(|it| it.is_ascii_lowercase());
    let languages: BTreeSet<&String> = dataset.languages.iter().filter(is_code).collect();
    if !languages.is_empty() {
        writeln!(card, "language:").ok();
        for language in languages {
            writeln!(card, "- {}", yaml(language)).ok();
        }
    }
    writeln!(card, "size_categories:\n- {size}\ntask_categories:\n- text-generation").ok();
    writeln!(card, "tags:\n- palimpsest\n- pretraining\n- web").ok();
    if dataset.format != Format::Warc && !dataset.files.is_empty() {
        let suffix = dataset.format.suffix();
        writeln!(card, "configs:").ok();
        configuration(card, DEFAULT, &format!("data/**/*{suffix}"));
        for it in configurations {
            configuration(card, &it.name, &format!("data/{}/*{suffix}", it.folder));
        }
    }
    if dataset.format == Format::JsonlZst && !dataset.files.is_empty() {
        // Of a column that is null in all of one file's rows nobody could say what the other files have in it.
        writeln!(card, "dataset_info:").ok();
        for name in std::iter::once(DEFAULT).chain(configurations.iter().map(|it| it.name.as_str())) {
            writeln!(card, "- config_name: {}\n  features:", yaml(name)).ok();
            for column in dataset.table.columns() {
                feature(card, column);
            }
        }
    }
    writeln!(card, "---\n").ok();
}

fn configuration(card: &mut String, name: &str, path: &str) {
    let first = if name == DEFAULT { "\n  default: true" } else { "" };
    let (name, path) = (yaml(name), yaml(path));
    writeln!(card, "- config_name: {name}{first}\n  data_files:\n  - split: train\n    path: {path}").ok();
}

/// A column in the words of `datasets`.
fn feature(card: &mut String, column: &TableColumn) {
    writeln!(card, "  - name: {}", yaml(&column.name)).ok();
    let holds = match column.holds {
        Holds::Value(Kind::Texts) => "    list: string",
        Holds::Value(Kind::Text) => "    dtype: string",
        Holds::Value(Kind::Integer) => "    dtype: int64",
        Holds::Value(Kind::Number) => "    dtype: float64",
        Holds::Value(Kind::Flag) => "    dtype: bool",
        Holds::Span => {
            "    struct:\n    - name: stage\n      dtype: string\n    - name: start\n      dtype: int64\n    \
             - name: end\n      dtype: int64"
        }
        Holds::Usage => {
            "    struct:\n    - name: prompt_tokens\n      dtype: int64\n    - name: completion_tokens\n      dtype: int64"
        }
    };
    writeln!(card, "{holds}").ok();
}

fn introduction(card: &mut String, dataset: &Dataset<'_>) {
    let files = dataset.files;
    let Total { read, written, dropped, failed } = *dataset.total;
    let rows: u64 = files.iter().map(|file| file.rows).sum();
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    writeln!(card, "# {}\n", plain(dataset.name)).ok();
    writeln!(
        card,
        "Texts from web archives, made for pretraining by the pipeline `{}` of {SOFTWARE}.\n",
        plain(dataset.name)
    )
    .ok();
    writeln!(card, "| | |\n|---|---:|").ok();
    for (says, number) in [
        ("rows", rows),
        ("files", files.len() as u64),
        ("bytes", bytes),
        ("records read", read),
        ("records that became rows", written),
        ("records dropped", dropped),
        ("records failed", failed),
    ] {
        writeln!(card, "| {says} | {} |", grouped(number)).ok();
    }
}

fn columns(card: &mut String, table: &Table) {
    writeln!(card, "\n## Columns\n\n| column | type | meaning |\n|---|---|---|").ok();
    let stored = table.columns().iter().map(|column| (column, ""));
    let left_out = table.left_out().iter().map(|column| (column, "; stands in the folders' names only"));
    for (column, place) in stored.chain(left_out) {
        let says = if column.says.is_empty() { "written by a stage" } else { column.says };
        let nullable = if column.nullable { ", or null" } else { "" };
        writeln!(card, "| `{}` | {}{nullable} | {says}{place} |", plain(&column.name), type_of(column)).ok();
    }
}

fn type_of(column: &TableColumn) -> &'static str {
    match column.holds {
        Holds::Value(Kind::Text) => "text",
        Holds::Value(Kind::Integer) => "integer",
        Holds::Value(Kind::Number) => "number",
        Holds::Value(Kind::Flag) => "true or false",
        Holds::Value(Kind::Texts) => "list of texts",
        Holds::Span => "stage, start, end",
        Holds::Usage => "prompt_tokens, completion_tokens",
    }
}

fn folders(card: &mut String, dataset: &Dataset<'_>, configurations: &[Configuration]) {
    if dataset.table.left_out().is_empty() {
        return;
    }
    writeln!(card, "\n## Folders\n").ok();
    if configurations.is_empty() {
        writeln!(card, "There are too many to be named here; `manifest.json` has them.").ok();
        return;
    }
    writeln!(card, "| folder | configuration | rows |\n|---|---|---:|").ok();
    for it in configurations {
        writeln!(card, "| `data/{}` | `{}` | {} |", plain(&it.folder), it.name, grouped(it.rows)).ok();
    }
}

fn loading(card: &mut String, dataset: &Dataset<'_>, configurations: &[Configuration]) {
    writeln!(card, "\n## Loading\n\nIn this folder:\n\n```python").ok();
    let datasets = "import os\nfrom datasets import load_dataset\n\nrows = load_dataset(os.getcwd(), split=\"train\", streaming=True)";
    match dataset.format {
        Format::JsonlZst => {
            let types = "format='newline_delimited', hive_partitioning=true";
            writeln!(card, "{datasets}  # needs zstandard\n```\n\n```python\nimport duckdb\n").ok();
            writeln!(card, "rows = duckdb.sql(\"from read_json('data/**/*.jsonl.zst', {types})\")\n```").ok();
        }
        Format::Parquet => {
            writeln!(card, "{datasets}\n```\n\n```python\nimport duckdb\n").ok();
            writeln!(
                card,
                "rows = duckdb.sql(\"from read_parquet('data/**/*.parquet', hive_partitioning=true)\")"
            )
            .ok();
            writeln!(
                card,
                "```\n\n```python\nimport pyarrow.parquet\n\nrows = pyarrow.parquet.read_table(\"data\")\n```"
            )
            .ok();
        }
        Format::Warc => {
            writeln!(card, "import glob, json\nfrom warcio.archiveiterator import ArchiveIterator\n").ok();
            writeln!(card, "for path in glob.glob(\"data/**/*.warc.gz\", recursive=True):").ok();
            writeln!(
                card,
                "    with open(path, \"rb\") as archive:\n        for record in ArchiveIterator(archive):"
            )
            .ok();
            writeln!(card, "            if record.rec_type == \"conversion\":").ok();
            writeln!(card, "                text = record.content_stream().read().decode()").ok();
            writeln!(
                card,
                "                row = record.rec_headers.get_header(\"WARC-JSON-Metadata\")\n```\n"
            )
            .ok();
            writeln!(card, "What is too long for a header is a `metadata` record after the text's.").ok();
        }
    }
    if let Some(first) = configurations.first() {
        writeln!(
            card,
            "\n`load_dataset(os.getcwd(), \"{}\", …)` loads one folder. `datasets` does not read the folders' names; the others \
             give them\nas columns.",
            first.name
        )
        .ok();
    }
    writeln!(card).ok();
}

fn sorted(files: &[File]) -> Vec<&File> {
    let mut files: Vec<&File> = files.iter().collect();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

/// What stands between `data/` and the file's name.
fn folder(path: &str) -> &str {
    let inside = path.split_once('/').map_or(path, |(_, inside)| inside);
    inside.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A text of the user's or of a plugin's, as one that stays in its place: in a line, a cell, a pair of backticks.
fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() || matches!(letter, '|' | '`') { ' ' } else { letter })
        .collect()
}

/// A quoted scalar. JSON's strings are YAML's, but for letters that YAML does not take as they are.
fn yaml(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            _ if letter.is_control()
                || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') =>
            {
                write!(quoted, "\\u{:04x}", u32::from(letter)).ok();
            }
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// With commas between groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if 0 < place && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests;
