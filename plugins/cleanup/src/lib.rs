//! The stage `cleanup`: a language model writes a small program for each part of a page, and the program is run here.
//!
//! The model never writes text that reaches the output by itself. Its calls can take lines away and replace strings by
//! shorter ones, in the part of the page that it was shown, within the caps of the settings; everything else that it
//! says is recorded and changes nothing. So a page that talks to the model can spoil itself and nobody else.

mod ask;
mod chunk;
pub mod execute;
pub mod program;
pub mod prox;
mod settings;

use palimpsest_plugin::{
    Column, Draft, Failure, Finish, Kind, Outcome, Page, Reply, Stage, column, register,
};

pub use ask::Format;
use chunk::Chunk;
use execute::{Edited, execute};
use prox::{share, words};
pub use settings::{Executor, Settings};

/// The host takes 256 prompts in one round of asking.
const MAX_CHUNKS: usize = 256;

/// A server that sends more than was asked for is not read to the end.
const MAX_REPLY_BYTES: usize = 32 << 10;

/// The stage with its settings.
#[derive(Debug)]
pub struct Cleanup {
    settings: Settings,
}

impl Stage for Cleanup {
    const NAME: &'static str = "cleanup";
    const SUMMARY: &'static str =
        "removes boilerplate by running small programs that a language model writes";
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        settings.check()?;
        Ok(Self { settings })
    }

    fn columns(&self) -> Vec<Column> {
        vec![
            column("cleanup_template", Kind::Text),
            column("cleanup_programs", Kind::Texts),
            column("cleanup_calls", Kind::Texts),
            column("cleanup_removed", Kind::Number),
        ]
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        let settings = &self.settings;
        let lines: Vec<&str> = page.text().split('\n').collect();
        let mut chunks = chunk::split(&lines, settings.max_chunk_tokens, |number, line| {
            let shown = settings.format.line(number, line) + "\n";
            page.count_tokens(&settings.model, &shown)
        });
        chunk::limit(&mut chunks, settings.max_chunks);
        let asked = chunks.iter().filter(|chunk| chunk.skipped.is_none());
        let prompts = asked.map(|chunk| self.prompt(page, &lines, chunk)).collect();
        let mut replies = page.ask_all(prompts).await.into_iter();
        let answers: Vec<_> = chunks
            .into_iter()
            .map(|chunk| {
                let answer = match chunk.skipped {
                    Some(skipped) => Err(skipped.word()),
                    None => answer(replies.next()),
                };
                Answer { chunk, answer }
            })
            .collect();
        let cleaned = match settings.executor {
            Executor::Checked => self.run_checked(&lines, &answers),
            Executor::Prox => self.run_prox(page.text(), &answers),
        };
        Ok(cleaned.outcome(page.text(), &answers, settings.format.template()))
    }
}

/// A chunk and the program that a model wrote for it, or the word for why there is none.
struct Answer {
    chunk: Chunk,
    answer: Result<String, &'static str>,
}

impl Answer {
    /// The name of a chunk in the record of calls: its lines.
    fn name(&self) -> String {
        format!("chunk({},{})", self.chunk.lines.start, self.chunk.lines.end - 1)
    }
}

/// A reply that was cut off is a program all the same: its last call is unfinished, and so unparsable.
fn answer(reply: Option<Result<Reply, Failure>>) -> Result<String, &'static str> {
    match reply {
        Some(Ok(Reply { finish: Finish::Filtered, .. })) => Err("filtered"),
        Some(Ok(reply)) if reply.text.trim().is_empty() => Err("empty_reply"),
        Some(Ok(mut reply)) => {
            reply.text.truncate(reply.text.floor_char_boundary(MAX_REPLY_BYTES));
            Ok(reply.text)
        }
        Some(Err(Failure::Refused(_))) | None => Err("refused_by_server"),
        Some(Err(Failure::TooLong(_))) => Err("too_long_for_model"),
        Some(Err(Failure::GaveUp(_))) => Err("gave_up"),
        Some(Err(Failure::OverBudget)) => Err("over_budget"),
    }
}

/// A document after its programs.
struct Cleaned {
    /// None: the document ends here, for this reason.
    text: Result<String, Dropped>,
    calls: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dropped {
    /// Every chunk's program asked for it.
    DropDoc,
    /// Too small a share of the page is left.
    CleanedAway,
    /// Too few words are left.
    TooShort,
    /// The ProX executor does not say which.
    Prox,
}

impl Dropped {
    fn reason(self) -> &'static str {
        match self {
            Self::DropDoc => "cleanup_drop_doc",
            Self::CleanedAway => "cleanup_cleaned_away",
            Self::TooShort => "cleanup_too_short",
            Self::Prox => "cleanup_prox_dropped",
        }
    }
}

impl Cleaned {
    fn outcome(self, before: &str, answers: &[Answer], template: &str) -> Outcome {
        let text = match self.text {
            Ok(text) => text,
            Err(dropped) => return Outcome::drop(dropped.reason()),
        };
        let programs: Vec<String> =
            answers.iter().filter_map(|answer| answer.answer.as_ref().ok()).cloned().collect();
        let (kept, all) = (text.chars().count(), before.chars().count());
        // The prox executor may make a text longer; nothing has been removed then.
        let removed = share(all.saturating_sub(kept), all);
        let draft = if text == before { Draft::new() } else { Draft::new().text(text) };
        Outcome::keep(
            draft
                .with("cleanup_template", template)
                .with("cleanup_programs", programs)
                .with("cleanup_calls", self.calls)
                .with("cleanup_removed", removed),
        )
    }
}

impl Cleanup {
    fn prompt(&self, page: &Page<'_>, lines: &[&str], chunk: &Chunk) -> palimpsest_plugin::Prompt {
        let Settings { model, format, system, max_tokens, .. } = &self.settings;
        let shown: Vec<_> = (chunk.lines.start..)
            .zip(slice(lines, chunk))
            .map(|(number, line)| format.line(number, line))
            .collect();
        let mut prompt = format.prompt(model, &page.document().id, &shown, *max_tokens);
        prompt.system.clone_from(system);
        prompt
    }

    /// Each program on its own chunk.
    fn run_checked(&self, lines: &[&str], answers: &[Answer]) -> Cleaned {
        let mut calls = Vec::new();
        let mut left = Vec::new();
        let (mut dropping, mut judged) = (0, 0);
        for answer in answers {
            let part = slice(lines, &answer.chunk);
            let edited = match &answer.answer {
                Ok(program) => execute(part, answer.chunk.lines.start, program, &self.settings.caps()),
                Err(word) => {
                    if *word != chunk::Skipped::Blank.word() {
                        calls.push(format!("{}: {word}", answer.name()));
                        judged += 1;
                    }
                    Edited::untouched(part)
                }
            };
            judged += usize::from(answer.answer.is_ok());
            dropping += usize::from(edited.drop_doc);
            calls.extend(edited.calls.iter().map(|(call, fate)| format!("{call}: {}", fate.word())));
            if edited.fell_back {
                calls.push(format!("{}: fell_back", answer.name()));
            }
            left.extend(edited.lines);
        }
        // One chunk sees a part of the page; only all of them together may say that nothing of it is worth keeping.
        let text = if 0 < dropping && dropping == judged {
            Err(Dropped::DropDoc)
        } else {
            self.worth_keeping(&lines.join("\n"), left.join("\n"))
        };
        Cleaned { text, calls }
    }

    /// A page that no call changed passes, however short it is: that is for other stages to judge.
    fn worth_keeping(&self, before: &str, after: String) -> Result<String, Dropped> {
        if after == before {
            return Ok(after);
        }
        let (all, kept) = (words(before), words(&after));
        if share(kept, all) <= 1.0 - self.settings.drop_ratio {
            return Err(Dropped::CleanedAway);
        }
        if kept <= self.settings.min_words {
            return Err(Dropped::TooShort);
        }
        let enough = self.settings.min_kept <= share(kept, all);
        Ok(if enough { after } else { before.to_owned() })
    }

    /// All programs as one, on the whole document.
    fn run_prox(&self, text: &str, answers: &[Answer]) -> Cleaned {
        let programs: Vec<&str> = answers.iter().filter_map(|answer| answer.answer.as_deref().ok()).collect();
        let executed = prox::execute(text, &programs.join("\n"), &self.settings.thresholds());
        let failed = answers.iter().filter_map(|answer| {
            answer.answer.as_ref().err().map(|word| format!("{}: {word}", answer.name()))
        });
        let calls =
            executed.calls.iter().map(|(call, word)| format!("{call}: {word}")).chain(failed).collect();
        Cleaned { text: executed.text.ok_or(Dropped::Prox), calls }
    }
}

fn slice<'a>(lines: &'a [&'a str], chunk: &Chunk) -> &'a [&'a str] {
    lines.get(chunk.lines.clone()).unwrap_or_default()
}

register!(Cleanup);

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
