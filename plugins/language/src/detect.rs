//! The language of a text, and how sure that is.

use lingua::{Language, LanguageDetector, LanguageDetectorBuilder};

use crate::evidence;
use crate::sample;
use crate::script::Script;

/// ISO 639 for a language that cannot be told, here: that the component does not know.
pub(crate) const UNKNOWN: &str = "und";

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// ISO 639-1, or [`UNKNOWN`].
    pub(crate) language: String,
    /// Between 0 and 1, in steps of a ten-thousandth; 0 for [`UNKNOWN`], of which nobody is sure.
    pub(crate) score: f64,
}

/// How much of a text is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    pub(crate) count: usize,
    pub(crate) chars: usize,
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
        Self { models: LanguageDetectorBuilder::from_all_languages().build(), codes: known(), windows }
    }

    /// None where there are fewer letters than that.
    pub(crate) fn detect(&self, text: &str, min_letters: usize) -> Option<Answer> {
        let windows = sample::windows(text, self.windows.count, self.windows.chars);
        let letters = windows.iter().flat_map(|window| window.chars()).filter(|c| c.is_alphabetic());
        if letters.take(min_letters.max(1)).count() < min_letters.max(1) {
            return None;
        }
        let votes: Vec<Vec<(String, f64)>> = windows.iter().map(|window| self.ask(window)).collect();
        let best = most(&votes, &self.codes);
        if best.language == UNKNOWN || evidence::contradicts(&best.language, &windows) {
            return Some(Answer { language: UNKNOWN.to_owned(), score: 0.0 });
        }
        Some(best)
    }

    fn ask(&self, window: &str) -> Vec<(String, f64)> {
        let known = Script::of_most(window).is_some_and(|script| {
            script.languages().iter().any(|code| self.codes.iter().any(|known| known == code))
        });
        if !known {
            return vec![(UNKNOWN.to_owned(), 1.0)];
        }
        let values = self.models.compute_language_confidence_values(window);
        values.into_iter().map(|(language, confidence)| (code(language), confidence)).collect()
    }
}

/// The language with the highest mean confidence over all windows.
fn most(votes: &[Vec<(String, f64)>], codes: &[String]) -> Answer {
    let mean = |code: &str| {
        let given =
            votes.iter().flatten().filter(|(voted, _)| voted == code).map(|(_, confidence)| confidence);
        // The models add up in an order that is not always the same; that shows in the last digits only.
        (given.sum::<f64>() / votes.len() as f64 * 10_000.0).round() / 10_000.0
    };
    let unknown = Answer { language: UNKNOWN.to_owned(), score: mean(UNKNOWN) };
    codes.iter().fold(unknown, |best, code| {
        let score = mean(code);
        if best.score < score { Answer { language: code.clone(), score } } else { best }
    })
}

/// The codes of all languages that this component was built with.
pub(crate) fn known() -> Vec<String> {
    let mut codes: Vec<String> = Language::all().into_iter().map(code).collect();
    codes.sort_unstable();
    codes
}

fn code(language: Language) -> String {
    language.iso_code_639_1().to_string()
}
