use palimpsest_plugin::testing::{self, TestPage, Verdict, document};
use palimpsest_plugin::{Field, Value};
use serde_json::json;

use super::*;

fn label(name: &str, score: f64) -> Label {
    Label { name: name.to_owned(), score }
}

/// Likes long lines, and says nothing of nothing.
fn quality(text: &str) -> Vec<Label> {
    let longest = text.lines().map(str::len).max().unwrap_or(0);
    let good = (longest as f64 / 100.0).min(1.0);
    match longest {
        0 => Vec::new(),
        _ => vec![label("__label__hq", good), label("__label__lq", 1.0 - good)],
    }
}

fn grades(text: &str) -> Vec<Label> {
    let share = if text.contains('A') { 0.75 } else { 0.25 };
    vec![label("__label__4", share), label("__label__0", 1.0 - share)]
}

fn table() -> String {
    let mut calibrator = palimpsest_calibration::Calibrator::default();
    for n in 0..2000 {
        let share = f64::from(n) / 2000.0;
        calibrator.add("hq", "en", share, 10);
        calibrator.add("hq", "de", share / 10.0, 10);
        calibrator.add("edu", "en", share * 5.0, 10);
    }
    calibrator.table(1000).to_string()
}

fn page(text: &str, fields: &[(&str, Value)]) -> TestPage {
    let mut page = document(text);
    page.classifiers = vec![("quality".to_owned(), quality), ("grades".to_owned(), grades)];
    page.files = vec![("table".to_owned(), table().into_bytes())];
    page.document.fields =
        fields.iter().map(|(name, value)| Field { name: (*name).to_owned(), value: value.clone() }).collect();
    page
}

fn stage(settings: serde_json::Value) -> Result<Score, String> {
    Score::configure(serde_json::from_value(settings).map_err(|error| error.to_string())?)
}

/// The fields that the page goes on with, or what it is dropped for.
fn outcome(settings: &serde_json::Value, page: &TestPage) -> Result<String, String> {
    let stage = stage(settings.clone()).unwrap();
    let first = testing::run(&stage, page, &[]).map_err(|error| format!("error: {error}"))?;
    let again = testing::run(&stage, page, &[]).unwrap();
    assert_eq!(format!("{first:?}"), format!("{again:?}"), "an instance may be used again");
    match first {
        Verdict::Emit(drafts) => {
            let [draft] = drafts.as_slice() else { panic!("one draft") };
            let columns = stage.columns();
            let told = draft.fields.iter().map(|Field { name, value }| {
                assert!(columns.iter().any(|column| column.name == *name), "{name}");
                match value {
                    Value::Number(number) => format!("{name} {number:.3}"),
                    Value::Integer(integer) => format!("{name} {integer}"),
                    other @ (Value::Text(_) | Value::Flag(_) | Value::Texts(_)) => panic!("{other:?}"),
                }
            });
            Ok(told.collect::<Vec<_>>().join(", "))
        }
        Verdict::Drop(said) => Err(said),
        Verdict::Ask(_) => panic!("asks nothing"),
    }
}

#[track_caller]
fn check(settings: serde_json::Value, page: &TestPage, expected: Result<&str, &str>) {
    let found = outcome(&settings, page);
    assert_eq!(found.as_deref().map_err(String::as_str), expected);
}

fn hq() -> serde_json::Value {
    json!({ "name": "hq", "classifier": "quality", "label": "hq" })
}

fn edu() -> serde_json::Value {
    json!({ "name": "edu", "field": "edu_score" })
}

fn text(length: usize) -> String {
    "x".repeat(length)
}

#[test]
fn scores_are_kept_as_numbers() {
    check(json!({ "scorers": [hq()] }), &page(&text(40), &[]), Ok("hq_score 0.400"));
    check(
        json!({ "scorers": [edu()] }),
        &page("", &[("edu_score", Value::Integer(3))]),
        Ok("edu_score 3.000"),
    );
    let expect = json!({ "name": "g", "classifier": "grades", "expect": true });
    check(json!({ "scorers": [hq(), expect] }), &page("A", &[]), Ok("hq_score 0.010, g_score 3.000"));
}

#[test]
fn what_is_not_known_is_left_out() {
    check(json!({ "scorers": [hq(), edu()] }), &page("", &[]), Ok(""));
    check(json!({ "scorers": [edu()] }), &page("", &[("edu_score", "3".into())]), Ok(""));
    check(json!({ "scorers": [hq(), edu()], "table": "table" }), &page("", &[]), Ok(""));
}

#[test]
fn texts_are_prepared() {
    let lines = format!("{}\n{}", text(20), text(20));
    check(json!({ "scorers": [hq()] }), &page(&lines, &[]), Ok("hq_score 0.410"));
    check(json!({ "scorers": [hq()], "join_lines": false }), &page(&lines, &[]), Ok("hq_score 0.200"));
    check(json!({ "scorers": [hq()], "max_chars": 7 }), &page(&lines, &[]), Ok("hq_score 0.070"));
    check(json!({ "scorers": [hq()], "max_chars": 1 }), &page("é", &[]), Ok("hq_score 0.020"));
    let grade = json!({ "name": "g", "classifier": "grades", "expect": true });
    check(json!({ "scorers": [grade], "lowercase": true }), &page("A", &[]), Ok("g_score 1.000"));
}

#[test]
fn buckets_are_those_of_the_language() {
    let settings = json!({ "scorers": [hq()], "table": "table" });
    let told = |language: &str| page(&text(9), &[("language", language.into())]);
    check(settings.clone(), &told("en"), Ok("hq_score 0.090, hq_bucket 1, quality_bucket 1"));
    check(settings.clone(), &told("de"), Ok("hq_score 0.090, hq_bucket 18, quality_bucket 18"));
    check(settings.clone(), &told("fr"), Ok("hq_score 0.090, hq_bucket 9, quality_bucket 9"));
    check(settings, &page(&text(9), &[]), Ok("hq_score 0.090, hq_bucket 9, quality_bucket 9"));
}

#[test]
fn buckets_are_combined() {
    let page = page(&text(12), &[("language", "en".into()), ("edu_score", Value::Number(4.55))]);
    let told = "hq_score 0.120, hq_bucket 2, edu_score 4.550, edu_bucket 18, quality_bucket";
    let settings = |how| json!({ "scorers": [hq(), edu()], "table": "table", "combine": how });
    check(settings("max"), &page, Ok(&format!("{told} 18")));
    check(settings("mean"), &page, Ok(&format!("{told} 10")));
    for (how, buckets, expected) in [
        (Combine::Mean, [Some(2), Some(3), None], Some(3)),
        (Combine::Mean, [None, Some(7), None], Some(7)),
        (Combine::Mean, [None; 3], None),
        (Combine::Max, [Some(2), None, Some(3)], Some(3)),
        (Combine::Max, [None; 3], None),
    ] {
        assert_eq!(combined(how, &buckets), expected, "{how:?} {buckets:?}");
    }
}

#[test]
fn low_pages_are_dropped_for_fixed_words() {
    let keep = json!({ "scorers": [hq(), edu()], "keep": { "hq": 0.3 } });
    check(keep.clone(), &page(&text(30), &[]), Ok("hq_score 0.300"));
    check(keep.clone(), &page(&text(29), &[]), Err("low_score: hq 0.29"));
    check(keep, &page("", &[]), Err("no_score: hq"));
    let least = json!({ "scorers": [hq()], "table": "table", "min_bucket": 10 });
    check(least.clone(), &page(&text(9), &[("language", "en".into())]), Err("low_bucket: 1"));
    check(least, &page("", &[]), Err("no_score: quality_bucket"));
}

#[test]
fn what_the_world_lacks_is_the_stages_failure() {
    let unknown = json!({ "name": "x", "classifier": "quality", "label": "none" });
    let says = "error: the classifier `quality` has no label `none`; it has __label__hq, __label__lq";
    check(json!({ "scorers": [unknown] }), &page("a", &[]), Err(says));
    let words = json!({ "name": "x", "classifier": "quality", "expect": true });
    let says = "error: the classifier `quality` has the label `__label__hq`, which is no number";
    check(json!({ "scorers": [words] }), &page("a", &[]), Err(says));
    let other = json!({ "name": "other", "classifier": "quality", "label": "hq" });
    let says = "error: `table` does not know the scorer `other`";
    check(json!({ "scorers": [other], "table": "table" }), &page("a", &[]), Err(says));
    check(json!({ "scorers": [hq()], "table": "none" }), &page("a", &[]), Err("error: no file `none`"));
}

#[track_caller]
fn refused(settings: serde_json::Value, says: &str) {
    let complaint = stage(settings).expect_err(says);
    assert!(complaint.contains(says), "{complaint}");
}

#[test]
fn settings_are_checked() {
    refused(json!({ "scorers": [] }), "at least one");
    refused(json!({ "scorers": [hq(), hq()] }), "two called `hq`");
    refused(json!({ "scorers": [{ "name": "H q", "field": "x" }] }), "`H q` is no word");
    refused(json!({ "scorers": [{ "name": "quality", "field": "x" }], "table": "t" }), "quality_bucket");
    refused(json!({ "scorers": [{ "name": "a" }] }), "`a` needs either");
    refused(json!({ "scorers": [{ "name": "a", "field": "x", "expect": true }] }), "`a` needs either");
    refused(json!({ "scorers": [{ "name": "a", "classifier": "x" }] }), "`a` needs either");
    refused(json!({ "scorers": [hq()], "keep": { "none": 1.0 } }), "keep.none");
    refused(json!({ "scorers": [hq()], "min_bucket": 3 }), "without a `table`");
    refused(json!({ "scorers": [hq()], "table": "t", "min_bucket": 20 }), "between 0 and 19");
    refused(json!({ "scorers": [hq()], "combine": "min" }), "min");
}
