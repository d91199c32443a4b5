//! What became of every record: counted once, under one fixed word, at every stage that it reached.
//!
//! A record's way is written down as a [`Fate`] and added to a [`Ledger`] when the record is done. The books balance by
//! construction and are checked all the same: at each stage taken = passed + dropped + failed, what one stage emits the
//! next one takes, and in total read = written + dropped + failed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Drop reasons are plugins' words; a plugin that makes them up from the page must not fill memory with them.
const MAX_REASONS: usize = 32;
/// Long enough for any fixed word, short enough for a report's column.
const MAX_REASON_BYTES: usize = 64;
/// Under what the reasons beyond these limits are counted.
const OTHER_REASONS: &str = "other";

/// What a stage made of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It went on, as so many documents.
    Passed(u64),
    Dropped(String),
    Failed(String),
}

/// What stood in a record's way, or let it through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Records,
    Pages,
    Stage(usize),
}

/// One record's way, in the order in which it went.
#[derive(Debug, Clone, Default)]
pub struct Fate {
    steps: Vec<(Place, Outcome)>,
    /// Deviations from the standards that cost nothing.
    oddities: Vec<&'static str>,
    rows: u64,
}

impl Fate {
    pub fn step(&mut self, place: Place, outcome: Outcome) {
        self.steps.push((place, outcome));
    }

    pub fn oddity(&mut self, word: &'static str) {
        self.oddities.push(word);
    }

    pub fn wrote(&mut self, rows: u64) {
        self.rows += rows;
    }

    /// One of its rows was not written after all.
    pub fn withheld(&mut self) {
        self.rows = self.rows.saturating_sub(1);
    }

    /// The stages that it met, by their numbers, and whether each failed on it.
    pub fn stages(&self) -> impl Iterator<Item = (usize, bool)> {
        self.steps.iter().filter_map(|(place, outcome)| match place {
            Place::Stage(stage) => Some((*stage, matches!(outcome, Outcome::Failed(_)))),
            Place::Records | Place::Pages => None,
        })
    }
}

/// The traffic through one place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    pub taken: u64,
    pub passed: u64,
    pub dropped: BTreeMap<String, u64>,
    pub failed: BTreeMap<String, u64>,
    /// Documents that left; more than `passed` where documents were split.
    pub emitted: u64,
}

impl Flow {
    pub fn dropped_total(&self) -> u64 {
        self.dropped.values().sum()
    }

    pub fn failed_total(&self) -> u64 {
        self.failed.values().sum()
    }

    fn count(&mut self, outcome: &Outcome) {
        self.taken += 1;
        match outcome {
            Outcome::Passed(emitted) => {
                self.passed += 1;
                self.emitted += emitted;
            }
            Outcome::Dropped(reason) => count_reason(&mut self.dropped, reason),
            Outcome::Failed(reason) => count_reason(&mut self.failed, reason),
        }
    }

    fn add(&mut self, other: &Self) {
        self.taken += other.taken;
        self.passed += other.passed;
        self.emitted += other.emitted;
        add_reasons(&mut self.dropped, &other.dropped);
        add_reasons(&mut self.failed, &other.failed);
    }

    fn balances(&self) -> bool {
        self.taken == self.passed + self.dropped_total() + self.failed_total()
    }
}

/// What became of the records as wholes. A record is written if at least one row was made from it, else failed if any
/// part of it failed, else dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Total {
    pub read: u64,
    pub written: u64,
    pub dropped: u64,
    pub failed: u64,
}

/// The books of an archive, or of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    pub total: Total,
    pub rows: u64,
    pub records: Flow,
    pub pages: Flow,
    pub stages: Vec<StageFlow>,
    pub oddities: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageFlow {
    pub stage: String,
    pub flow: Flow,
}

/// Books that do not balance: a mistake of this program, never of its input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the books do not balance at {place}: {says}")]
pub struct Imbalance {
    pub place: String,
    pub says: String,
}

impl Ledger {
    pub fn new<'a>(stages: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            total: Total::default(),
            rows: 0,
            records: Flow::default(),
            pages: Flow::default(),
            stages: stages
                .into_iter()
                .map(|stage| StageFlow { stage: stage.to_owned(), flow: Flow::default() })
                .collect(),
            oddities: BTreeMap::new(),
        }
    }

    /// Adds a record that is done.
    pub fn settle(&mut self, fate: &Fate) {
        let mut failed = false;
        for (place, outcome) in &fate.steps {
            failed |= matches!(outcome, Outcome::Failed(_));
            match place {
                Place::Records => self.records.count(outcome),
                Place::Pages => self.pages.count(outcome),
                Place::Stage(index) => {
                    if let Some(stage) = self.stages.get_mut(*index) {
                        stage.flow.count(outcome);
                    }
                }
            }
        }
        for oddity in &fate.oddities {
            count_reason(&mut self.oddities, oddity);
        }
        self.rows += fate.rows;
        self.total.read += 1;
        if 0 < fate.rows {
            self.total.written += 1;
        } else if failed {
            self.total.failed += 1;
        } else {
            self.total.dropped += 1;
        }
    }

    /// Adds the books of another archive of the same run.
    pub fn add(&mut self, other: &Self) {
        self.total.read += other.total.read;
        self.total.written += other.total.written;
        self.total.dropped += other.total.dropped;
        self.total.failed += other.total.failed;
        self.rows += other.rows;
        self.records.add(&other.records);
        self.pages.add(&other.pages);
        for (mine, theirs) in self.stages.iter_mut().zip(&other.stages) {
            mine.flow.add(&theirs.flow);
        }
        add_reasons(&mut self.oddities, &other.oddities);
    }

    /// Whether every record has exactly one outcome and none was lost between two stages.
    pub fn audit(&self) -> Result<(), Imbalance> {
        let wrong = |place: &str, says: String| Err(Imbalance { place: place.to_owned(), says });
        let total = &self.total;
        if total.read != total.written + total.dropped + total.failed {
            return wrong("total", format!("{total:?}"));
        }
        if total.read != self.records.taken {
            return wrong("records", format!("read {}, taken {}", total.read, self.records.taken));
        }
        let places = [("records", &self.records), ("pages", &self.pages)]
            .into_iter()
            .chain(self.stages.iter().map(|stage| (stage.stage.as_str(), &stage.flow)));
        let mut before: Option<u64> = None;
        for (place, flow) in places {
            if !flow.balances() {
                return wrong(place, format!("{flow:?}"));
            }
            if let Some(before) = before
                && before != flow.taken
            {
                return wrong(place, format!("took {} of {before} documents", flow.taken));
            }
            before = Some(flow.emitted);
        }
        if before != Some(self.rows) {
            return wrong("rows", format!("{} rows of {before:?} documents", self.rows));
        }
        Ok(())
    }
}

fn count_reason(reasons: &mut BTreeMap<String, u64>, reason: &str) {
    let word = if reason.len() <= MAX_REASON_BYTES
        && (reasons.contains_key(reason) || reasons.len() < MAX_REASONS)
    {
        reason
    } else {
        OTHER_REASONS
    };
    *reasons.entry(word.to_owned()).or_default() += 1;
}

fn add_reasons(mine: &mut BTreeMap<String, u64>, theirs: &BTreeMap<String, u64>) {
    for (reason, count) in theirs {
        let known = mine.contains_key(reason) || mine.len() < MAX_REASONS;
        let word = if known { reason.as_str() } else { OTHER_REASONS };
        *mine.entry(word.to_owned()).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(steps: &[(Place, Outcome)], rows: u64) -> Fate {
        let mut fate = Fate::default();
        for (place, outcome) in steps {
            fate.step(*place, outcome.clone());
        }
        fate.wrote(rows);
        fate
    }

    fn passed_to_stage() -> Vec<(Place, Outcome)> {
        vec![(Place::Records, Outcome::Passed(1)), (Place::Pages, Outcome::Passed(1))]
    }

    #[test]
    fn a_record_has_one_outcome_however_many_documents_it_became() {
        let mut ledger = Ledger::new(["split", "judge"]);
        let mut steps = passed_to_stage();
        steps.push((Place::Stage(0), Outcome::Passed(3)));
        steps.push((Place::Stage(1), Outcome::Passed(1)));
        steps.push((Place::Stage(1), Outcome::Dropped("dull".to_owned())));
        steps.push((Place::Stage(1), Outcome::Failed("trap".to_owned())));
        ledger.settle(&fate(&steps, 1));
        ledger.settle(&fate(&[(Place::Records, Outcome::Dropped("request".to_owned()))], 0));
        assert_eq!(ledger.audit(), Ok(()));
        assert_eq!(ledger.total, Total { read: 2, written: 1, dropped: 1, failed: 0 });
        assert_eq!(ledger.stages[1].flow.dropped["dull"], 1);
    }

    #[test]
    fn a_document_lost_between_two_stages_is_found() {
        let mut ledger = Ledger::new(["split", "judge"]);
        let mut steps = passed_to_stage();
        steps.push((Place::Stage(0), Outcome::Passed(2)));
        steps.push((Place::Stage(1), Outcome::Passed(1)));
        ledger.settle(&fate(&steps, 1));
        assert_eq!(ledger.audit().unwrap_err().place, "judge");
    }

    #[test]
    fn made_up_reasons_are_counted_together() {
        let mut ledger = Ledger::new(["wild"]);
        for number in 0..100 {
            let mut steps = passed_to_stage();
            steps.push((Place::Stage(0), Outcome::Dropped(format!("reason {number}"))));
            ledger.settle(&fate(&steps, 0));
        }
        assert_eq!(ledger.audit(), Ok(()));
        assert_eq!(ledger.stages[0].flow.dropped.len(), MAX_REASONS + 1);
        assert_eq!(ledger.stages[0].flow.dropped[OTHER_REASONS], 100 - MAX_REASONS as u64);
    }
}
