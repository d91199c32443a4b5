use palimpsest_plugin::testing::{self, Verdict, document};
use palimpsest_plugin::{Field, Value};

use super::sets::Set;
use super::*;

/// Enough words and marks for all sets at once.
const ARTICLE: &str = "The river had been rising since the morning, and by noon the lower fields of the farm were under water. \
                       The farmers who have worked with this land for generations knew what to do. They moved the cattle to \
                       the barn on the hill, and took the hay with them. \
                       That evening the rain stopped. Nobody had been hurt, and most of the harvest was safe.\n\
                       In the morning the water began to fall. The road to the village was open again by noon, and a truck \
                       from the town brought bread and fresh milk. It would take weeks to dry the fields, the farmers said.";

fn stage(rules: &[Set], action: Action) -> Quality {
    Quality::configure(Settings { rules: rules.to_vec(), action, ..Settings::default() }).unwrap()
}

fn run(stage: &Quality, text: &str) -> Verdict {
    testing::run(stage, &document(text), &[]).unwrap()
}

/// The rule that the text is dropped by, with the value.
#[track_caller]
fn check_dropped(set: Set, text: &str, expected: &str) {
    match run(&stage(&[set], Action::Drop), text) {
        Verdict::Drop(said) => assert_eq!(said, expected),
        other @ (Verdict::Emit(_) | Verdict::Ask(_)) => panic!("{other:?}"),
    }
}

/// The text that the set leaves.
#[track_caller]
fn check_left(set: Set, text: &str, expected: &str) {
    let found = stage(&[set], Action::Drop).judge(text, "en");
    assert_eq!(found.broken, []);
    assert_eq!(found.text.as_deref().unwrap_or(text), expected);
}

#[test]
fn running_text_passes_every_set() {
    let all = [
        Set::GopherQuality,
        Set::GopherRepetition,
        Set::Fineweb,
        Set::Dclm,
        Set::Curator,
        Set::Refinedweb,
        Set::C4,
    ];
    let stage = stage(&all, Action::Drop);
    let Verdict::Emit(drafts) = run(&stage, ARTICLE) else { panic!("kept") };
    assert_eq!(drafts[0].text, None, "nothing to edit");
    let columns: Vec<String> = stage.columns().into_iter().map(|column| column.name).collect();
    let fields: Vec<&str> = drafts[0].fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(fields, columns, "a value for each rule, in order");
}

#[test]
fn each_set_writes_the_columns_that_it_declares() {
    use Set::{C4, C4Paragraph, Curator, Dclm, Fineweb, GopherQuality, GopherRepetition, Refinedweb};
    for set in [C4, C4Paragraph, Curator, Dclm, Fineweb, GopherQuality, GopherRepetition, Refinedweb] {
        for text in ["", "\n \n", "one", ARTICLE, &"\u{1c}".repeat(9)] {
            let found = stage(&[set], Action::Tag).judge(text, "en");
            let measured: Vec<&str> = found.measured.iter().map(|(rule, _)| *rule).collect();
            assert_eq!(measured, set.rules());
            assert!(found.measured.iter().all(|(_, value)| value.is_finite()));
        }
    }
}

#[test]
fn documents_are_dropped_under_the_first_rule_that_they_break() {
    let dropped = check_dropped;
    dropped(Set::GopherQuality, "", "gopher_words: 0");
    dropped(Set::GopherQuality, "A short one.", "gopher_words: 3");
    dropped(Set::GopherQuality, &"a be c ".repeat(60), "gopher_mean_word_length: 1.333333");
    dropped(Set::GopherQuality, &"walk # ".repeat(60), "gopher_hash_ratio: 0.5");
    dropped(Set::GopherQuality, &"walk the … ".repeat(60), "gopher_ellipsis_ratio: 0.333333");
    dropped(Set::GopherQuality, &"- walk the dog with care\n".repeat(60), "gopher_bullet_lines: 1");
    dropped(Set::GopherQuality, &"walk 2026 1999 the be ".repeat(60), "gopher_alpha_words: 0.6");
    dropped(Set::GopherQuality, &"der Hund läuft heute ".repeat(60), "gopher_stop_words: 0");
    dropped(Set::GopherRepetition, "same line\nsame line\nother", "gopher_dup_line_fraction: 0.333333");
    dropped(Set::GopherRepetition, "a\n\na\n\na", "gopher_dup_paragraph_fraction: 0.666667");
    dropped(Set::Fineweb, "a heading\nanother\nno end", "fineweb_line_punct_ratio: 0");
    dropped(Set::Fineweb, "Yes.\nNo.\nMaybe so.", "fineweb_short_line_ratio: 1");
    dropped(Set::C4, &format!("{ARTICLE}\nlorem ipsum dolor sit."), "c4_lorem_ipsum: 1");
    dropped(Set::C4, &format!("{ARTICLE}\nfn main() {{ let it be."), "c4_curly_bracket: 1");
    dropped(Set::C4, "Only one sentence here.", "c4_sentences: 1");
    dropped(Set::C4Paragraph, ARTICLE, "c4_paragraphs: 2");
    dropped(Set::Dclm, "Too short to be.", "dclm_chars: 16");
    dropped(Set::Refinedweb, "HOME NEWS SPORT\nsome words that stay", "refinedweb_removed_words: 0.428571");
    dropped(Set::Curator, "(((( )))) ####", "curator_non_alphanumeric: 0.857143");
}

#[test]
fn stop_words_of_gopher_are_distinct_and_of_dclm_are_not() {
    let text = "the cat saw the dog ".repeat(20);
    let segmenter = Segmenter::default();
    let text = Text::new(&text, &segmenter, Segmentation::English);
    let listed: BTreeSet<String> = ["the", "and"].map(str::to_owned).into();
    assert_eq!((gopher::stop_words(&text, &listed), dclm::stop_words(&text, &listed)), (1, 40));
}

#[test]
fn c4_takes_lines_out_and_edits_the_others() {
    let lines = |more: &str| format!("{ARTICLE}\n{more}");
    check_left(Set::C4, &lines("A line without an end"), ARTICLE);
    check_left(Set::C4, &lines("It goes on and on..."), ARTICLE);
    check_left(Set::C4, &lines("Two words."), ARTICLE);
    check_left(Set::C4, &lines("Please enable JavaScript to go on."), ARTICLE);
    check_left(Set::C4, &lines("Read our Privacy Policy before you go on."), ARTICLE);
    check_left(Set::C4, &lines(&format!("A {} word.", "w".repeat(1001))), ARTICLE);
    check_left(
        Set::C4,
        &lines("It is so[12][edit] and not[a] so[citation needed]."),
        &lines("It is so and not[a] so."),
    );
}

/// A text all of whose lines go, and the rule that alone would have dropped it.
#[track_caller]
fn check_emptied(set: Set, text: &str, (rule, value): (&str, f64)) {
    let settings = Settings { rules: vec![set], except: vec![rule.to_owned()], ..Settings::default() };
    let Verdict::Emit(drafts) = run(&Quality::configure(settings).unwrap(), text) else { panic!("kept") };
    assert_eq!(drafts[0].text, None, "as it was");
    let told = drafts[0].fields.iter().find(|field| field.name == rule).map(|field| &field.value);
    assert!(matches!(told, Some(Value::Number(told)) if *told == value), "{told:?}");
}

#[test]
fn a_page_that_lost_all_its_lines_went_on_without_a_text() {
    check_emptied(Set::C4, "Home\nAbout us\nContact", ("c4_sentences", 0.0));
    check_emptied(Set::Refinedweb, "HOME\n\n2026\nShare", ("refinedweb_removed_words", 1.0));
    let any = serde_json::json!({"rules": ["c4"], "c4": {"min_sentences": 0}});
    let any = Quality::configure(serde_json::from_value(any).unwrap()).unwrap();
    assert_eq!(any.judge("Home\nAbout us", "en").text, None);
    assert_eq!(any.judge("Home\nOne line that stays.", "en").text.as_deref(), Some("One line that stays."));
}

#[test]
fn refinedweb_takes_out_what_is_no_sentence() {
    let long = [ARTICLE; 4].join("\n");
    let lines = |more: &str| format!("{long}\n{more}");
    for line in
        ["BREAKING NEWS", "2026", "1,204 likes", "3.2k Followers!", "Share", "Read more…", "3 items in cart"]
    {
        check_left(Set::Refinedweb, &lines(line), &long);
    }
    for line in ["", "It has 204 likes by now.", "A line of two or three words"] {
        check_left(Set::Refinedweb, &lines(line), &lines(line));
    }
}

#[test]
fn tags_name_all_that_is_broken_and_the_document_stays() {
    let stage = stage(&[Set::Fineweb, Set::GopherQuality], Action::Tag);
    let Verdict::Emit(drafts) = run(&stage, "Yes\nNo") else { panic!("kept") };
    let Some(Field { name, value: Value::Texts(failed) }) = drafts[0].fields.last() else { panic!("tags") };
    assert_eq!(name, "quality_failed");
    assert_eq!(
        failed,
        &[
            "fineweb_line_punct_ratio",
            "fineweb_short_line_ratio",
            "fineweb_list_ratio",
            "gopher_words",
            "gopher_mean_word_length",
            "gopher_stop_words"
        ]
    );
}

#[test]
fn languages_have_their_own_thresholds() {
    let settings = serde_json::json!({
        "rules": ["gopher_quality"],
        "min_stop_words": 2,
        "languages": {"de": {"stop_words": ["der", "und"], "gopher_quality": {"max_mean_word_length": 12.0}}},
    });
    let stage = Quality::configure(serde_json::from_value(settings).unwrap()).unwrap();
    let broken = |text: &str, language| stage.judge(text, language).broken.first().map(|broken| broken.rule);
    let german = "der Hund und Donaudampfschifffahrtsgesellschaft ".repeat(40);
    assert_eq!(broken(&german, "en"), Some("gopher_mean_word_length"));
    assert_eq!(broken(&german, "de"), None, "12 at most");
    let german = "der Hund und Dampfschifffahrt ".repeat(40);
    assert_eq!((broken(&german, "de"), broken(&german, "en")), (None, Some("gopher_stop_words")));
    assert_eq!(broken(ARTICLE, "de"), Some("gopher_stop_words"));
}

/// The number of the table that a document with these fields is judged by: how many words it allows.
#[track_caller]
fn check_table(tables: &[&str], fields: &[(&str, &str)], expected: Option<usize>) {
    let limit = |at: usize| serde_json::json!({"gopher_quality": {"min_words": 0, "max_words": at}});
    let languages: serde_json::Map<String, serde_json::Value> =
        tables.iter().enumerate().map(|(at, name)| ((*name).to_owned(), limit(at))).collect();
    let settings = serde_json::json!({
        "rules": ["gopher_quality"],
        "gopher_quality": {"min_words": 0},
        "languages": languages,
    });
    let stage = Quality::configure(serde_json::from_value(settings).unwrap()).unwrap();
    let found = (0..tables.len()).find(|words| {
        let mut page = document(&"river ".repeat(words + 1));
        let field = |(name, value): &(&str, &str)| Field {
            name: (*name).to_owned(),
            value: Value::Text((*value).to_owned()),
        };
        page.document.fields = fields.iter().map(field).collect();
        matches!(testing::run(&stage, &page, &[]).unwrap(), Verdict::Drop(said)
            if said == format!("gopher_words: {}", words + 1))
    });
    assert_eq!(found, expected);
}

#[test]
fn tables_are_found_by_every_name_of_a_language() {
    let german = [("language", "de"), ("language_iso639_3", "deu"), ("language_script", "Latn")];
    check_table(&["de"], &german, Some(0));
    check_table(&["deu"], &german, Some(0));
    check_table(&["deu_Latn"], &german, Some(0));
    check_table(&["deu_Latn", "deu", "de"], &german, Some(0));
    check_table(&["deu", "de"], &german[1..], Some(0));
    check_table(&["deu"], &german[1..2], Some(0));
    check_table(&["fr", "deu_Cyrl"], &german, None);
    check_table(&["en"], &[], Some(0));
    check_table(&["deu_Latn"], &german[..1], None);
}

#[test]
fn settings_are_checked() {
    let complaint = |settings: serde_json::Value| {
        let settings = serde_json::from_value(settings).map_err(|error| error.to_string());
        settings.and_then(Quality::configure).unwrap_err()
    };
    let starts = |settings, with: &str| {
        let said = complaint(settings);
        assert!(said.starts_with(with), "{said}");
    };
    starts(serde_json::json!({"rules": []}), "rules: empty");
    starts(serde_json::json!({"rules": ["c4", "c4"]}), "rules: a set");
    starts(serde_json::json!({"rules": ["c5"]}), "unknown variant `c5`");
    starts(
        serde_json::json!({"except": ["dclm_words"]}),
        "except: no rule `dclm_words` here; there are gopher_dup",
    );
    starts(serde_json::json!({"languages": {"de": {"c4": {"x": 1}}}}), "languages.de.c4: unknown field `x`");
}

#[test]
fn rules_that_are_excepted_are_measured_and_drop_nothing() {
    let settings =
        serde_json::json!({"rules": ["c4_paragraph"], "except": ["c4_paragraphs"], "fields": true});
    let stage = Quality::configure(serde_json::from_value(settings).unwrap()).unwrap();
    let Verdict::Emit(drafts) = run(&stage, "One line.") else { panic!("kept") };
    assert_eq!(drafts[0].fields[0].name, "c4_paragraphs");
    let bare = Quality::configure(Settings { fields: false, ..Settings::default() }).unwrap();
    assert!(bare.columns().is_empty());
}

#[test]
fn languages_without_blanks_have_words() {
    let stage = stage(&[Set::GopherQuality], Action::Tag);
    let words = |text, language| stage.judge(text, language).measured[0].1;
    assert_eq!(words("河水从早上开始上涨。", "zh"), 5.0);
    assert_eq!(words("川の水は朝から増え続けた。", "jpn_Jpan"), 9.0);
    assert_eq!(words("แม่น้ำเพิ่มสูงขึ้นตั้งแต่เช้า", "th"), 6.0);
    assert_eq!(words("แม่น้ำเพิ่มสูงขึ้นตั้งแต่เช้า", "fr"), 1.0);
}

#[test]
fn the_same_text_has_the_same_values_in_any_instance() {
    let all = [Set::GopherQuality, Set::GopherRepetition, Set::Fineweb, Set::Dclm, Set::Curator, Set::C4];
    let first = stage(&all, Action::Tag);
    let found: Vec<Found> = ["", ARTICLE, "x"].map(|text| first.judge(text, "en")).into();
    for (text, before) in ["", ARTICLE, "x"].into_iter().zip(found).rev() {
        assert_eq!(first.judge(text, "en"), before);
        assert_eq!(stage(&all, Action::Tag).judge(text, "en"), before);
    }
}

#[test]
fn huge_texts_take_no_more_than_linear_time() {
    let all = [
        Set::GopherQuality,
        Set::GopherRepetition,
        Set::Fineweb,
        Set::Dclm,
        Set::Curator,
        Set::Refinedweb,
        Set::C4,
    ];
    let stage = stage(&all, Action::Tag);
    let mega = |unit: &str| unit.repeat((1 << 20) / unit.len());
    let start = std::time::Instant::now();
    for unit in [
        "x",
        ")",
        "a.b@",
        "…",
        "\n",
        " ",
        "[1]",
        "[",
        "word ",
        "5km ",
        ":) ",
        "字",
        "it's:)",
        "...a",
        "http://a.b/:",
        "\r\n\r",
    ] {
        for language in ["en", "zh"] {
            let found = stage.judge(&mega(unit), language);
            assert!(found.measured.iter().all(|(_, value)| value.is_finite()));
        }
    }
    // 32 texts of a megabyte each; a quadratic step would be minutes for one of them.
    assert!(start.elapsed() < std::time::Duration::from_secs(60), "{:?}", start.elapsed());
}
