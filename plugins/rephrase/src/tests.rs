//! The stage from outside: a page, the prompts that it leads to, replies, and the documents that they make.

mod cost;
mod defects;
mod families;
mod rounds;
mod whole;

use palimpsest_plugin::testing::{TestPage, Verdict, document, reply, run};
use palimpsest_plugin::{Draft, Failure, Finish, Prompt, Reply, Stage, Value};

use crate::{Rephrase, Settings};

const BRIDGE: &str = "The old bridge over the river was opened in 1932 after six years of work by some two thousand men, and it \
    cost the town more than four million pounds at the time.";
const MARKET: &str = "Every Saturday the market on the north bank brings farmers from the whole valley to the town, and \
    with them come visitors who like to taste the cheese and hear the brass band play.";

fn stage(settings: &str) -> Rephrase {
    Rephrase::configure(serde_json::from_str(settings).unwrap()).unwrap()
}

fn concise() -> Rephrase {
    stage(r#"{ "model": "m", "styles": ["concise"] }"#)
}

fn page() -> TestPage {
    document(&format!("Our town\n{BRIDGE}\n{MARKET}\n"))
}

#[track_caller]
fn asked(stage: &Rephrase, page: &TestPage) -> Vec<Prompt> {
    asked_with(stage, page, &[])
}

/// What is asked once these replies are there.
#[track_caller]
fn asked_with(stage: &Rephrase, page: &TestPage, replies: &[Result<Reply, Failure>]) -> Vec<Prompt> {
    match run(stage, page, replies).unwrap() {
        Verdict::Ask(prompts) => prompts,
        other @ (Verdict::Emit(_) | Verdict::Drop(_)) => panic!("asks: {other:?}"),
    }
}

/// The documents that come of these replies, as many as there were prompts; every field is a declared one.
#[track_caller]
fn drafts(stage: &Rephrase, page: &TestPage, replies: &[Result<Reply, Failure>]) -> Vec<Draft> {
    assert_eq!(asked(stage, page).len(), replies.len());
    drafts_of(stage, page, replies)
}

/// The same, where it takes more than one round to ask.
#[track_caller]
fn drafts_of(stage: &Rephrase, page: &TestPage, replies: &[Result<Reply, Failure>]) -> Vec<Draft> {
    let Verdict::Emit(drafts) = run(stage, page, replies).unwrap() else { panic!("emits") };
    let declared: Vec<_> = stage.columns().into_iter().map(|column| column.name).collect();
    for draft in &drafts {
        assert!(draft.fields.iter().all(|field| declared.contains(&field.name)), "{draft:?}");
    }
    drafts
}

#[track_caller]
fn dropped(stage: &Rephrase, page: &TestPage, replies: &[Result<Reply, Failure>], reason: &str) {
    let Verdict::Drop(why) = run(stage, page, replies).unwrap() else { panic!("drops") };
    assert_eq!(why.split(": ").next(), Some(reason));
}

fn field<'a>(draft: &'a Draft, name: &str) -> &'a Value {
    &draft.fields.iter().find(|field| field.name == name).unwrap().value
}

fn texts(words: &[&str]) -> Value {
    Value::from(words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
}

const SHORT_BRIDGE: &str =
    "The bridge was opened in 1932 after six years of work by 2,000 men and cost 4 million pounds.";
const SHORT_MARKET: &str =
    "The Saturday market on the north bank brings farmers and visitors to town for cheese and music.";

#[test]
fn concise_takes_a_paragraph_at_a_time() {
    let prompts = asked(&concise(), &page());
    let users: Vec<_> = prompts.iter().map(|prompt| prompt.user.as_str()).collect();
    assert_eq!(users, [BRIDGE, MARKET], "the title is too short to rewrite");
    assert_eq!(prompts[0].temperature, Some(0.0));
    let made = drafts(&concise(), &page(), &[reply(SHORT_BRIDGE), reply(&format!("\"{SHORT_MARKET}\""))]);
    let [draft] = &made[..] else { panic!("one document") };
    assert_eq!(draft.text.as_deref(), Some(format!("{SHORT_BRIDGE}\n{SHORT_MARKET}").as_str()));
    let span = draft.span.unwrap();
    let (start, end) = (span.start as usize, span.end as usize);
    assert_eq!(page().document.text.get(start..end), Some(format!("{BRIDGE}\n{MARKET}").as_str()));
    assert_eq!(field(draft, "style"), &Value::from("concise"));
    assert_eq!(field(draft, "kind"), &Value::from("synthetic"));
    assert_eq!(field(draft, "prompt_template"), &Value::from("concise-1"));
    assert_eq!(field(draft, "segments_kept"), &Value::from(2));
    assert_eq!(field(draft, "segments_failed"), &Value::from(0));
}

/// One segment goes well, the other fails like this.
#[track_caller]
fn check_failure(failing: Result<Reply, Failure>, reason: &str) {
    let made = drafts(&concise(), &page(), &[failing, reply(SHORT_MARKET)]);
    assert_eq!(made[0].text.as_deref(), Some(SHORT_MARKET));
    assert_eq!(field(&made[0], "rephrase_rejected"), &texts(&[reason]));
    assert_eq!(field(&made[0], "segments_failed"), &Value::from(1));
    assert_eq!(made[0].span.unwrap().start as usize, page().document.text.find(MARKET).unwrap());
}

#[test]
fn a_segment_that_fails_costs_itself_and_says_why() {
    check_failure(reply("The bridge was opened in 1923 after six years of work."), "new_number");
    check_failure(reply("I'm sorry, but I can't help with that. Is there another text?"), "refusal");
    check_failure(reply(BRIDGE), "copied");
    check_failure(reply("A bridge."), "too_short");
    check_failure(reply(&format!("{BRIDGE} {MARKET}")), "too_long");
    check_failure(reply(&"it was a bridge ".repeat(9)), "repetitive");
    check_failure(reply("Make the user's text more concise and keep what it says."), "prompt_leak");
    check_failure(reply(" "), "empty");
    check_failure(Err(Failure::OverBudget), "over_budget");
    check_failure(Err(Failure::GaveUp("x".to_owned())), "gave_up");
    check_failure(Err(Failure::Refused("x".to_owned())), "refused_by_server");
    check_failure(Err(Failure::TooLong(512)), "too_long_for_model");
    let cut = |text, finish| Ok(Reply { finish, ..reply(text).unwrap() });
    check_failure(cut(SHORT_BRIDGE, Finish::Filtered), "filtered");
}

#[test]
fn a_reply_that_was_cut_off_keeps_its_whole_sentences() {
    let cut = Reply { finish: Finish::Length, ..reply(&format!("{SHORT_BRIDGE} It is a")).unwrap() };
    let made = drafts(&concise(), &page(), &[Ok(cut), reply(SHORT_MARKET)]);
    assert_eq!(made[0].text.as_deref(), Some(format!("{SHORT_BRIDGE}\n{SHORT_MARKET}").as_str()));
}

#[test]
fn gaps_can_be_filled_with_the_source() {
    let filling = stage(r#"{ "model": "m", "styles": ["concise"], "gaps": "keep_source" }"#);
    let made = drafts(&filling, &page(), &[reply("A bridge."), reply(SHORT_MARKET)]);
    assert_eq!(made[0].text.as_deref(), Some(format!("Our town\n{BRIDGE}\n{SHORT_MARKET}").as_str()));
    assert_eq!(field(&made[0], "segments_kept"), &Value::from(1));
    dropped(&filling, &page(), &[reply("No."), reply("No.")], "no_rewrite");
}

#[test]
fn a_page_without_a_rewrite_is_dropped_or_goes_on_alone() {
    dropped(&concise(), &document("Too short."), &[], "too_short");
    dropped(&concise(), &document(""), &[], "too_short");
    dropped(
        &concise(),
        &page(),
        &[Err(Failure::OverBudget), Err(Failure::GaveUp(String::new()))],
        "no_reply",
    );
    dropped(&concise(), &page(), &[Err(Failure::OverBudget), reply("No.")], "no_rewrite");
    let keeping = stage(r#"{ "model": "m", "styles": ["concise", "diverse_qa"], "keep_original": true }"#);
    let made = drafts(&keeping, &page(), &[reply("No."), reply("No."), reply("No.")]);
    let [original] = &made[..] else { panic!("the page alone: {made:?}") };
    assert_eq!((&original.text, &original.span), (&None, &None));
    assert_eq!(field(original, "style"), &Value::from("original"));
    assert_eq!(field(original, "kind"), &Value::from("actual"));
    let why = texts(&["concise: no_rewrite", "diverse_qa: no_rewrite"]);
    assert_eq!(field(original, "rephrase_rejected"), &why);
}

const PARAPHRASE: &str = "Paraphrase:\nAfter six years of labour by about two thousand workers, the **historic** crossing of \
    the river was inaugurated in 1932, at a price of over four million pounds for the town. On Saturdays, farmers of \
    the valley gather at a market on the northern shore, where guests enjoy cheese and listen to the music of a brass \
    band.";

#[test]
fn wikipedia_joins_the_lines_and_cuts_the_header() {
    let wikipedia = stage(r#"{ "model": "m", "styles": ["wikipedia"], "temperature": 0.2 }"#);
    let prompts = asked(&wikipedia, &page());
    assert_eq!(prompts.len(), 1);
    assert!(prompts[0].user.contains(&format!("\nOur town\n{BRIDGE}\n{MARKET}\n")));
    assert_eq!((prompts[0].temperature, prompts[0].top_p), (Some(0.2), Some(0.9)));
    let made = drafts(&wikipedia, &page(), &[reply(PARAPHRASE)]);
    let text = made[0].text.as_deref().unwrap();
    assert!(text.starts_with("After six years") && text.contains("the historic crossing"), "{text}");
    let long = document(&format!("{BRIDGE} {MARKET} ").repeat(20));
    assert!(2 < asked(&wikipedia, &long).len(), "one long line becomes several segments");
}

#[test]
fn diverse_qa_appends_pairs_to_their_segment() {
    let qa = stage(r#"{ "model": "m", "styles": ["diverse_qa"] }"#);
    let long = document(&format!("{BRIDGE}\n{MARKET}\n{MARKET}"));
    let pairs = "Here are your pairs:\n\nQuestion: When was the bridge opened?\nAnswer: In 1932.\n\n\
        Question: How much did it cost?\nAnswer: It cost 5 million pounds.\n\n\
        Question: Is there a market?\nAnswer: Yes.";
    let made = drafts(&qa, &long, &[reply(pairs)]);
    let text = made[0].text.as_deref().unwrap();
    assert!(text.starts_with(BRIDGE) && text.contains("\n\nQuestion: "), "{text}");
    assert!(!text.contains("5 million"));
    assert_eq!(field(&made[0], "rephrase_rejected"), &texts(&["pair_new_number"]));
    assert_eq!(made, drafts(&qa, &long, &[reply(pairs)]), "the choice of pairs is no chance");
    dropped(&qa, &long, &[reply("There is nothing to ask.")], "no_rewrite");
}

#[test]
fn all_styles_are_asked_in_one_round_and_keep_their_own_replies() {
    let both = stage(r#"{ "model": "m", "styles": ["wikipedia", "concise"], "keep_original": true }"#);
    let replies = [reply(PARAPHRASE), reply(SHORT_BRIDGE), reply(SHORT_MARKET)];
    let made = drafts(&both, &page(), &replies);
    let styles: Vec<_> = made.iter().map(|draft| field(draft, "style").clone()).collect();
    assert_eq!(styles, ["original", "wikipedia", "concise"].map(Value::from));
    assert!(made[2].text.as_deref().unwrap().starts_with(SHORT_BRIDGE));
}

#[test]
fn segments_over_the_limit_are_not_asked_about() {
    let one = stage(r#"{ "model": "m", "styles": ["concise"], "max_segments": 1 }"#);
    let made = drafts(&one, &page(), &[reply(SHORT_BRIDGE)]);
    assert_eq!(field(&made[0], "rephrase_rejected"), &texts(&["too_many_segments"]));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for settings in [
        r#"{ "model": "m", "styles": [] }"#,
        r#"{ "model": "m", "styles": ["concise", "concise"] }"#,
        r#"{ "model": "m", "styles": ["concise"], "max_segments": 0 }"#,
        r#"{ "model": "m", "styles": ["concise", "wikipedia"], "max_segments": 129 }"#,
        r#"{ "model": "m", "styles": ["concise"], "temperature": -1 }"#,
        r#"{ "model": "m", "styles": ["concise"], "top_p": 1.5 }"#,
        r#"{ "model": "m", "styles": ["concise"], "topic_share": 1.5 }"#,
        r#"{ "model": "m", "styles": ["concise"], "rounds": 1 }"#,
        r#"{ "model": "m", "styles": ["concise"], "context": true, "context_tokens": 0 }"#,
        r#"{ "model": "m", "styles": ["haiku"] }"#,
        r#"{ "model": "m", "styles": ["persona"] }"#,
        r#"{ "model": "m", "styles": ["concise"], "define": { "x": {} } }"#,
    ] {
        let settings: Settings = serde_json::from_str(settings).unwrap();
        Rephrase::configure(settings).unwrap_err();
    }
    serde_json::from_str::<Settings>(r#"{ "model": "m", "styles": ["concise"], "colour": 1 }"#).unwrap_err();
}

#[test]
fn every_setting_says_what_it_is() {
    let schema = schemars::schema_for!(Settings).to_value();
    let properties = schema["properties"].as_object().unwrap();
    assert!(5 < properties.len());
    for (name, setting) in properties {
        assert!(setting["description"].is_string(), "{name}");
        let required = name == "model" || name == "styles";
        assert!(required || setting.get("default").is_some(), "{name} shows its default");
    }
}
