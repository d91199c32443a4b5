//! JSON Schema as a grammar.
//!
//! llama.cpp translates; what it would choke on is refused before. A schema is a plugin's, and that translator calls
//! itself for each level and around each circle of references, runs regular expressions that call themselves for each
//! character of a name, and copies the names of a record once for each pair of them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Bytes of a schema. A record of ten described fields takes a tenth of it.
const MAX_BYTES: usize = 16 << 10;

/// Members of one object or list in the schema: fields of a record, values of an enumeration.
const MAX_MEMBERS: usize = 128;

/// Bytes of a name or a string in the schema; prose is not looked at.
const MAX_STRING: usize = 1024;

/// Levels of the schema.
const MAX_DEPTH: usize = 32;

#[derive(Debug, thiserror::Error)]
pub(super) enum SchemaError {
    #[error("the JSON schema is longer than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("the JSON schema cannot be used: {0}")]
    Unusable(serde_json::Error),
    #[error("the JSON schema asks for something that the embedded model cannot enforce")]
    Unsupported,
}

/// The grammar of the JSON that a schema describes, with the fields of records in the schema's order.
pub(super) fn gbnf(schema: &str) -> Result<String, SchemaError> {
    if MAX_BYTES < schema.len() {
        return Err(SchemaError::TooLarge);
    }
    let mut found = Found::default();
    let mut json = serde_json::Deserializer::from_str(schema);
    let measured = Measure { depth: 0, prose: false, found: &mut found }.deserialize(&mut json);
    measured.and_then(|()| json.end()).map_err(SchemaError::Unusable)?;
    // The text itself is passed on: a parsed one would have its fields in another order.
    llama_cpp_2::json_schema_to_grammar(schema).map_err(|_says_nothing| SchemaError::Unsupported)
}

#[derive(Default)]
struct Found {
    all_of: bool,
    reference: bool,
}

/// Reads a schema for its limits only. As it is read and not once it is parsed, because a parsed one has lost all but
/// one of the members of one name.
struct Measure<'f> {
    depth: usize,
    prose: bool,
    found: &'f mut Found,
}

impl Measure<'_> {
    fn within<E: Error>(&mut self, prose: bool) -> Result<Measure<'_>, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format_args!("more than {MAX_DEPTH} levels")));
        }
        Ok(Measure { depth: self.depth + 1, prose, found: self.found })
    }

    fn member<E: Error>(&mut self, name: &str) -> Result<(), E> {
        short(name)?;
        self.found.all_of |= name == "allOf";
        self.found.reference |= name == "$ref";
        // The translator follows these without remembering where it has been.
        if self.found.all_of && self.found.reference {
            return Err(E::custom("`allOf` and `$ref` together"));
        }
        Ok(())
    }
}

fn short<E: Error>(text: &str) -> Result<(), E> {
    match text.len() {
        0..=MAX_STRING => Ok(()),
        _ => Err(E::custom(format_args!("a string of more than {MAX_STRING} bytes"))),
    }
}

fn few<E: Error>(members: usize) -> Result<(), E> {
    match members {
        0..=MAX_MEMBERS => Ok(()),
        _ => Err(E::custom(format_args!("more than {MAX_MEMBERS} members in one place"))),
    }
}

impl<'de> DeserializeSeed<'de> for Measure<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Measure<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON schema")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _value: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _value: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _value: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _value: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if self.prose { Ok(()) } else { short(text) }
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let mut members = 0;
        while items.next_element_seed(self.within(false)?)?.is_some() {
            members += 1;
            few(members)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut members = 0;
        while let Some(name) = map.next_key::<String>()? {
            self.member(&name)?;
            map.next_value_seed(self.within(matches!(name.as_str(), "description" | "title"))?)?;
            members += 1;
            few(members)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::grammar::{Grammar, GrammarError, Matcher};
    use super::*;

    #[track_caller]
    fn check(schema: &str, json: &str, whole: bool) {
        let mut matcher = Matcher::new(Grammar::parse(&gbnf(schema).unwrap()).unwrap()).unwrap();
        assert_eq!(matcher.accept(json.as_bytes()).unwrap() && matcher.may_end(), whole, "{json}");
    }

    #[track_caller]
    fn check_refused(schema: &str, expected: &str) {
        let error = gbnf(schema).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    const PAIRS: &str = r#"{"type": "array", "minItems": 1, "maxItems": 2, "items": {
        "type": "object", "required": ["question", "answer"],
        "properties": {"question": {"type": "string", "minLength": 1}, "answer": {"type": "string"}}
    }}"#;

    #[test]
    fn records_keep_the_order_of_the_schema() {
        check(PAIRS, r#"[{"question": "Wörter?", "answer": "Ja.\n"}]"#, true);
        check(PAIRS, r#"[{"answer": "Ja.", "question": "Wörter?"}]"#, false);
        check(PAIRS, r#"[{"question": "", "answer": "Ja."}]"#, false);
        check(PAIRS, "[]", false);
    }

    #[test]
    fn the_usual_kinds() {
        check(r#"{"enum": ["keep", "drop"]}"#, r#""keep""#, true);
        check(r#"{"enum": ["keep", "drop"]}"#, r#""kept""#, false);
        check(r#"{"type": "integer", "minimum": 1, "maximum": 5}"#, "5", true);
        check(r#"{"type": "integer", "minimum": 1, "maximum": 5}"#, "6", false);
        check(r#"{"anyOf": [{"type": "null"}, {"type": "number"}]}"#, "-1.5e3", true);
        check(r#"{"type": "object"}"#, r#"{"a": [1, {"b": null}]}"#, true);
        check("{}", "true", true);
        check(r##"{"$ref": "#/$defs/n", "$defs": {"n": {"type": "boolean"}}}"##, "false", true);
    }

    #[test]
    fn trees_may_refer_to_themselves() {
        let tree =
            r##"{"$ref": "#/$defs/t", "$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}}"##;
        check(tree, "[[],[[[]]]]", true);
        check(tree, "[1]", false);
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let nested = |levels| format!("{}{{}}{}", r#"{"items":"#.repeat(levels), "}".repeat(levels));
        check_refused(&nested(33), "more than 32 levels");
        let fields = |count| (0..count).map(|n| format!(r#""f{n}":{{}}"#)).collect::<Vec<_>>().join(",");
        let record = |count| format!(r#"{{"type":"object","properties":{{{}}}}}"#, fields(count));
        check_refused(&record(129), "more than 128 members");
        assert!(gbnf(&record(128)).is_ok());
        check_refused(&format!(r#"{{"properties":{{}},"properties":{{{}}}}}"#, fields(129)), "more than 128");
        check_refused(&format!(r#"{{"const": "{}"}}"#, "é".repeat(600)), "more than 1024 bytes");
        check_refused(&" ".repeat(17 << 10), "longer than 16384 bytes");
        let circle = r##"{"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"$ref": "#/$defs/a"}}}"##;
        check_refused(circle, "`allOf` and `$ref` together");
    }

    #[test]
    fn prose_may_be_long() {
        check(&format!(r#"{{"type": "null", "description": "{}"}}"#, "word ".repeat(1000)), "null", true);
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        check_refused("{", "cannot be used: EOF");
        check_refused("{} {}", "trailing characters");
        check_refused(r#"{"type": "rainbow"}"#, "cannot enforce");
        check_refused(r##"{"$ref": "#/nowhere"}"##, "cannot enforce");
    }

    #[test]
    fn a_circle_without_a_way_out_is_no_grammar() {
        let gbnf = gbnf(r##"{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}"##).unwrap();
        assert_eq!(Grammar::parse(&gbnf).and_then(Matcher::new).unwrap_err(), GrammarError::Nothing);
    }
}
