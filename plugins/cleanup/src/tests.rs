//! The stage from outside: a page, the prompts that it leads to, replies, and what becomes of the page.

use palimpsest_plugin::testing::{TestPage, Verdict, document, reply, run};
use palimpsest_plugin::{Failure, Finish, Reply, Stage, Value};

use crate::{Cleanup, Settings};

const PAGE: &str = "Home\nAbout\nThe first line of a text that is worth keeping, with quite a few words in it.\n\
    Share this\nThe second line of the text, which ends the page with some more words.";

fn stage(settings: &str) -> Cleanup {
    let settings: Settings = serde_json::from_str(settings).unwrap();
    Cleanup::configure(settings).unwrap()
}

/// A token is a word in tests, and a numbered line has one more than it seems.
fn two_chunks() -> Cleanup {
    stage(r#"{ "model": "m", "max_chunk_tokens": 23 }"#)
}

fn asked(stage: &Cleanup, page: &TestPage) -> Vec<String> {
    match run(stage, page, &[]).unwrap() {
        Verdict::Ask(prompts) => prompts.into_iter().map(|prompt| prompt.user).collect(),
        Verdict::Emit(_) | Verdict::Drop(_) => Vec::new(),
    }
}

/// The text after the stage and the record of calls, or the reason of a drop.
#[track_caller]
fn check(stage: &Cleanup, replies: &[Result<Reply, Failure>], text: &str, calls: &[&str]) {
    let page = document(PAGE);
    assert_eq!(asked(stage, &page).len(), replies.len());
    match run(stage, &page, replies).unwrap() {
        Verdict::Emit(drafts) => {
            let [draft] = &drafts[..] else { panic!("one draft: {drafts:?}") };
            assert_eq!(draft.text.as_deref().unwrap_or(PAGE), text);
            let said = draft.fields.iter().find(|field| field.name == "cleanup_calls").unwrap();
            let Value::Texts(said) = &said.value else { panic!("texts: {said:?}") };
            assert_eq!(said, calls);
            let declared: Vec<_> = stage.columns().into_iter().map(|column| column.name).collect();
            assert!(draft.fields.iter().all(|field| declared.contains(&field.name)));
        }
        Verdict::Drop(reason) => assert_eq!((reason.as_str(), calls), (text, &[][..])),
        Verdict::Ask(prompts) => panic!("asks again: {prompts:?}"),
    }
}

#[test]
fn a_page_is_asked_about_in_chunks_and_put_together_again() {
    let prompts = asked(&two_chunks(), &document(PAGE));
    assert_eq!(prompts.len(), 2);
    assert!(prompts[0].contains("\n0: Home\n1: About\n2: The first") && !prompts[0].contains("3: Share"));
    assert!(prompts[1].contains("\n3: Share this\n4: The second"));
    let text = "The first line of a text that is worth keeping, with quite a few words in it.\n\
        The second line of the text, which ends the page.";
    let replies =
        [reply("remove_lines(0, 1)"), reply("remove_lines(3, 3)\nnormalize(' with some more words')")];
    let calls = [
        "remove_lines(0,1): applied",
        "remove_lines(3,3): applied",
        "normalize(\" with some more words\",\"\"): applied",
    ];
    check(&two_chunks(), &replies, text, &calls);
}

#[test]
fn a_program_reaches_no_other_chunk() {
    let replies = [reply("remove_lines(3, 4)"), reply("normalize('Home')")];
    check(
        &two_chunks(),
        &replies,
        PAGE,
        &["remove_lines(3,4): out_of_range", "normalize(\"Home\",\"\"): absent"],
    );
}

#[test]
fn a_chunk_without_a_usable_reply_stays_and_says_why() {
    let left = PAGE.replace("Share this\n", "");
    let second = || reply("remove_lines(3, 3)");
    let applied = "remove_lines(3,3): applied";
    let failed = |failure| [Err(failure), second()];
    check(&two_chunks(), &failed(Failure::GaveUp("x".into())), &left, &["chunk(0,2): gave_up", applied]);
    check(&two_chunks(), &failed(Failure::TooLong(9)), &left, &["chunk(0,2): too_long_for_model", applied]);
    check(&two_chunks(), &failed(Failure::OverBudget), &left, &["chunk(0,2): over_budget", applied]);
    check(
        &two_chunks(),
        &failed(Failure::Refused("x".into())),
        &left,
        &["chunk(0,2): refused_by_server", applied],
    );
    check(&two_chunks(), &[reply(" "), second()], &left, &["chunk(0,2): empty_reply", applied]);
    let filtered = Reply { finish: Finish::Filtered, ..reply("drop_doc()").unwrap() };
    check(&two_chunks(), &[Ok(filtered), second()], &left, &["chunk(0,2): filtered", applied]);
    let calls = ["no(): unknown", "no(): unknown", "chunk(0,2): fell_back", applied];
    check(&two_chunks(), &[reply("no() no()"), second()], &left, &calls);
}

#[test]
fn all_chunks_together_may_drop_the_page() {
    let (yes, no) = (|| reply("drop_doc()"), || reply("keep_chunk()"));
    check(&two_chunks(), &[yes(), yes()], "cleanup_drop_doc", &[]);
    check(&two_chunks(), &[yes(), no()], PAGE, &["drop_doc(): applied", "keep_chunk(): kept"]);
    let failed = Err(Failure::OverBudget);
    check(&two_chunks(), &[yes(), failed], PAGE, &["drop_doc(): applied", "chunk(3,4): over_budget"]);
    let never = stage(r#"{ "model": "m", "drop_doc": false }"#);
    check(&never, &[yes()], PAGE, &["drop_doc(): refused"]);
}

#[test]
fn a_page_of_which_too_little_is_left_is_dropped() {
    let one = stage(r#"{ "model": "m" }"#);
    check(&one, &[reply("remove_lines(0, 4)")], "cleanup_cleaned_away", &[]);
    check(&one, &[reply("remove_lines(2, 4)")], "cleanup_too_short", &[]);
    let cautious = stage(r#"{ "model": "m", "min_kept": 0.6 }"#);
    check(&cautious, &[reply("remove_lines(0, 2)")], PAGE, &["remove_lines(0,2): applied"]);
}

/// What becomes of a page after one program.
fn outcome(stage: &Cleanup, page: &str, program: &str) -> String {
    match run(stage, &document(page), &[reply(program)]).unwrap() {
        Verdict::Emit(drafts) => drafts[0].text.clone().unwrap_or_default(),
        Verdict::Drop(reason) => reason,
        Verdict::Ask(prompts) => panic!("asks again: {prompts:?}"),
    }
}

#[test]
fn pages_without_blanks_were_dropped_as_too_short() {
    let one = stage(r#"{ "model": "m" }"#);
    for (first, paragraph, last) in [
        ("首页", "河水从早上开始上涨，到了中午，低处的田地已经被水淹没了。", "版权所有"),
        ("ホーム", "川の水は朝から増え続け、昼には低い畑が水に浸かった。", "著作権"),
        ("หน้าแรก", "แม่น้ำเพิ่มสูงขึ้นตั้งแต่เช้าและพอถึงเที่ยงทุ่งนาก็จมน้ำ", "สงวนลิขสิทธิ์"),
        ("ទំព័រដើម", "ទឹកទន្លេបានឡើងតាំងពីព្រឹកហើយដល់ថ្ងៃត្រង់វាលស្រែក៏លិចទឹក", "រក្សាសិទ្ធិ"),
    ] {
        let text = [paragraph; 9].join("\n");
        let page = format!("{first}\n{text}\n{last}");
        assert_eq!(outcome(&one, &page, "remove_lines(0, 0)\nremove_lines(10, 10)"), text);
        let menu = format!("{first}\n").repeat(20);
        assert_eq!(outcome(&one, &format!("{menu}{paragraph}"), "remove_lines(0, 19)"), paragraph);
        assert_eq!(outcome(&one, &format!("{text}\n{last}"), "remove_lines(0, 8)"), "cleanup_cleaned_away");
    }
    let short = format!("{}\n这里还有几个字", "河水从早上开始上涨".repeat(9));
    assert_eq!(outcome(&one, &short, "remove_lines(0, 0)"), "cleanup_too_short");
}

#[test]
fn a_short_page_that_nobody_changed_passes() {
    let one = stage(r#"{ "model": "m" }"#);
    for said in ["keep_chunk()", "no() no()"] {
        assert!(matches!(run(&one, &document("Two words"), &[reply(said)]).unwrap(), Verdict::Emit(_)));
    }
    assert!(matches!(run(&one, &document(""), &[]).unwrap(), Verdict::Emit(_)));
}

#[test]
fn the_reference_runs_one_program_for_the_page() {
    let prox = stage(
        r#"{ "model": "m", "mode": "reference", "format": "prox", "system": "", "max_chunk_tokens": 22 }"#,
    );
    let replies = [reply("remove_lines(line_start=3, line_end=3)"), reply("keep_chunk()")];
    let left = PAGE.replace("Share this\n", "");
    let calls = ["remove_lines(line_start=3, line_end=3): applied", "keep_chunk(): ignored"];
    check(&prox, &replies, &left, &calls);
}

/// The numbers of the record.
#[test]
fn the_fates_of_calls_are_counted() {
    let program = "remove_lines(0, 1) normalize('nowhere') normalize('e')\nremove_lines(7, 9) keep_chunk()";
    let Verdict::Emit(drafts) =
        run(&stage(r#"{ "model": "m" }"#), &document(PAGE), &[reply(program)]).unwrap()
    else {
        panic!("kept")
    };
    let count = |name: &str| {
        drafts[0].fields.iter().find(|field| field.name == name).map(|field| field.value.clone())
    };
    for (name, expected) in [
        ("cleanup_applied", 1),
        ("cleanup_absent", 1),
        ("cleanup_refused", 1),
        ("cleanup_out_of_range", 1),
        ("cleanup_unreadable", 0),
    ] {
        assert!(matches!(count(name), Some(Value::Integer(number)) if number == expected), "{name}");
    }
    assert!(matches!(count("cleanup_scope"), Some(Value::Text(scope)) if scope == "page"));
}

/// What comes of a page at a level: the prompts, one round after the other, and the end.
#[track_caller]
fn level(settings: &str, replies: &[&str], rounds: &[&str], end: &str) {
    let (stage, page) = (stage(settings), document(PAGE));
    let mut given = Vec::new();
    let mut models = Vec::new();
    for said in replies {
        let Verdict::Ask(prompts) = run(&stage, &page, &given).unwrap() else { panic!("asks once more") };
        assert_eq!(prompts.len(), 1);
        models.push(prompts[0].model.clone());
        given.push(reply(said));
    }
    let said = match run(&stage, &page, &given).unwrap() {
        Verdict::Drop(reason) => reason,
        Verdict::Ask(_) => "asks".to_owned(),
        Verdict::Emit(drafts) => {
            let field = drafts[0].fields.iter().find(|field| field.name == "cleanup_document");
            let word = match field.map(|field| &field.value) {
                Some(Value::Text(word)) => word.clone(),
                _ => String::new(),
            };
            format!("{word} {}", drafts[0].text.as_deref().map_or("unchanged", |_| "changed"))
        }
    };
    assert_eq!(
        (models.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), said.as_str()),
        (rounds, end)
    );
}

#[test]
fn documents_are_judged_first_and_alone() {
    let both = r#"{ "model": "m", "level": "both", "doc_model": "d" }"#;
    level(both, &["drop_doc()"], &["d"], "cleanup_drop_doc");
    level(both, &["keep_doc()", "remove_lines(0, 1)"], &["d", "m"], "keep changed");
    level(both, &["keep_doc() # do not drop", "keep_chunk()"], &["d", "m"], "keep unchanged");
    level(both, &["", "keep_chunk()"], &["d", "m"], "empty_reply unchanged");
    let document = r#"{ "model": "m", "level": "document" }"#;
    level(document, &["keep_doc()"], &["m"], "keep unchanged");
    level(document, &["who knows"], &["m"], "undecided unchanged");
    level(document, &["drop_doc()"], &["m"], "cleanup_drop_doc");
    let reference =
        r#"{ "model": "m", "level": "document", "mode": "reference", "format": "prox", "system": "" }"#;
    level(reference, &["keep_doc() # do not drop"], &["m"], "cleanup_drop_doc");
}

#[test]
fn the_document_refiner_is_shown_the_text_and_nothing_else() {
    let ask = |max: u32, system: &str| {
        let settings = format!(
            r#"{{ "model": "m", "level": "document", "format": "prox", "system": "{system}", "max_doc_tokens": {max} }}"#
        );
        let Verdict::Ask(prompts) = run(&stage(&settings), &document(PAGE), &[]).unwrap() else {
            panic!("asks")
        };
        prompts.into_iter().next().unwrap()
    };
    let asked = ask(2000, "Be kind.");
    assert_eq!((asked.user.as_str(), asked.system.as_deref(), asked.shape), (PAGE, Some("Be kind."), None));
    // 32 are for the template and 2 for the system line, so 6 words are left.
    assert_eq!(ask(40, "Be kind.").user.trim_end(), "Home\nAbout\nThe first line of");
    assert_eq!(ask(40, "").system, None);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for settings in [
        r#"{ "model": "m", "max_chunks": 0 }"#,
        r#"{ "model": "m", "max_chunks": 257 }"#,
        r#"{ "model": "m", "max_errors": 0 }"#,
        r#"{ "model": "m", "drop_ratio": 1.5 }"#,
        r#"{ "model": "m", "max_tokens": 0 }"#,
        r#"{ "model": "m", "format": "prox" }"#,
        r#"{ "model": "m", "doc_model": "d" }"#,
        r#"{ "model": "m", "mode": "reference", "shape": "json" }"#,
        r#"{ "model": "m", "format": "labels", "shape": "json" }"#,
        r#"{ "model": "m", "mode": "reference", "site": {} }"#,
        r#"{ "model": "m", "level": "document", "site": {} }"#,
        r#"{ "model": "m", "site": { "pages": 1 } }"#,
        r#"{ "model": "m", "site": { "held_out": 0 } }"#,
        r#"{ "model": "m", "site": { "pages": 60, "held_out": 5 } }"#,
        r#"{ "model": "m", "site": { "max_own": -0.1 } }"#,
    ] {
        let settings: Settings = serde_json::from_str(settings).unwrap();
        Cleanup::configure(settings).unwrap_err();
    }
    serde_json::from_str::<Settings>(r#"{ "model": "m", "colour": 1 }"#).unwrap_err();
}

#[test]
fn every_setting_says_what_it_is() {
    let schema = schemars::schema_for!(Settings).to_value();
    let properties = schema["properties"].as_object().unwrap();
    assert!(10 < properties.len());
    for (name, setting) in properties {
        assert!(setting["description"].is_string(), "{name}");
        assert!(name == "model" || setting.get("default").is_some(), "{name} shows its default");
    }
}
