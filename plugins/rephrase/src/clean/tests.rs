use super::*;

#[track_caller]
fn check(reply: &str, text: &str) {
    assert_eq!(answer(reply, "Paraphrase", false), text);
}

#[test]
fn the_header_is_found_in_many_forms_or_not_at_all() {
    check("Paraphrase:\nThe text.", "The text.");
    check("paraphrase: The text.\nMore.", "The text.\nMore.");
    check("**Paraphrase:**\n\nThe text.", "The text.");
    check("## Paraphrase\nThe text.", "The text.");
    check("Sure! Here it is.\n\nParaphrase:\nThe text.", "The text.");
    check("Paraphrase: The text.", "The text.");
    check("The text.", "The text.");
    check("Paraphrases are hard to write.", "Paraphrases are hard to write.");
    check("One.\nTwo.\nThree.\nParaphrase:\nFour.", "One.\nTwo.\nThree.\nParaphrase:\nFour.");
    check("Here is a paraphrased version:\nThe text.", "The text.");
    check("**Paraphrased Text**\n\nThe text.", "The text.");
    check("The rewritten version: The text.", "The text.");
    check("### Rewritten passage\nThe text.", "The text.");
    check("Summary: The text.", "Summary: The text.");
    check("Version 2: The text.", "Version 2: The text.");
    check("The answer to this: nobody knows.", "The answer to this: nobody knows.");
    check("  Paraphrase:\n\"The text.\"", "The text.");
    check("Paraphrase：\nThe text.", "The text.");
    check("Paraphrase:", "");
    check("", "");
}

#[test]
fn chatter_around_the_answer_goes() {
    check("Sure, here is a shorter version:\n\nThe text.", "The text.");
    check("Here's the rewritten text: The text.", "The text.");
    check("Certainly!\nThe text.", "The text.");
    check("**Here is the text:**\nThe text.", "**Here is the text:**\nThe text.".split_once('\n').unwrap().1);
    check("The text.\nLet me know if you need more.", "The text.");
    check("The text.\n\n---\n*Note: I kept all facts.*", "The text.");
    check("The text.\nNote: the shop is closed.", "The text.\nNote: the shop is closed.");
    check(
        "Here is where the story begins.\nIt ends there.",
        "Here is where the story begins.\nIt ends there.",
    );
    check("Here are the opening times: nine to five.", "Here are the opening times: nine to five.");
    check("Sure.", "Sure.");
    check("<think>\nHm: so.\n</think>\nThe text.", "The text.");
    check("<think> without end", "");
    check("\"The text.\"", "The text.");
    check("“The text.”", "The text.");
    check("\"No,\" he said. \"Never.\"", "\"No,\" he said. \"Never.\"");
}

#[test]
fn marks_go_and_code_stays() {
    for (marked, text) in [
        ("A **bold** word", "A bold word"),
        ("**Bold**: a *word*, an _other_.", "Bold: a word, an other."),
        ("***both*** of them", "both of them"),
        ("# Title\n## Part #2", "Title\nPart #2"),
        ("#hashtag", "#hashtag"),
        ("[words](https://a.example/x_y_z)", "words"),
        ("[1] and [2] (see x)", "[1] and [2] (see x)"),
        ("f(x)[i](y z)", "f(x)[i](y z)"),
        ("the snake_case_name and _private", "the snake_case_name and _private"),
        ("a*b*c = 2 * 3 * 4", "a*b*c = 2 * 3 * 4"),
        ("f(*args, **kwargs)", "f(*args, **kwargs)"),
        ("call __init__ first", "call __init__ first"),
        ("use `**kwargs` and `_x_` **now**", "use `**kwargs` and `_x_` now"),
        ("an odd ` tick *here*", "an odd ` tick here"),
        ("```\n**x** = _y_\n```\n**z**", "```\n**x** = _y_\n```\nz"),
        ("* an item\n* another", "* an item\n* another"),
        ("5 ** 2 ** 1", "5 ** 2 ** 1"),
    ] {
        assert_eq!(plain(marked), text);
    }
}

#[test]
fn a_text_that_was_cut_off_ends_with_its_last_whole_sentence() {
    for (cut, whole) in [
        ("One. Two! Thr", "One. Two!"),
        ("He said \"no.\" And th", "He said \"no.\""),
        ("Version 1.5 is", ""),
        ("One.", "One."),
        ("一。二", "一。"),
        ("", ""),
    ] {
        assert_eq!(whole_sentences(cut), whole);
    }
}

#[test]
fn hostile_replies_do_not_panic_or_grow() {
    const PIECES: [&str; 20] = [
        "*",
        "**",
        "_",
        "__",
        "`",
        "```",
        "\n",
        "[",
        "](",
        ")",
        "#",
        "Paraphrase",
        ":",
        "Sure",
        "é",
        "。",
        "\"",
        " ",
        "<think>",
        "</think>",
    ];
    for case in 0..20_000_u64 {
        let mut state = case;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap()
        };
        let reply: String = (0..next() % 30).map(|_| PIECES[next() % PIECES.len()]).collect();
        assert!(answer(&reply, "Paraphrase", false).len() <= reply.len(), "{reply:?}");
        assert!(whole_sentences(&reply).len() <= reply.len());
    }
}

#[test]
fn an_answer_that_was_thought_about_stands_behind_its_header() {
    for (reply, answer) in [
        ("It lacks order.\n\nImproved text:\nThe text.", Some("\nThe text.")),
        ("Improved text: A draft.\nNo.\n**Improved text:** The text.", Some("The text.")),
        ("I think of an improved text.", None),
        ("", None),
    ] {
        assert_eq!(behind_header(reply, "Improved text"), answer, "{reply}");
    }
}

#[test]
fn marks_stay_where_they_belong_to_the_answer() {
    let table = "| a | b |\n|---|---|\n| *x* | `y_z` |";
    assert_eq!(answer(table, "", true), table);
    assert_eq!(answer(table, "", false), "| a | b |\n|---|---|\n| x | `y_z` |");
}

#[test]
fn the_last_sentences_are_as_many_as_fit() {
    let last = |text, most| last_sentences(text, |part: &str| part.split_whitespace().count() <= most);
    assert_eq!(last("A b. C d! E f.", 4), Some("C d! E f."));
    assert_eq!(last("A b. C d! E f. G", 2), Some("E f."));
    assert_eq!(last("A b. C d! E f.", 1), None);
    assert_eq!(last("A b. He said \"no.\"", 3), Some("He said \"no.\""));
    assert_eq!(last("no end", 9), None);
    assert_eq!(last("", 9), None);
}
