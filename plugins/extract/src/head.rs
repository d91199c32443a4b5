//! What a page says of itself: its title and its language.

use crate::dom::Head;
use crate::text;

/// A title longer than this is a text.
const MAX_TITLE_CHARS: usize = 500;

pub(crate) fn title(head: &Head) -> Option<String> {
    let meta = |key: &str| head.metas.iter().find(|(name, _)| name == key).map(|(_, title)| title.as_str());
    let titles = [meta("og:title"), Some(head.title.as_str()), meta("twitter:title"), meta("dc.title")];
    let title = titles.into_iter().flatten().map(text::line).find(|title| !title.is_empty())?;
    Some(title.chars().take(MAX_TITLE_CHARS).collect())
}

/// A language tag of RFC 5646, or something of that form.
pub(crate) fn lang(head: &Head) -> Option<String> {
    let lang = head.lang.as_deref()?.trim();
    let is_tag = lang
        .split('-')
        .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    (is_tag && lang.len() <= 35).then(|| lang.to_owned())
}
