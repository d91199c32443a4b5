use palimpsest_plugin::Value;
use palimpsest_plugin::testing::{self, TestPage, Verdict, document};

use super::*;

const QUESTIONS: &str = concat!(
    r#"{"question": "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many clips did Natalia sell altogether in April and May?", "answer": "72"}"#,
    "\n",
    r#"{"question": "Weng earns $12 an hour for babysitting. Yesterday, she just did 50 minutes of babysitting. How much did she earn?", "answer": "10"}"#,
    "\n",
    r#"{"question": "Too short to find?", "answer": "yes"}"#,
);

const PROSE: &str =
    "The river had been rising since the morning, and by noon the lower fields were under water. ";

fn settings(json: &str) -> Settings {
    serde_json::from_str(json).unwrap()
}

fn run(settings: &Settings, text: &str) -> Verdict {
    let files = vec![
        ("clips".to_owned(), QUESTIONS.as_bytes().to_vec()),
        ("lines".to_owned(), b"\nthe quick brown fox jumps over the lazy dog near the river bank\n".to_vec()),
    ];
    let page = TestPage { files, ..document(text) };
    testing::run(&DecontaminateStage::configure(settings.clone()).unwrap(), &page, &[]).unwrap()
}

/// What the page is contaminated by; nothing where it goes on without a word.
#[track_caller]
fn check(text: &str, wanted: &[&str]) {
    let tagging = settings(r#"{"files": ["clips", "lines"], "action": "tag"}"#);
    let Verdict::Emit(drafts) = run(&tagging, text) else { panic!("tags") };
    let by = drafts[0].fields.iter().find(|field| field.name == "contaminated_by");
    let told = by.map_or_else(Vec::new, |field| {
        let Value::Texts(texts) = &field.value else { panic!("{field:?}") };
        texts.clone()
    });
    assert_eq!(told, wanted);
    let dropping = settings(r#"{"files": ["clips", "lines"]}"#);
    match run(&dropping, text) {
        Verdict::Drop(said) => assert!(said.starts_with(&format!("contaminated: {} ", wanted[0])), "{said}"),
        Verdict::Emit(_) => assert!(wanted.is_empty()),
        Verdict::Ask(_) => panic!("asks nothing"),
    }
}

fn clips() -> String {
    let line: serde_json::Value = serde_json::from_str(QUESTIONS.lines().next().unwrap()).unwrap();
    line["question"].as_str().unwrap().to_owned()
}

#[test]
fn pages_with_a_benchmarks_text_are_found() {
    let question = clips();
    check(&question, &["clips:1"]);
    check(&format!("{}{question}{}", PROSE.repeat(50), PROSE.repeat(50)), &["clips:1"]);
    check(&question.to_uppercase().replace(' ', "\n** "), &["clips:1"]);
    check(
        &format!("{PROSE}\n\nThe quick brown fox jumps over the lazy dog near the river bank. {question}"),
        &["clips:1", "lines:2"],
    );
    check(&PROSE.repeat(20), &[]);
    check("", &[]);
    check("Too short to find? yes", &[]);
}

#[test]
fn an_ngram_in_common_is_not_enough() {
    // Thirteen of its thirty words, then something else.
    let words: Vec<String> = clips().split(' ').map(str::to_owned).collect();
    let beginning = words[..13].join(" ");
    check(&format!("{beginning} {PROSE}"), &[]);
    let Verdict::Drop(said) = run(&settings(r#"{"files": ["clips"], "min_ratio": 0}"#), &beginning) else {
        panic!("drops");
    };
    assert!(said.starts_with("contaminated: clips:1 0."), "{said}");
    // Nine words in common are no n-gram.
    check(&format!("{} {PROSE}", words[..9].join(" ")), &[]);
    // With a word changed here and there it is still the same question.
    let changed = clips().replace("Natalia", "Olivia").replace("May", "June");
    check(&format!("{PROSE}{changed}"), &["clips:1"]);
}

#[test]
fn ten_words_of_a_long_text_were_a_whole_sample() {
    let words: Vec<String> = (0..1001).map(|number| format!("word{number}")).collect();
    let told = |text: String| {
        let page =
            TestPage { files: vec![("f".to_owned(), words.join(" ").into_bytes())], ..document(&text) };
        testing::run(&DecontaminateStage::configure(settings(r#"{"files": ["f"]}"#)).unwrap(), &page, &[])
    };
    assert!(matches!(told(words[991..].join(" ")), Ok(Verdict::Emit(_))));
    assert!(matches!(told(words[800..].join(" ")), Ok(Verdict::Emit(_))));
    assert!(matches!(told(words[600..].join(" ")), Ok(Verdict::Drop(_))));
}

#[test]
fn the_greatest_share_is_told_of_every_page() {
    let told = |text: &str| {
        let Verdict::Emit(drafts) = run(&settings(r#"{"files": ["clips"]}"#), text) else { panic!("keeps") };
        let [field] = drafts[0].fields.as_slice() else { panic!("{drafts:?}") };
        let (name, Value::Number(ratio)) = (&field.name, &field.value) else { panic!("{field:?}") };
        assert_eq!(name, "contamination_ratio");
        *ratio
    };
    assert!(told(PROSE).abs() < 1e-9);
    let beginning: Vec<String> = clips().split(' ').take(12).map(str::to_owned).collect();
    let share = told(&beginning.join(" "));
    assert!((0.3..0.5).contains(&share), "{share}");
}

#[test]
fn fields_may_be_chosen() {
    let text = "the answer is here: one two three four five six seven eight nine ten eleven";
    let file = br#"{"q": "nobody knows", "a": "one two three four five six seven eight nine ten eleven"}"#;
    let told = |json: &str| {
        let page = TestPage { files: vec![("f".to_owned(), file.to_vec())], ..document(text) };
        testing::run(&DecontaminateStage::configure(settings(json)).unwrap(), &page, &[]).unwrap()
    };
    assert!(matches!(told(r#"{"files": ["f"]}"#), Verdict::Drop(_)));
    assert!(matches!(told(r#"{"files": ["f"], "fields": ["a"]}"#), Verdict::Drop(_)));
    assert!(matches!(told(r#"{"files": ["f"], "fields": ["q"]}"#), Verdict::Emit(_)));
}

#[test]
fn files_that_are_missing_or_no_text_are_the_stages_failure() {
    let stage = DecontaminateStage::configure(settings(r#"{"files": ["f"]}"#)).unwrap();
    assert!(testing::run(&stage, &document("x"), &[]).unwrap_err().contains("`f`"));
    let page = TestPage { files: vec![("f".to_owned(), vec![0xff])], ..document("x") };
    let stage = DecontaminateStage::configure(settings(r#"{"files": ["f"]}"#)).unwrap();
    assert!(testing::run(&stage, &page, &[]).unwrap_err().starts_with("file `f`"));
}

#[test]
fn settings_are_checked() {
    let complaint = |json: &str| DecontaminateStage::configure(settings(json)).unwrap_err();
    assert!(complaint("{}").starts_with("files"));
    assert!(complaint(r#"{"files": ["f"], "ngram": 1}"#).starts_with("ngram"));
    assert!(complaint(r#"{"files": ["f"], "min_ratio": 1.0}"#).starts_with("min_ratio"));
    assert!(serde_json::from_str::<Settings>(r#"{"file": []}"#).is_err());
}

#[test]
fn pages_that_repeat_what_a_benchmark_repeats_are_done_in_time() {
    let line = "the same words again and again and again and the same words once more ";
    let files = vec![("f".to_owned(), format!("{}\n", line.repeat(70)).repeat(100).into_bytes())];
    let page = TestPage { files, ..document(&line.repeat(1 << 15)) };
    let stage = DecontaminateStage::configure(settings(r#"{"files": ["f"]}"#)).unwrap();
    let start = std::time::Instant::now();
    let first = testing::run(&stage, &page, &[]).unwrap();
    assert!(matches!(&first, Verdict::Drop(_)), "{first:?}");
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn an_instance_that_has_seen_pages_says_what_a_new_one_says() {
    let question = clips();
    let texts =
        [question.as_str(), PROSE, "", "the quick brown fox jumps over the lazy dog near the river bank"];
    let json = r#"{"files": ["clips"], "action": "tag"}"#;
    let files = vec![("clips".to_owned(), QUESTIONS.as_bytes().to_vec())];
    let stage = DecontaminateStage::configure(settings(json)).unwrap();
    for text in texts.into_iter().chain(texts.into_iter().rev()) {
        let page = TestPage { files: files.clone(), ..document(text) };
        let fresh = DecontaminateStage::configure(settings(json)).unwrap();
        let told = |stage| format!("{:?}", testing::run(stage, &page, &[]));
        assert_eq!(told(&stage), told(&fresh), "{text}");
    }
}
