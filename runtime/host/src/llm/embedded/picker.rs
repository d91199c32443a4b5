//! Which token comes next: the likeliest or one drawn by chance, among those that the prompt's shape allows.

use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;

use super::grammar::{Grammar, GrammarError, Matcher};
use super::schema;
use super::words::Words;
use crate::prompt::{Failure, Prompt, Shape};

/// Temperatures below it are zero: dividing by them overflows.
const LEAST_TEMPERATURE: f32 = 1e-5;

pub(super) struct Picker {
    /// None: the likeliest token, always.
    chance: Option<LlamaSampler>,
    shape: Option<Matcher>,
}

impl Picker {
    pub(super) fn of(prompt: &Prompt) -> Result<Self, Failure> {
        let shape = match &prompt.shape {
            None => None,
            Some(Shape::Grammar(gbnf)) => Some(matcher(gbnf)?),
            Some(Shape::JsonSchema(schema)) => {
                let gbnf = schema::gbnf(schema).map_err(|error| Failure::Refused(error.to_string()))?;
                Some(matcher(&gbnf)?)
            }
        };
        Ok(Self { chance: chance(prompt)?, shape })
    }

    /// The next token, or None where the shape leaves none.
    pub(super) fn pick(&mut self, logits: &[f32], words: &Words<'_>) -> Result<Option<u32>, GrammarError> {
        let Self { chance, shape } = self;
        let free = choose(chance, (0..).zip(logits.iter().copied()));
        let (Some(shape), Some(free)) = (shape, free) else { return Ok(free) };
        // Most of the time the model keeps to the shape by itself, and one token is checked sooner than all.
        let keeps = match words.piece(free) {
            _ if words.ends_reply(free) => shape.may_end(),
            [] => false,
            piece => shape.accept(piece)?,
        };
        if keeps {
            return Ok(Some(free));
        }
        let mut allowed = shape.allowed(words.sorted())?;
        if shape.may_end() {
            allowed.extend(words.last());
        }
        let picked = choose(chance, allowed.into_iter().map(|id| (id, logits[id as usize])));
        if let Some(id) = picked.filter(|&id| !words.ends_reply(id)) {
            shape.accept(words.piece(id))?;
        }
        Ok(picked)
    }

    /// Whether the reply is all that its shape has room for.
    pub(super) fn is_full(&self) -> bool {
        self.shape.as_ref().is_some_and(|shape| shape.may_end() && shape.must_end())
    }
}

fn matcher(gbnf: &str) -> Result<Matcher, Failure> {
    Grammar::parse(gbnf).and_then(Matcher::new).map_err(|error| Failure::Refused(error.to_string()))
}

/// Temperature first and the nucleus after it, in the order of the servers that this stands in for.
fn chance(prompt: &Prompt) -> Result<Option<LlamaSampler>, Failure> {
    let temperature = prompt.temperature.unwrap_or(0.0);
    if !temperature.is_finite() || temperature < 0.0 {
        return Err(Failure::Refused(format!("the temperature {temperature} is not a number from 0 on")));
    }
    if let Some(top_p) = prompt.top_p
        && !(0.0 < top_p && top_p <= 1.0)
    {
        return Err(Failure::Refused(format!("top_p {top_p} is not above 0 and at most 1")));
    }
    if temperature < LEAST_TEMPERATURE {
        return Ok(None);
    }
    // llama.cpp takes the largest seed as the wish for an arbitrary one.
    let seed = prompt.seed.min(u32::MAX - 1);
    let nucleus = prompt.top_p.map(|top_p| LlamaSampler::top_p(top_p, 1));
    let steps = [Some(LlamaSampler::temp(temperature)), nucleus, Some(LlamaSampler::dist(seed))];
    Ok(Some(LlamaSampler::chain(steps.into_iter().flatten(), true)))
}

fn choose(chance: &mut Option<LlamaSampler>, tokens: impl Iterator<Item = (u32, f32)>) -> Option<u32> {
    let Some(chance) = chance else {
        // Of equals the first, so that the order of the sum decides nothing.
        return tokens
            .max_by(|one, other| one.1.total_cmp(&other.1).then(other.0.cmp(&one.0)))
            .map(|(id, _)| id);
    };
    let data = tokens.map(|(id, logit)| LlamaTokenData::new(LlamaToken::new(id as i32), logit, 0.0));
    let mut data = LlamaTokenDataArray::from_iter(data, false);
    if data.data.is_empty() {
        return None;
    }
    data.apply_sampler(chance);
    data.selected_token().map(|token| token.0 as u32)
}
