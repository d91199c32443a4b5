use std::collections::BTreeSet;

use palimpsest_warc::{Entry, Limits, Reader};

use super::*;
use crate::document::{Column, Document, Field, Kind, Spent, Value};
use crate::sinks::Origin;
use crate::sinks::tests::{column, document, origin};

fn columns() -> Vec<Column> {
    vec![column("tags", Kind::Texts), column("note", Kind::Text)]
}

fn written(rows: &[(Document, Origin)]) -> Vec<u8> {
    let mut records = Records::new(Vec::new(), &Table::new(&columns(), &[]));
    for (document, origin) in rows {
        records.push(&Row { document, origin, token_count: 5 }).unwrap();
    }
    let (file, bytes) = records.finish().unwrap();
    assert_eq!(file.len() as u64, bytes);
    file
}

/// The records, with the first one checked and gone.
fn read(file: &[u8]) -> Vec<Entry> {
    let entries: Vec<Entry> = Reader::new(file, Limits::default()).map(Result::unwrap).collect();
    let mut ids = BTreeSet::new();
    for entry in &entries {
        assert!(entry.damage.is_none() && entry.oddities.is_empty(), "{entry:?}");
        assert_eq!(entry.within, 0, "a member for each record");
        assert!(ids.insert(field(entry, "warc-record-id").unwrap()), "{entry:?}");
        assert_eq!(field(entry, "warc-block-digest"), Some(digest(&entry.block)));
    }
    let mut entries = entries.into_iter();
    let first = entries.next().unwrap();
    assert_eq!(field(&first, "warc-type").as_deref(), Some("warcinfo"));
    assert!(first.block.starts_with(format!("software: {SOFTWARE}\r\n").as_bytes()));
    entries.collect()
}

fn field(entry: &Entry, name: &str) -> Option<String> {
    let head = entry.head.as_ref().unwrap();
    assert!(head.all(name).count() < 2, "{name} stands there twice");
    head.get(name).map(|value| value.into_owned())
}

fn metadata(entry: &Entry) -> serde_json::Value {
    serde_json::from_str(&field(entry, JSON_METADATA).unwrap()).unwrap()
}

fn one(document: Document, origin: Origin) -> Entry {
    let mut records = read(&written(&[(document, origin)]));
    assert_eq!(records.len(), 1);
    records.remove(0)
}

#[test]
fn any_text_comes_back() {
    let mut texts: Vec<String> = [
        "",
        "\r\n\r\n",
        "\0\u{1}\u{7f}\u{85}\u{2028}",
        "🦀 für 漢字 \u{feff}\u{ffff}\u{10ffff}",
        "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 0\r\n\r\n\r\n\r\n",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("y".repeat(3 << 20));
    texts.extend((0_u32..0x300).filter_map(char::from_u32).map(String::from));
    let rows: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| {
            (Document { id: format!("<urn:{number}>"), text: text.clone(), ..document() }, origin())
        })
        .collect();
    let found: Vec<String> =
        read(&written(&rows)).into_iter().map(|entry| String::from_utf8(entry.block).unwrap()).collect();
    assert_eq!(found, texts);
}

#[test]
fn a_record_says_what_the_row_does() {
    let entry = one(document(), origin());
    for (name, value) in [
        ("warc-type", "conversion"),
        ("warc-target-uri", "https://example.com/"),
        ("warc-date", "2026-10-01T00:00:00Z"),
        ("warc-refers-to", "<urn:a>"),
        ("warc-identified-content-language", "eng"),
        ("content-type", "text/plain; charset=utf-8"),
    ] {
        assert_eq!(field(&entry, name).as_deref(), Some(value), "{name}");
    }
    let table = Table::new(&columns(), &[]);
    let (document, origin) = (document(), origin());
    let row = Row { document: &document, origin: &origin, token_count: 5 };
    let mut wanted = serde_json::to_value(Object { columns: table.columns(), row }).unwrap();
    wanted.as_object_mut().unwrap().remove("text");
    assert_eq!(metadata(&entry), wanted);
}

#[test]
fn the_same_rows_are_the_same_bytes() {
    let rows: Vec<_> =
        (0..50).map(|number| (Document { id: format!("<urn:{number}>"), ..document() }, origin())).collect();
    assert_eq!(written(&rows), written(&rows));
    assert_eq!(written(&[]), written(&[]));
    assert_eq!(read(&written(&[])), []);
}

#[test]
fn fields_stand_in_order_and_are_spelled_as_usual() {
    let file = written(&[(document(), origin())]);
    let mut plain = Vec::new();
    io::copy(&mut flate2::read::MultiGzDecoder::new(&*file), &mut plain).unwrap();
    let text = String::from_utf8(plain).unwrap();
    let head = text.split("\r\n\r\n").find(|part| part.contains("WARC-Type: conversion")).unwrap();
    let names: Vec<_> =
        head.trim_start().lines().skip(1).map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(names, FIELDS);
}

/// Nothing that a page or a plugin writes may end a field: what follows would be read as the archive's own words.
#[track_caller]
fn injects_nothing(document: Document, origin: Origin) -> Entry {
    let entry = one(document, origin);
    let names: BTreeSet<String> = entry
        .head
        .as_ref()
        .unwrap()
        .fields()
        .map(|(name, _)| String::from_utf8(name.to_vec()).unwrap())
        .collect();
    assert!(names.iter().all(|name| FIELDS.contains(&name.as_str())), "{names:?}");
    assert_eq!(field(&entry, "warc-type").as_deref(), Some("conversion"));
    assert_eq!(entry.block, b"A text.\n\"Second\" line.");
    entry
}

#[test]
fn no_value_breaks_out_of_its_field() {
    for evil in [
        "http://a/\r\nEvil: yes",
        "http://a/\nEvil: yes",
        "http://a/\r\rEvil: yes",
        "http://a/\r\n\r\nWARC/1.0\r\n",
        "http://a/\u{85}\u{2028}\u{0b}\u{0c}Evil: yes",
        "http://a/\0",
        "http://a/ Evil: yes",
        "http://ü.example/漢\u{1f980}",
        "",
    ] {
        let evil = evil.to_owned();
        let entry = injects_nothing(Document { url: evil.clone(), ..document() }, origin());
        assert_eq!(metadata(&entry)["url"].as_str(), Some(evil.as_str()), "the metadata has it as it was");
        let uri = field(&entry, "warc-target-uri").unwrap_or_default();
        assert!(uri.bytes().all(|byte| byte.is_ascii_graphic()), "{uri}");

        injects_nothing(Document { id: evil.clone(), ..document() }, origin());
        let entry = injects_nothing(document(), Origin { record_id: Some(evil.clone()), ..origin() });
        assert_eq!(field(&entry, "warc-refers-to"), None);
        injects_nothing(document(), Origin { record_id: Some(format!("<{evil}>")), ..origin() });
        let archive = Origin { archive: evil.clone(), dump: Some(evil.clone()), ..origin() };
        injects_nothing(document(), archive);

        let mut fields = document().fields;
        for name in ["language", "note", "style"] {
            fields.retain(|field| field.name != name);
            fields.push(Field { name: name.to_owned(), value: Value::Text(evil.clone()) });
        }
        let entry = injects_nothing(Document { fields, ..document() }, origin());
        assert_eq!(field(&entry, CONTENT_LANGUAGE), None);
        assert_eq!(metadata(&entry)["note"].as_str(), Some(evil.as_str()));

        let entry = injects_nothing(Document { date: evil.clone(), ..document() }, origin());
        assert_eq!(field(&entry, "warc-date").as_deref(), Some(EPOCH));
    }
}

#[test]
fn what_no_line_holds_is_a_record_of_its_own() {
    let spent = |number: u64| Spent {
        model: "writer".to_owned(),
        prompt_id: format!("{number:064x}"),
        prompt_tokens: 1,
        completion_tokens: 1,
    };
    let replies: Vec<_> = (0..300).map(spent).collect();
    let records = read(&written(&[(Document { replies, ..document() }, origin())]));
    let [text, rest] = &records[..] else { panic!("{records:?}") };
    assert_eq!(field(text, JSON_METADATA), None);
    assert_eq!(field(rest, "warc-type").as_deref(), Some("metadata"));
    assert_eq!(field(rest, "warc-refers-to"), field(text, "warc-record-id"));
    let row: serde_json::Value = serde_json::from_slice(&rest.block).unwrap();
    assert_eq!(row["prompt_ids"].as_array().unwrap().len(), 300);

    let url = format!("http://a/{}", "x".repeat(MAX_LINE_BYTES));
    let records = read(&written(&[(Document { url: url.clone(), ..document() }, origin())]));
    let row: serde_json::Value = serde_json::from_slice(&records[1].block).unwrap();
    assert_eq!((field(&records[0], "warc-target-uri"), row["url"].as_str()), (None, Some(url.as_str())));
}

#[test]
fn a_records_id_is_a_uuid_of_the_rows_id() {
    let id = record_id("conversion", "<urn:a>");
    assert_eq!(id, record_id("conversion", "<urn:a>"));
    assert_ne!(id, record_id("metadata", "<urn:a>"));
    assert_ne!(id, record_id("conversion", "<urn:b>"));
    let uuid = id.strip_prefix("<urn:uuid:").unwrap().strip_suffix('>').unwrap();
    let parts: Vec<_> = uuid.split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12]);
    assert_eq!(uuid.as_bytes()[14], b'8', "{uuid}");
    assert!(b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
}

#[test]
fn languages_have_the_codes_of_archives() {
    for (language, code) in [
        ("en", Some("eng")),
        ("de", Some("deu")),
        ("zu", Some("zul")),
        ("aa", Some("aar")),
        ("deu", Some("deu")),
        ("und", Some("und")),
        ("eng_Latn", Some("eng")),
        ("zh-Hans", Some("zho")),
        ("xx", None),
        ("english", None),
        ("EN", None),
        ("", None),
    ] {
        assert_eq!(language_code(language), code, "{language}");
    }
    assert_eq!(LANGUAGES.split(' ').count(), 184);
}

#[test]
fn digests_are_those_of_archives() {
    assert_eq!(digest(b""), "sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ");
}
