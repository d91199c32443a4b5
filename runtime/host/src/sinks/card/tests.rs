use super::*;
use crate::document::Column;
use crate::sinks::tests::column;

fn file(path: &str, rows: u64) -> File {
    File { path: path.to_owned(), rows, bytes: 10 * rows, blake3: "00ff".to_owned() }
}

fn columns() -> Vec<Column> {
    vec![column("score", Kind::Number), column("tags", Kind::Texts)]
}

const TOTAL: Total = Total { read: 1_234_567, written: 5, dropped: 3, failed: 1 };

#[track_caller]
fn check(format: Format, without: &[&str], files: &[File], says: &[&str], says_not: &[&str]) -> String {
    let without: Vec<String> = without.iter().map(|name| (*name).to_owned()).collect();
    let table = Table::new(&columns(), &without);
    let languages = ["no", "en", "no", "English"].map(str::to_owned);
    let dataset = Dataset {
        name: "nemotron",
        identity: "f00d",
        format,
        table: &table,
        files,
        total: &TOTAL,
        languages: &languages,
    };
    let card = card(&dataset);
    for text in says {
        assert!(card.contains(text), "{text:?} is not in\n{card}");
    }
    for text in says_not {
        assert!(!card.contains(text), "{text:?} is in\n{card}");
    }
    card
}

#[test]
fn the_default_is_every_row() {
    let files = [file("data/b.parquet", 700), file("data/a.parquet", 800)];
    let path = "- config_name: \"default\"\n  default: true\n  data_files:\n  - split: train\n    path: \"data/**/*.parquet\"\n";
    let says = [
        "size_categories:\n- 1K<n<10K\n",
        path,
        "| rows | 1,500 |",
        "| records read | 1,234,567 |",
        "`f00d`",
    ];
    let card = check(Format::Parquet, &[], &files, &says, &["dataset_info", "## Folders"]);
    assert_eq!(card.matches("config_name").count(), 1);
    assert!(card.contains("language:\n- \"en\"\n- \"no\"\nsize_categories"), "each once, and quoted: {card}");
}

#[test]
fn each_folder_can_be_loaded_by_name() {
    let files = [
        file("data/kind=synthetic/style=qa/a.parquet", 7),
        file("data/kind=synthetic/style=qa/b.parquet", 8),
        file("data/kind=__HIVE_DEFAULT_PARTITION__/style=a%2Fb/a.parquet", 1),
        file("data/kind=__HIVE_DEFAULT_PARTITION__/style=a%3Ab/a.parquet", 1),
    ];
    let says = [
        "- config_name: \"synthetic-qa\"\n",
        "    path: \"data/kind=synthetic/style=qa/*.parquet\"\n",
        "- config_name: \"none-a_b\"\n",
        "- config_name: \"none-a_b-2\"\n",
        "| `data/kind=synthetic/style=qa` | `synthetic-qa` | 15 |",
        "| `kind` | text, or null | whether the text was found, cleaned or generated; stands in the folders' names only |",
    ];
    check(Format::Parquet, &["kind", "style"], &files, &says, &["dataset_info"]);
}

#[test]
fn too_many_folders_have_no_names() {
    let files: Vec<_> =
        (0..=MAX_CONFIGURATIONS).map(|number| file(&format!("data/style={number}/a.parquet"), 1)).collect();
    let card = check(Format::Parquet, &["style"], &files, &["There are too many"], &["path: \"data/style="]);
    assert_eq!(card.matches("config_name").count(), 1);
}

#[test]
fn lines_of_json_come_with_their_types() {
    let files = [file("data/kind=actual/a.jsonl.zst", 1)];
    let says = [
        "path: \"data/**/*.jsonl.zst\"",
        "dataset_info:\n- config_name: \"default\"\n  features:\n  - name: \"text\"\n    dtype: string\n",
        "- config_name: \"actual\"\n  features:\n",
        "  - name: \"tags\"\n    list: string\n",
        "  - name: \"score\"\n    dtype: float64\n",
    ];
    check(Format::JsonlZst, &["kind"], &files, &says, &["  - name: \"kind\""]);
}

#[test]
fn archives_are_told_apart_from_tables() {
    let files = [file("data/a.warc.gz", 1)];
    check(Format::Warc, &[], &files, &["WARC-JSON-Metadata"], &["configs:", "load_dataset"]);
}

#[test]
fn names_stay_in_their_place() {
    assert_eq!(yaml("a\"b\\c\n\u{85}\u{feff}ü🦀"), "\"a\\\"b\\\\c\\u000a\\u0085\\ufeffü🦀\"");
    assert_eq!(plain("a|b`c\nd"), "a b c d");
    let columns = [column("evil` |\n---\nlicense: mit", Kind::Text)];
    let table = Table::new(&columns, &[]);
    let dataset = Dataset {
        name: "x\n---\n# y",
        identity: "",
        format: Format::JsonlZst,
        table: &table,
        files: &[file("data/a.jsonl.zst", 1)],
        total: &TOTAL,
        languages: &[],
    };
    let card = card(&dataset);
    assert_eq!(card.lines().filter(|line| *line == "---").count(), 2, "{card}");
    assert!(!card.lines().any(|line| line.starts_with("license") || line.starts_with("# y")), "{card}");
}

#[test]
fn the_manifest_adds_up_and_has_an_order() {
    let files = [file("data/kind=b/x.parquet", 2), file("data/kind=__HIVE_DEFAULT_PARTITION__/x.parquet", 3)];
    let table = Table::new(&columns(), &["kind".to_owned()]);
    let dataset = Dataset {
        name: "n",
        identity: "f00d",
        format: Format::Parquet,
        table: &table,
        files: &files,
        total: &TOTAL,
        languages: &[],
    };
    let manifest: serde_json::Value = serde_json::from_str(&manifest(&dataset).unwrap()).unwrap();
    assert_eq!((manifest["rows"].as_u64(), manifest["bytes"].as_u64()), (Some(5), Some(50)));
    assert_eq!(manifest["files"][0]["partition"], serde_json::json!({ "kind": null }));
    assert_eq!(manifest["files"][1]["partition"], serde_json::json!({ "kind": "b" }));
    assert_eq!(manifest["records"]["read"], 1_234_567);
    assert_eq!(manifest["format"], "parquet");
}

#[test]
fn sizes_have_the_hubs_names() {
    for (rows, name) in
        [(0, "- n<1K\n"), (999, "- n<1K\n"), (1000, "- 1K<n<10K\n"), (2_000_000_000_000, "- n>1T\n")]
    {
        check(Format::Parquet, &[], &[file("data/a.parquet", rows)], &[name], &[]);
    }
}
