//! A site's program: rules that take lines away, what they do to a page, and whether they do it well on pages that their
//! writer has not seen. Values in, values out; knows neither models nor boards.

use std::collections::{BTreeMap, BTreeSet};

use super::pattern::Pattern;
use super::sample::Seen;
use crate::program::Verb;

/// One thing that a program does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub verb: Verb,
    pub pattern: Pattern,
}

impl Rule {
    /// What is left of a line without the beginning that the rule takes; none where it has no such beginning.
    pub(super) fn rest_of<'a>(&self, line: &'a str) -> Option<&'a str> {
        line.get(self.pattern.end_in(line)?..).map(str::trim_start)
    }
}

/// What becomes of a line, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Stays,
    Goes(usize),
    /// Its beginning goes, of so many characters with the blanks behind it.
    Loses {
        by: usize,
        chars: usize,
    },
}

/// Runs the rules on the lines of a page. Whole lines are looked up, all else is read once for each rule with a star.
pub(super) fn run(rules: &[Rule], lines: &[Seen]) -> Vec<Cut> {
    let mut cuts = vec![Cut::Stays; lines.len()];
    let first = |pattern: &Pattern| {
        lines.iter().position(|line| line.mask.as_deref().is_some_and(|mask| pattern.fits(mask)))
    };
    let mut whole = BTreeMap::new();
    let mut starred = Vec::new();
    for (number, rule) in rules.iter().enumerate() {
        let range = match (rule.verb, rule.pattern.only()) {
            (Verb::Before, _) => first(&rule.pattern).map(|end| 0..end + 1),
            (Verb::After, _) => first(&rule.pattern).map(|start| start..lines.len()),
            (Verb::Line, Some(mask)) => {
                whole.entry(mask).or_insert(number);
                None
            }
            (Verb::Line, None) | (Verb::Prefix, _) => {
                starred.push((number, rule));
                None
            }
        };
        let range = cuts.get_mut(range.unwrap_or_default()).unwrap_or_default();
        range.iter_mut().filter(|cut| **cut == Cut::Stays).for_each(|cut| *cut = Cut::Goes(number));
    }
    for (cut, line) in cuts.iter_mut().zip(lines).filter(|(cut, _)| **cut == Cut::Stays) {
        let Some(mask) = line.mask.as_deref() else { continue };
        let by = |(number, rule): &(usize, &Rule)| match rule.verb {
            Verb::Prefix => {
                let left = rule.rest_of(&line.line)?.chars().count();
                Some(Cut::Loses { by: *number, chars: line.chars.saturating_sub(left) })
            }
            Verb::Line | Verb::Before | Verb::After => rule.pattern.fits(mask).then_some(Cut::Goes(*number)),
        };
        let named = whole.get(mask).map(|number| Cut::Goes(*number));
        if let Some(by) = named.or_else(|| starred.iter().find_map(by)) {
            *cut = by;
        }
    }
    cuts
}

/// How much a program may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    /// Of a page's characters.
    pub removed: f64,
    /// Of the characters of lines that no other page has.
    pub own: f64,
}

/// Why a program is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Useless,
    /// It takes too large a share of a page.
    Excessive,
    /// It takes what only one page has.
    Harmful,
}

impl Fault {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Useless => "useless",
            Self::Excessive => "excessive",
            Self::Harmful => "harmful",
        }
    }
}

/// What is known of a site: the lines of some of its pages, and which of them recur.
#[derive(Debug)]
pub(super) struct Site {
    pages: Vec<Vec<Seen>>,
    recurring: BTreeSet<String>,
}

impl Site {
    pub(super) fn new(pages: Vec<Vec<Seen>>) -> Self {
        let (mut once, mut recurring) = (BTreeSet::new(), BTreeSet::new());
        for page in &pages {
            let masks: BTreeSet<&String> = page.iter().filter_map(|line| line.mask.as_ref()).collect();
            for mask in masks {
                if !once.insert(mask.clone()) {
                    recurring.insert(mask.clone());
                }
            }
        }
        Self { pages, recurring }
    }

    /// What the pages say of a rule by itself: it must fit on two of them, and leave alone what only one has.
    pub(super) fn judge(&self, rule: &Rule, limits: Limits) -> Verdict {
        let rules = std::slice::from_ref(rule);
        let mut hits = 0;
        for page in &self.pages {
            let cuts = run(rules, page);
            hits += usize::from(cuts.iter().any(|cut| *cut != Cut::Stays));
            if self.weigh(page, &cuts, limits) == Some(Fault::Harmful) {
                return Verdict::Harmful;
            }
        }
        match hits {
            0 => Verdict::Absent,
            1 => Verdict::Harmful,
            _ => Verdict::Good,
        }
    }

    /// Whether the rules do well on the pages from `first` on, those that their writer has not seen.
    pub(super) fn verify(&self, rules: &[Rule], first: usize, limits: Limits) -> Result<(), Fault> {
        let held_out = self.pages.get(first..).unwrap_or_default();
        let mut useful = 0;
        for page in held_out {
            let cuts = run(rules, page);
            useful += usize::from(cuts.iter().any(|cut| *cut != Cut::Stays));
            self.weigh(page, &cuts, limits).map_or(Ok(()), Err)?;
        }
        if useful * 2 < held_out.len() || useful == 0 { Err(Fault::Useless) } else { Ok(()) }
    }

    /// What is wrong with these cuts of a page.
    pub(super) fn weigh(&self, page: &[Seen], cuts: &[Cut], limits: Limits) -> Option<Fault> {
        let own = |line: &Seen| line.mask.as_ref().is_none_or(|mask| !self.recurring.contains(mask));
        let (mut all, mut removed, mut all_own, mut removed_own) = (0, 0, 0, 0);
        for (line, cut) in page.iter().zip(cuts) {
            all += line.chars;
            all_own += if own(line) { line.chars } else { 0 };
            let gone = match cut {
                Cut::Stays => 0,
                Cut::Goes(_) => line.chars,
                Cut::Loses { chars, .. } => *chars,
            };
            removed += gone;
            removed_own += if own(line) { gone } else { 0 };
        }
        if limits.own < crate::prox::share(removed_own, all_own) {
            Some(Fault::Harmful)
        } else if limits.removed < crate::prox::share(removed, all) {
            Some(Fault::Excessive)
        } else {
            None
        }
    }
}

/// What the samples say of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    /// It fits nowhere.
    Absent,
    /// It fits on one page only, or takes what only one page has.
    Harmful,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { removed: 0.6, own: 0.2 };

    fn page(text: &str) -> Vec<Seen> {
        text.split('|').map(Seen::new).collect()
    }

    fn rule(verb: Verb, text: &str) -> Rule {
        Rule { verb, pattern: Pattern::written(text).unwrap() }
    }

    /// What is left: `-` for a line that goes, `~` before one that loses its beginning.
    #[track_caller]
    fn check(rules: &[Rule], text: &str, left: &str) {
        let cuts = run(rules, &page(text));
        let shown: Vec<String> = text
            .split('|')
            .zip(cuts)
            .map(|(line, cut)| match cut {
                Cut::Stays => line.to_owned(),
                Cut::Goes(_) => "-".to_owned(),
                Cut::Loses { .. } => format!("~{line}"),
            })
            .collect();
        assert_eq!(shown.join("|"), left);
    }

    const PAGE: &str = "Home|Page 3|A text.|By Ann: more text|Related|A teaser|Footer";

    #[test]
    fn rules_take_lines_away() {
        check(&[], PAGE, PAGE);
        check(
            &[rule(Verb::Line, "Home"), rule(Verb::Line, "Page 9")],
            PAGE,
            "-|-|A text.|By Ann: more text|Related|A teaser|Footer",
        );
        check(
            &[rule(Verb::Line, "A te*")],
            PAGE,
            "Home|Page 3|A text.|By Ann: more text|Related|A teaser|Footer"
                .replace("A text.", "-")
                .replace("A teaser", "-")
                .as_str(),
        );
        check(&[rule(Verb::Before, "Page #")], PAGE, "-|-|A text.|By Ann: more text|Related|A teaser|Footer");
        check(&[rule(Verb::After, "Related")], PAGE, "Home|Page 3|A text.|By Ann: more text|-|-|-");
        check(
            &[rule(Verb::Prefix, "By Ann:")],
            PAGE,
            "Home|Page 3|A text.|~By Ann: more text|Related|A teaser|Footer",
        );
        check(&[rule(Verb::After, "Nowhere"), rule(Verb::Line, "A text")], PAGE, PAGE);
    }

    #[test]
    fn a_beginning_that_goes_ends_with_a_word() {
        let new = [rule(Verb::Prefix, "New")];
        check(&new, "Newton wrote|New: it rains|New", "Newton wrote|~New: it rains|~New");
    }

    #[test]
    fn a_line_too_long_to_be_a_menu_is_text() {
        let long = "menu ".repeat(61);
        check(&[rule(Verb::Line, "menu*")], &format!("menu|{long}"), &format!("-|{long}"));
    }

    fn site() -> Site {
        let pages = [
            "Home|First text of its own|Share|Footer 1",
            "Home|Another text, not the same|Share|Footer 2",
            "Home|The third text of all of them|Footer 3",
        ];
        Site::new(pages.iter().map(|text| page(text)).collect())
    }

    #[track_caller]
    fn judged(verb: Verb, text: &str, verdict: Verdict) {
        assert_eq!(site().judge(&rule(verb, text), LIMITS), verdict, "{text}");
    }

    #[test]
    fn a_rule_fits_on_two_pages_and_leaves_alone_what_one_has() {
        judged(Verb::Line, "Home", Verdict::Good);
        judged(Verb::Line, "Footer #", Verdict::Good);
        judged(Verb::Line, "Foot*", Verdict::Good);
        judged(Verb::Line, "Nowhere", Verdict::Absent);
        judged(Verb::Line, "First text of its own", Verdict::Harmful);
        judged(Verb::Line, "*text*", Verdict::Harmful);
        judged(Verb::After, "Share", Verdict::Good);
        judged(Verb::After, "Home", Verdict::Harmful);
        judged(Verb::Before, "Share", Verdict::Harmful);
    }

    #[test]
    fn what_beginnings_lose_is_weighed_too() {
        let pages =
            ["Menu|By Ann 2019: one two three", "Menu|By Ann 2020: four five six", "Menu|By Ann 2021: seven"];
        let site = Site::new(pages.iter().map(|text| page(text)).collect());
        let by_ann = rule(Verb::Prefix, "By Ann #:");
        let lost = |text: &str| run(std::slice::from_ref(&by_ann), &page(text));
        assert_eq!(lost("By  Ann 2019:  one"), [Cut::Loses { by: 0, chars: 15 }]);
        assert_eq!(lost("By Ann 3:"), [Cut::Loses { by: 0, chars: 9 }]);
        // 13 of 26, 13 of 26 and 13 of 18 characters that only the page has.
        let judge = |own| site.judge(&by_ann, Limits { removed: 1.0, own });
        assert_eq!((judge(0.8), judge(0.7)), (Verdict::Good, Verdict::Harmful));
        let rules = [by_ann.clone()];
        let verify = |removed| site.verify(&rules, 2, Limits { removed, own: 1.0 });
        // 13 of 22 characters of the last page.
        assert_eq!((verify(0.6), verify(0.5)), (Ok(()), Err(Fault::Excessive)));
    }

    #[test]
    fn a_program_is_tried_on_pages_that_its_writer_has_not_seen() {
        let verify = |rules: &[Rule], limits| site().verify(rules, 2, limits);
        let home = rule(Verb::Line, "Home");
        assert_eq!(verify(std::slice::from_ref(&home), LIMITS), Ok(()));
        assert_eq!(verify(&[rule(Verb::Line, "Share")], LIMITS), Err(Fault::Useless));
        assert_eq!(verify(&[rule(Verb::Before, "Footer #")], LIMITS), Err(Fault::Harmful));
        assert_eq!(verify(&[home], Limits { removed: 0.05, own: 0.2 }), Err(Fault::Excessive));
        assert_eq!(verify(&[], LIMITS), Err(Fault::Useless));
    }
}
