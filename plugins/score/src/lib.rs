//! The stage `score`: what several classifiers say of a page, kept as numbers, and how good that is beside other pages
//! of its language.
//!
//! The models live in the host; this stage prepares the text, asks, and compares the answers with a table of
//! percentiles (crate `palimpsest-calibration`). Scores of different classifiers cannot be compared, their buckets can.

mod settings;

use std::cell::OnceCell;

use palimpsest_calibration::Table;
use palimpsest_plugin::{Column, Draft, Label, Outcome, Page, Stage, Value, column, register};

use settings::Kind;
pub use settings::{Combine, Scorer, Settings};

/// What fastText's labels begin with.
const PREFIX: &str = "__label__";

/// The stage.
#[derive(Debug)]
pub struct Score {
    settings: Settings,
    kinds: Vec<Kind>,
    /// Read with the first page, and the same for all: no page is known before.
    table: OnceCell<Result<Table, String>>,
}

/// What is known of a page, scorer for scorer.
struct Scored {
    scores: Vec<Option<f64>>,
    buckets: Vec<Option<u8>>,
    bucket: Option<u8>,
}

impl Stage for Score {
    const NAME: &'static str = "score";
    const SUMMARY: &'static str = "scores pages with classifiers and sorts them into buckets of quality";
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        settings.check()?;
        let kinds = settings.scorers.iter().map(Scorer::kind).collect::<Result<_, _>>()?;
        Ok(Self { settings, kinds, table: OnceCell::new() })
    }

    fn columns(&self) -> Vec<Column> {
        let mut columns = Vec::new();
        for Scorer { name, .. } in &self.settings.scorers {
            columns.push(column(&format!("{name}_score"), palimpsest_plugin::Kind::Number));
            if self.settings.table.is_some() {
                columns.push(column(&format!("{name}_bucket"), palimpsest_plugin::Kind::Integer));
            }
        }
        if self.settings.table.is_some() {
            columns.push(column("quality_bucket", palimpsest_plugin::Kind::Integer));
        }
        columns
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        let scores = self.scores(page)?;
        let scored = self.buckets(page, scores)?;
        Ok(self.reject(&scored).unwrap_or_else(|| Outcome::keep(self.draft(&scored))))
    }
}

impl Score {
    fn scores(&self, page: &Page<'_>) -> Result<Vec<Option<f64>>, String> {
        let text = OnceCell::new();
        let mut asked: Vec<(&str, Vec<Label>)> = Vec::new();
        let mut scores = Vec::with_capacity(self.kinds.len());
        for kind in &self.kinds {
            let (Kind::Label { classifier, .. } | Kind::Expect { classifier }) = kind else {
                scores.push(score(kind, page, &[])?);
                continue;
            };
            if !asked.iter().any(|(known, _)| known == classifier) {
                let text = text.get_or_init(|| self.prepare(page.text()));
                asked.push((classifier, page.classify(classifier, text)));
            }
            let labels = asked.iter().find(|(known, _)| known == classifier);
            scores.push(score(kind, page, labels.map_or(&[], |(_, labels)| labels))?);
        }
        Ok(scores)
    }

    /// The text as the classifiers were trained to see it.
    fn prepare(&self, text: &str) -> String {
        let Settings { lowercase, join_lines, max_chars, .. } = self.settings;
        let end = if max_chars == 0 { None } else { text.char_indices().nth(max_chars) };
        let text = end.and_then(|(end, _)| text.get(..end)).unwrap_or(text);
        let text = if lowercase { text.to_lowercase() } else { text.to_owned() };
        if join_lines { text.replace(['\n', '\r'], " ") } else { text }
    }

    fn buckets(&self, page: &Page<'_>, scores: Vec<Option<f64>>) -> Result<Scored, String> {
        let Some(name) = &self.settings.table else {
            return Ok(Scored { buckets: vec![None; scores.len()], scores, bucket: None });
        };
        let table = self.table.get_or_init(|| {
            let text =
                String::from_utf8(page.file(name)?).map_err(|_binary| format!("`{name}` is no text"))?;
            text.parse().map_err(|error| format!("`{name}`: {error}"))
        });
        let table = table.as_ref().map_err(Clone::clone)?;
        let language = page.text_field(&self.settings.language).unwrap_or(palimpsest_calibration::ANY);
        let mut buckets = Vec::with_capacity(scores.len());
        for (Scorer { name: scorer, .. }, score) in self.settings.scorers.iter().zip(&scores) {
            let Some(score) = score else {
                buckets.push(None);
                continue;
            };
            let bucket = table.bucket(scorer, language, *score);
            buckets
                .push(Some(bucket.ok_or_else(|| format!("`{name}` does not know the scorer `{scorer}`"))?));
        }
        let bucket = combined(self.settings.combine, &buckets);
        Ok(Scored { scores, buckets, bucket })
    }

    fn reject(&self, scored: &Scored) -> Option<Outcome> {
        for (Scorer { name, .. }, score) in self.settings.scorers.iter().zip(&scored.scores) {
            match (self.settings.keep.get(name), score) {
                (Some(_), None) => return Some(Outcome::drop_with("no_score", name)),
                (Some(least), Some(score)) if score < least => {
                    return Some(Outcome::drop_with("low_score", format!("{name} {score}")));
                }
                (Some(_) | None, _) => {}
            }
        }
        match (self.settings.min_bucket, scored.bucket) {
            (Some(_), None) => Some(Outcome::drop_with("no_score", "quality_bucket")),
            (Some(least), Some(bucket)) if bucket < least => Some(Outcome::drop_with("low_bucket", bucket)),
            (Some(_) | None, _) => None,
        }
    }

    fn draft(&self, Scored { scores, buckets, bucket }: &Scored) -> Draft {
        let mut draft = Draft::new();
        for ((Scorer { name, .. }, score), bucket) in self.settings.scorers.iter().zip(scores).zip(buckets) {
            if let Some(score) = score {
                draft = draft.with(&format!("{name}_score"), *score);
            }
            if let Some(bucket) = bucket {
                draft = draft.with(&format!("{name}_bucket"), i64::from(*bucket));
            }
        }
        match bucket {
            Some(bucket) => draft.with("quality_bucket", i64::from(*bucket)),
            None => draft,
        }
    }
}

/// None where the classifier knows nothing of the text, or the field is missing or no number.
fn score(kind: &Kind, page: &Page<'_>, labels: &[Label]) -> Result<Option<f64>, String> {
    let bare = |label: &Label| label.name.strip_prefix(PREFIX).unwrap_or(&label.name).to_owned();
    let score = match kind {
        Kind::Field(name) => match page.field(name) {
            Some(&Value::Number(number)) => Some(number),
            Some(&Value::Integer(integer)) => Some(integer as f64),
            Some(Value::Text(_) | Value::Flag(_) | Value::Texts(_)) | None => None,
        },
        Kind::Label { .. } | Kind::Expect { .. } if labels.is_empty() => None,
        Kind::Label { classifier, label } => {
            let wanted = label.strip_prefix(PREFIX).unwrap_or(label);
            let found = labels.iter().find(|label| bare(label) == wanted);
            let found = found.ok_or_else(|| {
                let known: Vec<_> = labels.iter().take(8).map(|label| label.name.as_str()).collect();
                format!("the classifier `{classifier}` has no label `{label}`; it has {}", known.join(", "))
            })?;
            Some(found.score)
        }
        Kind::Expect { classifier } => {
            let (mut sum, mut weight) = (0.0, 0.0);
            for label in labels {
                let number: f64 = bare(label).parse().map_err(|_word| {
                    format!(
                        "the classifier `{classifier}` has the label `{}`, which is no number",
                        label.name
                    )
                })?;
                sum += number * label.score;
                weight += label.score;
            }
            Some(sum / weight)
        }
    };
    Ok(score.filter(|score| score.is_finite()))
}

fn combined(how: Combine, buckets: &[Option<u8>]) -> Option<u8> {
    let known: Vec<u8> = buckets.iter().flatten().copied().collect();
    let count = known.len();
    match how {
        Combine::Max => known.into_iter().max(),
        Combine::Mean if count == 0 => None,
        Combine::Mean => {
            let sum: usize = known.into_iter().map(usize::from).sum();
            u8::try_from((2 * sum + count) / (2 * count)).ok()
        }
    }
}

register!(Score);

#[cfg(test)]
mod tests;
