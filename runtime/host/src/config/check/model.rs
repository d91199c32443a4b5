//! The checks of `[models.NAME]`, and the care that no complaint shows a key.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Check, WORD, is_word, size};
use crate::config::complaints::{Notes, Spot, hint, listed};
use crate::config::{Backend, KeyTable, ModelPlan, ModelTable, Secret, schema, shape};

/// Servers batch a few hundred sequences; the gate finds by itself where fewer are better.
pub(super) const ENDPOINT_IN_FLIGHT: usize = 256;
/// Sequences that share one pass over the weights; on a processor more of them only wait longer.
pub(super) const EMBEDDED_IN_FLIGHT: usize = 4;
/// 2048 tokens of the smallest model's cache are 47 MB for each call in flight.
pub(super) const EMBEDDED_CONTEXT: u32 = 2048;
/// A busy server queues calls, and a long reply takes minutes.
pub(super) const CALL_TIMEOUT_SECONDS: u32 = 300;
/// A server that is started again loads its weights for minutes.
pub(super) const PATIENCE_SECONDS: u32 = 600;

impl Check<'_, '_> {
    pub(super) fn model(&mut self, name: &str, spot: &Spot<'_>) -> Option<ModelPlan> {
        if !is_word(name) {
            let at = Spot { value: None, ..spot.clone() };
            self.notes.refuse(&at, format!("the name `{name}` is no word"), WORD);
        }
        let read = shape::read::<ModelTable>(spot, &self.refused, self.notes)?;
        let table = read.table;
        self.price(&table, spot);
        let (backend, in_flight) = match (&table.endpoint, &table.embedded) {
            (Some(_), None) => (self.endpoint(&table, spot, read.whole)?, ENDPOINT_IN_FLIGHT),
            (None, Some(_)) => (self.embedded(&table, spot)?, EMBEDDED_IN_FLIGHT),
            (Some(_), Some(_)) => {
                self.notes.note(
                    &spot.name("embedded"),
                    "a model is either at an `endpoint` or `embedded`, not both",
                );
                return None;
            }
            (None, None) => {
                if read.whole {
                    let accepted = "`endpoint = \"http://127.0.0.1:8000/v1\"` or `embedded = \"NAME\"`";
                    self.notes.refuse(spot, "nobody answers for this model", accepted);
                }
                return None;
            }
        };
        let seconds = |given: Option<NonZeroU32>, default| {
            Duration::from_secs(given.map_or(default, NonZeroU32::get).into())
        };
        Some(ModelPlan {
            name: name.to_owned(),
            backend,
            requests_per_minute: table.requests_per_minute,
            tokens_per_minute: table.tokens_per_minute,
            in_flight: table.in_flight.map_or(in_flight, size),
            price: table.price,
            timeout: seconds(table.timeout_seconds, CALL_TIMEOUT_SECONDS),
            patience: seconds(table.patience_seconds, PATIENCE_SECONDS),
        })
    }

    fn endpoint(&mut self, table: &ModelTable, spot: &Spot<'_>, whole: bool) -> Option<Backend> {
        let url = table.endpoint.as_deref()?.trim_end_matches('/');
        if let Err(says) = check_url(url) {
            let accepted = "the base URL of an OpenAI-compatible server, such as `http://127.0.0.1:8000/v1`";
            self.notes.refuse(&spot.key("endpoint"), says, accepted);
        }
        if table.context.is_some() {
            self.notes.note(
                &spot.name("context"),
                "only an `embedded` model's context is set here; a server has its own",
            );
        }
        if table.model.as_deref().unwrap_or_default().is_empty() && whole {
            self.notes.refuse(&spot.key("model"), "missing: a string", "the model's name at the endpoint");
        }
        let key = match &table.key {
            Some(key) => Some(self.key(key, &spot.key("key"), whole)?),
            None => None,
        };
        Some(Backend::Endpoint { url: url.to_owned(), model: table.model.clone()?, key })
    }

    fn embedded(&mut self, table: &ModelTable, spot: &Spot<'_>) -> Option<Backend> {
        let name = table.embedded.as_deref()?;
        let of_endpoints = [
            ("model", table.model.is_some()),
            ("key", table.key.is_some()),
            ("requests_per_minute", table.requests_per_minute.is_some()),
            ("tokens_per_minute", table.tokens_per_minute.is_some()),
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
        Some(Backend::Embedded { name: name.to_owned(), context })
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

    fn price(&mut self, table: &ModelTable, spot: &Spot<'_>) {
        let Some(price) = table.price else { return };
        for (key, dollars) in [("input", price.input), ("output", price.output)] {
            if !dollars.is_finite() || dollars < 0.0 {
                let at = spot.key("price").key(key);
                self.notes.refuse(
                    &at,
                    format!("{dollars} is no price"),
                    "dollars per million tokens, 0 or more",
                );
            }
        }
    }
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

fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Hides every text of the file that may be a secret, by mistake or not: in a model's table what stands under `key` and
/// under keys that nobody knows (`auth`), elsewhere what stands under a name like a secret's.
pub(super) fn hide_secrets(root: &Spot<'_>, notes: &mut Notes<'_>) {
    let schema = schema();
    let known = schema.pointer("/$defs/ModelTable/properties").and_then(serde_json::Value::as_object);
    let harmless = |key: &str| key != "key" && known.is_some_and(|known| known.contains_key(key));
    for name in root.keys() {
        let spot = root.key(name);
        if name != "models" {
            hide_within(name, &spot, like_a_secret(name), notes);
            continue;
        }
        for model in spot.keys().into_iter().map(|name| spot.key(name)) {
            for key in model.keys() {
                hide_within(key, &model.key(key), !harmless(key), notes);
            }
        }
    }
}

fn hide_within(name: &str, spot: &Spot<'_>, secret: bool, notes: &mut Notes<'_>) {
    if let Some(text) = spot.text() {
        let place_of_key = name == "file" || (name == "env" && is_variable(text));
        if (secret && !place_of_key)
            || text.split_once("://").is_some_and(|(_, rest)| more_than_a_place(rest))
        {
            notes.hide(spot.span.clone());
        }
    }
    for key in spot.keys() {
        hide_within(key, &spot.key(key), secret || like_a_secret(key), notes);
    }
    for index in 0..spot.len() {
        hide_within(name, &spot.index(index), secret, notes);
    }
}

/// Whether a URL has credentials or a query.
fn more_than_a_place(rest: &str) -> bool {
    rest.contains('?') || rest.split('/').next().is_some_and(|authority| authority.contains('@'))
}

fn like_a_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["key", "token", "secret", "password", "@"].iter().any(|word| text.contains(word))
}

/// Hides what follows the `=` in a line that could not be read: whether it is a key cannot be known.
pub(super) fn hide_line(text: &str, offset: usize, notes: &mut Notes<'_>) {
    let (before, after) = text.split_at_checked(offset.min(text.len())).unwrap_or((text, ""));
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let end = after.find('\n').map_or(text.len(), |newline| before.len() + newline);
    let line = text.get(start..end).unwrap_or_default();
    if like_a_secret(line)
        && let Some(equals) = line.find('=')
    {
        notes.hide(start + equals + 1..end);
    }
}
