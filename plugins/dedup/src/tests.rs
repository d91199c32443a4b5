use palimpsest_plugin::Value;
use palimpsest_plugin::testing::{self, TestBoard, TestPage, Verdict, document};

use super::*;

/// What became of a page: its draft, or the reason with what was measured.
type Told = Result<Draft, String>;

fn run(settings: &Settings, board: &TestBoard, id: &str, text: &str) -> Told {
    let page = document(text);
    let page = TestPage {
        document: palimpsest_plugin::Document {
            id: id.to_owned(),
            url: format!("https://a.example/{id}"),
            ..page.document
        },
        board: board.clone(),
        ..page
    };
    match testing::run(&DedupStage::configure(settings.clone()).unwrap(), &page, &[]).unwrap() {
        Verdict::Emit(drafts) => Ok(drafts.into_iter().next().unwrap()),
        Verdict::Drop(said) => Err(said),
        Verdict::Ask(_) => panic!("asks nothing"),
    }
}

fn reason(told: &Told) -> &str {
    told.as_ref().map_or_else(|said| said.split(':').next().unwrap_or_default(), |_| "")
}

fn field<'a>(draft: &'a Draft, name: &str) -> Option<&'a Value> {
    draft.fields.iter().find(|field| field.name == name).map(|field| &field.value)
}

/// Words that look like chance, the same for the same `seed`.
fn prose(seed: u32, words: u32) -> String {
    let word = |place| {
        let number = xxh3_128(format!("{seed} {place}").as_bytes()) % 5000;
        // In letters, since numbers are all one.
        number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect::<String>()
    };
    (0..words).map(word).collect::<Vec<_>>().join(" ")
}

/// Each page is dropped under its reason, or goes on where the reason is empty; pages arrive in this order.
#[track_caller]
fn check(settings: &Settings, pages: &[(&str, &str)]) {
    let board = TestBoard::default();
    let told: Vec<Told> =
        (0..).zip(pages).map(|(id, (text, _))| run(settings, &board, &format!("{id}"), text)).collect();
    let reasons: Vec<&str> = told.iter().map(reason).collect();
    let wanted: Vec<&str> = pages.iter().map(|(_, reason)| *reason).collect();
    assert_eq!(reasons, wanted);
    // Whoever asks again is told the same, in whatever order.
    for (id, (text, _)) in (0..pages.len()).zip(pages).rev() {
        assert_eq!(reason(&run(settings, &board, &format!("{id}"), text)), wanted[id], "{id} asks again");
    }
}

#[test]
fn of_the_same_texts_the_first_stays() {
    let settings = Settings::default();
    check(
        &settings,
        &[
            ("It cost 5 dollars.", ""),
            ("It  COST 5\ndollars.", "exact_duplicate"),
            ("It cost 5 dollars!", "near_duplicate"),
            ("It cost 7 dollars.", "near_duplicate"),
            ("It took 5 hours.", ""),
            ("", ""),
            (" \n", ""),
            ("…", ""),
            ("…", "exact_duplicate"),
        ],
    );
}

#[test]
fn texts_that_are_nearly_the_same_are_found() {
    let text = prose(1, 600);
    let edited = text.replace('c', "other");
    let same = format!("{text} {}", prose(2, 60));
    let half = format!("{} {}", prose(1, 300), prose(3, 300));
    check(&Settings::default(), &[(&text, ""), (&same, "near_duplicate"), (&half, ""), (&edited, "")]);
    let settings = Settings { documents: Documents::Exact, ..Settings::default() };
    check(&settings, &[(&text, ""), (&same, ""), (&text, "exact_duplicate")]);
    let settings = Settings { documents: Documents::Minhash, ..Settings::default() };
    check(&settings, &[(&text, ""), (&text, "near_duplicate")]);
    let settings = Settings { documents: Documents::Off, ..Settings::default() };
    check(&settings, &[(&text, ""), (&text, "")]);
}

#[test]
fn scripts_without_blanks_have_shingles_of_characters() {
    let text = "东京是日本的首都也是世界上人口最多的都市圈之一每年有数以千万计的游客来到这里";
    let longer = format!("{text}参观");
    check(
        &Settings::default(),
        &[(text, ""), (&longer, "near_duplicate"), ("北京是中国的首都也是政治中心", "")],
    );
}

#[test]
fn a_page_that_was_dropped_still_stands_for_its_like() {
    let parts: Vec<String> = (10..16).map(|seed| prose(seed, 100)).collect();
    let text = |from: usize, to: usize| parts[from..to].join(" ");
    // Each has five sixths of the one before it, and the last only half of the first.
    let chain = [
        text(0, 6),
        format!("{} {}", text(1, 6), prose(20, 50)),
        format!("{} {}", text(2, 6), prose(20, 50)),
    ];
    check(&Settings::default(), &[(&chain[0], ""), (&chain[2], "")]);
    check(
        &Settings::default(),
        &[(&chain[0], ""), (&chain[1], "near_duplicate"), (&chain[2], "near_duplicate")],
    );
}

#[test]
fn a_band_in_common_is_not_enough_unless_the_settings_say_so() {
    // 400 pairs of texts with two thirds of their words in common, half of all shingles: 5 % of them share a band.
    let near = |min_similarity| {
        let settings = Settings { min_similarity, ..Settings::default() };
        (0..400)
            .filter(|pair| {
                let board = TestBoard::default();
                let common = prose(1000 + pair, 134);
                let first = format!("{common} {}", prose(2000 + pair, 66));
                let second = format!("{common} {}", prose(3000 + pair, 66));
                assert_eq!(reason(&run(&settings, &board, "a", &first)), "");
                reason(&run(&settings, &board, "b", &second)) == "near_duplicate"
            })
            .count()
    };
    assert_eq!(near(0.75), 0);
    assert!((5..45).contains(&near(0.0)), "{}", near(0.0));
}

#[test]
fn a_candidate_that_is_no_duplicate_does_not_hide_one() {
    let board = TestBoard::default();
    let text = prose(1, 400);
    let signature = DedupStage::configure(Settings::default()).unwrap().signature(&text).unwrap();
    // Two documents stand under the text's first band without being like it.
    for (id, other) in [("p", prose(2, 400)), ("q", prose(3, 400))] {
        let page = document(&other);
        let page = TestPage {
            document: palimpsest_plugin::Document { id: id.to_owned(), ..page.document },
            board: board.clone(),
            ..page
        };
        struct Squatter(Vec<String>);
        impl Stage for Squatter {
            const NAME: &'static str = "squatter";
            const SUMMARY: &'static str = "leaves a note where it has no business";
            type Settings = Settings;
            fn configure(_: Settings) -> Result<Self, String> {
                Err("made by hand".to_owned())
            }
            async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
                page.post(&self.0, "", NOTES_IN_A_BAND);
                Ok(Outcome::keep(Draft::new()))
            }
        }
        testing::run(&Squatter(signature.band_keys(8)), &page, &[]).unwrap();
    }
    let settings = Settings { documents: Documents::Minhash, ..Settings::default() };
    assert_eq!(reason(&run(&settings, &board, "a", &text)), "");
    let told = run(&settings, &board, "b", &text);
    assert_eq!(told.unwrap_err(), "near_duplicate: 1.000 a");
}

#[test]
fn duplicates_may_go_on_with_a_tag() {
    let settings = Settings { action: Action::Tag, signatures: false, ..Settings::default() };
    let board = TestBoard::default();
    let text = prose(1, 500);
    assert!(run(&settings, &board, "a", &text).unwrap().fields.is_empty());
    let exact = run(&settings, &board, "b", &text).unwrap();
    assert_eq!(field(&exact, "duplicate_of"), Some(&Value::Text("a".to_owned())));
    assert_eq!(field(&exact, "duplicate_similarity"), Some(&Value::Number(1.0)));
    let near = run(&settings, &board, "c", &format!("{text} {}", prose(2, 50))).unwrap();
    assert_eq!(field(&near, "duplicate_of"), Some(&Value::Text("a".to_owned())));
    let Some(Value::Number(similarity)) = field(&near, "duplicate_similarity") else { panic!("{near:?}") };
    assert!((0.8..1.0).contains(similarity), "{similarity}");
}

#[test]
fn the_signature_is_a_column_even_where_nothing_is_compared() {
    let settings = Settings { documents: Documents::Off, ..Settings::default() };
    let draft = run(&settings, &TestBoard::default(), "a", &prose(1, 100)).unwrap();
    let Some(Value::Text(written)) = field(&draft, "minhash") else { panic!("{draft:?}") };
    assert_eq!(written.len(), (14 * 8 * 4_usize).div_ceil(3) * 4);
    assert!(run(&settings, &TestBoard::default(), "b", "").unwrap().fields.is_empty());
}

#[test]
fn lines_of_a_host_are_kept_by_the_pages_that_had_them_first() {
    let settings = |min_pages| Settings {
        lines: Some(Lines { min_pages, ..Lines::default() }),
        documents: Documents::Off,
        signatures: false,
        ..Settings::default()
    };
    let left = |settings: &Settings, board: &TestBoard, id: &str, text: &str| {
        let draft = run(settings, board, id, text).unwrap();
        let Some(Value::Integer(removed)) = field(&draft, "lines_removed") else { panic!("{draft:?}") };
        (draft.text.clone().unwrap_or_else(|| text.to_owned()), *removed)
    };
    let board = TestBoard::default();
    let once = settings(1);
    let first = "Home\nA story of one.\nHome";
    assert_eq!(left(&once, &board, "a", first), (first.to_owned(), 0));
    assert_eq!(left(&once, &board, "b", "Home\nA story of two.\nHOME"), ("A story of two.".to_owned(), 2));
    assert_eq!(left(&once, &board, "a", first), (first.to_owned(), 0), "asks again");
    assert_eq!(run(&once, &board, "c", "Home\n").unwrap_err(), "only_repeated_lines: 1");
    let twice = settings(2);
    let board = TestBoard::default();
    for (id, removed) in [("a", 0), ("b", 0), ("c", 1), ("d", 1), ("b", 0)] {
        assert_eq!(left(&twice, &board, id, &format!("Home\nThis is page {id}.")).1, removed, "{id}");
    }
}

#[test]
fn hosts_are_found_in_addresses() {
    for (url, found) in [
        ("https://a.example/b?c@d", "a.example"),
        ("http://user@a.example:8080", "a.example:8080"),
        ("urn:x", ""),
        ("", ""),
    ] {
        assert_eq!(host(url), found);
    }
}

#[test]
fn settings_are_checked() {
    let complaint = |settings| DedupStage::configure(settings).unwrap_err();
    assert!(complaint(Settings { bands: 0, ..Settings::default() }).starts_with("bands"));
    assert!(complaint(Settings { bands: 1000, rows: 1000, ..Settings::default() }).starts_with("bands"));
    assert!(complaint(Settings { rows: u32::MAX, ..Settings::default() }).starts_with("rows"));
    assert!(complaint(Settings { ngram: 0, ..Settings::default() }).starts_with("ngram"));
    assert!(complaint(Settings { min_similarity: f64::NAN, ..Settings::default() }).starts_with("min_sim"));
    let lines = Some(Lines { min_pages: 65, ..Lines::default() });
    assert!(complaint(Settings { lines, ..Settings::default() }).starts_with("lines.min_pages"));
    assert!(serde_json::from_str::<Settings>(r#"{"documents": "fuzzy"}"#).is_err());
    assert!(serde_json::from_str::<Settings>(r#"{"lines": {"min_pages": 3}}"#).unwrap().lines.is_some());
}

#[test]
fn huge_texts_are_done_in_time() {
    let start = std::time::Instant::now();
    for text in
        ["word ".repeat(1 << 19), "字".repeat(1 << 20), "a\n".repeat(1 << 18), "\u{301}".repeat(1 << 20)]
    {
        let settings = Settings { lines: Some(Lines::default()), ..Settings::default() };
        run(&settings, &TestBoard::default(), "a", &text).unwrap();
    }
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
}
