//! What waits for an answer that comes in a batch: prompts that a run wanted, and the files that they were written to.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::store::{Packed, Store, begin, end, keep, signed, spend};
use super::{Attempt, AttemptId, Entry, JournalError, Key, Wanted};
use crate::llm::budget::Cost;
use crate::prompt::Failure;

/// A table of its own for each: a prompt is wanted once, and stands in one file.
pub(super) const TABLES: &str = "
    CREATE TABLE wanted (
        key BLOB NOT NULL PRIMARY KEY,
        run INTEGER NOT NULL,
        model TEXT NOT NULL,
        served TEXT NOT NULL,
        prompt ANY NOT NULL,
        file TEXT
    ) STRICT;
    CREATE TABLE batches (
        file TEXT NOT NULL PRIMARY KEY,
        model TEXT NOT NULL,
        lines INTEGER NOT NULL,
        tokens INTEGER NOT NULL,
        picodollars INTEGER NOT NULL,
        status TEXT NOT NULL,
        input TEXT,
        batch TEXT,
        attempt INTEGER
    ) STRICT;
";

/// Where a file of prompts is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::llm) enum Status {
    /// On our disk.
    Written,
    /// At the server; whether a batch of it has begun is not known.
    Uploaded,
    /// Being answered.
    Submitted,
    /// Its answers are in the journal.
    Over,
    /// Nobody will ever say what became of it; it may have been paid for.
    Lost,
}

const STATUS: [(Status, &str); 5] = [
    (Status::Written, "written"),
    (Status::Uploaded, "uploaded"),
    (Status::Submitted, "submitted"),
    (Status::Over, "over"),
    (Status::Lost, "lost"),
];

/// A file of prompts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::llm) struct File {
    pub(in crate::llm) path: String,
    pub(in crate::llm) model: String,
    pub(in crate::llm) lines: u64,
    /// The most that it can cost.
    pub(in crate::llm) worst: Cost,
    pub(in crate::llm) status: Status,
    /// The server's names for the file and for the batch.
    pub(in crate::llm) input: Option<String>,
    pub(in crate::llm) batch: Option<String>,
}

impl Store {
    fn change<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        let change = || {
            let transaction = self.connection.transaction()?;
            let done = change(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        change().map_err(|error| super::named(&self.path, error))
    }

    /// Hands out what the last run wanted of a model and no file has, in the order in which it was wanted.
    pub(in crate::llm) fn unwritten(
        &self,
        model: &str,
        mut take: impl FnMut(Key, &str) -> std::io::Result<()>,
    ) -> Result<std::io::Result<()>, JournalError> {
        let mut each = || {
            let query = "SELECT key, prompt FROM wanted WHERE file IS NULL AND model = ?1
                 AND run = (SELECT max(run) FROM wanted) ORDER BY rowid";
            let mut statement = self.connection.prepare(query)?;
            let mut rows = statement.query([model])?;
            while let Some(row) = rows.next()? {
                let Packed(prompt): Packed<String> = row.get(1)?;
                if let Err(error) = take(row.get(0)?, &prompt) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        };
        each().map_err(|error| super::named(&self.path, error))
    }

    /// Notes that a file has these prompts.
    pub(in crate::llm) fn wrote(&mut self, file: &File, keys: &[Key]) -> Result<(), JournalError> {
        self.change(|to| {
            let insert = "INSERT OR REPLACE INTO batches (file, model, lines, tokens, picodollars, status)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'written')";
            let worst = (signed(file.worst.tokens), signed(file.worst.picodollars));
            to.execute(insert, params![file.path, file.model, signed(file.lines), worst.0, worst.1])?;
            for key in keys {
                let update = "UPDATE wanted SET file = ?2 WHERE key = ?1";
                to.prepare_cached(update)?.execute(params![key, file.path])?;
            }
            Ok(())
        })
    }

    /// The files whose answers are not in the journal yet, in the order in which they were written.
    pub(in crate::llm) fn files(&self) -> Result<Vec<File>, JournalError> {
        let files = || {
            let query = "SELECT * FROM batches WHERE status NOT IN ('over', 'lost') ORDER BY rowid";
            let mut statement = self.connection.prepare(query)?;
            let files = statement.query_map([], file)?;
            files.collect::<rusqlite::Result<_>>()
        };
        files().map_err(|error| super::named(&self.path, error))
    }

    /// Notes what became of a file. From its upload on it may be paid for.
    pub(in crate::llm) fn mark(&mut self, file: &File) -> Result<(), JournalError> {
        let number = self.next_attempt;
        self.next_attempt += 1;
        let run = self.run;
        self.change(|to| {
            let attempt: Option<AttemptId> =
                to.query_row("SELECT attempt FROM batches WHERE file = ?1", [&file.path], |row| row.get(0))?;
            let attempt = match (file.status, attempt) {
                (Status::Uploaded | Status::Submitted, None) => {
                    let key = *blake3::hash(file.path.as_bytes()).as_bytes();
                    let worst = Attempt { key, model: file.model.clone(), worst: file.worst };
                    begin(to, run, number, &worst, 0)?;
                    Some(number)
                }
                (Status::Written | Status::Over, Some(attempt)) => {
                    end(to, attempt)?;
                    None
                }
                (_, attempt) => attempt,
            };
            let update =
                "UPDATE batches SET status = ?2, input = ?3, batch = ?4, attempt = ?5 WHERE file = ?1";
            to.execute(update, params![file.path, word(file.status), file.input, file.batch, attempt])?;
            if matches!(file.status, Status::Over | Status::Lost) {
                // What has no answer by now may be written again.
                to.execute("UPDATE wanted SET file = NULL WHERE file = ?1", [&file.path])?;
            }
            Ok(())
        })
    }

    /// What is wanted under this key: the pipeline's and the server's names of the model, the prompt, and its file.
    pub(in crate::llm) fn wanted(&self, key: &Key) -> Result<Option<(Wanted, Option<String>)>, JournalError> {
        let wanted = || {
            let query = "SELECT model, served, prompt, file FROM wanted WHERE key = ?1";
            let mut statement = self.connection.prepare_cached(query)?;
            let wanted = statement.query_row([key], |row| {
                let Packed(prompt): Packed<String> = row.get("prompt")?;
                let wanted =
                    Wanted { key: *key, model: row.get("model")?, served: row.get("served")?, prompt };
                Ok((wanted, row.get("file")?))
            });
            wanted.optional()
        };
        wanted().map_err(|error| super::named(&self.path, error))
    }

    /// Keeps answers, each of which was one request. A reply that is there already stays: rows may have been made of it.
    /// What was given up stays wanted. Beside each answer stands what it may have cost more than is known.
    pub(in crate::llm) fn answered(&mut self, entries: &[(Entry, Option<Cost>)]) -> Result<(), JournalError> {
        let run = self.run;
        let mut next = self.next_attempt;
        self.change(|to| {
            for (entry, doubt) in entries {
                let there = "SELECT EXISTS (SELECT 1 FROM answers WHERE key = ?1 AND outcome = 'reply')";
                let there: bool = to.prepare_cached(there)?.query_row([&entry.key], |row| row.get(0))?;
                if !there {
                    keep(to, run, entry)?;
                }
                spend(to, entry, true)?;
                if let Some(worst) = *doubt {
                    begin(to, run, next, &Attempt { key: entry.key, model: entry.model.clone(), worst }, 0)?;
                    next += 1;
                }
                if there || !matches!(entry.outcome, Err(Failure::GaveUp(_))) {
                    want_no_more(to, &entry.key)?;
                }
            }
            Ok(())
        })?;
        self.next_attempt = next;
        Ok(())
    }

    /// Whether an answer to any prompt of this file is still wanted.
    pub(in crate::llm) fn is_wanted(&self, file: &File) -> Result<bool, JournalError> {
        let wanted = "SELECT EXISTS (SELECT 1 FROM wanted WHERE file = ?1)";
        let wanted = self.connection.query_row(wanted, [&file.path], |row| row.get(0));
        wanted.map_err(|error| super::named(&self.path, error))
    }

    pub(in crate::llm) fn run(&self) -> i64 {
        self.run
    }
}

/// An answer is there.
pub(super) fn want_no_more(to: &Transaction<'_>, key: &Key) -> rusqlite::Result<()> {
    to.prepare_cached("DELETE FROM wanted WHERE key = ?1")?.execute([key])?;
    Ok(())
}

/// Notes that a run wants an answer.
pub(super) fn want(to: &Transaction<'_>, run: i64, wanted: &Wanted) -> rusqlite::Result<()> {
    let insert = "INSERT INTO wanted (key, run, model, served, prompt) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (key) DO UPDATE SET run = ?2,
            model = iif(file IS NULL, ?3, model), served = iif(file IS NULL, ?4, served)";
    let Wanted { key, model, served, prompt } = wanted;
    to.prepare_cached(insert)?.execute(params![key, run, model, served, Packed::new(prompt)?])?;
    Ok(())
}

fn file(row: &Row<'_>) -> rusqlite::Result<File> {
    let lines = row.get("lines")?;
    Ok(File {
        path: row.get("file")?,
        model: row.get("model")?,
        lines,
        worst: Cost { requests: lines, tokens: row.get("tokens")?, picodollars: row.get("picodollars")? },
        status: status(&row.get::<_, String>("status")?),
        input: row.get("input")?,
        batch: row.get("batch")?,
    })
}

fn word(status: Status) -> &'static str {
    STATUS.iter().find(|(known, _)| *known == status).map_or("written", |(_, word)| word)
}

fn status(word: &str) -> Status {
    STATUS.iter().find(|(_, known)| *known == word).map_or(Status::Written, |(status, _)| *status)
}
