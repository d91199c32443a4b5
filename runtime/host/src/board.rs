//! What the documents of a run tell each other: notes under keys, kept of those who came first.
//!
//! The notes of a key only become more, up to a number that the first asker decides by, and a document is told those
//! that came before its own. So whoever asks again, in this run or in one that goes on or replays, is told the same,
//! provided that no note is lost that somebody was told of. All notes are written by one connection in the order in
//! which they were left, so what a kill takes away is always the newest; [`Board::flush`] comes before anything is made
//! of them that outlasts the run. They lie in a file of their own beside the journal: a commit of that one waits for
//! the disk, and whoever posts holds an instance. The module refuses to know what a note says.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode, OpenFlags, params};

/// Posts that may be lost with a kill. Each of them is a document that is looked at again.
const POSTS_IN_A_COMMIT: usize = 512;
/// Notes that a document is told in one call: they are copied into its instance, and the board is locked meanwhile.
pub const MAX_TOLD_BYTES: usize = 16 << 20;
/// Pages of 4 KiB that are kept in memory: a board grows with the crawl, and its keys are in no order.
const CACHE_KIB: i64 = 256 << 10;

const APPLICATION: i32 = 0x5061_6c62;
const VERSION: i32 = 1;
const TABLES: &str = "
    CREATE TABLE documents (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL
    ) STRICT;
    CREATE TABLE notes (
        key BLOB NOT NULL,
        place INTEGER NOT NULL,
        document INTEGER NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (key, place)
    ) STRICT, WITHOUT ROWID;
";
/// In a replay the file is not written to, and what it does not know is kept as long as the run.
const ASIDE: &str = "
    CREATE TEMP TABLE later_documents (number INTEGER PRIMARY KEY, id TEXT NOT NULL) STRICT;
    CREATE TEMP TABLE later_notes (
        key BLOB NOT NULL, place INTEGER NOT NULL, document INTEGER NOT NULL, text TEXT NOT NULL,
        PRIMARY KEY (key, place)
    ) STRICT, WITHOUT ROWID;
";

/// A note as the others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The id of the document that left it.
    pub document: String,
    pub text: String,
}

/// Where notes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    File(PathBuf),
    /// Read, and not written to.
    Replay(PathBuf),
    /// As long as the board.
    Memory,
}

/// Why there is no board, or no more of it. Whoever asks after that is told the same.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BoardError {
    #[error("cannot set up the notes `{}`", path.display())]
    Setup { path: PathBuf, source: Arc<std::io::Error> },
    #[error(
        "there are no notes `{}`; they belong to the journal and lie beside it, and without them a replay would say \
         otherwise which page was first",
        path.display()
    )]
    Missing { path: PathBuf },
    #[error("the notes `{}` are in use by another run", path.display())]
    Locked { path: PathBuf },
    #[error("`{}` is something else than the notes of a run; move it away", path.display())]
    Foreign { path: PathBuf },
    #[error("no space is left for the notes `{}`", path.display())]
    DiskFull { path: PathBuf },
    #[error("the notes `{}` fail", path.display())]
    Sqlite { path: PathBuf, source: Arc<rusqlite::Error> },
}

/// The notes of a run. The file is opened by the first post, or by [`Board::open`].
#[derive(Debug)]
pub struct Board {
    place: Place,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Unopened,
    Open(Open),
    /// A file that failed once is not written to again.
    Failed(BoardError),
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    /// Posts since the last commit.
    uncommitted: usize,
    tables: &'static Statements,
    next_document: i64,
    /// Numbers below it are of documents in a file that is not written to.
    first_document: i64,
}

const LAST: &str = "SELECT coalesce(max(number), 0) FROM documents";

/// The same on the file and beside it.
#[derive(Debug)]
struct Statements {
    look: &'static str,
    document: &'static str,
    note: &'static str,
}

const IN_FILE: Statements = Statements {
    look: "SELECT document, id, text FROM notes JOIN documents ON number = document WHERE key = ?1 ORDER BY place",
    document: "INSERT INTO documents (number, id) VALUES (?1, ?2)",
    note: "INSERT INTO notes (key, place, document, text) VALUES (?1, ?2, ?3, ?4)",
};
const BESIDE: Statements = Statements {
    look: "SELECT document, id, text FROM
            (SELECT place, document, id, text FROM notes JOIN documents ON number = document WHERE key = ?1
             UNION ALL
             SELECT place, document, id, text FROM later_notes JOIN later_documents ON number = document WHERE key = ?1)
           ORDER BY place",
    document: "INSERT INTO later_documents (number, id) VALUES (?1, ?2)",
    note: "INSERT INTO later_notes (key, place, document, text) VALUES (?1, ?2, ?3, ?4)",
};

impl Board {
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self { place, state: Mutex::new(State::Unopened) }
    }

    /// Where the notes that belong to a journal are.
    #[must_use]
    pub fn beside(journal: &Path) -> PathBuf {
        // Two journals whose names differ in their endings only must not share their notes.
        match journal.extension() {
            Some(ending) if ending == "sqlite" => journal.with_extension("notes.sqlite"),
            Some(_) | None => journal.with_added_extension("notes.sqlite"),
        }
    }

    /// Says before any work what would be wrong with it. That the notes of a replay are not there is wrong only once
    /// somebody posts: many a stage could, and does not.
    pub fn open(&self) -> Result<(), BoardError> {
        if matches!(&self.place, Place::Replay(file) if !file.exists()) {
            return Ok(());
        }
        self.with(|_open| Ok(()))
    }

    /// Leaves a note of `document` under each of the keys that has fewer than `most`. For each key, the notes before the
    /// document's own and that one; where it has none, the first `most`. `owner` keeps those apart who know nothing of
    /// each other. None if the notes would take more than [`MAX_TOLD_BYTES`].
    pub fn post(
        &self,
        owner: &[u8; 32],
        document: &str,
        keys: &[String],
        note: (&str, u32),
    ) -> Result<Option<Vec<Vec<Note>>>, BoardError> {
        let (text, most) = note;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.with(|open| {
            open.begin()?;
            let (mut own, mut bytes) = (None, 0);
            let mut told = Some(Vec::with_capacity(keys.len()));
            for key in keys {
                let notes = open.leave(&digest(owner, key), document, (text, most), &mut own)?;
                bytes += notes.iter().map(|note| note.document.len() + note.text.len()).sum::<usize>();
                if MAX_TOLD_BYTES < bytes {
                    told = None;
                    break;
                }
                if let Some(told) = &mut told {
                    told.push(notes);
                }
            }
            open.uncommitted += 1;
            if POSTS_IN_A_COMMIT <= open.uncommitted {
                open.commit()?;
            }
            Ok(told)
        })
    }

    /// Returns when all notes that anybody was told of outlive a power cut.
    pub fn flush(&self) -> Result<(), BoardError> {
        let state = self.lock();
        if matches!(*state, State::Unopened) {
            return Ok(());
        }
        drop(state);
        self.with(Open::commit)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Open) -> rusqlite::Result<T>) -> Result<T, BoardError> {
        let mut state = self.lock();
        if matches!(*state, State::Unopened) {
            *state = Open::new(&self.place).map_or_else(State::Failed, State::Open);
        }
        let open = match &mut *state {
            State::Open(open) => open,
            State::Failed(error) => return Err(error.clone()),
            State::Unopened => unreachable!("it was opened above"),
        };
        act(open).map_err(|error| {
            let error = named(self.place.path(), error);
            *state = State::Failed(error.clone());
            error
        })
    }
}

impl Place {
    fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Replay(path) => path,
            Self::Memory => Path::new(":memory:"),
        }
    }
}

impl Open {
    fn new(place: &Place) -> Result<Self, BoardError> {
        let path = place.path();
        let connection = match place {
            Place::File(file) => {
                if let Some(folder) = file.parent() {
                    std::fs::create_dir_all(folder).map_err(|source| BoardError::Setup {
                        path: file.clone(),
                        source: Arc::new(source),
                    })?;
                }
                Connection::open(file)
            }
            Place::Replay(file) if !file.exists() => {
                return Err(BoardError::Missing { path: file.clone() });
            }
            Place::Replay(file) => Connection::open_with_flags(
                file,
                OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            ),
            Place::Memory => Connection::open_in_memory(),
        };
        let connection = connection.map_err(|error| named(path, error))?;
        let version = |connection: &Connection| -> rusqlite::Result<(i32, i32, i64)> {
            let application = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
            let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            let things = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            Ok((application, version, things))
        };
        let is_new = match version(&connection).map_err(|error| named(path, error))? {
            (0, 0, 0) => true,
            (APPLICATION, VERSION, _) => false,
            _ => return Err(BoardError::Foreign { path: path.to_owned() }),
        };
        Self::set_up(connection, place, is_new).map_err(|error| named(path, error))
    }

    fn set_up(connection: Connection, place: &Place, is_new: bool) -> rusqlite::Result<Self> {
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        if matches!(place, Place::File(_)) {
            connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
        }
        if is_new {
            connection.execute_batch(&format!(
                "BEGIN; {TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
            ))?;
        }
        let tables = match place {
            Place::File(_) | Place::Memory => &IN_FILE,
            Place::Replay(_) => {
                connection.execute_batch(ASIDE)?;
                &BESIDE
            }
        };
        let next_document = connection.query_row(LAST, [], |row| row.get::<_, i64>(0))? + 1;
        let first_document = if matches!(place, Place::Replay(_)) { next_document } else { 0 };
        Ok(Self { connection, uncommitted: 0, tables, next_document, first_document })
    }

    fn begin(&self) -> rusqlite::Result<()> {
        if self.uncommitted == 0 { self.connection.execute_batch("BEGIN") } else { Ok(()) }
    }

    fn commit(&mut self) -> rusqlite::Result<()> {
        if 0 < std::mem::take(&mut self.uncommitted) {
            self.connection.execute_batch("COMMIT")?;
        }
        Ok(())
    }

    /// `own` is the document's number once it has one.
    fn leave(
        &mut self,
        key: &[u8],
        document: &str,
        note: (&str, usize),
        own: &mut Option<i64>,
    ) -> rusqlite::Result<Vec<Note>> {
        let (text, most) = note;
        let mut told: Vec<Note> = Vec::new();
        let tables = self.tables;
        let mut statement = self.connection.prepare_cached(tables.look)?;
        let mut rows = statement.query([key])?;
        while let Some(row) = rows.next()? {
            let note = Note { document: row.get(1)?, text: row.get(2)? };
            let is_own = note.document == document;
            told.push(note);
            if is_own {
                let number = row.get(0)?;
                *own = (self.first_document <= number).then_some(number).or(*own);
                return Ok(told);
            }
        }
        // Whoever has no note here was turned away when it was full, and is told what it was told then.
        told.truncate(most);
        if told.len() < most {
            if own.is_none() {
                let values = params![self.next_document, document];
                self.connection.prepare_cached(tables.document)?.execute(values)?;
                *own = Some(self.next_document);
                self.next_document += 1;
            }
            let place = i64::try_from(told.len()).unwrap_or(i64::MAX);
            self.connection.prepare_cached(tables.note)?.execute(params![key, place, *own, text])?;
            told.push(Note { document: document.to_owned(), text: text.to_owned() });
        }
        Ok(told)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Nobody is left to be told of an error, and what is lost is looked at again.
        drop(self.commit());
    }
}

/// Half of a digest: among 10¹² keys two that are equal by chance have a probability of 10⁻¹⁵.
fn digest(owner: &[u8; 32], key: &str) -> Vec<u8> {
    let digest = blake3::keyed_hash(owner, key.as_bytes());
    digest.as_bytes().iter().take(16).copied().collect()
}

fn named(path: &Path, error: rusqlite::Error) -> BoardError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => BoardError::Locked { path },
        Some(ErrorCode::NotADatabase) => BoardError::Foreign { path },
        Some(ErrorCode::DiskFull) => BoardError::DiskFull { path },
        _ => BoardError::Sqlite { path, source: Arc::new(error) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: [u8; 32] = [1; 32];

    /// Who has left notes there, as the document is told.
    fn told(board: &Board, document: &str, key: &str, most: u32) -> String {
        let told = board.post(&OWNER, document, &[key.to_owned()], ("", most)).unwrap().unwrap();
        told[0].iter().map(|note| note.document.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn first_come_first_served(board: &Board) {
        assert_eq!(told(board, "a", "one", 1), "a");
        assert_eq!(told(board, "b", "one", 1), "a");
        assert_eq!(told(board, "b", "two", 2), "b");
        assert_eq!(told(board, "a", "two", 2), "b a");
        assert_eq!(told(board, "c", "two", 2), "b a");
        assert_eq!(told(board, "b", "two", 2), "b", "what came after a document's own note is not told");
        assert_eq!(told(board, "c", "two", 1), "b", "no more is told than the asker would have let in");
    }

    #[test]
    fn notes_are_kept_of_those_who_came_first() {
        first_come_first_served(&Board::new(Place::Memory));
        let other = Board::new(Place::Memory);
        other.post(&[2; 32], "x", &["one".to_owned()], ("", 1)).unwrap();
        assert_eq!(told(&other, "a", "one", 1), "a", "owners know nothing of each other");
    }

    #[test]
    fn nobody_is_told_more_than_an_instance_could_take() {
        let board = Board::new(Place::Memory);
        let text = "x".repeat(MAX_TOLD_BYTES / 4);
        let post = |document: &str, keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            board.post(&OWNER, document, &keys, (&text, 8)).unwrap().map(|told| told.len())
        };
        assert_eq!(post("a", &["one", "two", "three"]), Some(3));
        assert_eq!(post("b", &["one", "two", "three"]), None);
        assert_eq!(post("b", &["one"]), Some(1), "what was left before is there");
    }

    #[test]
    fn journals_have_notes_of_their_own() {
        let check = |journal: &str, notes: &str| {
            assert_eq!(Board::beside(Path::new(journal)), Path::new(notes), "{journal}");
        };
        check("run/journal.sqlite", "run/journal.notes.sqlite");
        check("run/crawl.1", "run/crawl.1.notes.sqlite");
        check("run/crawl.2", "run/crawl.2.notes.sqlite");
        check("run/journal", "run/journal.notes.sqlite");
    }

    #[test]
    fn a_run_that_goes_on_or_replays_is_told_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/journal.notes.sqlite");
        let missing = Board::new(Place::Replay(file.clone()));
        missing.open().unwrap();
        let refused = missing.post(&OWNER, "a", &["one".to_owned()], ("", 1));
        assert!(matches!(refused, Err(BoardError::Missing { .. })), "{refused:?}");
        let board = Board::new(Place::File(file.clone()));
        first_come_first_served(&board);
        assert!(matches!(Board::new(Place::File(file.clone())).open(), Err(BoardError::Locked { .. })));
        drop(board);
        first_come_first_served(&Board::new(Place::File(file.clone())));
        let replay = Board::new(Place::Replay(file.clone()));
        first_come_first_served(&replay);
        assert_eq!(told(&replay, "d", "three", 2), "d");
        assert_eq!(told(&replay, "e", "three", 2), "d e");
        let both =
            replay.post(&OWNER, "b", &["two".to_owned(), "four".to_owned()], ("", 1)).unwrap().unwrap();
        assert_eq!(both[1][0].document, "b");
        assert_eq!(told(&replay, "f", "four", 1), "b", "a document may be in both");
        drop(replay);
        assert_eq!(told(&Board::new(Place::File(file)), "e", "three", 2), "e", "a replay leaves nothing");
    }

    #[test]
    fn what_was_flushed_outlives_its_board() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes.sqlite");
        let board = Board::new(Place::File(file.clone()));
        board.flush().unwrap();
        assert!(!file.exists(), "a board that nobody uses is no file");
        told(&board, "a", "one", 1);
        board.flush().unwrap();
        told(&board, "b", "two", 1);
        // As a kill does: nothing is closed, the locks are gone with the process that held them.
        let copy = folder.path().join("copy.sqlite");
        std::fs::copy(&file, &copy).unwrap();
        std::fs::copy(folder.path().join("notes.sqlite-wal"), folder.path().join("copy.sqlite-wal")).unwrap();
        let after = Board::new(Place::File(copy));
        assert_eq!(told(&after, "c", "one", 1), "a");
        assert_eq!(told(&after, "c", "two", 1), "c");
    }

    #[test]
    fn a_file_of_somebody_else_is_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes.sqlite");
        std::fs::write(
            &file,
            "This is a letter, and it is longer than the header of a database would be. ".repeat(9),
        )
        .unwrap();
        assert!(matches!(Board::new(Place::File(file.clone())).open(), Err(BoardError::Foreign { .. })));
        std::fs::remove_file(&file).unwrap();
        Connection::open(&file).unwrap().execute_batch("CREATE TABLE letters (text)").unwrap();
        let board = Board::new(Place::File(file));
        assert!(matches!(board.open(), Err(BoardError::Foreign { .. })));
        assert!(matches!(board.flush(), Err(BoardError::Foreign { .. })), "it stays so");
    }
}
