//! A part: the rows, the rejects and the books of one archive, or of a stretch of a long one.
//!
//! Files grow where no reader looks, are hashed on the way, and become visible all at once by [`super::commit`]. In a
//! folder they grow beside their places; for a bucket they grow in files of this machine that have no names, so that a
//! killed run leaves nothing, and are copied when they are whole.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::commit::{self, DATA, Finished, Mark, PartFile, REJECTS};
use super::jsonl::Frames;
use super::{Fatal, Format, Origin, Reject, Row, RowWriter, Table, hive};
use crate::document::Document;
use crate::ledger::Ledger;
use crate::store::Store;

const REJECTS_SUFFIX: &str = ".jsonl.zst";
/// File systems take names of 255 bytes; this leaves room for numbers, the suffixes and what stands around them.
const MAX_STEM_BYTES: usize = 200;
/// What archives' names end in.
const ARCHIVE_SUFFIXES: [&str; 8] = [".gz", ".zst", ".bz2", ".wet", ".wat", ".warc", ".arc", ".lz4"];
/// Each folder of a part is an open file with rows waiting to be compressed; columns with more values than this, such as
/// hosts, are not what folders are for.
const MAX_FOLDERS: usize = 256;

/// What the files of a part hold back together: enough for row groups of a useful size, in a machine that runs several
/// parts at once.
const MAX_BUFFERED_BYTES: usize = 16 << 20;

/// Where parts go and what they look like.
#[derive(Debug)]
pub struct Sink {
    pub store: Store,
    pub runtime: tokio::runtime::Handle,
    pub format: Format,
    pub table: Table,
    /// Columns whose values name the folders.
    pub partition_by: Vec<String>,
    pub rejects: bool,
    /// Told apart from those of every other run, of this machine or another.
    pub attempt: String,
}

/// Which part of which archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Of {
    pub name: String,
    pub archive: String,
    pub identity: String,
    pub start: Mark,
}

/// A part that is being written. Dropped before it is finished, it leaves nothing.
#[derive(Debug)]
pub struct Part {
    sink: Arc<Sink>,
    of: Of,
    /// By folder.
    data: BTreeMap<String, Rows>,
    rejects: Option<Rejects>,
    rows: u64,
}

#[derive(Debug)]
struct Rows {
    file: RowWriter<Staged>,
    rows: u64,
}

#[derive(Debug)]
struct Rejects {
    file: Frames<Staged>,
    rows: u64,
}

impl Part {
    pub fn create(sink: &Arc<Sink>, of: Of) -> Result<Self, Fatal> {
        let mut part = Self { sink: Arc::clone(sink), of, data: BTreeMap::new(), rejects: None, rows: 0 };
        if sink.partition_by.is_empty() {
            // A part without rows is a file all the same: it shows the columns, and that nothing is missing.
            part.rows_in(String::new())?;
        }
        if sink.rejects {
            let staged = part.stage(format!("{REJECTS}/{}{REJECTS_SUFFIX}", part.of.name))?;
            part.rejects = Some(Rejects { file: Frames::new(staged), rows: 0 });
        }
        Ok(part)
    }

    pub fn row(&mut self, document: &Document, origin: &Origin, token_count: u32) -> Result<(), Fatal> {
        let row = Row { document, origin, token_count };
        let folder = hive::folder(&self.sink.partition_by, &row);
        let path = self.path_in(&folder);
        let rows = self.rows_in(folder)?;
        rows.file.push(&row).map_err(|source| cannot_write(path, rows.file.bytes(), source))?;
        rows.rows += 1;
        self.rows += 1;
        self.make_room()
    }

    /// Hands on what the fullest of many files holds back, where all together hold too much.
    fn make_room(&mut self) -> Result<(), Fatal> {
        if self.data.len() < 2
            || self.data.values().map(|it| it.file.buffered()).sum::<usize>() < MAX_BUFFERED_BYTES
        {
            return Ok(());
        }
        let fullest = self.data.iter_mut().max_by_key(|(_, it)| it.file.buffered());
        let Some((folder, it)) = fullest else { return Ok(()) };
        it.file.flush().map_err(|source| cannot_write(format!("{DATA}/{folder}"), it.file.bytes(), source))
    }

    /// Writes down what got no row; nothing where rejects are not wanted.
    pub fn reject(&mut self, reject: &Reject<'_>) -> Result<(), Fatal> {
        let Some(rejects) = &mut self.rejects else { return Ok(()) };
        rejects.rows += 1;
        let pushed = rejects.file.push(reject);
        pushed.map_err(|source| cannot_write(REJECTS.to_owned(), rejects.file.bytes(), source))
    }

    /// Makes the part visible and durable. `next` is where the next part of the archive begins.
    pub fn finish(mut self, ledger: &Ledger, next: Option<Mark>) -> Result<Finished, Fatal> {
        if ledger.rows != self.rows {
            return Err(Fatal::Miscounted {
                part: self.of.name.clone(),
                written: self.rows,
                booked: ledger.rows,
            });
        }
        let mut files = Vec::new();
        for (folder, rows) in std::mem::take(&mut self.data) {
            let path = self.path_in(&folder);
            let handed_on = rows.file.bytes();
            let finished = rows.file.finish();
            let (staged, _) = finished.map_err(|source| cannot_write(path, handed_on, source))?;
            files.push(self.settle(staged, rows.rows)?);
        }
        let rejects = match self.rejects.take() {
            Some(rejects) => {
                let finished = rejects.file.finish();
                let (staged, _) = finished.map_err(|source| cannot_write(REJECTS.to_owned(), 0, source))?;
                Some(self.settle(staged, rejects.rows)?)
            }
            None => None,
        };
        let Of { name, archive, identity, start } = self.of.clone();
        let rows = self.rows;
        let books =
            Finished { name, identity, archive, start, next, rows, files, rejects, ledger: ledger.clone() };
        let Sink { store, runtime, attempt, .. } = &*self.sink;
        runtime.block_on(commit::commit(store, attempt, books))
    }

    fn path_in(&self, folder: &str) -> String {
        let suffix = self.sink.format.suffix();
        if folder.is_empty() {
            format!("{DATA}/{}{suffix}", self.of.name)
        } else {
            format!("{DATA}/{folder}/{}{suffix}", self.of.name)
        }
    }

    fn rows_in(&mut self, folder: String) -> Result<&mut Rows, Fatal> {
        if !self.data.contains_key(&folder) {
            if self.data.len() == MAX_FOLDERS {
                return Err(Fatal::Folders {
                    columns: self.sink.partition_by.join(", "),
                    limit: MAX_FOLDERS,
                });
            }
            let path = self.path_in(&folder);
            let staged = self.stage(path.clone())?;
            let file = RowWriter::create(self.sink.format, staged, &self.sink.table);
            let file = file.map_err(|source| cannot_write(path, 0, source))?;
            self.data.insert(folder.clone(), Rows { file, rows: 0 });
        }
        Ok(self.data.get_mut(&folder).expect("it was put there if it was missing"))
    }

    /// A file that is to have this path.
    fn stage(&self, path: String) -> Result<Staged, Fatal> {
        let aside = commit::staged(&self.of.name, &self.sink.attempt, &path);
        let on_disk = self.sink.store.on_disk(&aside);
        let file = match &on_disk {
            Some(aside) => create(aside),
            None => tempfile::tempfile(),
        };
        let file = file.map_err(|source| cannot_write(path.clone(), 0, source))?;
        Ok(Staged { path, file, hasher: blake3::Hasher::new(), bytes: 0, on_disk })
    }

    /// Makes a file that is complete durable where the commit expects it.
    fn settle(&self, staged: Staged, rows: u64) -> Result<PartFile, Fatal> {
        let Staged { path, file, hasher, bytes, on_disk } = staged;
        if on_disk.is_some() {
            file.sync_all().map_err(|source| cannot_write(path.clone(), bytes, source))?;
        } else {
            let aside = commit::staged(&self.of.name, &self.sink.attempt, &path);
            self.sink.runtime.block_on(self.sink.store.upload(file, &aside))?;
        }
        Ok(PartFile { path, rows, bytes, blake3: hasher.finalize().to_hex().to_string() })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // What was committed has gone to its place by now; what cannot be removed is left for `gc`.
        if let Some(folder) = self.sink.store.on_disk(&commit::staged(&self.of.name, &self.sink.attempt, ""))
        {
            fs::remove_dir_all(&folder).ok();
            folder.parent().map(fs::remove_dir);
        }
    }
}

/// A file on its way to its place.
#[derive(Debug)]
struct Staged {
    path: String,
    file: File,
    hasher: blake3::Hasher,
    bytes: u64,
    on_disk: Option<PathBuf>,
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or(bytes));
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn create(path: &std::path::Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create(path)
}

/// A name for each archive's part: the archive's own without its suffixes. Archives of one name in several folders are
/// numbered in the order of the list, so that the same list always has the same names.
pub fn stems(archives: &[impl AsRef<str>]) -> Vec<String> {
    let mut taken = HashSet::new();
    archives.iter().map(|archive| free_stem(stem(archive.as_ref()), &mut taken)).collect()
}

/// The name of an archive's part number `number`, counted from zero: long archives have several.
pub fn name(stem: &str, number: usize) -> String {
    if number == 0 { stem.to_owned() } else { format!("{stem}.part-{:05}", number + 1) }
}

/// The finished parts of an archive, each with its number and its name.
pub fn of_stem<'a>(
    finished: &'a BTreeMap<String, Finished>,
    stem: &str,
) -> Vec<(usize, &'a str, &'a Finished)> {
    let prefix = format!("{stem}.part-");
    let first = finished.get_key_value(stem).map(|(name, finished)| (0, name.as_str(), finished));
    let further = finished.range(prefix.clone()..).map_while(|(name, finished)| {
        let number = name.strip_prefix(&prefix)?.parse::<usize>().ok().and_then(|it| it.checked_sub(1));
        Some((number, name.as_str(), finished))
    });
    let further = further.filter_map(|(number, name, finished)| Some((number?, name, finished)));
    first.into_iter().chain(further).collect()
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

fn cannot_write(path: String, bytes: u64, source: io::Error) -> Fatal {
    if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return Fatal::DiskFull { path, bytes, source };
    }
    Fatal::Write { path, source }
}

#[cfg(test)]
mod tests;
