//! One request to a web server, and whether its answer goes on where a download stopped.
//!
//! Nothing is retried here. What a server sends is handed on as it is: an archive's own compression is no coding of the
//! transfer, and a body that does not come with 200 or 206 is never one of an archive.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response, redirect};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use url::Url;

use super::guard::{self, Resolver};
use super::retry::{self, Trouble};
use super::{Broken, Fetch};
use crate::store::USER_AGENT;

/// Networks that take longer to answer at all are down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A server that moves a file moves it once or twice.
const MAX_REDIRECTS: usize = 5;
/// An account of an error is a few hundred bytes; what follows is not read.
const MAX_ERROR_BYTES: usize = 4 << 10;
/// Common Crawl bars those who read more files at once.
const CRAWL_FILES: usize = 10;

/// Common Crawl is asked by a whole process as one.
static COMMON_CRAWL: LazyLock<Arc<Courtesy>> = LazyLock::new(|| Arc::new(Courtesy::new(CRAWL_FILES)));

/// What all downloads from web servers share.
#[derive(Debug)]
pub(super) struct Web {
    client: Client,
    pub(super) fetch: Fetch,
    others: Arc<Courtesy>,
    /// A host that gets the courtesy of Common Crawl.
    mirror: Option<(String, Arc<Courtesy>)>,
}

impl Web {
    /// `mirror` is the URL of a mirror of Common Crawl.
    pub(super) fn new(fetch: Fetch, allow_private: bool, mirror: Option<&Url>) -> Result<Self, String> {
        let mirror = mirror.and_then(Url::host_str);
        let mirror = mirror.map(|host| (host.to_owned(), Arc::new(Courtesy::new(CRAWL_FILES))));
        let others = Arc::new(Courtesy::new(Semaphore::MAX_PERMITS));
        Ok(Self { client: client(allow_private)?, fetch, others, mirror })
    }

    /// What a host may expect of us.
    pub(super) fn courtesy(&self, url: &Url) -> &Arc<Courtesy> {
        let host = url.host_str().unwrap_or_default();
        match &self.mirror {
            Some((mirror, courtesy)) if mirror == host => courtesy,
            _ if host == "commoncrawl.org" || host.ends_with(".commoncrawl.org") => &COMMON_CRAWL,
            _ => &self.others,
        }
    }

    /// Asks for a file's bytes from an offset on.
    pub(super) async fn get(&self, url: &Url, at: u64, known: &Known) -> Result<(Answer, Response), Trouble> {
        let mut headers = HeaderMap::new();
        if 0 < at {
            headers.insert(header::RANGE, header_value(&format!("bytes={at}-")));
            if let Some(validator) = known.validator() {
                headers.insert(header::IF_RANGE, header_value(validator));
            }
        }
        let response = self.send(Method::GET, url, headers).await?;
        let answer = Answer::of(&response);
        if matches!(answer.status, 200 | 206 | 416) {
            return Ok((answer, response));
        }
        Err(self.refused(response).await)
    }

    /// The size of a file, if its server tells; whether it is there.
    pub(super) async fn look(&self, url: &Url) -> Result<Option<u64>, Trouble> {
        let response = self.send(Method::HEAD, url, HeaderMap::new()).await?;
        let status = response.status().as_u16();
        match status {
            // A length of zero is what servers say that do not know.
            200 => Ok(Answer::of(&response).length.filter(|&length| 0 < length)),
            404 | 408 | 410 | 425 | 429 | 500 | 502..=599 => Err(self.refused(response).await),
            // Many servers do not like to be asked so; reading will show.
            _ => Ok(None),
        }
    }

    /// The answer that the last of a chain of redirects gives.
    async fn send(&self, method: Method, url: &Url, headers: HeaderMap) -> Result<Response, Trouble> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let request = self.client.request(method.clone(), url.clone()).headers(headers.clone());
            let sent = tokio::time::timeout(self.fetch.pace.stall, request.send()).await;
            let response = match sent {
                Ok(sent) => sent.map_err(|error| failed(&error))?,
                Err(_late) => {
                    let says = "the server does not answer".to_owned();
                    return Err(Trouble::Again { says, wait: None });
                }
            };
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let barred = |says| Trouble::Final(Broken::Barred(says));
            let location = text(response.headers(), &header::LOCATION).unwrap_or_default();
            url = guard::redirected(&url, &retry::words(location)).map_err(barred)?;
        }
        Err(Trouble::Final(Broken::Nonsense(format!("more than {MAX_REDIRECTS} redirects"))))
    }

    /// What an answer means that is no file.
    async fn refused(&self, mut response: Response) -> Trouble {
        let headers = response.headers();
        let wait = retry::asked_wait(text(headers, &header::RETRY_AFTER), text(headers, &header::DATE));
        let mut body = Vec::new();
        // Whatever of the body is lost, the status was heard.
        while body.len() < MAX_ERROR_BYTES
            && let Ok(Ok(Some(chunk))) = tokio::time::timeout(self.fetch.pace.stall, response.chunk()).await
        {
            body.extend(chunk.iter().take(MAX_ERROR_BYTES - body.len()));
        }
        retry::refused(response.status().as_u16(), wait, &body)
    }
}

/// How one host is spared.
#[derive(Debug)]
pub(super) struct Courtesy {
    files: Semaphore,
    /// Until when it wants to be left alone.
    calm: Mutex<Option<Instant>>,
    /// When the last request went out that was not the first for its archive.
    retried: tokio::sync::Mutex<Option<Instant>>,
}

impl Courtesy {
    fn new(files: usize) -> Self {
        Self { files: Semaphore::new(files), calm: Mutex::default(), retried: tokio::sync::Mutex::default() }
    }

    /// Waits for a place among those who download, which is held until the permit is dropped.
    pub(super) async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        let permit = self.files.acquire().await.ok();
        while let Some(until) = self.calm_until() {
            tokio::time::sleep_until(until).await;
        }
        permit
    }

    fn calm_until(&self) -> Option<Instant> {
        let calm = *self.calm.lock().unwrap_or_else(PoisonError::into_inner);
        calm.filter(|&until| Instant::now() < until)
    }

    /// Nobody asks for so long.
    pub(super) fn keep_away(&self, wait: Duration) {
        let until = Some(Instant::now() + wait);
        let mut calm = self.calm.lock().unwrap_or_else(PoisonError::into_inner);
        *calm = (*calm).max(until);
    }

    /// Waits for one's turn to try again: all together do so no more often than once in `least`.
    pub(super) async fn turn(&self, least: Duration) {
        let mut retried = self.retried.lock().await;
        if let Some(last) = *retried {
            tokio::time::sleep_until(last + least).await;
        }
        *retried = Some(Instant::now());
    }
}

fn client(allow_private: bool) -> Result<Client, String> {
    // The workspace's TLS has no provider of its own; that another one is set already is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = || {
        Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // One connection for each archive, so that one that stalls or breaks costs one.
            .http1_only()
            .dns_resolver(Arc::new(Resolver { allow_private }))
            .default_headers(HeaderMap::from_iter([(
                header::ACCEPT_ENCODING,
                HeaderValue::from_static("identity"),
            )]))
    };
    // A machine without certificates can still ask a server that needs none.
    let client = builder().build().or_else(|_no_certificates| builder().tls_certs_only([]).build());
    client.map_err(|error| retry::chain(&error))
}

/// Validators come from headers and go into headers.
fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What a request means that brought no answer, or whose answer broke off.
pub(super) fn failed(error: &reqwest::Error) -> Trouble {
    if let Some(denied) = guard::denial(error) {
        return Trouble::Final(Broken::Barred(denied.to_string()));
    }
    let says = retry::chain(error);
    if error.is_builder() {
        Trouble::Final(Broken::Barred(says))
    } else if error.is_connect() {
        Trouble::Unreachable(says)
    } else {
        Trouble::Again { says, wait: None }
    }
}

/// What the head of an answer says of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    length: Option<u64>,
    range: Option<ContentRange>,
    etag: Option<String>,
    modified: Option<String>,
}

/// `bytes 5-9/10`; a range that cannot be had is told as `bytes */10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ContentRange {
    first: Option<u64>,
    total: Option<u64>,
}

impl Answer {
    fn of(response: &Response) -> Self {
        let header = |name| text(response.headers(), &name);
        Self {
            status: response.status().as_u16(),
            length: header(header::CONTENT_LENGTH).and_then(|length| length.trim().parse().ok()),
            range: header(header::CONTENT_RANGE).and_then(content_range),
            etag: header(header::ETAG).map(str::to_owned),
            modified: header(header::LAST_MODIFIED).map(str::to_owned),
        }
    }
}

fn content_range(text: &str) -> Option<ContentRange> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let first = range.split_once('-').and_then(|(first, _)| first.trim().parse().ok());
    Some(ContentRange { first, total: total.trim().parse().ok() })
}

/// What is known of a file from the answers so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    heard: bool,
    pub(super) total: Option<u64>,
    etag: Option<String>,
    modified: Option<String>,
}

/// How an answer goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Going {
    /// With the bytes wanted, after so many that were had already.
    Body { skip: u64 },
    /// There is nothing more.
    End,
}

impl Known {
    /// What `If-Range` takes: a strong ETag, or a date.
    fn validator(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|etag| etag.starts_with('"'));
        strong.or(self.modified.as_deref())
    }

    /// Whether an answer to a request from `at` on is of the file that the ones before were of.
    pub(super) fn accept(&mut self, at: u64, answer: Answer) -> Result<Going, Broken> {
        let going = match answer.status {
            206 => self.part(at, &answer)?,
            416 => return self.nothing(at, &answer),
            _ => self.whole(at, &answer)?,
        };
        if !self.heard {
            *self = Self { heard: true, total: total(&answer), etag: answer.etag, modified: answer.modified };
        } else if self.total.is_none() {
            self.total = total(&answer);
        }
        Ok(going)
    }

    fn part(&self, at: u64, answer: &Answer) -> Result<Going, Broken> {
        let first = answer.range.and_then(|range| range.first);
        if first != Some(at) {
            return Err(Broken::Nonsense(format!("asked for bytes from {at} on, it sends others")));
        }
        self.same(answer)?;
        Ok(Going::Body { skip: 0 })
    }

    /// The whole file where a part was asked for: it is another one, or the server knows no ranges.
    fn whole(&self, at: u64, answer: &Answer) -> Result<Going, Broken> {
        self.same(answer)?;
        let (length, known) = (answer.length, self.total);
        let same_length = length.is_some() && length == known;
        if 0 < at && self.heard && !self.vouches(answer) && !same_length {
            let says = "the server knows no ranges, and nothing says that it is the same file";
            return Err(Broken::Changed(says.to_owned()));
        }
        match length {
            Some(length) if length < at => Err(too_short(length, at)),
            _ => Ok(Going::Body { skip: at }),
        }
    }

    fn nothing(&self, at: u64, answer: &Answer) -> Result<Going, Broken> {
        match total(answer).or(self.total) {
            Some(total) if total == at => Ok(Going::End),
            Some(total) => Err(too_short(total, at)),
            None => Err(Broken::Nonsense(format!(
                "it has no bytes from {at} on, and does not say how many it has"
            ))),
        }
    }

    /// Whether the answer has a validator of the ones before; [`Self::same`] has compared them.
    fn vouches(&self, answer: &Answer) -> bool {
        let both = |one: &Option<String>, other: &Option<String>| one.is_some() && other.is_some();
        both(&self.etag, &answer.etag) || both(&self.modified, &answer.modified)
    }

    fn same(&self, answer: &Answer) -> Result<(), Broken> {
        let differ = |what: &str, known: &str, found: &str| {
            Err(Broken::Changed(format!(
                "its {what} was {}, now it is {}",
                retry::words(known),
                retry::words(found)
            )))
        };
        match (&self.etag, &answer.etag) {
            (Some(known), Some(found)) if known != found => return differ("ETag", known, found),
            (Some(_), Some(_)) => {}
            // Some servers behind one name disagree about dates, so they count only where there is nothing better.
            _ => {
                if let (Some(known), Some(found)) = (&self.modified, &answer.modified)
                    && known != found
                {
                    return differ("date", known, found);
                }
            }
        }
        match (self.total, total(answer)) {
            (Some(known), Some(found)) if known != found => {
                differ("length", &known.to_string(), &found.to_string())
            }
            _ => Ok(()),
        }
    }
}

/// The length of the whole file.
fn total(answer: &Answer) -> Option<u64> {
    if answer.status == 200 { answer.length } else { answer.range?.total }
}

fn too_short(total: u64, at: u64) -> Broken {
    Broken::Changed(format!("it has {total} bytes, and its first {at} were read before"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer: its status, its length or range, its ETag and its date.
    fn answer(status: u16, extent: &str, etag: &str, modified: &str) -> Answer {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Answer {
            status,
            length: extent.parse().ok(),
            range: content_range(extent),
            etag: some(etag),
            modified: some(modified),
        }
    }

    #[track_caller]
    fn check(first: Answer, at: u64, second: Answer, expected: Result<Going, &str>) {
        let mut known = Known::default();
        known.accept(0, first).unwrap();
        match (known.accept(at, second), expected) {
            (Ok(going), Ok(expected)) => assert_eq!(going, expected),
            (Err(broken), Err(says)) => assert!(broken.to_string().contains(says), "{broken}"),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    const ON: Result<Going, &str> = Ok(Going::Body { skip: 0 });

    #[test]
    fn a_download_goes_on_with_the_same_file_only() {
        let first = || answer(200, "10", "\"a\"", "Mon");
        check(first(), 4, answer(206, "bytes 4-9/10", "\"a\"", "Mon"), ON);
        check(first(), 4, answer(206, "bytes 4-6/10", "", ""), ON);
        check(first(), 4, answer(206, "bytes 4-9/*", "\"a\"", "Tue"), ON);
        check(first(), 4, answer(206, "bytes 4-9/10", "\"b\"", "Mon"), Err("ETag"));
        check(first(), 4, answer(206, "bytes 4-9/10", "", "Tue"), Err("date"));
        check(first(), 4, answer(206, "bytes 4-11/12", "\"a\"", "Mon"), Err("length"));
        check(first(), 4, answer(206, "bytes 0-9/10", "\"a\"", "Mon"), Err("sends others"));
        check(first(), 4, answer(206, "", "\"a\"", "Mon"), Err("sends others"));
    }

    #[test]
    fn a_server_without_ranges_is_read_from_the_start_if_it_is_the_same_file() {
        let skip = Ok(Going::Body { skip: 4 });
        check(answer(200, "10", "\"a\"", ""), 4, answer(200, "10", "\"a\"", ""), skip);
        check(answer(200, "10", "\"a\"", ""), 4, answer(200, "10", "\"b\"", ""), Err("changed"));
        check(answer(200, "10", "", "Mon"), 4, answer(200, "10", "", "Tue"), Err("changed"));
        check(answer(200, "10", "", ""), 4, answer(200, "10", "", ""), skip);
        check(answer(200, "10", "", ""), 4, answer(200, "11", "", ""), Err("changed"));
        check(answer(200, "", "", ""), 4, answer(200, "", "", ""), Err("knows no ranges"));
        check(answer(200, "", "W/\"a\"", ""), 4, answer(200, "", "W/\"a\"", ""), skip);
    }

    #[test]
    fn nothing_more_is_the_end_at_the_end_only() {
        check(answer(200, "", "", ""), 4, answer(416, "bytes */4", "", ""), Ok(Going::End));
        check(answer(200, "4", "", ""), 4, answer(416, "", "", ""), Ok(Going::End));
        check(answer(200, "10", "", ""), 4, answer(416, "bytes */3", "", ""), Err("has 3 bytes"));
        check(answer(200, "", "", ""), 4, answer(416, "", "", ""), Err("does not say"));
    }

    #[test]
    fn a_first_answer_may_be_about_a_later_part() {
        let mut known = Known::default();
        assert_eq!(known.accept(4, answer(200, "10", "", "")).unwrap(), Going::Body { skip: 4 });
        let mut known = Known::default();
        assert_eq!(
            known.accept(4, answer(206, "bytes 4-9/10", "\"a\"", "")).unwrap(),
            Going::Body { skip: 0 }
        );
        assert_eq!((known.total, known.validator()), (Some(10), Some("\"a\"")));
        Known::default().accept(4, answer(200, "3", "", "")).unwrap_err();
    }

    #[test]
    fn weak_tags_are_compared_but_not_sent() {
        let mut known = Known::default();
        known.accept(0, answer(200, "10", "W/\"a\"", "Mon")).unwrap();
        assert_eq!(known.validator(), Some("Mon"));
        known.accept(4, answer(206, "bytes 4-9/10", "W/\"b\"", "Mon")).unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_is_left_alone_and_asked_again_once_a_second() {
        let courtesy = Courtesy::new(2);
        let begun = Instant::now();
        courtesy.keep_away(Duration::from_secs(60));
        courtesy.keep_away(Duration::from_secs(5));
        drop(courtesy.enter().await);
        assert_eq!(begun.elapsed().as_secs(), 60);
        let begun = Instant::now();
        let turns = (0..5).map(|_| courtesy.turn(Duration::from_secs(1)));
        futures::future::join_all(turns).await;
        assert_eq!(begun.elapsed().as_secs(), 4);
        let (one, two) = (courtesy.enter().await, courtesy.enter().await);
        let third = tokio::time::timeout(Duration::from_secs(1000), courtesy.enter());
        assert!(one.is_some() && two.is_some() && third.await.is_err());
    }
}
