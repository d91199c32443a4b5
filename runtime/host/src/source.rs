//! Archives as streams of bytes.
//!
//! Reading waits, so it is async: [`open`] gives a stream of chunks. Taking records apart is work, so it is done on a
//! thread: [`Archive`] is that stream as a [`Read`], with a bounded number of chunks in between. What the bytes mean is
//! of no concern here.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use async_stream::try_stream;
use bytes::{Buf, Bytes, BytesMut};
use futures::{Stream, StreamExt, pin_mut};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

/// A read of this size costs next to nothing over its bytes, on disk as on a network.
const CHUNK_BYTES: usize = 256 << 10;
/// One chunk is being read from, one waits, one is being filled.
const CHUNKS_AHEAD: usize = 1;

/// Why there are no archives, or why one cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    #[error("`{pattern}` in source.archives is no pattern: {says}")]
    Pattern { pattern: String, says: String },
    #[error("source.archives: there is no file `{0}`")]
    Missing(String),
    #[error("source.archives: nothing matches `{0}`")]
    NoMatch(String),
    #[error("cannot read the archive `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// The archives that the patterns name: in the order of the patterns, those of one pattern in the order of their
/// names, none twice. Everything that is wrong is said at once.
pub fn list(patterns: &[String]) -> Result<Vec<PathBuf>, Vec<Fatal>> {
    let (mut archives, mut wrong) = (Vec::new(), Vec::new());
    for pattern in patterns {
        match expand(pattern) {
            Ok(paths) => {
                for path in paths {
                    if !archives.contains(&path) {
                        archives.push(path);
                    }
                }
            }
            Err(fatal) => wrong.push(fatal),
        }
    }
    if wrong.is_empty() { Ok(archives) } else { Err(wrong) }
}

fn expand(pattern: &str) -> Result<Vec<PathBuf>, Fatal> {
    // A file may have a name that looks like a pattern.
    let path = Path::new(pattern);
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if !pattern.contains(['*', '?', '[']) {
        return Err(Fatal::Missing(pattern.to_owned()));
    }
    let matches = glob::glob(pattern)
        .map_err(|error| Fatal::Pattern { pattern: pattern.to_owned(), says: error.msg.to_owned() })?;
    let mut paths = Vec::new();
    for path in matches {
        let path =
            path.map_err(|error| Fatal::Read { path: error.path().to_owned(), source: error.into() })?;
        if path.is_file() {
            paths.push(path);
        }
    }
    if paths.is_empty() { Err(Fatal::NoMatch(pattern.to_owned())) } else { Ok(paths) }
}

/// The bytes of an archive on disk.
pub fn open(path: PathBuf) -> impl Stream<Item = io::Result<Bytes>> {
    try_stream! {
        let mut file = tokio::fs::File::open(&path).await?;
        loop {
            let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
            if file.read_buf(&mut chunk).await? == 0 {
                break;
            }
            yield chunk.freeze();
        }
    }
}

/// An archive's bytes, for a thread that reads.
#[derive(Debug)]
pub struct Archive {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    chunk: Bytes,
}

impl Archive {
    /// Reads the stream on the runtime, as far ahead as [`CHUNKS_AHEAD`] allows. Dropping the archive ends the reading.
    pub fn new(
        runtime: &tokio::runtime::Handle,
        stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Self {
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
        runtime.spawn(async move {
            pin_mut!(stream);
            while let Some(chunk) = stream.next().await {
                let last = chunk.is_err();
                if sender.send(chunk).await.is_err() || last {
                    break;
                }
            }
        });
        Self { chunks, chunk: Bytes::new() }
    }

    /// Calls `count` with the size of every read.
    pub fn counted<C: Fn(u64)>(self, count: C) -> Counted<C> {
        Counted { archive: self, count }
    }
}

/// An archive whose progress is seen.
pub struct Counted<C> {
    archive: Archive,
    count: C,
}

impl<C: Fn(u64)> Read for Counted<C> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.archive.read(buffer)?;
        (self.count)(read as u64);
        Ok(read)
    }
}

impl<C> fmt::Debug for Counted<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").field("archive", &self.archive).finish_non_exhaustive()
    }
}

impl Read for Archive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.chunk = chunk?,
                None => return Ok(0),
            }
        }
        let length = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(patterns: &[&str], folder: &Path) -> Result<Vec<String>, Vec<String>> {
        let patterns: Vec<_> =
            patterns.iter().map(|it| folder.join(it).to_string_lossy().into_owned()).collect();
        let short = |path: &Path| path.strip_prefix(folder).unwrap().display().to_string();
        list(&patterns)
            .map(|paths| paths.iter().map(|path| short(path)).collect())
            .map_err(|wrong| wrong.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn archives_come_in_the_order_of_the_patterns_and_once() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.warc", "a.warc", "c.wet", "odd[1].warc"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let check = |patterns: &[&str], expected: &[&str]| {
            assert_eq!(names(patterns, folder.path()).unwrap(), expected, "{patterns:?}");
        };
        check(&["*.wet", "*.warc"], &["c.wet", "a.warc", "b.warc", "odd[1].warc"]);
        check(&["b.warc", "*.warc"], &["b.warc", "a.warc", "odd[1].warc"]);
        check(&["odd[1].warc"], &["odd[1].warc"]);
        let wrong = names(&["no.warc", "*.none", "a.warc"], folder.path()).unwrap_err();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].contains("there is no file") && wrong[1].contains("nothing matches"), "{wrong:?}");
    }

    #[test]
    fn a_stream_is_read_whole_and_an_error_comes_after_what_was_read() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let chunks = vec![
            Ok(Bytes::from_static(b"one ")),
            Ok(Bytes::new()),
            Ok(Bytes::from_static(b"two")),
            Err(io::Error::other("the disk is gone")),
        ];
        let seen = std::cell::Cell::new(0);
        let archive = Archive::new(runtime.handle(), futures::stream::iter(chunks));
        let mut archive = archive.counted(|read| seen.set(seen.get() + read));
        let mut read = [0; 7];
        archive.read_exact(&mut read).unwrap();
        assert_eq!((&read, seen.get()), (b"one two", 7));
        assert_eq!(archive.read(&mut read).unwrap_err().to_string(), "the disk is gone");
    }

    #[test]
    fn a_file_is_the_bytes_that_were_written() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes: Vec<u8> = (0..CHUNK_BYTES * 2 + 7).map(|it| (it % 251) as u8).collect();
        std::fs::write(file.path(), &bytes).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let archive = Archive::new(runtime.handle(), open(file.path().to_owned()));
        let mut read = Vec::new();
        io::copy(&mut archive.take(1 << 30), &mut read).unwrap();
        assert_eq!(read, bytes);
    }
}
