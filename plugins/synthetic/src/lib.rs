//! The built-in stage `synthetic`: how much of a text reads as if a language model had written it, by the words that models
//! love.
//!
//! The measure is FineWeb's: their blog counts seven phrases over the dumps of Common Crawl and finds the rate flat until
//! early 2023 and rising steeply after. It is a measure of dumps, hosts and runs. Of one document it says next to
//! nothing, since people delve too, and 5 to 20 hits in a million words are one page in a hundred. The stage therefore
//! drops nothing: it writes what it counted, and `palimpsest report` makes rates with intervals of many rows.
//!
//! The stage stands wherever texts are to be measured: before the rewriting for what the crawl holds, and behind it, under
//! another [`prefix`](Settings::prefix), for what the run itself adds.

pub mod hosts;
pub mod phrases;

use std::cell::OnceCell;

use palimpsest_plugin::{Column, Draft, Kind, Outcome, Page, Stage, column};
use schemars::JsonSchema;
use serde::Deserialize;

use phrases::{Found, MAX_PHRASES, Phrases};

/// The phrases of the FineWeb blog's appendix, each with the other forms that its words take.
const PUBLISHED: [(&str, &[&str]); 7] = [
    ("delve", &["delves", "delved", "delving"]),
    ("as a large language model", &["as large language models"]),
    ("it's important to note", &["it is important to note"]),
    ("rich tapestry", &["rich tapestries"]),
    ("intertwined", &["intertwine", "intertwines", "intertwining"]),
    ("certainly!", &[]),
    ("dive into", &["dives into", "dived into", "dove into", "diving into"]),
];

/// Bytes of a granted file of phrases: its phrases are counted after it is read.
const MAX_FILE_BYTES: usize = 4 << 20;

/// Hits in a million words; 0 of no words.
fn per_million(hits: u64, words: u64) -> f64 {
    if words == 0 { 0.0 } else { hits as f64 / words as f64 * 1e6 }
}

/// Settings of the stage `synthetic`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whether the phrases of the FineWeb blog are counted: `delve`, `as a large language model`, `it's important to note`,
    /// `rich tapestry`, `intertwined`, `certainly!`, `dive into`. They are English.
    pub published: bool,
    /// Whether other forms of the published phrases count too (`delving`, `it is important to note`). Off, the rates are those
    /// of the blog.
    pub inflections: bool,
    /// More phrases, other languages' for example. Letter case, white space and the form of apostrophes do not matter; no
    /// letter or digit may touch a phrase.
    pub phrases: Vec<String>,
    /// The name of a file that is granted to the stage (`files.NAME`) with more phrases, one in a line; lines that begin with
    /// `#` are remarks. At most 10,000 phrases in all.
    pub file: Option<String>,
    /// What the columns' names begin with: another word for a second meter behind the rewriting. The columns are
    /// `synthetic_words` (words counted), `synthetic_hits`, `synthetic_phrases` (`delve:2`), `synthetic_score` (hits per
    /// million words, which of one document says little), `synthetic_period` (the month of the capture, `2026-10`), and
    /// `host_class` whatever the prefix: `edu`, `gov`, `org`, `com`, `net`, `country` or `other` by the end of the host's name.
    pub prefix: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            published: true,
            inflections: false,
            phrases: Vec::new(),
            file: None,
            prefix: "synthetic".to_owned(),
        }
    }
}

/// The stage.
#[derive(Debug)]
pub struct SyntheticStage {
    settings: Settings,
    /// Made with the first page where a file is to be read, which a stage can only do with a page in hand.
    meter: OnceCell<Result<Meter, String>>,
}

#[derive(Debug)]
struct Meter {
    names: Vec<String>,
    phrases: Phrases,
}

impl Meter {
    fn new(settings: &Settings, file: &str) -> Result<Self, String> {
        let mut all: Vec<(String, Vec<String>)> = Vec::new();
        if settings.published {
            all.extend(PUBLISHED.iter().map(|(phrase, forms)| {
                let forms = if settings.inflections { *forms } else { &[] };
                ((*phrase).to_owned(), forms.iter().map(|form| (*form).to_owned()).collect())
            }));
        }
        all.extend(settings.phrases.iter().map(|phrase| (phrase.clone(), Vec::new())));
        let lines = file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        all.extend(lines.take(MAX_PHRASES + 1).map(|line| (line.to_owned(), Vec::new())));
        let phrases = Phrases::new(&all)?;
        Ok(Self { names: all.into_iter().map(|(name, _)| name).collect(), phrases })
    }
}

impl Stage for SyntheticStage {
    const NAME: &'static str = "synthetic";
    const SUMMARY: &'static str = "counts the phrases that language models love";
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        let letters = settings.prefix.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if !letters || !settings.prefix.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Err(format!("prefix: `{}` is no word of a-z, 0-9 and _", settings.prefix));
        }
        if !settings.published && settings.phrases.is_empty() && settings.file.is_none() {
            return Err("phrases: there are none to count".to_owned());
        }
        // What can be told without the file is told before any work.
        let meter = Meter::new(&settings, "").map_err(|told| format!("phrases: {told}"))?;
        let made = OnceCell::new();
        if settings.file.is_none() {
            made.set(Ok(meter)).map_err(|_made| "made twice".to_owned())?;
        }
        Ok(Self { settings, meter: made })
    }

    fn columns(&self) -> Vec<Column> {
        vec![
            column(&self.name("words"), Kind::Integer),
            column(&self.name("hits"), Kind::Integer),
            column(&self.name("phrases"), Kind::Texts),
            column(&self.name("score"), Kind::Number),
            column(&self.name("period"), Kind::Text),
            column("host_class", Kind::Text),
        ]
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        let meter = self.meter.get_or_init(|| self.meter_with_file(page)).as_ref().map_err(Clone::clone)?;
        let Found { counts, words } = meter.phrases.count(page.text());
        let hits = counts.iter().sum();
        let told = meter
            .names
            .iter()
            .zip(&counts)
            .filter(|(_, count)| **count != 0)
            .map(|(name, count)| format!("{name}:{count}"))
            .collect::<Vec<_>>();
        let mut draft = Draft::new()
            .with(&self.name("words"), integer(words))
            .with(&self.name("hits"), integer(hits))
            .with(&self.name("phrases"), told)
            .with(&self.name("score"), per_million(hits, words))
            .with("host_class", hosts::class(&page.document().url));
        if let Some(period) = period(&page.document().date) {
            draft = draft.with(&self.name("period"), period);
        }
        Ok(Outcome::keep(draft))
    }
}

impl SyntheticStage {
    fn name(&self, column: &str) -> String {
        format!("{}_{column}", self.settings.prefix)
    }

    fn meter_with_file(&self, page: &Page<'_>) -> Result<Meter, String> {
        let name = self.settings.file.as_deref().unwrap_or_default();
        let bytes = page.file(name)?;
        if MAX_FILE_BYTES < bytes.len() {
            return Err(format!("file `{name}`: {} bytes, more than {MAX_FILE_BYTES}", bytes.len()));
        }
        let text = String::from_utf8(bytes).map_err(|error| format!("file `{name}`: {error}"))?;
        Meter::new(&self.settings, &text).map_err(|told| format!("file `{name}`: {told}"))
    }
}

fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The month of a date, `2026-10`; none of what is no date.
fn period(date: &str) -> Option<&str> {
    let month = date.get(..7)?;
    let digits = |text: Option<&str>| {
        text.is_some_and(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let shaped = digits(month.get(..4)) && month.get(4..5) == Some("-") && digits(month.get(5..));
    shaped.then_some(month)
}

palimpsest_plugin::register!(SyntheticStage);

#[cfg(test)]
mod tests {
    use palimpsest_plugin::Value;
    use palimpsest_plugin::testing::{self, TestPage, Verdict, document};

    use super::*;

    fn run(settings: Settings, page: &TestPage) -> Result<Draft, String> {
        let told = testing::run(&SyntheticStage::configure(settings).unwrap(), page, &[])?;
        let Verdict::Emit(drafts) = told else { panic!("drops nothing: {told:?}") };
        Ok(drafts.into_iter().next().unwrap())
    }

    fn field(draft: &Draft, name: &str) -> Value {
        draft.fields.iter().find(|field| field.name == name).map(|field| field.value.clone()).unwrap()
    }

    #[track_caller]
    fn check(settings: Settings, text: &str, phrases: &[&str]) {
        let draft = run(settings, &document(text)).unwrap();
        let wanted: Vec<String> = phrases.iter().map(|phrase| (*phrase).to_owned()).collect();
        assert_eq!(field(&draft, "synthetic_phrases"), Value::Texts(wanted));
    }

    const TEXT: &str = "Certainly! Let’s delve into the rich\ntapestry of towns. It’s important to note that \
                        delving is dated. As a Large Language Model, I dive  into intertwined fates.";

    #[test]
    fn the_published_phrases_are_counted() {
        let all = [
            "delve:1",
            "as a large language model:1",
            "it's important to note:1",
            "rich tapestry:1",
            "intertwined:1",
            "certainly!:1",
            "dive into:1",
        ];
        check(Settings::default(), TEXT, &all);
        let inflected = Settings { inflections: true, ..Settings::default() };
        check(inflected, "delve, Delving; it is important to note", &["delve:2", "it's important to note:1"]);
        check(Settings::default(), "Nothing to see.", &[]);
        check(Settings::default(), "", &[]);
    }

    #[test]
    fn a_document_says_all_that_a_report_needs() {
        let draft = run(Settings::default(), &document("We delve into a b c d.")).unwrap();
        assert_eq!(field(&draft, "synthetic_words"), Value::Integer(7));
        assert_eq!(field(&draft, "synthetic_hits"), Value::Integer(1));
        let Value::Number(score) = field(&draft, "synthetic_score") else { panic!("{draft:?}") };
        assert!((score - 1e6 / 7.0).abs() < 1e-6, "{score}");
        assert_eq!(field(&draft, "synthetic_period"), Value::Text("2026-10".to_owned()));
        assert_eq!(field(&draft, "host_class"), Value::Text("com".to_owned()));
        assert!(draft.text.is_none());
        let settings = Settings { prefix: "output".to_owned(), ..Settings::default() };
        let stage = SyntheticStage::configure(settings.clone()).unwrap();
        let draft = run(settings, &document("")).unwrap();
        assert_eq!(field(&draft, "output_score"), Value::Number(0.0));
        let columns: Vec<String> = stage.columns().into_iter().map(|column| column.name).collect();
        assert!(draft.fields.iter().all(|field| columns.contains(&field.name)), "{columns:?}");
        assert_eq!(columns.len(), draft.fields.len());
    }

    #[test]
    fn users_bring_their_own_phrases() {
        let own = Settings {
            published: false,
            phrases: vec!["Es ist wichtig zu beachten".to_owned()],
            file: Some("more".to_owned()),
            ..Settings::default()
        };
        let mut page = document("Es ist wichtig  zu beachten: delve, a testament to.");
        assert!(run(own.clone(), &page).unwrap_err().contains("more"), "is not granted");
        page.files = vec![("more".to_owned(), b"# remark\n\na testament to\r\n".to_vec())];
        let draft = run(own.clone(), &page).unwrap();
        let told = vec!["Es ist wichtig zu beachten:1".to_owned(), "a testament to:1".to_owned()];
        assert_eq!(field(&draft, "synthetic_phrases"), Value::Texts(told));
        for bytes in
            [b"\xff".to_vec(), b"es ist wichtig zu beachten".to_vec(), b"!".to_vec(), vec![b'\n'; 5 << 20]]
        {
            page.files = vec![("more".to_owned(), bytes)];
            assert!(run(own.clone(), &page).unwrap_err().starts_with("file `more`"));
        }
    }

    #[test]
    fn months_are_told_of_dates_only() {
        assert_eq!(period("2026-10-01T12:00:00Z"), Some("2026-10"));
        for date in ["", "2026", "2026-1x-01", "yesterday", "2026/10/01", "20日6-10"] {
            assert_eq!(period(date), None, "{date}");
        }
    }

    #[test]
    fn settings_are_checked() {
        let complaint =
            |json| SyntheticStage::configure(serde_json::from_str::<Settings>(json).unwrap()).unwrap_err();
        assert!(complaint(r#"{"published": false}"#).contains("none to count"));
        assert!(complaint(r#"{"phrases": ["DELVE"]}"#).starts_with("phrases: `delve`"));
        assert!(complaint(r#"{"prefix": "Ä"}"#).starts_with("prefix"));
        assert!(complaint(r#"{"prefix": ""}"#).starts_with("prefix"));
        assert!(serde_json::from_str::<Settings>(r#"{"words": []}"#).is_err());
    }

    #[test]
    fn huge_texts_are_done_in_time() {
        let start = std::time::Instant::now();
        for text in
            ["delve ".repeat(1 << 19), "字".repeat(1 << 20), "\u{301}".repeat(1 << 20), "x".repeat(4 << 20)]
        {
            run(Settings::default(), &document(&text)).unwrap();
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    }
}
