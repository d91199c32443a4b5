//! One record's documents on their way past the stages.
//!
//! A passage begins as one document and becomes as many as the stages make of it. It is advanced until every document
//! is done or asks; then it waits for the replies, holding no instance and no thread, and is advanced again. The order
//! of its documents is that of the drafts they come from, whatever order the replies arrive in.

use std::sync::Arc;
use std::time::Duration;

use super::{Ask, Failed, Line, Reason, Turn, Verdict, Worker, reason_and_value};
use crate::document::{Capture, Document, Misdraft, Spent};
use crate::ledger::{Fate, Outcome, Place};
use crate::prompt::{Failure, Prompt, Reply};

/// A page rewritten in every style is a dozen documents. Beyond this a stage multiplies instead of writing.
const MAX_DOCUMENTS: usize = 1024;
/// The texts of one record's documents together, since every draft that keeps the text is a copy of it.
const MAX_BYTES: usize = 128 << 20;

/// What a stage says beside a reason is a number or an error for people to read.
const MAX_SAID_BYTES: usize = 1 << 10;

/// A record's documents past the stages.
#[derive(Debug)]
pub struct Passage {
    capture: Arc<Capture>,
    branches: Vec<Branch>,
    fate: Fate,
    rejected: Vec<Rejected>,
    lines: Vec<Line>,
    took: Vec<Duration>,
    seed: u64,
}

#[derive(Debug)]
struct Branch {
    document: Document,
    place: usize,
    /// The replies of this stage, of all rounds so far.
    replies: Vec<Result<Reply, Failure>>,
    rounds: usize,
    asks: Vec<Prompt>,
}

/// A document that did not become a row.
#[derive(Debug)]
pub struct Rejected {
    pub document: Document,
    pub stage: String,
    pub reason: String,
    /// What the stage measured, or what it said of its failure.
    pub says: Option<String>,
}

/// What a record came to.
#[derive(Debug)]
pub struct Passed {
    pub rows: Vec<Document>,
    pub rejected: Vec<Rejected>,
    pub fate: Fate,
    pub took: Vec<Duration>,
}

impl Passage {
    /// `seed` is the run's; `fate` is what the record has met so far.
    pub fn new(document: Document, capture: Capture, fate: Fate, seed: u64) -> Self {
        let branch = Branch { document, place: 0, replies: Vec::new(), rounds: 0, asks: Vec::new() };
        Self {
            capture: Arc::new(capture),
            branches: vec![branch],
            fate,
            rejected: Vec::new(),
            lines: Vec::new(),
            took: Vec::new(),
            seed,
        }
    }

    /// Takes every document as far as it goes without waiting. The prompts that are asked for, in order; none if the
    /// record is done.
    pub fn advance(&mut self, worker: &mut Worker) -> Vec<Prompt> {
        self.took.resize(worker.stages().len(), Duration::ZERO);
        let mut index = 0;
        while let Some(branch) = self.branches.get(index) {
            if branch.place == worker.stages().len() || !branch.asks.is_empty() {
                index += 1;
                continue;
            }
            let branch = self.branches.remove(index);
            for (offset, next) in self.step(branch, worker).into_iter().enumerate() {
                self.branches.insert(index + offset, next);
            }
        }
        self.branches.iter().flat_map(|branch| branch.asks.iter().cloned()).collect()
    }

    /// What this document becomes at its stage: itself with prompts, its drafts, or nothing.
    fn step(&mut self, mut branch: Branch, worker: &mut Worker) -> Vec<Branch> {
        let place = branch.place;
        if branch.rounds == 0 && !worker.stages()[place].is_for(&branch.document) {
            self.fate.step(Place::Stage(place), Outcome::Passed(1));
            return vec![Branch::at(branch.document, place + 1)];
        }
        let turn = Turn {
            document: &branch.document,
            capture: &self.capture,
            replies: &branch.replies,
            rounds: branch.rounds,
        };
        let step = worker.step(place, &turn);
        self.took[place] += step.took;
        self.lines.extend(step.lines);
        let stage = &worker.stages()[place];
        let drafts = match step.verdict {
            Ok(Verdict::Emit(drafts)) => drafts,
            Ok(Verdict::Drop(reason)) => {
                self.reject(branch.document, place, stage.name(), Err(reason));
                return Vec::new();
            }
            Ok(Verdict::Ask(asks)) => {
                branch.rounds += 1;
                let asked = branch.replies.len();
                branch.asks = prompts(asks, self.seed, &branch.document.id, stage.name(), asked);
                for prompt in &mut branch.asks {
                    if let Some(model) = worker.route(&prompt.model, &branch.document) {
                        model.clone_into(&mut prompt.model);
                    }
                }
                return vec![branch];
            }
            Err(failed) => {
                self.reject(branch.document, place, stage.name(), Ok(failed));
                return Vec::new();
            }
        };
        let held: usize = self.branches.iter().map(|other| other.document.text.len()).sum();
        let wanted: usize =
            drafts.iter().map(|draft| draft.text.as_ref().unwrap_or(&branch.document.text).len()).sum();
        if MAX_DOCUMENTS < self.branches.len() + drafts.len() || MAX_BYTES < held + wanted {
            let says =
                format!("{} drafts of {wanted} bytes are more than one record may become", drafts.len());
            self.reject(branch.document, place, stage.name(), Ok(Failed::new(Reason::TooManyDrafts, says)));
            return Vec::new();
        }
        match branch.document.apply(drafts, stage.name(), place, &stage.columns) {
            Ok(documents) => {
                self.fate.step(Place::Stage(place), Outcome::Passed(documents.len() as u64));
                documents.into_iter().map(|document| Branch::at(document, place + 1)).collect()
            }
            Err(misdraft) => {
                self.reject(branch.document, place, stage.name(), Ok(broken(&misdraft)));
                Vec::new()
            }
        }
    }

    /// Takes the answers to the prompts of the last [`Passage::advance`], in their order, each with its key.
    pub fn answer(&mut self, answers: Vec<(String, Result<Reply, Failure>)>) {
        let mut answers = answers.into_iter();
        for branch in &mut self.branches {
            for (prompt, (id, answer)) in std::mem::take(&mut branch.asks).iter().zip(&mut answers) {
                if let Ok(reply) = &answer {
                    branch.document.replies.push(Spent::new(&prompt.model, id, reply));
                }
                branch.replies.push(answer);
            }
        }
    }

    /// What the stages had to say since the last time.
    pub fn lines(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.lines)
    }

    /// What the record came to, once nothing is asked any more.
    pub fn finish(mut self) -> Passed {
        let rows: Vec<_> = self.branches.into_iter().map(|branch| branch.document).collect();
        self.fate.wrote(rows.len() as u64);
        Passed { rows, rejected: self.rejected, fate: self.fate, took: self.took }
    }

    fn reject(&mut self, document: Document, place: usize, stage: &str, why: Result<Failed, String>) {
        let (outcome, reason, says) = match why {
            Ok(failed) => {
                let reason = failed.reason.word().to_owned();
                (Outcome::Failed(reason.clone()), reason, Some(failed.says))
            }
            Err(said) => {
                let (reason, value) = reason_and_value(&said);
                (Outcome::Dropped(reason.to_owned()), reason.to_owned(), value.map(str::to_owned))
            }
        };
        self.fate.step(Place::Stage(place), outcome);
        let says = says.map(|mut says| {
            says.truncate(says.floor_char_boundary(MAX_SAID_BYTES));
            says
        });
        self.rejected.push(Rejected { document, stage: stage.to_owned(), reason, says });
    }
}

impl Branch {
    fn at(document: Document, place: usize) -> Self {
        Self { document, place, replies: Vec::new(), rounds: 0, asks: Vec::new() }
    }
}

/// What a stage asks as prompts: `asked` is how many it had before for this document.
pub fn prompts(asks: Vec<Ask>, run_seed: u64, document: &str, stage: &str, asked: usize) -> Vec<Prompt> {
    let seeded = |(index, ask): (usize, Ask)| Prompt {
        seed: seed(run_seed, ask.share.as_deref(), document, stage, asked + index),
        ..ask.prompt
    };
    asks.into_iter().enumerate().map(seeded).collect()
}

fn broken(misdraft: &Misdraft) -> Failed {
    Failed::new(Reason::Misdraft(misdraft.reason()), misdraft.to_string())
}

/// A prompt's seed: a function of the run's seed and of who asks, so that a reply is a function of its prompt. Documents
/// that share a reply share the seed too, or their prompts would differ.
fn seed(run: u64, share: Option<&str>, document: &str, stage: &str, index: usize) -> u32 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&run.to_le_bytes());
    match share {
        Some(key) => {
            hasher.update(b"share\0").update(key.as_bytes());
        }
        None => {
            hasher.update(b"document\0").update(document.as_bytes());
            hasher.update(b"\0").update(stage.as_bytes()).update(&(index as u64).to_le_bytes());
        }
    }
    let digest = hasher.finalize();
    let (head, _) = digest.as_bytes().split_at(4);
    // Servers read seeds as signed numbers of 32 bits, and some take -1 for "choose one".
    head.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)) & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use super::seed;

    #[test]
    fn every_prompt_has_its_own_seed_unless_it_is_shared() {
        let own = seed(0, None, "doc", "rephrase", 0);
        for other in [
            seed(1, None, "doc", "rephrase", 0),
            seed(0, None, "cod", "rephrase", 0),
            seed(0, None, "doc", "rephrase-2", 0),
            seed(0, None, "doc", "rephrase", 1),
            seed(0, Some("doc"), "doc", "rephrase", 0),
        ] {
            assert_ne!(own, other);
        }
        assert_eq!(seed(0, Some("key"), "one", "a", 0), seed(0, Some("key"), "two", "b", 7));
    }
}
