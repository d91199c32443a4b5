use super::*;

const SOURCE: &str = "The bridge over the Tamar was opened in 1932 after six years of work. It cost 4,200,000 pounds and \
    carries some 160,000 vehicles a day on eight lanes. Ann Francke designed the two towers of granite. Much later the railings \
    were painted grey by Robert Miller. Ships of the navy can not pass under the bridge when the water of the river is high in winter.";

#[track_caller]
fn check(rewrite: &str, expected: Option<Reject>) {
    let held = Held::of(Family::Paraphrase);
    let gated = super::check(
        SOURCE,
        rewrite,
        &held,
        (0.6, &Leaks::new(["Keep all the facts of the text, add none."])),
    );
    let said = match &gated.said {
        Said::Fails(reject, _) => Some(*reject),
        Said::Passes | Said::Doubtful(_) => None,
    };
    assert_eq!(said, expected, "{rewrite}: {gated:?}");
}

const TRUE: &str = "Opened in 1932 after six years of work, the bridge over the Tamar cost 4.2 million pounds. It carries \
    about 160,000 vehicles a day on its 8 lanes. The two towers of granite were designed by Ann Francke. Robert Miller \
    painted the railings grey much later. When the river's water is high in winter, ships of the navy can't pass under the bridge.";

#[test]
fn a_true_rewrite_passes() {
    check(TRUE, None);
}

#[test]
fn what_contradicts_the_source_fails_under_its_word() {
    for (from, to, reject) in [
        ("160,000", "180,000", Reject::NewNumber),
        ("Ann Francke", "Susan Boyle", Reject::NewName),
        ("can't pass", "can pass", Reject::Negation),
        (
            "much later. ",
            "much later. Thousands of visitors enjoy fresh bread and music there on summer evenings. ",
            Reject::Addition,
        ),
    ] {
        assert!(TRUE.contains(from));
        check(&TRUE.replace(from, to), Some(reject));
    }
    let exchanged = TRUE
        .replace("Ann Francke", "#")
        .replace("Robert Miller", "Ann Francke")
        .replace('#', "Robert Miller");
    check(&exchanged, Some(Reject::NameSwap));
    let exchanged =
        TRUE.replace("4.2 million", "#").replace("160,000", "4.2 million").replace('#', "160,000");
    check(&exchanged, Some(Reject::NumberSwap));
}

#[test]
fn what_is_no_rewrite_fails_under_its_word() {
    check("I'm sorry, but I can't rewrite this.", Some(Reject::Refusal));
    check(&format!("Keep all the facts of the text. {TRUE}"), Some(Reject::PromptLeak));
    check(&format!("{TRUE}\n{}", palimpsest_plugin::fence("id", TRUE)), Some(Reject::PromptLeak));
    check(SOURCE, Some(Reject::Copied));
    check("The bridge was opened in 1932.", Some(Reject::TooShort));
    check(&TRUE.repeat(2), Some(Reject::Loop));
    check(
        "Die Brücke über den Tamar wurde 1932 nach sechs Jahren eröffnet, und auf der Brücke ist das Schiff der Marine nicht mit den Fahrzeugen auf der Straße zu sehen.",
        Some(Reject::Language),
    );
}

#[test]
fn answers_are_held_to_the_source_and_questions_are_not() {
    let held = Held::of(Family::Questions);
    let said = |rewrite: &str| super::check(SOURCE, rewrite, &held, (0.6, &Leaks::default())).said;
    let choices = "Question: When was it opened? A) 1922 B) 1932 C) 1942\nAnswer: B) 1932";
    assert_eq!(said(choices), Said::Passes);
    let unanswerable = said("Question: Who paid?\nAnswer: Wealthy merchants from distant colonies.");
    assert!(matches!(unanswerable, Said::Fails(Reject::Unanswerable, _)), "{unanswerable:?}");
}

#[test]
fn scripts_without_blanks_are_read() {
    let held = Held::of(Family::Paraphrase);
    let source = "这座桥于1932年开通，耗时六年，造价420万英镑，每天有16万辆汽车通过八条车道。";
    let rewrite = |year: &str| {
        format!("耗时六年建成的这座桥在{year}年开通，造价为420万英镑，八条车道每天通过16万辆汽车。")
    };
    let value = |year| {
        super::check(source, &rewrite(year), &held, (0.6, &Leaks::default())).measures.new_number.value
    };
    assert_eq!(value("1932"), 0.0);
    assert!(held.new_number < value("1923"), "{}", value("1923"));
}

#[test]
fn hostile_texts_are_bounded() {
    let held = Held::of(Family::Paraphrase);
    let begun = std::time::Instant::now();
    for text in [
        "Ann Bob. ".repeat(1 << 14),
        "7 not ".repeat(1 << 14),
        "x".repeat(1 << 18),
        "\"".repeat(1 << 18),
        "\n1. ".repeat(1 << 16),
        "not if Ann 12 had 字. ".repeat(1 << 12),
        "Question: a\nAnswer: ".repeat(1 << 13),
    ] {
        super::check(&text, &text, &held, (0.6, &Leaks::default()));
        super::check(SOURCE, &text, &held, (0.6, &Leaks::default()));
        super::check(&text, SOURCE, &Held::of(Family::Questions), (0.6, &Leaks::default()));
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
    super::check("", "", &held, (0.6, &Leaks::default()));
}
