//! Lists of addresses and words, in the form in which an address is looked up in them.
//!
//! A list of the domains of the web that nobody wants has millions of lines. It is kept as a sorted list of 64-bit
//! hashes: eight bytes for a domain however long it is, and with ten million of them one address in 10¹² is taken for
//! a listed one.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;

/// The longest name of a host (RFC 1035).
const MAX_HOST_BYTES: usize = 253;

/// Entries that are only asked whether they are there.
#[derive(Debug, Default)]
pub struct Fingerprints(Vec<u64>);

impl Fingerprints {
    /// Of entries that are in one form already.
    pub fn new(entries: impl Iterator<Item = String>) -> Self {
        let mut hashes: Vec<u64> = entries.map(|entry| hash(&entry)).collect();
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
fn hash(entry: &str) -> u64 {
    let hash = entry
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// The entries of a file: one a line, empty lines and those that begin with `#` left out. Bytes that are no UTF-8 make
/// an entry that no address is equal to.
pub fn entries(file: &[u8]) -> impl Iterator<Item = String> {
    let lines = file.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .map(|line| String::from_utf8_lossy(line).into_owned())
}

/// All lists of a stage.
#[derive(Debug)]
pub struct Lists {
    pub domains: Fingerprints,
    pub urls: Fingerprints,
    pub hard_words: BTreeSet<String>,
    pub soft_words: BTreeSet<String>,
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
        let words: BTreeSet<&str> =
            small.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
        if let Some(word) = words.iter().find(|word| self.hard_words.contains(**word)) {
            return Err(Reject::HardWord((*word).to_owned()));
        }
        let soft = words.iter().filter(|word| self.soft_words.contains(**word)).count();
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

/// Letters and digits alone, in small letters.
pub fn joined(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// A domain in small letters, without the dots that it may end or begin with.
pub fn domain(entry: &str) -> String {
    entry.trim_matches('.').to_ascii_lowercase()
}

/// An address without its scheme and the slash at its end: lists write it both ways.
pub fn bare(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.trim_end_matches('/').to_owned()
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
    domain(host)
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
    }

    #[test]
    fn files_have_an_entry_a_line() {
        let found: Vec<String> = entries(b"# a list\r\na.example\r\n\n  b.example\nc.example").collect();
        assert_eq!(found, ["a.example", "b.example", "c.example"]);
    }

    #[test]
    fn a_million_domains_take_eight_bytes_each() {
        let names = || (0..1_000_000).map(|number| format!("site-{number}.example"));
        let listed = Fingerprints::new(names());
        assert_eq!(listed.len(), 1_000_000, "no two are taken for one");
        assert_eq!(listed.0.capacity(), listed.len());
        assert!(names().all(|name| listed.contains(&name)));
        assert!(!(0..1_000_000).any(|number| listed.contains(&format!("page-{number}.example"))));
    }
}
