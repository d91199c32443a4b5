//! Lists of paths: their text, and what their entries may name.
//!
//! A list is somebody else's, so its entries are names below one root and nothing else: they change neither scheme nor
//! host, climb nowhere and hide nothing in codings.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use object_store::path::Path as Key;
use url::Url;

use super::bucket::Bucket;
use super::download::shown;
use super::retry::words;
use super::web::Web;
use super::{Archive, Fatal, Place};

/// A list of this size, packed or not, names more archives than there are.
pub(super) const MAX_LIST_BYTES: u64 = 256 << 20;
/// The largest crawl has 100,000 archives.
pub(super) const MAX_ENTRIES: usize = 1_000_000;
/// Names of objects have at most 1,024 bytes; those of files and URLs that are longer break elsewhere.
const MAX_ENTRY_BYTES: usize = 2048;
/// A list of the wrong kind has as many mistakes as lines, and the first few tell as much.
const MAX_MISTAKES: usize = 5;
/// Nobody encodes a name more often, but whoever hides something in one.
const MAX_CODINGS: usize = 3;

/// Whether a name is one of a list.
pub(super) fn is_list(name: &str) -> bool {
    name.ends_with(".paths") || name.ends_with(".paths.gz")
}

/// What entries are relative to.
#[derive(Debug, Clone)]
pub(super) enum Root {
    Folder(PathBuf),
    /// The URL's path ends with a slash.
    Web(Arc<Web>, Url),
    /// The prefix is empty or ends with a slash.
    Bucket(Arc<Bucket>, String),
}

/// A list that has been read.
pub(super) struct List<'a> {
    pub(super) name: &'a str,
    pub(super) bytes: &'a [u8],
    /// A list on this machine may name files by their whole paths.
    pub(super) is_local: bool,
}

impl List<'_> {
    /// The archives that the list names.
    pub(super) fn archives(&self, root: &Root) -> Result<Vec<Archive>, Vec<Fatal>> {
        let failed = |says: String| vec![Fatal::List { list: self.name.to_owned(), says }];
        let text = plain(self.bytes).map_err(failed)?;
        let text = std::str::from_utf8(&text).map_err(|error| {
            failed(format!("is no list: after {} bytes there is no UTF-8", error.valid_up_to()))
        })?;
        let (mut archives, mut wrong) = (Vec::new(), Vec::new());
        for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            let line = line.trim_matches([' ', '\t']);
            if line.is_empty() {
                continue;
            }
            if archives.len() == MAX_ENTRIES {
                return Err(failed(format!("has more than {MAX_ENTRIES} entries")));
            }
            match root.entry(line, self.is_local) {
                Ok(archive) => archives.push(archive),
                Err(rule) => {
                    let entry = format!("`{}`", words(&line.escape_debug().to_string()));
                    wrong.push(Fatal::Entry { list: self.name.to_owned(), line: number, entry, rule });
                    if wrong.len() == MAX_MISTAKES {
                        break;
                    }
                }
            }
        }
        if archives.is_empty() && wrong.is_empty() {
            return Err(failed("names no archive".to_owned()));
        }
        if wrong.is_empty() { Ok(archives) } else { Err(wrong) }
    }
}

/// The text of a list, which may be packed whatever it is called.
fn plain(bytes: &[u8]) -> Result<Vec<u8>, String> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes.to_owned());
    }
    let mut text = Vec::new();
    let unpacked = MultiGzDecoder::new(bytes).take(MAX_LIST_BYTES + 1);
    io::copy(&mut { unpacked }, &mut text).map_err(|error| format!("cannot be unpacked: {error}"))?;
    if MAX_LIST_BYTES < text.len() as u64 {
        return Err(format!("has more than {} MiB", MAX_LIST_BYTES >> 20));
    }
    Ok(text)
}

impl Root {
    /// Scheme, host and folder, as URLs below it begin.
    fn start(&self) -> String {
        match self {
            Self::Folder(folder) => folder.display().to_string(),
            Self::Web(_, url) => url.to_string(),
            Self::Bucket(bucket, prefix) => format!("{}/{prefix}", bucket.root),
        }
    }

    /// The archive that an entry names, or the rule that it breaks.
    fn entry(&self, line: &str, is_local: bool) -> Result<Archive, String> {
        if MAX_ENTRY_BYTES < line.len() {
            return Err(format!("has more than {MAX_ENTRY_BYTES} bytes"));
        }
        let start = self.start();
        let key = match self {
            Self::Folder(_) => line,
            Self::Web(..) | Self::Bucket(..) => line.strip_prefix(&start).unwrap_or(line),
        };
        if has_scheme(key) {
            return Err(format!("leads away from `{start}`; lists of other places need `base` in [source]"));
        }
        let may_be_absolute = is_local && matches!(self, Self::Folder(_));
        check(key, may_be_absolute)?;
        let archive = self.at(key)?;
        match &archive.place {
            Place::Local(path) if !path.is_file() => {
                Err(format!("is no file: there is no `{}`", path.display()))
            }
            Place::Local(_) | Place::Web(..) | Place::Object(..) => Ok(archive),
        }
    }

    /// What is at a relative name that nothing is wrong with.
    pub(super) fn at(&self, key: &str) -> Result<Archive, String> {
        match self {
            Self::Folder(folder) => Ok(Archive::local(&folder.join(key))),
            Self::Web(web, root) => {
                let mut url = root.clone();
                url.set_path(&format!("{}{key}", root.path()));
                // What the check knows of URLs and what the parser knows may differ one day.
                if url.origin() != root.origin() || !url.path().starts_with(root.path()) {
                    return Err(format!("leads away from `{root}`"));
                }
                Ok(Archive { name: shown(&url), size: None, place: Place::Web(Arc::clone(web), url) })
            }
            Self::Bucket(bucket, prefix) => {
                let path =
                    Key::parse(format!("{prefix}{key}")).map_err(|error| format!("is no key: {error}"))?;
                Ok(Archive {
                    name: bucket.name(&path),
                    size: None,
                    place: Place::Object(Arc::clone(bucket), path),
                })
            }
        }
    }
}

/// Whether a name has a scheme before it, as `file:/` and `https://` are.
fn has_scheme(name: &str) -> bool {
    name.contains("://")
        || name.split_once(":/").is_some_and(|(scheme, _)| {
            !scheme.is_empty()
                && scheme.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '+' | '-' | '.'))
        })
}

/// Whether a relative name stays below what it is relative to, however it is read.
fn check(key: &str, may_be_absolute: bool) -> Result<(), String> {
    if key.is_empty() || key.ends_with('/') {
        return Err("names a folder".to_owned());
    }
    if is_list(key) {
        return Err("is a list itself; lists name archives".to_owned());
    }
    let mut read = key.as_bytes().to_vec();
    let mut codings = 0;
    loop {
        let absolute = read.first().is_some_and(|&first| matches!(first, b'/' | b'\\'));
        if absolute && !(may_be_absolute && codings == 0) {
            return Err("is absolute; entries are relative".to_owned());
        }
        if read.iter().any(u8::is_ascii_control)
            || String::from_utf8_lossy(&read).chars().any(char::is_control)
        {
            return Err("has control characters".to_owned());
        }
        if read.split(|&byte| matches!(byte, b'/' | b'\\')).any(|part| part == b"." || part == b"..") {
            return Err("has `.` or `..` in it".to_owned());
        }
        let decoded = percent_decoded(&read);
        if decoded == read {
            return Ok(());
        }
        if codings == MAX_CODINGS {
            return Err("is percent-encoded again and again".to_owned());
        }
        (read, codings) = (decoded, codings + 1);
    }
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|&digit| char::from(digit).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.extend(u8::try_from(high * 16 + low));
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

/// The folder that a file is in.
pub(super) fn folder_of(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::source::Fetch;

    fn web(url: &str) -> Root {
        let web = Web::new(Fetch::default(), false, None).unwrap();
        Root::Web(Arc::new(web), Url::parse(url).unwrap())
    }

    fn bucket(prefix: &str) -> Root {
        let bucket = Bucket::open("s3://crawls", &[], Fetch::default()).unwrap();
        Root::Bucket(Arc::new(bucket), prefix.to_owned())
    }

    #[track_caller]
    fn check(root: &Root, entry: &str, expected: Result<&str, &str>) {
        match (root.entry(entry, false), expected) {
            (Ok(archive), Ok(name)) => assert_eq!(archive.name, name),
            (Err(rule), Err(says)) => assert!(rule.contains(says), "{entry}: {rule}"),
            (found, expected) => panic!("{entry}: {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn entries_are_names_below_their_root() {
        let root = web("https://data.example/");
        check(&root, "crawl-data/a.warc.gz", Ok("https://data.example/crawl-data/a.warc.gz"));
        check(&root, "https://data.example/a.warc.gz", Ok("https://data.example/a.warc.gz"));
        check(&root, "a b?c#d.warc", Ok("https://data.example/a%20b%3Fc%23d.warc"));
        check(&root, "a%20b.warc", Ok("https://data.example/a%20b.warc"));
        let below = web("https://data.example/mirror/");
        check(&below, "a.warc", Ok("https://data.example/mirror/a.warc"));
        check(&below, "https://data.example/a.warc", Err("leads away"));
        check(&bucket(""), "a/b.warc", Ok("s3://crawls/a/b.warc"));
        check(&bucket("x/"), "b.warc", Ok("s3://crawls/x/b.warc"));
        check(&bucket("x/"), "s3://crawls/x/b.warc", Ok("s3://crawls/x/b.warc"));
    }

    #[test]
    fn entries_lead_nowhere_else() {
        for root in [web("https://data.example/"), bucket(""), Root::Folder(PathBuf::from("/data"))] {
            for entry in [
                "file:///etc/passwd",
                "file:/etc/passwd",
                "http://169.254.169.254/latest/meta-data/",
                "http://data.example/a.warc",
                "https://data.example.evil.example/a.warc",
                "https://user:pass@data.example/a.warc",
                "https://data.example:8443/a.warc",
                "s3://other/a.warc",
                "HTTPS://127.0.0.1/a",
            ] {
                check(&root, entry, Err("leads away"));
            }
            for entry in [
                "../a.warc",
                "a/../../b",
                "a/./b",
                "..",
                "a/%2e%2e/b",
                "a/%2E./b",
                "a/%252e%252e/b",
                "a\\..\\b",
                "a%5c..%5cb",
            ] {
                check(&root, entry, Err("`..`"));
            }
            for entry in ["/etc/passwd", "//evil.example/a", "\\\\evil\\a", "%2fetc/passwd", "%252fetc"] {
                check(&root, entry, Err("is absolute"));
            }
            for entry in ["a\u{0}b", "a%00b", "a%0d%0aHost: b", "a\u{1b}[31m", "a\u{85}b"] {
                check(&root, entry, Err("control characters"));
            }
            check(&root, "a%2525252525b", Err("again and again"));
            check(&root, "more.paths.gz", Err("is a list itself"));
            check(&root, "folder/", Err("names a folder"));
            check(&root, &"a".repeat(3000), Err("more than 2048 bytes"));
        }
        check(&bucket(""), "a//b", Err("is no key"));
    }

    #[test]
    fn lists_on_this_machine_name_files_here_or_by_their_whole_paths() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.warc");
        std::fs::write(&file, "x").unwrap();
        let root = Root::Folder(folder.path().to_owned());
        check(&root, "a.warc", Ok(file.to_str().unwrap()));
        check(&root, "b.warc", Err("is no file"));
        assert_eq!(root.entry(file.to_str().unwrap(), true).unwrap().name, file.to_str().unwrap());
        check(&root, file.to_str().unwrap(), Err("is absolute"));
    }

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<String>, Vec<String>> {
        let list = List { name: "l.paths", bytes, is_local: false };
        let names = |archives: Vec<Archive>| archives.into_iter().map(|archive| archive.name).collect();
        let says = |wrong: Vec<Fatal>| wrong.iter().map(ToString::to_string).collect();
        list.archives(&bucket("")).map(names).map_err(says)
    }

    #[test]
    fn a_list_is_plain_or_packed_by_its_content() {
        let text = b"\xef\xbb\xbfa.warc\r\n\n  b.warc \nc.warc";
        let names = ["s3://crawls/a.warc", "s3://crawls/b.warc", "s3://crawls/c.warc"];
        assert_eq!(read(text).unwrap(), names);
        assert_eq!(read(&packed(text)).unwrap(), names);
        assert_eq!(read(&[packed(b"a.warc\nb."), packed(b"warc\nc.warc\n")].concat()).unwrap(), names);
        let cut = packed(text);
        assert!(read(&cut[..cut.len() - 9]).unwrap_err()[0].contains("cannot be unpacked"));
    }

    #[test]
    fn a_list_says_what_is_wrong_with_it_and_where() {
        assert!(read(b"").unwrap_err()[0].contains("names no archive"));
        assert!(read(b"a\nb\xff").unwrap_err()[0].contains("after 3 bytes there is no UTF-8"));
        let wrong = read(b"a.warc\n\n../b\n/c\nd.warc\n").unwrap_err();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert_eq!(wrong[0], "line 3 of the list of paths `l.paths`, `../b`, has `.` or `..` in it");
        assert!(wrong[1].contains("line 4"));
        assert_eq!(read("/x\n".repeat(1000).as_bytes()).unwrap_err().len(), MAX_MISTAKES);
        let hostile = read(b"\x1b]0;title\x07\n").unwrap_err();
        assert!(!hostile[0].contains('\u{1b}'), "{hostile:?}");
    }

    #[test]
    fn a_list_is_bounded_packed_or_not() {
        let many = "a\n".repeat(MAX_ENTRIES + 1);
        assert!(read(many.as_bytes()).unwrap_err()[0].contains("more than 1000000 entries"));
        let bomb = packed(&vec![b'\n'; usize::try_from(MAX_LIST_BYTES).unwrap() + 1]);
        assert!(read(&bomb).unwrap_err()[0].contains("more than 256 MiB"));
    }
}
