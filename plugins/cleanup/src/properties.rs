//! What holds of any program on any chunk.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::execute::{Caps, Edited, execute};
use crate::program::parse;
use crate::prox::{self, Thresholds};

const CAPS: Caps = Caps { min_source: 1, max_count: 50, max_errors: 3, deletion_only: true, drop_doc: true };

/// More than this is no program; the parser says so with one item of its own each.
const MAX_ITEMS: usize = 402;

fn line() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c é\"'\\\\]{0,12}", "menu|Share this page|A line\\.|", "\\PC{0,20}"]
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c é\"'\\\\,()=]{0,6}", "menu|this|page|line", "\\PC{0,8}"]
}

/// Calls that are right, nearly right, and none.
fn call() -> impl Strategy<Value = String> {
    let number = || -3_i64..20;
    prop_oneof![
        4 => (number(), number()).prop_map(|(start, end)| format!("remove_lines(line_start={start}, line_end={end})")),
        4 => (string(), string()).prop_map(|(from, to)| format!("normalize(source_str=\"{from}\", target_str=\"{to}\")")),
        2 => (number(), number()).prop_map(|(start, end)| format!(r#"{{"call":"remove_lines","line_start":{start},"line_end":{end}}}"#)),
        1 => Just("remove_lines(all=True)".to_owned()),
        1 => Just("keep_chunk()".to_owned()),
        1 => string().prop_map(|text| format!("remove_line('{text}')")),
        1 => "\\PC{0,30}",
    ]
}

fn program() -> impl Strategy<Value = String> {
    (vec(call(), 0..6), prop_oneof![Just("\n"), Just(" "), Just(", ")])
        .prop_map(|(calls, between)| calls.join(between))
}

/// Whether `part` is `whole` with items left out.
fn is_subsequence<T: PartialEq>(
    part: impl IntoIterator<Item = T>,
    whole: impl IntoIterator<Item = T>,
) -> bool {
    let mut whole = whole.into_iter();
    part.into_iter().all(|wanted| whole.any(|item| item == wanted))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_deletion_only_program_leaves_a_subsequence(lines in vec(line(), 0..12), first in 0_usize..4, program in program()) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let Edited { lines: left, calls, fell_back, .. } = execute(&lines, first, &program, &CAPS);
        prop_assert!(is_subsequence(left.join("\n").chars(), lines.join("\n").chars()));
        let edits_strings = calls.iter().any(|(call, fate)| call.starts_with("normalize") && fate.word() == "applied");
        if !edits_strings {
            prop_assert!(is_subsequence(left.iter().map(String::as_str), lines.iter().copied()));
        }
        if fell_back {
            prop_assert_eq!(left, lines);
        }
    }

    #[test]
    fn no_words_make_a_reader_panic(program in "\\PC{0,200}|[a-z_(){}\\[\\]\"':,=\\\\ \n0-9-]{0,200}") {
        prop_assert!(parse(&program).len() <= MAX_ITEMS);
        let thresholds = Thresholds { min_kept: 0.0, drop_ratio: 0.95, min_words: 10, max_errors: 2 };
        prox::execute("a b\nc (d)\n\ne", &program, &thresholds);
    }
}

/// The parser hands on a bounded number of items of a bounded size whatever it is given, and an executor that passes the
/// chunk once for each does no more than that.
#[test]
fn work_is_bounded_by_the_number_of_items() {
    let quotes = |quote: &str| format!("normalize(source_str={}", quote.repeat(500_000));
    for program in [
        "remove_lines(0, 1)\n".repeat(100_000),
        "remove_lines(0, 1) ".repeat(100_000),
        "x() ".repeat(100_000),
        format!("normalize(source_str=\"{}\")", "a".repeat(1 << 20)),
        quotes("\""),
        quotes("\"\\\""),
        quotes("\" "),
        "(".repeat(1 << 20),
        format!("[{}]", r#"{"call":"keep_chunk"},"#.repeat(100_000)),
        r#"{"calls":["#.repeat(100_000),
        format!(r#"[{{"call":"normalize","source_str":"{}"}}]"#, "a".repeat(1 << 20)),
    ] {
        let items = parse(&program);
        assert!((1..=MAX_ITEMS).contains(&items.len()), "{} items", items.len());
        let bytes: usize = items.iter().map(|item| format!("{item:?}").len()).sum();
        assert!(bytes <= 256 << 10, "{bytes} bytes");
        let edited = execute(&["menu", "text"], 0, &program, &CAPS);
        assert!(edited.calls.len() == items.len() && edited.lines.len() <= 2);
    }
}

/// Replacing reads the whole text, and a long page's program may have any number of lines.
#[test]
fn the_reference_reads_no_more_than_its_share() {
    let thresholds = Thresholds { min_kept: 0.0, drop_ratio: 0.95, min_words: 10, max_errors: 2 };
    let text = "some words of a page\n".repeat(1 << 16);
    let executed = prox::execute(&text, &"normalize(source_str=\"none\")\n".repeat(2000), &thresholds);
    let count = |word: &str| executed.calls.iter().filter(|(_, said)| *said == word).count();
    assert_eq!((count("applied"), count("refused")), ((1 << 30) / text.len(), 2000 - (1 << 30) / text.len()));
}
