//! The care that no complaint shows a key.

use super::endpoint::is_variable;
use crate::config::complaints::{Notes, Spot};
use crate::config::schema;

/// Hides every text of the file that may be a secret, by mistake or not: in a model's table what stands under `key` and
/// under keys that nobody knows (`auth`), elsewhere what stands under a name like a secret's.
pub(super) fn hide_secrets(root: &Spot<'_>, notes: &mut Notes<'_>) {
    let schema = schema();
    let knows = |table: &str, key: &str| {
        let known = schema.pointer(&format!("/$defs/{table}/properties")).and_then(|known| known.get(key));
        key != "key" && known.is_some()
    };
    for name in root.keys() {
        let spot = root.key(name);
        if name != "models" {
            hide_within(name, &spot, like_a_secret(name), notes);
            continue;
        }
        for model in spot.keys().into_iter().map(|name| spot.key(name)) {
            for key in model.keys() {
                hide_within(key, &model.key(key), !knows("ModelTable", key), notes);
            }
            let endpoints = model.key("endpoints");
            for endpoint in (0..endpoints.len()).map(|index| endpoints.index(index)) {
                for key in endpoint.keys() {
                    hide_within(key, &endpoint.key(key), !knows("EndpointTable", key), notes);
                }
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
