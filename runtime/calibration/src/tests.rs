use proptest::prelude::*;

use super::*;

fn calibrated(documents: &[(f64, u64)]) -> Calibrator {
    let mut calibrator = Calibrator::default();
    for &(score, tokens) in documents {
        assert!(calibrator.add("s", "en", score, tokens));
    }
    calibrator
}

/// How many tokens each bucket gets.
fn tokens(table: &Table, documents: &[(f64, u64)]) -> Vec<u64> {
    let mut tokens = vec![0; BUCKETS];
    for &(score, weight) in documents {
        tokens[usize::from(table.bucket("s", "en", score).unwrap())] += weight;
    }
    tokens
}

#[test]
fn buckets_are_equally_heavy() {
    let documents: Vec<_> =
        (0..20_000_u64).map(|n| ((n as f64 / 20_000.0).powi(4), 50 + n * 7919 % 1000)).collect();
    let table = calibrated(&documents).table(MIN_DOCUMENTS);
    let tokens = tokens(&table, &documents);
    let share = documents.iter().map(|(_, weight)| weight).sum::<u64>() as f64 / 20.0;
    assert!(tokens.iter().all(|&bucket| (bucket as f64 / share - 1.0).abs() < 0.01), "{tokens:?}");
}

#[test]
fn weight_counts_and_documents_do_not() {
    let mut documents = vec![(0.1, 1); 1900];
    documents.extend((0..100).map(|n| (0.2 + f64::from(n) / 1000.0, 190)));
    let table = calibrated(&documents).table(MIN_DOCUMENTS);
    assert_eq!(table.bucket("s", "en", 0.2475), Some(10));
}

#[track_caller]
fn check_ties(documents: &[(f64, u64)], score: f64, bucket: u8) {
    assert_eq!(calibrated(documents).table(0).bucket("s", "en", score), Some(bucket));
}

#[test]
fn a_score_of_many_documents_has_the_bucket_in_their_middle() {
    check_ties(&[(0.5, 10)], 0.5, 10);
    check_ties(&[(0.5, 10)], 0.4, 0);
    check_ties(&[(0.5, 10)], 0.6, 19);
    check_ties(&[(0.0, 30), (1.0, 70)], 0.0, 3);
    check_ties(&[(0.0, 30), (1.0, 70)], 1.0, 13);
    check_ties(&[(-1.0, 50), (1.0, 50)], -1.0, 5);
    check_ties(&[(-1.0, 50), (1.0, 50)], 1.0, 15);
    check_ties(&[(0.5, 0)], 0.5, 19);
}

#[test]
fn empty_documents_change_nothing() {
    let documents: Vec<_> = (0..20_000).map(|n| (f64::from(n) / 20_000.0, 10)).collect();
    let boundaries = |documents: &[(f64, u64)]| {
        let table = calibrated(documents).table(0);
        (0..100).map(|n| table.bucket("s", "en", f64::from(n) / 100.0)).collect::<Vec<_>>()
    };
    let without = boundaries(&documents);
    for score in [-1.0, 0.00001, 0.500_02, 0.999_99, 2.0] {
        let mut with = documents.clone();
        with.push((score, 0));
        assert_eq!(boundaries(&with), without, "{score}");
    }
}

#[test]
fn small_languages_fall_back() {
    let mut calibrator = Calibrator::default();
    for n in 0..1000 {
        calibrator.add("s", "en", f64::from(n) / 1000.0, 1);
    }
    for n in 0..999 {
        calibrator.add("s", "fr", f64::from(n) / 1000.0 + 5.0, 1);
    }
    let table = calibrator.table(1000);
    assert_eq!(table.bucket("s", "en", 0.99), Some(19));
    assert_eq!(table.bucket("s", "fr", 0.99), Some(9));
    assert_eq!(table.bucket("s", "xx", 5.5), Some(15));
    assert_eq!(table.bucket("t", "en", 0.5), None);
    let seen: Vec<_> = table.entries().map(|(_, language, seen)| (language, seen.documents)).collect();
    assert_eq!(seen, [("*", 1999), ("en", 1000)]);
}

#[test]
fn hostile_scores_and_languages_are_bounded() {
    let mut calibrator = Calibrator::default();
    assert!(!calibrator.add("s", "en", f64::NAN, 1));
    assert!(!calibrator.add("s", "en", f64::INFINITY, 1));
    assert!(!calibrator.add("s", "en", 1e300, 1));
    for n in 0..2000 {
        assert!(calibrator.add("s", &format!("l{n}"), 0.5, u64::MAX));
    }
    let table = calibrator.table(0);
    assert_eq!(table.entries().count(), MAX_LANGUAGES);
    assert_eq!(table.to_string().parse::<Table>().unwrap(), table);
}

#[track_caller]
fn refused(text: &str, says: &str) {
    let error = text.parse::<Table>().expect_err(says).to_string();
    assert!(error.contains(says), "{error}");
}

#[test]
fn files_that_are_no_tables_are_refused() {
    let entry = |boundaries: &str| {
        format!(
            "format = \"palimpsest-calibration-1\"\nmin_documents = 1\n[scorers.s.\"*\"]\n\
             documents = 1\ntokens = 1\nboundaries = [{boundaries}]\n"
        )
    };
    let many = |score: &str| entry(&vec![score; 19].join(", "));
    assert!(many("0.5").parse::<Table>().is_ok());
    refused("", "no calibration table");
    refused(&many("0.5").replace("-1", "-2"), "palimpsest-calibration-2");
    refused(&entry("0.5"), "scorers.s.*: there must be 19");
    refused(&many("nan"), "never fall");
    refused(&many("1.0").replacen("1.0", "2.0", 1), "never fall");
    refused(&many("0.5").replace("\"*\"", "en"), "other languages");
}

proptest! {
    #[test]
    fn order_and_sharing_do_not_matter(documents in prop::collection::vec((-2.0_f64..2.0, 0_u64..500), 0..200)) {
        let whole = calibrated(&documents).table(0);
        let (one, other) = documents.split_at(documents.len() / 3);
        let (mut merged, other) = (calibrated(other), calibrated(one));
        merged.merge(&other);
        prop_assert_eq!(&merged.table(0), &whole);
        prop_assert_eq!(&whole.to_string().parse::<Table>().unwrap(), &whole);
        for pair in documents.windows(2) {
            let [(one, _), (next, _)] = pair else { continue };
            let buckets = (whole.bucket("s", "en", *one), whole.bucket("s", "en", *next));
            prop_assert!((one <= next) == (buckets.0 <= buckets.1) || buckets.0 == buckets.1);
        }
    }
}
