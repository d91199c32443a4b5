//! A stage that breaks one rule of the border, whichever its settings name, on every document whose text says `hostile`.
//! All others pass.

#![expect(
    clippy::disallowed_methods,
    reason = "what no module of the house may do is what a hostile guest does"
)]

use std::hint::black_box;

use palimpsest_plugin::{
    Column, Draft, Kind, Level, Outcome, Page, Shape, Stage, Value, column, prompt, register,
};

/// The stage.
#[derive(Debug)]
pub struct Hostile {
    does: Deed,
    model: String,
}

/// Its settings.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    does: Deed,
    #[serde(default)]
    model: String,
}

/// What it does.
#[derive(Debug, Clone, Copy, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    Panic,
    Exit,
    LoopForever,
    Recurse,
    TakeMemory,
    ReturnTooMuch,
    ReturnManyDrafts,
    EmitNothing,
    UndeclaredField,
    WrongKind,
    NotFinite,
    BadSpan,
    AskForever,
    AskTooMany,
    AskForNothing,
    AskUngranted,
    BadGrammar,
    CountUngranted,
    ReadUngranted,
    Classify,
    PostTooMuch,
    PostManyTimes,
    PostForNobody,
    Sleep,
    MakeUpReasons,
    FloodLog,
    Fail,
    /// Not hostile: what the sandbox gives for clock, randomness, arguments and environment.
    LookAround,
    /// Not hostile: remembers across documents, which `isolation = "fresh"` undoes.
    Remember,
}

impl Stage for Hostile {
    const NAME: &'static str = "hostile";
    const SUMMARY: &'static str = "breaks one rule";
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        Ok(Self { does: settings.does, model: settings.model })
    }

    fn columns(&self) -> Vec<Column> {
        vec![column("number", Kind::Number), column("seen", Kind::Text)]
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        if page.text().contains("hostile") {
            self.misbehave(page).await
        } else {
            Ok(Outcome::keep(Draft::new()))
        }
    }
}

impl Hostile {
    async fn misbehave(&self, page: &Page<'_>) -> Result<Outcome, String> {
        match self.does {
            Deed::Panic => panic!("on purpose"),
            Deed::Exit => std::process::exit(3),
            Deed::LoopForever => loop {
                black_box(0);
            },
            Deed::Recurse => Ok(Outcome::Drop(deeper(1).to_string())),
            Deed::TakeMemory => {
                let mut held = Vec::new();
                loop {
                    held.push(black_box(vec![1_u8; 1 << 20]));
                }
            }
            Deed::ReturnTooMuch => Ok(Outcome::keep(Draft::new().text("x".repeat(100 << 20)))),
            Deed::ReturnManyDrafts => Ok(Outcome::Emit(vec![Draft::new(); 100_000])),
            Deed::EmitNothing => Ok(Outcome::Emit(Vec::new())),
            Deed::UndeclaredField => Ok(Outcome::keep(Draft::new().with("surprise", true))),
            Deed::WrongKind => Ok(Outcome::keep(Draft::new().with("number", "seven"))),
            Deed::NotFinite => Ok(Outcome::keep(Draft::new().with("number", Value::Number(f64::NAN)))),
            Deed::BadSpan => Ok(Outcome::keep(Draft::new().span(0, usize::MAX))),
            Deed::AskForever => loop {
                // The failure is asked about as well: this stage never has enough.
                drop(page.ask(prompt(&self.model, "again".to_owned(), 4)).await);
            },
            Deed::AskTooMany => {
                let prompts = (0..10_000).map(|number| prompt(&self.model, number.to_string(), 4)).collect();
                Ok(Outcome::drop(if page.ask_all(prompts).await.is_empty() { "none" } else { "some" }))
            }
            Deed::AskForNothing => {
                page.ask_all(Vec::new()).await;
                std::future::pending().await
            }
            Deed::AskUngranted => {
                drop(page.ask(prompt("somebody_elses", "hello".to_owned(), 4)).await);
                Ok(Outcome::drop("answered"))
            }
            Deed::BadGrammar => {
                let mut asked = prompt(&self.model, "hello".to_owned(), 4);
                asked.shape = Some(Shape::Grammar("root ::= (".to_owned()));
                Ok(Outcome::drop(if page.ask(asked).await.is_err() { "refused" } else { "answered" }))
            }
            Deed::CountUngranted => {
                Ok(Outcome::Drop(page.count_tokens("somebody_elses", "text").to_string()))
            }
            Deed::ReadUngranted => match page.file("secrets") {
                Ok(_) => Ok(Outcome::drop("read_it")),
                Err(says) => Ok(Outcome::keep(Draft::new().with("seen", says))),
            },
            Deed::Classify => Ok(Outcome::Drop(page.classify("quality", "text").len().to_string())),
            Deed::PostTooMuch => {
                page.post(&["key".to_owned()], &"x".repeat(100_000), 1);
                Ok(Outcome::drop("posted"))
            }
            Deed::PostManyTimes => {
                let keys: Vec<String> = (0..1 << 16).map(|key: u32| key.to_string()).collect();
                page.post(&keys, &"x".repeat(1000), 1);
                Ok(Outcome::drop("posted"))
            }
            Deed::PostForNobody => {
                page.post(&["key".to_owned()], "", 0);
                Ok(Outcome::drop("posted"))
            }
            Deed::Sleep => {
                std::thread::sleep(std::time::Duration::from_secs(3600));
                Ok(Outcome::drop("slept"))
            }
            Deed::MakeUpReasons => Ok(Outcome::Drop(format!("because of {}", page.document().id))),
            Deed::FloodLog => {
                for number in 0..100_000 {
                    page.log(Level::Warn, &format!("{number} {}", "x".repeat(10_000)));
                }
                Ok(Outcome::keep(Draft::new()))
            }
            Deed::Fail => Err("this is not a document".to_owned()),
            Deed::LookAround => Ok(Outcome::keep(Draft::new().with("seen", look_around()))),
            Deed::Remember => {
                static CALLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
                let calls = CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Ok(Outcome::keep(Draft::new().with("seen", calls.to_string())))
            }
        }
    }
}

#[expect(unconditional_recursion, reason = "on purpose: the stack's limit is what is tested")]
fn deeper(depth: u64) -> u64 {
    deeper(black_box(depth) + 1) + 1
}

fn look_around() -> String {
    use std::hash::{BuildHasher, RandomState};
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!(
        "seconds {} arguments {} variables {} files {} seed {}",
        now.map_or(0, |now| now.as_secs()),
        std::env::args().count(),
        std::env::vars().count(),
        std::fs::read_dir("/").is_ok(),
        RandomState::new().hash_one(0),
    )
}

register!(Hostile);
