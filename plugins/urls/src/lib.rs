//! The stage `urls`: which pages are not wanted for their address alone.
//!
//! It stands before `extract`, so a page that it drops costs nothing more. The rules are those of FineWeb's and
//! RefinedWeb's filters: domains, addresses, words and parts of words that someone has listed. Which those are is the
//! user's choice: this stage brings no list of its own, and refuses to run without any.

pub mod lists;

use std::cell::OnceCell;

use aho_corasick::AhoCorasick;
use palimpsest_plugin::{Column, Draft, Kind, Outcome, Page, Stage, column, register};
use schemars::JsonSchema;
use serde::Deserialize;

use lists::{Fingerprints, Lists, Reject};

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
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Domains. A page of a listed domain, or of any below it, is dropped as `url_domain`; one of a listed name below a
    /// domain, `blog.example.com`, as `url_subdomain`.
    pub domains: List,
    /// Whole addresses, with or without scheme: `url_listed`.
    pub urls: List,
    /// Words of letters and digits; an address with one is dropped as `url_hard_word`. Letter case does not matter.
    pub hard_words: List,
    /// Words of which an address may have some; with `min_soft_words` different ones it is dropped as
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
        // A subword without letters or digits is in every address.
        if subwords.entries.iter().any(|entry| lists::joined(entry).is_empty()) {
            return Err("subwords: an entry has neither letters nor digits".to_owned());
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

impl Urls {
    fn read(&self, page: &Page<'_>) -> Result<Lists, String> {
        let Settings { domains, urls, hard_words, soft_words, subwords, .. } = &self.settings;
        let parts: Vec<String> = all(subwords, page, lists::joined)?.collect();
        let automaton = AhoCorasick::new(parts.iter().filter(|part| !part.is_empty()));
        let automaton = automaton.map_err(|error| format!("subwords: {error}"))?;
        Ok(Lists {
            domains: Fingerprints::new(all(domains, page, lists::domain)?),
            urls: Fingerprints::new(all(urls, page, lists::bare)?),
            hard_words: all(hard_words, page, lists::joined)?.filter(|word| !word.is_empty()).collect(),
            soft_words: all(soft_words, page, lists::joined)?.filter(|word| !word.is_empty()).collect(),
            subwords: (0 < automaton.patterns_len()).then_some(automaton),
        })
    }
}

/// All entries of a list, those of its files among them, in one form.
fn all<'a>(
    list: &'a List,
    page: &Page<'_>,
    form: fn(&str) -> String,
) -> Result<impl Iterator<Item = String> + 'a, String> {
    let files = list.files.iter().map(|name| page.file(name)).collect::<Result<Vec<_>, _>>()?;
    let read = files.into_iter().flat_map(|file| lists::entries(&file).collect::<Vec<_>>());
    Ok(list.entries.iter().cloned().chain(read).map(move |entry| form(&entry)))
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
            domains: list(&["Casino.example", "blog.news.example", "co.test"]),
            urls: list(&["https://ok.example/bad/page/"]),
            hard_words: list(&["poker"]),
            soft_words: list(&["bet", "bonus", "spin"]),
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
        page.files = vec![("domains".to_owned(), b"# sites\nbad.example\n".to_vec())];
        assert_eq!(said(&stage, &page).as_deref(), Ok("url_domain: bad.example"));
        page.files.clear();
        assert_eq!(said(&stage, &page).as_deref(), Ok("url_domain: bad.example"), "read once");
    }

    #[test]
    fn settings_are_checked() {
        let complaint = |settings| Urls::configure(settings).unwrap_err();
        assert!(complaint(Settings::default()).starts_with("no list is named"));
        assert!(complaint(Settings { min_soft_words: 0, ..settings() }).starts_with("min_soft_words"));
        assert!(complaint(Settings { subwords: list(&["--"]), ..settings() }).starts_with("subwords"));
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
