//! Whether a table of the file has the keys and the kinds of values that its schema says, and all the places where not.
//!
//! A deserializer stops at the first mistake; a walk along the schema that is derived from the same types does not.

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue, ValueDeserializer};

use super::complaints::{Notes, Spot, hint, listed};

/// A table as its type, as far as it could be read.
#[derive(Debug)]
pub(super) struct Read<T> {
    pub(super) table: T,
    /// Nothing in it was complained about. Otherwise what seems to be missing may only be misspelt.
    pub(super) whole: bool,
}

/// Complains about every key and value that is none of the schema's, and returns the spans of the values that are no
/// good or stand under keys that are no good.
pub(super) fn walk(root: &Spot<'_>, notes: &mut Notes<'_>) -> Vec<Range<usize>> {
    let schema = super::schema();
    let definitions = schema.get("$defs").unwrap_or(&Value::Null);
    let mut walk = Walk { definitions, notes, refused: Vec::new() };
    walk.value(&schema, root);
    walk.refused
}

/// What stands at a place as its type, without the parts that were refused. Nothing if nothing stands there or too much
/// is wrong with it; then there is a complaint.
pub(super) fn read<T: DeserializeOwned>(
    spot: &Spot<'_>,
    refused: &[Range<usize>],
    notes: &mut Notes<'_>,
) -> Option<Read<T>> {
    let whole = !notes.any_under(&spot.path);
    let mut value = spot.value?.clone();
    prune(&mut value, refused);
    match T::deserialize(ValueDeserializer::from(Spanned::new(spot.span.clone(), value))) {
        Ok(table) => Some(Read { table, whole }),
        Err(error) => {
            // The walk leaves nothing to say here unless the schema is laxer than the type.
            if whole {
                let at = Spot { span: error.span().unwrap_or(spot.span.clone()), ..spot.clone() };
                notes.note(&at, error.message().trim());
            }
            None
        }
    }
}

struct Walk<'s, 'n, 'a> {
    definitions: &'s Value,
    notes: &'n mut Notes<'a>,
    /// The spans of the values that are no good, and of those under keys that are no good.
    refused: Vec<Range<usize>>,
}

impl<'s> Walk<'s, '_, '_> {
    fn value(&mut self, schema: &'s Value, spot: &Spot<'_>) {
        let schema = self.resolve(schema);
        let Some(value) = spot.value else { return };
        if let Some(words) = words(schema) {
            self.word(&words, value, spot);
            return;
        }
        match (type_of(schema), value) {
            (Some("object"), DeValue::Table(table)) => self.table(schema, table, spot),
            (Some("array"), DeValue::Array(array)) => {
                let items = schema.get("items").unwrap_or(&Value::Null);
                for index in 0..array.len() {
                    self.value(items, &spot.index(index));
                }
            }
            (Some("string"), DeValue::String(_)) | (Some("boolean"), DeValue::Boolean(_)) => {}
            (Some("number"), DeValue::Float(_) | DeValue::Integer(_)) => {}
            (Some("integer"), DeValue::Integer(integer)) => {
                if !bounds(schema).contains(&number(integer)) {
                    self.refuse(spot, format!("must be {}, not {integer}", expected(schema)));
                }
            }
            // No type: anything goes that JSON can carry, for that is how settings reach a plugin.
            (None, _) => self.free(spot),
            _ => self.refuse(spot, format!("must be {}, not {}", expected(schema), found(value))),
        }
    }

    fn table(&mut self, schema: &'s Value, table: &DeTable<'_>, spot: &Spot<'_>) {
        if schema.get("properties").is_some() {
            self.keys(schema, table, spot);
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties").unwrap_or(&Value::Null);
        for key in spot.keys() {
            match properties.and_then(|known| known.get(key)) {
                Some(property) => self.value(property, &spot.key(key)),
                None if properties.is_none() => self.value(others, &spot.key(key)),
                None => {}
            }
        }
    }

    /// The keys that are unknown and those that are missing.
    fn keys(&mut self, schema: &'s Value, table: &DeTable<'_>, spot: &Spot<'_>) {
        let Some(known) = schema.get("properties").and_then(Value::as_object) else { return };
        for (key, value) in table {
            let name: &str = key.get_ref();
            if known.contains_key(name) {
                continue;
            }
            self.refused.push(value.span());
            let at = spot.name(name);
            let known = || known.keys().map(String::as_str);
            let says = format!("unknown key `{name}`{}", hint(name, known()));
            self.notes.refuse(&at, says, listed(known()));
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            if table.contains_key(name) {
                continue;
            }
            let Some(property) = known.get(name) else { continue };
            let kind = self.resolve(property);
            let says = format!("missing: {}", expected(kind));
            let about = property.get("description").or(kind.get("description")).and_then(Value::as_str);
            self.notes.explain(&spot.key(name), says, about.unwrap_or_default());
        }
    }

    fn word(&mut self, words: &[&str], value: &DeValue<'_>, spot: &Spot<'_>) {
        let Some(word) = value.as_str() else {
            self.refuse(
                spot,
                format!("must be one of {}, not {}", listed(words.iter().copied()), found(value)),
            );
            return;
        };
        if words.contains(&word) {
            return;
        }
        self.refused.push(spot.span.clone());
        let says = format!("unknown value `{word}`{}", hint(word, words.iter().copied()));
        self.notes.refuse(spot, says, listed(words.iter().copied()));
    }

    fn free(&mut self, spot: &Spot<'_>) {
        match spot.value {
            Some(DeValue::Table(_)) => {
                for key in spot.keys() {
                    self.free(&spot.key(key));
                }
            }
            Some(DeValue::Array(_)) => {
                for index in 0..spot.len() {
                    self.free(&spot.index(index));
                }
            }
            Some(DeValue::Datetime(_)) => {
                self.refuse(spot, "must not be a date: plugins get their settings as JSON; put it in quotes");
            }
            Some(DeValue::Float(float)) if !float.as_str().parse().is_ok_and(f64::is_finite) => {
                self.refuse(spot, "must be a finite number: plugins get their settings as JSON");
            }
            Some(DeValue::Integer(integer)) if i64::try_from(number(integer)).is_err() => {
                self.refuse(spot, "must be a whole number of at most 64 bits");
            }
            Some(DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_))
            | None => {}
        }
    }

    fn refuse(&mut self, spot: &Spot<'_>, says: impl Into<String>) {
        self.refused.push(spot.span.clone());
        self.notes.note(spot, says);
    }

    fn resolve(&self, schema: &'s Value) -> &'s Value {
        // What may be left out may also be null in the schema, which TOML does not have.
        let some = schema.get("anyOf").and_then(|either| either.get(0)).unwrap_or(schema);
        let name = some.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
        name.and_then(|name| self.definitions.get(name)).unwrap_or(some)
    }
}

fn type_of(schema: &Value) -> Option<&str> {
    let kind = schema.get("type")?;
    kind.as_str().or_else(|| kind.get(0)?.as_str())
}

/// The words of an enumeration, in either of the two ways in which a schema lists them.
fn words(schema: &Value) -> Option<Vec<&str>> {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return Some(words.iter().filter_map(Value::as_str).collect());
    }
    let either = schema.get("oneOf")?.as_array()?;
    Some(either.iter().filter_map(|one| one.get("const")).filter_map(Value::as_str).collect())
}

fn bounds(schema: &Value) -> std::ops::RangeInclusive<i128> {
    let least = schema.get("minimum").and_then(Value::as_i64).map_or(i128::from(i64::MIN), i128::from);
    let most = match schema.get("format").and_then(Value::as_str) {
        Some("uint32") => i128::from(u32::MAX),
        _ => i128::from(i64::MAX),
    };
    least..=most
}

/// One that no integer type of the file can hold where the digits are too many even for this.
fn number(integer: &DeInteger<'_>) -> i128 {
    i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i128::MAX)
}

fn expected(schema: &Value) -> String {
    match type_of(schema) {
        Some("integer") => {
            let bounds = bounds(schema);
            format!("a whole number from {} to {}", bounds.start(), bounds.end())
        }
        Some("number") => "a number".to_owned(),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("array") => "a list".to_owned(),
        Some("object") => "a table".to_owned(),
        _ => "a string".to_owned(),
    }
}

fn found(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn prune(value: &mut DeValue<'_>, refused: &[Range<usize>]) {
    match value {
        DeValue::Table(table) => {
            let all = std::mem::take(table);
            table.extend(all.into_iter().filter(|(_, value)| !refused.contains(&value.span())));
            for (_, value) in table.iter_mut() {
                prune(value.get_mut(), refused);
            }
        }
        DeValue::Array(array) => {
            for value in array.iter_mut() {
                prune(value.get_mut(), refused);
            }
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => {}
    }
}
