//! The stage `cleanup`: a language model writes a small program for each part of a page, and the program is run here.
//!
//! The model never writes text that reaches the output by itself. Its calls can take lines away and replace strings by
//! shorter ones, in the part of the page that it was shown, within the caps of the settings; everything else that it
//! says is recorded and changes nothing. So a page that talks to the model can spoil itself and nobody else.

mod ask;
mod chunk;
mod document;
pub mod execute;
mod labels;
pub mod program;
pub mod prox;
mod record;
mod settings;
mod shape;
mod site;
mod words;

use palimpsest_plugin::{Column, Failure, Finish, Outcome, Page, Reply, Stage, register};

pub use ask::Format;
use chunk::{Chunk, Skipped};
use document::Decision;
use execute::{Edited, execute};
use prox::share;
use record::{Record, Scope};
pub use settings::{Level, Mode, Settings};
pub use shape::Constraint;
pub use site::SiteSettings;
use words::words;

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
        record::columns()
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        let mut record = Record::default();
        if self.settings.level != Level::Chunk && !page.text().trim().is_empty() {
            // Alone, and before all else: a page that is dropped costs this one question.
            let decision = self.decide(page).await;
            record.templates.push(document::template(&self.settings));
            if decision == Ok(Decision::Drop) {
                return Ok(Outcome::drop(Dropped::DropDoc.reason()));
            }
            record.document = Some(decision.map_or_else(|word| word, Decision::word));
        }
        let text = match self.settings.level {
            Level::Document => Ok(page.text().to_owned()),
            Level::Chunk | Level::Both => self.clean(page, &mut record).await,
        };
        Ok(match text {
            Ok(text) => record.outcome(page.text(), text),
            Err(dropped) => Outcome::drop(dropped.reason()),
        })
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
pub(crate) fn answer(reply: Option<Result<Reply, Failure>>) -> Result<String, &'static str> {
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dropped {
    /// The document's decision, or every chunk's program.
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

impl Cleanup {
    async fn decide(&self, page: &Page<'_>) -> Result<Decision, &'static str> {
        let reply = page.ask(document::question(&self.settings, page)).await;
        answer(Some(reply)).map(|reply| document::decide(self.settings.mode, &reply))
    }

    /// By the site's program where there is one that holds, by programs of the page's own elsewhere.
    async fn clean(&self, page: &Page<'_>, record: &mut Record) -> Result<String, Dropped> {
        if let Some(site) = &self.settings.site
            && !page.text().trim().is_empty()
        {
            let cleaned = match site::know(&self.settings, site, page) {
                Ok(known) => known.clean(&self.settings, site, page).await,
                Err(fallback) => Err(fallback),
            };
            match cleaned {
                Ok(cleaned) => {
                    record.scope = Scope::Site;
                    record.site = Some(cleaned.digest);
                    record.templates.push(site::template(&self.settings));
                    record.programs = cleaned.programs;
                    cleaned.calls.into_iter().for_each(|(call, fate)| record.call(call, fate.word()));
                    return self.worth_keeping(page.text(), cleaned.text);
                }
                Err(fallback) => record.call("site".to_owned(), fallback),
            }
        }
        self.clean_by_chunks(page, record).await
    }

    async fn clean_by_chunks(&self, page: &Page<'_>, record: &mut Record) -> Result<String, Dropped> {
        let lines: Vec<&str> = page.text().split('\n').collect();
        let answers = self.ask(page, &lines).await;
        record.templates.push(ask::template(&self.settings));
        record.programs.extend(answers.iter().filter_map(|answer| answer.answer.clone().ok()));
        if answers.iter().any(|answer| answer.chunk.skipped.is_none()) {
            record.scope = Scope::Page;
        }
        match self.settings.mode {
            Mode::Normal => self.run(&lines, &answers, record),
            Mode::Reference => self.run_reference(page.text(), &answers, record),
        }
    }

    async fn ask(&self, page: &Page<'_>, lines: &[&str]) -> Vec<Answer> {
        let settings = &self.settings;
        let max_lines = if settings.format == Format::Labels { labels::MAX_LINES } else { usize::MAX };
        let mut chunks = chunk::split(lines, settings.max_chunk_tokens, max_lines, |number, line| {
            page.count_tokens(&settings.model, &(ask::line(settings.format, number, line) + "\n"))
        });
        if settings.mode == Mode::Reference && !page.text().trim().is_empty() {
            chunk::ask_all(&mut chunks);
        }
        chunk::limit(&mut chunks, settings.max_chunks);
        let asked = chunks.iter().filter(|chunk| chunk.skipped.is_none());
        let prompts = asked
            .map(|chunk| ask::chunk(settings, &page.document().id, chunk.lines.start, slice(lines, chunk)))
            .collect();
        let mut replies = page.ask_all(prompts).await.into_iter();
        let mut answers = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let answer = match chunk.skipped {
                Some(skipped) => Err(skipped.word()),
                None => answer(replies.next()).map(|reply| {
                    ask::program(settings.format, chunk.lines.start, slice(lines, &chunk), reply)
                }),
            };
            answers.push(Answer { chunk, answer });
        }
        answers
    }

    /// Each program on its own chunk.
    fn run(&self, lines: &[&str], answers: &[Answer], record: &mut Record) -> Result<String, Dropped> {
        let mut left = Vec::new();
        let (mut dropping, mut judged) = (0, 0);
        for answer in answers {
            let part = slice(lines, &answer.chunk);
            let edited = match &answer.answer {
                Ok(program) => execute(part, answer.chunk.lines.start, program, &self.settings.caps()),
                Err(word) => {
                    if *word != Skipped::Blank.word() {
                        record.call(answer.name(), word);
                        judged += 1;
                    }
                    Edited::untouched(part)
                }
            };
            judged += usize::from(answer.answer.is_ok());
            dropping += usize::from(edited.drop_doc);
            edited.calls.into_iter().for_each(|(call, fate)| record.call(call, fate.word()));
            if edited.fell_back {
                record.call(answer.name(), "fell_back");
            }
            left.extend(edited.lines);
        }
        // One chunk sees a part of the page; only all of them together may say that nothing of it is worth keeping.
        if 0 < dropping && dropping == judged {
            return Err(Dropped::DropDoc);
        }
        self.worth_keeping(&lines.join("\n"), left.join("\n"))
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
    fn run_reference(&self, text: &str, answers: &[Answer], record: &mut Record) -> Result<String, Dropped> {
        let programs: Vec<&str> = answers.iter().filter_map(|answer| answer.answer.as_deref().ok()).collect();
        let executed = prox::execute(text, &programs.join("\n"), &self.settings.thresholds());
        executed.calls.into_iter().for_each(|(call, word)| record.call(call, word));
        for answer in answers {
            if let Err(word) = &answer.answer {
                record.call(answer.name(), word);
            }
        }
        executed.text.ok_or(Dropped::Prox)
    }
}

fn slice<'a>(lines: &'a [&'a str], chunk: &Chunk) -> &'a [&'a str] {
    lines.get(chunk.lines.clone()).unwrap_or_default()
}

register!(Cleanup);

#[cfg(test)]
mod defects;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
