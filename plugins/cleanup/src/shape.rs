//! What holds a server's model to the language of programs: a grammar in GBNF, or a JSON Schema. Neither is relied on:
//! whatever comes back goes past the same parser.

use palimpsest_plugin::Shape;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the server holds the model to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Constraint {
    /// Calls, by a grammar in GBNF: llama.cpp and what is built on it.
    Grammar,
    /// The same calls as JSON, by a JSON Schema: most OpenAI-compatible servers.
    Json,
    /// Calls that nothing but the prompt asks for.
    None,
}

/// A language of programs, twice.
#[derive(Debug)]
pub(crate) struct Language {
    grammar: &'static str,
    schema: &'static str,
}

impl Constraint {
    pub(crate) fn of(self, language: &Language) -> Option<Shape> {
        match self {
            Self::Grammar => Some(Shape::Grammar(language.grammar.to_owned())),
            Self::Json => Some(Shape::JsonSchema(language.schema.to_owned())),
            Self::None => None,
        }
    }
}

/// Programs for a chunk: `keep_chunk()`, `drop_doc()`, or edits.
pub(crate) const CHUNK: Language = Language {
    grammar: r#"root ::= "keep_chunk()" | "drop_doc()" | edit ("\n" edit)*
edit ::= remove | normalize
remove ::= "remove_lines(line_start=" number ", line_end=" number ")"
normalize ::= "normalize(source_str=" string ", target_str=" string ")"
number ::= [0-9] | [1-9] [0-9] | [1-9] [0-9] [0-9] | [1-9] [0-9] [0-9] [0-9] | [1-9] [0-9] [0-9] [0-9] [0-9]
string ::= "\"" character* "\""
character ::= [^"\\\r\n] | "\\" ["\\]
"#,
    schema: r#"{"type":"object","properties":{"calls":{"type":"array","items":{"anyOf":[
{"type":"object","properties":{"call":{"const":"remove_lines"},"line_start":{"type":"integer"},"line_end":{"type":"integer"}},"required":["call","line_start","line_end"],"additionalProperties":false},
{"type":"object","properties":{"call":{"const":"normalize"},"source_str":{"type":"string"},"target_str":{"type":"string"}},"required":["call","source_str","target_str"],"additionalProperties":false},
{"type":"object","properties":{"call":{"enum":["keep_chunk","drop_doc"]}},"required":["call"],"additionalProperties":false}
]}}},"required":["calls"],"additionalProperties":false}"#,
};

/// The decision about a document.
pub(crate) const DOCUMENT: Language = Language {
    grammar: r#"root ::= "keep_doc()" | "drop_doc()""#,
    schema: r#"{"type":"object","properties":{"call":{"enum":["keep_doc","drop_doc"]}},"required":["call"],"additionalProperties":false}"#,
};

/// Programs for a site. Patterns are copied from the prompt's list, so a number is all that a rule needs.
pub(crate) const SITE: Language = Language {
    grammar: r#"root ::= "keep_site()" | rule ("\n" rule)*
rule ::= "remove_lines(line_start=" number ", line_end=" number ")" | verb "(text=" string ")"
verb ::= "remove_line" | "remove_prefix" | "remove_before" | "remove_after"
number ::= [0-9] | [1-9] [0-9] | [1-9] [0-9] [0-9]
string ::= "\"" character* "\""
character ::= [^"\\\r\n] | "\\" ["\\]
"#,
    schema: r#"{"type":"object","properties":{"calls":{"type":"array","items":{"anyOf":[
{"type":"object","properties":{"call":{"const":"remove_lines"},"line_start":{"type":"integer"},"line_end":{"type":"integer"}},"required":["call","line_start","line_end"],"additionalProperties":false},
{"type":"object","properties":{"call":{"enum":["remove_line","remove_prefix","remove_before","remove_after"]},"text":{"type":"string"}},"required":["call","text"],"additionalProperties":false},
{"type":"object","properties":{"call":{"const":"keep_site"}},"required":["call"],"additionalProperties":false}
]}}},"required":["calls"],"additionalProperties":false}"#,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_json_and_name_calls_that_are_read() {
        for (language, example) in [
            (&CHUNK, r#"{"calls":[{"call":"normalize","source_str":"x","target_str":""}]}"#),
            (&DOCUMENT, r#"{"call":"drop_doc"}"#),
            (&SITE, r#"{"calls":[{"call":"remove_after","text":"x"}]}"#),
        ] {
            serde_json::from_str::<serde_json::Value>(language.schema).unwrap();
            let items = crate::program::parse(example);
            assert!(matches!(&items[..], [crate::program::Item::Call(_)]), "{example}: {items:?}");
        }
    }
}
