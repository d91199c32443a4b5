//! The formats in which rows are stored, behind one writer.

use std::io::{self, Write};

use super::jsonl::Frames;
use super::row::{Object, Row, Table};
use super::{parquet, refined};

/// How rows are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines of JSON in zstd frames.
    JsonlZst,
    Parquet,
    /// Texts as `conversion` records of a web archive.
    Warc,
}

impl Format {
    /// What the names of its files end in.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::JsonlZst => ".jsonl.zst",
            Self::Parquet => ".parquet",
            Self::Warc => ".warc.gz",
        }
    }
}

/// Writes the rows of one table to `W`. The bytes depend on the format, the table and the rows alone.
#[derive(Debug)]
pub struct RowWriter<W: Write + Send>(Inner<W>);

#[derive(Debug)]
enum Inner<W: Write + Send> {
    JsonlZst { table: Table, frames: Frames<W> },
    Parquet(Box<parquet::Groups<W>>),
    Warc(refined::Records<W>),
}

impl<W: Write + Send> RowWriter<W> {
    pub fn create(format: Format, to: W, table: &Table) -> io::Result<Self> {
        Ok(Self(match format {
            Format::JsonlZst => Inner::JsonlZst { table: table.clone(), frames: Frames::new(to) },
            Format::Parquet => Inner::Parquet(Box::new(parquet::Groups::new(to, table)?)),
            Format::Warc => Inner::Warc(refined::Records::new(to, table)),
        }))
    }

    pub fn push(&mut self, row: &Row<'_>) -> io::Result<()> {
        match &mut self.0 {
            Inner::JsonlZst { table, frames } => frames.push(&Object { columns: table.columns(), row: *row }),
            Inner::Parquet(groups) => groups.push(row),
            Inner::Warc(records) => records.push(row),
        }
    }

    /// How many bytes were handed on.
    pub fn bytes(&self) -> u64 {
        match &self.0 {
            Inner::JsonlZst { frames, .. } => frames.bytes(),
            Inner::Parquet(groups) => groups.bytes(),
            Inner::Warc(records) => records.bytes(),
        }
    }

    /// How many bytes of rows are held back: a format that stores many rows together waits for them.
    pub fn buffered(&self) -> usize {
        match &self.0 {
            Inner::JsonlZst { frames, .. } => frames.buffered(),
            Inner::Parquet(groups) => groups.buffered(),
            Inner::Warc(_) => 0,
        }
    }

    /// Hands on what is held back and gives its memory back, where many writers together hold too much. It changes the
    /// bytes, so it has to depend on the rows alone when it is called.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Inner::JsonlZst { frames, .. } => frames.flush(),
            Inner::Parquet(groups) => groups.flush(),
            Inner::Warc(_) => Ok(()),
        }
    }

    /// Writes what is left; how many bytes were written in all.
    pub fn finish(self) -> io::Result<(W, u64)> {
        match self.0 {
            Inner::JsonlZst { frames, .. } => frames.finish(),
            Inner::Parquet(groups) => groups.finish(),
            Inner::Warc(records) => records.finish(),
        }
    }
}

/// Counts what passes.
#[derive(Debug)]
pub(super) struct Counted<W> {
    pub(super) to: W,
    pub(super) bytes: u64,
}

impl<W> Counted<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to, bytes: 0 }
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Document, Kind};
    use crate::sinks::tests::{column, document, origin};

    const FORMATS: [Format; 3] = [Format::JsonlZst, Format::Parquet, Format::Warc];

    fn written(format: Format, rows: u64, flush: bool) -> Vec<u8> {
        let table = Table::new(&[column("score", Kind::Number)], &[]);
        let mut writer = RowWriter::create(format, Vec::new(), &table).unwrap();
        for number in 0..rows {
            let document = Document { id: format!("<urn:{number}>"), ..document() };
            writer.push(&Row { document: &document, origin: &origin(), token_count: 5 }).unwrap();
            if flush {
                writer.flush().unwrap();
                assert_eq!(writer.buffered(), 0);
                assert!(0 < writer.bytes(), "{format:?}");
            } else {
                assert!(0 < writer.buffered() || format == Format::Warc, "{format:?}");
            }
        }
        let handed_on = writer.bytes();
        let (file, bytes) = writer.finish().unwrap();
        assert_eq!(file.len() as u64, bytes);
        assert!(handed_on <= bytes);
        file
    }

    #[test]
    fn the_same_rows_are_the_same_bytes_in_every_format() {
        for format in FORMATS {
            for rows in [0, 1, 300] {
                let file = written(format, rows, false);
                assert!(!file.is_empty(), "{format:?}: a file without rows is one all the same");
                assert_eq!(file, written(format, rows, false), "{format:?}");
                assert_eq!(written(format, rows, true), written(format, rows, true), "{format:?}");
            }
        }
    }

    /// A disk without room.
    #[derive(Debug)]
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_known_as_such() {
        for format in FORMATS {
            let error = RowWriter::create(format, Full, &Table::new(&[], &[]))
                .and_then(RowWriter::finish)
                .unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{format:?}: {error}");
        }
    }
}
