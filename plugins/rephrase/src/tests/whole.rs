//! Nothing is lost: every character of a page is in exactly one segment, whatever the page and the replies.

use palimpsest_plugin::testing::{TestPage, Verdict, document, reply, run};
use palimpsest_plugin::{Draft, Failure, Finish, Outcome, Page, Reply, Stage, Value};
use proptest::prelude::*;

use super::{field, stage};
use crate::plan::{Plan, Treatment};
use crate::style::Draws;

const STYLES: [&str; 5] = ["wikipedia", "diverse_qa", "distill", "story", "concise"];

/// A stage of one style with limits so small that short pages meet all of them.
fn small(style: &str, gaps: &str, max_segments: usize) -> crate::Rephrase {
    stage(&format!(
        r#"{{ "model": "m", "styles": ["{style}"], "gaps": "{gaps}", "max_segments": {max_segments}, "define": {{ "{style}": {{
            "min_document": 3, "min_segment": 2, "max_segment": 6, "min_final": 1, "length": [0.0, 99.0] }} }} }}"#
    ))
}

/// Emits the segments of a stage's first style, and nothing else.
struct Planner(crate::Rephrase);

impl Stage for Planner {
    const NAME: &'static str = "planner";
    const SUMMARY: &'static str = "shows a plan";
    type Settings = ();

    fn configure((): ()) -> Result<Self, String> {
        Err("made by the test".to_owned())
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        let id = page.document().id.as_str();
        let draws = Draws { id, seed: 0, language: "English", topics: &[], topic_share: 0.0, personas: &[] };
        let plan = Plan::new(&self.0.styles[0], page, &self.0.settings, &draws);
        let drafts = plan.segments.into_iter().map(|segment| {
            let asked = segment.treatment == Treatment::Ask;
            Draft::new().span(segment.span.start, segment.span.end).with("asked", asked)
        });
        Ok(Outcome::Emit(drafts.collect()))
    }
}

/// The segments, and whether each is asked about.
fn planned(stage: crate::Rephrase, page: &TestPage) -> Vec<(String, bool)> {
    let Verdict::Emit(drafts) = run(&Planner(stage), page, &[]).unwrap() else { panic!("emits") };
    let text = |draft: &Draft| {
        let span = draft.span.unwrap();
        page.document.text.get(span.start as usize..span.end as usize).unwrap().to_owned()
    };
    drafts.iter().map(|draft| (text(draft), field(draft, "asked") == &Value::from(true))).collect()
}

fn without_blanks(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Replies as a model might give them, by a number: true ones, cut off ones, none.
fn replied(number: u64) -> Result<Reply, Failure> {
    match number % 5 {
        0 => Err(Failure::GaveUp(String::new())),
        1 => Ok(Reply { finish: Finish::Length, ..reply("It is").unwrap() }),
        2 => reply(""),
        3 => reply("Question: Is it so, then?\nAnswer: It is said so."),
        _ => reply("So it is said here, in other words. That is all."),
    }
}

/// The verdict when everything that is asked is answered.
fn judged(stage: &crate::Rephrase, page: &TestPage, seed: u64) -> (Verdict, Vec<String>) {
    let mut replies = Vec::new();
    let mut asked = Vec::new();
    loop {
        match run(stage, page, &replies).unwrap() {
            Verdict::Ask(prompts) => {
                for prompt in prompts {
                    asked.push(prompt.user);
                    replies.push(replied(seed.wrapping_add(replies.len() as u64 * 7)));
                }
            }
            verdict @ (Verdict::Emit(_) | Verdict::Drop(_)) => return (verdict, asked),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_character_is_in_one_segment(
        text in "([a-e]{1,4}[ .\n!]{0,2}|[一二。é👩‍👧]{1,3}| {1,2}|\n{1,3}){0,40}",
        style in 0..STYLES.len(),
        max_segments in 1..6_usize,
        seed in any::<u64>(),
    ) {
        let page = document(&text);
        // What stands in for missing parts is the source, so that the document shows every segment there is.
        let keeping = small(STYLES[style], "keep_source", max_segments);
        let plan = planned(small(STYLES[style], "keep_source", max_segments), &page);
        let tokens = text.split_whitespace().count();
        if tokens < 3 {
            prop_assert!(plan.is_empty());
            let short = matches!(run(&keeping, &page, &[]).unwrap(), Verdict::Drop(why) if why == "too_short");
            prop_assert!(short, "a document that is too short is counted");
            return Ok(());
        }
        let segments: String = plan.iter().map(|(text, _)| text.as_str()).collect();
        prop_assert_eq!(without_blanks(&segments), without_blanks(&text));
        let asked = plan.iter().filter(|(_, asked)| *asked).count();
        prop_assert!(asked <= max_segments);
        let (verdict, prompts) = judged(&keeping, &page, seed);
        prop_assert!(asked <= prompts.len() && prompts.len() <= 3 * asked, "halves at most once");
        let Verdict::Emit(drafts) = verdict else { return Ok(()) };
        if STYLES[style] == "concise" || STYLES[style] == "wikipedia" {
            let made = drafts[0].text.clone().unwrap();
            let (Value::Texts(sources), Value::Texts(rewrites)) =
                (field(&drafts[0], "_sources"), field(&drafts[0], "_rewrites")) else { panic!("texts") };
            prop_assert_eq!(sources.len(), rewrites.len());
            let kept: usize = sources.iter().map(|text| without_blanks(text).len()).sum();
            let new: usize = rewrites.iter().map(|text| without_blanks(text).len()).sum();
            prop_assert_eq!(without_blanks(&made).len(), without_blanks(&text).len() - kept + new);
        }
        let Value::Integer(failed) = field(&drafts[0], "segments_failed") else { panic!("a number") };
        let Value::Texts(rejected) = field(&drafts[0], "rephrase_rejected") else { panic!("texts") };
        let of_items = rejected.iter().filter(|word| word.starts_with("pair_") || word.starts_with("item_")).count();
        let of_seed = rejected.iter().filter(|word| *word == "beyond_seed").count();
        prop_assert_eq!(*failed, i64::try_from(rejected.len() - of_items - of_seed).unwrap());
    }
}
