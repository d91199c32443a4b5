//! What is known to go wrong in ProX's own reading of programs, a row each: what normal mode makes of it, right or refused
//! and on record.

use crate::execute::{Caps, Edited, execute};

const CAPS: Caps = Caps { min_source: 3, max_count: 50, max_errors: 2, deletion_only: false, drop_doc: true };

/// Runs a program on a chunk that begins the document; lines are given and shown with `|` between them.
#[track_caller]
fn check(lines: &str, program: &str, left: &str, fates: &[&str]) {
    let lines: Vec<_> = lines.split('|').collect();
    let Edited { lines: kept, calls, .. } = execute(&lines, 0, program, &CAPS);
    let words: Vec<_> = calls.iter().map(|(_, fate)| fate.word()).collect();
    assert_eq!((kept.join("|").as_str(), &words[..]), (left, fates), "{program}");
}

#[test]
fn a_comma_in_a_string_is_a_part_of_it() {
    check("x a, b y", r#"normalize(source_str="a, b", target_str="")"#, "x  y", &["applied"]);
}

#[test]
fn an_equals_sign_in_a_string_is_a_part_of_it() {
    check(
        "see u.example/?a=1&b=2 now",
        r#"normalize(source_str="u.example/?a=1&b=2", target_str="")"#,
        "see  now",
        &["applied"],
    );
    check(
        "u.example/?a stays",
        r#"normalize(source_str="u.example/?a=1", target_str="")"#,
        "u.example/?a stays",
        &["absent"],
    );
}

#[test]
fn a_parenthesis_in_a_string_is_a_part_of_it() {
    check("all (c) rights", r#"normalize(source_str="(c) rights", target_str="")"#, "all ", &["applied"]);
    check("(c) stays", r#"normalize(source_str="(c) rights", target_str="")"#, "(c) stays", &["absent"]);
}

#[test]
fn a_letter_is_not_deleted_everywhere() {
    check("eels here", r#"normalize(source_str="e", target_str="")"#, "eels here", &["refused"]);
}

#[test]
fn a_string_that_is_not_there_is_on_record() {
    check("text", r#"normalize(source_str="menu", target_str="")"#, "text", &["absent"]);
}

#[test]
fn arguments_by_place_are_read() {
    check("a|b|c", "remove_lines(1, 2)", "a", &["applied"]);
}

#[test]
fn arguments_in_the_other_order_are_the_same_range() {
    check("a|b|c", "remove_lines(line_end=1, line_start=0)", "c", &["applied"]);
}

#[test]
fn ranges_that_are_none_take_nothing() {
    check("a|b|c", "remove_lines(line_start=-1, line_end=1)", "a|b|c", &["out_of_range"]);
    check("a|b|c", "remove_lines(line_start=2, line_end=1)", "a|b|c", &["out_of_range"]);
}

#[test]
fn calls_are_found_indented_fenced_and_on_one_line() {
    check("a|b|c", "    remove_lines(line_start=0, line_end=0)", "b|c", &["applied"]);
    check("a|b|c", "```python\nremove_lines(line_start=0, line_end=0)\n```", "b|c", &["applied"]);
    check("a|b|c", "remove_lines(0, 0) remove_lines(2, 2)", "b", &["applied"; 2]);
}

#[test]
fn an_unknown_function_is_on_record() {
    check("a|b", "delete_page()", "a|b", &["unknown"]);
}

#[test]
fn a_range_of_a_billion_lines_is_no_work() {
    check("a|b|c", "remove_lines(line_start=1, line_end=999999999)", "a", &["clamped"]);
    check("a|b|c", "remove_lines(line_start=3, line_end=999999999)", "a|b|c", &["out_of_range"]);
}

#[test]
fn escapes_are_read() {
    check("say \"hi\" now", r#"normalize(source_str="\"hi\" ", target_str="")"#, "say now", &["applied"]);
    check("a\tb", r#"normalize(source_str="a\tb", target_str="")"#, "a\tb", &["refused"]);
    check("one\ttwo", r#"normalize(source_str="one\ttwo", target_str="one two")"#, "one two", &["applied"]);
}

#[test]
fn a_call_that_was_cut_off_is_none() {
    check(
        "a|b|c",
        "remove_lines(0, 0)\nremove_lines(line_start=1, line_e",
        "b|c",
        &["applied", "unparsable"],
    );
    check("a|b|c", "remove_lines(line_start=0, line_end=12", "a|b|c", &["unparsable"]);
}

#[test]
fn an_answer_without_a_call_changes_nothing_and_is_on_record() {
    check("a|b", "", "a|b", &[]);
    check("a|b", "I think that is fine.", "a|b", &["ignored"]);
}
