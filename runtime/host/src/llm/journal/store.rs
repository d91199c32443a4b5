//! The journal's file: its tables, and what is written into them and read from them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, params};

use super::{Attempt, AttemptId, End, Entry, Found, JournalError, Key, Order, named, waiting};
use crate::llm::Mode;
use crate::llm::budget::{Cost, Spent};
use crate::prompt::{Failure, Finish, Reply};

/// What the file's header says that it is; SQLite keeps the number for this purpose.
const APPLICATION: i32 = 0x5061_6c69;
/// Of the tables below.
pub(super) const VERSION: i32 = 2;

/// How long to wait for the run before, which may have been killed a moment ago, to be gone.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// Shorter texts grow when they are compressed.
const MIN_COMPRESSED_BYTES: usize = 128;
/// zstd's lightest: a thread that packs a prompt commits no reply in the meantime.
const LEVEL: i32 = 1;
/// No text of a prompt or reply comes near it; what claims more is damage.
const MAX_TEXT_BYTES: usize = 64 << 20;

/// Which replies a run has used is written down with the next commit, or after so many.
const MAX_USED: usize = 4096;

const TABLES: &str = "
    CREATE TABLE runs (
        run INTEGER PRIMARY KEY,
        began INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE answers (
        key BLOB NOT NULL PRIMARY KEY,
        run INTEGER NOT NULL,
        used INTEGER NOT NULL,
        model TEXT NOT NULL,
        served TEXT NOT NULL,
        prompt ANY NOT NULL,
        outcome TEXT NOT NULL,
        text ANY NOT NULL,
        finish TEXT,
        context INTEGER,
        prompt_tokens INTEGER NOT NULL,
        cached_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL,
        usage_estimated INTEGER NOT NULL,
        picodollars INTEGER,
        seconds REAL NOT NULL,
        answered INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE attempts (
        attempt INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        key BLOB NOT NULL,
        model TEXT NOT NULL,
        tokens INTEGER NOT NULL,
        picodollars INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE spent (
        model TEXT NOT NULL PRIMARY KEY,
        requests INTEGER NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        cached_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL,
        picodollars INTEGER NOT NULL
    ) STRICT;
";

/// The runs that used an answer, for tidying up. Younger than the file's format, which it does not change: a program that
/// does not know it leaves it alone.
pub(super) const WORKED: &str = "CREATE TABLE IF NOT EXISTS worked (run INTEGER PRIMARY KEY) STRICT";

const KEEP: &str = "
    INSERT OR REPLACE INTO answers (key, run, used, model, served, prompt, outcome, text, finish, context,
        prompt_tokens, cached_tokens, completion_tokens, usage_estimated, picodollars, seconds, answered)
    VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
";

/// A call without an answer has no tokens to be added.
const SPEND: &str = "
    INSERT INTO spent (model, requests, prompt_tokens, cached_tokens, completion_tokens, picodollars)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (model) DO UPDATE SET requests = requests + ?2, prompt_tokens = prompt_tokens + ?3,
        cached_tokens = cached_tokens + ?4, completion_tokens = completion_tokens + ?5, picodollars = picodollars + ?6
";

/// The file itself.
#[derive(Debug)]
pub(in crate::llm) struct Store {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) run: i64,
    mode: Mode,
    pub(super) next_attempt: AttemptId,
    /// Replies of earlier runs that this one has used, and that do not say so yet.
    used: Vec<Key>,
}

impl Store {
    /// Opens the file for somebody who is no run, and writes in the name of the last one.
    pub(in crate::llm) fn open_aside(path: &Path) -> Result<Self, JournalError> {
        Self::open_as(path, Mode::Live, None)
    }

    pub(in crate::llm) fn open(path: &Path, mode: Mode, began: i64) -> Result<Self, JournalError> {
        Self::open_as(path, mode, Some(began))
    }

    fn open_as(path: &Path, mode: Mode, began: Option<i64>) -> Result<Self, JournalError> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match mode {
            Mode::Replay if !path.exists() => return Err(JournalError::Missing { path: path.to_owned() }),
            Mode::Replay => {}
            Mode::Live | Mode::Batch => {
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
        if mode != Mode::Replay {
            connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(named)?;
        }
        let (path, used) = (path.to_owned(), Vec::new());
        let mut store = Self { connection, path, run: 0, mode, next_attempt: 1, used };
        store.check()?;
        store.begin(began).map_err(|error| store.named(error))?;
        Ok(store)
    }

    fn named(&self, error: rusqlite::Error) -> JournalError {
        named(&self.path, error)
    }

    /// Looks whether the file is ours, before anything is changed in it.
    fn check(&self) -> Result<(), JournalError> {
        let header = |connection: &Connection| {
            // An empty transaction that takes the lock at once: two runs that begin together cannot both pass.
            connection.execute_batch(if self.mode != Mode::Replay { "BEGIN EXCLUSIVE" } else { "BEGIN" })?;
            let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
            let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            let things: i64 =
                connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            connection.execute_batch("COMMIT")?;
            Ok((application, version, things))
        };
        let path = self.path.clone();
        match header(&self.connection).map_err(|error| self.named(error))? {
            (0, 0, 0) if self.mode != Mode::Replay => Ok(()),
            (APPLICATION, VERSION, _) => Ok(()),
            (APPLICATION, found, _) => Err(JournalError::Version { path, found }),
            _ => Err(JournalError::Foreign { path }),
        }
    }

    fn begin(&mut self, began: Option<i64>) -> rusqlite::Result<()> {
        if self.mode == Mode::Replay {
            return Ok(());
        }
        self.connection.pragma_update(None, "journal_mode", "WAL")?;
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        let transaction = self.connection.transaction()?;
        let version: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            transaction.execute_batch(TABLES)?;
            transaction.execute_batch(waiting::TABLES)?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.execute_batch(WORKED)?;
        if let Some(began) = began {
            transaction.execute("INSERT INTO runs (began) VALUES (?1)", [began])?;
        }
        self.run = transaction.query_row("SELECT coalesce(max(run), 0) FROM runs", [], |row| row.get(0))?;
        let last = "SELECT coalesce(max(attempt), 0) FROM attempts";
        self.next_attempt = transaction.query_row(last, [], |row| row.get::<_, i64>(0))? + 1;
        transaction.commit()
    }

    /// What was spent so far. Attempts that are still there when nobody is asking any more were lost.
    pub(in crate::llm) fn spent(&self) -> Result<Spent, JournalError> {
        let sums = |query: &str| {
            self.connection.query_row(query, [], |row| {
                let sum =
                    |column| row.get::<_, Option<i64>>(column).map(|sum| sum.unwrap_or(0).unsigned_abs());
                Ok(Cost { requests: sum(0)?, tokens: sum(1)?, picodollars: sum(2)? })
            })
        };
        let known =
            sums("SELECT sum(requests), sum(prompt_tokens + completion_tokens), sum(picodollars) FROM spent");
        // A batch is one attempt and as many requests as it has lines.
        let lost = sums(
            "SELECT (SELECT sum(lines) FROM batches WHERE attempt IS NOT NULL), sum(tokens), sum(picodollars)
             FROM attempts",
        );
        let (known, lost) = known.and_then(|known| Ok((known, lost?))).map_err(|error| self.named(error))?;
        Ok(Spent { known, lost })
    }

    pub(super) fn find(&mut self, key: &Key) -> Result<Option<Found>, JournalError> {
        let found = self.look(key).map_err(|error| self.named(error))?;
        let Some((found, used)) = found else { return Ok(None) };
        if used != self.run && self.mode != Mode::Replay {
            self.used.push(*key);
            if MAX_USED <= self.used.len() {
                self.write(&[])?;
            }
        }
        Ok(Some(found))
    }

    fn look(&self, key: &Key) -> rusqlite::Result<Option<(Found, i64)>> {
        let query = "SELECT run, used, outcome, text, finish, context, prompt_tokens, completion_tokens
             FROM answers WHERE key = ?1";
        let mut statement = self.connection.prepare_cached(query)?;
        let found = statement.query_row([key], |row| {
            let this_run = row.get::<_, i64>("run")? == self.run;
            Ok((Found { outcome: outcome_of(row)?, this_run }, row.get("used")?))
        });
        found.optional()
    }

    /// Writes all of it or nothing. The number of each attempt that begins, and 0 for everything else.
    pub(super) fn write(&mut self, changes: &[Order]) -> Result<Vec<i64>, JournalError> {
        if changes.is_empty() && self.used.is_empty() {
            return Ok(Vec::new());
        }
        let mut numbers = Vec::with_capacity(changes.len());
        let mut next = self.next_attempt;
        let run = self.run;
        let used = std::mem::take(&mut self.used);
        let mut write = || {
            let transaction = self.connection.transaction()?;
            for change in changes {
                let mut number = 0;
                match change {
                    Order::Begin(attempt, _) => {
                        number = next;
                        next += 1;
                        begin(&transaction, run, number, attempt, 1)?;
                    }
                    Order::End(attempt, End::Free) => end(&transaction, *attempt)?,
                    // It stays where it is.
                    Order::End(_, End::Lost) => {}
                    Order::Keep(entry, attempt, _) => {
                        keep(&transaction, run, entry)?;
                        spend(&transaction, entry, attempt.is_none() && entry.outcome.is_ok())?;
                        if entry.outcome.is_ok() {
                            waiting::want_no_more(&transaction, &entry.key)?;
                        }
                        match attempt {
                            Some(attempt) if entry.usage_estimated => doubt(&transaction, *attempt, entry)?,
                            Some(attempt) => end(&transaction, *attempt)?,
                            None => {}
                        }
                    }
                    Order::Want(wanted, _) => waiting::want(&transaction, run, wanted)?,
                    Order::Find(..) => {}
                }
                numbers.push(number);
            }
            let works = !used.is_empty() || changes.iter().any(|change| matches!(change, Order::Keep(..)));
            if works {
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO worked (run) VALUES (?1)")?
                    .execute([run])?;
            }
            for key in &used {
                let update = "UPDATE answers SET used = ?2 WHERE key = ?1";
                transaction.prepare_cached(update)?.execute(params![key, run])?;
            }
            transaction.commit()
        };
        write().map_err(|error| named(&self.path, error))?;
        self.next_attempt = next;
        Ok(numbers)
    }

    /// Writes down what is only kept for tidying up; an error would have nobody to tell.
    pub(super) fn close(mut self) {
        drop(self.write(&[]));
    }
}

/// Notes an attempt that is so many requests.
pub(super) fn begin(
    to: &Transaction<'_>,
    run: i64,
    number: AttemptId,
    attempt: &Attempt,
    requests: u32,
) -> rusqlite::Result<()> {
    let insert = "INSERT INTO attempts (attempt, run, key, model, tokens, picodollars) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let Attempt { key, model, worst } = attempt;
    let values = params![number, run, key, model, signed(worst.tokens), signed(worst.picodollars)];
    to.prepare_cached(insert)?.execute(values)?;
    to.prepare_cached(SPEND)?.execute(params![model, requests, 0, 0, 0, 0])?;
    Ok(())
}

pub(super) fn end(to: &Transaction<'_>, attempt: AttemptId) -> rusqlite::Result<()> {
    to.prepare_cached("DELETE FROM attempts WHERE attempt = ?1")?.execute([attempt])?;
    Ok(())
}

/// Of a call whose server did not say what it took, what it may have taken more than was estimated stays an attempt.
fn doubt(to: &Transaction<'_>, attempt: AttemptId, entry: &Entry) -> rusqlite::Result<()> {
    let update = "UPDATE attempts SET tokens = max(tokens - ?2, 0), picodollars = max(picodollars - ?3, 0)
         WHERE attempt = ?1";
    let tokens = signed(entry.usage.prompt.saturating_add(entry.usage.completion));
    let dollars = signed(entry.picodollars.unwrap_or(0));
    to.prepare_cached(update)?.execute(params![attempt, tokens, dollars])?;
    Ok(())
}

pub(super) fn keep(to: &Transaction<'_>, run: i64, entry: &Entry) -> rusqlite::Result<()> {
    let (outcome, text, finish, context) = match &entry.outcome {
        Ok(reply) => ("reply", reply.text.as_str(), Some(finish_word(reply.finish)), None),
        Err(Failure::Refused(says)) => ("refused", says.as_str(), None, None),
        Err(Failure::TooLong(context)) => ("too_long", "", None, Some(*context)),
        Err(Failure::GaveUp(says)) => ("gave_up", says.as_str(), None, None),
    };
    let tokens = (signed(entry.usage.prompt), signed(entry.usage.cached), signed(entry.usage.completion));
    to.prepare_cached(KEEP)?.execute(params![
        entry.key,
        run,
        entry.model,
        entry.served,
        Packed::new(&entry.prompt)?,
        outcome,
        Packed::new(text)?,
        finish,
        context,
        tokens.0,
        tokens.1,
        tokens.2,
        entry.usage_estimated,
        entry.picodollars.map(signed),
        entry.seconds,
        entry.answered,
    ])?;
    Ok(())
}

/// Adds what an answer took to the sums.
pub(super) fn spend(to: &Transaction<'_>, entry: &Entry, is_new_request: bool) -> rusqlite::Result<()> {
    let tokens = (signed(entry.usage.prompt), signed(entry.usage.cached), signed(entry.usage.completion));
    let dollars = signed(entry.picodollars.unwrap_or(0));
    let spent = params![entry.model, is_new_request, tokens.0, tokens.1, tokens.2, dollars];
    to.prepare_cached(SPEND)?.execute(spent)?;
    Ok(())
}

/// SQLite's numbers have a sign.
pub(super) fn signed(number: u64) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

pub(super) fn outcome_of(row: &Row<'_>) -> rusqlite::Result<Result<Reply, Failure>> {
    let outcome: String = row.get("outcome")?;
    let Packed(text) = row.get("text")?;
    match outcome.as_str() {
        "reply" => Ok(Ok(Reply {
            text,
            finish: finish_of(&row.get::<_, String>("finish")?)?,
            prompt_tokens: row.get("prompt_tokens")?,
            completion_tokens: row.get("completion_tokens")?,
        })),
        "refused" => Ok(Err(Failure::Refused(text))),
        "too_long" => Ok(Err(Failure::TooLong(row.get("context")?))),
        "gave_up" => Ok(Err(Failure::GaveUp(text))),
        _ => Err(unreadable("outcome", outcome)),
    }
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

/// A text in the file: as it is, or in a zstd frame.
pub(super) struct Packed<T>(pub(super) T);

impl Packed<Value> {
    pub(super) fn new(text: &str) -> rusqlite::Result<Self> {
        if text.len() < MIN_COMPRESSED_BYTES {
            return Ok(Self(Value::Text(text.to_owned())));
        }
        let packed = zstd::bulk::compress(text.as_bytes(), LEVEL);
        let packed = packed.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok(Self(Value::Blob(packed)))
    }
}

impl ToSql for Packed<Value> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for Packed<String> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let ValueRef::Blob(packed) = value else { return Ok(Self(String::column_result(value)?)) };
        let wrong = |error: &dyn std::fmt::Display| FromSqlError::Other(error.to_string().into());
        let length = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten().unwrap_or(0);
        let length = usize::try_from(length).map_or(MAX_TEXT_BYTES, |length| length.min(MAX_TEXT_BYTES));
        let text = zstd::bulk::decompress(packed, length).map_err(|error| wrong(&error))?;
        Ok(Self(String::from_utf8(text).map_err(|error| wrong(&error))?))
    }
}
