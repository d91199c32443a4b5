//! A reply as what its style asked for: a text, pairs, points, passages, turns. Judges nothing; whether it is any good is
//! the gate's question.

mod items;
mod json;
mod turns;

use crate::clean;
use crate::failed::Failed;
use crate::qa::{self, Pair};
use crate::style::{Reading, Style};

/// What a reply says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Text(String),
    Items(Vec<String>),
    Pairs(Vec<Pair>),
}

/// Reads a reply. Where it was cut off, only what is whole is taken of it.
pub(crate) fn read(style: &Style, reply: &str, cut_off: bool) -> Result<Said, Failed> {
    let reply = clean::after_thinking(reply);
    match style.reading {
        Reading::Prose => {
            let reply = if style.thinks {
                clean::behind_header(reply, &style.header).ok_or(if cut_off {
                    Failed::CutOff
                } else {
                    Failed::NoHeader
                })?
            } else {
                reply
            };
            text(clean::answer(reply, &style.header, style.markdown), cut_off)
        }
        Reading::Conversation => {
            let told = text(clean::answer(reply, &style.header, false), cut_off)?;
            let Said::Text(told) = told else { return Err(Failed::NoTurns) };
            turns::turns(&told).map(|turns| Said::Text(turns.to_owned())).ok_or(Failed::NoTurns)
        }
        Reading::Bullets => some(items::points(reply, cut_off), cut_off).map(Said::Items),
        Reading::Passages => some(items::passages(reply, cut_off), cut_off).map(Said::Items),
        Reading::Pairs => pairs(qa::pairs(reply, cut_off, style.max_items), style.markdown, cut_off),
        Reading::Json => {
            let mut found = json::pairs(reply);
            if found.is_empty() {
                found = qa::pairs(reply, cut_off, style.max_items);
            }
            found.truncate(style.max_items);
            pairs(found, true, cut_off)
        }
    }
}

fn text(answer: String, cut_off: bool) -> Result<Said, Failed> {
    if !cut_off {
        return Ok(Said::Text(answer));
    }
    match clean::whole_sentences(&answer) {
        "" => Err(Failed::CutOff),
        whole => Ok(Said::Text(whole.to_owned())),
    }
}

fn some(items: Vec<String>, cut_off: bool) -> Result<Vec<String>, Failed> {
    match (items.is_empty(), cut_off) {
        (false, _) => Ok(items),
        (true, true) => Err(Failed::CutOff),
        (true, false) => Err(Failed::NoItems),
    }
}

fn pairs(found: Vec<Pair>, markdown: bool, cut_off: bool) -> Result<Said, Failed> {
    if found.is_empty() {
        return Err(if cut_off { Failed::CutOff } else { Failed::NoPairs });
    }
    let plain = |text: String| if markdown { text } else { clean::plain(&text) };
    let pairs = found.into_iter().map(|pair| Pair {
        question: plain(pair.question),
        answer: plain(pair.answer),
        difficulty: pair.difficulty,
    });
    Ok(Said::Pairs(pairs.collect()))
}
