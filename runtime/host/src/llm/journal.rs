//! What models have answered and what was spent on it, kept in a SQLite file: the checkpoint of a run.
//!
//! One thread owns the file and takes orders over a bounded channel. All that has come in while the disk was busy with
//! the last commit goes into the next one, so a commit is shared by as many replies as the disk is slow for. An order
//! to keep a reply is done when the reply outlives a power cut (`synchronous = FULL`): a reply that a stage has seen
//! is never paid for again. A call that costs money is written down before it is sent, so that what a killed run may
//! have paid for is known to the next one. Runs hold the file exclusively, so two cannot ask the same prompts, and
//! WAL's shared memory, which network file systems lack, is not needed. The module refuses to know what a prompt is.

pub mod admin;
pub(in crate::llm) mod store;
pub(in crate::llm) mod waiting;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::ErrorCode;
use tokio::sync::{mpsc, oneshot};

use crate::llm::Mode;
use crate::llm::budget::{Cost, Spent, Usage};
use crate::prompt::{Failure, Reply};
use store::{Store, VERSION};

/// Orders that wait for the disk. Askers wait for theirs, so there are never more of use than prompts in flight; this
/// is about as many as one commit can carry in a few milliseconds.
const QUEUE: usize = 512;

/// The key of a prompt.
pub(crate) type Key = [u8; 32];

/// What is kept of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    /// The pipeline's name for the model, and the server's.
    pub(crate) model: String,
    pub(crate) served: String,
    /// For people who look into the file.
    pub(crate) prompt: String,
    pub(crate) outcome: Result<Reply, Failure>,
    pub(crate) usage: Usage,
    /// Whether the server did not say what was used.
    pub(crate) usage_estimated: bool,
    /// Where there is a price.
    pub(crate) picodollars: Option<u64>,
    pub(crate) seconds: f64,
    /// Unix time.
    pub(crate) answered: i64,
}

/// A call that is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) key: Key,
    pub(crate) model: String,
    /// The most that it can cost.
    pub(crate) worst: Cost,
}

/// The number of an attempt.
pub(crate) type AttemptId = i64;

/// A prompt that is to be answered in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) key: Key,
    pub(crate) model: String,
    pub(crate) served: String,
    pub(crate) prompt: String,
}

/// How a call ended that brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The server did nothing for it.
    Free,
    /// Nobody knows whether it was paid for.
    Lost,
}

/// What the journal knows of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) outcome: Result<Reply, Failure>,
    /// Whether it is from this run, or from one before.
    pub(crate) this_run: bool,
}

/// Why there is no journal, or no more of it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    #[error("cannot set up the journal `{}`", path.display())]
    Setup { path: PathBuf, source: Arc<std::io::Error> },
    #[error("there is no journal `{}` to replay", path.display())]
    Missing { path: PathBuf },
    #[error("the journal `{}` is in use by another run", path.display())]
    Locked { path: PathBuf },
    #[error("`{}` is something else than a journal of replies; `run.journal` says where one may be", path.display())]
    Foreign { path: PathBuf },
    #[error(
        "the journal `{}` has format {found}, this program reads format {VERSION}; move it away to begin a new one",
        path.display()
    )]
    Version { path: PathBuf, found: i32 },
    #[error("no space is left for the journal `{}`; all replies up to here are in it", path.display())]
    DiskFull { path: PathBuf },
    #[error("the journal `{}` fails", path.display())]
    Sqlite { path: PathBuf, source: Arc<rusqlite::Error> },
    #[error("the journal `{}` is damaged: {says}", path.display())]
    Damaged { path: PathBuf, says: String },
    #[error("the journal `{}` has stopped after an error", path.display())]
    Stopped { path: PathBuf },
}

/// Sends orders to the thread that owns the file. When it is dropped, the file is closed.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    spent: Spent,
    orders: Option<mpsc::Sender<Order>>,
    owner: Option<JoinHandle<()>>,
}

type Done<T> = oneshot::Sender<Result<T, JournalError>>;

#[derive(Debug)]
enum Order {
    Find(Key, Done<Option<Found>>),
    Begin(Attempt, Done<AttemptId>),
    End(AttemptId, End),
    Keep(Box<Entry>, Option<AttemptId>, Done<()>),
    Want(Box<Wanted>, Done<()>),
}

impl Journal {
    /// Opens the file, in replay mode only if it exists. `began` is the run's beginning in Unix time.
    pub(crate) async fn open(path: &Path, mode: Mode, began: i64) -> Result<Self, JournalError> {
        let (orders, received) = mpsc::channel(QUEUE);
        let (opened, is_open) = oneshot::channel();
        let file = path.to_owned();
        let open = move || {
            let store = Store::open(&file, mode, began)?;
            let spent = store.spent()?;
            Ok((store, spent))
        };
        let owner = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || match open() {
                Ok((store, spent)) => {
                    drop(opened.send(Ok(spent)));
                    serve(store, received);
                }
                Err(error) => drop(opened.send(Err(error))),
            })
            .map_err(|source| JournalError::Setup { path: path.to_owned(), source: Arc::new(source) })?;
        let (orders, owner) = (Some(orders), Some(owner));
        let mut journal = Self { path: path.to_owned(), spent: Spent::default(), orders, owner };
        journal.spent = is_open.await.map_err(|_gone| journal.stopped())??;
        Ok(journal)
    }

    /// What was spent before this run.
    pub(crate) fn spent(&self) -> Spent {
        self.spent
    }

    pub(crate) async fn find(&self, key: Key) -> Result<Option<Found>, JournalError> {
        self.order(|done| Order::Find(key, done)).await
    }

    /// Returns when it is on the disk that this call is about to be sent.
    pub(crate) async fn begin(&self, attempt: Attempt) -> Result<AttemptId, JournalError> {
        self.order(|done| Order::Begin(attempt, done)).await
    }

    /// Books a call that brought no answer. Nobody waits for the disk: what is lost of this is on the safe side.
    pub(crate) async fn end(&self, attempt: AttemptId, end: End) -> Result<(), JournalError> {
        self.send(Order::End(attempt, end)).await
    }

    /// Returns when the entry, which ends the attempt, is on the disk.
    pub(crate) async fn keep(&self, entry: Entry, attempt: Option<AttemptId>) -> Result<(), JournalError> {
        self.order(|done| Order::Keep(Box::new(entry), attempt, done)).await
    }

    /// Returns when it is on the disk that an answer is wanted.
    pub(crate) async fn want(&self, wanted: Wanted) -> Result<(), JournalError> {
        self.order(|done| Order::Want(Box::new(wanted), done)).await
    }

    async fn order<T>(&self, order: impl FnOnce(Done<T>) -> Order) -> Result<T, JournalError> {
        let (done, is_done) = oneshot::channel();
        self.send(order(done)).await?;
        is_done.await.map_err(|_gone| self.stopped())?
    }

    async fn send(&self, order: Order) -> Result<(), JournalError> {
        let orders = self.orders.as_ref().ok_or_else(|| self.stopped())?;
        orders.send(order).await.map_err(|_gone| self.stopped())
    }

    fn stopped(&self) -> JournalError {
        JournalError::Stopped { path: self.path.clone() }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(owner) = self.owner.take() {
            // Waits for at most one commit, so that a journal whose run is over can be opened, copied or moved.
            drop(owner.join());
        }
    }
}

/// Carries out orders until nobody can send any, or until the file fails.
fn serve(mut store: Store, mut orders: mpsc::Receiver<Order>) {
    let mut batch = Vec::with_capacity(QUEUE);
    while 0 < orders.blocking_recv_many(&mut batch, QUEUE) {
        let mut finds = Vec::new();
        let mut changes = Vec::new();
        for order in batch.drain(..) {
            match order {
                Order::Find(key, done) => finds.push((key, done)),
                change @ (Order::Begin(..) | Order::End(..) | Order::Keep(..) | Order::Want(..)) => {
                    changes.push(change);
                }
            }
        }
        let written = store.write(&changes);
        let failed = written.as_ref().err().cloned();
        // Whoever asked may have been stopped in the meantime; so may those below.
        let numbers = written.unwrap_or_default().into_iter().map(Ok);
        let answers = numbers.chain(failed.clone().map(Err).into_iter().cycle());
        for (change, answer) in changes.into_iter().zip(answers) {
            match change {
                Order::Begin(_, done) => drop(done.send(answer)),
                Order::Keep(_, _, done) | Order::Want(_, done) => drop(done.send(answer.map(|_number| ()))),
                Order::End(..) | Order::Find(..) => {}
            }
        }
        if failed.is_some() {
            // A file that failed once is not written to again: what is in it is whole.
            return;
        }
        // After the writing: what was ordered first may be what is looked for.
        for (key, done) in finds {
            drop(done.send(store.find(&key)));
        }
    }
    store.close();
}

fn named(path: &Path, error: rusqlite::Error) -> JournalError {
    let path = path.to_owned();
    let code = error.sqlite_error_code();
    if code == Some(ErrorCode::DatabaseBusy) || code == Some(ErrorCode::DatabaseLocked) {
        JournalError::Locked { path }
    } else if code == Some(ErrorCode::NotADatabase) {
        JournalError::Foreign { path }
    } else if code == Some(ErrorCode::DiskFull) {
        JournalError::DiskFull { path }
    } else {
        JournalError::Sqlite { path, source: Arc::new(error) }
    }
}

#[cfg(test)]
mod tests;
