//! A file of a web server, whole: downloaded at the network's pace, read at the reader's.
//!
//! The download is a task of its own, which fills the spool. When the spool is full it hangs up, and it goes on by range
//! when half of it is read; when the connection breaks it goes on where it was. Either all bytes arrive, in order, or an
//! error does.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_stream::try_stream;
use bytes::{Buf, Bytes, BytesMut};
use futures::{FutureExt, Stream};
use reqwest::Response;
use tokio::task::JoinSet;
use tokio::time::Instant;
use url::Url;

use super::retry::{Patience, Trouble};
use super::spool::{self, Inlet};
use super::web::{self, Going, Known, Web};
use super::{Broken, CHUNK_BYTES};

/// Tells downloads of one process apart, for their dice.
static DOWNLOADS: AtomicU64 = AtomicU64::new(0);

/// The bytes of a file from an offset on.
pub(super) fn read(web: Arc<Web>, url: Url, from: u64) -> impl Stream<Item = io::Result<Bytes>> {
    try_stream! {
        let (inlet, mut outlet) = spool::new(&web.fetch.spool, web.fetch.spool_bytes);
        // Dropped with the stream, and the task ends with it.
        let mut task = JoinSet::new();
        task.spawn(Download { web, url, at: from, known: Known::default(), inlet }.run());
        while let Some(chunk) = outlet.next().await? {
            yield chunk;
        }
    }
}

struct Download {
    web: Arc<Web>,
    url: Url,
    /// All before it is in the spool.
    at: u64,
    known: Known,
    inlet: Inlet,
}

/// How one request ends well.
enum Ended {
    Whole,
    /// The spool has as much as it may have.
    Full,
    /// The disk has less room than the spool may take.
    NoSpace,
}

impl Download {
    async fn run(mut self) {
        let how = self.all().await;
        self.inlet.end(how.map_err(io::Error::other));
    }

    async fn all(&mut self) -> Result<(), Broken> {
        let web = Arc::clone(&self.web);
        let (fetch, courtesy) = (&web.fetch, web.courtesy(&self.url));
        let dice = fetch.seed.wrapping_add(DOWNLOADS.fetch_add(1, Ordering::Relaxed));
        let times = (fetch.patience, fetch.patience);
        let mut patience = Patience::new(&fetch.pace, fetch.pace.least, times, dice);
        loop {
            let trouble = match self.once().await {
                Ok(Ended::Whole) => return Ok(()),
                Ok(Ended::Full) => {
                    self.inlet.drained_to(fetch.spool_bytes / 2).await;
                    continue;
                }
                Ok(Ended::NoSpace) => {
                    // Others fill the disk as well, so there is no saying how much room there will be.
                    self.inlet.drained_to(0).await;
                    continue;
                }
                Err(trouble) => trouble,
            };
            let (forbidden, said) = (matches!(trouble, Trouble::Forbidden(_)), trouble.says());
            let pause = patience.after(trouble, self.at, Instant::now())?;
            if pause.telling {
                let seconds = pause.wait.as_secs();
                fetch.said.tell(format!("{}: {said}; trying again in {seconds} s", shown(&self.url)));
            }
            if forbidden {
                courtesy.keep_away(pause.wait);
            }
            tokio::time::sleep(pause.wait).await;
            courtesy.turn(fetch.pace.least).await;
        }
    }

    /// One request, as far as it goes.
    async fn once(&mut self) -> Result<Ended, Trouble> {
        let web = Arc::clone(&self.web);
        let _place = web.courtesy(&self.url).enter().await;
        let (answer, response) = web.get(&self.url, self.at, &self.known).await?;
        match self.known.accept(self.at, answer).map_err(Trouble::Final)? {
            Going::End => Ok(Ended::Whole),
            Going::Body { skip } => self.body(response, skip).await,
        }
    }

    async fn body(&mut self, response: Response, mut skip: u64) -> Result<Ended, Trouble> {
        let mut body = Body { response, next: None };
        let stall = self.web.fetch.pace.stall;
        loop {
            let chunk = match tokio::time::timeout(stall, body.chunk()).await {
                Ok(chunk) => chunk?,
                Err(_late) => {
                    let says = format!("nothing came for {} s", stall.as_secs());
                    return Err(Trouble::Again { says, wait: None });
                }
            };
            let Some(mut chunk) = chunk else { return self.ended() };
            let skipped = usize::try_from(skip).map_or(chunk.len(), |skip| skip.min(chunk.len()));
            chunk.advance(skipped);
            skip -= skipped as u64;
            if chunk.is_empty() {
                continue;
            }
            if self.known.total.is_some_and(|total| total < self.at + chunk.len() as u64) {
                let says = "it sends more bytes than the file has".to_owned();
                return Err(Trouble::Final(Broken::Nonsense(says)));
            }
            if let Some(ended) = self.keep(chunk).await? {
                return Ok(ended);
            }
        }
    }

    async fn keep(&mut self, chunk: Bytes) -> Result<Option<Ended>, Trouble> {
        let length = chunk.len() as u64;
        if let Err(source) = self.inlet.push(chunk).await {
            let full = matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
            if full && !self.inlet.is_empty() {
                return Ok(Some(Ended::NoSpace));
            }
            let folder = self.web.fetch.spool.clone();
            return Err(Trouble::Final(Broken::Spool { folder, source }));
        }
        self.at += length;
        if self.known.total == Some(self.at) {
            return Ok(Some(Ended::Whole));
        }
        Ok(self.inlet.is_full().then_some(Ended::Full))
    }

    /// The body is over; whether the file is, its length says.
    fn ended(&self) -> Result<Ended, Trouble> {
        match self.known.total {
            Some(total) if self.at != total => {
                let says = format!("the transfer ended at {} of {total} bytes", self.at);
                Err(Trouble::Again { says, wait: None })
            }
            Some(_) | None => Ok(Ended::Whole),
        }
    }
}

/// A body in chunks of a good size.
struct Body {
    response: Response,
    /// What came while a chunk was gathered and is none of it.
    next: Option<Result<Option<Bytes>, reqwest::Error>>,
}

impl Body {
    /// Whatever is there by now, but no more than about [`CHUNK_BYTES`]: a slow network's bytes are not held back.
    async fn chunk(&mut self) -> Result<Option<Bytes>, Trouble> {
        let first = match self.next.take() {
            Some(next) => next,
            None => self.response.chunk().await,
        };
        let Some(first) = first.map_err(|error| web::failed(&error))? else { return Ok(None) };
        if CHUNK_BYTES / 2 <= first.len() {
            return Ok(Some(first));
        }
        let mut gathered = BytesMut::from(first);
        while gathered.len() < CHUNK_BYTES {
            match self.response.chunk().now_or_never() {
                Some(Ok(Some(chunk))) => gathered.extend_from_slice(&chunk),
                Some(other) => {
                    self.next = Some(other);
                    break;
                }
                None => break,
            }
        }
        Ok(Some(gathered.freeze()))
    }
}

/// A URL for people: without a query that carries a key or a signature.
pub(super) fn shown(url: &Url) -> String {
    const SECRETS: [&str; 6] = ["sig", "token", "key", "credential", "password", "secret"];
    let secret = url.query_pairs().any(|(name, _)| {
        let name = name.to_ascii_lowercase();
        SECRETS.iter().any(|secret| name.contains(secret))
    });
    let mut url = url.clone();
    url.set_fragment(None);
    if secret {
        url.set_query(None);
    }
    url.into()
}
