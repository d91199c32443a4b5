//! One chat request from its arrival to what is sent for it, in the order in which a provider decides.
//!
//! Key, model, limits per minute and context come before the ordered misbehaviour, and a place among those under way and the
//! model's work after it: what is turned away early costs nothing, and what fails later has counted in the limits.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use crate::provider::conduct::{Act, Conduct, Refusal, RetryAfter, Seen};
use crate::provider::house::{House, Open, Place};
use crate::provider::limits::{Admission, Excess, go_duration};
use crate::provider::reply::{self, Ask};
use crate::provider::settings::Settings;
use crate::provider::wire::{self, Wire};

/// What there is to say to a request, and its place among those under way.
pub(crate) async fn chat(house: &Arc<House>, open: &mut Open, ask: Result<Ask, String>) -> Wire {
    let mut headers = Vec::new();
    match answer(house, open, ask, &mut headers).await {
        Ok(wire) => wire,
        Err(refusal) => {
            let mut response = refusal.response(Timestamp::now());
            response.headers.extend(headers);
            Wire::plain(response)
        }
    }
}

type Headers = Vec<(&'static str, String)>;

async fn answer(
    house: &Arc<House>,
    open: &mut Open,
    ask: Result<Ask, String>,
    headers: &mut Headers,
) -> Result<Wire, Refusal> {
    let settings = &house.settings;
    if !house.knows(open.key()) {
        return Err(Refusal::denied(401));
    }
    let ask = ask.map_err(|says| Refusal::error(400, "invalid_request_error", Value::Null, &says))?;
    if !settings.models.is_empty() && !settings.models.contains(&ask.model) {
        let says = format!("The model `{}` does not exist.", ask.model);
        return Err(Refusal::error(404, "invalid_request_error", "model_not_found", &says));
    }
    let prompt_tokens = ask.prompt_tokens(&settings.count);
    let admission = admit(house, open, &ask, headers)?;
    if let Some(context) = settings.context
        && context < prompt_tokens.saturating_add(ask.max_tokens)
    {
        return Err(Refusal::too_long(settings.dialect, context, prompt_tokens, ask.max_tokens));
    }
    let conduct: Conduct = house.conduct();
    let (number, attempt) = open.chat();
    let act = conduct.towards(&Seen { number, attempt, body: open.body(), ask: &ask });
    let act = match act {
        Act::Refuse(refusal) => return Err(refusal),
        Act::Hang => return Ok(Wire::hang()),
        Act::Raw(bytes) => return Ok(Wire::raw(bytes)),
        Act::Answer | Act::Odd(_) | Act::Reset(_) | Act::Close(_) | Act::Late(_) | Act::Drip { .. } => act,
    };
    open.place = Some(place(house)?);
    let reply = reply::reply(&ask, settings);
    let charged = settings.charge_lost || wire::is_charged(&act);
    let turn = match &house.slots {
        None => None,
        Some(slots) => {
            let turn = slots.begin(prompt_tokens, reply.usage.completion_tokens).await;
            Some(turn.map_err(|_full| Refusal::busy(503))?)
        }
    };
    // From here on the model works, and whoever goes now has had it work for nothing.
    if charged {
        open.charge(reply.usage, settings.price.of(reply.usage));
    }
    if let Some(turn) = turn {
        turn.end().await;
    }
    house.limiter().settle(Instant::now(), admission, reply.usage.total());
    Ok(wire::told(act, reply::completion(&ask, &reply), std::mem::take(headers)))
}

/// Lets a request in, as far as the limits per minute are concerned.
fn admit(house: &House, open: &Open, ask: &Ask, headers: &mut Headers) -> Result<Admission, Refusal> {
    let settings = &house.settings;
    let reserved = settings.limits.reserves.of(ask.prompt_tokens(&settings.count), ask.max_tokens);
    let mut limiter = house.limiter();
    // The ledger's time, so that what it says of any window is what was enforced.
    let admitted = limiter.admit(open.arrived(), reserved);
    *headers = limiter.headers(open.arrived());
    drop(limiter);
    match admitted {
        Ok(admission) => {
            open.accept(reserved);
            Ok(admission)
        }
        Err(excess) => Err(turned_away(excess, reserved, &ask.model, settings)),
    }
}

fn turned_away(excess: Excess, reserved: u64, model: &str, settings: &Settings) -> Refusal {
    match excess {
        Excess::Later { what, limit, used, wait } => {
            let asked = if what == "tokens" { reserved } else { 1 };
            let says = format!(
                "Rate limit reached for {model} on {what} per min: Limit {limit}, Used {used}, Requested {asked}. Please try again in {}.",
                go_duration(wait)
            );
            let refusal = Refusal::error(429, what, "rate_limit_exceeded", &says);
            refusal.after(settings.limits.retry_after.clone(), wait)
        }
        Excess::TooLarge { limit } => {
            let says = format!(
                "Request too large for {model} on tokens per min: Limit {limit}, Requested {reserved}."
            );
            Refusal::error(429, "tokens", "rate_limit_exceeded", &says)
                .after(RetryAfter::None, Default::default())
        }
    }
}

fn place(house: &Arc<House>) -> Result<Place, Refusal> {
    let place = Place::take(house);
    match &house.settings.concurrency {
        Some(crowd) if crowd.most < place.under_way() => {
            Err(Refusal::busy(crowd.status).after(crowd.retry_after.clone(), crowd.wait))
        }
        Some(_) | None => Ok(place),
    }
}
