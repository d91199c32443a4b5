//! Archives as streams of bytes, from wherever they are.
//!
//! [`list`] says which archives the patterns of a pipeline name: files and globs, URLs, buckets, lists of paths, crawls of
//! Common Crawl. Reading waits, so it is async: [`open`] gives a stream of chunks that is either the archive's bytes to
//! their last, or an error. A reader that stalls for hours breaks no download: what comes from a web server is spooled on
//! disk, what comes from a bucket is asked for in windows. Taking records apart is work, so it is done on a thread:
//! [`ByteReader`] is that stream as a [`Read`]. What the bytes mean is of no concern here.

mod bucket;
mod common_crawl;
mod download;
mod guard;
mod list;
mod local;
mod paths;
mod retry;
mod spool;
mod web;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, pin_mut};
use tokio::sync::mpsc;
use url::Url;

use bucket::Bucket;
use web::Web;

pub use list::list;

/// A read of this size costs next to nothing over its bytes, on disk as on a network.
const CHUNK_BYTES: usize = 256 << 10;
/// One chunk is being read from, one waits, one is being filled.
const CHUNKS_AHEAD: usize = 1;
/// Archives of crawls have one gigabyte; such a one fits in whole, so its download is one request.
const SPOOL_BYTES: u64 = 2 << 30;
/// Servers that are overloaded come back within minutes; half an hour without a byte is an outage that people must see.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// The archives of a run, and how to come by them.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Paths and globs, URLs of files, objects, globs and prefixes in buckets, lists of paths, crawls (`cc://`). Local
    /// ones stand with their folder.
    pub archives: Vec<String>,
    /// What the entries of lists of paths are relative to, instead of the place that the list is from.
    pub base: Option<String>,
    /// Whether hosts' names may mean addresses that are not public.
    pub allow_private: bool,
    /// Settings of buckets under the names of the `object_store` crate; later ones win. Those of the environment belong
    /// here too.
    pub storage: Vec<(String, String)>,
    /// Where the files of Common Crawl are, instead of at its own places.
    pub common_crawl: Option<String>,
    pub fetch: Fetch,
}

/// How remote archives are fetched.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// The folder for what has been downloaded and not been read yet. Its files have no names, so none is left over.
    pub spool: PathBuf,
    /// How much of it there may be for one archive.
    pub spool_bytes: u64,
    /// How long a server may fail without progress before the archive is given up.
    pub patience: Duration,
    /// Mixed into the dice that set downloads apart; decides nothing else.
    pub seed: u64,
    pub pace: Pace,
    pub said: Said,
}

impl Fetch {
    /// The defaults, with a folder for spools.
    pub fn into_folder(spool: PathBuf) -> Self {
        let (pace, said) = (Pace::default(), Said::default());
        Self { spool, spool_bytes: SPOOL_BYTES, patience: PATIENCE, seed: 0, pace, said }
    }
}

impl Default for Fetch {
    fn default() -> Self {
        Self::into_folder(std::env::temp_dir())
    }
}

/// The times that reading keeps. Whoever tests makes them shorter.
#[derive(Debug, Clone)]
pub struct Pace {
    /// No byte for so long is a connection that nobody serves any more.
    pub stall: Duration,
    /// The shortest time between a failure and the next request to a web server, whichever archive it is for. Common
    /// Crawl asks for no more than one retry a second.
    pub least: Duration,
    /// The same for buckets, which are made for many requests.
    pub least_bucket: Duration,
    /// The longest wait that is not the server's wish: short enough to notice within a minute that it is back.
    pub most: Duration,
    /// How long to keep away after the first 403 of a web server; twice as long after the next.
    pub forbidden: Duration,
    /// Common Crawl's 403 means "slow down". This many in a row mean no.
    pub forbidden_tries: u32,
    /// How long a host may be out of reach before any work has begun: a name that is wrong does not become right.
    pub unreachable: Duration,
    /// A machine with a role of its own is told its credentials by the next machine, in milliseconds.
    pub credentials: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(60),
            least: Duration::from_secs(1),
            least_bucket: Duration::from_millis(100),
            most: Duration::from_secs(60),
            forbidden: Duration::from_secs(60),
            forbidden_tries: 4,
            unreachable: Duration::from_secs(60),
            credentials: Duration::from_secs(3),
        }
    }
}

/// Who is told, in a line for people, that a server keeps an archive waiting.
#[derive(Clone)]
pub struct Said(Arc<dyn Fn(String) + Send + Sync>);

impl Said {
    pub fn new(tell: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    fn tell(&self, line: String) {
        (self.0)(line);
    }
}

impl Default for Said {
    fn default() -> Self {
        Self::new(drop)
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Said")
    }
}

/// What [`list`] found.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// In the order of the patterns, those of a glob or prefix in the order of their names, those of a list of paths in
    /// its order; none twice.
    pub archives: Vec<Archive>,
    /// What was decided on the way, for people.
    pub notes: Vec<String>,
}

/// One archive.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Its path or its URL, as rows show it.
    pub name: String,
    /// As far as it is known without reading.
    pub size: Option<u64>,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Local(PathBuf),
    Web(Arc<Web>, Url),
    Object(Arc<Bucket>, object_store::path::Path),
}

impl Archive {
    /// A file on this machine.
    pub fn local(path: &Path) -> Self {
        let size = path.metadata().ok().map(|metadata| metadata.len());
        Self { name: path.to_string_lossy().into_owned(), size, place: Place::Local(path.to_owned()) }
    }
}

/// Why there are no archives, or why one cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    #[error("`{pattern}` in source.archives is no pattern: {says}")]
    Pattern { pattern: String, says: String },
    #[error("`{pattern}` in source.archives is nothing that archives are read from; accepted are {accepted}")]
    Scheme { pattern: String, accepted: &'static str },
    #[error("{key}: `{place}` {says}")]
    Place { key: &'static str, place: String, says: String },
    #[error("source.archives: there is no file `{0}`")]
    Missing(String),
    #[error("source.archives: nothing matches `{0}`")]
    NoMatch(String),
    #[error(
        "source.archives: below `{prefix}` there is no archive; they are known by their suffixes: {accepted}"
    )]
    NoArchive { prefix: String, accepted: String },
    #[error("source.archives: `{place}` has more than {limit} files; name fewer of them")]
    TooMany { place: String, limit: usize },
    #[error("the list of paths `{list}` {says}")]
    List { list: String, says: String },
    #[error("line {line} of the list of paths `{list}`, {entry}, {rule}")]
    Entry { list: String, line: usize, entry: String, rule: String },
    #[error(
        "`{place}`: no credentials for S3 found; accepted are those of the environment (AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY) and of the machine's role, and for public buckets `aws_skip_signature = \"true\"` in \
         [source.storage]"
    )]
    NoCredentials { place: String },
    #[error("cannot use the bucket of `{place}`")]
    Bucket {
        place: String,
        #[source]
        source: crate::store::Fatal,
    },
    #[error("cannot read the archive `{archive}`")]
    Read {
        archive: String,
        #[source]
        source: io::Error,
    },
}

/// Why the bytes of an archive end before their last.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("the server has no such file")]
    Missing,
    #[error("it was changed while it was read: {0}")]
    Changed(String),
    #[error("the server refuses: {says}{hint}")]
    Refused { says: String, hint: &'static str },
    #[error("the server keeps refusing, after minutes of keeping away too: {says}")]
    Forbidden { says: String },
    #[error(
        "given up after {} seconds without progress and another {} to wait: {says}",
        .fruitless.as_secs(),
        .wait.as_secs()
    )]
    GaveUp { fruitless: Duration, wait: Duration, says: String },
    #[error("{0}")]
    Barred(String),
    #[error("the server breaks the rules: {0}")]
    Nonsense(String),
    #[error("cannot spool the download in `{}`", folder.display())]
    Spool {
        folder: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// The bytes of an archive, from an offset on.
pub fn open(archive: &Archive, from: u64) -> BoxStream<'static, io::Result<Bytes>> {
    match &archive.place {
        Place::Local(path) => local::read(path.clone(), from).boxed(),
        Place::Web(web, url) => download::read(Arc::clone(web), url.clone(), from).boxed(),
        Place::Object(bucket, path) => bucket::read(Arc::clone(bucket), path.clone(), from).boxed(),
    }
}

/// An archive's bytes, for a thread that reads.
#[derive(Debug)]
pub struct ByteReader {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    chunk: Bytes,
}

impl ByteReader {
    /// Reads the stream on the runtime, as far ahead as [`CHUNKS_AHEAD`] allows. Dropping the reader ends the reading.
    pub fn new(
        runtime: &tokio::runtime::Handle,
        stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Self {
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
        runtime.spawn(async move {
            pin_mut!(stream);
            while let Some(chunk) = stream.next().await {
                let last = chunk.is_err();
                if sender.send(chunk).await.is_err() || last {
                    break;
                }
            }
        });
        Self { chunks, chunk: Bytes::new() }
    }

    /// Calls `count` with the size of every read.
    pub fn counted<C: Fn(u64)>(self, count: C) -> Counted<C> {
        Counted { bytes: self, count }
    }
}

/// A reader whose progress is seen.
pub struct Counted<C> {
    bytes: ByteReader,
    count: C,
}

impl<C: Fn(u64)> Read for Counted<C> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        (self.count)(read as u64);
        Ok(read)
    }
}

impl<C> fmt::Debug for Counted<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Read for ByteReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.chunk = chunk?,
                None => return Ok(0),
            }
        }
        let length = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
