//! Models trained here: they learn, they are the same each time, and their files are the format's.

#![allow(clippy::unwrap_used, reason = "helpers of tests; the lint knows only the tests themselves")]

use palimpsest_fasttext::{Loss, Model, Params, Quantize, QuantizeError, Sample, TrainError, train};

const TEXTS: [(&str, &str); 6] = [
    ("good", "the river had been rising since the morning and the lower fields were under water"),
    ("good", "yeast makes the dough rise because it turns sugar into gas while the oven is warm"),
    ("good", "a bridge carries its load to the banks by arches of stone or by cables of steel"),
    ("bad", "home login register share cart search next page"),
    ("bad", "accept all cookies sign in subscribe now share on"),
    ("bad", "menu home about contact login cart next previous"),
];

fn samples() -> Vec<Sample<'static>> {
    TEXTS.iter().map(|&(label, text)| Sample { labels: vec![label], text }).collect()
}

fn params() -> Params {
    Params { dim: 10, epoch: 60, lr: 0.3, bucket: 2000, word_ngrams: 2, ..Params::default() }
}

fn bytes(model: &Model) -> Vec<u8> {
    let mut bytes = Vec::new();
    model.write(&mut bytes).unwrap();
    bytes
}

/// Says of unseen texts what they are, before and after writing.
#[track_caller]
fn check(params: &Params) {
    let model = train(&samples(), params).unwrap();
    let again = Model::from_bytes(&bytes(&model)).unwrap();
    for model in [&model, &again] {
        for (text, label) in [
            ("the water of the river carries the stone to the lower banks", "__label__good"),
            ("login or register\nshare next page", "__label__bad"),
        ] {
            let best = model.predict(text, 1, 0.0)[0];
            assert_eq!(best.label, label);
            assert!(0.5 < best.probability && best.probability < 1.0001, "{best:?}");
        }
    }
    assert!(bytes(&train(&samples(), params).unwrap()) == bytes(&model), "the same seed, the same bytes");
    let other = train(&samples(), &Params { seed: 1, ..*params }).unwrap();
    assert!(bytes(&other) != bytes(&model), "another seed, other bytes");
}

#[test]
fn every_loss_learns() {
    check(&params());
    check(&Params { loss: Loss::OneVsAll, ..params() });
    check(&Params { loss: Loss::Hierarchical, ..params() });
    check(&Params { shuffle: false, minn: 2, maxn: 4, ..params() });
}

#[test]
fn several_labels_are_learnt_one_versus_all() {
    let samples = [
        Sample { labels: vec!["a", "__label__b"], text: "one two" },
        Sample { labels: vec!["c d"], text: "three four" },
    ];
    let model = train(&samples, &Params { loss: Loss::OneVsAll, ..params() }).unwrap();
    let found = model.predict("one two", 3, 0.5);
    let mut labels: Vec<_> = found.iter().map(|found| found.label).collect();
    labels.sort_unstable();
    assert_eq!(labels, ["__label__a", "__label__b"]);
    assert_eq!(model.predict("three", 1, 0.5)[0].label, "__label__c_d");
}

#[test]
fn a_text_is_one_text() {
    let model = train(&samples(), &params()).unwrap();
    assert_eq!(model.predict("home\nlogin\r\n\0cart", 2, 0.0), model.predict("home login cart", 2, 0.0));
    assert!(model.predict("home", 0, 0.0).is_empty());
    assert!(model.predict("home", 2, 1.1).is_empty());
    assert_eq!(model.labels().collect::<Vec<_>>(), ["__label__good", "__label__bad"]);
}

#[test]
fn quantized_models_say_nearly_the_same() {
    let model = train(&samples(), &params()).unwrap();
    for how in [
        Quantize::default(),
        Quantize { qnorm: true, ..Quantize::default() },
        Quantize { cutoff: 300, qnorm: true, ..Quantize::default() },
        Quantize { dsub: 3, ..Quantize::default() },
    ] {
        let small = model.quantize(&how).unwrap();
        let again = Model::from_bytes(&bytes(&small)).unwrap();
        assert!(bytes(&small).len() * 2 < bytes(&model).len());
        for (label, text) in TEXTS {
            let best = again.predict(text, 1, 0.0)[0];
            assert_eq!(best.label, format!("__label__{label}"), "{how:?}");
            assert_eq!(small.predict(text, 1, 0.0), [best]);
        }
        assert_eq!(again.quantize(&how).unwrap_err(), QuantizeError::Quantized);
    }
    let refused = model.quantize(&Quantize { qout: true, ..Quantize::default() }).unwrap_err();
    assert_eq!(refused, QuantizeError::TooSmall { what: "the output matrix", rows: 2 });
    let refused = model.quantize(&Quantize { dsub: 11, ..Quantize::default() }).unwrap_err();
    assert_eq!(refused, QuantizeError::Dsub { dim: 10 });
}

#[track_caller]
fn refused(params: &Params, says: &str) {
    let error = train(&samples(), params).expect_err(says).to_string();
    assert!(error.contains(says), "{error}");
}

#[test]
fn what_cannot_be_trained_is_refused() {
    refused(&Params { lr: f32::NAN, ..params() }, "lr");
    refused(&Params { dim: 0, ..params() }, "dim");
    refused(&Params { epoch: 0, ..params() }, "epoch");
    refused(&Params { word_ngrams: 65, ..params() }, "word_ngrams");
    refused(&Params { minn: 5, maxn: 4, ..params() }, "maxn");
    refused(&Params { bucket: 0, ..params() }, "bucket");
    refused(&Params { loss: Loss::Negative, ..params() }, "loss");
    refused(&Params { dim: 100_000, bucket: 1 << 30, ..params() }, "17179869184");
    let contradiction = ["yes", "no"].map(|label| Sample { labels: vec![label], text: "the same text" });
    let boundless = Params { lr: f32::MAX, ..params() };
    assert_eq!(train(&contradiction, &boundless).unwrap_err(), TrainError::Diverged);
    assert_eq!(train(&[], &params()).unwrap_err(), TrainError::NoLabels);
    assert_eq!(train(&[Sample { labels: vec![], text: "a" }], &params()).unwrap_err(), TrainError::NoLabels);
}

#[test]
fn odd_samples_cost_themselves() {
    let mut samples = samples();
    samples.push(Sample { labels: vec!["good", ""], text: "" });
    samples.push(Sample { labels: vec![], text: "no label" });
    samples.push(Sample { labels: vec!["bad"], text: "__label__none \0\0 \u{fffd}" });
    let model = train(&samples, &Params { min_count: 2, ..params() }).unwrap();
    assert!(bytes(&Model::from_bytes(&bytes(&model)).unwrap()) == bytes(&model));
    assert_eq!(model.predict("the river", 1, 0.0)[0].label, "__label__good");
}
