//! Pages of one host, one after the other: who learns, who pays, and who is cleaned by what.

use palimpsest_plugin::testing::{TestBoard, TestPage, Verdict, document, reply, run as run_stage};
use palimpsest_plugin::{Document, Failure, Reply, Stage, Value};

use palimpsest_plugin::seed;

use super::*;
use crate::Cleanup;

/// A page of a small site: two lines of menu, a text, and a footer with a number.
fn page(number: usize, board: &TestBoard) -> TestPage {
    let text = format!(
        "Home\nAbout us\nTitle of page {name}\nA text that only the page {name} has, and which is worth keeping.\n\
         Share this page\nCopyright 20{number:02}",
        name = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"][number],
    );
    let mut page = TestPage { board: board.clone(), ..document(&text) };
    page.document.id = format!("page {number}");
    page.document.url = format!("https://Example.com:443/page/{number}");
    page
}

fn stage(more: &str) -> Cleanup {
    let settings = format!(r#"{{ "model": "m", "site": {{ "pages": 2, "held_out": 1 }} {more} }}"#);
    Cleanup::configure(serde_json::from_str(&settings).unwrap()).unwrap()
}

fn prompts(stage: &Cleanup, page: &TestPage, replies: &[Result<Reply, Failure>]) -> Vec<Prompt> {
    match run_stage(stage, page, replies).unwrap() {
        Verdict::Ask(prompts) => prompts,
        Verdict::Emit(_) | Verdict::Drop(_) => Vec::new(),
    }
}

fn texts(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Texts(texts) => texts.join("|"),
        Value::Integer(number) => number.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Flag(flag) => flag.to_string(),
    }
}

/// The text after the stage, and these of its fields.
fn cleaned(
    stage: &Cleanup,
    page: &TestPage,
    replies: &[Result<Reply, Failure>],
    fields: [&str; 3],
) -> (String, [String; 3]) {
    match run_stage(stage, page, replies).unwrap() {
        Verdict::Emit(drafts) => {
            let said = |name: &str| {
                let field = drafts[0].fields.iter().find(|field| field.name == name);
                field.map(|field| texts(&field.value)).unwrap_or_default()
            };
            let text = drafts[0].text.clone().unwrap_or_else(|| page.document.text.clone());
            (text.replace('\n', "|"), fields.map(said))
        }
        other @ (Verdict::Drop(_) | Verdict::Ask(_)) => panic!("{other:?}"),
    }
}

/// A board on which pages 0, 1 and 2 have left their notes.
fn learned(stage: &Cleanup) -> TestBoard {
    let board = TestBoard::default();
    for number in 0..3 {
        prompts(stage, &page(number, &board), &[]);
    }
    board
}

const FIELDS: [&str; 3] = ["cleanup_scope", "cleanup_calls", "cleanup_applied"];
const TEXT: &str = "Title of page five|A text that only the page five has, and which is worth keeping.";

/// What page 5 becomes when the model writes this program for the site.
#[track_caller]
fn check(more: &str, program: &str, text: &str, calls: &str) {
    let stage = stage(more);
    let board = learned(&stage);
    let fields = [FIELDS[0], FIELDS[1], "cleanup_site"];
    let (left, [scope, said, digest]) = cleaned(&stage, &page(5, &board), &[reply(program)], fields);
    assert_eq!((scope.as_str(), left.as_str(), said.as_str()), ("site", text, calls), "{program}");
    assert_eq!(digest.len(), 16);
}

#[test]
fn the_first_pages_are_cleaned_one_by_one() {
    let stage = stage("");
    let board = TestBoard::default();
    // Two that are shown and one that is held out.
    for number in 0..3 {
        let page = page(number, &board);
        let asked = prompts(&stage, &page, &[]);
        assert!(asked.iter().all(|prompt| prompt.share.is_none()) && asked.len() == 1);
        let (_, said) = cleaned(&stage, &page, &[reply("remove_lines(0, 1)")], FIELDS);
        assert_eq!(said, ["page", "site: learning|remove_lines(0,1): applied", "1"].map(str::to_owned));
    }
}

#[test]
fn all_later_pages_share_one_question() {
    let stage = stage("");
    let board = learned(&stage);
    let asked: Vec<_> = [4, 5, 6].map(|number| prompts(&stage, &page(number, &board), &[])).into();
    assert!(asked.iter().all(|prompts| prompts.len() == 1));
    assert!(asked.windows(2).all(|pair| pair[0][0].user == pair[1][0].user));
    assert_eq!(asked[0][0].share.as_deref(), Some("site:example.com"));
    let user = &asked[0][0].user;
    assert!(
        user.contains("\n0: (2) Home\n1: (2) About us\n2: (2) Share this page\n3: (2) Copyright #\n"),
        "{user}"
    );
    assert!(user.contains("\nTitle of page zero\n") && !user.contains("page two"), "{user}");
    let mut other = page(7, &board);
    other.document.url = "https://other.example/".to_owned();
    assert_eq!(prompts(&stage, &other, &[])[0].share, None);
}

#[test]
fn a_sites_program_cleans_its_pages() {
    let menus = "remove_lines(0,3): applied";
    check("", "remove_lines(line_start=0, line_end=3)", TEXT, menus);
    check(
        "",
        "remove_before('About us')\nremove_after(text=\"Share this page\")",
        TEXT,
        "remove_before(\"About us\"): applied|remove_after(\"Share this page\"): applied",
    );
    check(
        "",
        "remove_line('Home')\nremove_line('Copyright *')",
        &format!("About us|{TEXT}|Share this page"),
        "remove_line(\"Home\"): applied|remove_line(\"Copyright *\"): applied",
    );
    check(
        "",
        "remove_prefix('Title of page ')",
        "Home|About us|five|A text that only the page five has, and which is worth keeping.|Share this page|Copyright 2005",
        "remove_prefix(\"Title of page \"): applied",
    );
    let json = r#"{"calls":[{"call":"remove_lines","line_start":0,"line_end":3}]}"#;
    check(r#", "shape": "json""#, json, TEXT, menus);
    check(r#", "format": "prox", "system": """#, "remove_lines(line_start=0, line_end=3)", TEXT, menus);
    let labels = "Home = menu\nAbout us = menu\nShare this page = text\nCopyright # = menu";
    check(
        r#", "format": "labels""#,
        labels,
        &format!("{TEXT}|Share this page"),
        "remove_lines(0,1): applied|remove_lines(3,3): applied",
    );
}

#[test]
fn what_the_samples_speak_against_is_refused() {
    let home = "remove_lines(0,0): applied";
    let left = format!("About us|{TEXT}|Share this page|Copyright 2005");
    let refused = |call: &str, said: &str| {
        check("", &format!("remove_lines(0, 0)\n{call}"), &left, &format!("{home}|{said}"));
    };
    refused("remove_line('A text *')", "remove_line(\"A text *\"): refused");
    refused("remove_after('Home')", "remove_after(\"Home\"): refused");
    refused("remove_line('*')", "remove_line(\"*\"): refused");
    refused("remove_prefix('A * that')", "remove_prefix(\"A * that\"): refused");
    refused("normalize('Home')", "normalize(\"Home\",\"\"): refused");
    refused("drop_doc()", "drop_doc(): refused");
    refused("remove_line('Nowhere')", "remove_line(\"Nowhere\"): absent");
    refused("remove_lines(4, 9)", "remove_lines(4,9): out_of_range");
}

/// Why page 5 has a program of its own.
#[track_caller]
fn falls_back(stage: &Cleanup, page: &TestPage, replies: &[Result<Reply, Failure>], why: &str) {
    let asked = prompts(stage, page, replies);
    assert!(asked.len() == 1 && asked[0].share.is_none(), "{why}: {asked:?}");
    let replies: Vec<_> = replies.iter().cloned().chain([reply("keep_chunk()")]).collect();
    let (_, [scope, calls, _]) = cleaned(stage, page, &replies, FIELDS);
    assert_eq!((scope.as_str(), calls), ("page", format!("site: {why}|keep_chunk(): kept")));
}

#[test]
fn without_a_program_that_holds_pages_have_their_own() {
    let stage = stage("");
    let board = learned(&stage);
    let five = page(5, &board);
    falls_back(&stage, &five, &[reply("keep_site()")], "useless");
    falls_back(&stage, &five, &[reply("no() no()\nremove_lines(0, 3)")], "useless");
    falls_back(&stage, &five, &[Err(Failure::GaveUp("x".into()))], "gave_up");
    falls_back(&stage, &five, &[Err(Failure::TooLong(9))], "too_long_for_model");
    let strict = self::stage(r#", "max_chunk_tokens": 100"#);
    falls_back(
        &strict,
        &TestPage { document: Document { url: "nonsense".into(), ..five.document.clone() }, ..five.clone() },
        &[],
        "no_host",
    );
    let mut unlike = page(6, &board);
    unlike.document.text =
        "Home\nAbout us\nShare this page\nCopyright 2006\nHome\nAbout us\nA text.".to_owned();
    falls_back(&stage, &unlike, &[reply("remove_lines(0, 3)")], "unlike_its_site");
    let mut short = page(6, &board);
    short.document.text = "Home\nA text.".to_owned();
    falls_back(&stage, &short, &[], "few_lines");
}

#[test]
fn the_same_page_again_is_no_other_page() {
    let stage = stage("");
    let board = TestBoard::default();
    for capture in 0..3 {
        let mut same = page(1, &board);
        same.document.id = format!("capture {capture}");
        prompts(&stage, &same, &[]);
    }
    falls_back(&stage, &page(5, &board), &[], "pages_all_alike");
}

#[test]
fn a_document_that_is_dropped_leaves_no_note() {
    let stage = stage(r#", "level": "both""#);
    let board = TestBoard::default();
    for number in 0..3 {
        let dropped = run_stage(&stage, &page(number, &board), &[reply("drop_doc()")]).unwrap();
        assert!(matches!(dropped, Verdict::Drop(reason) if reason == "cleanup_drop_doc"));
    }
    let asked = prompts(&stage, &page(5, &board), &[reply("keep_doc()")]);
    assert_eq!(asked.last().unwrap().share, None);
}

#[test]
fn hosts_are_read_from_urls() {
    for (url, expected) in [
        ("https://Example.com/a", Some("example.com")),
        ("http://user:pw@example.com:8080?q", Some("example.com")),
        ("http://[::1]:80/", Some("[::1]")),
        ("http://[::1]/", Some("[::1]")),
        ("https://example.com", Some("example.com")),
        ("https:///a", None),
        ("nonsense", None),
    ] {
        assert_eq!(host(url).as_deref(), expected, "{url}");
    }
    assert_eq!(host(&format!("https://{}/", "a".repeat(300))), None);
}

/// Programs from the language's own pieces never panic, and what they leave is lines of the page or ends of them.
#[test]
fn hostile_programs_take_and_give_nothing() {
    const PIECES: [&str; 14] = [
        "remove_line(",
        "remove_after(",
        "remove_before('Sha*')",
        "remove_prefix('Title of page ')",
        "'*'",
        "'H*e'",
        ")",
        "\n",
        "remove_lines(0, 2)",
        "remove_lines(-1, 99999999999)",
        "'#'",
        "'Copyright 1'",
        "é",
        "keep_site()",
    ];
    let stage = stage("");
    let board = learned(&stage);
    let five = page(5, &board);
    for case in 0..500_u64 {
        let program: String = (0..case % 12)
            .map(|n| PIECES[(seed(&[&case.to_string(), &n.to_string()]) % 14) as usize])
            .collect();
        let (mut verdict, mut replies) = (Verdict::Ask(Vec::new()), vec![]);
        while matches!(verdict, Verdict::Ask(_)) {
            replies.push(reply(if replies.is_empty() { &program } else { "keep_chunk()" }));
            verdict = run_stage(&stage, &five, &replies).unwrap();
        }
        let Verdict::Emit(drafts) = verdict else { continue };
        let Some(text) = &drafts[0].text else { continue };
        let mut lines = five.document.text.lines();
        assert!(text.lines().all(|left| lines.any(|line| line.ends_with(left))), "{program}: {text}");
    }
}
