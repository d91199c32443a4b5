//! The servers of `[models.NAME]`: where they are, with which key, and how much they may be asked.

use std::num::NonZeroU32;

use super::{Check, size};
use crate::config::complaints::Spot;
use crate::config::{Backend, EndpointPlan, EndpointTable, KeyTable, ModelTable, PriceTable, Secret};

/// Servers batch a few hundred sequences; the gate finds by itself where fewer are better.
pub(in crate::config) const ENDPOINT_IN_FLIGHT: usize = 256;

const BASE_URL: &str = "the base URL of an OpenAI-compatible server, such as `http://127.0.0.1:8000/v1`";

impl Check<'_, '_> {
    /// The model's one server.
    pub(super) fn endpoint(&mut self, table: &ModelTable, spot: &Spot<'_>, whole: bool) -> Option<Backend> {
        let url = self.url(table.endpoint.as_deref()?, &spot.key("endpoint"));
        self.served(table, spot, whole);
        let key = self.key_of(table.key.as_ref(), &spot.key("key"), whole)?;
        let own = EndpointTable {
            url,
            model: None,
            key: None,
            weight: None,
            requests_per_minute: None,
            tokens_per_minute: None,
            in_flight: None,
            price: None,
        };
        Some(Backend::Endpoints(vec![plan(table, own, key)?]))
    }

    /// Its several servers.
    pub(super) fn endpoints(&mut self, table: &ModelTable, spot: &Spot<'_>, whole: bool) -> Option<Backend> {
        self.served(table, spot, whole);
        let key = self.key_of(table.key.as_ref(), &spot.key("key"), whole);
        let list = spot.key("endpoints");
        let mut plans = Vec::new();
        for (index, own) in table.endpoints.iter().enumerate() {
            let at = list.index(index);
            let url = self.url(&own.url, &at.key("url"));
            self.price(own.price, &at.key("price"));
            let own_key = self.key_of(own.key.as_ref(), &at.key("key"), whole);
            let asked = own.model.as_deref().or(table.model.as_deref());
            let the_same = |earlier: &EndpointTable| {
                earlier.url.trim_end_matches('/') == url
                    && earlier.model.as_deref().or(table.model.as_deref()) == asked
            };
            if table.endpoints.iter().take(index).any(the_same) {
                self.notes.note(&at.key("url"), "this server is named twice");
            }
            let key = if own.key.is_some() { own_key } else { key.clone() };
            plans.push(key.and_then(|key| plan(table, EndpointTable { url, ..own.clone() }, key)));
        }
        Some(Backend::Endpoints(plans.into_iter().collect::<Option<_>>()?))
    }

    fn served(&mut self, table: &ModelTable, spot: &Spot<'_>, whole: bool) {
        if table.context.is_some() {
            self.notes.note(
                &spot.name("context"),
                "only an `embedded` model's context is set here; a server has its own",
            );
        }
        if table.model.as_deref().unwrap_or_default().is_empty() && whole {
            self.notes.refuse(&spot.key("model"), "missing: a string", "the model's name at the endpoint");
        }
    }

    fn url(&mut self, url: &str, at: &Spot<'_>) -> String {
        let url = url.trim_end_matches('/');
        if let Err(says) = check_url(url) {
            self.notes.refuse(at, says, BASE_URL);
        }
        url.to_owned()
    }

    /// None if there should be a key and is none; there is a complaint then.
    fn key_of(&mut self, key: Option<&KeyTable>, spot: &Spot<'_>, whole: bool) -> Option<Option<Secret>> {
        match key {
            Some(key) => self.key(key, spot, whole).map(Some),
            None => Some(None),
        }
    }

    fn key(&mut self, key: &KeyTable, spot: &Spot<'_>, whole: bool) -> Option<Secret> {
        const ACCEPTED: &str = "`{ env = \"NAME\" }` or `{ file = \"PATH\" }`";
        let (at, found) = match (&key.env, &key.file) {
            (Some(name), None) => {
                let at = spot.key("env");
                if !is_variable(name) {
                    let says =
                        "is no name of an environment variable; the key itself never stands in the file";
                    self.notes.refuse(&at, says, ACCEPTED);
                    return None;
                }
                let Some(found) = (self.known.env)(name) else {
                    self.notes.note(&at, format!("the environment variable `{name}` is not set"));
                    return None;
                };
                (at, found)
            }
            (None, Some(path)) => {
                let at = spot.key("file");
                let path = self.folder.join(path);
                match (self.known.read_key_file)(&path) {
                    Ok(found) => (at, found),
                    Err(error) => {
                        self.notes.note(&at, format!("cannot read `{}`: {error}", path.display()));
                        return None;
                    }
                }
            }
            (Some(_), Some(_)) => {
                self.notes.refuse(spot, "the key is in a variable or in a file, not in both", ACCEPTED);
                return None;
            }
            (None, None) => {
                if whole {
                    self.notes.refuse(spot, "does not say where the key is", ACCEPTED);
                }
                return None;
            }
        };
        let key = found.lines().next().unwrap_or_default().trim();
        if key.is_empty() {
            self.notes.note(&at, "the key there is empty");
            return None;
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.notes.note(&at, "the key there has spaces or signs that no HTTP header carries");
            return None;
        }
        Some(Secret::new(key.to_owned()))
    }

    pub(super) fn price(&mut self, price: Option<PriceTable>, spot: &Spot<'_>) {
        let Some(price) = price else { return };
        let dollars = [
            ("input", Some(price.input)),
            ("cached_input", price.cached_input),
            ("output", Some(price.output)),
        ];
        for (key, dollars) in dollars.into_iter().filter_map(|(key, dollars)| Some((key, dollars?))) {
            // A thousand dollars for a thousand tokens is no price but a slip.
            if !(0.0..=1e6).contains(&dollars) {
                let says = format!("{dollars} is no price");
                self.notes.refuse(&spot.key(key), says, "dollars per million tokens, 0 or more");
            }
        }
        if let Some(share) = price.batch.filter(|share| !(0.0..=1.0).contains(share)) {
            let says = format!("{share} is no share of the price");
            self.notes.refuse(&spot.key("batch"), says, "a number from 0 to 1, such as 0.5");
        }
    }
}

/// What the server's own table leaves out is as in the model's.
fn plan(table: &ModelTable, own: EndpointTable, key: Option<Secret>) -> Option<EndpointPlan> {
    Some(EndpointPlan {
        url: own.url,
        model: own.model.or_else(|| table.model.clone())?,
        key,
        weight: own.weight.map_or(1, NonZeroU32::get),
        requests_per_minute: own.requests_per_minute.or(table.requests_per_minute),
        tokens_per_minute: own.tokens_per_minute.or(table.tokens_per_minute),
        in_flight: own.in_flight.or(table.in_flight).map_or(ENDPOINT_IN_FLIGHT, size),
        price: own.price.or(table.price),
    })
}

/// Whether a base URL can be called as it stands. It is not repeated in the message: it may carry a password.
fn check_url(url: &str) -> Result<(), &'static str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err("is no URL");
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err("is neither an `http` nor an `https` URL");
    }
    if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("has letters that no URL has");
    }
    if rest.contains(['?', '#']) {
        return Err("has a query or a fragment, which a base URL has not");
    }
    if rest.ends_with("/completions") {
        return Err("is the address of one call; the base URL ends before `/chat/completions`");
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err("carries credentials; name the key with `key = { env = \"NAME\" }`");
    }
    // An IPv6 address has its colons in brackets.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if host.is_empty() {
        return Err("names no host");
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("has a port that is no number from 0 to 65535");
    }
    Ok(())
}

pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
