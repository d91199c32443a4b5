//! The lines of a batch's file, and what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::provider::batch::BatchRules;
use crate::provider::ledger::Digest;
use crate::provider::reply::Ask;

/// A line that asks for something, if only for what cannot be answered.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) custom_id: String,
    pub(super) body: Digest,
    pub(super) ask: Result<Ask, String>,
}

/// The only endpoint that batches are for here.
pub(super) const ENDPOINT: &str = "/v1/chat/completions";

pub(super) fn complaint(code: &str, message: &str, line: Option<usize>) -> Value {
    json!({ "code": code, "message": message, "param": null, "line": line })
}

/// The lines of a batch's file, and what is wrong with them.
pub(super) fn lines(bytes: &[u8], endpoint: &str, rules: &BatchRules) -> (Vec<Asked>, Vec<Value>) {
    let (mut lines, mut wrong) = (Vec::new(), Vec::new());
    let (mut ids, mut models) = (BTreeSet::new(), BTreeSet::new());
    let texts = bytes.split(|byte| *byte == b'\n').filter(|text| !text.trim_ascii().is_empty());
    for (number, text) in texts.enumerate() {
        match line(text, endpoint) {
            Ok(line) => {
                models.extend(line.ask.as_ref().ok().map(|ask| ask.model.clone()));
                if !ids.insert(line.custom_id.clone()) {
                    wrong.push(complaint(
                        "duplicate_custom_id",
                        "this custom_id is not the first",
                        Some(number + 1),
                    ));
                }
                lines.push(line);
            }
            Err((code, message)) => wrong.push(complaint(code, message, Some(number + 1))),
        }
    }
    if lines.is_empty() && wrong.is_empty() {
        wrong.push(complaint("empty_file", "the file has no lines", None));
    }
    if 1 < models.len() {
        wrong.push(complaint("mismatched_model", "all lines have to be for the same model", None));
    }
    if rules.most_lines < lines.len() {
        wrong.push(complaint("too_many_tasks", "the file has too many lines", None));
    }
    (lines, wrong)
}

fn line(text: &[u8], endpoint: &str) -> Result<Asked, (&'static str, &'static str)> {
    let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(text)
        .map_err(|_no_json| ("invalid_json_line", "the line is no JSON object"))?;
    let field = |name: &str| serde_json::from_str::<String>(fields.get(name)?.get()).ok();
    let custom_id = field("custom_id").ok_or(("missing_required_parameter", "custom_id is missing"))?;
    if field("method").is_none_or(|method| method != "POST") {
        return Err(("invalid_method", "method has to be POST"));
    }
    if field("url").is_none_or(|url| url != ENDPOINT) || endpoint != ENDPOINT {
        return Err(("url_mismatch", "url has to be the batch's endpoint"));
    }
    let body = fields.get("body").ok_or(("missing_required_parameter", "body is missing"))?;
    // As it was written, so that its hash is that of the same request online.
    let body = body.get().as_bytes();
    Ok(Asked { custom_id, body: Digest::of(body), ask: Ask::read(body) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: &str) -> String {
        let messages = json!([{ "role": "user", "content": id }]);
        let body = json!({ "model": "m", "messages": messages });
        json!({ "custom_id": id, "method": "POST", "url": ENDPOINT, "body": body }).to_string() + "\n"
    }

    #[track_caller]
    fn wrong(file: &str, codes: &[&str]) {
        let rules = BatchRules { most_lines: 3, ..BatchRules::default() };
        let (_, wrong) = lines(file.as_bytes(), ENDPOINT, &rules);
        assert_eq!(wrong.iter().map(|wrong| wrong["code"].as_str().unwrap()).collect::<Vec<_>>(), codes);
    }

    #[test]
    fn a_file_is_checked_line_by_line() {
        wrong(&(request("a") + "\n" + &request("b")), &[]);
        wrong("\n", &["empty_file"]);
        wrong(&(request("a") + "{\n" + &request("a")), &["invalid_json_line", "duplicate_custom_id"]);
        wrong(&request("a").replace("custom_id", "id"), &["missing_required_parameter"]);
        wrong(&request("a").replace("POST", "GET"), &["invalid_method"]);
        wrong(&request("a").replace("/v1/chat", "/v2/chat"), &["url_mismatch"]);
        wrong(&(request("a") + &request("b").replace("\"m\"", "\"other\"")), &["mismatched_model"]);
        wrong(&["a", "b", "c", "d"].map(request).concat(), &["too_many_tasks"]);
    }

    #[test]
    fn a_batch_line_has_the_hash_of_the_body_as_it_was_written() {
        let line = r#"{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"z":1, "a":2}}"#;
        let (lines, _) = lines(line.as_bytes(), ENDPOINT, &BatchRules::default());
        assert_eq!(lines[0].body, Digest::of(br#"{"z":1, "a":2}"#));
    }
}
