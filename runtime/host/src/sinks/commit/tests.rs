use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

use super::*;
use crate::ledger::{Fate, Outcome, Place};

/// A store in memory that answers no request any more after so many changes: what it holds then is what a killed run
/// leaves behind.
#[derive(Debug)]
struct Mortal {
    inner: Arc<InMemory>,
    left: AtomicUsize,
    /// Whether the change at which it dies is still made, without anybody being told.
    last_words: bool,
}

impl Mortal {
    fn error() -> object_store::Error {
        object_store::Error::Generic { store: "mortal", source: "dead".into() }
    }

    fn alive(&self) -> object_store::Result<()> {
        if self.left.load(Ordering::Relaxed) == 0 { Err(Self::error()) } else { Ok(()) }
    }

    /// Counts a change. `Some` says that it is made, and whether it is the last one.
    fn change(&self) -> Option<bool> {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        match left {
            0 => None,
            1 => self.last_words.then_some(true),
            _ => Some(false),
        }
    }
}

impl fmt::Display for Mortal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mortal")
    }
}

#[async_trait]
impl ObjectStore for Mortal {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let last = self.change().ok_or_else(Self::error)?;
        let put = self.inner.put_opts(location, payload, options).await;
        if last { Err(Self::error()) } else { put }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.alive()?;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.alive()?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> object_store::Result<Vec<Bytes>> {
        self.alive()?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        match self.change() {
            Some(false) => self.inner.delete_stream(locations),
            Some(true) => self.inner.delete_stream(locations).map(|_done| Err(Self::error())).boxed(),
            None => stream::once(async { Err(Self::error()) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        if self.alive().is_err() {
            return stream::once(async { Err(Self::error()) }).boxed();
        }
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.alive()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        let last = self.change().ok_or_else(Self::error)?;
        let copied = self.inner.copy_opts(from, to, options).await;
        if last { Err(Self::error()) } else { copied }
    }
}

#[expect(clippy::disallowed_methods, reason = "files are dated by the machine's clock")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

const PART: &str = "a";

fn file(path: &str, text: &str) -> PartFile {
    let blake3 = blake3::hash(text.as_bytes()).to_hex().to_string();
    PartFile { path: path.to_owned(), rows: 1, bytes: text.len() as u64, blake3 }
}

fn books(text: &str) -> Finished {
    let mut ledger = Ledger::new([]);
    let mut fate = Fate::default();
    fate.step(Place::Records, Outcome::Passed(1));
    fate.step(Place::Pages, Outcome::Passed(1));
    fate.wrote(1);
    ledger.settle(&fate);
    Finished {
        name: PART.to_owned(),
        identity: "plan".to_owned(),
        archive: "a.warc.gz".to_owned(),
        start: Mark::default(),
        next: None,
        rows: 1,
        files: vec![file("data/style=qa/a.jsonl.zst", text), file("data/style=easy/a.jsonl.zst", text)],
        rejects: Some(file("rejects/a.jsonl.zst", text)),
        ledger,
    }
}

/// One attempt at the part, from its first file to its end.
async fn attempt(store: &Store, name: &str, text: &str) -> Result<Finished, Fatal> {
    let books = books(text);
    for file in books.all_files() {
        store.put(&staged(PART, name, &file.path), text.to_owned()).await?;
    }
    commit(store, name, books).await
}

fn mortal(inner: &Arc<InMemory>, changes: usize, last_words: bool) -> Store {
    let inner = Arc::clone(inner);
    Store::over(Arc::new(Mortal { inner, left: AtomicUsize::new(changes), last_words }))
}

fn living(inner: &Arc<InMemory>) -> Store {
    Store::over(Arc::clone(inner) as Arc<dyn ObjectStore>)
}

async fn names_in(store: &Store, folder: &str) -> Vec<String> {
    store.list(folder).await.unwrap().into_iter().map(|entry| entry.name).collect()
}

/// Everything that a reader sees is what one attempt has written, and the books are its own.
async fn check_whole(store: &Store, texts: &[&str]) {
    let parts = finished(store).await.unwrap();
    let text = *texts.iter().find(|text| parts[PART] == books(text)).expect("the books are of one attempt");
    for file in parts[PART].all_files() {
        assert_eq!(store.get(&file.path, 1 << 20).await.unwrap().unwrap(), text.as_bytes(), "{}", file.path);
    }
    let mut data = names_in(store, DATA).await;
    data.extend(names_in(store, REJECTS).await);
    assert_eq!(data.len(), 3, "{data:?}");
}

/// How many changes an undisturbed attempt makes, and one more.
const DEATHS: Range<usize> = 0..16;

#[tokio::test]
async fn whatever_a_killed_attempt_leaves_the_next_one_makes_the_part_whole() {
    let (mut survived, mut mended, mut again) = (0, 0, 0);
    for (changes, last_words) in DEATHS.flat_map(|changes| [(changes, false), (changes, true)]) {
        let inner = Arc::new(InMemory::new());
        let first = attempt(&mortal(&inner, changes, last_words), "first", "one").await;
        let store = living(&inner);
        let is_there = finished(&store).await.unwrap().contains_key(PART);
        assert!(is_there || first.is_err(), "what was said to be finished is there");
        if is_there {
            survived += usize::from(first.is_ok());
            mended += usize::from(first.is_err());
            check_whole(&store, &["one"]).await;
        } else {
            again += 1;
            assert_eq!(names_in(&store, DATA).await, [""; 0], "nothing is seen before the claim");
            attempt(&store, "second", "two").await.unwrap();
            check_whole(&store, &["two"]).await;
        }
        sweep(&store, now(), Duration::ZERO).await.unwrap();
        assert_eq!(names_in(&store, STAGE).await, [""; 0], "after {changes} changes");
    }
    // Three files, a claim, three renames of two changes each, the books: it dies before the claim, after it, and not.
    assert!(6 <= again && 12 <= mended && 1 <= survived, "{again} {mended} {survived}");
}

#[tokio::test]
async fn an_attempt_that_was_thought_dead_changes_nothing() {
    for (changes, last_words) in DEATHS.flat_map(|changes| [(changes, false), (changes, true)]) {
        let inner = Arc::new(InMemory::new());
        let store = living(&inner);
        // It gets as far as this, then another one takes over, and then it wakes up again.
        drop(attempt(&mortal(&inner, changes, last_words), "zombie", "one").await);
        let second = attempt(&store, "second", "two").await.unwrap();
        let woken = attempt(&store, "zombie", "one").await.unwrap();
        assert_eq!(woken, second, "both are told what the part is");
        check_whole(&store, &["one", "two"]).await;
    }
}

#[tokio::test]
async fn a_part_of_another_pipeline_is_not_taken_for_ours() {
    let store = living(&Arc::new(InMemory::new()));
    attempt(&store, "first", "one").await.unwrap();
    let other = Finished { identity: "another".to_owned(), ..books("two") };
    let failed = commit(&store, "second", other).await.unwrap_err();
    assert!(matches!(failed, Fatal::Taken { .. }), "{failed}");
}

#[tokio::test]
async fn a_part_that_is_taken_back_is_gone_or_still_whole() {
    for (changes, last_words) in DEATHS.flat_map(|changes| [(changes, false), (changes, true)]) {
        let inner = Arc::new(InMemory::new());
        let store = living(&inner);
        attempt(&store, "first", "one").await.unwrap();
        drop(retire(&mortal(&inner, changes, last_words), PART).await);
        if finished(&store).await.unwrap().contains_key(PART) {
            check_whole(&store, &["one"]).await;
            retire(&store, PART).await.unwrap();
        }
        for folder in [DATA, REJECTS, COMMIT, DONE] {
            assert_eq!(names_in(&store, folder).await, [""; 0], "{folder} after {changes} changes");
        }
        attempt(&store, "second", "two").await.unwrap();
        check_whole(&store, &["two"]).await;
    }
}

#[tokio::test]
async fn what_is_not_as_the_books_say_is_made_again() {
    let store = living(&Arc::new(InMemory::new()));
    for damage in ["data/style=qa/a.jsonl.zst", "rejects/a.jsonl.zst", "_done/a.json"] {
        attempt(&store, damage.get(..1).unwrap(), "one").await.unwrap();
        store.put(damage, "damaged").await.unwrap();
        let there = look(&store).await.unwrap();
        assert!(there.parts.is_empty() && there.broken.contains(PART), "{damage}: {there:?}");
        assert_eq!(names_in(&store, DATA).await.len(), 2, "to look takes nothing away");
        assert_eq!(finished(&store).await.unwrap(), BTreeMap::new(), "{damage}");
    }
    attempt(&store, "last", "two").await.unwrap();
    check_whole(&store, &["two"]).await;
}

#[tokio::test]
async fn a_sweep_leaves_what_is_under_way() {
    let store = living(&Arc::new(InMemory::new()));
    attempt(&store, "first", "one").await.unwrap();
    store.put(&staged(PART, "late", "data/a.jsonl.zst"), "lost").await.unwrap();
    store.put(&staged("b", "under-way", "data/b.jsonl.zst"), "later").await.unwrap();
    let day = Duration::from_secs(86_400);
    let swept = sweep(&store, now(), day).await.unwrap();
    assert_eq!(swept, Swept { files: 1, bytes: 4 });
    assert_eq!(names_in(&store, STAGE).await, ["_stage/b/under-way/data/b.jsonl.zst"]);
    sweep(&store, now() + 2 * day, day).await.unwrap();
    assert_eq!(names_in(&store, STAGE).await, [""; 0]);
    check_whole(&store, &["one"]).await;
}
