//! Bodies in odd encodings, decoded as their labels say.

use encoding_rs::Encoding;
use palimpsest::pages::charset::decode;

use crate::harness::{data, packed_rows};

/// What other software calls encodings of the standard.
fn encoding(label: &str) -> Option<&'static Encoding> {
    let label = match label {
        "maccyrillic" => "x-mac-cyrillic",
        "utf-8-sig" => "utf-8",
        label => label,
    };
    Encoding::for_label(label.as_bytes())
}

#[test]
fn files_of_every_encoding_of_the_standard_are_read_as_they_were_written() {
    let Some(folder) = data("encodings") else { return };
    let folder = folder.join("charset");
    let (mut read, mut right, mut wrong) = (0, 0, Vec::new());
    for row in packed_rows(&folder.join("index.jsonl.gz")) {
        let Some(encoding) = encoding(row["encoding"].as_str().unwrap()) else { continue };
        let body = std::fs::read(folder.join(row["path"].as_str().unwrap())).unwrap();
        let (expected, _) = encoding.decode_with_bom_removal(&body);
        read += 1;
        match decode(&body, None, None, &mut Vec::new()) {
            Some(decoded) if decoded.text == expected => right += 1,
            other => wrong.push(format!("{}: {:?}", row["path"], other.map(|other| other.charset))),
        }
    }
    assert!(100 < read, "all files were looked at");
    assert!(97 * read <= 100 * right, "{right} of {read}: {wrong:#?}");
}

#[test]
fn declarations_in_html_are_found_as_browsers_find_them() {
    let Some(folder) = data("declarations") else { return };
    let folder = folder.join("charset");
    let mut wrong = Vec::new();
    for row in packed_rows(&folder.join("html5lib_prescan.jsonl.gz")) {
        let encoding = encoding(row["encoding"].as_str().unwrap()).unwrap();
        let body: Vec<u8> =
            row["data_latin1"].as_str().unwrap().chars().map(|it| u8::try_from(it).unwrap()).collect();
        let (expected, _) = encoding.decode_with_bom_removal(&body);
        if decode(&body, Some("text/html"), None, &mut Vec::new()).is_none_or(|it| it.text != expected) {
            wrong.push(row["id"].as_str().unwrap().to_owned());
        }
    }
    // Its bytes are UTF-8 whatever its `meta` says, and are read as what they are.
    assert_eq!(wrong, ["encoding/test-yahoo-jp.dat#0"]);
}
