//! The main text of an HTML page.

use dom_smoothie::{Config, Readability};

use crate::text::{self, Parts};

/// Less text than this is not worth having without a sign that it is what the page is about.
const MIN_REST_CHARS: usize = 250;

/// A title longer than this is a text.
const MAX_TITLE_CHARS: usize = 500;

/// How the text was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// The element that scores as the article.
    Readability,
    /// Nothing does: all that is not navigation or the like.
    Body,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Article {
    pub(crate) text: String,
    pub(crate) title: Option<String>,
    /// The language that the page says it is in, as it says it.
    pub(crate) lang: Option<String>,
    pub(crate) method: Method,
}

/// The page's article; none where it has no text to speak of. The page must have passed the guard.
pub(crate) fn find(html: &str) -> Option<Article> {
    let config = Config { disable_json_ld: true, ..Config::default() };
    let mut page = Readability::new(html, None, Some(config.clone())).ok()?;
    if let Ok(article) = page.parse() {
        let text = text::from_html(&article.content, Parts::All);
        if !text.is_empty() {
            let title = title(&article.title);
            return Some(Article {
                text,
                title,
                lang: article.lang.and_then(lang),
                method: Method::Readability,
            });
        }
    }
    // The failed attempts have taken the tree apart.
    let page = Readability::new(html, None, Some(config)).ok()?;
    let metadata = page.get_article_metadata(None);
    let body = page.doc.select_single("body").html();
    let text = text::from_html(&body, Parts::Inner);
    (MIN_REST_CHARS <= text.chars().count()).then(|| Article {
        text,
        title: title(&metadata.title),
        lang: metadata.lang.and_then(lang),
        method: Method::Body,
    })
}

fn title(title: &str) -> Option<String> {
    let title = text::line(title);
    (!title.is_empty()).then(|| title.chars().take(MAX_TITLE_CHARS).collect())
}

/// A language tag of RFC 5646, or something of that form.
fn lang(lang: String) -> Option<String> {
    let lang = lang.trim();
    let is_tag = lang
        .split('-')
        .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    (is_tag && lang.len() <= 35).then(|| lang.to_owned())
}
