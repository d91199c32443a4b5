//! When a part becomes visible, and whose it is: one protocol for a folder and for a bucket.
//!
//! ```text
//! SINK/_stage/PART/ATTEMPT/…   files of an attempt at a part; nobody looks here
//! SINK/_commit/PART.json       made once and never again: the attempt that the part is, and its books
//! SINK/data/… SINK/rejects/…   that attempt's files under their own names
//! SINK/_done/PART.json         the books; that they are there says that everything else is
//! ```
//!
//! Of several attempts at a part, on one machine or on many, exactly one can make the file in `_commit`. Whatever happens
//! after that, whoever comes next can finish it, because it only takes renaming files that are there already. Before it,
//! nothing has happened that a reader sees.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::time::{Duration, SystemTime};

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::Fatal;
use crate::ledger::Ledger;
use crate::store::{Created, Entry, Store};

pub(super) const DATA: &str = "data";
pub(super) const REJECTS: &str = "rejects";
const STAGE: &str = "_stage";
const COMMIT: &str = "_commit";
const DONE: &str = "_done";
const SUFFIX: &str = ".json";
/// Books have some dozens of words for each stage and a line for each file; what is this large is none of ours.
const MAX_BOOKS_BYTES: u64 = 16 << 20;
/// Requests for small files that are under way at once: enough to hide a store's latency.
const REQUESTS: usize = 32;

/// Where in its archive a part begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Of the first record, in the archive's file.
    pub offset: u64,
    /// How many records are before it.
    pub number: u64,
    /// The crawl that the archive said it is part of.
    pub dump: Option<String>,
    /// What the reader of archives has to know to begin here, in its own words.
    pub reader: Option<String>,
}

/// A file of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartFile {
    /// Relative to the sink.
    pub path: String,
    pub rows: u64,
    pub bytes: u64,
    /// Of the file's bytes.
    pub blake3: String,
}

/// The books of a finished part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finished {
    pub name: String,
    /// What the part was made by: as long as it is the same, so are the rows.
    pub identity: String,
    /// As the user named it.
    pub archive: String,
    /// Where in the archive the part begins.
    pub start: Mark,
    /// Where the next part begins; none if this one reaches to the archive's end.
    pub next: Option<Mark>,
    pub rows: u64,
    pub files: Vec<PartFile>,
    /// Where rejects are wanted.
    pub rejects: Option<PartFile>,
    pub ledger: Ledger,
}

impl Finished {
    fn all_files(&self) -> impl Iterator<Item = &PartFile> {
        self.files.iter().chain(&self.rejects)
    }

    /// The size of the rows' files.
    pub fn data_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// What stands in `_commit`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    attempt: String,
    books: Finished,
}

/// Where an attempt keeps a file until the part is its own.
pub(super) fn staged(part: &str, attempt: &str, file: &str) -> String {
    format!("{STAGE}/{part}/{attempt}/{file}")
}

/// Makes the part what this attempt has staged, or finds that another attempt was first, and returns what the part is.
pub(super) async fn commit(store: &Store, attempt: &str, books: Finished) -> Result<Finished, Fatal> {
    let part = &books.name.clone();
    let ours = Claim { attempt: attempt.to_owned(), books };
    if store.create(&commit_file(part), json(&ours)?).await? == Created::Here {
        return publish(store, part, ours).await;
    }
    let theirs = read_claim(store, part).await?;
    let theirs = theirs.ok_or_else(|| Fatal::Unreadable { object: store.full(&commit_file(part)) })?;
    if theirs.attempt == attempt {
        // The store had made the file before it said that it could not.
        return publish(store, part, theirs).await;
    }
    remove_below(store, &format!("{STAGE}/{part}/{attempt}")).await?;
    if theirs.books.identity != ours.books.identity {
        return Err(Fatal::Taken { part: part.to_owned() });
    }
    publish(store, part, theirs).await
}

/// Does what is left to do for a part that has its claim. It may be done again and by several at once: each step finds
/// what it would do done already.
async fn publish(store: &Store, part: &str, claim: Claim) -> Result<Finished, Fatal> {
    let Claim { attempt, books } = claim;
    for file in books.all_files() {
        let there = store.rename(&staged(part, &attempt, &file.path), &file.path).await?
            || store.size(&file.path).await? == Some(file.bytes);
        if !there {
            return Err(Fatal::Lost { part: part.to_owned(), object: store.full(&file.path) });
        }
    }
    store.put(&done_file(part), json(&books)?).await?;
    remove_below(store, &format!("{STAGE}/{part}/{attempt}")).await?;
    Ok(books)
}

/// What is in a sink.
#[derive(Debug, Default)]
pub struct There {
    /// The parts that are finished, by name.
    pub parts: BTreeMap<String, Finished>,
    /// Parts that are not as their books say.
    pub broken: BTreeSet<String>,
}

/// The parts that are finished; what is not as its books say is taken back, to be made again.
pub async fn finished(store: &Store) -> Result<BTreeMap<String, Finished>, Fatal> {
    let there = look(store).await?;
    for part in &there.broken {
        retire(store, part).await?;
    }
    Ok(there.parts)
}

/// What is in a sink. Parts whose attempt was interrupted after its claim are finished now; nothing is taken away.
pub async fn look(store: &Store) -> Result<There, Fatal> {
    let (done, claimed) = (names(store, DONE).await?, names(store, COMMIT).await?);
    if done.is_empty() && claimed.is_empty() {
        return Ok(There::default());
    }
    let mut sizes = HashMap::new();
    for folder in [DATA, REJECTS] {
        sizes.extend(store.list(folder).await?.into_iter().map(|entry| (entry.name, entry.bytes)));
    }
    let whole = |books: &Finished| {
        books.rows == books.ledger.rows
            && books.all_files().all(|file| sizes.get(&file.path) == Some(&file.bytes))
    };
    let mut parts = BTreeMap::new();
    let mut broken: BTreeSet<String> = BTreeSet::new();
    let read = stream::iter(&done).map(|part| async move {
        let books: Option<Finished> = read(store, &done_file(part)).await?;
        Ok::<_, Fatal>((part, books))
    });
    let mut read = read.buffered(REQUESTS).boxed();
    while let Some((part, books)) = read.try_next().await? {
        match books {
            Some(books) if whole(&books) => drop(parts.insert(part.clone(), books)),
            Some(_) | None => drop(broken.insert(part.clone())),
        }
    }
    for part in &claimed {
        if parts.contains_key(part) {
            continue;
        }
        let claim = if broken.contains(part) { None } else { read_claim(store, part).await? };
        match claim {
            Some(claim) => match publish(store, part, claim).await {
                Ok(books) => drop(parts.insert(part.clone(), books)),
                Err(Fatal::Lost { .. }) => drop(broken.insert(part.clone())),
                Err(fatal) => return Err(fatal),
            },
            None => drop(broken.insert(part.clone())),
        }
    }
    Ok(There { parts, broken })
}

/// Takes a part back: first that it is finished, last the claim, so that what is interrupted here is either still whole
/// or taken back again.
pub async fn retire(store: &Store, part: &str) -> Result<(), Fatal> {
    let done: Option<Finished> = read(store, &done_file(part)).await?;
    let claim = read_claim(store, part).await?;
    store.remove(&done_file(part)).await?;
    let books = done.into_iter().chain(claim.map(|claim| claim.books));
    for file in books.flat_map(|books| books.files.into_iter().chain(books.rejects)) {
        store.remove(&file.path).await?;
    }
    store.remove(&commit_file(part)).await?;
    Ok(())
}

/// What a sweep took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub files: u64,
    pub bytes: u64,
}

/// Takes away what attempts have left that came to nothing: those at parts that are finished, and those that wrote
/// nothing for `idle`. An attempt that is under way somewhere writes more often than that.
pub async fn sweep(store: &Store, now: SystemTime, idle: Duration) -> Result<Swept, Fatal> {
    let There { parts, .. } = look(store).await?;
    let mut attempts: BTreeMap<(String, String), Vec<Entry>> = BTreeMap::new();
    for entry in store.list(STAGE).await? {
        let mut steps = entry.name.split('/').skip(1);
        if let (Some(part), Some(attempt)) = (steps.next(), steps.next()) {
            attempts.entry((part.to_owned(), attempt.to_owned())).or_default().push(entry);
        }
    }
    let mut swept = Swept::default();
    for ((part, _), files) in attempts {
        let last = files.iter().map(|file| file.modified).max().unwrap_or(now);
        let idle_for = now.duration_since(last).unwrap_or_default();
        if !parts.contains_key(&part) && idle_for < idle {
            continue;
        }
        for file in files {
            store.remove(&file.name).await?;
            swept.files += 1;
            swept.bytes += file.bytes;
        }
    }
    for copy in store.torn() {
        let Ok(metadata) = copy.metadata() else { continue };
        let idle_for = metadata.modified().ok().and_then(|modified| now.duration_since(modified).ok());
        // One that cannot be removed is looked at by nobody.
        if idle <= idle_for.unwrap_or_default() && std::fs::remove_file(&copy).is_ok() {
            swept.files += 1;
            swept.bytes += metadata.len();
        }
    }
    Ok(swept)
}

async fn names(store: &Store, folder: &str) -> Result<BTreeSet<String>, Fatal> {
    let part = |entry: Entry| {
        let name = entry.name.strip_prefix(folder)?.strip_prefix('/')?;
        name.strip_suffix(SUFFIX).map(str::to_owned)
    };
    Ok(store.list(folder).await?.into_iter().filter_map(part).collect())
}

async fn remove_below(store: &Store, folder: &str) -> Result<(), Fatal> {
    for entry in store.list(folder).await? {
        store.remove(&entry.name).await?;
    }
    Ok(())
}

async fn read_claim(store: &Store, part: &str) -> Result<Option<Claim>, Fatal> {
    read(store, &commit_file(part)).await
}

/// What cannot be read as what it should be vouches for nothing, as if it were not there.
async fn read<T: for<'a> Deserialize<'a>>(store: &Store, name: &str) -> Result<Option<T>, Fatal> {
    let text = store.get(name, MAX_BOOKS_BYTES).await?;
    Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Fatal> {
    serde_json::to_vec_pretty(value).map_err(|error| Fatal::Encode(io::Error::from(error)))
}

fn commit_file(part: &str) -> String {
    format!("{COMMIT}/{part}{SUFFIX}")
}

fn done_file(part: &str) -> String {
    format!("{DONE}/{part}{SUFFIX}")
}

#[cfg(test)]
pub(crate) mod tests;
