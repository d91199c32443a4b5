//! Which archives there are: patterns become places, places that are lists of paths become what they name.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use glob::{MatchOptions, Pattern};
use object_store::path::Path as Key;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use url::Url;

use super::bucket::Bucket;
use super::common_crawl;
use super::download::shown;
use super::guard;
use super::local;
use super::paths::{self, List, MAX_ENTRIES, MAX_LIST_BYTES, Root};
use super::retry::{self, Patience, Trouble};
use super::web::Web;
use super::{Archive, Broken, Fatal, Listing, Place, Wanted};

/// Patterns that are looked at together: enough to hide the network's latency, and within what servers like.
const PATTERNS: usize = 8;
/// Schemes of buckets.
const BUCKETS: [&str; 8] = ["s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss"];
/// What archives are called.
const SUFFIXES: [&str; 10] =
    [".warc", ".warc.gz", ".warc.zst", ".warc.bz2", ".arc", ".arc.gz", ".wet", ".wet.gz", ".wat", ".wat.gz"];
/// Where archives may be.
const ACCEPTED: &str = "paths and globs, file://, http:// and https:// for files, s3://, gs:// and az:// for objects, \
                        globs and prefixes, lists of them (.paths, .paths.gz), and cc://CRAWL/KIND";

/// The archives that the patterns name. Everything that is wrong is said at once.
pub async fn list(wanted: &Wanted) -> Result<Listing, Vec<Fatal>> {
    let mut wrong = Vec::new();
    let mut lister = Lister::new(wanted);
    if let Some(base) = &wanted.base {
        match lister.root("source.base", base) {
            Ok(root) => lister.base = Some(root),
            Err(fatal) => wrong.push(fatal),
        }
    }
    if let Some(mirror) = &wanted.common_crawl {
        match lister.root("source.common_crawl", mirror) {
            Ok(root) => lister.common_crawl = Some(root),
            Err(fatal) => wrong.push(fatal),
        }
    }
    if !wrong.is_empty() {
        // What lists name would be looked for in the wrong place.
        return Err(wrong);
    }
    let found = futures::stream::iter(&wanted.archives).map(|pattern| lister.pattern(pattern));
    let found: Vec<_> = found.buffered(PATTERNS).collect().await;
    let mut listing = Listing { notes: std::mem::take(&mut *lister.notes()), ..Listing::default() };
    let mut seen = HashSet::new();
    for found in found {
        match found {
            Ok(archives) => {
                listing.archives.extend(archives.into_iter().filter(|it| seen.insert(Identity::of(it))));
            }
            Err(more) => wrong.extend(more),
        }
    }
    if wrong.is_empty() { Ok(listing) } else { Err(wrong) }
}

/// What makes two archives the same one.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    File(PathBuf),
    Url(String),
}

impl Identity {
    fn of(archive: &Archive) -> Self {
        match &archive.place {
            Place::Local(path) => Self::File(path.clone()),
            Place::Web(_, url) => Self::Url(url.to_string()),
            Place::Object(..) => Self::Url(archive.name.clone()),
        }
    }
}

struct Lister<'a> {
    wanted: &'a Wanted,
    web: Mutex<Option<Arc<Web>>>,
    buckets: Mutex<HashMap<String, Arc<Bucket>>>,
    /// Whether S3 would know who asks.
    credentials: OnceCell<bool>,
    base: Option<Root>,
    common_crawl: Option<Root>,
    notes: Mutex<Vec<String>>,
}

type Archives = Result<Vec<Archive>, Vec<Fatal>>;

impl<'a> Lister<'a> {
    fn new(wanted: &'a Wanted) -> Self {
        Self {
            wanted,
            web: Mutex::default(),
            buckets: Mutex::default(),
            credentials: OnceCell::new(),
            base: None,
            common_crawl: None,
            notes: Mutex::default(),
        }
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, note: String) {
        self.notes().push(note);
    }

    async fn pattern(&self, pattern: &str) -> Archives {
        match pattern.split_once("://") {
            None => self.local(pattern).await,
            Some(("file", _)) => {
                let path = local::path_of(pattern).map_err(|fatal| vec![fatal])?;
                self.local(&path).await
            }
            Some(("http" | "https", _)) => self.file(pattern).await,
            Some(("cc", crawl)) => self.crawl(pattern, crawl).await,
            Some((scheme, rest)) if BUCKETS.contains(&scheme) => self.object(pattern, scheme, rest).await,
            Some(_) => {
                let pattern = pattern.to_owned();
                Err(vec![Fatal::Scheme { pattern, accepted: ACCEPTED }])
            }
        }
    }

    /// A file, a glob, or a folder, which a slash at the end tells.
    async fn local(&self, pattern: &str) -> Archives {
        let paths = local::paths(pattern).map_err(|fatal| vec![fatal])?;
        let mut found = Vec::new();
        for path in paths {
            let archive = Archive::local(&path);
            let root = || Root::Folder(paths::folder_of(&path));
            found.push(if paths::is_list(&archive.name) {
                self.listed(&archive, root).await
            } else {
                Ok(vec![archive])
            });
        }
        together(found)
    }

    /// A URL of a web server.
    async fn file(&self, pattern: &str) -> Archives {
        let url = self.url("source.archives", pattern).map_err(|fatal| vec![fatal])?;
        if url.path().ends_with('/') || url.path().contains('*') {
            let says =
                "web servers do not list their files; accepted are URLs of files and of lists of paths"
                    .to_owned();
            return Err(vec![Fatal::Pattern { pattern: pattern.to_owned(), says }]);
        }
        let web = self.web().map_err(|fatal| vec![fatal])?;
        let size = look(&web, &url).await.map_err(|broken| vec![unread(shown(&url), broken)])?;
        let host = || {
            let mut root = url.clone();
            root.set_path("/");
            root.set_query(None);
            Root::Web(Arc::clone(&web), root)
        };
        let archive = Archive { name: shown(&url), size, place: Place::Web(Arc::clone(&web), url.clone()) };
        if paths::is_list(url.path()) { self.listed(&archive, host).await } else { Ok(vec![archive]) }
    }

    /// An object, a glob or a prefix of a bucket. Keys stand as they are, without percent-encoding.
    async fn object(&self, pattern: &str, scheme: &str, rest: &str) -> Archives {
        let no_pattern = |says: String| vec![Fatal::Pattern { pattern: pattern.to_owned(), says }];
        let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.is_empty() || authority.contains(['*', '?', '[']) {
            return Err(no_pattern(format!(
                "accepted is {scheme}://BUCKET/KEY, where the key may be a glob"
            )));
        }
        self.vouched(pattern, scheme).await.map_err(|fatal| vec![fatal])?;
        let bucket = self.bucket(pattern, &format!("{scheme}://{authority}")).map_err(|fatal| vec![fatal])?;
        let objects = self.objects(&bucket, pattern, key).await?;
        let mut found = Vec::new();
        for (path, size) in objects {
            let name = bucket.name(&path);
            let archive = Archive { name, size: Some(size), place: Place::Object(Arc::clone(&bucket), path) };
            let root = || Root::Bucket(Arc::clone(&bucket), String::new());
            found.push(if paths::is_list(&archive.name) {
                self.listed(&archive, root).await
            } else {
                Ok(vec![archive])
            });
        }
        together(found)
    }

    async fn objects(
        &self,
        bucket: &Bucket,
        pattern: &str,
        key: &str,
    ) -> Result<Vec<(Key, u64)>, Vec<Fatal>> {
        let no_pattern = |says: String| vec![Fatal::Pattern { pattern: pattern.to_owned(), says }];
        let parse = |key: &str| Key::parse(key).map_err(|error| no_pattern(error.to_string()));
        let unread = |broken| vec![unread(pattern.to_owned(), broken)];
        let first_wild = key.find(['*', '?', '[']);
        if first_wild.is_none() && !key.is_empty() && !key.ends_with('/') {
            let path = parse(key)?;
            let size = bucket.size(&path).await.map_err(unread)?;
            return Ok(vec![(path, size)]);
        }
        let literal = key.get(..first_wild.unwrap_or(key.len())).unwrap_or(key);
        let prefix = parse(literal.rsplit_once('/').map_or("", |(prefix, _)| prefix))?;
        let glob = Pattern::new(key).map_err(|error| no_pattern(error.msg.to_owned()))?;
        let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
        // An object may have a name that looks like a pattern.
        let wanted = |name: &str| match first_wild {
            Some(_) => name == key || glob.matches_with(name, options),
            None => is_archive(name),
        };
        let found = bucket.below(&prefix, MAX_ENTRIES, wanted).await.map_err(unread)?;
        match found {
            None => Err(vec![Fatal::TooMany { place: bucket.name(&prefix), limit: MAX_ENTRIES }]),
            Some(found) if !found.is_empty() => Ok(found),
            Some(_) if first_wild.is_some() => Err(vec![Fatal::NoMatch(pattern.to_owned())]),
            Some(_) => Err(vec![no_archive(pattern)]),
        }
    }

    /// A crawl of Common Crawl.
    async fn crawl(&self, pattern: &str, crawl: &str) -> Archives {
        let list = common_crawl::list_of(crawl)
            .map_err(|says| vec![Fatal::Pattern { pattern: pattern.to_owned(), says }])?;
        if let Some(mirror) = &self.common_crawl {
            return self.listed_at(mirror, &list).await;
        }
        let web = self.root("source.archives", common_crawl::WEB).map_err(|fatal| vec![fatal])?;
        let why = match self.crawl_bucket().await {
            Err(why) => why,
            Ok(bucket) => match self.listed_at(&bucket, &list).await {
                Ok(archives) => {
                    self.note(format!("{pattern}: reading from {}", common_crawl::BUCKET));
                    return Ok(archives);
                }
                // A bucket that is only slow stays the place: rows name it.
                Err(wrong) if !wrong.iter().all(is_refusal) => return Err(wrong),
                Err(wrong) => wrong.iter().map(|fatal| retry::chain(fatal)).collect::<Vec<_>>().join("; "),
            },
        };
        self.note(format!("{pattern}: {why}; reading from {}", common_crawl::WEB));
        self.listed_at(&web, &list).await
    }

    /// Common Crawl's bucket, or why not.
    async fn crawl_bucket(&self) -> Result<Root, String> {
        let (settings, fetch) = (&self.wanted.storage, &self.wanted.fetch);
        let nobody = || "no credentials for S3 found".to_owned();
        if common_crawl::anonymous(settings) {
            return Err(nobody());
        }
        let settings = common_crawl::access(settings, fetch.pace.credentials).await.ok_or_else(nobody)?;
        let bucket = Bucket::open(common_crawl::BUCKET, &settings, fetch.clone());
        let bucket = bucket.map_err(|fatal| retry::chain(&*fatal))?;
        Ok(Root::Bucket(Arc::new(bucket), String::new()))
    }

    /// What a list below a root names, relative to the same root.
    async fn listed_at(&self, root: &Root, list: &str) -> Archives {
        let archive = root.at(list).map_err(|says| vec![Fatal::List { list: list.to_owned(), says }])?;
        let there = match &archive.place {
            Place::Local(_) => Ok(()),
            Place::Web(web, url) => look(web, url).await.map(|_size| ()),
            Place::Object(bucket, path) => bucket.size(path).await.map(|_size| ()),
        };
        there.map_err(|broken| vec![unread(archive.name.clone(), broken)])?;
        archives_in(&archive, root).await
    }

    /// What a list names, relative to the `base` of the pipeline or else to its own root.
    async fn listed(&self, list: &Archive, own: impl FnOnce() -> Root) -> Archives {
        match &self.base {
            Some(base) => archives_in(list, base).await,
            None => archives_in(list, &own()).await,
        }
    }

    /// A place that relative names are relative to.
    fn root(&self, key: &'static str, place: &str) -> Result<Root, Fatal> {
        let wrong = |says: &str| Fatal::Place { key, place: place.to_owned(), says: says.to_owned() };
        match place.split_once("://") {
            None => Ok(Root::Folder(PathBuf::from(place))),
            Some(("file", _)) => Ok(Root::Folder(PathBuf::from(local::path_of(place)?))),
            Some(("http" | "https", _)) => {
                let mut url = self.url(key, place)?;
                if url.query().is_some() {
                    return Err(wrong("has a query; accepted is the URL of a folder"));
                }
                if !url.path().ends_with('/') {
                    url.set_path(&format!("{}/", url.path()));
                }
                Ok(Root::Web(self.web()?, url))
            }
            Some((scheme, rest)) if BUCKETS.contains(&scheme) => {
                let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                let prefix = prefix.trim_end_matches('/');
                let slash = if prefix.is_empty() { "" } else { "/" };
                Key::parse(prefix).map_err(|error| wrong(&error.to_string()))?;
                let bucket = self.bucket(place, &format!("{scheme}://{authority}"))?;
                Ok(Root::Bucket(bucket, format!("{prefix}{slash}")))
            }
            Some(_) => {
                Err(wrong("is no place; accepted are folders, http://, https://, s3://, gs:// and az://"))
            }
        }
    }

    /// A URL of the pipeline file that may be asked.
    fn url(&self, key: &'static str, text: &str) -> Result<Url, Fatal> {
        let wrong = |says: String| Fatal::Place { key, place: text.to_owned(), says };
        let mut url = Url::parse(text).map_err(|error| wrong(format!("is no URL: {error}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            let shown = url.host_str().unwrap_or_default().to_owned();
            let says = "has a user's name or password in its URL, which would stand in every row".to_owned();
            return Err(Fatal::Place { key, place: shown, says });
        }
        guard::check_host(&url, self.wanted.allow_private)
            .map_err(|denied| wrong(format!("cannot be asked: {denied}")))?;
        url.set_fragment(None);
        Ok(url)
    }

    fn web(&self) -> Result<Arc<Web>, Fatal> {
        let mut web = self.web.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(web) = &*web {
            return Ok(Arc::clone(web));
        }
        let mirror = self.wanted.common_crawl.as_deref().and_then(|mirror| Url::parse(mirror).ok());
        let made = Web::new(self.wanted.fetch.clone(), self.wanted.allow_private, mirror.as_ref());
        let made = made.map_err(|says| {
            let place = "HTTP".to_owned();
            Fatal::Place { key: "source.archives", place, says: format!("cannot be set up: {says}") }
        })?;
        Ok(Arc::clone(web.insert(Arc::new(made))))
    }

    fn bucket(&self, pattern: &str, root: &str) -> Result<Arc<Bucket>, Fatal> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get(root) {
            return Ok(Arc::clone(bucket));
        }
        let made = Bucket::open(root, &self.wanted.storage, self.wanted.fetch.clone());
        let made = made.map_err(|source| Fatal::Bucket { place: pattern.to_owned(), source: *source })?;
        let made = Arc::new(made);
        buckets.insert(root.to_owned(), Arc::clone(&made));
        Ok(made)
    }

    /// That a bucket of S3 will be asked by somebody, if anonymous requests are not what is wanted. Without credentials
    /// each request would look for them for minutes.
    async fn vouched(&self, pattern: &str, scheme: &str) -> Result<(), Fatal> {
        let settings = &self.wanted.storage;
        if !scheme.starts_with("s3") || common_crawl::anonymous(settings) {
            return Ok(());
        }
        let soon = self.wanted.fetch.pace.credentials;
        let credentials =
            self.credentials.get_or_init(|| common_crawl::has_credentials(settings, soon)).await;
        if *credentials { Ok(()) } else { Err(Fatal::NoCredentials { place: pattern.to_owned() }) }
    }
}

/// The archives that a list names.
async fn archives_in(list: &Archive, root: &Root) -> Archives {
    let (name, is_local) = (list.name.as_str(), matches!(list.place, Place::Local(_)));
    let mut bytes = Vec::new();
    let mut chunks = super::open(list, 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|source| vec![Fatal::Read { archive: name.to_owned(), source }])?;
        if MAX_LIST_BYTES < (bytes.len() + chunk.len()) as u64 {
            let says = format!("has more than {} MiB", MAX_LIST_BYTES >> 20);
            return Err(vec![Fatal::List { list: name.to_owned(), says }]);
        }
        bytes.extend_from_slice(&chunk);
    }
    List { name, bytes: &bytes, is_local }.archives(root)
}

/// Whether a file is there, and its size if that can be known. A server that is busy will be waited for when it is read;
/// one that is not there at all before any work has begun is a mistake.
async fn look(web: &Web, url: &Url) -> Result<Option<u64>, Broken> {
    let (fetch, courtesy) = (&web.fetch, web.courtesy(url));
    let patience = fetch.pace.unreachable;
    let mut patience = Patience::new(&fetch.pace, fetch.pace.least, (patience, patience), fetch.seed);
    loop {
        let place = courtesy.enter().await;
        let trouble = match web.look(url).await {
            Ok(size) => return Ok(size),
            Err(trouble) => trouble,
        };
        drop(place);
        let answered = matches!(trouble, Trouble::Again { .. });
        match patience.after(trouble, 0, Instant::now()) {
            Ok(pause) => tokio::time::sleep(pause.wait).await,
            Err(Broken::GaveUp { .. }) if answered => return Ok(None),
            Err(broken) => return Err(broken),
        }
        courtesy.turn(fetch.pace.least).await;
    }
}

fn unread(name: String, broken: Broken) -> Fatal {
    if matches!(broken, Broken::Missing) {
        return Fatal::Missing(name);
    }
    Fatal::Read { archive: name, source: io::Error::other(broken) }
}

/// Whether a server has said no, and not that it is busy.
fn is_refusal(fatal: &Fatal) -> bool {
    let broken = match fatal {
        Fatal::Missing(_) => return true,
        Fatal::Read { source, .. } => source.get_ref().and_then(|inner| inner.downcast_ref::<Broken>()),
        Fatal::Pattern { .. }
        | Fatal::Scheme { .. }
        | Fatal::Place { .. }
        | Fatal::NoMatch(_)
        | Fatal::NoArchive { .. }
        | Fatal::TooMany { .. }
        | Fatal::List { .. }
        | Fatal::Entry { .. }
        | Fatal::NoCredentials { .. }
        | Fatal::Bucket { .. } => None,
    };
    matches!(broken, Some(Broken::Refused { .. }))
}

/// All that was found, or all that is wrong.
fn together(found: Vec<Archives>) -> Archives {
    let (mut archives, mut wrong) = (Vec::new(), Vec::new());
    for found in found {
        match found {
            Ok(more) => archives.extend(more),
            Err(more) => wrong.extend(more),
        }
    }
    if wrong.is_empty() { Ok(archives) } else { Err(wrong) }
}

pub(super) fn is_archive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

pub(super) fn no_archive(prefix: &str) -> Fatal {
    Fatal::NoArchive { prefix: prefix.to_owned(), accepted: SUFFIXES.join(", ") }
}
