//! The user's lists of topics and personas: from the settings, and from files that the pipeline file grants.

use palimpsest_plugin::Page;
use serde_json::Value;

use crate::settings::Settings;
use crate::style::Style;

/// What is drawn from, in the order in which it is written.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    pub topics: Vec<String>,
    pub personas: Vec<String>,
}

/// A line of a list goes into prompts; a longer one is a text in the wrong file.
const LONGEST_LINE: usize = 2_000;

/// A complaint about a style that needs a list that nobody gives.
pub(crate) fn check(styles: &[Style], settings: &Settings) -> Result<(), String> {
    let without = settings.personas.is_empty() && settings.personas_file.is_none();
    match styles.iter().find(|style| style.uses_persona() && without) {
        Some(style) => Err(format!("the style `{}` needs `personas` or `personas_file`", style.name)),
        None => Ok(()),
    }
}

/// The lists, complete. An error says which grant is missing, or that a file is not text.
pub(crate) fn read(page: &Page<'_>, settings: &Settings) -> Result<Lists, String> {
    let whole = |listed: &[String], file: Option<&String>| {
        let mut list = listed.to_vec();
        if let Some(name) = file {
            let bytes = page.file(name)?;
            let text = String::from_utf8(bytes).map_err(|error| format!("the file `{name}`: {error}"))?;
            list.extend(text.lines().filter_map(line));
        }
        Ok::<_, String>(list)
    };
    let lists = Lists {
        topics: whole(&settings.topics, settings.topics_file.as_ref())?,
        personas: whole(&settings.personas, settings.personas_file.as_ref())?,
    };
    if lists.personas.is_empty() && settings.personas_file.is_some() {
        return Err("`personas_file` has no persona".to_owned());
    }
    Ok(lists)
}

/// A line of a list, plain or as JSON. Empty ones and remarks behind `#` are none.
fn line(line: &str) -> Option<String> {
    let line = line.trim();
    let text = match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(object)) => {
            object.get("persona").or_else(|| object.get("topic"))?.as_str()?.trim().to_owned()
        }
        _ => line.to_owned(),
    };
    (!text.is_empty() && !text.starts_with('#') && text.len() <= LONGEST_LINE).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_line_is_plain_or_json() {
        for (written, read) in [
            ("A nurse from Ghana", Some("A nurse from Ghana")),
            (r#"  {"persona": "A nurse", "id": 1} "#, Some("A nurse")),
            (r#"{"topic": "bees"}"#, Some("bees")),
            (r#"{"other": 1}"#, None),
            ("1984", Some("1984")),
            ("# a remark", None),
            ("", None),
        ] {
            assert_eq!(line(written).as_deref(), read);
        }
        assert_eq!(line(&"x".repeat(3000)), None);
    }
}
