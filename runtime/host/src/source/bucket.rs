//! An object of a bucket, in windows: each is one request for a range, tried by itself, held in memory, and guarded by
//! what the first one said of the object.
//!
//! Two windows are under way ahead of the reader, as tasks of their own. So a reader that stalls holds no connection, and
//! the memory of an archive is that of a few windows.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use async_stream::try_stream;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::retry::{Patience, Trouble, words};
use super::{Broken, Fetch};
use crate::store::{self, Access, Store};

/// Large enough that a request's latency is little beside its transfer, small enough that a few fit into any memory.
pub(super) const WINDOW_BYTES: u64 = 8 << 20;
/// One window is read from, one waits, one is on its way.
const WINDOWS_AHEAD: usize = 2;
/// A piece has a few dozen bytes beside its own.
const CRUMB_BYTES: usize = 8 << 10;
/// What helps where a bucket refuses.
const HINT: &str = "; credentials come from the environment or [source.storage], and public buckets are read without \
                    any by `aws_skip_signature = \"true\"` there (`google_skip_signature`, `azure_skip_signature`)";

/// What the library writes before the status of an answer.
const STATUS: &str = "status code: ";

/// Tells windows of one process apart, for their dice.
static WINDOWS: AtomicU64 = AtomicU64::new(0);

/// A bucket that archives are read from.
#[derive(Debug)]
pub(super) struct Bucket {
    /// Scheme and authority.
    pub(super) root: String,
    objects: Arc<dyn ObjectStore>,
    fetch: Fetch,
}

impl Bucket {
    pub(super) fn open(
        root: &str,
        settings: &[(String, String)],
        fetch: Fetch,
    ) -> Result<Self, Box<store::Fatal>> {
        // Every window is tried again by itself, with its own patience.
        let access = Access { settings: settings.to_owned(), retries: 0, ..Access::default() };
        let store = Store::open(root, &access).map_err(Box::new)?;
        Ok(Self { root: root.to_owned(), objects: Arc::clone(store.objects()), fetch })
    }

    /// A whole name, for people and rows.
    pub(super) fn name(&self, path: &Path) -> String {
        format!("{}/{path}", self.root)
    }

    /// The size of an object, tried for as long as it may be out of reach before any work. It is asked for by its first
    /// byte: a refusal of that has words, one of its head has none.
    pub(super) async fn size(&self, path: &Path) -> Result<u64, Broken> {
        let mut patience = self.patience(self.fetch.pace.unreachable);
        let stall = self.fetch.pace.stall;
        loop {
            let options = GetOptions { range: Some(GetRange::Bounded(0..1)), ..GetOptions::default() };
            let mut size = match timeout(stall, self.objects.get_opts(path, options)).await {
                Ok(answer) => answer.map(|answer| answer.meta.size),
                Err(_late) => Err(unanswered()),
            };
            if size.as_ref().is_err_and(|error| status(error) == Some(416)) {
                size = match timeout(stall, self.objects.head(path)).await {
                    Ok(meta) => meta.map(|meta| meta.size),
                    Err(_late) => Err(unanswered()),
                };
            }
            match size {
                Ok(size) => return Ok(size),
                Err(error) => {
                    let pause = patience.after(trouble(&error), 0, Instant::now())?;
                    tokio::time::sleep(pause.wait).await;
                }
            }
        }
    }

    /// The objects below a prefix that are `wanted`, in the order of their names, and no more than `most` looked at.
    pub(super) async fn below(
        &self,
        prefix: &Path,
        most: usize,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Option<Vec<(Path, u64)>>, Broken> {
        let mut patience = self.patience(self.fetch.pace.unreachable);
        'tries: loop {
            let (mut found, mut seen) = (Vec::new(), 0);
            let mut listed = self.objects.list(Some(prefix));
            loop {
                let trouble = match timeout(self.fetch.pace.stall, listed.next()).await {
                    Ok(Some(Ok(meta))) => {
                        seen += 1;
                        if most < seen {
                            return Ok(None);
                        }
                        if wanted(meta.location.as_ref()) {
                            found.push((meta.location, meta.size));
                        }
                        continue;
                    }
                    Ok(None) => {
                        found.sort();
                        return Ok(Some(found));
                    }
                    Ok(Some(Err(error))) => trouble(&error),
                    Err(_late) => late(),
                };
                let pause = patience.after(trouble, 0, Instant::now())?;
                tokio::time::sleep(pause.wait).await;
                continue 'tries;
            }
        }
    }

    fn patience(&self, patience: std::time::Duration) -> Patience {
        let dice = self.fetch.seed.wrapping_add(WINDOWS.fetch_add(1, Ordering::Relaxed));
        let pace = &self.fetch.pace;
        Patience::new(pace, pace.least_bucket, (patience, patience), dice)
    }
}

/// The bytes of an object from an offset on.
pub(super) fn read(bucket: Arc<Bucket>, path: Path, from: u64) -> impl Stream<Item = io::Result<Bytes>> {
    try_stream! {
        let object = Arc::new(Object { bucket, path });
        let first = from..from.saturating_add(WINDOW_BYTES);
        let mut next = first.end;
        let (mut window, guard) = Task::spawn(Arc::clone(&object).first(first)).done().await?;
        let mut ahead = VecDeque::new();
        loop {
            while ahead.len() < WINDOWS_AHEAD && next < guard.size {
                let range = next..guard.size.min(next + WINDOW_BYTES);
                next = range.end;
                ahead.push_back(Task::spawn(Arc::clone(&object).window(range, guard.clone())));
            }
            // What is read goes piece by piece.
            while let Some(piece) = window.pop_front() {
                yield piece;
            }
            let Some(task) = ahead.pop_front() else { break };
            window = task.done().await?;
        }
    }
}

/// A task that ends when nobody waits for it any more.
struct Task<T>(JoinHandle<Result<T, Broken>>);

impl<T: Send + 'static> Task<T> {
    fn spawn(work: impl Future<Output = Result<T, Broken>> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    async fn done(mut self) -> io::Result<T> {
        let done = (&mut self.0).await;
        done.map_err(io::Error::other)?.map_err(io::Error::other)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What all windows of an object must agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Guard {
    size: u64,
    etag: Option<String>,
    modified: SystemTime,
}

impl Guard {
    fn of(meta: &ObjectMeta) -> Self {
        Self { size: meta.size, etag: meta.e_tag.clone(), modified: meta.last_modified.into() }
    }

    /// Servers may pass over the condition of a request, so their answers are compared as well.
    fn check(&self, found: &Self) -> Result<(), Broken> {
        let etags = (&self.etag, &found.etag);
        let same = match etags {
            (Some(known), Some(found)) => known == found,
            _ => self.modified == found.modified,
        };
        if same && self.size == found.size {
            return Ok(());
        }
        let shown = |guard: &Self| {
            let etag = guard.etag.as_deref().map_or_else(|| "no ETag".to_owned(), words);
            format!("{etag} of {} bytes", guard.size)
        };
        Err(Broken::Changed(format!("it was {}, now it is {}", shown(self), shown(found))))
    }

    /// A weak ETag never fulfils the condition.
    fn condition(&self) -> Option<String> {
        self.etag.clone().filter(|etag| !etag.starts_with("W/"))
    }
}

struct Object {
    bucket: Arc<Bucket>,
    path: Path,
}

/// A window while it is filled.
struct Window {
    range: Range<u64>,
    /// How much of it is there.
    got: u64,
    pieces: VecDeque<Bytes>,
    /// Pieces too small to be kept for themselves.
    crumbs: BytesMut,
    guard: Option<Guard>,
}

impl Window {
    fn new(range: Range<u64>, guard: Option<Guard>) -> Self {
        Self { range, got: 0, pieces: VecDeque::new(), crumbs: BytesMut::new(), guard }
    }

    /// Bytes stay where the network has put them, unless they came in so small pieces that keeping them costs more.
    fn push(&mut self, piece: Bytes) {
        self.got += piece.len() as u64;
        if piece.len() < CRUMB_BYTES {
            self.crumbs.extend_from_slice(&piece);
        }
        if CRUMB_BYTES <= piece.len().max(self.crumbs.len()) {
            self.sweep();
        }
        if CRUMB_BYTES <= piece.len() {
            self.pieces.push_back(piece);
        }
    }

    fn sweep(&mut self) {
        if !self.crumbs.is_empty() {
            self.pieces.push_back(self.crumbs.split().freeze());
        }
    }
}

impl Object {
    /// The first window, which also says what the object is.
    async fn first(self: Arc<Self>, range: Range<u64>) -> Result<(VecDeque<Bytes>, Guard), Broken> {
        self.fill(Window::new(range, None)).await
    }

    async fn window(self: Arc<Self>, range: Range<u64>, guard: Guard) -> Result<VecDeque<Bytes>, Broken> {
        Ok(self.fill(Window::new(range, Some(guard))).await?.0)
    }

    async fn fill(&self, mut window: Window) -> Result<(VecDeque<Bytes>, Guard), Broken> {
        let fetch = &self.bucket.fetch;
        let mut patience = self.bucket.patience(fetch.patience);
        loop {
            let trouble = match self.once(&mut window).await {
                Ok(guard) => {
                    window.sweep();
                    return Ok((window.pieces, guard));
                }
                Err(trouble) => trouble,
            };
            let said = trouble.says();
            let pause = patience.after(trouble, window.got, Instant::now())?;
            if pause.telling {
                let (name, seconds) = (self.bucket.name(&self.path), pause.wait.as_secs());
                fetch.said.tell(format!("{name}: {said}; trying again in {seconds} s"));
            }
            tokio::time::sleep(pause.wait).await;
        }
    }

    /// One request, as far as it goes.
    async fn once(&self, window: &mut Window) -> Result<Guard, Trouble> {
        let stall = self.bucket.fetch.pace.stall;
        let start = window.range.start + window.got;
        let options = GetOptions {
            range: Some(GetRange::Bounded(start..window.range.end)),
            if_match: window.guard.as_ref().and_then(Guard::condition),
            ..GetOptions::default()
        };
        let answer = match timeout(stall, self.bucket.objects.get_opts(&self.path, options)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if status(&error) == Some(416) => return self.nothing(window, start).await,
            Ok(Err(error)) => return Err(trouble(&error)),
            Err(_late) => return Err(late()),
        };
        let found = Guard::of(&answer.meta);
        if let Some(guard) = &window.guard {
            guard.check(&found).map_err(Trouble::Final)?;
        }
        window.range.end = window.range.end.min(found.size);
        window.guard = Some(found.clone());
        let length = window.range.end - window.range.start;
        let mut body = answer.into_stream();
        while window.got < length {
            match timeout(stall, body.next()).await {
                Ok(Some(Ok(mut piece))) => {
                    // A server that sends more than it was asked for has sent enough.
                    piece.truncate(usize::try_from(length - window.got).unwrap_or(usize::MAX));
                    window.push(piece);
                }
                Ok(Some(Err(error))) => return Err(trouble(&error)),
                Ok(None) => {
                    let says = "the transfer ended early".to_owned();
                    return Err(Trouble::Again { says, wait: None });
                }
                Err(_late) => return Err(late()),
            }
        }
        Ok(found)
    }

    /// There are no bytes from `start` on: the object ends there, or it is not the one that was read before.
    async fn nothing(&self, window: &Window, start: u64) -> Result<Guard, Trouble> {
        let head = timeout(self.bucket.fetch.pace.stall, self.bucket.objects.head(&self.path)).await;
        let meta = head.map_err(|_late| late())?.map_err(|error| trouble(&error))?;
        let found = Guard::of(&meta);
        if let Some(guard) = &window.guard {
            guard.check(&found).map_err(Trouble::Final)?;
        }
        if found.size == start {
            return Ok(found);
        }
        let says = format!("it has {} bytes, and its first {start} were read before", found.size);
        Err(Trouble::Final(Broken::Changed(says)))
    }
}

fn unanswered() -> Error {
    Error::Generic { store: "bucket", source: "the server does not answer".into() }
}

fn late() -> Trouble {
    Trouble::Again { says: "the server does not answer".to_owned(), wait: None }
}

/// What a failure of a bucket means.
fn trouble(error: &Error) -> Trouble {
    let says = server_words(error);
    match error {
        Error::NotFound { .. } => {
            let bucket = says.contains("NoSuchBucket");
            Trouble::Final(if bucket { Broken::Refused { says, hint: "" } } else { Broken::Missing })
        }
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            Trouble::Final(Broken::Refused { says, hint: HINT })
        }
        Error::Precondition { .. } | Error::NotModified { .. } => Trouble::Final(Broken::Changed(says)),
        Error::Generic { .. } => match status(error) {
            // Amazon says 400 for some things that pass.
            Some(400) if ["ExpiredToken", "RequestTimeout"].iter().any(|code| says.contains(code)) => {
                Trouble::Again { says, wait: None }
            }
            Some(408 | 425 | 429) => Trouble::Again { says, wait: None },
            Some(300..=499) => Trouble::Final(Broken::Refused { says, hint: "" }),
            Some(_) | None => Trouble::Again { says, wait: None },
        },
        // What is neither the network's nor the server's does not pass.
        Error::AlreadyExists { .. }
        | Error::InvalidPath { .. }
        | Error::JoinError { .. }
        | Error::NotImplemented { .. }
        | Error::NotSupported { .. }
        | Error::UnknownConfigurationKey { .. }
        | _ => Trouble::Final(Broken::Refused { says, hint: "" }),
    }
}

/// The status that the server answered with, which the library tells in words only.
fn status(error: &Error) -> Option<u16> {
    let text = error.to_string();
    let (_, after) = text.split_once(STATUS)?;
    after.get(..3)?.parse().ok()
}

/// What the server says for itself where it says something, and otherwise what the library says.
fn server_words(error: &Error) -> String {
    let whole = error.to_string();
    let within = |tag: &str| -> Option<&str> {
        let (_, after) = whole.split_once(&format!("<{tag}>"))?;
        Some(after.split_once(&format!("</{tag}>"))?.0)
    };
    if let Some(code) = within("Code") {
        return words(&format!("{code}: {}", within("Message").unwrap_or_default()));
    }
    match whole.split_once(STATUS) {
        Some((_, answer)) => words(answer),
        None => words(&whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_keeps_what_it_was_given_in_pieces_worth_keeping() {
        let bytes: Vec<u8> = (0..9 * CRUMB_BYTES).map(|at| (at % 251) as u8).collect();
        let check = |sizes: &[usize], most: usize| {
            let mut window = Window::new(0..WINDOW_BYTES, None);
            let (mut rest, mut sizes) = (bytes.as_slice(), sizes.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                window.push(Bytes::copy_from_slice(piece));
                rest = after;
            }
            window.sweep();
            assert_eq!(window.got, bytes.len() as u64);
            assert!(window.pieces.len() <= most, "{}", window.pieces.len());
            assert!(window.pieces.make_contiguous().concat() == bytes);
        };
        check(&[1], 9);
        check(&[CRUMB_BYTES - 1], 10);
        check(&[CRUMB_BYTES], 9);
        check(&[3 * CRUMB_BYTES], 3);
        check(&[1, 0, 2, CRUMB_BYTES + 1, CRUMB_BYTES - 1, 5], 18);
    }
}
