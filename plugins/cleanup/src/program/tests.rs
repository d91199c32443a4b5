//! Programs as models write them, and what is read out of them.

use super::*;

/// What the program says, an item a line: calls as calls, the rest behind a mark.
#[track_caller]
fn check(program: &str, items: &[&str]) {
    let said: Vec<String> = parse(program)
        .into_iter()
        .map(|item| match item {
            Item::Call(call) => call.to_string(),
            Item::Unknown(text) => format!("? {text}"),
            Item::Unparsable(text) => format!("! {text}"),
            Item::Prose(text) => format!("~ {text}"),
        })
        .collect();
    assert_eq!(said, items, "{program}");
}

#[test]
fn arguments_by_name_by_place_and_in_any_order() {
    check("remove_lines(line_start=3, line_end=5)", &["remove_lines(3,5)"]);
    check("remove_lines(line_end=5, line_start=3)", &["remove_lines(3,5)"]);
    check("remove_lines(start=3,end=5)", &["remove_lines(3,5)"]);
    check("remove_lines(3, 5)", &["remove_lines(3,5)"]);
    check("remove_lines(3, line_end=5)", &["remove_lines(3,5)"]);
    check("remove_lines ( line_start = 3 , line_end = 5 )", &["remove_lines(3,5)"]);
    check("remove_lines(\"3\", '5')", &["remove_lines(3,5)"]);
    check("remove_lines(003, 005)", &["remove_lines(3,5)"]);
    check("remove_lines(-1, 5)", &["remove_lines(-1,5)"]);
    check("remove_lines(all=True)", &["remove_lines(all)"]);
    check("normalize(source_str=\"a\", target_str=\"b\")", &["normalize(\"a\",\"b\")"]);
    check("normalize(target_str='b', source_str='a')", &["normalize(\"a\",\"b\")"]);
    check("normalize('a')", &["normalize(\"a\",\"\")"]);
    check("normalize('a', 'b')", &["normalize(\"a\",\"b\")"]);
}

#[test]
fn strings_hold_what_ended_them_in_other_parsers() {
    check("normalize(source_str=\"a, b\", target_str=\"\")", &["normalize(\"a, b\",\"\")"]);
    check("normalize(source_str=\"u?a=1&b=2\")", &["normalize(\"u?a=1&b=2\",\"\")"]);
    check("normalize(source_str=\"(c) X\")", &["normalize(\"(c) X\",\"\")"]);
    check("normalize(source_str=\"say \"hi\" now\")", &["normalize(\"say \\\"hi\\\" now\",\"\")"]);
    check("normalize('it's', 'it')", &["normalize(\"it's\",\"it\")"]);
    check(r#"normalize("a\"b")"#, &[r#"normalize("a\"b","")"#]);
    check(r#"normalize("a\nb\tc\\d")"#, &[r#"normalize("a\nb\tc\\d","")"#]);
    check(r#"normalize("\u00e9t\u00e9\uzz")"#, &[r#"normalize("été\\uzz","")"#]);
    check(r#"normalize("C:\dir")"#, &[r#"normalize("C:\\dir","")"#]);
    check("normalize(source_str=\"# 1\")", &["normalize(\"# 1\",\"\")"]);
    let [Item::Call(Call::Normalize { source, .. })] = &parse(r#"normalize("C:\new")"#)[..] else {
        panic!("one call")
    };
    assert_eq!((source.text.as_str(), source.raw.as_str()), ("C:\new", "C:\\new"));
}

#[test]
fn programs_in_any_hand() {
    check("```python\nkeep_chunk()\n```", &["keep_chunk()"]);
    check("`drop_doc()`", &["drop_doc()"]);
    check("    remove_lines(1,2)\r\n\tkeep_chunk()", &["remove_lines(1,2)", "keep_chunk()"]);
    check(
        "remove_lines(1,2) remove_lines(4,4); keep_all()",
        &["remove_lines(1,2)", "remove_lines(4,4)", "keep_chunk()"],
    );
    check(
        "1. remove_lines(1,2)\n- keep_doc()\n* untouch_doc()",
        &["remove_lines(1,2)", "keep_chunk()", "keep_chunk()"],
    );
    check("keep_doc() # do not drop_doc()", &["keep_chunk()"]);
    check("# drop_doc()\n// drop_doc()", &[]);
    check("<think>\ndrop_doc()\n</think>\nkeep_chunk()", &["keep_chunk()"]);
    check("<think> drop_doc()", &[]);
    check("", &[]);
}

#[test]
fn what_is_no_call_is_an_item_all_the_same() {
    check("Sure, here it is:\nkeep_chunk()", &["~ Sure, here it is:", "keep_chunk()"]);
    check("I would not say drop_doc()", &["~ I would not say drop_doc()"]);
    check("delete_page(1)", &["? delete_page(1)"]);
    check("remove_lines", &["! remove_lines"]);
    check("remove_lines(line_start=5)", &["! remove_lines(line_start=5)"]);
    check("remove_lines(a, b)", &["! remove_lines(a, b)"]);
    check("remove_lines(1, 2, 3)", &["! remove_lines(1, 2, 3)"]);
    check("remove_lines(line_start=1, line_e", &["! remove_lines(line_start=1, line_e"]);
    check("normalize(source_str=\"never closed", &["! normalize(source_str=\"never closed"]);
    check("normalize(source_str=\"a\" target_str=\"b\")", &["normalize(\"a\\\" target_str=\\\"b\",\"\")"]);
    check("normalize(source_str=a)", &["! normalize(source_str=a)"]);
    check("drop_doc(now)", &["! drop_doc(now)"]);
    check("remove_lines(1,)", &["! remove_lines(1,)"]);
    check("remove_lines(99999999999999999999, 1)", &["remove_lines(9223372036854775807,1)"]);
}

#[test]
fn a_program_without_end_is_cut() {
    assert_eq!(parse(&"keep_chunk()\n".repeat(2000)).len(), MAX_ITEMS + 1);
    let long = parse(&"é".repeat(MAX_PROGRAM_BYTES));
    assert!(matches!(&long[..], [Item::Unparsable(_), Item::Prose(_)]), "{long:?}");
}

#[test]
fn the_same_calls_as_json() {
    check(r#"{"calls":[{"call":"remove_lines","line_start":1,"line_end":3}]}"#, &["remove_lines(1,3)"]);
    check(
        r#"{"calls": [{"line_end": 3, "line_start": 1, "call": "remove_lines"}, {"call": "drop_doc"}]}"#,
        &["remove_lines(1,3)", "drop_doc()"],
    );
    check("```json\n[{\"call\": \"keep_chunk\"}]\n```", &["keep_chunk()"]);
    check(r#"{"call":"keep_doc"}"#, &["keep_chunk()"]);
    check(
        r#"{"call":"normalize","source_str":"a[1], \"b\"","target_str":null}"#,
        &[r#"normalize("a[1], \"b\"","")"#],
    );
    check(r#"{"calls":[{"call":"remove_line","text":"By *"}]}"#, &[r#"remove_line("By *")"#]);
    check(r#"{"calls":[]}"#, &[]);
    check("{}", &["! {}"]);
}

#[test]
fn json_that_is_no_program_is_an_item_all_the_same() {
    check(
        r#"{"calls":[{"call":"remove_lines","line_start":1,"line_end":3},{"call":"remove_li"#,
        &["remove_lines(1,3)", r#"! {"call":"remove_li"#],
    );
    check(
        r#"{"calls":[{"call":"delete","line":1},{"call":"keep_chunk"}]}"#,
        &[r#"? {"call":"delete","line":1}"#, "keep_chunk()"],
    );
    check(
        r#"[{"call":"remove_lines","line_start":1.5,"line_end":3}]"#,
        &[r#"! {"call":"remove_lines","line_start":1.5,"line_end":3}"#],
    );
    check(
        r#"[{"call":"remove_lines","line_start":[1],"line_end":3}]"#,
        &[r#"! {"call":"remove_lines","line_start":[1],"line_end":3}"#],
    );
    check("[1, {\"call\": \"keep_chunk\"}]", &["~ 1", "keep_chunk()"]);
    check(r#"[{"text":"no call"}]"#, &[r#"! {"text":"no call"}"#]);
    let deep = parse(&"[".repeat(10_000));
    assert!(matches!(&deep[..], [Item::Unparsable(_)]), "{deep:?}");
    let many = format!("[{}]", r#"{"call":"keep_chunk"},"#.repeat(1000));
    assert_eq!(parse(&many).len(), MAX_ITEMS + 1);
}
