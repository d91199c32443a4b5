//! The built-in styles, and what users make of them.

use std::collections::BTreeMap;

use super::{Append, Cut, Limits, Reading, Rows, Style, StyleTable, Variant};

/// One file for each family of sources.
const FILES: [&str; 5] = [
    include_str!("../../styles/nemotron-cc.toml"),
    include_str!("../../styles/wrap.toml"),
    include_str!("../../styles/finephrase.toml"),
    include_str!("../../styles/cosmopedia.toml"),
    include_str!("../../styles/more.toml"),
];

/// The slots that the stage fills in by itself.
const GIVEN: [&str; 3] = ["language", "topic", "persona"];

type Tables = BTreeMap<String, StyleTable>;

fn built_in() -> Result<Tables, String> {
    let mut tables = Tables::new();
    for file in FILES {
        tables.extend(toml::from_str::<Tables>(file).map_err(|error| format!("a built-in style: {error}"))?);
    }
    Ok(tables)
}

/// The styles of these names, with the user's definitions before the built-in ones.
pub(crate) fn resolve(names: &[String], define: &Tables) -> Result<Vec<Style>, String> {
    let built_in = built_in()?;
    for name in define.keys() {
        style(name, define, &built_in)?;
    }
    names.iter().map(|name| style(name, define, &built_in)).collect()
}

fn style(name: &str, define: &Tables, built_in: &Tables) -> Result<Style, String> {
    let Some(own) = define.get(name) else {
        let table = built_in.get(name).ok_or_else(|| unknown(name, define, built_in))?;
        return finished(name, false, table.clone());
    };
    let base = match &own.like {
        Some(like) => built_in.get(like).ok_or_else(|| unknown(like, define, built_in))?.clone(),
        None => built_in.get(name).cloned().unwrap_or_default(),
    };
    let changed = own.version.is_none() && own.changes_words() && built_in.contains_key(name);
    finished(name, changed, own.clone().over(base))
}

fn unknown(name: &str, define: &Tables, built_in: &Tables) -> String {
    let mut known: Vec<&str> = built_in.keys().chain(define.keys()).map(String::as_str).collect();
    known.sort_unstable();
    known.dedup();
    format!("no style `{name}`; there are {}, and `define` makes others", known.join(", "))
}

/// The table with its defaults, if it can work. `changed`: a built-in one's words are not its own any more.
fn finished(name: &str, changed: bool, table: StyleTable) -> Result<Style, String> {
    let template = if changed { "own".to_owned() } else { table.version.unwrap_or(1).to_string() };
    let style = Style {
        name: name.to_owned(),
        template: format!("{name}-{template}"),
        variants: table.variants.unwrap_or_default().into_iter().map(trimmed).collect(),
        format: table.format.unwrap_or_default().trim().to_owned(),
        header: table.header.unwrap_or_default().trim().trim_end_matches(':').to_owned(),
        thinks: table.thinks.unwrap_or(false),
        topic: table.topic,
        slots: table.slots.unwrap_or_default(),
        reading: table.reading.unwrap_or(Reading::Prose),
        markdown: table.markdown.unwrap_or(false),
        rows: table.rows.unwrap_or(Rows::Document),
        append: table.append.unwrap_or(Append::Segment),
        separator: table.separator.unwrap_or_else(|| "\n".to_owned()),
        sample: table.sample.unwrap_or(false),
        max_items: table.max_items.unwrap_or(8),
        schema: table.schema.map(|schema| schema.trim().to_owned()),
        limits: Limits {
            cut: table.cut.unwrap_or(Cut::Joined),
            min_document: table.min_document.unwrap_or(30),
            min_segment: table.min_segment.unwrap_or(10),
            max_segment: table.max_segment.unwrap_or(u32::MAX),
            max_input: table.max_input.unwrap_or(1000),
            max_output: table.max_output.unwrap_or(1000),
            min_final: table.min_final.unwrap_or(20),
            seed_only: table.seed_only.unwrap_or(false),
        },
        temperature: table.temperature.unwrap_or(0.5),
        top_p: table.top_p,
        length: table.length.unwrap_or((0.1, 3.0)),
        enough: table.enough.unwrap_or(0.6),
        new_numbers: table.new_numbers.unwrap_or(false),
    };
    match complaint(&style) {
        Some(complaint) => Err(format!("style `{name}`: {complaint}")),
        None => Ok(style),
    }
}

fn trimmed(variant: Variant) -> Variant {
    Variant { system: variant.system.trim().to_owned(), instruction: variant.instruction.trim().to_owned() }
}

fn complaint(style: &Style) -> Option<String> {
    let limits = &style.limits;
    let says = if style.name.is_empty()
        || !style.name.chars().all(|symbol| symbol.is_ascii_alphanumeric() || symbol == '_')
        || style.name == "original"
    {
        "a name is of letters, digits and underscores, and `original` is the page itself"
    } else if style.variants.is_empty() {
        "`variants` has no wording"
    } else if style.slots.values().any(BTreeMap::is_empty) {
        "a slot has nothing to draw from"
    } else if style.slots.keys().any(|slot| GIVEN.contains(&slot.as_str())) {
        "`language`, `topic` and `persona` are filled in by the stage"
    } else if limits.max_output == 0 || limits.max_input == 0 {
        "`max_input` and `max_output` must be at least 1"
    } else if limits.max_segment < limits.min_segment {
        "`max_segment` is less than `min_segment`"
    } else if !(0.0..=2.0).contains(&style.temperature) {
        "`temperature` must be from 0 to 2"
    } else if style.top_p.is_some_and(|top_p| !(0.0..=1.0).contains(&top_p)) {
        "`top_p` must be from 0 to 1"
    } else if !(0.0..=style.length.1).contains(&style.length.0) {
        "`length` is the least share and then the greatest"
    } else if style.enough.is_nan() || style.enough < 0.0 {
        "`enough` is a share"
    } else if style.max_items == 0 {
        "`max_items` must be at least 1"
    } else if style.thinks && style.header.is_empty() {
        "`thinks` needs a `header`"
    } else if style
        .schema
        .as_ref()
        .is_some_and(|schema| serde_json::from_str::<serde_json::Value>(schema).is_err())
    {
        "`schema` is not JSON"
    } else if style.topic.as_ref().is_some_and(|topic| !topic.contains("{topic}")) {
        "`topic` does not say `{topic}`"
    } else {
        return unknown_slot(style);
    };
    Some(says.to_owned())
}

fn unknown_slot(style: &Style) -> Option<String> {
    let known = |slot: &str| slot == "language" || slot == "persona" || style.slots.contains_key(slot);
    style
        .variants
        .iter()
        .flat_map(|variant| [variant.system.as_str(), variant.instruction.as_str()])
        .chain([style.format.as_str()])
        .flat_map(super::prompt::slots)
        .find(|slot| !known(slot))
        .map(|slot| {
            format!("nothing fills in `{{{slot}}}`: there are `{{language}}`, `{{persona}}` and what `slots` has; the page \
                     follows by itself")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        built_in().unwrap().into_keys().collect()
    }

    #[test]
    fn all_built_in_styles_can_be_asked_for() {
        let names = names();
        assert_eq!(
            names.join(" "),
            "blog_post concise conversation distill diverse_qa extract_knowledge faq guided_rewrite instruction \
             knowledge_list math persona story table textbook tutorial wikihow wikipedia wrap_easy wrap_hard \
             wrap_medium wrap_qa"
        );
        for style in resolve(&names, &Tables::new()).unwrap() {
            assert!(style.variants.len() <= 4, "{}", style.name);
            assert!(style.variants.len() >= 2 || style.name == "concise", "{}", style.name);
            let mut openings: Vec<_> =
                style.variants.iter().map(|variant| variant.instruction.get(..12)).collect();
            openings.sort_unstable();
            openings.dedup();
            assert_eq!(openings.len(), style.variants.len(), "{}: openings differ", style.name);
        }
    }

    /// The task table of Nemotron-CC's published pipelines.
    #[test]
    fn the_published_limits_are_kept() {
        let names =
            ["wikipedia", "diverse_qa", "distill", "extract_knowledge", "knowledge_list"].map(str::to_owned);
        let limits: Vec<_> = resolve(&names, &Tables::new())
            .unwrap()
            .into_iter()
            .map(|Style { limits, temperature, top_p, .. }| {
                assert_eq!((temperature, top_p), (0.5, Some(0.9)));
                [
                    limits.min_document,
                    limits.min_segment,
                    limits.max_input,
                    limits.max_output,
                    limits.min_final,
                ]
            })
            .collect();
        assert_eq!(
            limits,
            [
                [5, 5, 512, 512, 50],
                [30, 30, 1000, 600, 100],
                [30, 10, 2000, 1600, 50],
                [30, 30, 1400, 1400, 50],
                [30, 30, 1000, 600, 50]
            ]
        );
    }

    #[track_caller]
    fn defined(tables: &str, name: &str) -> Result<Style, String> {
        let define: Tables = toml::from_str(tables).unwrap();
        resolve(&[name.to_owned()], &define).map(|mut styles| styles.remove(0))
    }

    #[test]
    fn a_built_in_style_is_changed_in_parts() {
        let changed = defined("[wikipedia]\nmax_output = 900", "wikipedia").unwrap();
        assert_eq!((changed.limits.max_output, changed.limits.max_input), (900, 512));
        assert_eq!(changed.template, "wikipedia-2", "the words are the same");
        let words = "[wikipedia]\nvariants = [{ instruction = 'Say it.' }]";
        assert_eq!(defined(words, "wikipedia").unwrap().template, "wikipedia-own");
        let numbered = format!("{words}\nversion = 9");
        assert_eq!(defined(&numbered, "wikipedia").unwrap().template, "wikipedia-9");
        let like = defined("[short]\nlike = 'distill'\nmax_output = 100", "short").unwrap();
        assert_eq!(
            (like.name.as_str(), like.template.as_str(), like.rows),
            ("short", "short-1", Rows::Segment)
        );
        let own = defined("[mine]\nvariants = [{ instruction = 'Say it in {language}.' }]", "mine").unwrap();
        assert_eq!((own.reading, own.limits.max_input), (Reading::Prose, 1000));
    }

    #[test]
    fn what_cannot_work_is_complained_of() {
        for (tables, name, says) in [
            ("", "haiku", "no style `haiku`; there are blog_post, "),
            ("[x]\nlike = 'haiku'", "x", "no style `haiku`"),
            ("[x]", "x", "no wording"),
            ("[x]", "concise", "no wording"),
            ("[x]\nvariants = [{ instruction = 'Say {text}.' }]", "x", "nothing fills in `{text}`"),
            ("[original]\nlike = 'faq'", "original", "a name is"),
            ("['a b']\nlike = 'faq'", "a b", "a name is"),
            ("[x]\nlike = 'faq'\nlength = [2.0, 1.0]", "x", "`length`"),
            ("[x]\nlike = 'faq'\ntemperature = 3.0", "x", "`temperature`"),
            ("[x]\nlike = 'faq'\ntop_p = 3.0", "x", "`top_p`"),
            ("[x]\nlike = 'faq'\nmax_segment = 3", "x", "`max_segment`"),
            ("[x]\nlike = 'faq'\nmax_output = 0", "x", "`max_output`"),
            ("[x]\nlike = 'faq'\nthinks = true", "x", "`thinks`"),
            ("[x]\nlike = 'faq'\nschema = '{'", "x", "`schema`"),
            ("[x]\nlike = 'faq'\ntopic = 'x'", "x", "`topic`"),
            ("[x]\nlike = 'faq'\nmax_items = 0", "x", "`max_items`"),
            ("[x]\nlike = 'faq'\nenough = -1.0", "x", "`enough`"),
            ("[x]\nlike = 'faq'\n[x.slots.mood]", "x", "nothing to draw from"),
            ("[x]\nlike = 'faq'\n[x.slots.topic]\na = 'b'", "x", "filled in by the stage"),
        ] {
            let complaint = defined(tables, name).unwrap_err();
            assert!(complaint.contains(says), "{tables}: {complaint}");
        }
        toml::from_str::<Tables>("[x]\ncolour = 1").unwrap_err();
    }
}
