//! Lists of addresses and words, in the form in which an address is looked up in them.
//!
//! A list of the domains of the web that nobody wants has millions of lines. It is kept as a sorted list of 64-bit
//! hashes: eight bytes for a domain however long it is, and with ten million of them one address in 10¹² is taken for
//! a listed one.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use idna::AsciiDenyList;

/// The longest name of a host (RFC 1035).
const MAX_HOST_BYTES: usize = 253;
/// A name in the letters of its language; those take at most four bytes and become at least one.
const MAX_NAME_BYTES: usize = 4 * MAX_HOST_BYTES;
/// Words of an entry: an address is looked through once for each number of them.
const MAX_WORDS: usize = 8;

/// Entries that are only asked whether they are there.
#[derive(Debug, Default)]
pub struct Fingerprints(Vec<u64>);

impl Fingerprints {
    /// Of the hashes of entries that are in one form already.
    #[must_use]
    pub fn new(mut hashes: Vec<u64>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        hashes.shrink_to_fit();
        Self(hashes)
    }

    #[must_use]
    pub fn contains(&self, entry: &str) -> bool {
        self.0.binary_search(&hash(entry)).is_ok()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// FNV-1a, and murmur's last step so that all bits count.
#[must_use]
pub fn hash(entry: &str) -> u64 {
    let hash = entry
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// The entries of a file: one a line, empty lines and those that begin with `#` left out. Bytes that are no UTF-8 make
/// an entry that no address has.
pub fn entries(file: &[u8]) -> impl Iterator<Item = String> {
    let lines = file.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .map(|line| String::from_utf8_lossy(line).into_owned())
}

/// The form in which an entry is looked up, or why no address could ever have it.
pub type Form = fn(&str) -> Result<String, &'static str>;

/// Entries of a file that no address could have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refused {
    pub count: usize,
    /// One of them to find the others by, and what is wrong with it.
    pub first: Option<(String, &'static str)>,
}

/// Hands on the entries of a file in one form.
pub fn read(file: &[u8], form: Form, mut take: impl FnMut(String)) -> Refused {
    let mut refused = Refused::default();
    for entry in entries(file) {
        match form(&entry) {
            Ok(formed) => take(formed),
            Err(why) => {
                refused.count += 1;
                refused.first.get_or_insert((entry, why));
            }
        }
    }
    refused
}

/// Words that an address may have, and runs of words: `free-spin` is found where `spin` follows `free`.
#[derive(Debug, Default)]
pub struct Words {
    /// As [`words`] writes them.
    entries: BTreeSet<String>,
    longest: usize,
}

impl Words {
    pub fn insert(&mut self, entry: String) {
        self.longest = self.longest.max(entry.split('-').count());
        self.entries.insert(entry);
    }

    /// Those of the entries that the words of an address are.
    fn found(&self, address: &[&str]) -> BTreeSet<&str> {
        let runs = (1..=self.longest).flat_map(|length| address.windows(length));
        let found = runs.filter_map(|run| match run {
            [word] => self.entries.get(*word),
            several => self.entries.get(&several.join("-")),
        });
        found.map(String::as_str).collect()
    }
}

/// All lists of a stage.
#[derive(Debug)]
pub struct Lists {
    pub domains: Fingerprints,
    pub urls: Fingerprints,
    pub hard_words: Words,
    pub soft_words: Words,
    /// None without any: an automaton of nothing finds something everywhere.
    pub subwords: Option<AhoCorasick>,
}

/// Why an address is not wanted, with what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reject {
    Domain(String),
    Subdomain(String),
    Url,
    HardWord(String),
    SoftWords(usize),
    Subword(String),
}

impl Lists {
    /// What speaks against an address; where nothing does, how many soft words it has.
    ///
    /// # Errors
    /// The first that is found, in datatrove's order.
    pub fn judge(&self, url: &str, soft_words: usize) -> Result<usize, Reject> {
        self.judge_host(&host(url))?;
        if self.urls.contains(&bare(url)) {
            return Err(Reject::Url);
        }
        let small = url.to_ascii_lowercase();
        let words: Vec<&str> = split(&small).collect();
        if let Some(word) = self.hard_words.found(&words).first() {
            return Err(Reject::HardWord((*word).to_owned()));
        }
        let soft = self.soft_words.found(&words).len();
        if soft_words <= soft {
            return Err(Reject::SoftWords(soft));
        }
        let joined = joined(&small);
        let found = self.subwords.as_ref().and_then(|subwords| subwords.find(&joined));
        match found.and_then(|found| joined.get(found.range())) {
            Some(subword) => Err(Reject::Subword(subword.to_owned())),
            None => Ok(soft),
        }
    }

    /// The host itself, and each domain that it belongs to.
    fn judge_host(&self, host: &str) -> Result<(), Reject> {
        // What is too long to be a host is none; each of its ends would be looked up.
        if self.domains.is_empty() || MAX_HOST_BYTES < host.len() {
            return Ok(());
        }
        if self.domains.contains(host) {
            // A name with two dots or more is most often below a registered one.
            let named = host.strip_prefix("www.").unwrap_or(host);
            let below = 1 < named.bytes().filter(|&byte| byte == b'.').count();
            let reject = if below { Reject::Subdomain } else { Reject::Domain };
            return Err(reject(host.to_owned()));
        }
        let mut above = host;
        while let Some((_, domain)) = above.split_once('.') {
            // The last label alone is no domain that anyone lists.
            if domain.contains('.') && self.domains.contains(domain) {
                return Err(Reject::Domain(domain.to_owned()));
            }
            above = domain;
        }
        Ok(())
    }
}

/// The words of an address in small letters.
fn split(small: &str) -> impl Iterator<Item = &str> {
    small.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

/// Letters and digits alone, in small letters.
fn joined(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// An entry of letters and digits, in small letters. Others would become other words: `caf` of `café`, `c` of `c++`.
fn plain(entry: &str) -> Result<String, &'static str> {
    let small = entry.trim().to_ascii_lowercase();
    if !small.is_ascii() {
        return Err("addresses have no letters but a to z: others are percent-encoded there");
    }
    let ends = |end: Option<char>| end.is_some_and(|c| c.is_ascii_alphanumeric());
    if !ends(small.chars().next()) || !ends(small.chars().next_back()) {
        return Err("it must begin and end with a letter or a digit");
    }
    Ok(small)
}

/// An entry of words, with one hyphen between each two of them.
///
/// # Errors
/// It has anything but letters and digits at its ends, letters that addresses have not, or too many words.
pub fn words(entry: &str) -> Result<String, &'static str> {
    let small = plain(entry)?;
    let words: Vec<&str> = split(&small).collect();
    if MAX_WORDS < words.len() {
        return Err("it has more than 8 words");
    }
    Ok(words.join("-"))
}

/// An entry that is a part of words.
///
/// # Errors
/// It has anything but letters and digits at its ends, or letters that addresses have not.
pub fn subword(entry: &str) -> Result<String, &'static str> {
    plain(entry).map(|small| joined(&small))
}

/// A domain in small letters, without the dots that it may end or begin with; in the ASCII of the domain name system
/// where it is written in other letters, `xn--bcher-kva.example` for `bücher.example`.
///
/// # Errors
/// There is nothing else in it, or no domain has such a name.
pub fn domain(entry: &str) -> Result<String, &'static str> {
    let name = entry.trim().trim_matches('.');
    if name.is_empty() {
        return Err("it is empty");
    }
    if name.is_ascii() {
        return Ok(name.to_ascii_lowercase());
    }
    to_ascii(name).ok_or("no domain has such a name")
}

/// A name in the ASCII of the domain name system.
fn to_ascii(name: &str) -> Option<String> {
    if MAX_NAME_BYTES < name.len() {
        return None;
    }
    idna::domain_to_ascii_cow(name.as_bytes(), AsciiDenyList::URL).ok().map(std::borrow::Cow::into_owned)
}

/// An address as a list has it.
///
/// # Errors
/// There is nothing in it but a scheme.
pub fn address(entry: &str) -> Result<String, &'static str> {
    let bare = bare(entry.trim());
    if bare.is_empty() { Err("it is empty") } else { Ok(bare) }
}

/// An address without its scheme and the slash at its end: lists write it both ways, as they do with letters that are
/// percent-encoded or else the host's own.
fn bare(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/');
    if rest.is_ascii() {
        return rest.to_owned();
    }
    let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let mut bare = if host.is_ascii() { None } else { to_ascii(host) }.unwrap_or_else(|| host.to_owned());
    for byte in path.bytes() {
        if byte.is_ascii() {
            bare.push(char::from(byte));
        } else {
            bare += &format!("%{byte:02X}");
        }
    }
    bare
}

/// The host of an address, in small letters; empty where there is none.
pub fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let named = authority.rsplit_once('@').map_or(authority, |(_, named)| named);
    let host = if named.starts_with('[') {
        named.split_once(']').map_or(named, |(address, _)| address.trim_start_matches('['))
    } else {
        named.split_once(':').map_or(named, |(host, _)| host)
    };
    domain(host).unwrap_or_else(|_none| host.trim_matches('.').to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_in_addresses() {
        let check = |url, expected| assert_eq!(host(url), expected, "{url}");
        check("https://Www.Example.COM./a", "www.example.com");
        check("http://user:pw@example.com:8080?q=http://other.org", "example.com");
        check("example.com/a@b", "example.com");
        check("http://[2001:db8::1]:80/", "2001:db8::1");
        check("http://example.com\\@evil.org/", "example.com");
        check("", "");
        check("urn:uuid:1", "urn");
        check("http://Bücher.example/", "xn--bcher-kva.example");
        check("http://a\u{fffd}.Casino.example/", "a\u{fffd}.casino.example");
    }

    #[test]
    fn entries_are_what_addresses_can_have() {
        let check =
            |form: Form, entry, expected| assert_eq!(form(entry).as_deref().ok(), expected, "{entry}");
        check(domain, "Bücher.example", Some("xn--bcher-kva.example"));
        check(domain, ".XN--bcher-kva.example.", Some("xn--bcher-kva.example"));
        check(domain, "казино.рф", Some("xn--80aodfsg.xn--p1ai"));
        check(domain, "a\u{fffd}.example", None);
        check(domain, "bücher.example/a", None);
        check(domain, ".", None);
        check(words, "Poker", Some("poker"));
        check(words, "free-Spin", Some("free-spin"));
        check(words, "free  spin", Some("free-spin"));
        check(words, "café", None);
        check(words, "казино", None);
        check(words, "c++", None);
        check(words, "", None);
        check(words, "a-b-c-d-e-f-g-h", Some("a-b-c-d-e-f-g-h"));
        check(words, "a-b-c-d-e-f-g-h-i", None);
        check(subword, "free-roulette", Some("freeroulette"));
        check(subword, "--", None);
        check(subword, "рулетка", None);
        check(address, "https://", None);
    }

    #[test]
    fn an_address_is_the_same_in_its_own_letters() {
        let check = |one, other| assert_eq!(bare(one), bare(other));
        check("http://bücher.example/straße/?q=ä", "https://xn--bcher-kva.example/stra%C3%9Fe/?q=%C3%A4");
        check("https://ok.example/é/", "ok.example/%C3%A9");
        check("bücher.example", "http://xn--bcher-kva.example/");
    }

    #[test]
    fn files_say_which_entries_no_address_can_have() {
        let file = ["poker\nказино\ncafé\n".as_bytes(), b"\xff\nfree-spin"].concat();
        let mut taken = Vec::new();
        let refused = read(&file, words, |entry| taken.push(entry));
        assert_eq!((refused.count, taken), (3, vec!["poker".to_owned(), "free-spin".to_owned()]));
        assert!(matches!(refused.first, Some((entry, why)) if entry == "казино" && why.contains("a to z")));
        assert_eq!(read(b"poker", words, drop), Refused::default());
    }

    #[test]
    fn files_have_an_entry_a_line() {
        let found: Vec<String> = entries(b"# a list\r\na.example\r\n\n  b.example\nc.example").collect();
        assert_eq!(found, ["a.example", "b.example", "c.example"]);
    }

    #[test]
    fn a_million_domains_take_eight_bytes_each() {
        let names = || (0..1_000_000).map(|number| format!("site-{number}.example"));
        let listed = Fingerprints::new(names().map(|name| hash(&name)).collect());
        assert_eq!(listed.len(), 1_000_000, "no two are taken for one");
        assert_eq!(listed.0.capacity(), listed.len());
        assert!(names().all(|name| listed.contains(&name)));
        assert!(!(0..1_000_000).any(|number| listed.contains(&format!("page-{number}.example"))));
    }
}
