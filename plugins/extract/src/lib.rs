//! The built-in stage `extract`: a captured page in, its main text out.
//!
//! It judges what a page is, never whether its text is any good: that is for the stages after it.

mod blocks;
mod choose;
mod dom;
mod features;
mod head;
mod media;
mod model;
#[cfg(test)]
mod robust;
mod text;
pub mod training;

use palimpsest_plugin::{Column, Draft, Kind, Outcome, Page, Stage, column};
use schemars::JsonSchema;
use serde::Deserialize;

use choose::Beta;
use dom::marks::Finder;
use media::{Claim, Media};
use model::Model;

/// Nearly all pages are under 2 MiB; what is over 4 is a listing or a data dump.
const DEFAULT_MAX_BYTES: u64 = 4 << 20;

/// Shorter texts are captions and error messages. Chinese says a sentence in as much.
const DEFAULT_MIN_CHARS: u64 = 50;

/// The largest specification on one page has some 150 000 elements; a quarter of a million blocks take a second to judge.
const MAX_BLOCKS: usize = 250_000;

/// How many nodes before a text's heading its day may stand.
const BYLINE_NODES: u32 = 20;

/// Settings of the stage `extract`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A page of more bytes, decoded to UTF-8, is dropped as `too_large` before it is parsed.
    pub max_bytes: u64,
    /// A page whose text has fewer characters is dropped as `too_short`; 0 keeps every page that has any text.
    pub min_chars: u64,
    /// What to do with blocks that may or may not be a part of the main text.
    pub favor: Favor,
}

/// What to do with blocks that may or may not be a part of the main text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Favor {
    /// Keep those with which precision and recall are best together.
    #[default]
    Balanced,
    /// Drop them: less text, and less of it from around the main text. For crawls that have more text than is wanted.
    Precision,
    /// Keep them: more text, with more of what stands around it. For languages and sites of which there is little.
    Recall,
}

impl Favor {
    fn beta(self) -> Beta {
        let (article, other) = match self {
            Self::Precision => (0.5, 0.5),
            Self::Balanced => (0.65, 0.85),
            Self::Recall => (1.5, 1.5),
        };
        Beta { article, other }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_bytes: DEFAULT_MAX_BYTES, min_chars: DEFAULT_MIN_CHARS, favor: Favor::default() }
    }
}

/// The stage.
#[derive(Debug)]
pub struct Extract {
    max_bytes: usize,
    min_chars: usize,
    beta: Beta,
    finder: Finder,
    model: Model,
}

/// Why a page has no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reject {
    HttpStatus(u16),
    NotHtml,
    NotText,
    TooLarge(usize),
    TooComplex(usize),
    NoText,
    TooShort(usize),
}

impl Reject {
    fn reason(self) -> &'static str {
        match self {
            Self::HttpStatus(_) => "http_status",
            Self::NotHtml => "not_html",
            Self::NotText => "not_text",
            Self::TooLarge(_) => "too_large",
            Self::TooComplex(_) => "too_complex",
            Self::NoText => "no_text",
            Self::TooShort(_) => "too_short",
        }
    }
}

impl Reject {
    fn outcome(self) -> Outcome {
        match self {
            Self::HttpStatus(status) => Outcome::drop_with(self.reason(), status),
            Self::TooLarge(bytes) => Outcome::drop_with(self.reason(), format_args!("{bytes} bytes")),
            Self::TooComplex(blocks) => Outcome::drop_with(self.reason(), format_args!("{blocks} blocks")),
            Self::TooShort(chars) => Outcome::drop_with(self.reason(), format_args!("{chars} characters")),
            Self::NotHtml | Self::NotText | Self::NoText => Outcome::drop(self.reason()),
        }
    }
}

impl Stage for Extract {
    const NAME: &'static str = "extract";
    const SUMMARY: &'static str = "finds the main text of an HTML page; plain text passes";
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        if settings.max_bytes == 0 {
            return Err("max_bytes: 0 would drop every page; leave it out for 4 MiB".to_owned());
        }
        // On a machine whose pages cannot be that large there is nothing to limit.
        Ok(Self {
            max_bytes: usize::try_from(settings.max_bytes).unwrap_or(usize::MAX),
            min_chars: usize::try_from(settings.min_chars).unwrap_or(usize::MAX),
            beta: settings.favor.beta(),
            finder: Finder::new(),
            model: Model::new()?,
        })
    }

    fn columns(&self) -> Vec<Column> {
        ["title", "html_lang", "published", "extractor"].map(|name| column(name, Kind::Text)).to_vec()
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        Ok(match self.extract(page) {
            Ok(draft) => Outcome::keep(draft),
            Err(reject) => reject.outcome(),
        })
    }
}

impl Extract {
    fn extract(&self, page: &Page<'_>) -> Result<Draft, Reject> {
        // 0: the capture is no HTTP response, like the records of WET files.
        let status = page.status();
        if !matches!(status, 0 | 200) {
            return Err(Reject::HttpStatus(status));
        }
        let claim = media::claimed(page.header("Content-Type").as_deref());
        if claim == Claim::Other {
            return Err(Reject::NotHtml);
        }
        let source = page.html().ok_or(Reject::NotText)?;
        if self.max_bytes < source.len() {
            return Err(Reject::TooLarge(source.len()));
        }
        let media = match claim {
            Claim::Is(media) => media,
            Claim::Unclear => media::sniffed(&source).ok_or(Reject::NotHtml)?,
            Claim::Other => return Err(Reject::NotHtml),
        };
        let draft = match media {
            Media::Html => self.html(&source, &page.document().date)?,
            Media::Plain => Draft::new().text(text::from_plain(&source)).with("extractor", "plain"),
        };
        let text = draft.text.as_deref().unwrap_or_default();
        if text.is_empty() {
            return Err(Reject::NoText);
        }
        // Only as many characters are counted as it takes.
        let chars = text.chars().take(self.min_chars).count();
        if chars < self.min_chars {
            return Err(Reject::TooShort(chars));
        }
        Ok(draft)
    }

    fn html(&self, source: &str, captured: &str) -> Result<Draft, Reject> {
        let tree = dom::build(source, &self.finder);
        let blocks = blocks::split(&tree);
        if MAX_BLOCKS < blocks.len() {
            return Err(Reject::TooComplex(blocks.len()));
        }
        let page = features::Page::new(&tree, &blocks, &self.finder);
        let keep = choose::choose(&page, &self.model, self.beta);
        let mut draft = Draft::new().text(text::of_blocks(&tree, &blocks, &keep));
        if let Some(title) = head::title(&tree.head) {
            draft = draft.with("title", title);
        }
        if let Some(lang) = head::lang(&tree.head) {
            draft = draft.with("html_lang", lang);
        }
        if let Some(day) = head::published(&tree.head, captured, beginning(&tree, &blocks, &keep)) {
            draft = draft.with("published", day);
        }
        Ok(draft.with("extractor", "blocks"))
    }
}

/// The nodes between which the day of a text stands: from its title, or a little before its beginning, to its third block.
fn beginning(tree: &dom::Tree, blocks: &[blocks::Block], keep: &[bool]) -> (u32, u32) {
    let mut kept = blocks.iter().zip(keep).filter(|(_, keep)| **keep).map(|(block, _)| block);
    let Some(first) = kept.next() else { return (0, 0) };
    let title = blocks.iter().map_while(|block| (block.first <= first.first).then_some(block));
    let from =
        title.filter(|block| block.tag == dom::Tag::H1).last().map_or(first.first, |block| block.first);
    let to = kept.nth(1).map_or(tree.nodes.len(), |third| third.first as usize);
    (from.saturating_sub(BYLINE_NODES), u32::try_from(to).unwrap_or(u32::MAX))
}

palimpsest_plugin::register!(Extract);

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use palimpsest_plugin::Value;
    use palimpsest_plugin::testing::{self, TestPage, Verdict, document, html};

    use super::*;

    const PROSE: &str = "The river had been rising since the morning, and by noon the lower fields were gone. \
                         People carried what they could up to the church, which stands higher than the rest.";

    fn stage() -> Extract {
        Extract::configure(Settings::default()).unwrap()
    }

    fn article(inside: &str) -> TestPage {
        html(&format!(
            "<html lang=en><head><title>The river</title><meta name=date content=2026-09-30></head><body><nav><a href=/>Home</a></nav>\
             <article><p>{PROSE}</p>{inside}<p>{PROSE}</p></article></body></html>"
        ))
    }

    /// The word that the page is dropped under, or its text.
    fn outcome(page: &TestPage) -> Result<String, String> {
        match testing::run(&stage(), page, &[]).unwrap() {
            Verdict::Emit(drafts) => Ok(drafts[0].text.clone().unwrap()),
            Verdict::Drop(said) => Err(said.split(':').next().unwrap_or_default().to_owned()),
            Verdict::Ask(_) => panic!("asks nothing"),
        }
    }

    #[track_caller]
    fn dropped(page: TestPage, reason: &str) {
        assert_eq!(outcome(&page), Err(reason.to_owned()));
    }

    #[track_caller]
    fn kept(page: TestPage, text: &str) {
        assert_eq!(outcome(&page), Ok(text.to_owned()));
    }

    fn typed(content_type: &str, body: &str) -> TestPage {
        TestPage { headers: vec![("content-type".to_owned(), content_type.to_owned())], ..html(body) }
    }

    #[test]
    fn pages_that_are_no_text_are_dropped() {
        let page = article("");
        dropped(TestPage { status: 404, ..page.clone() }, "http_status");
        dropped(TestPage { status: 206, ..page.clone() }, "http_status");
        dropped(typed("image/png", "x"), "not_html");
        dropped(typed("application/octet-stream", "%PDF-1.7"), "not_html");
        dropped(typed("text/xml", "<rss></rss>"), "not_html");
        dropped(TestPage { body: vec![0xff, 0xfe, 0xff], ..page }, "not_text");
        dropped(html(""), "no_text");
        dropped(html("<html><body><img src=x></body></html>"), "no_text");
        dropped(typed("text/plain", " \n\n"), "no_text");
        dropped(typed("text/plain", "Not found."), "too_short");
        dropped(html(&" ".repeat(5 << 20)), "too_large");
    }

    #[test]
    fn pages_become_text() {
        let text = format!("{PROSE}\n\n{PROSE}");
        kept(article(""), &text);
        kept(TestPage { headers: Vec::new(), ..article("") }, &text);
        kept(TestPage { status: 0, headers: Vec::new(), ..article("") }, &text);
        kept(article("<ul><li>one</li><li>two</li></ul>"), &format!("{PROSE}\n\n- one\n- two\n\n{PROSE}"));
        kept(article("<pre>if x:\n    y()</pre>"), &format!("{PROSE}\n\nif x:\n    y()\n\n{PROSE}"));
        kept(
            article("<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"),
            &format!("{PROSE}\n\na | b\n1 | 2\n\n{PROSE}"),
        );
        kept(
            typed("text/plain; charset=utf-8", &format!("{PROSE}  \r\n\r\n\r\n<b>")),
            &format!("{PROSE}\n\n<b>"),
        );
        kept(TestPage { status: 0, headers: Vec::new(), ..html(PROSE) }, PROSE);
    }

    #[test]
    fn what_is_shown_without_scripts_is_taken_where_there_is_nothing_else() {
        let unscripted = format!("<body><noscript><ul><li>{PROSE}<li>{PROSE}</ul></noscript></body>");
        kept(html(&unscripted), &format!("- {PROSE}\n- {PROSE}"));
    }

    #[test]
    fn fields_tell_of_the_page() {
        let Verdict::Emit(drafts) = testing::run(&stage(), &article(""), &[]).unwrap() else {
            panic!("emits")
        };
        let fields: Vec<_> =
            drafts[0].fields.iter().map(|field| (field.name.as_str(), &field.value)).collect();
        let columns: Vec<_> = stage().columns().into_iter().map(|column| column.name).collect();
        assert_eq!(columns, ["title", "html_lang", "published", "extractor"]);
        for (field, (name, text)) in fields.iter().zip([
            ("title", "The river"),
            ("html_lang", "en"),
            ("published", "2026-09-30"),
            ("extractor", "blocks"),
        ]) {
            assert!(field.0 == name && matches!(field.1, Value::Text(value) if value == text), "{field:?}");
        }
    }

    #[test]
    fn formulas_are_kept_once() {
        let tex = "<math><semantics><mrow><mi>x</mi></mrow><annotation encoding='application/x-tex'>\\frac{x}{2}\
                   </annotation><annotation encoding='MathML-Content'>y</annotation></semantics></math>";
        let katex = format!(
            "<span class=katex><span class=katex-mathml>{tex}</span><span class=katex-html aria-hidden=true>\
             <span>x2</span></span></span>"
        );
        let mathjax = "<span class=MathJax_Preview></span><script type='math/tex'>\\frac{x}{2}</script>";
        let wiki = "<math alttext='\\frac{x}{2}'><mi>x</mi></math>";
        for formula in [tex, &katex, mathjax, wiki] {
            kept(
                article(&format!("<p>{PROSE} Half of it is {formula}.</p>")),
                &format!("{PROSE}\n\n{PROSE} Half of it is $\\frac{{x}}{{2}}$.\n\n{PROSE}"),
            );
        }
    }

    #[test]
    fn settings_are_checked() {
        assert!(Extract::configure(Settings { max_bytes: 0, ..Settings::default() }).is_err());
        let small =
            Extract::configure(Settings { max_bytes: 100, min_chars: 0, ..Settings::default() }).unwrap();
        let Verdict::Drop(reason) = testing::run(&small, &article(""), &[]).unwrap() else { panic!("drops") };
        assert!(reason.starts_with("too_large: ") && reason.ends_with(" bytes"), "{reason}");
        let Verdict::Emit(_) = testing::run(&small, &typed("text/plain", "x"), &[]).unwrap() else {
            panic!("emits")
        };
        let empty = document("");
        assert_eq!(outcome(&empty), Err("no_text".to_owned()));
    }

    /// The time that this thread has computed, where the system tells: on a busy machine the clock says nothing.
    fn cpu() -> Duration {
        let Ok(stat) = std::fs::read_to_string("/proc/thread-self/stat") else {
            return SystemTime::UNIX_EPOCH.elapsed().unwrap();
        };
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
        Duration::from_millis((ticks(11) + ticks(12)) * 10)
    }

    /// Pages made to be expensive. The time is far above what they take, and far below what they would take a parser
    /// that is quadratic in any of this.
    #[track_caller]
    fn quick(page: &str, expected: Result<&str, &str>) {
        let stage = Extract::configure(Settings { max_bytes: 64 << 20, ..Settings::default() }).unwrap();
        let page = html(page);
        let said = || match testing::run(&stage, &page, &[]).unwrap() {
            Verdict::Emit(drafts) => Ok(drafts[0].text.clone().unwrap()),
            Verdict::Drop(said) => Err(said.split(':').next().unwrap_or_default().to_owned()),
            Verdict::Ask(_) => panic!("asks nothing"),
        };
        let begun = cpu();
        let first = said();
        let spent = cpu() - begun;
        assert!(spent < Duration::from_secs(5), "{spent:?}");
        match (&first, expected) {
            (Ok(text), Ok(part)) => {
                assert!(text.contains(part), "{}", text.chars().take(200).collect::<String>());
            }
            (Err(reason), Err(expected)) => assert_eq!(reason, expected),
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("{:?}", first.map(|text| text.len())),
        }
        assert_eq!(said(), first, "the same page, the same answer");
    }

    #[test]
    fn nesting_is_quick() {
        quick(&format!("{}<p>{PROSE}", "<div>".repeat(100_000)), Ok(PROSE));
        quick(
            &format!("{}<p>{PROSE}</p>{}<p>{PROSE}", "<div>".repeat(50_000), "</div>".repeat(50_000)),
            Ok(PROSE),
        );
        quick(&format!("{}{PROSE}", "<b><i>".repeat(10_000)), Ok(PROSE));
        quick(&format!("{}{PROSE}", "<font size=1 color=x>".repeat(30_000)), Ok(PROSE));
        quick(&format!("{}{PROSE}", "<x-y>".repeat(100_000)), Ok(PROSE));
        quick(&format!("{}{PROSE}", "<ul><li>".repeat(50_000)), Ok(PROSE));
        quick(&format!("{}{PROSE}", "<table><tr><td>".repeat(50_000)), Ok(PROSE));
        quick(&format!("<p>{PROSE}{}", "<svg>".repeat(100_000)), Ok(PROSE));
        quick(&format!("<p>{PROSE}{}", "<math><mi>".repeat(100_000)), Ok(PROSE));
        let closing = format!("{}</p></li></td>", "<span>".repeat(10));
        quick(&format!("<table><td>{}{PROSE}", closing.repeat(20_000)), Ok(PROSE));
        quick(&format!("{}{}", "<div>".repeat(200), "</div>".repeat(200)).repeat(500), Err("no_text"));
    }

    #[test]
    fn attributes_are_quick() {
        let attributes: String = (0..50_000).map(|n| format!(" a{n}=1")).collect();
        quick(&format!("<p{attributes}>{PROSE}"), Ok(PROSE));
        quick(&format!("<p title='{}'>{PROSE}</p>", "x".repeat(1 << 20)), Ok(PROSE));
        quick(&format!("<p class='{}'>{PROSE}</p>", "menu ".repeat(1 << 18)), Ok(PROSE));
        quick(&format!("<p{}>{PROSE}", " class=content".repeat(100_000)), Ok(PROSE));
    }

    #[test]
    fn length_is_quick() {
        let fonts: String = (0..120).map(|n| format!("<font size={n}>")).collect();
        quick(&format!("<p>{fonts}{}", format!("<p>{PROSE}").repeat(10_000)), Ok(PROSE));
        quick(&format!("<p>{PROSE}</p>").repeat(200_000), Ok(PROSE));
        quick(&"<p>".repeat(1_000_000), Err("no_text"));
        quick(&"<p>x".repeat(300_000), Err("too_complex"));
        quick(
            &format!("<table>{}</table>", "<tr><td>one cell<td>another cell".repeat(100_000)),
            Ok("one cell | another"),
        );
        quick(&format!("<p>{PROSE}</p><div>{}</div>", "<a href=x>link</a> ".repeat(100_000)), Ok(""));
        quick(&format!("<pre>{}</pre>", "words of a log\n".repeat(1_300_000)), Ok("words of a log\nwords"));
        quick(&format!("<article><p>{}</p></article>", "word ".repeat(200_000)), Ok("word word"));
        quick(&format!("<p>{}</p>", "x".repeat(1 << 20)), Ok("xxx"));
    }

    #[test]
    fn broken_tokens_are_quick() {
        quick(&format!("<p>{PROSE}\0\0{}</p>", "&#xD800;&#0;&#x110000;".repeat(10_000)), Ok(PROSE));
        quick(&"<".repeat(1 << 20), Err("no_text"));
        quick(&"</".repeat(1 << 19), Err("no_text"));
        quick(&"<!--".repeat(1 << 18), Err("no_text"));
        quick(&"<!--<script>-->".repeat(1 << 16), Err("no_text"));
        quick(&"<script>".repeat(1 << 17), Err("no_text"));
        quick(&"<script><!--</".repeat(1 << 16), Err("no_text"));
        quick(&"&".repeat(1 << 20), Err("no_text"));
        quick(&format!("<p>{PROSE} {}", "&amp".repeat(1 << 18)), Ok(PROSE));
        quick(&"<a href='".repeat(1 << 17), Err("no_text"));
    }
}
