//! Errors put into rewrites by teachers, and how many the gates find: for the bench, and for the test that holds the
//! criterion. Articles are halved by their ids; limits were chosen on the one half and are reported on the other.

use std::collections::BTreeMap;

use palimpsest_checks::talk::Leaks;
use palimpsest_plugin::seed;

use crate::gate::{self, Gated, Reject, Said};
use crate::inject::{Kind, inject};
use crate::settings::{Family, Held};

/// An article at three levels, the most difficult first.
#[derive(Debug, Clone)]
pub struct Article {
    pub id: String,
    pub levels: [String; 3],
}

impl Article {
    /// Whether it is of the half that limits were chosen on.
    #[must_use]
    pub fn is_tuning(&self) -> bool {
        seed(&[&self.id]).is_multiple_of(2)
    }

    /// Sources and rewrites: each level and those that are easier.
    #[must_use]
    pub fn pairs(&self) -> [(&str, &str); 3] {
        let [advanced, intermediate, elementary] = &self.levels;
        [(advanced, intermediate), (intermediate, elementary), (advanced, elementary)]
    }
}

/// How many errors of each kind are put into each rewrite, one at a time.
const INJECTIONS: u64 = 5;

/// What was tried and what was caught.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caught {
    pub tried: usize,
    /// By the gates of the kind.
    pub caught: usize,
    /// By any gate.
    pub by_any: usize,
}

impl Caught {
    #[must_use]
    pub fn share(&self) -> f64 {
        palimpsest_checks::runs::share(self.caught, self.tried)
    }

    #[must_use]
    pub fn share_by_any(&self) -> f64 {
        palimpsest_checks::runs::share(self.by_any, self.tried)
    }

    fn add(&mut self, rejects: &[Reject], own: &[Reject]) {
        self.tried += 1;
        self.caught += usize::from(rejects.iter().any(|reject| own.contains(reject)));
        self.by_any += usize::from(!rejects.is_empty());
    }
}

/// What the gates found, by kind of error and by gate.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Of each kind of error, how many were found.
    pub recall: BTreeMap<Kind, Caught>,
    /// Of the rewrites by teachers, how many the gates of each kind reject.
    pub false_alarms: BTreeMap<Kind, Caught>,
    pub rewrites: usize,
    /// Rewrites by teachers that any gate rejects, and each with its reasons.
    pub rejected: Vec<(String, String)>,
}

fn gates(kind: Kind) -> &'static [Reject] {
    match kind {
        Kind::NumberChanged | Kind::NumbersExchanged => &[Reject::NewNumber, Reject::NumberSwap],
        Kind::NameChanged | Kind::NamesExchanged => &[Reject::NewName, Reject::NameSwap],
        Kind::NegationFlipped => &[Reject::Negation],
        Kind::SentenceAdded => &[Reject::Addition],
    }
}

/// All that the limits of a paraphrase reject, not only the first.
fn rejects(source: &str, rewrite: &str) -> Vec<(Reject, String)> {
    let held = Held::of(Family::Paraphrase);
    let Gated { measures, said, .. } = gate::check(source, rewrite, &held, (1.0, &Leaks::default()));
    let found = [
        (Reject::NewNumber, measures.new_number, held.new_number),
        (Reject::NumberSwap, measures.number_swap, held.number_swap),
        (Reject::NewName, measures.new_name, held.new_name),
        (Reject::NameSwap, measures.name_swap, held.name_swap),
        (Reject::Negation, measures.negation, held.negation),
        (Reject::Addition, measures.addition, held.addition),
    ];
    let mut rejects: Vec<(Reject, String)> = found
        .into_iter()
        .filter(|(_, found, limit)| *limit < found.value)
        .map(|(reject, found, _)| (reject, found.problem))
        .collect();
    if let Said::Fails(reject, problem) = said
        && rejects.iter().all(|(known, _)| *known != reject)
    {
        rejects.push((reject, problem));
    }
    rejects
}

/// Measures the articles of one half; `articles` are all, as names and sentences are taken from others.
#[must_use]
pub fn measure(articles: &[Article], tuning: bool) -> Table {
    let mut table = Table::default();
    for (at, article) in articles.iter().enumerate().filter(|(_, article)| article.is_tuning() == tuning) {
        for (level, (source, rewrite)) in article.pairs().into_iter().enumerate() {
            let human = rejects(source, rewrite);
            table.rewrites += 1;
            let words: Vec<Reject> = human.iter().map(|(reject, _)| *reject).collect();
            table.rejected.extend(human.into_iter().map(|(reject, problem)| {
                (article.id.clone(), format!("{}: {}", reject.word(), problem.replace('\n', " ")))
            }));
            for kind in Kind::ALL {
                table.false_alarms.entry(kind).or_default().add(&words, gates(kind));
                for number in 0..INJECTIONS {
                    // Other articles, each time another, at the level of the rewrite.
                    let far = 1 + usize::try_from(number).unwrap_or(0) * 7;
                    let other = articles.get((at + far) % articles.len());
                    let level = [1, 2, 2].get(level).copied().unwrap_or(2);
                    let other = other.and_then(|other| other.levels.get(level)).map_or("", String::as_str);
                    let Some(wrong) = inject(kind, rewrite, other, number) else { continue };
                    let found: Vec<Reject> =
                        rejects(source, &wrong).into_iter().map(|(reject, _)| reject).collect();
                    table.recall.entry(kind).or_default().add(&found, gates(kind));
                }
            }
        }
    }
    table
}

/// What the stage computes for one segment, for the clock.
#[must_use]
pub fn judge(source: &str, rewrite: &str) -> bool {
    let held = Held::of(Family::Paraphrase);
    let gated = gate::check(source, rewrite, &held, (1.0, &Leaks::default()));
    matches!(gated.said, Said::Passes)
}
