//! A classifier from rows that are labelled: what a language model says of a few thousand pages, a model of fastText learns
//! to say of all of them (Penedo et al. 2024, "The FineWeb Datasets", section 4, which trains a regression on embeddings).
//!
//! Rows in, a model and its marks out. Part of the rows is held out for the marks: all pages of some hosts, since pages of
//! one host resemble each other and would tell the model what it is asked. How rows are stored is not known here.

use std::collections::BTreeMap;
use std::fmt;

use palimpsest_fasttext::{Model, Sample, Scratch};
pub use palimpsest_fasttext::{Params, Quantize, QuantizeError, TrainError};
use serde_json::{Map, Value};

/// What fastText's files put before every label.
const PREFIX: &str = "__label__";
/// What DCLM calls the two sides of a threshold.
const HIGH: &str = "hq";
const LOW: &str = "lq";
/// A label is a word. A field with more of them is no label.
const MAX_LABELS: usize = 1000;

/// What is learnt from rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    /// The column of what is to be said of a text: a text, an integer or a flag; a number is rounded.
    pub label: String,
    /// The column of the text.
    pub text: String,
    /// Instead of the value: whether it is at least so much, as `hq` and `lq`.
    pub at_least: Option<f64>,
    pub lowercase: bool,
    /// So many characters of a text are looked at; all if it is 0.
    pub max_chars: usize,
    /// The share of hosts whose pages are held out, from 0 to 1.
    pub held_out: f64,
}

/// The rows that a model is to learn from.
#[derive(Debug)]
pub struct Class {
    lesson: Lesson,
    learnt: Vec<Example>,
    held_out: Vec<Example>,
    passed_over: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Example {
    label: String,
    text: String,
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum LessonError {
    #[error("of {rows} rows none has a text in `{text}` and a label in `{label}`")]
    NoExamples { rows: u64, text: String, label: String },
    #[error(
        "all {rows} rows with a label are of hosts that are held out; give more hosts, or --held-out 0 for no marks"
    )]
    AllHeldOut { rows: u64 },
    #[error(
        "`{label}` has one value only, `{value}`, among the {learnt} rows to learn from ({held_out} others are held out): \
         there is nothing to tell apart"
    )]
    OneLabel { label: String, value: String, learnt: u64, held_out: u64 },
    #[error(
        "`{label}` has more than {MAX_LABELS} values; choose a column of few, or a threshold with --at-least"
    )]
    TooManyLabels { label: String },
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error("the model cannot be made smaller")]
    Quantize(#[from] QuantizeError),
}

/// A model and how it does on pages that it has not seen.
#[derive(Debug)]
pub struct Trained {
    pub model: Model,
    pub marks: Marks,
}

/// How a model does.
#[derive(Debug, Clone, PartialEq)]
pub struct Marks {
    pub learnt: u64,
    /// What the marks are of.
    pub held_out: u64,
    /// Rows without a text or a label.
    pub passed_over: u64,
    pub labels: Vec<LabelMarks>,
    /// Where labels are numbers: the mean distance of the expected value from the label, and the same for always saying the
    /// mean label.
    pub distance: Option<(f64, f64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMarks {
    pub label: String,
    pub right: u64,
    /// Pages of which the model said it.
    pub said: u64,
    /// Pages that have it.
    pub have: u64,
}

impl Class {
    #[must_use]
    pub fn new(lesson: Lesson) -> Self {
        Self { lesson, learnt: Vec::new(), held_out: Vec::new(), passed_over: 0 }
    }

    /// The columns that it looks at.
    pub fn columns(&self) -> [&str; 4] {
        [&self.lesson.label, &self.lesson.text, "url", "id"]
    }

    /// Takes one row in.
    pub fn add(&mut self, row: &Map<String, Value>) {
        let text = row.get(&self.lesson.text).and_then(Value::as_str).unwrap_or_default();
        let text = self.lesson.prepare(text);
        let label = row.get(&self.lesson.label).and_then(|value| self.lesson.label(value));
        let (Some(label), false) = (label, text.trim().is_empty()) else {
            self.passed_over += 1;
            return;
        };
        let name = |column: &str| row.get(column).and_then(Value::as_str);
        let host = name("url").and_then(|url| url::Url::parse(url).ok()?.host_str().map(str::to_owned));
        let place = host.as_deref().or_else(|| name("id")).unwrap_or(&text);
        let is_held_out = share(place) < self.lesson.held_out;
        let to = if is_held_out { &mut self.held_out } else { &mut self.learnt };
        to.push(Example { label, text });
    }

    /// Trains, makes the model small if that is wanted, and marks what will be used.
    pub fn train(self, params: &Params, small: Option<&Quantize>) -> Result<Trained, LessonError> {
        let Lesson { label, text, .. } = self.lesson;
        let mut values: Vec<&str> = self.learnt.iter().map(|example| example.label.as_str()).collect();
        values.sort_unstable();
        values.dedup();
        let held_out = self.held_out.len() as u64;
        match values.as_slice() {
            [] if 0 < held_out => return Err(LessonError::AllHeldOut { rows: held_out }),
            [] => return Err(LessonError::NoExamples { rows: self.passed_over, text, label }),
            [value] => {
                let (value, learnt) = ((*value).to_owned(), self.learnt.len() as u64);
                return Err(LessonError::OneLabel { label, value, learnt, held_out });
            }
            values if MAX_LABELS < values.len() => return Err(LessonError::TooManyLabels { label }),
            _ => {}
        }
        let samples: Vec<Sample<'_>> = self
            .learnt
            .iter()
            .map(|example| Sample { labels: vec![&example.label], text: &example.text })
            .collect();
        let mut model = palimpsest_fasttext::train(&samples, params)?;
        if let Some(small) = small {
            model = model.quantize(small)?;
        }
        let (learnt, passed_over) = (samples.len() as u64, self.passed_over);
        let marks = Marks { learnt, passed_over, ..mark(&model, &self.held_out) };
        Ok(Trained { model, marks })
    }
}

impl Lesson {
    fn prepare(&self, text: &str) -> String {
        let most = if self.max_chars == 0 { usize::MAX } else { self.max_chars };
        let cut = text.char_indices().nth(most).map_or(text.len(), |(at, _)| at);
        let text = text.get(..cut).unwrap_or(text);
        if self.lowercase { text.to_lowercase() } else { text.to_owned() }
    }

    fn label(&self, value: &Value) -> Option<String> {
        if let Some(least) = self.at_least {
            // Values that a folder's name gives (`score=3`) are texts.
            let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
            return number.map(|value| if least <= value { HIGH } else { LOW }.to_owned());
        }
        match value {
            Value::String(text) if !text.trim().is_empty() => {
                Some(text.split_whitespace().collect::<Vec<_>>().join("_"))
            }
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Number(number) => {
                // Minus nothing is nothing.
                number.as_f64().map(|number| format!("{:.0}", number.round() + 0.0))
            }
            Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// Where a name stands between 0 and 1, always the same and otherwise by chance.
fn share(name: &str) -> f64 {
    let digest = blake3::hash(name.as_bytes());
    let head = digest.as_bytes().first_chunk::<4>().map_or(0, |head| u32::from_le_bytes(*head));
    f64::from(head) / (f64::from(u32::MAX) + 1.0)
}

fn mark(model: &Model, examples: &[Example]) -> Marks {
    let named = |label: &str| label.strip_prefix(PREFIX).unwrap_or(label).to_owned();
    let mut labels: BTreeMap<String, LabelMarks> = model
        .labels()
        .map(|label| (named(label), LabelMarks { label: named(label), right: 0, said: 0, have: 0 }))
        .collect();
    let count = model.labels().len();
    let mut scratch = Scratch::default();
    let mut expected = Vec::with_capacity(examples.len());
    for example in examples {
        let said: Vec<_> = model.predict_with(&example.text, count, 0.0, &mut scratch).collect();
        let best = said.first().map(|said| named(said.label));
        if let Some(marks) = labels.get_mut(&example.label) {
            marks.have += 1;
            marks.right += u64::from(best.as_ref() == Some(&example.label));
        }
        if let Some(marks) = best.and_then(|best| labels.get_mut(&best)) {
            marks.said += 1;
        }
        let value = |label: &str| named(label).parse::<f64>().ok();
        let sum: Option<f64> =
            said.iter().map(|said| Some(value(said.label)? * f64::from(said.probability))).sum();
        let all: f64 = said.iter().map(|said| f64::from(said.probability)).sum();
        expected.push(sum.filter(|_| 0.0 < all).map(|sum| sum / all).zip(example.label.parse::<f64>().ok()));
    }
    let expected: Option<Vec<(f64, f64)>> = expected.into_iter().collect();
    let distance = expected.filter(|pairs| !pairs.is_empty()).map(|pairs| {
        let count = pairs.len() as f64;
        let mean = pairs.iter().map(|(_, is)| is).sum::<f64>() / count;
        let off = |from: &dyn Fn(&(f64, f64)) -> f64| {
            pairs.iter().map(|pair| (from(pair) - pair.1).abs()).sum::<f64>() / count
        };
        (off(&|pair| pair.0), off(&|_| mean))
    });
    let held_out = examples.len() as u64;
    Marks { learnt: 0, held_out, passed_over: 0, labels: labels.into_values().collect(), distance }
}

impl Marks {
    /// The share of held-out pages of which the model says what they have.
    pub fn accuracy(&self) -> f64 {
        ratio(self.labels.iter().map(|label| label.right).sum(), self.held_out)
    }
}

impl LabelMarks {
    /// Of the pages of which the model says it, the share that has it; of those that have it, the share of which it
    /// says so; and the harmonic mean of both.
    pub fn precision_recall_f1(&self) -> (f64, f64, f64) {
        let f1 = ratio(2 * self.right, self.said + self.have);
        (ratio(self.right, self.said), ratio(self.right, self.have), f1)
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "learnt from {} pages; {} rows had no text or no label; marked on {} pages of other hosts",
            self.learnt, self.passed_over, self.held_out
        )?;
        if self.held_out == 0 {
            return Ok(());
        }
        writeln!(
            f,
            "\n{:20} {:>8} {:>8} {:>10} {:>8} {:>8}",
            "label", "have it", "said", "precision", "recall", "F1"
        )?;
        for label in &self.labels {
            let (precision, recall, f1) = label.precision_recall_f1();
            let LabelMarks { label, said, have, .. } = label;
            writeln!(f, "{label:20} {have:>8} {said:>8} {precision:>10.3} {recall:>8.3} {f1:>8.3}")?;
        }
        let most = self.labels.iter().map(|label| label.have).max().unwrap_or(0);
        let always = ratio(most, self.held_out);
        writeln!(f, "accuracy {:.3}; always the commonest label: {always:.3}", self.accuracy())?;
        if let Some((model, mean)) = self.distance {
            writeln!(f, "mean distance of the expected value {model:.3}; always the mean: {mean:.3}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lesson() -> Lesson {
        Lesson {
            label: "score".to_owned(),
            text: "text".to_owned(),
            at_least: None,
            lowercase: true,
            max_chars: 0,
            held_out: 0.3,
        }
    }

    const PARAMS: fn() -> Params = || Params { dim: 8, epoch: 40, bucket: 1000, ..Params::default() };

    /// Pages of 60 hosts that are about rivers or about money.
    fn class(lesson: Lesson) -> Class {
        let mut class = Class::new(lesson);
        for number in 0..240 {
            let (text, score) = if number % 2 == 0 {
                ("The River rose over the fields", 4)
            } else {
                ("BUY now and save money", 1)
            };
            let row = json!({"text": format!("{text} {number}"), "score": score, "url": format!("https://h{}.example/", number / 4)});
            class.add(row.as_object().unwrap());
        }
        class.add(json!({"text": "", "score": 3}).as_object().unwrap());
        class.add(json!({"text": "no label"}).as_object().unwrap());
        class
    }

    #[test]
    fn what_was_learnt_is_marked_on_hosts_that_were_held_out() {
        let Trained { model, marks } = class(lesson()).train(&PARAMS(), None).unwrap();
        assert_eq!((marks.learnt + marks.held_out, marks.passed_over), (240, 2));
        assert_eq!(marks.held_out % 4, 0, "a host is held out whole");
        assert!((30..130).contains(&marks.held_out), "{}", marks.held_out);
        assert_eq!(marks.accuracy(), 1.0);
        let (model_off, mean_off) = marks.distance.unwrap();
        assert!(model_off < 0.5 && 1.4 < mean_off, "{model_off} {mean_off}");
        let labels: Vec<_> = model.labels().collect();
        assert_eq!((labels.len(), labels.contains(&"__label__4")), (2, true));
        let told = marks.to_string();
        assert!(told.contains("accuracy 1.000; always the commonest label: 0.5"), "{told}");
        let again = class(lesson()).train(&PARAMS(), None).unwrap();
        let bytes = |model: &Model| {
            let mut bytes = Vec::new();
            model.write(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(bytes(&model), bytes(&again.model), "the same rows give the same model");
    }

    #[test]
    fn a_threshold_makes_two_labels_and_no_numbers() {
        let trained = class(Lesson { at_least: Some(3.0), ..lesson() }).train(&PARAMS(), None).unwrap();
        let labels: Vec<_> = trained.marks.labels.iter().map(|label| label.label.as_str()).collect();
        assert_eq!(labels, ["hq", "lq"]);
        assert_eq!(trained.marks.distance, None);
    }

    #[test]
    fn labels_are_what_a_column_holds() {
        let check = |at_least, value: Value, label: Option<&str>| {
            assert_eq!(Lesson { at_least, ..lesson() }.label(&value).as_deref(), label, "{value}");
        };
        check(None, json!(2.5), Some("3"));
        check(None, json!(-0.4), Some("0"));
        check(None, json!("very good"), Some("very_good"));
        check(None, json!(true), Some("true"));
        check(None, json!(null), None);
        check(Some(3.0), json!(3), Some("hq"));
        check(Some(3.0), json!("2"), Some("lq"));
        check(Some(3.0), json!("good"), None);
    }

    #[test]
    fn what_cannot_be_learnt_is_said() {
        let error = |lesson| class(lesson).train(&PARAMS(), None).unwrap_err();
        let one = Lesson { at_least: Some(9.0), ..lesson() };
        assert!(matches!(error(one), LessonError::OneLabel { .. }));
        let none = Lesson { label: "mood".to_owned(), ..lesson() };
        assert!(matches!(error(none), LessonError::NoExamples { rows: 242, .. }));
        let mut held_out = Class::new(Lesson { held_out: 0.999_999, ..lesson() });
        for label in 0..9 {
            let row = json!({"text": "a text", "score": label, "url": "https://a.example/"});
            held_out.add(row.as_object().unwrap());
        }
        assert!(matches!(held_out.train(&PARAMS(), None), Err(LessonError::AllHeldOut { rows: 9 })));
        let cut = Lesson { max_chars: 3, ..lesson() };
        assert_eq!(cut.prepare("Über alles"), "übe");
    }
}
