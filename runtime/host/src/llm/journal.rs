//! What models have answered, kept in a SQLite file: the checkpoint of a run.
//!
//! One thread owns the file and takes orders over a bounded channel. All that has come in while the disk was busy with
//! the last commit goes into the next one, so a commit is shared by as many replies as the disk is slow for. An order
//! to keep a reply is done when the reply outlives a power cut (`synchronous = FULL`): a reply that a stage has seen
//! is never paid for again. Runs hold the file exclusively, so two cannot ask the same prompts, and WAL's shared
//! memory, which network file systems lack, is not needed. The module refuses to know what a prompt is.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Statement, params};
use tokio::sync::{mpsc, oneshot};

use crate::llm::Mode;
use crate::prompt::{Failure, Finish, Reply};

/// What the file's header says that it is; SQLite keeps the number for this purpose.
const APPLICATION: i32 = 0x5061_6c69;
/// Of the tables below.
const VERSION: i32 = 1;

/// Orders that wait for the disk. Askers wait for theirs, so there are never more of use than prompts in flight; this
/// is about as many as one commit can carry in a few milliseconds.
const QUEUE: usize = 512;

/// How long to wait for the run before, which may have been killed a moment ago, to be gone.
const LOCK_WAIT: Duration = Duration::from_secs(1);

const TABLES: &str = "
    CREATE TABLE runs (
        run INTEGER PRIMARY KEY,
        began INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE answers (
        key BLOB NOT NULL PRIMARY KEY,
        run INTEGER NOT NULL,
        model TEXT NOT NULL,
        served TEXT NOT NULL,
        prompt TEXT NOT NULL,
        outcome TEXT NOT NULL,
        text TEXT NOT NULL,
        finish TEXT,
        context INTEGER,
        prompt_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL,
        usage_estimated INTEGER NOT NULL,
        dollars REAL,
        seconds REAL NOT NULL,
        answered INTEGER NOT NULL
    ) STRICT;
";

const INSERT: &str = "
    INSERT OR REPLACE INTO answers (key, run, model, served, prompt, outcome, text, finish, context,
        prompt_tokens, completion_tokens, usage_estimated, dollars, seconds, answered)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
";

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
    pub(crate) usage_estimated: bool,
    pub(crate) dollars: Option<f64>,
    pub(crate) seconds: f64,
    /// Unix time.
    pub(crate) answered: i64,
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
    #[error("the journal `{}` has stopped after an error", path.display())]
    Stopped { path: PathBuf },
}

/// Sends orders to the thread that owns the file. When it is dropped, the file is closed.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    orders: Option<mpsc::Sender<Order>>,
    owner: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Order {
    Find(Key, oneshot::Sender<Result<Option<Found>, JournalError>>),
    Keep(Box<Entry>, oneshot::Sender<Result<(), JournalError>>),
}

impl Journal {
    /// Opens the file, in replay mode only if it exists. `began` is the run's beginning in Unix time.
    pub(crate) async fn open(path: &Path, mode: Mode, began: i64) -> Result<Self, JournalError> {
        let (orders, received) = mpsc::channel(QUEUE);
        let (opened, is_open) = oneshot::channel();
        let file = path.to_owned();
        let owner = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || match Store::open(&file, mode, began) {
                Ok(store) => {
                    drop(opened.send(Ok(())));
                    serve(store, received);
                }
                Err(error) => drop(opened.send(Err(error))),
            })
            .map_err(|source| JournalError::Setup { path: path.to_owned(), source: Arc::new(source) })?;
        let journal = Self { path: path.to_owned(), orders: Some(orders), owner: Some(owner) };
        is_open.await.map_err(|_gone| journal.stopped())??;
        Ok(journal)
    }

    pub(crate) async fn find(&self, key: Key) -> Result<Option<Found>, JournalError> {
        self.order(|done| Order::Find(key, done)).await
    }

    /// Returns when the entry is on the disk.
    pub(crate) async fn keep(&self, entry: Entry) -> Result<(), JournalError> {
        self.order(|done| Order::Keep(Box::new(entry), done)).await
    }

    async fn order<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<T, JournalError>>) -> Order,
    ) -> Result<T, JournalError> {
        let (done, is_done) = oneshot::channel();
        let orders = self.orders.as_ref().ok_or_else(|| self.stopped())?;
        orders.send(order(done)).await.map_err(|_gone| self.stopped())?;
        is_done.await.map_err(|_gone| self.stopped())?
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
        let mut keeps = Vec::new();
        let mut waiting = Vec::new();
        for order in batch.drain(..) {
            match order {
                Order::Find(key, done) => finds.push((key, done)),
                Order::Keep(entry, done) => {
                    keeps.push(*entry);
                    waiting.push(done);
                }
            }
        }
        let kept = store.keep(&keeps);
        for done in waiting {
            // Whoever asked may have been stopped in the meantime; so may those below.
            drop(done.send(kept.clone()));
        }
        if kept.is_err() {
            // A file that failed once is not written to again: what is in it is whole.
            return;
        }
        // After the keeping: what was ordered first may be what is looked for.
        for (key, done) in finds {
            drop(done.send(store.find(&key)));
        }
    }
}

/// The file itself.
#[derive(Debug)]
struct Store {
    connection: Connection,
    path: PathBuf,
    run: i64,
}

impl Store {
    fn open(path: &Path, mode: Mode, began: i64) -> Result<Self, JournalError> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match mode {
            Mode::Replay if !path.exists() => return Err(JournalError::Missing { path: path.to_owned() }),
            Mode::Replay => {}
            Mode::Live => {
                flags |= OpenFlags::SQLITE_OPEN_CREATE;
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder).map_err(|source| JournalError::Setup {
                        path: path.to_owned(),
                        source: Arc::new(source),
                    })?;
                }
            }
        }
        let named = |error| named(path, error);
        let connection = Connection::open_with_flags(path, flags).map_err(named)?;
        connection.busy_timeout(LOCK_WAIT).map_err(named)?;
        if mode == Mode::Live {
            connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(named)?;
        }
        let mut store = Self { connection, path: path.to_owned(), run: 0 };
        store.check(mode)?;
        store.begin(mode, began).map_err(named)?;
        Ok(store)
    }

    /// Looks whether the file is ours, before anything is changed in it.
    fn check(&mut self, mode: Mode) -> Result<(), JournalError> {
        let header = |connection: &Connection| {
            // An empty transaction that takes the lock at once: two runs that begin together cannot both pass.
            connection.execute_batch(if mode == Mode::Live { "BEGIN EXCLUSIVE" } else { "BEGIN" })?;
            let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
            let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            let things: i64 =
                connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            connection.execute_batch("COMMIT")?;
            Ok((application, version, things))
        };
        let path = self.path.clone();
        match header(&self.connection).map_err(|error| named(&path, error))? {
            (0, 0, 0) if mode == Mode::Live => Ok(()),
            (APPLICATION, VERSION, _) => Ok(()),
            (APPLICATION, found, _) => Err(JournalError::Version { path, found }),
            _ => Err(JournalError::Foreign { path }),
        }
    }

    fn begin(&mut self, mode: Mode, began: i64) -> rusqlite::Result<()> {
        if mode == Mode::Replay {
            return Ok(());
        }
        self.connection.pragma_update(None, "journal_mode", "WAL")?;
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        let transaction = self.connection.transaction()?;
        let version: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.execute("INSERT INTO runs (began) VALUES (?1)", [began])?;
        self.run = transaction.last_insert_rowid();
        transaction.commit()
    }

    fn find(&self, key: &Key) -> Result<Option<Found>, JournalError> {
        let find = || {
            let query = "SELECT run, outcome, text, finish, context, prompt_tokens, completion_tokens
                 FROM answers WHERE key = ?1";
            self.connection.query_row(query, [key], |row| self.found(row)).optional()
        };
        find().map_err(|error| named(&self.path, error))
    }

    fn found(&self, row: &Row<'_>) -> rusqlite::Result<Found> {
        let outcome: String = row.get("outcome")?;
        let text: String = row.get("text")?;
        let outcome = match outcome.as_str() {
            "reply" => Ok(Reply {
                text,
                finish: finish_of(&row.get::<_, String>("finish")?)?,
                prompt_tokens: row.get("prompt_tokens")?,
                completion_tokens: row.get("completion_tokens")?,
            }),
            "refused" => Err(Failure::Refused(text)),
            "too_long" => Err(Failure::TooLong(row.get("context")?)),
            "gave_up" => Err(Failure::GaveUp(text)),
            _ => return Err(unreadable("outcome", outcome)),
        };
        Ok(Found { outcome, this_run: row.get::<_, i64>("run")? == self.run })
    }

    fn keep(&mut self, entries: &[Entry]) -> Result<(), JournalError> {
        if entries.is_empty() {
            return Ok(());
        }
        let run = self.run;
        let mut keep = || {
            let transaction = self.connection.transaction()?;
            {
                let mut statement = transaction.prepare(INSERT)?;
                for entry in entries {
                    insert(&mut statement, run, entry)?;
                }
            }
            transaction.commit()
        };
        keep().map_err(|error| named(&self.path, error))
    }
}

fn insert(statement: &mut Statement<'_>, run: i64, entry: &Entry) -> rusqlite::Result<()> {
    let (outcome, text, finish, context, tokens) = match &entry.outcome {
        Ok(reply) => {
            let tokens = (reply.prompt_tokens, reply.completion_tokens);
            ("reply", reply.text.as_str(), Some(finish_word(reply.finish)), None, tokens)
        }
        Err(Failure::Refused(says)) => ("refused", says.as_str(), None, None, (0, 0)),
        Err(Failure::TooLong(context)) => ("too_long", "", None, Some(*context), (0, 0)),
        Err(Failure::GaveUp(says)) => ("gave_up", says.as_str(), None, None, (0, 0)),
    };
    statement.execute(params![
        entry.key,
        run,
        entry.model,
        entry.served,
        entry.prompt,
        outcome,
        text,
        finish,
        context,
        tokens.0,
        tokens.1,
        entry.usage_estimated,
        entry.dollars,
        entry.seconds,
        entry.answered,
    ])?;
    Ok(())
}

fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::Filtered => "filtered",
    }
}

fn finish_of(word: &str) -> rusqlite::Result<Finish> {
    [Finish::Stop, Finish::Length, Finish::Filtered]
        .into_iter()
        .find(|finish| finish_word(*finish) == word)
        .ok_or_else(|| unreadable("finish", word.to_owned()))
}

/// A value that this program never wrote.
fn unreadable(column: &'static str, value: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        0,
        rusqlite::types::Type::Text,
        format!("`{value}` is no {column}").into(),
    )
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
