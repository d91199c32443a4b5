//! The language of a text, how sure that is, and which others are in it.

use std::collections::BTreeMap;

use lingua::{Language, LanguageDetector, LanguageDetectorBuilder};

use crate::codes::{self, UNKNOWN};
use crate::evidence;
use crate::look::Look;
use crate::sample::Prose;
use crate::script::{Counts, Script};

/// A window that is less sure than this (names, code, a list) does not say that a page has another language.
const SURE: f64 = 0.8;

/// From here on a window speaks for those that look like it.
const CERTAIN: f64 = 0.95;

/// Windows that disagree are a page in several languages, whose shares a few windows do not tell.
const CLOSER_LOOK: usize = 4;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// ISO 639-1, or [`UNKNOWN`].
    pub(crate) language: String,
    /// ISO 15924: what most of its letters are written in.
    pub(crate) script: &'static str,
    /// Between 0 and 1, in steps of a ten-thousandth; 0 for [`UNKNOWN`], of which nobody is sure.
    pub(crate) score: f64,
    /// The same within the windows that are in this language: a page that is half in another scores 0.5, its half 1.
    pub(crate) own_score: f64,
    /// The share of each language, the largest first, in a text that has several; empty in any other.
    pub(crate) shares: Vec<(String, f64)>,
}

/// How much of a text is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    pub(crate) count: usize,
    pub(crate) chars: usize,
}

/// A piece of a text, and what it shows without the models.
#[derive(Debug)]
struct Window {
    text: String,
    look: Look,
}

fn looked_at(windows: Vec<String>) -> Vec<Window> {
    windows.into_iter().map(|text| Window { look: Look::of(&text), text }).collect()
}

/// What the models say of a window, the likeliest language first.
#[derive(Debug, Clone)]
struct Vote(Vec<(String, f64)>);

impl Vote {
    fn unknown() -> Self {
        Self(vec![(UNKNOWN.to_owned(), 1.0)])
    }

    fn first(&self) -> &str {
        self.0.first().map_or(UNKNOWN, |(language, _)| language)
    }

    fn is_sure(&self) -> bool {
        self.0.first().is_some_and(|(_, confidence)| SURE <= *confidence)
    }

    fn of(&self, language: &str) -> f64 {
        self.0.iter().find(|(voted, _)| voted == language).map_or(0.0, |(_, confidence)| *confidence)
    }
}

/// The models, once for all texts.
pub(crate) struct Detector {
    models: LanguageDetector,
    /// Sorted, so that all that is made from it is.
    codes: Vec<String>,
    windows: Windows,
}

impl Detector {
    pub(crate) fn new(windows: Windows) -> Self {
        let models = LanguageDetectorBuilder::from_all_languages().build();
        Self { models, codes: codes::known(), windows }
    }

    /// None where there are fewer letters than that.
    pub(crate) fn detect(&self, text: &str, min_letters: usize) -> Option<Answer> {
        let Windows { count, chars } = self.windows;
        let prose = Prose::of(text, chars);
        let mut windows = looked_at(prose.windows(count, chars));
        let letters = windows.iter().flat_map(|window| window.text.chars()).filter(|c| c.is_alphabetic());
        if letters.take(min_letters.max(1)).count() < min_letters.max(1) {
            return None;
        }
        let mut votes = self.ask(&windows);
        let disagree = languages(&votes).len() > 1;
        if disagree {
            windows = looked_at(prose.windows(count * CLOSER_LOOK, chars));
            votes = self.ask(&windows);
        }
        check(&mut votes, &windows, disagree);
        Some(self.answer(&votes, &windows))
    }

    /// Where the models were sure of a window, those after it that are plainly in the same language are not shown to
    /// them: on most pages that saves two thirds of the time.
    fn ask(&self, windows: &[Window]) -> Vec<Vote> {
        let mut certain: Vec<Vote> = Vec::new();
        let mut votes = Vec::with_capacity(windows.len());
        for window in windows {
            let same = certain.iter().find(|vote| evidence::is_plainly(vote.first(), &window.look));
            let vote = same.cloned().unwrap_or_else(|| {
                let vote = self.vote(window);
                if vote.0.first().is_some_and(|(_, confidence)| CERTAIN <= *confidence) {
                    certain.push(vote.clone());
                }
                vote
            });
            votes.push(vote);
        }
        votes
    }

    fn vote(&self, window: &Window) -> Vote {
        let known = window.look.scripts.most().is_some_and(|script| {
            script.languages().iter().any(|code| self.codes.iter().any(|known| known == code))
        });
        if !known {
            return Vote::unknown();
        }
        let text = window.text.as_str();
        let values = match evidence::candidates(&window.look, &self.codes) {
            // The models are the process's, a detector is a list of names.
            Some(few) => {
                let few: Vec<Language> = few.into_iter().filter_map(codes::language).collect();
                LanguageDetectorBuilder::from_languages(&few).build().compute_language_confidence_values(text)
            }
            None => self.models.compute_language_confidence_values(text),
        };
        Vote(values.into_iter().map(|(language, confidence)| (codes::code(language), confidence)).collect())
    }

    fn answer(&self, votes: &[Vote], windows: &[Window]) -> Answer {
        let shares = shares(votes);
        let language = match shares.as_slice() {
            [(main, _), _, ..] => main.clone(),
            [] | [_] => self.likeliest(votes),
        };
        let of = |own: bool| -> Vec<(&Vote, &Look)> {
            let all = votes.iter().zip(windows.iter().map(|window| &window.look));
            all.filter(|(vote, _)| !own || vote.first() == language).collect()
        };
        let mut scripts = Counts::default();
        of(true).iter().for_each(|(_, look)| scripts.merge(&look.scripts));
        let script = scripts.most().unwrap_or(Script::Other).code(&language);
        let score = |votes: &[(&Vote, &Look)]| {
            if language == UNKNOWN { 0.0 } else { mean(votes.iter().map(|(vote, _)| vote.of(&language))) }
        };
        let (score, own_score) = (score(&of(false)), score(&of(true)));
        let shares = if shares.len() < 2 { Vec::new() } else { shares };
        Answer { language, script, score, own_score, shares }
    }

    /// The language with the highest mean confidence over all windows.
    fn likeliest(&self, votes: &[Vote]) -> String {
        let mean = |code: &str| mean(votes.iter().map(|vote| vote.of(code)));
        let start = (UNKNOWN, mean(UNKNOWN));
        let best = self.codes.iter().fold(start, |best, code| {
            let score = mean(code);
            if best.1 < score { (code, score) } else { best }
        });
        best.0.to_owned()
    }
}

/// What the letters and words of the windows say against the models. A page in one language is held against it as a
/// whole, since the more there is the surer that is; a page in several, in each by itself.
fn check(votes: &mut [Vote], windows: &[Window], apart: bool) {
    let firsts: Vec<String> = votes.iter().map(|vote| vote.first().to_owned()).collect();
    let mut held = BTreeMap::new();
    for (vote, first) in votes.iter_mut().zip(&firsts) {
        let contradicted = *held.entry(first).or_insert_with(|| {
            let own = windows.iter().zip(&firsts).filter(|(_, other)| !apart || *other == first);
            evidence::contradicts(first, &own.map(|(window, _)| &window.look).collect::<Vec<_>>())
        });
        if contradicted {
            *vote = Vote::unknown();
        }
    }
}

/// The languages that windows are sure of, and in how many.
fn languages(votes: &[Vote]) -> BTreeMap<&str, usize> {
    let mut languages = BTreeMap::new();
    for vote in votes.iter().filter(|vote| vote.is_sure()) {
        *languages.entry(vote.first()).or_default() += 1;
    }
    languages
}

/// The share of each language among the windows that are sure, the largest first.
fn shares(votes: &[Vote]) -> Vec<(String, f64)> {
    let languages = languages(votes);
    let all = languages.values().sum::<usize>() as f64;
    let mut shares: Vec<(String, f64)> =
        languages.into_iter().map(|(language, count)| (language.to_owned(), count as f64 / all)).collect();
    // Stable, so that languages of the same share stay in the order of the alphabet.
    shares.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    shares
}

/// The models add up in an order that is not always the same; that shows in the last digits only.
fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    (values.sum::<f64>() / count * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(language: &str, confidence: f64) -> Vote {
        Vote(vec![(language.to_owned(), confidence), ("xx".to_owned(), 1.0 - confidence)])
    }

    #[test]
    fn windows_that_are_unsure_have_no_share() {
        let check = |votes: &[Vote], expected: &[(&str, f64)]| {
            let shares = shares(votes);
            let shares: Vec<_> = shares.iter().map(|(language, share)| (language.as_str(), *share)).collect();
            assert_eq!(shares, expected);
        };
        let (en, fr, unsure) = (vote("en", 0.9), vote("fr", 0.9), vote("nl", 0.6));
        check(&[], &[]);
        check(std::slice::from_ref(&unsure), &[]);
        check(&[en.clone(), unsure, fr.clone(), fr.clone(), fr.clone()], &[("fr", 0.75), ("en", 0.25)]);
        check(&[fr, en], &[("en", 0.5), ("fr", 0.5)]);
    }

    #[test]
    fn a_page_in_several_languages_is_checked_in_each() {
        let windows = looked_at(
            ["Die Straße führt über die Brücke nach Köln", "Älvar och åar på vägen över bron från gården"]
                .map(str::to_owned)
                .to_vec(),
        );
        let first = |apart| {
            let mut votes = [vote("de", 0.9), vote("nl", 0.9)];
            check(&mut votes, &windows, apart);
            votes.map(|vote| vote.first().to_owned())
        };
        assert_eq!(first(true), ["de", "und"]);
        assert_eq!(first(false), ["und", "und"]);
    }
}
