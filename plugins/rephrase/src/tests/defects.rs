//! What the published Nemotron-CC pipelines are known to do wrong, each as a case that this stage gets right.

use palimpsest_plugin::testing::{document, reply};
use palimpsest_plugin::{Finish, Reply, Value};

use super::{BRIDGE, MARKET, asked, drafts, dropped, field, page, stage, texts};

const LONG: &str = "After six years of labour by about two thousand workers, the historic crossing of the river was \
    inaugurated in 1932, at a price of over four million pounds for the town. On Saturdays, farmers of the valley gather \
    at a market on the northern shore, where guests enjoy cheese and listen to the music of a brass band.";

fn style(name: &str) -> crate::Rephrase {
    stage(&format!(r#"{{ "model": "m", "styles": ["{name}"] }}"#))
}

#[test]
fn a_line_longer_than_a_prompt_is_cut_and_not_dropped() {
    let line = format!("{BRIDGE} {MARKET} ").repeat(20);
    let prompts = asked(&style("wikipedia"), &document(&line));
    let words: usize = prompts.iter().map(|prompt| fenced(&prompt.user).split_whitespace().count()).sum();
    assert_eq!(words, line.split_whitespace().count());
}

/// What stands between the last two marker lines of a prompt.
fn fenced(user: &str) -> &str {
    let fence = user.lines().last().unwrap();
    user.rsplit(fence).nth(1).unwrap()
}

#[test]
fn a_whole_prompt_stays_within_its_limit_with_the_chat_template() {
    let text = format!("{BRIDGE}\n{MARKET}\n").repeat(60);
    for name in ["wikipedia", "diverse_qa", "distill", "extract_knowledge", "knowledge_list"] {
        let limit = match name {
            "wikipedia" => 512,
            "distill" => 2000,
            "extract_knowledge" => 1400,
            _ => 1000,
        };
        for prompt in asked(&style(name), &document(&text)) {
            let words = |text: &str| text.split_whitespace().count();
            let whole = words(&prompt.user) + words(prompt.system.as_deref().unwrap());
            assert!(whole + 25 <= limit, "{name}: {whole}");
        }
    }
}

/// The text that one reply makes of a page of one segment.
#[track_caller]
fn made(name: &str, reply_text: &str) -> String {
    let page = document(&format!("{BRIDGE}\n{MARKET}\n{MARKET}"));
    let made = drafts(&style(name), &page, &[reply(reply_text)]);
    made[0].text.clone().unwrap()
}

#[test]
fn headers_prefixes_bold_and_quotes_are_formalities() {
    for dressed in [
        format!("Paraphrase:\n{LONG}"),
        format!("  Paraphrase:\n{LONG}"),
        format!("Here is a paraphrased version:\n{LONG}"),
        format!("**Paraphrased text**\n\n{LONG}"),
        format!("Sure! Here's the rewritten text:\n\n\"{LONG}\""),
        format!("Paraphrase: “{LONG}”"),
        format!("<think>Let me see.</think>\n\n### Paraphrase\n\n{LONG}\n\nI hope this helps!"),
        LONG.replace("historic", "**historic**"),
        LONG.to_owned(),
    ] {
        assert_eq!(made("wikipedia", &dressed), LONG, "{dressed}");
    }
}

#[test]
fn marker_lines_around_an_answer_are_a_formality_and_inside_of_it_a_leak() {
    let page = document(&format!("{BRIDGE}\n{MARKET}"));
    let prompt = asked(&style("wikipedia"), &page).remove(0).user;
    let fence = prompt.lines().last().unwrap();
    let made = drafts(&style("wikipedia"), &page, &[reply(&format!("{fence}\n{LONG}\n{fence}"))]);
    assert_eq!(made[0].text.as_deref(), Some(LONG));
    dropped(&style("wikipedia"), &page, &[reply(&format!("{LONG}\n{fence}\n{LONG}"))], "no_rewrite");
}

#[test]
fn markdown_goes_and_code_maths_links_and_names_stay() {
    for (said, kept) in [
        ("snake_case_name and _private_ x", "snake_case_name and private x"),
        ("a*b*c and x * y", "a*b*c and x * y"),
        ("[words](https://a.example/b_c_d)", "words"),
        ("`f(*args, **kwargs)`", "`f(*args, **kwargs)`"),
        ("## Heading", "Heading"),
        ("| a_b | *c* |\n|---|---|", "| a_b | c |\n|---|---|"),
    ] {
        assert_eq!(made("wikipedia", &format!("{LONG}\n{said}")), format!("{LONG}\n{kept}"));
    }
}

#[test]
fn what_ended_a_reply_is_read_and_not_guessed_from_its_length() {
    let cut = |text: &str, finish| Ok(Reply { finish, ..reply(text).unwrap() });
    let page = document(&format!("{BRIDGE}\n{MARKET}"));
    let whole = drafts(&style("wikipedia"), &page, &[cut(&format!("{LONG} And th"), Finish::Length)]);
    assert_eq!(whole[0].text.as_deref(), Some(LONG));
    dropped(&style("wikipedia"), &page, &[cut(LONG, Finish::Filtered)], "no_rewrite");
}

#[test]
fn a_missing_middle_is_dropped_kept_or_marked() {
    let text = format!("{BRIDGE}\n\n{MARKET}\n\n{BRIDGE}");
    for (gaps, middle) in [("drop", ""), ("keep_source", MARKET), ("mark", "[…]")] {
        let settings = format!(r#"{{ "model": "m", "styles": ["concise"], "gaps": "{gaps}" }}"#);
        let short =
            "The bridge was opened in 1932 after six years of work and cost the town four million pounds.";
        let made = drafts(&stage(&settings), &document(&text), &[reply(short), reply("No."), reply(short)]);
        let parts = [short, middle, short].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        assert_eq!(made[0].text.as_deref(), Some(parts.join("\n").as_str()));
        assert_eq!(field(&made[0], "rephrase_rejected"), &texts(&["too_short"]), "it is said in any case");
        assert_eq!(field(&made[0], "_sources"), &texts(&[BRIDGE, BRIDGE]));
        assert_eq!(field(&made[0], "_rewrites"), &texts(&[short, short]));
    }
}

#[test]
fn labels_of_passages_and_introductions_of_lists_go() {
    let passages = format!(
        "Here are the passages:\n\nPassage 1:\n{LONG}\n\n**Passage 2:** It cost four million pounds."
    );
    assert_eq!(made("extract_knowledge", &passages), format!("{LONG}\n\nIt cost four million pounds."));
    let list =
        format!("Key facts from the text\n\n- {LONG}\n  - **Price**: four million pounds\n* Opened in 1932");
    assert_eq!(made("knowledge_list", &list), format!("{LONG}\nPrice: four million pounds\nOpened in 1932"));
}

#[test]
fn pairs_are_found_behind_any_header_and_nothing_at_all_is_no_crash() {
    let pair = "Question: When was the bridge opened?\nAnswer: In 1932.";
    for reply in [
        pair.to_owned(),
        format!("Here are the questions and answers based on the provided text:\n\n{pair}"),
        format!("Of course.\n\n---\n\n{pair}"),
        "**Q1:** When was the bridge opened?\n**A1:** In 1932.".to_owned(),
        "1. When was the bridge opened?\n   In 1932.".to_owned(),
    ] {
        assert!(made("diverse_qa", &reply).ends_with(&format!("\n\n{pair}")), "{reply}");
    }
    let page = document(&format!("{BRIDGE}\n{MARKET}\n{MARKET}"));
    dropped(&style("diverse_qa"), &page, &[reply("")], "no_rewrite");
}

#[test]
fn the_same_reply_makes_the_same_text_and_other_pages_other_choices() {
    let pairs: String = (0..8)
        .map(|number| format!("Question: What is {}?\nAnswer: A bridge.\n", "x".repeat(number + 1)))
        .collect();
    assert_eq!(made("diverse_qa", &pairs), made("diverse_qa", &pairs));
    let choices: std::collections::BTreeSet<String> = (0..20)
        .map(|number| {
            let mut page = document(&format!("{BRIDGE}\n{MARKET}\n{MARKET}"));
            page.document.id = format!("<urn:uuid:{number}>");
            drafts(&style("diverse_qa"), &page, &[reply(&pairs)])[0].text.clone().unwrap()
        })
        .collect();
    assert!(10 < choices.len(), "{}", choices.len());
}

#[test]
fn pairs_stand_below_their_segment_or_below_the_page() {
    let pair = "Question: When was the bridge opened?\nAnswer: In 1932.";
    let text = format!("{BRIDGE}\n{MARKET}\n{MARKET}");
    for (append, expected) in [
        ("segment", format!("{text}\n\n{pair}")),
        ("document", format!("Top.\n{text}\n\n{pair}")),
        ("alone", pair.to_owned()),
    ] {
        let settings = format!(
            r#"{{ "model": "m", "styles": ["diverse_qa"], "define": {{ "diverse_qa": {{
                "append": "{append}", "cut": "paragraphs", "min_final": 1 }} }} }}"#
        );
        let page =
            document(&format!("Top.\n{text}").replace('\n', if append == "alone" { " " } else { "\n" }));
        let stage = stage(&settings);
        let replies: Vec<_> = asked(&stage, &page).iter().map(|_| reply(pair)).collect();
        let made = drafts(&stage, &page, &replies);
        let text = made[0].text.as_deref().unwrap();
        match append {
            "segment" => assert!(text.starts_with(BRIDGE) && text.contains(pair), "{text}"),
            "document" => assert!(text.starts_with("Top.\n") && text.ends_with(pair), "{text}"),
            _ => assert_eq!(text, expected),
        }
        let Value::Texts(rewrites) = field(&made[0], "_rewrites") else { panic!("texts") };
        assert_eq!(rewrites[0], pair, "without the segment");
    }
}

#[test]
fn a_page_of_one_title_and_two_paragraphs_is_counted_whole() {
    let made = drafts(
        &style("concise"),
        &page(),
        &[
            reply(
                "The bridge was opened in 1932 after six years of work by 2,000 men and cost four million.",
            ),
            reply("No."),
        ],
    );
    assert_eq!(field(&made[0], "segments_short"), &Value::from(1));
    assert_eq!(field(&made[0], "segments_kept"), &Value::from(1));
    assert_eq!(field(&made[0], "segments_failed"), &Value::from(1));
}
