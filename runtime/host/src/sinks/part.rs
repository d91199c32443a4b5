//! A part: the rows, the rejects and the books of one archive.
//!
//! ```text
//! SINK/data/STEM.jsonl.zst      the rows
//! SINK/rejects/STEM.jsonl.zst   what got no row, where that is wanted
//! SINK/parts/STEM.json          the books; that they are there says that the part is finished
//! ```
//!
//! Each file is written aside, as `.NAME.tmp` in its own folder, made durable and then renamed; the books come last. So
//! nothing that a reader sees is ever half a file, and a run that is killed leaves at most files that the next one
//! writes over.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::jsonl::Frames;
use super::{Fatal, Origin, Reject, Row, further_columns};
use crate::document::{Column, Document};
use crate::ledger::Ledger;

const DATA: &str = "data";
const REJECTS: &str = "rejects";
const PARTS: &str = "parts";
const ROWS_SUFFIX: &str = ".jsonl.zst";
/// File systems take names of 255 bytes; this leaves room for a number, the suffixes and what stands around them.
const MAX_STEM_BYTES: usize = 200;
/// Books have some dozens of words for each stage; a file this large is none of ours.
const MAX_BOOKS_BYTES: u64 = 16 << 20;
/// What archives' names end in.
const ARCHIVE_SUFFIXES: [&str; 5] = [".gz", ".zst", ".wet", ".wat", ".warc"];

/// The books of a finished part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finished {
    /// What the part was made by: as long as it is the same, so are the rows.
    pub identity: String,
    pub rows: u64,
    /// The size of the rows' file.
    pub data_bytes: u64,
    /// The size of the rejects' file, where there is one.
    pub rejects_bytes: Option<u64>,
    pub ledger: Ledger,
}

/// A part that is being written. Dropped before it is finished, it leaves nothing.
#[derive(Debug)]
pub struct Part {
    sink: PathBuf,
    stem: String,
    columns: Vec<String>,
    data: Aside,
    rejects: Option<Aside>,
    rows: u64,
}

impl Part {
    /// Begins a part. Books of an earlier one of that name are taken back first: they would speak for rows that are
    /// about to be replaced.
    pub fn create(sink: &Path, stem: &str, columns: &[Column], rejects: bool) -> Result<Self, Fatal> {
        for folder in [DATA, PARTS].into_iter().chain(rejects.then_some(REJECTS)) {
            let folder = sink.join(folder);
            let created = fs::create_dir_all(&folder).and_then(|()| sync_folder(&folder));
            created.map_err(|source| Fatal::Write { path: folder, source })?;
        }
        let data = Aside::create(rows_file(sink, DATA, stem))?;
        let rejects = rejects.then(|| Aside::create(rows_file(sink, REJECTS, stem))).transpose()?;
        remove(&books_file(sink, stem))?;
        Ok(Self {
            sink: sink.to_owned(),
            stem: stem.to_owned(),
            columns: further_columns(columns),
            data,
            rejects,
            rows: 0,
        })
    }

    pub fn row(&mut self, document: &Document, origin: &Origin, token_count: u32) -> Result<(), Fatal> {
        self.data.push(&Row { document, origin, token_count, columns: &self.columns })?;
        self.rows += 1;
        Ok(())
    }

    /// Writes down what got no row; nothing where rejects are not wanted.
    pub fn reject(&mut self, reject: &Reject<'_>) -> Result<(), Fatal> {
        match &mut self.rejects {
            Some(rejects) => rejects.push(reject),
            None => Ok(()),
        }
    }

    /// Makes the part visible and durable.
    pub fn finish(self, ledger: &Ledger, identity: &str) -> Result<Finished, Fatal> {
        if ledger.rows != self.rows {
            let path = self.data.target.clone();
            return Err(Fatal::Miscounted { path, written: self.rows, booked: ledger.rows });
        }
        let data_bytes = self.data.place()?;
        let rejects_bytes = match self.rejects {
            Some(rejects) => Some(rejects.place()?),
            None => {
                // An earlier run may have wanted them; beside these rows they would be lies.
                remove(&rows_file(&self.sink, REJECTS, &self.stem))?;
                None
            }
        };
        let finished = Finished {
            identity: identity.to_owned(),
            rows: self.rows,
            data_bytes,
            rejects_bytes,
            ledger: ledger.clone(),
        };
        let books = books_file(&self.sink, &self.stem);
        let text = serde_json::to_string_pretty(&finished);
        let text = text.map_err(|error| Fatal::Write { path: books.clone(), source: error.into() })?;
        publish(&books, &text)?;
        Ok(finished)
    }
}

/// The books of a part, if it is finished and its files are still as they were.
pub fn finished(sink: &Path, stem: &str) -> Result<Option<Finished>, Fatal> {
    let path = books_file(sink, stem);
    let mut text = Vec::new();
    match File::open(&path) {
        Ok(file) => {
            let read = io::copy(&mut file.take(MAX_BOOKS_BYTES), &mut text);
            read.map_err(|source| Fatal::Read { path, source })?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Fatal::Read { path, source }),
    }
    // Books that cannot be read vouch for nothing: the part is made again.
    let Ok(books) = serde_json::from_slice::<Finished>(&text) else { return Ok(None) };
    let whole = size_of(&rows_file(sink, DATA, stem))? == Some(books.data_bytes)
        && size_of(&rows_file(sink, REJECTS, stem))? == books.rejects_bytes
        && books.rows == books.ledger.rows;
    Ok(whole.then_some(books))
}

/// Where a part's rows are.
pub fn data_path(sink: &Path, stem: &str) -> PathBuf {
    rows_file(sink, DATA, stem)
}

/// A name for each archive's part: the archive's own without its suffixes. Archives of one name in several folders are
/// numbered in the order of the list, so that the same list always has the same names.
pub fn stems(archives: &[impl AsRef<str>]) -> Vec<String> {
    let mut taken = HashSet::new();
    archives.iter().map(|archive| free_stem(stem(archive.as_ref()), &mut taken)).collect()
}

fn free_stem(stem: String, taken: &mut HashSet<String>) -> String {
    let numbered = (2_u64..).map(|number| format!("{stem}-{number}"));
    // Some file systems do not tell large letters from small ones.
    let free = std::iter::once(stem.clone()).chain(numbered).find(|name| taken.insert(name.to_lowercase()));
    free.unwrap_or(stem)
}

fn stem(archive: &str) -> String {
    let mut name = archive.rsplit(['/', '\\']).next().unwrap_or_default();
    while let Some(shorter) = ARCHIVE_SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)) {
        name = shorter;
    }
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let name: String = name.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect();
    // A leading point would hide the part.
    let name = name.trim_start_matches('.');
    let name = name.get(..name.floor_char_boundary(MAX_STEM_BYTES)).unwrap_or(name);
    if name.is_empty() { "archive".to_owned() } else { name.to_owned() }
}

/// Writes a text, aside first, so that a reader finds all of it or what was there before.
pub fn publish(path: &Path, text: &str) -> Result<(), Fatal> {
    let temporary = Temporary::create(path)?;
    let written = (&temporary.file).write_all(text.as_bytes());
    written.map_err(|source| cannot_write(path, text.len() as u64, source))?;
    temporary.place(path)
}

/// Rows on their way into a file.
#[derive(Debug)]
struct Aside {
    target: PathBuf,
    temporary: Temporary,
    frames: Frames<File>,
}

impl Aside {
    fn create(target: PathBuf) -> Result<Self, Fatal> {
        let temporary = Temporary::create(&target)?;
        let frames = temporary.file.try_clone().and_then(Frames::new);
        let frames = frames.map_err(|source| Fatal::Write { path: target.clone(), source })?;
        Ok(Self { target, temporary, frames })
    }

    fn push(&mut self, row: &impl Serialize) -> Result<(), Fatal> {
        self.frames.push(row).map_err(|source| cannot_write(&self.target, self.frames.bytes(), source))
    }

    fn place(self) -> Result<u64, Fatal> {
        let handed_on = self.frames.bytes();
        let finished = self.frames.finish();
        let (_, bytes) = finished.map_err(|source| cannot_write(&self.target, handed_on, source))?;
        self.temporary.place(&self.target)?;
        Ok(bytes)
    }
}

/// A file beside its place to be. Dropped before it is placed, it is gone.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    file: File,
    placed: bool,
}

impl Temporary {
    fn create(target: &Path) -> Result<Self, Fatal> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(".{name}.tmp"));
        // What a killed run left is cut off only once it is certain that nobody is writing to it.
        let opened = File::options().write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(|source| cannot_write(target, 0, source))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(Fatal::Busy { path: target.to_owned() }),
            // File systems without locks exist; there the user has to keep two runs apart.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        file.set_len(0).map_err(|source| cannot_write(target, 0, source))?;
        Ok(Self { path, file, placed: false })
    }

    fn place(mut self, target: &Path) -> Result<(), Fatal> {
        let placed = self.file.sync_all().and_then(|()| fs::rename(&self.path, target));
        placed
            .map_err(|source| cannot_write(target, self.file.metadata().map_or(0, |it| it.len()), source))?;
        self.placed = true;
        sync_folder(target).map_err(|source| Fatal::Write { path: target.to_owned(), source })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.placed {
            // If it cannot be removed it stays hidden, and the next run writes over it.
            fs::remove_file(&self.path).ok();
        }
    }
}

fn cannot_write(path: &Path, bytes: u64, source: io::Error) -> Fatal {
    let path = path.to_owned();
    if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return Fatal::DiskFull { path, bytes, source };
    }
    Fatal::Write { path, source }
}

/// Makes the names in the folder of a file durable.
fn sync_folder(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn remove(path: &Path) -> Result<(), Fatal> {
    let failed = |source| Fatal::Write { path: path.to_owned(), source };
    match fs::remove_file(path) {
        Ok(()) => sync_folder(path).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(failed(source)),
    }
}

fn size_of(path: &Path) -> Result<Option<u64>, Fatal> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Fatal::Read { path: path.to_owned(), source }),
    }
}

fn rows_file(sink: &Path, folder: &str, stem: &str) -> PathBuf {
    sink.join(folder).join(format!("{stem}{ROWS_SUFFIX}"))
}

fn books_file(sink: &Path, stem: &str) -> PathBuf {
    sink.join(PARTS).join(format!("{stem}.json"))
}

#[cfg(test)]
mod tests;
