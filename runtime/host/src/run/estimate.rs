//! A sample of a run's pages past its stages, for what the run would ask of models.
//!
//! No model is asked. What the journal knows is taken from there; for the rest a stand-in is given, the end of the
//! prompt itself, so that later stages have a text of about the right length to ask about. What a stage makes of a reply
//! that is no reply is its own business, as it is in a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use palimpsest_warc::RecordType;
use serde::Serialize;

use super::{Fatal, Run};
use crate::config::{Backend, ModelPlan, TokenizerPlan};
use crate::document::Document;
use crate::estimate::{self, Cost, Demand, Sampled, Terms, Total};
use crate::ledger::Fate;
use crate::llm;
use crate::prompt::{Finish, Prompt, Reply};
use crate::records::{self, Limits, Records};
use crate::source::{self, Archive, ByteReader};
use crate::stages::{Passage, Worker};
use crate::tokens::vocabulary::{Vocabulary, VocabularyError};
use crate::{pages, tokens};

/// Archives are alike within a crawl and differ between crawls: a few, evenly spread, stand for all.
const ARCHIVES: usize = 8;
/// Letters of a token, about, for how much of a prompt a stand-in repeats.
const TOKEN_BYTES: usize = 4;
/// A chat's own tokens around those of its messages, about.
const CHAT_TOKENS: u32 = 16;
/// Fewer replies say little about how long they are.
const ENOUGH_REPLIES: u64 = 20;

/// What a run would ask.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Pages of the sample, and of how many archives.
    pub pages: u64,
    pub archives: u64,
    /// Of the archives, as far as the sample went.
    pub sampled_bytes: u64,
    /// Of all archives; none if nobody knows how large they are.
    pub bytes: Option<u64>,
    /// Archives of unknown size, which are taken to be as large as the others.
    pub unknown_sizes: u64,
    /// By the model's name in the pipeline.
    pub models: BTreeMap<String, ModelEstimate>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelEstimate {
    /// What the sample asked.
    pub requests: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub total: Option<Total>,
    pub cost: Option<Cost>,
}

/// What is known of a model.
struct Known {
    vocabulary: Vocabulary,
    /// Tokens of a reply, in the mean of those that the journal has.
    completion_tokens: Option<u64>,
}

impl Run {
    /// Takes so many pages past the stages and says what all of them would ask.
    pub fn estimate(self, most: u64) -> Result<Estimate, Fatal> {
        let chosen = chosen(self.archives());
        let each = most.div_ceil(chosen.len().max(1) as u64);
        let known = self.known().map_err(Fatal::Tokenizer)?;
        let mut worker = Worker::new(Arc::clone(&self.stages));
        let mut sample = Vec::new();
        for archive in &chosen {
            sample.extend(self.sample(archive, each, &known, &mut worker)?);
        }
        let (bytes, unknown) = in_all(self.archives());
        let totals = bytes.and_then(|bytes| estimate::extrapolate(&sample, bytes, self.plan.seed));
        let mut sums: BTreeMap<String, Demand> = BTreeMap::new();
        for (model, demand) in sample.iter().flat_map(|page| &page.demands) {
            sums.entry(model.clone()).or_default().add(*demand);
        }
        let models = sums.into_iter().map(|(model, sum)| {
            let total = totals.as_ref().and_then(|totals| totals.get(&model)).copied();
            let plan = self.plan.models.iter().find(|plan| plan.name == model);
            let cost = total.zip(plan).map(|(total, plan)| estimate::cost(&total, &terms(plan)));
            let Demand { requests, prompt_tokens, completion_tokens, .. } = sum;
            (model, ModelEstimate { requests, prompt_tokens, completion_tokens, total, cost })
        });
        Ok(Estimate {
            models: models.collect(),
            pages: sample.len() as u64,
            archives: chosen.len() as u64,
            sampled_bytes: sample.iter().map(|page| page.bytes).sum(),
            bytes,
            unknown_sizes: unknown,
        })
    }

    fn sample(
        &self,
        archive: &Archive,
        most: u64,
        known: &BTreeMap<String, Known>,
        worker: &mut Worker,
    ) -> Result<Vec<Sampled>, Fatal> {
        let mut sample = Vec::new();
        let failed = |source| Fatal::Source(source::Fatal::Read { archive: archive.name.clone(), source });
        let wanted: Vec<_> =
            self.plan.source.records.iter().map(|name| RecordType::from(name.as_str())).collect();
        let bytes = ByteReader::new(self.runtime.handle(), source::open(archive, 0));
        let mut read = 0;
        let mut left = most;
        for record in Records::new(bytes, Limits::default()) {
            if left == 0 {
                break;
            }
            let record = record.map_err(failed)?;
            if records::select(&record, &wanted).is_err() {
                continue;
            }
            let end = record.entry.offset + record.entry.length;
            let mut page = Sampled { bytes: end.saturating_sub(read), demands: BTreeMap::new() };
            read = end;
            left -= 1;
            if let Ok(content) = pages::read(&record) {
                let (document, capture) = Document::of(content, record.id().as_deref());
                let passage = Passage::new(document, capture, Fate::default(), self.plan.seed);
                page.demands = self.walk(passage, known, worker)?;
            }
            sample.push(page);
        }
        Ok(sample)
    }

    /// Takes one page past the stages.
    fn walk(
        &self,
        mut passage: Passage,
        known: &BTreeMap<String, Known>,
        worker: &mut Worker,
    ) -> Result<BTreeMap<String, Demand>, Fatal> {
        let mut demands: BTreeMap<String, Demand> = BTreeMap::new();
        loop {
            let prompts = passage.advance(worker);
            if prompts.is_empty() {
                return Ok(demands);
            }
            let mut answers = Vec::with_capacity(prompts.len());
            for prompt in &prompts {
                let (demand, stand_in) = stand_in(prompt, known.get(&prompt.model));
                demands.entry(prompt.model.clone()).or_default().add(demand);
                answers.push(match self.runtime.block_on(self.llm.answers(std::slice::from_ref(prompt))) {
                    Ok(Some(answers)) => {
                        answers.into_iter().map(|answer| (answer.prompt_id, answer.reply)).next()
                    }
                    // Without a journal no model is known.
                    Ok(None) | Err(llm::Fatal::NotInJournal { .. } | llm::Fatal::UnknownModel { .. }) => {
                        Some((String::new(), Ok(stand_in)))
                    }
                    Err(fatal) => return Err(Fatal::Model(fatal)),
                });
            }
            passage.answer(answers.into_iter().flatten().collect());
        }
    }

    /// How the models count, and how long their replies in the journal are.
    fn known(&self) -> Result<BTreeMap<String, Known>, VocabularyError> {
        let stats = llm::journal::admin::stats(&self.plan.run.journal).unwrap_or_default();
        let known = self.plan.models.iter().map(|plan| {
            let vocabulary = match &plan.tokenizer {
                TokenizerPlan::BuiltIn(name) => Vocabulary::named(name)?,
                TokenizerPlan::File(path) => Vocabulary::open(path)?,
            };
            let enough = stats.models.get(&plan.name).filter(|model| ENOUGH_REPLIES <= model.replies);
            let mean = enough.map(|model| model.reply_tokens.round() as u64);
            Ok((plan.name.clone(), Known { vocabulary, completion_tokens: mean }))
        });
        known.collect()
    }
}

/// What a prompt asks, and a reply that is none.
fn stand_in(prompt: &Prompt, known: Option<&Known>) -> (Demand, Reply) {
    let count = |text: &str| known.map_or_else(|| tokens::count(text), |known| known.vocabulary.count(text));
    let user = count(&prompt.user);
    let system = prompt.system.as_deref().map_or(0, count);
    let most = u64::from(prompt.max_tokens);
    let completion =
        known.and_then(|known| known.completion_tokens).unwrap_or_else(|| u64::from(user)).min(most);
    let bytes = usize::try_from(completion).unwrap_or(usize::MAX).saturating_mul(TOKEN_BYTES);
    let start = prompt.user.ceil_char_boundary(prompt.user.len().saturating_sub(bytes));
    let text = prompt.user.get(start..).unwrap_or_default().to_owned();
    let prompt_tokens = user.saturating_add(system).saturating_add(CHAT_TOKENS);
    let demand = Demand {
        requests: 1,
        prompt_tokens: prompt_tokens.into(),
        completion_tokens: completion,
        most_completion_tokens: most,
    };
    let completion_tokens = u32::try_from(completion).unwrap_or(u32::MAX);
    (demand, Reply { text, finish: Finish::Stop, prompt_tokens, completion_tokens })
}

/// A few archives, evenly spread over all.
fn chosen(archives: &[Archive]) -> Vec<Archive> {
    let count = archives.len().min(ARCHIVES);
    (0..count).map(|number| archives[number * archives.len() / count].clone()).collect()
}

/// The bytes of all archives, and of how many nobody knows them.
fn in_all(archives: &[Archive]) -> (Option<u64>, u64) {
    let known: Vec<u64> = archives.iter().filter_map(|archive| archive.size).collect();
    let unknown = (archives.len() - known.len()) as u64;
    let sum: u64 = known.iter().sum();
    let bytes = (!known.is_empty()).then(|| sum + sum / known.len() as u64 * unknown);
    (bytes, unknown)
}

/// The price of the dearest server, and the limits of all of them together.
fn terms(plan: &ModelPlan) -> Terms {
    let Backend::Endpoints(endpoints) = &plan.backend else { return Terms::default() };
    let prices = || endpoints.iter().map(|endpoint| endpoint.price);
    let dearest = |of: fn(&crate::config::PriceTable) -> f64| {
        prices().map(|price| price.as_ref().map(of)).reduce(|one, other| Some(one?.max(other?))).flatten()
    };
    let limit = |of: fn(&crate::config::EndpointPlan) -> Option<std::num::NonZeroU32>| {
        endpoints.iter().map(|endpoint| of(endpoint).map(|limit| f64::from(limit.get()))).sum()
    };
    Terms {
        input: dearest(|price| price.input),
        output: dearest(|price| price.output),
        requests_per_minute: limit(|endpoint| endpoint.requests_per_minute),
        tokens_per_minute: limit(|endpoint| endpoint.tokens_per_minute),
    }
}
