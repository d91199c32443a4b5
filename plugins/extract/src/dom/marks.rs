//! What an element says of itself: its name, its role, and the words of its class and id.
//!
//! The words are those that authors and publishing systems everywhere give to the parts of a page, whatever language the
//! page is in. What they mean for its text is not decided here.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of sixty tags those that are not named are all alike here"
)]

use aho_corasick::{AhoCorasick, MatchKind};

use super::tags::Tag;

/// How many kinds of mark there are.
pub(crate) const COUNT: usize = 49;

/// A set of marks, one bit each.
pub(crate) type Marks = u64;

pub(crate) const HIDDEN: u32 = 24;
pub(crate) const ARIA_HIDDEN: u32 = 25;
pub(crate) const ARTICLE_TAG: u32 = 26;
pub(crate) const MAIN_TAG: u32 = 27;
pub(crate) const NOSCRIPT_TAG: u32 = 43;
const NAV_TAG: u32 = 28;
const ASIDE_TAG: u32 = 31;
const FORM_TAG: u32 = 32;
const DIALOG_TAG: u32 = 42;

/// Words that are looked for anywhere, for each kind of mark. `readmore` and the like have no borders to look at.
const WORDS: [(u32, &[&str]); 24] = [
    (0, &["article", "story", "entry", "blog", "news"]),
    (1, &["content", "body", "prose", "markdown", "maintext", "richtext", "wysiwyg", "rte-"]),
    (2, &["comment", "disqus", "respond", "repl"]),
    (3, &["message", "thread", "topic", "answer", "question", "forum", "discuss"]),
    (4, &["navi", "navbar", "menu", "breadcrumb", "pagina", "pager", "crumb", "sitemap"]),
    (5, &["sidebar", "side-", "-side", "aside", "widget", "secondary", "sidenav"]),
    (6, &["footer", "-foot", "foot-", "copyright", "legal", "colophon", "disclaimer"]),
    (7, &["header", "masthead", "topbar", "toolbar", "logo", "banner"]),
    (8, &["share", "sharing", "social", "follow", "facebook", "twitter", "addthis", "whatsapp", "sns"]),
    (
        9,
        &[
            "relat",
            "recommend",
            "similar",
            "popular",
            "trending",
            "latest",
            "teaser",
            "recirc",
            "outbrain",
            "taboola",
            "carousel",
            "slider",
            "swiper",
            "most-",
            "readmore",
            "read-more",
            "upsell",
            "cross",
        ],
    ),
    (10, &["advert", "sponsor", "promo", "adsense", "dfp", "marketing", "cta"]),
    (
        11,
        &[
            "cookie",
            "consent",
            "gdpr",
            "modal",
            "popup",
            "overlay",
            "newsletter",
            "subscri",
            "signup",
            "sign-up",
            "login",
            "paywall",
            "regist",
            "account",
            "donat",
        ],
    ),
    (
        12,
        &[
            "author",
            "byline",
            "timestamp",
            "published",
            "postmeta",
            "post-meta",
            "entry-meta",
            "credit",
            "categor",
            "permalink",
            "date",
        ],
    ),
    (13, &["title", "heading", "headline"]),
    (14, &["caption", "figure", "image", "gallery", "video", "player", "photo", "media", "thumb"]),
    (15, &["product", "price", "buy", "cart", "shop", "sku", "stock", "order"]),
    (16, &["descri", "detail", "spec", "feature", "overview", "about", "bio"]),
    (17, &["list", "card", "grid", "tile", "result", "archive", "feed", "loop", "item"]),
    (
        18,
        &[
            "docs",
            "document",
            "reference",
            "code",
            "highlight",
            "example",
            "guide",
            "wiki",
            "tutorial",
            "api",
        ],
    ),
    (
        19,
        &[
            "sr-only",
            "visually-hidden",
            "visuallyhidden",
            "screen-reader",
            "skip",
            "print",
            "noprint",
            "offscreen",
            "tooltip",
            "invisible",
        ],
    ),
    (20, &["search", "form", "filter", "sort", "input", "button", "btn"]),
    (21, &["summary", "excerpt", "lead", "intro", "abstract", "subtitle", "dek", "standfirst", "tldr"]),
    (22, &["footnote", "bibliog", "citation", "references", "source"]),
    (23, &["avatar", "profile", "signature", "user", "member", "badge", "rating", "review", "testimon"]),
];

/// Words that are looked for between borders, being parts of too many others.
const SHORT: [(u32, &[&str]); 7] = [
    (0, &["post"]),
    (1, &["text", "main", "copy", "txt"]),
    (4, &["nav", "toc", "tabs", "tab"]),
    (5, &["side", "rail", "right", "left"]),
    (8, &["fb"]),
    (10, &["ad", "ads"]),
    (12, &["meta", "tag", "tags", "info", "time", "by"]),
];

/// Finds the marks of elements. Made once: it costs more than a page.
#[derive(Debug)]
pub(crate) struct Finder {
    automaton: AhoCorasick,
    /// For each pattern its mark, and whether it is looked for between borders.
    patterns: Vec<(u32, bool)>,
}

impl Finder {
    pub(crate) fn new() -> Self {
        let mut words = Vec::new();
        let mut patterns = Vec::new();
        for (table, bordered) in [(WORDS.as_slice(), false), (SHORT.as_slice(), true)] {
            for (mark, names) in table {
                words.extend_from_slice(names);
                patterns.extend(names.iter().map(|_| (*mark, bordered)));
            }
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(&words)
            .expect("a few hundred short words are far below every limit");
        Self { automaton, patterns }
    }

    /// The marks of the words in a class, an id or the like.
    pub(crate) fn words(&self, value: &str) -> Marks {
        let mut marks = 0;
        for found in self.automaton.find_overlapping_iter(value) {
            let Some(&(mark, bordered)) = self.patterns.get(found.pattern().as_usize()) else { continue };
            if !bordered || is_between_borders(value.as_bytes(), found.start(), found.end()) {
                marks |= 1 << mark;
            }
        }
        marks
    }
}

fn is_between_borders(value: &[u8], start: usize, end: usize) -> bool {
    let first = value.get(start).copied().unwrap_or_default();
    let last = value.get(end.wrapping_sub(1)).copied().unwrap_or_default();
    // `postContent` has a border behind `post`, `mainText` one before `Text`.
    let before = start.checked_sub(1).and_then(|at| value.get(at)).is_none_or(|byte| {
        !byte.is_ascii_alphabetic() || byte.is_ascii_lowercase() && first.is_ascii_uppercase()
    });
    let after = value.get(end).is_none_or(|byte| {
        !byte.is_ascii_alphabetic() || byte.is_ascii_uppercase() && last.is_ascii_lowercase()
    });
    before && after
}

/// The mark that a tag is.
pub(crate) fn of_tag(tag: Tag) -> Marks {
    let mark = match tag {
        Tag::Article => ARTICLE_TAG,
        Tag::Main => MAIN_TAG,
        Tag::Nav => NAV_TAG,
        Tag::Header => 29,
        Tag::Footer => 30,
        Tag::Aside => ASIDE_TAG,
        Tag::Form => FORM_TAG,
        Tag::Table => 33,
        Tag::Ul | Tag::Ol => 34,
        Tag::Figure | Tag::Figcaption => 35,
        Tag::Section => 36,
        Tag::Blockquote => 37,
        Tag::Dl => 38,
        Tag::Pre => 39,
        Tag::Details => 40,
        Tag::Label => 41,
        Tag::Dialog => DIALOG_TAG,
        Tag::Noscript => NOSCRIPT_TAG,
        _ => return 0,
    };
    1 << mark
}

/// The mark that a role is: what its tag would be.
pub(crate) fn of_role(role: &str) -> Marks {
    let mark = match role {
        "main" => MAIN_TAG,
        "article" => ARTICLE_TAG,
        "navigation" | "menu" | "menubar" | "tablist" => NAV_TAG,
        "banner" => 29,
        "contentinfo" => 30,
        "complementary" | "note" => ASIDE_TAG,
        "form" | "search" => FORM_TAG,
        "dialog" | "alertdialog" | "alert" => DIALOG_TAG,
        _ => return 0,
    };
    1 << mark
}

/// The mark of a property of schema.org that holds a text.
pub(crate) fn of_property(name: &str) -> Marks {
    let mark = match name {
        "articleBody" | "text" => 44,
        "description" => 45,
        "comment" | "review" | "reviewBody" => 46,
        _ => return 0,
    };
    1 << mark
}

/// The mark of a type of schema.org.
pub(crate) fn of_type(name: &str) -> Marks {
    let name = name.rsplit('/').next().unwrap_or(name);
    let mark = match name {
        "Comment" | "UserComments" | "Review" => 46,
        "Product" | "Offer" => 48,
        _ if name.ends_with("Article") || name.ends_with("Posting") => 47,
        _ => return 0,
    };
    1 << mark
}
