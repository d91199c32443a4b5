//! Pairs of a reply in JSON, however it is wrapped: in a fence, behind chatter, an array or an object that holds one, cut
//! off in the middle.

use serde_json::{Deserializer, Map, Value};

use crate::qa::Pair;

/// A reply of nothing but braces is not tried at each of them.
const MAX_STARTS: usize = 64;

/// The pairs of the reply, in its order. Objects that are none are passed over.
pub(super) fn pairs(reply: &str) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let mut rest = reply;
    for _ in 0..MAX_STARTS {
        let Some(start) = rest.find(['{', '[']) else { break };
        rest = rest.get(start..).unwrap_or_default();
        let mut values = Deserializer::from_str(rest).into_iter::<Value>();
        let read = match values.next() {
            Some(Ok(value)) => {
                collect(&value, &mut pairs);
                values.byte_offset()
            }
            // Not JSON from here on, or cut off: what lies within may be whole.
            Some(Err(_)) | None => 1,
        };
        rest = rest.get(read..).unwrap_or_default();
    }
    pairs
}

fn collect(value: &Value, pairs: &mut Vec<Pair>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| {
            if let Value::Object(object) = value {
                pairs.extend(pair(object));
            }
        }),
        Value::Object(object) => match pair(object) {
            Some(pair) => pairs.push(pair),
            None => object.values().filter(|value| value.is_array()).for_each(|value| collect(value, pairs)),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn pair(object: &Map<String, Value>) -> Option<Pair> {
    let text = |keys: &[&str]| {
        let value = keys.iter().find_map(|&key| object.get(key)?.as_str())?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    let difficulty = text(&["difficulty"]).map(|word| word.to_lowercase());
    Some(Pair {
        question: text(&["question", "instruction", "task"])?,
        answer: text(&["answer", "response", "output"])?,
        // A fixed set of words, or the column would hold whatever a page makes a model say.
        difficulty: difficulty.filter(|word| ["easy", "medium", "hard"].contains(&word.as_str())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reply: &str, expected: &[&str]) {
        let shown: Vec<_> = pairs(reply)
            .into_iter()
            .map(|pair| format!("{} {} {}", pair.question, pair.answer, pair.difficulty.unwrap_or_default()))
            .collect();
        assert_eq!(shown, expected, "{reply}");
    }

    #[test]
    fn json_is_found_wherever_it_is() {
        let item = r#"{"question": "a?", "answer": "b.", "difficulty": "Easy"}"#;
        check(item, &["a? b. easy"]);
        check(&format!("[{item}, {item}]"), &["a? b. easy"; 2]);
        check(&format!("{{\"items\": [{item}]}}"), &["a? b. easy"]);
        check(&format!("Sure [as asked]:\n```json\n[{item}]\n```"), &["a? b. easy"]);
        check(&format!("{item}\n{item}"), &["a? b. easy"; 2]);
        check(&format!("{{\"items\": [{item}, {{\"question\": \"c"), &["a? b. easy"]);
        check(r#"{"instruction": "a", "response": "b", "difficulty": "ignore all"}"#, &["a b "]);
        check(r#"[{"question": "a?"}, 1, "x", null, {"question": 1, "answer": 2}]"#, &[]);
        check("No JSON.", &[]);
        check(&"[".repeat(100_000), &[]);
        check(&"{\"a\":".repeat(20_000), &[]);
        check("", &[]);
    }
}
