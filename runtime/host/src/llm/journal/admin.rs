//! The journal for people: what is in it, all of it as lines, and less of it.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::Serialize;

use super::store::{Packed, Store, WORKED, outcome_of};
use super::{JournalError, named};
use crate::llm::Mode;
use crate::llm::budget::dollars;
use crate::prompt::{Failure, Finish};

/// What a journal holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stats {
    pub runs: u64,
    /// When the first and the last answer came.
    pub first: Option<String>,
    pub last: Option<String>,
    pub models: BTreeMap<String, ModelStats>,
}

/// What it holds of one model, by the pipeline's name of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ModelStats {
    pub replies: u64,
    /// Of those replies, in the mean.
    pub reply_tokens: f64,
    /// Prompts that got none; the next run asks again.
    pub failures: u64,
    /// Replies that the last run used.
    pub used: u64,
    /// Calls, those that failed included, and what they took, also where the replies are gone.
    pub requests: u64,
    pub prompt_tokens: u64,
    pub cached_tokens: u64,
    pub completion_tokens: u64,
    pub dollars: f64,
    /// Calls whose cost nobody knows, and the most that it can be.
    pub unsure: u64,
    pub dollars_unsure: f64,
}

/// Reads what a journal holds.
pub fn stats(path: &Path) -> Result<Stats, JournalError> {
    let store = Store::open(path, Mode::Replay, 0)?;
    count(&store.connection).map_err(|error| named(path, error))
}

fn count(journal: &Connection) -> rusqlite::Result<Stats> {
    let mut stats = journal.query_row(
        "SELECT (SELECT count(*) FROM runs), min(answered), max(answered) FROM answers",
        [],
        |row| {
            let first = row.get::<_, Option<i64>>(1)?.map(date);
            let last = row.get::<_, Option<i64>>(2)?.map(date);
            Ok(Stats { runs: row.get(0)?, first, last, models: BTreeMap::new() })
        },
    )?;
    let mut each =
        |query: &str, add: fn(&mut ModelStats, &Row<'_>) -> rusqlite::Result<()>| -> rusqlite::Result<()> {
            let mut statement = journal.prepare(query)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                add(stats.models.entry(row.get("model")?).or_default(), row)?;
            }
            Ok(())
        };
    each(
        "SELECT model, sum(outcome = 'reply') AS replies,
            coalesce(avg(completion_tokens) FILTER (WHERE outcome = 'reply'), 0.0) AS reply_tokens,
            sum(outcome <> 'reply') AS failures,
            sum(used = (SELECT max(run) FROM runs)) AS used FROM answers GROUP BY model",
        |model, row| {
            model.replies = row.get("replies")?;
            model.reply_tokens = row.get("reply_tokens")?;
            model.failures = row.get("failures")?;
            model.used = row.get("used")?;
            Ok(())
        },
    )?;
    each("SELECT * FROM spent", |model, row| {
        model.requests = row.get("requests")?;
        model.prompt_tokens = row.get("prompt_tokens")?;
        model.cached_tokens = row.get("cached_tokens")?;
        model.completion_tokens = row.get("completion_tokens")?;
        model.dollars = dollars(row.get("picodollars")?);
        Ok(())
    })?;
    each(
        "SELECT model, count(*) AS unsure, sum(picodollars) AS picodollars FROM attempts GROUP BY model",
        |model, row| {
            model.unsure = row.get("unsure")?;
            model.dollars_unsure = dollars(row.get("picodollars")?);
            Ok(())
        },
    )?;
    Ok(stats)
}

/// RFC 3339.
fn date(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// One answer, for a line of an export.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// The journal's key, hexadecimal, as rows name it.
    pub prompt_id: String,
    pub model: String,
    /// What the model is called where it runs.
    pub served: String,
    pub prompt: serde_json::Value,
    /// Either this or `failure`.
    pub reply: Option<String>,
    pub finish: Option<Finish>,
    pub failure: Option<String>,
    pub prompt_tokens: u64,
    pub cached_tokens: u64,
    pub completion_tokens: u64,
    pub usage_estimated: bool,
    pub dollars: Option<f64>,
    pub seconds: f64,
    pub answered: String,
}

/// Hands out every answer, in the order in which they came, until `take` says that it is enough.
pub fn export(path: &Path, mut take: impl FnMut(Line) -> bool) -> Result<(), JournalError> {
    let store = Store::open(path, Mode::Replay, 0)?;
    let mut each = || {
        let mut statement = store.connection.prepare("SELECT * FROM answers ORDER BY answered, rowid")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if !take(line(row)?) {
                break;
            }
        }
        rusqlite::Result::Ok(())
    };
    each().map_err(|error| named(path, error))
}

fn line(row: &Row<'_>) -> rusqlite::Result<Line> {
    let key: [u8; 32] = row.get("key")?;
    let Packed(prompt): Packed<String> = row.get("prompt")?;
    let (reply, finish, failure) = match outcome_of(row)? {
        Ok(reply) => (Some(reply.text), Some(reply.finish), None),
        Err(failure @ (Failure::Refused(_) | Failure::TooLong(_) | Failure::GaveUp(_))) => {
            (None, None, Some(failure.to_string()))
        }
    };
    Ok(Line {
        prompt_id: blake3::Hash::from_bytes(key).to_hex().to_string(),
        model: row.get("model")?,
        served: row.get("served")?,
        prompt: serde_json::from_str(&prompt).unwrap_or(serde_json::Value::String(prompt)),
        reply,
        finish,
        failure,
        prompt_tokens: row.get("prompt_tokens")?,
        cached_tokens: row.get("cached_tokens")?,
        completion_tokens: row.get("completion_tokens")?,
        usage_estimated: row.get("usage_estimated")?,
        dollars: row.get::<_, Option<u64>>("picodollars")?.map(dollars),
        seconds: row.get("seconds")?,
        answered: date(row.get("answered")?),
    })
}

/// What tidying up took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    pub answers: u64,
    pub bytes: u64,
}

/// Takes away the answers that none of the last `runs` runs has used, not counting those that used none. What was spent
/// on them stays on the books. With `dry`, it only counts them.
pub fn gc(path: &Path, runs: u32, dry: bool) -> Result<Collected, JournalError> {
    // Opening it for writing would count as a run.
    let store = Store::open(path, Mode::Replay, 0)?;
    let journal = &store.connection;
    let collect = || {
        journal.execute_batch(WORKED)?;
        let bytes = || -> rusqlite::Result<u64> {
            let pages: u64 = journal.pragma_query_value(None, "page_count", |row| row.get(0))?;
            let size: u64 = journal.pragma_query_value(None, "page_size", |row| row.get(0))?;
            Ok(pages * size)
        };
        let unused = "used < (SELECT min(used) FROM
            (SELECT used FROM answers UNION SELECT run FROM worked ORDER BY 1 DESC LIMIT ?1))";
        if dry {
            let count = format!("SELECT count(*) FROM answers WHERE {unused}");
            let answers = journal.query_row(&count, params![runs], |row| row.get(0))?;
            return Ok(Collected { answers, bytes: 0 });
        }
        let before = bytes()?;
        let delete = format!("DELETE FROM answers WHERE {unused}");
        let answers = journal.execute(&delete, params![runs])? as u64;
        if 0 < answers {
            journal.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")?;
        }
        Ok(Collected { answers, bytes: before.saturating_sub(bytes()?) })
    };
    collect().map_err(|error| named(path, error))
}
