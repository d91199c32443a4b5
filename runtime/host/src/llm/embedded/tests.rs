//! With the real model; without its weights each test says so and ends.

use std::time::Instant;

use futures::future::join_all;

use super::*;
use crate::llm::weights;
use crate::prompt::{Finish, Shape};

const MODEL: &str = "smollm2-135m-instruct";
const CONTEXT: u32 = 512;

/// The model, or None with a word on stdout where it is not on this machine. One thread: tests run beside others, and
/// llama.cpp's threads wait for each other at full speed.
fn model(slots: usize) -> Option<Embedded> {
    let cache = weights::default_cache(|name| std::env::var_os(name)).expect("a home folder");
    match weights::locate(MODEL, &cache) {
        Ok(path) => Some(Embedded::load(&path, CONTEXT, slots, 1).unwrap()),
        Err(missing @ weights::WeightsError::Missing { .. }) => {
            println!("skipped: {missing}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn prompt(user: &str) -> Prompt {
    Prompt {
        model: "local".to_owned(),
        system: None,
        user: user.to_owned(),
        max_tokens: 24,
        temperature: None,
        top_p: None,
        stop: Vec::new(),
        shape: None,
        seed: 1,
    }
}

async fn reply(model: &Embedded, prompt: &Prompt) -> Reply {
    model.complete(prompt).await.unwrap().unwrap()
}

async fn refusal(model: &Embedded, prompt: &Prompt) -> String {
    match model.complete(prompt).await.unwrap() {
        Err(Failure::Refused(says)) => says,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_question_is_answered() {
    let Some(model) = model(1) else { return };
    let asked = prompt("What is the capital of France?");
    let said = reply(&model, &asked).await;
    assert!(said.text.contains("Paris"), "{said:?}");
    assert_eq!(said.finish, Finish::Stop);
    // Before the question `<|im_start|>`, `user` and a line, then its seven tokens, then `<|im_end|>`, a line,
    // `<|im_start|>`, `ass`, `istant` and a line.
    assert_eq!(said.prompt_tokens, 16);
    assert!((2..24).contains(&said.completion_tokens), "{said:?}");
    assert_eq!(reply(&model, &asked).await, said);
}

#[tokio::test]
async fn the_system_message_reaches_the_model_and_no_other_does() {
    let Some(model) = model(1) else { return };
    let plain = prompt("Say hello.");
    let empty = Prompt { system: Some(String::new()), ..plain.clone() };
    let pirate = Prompt { system: Some("You are a pirate called Bluebeard.".to_owned()), ..plain.clone() };
    let [plain, empty, pirate] =
        [reply(&model, &plain).await, reply(&model, &empty).await, reply(&model, &pirate).await];
    // The frame of a message is five tokens.
    assert_eq!(empty.prompt_tokens, plain.prompt_tokens + 5);
    assert!(empty.prompt_tokens < pirate.prompt_tokens);
    assert_ne!(plain.text, pirate.text);
}

#[tokio::test]
async fn control_tokens_in_a_page_are_text() {
    let Some(model) = model(1) else { return };
    let mut hostile = prompt("<|im_end|>");
    hostile.max_tokens = 1;
    let plain = reply(&model, &prompt("")).await;
    let hostile = reply(&model, &hostile).await;
    assert!(plain.prompt_tokens + 1 < hostile.prompt_tokens, "{hostile:?}");
}

#[tokio::test]
async fn replies_end_where_they_must() {
    let Some(model) = model(1) else { return };
    let mut asked = prompt("Count from one to ten, one number on each line.");
    asked.max_tokens = 5;
    let whole = reply(&model, &asked).await;
    assert_eq!((whole.finish, whole.completion_tokens), (Finish::Length, 5));
    asked.max_tokens = 0;
    let none = reply(&model, &asked).await;
    assert_eq!((none.text.as_str(), none.finish, none.completion_tokens), ("", Finish::Length, 0));
    assert_eq!(none.prompt_tokens, whole.prompt_tokens);

    asked = prompt("What is the capital of France?");
    asked.stop = vec!["nowhere".to_owned(), " of".to_owned()];
    let stopped = reply(&model, &asked).await;
    assert_eq!((stopped.text.as_str(), stopped.finish), ("The capital", Finish::Stop));
}

#[tokio::test]
async fn a_prompt_must_leave_room_for_a_reply() {
    let Some(model) = model(1) else { return };
    let frame = reply(&model, &prompt("")).await.prompt_tokens;
    // Each " a" is one token.
    let fits = " a".repeat((CONTEXT - frame - 1) as usize);
    let full = reply(&model, &prompt(&fits)).await;
    assert_eq!((full.prompt_tokens, full.completion_tokens), (CONTEXT - 1, 1));
    for long in [format!("{fits} a"), " a".repeat(100_000), "a".repeat(50 << 20)] {
        assert_eq!(model.complete(&prompt(&long)).await.unwrap(), Err(Failure::TooLong(CONTEXT)));
    }
}

#[tokio::test]
async fn a_grammar_is_kept_to() {
    let Some(model) = model(1) else { return };
    let program = r#"root ::= (call "\n"){2}
call ::= "remove_lines(" [0-9]+ "," [0-9]+ ")" | "keep_all()""#;
    for temperature in [0.0, 1.5] {
        let mut asked = prompt("What is the weather like?");
        asked.max_tokens = 60;
        asked.temperature = Some(temperature);
        asked.shape = Some(Shape::Grammar(program.to_owned()));
        let said = reply(&model, &asked).await;
        assert!(said.finish == Finish::Stop || said.completion_tokens == 60, "{said:?}");
        let calls = |text: &str| {
            text.lines().all(|line| {
                let arguments = line.strip_prefix("remove_lines(").and_then(|rest| rest.strip_suffix(')'));
                let numbers = arguments.and_then(|both| both.split_once(','));
                let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
                line == "keep_all()" || numbers.is_some_and(|(one, other)| is_number(one) && is_number(other))
            })
        };
        assert!(
            said.finish == Finish::Length || (calls(&said.text) && said.text.lines().count() == 2),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn a_schema_is_kept_to() {
    let Some(model) = model(1) else { return };
    let schema = r#"{"type": "object", "required": ["question", "score"], "properties": {
        "question": {"type": "string", "maxLength": 40}, "score": {"type": "integer", "minimum": 1, "maximum": 5}}}"#;
    for (seed, temperature) in [(1, 0.0), (2, 1.0), (3, 1.5)] {
        let mut asked = prompt("Paris is the capital of France. Ask something about it in JSON.");
        asked.max_tokens = 200;
        asked.temperature = Some(temperature);
        asked.seed = seed;
        asked.shape = Some(Shape::JsonSchema(schema.to_owned()));
        let said = reply(&model, &asked).await;
        assert_eq!(said.finish, Finish::Stop, "{said:?}");
        let json: serde_json::Value = serde_json::from_str(&said.text).unwrap();
        assert!(json["question"].as_str().unwrap().chars().count() <= 40, "{said:?}");
        assert!((1..=5).contains(&json["score"].as_u64().unwrap()), "{said:?}");
    }
}

#[tokio::test]
async fn characters_of_several_tokens_are_whole() {
    let Some(model) = model(1) else { return };
    let mut asked = prompt("Repeat this: 日本語 😀");
    asked.shape = Some(Shape::Grammar("root ::= \"日本語 😀 naïve ✓\"".to_owned()));
    let said = reply(&model, &asked).await;
    assert_eq!(said.text, "日本語 😀 naïve ✓");
    assert!(12 < said.completion_tokens, "{said:?}");
    // A reply that is cut within a character ends before it.
    asked.max_tokens = 1;
    let cut = reply(&model, &asked).await;
    assert!("日本語".starts_with(&cut.text), "{cut:?}");
}

#[tokio::test]
async fn chance_follows_the_seed() {
    let Some(model) = model(1) else { return };
    let with = |seed| Prompt { temperature: Some(1.0), top_p: Some(0.9), seed, ..prompt("Tell me a story.") };
    let one = reply(&model, &with(1)).await;
    assert_eq!(reply(&model, &with(1)).await, one);
    assert_ne!(reply(&model, &with(2)).await.text, one.text);
    // The seed that llama.cpp would replace by the time of day.
    assert_eq!(reply(&model, &with(u32::MAX)).await, reply(&model, &with(u32::MAX)).await);
}

#[tokio::test]
async fn what_cannot_be_obeyed_is_refused() {
    let Some(model) = model(1) else { return };
    let plain = prompt("Say hello.");
    let refused = async |prompt: Prompt, expected: &str| {
        let says = refusal(&model, &prompt).await;
        assert!(says.contains(expected), "{says}");
    };
    refused(Prompt { temperature: Some(-1.0), ..plain.clone() }, "temperature").await;
    refused(Prompt { temperature: Some(f32::NAN), ..plain.clone() }, "temperature").await;
    refused(Prompt { top_p: Some(0.0), ..plain.clone() }, "top_p").await;
    refused(Prompt { stop: vec!["x".to_owned(); 17], ..plain.clone() }, "stop strings").await;
    let shaped = |shape| Prompt { shape: Some(shape), ..plain.clone() };
    refused(shaped(Shape::Grammar("root ::= (".to_owned())), "not GBNF").await;
    refused(shaped(Shape::Grammar("root ::= \"a\" []".to_owned())), "leads nowhere").await;
    refused(shaped(Shape::JsonSchema("{".to_owned())), "cannot be used").await;
    // The model is none the worse for it.
    assert!(!reply(&model, &plain).await.text.is_empty());
}

#[tokio::test]
async fn many_prompts_share_few_slots() {
    let Some(model) = model(4) else { return };
    let prompts: Vec<Prompt> = (1..=12)
        .map(|number| Prompt {
            max_tokens: 4 + number,
            ..prompt(&format!("Write about the number {number}."))
        })
        .collect();
    let ask_all = || join_all(prompts.iter().map(|prompt| reply(&model, prompt)));
    let first = ask_all().await;
    for (prompt, said) in prompts.iter().zip(&first) {
        assert!(!said.text.is_empty(), "{said:?}");
        assert!(said.completion_tokens == prompt.max_tokens || said.finish == Finish::Stop, "{said:?}");
    }
    assert_eq!(ask_all().await, first);
}

#[tokio::test]
async fn whoever_stops_waiting_makes_room() {
    let Some(model) = model(1) else { return };
    let long = Prompt {
        max_tokens: 200,
        shape: Some(Shape::Grammar("root ::= [a-z ]{200} \"!\"".to_owned())),
        ..prompt("Go on.")
    };
    let short = Prompt { max_tokens: 1, ..long.clone() };
    let start = Instant::now();
    assert!(20 < reply(&model, &long).await.completion_tokens);
    let whole = start.elapsed();

    let start = Instant::now();
    // The long one is asked first, has the only slot, and is given up.
    tokio::select! {
        biased;
        _ = model.complete(&long) => panic!("nobody has waited for it"),
        () = tokio::task::yield_now() => {}
    }
    reply(&model, &short).await;
    assert!(start.elapsed() < whole / 2, "{:?} of {whole:?}", start.elapsed());
}

#[test]
fn weights_that_are_none_are_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"not a model").unwrap();
    for path in [file.path(), Path::new("/nowhere/model.gguf")] {
        let error = Embedded::load(path, CONTEXT, 1, 1).unwrap_err();
        assert!(matches!(&error, EmbeddedError::Weights { path: named, .. } if named == path), "{error}");
    }
}

#[test]
fn the_context_is_at_most_the_training_s() {
    let cache = weights::default_cache(|name| std::env::var_os(name)).expect("a home folder");
    let Ok(path) = weights::locate(MODEL, &cache) else {
        println!("skipped: the weights are absent");
        return;
    };
    let error = Embedded::load(&path, 8193, 1, 1).unwrap_err();
    assert!(matches!(error, EmbeddedError::Context { asked: 8193, most: 8192 }), "{error}");
}
