//! One model at one server: its client, its gate, and what it charges. Whatever names it, there is one of each.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{EndpointPlan, Secret};
use crate::llm::adapt::Adaptive;
use crate::llm::budget::Price;
use crate::llm::client::{Client, EndpointError};
use crate::llm::gate::Gate;
use crate::llm::{metrics, now};

/// Often enough to follow a queue that a burst of calls fills, and nothing to a server.
const METRICS_EVERY: Duration = Duration::from_secs(1);
/// A server that was asked so often and has never told anything of itself is not going to.
const METRICS_TRIES: u32 = 3;

#[derive(Debug)]
pub(super) struct Lane {
    url: String,
    key: Option<Secret>,
    /// What the server calls the model.
    pub(super) served: String,
    pub(super) client: Client,
    pub(super) gate: Arc<Gate>,
    pub(super) price: Option<Price>,
    pub(super) weight: u32,
    /// Whether it has a limit on tokens, so that they have to be counted before a call.
    pub(super) counts_tokens: bool,
}

impl Lane {
    pub(super) fn open(plan: &EndpointPlan, timeout: Duration) -> Result<Self, EndpointError> {
        let adaptive = Adaptive::new(plan.in_flight);
        Ok(Self {
            url: plan.url.clone(),
            key: plan.key.clone(),
            served: plan.model.clone(),
            client: Client::new(&plan.url, plan.key.as_ref(), timeout, now)?,
            gate: Arc::new(Gate::new(plan.requests_per_minute, plan.tokens_per_minute, adaptive)),
            price: plan.price.as_ref().map(Price::new),
            weight: plan.weight,
            counts_tokens: plan.tokens_per_minute.is_some(),
        })
    }

    /// Whether this is the model at the server that the plan means, as whom the plan asks.
    pub(super) fn is(&self, plan: &EndpointPlan) -> bool {
        self.url == plan.url && self.served == plan.model && self.key == plan.key
    }

    /// The lower, the sooner it should have the next call.
    pub(super) fn load(&self) -> f64 {
        self.gate.load() / f64::from(self.weight)
    }
}

/// Tells the gate what the server says of its own queue, if it does, until the lane is gone.
pub(super) async fn watch(lane: std::sync::Weak<Lane>) {
    let mut left = METRICS_TRIES;
    let mut every = tokio::time::interval(METRICS_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while 0 < left {
        every.tick().await;
        let Some(lane) = lane.upgrade() else { return };
        let told = lane.client.metrics().await.ok().and_then(|text| metrics::queue(&text));
        match told {
            Some(queue) => {
                // From now on a silence is a server that is busy or away.
                left = u32::MAX;
                lane.gate.metrics(queue.running, queue.waiting);
            }
            None => left -= 1,
        }
    }
}
