//! The folder of a row, where rows are kept apart by the values of columns: `kind=synthetic/style=qa`.
//!
//! Written as Hive writes them, and Spark after it, so that every tool that knows such folders gives the values back.

use std::fmt::Write;

use super::row::{Cell, Row};

/// What Hive writes for a value that is not there, and for an empty one, which it cannot tell from it.
pub const NULL: &str = "__HIVE_DEFAULT_PARTITION__";
/// File systems take names of 255 bytes. What is longer is cut and ends in a digest of the whole, so that different
/// values stay apart.
const MAX_NAME_BYTES: usize = 120;
const DIGEST_DIGITS: usize = 16;

/// The folder of a row, with nothing before it and nothing after it; empty where there is nothing to partition by.
pub fn folder(partition_by: &[String], row: &Row<'_>) -> String {
    let mut folder = String::new();
    for name in partition_by {
        if !folder.is_empty() {
            folder.push('/');
        }
        folder.push_str(&bounded(&encoded(name)));
        folder.push('=');
        let value = value(&row.named(name));
        folder.push_str(&value.map_or_else(|| NULL.to_owned(), |value| bounded(&encoded(&value))));
    }
    folder
}

/// The columns and values that a folder's name stands for; None for [`NULL`].
pub fn parse(folder: &str) -> Vec<(String, Option<String>)> {
    let pairs = folder.split('/').filter_map(|name| name.split_once('='));
    pairs.map(|(name, value)| (decoded(name), (value != NULL).then(|| decoded(value)))).collect()
}

fn value(cell: &Cell<'_>) -> Option<String> {
    match cell {
        Cell::Text(text) => (!text.is_empty()).then(|| (*text).to_owned()),
        Cell::Integer(integer) => Some(integer.to_string()),
        Cell::Flag(flag) => Some(flag.to_string()),
        // `check_partitions` lets no column of these kinds through.
        Cell::Null | Cell::Number(_) | Cell::Texts(_) | Cell::Span(_) | Cell::Usage(_) => None,
    }
}

/// Hive escapes what paths cannot hold or would misread; those of Windows are added, since readers decode any escape.
fn is_unsafe(byte: char) -> bool {
    byte.is_ascii_control()
        || matches!(
            byte,
            '"' | '#'
                | '%'
                | '\''
                | '*'
                | '/'
                | ':'
                | '='
                | '?'
                | '\\'
                | '{'
                | '}'
                | '['
                | ']'
                | '^'
                | '<'
                | '>'
                | '|'
        )
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_unsafe(letter) {
            // Writing to a string cannot fail.
            write!(encoded, "%{:02X}", u32::from(letter)).ok();
        } else {
            encoded.push(letter);
        }
    }
    encoded
}

fn decoded(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.first_chunk::<2>().filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let escape = digits.and_then(|digits| str::from_utf8(digits).ok());
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) if *byte == b'%' => {
                bytes.push(escaped);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn bounded(encoded: &str) -> String {
    if encoded.len() <= MAX_NAME_BYTES {
        return encoded.to_owned();
    }
    let mut end = encoded.floor_char_boundary(MAX_NAME_BYTES - DIGEST_DIGITS - 1);
    // Half an escape would be none.
    if let Some(start) = encoded.get(..end).and_then(|kept| kept.rfind('%'))
        && end < start + 3
    {
        end = start;
    }
    let digest = blake3::hash(encoded.as_bytes()).to_hex();
    let kept = encoded.get(..end).unwrap_or_default();
    let digest = digest.get(..DIGEST_DIGITS).unwrap_or(&digest);
    format!("{kept}-{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Field, Value};
    use crate::sinks::tests::{document, origin};

    fn folder_of(value: Option<Value>) -> String {
        let mut document = document();
        document.fields.retain(|field| field.name != "style");
        document.fields.extend(value.map(|value| Field { name: "style".to_owned(), value }));
        folder(&["style".to_owned()], &Row { document: &document, origin: &origin(), token_count: 0 })
    }

    #[track_caller]
    fn check(text: &str, name: &str) {
        let folder = folder_of(Some(Value::Text(text.to_owned())));
        assert_eq!(folder, format!("style={name}"));
        let value = Some(text.to_owned()).filter(|text| !text.is_empty());
        assert_eq!(parse(&folder), [("style".to_owned(), value)]);
    }

    #[test]
    fn folders_nest_in_the_order_that_was_asked_for() {
        let (document, origin) = (document(), origin());
        let row = Row { document: &document, origin: &origin, token_count: 5 };
        let by = ["token_count", "language", "kind"].map(str::to_owned);
        assert_eq!(folder(&by, &row), "token_count=5/language=en/kind=__HIVE_DEFAULT_PARTITION__");
        assert_eq!(folder(&[], &row), "");
    }

    #[test]
    fn letters_that_paths_cannot_hold_are_escaped() {
        check("a/b=c", "a%2Fb%3Dc");
        check("../../etc", "..%2F..%2Fetc");
        check("50%", "50%25");
        check("a\0\n\u{7f}", "a%00%0A%7F");
        check("C:\\x", "C%3A%5Cx");
        check("für 漢字", "für 漢字");
        check("%2F", "%252F");
    }

    #[test]
    fn what_is_not_there_has_hives_own_name() {
        assert_eq!(folder_of(None), format!("style={NULL}"));
        check("", NULL);
        assert_eq!(folder_of(Some(Value::Flag(false))), "style=false");
        assert_eq!(folder_of(Some(Value::Integer(-3))), "style=-3");
    }

    #[test]
    fn long_values_are_cut_and_stay_apart() {
        for letter in ["x", "漢", "/"] {
            let long = letter.repeat(5000);
            let (one, other) = (folder_of(Some(Value::Text(long.clone()))), format!("{long}!"));
            assert!(one.len() <= "style=".len() + MAX_NAME_BYTES, "{one}");
            assert_ne!(one, folder_of(Some(Value::Text(other))));
            assert_eq!(one.matches('%').count(), one.matches("%2F").count(), "{one}");
        }
    }
}
