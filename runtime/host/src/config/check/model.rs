//! The checks of `[models.NAME]` and of `[budget]`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::{Check, WORD, is_word, size};
use crate::condition::Condition;
use crate::config::complaints::{Spot, hint, listed};
use crate::config::{
    Backend, BudgetTable, EndpointPlan, ModelPlan, ModelTable, RoutePlan, TokenizerPlan, shape,
};
use crate::tokens::VOCABULARIES;

/// Sequences that share one pass over the weights; on a processor more of them only wait longer.
pub(super) const EMBEDDED_IN_FLIGHT: usize = 4;
/// 2048 tokens of the smallest model's cache are 47 MB for each call in flight.
pub(super) const EMBEDDED_CONTEXT: u32 = 2048;
/// A busy server queues calls, and a long reply takes minutes.
pub(in crate::config) const CALL_TIMEOUT_SECONDS: u32 = 300;
/// A server that is started again loads its weights for minutes.
pub(in crate::config) const PATIENCE_SECONDS: u32 = 600;
/// What is counted in billionths of a thousandth of a dollar has to fit into a number of the journal.
const MAX_DOLLARS: f64 = 1e6;
pub(super) const CONDITION: &str =
    "a condition (CEL) on the fields of a document, such as `language == 'de'`";
/// The fields of a request that say what is asked; the rest is the user's, under `extra`.
const OWN_FIELDS: [&str; 14] = [
    "best_of",
    "model",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "response_format",
    "grammar",
    "n",
    "stream",
    "stream_options",
];

impl Check<'_, '_> {
    pub(super) fn model(&mut self, name: &str, spot: &Spot<'_>) -> Option<ModelPlan> {
        if !is_word(name) {
            let at = Spot { value: None, ..spot.clone() };
            self.notes.refuse(&at, format!("the name `{name}` is no word"), WORD);
        }
        let read = shape::read::<ModelTable>(spot, &self.refused, self.notes)?;
        let table = read.table;
        self.price(table.price, &spot.key("price"));
        let answers = (table.endpoint.is_some(), !table.endpoints.is_empty(), table.embedded.is_some());
        let (backend, served) = match answers {
            (true, false, false) => (self.endpoint(&table, spot, read.whole)?, table.model.clone()?),
            (false, true, false) => (self.endpoints(&table, spot, read.whole)?, table.model.clone()?),
            (false, false, true) => (self.embedded(&table, spot)?, table.embedded.clone()?),
            (false, false, false) => {
                if read.whole {
                    let accepted = "`endpoint = \"http://127.0.0.1:8000/v1\"` or `embedded = \"NAME\"`";
                    self.notes.refuse(spot, "nobody answers for this model", accepted);
                }
                return None;
            }
            (true, true, _) => {
                let says = "a model has one `endpoint` or several `endpoints`, not both";
                self.notes.note(&spot.name("endpoints"), says);
                return None;
            }
            (_, _, true) => {
                let says = "a model is either at an `endpoint` or `embedded`, not both";
                self.notes.note(&spot.name("embedded"), says);
                return None;
            }
        };
        let seconds = |given: Option<NonZeroU32>, default| {
            Duration::from_secs(given.map_or(default, NonZeroU32::get).into())
        };
        if let Some(name) = table.tokenizer.as_deref().filter(|name| !name.ends_with(".json"))
            && !VOCABULARIES.contains(&name)
        {
            let accepted = format!("{}, or the path of a `tokenizer.json`", listed(VOCABULARIES));
            let says = format!("there is no vocabulary `{name}`{}", hint(name, VOCABULARIES));
            self.notes.refuse(&spot.key("tokenizer"), says, accepted);
        }
        for key in OWN_FIELDS {
            if table.extra.contains_key(key) {
                let says = format!("`{key}` is set by the program for every request");
                self.notes.note(&spot.key("extra").name(key), says);
            }
        }
        Some(ModelPlan {
            name: name.to_owned(),
            served,
            backend,
            timeout: seconds(table.timeout_seconds, CALL_TIMEOUT_SECONDS),
            patience: seconds(table.patience_seconds, PATIENCE_SECONDS),
            length_field: table.length_field,
            extra: table.extra,
            tokenizer: match table.tokenizer {
                Some(name) if name.ends_with(".json") => TokenizerPlan::File(self.folder.join(name)),
                Some(name) => TokenizerPlan::BuiltIn(name),
                None => TokenizerPlan::default(),
            },
            routes: table
                .routes
                .into_iter()
                .map(|route| RoutePlan { when: route.when, to: route.to })
                .collect(),
        })
    }

    /// What can only be seen of all models together.
    pub(super) fn together(&mut self, models: &[(&str, Spot<'_>)], plans: &[Option<ModelPlan>]) {
        for (name, spot) in models {
            let routes = spot.key("routes");
            for route in (0..routes.len()).map(|index| routes.index(index)) {
                let (when, to) = (route.key("when"), route.key("to"));
                if let Some(Err(error)) = when.text().map(Condition::parse) {
                    self.notes.refuse(&when, error.to_string(), CONDITION);
                }
                let Some(model) = to.text() else { continue };
                let mut others = models.iter().map(|(other, _)| *other).filter(|other| other != name);
                if model == *name {
                    self.notes.note(&to, "a route leads to another model");
                } else if !others.any(|other| other == model) {
                    let known = || models.iter().map(|(other, _)| *other);
                    let says = format!("there is no model `{model}`{}", hint(model, known()));
                    self.notes.refuse(&to, says, listed(known()));
                }
            }
        }
        // Two tables with the same model at the same server share its gate.
        let mut seen: BTreeMap<(&str, &str), &EndpointPlan> = BTreeMap::new();
        for (plan, (_, spot)) in plans.iter().zip(models) {
            let Some(ModelPlan { backend: Backend::Endpoints(endpoints), .. }) = plan else { continue };
            for endpoint in endpoints {
                let earlier = *seen.entry((&endpoint.url, &endpoint.model)).or_insert(endpoint);
                let limits = |it: &EndpointPlan| {
                    (it.requests_per_minute, it.tokens_per_minute, it.in_flight, it.price)
                };
                if limits(earlier) != limits(endpoint) {
                    let says = format!(
                        "another model of this file is `{}` at the same server, with other limits or another price",
                        endpoint.model
                    );
                    self.notes.note(spot, says);
                }
            }
        }
    }

    pub(super) fn budget(
        &mut self,
        spot: &Spot<'_>,
        models: &[(&str, Spot<'_>)],
        plans: &[Option<ModelPlan>],
    ) -> BudgetTable {
        let Some(read) = shape::read::<BudgetTable>(spot, &self.refused, self.notes) else {
            return BudgetTable::default();
        };
        let budget = read.table;
        let Some(dollars) = budget.max_usd else { return budget };
        if !(0.0..=MAX_DOLLARS).contains(&dollars) {
            let accepted = format!("dollars, from 0 to {MAX_DOLLARS}");
            self.notes.refuse(&spot.key("max_usd"), format!("{dollars} is no budget"), accepted);
        }
        for (plan, (name, _)) in plans.iter().zip(models) {
            let Some(ModelPlan { backend: Backend::Endpoints(endpoints), .. }) = plan else { continue };
            if endpoints.iter().any(|endpoint| endpoint.price.is_none()) {
                let says = format!(
                    "what `models.{name}` costs is not known, so that nothing can be kept below a cap"
                );
                let accepted = format!(
                    "`models.{name}.price = {{ input = …, output = … }}`, dollars per million tokens"
                );
                self.notes.refuse(&spot.key("max_usd"), says, accepted);
            }
        }
        budget
    }

    fn embedded(&mut self, table: &ModelTable, spot: &Spot<'_>) -> Option<Backend> {
        let name = table.embedded.as_deref()?;
        let of_endpoints = [
            ("model", table.model.is_some()),
            ("key", table.key.is_some()),
            ("requests_per_minute", table.requests_per_minute.is_some()),
            ("tokens_per_minute", table.tokens_per_minute.is_some()),
            ("extra", !table.extra.is_empty()),
        ];
        for (key, _) in of_endpoints.into_iter().filter(|(_, given)| *given) {
            self.notes.note(
                &spot.name(key),
                format!("`{key}` is for a model at an `endpoint`; this one is `embedded`"),
            );
        }
        let known = || self.known.embedded.iter().copied();
        if !self.known.embedded.contains(&name) {
            let says = format!("there is no embedded model `{name}`{}", hint(name, known()));
            self.notes.refuse(&spot.key("embedded"), says, listed(known()));
            return None;
        }
        let context = table.context.map_or(EMBEDDED_CONTEXT, NonZeroU32::get);
        let in_flight = table.in_flight.map_or(EMBEDDED_IN_FLIGHT, size);
        Some(Backend::Embedded { context, in_flight })
    }
}
