//! The stage `annotate`: a model says how good a page is, with points that add up and a reason, as FineWeb-Edu had its
//! training data made.
//!
//! The scores are for a classifier to learn from. So no page is ever dropped here: a page without a score says why.

mod ask;

use palimpsest_plugin::{Column, Draft, Failure, Finish, Kind, Outcome, Page, Stage, column, register, seed};
use schemars::JsonSchema;
use serde::Deserialize;

/// Enough for a reason and a number.
const REPLY_TOKENS: u32 = 300;

/// Settings of the stage `annotate`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The model that judges: a name of a `[models.NAME]` table.
    pub model: String,
    /// What gives points: `educational`, after FineWeb-Edu, or your own text. A text of your own must say what each of
    /// the points 1 to 5 is given for.
    #[serde(default = "criteria")]
    pub criteria: String,
    /// How many tokens of the page's beginning the model sees. FineWeb-Edu's classifier was trained on pages cut like
    /// this, at 512.
    #[serde(default = "max_tokens")]
    pub max_tokens: u32,
    /// The most tokens of a reply.
    #[serde(default = "reply_tokens")]
    pub reply_tokens: u32,
    /// Which share of the pages is judged, from 0 to 1. Which pages these are depends on their ids alone; the others
    /// go on without the columns.
    #[serde(default = "sample")]
    pub sample: f64,
    /// The column of the score; the reason's has `_reason` in place of a trailing `_score`, or behind it.
    #[serde(default = "column_name")]
    pub column: String,
}

/// The stage.
#[derive(Debug)]
pub struct Annotate {
    settings: Settings,
    reason: String,
}

impl Stage for Annotate {
    const NAME: &'static str = "annotate";
    const SUMMARY: &'static str = "lets a model score pages from 0 to 5, with a reason";
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        if settings.max_tokens == 0 || settings.reply_tokens == 0 {
            return Err("`max_tokens` and `reply_tokens` must be at least 1".to_owned());
        }
        if !(0.0..=1.0).contains(&settings.sample) {
            return Err(format!("sample: {} is not between 0 and 1", settings.sample));
        }
        if settings.criteria.trim().is_empty() {
            return Err("criteria: `educational`, or a text that says what gives points".to_owned());
        }
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if settings.column.is_empty() || !settings.column.bytes().all(word) {
            return Err(format!(
                "column: `{}` is no word in lower case, digits and underscores",
                settings.column
            ));
        }
        if settings.column.starts_with("annotate_") {
            return Err("column: names that begin with `annotate_` are the stage's own".to_owned());
        }
        let reason = format!("{}_reason", settings.column.strip_suffix("_score").unwrap_or(&settings.column));
        Ok(Self { settings, reason })
    }

    fn columns(&self) -> Vec<Column> {
        vec![
            column(&self.settings.column, Kind::Integer),
            column(&self.reason, Kind::Text),
            column("annotate_template", Kind::Text),
            column("annotate_error", Kind::Text),
        ]
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        if !sampled(&page.document().id, self.settings.sample) {
            return Ok(Outcome::keep(Draft::new()));
        }
        let draft = Draft::new().with("annotate_template", self.template());
        if page.text().trim().is_empty() {
            return Ok(Outcome::keep(draft.with("annotate_error", "empty")));
        }
        let text = beginning(page, &self.settings.model, self.settings.max_tokens);
        let Settings { model, reply_tokens, .. } = &self.settings;
        let prompt = ask::ask(model, self.criteria(), &page.document().id, text, *reply_tokens);
        let said = match page.ask(prompt).await {
            Ok(reply) => ask::read(&reply.text).map_err(|word| match reply.finish {
                Finish::Filtered => "filtered",
                Finish::Length if word == "unreadable" => "cut",
                Finish::Stop | Finish::Length => word,
            }),
            Err(failure) => Err(match failure {
                Failure::Refused(_) => "refused",
                Failure::TooLong(_) => "too_long",
                Failure::GaveUp(_) => "gave_up",
                Failure::OverBudget => "over_budget",
            }),
        };
        Ok(Outcome::keep(match said {
            Ok(annotation) => {
                let draft = draft.with(&self.settings.column, annotation.score);
                match annotation.reason {
                    Some(reason) => draft.with(&self.reason, reason),
                    None => draft,
                }
            }
            Err(word) => draft.with("annotate_error", word),
        }))
    }
}

impl Annotate {
    fn criteria(&self) -> &str {
        match self.settings.criteria.as_str() {
            "educational" => ask::EDUCATIONAL,
            own => own,
        }
    }

    fn template(&self) -> &'static str {
        match self.settings.criteria.as_str() {
            "educational" => ask::TEMPLATE,
            _ => "own",
        }
    }
}

/// Whether a page is in the sample: the same for the same id, in every run.
fn sampled(id: &str, share: f64) -> bool {
    // 53 bits are what a double can tell apart, so a share of 1 is all pages.
    let place = (seed(&["annotate", id]) >> 11) as f64 / (1_u64 << 53) as f64;
    place < share
}

/// The longest beginning of the text that has at most so many tokens, up to a sixty-fourth of it, cut at a blank where
/// there is one near.
fn beginning<'a>(page: &'a Page<'_>, model: &str, max_tokens: u32) -> &'a str {
    let text = page.text();
    // No vocabulary has tokens of more than some sixteen bytes on average, so a longer beginning is never looked at.
    let most = cut(text, (max_tokens as usize).saturating_mul(16));
    if page.count_tokens(model, most) <= max_tokens {
        return most;
    }
    let (mut fits, mut over) = (0, most.len());
    while most.len() / 64 + 1 < over - fits {
        let middle = fits + (over - fits) / 2;
        match page.count_tokens(model, cut(most, middle)) <= max_tokens {
            true => fits = middle,
            false => over = middle,
        }
    }
    let fitting = cut(most, fits);
    let blank = fitting.rfind(char::is_whitespace).filter(|&blank| fitting.len() < blank + 100);
    blank.and_then(|blank| fitting.get(..blank)).unwrap_or(fitting)
}

/// The text's first bytes, whole characters.
fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

fn criteria() -> String {
    "educational".to_owned()
}

fn max_tokens() -> u32 {
    512
}

fn reply_tokens() -> u32 {
    REPLY_TOKENS
}

fn sample() -> f64 {
    1.0
}

fn column_name() -> String {
    "edu_score".to_owned()
}

register!(Annotate);

#[cfg(test)]
mod tests {
    use palimpsest_plugin::testing::{self, TestPage, Verdict, document, reply};
    use palimpsest_plugin::{Reply, Value};
    use serde_json::json;

    use super::*;

    fn stage(mut settings: serde_json::Value) -> Result<Annotate, String> {
        settings["model"] = "m".into();
        Annotate::configure(serde_json::from_value(settings).map_err(|error| error.to_string())?)
    }

    fn asked(stage: &Annotate, page: &TestPage) -> String {
        match testing::run(stage, page, &[]).unwrap() {
            Verdict::Ask(prompts) => prompts.into_iter().next().unwrap().user,
            other @ (Verdict::Emit(_) | Verdict::Drop(_)) => panic!("asks: {other:?}"),
        }
    }

    /// The fields but the template's, after this reply.
    fn fields(settings: serde_json::Value, said: Result<Reply, Failure>) -> Vec<String> {
        let stage = stage(settings).unwrap();
        let Verdict::Emit(drafts) = testing::run(&stage, &document("Rivers rise."), &[said]).unwrap() else {
            panic!("never drops")
        };
        let columns = stage.columns();
        let fields = drafts[0].fields.iter().filter(|field| field.name != "annotate_template");
        fields
            .map(|field| {
                assert!(columns.iter().any(|column| column.name == field.name), "{}", field.name);
                match &field.value {
                    Value::Text(text) => format!("{} {text}", field.name),
                    Value::Integer(integer) => format!("{} {integer}", field.name),
                    other @ (Value::Number(_) | Value::Flag(_) | Value::Texts(_)) => panic!("{other:?}"),
                }
            })
            .collect()
    }

    #[track_caller]
    fn check(said: Result<Reply, Failure>, expected: &[&str]) {
        assert_eq!(fields(json!({}), said), expected);
    }

    #[test]
    fn a_score_and_its_reason_are_kept() {
        check(reply(r#"{"reason": "Short.", "score": 2}"#), &["edu_score 2", "edu_reason Short."]);
        check(reply("Score: 0"), &["edu_score 0"]);
        let named = fields(json!({ "column": "depth" }), reply(r#"{"reason": "Deep.", "score": 5}"#));
        assert_eq!(named, ["depth 5", "depth_reason Deep."]);
    }

    #[test]
    fn failures_are_words_and_no_page_is_dropped() {
        let finished = |finish| reply("nothing").map(|reply| Reply { finish, ..reply });
        check(reply("no"), &["annotate_error unreadable"]);
        check(reply("Score: 7"), &["annotate_error out_of_range"]);
        check(finished(Finish::Length), &["annotate_error cut"]);
        check(finished(Finish::Filtered), &["annotate_error filtered"]);
        check(Err(Failure::Refused("no".to_owned())), &["annotate_error refused"]);
        check(Err(Failure::TooLong(9)), &["annotate_error too_long"]);
        check(Err(Failure::GaveUp("503".to_owned())), &["annotate_error gave_up"]);
        check(Err(Failure::OverBudget), &["annotate_error over_budget"]);
        let empty = testing::run(&stage(json!({})).unwrap(), &document(" \n"), &[]).unwrap();
        let Verdict::Emit(drafts) = empty else { panic!("asks nothing: {empty:?}") };
        assert!(drafts[0].fields.iter().any(|field| field.name == "annotate_error"));
    }

    #[test]
    fn the_sample_is_a_share_of_the_ids() {
        let share = |share: f64| (0..10_000).filter(|id| sampled(&format!("id {id}"), share)).count();
        assert_eq!((share(0.0), share(1.0)), (0, 10_000));
        assert!((share(0.1)).abs_diff(1000) < 120, "{}", share(0.1));
        let none = testing::run(&stage(json!({ "sample": 0.0 })).unwrap(), &document("a"), &[]).unwrap();
        assert!(matches!(none, Verdict::Emit(drafts) if drafts[0].fields.is_empty()));
    }

    #[test]
    fn only_the_beginning_is_shown() {
        let stage = stage(json!({ "max_tokens": 100 })).unwrap();
        let text: Vec<_> = (0..5000).map(|n| format!("w{n}é")).collect();
        let prompt = asked(&stage, &document(&text.join(" ")));
        let shown = prompt.lines().rev().nth(1).unwrap().split(' ').count();
        assert!((80..=100).contains(&shown), "{shown}");
        let whole = asked(&stage, &document("a short page"));
        assert_eq!(whole.lines().rev().nth(1), Some("a short page"));
        let endless = asked(&stage, &document(&"字".repeat(100_000)));
        assert!(endless.len() < 10_000, "{}", endless.len());
    }

    #[test]
    fn own_criteria_take_the_place_of_the_built_in_ones() {
        let own = stage(json!({ "criteria": "One point for each joke." })).unwrap();
        let prompt = asked(&own, &document("Ha."));
        assert!(prompt.contains("One point for each joke.") && !prompt.contains(ask::EDUCATIONAL));
        assert!(asked(&stage(json!({})).unwrap(), &document("Ha.")).contains(ask::EDUCATIONAL));
    }

    #[test]
    fn settings_are_checked() {
        let complaint = |settings| stage(settings).unwrap_err();
        assert!(complaint(json!({ "max_tokens": 0 })).contains("max_tokens"));
        assert!(complaint(json!({ "sample": 1.5 })).starts_with("sample"));
        assert!(complaint(json!({ "criteria": " " })).starts_with("criteria"));
        assert!(complaint(json!({ "column": "Edu" })).starts_with("column"));
        assert!(complaint(json!({ "column": "annotate_error" })).starts_with("column"));
    }
}
