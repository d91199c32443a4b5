//! Asking more than once: halves of what was cut off, and segments that know how the one before them ended.

use palimpsest_plugin::testing::{document, reply};
use palimpsest_plugin::{Failure, Finish, Reply, Value};

use super::{BRIDGE, MARKET, asked_with, drafts_of, field, stage, texts};

fn cut(text: &str) -> Result<Reply, Failure> {
    Ok(Reply { finish: Finish::Length, ..reply(text).unwrap() })
}

/// Short texts, short limits.
const EASY: &str =
    r#"{ "model": "m", "styles": ["wrap_easy"], "define": { "wrap_easy": { "min_final": 5 } } }"#;

const HALF: &str = "The bridge was opened in 1932 after six years of work by two thousand men.";
const OTHER: &str = "Each Saturday a market on the north bank brings farmers and visitors to town.";

#[test]
fn what_is_cut_off_too_early_is_asked_about_in_halves_once() {
    let stage = stage(EASY);
    let page = document(&format!("{BRIDGE}\n{MARKET}"));
    let first = [cut("Simple version:\nThe bridge was")];
    let halves = asked_with(&stage, &page, &first);
    assert_eq!(halves.len(), 2);
    assert!(halves[0].user.contains(&format!("\n{BRIDGE}\n")) && !halves[0].user.contains(MARKET));
    assert!(halves[1].user.contains(&format!("\n{MARKET}\n")) && !halves[1].user.contains(BRIDGE));
    let made = drafts_of(&stage, &page, &[first[0].clone(), reply(HALF), reply(OTHER)]);
    assert_eq!(made[0].text.as_deref(), Some(format!("{HALF}\n{OTHER}").as_str()));
    assert_eq!(field(&made[0], "_sources"), &texts(&[BRIDGE, MARKET]));
    assert_eq!(field(&made[0], "segments_failed"), &Value::from(0));
    // Three replies of one token and their prompts; two of them were of use.
    assert_eq!(field(&made[0], "rephrase_tokens_paid"), &Value::from(6));
    assert_eq!(field(&made[0], "rephrase_tokens_kept"), &Value::from(2));
    let made = drafts_of(&stage, &page, &[first[0].clone(), reply(HALF), cut("Each")]);
    assert_eq!(field(&made[0], "rephrase_rejected"), &texts(&["cut_off"]), "and not a third time");
    let made = drafts_of(&stage, &page, &[Err(Failure::TooLong(9)), reply(HALF), reply(OTHER)]);
    assert_eq!(field(&made[0], "segments_kept"), &Value::from(2), "too long for the model is the same");
}

#[test]
fn without_the_retry_a_reply_that_is_cut_off_costs_its_segment() {
    let stage = stage(
        r#"{ "model": "m", "styles": ["concise"], "retry": false, "rounds": 1,
        "define": { "concise": { "min_final": 5 } } }"#,
    );
    let page = document(&format!("{BRIDGE}\n{MARKET}"));
    let made = drafts_of(&stage, &page, &[cut("The bridge was"), reply(OTHER)]);
    assert_eq!(field(&made[0], "rephrase_rejected"), &texts(&["cut_off"]));
}

#[test]
fn enough_of_a_reply_stands_and_a_loop_is_no_reason_to_ask_again() {
    let stage = stage(EASY);
    let page = document(BRIDGE);
    let less = cut("The bridge was opened in 1932. It cost");
    assert_eq!(asked_with(&stage, &page, &[less]).len(), 2, "a fifth is not enough");
    let rest = "It cost the town more than four million pounds, a great sum.";
    let made = drafts_of(&stage, &page, &[cut(&format!("{HALF} {rest} And th"))]);
    assert_eq!(made[0].text.as_deref(), Some(format!("{HALF} {rest}").as_str()));
    let again = cut(&"The bridge was a bridge. ".repeat(12));
    let palimpsest_plugin::testing::Verdict::Drop(why) =
        palimpsest_plugin::testing::run(&stage, &page, &[again]).unwrap()
    else {
        panic!("drops")
    };
    assert!(why.starts_with("no_rewrite: 2 tokens paid"), "{why}");
}

const THREE: &str = r#"{ "model": "m", "styles": ["wrap_easy"], "context": true, "context_tokens": 16, "rounds": 3,
    "define": { "wrap_easy": { "max_segment": 40, "min_final": 5 } } }"#;

#[test]
fn a_segment_is_told_how_the_one_before_it_ended() {
    let stage = stage(THREE);
    let page = document(&format!("{BRIDGE}\n{MARKET}\n{BRIDGE}"));
    let first = asked_with(&stage, &page, &[]);
    // Two rounds and the retry: strands of two segments.
    assert_eq!(first.len(), 2);
    assert!(first.iter().all(|prompt| prompt.user.contains(BRIDGE) && !prompt.user.contains(MARKET)));
    let replies = [reply(&format!("Long ago it began. {HALF}")), reply(HALF)];
    let second = asked_with(&stage, &page, &replies);
    assert_eq!(second.len(), 1);
    assert!(second[0].user.contains(&format!("\n{HALF}\n")), "{}", second[0].user);
    assert!(!second[0].user.contains("Long ago"), "only what fits");
    let told = [replies[0].clone(), replies[1].clone(), reply(&format!("{HALF} {OTHER}"))];
    let made = drafts_of(&stage, &page, &told);
    let expected = format!("Long ago it began. {HALF}\n{OTHER}\n{HALF}");
    assert_eq!(made[0].text.as_deref(), Some(expected.as_str()), "what was told back is not told twice");
}

#[test]
fn a_strand_goes_on_after_a_failure_without_context() {
    let stage = stage(THREE);
    let page = document(&format!("{BRIDGE}\n{MARKET}"));
    assert_eq!(asked_with(&stage, &page, &[]).len(), 1);
    let second = asked_with(&stage, &page, &[Err(Failure::GaveUp(String::new()))]);
    assert!(second[0].user.contains(MARKET) && !second[0].user.contains("part before"));
}
