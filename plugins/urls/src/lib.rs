//! The stage `urls`: which pages are not wanted for their address alone.
//!
//! It stands before `extract`, so a page that it drops costs nothing more. The rules are those of FineWeb's and
//! RefinedWeb's filters: domains, addresses, words and parts of words that someone has listed. Which those are is the
//! user's choice: this stage brings no list of its own, and refuses to run without any.

pub mod lists;

use std::cell::OnceCell;

use aho_corasick::AhoCorasick;
use palimpsest_plugin::{Column, Draft, Kind, Level, Outcome, Page, Stage, column, register};
use schemars::JsonSchema;
use serde::Deserialize;

use lists::{Fingerprints, Form, Lists, Reject, Words};

/// FineWeb's and RefinedWeb's.
const SOFT_WORDS: u32 = 2;

/// One list: entries that stand here, and names of files that the pipeline grants to the stage.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct List {
    /// Entries that stand in the pipeline file itself.
    pub entries: Vec<String>,
    /// Names of the stage's `files`; each has an entry a line, and `#` begins a comment line.
    pub files: Vec<String>,
}

impl List {
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.files.is_empty()
    }
}

/// Settings of the stage `urls`. At least one list has to be named; the stage has none of its own.
///
/// A list of millions of domains is read when an instance judges its first page. It takes eight bytes of memory for
/// each domain, and once the size of the file while it is read: raise the stage's `memory_mb` for files of more than
/// 200 MB.
///
/// An entry that no address could ever have is an error if it stands in the pipeline file; those of files are left out,
/// and the log says of each file how many, and which is the first.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Domains. A page of a listed domain, or of any below it, is dropped as `url_domain`; one of a listed name below a
    /// domain, `blog.example.com`, as `url_subdomain`. Names in other letters, `bücher.example`, are those that the domain
    /// name system has, `xn--bcher-kva.example`.
    pub domains: List,
    /// Whole addresses, with or without scheme, and with letters beyond ASCII percent-encoded or not: `url_listed`.
    pub urls: List,
    /// Words of the letters a to z and digits; an address with one is dropped as `url_hard_word`. Letter case does not
    /// matter. Up to eight words with hyphens or blanks between them, `free-spin`, are found where they follow each other.
    pub hard_words: List,
    /// Words, as above, of which an address may have some; with `min_soft_words` different ones it is dropped as
    /// `url_soft_words`.
    pub soft_words: List,
    /// Parts of words: an address that has one, when all but letters and digits is left out of it, is dropped as
    /// `url_subword`. Short ones hit names that mean no harm.
    pub subwords: List,
    /// How many different soft words are too many. Default: 2 (FineWeb and RefinedWeb).
    pub min_soft_words: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            domains: List::default(),
            urls: List::default(),
            hard_words: List::default(),
            soft_words: List::default(),
            subwords: List::default(),
            min_soft_words: SOFT_WORDS,
        }
    }
}

/// The stage.
#[derive(Debug)]
pub struct Urls {
    settings: Settings,
    /// Made at the first page, because files can be read only with one.
    lists: OnceCell<Lists>,
}

impl Stage for Urls {
    const NAME: &'static str = "urls";
    const SUMMARY: &'static str = "drops pages by lists of domains, addresses and words of addresses";
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        let Settings { domains, urls, hard_words, soft_words, subwords, min_soft_words } = &settings;
        if [domains, urls, hard_words, soft_words, subwords].into_iter().all(List::is_empty) {
            return Err(
                "no list is named; give one of domains, urls, hard_words, soft_words, subwords".to_owned()
            );
        }
        if *min_soft_words == 0 {
            return Err("min_soft_words: 0 would drop every page".to_owned());
        }
        for (name, list, form) in settings.lists() {
            for entry in &list.entries {
                form(entry).map_err(|why| format!("{name}: `{entry}`: {why}"))?;
            }
        }
        Ok(Self { settings, lists: OnceCell::new() })
    }

    fn columns(&self) -> Vec<Column> {
        vec![column("url_soft_words", Kind::Integer)]
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        let lists = match self.lists.get() {
            Some(lists) => lists,
            None => {
                let lists = self.read(page)?;
                self.lists.get_or_init(|| lists)
            }
        };
        let judged = lists.judge(&page.document().url, self.settings.min_soft_words as usize);
        Ok(match judged {
            Ok(soft) => {
                Outcome::keep(Draft::new().with("url_soft_words", i64::try_from(soft).unwrap_or(i64::MAX)))
            }
            Err(Reject::Domain(name)) => Outcome::drop_with("url_domain", name),
            Err(Reject::Subdomain(name)) => Outcome::drop_with("url_subdomain", name),
            Err(Reject::Url) => Outcome::drop("url_listed"),
            Err(Reject::HardWord(word)) => Outcome::drop_with("url_hard_word", word),
            Err(Reject::SoftWords(count)) => Outcome::drop_with("url_soft_words", count),
            Err(Reject::Subword(part)) => Outcome::drop_with("url_subword", part),
        })
    }
}

impl Settings {
    /// Every list by its name, with the form of its entries.
    fn lists(&self) -> [(&'static str, &List, Form); 5] {
        [
            ("domains", &self.domains, lists::domain),
            ("urls", &self.urls, lists::address),
            ("hard_words", &self.hard_words, lists::words),
            ("soft_words", &self.soft_words, lists::words),
            ("subwords", &self.subwords, lists::subword),
        ]
    }
}

impl Urls {
    fn read(&self, page: &Page<'_>) -> Result<Lists, String> {
        let [domains, urls, hard_words, soft_words, subwords] = self.settings.lists();
        let fingerprints = |list| {
            let mut hashes = Vec::new();
            all(list, page, |entry| hashes.push(lists::hash(&entry)))?;
            Ok::<_, String>(Fingerprints::new(hashes))
        };
        let words = |list| {
            let mut words = Words::default();
            all(list, page, |entry| words.insert(entry))?;
            Ok::<_, String>(words)
        };
        let mut parts = Vec::new();
        all(subwords, page, |entry| parts.push(entry))?;
        let automaton = AhoCorasick::new(&parts).map_err(|error| format!("subwords: {error}"))?;
        Ok(Lists {
            domains: fingerprints(domains)?,
            urls: fingerprints(urls)?,
            hard_words: words(hard_words)?,
            soft_words: words(soft_words)?,
            subwords: (!parts.is_empty()).then_some(automaton),
        })
    }
}

/// Hands on all entries of a list, those of its files among them, in one form. What the files have that no address could
/// have is told once for each of them.
fn all(
    (list, List { entries, files }, form): (&str, &List, Form),
    page: &Page<'_>,
    mut take: impl FnMut(String),
) -> Result<(), String> {
    // Those that have no form were complained about before any page was there.
    entries.iter().filter_map(|entry| form(entry).ok()).for_each(&mut take);
    for file in files {
        let refused = lists::read(&page.file(file)?, form, &mut take);
        if let Some((entry, why)) = refused.first {
            let count = refused.count;
            page.log(
                Level::Warn,
                &format!("{list}: entries of file `{file}` left out: {count}, the first `{entry}`: {why}"),
            );
        }
    }
    Ok(())
}

register!(Urls);

#[cfg(test)]
mod tests {
    use palimpsest_plugin::testing::{self, TestPage, Verdict, document};

    use super::*;

    fn list(entries: &[&str]) -> List {
        List { entries: entries.iter().map(|entry| (*entry).to_owned()).collect(), files: Vec::new() }
    }

    fn settings() -> Settings {
        Settings {
            domains: list(&["Casino.example", "blog.news.example", "co.test", "Bücher.example"]),
            urls: list(&["https://ok.example/bad/page/"]),
            hard_words: list(&["poker", "free-spin"]),
            soft_words: list(&["bet", "bonus", "spin", "high roller"]),
            subwords: list(&["freeroulette"]),
            ..Settings::default()
        }
    }

    fn page(url: &str) -> TestPage {
        let mut page = document("");
        url.clone_into(&mut page.document.url);
        page
    }

    fn said(stage: &Urls, page: &TestPage) -> Result<String, String> {
        Ok(match testing::run(stage, page, &[])? {
            Verdict::Drop(said) => said,
            Verdict::Emit(_) => String::new(),
            Verdict::Ask(_) => panic!("asks nothing"),
        })
    }

    #[track_caller]
    fn check(url: &str, expected: &str) {
        let stage = Urls::configure(settings()).unwrap();
        assert_eq!(said(&stage, &page(url)).as_deref(), Ok(expected), "{url}");
        assert_eq!(said(&stage, &page(url)).as_deref(), Ok(expected), "again, {url}");
    }

    #[test]
    fn pages_are_dropped_for_their_address() {
        check("https://casino.example/", "url_domain: casino.example");
        check("https://www.CASINO.example:8080/a", "url_domain: casino.example");
        check("http://blog.news.example/x", "url_subdomain: blog.news.example");
        check("http://a.blog.news.example/x", "url_domain: blog.news.example");
        check("http://ok.example/bad/page", "url_listed");
        check("http://ok.example/play/Poker-now", "url_hard_word: poker");
        check("http://ok.example/bet/on?bonus=1", "url_soft_words: 2");
        check("http://ok.example/free-roulette/", "url_subword: freeroulette");
        check("http://ok.example/Free_spin.html", "url_hard_word: free-spin");
        check("http://xn--bcher-kva.example/", "url_domain: xn--bcher-kva.example");
        check("http://shop.bücher.example/", "url_domain: xn--bcher-kva.example");
        check("http://ok.example/bet/high-roller", "url_soft_words: 2");
    }

    #[test]
    fn others_go_on() {
        for url in [
            "",
            "https://notcasino.example/",
            "https://casino.example.org/",
            "https://news.example/",
            "http://ok.example/bad/page/2",
            "http://ok.example/pokerface",
            "http://ok.example/bet/bet/bet",
            "http://ok.example/spin-free",
            "http://ok.example/free-x-spin",
            "http://bucher.example/",
            "http://ok.example/?next=https://casino.example/",
        ] {
            check(url, "");
        }
    }

    #[test]
    fn lists_come_from_files() {
        let files = List { entries: Vec::new(), files: vec!["domains".to_owned()] };
        let stage = Urls::configure(Settings { domains: files, ..Settings::default() }).unwrap();
        let mut page = page("https://a.bad.example/");
        assert_eq!(said(&stage, &page), Err("no file `domains`".to_owned()), "not granted");
        page.files = vec![("domains".to_owned(), b"# sites\n\xff.example\nbad.example\n".to_vec())];
        assert_eq!(said(&stage, &page).as_deref(), Ok("url_domain: bad.example"));
        page.files.clear();
        assert_eq!(said(&stage, &page).as_deref(), Ok("url_domain: bad.example"), "read once");
    }

    #[test]
    fn settings_are_checked() {
        let complaint = |settings| Urls::configure(settings).unwrap_err();
        assert!(complaint(Settings::default()).starts_with("no list is named"));
        assert!(complaint(Settings { min_soft_words: 0, ..settings() }).starts_with("min_soft_words"));
        let starts = |settings, with: &str| {
            let said = complaint(settings);
            assert!(said.starts_with(with), "{said}");
        };
        starts(Settings { subwords: list(&["--"]), ..settings() }, "subwords: `--`");
        starts(Settings { subwords: list(&["ok", "рулетка"]), ..settings() }, "subwords: `рулетка`");
        starts(Settings { hard_words: list(&["казино"]), ..settings() }, "hard_words: `казино`");
        starts(Settings { soft_words: list(&["café"]), ..settings() }, "soft_words: `café`");
        starts(
            Settings { domains: list(&["a\u{fffd}.example"]), ..settings() },
            "domains: `a\u{fffd}.example`",
        );
        starts(Settings { urls: list(&["https://"]), ..settings() }, "urls: `https://`");
    }

    #[test]
    fn long_addresses_take_linear_time() {
        let stage = Urls::configure(settings()).unwrap();
        let start = std::time::Instant::now();
        for unit in ["a.", "bet-", "@", "://", "freeroulett", "é"] {
            assert!(said(&stage, &page(&unit.repeat((1 << 20) / unit.len()))).is_ok());
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    }
}
