//! The same calls as JSON, for servers that take a JSON Schema: `{"calls":[{"call":"remove_lines","line_start":1,"line_end":3}]}`.
//!
//! Calls are read one after the other, so that a reply that was cut off loses its last call and no other.

use serde_json::{Deserializer, Map, Value};

use super::{Argument, Item, KNOWN, MAX_ITEMS, Quoted, Scalar, call, excerpt};

/// Whether a reply, its Markdown fence aside, begins as JSON does. No call begins so.
pub(super) fn is_json(reply: &str) -> bool {
    bare(reply).starts_with(['{', '['])
}

fn bare(reply: &str) -> &str {
    let reply = reply.trim_start();
    let fenced = reply.strip_prefix("```").or_else(|| reply.strip_prefix("~~~"));
    fenced.map_or(reply, |fenced| fenced.strip_prefix("json").unwrap_or(fenced)).trim_start()
}

/// The calls of a reply: the elements of its first array, or the one object that it is.
pub(super) fn parse(reply: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let reply = bare(reply);
    let mut rest = match reply.split_once('[') {
        // A bracket further on belongs to a string of the only call.
        Some((before, after)) if !before.contains("\"call\"") => after,
        Some(_) | None => reply,
    };
    loop {
        rest = rest.trim_start_matches(|symbol: char| symbol.is_whitespace() || symbol == ',');
        if rest.is_empty() || rest.starts_with([']', '}']) {
            return items;
        }
        if MAX_ITEMS <= items.len() {
            items.push(Item::Unparsable("more calls than a program may have".to_owned()));
            return items;
        }
        let mut values = Deserializer::from_str(rest).into_iter::<Value>();
        let Some(Ok(value)) = values.next() else {
            items.push(Item::Unparsable(excerpt(rest)));
            return items;
        };
        let (written, after) = rest.split_at(values.byte_offset());
        items.push(item(&value, written));
        rest = after;
    }
}

fn item(value: &Value, written: &str) -> Item {
    let Value::Object(object) = value else { return Item::Prose(excerpt(written)) };
    let Some(Value::String(name)) = object.get("call") else { return Item::Unparsable(excerpt(written)) };
    if !KNOWN.contains(&name.as_str()) {
        return Item::Unknown(excerpt(written));
    }
    let numbers: Vec<(&String, String)> =
        object.iter().map(|(name, value)| (name, value.to_string())).collect();
    let arguments: Option<Vec<Argument<'_>>> = arguments(object, &numbers);
    arguments
        .and_then(|arguments| call(name, &arguments))
        .map_or_else(|| Item::Unparsable(excerpt(written)), Item::Call)
}

/// A value that is null was left out: schemas of some servers must name every key.
fn arguments<'a>(
    object: &'a Map<String, Value>,
    written: &'a [(&'a String, String)],
) -> Option<Vec<Argument<'a>>> {
    let mut arguments = Vec::new();
    for ((name, value), (_, written)) in object.iter().zip(written) {
        let value = match value {
            Value::Null => continue,
            Value::String(_) if name == "call" => continue,
            // JSON says what is escaped, so both readings of the string are one.
            Value::String(text) => Scalar::Text(Quoted { text: text.clone(), raw: text.clone() }),
            Value::Number(_) | Value::Bool(_) => Scalar::Bare(written),
            Value::Array(_) | Value::Object(_) => return None,
        };
        arguments.push(Argument { name: Some(name), value });
    }
    Some(arguments)
}
