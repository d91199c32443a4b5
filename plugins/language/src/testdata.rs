//! The stage against lingua by itself, on sentences and paragraphs that neither was made from.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use lingua::{Language, LanguageDetectorBuilder};
use palimpsest_plugin::testing::{self, Verdict, document};
use palimpsest_plugin::{Stage, Value};

use crate::{LanguageStage, Settings};

const MAX_BYTES: u64 = 64 << 20;

struct Row {
    text: String,
    /// ISO 639-1, or what the data call a language that has none.
    language: String,
    level: String,
}

fn rows() -> Option<Vec<Row>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = std::env::var_os("PALIMPSEST_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let path = data.join("langid/dev.jsonl.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: no {}", path.display());
        return None;
    };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).take(MAX_BYTES).read_to_string(&mut text).unwrap();
    let row = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let key = |key: &str| row[key].as_str().map(str::to_owned);
        let language = key("lang_iso639_1").or_else(|| key("lang_norm")).unwrap();
        Row { text: key("text").unwrap(), language, level: key("level").unwrap() }
    };
    Some(text.lines().map(row).collect())
}

fn is_known(code: &str) -> bool {
    Language::all().into_iter().any(|language| language.iso_code_639_1().to_string() == code)
}

fn told(stage: &LanguageStage, text: &str) -> String {
    let Verdict::Emit(drafts) = testing::run(stage, &document(text), &[]).unwrap() else {
        return "dropped".to_owned();
    };
    let field = drafts[0].fields.iter().find(|field| field.name == "language").unwrap();
    let Value::Text(language) = &field.value else { panic!("{field:?}") };
    language.clone()
}

/// Every text is answered, however short and however unsure.
fn stage(min_confidence: f64) -> LanguageStage {
    LanguageStage::configure(Settings { min_letters: 1, min_confidence, ..Settings::default() }).unwrap()
}

#[test]
fn what_the_stage_adds_to_lingua_costs_less_than_half_a_point() {
    let Some(rows) = rows() else { return };
    let (stage, lingua) = (stage(0.0), LanguageDetectorBuilder::from_all_languages().build());
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for row in rows.iter().filter(|row| is_known(&row.language)) {
        let native = lingua.detect_language_of(&row.text);
        let native = native.map(|language| language.iso_code_639_1().to_string());
        let [all, ours, theirs] = counts.entry(&row.level).or_default();
        *all += 1;
        *ours += usize::from(told(&stage, &row.text) == row.language);
        *theirs += usize::from(native.as_deref() == Some(row.language.as_str()));
    }
    println!("level: texts, stage, lingua: {counts:?}");
    for (level, [all, ours, theirs]) in counts {
        // A level of a few texts cannot show half a point.
        let allowed = (all as f64 * 0.005).max(1.0);
        assert!(
            theirs as f64 - ours as f64 <= allowed,
            "{level}: {all} texts, stage {ours}, lingua {theirs}"
        );
    }
}

#[cfg(not(feature = "all"))]
#[test]
fn few_texts_in_other_languages_pass_for_one_that_is_known() {
    let Some(rows) = rows() else { return };
    let stage = stage(Settings::default().min_confidence);
    let mut counts: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for row in rows.iter().filter(|row| !is_known(&row.language)) {
        let [all, passed] = counts.entry(&row.level).or_default();
        *all += 1;
        *passed += usize::from(!matches!(told(&stage, &row.text).as_str(), "und" | "dropped"));
    }
    println!("level: texts in other languages, passed: {counts:?}");
    for (level, [all, passed]) in counts {
        let most = if level == "paragraph" { 0.2 } else { 0.35 };
        assert!((passed as f64) < all as f64 * most, "{level}: {passed} of {all}");
    }
}
