//! What has been downloaded and not been read yet: a little in memory, the rest in files without names.
//!
//! A reader that keeps up never touches the disk. Bytes come out in the order in which they went in; once some are on
//! disk, all later ones go there, until the reader has caught up. A file's space is free again when it is read.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

use super::CHUNK_BYTES;

/// Chunks in memory: enough to hide the reader's and the network's hiccups.
const MEMORY_BYTES: usize = 1 << 20;
/// The space that is freed at once. The default bound is 32 open files.
const SEGMENT_BYTES: u64 = 64 << 20;

/// One spool: where bytes go in, and where they come out.
pub(super) fn new(folder: &Path, bound: u64) -> (Inlet, Outlet) {
    let shared = Arc::new(Shared {
        folder: folder.to_owned(),
        bound,
        segment_bytes: SEGMENT_BYTES.min(bound.div_ceil(2)).max(1),
        state: Mutex::default(),
        more: Notify::new(),
        less: Notify::new(),
    });
    (Inlet { shared: Arc::clone(&shared) }, Outlet { shared })
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    bound: u64,
    segment_bytes: u64,
    state: Mutex<State>,
    /// There is something to read, or nothing more will come.
    more: Notify,
    /// Something has been read.
    less: Notify,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Bytes>,
    ready_bytes: usize,
    /// All later than what is ready.
    segments: VecDeque<Segment>,
    end: Option<io::Result<()>>,
}

#[derive(Debug)]
struct Segment {
    file: Arc<File>,
    written: u64,
    read: u64,
    /// The inlet writes to it, so it must not go.
    writing: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What the files take, read or not.
    fn on_disk(&self) -> u64 {
        self.segments.iter().map(|segment| segment.written).sum()
    }

    fn held(&self) -> u64 {
        self.ready_bytes as u64 + self.on_disk()
    }

    /// Lets the files go that are read.
    fn free(&mut self) {
        while let Some(first) = self.segments.front()
            && first.read == first.written
            && !first.writing
        {
            self.segments.pop_front();
        }
    }
}

/// Where bytes go in.
#[derive(Debug)]
pub(super) struct Inlet {
    shared: Arc<Shared>,
}

impl Inlet {
    /// Keeps a chunk. After an error it is as if the chunk had never come.
    pub(super) async fn push(&mut self, chunk: Bytes) -> io::Result<()> {
        {
            let mut state = self.shared.state();
            if state.segments.is_empty() && state.ready_bytes < MEMORY_BYTES {
                state.ready_bytes += chunk.len();
                state.ready.push_back(chunk);
                self.shared.more.notify_one();
                return Ok(());
            }
        }
        let length = chunk.len() as u64;
        let (file, offset) = match self.begun(length) {
            Some(begun) => begun,
            None => (self.next_segment().await?, 0),
        };
        let written = spawn_blocking(move || file.write_all_at(&chunk, offset)).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        let mut state = self.shared.state();
        if let Some(segment) = state.segments.back_mut() {
            segment.writing = false;
            segment.written += if written.is_ok() { length } else { 0 };
        }
        state.free();
        self.shared.more.notify_one();
        written
    }

    /// The segment that is being filled, if the chunk still fits into it.
    fn begun(&self, length: u64) -> Option<(Arc<File>, u64)> {
        let mut state = self.shared.state();
        let segment = state.segments.back_mut()?;
        if self.shared.segment_bytes < segment.written + length {
            return None;
        }
        segment.writing = true;
        Some((Arc::clone(&segment.file), segment.written))
    }

    async fn next_segment(&self) -> io::Result<Arc<File>> {
        let folder = self.shared.folder.clone();
        let made = spawn_blocking(move || tempfile::tempfile_in(folder)).await;
        let file = Arc::new(made.unwrap_or_else(|error| Err(io::Error::other(error)))?);
        let segment = Segment { file: Arc::clone(&file), written: 0, read: 0, writing: true };
        self.shared.state().segments.push_back(segment);
        Ok(file)
    }

    /// Whether there is no room for more.
    pub(super) fn is_full(&self) -> bool {
        self.shared.bound <= self.shared.state().on_disk()
    }

    /// Whether everything that came in has gone out.
    pub(super) fn is_empty(&self) -> bool {
        self.shared.state().held() == 0
    }

    /// Waits until no more than so many bytes are left.
    pub(super) async fn drained_to(&self, bytes: u64) {
        while bytes < self.shared.state().held() {
            self.shared.less.notified().await;
        }
    }

    /// Nothing more will come.
    pub(super) fn end(&mut self, how: io::Result<()>) {
        self.shared.state().end = Some(how);
        self.shared.more.notify_one();
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if state.end.is_none() {
            state.end = Some(Err(io::Error::other("the download has ended without a word")));
        }
        self.shared.more.notify_one();
    }
}

/// Where bytes come out.
#[derive(Debug)]
pub(super) struct Outlet {
    shared: Arc<Shared>,
}

/// What the outlet finds.
enum Found {
    Chunk(Bytes),
    Stored { file: Arc<File>, offset: u64, length: usize },
    End(io::Result<()>),
    Nothing,
}

impl Outlet {
    /// The next chunk; none after the last. An error comes after all that was read before it.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let found = self.find();
            match found {
                Found::Chunk(chunk) => return Ok(Some(chunk)),
                Found::Stored { file, offset, length } => {
                    let chunk = spawn_blocking(move || {
                        let mut chunk = BytesMut::zeroed(length);
                        file.read_exact_at(&mut chunk, offset).map(|()| chunk.freeze())
                    });
                    let chunk = chunk.await.unwrap_or_else(|error| Err(io::Error::other(error)))?;
                    let mut state = self.shared.state();
                    if let Some(segment) = state.segments.front_mut() {
                        segment.read += length as u64;
                    }
                    state.free();
                    self.shared.less.notify_one();
                    return Ok(Some(chunk));
                }
                Found::End(how) => return how.map(|()| None),
                Found::Nothing => self.shared.more.notified().await,
            }
        }
    }

    fn find(&self) -> Found {
        let mut state = self.shared.state();
        if let Some(chunk) = state.ready.pop_front() {
            state.ready_bytes -= chunk.len();
            self.shared.less.notify_one();
            return Found::Chunk(chunk);
        }
        if let Some(segment) = state.segments.front()
            && segment.read < segment.written
        {
            let left = usize::try_from(segment.written - segment.read).unwrap_or(usize::MAX);
            let length = left.min(CHUNK_BYTES);
            return Found::Stored { file: Arc::clone(&segment.file), offset: segment.read, length };
        }
        state.end.take().map_or(Found::Nothing, Found::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(number: usize, length: usize) -> Bytes {
        Bytes::from(vec![u8::try_from(number % 251).unwrap(); length])
    }

    async fn rest(outlet: &mut Outlet) -> Vec<u8> {
        let mut read = Vec::new();
        while let Some(chunk) = outlet.next().await.unwrap() {
            read.extend_from_slice(&chunk);
        }
        read
    }

    #[tokio::test]
    async fn bytes_come_out_as_they_went_in_whoever_is_faster() {
        let folder = tempfile::tempdir().unwrap();
        let (mut inlet, mut outlet) = new(folder.path(), 16 << 20);
        let (mut sent, mut read) = (Vec::new(), Vec::new());
        // The reader lags behind far enough to need the disk, and catches up again and again.
        for number in 0..400 {
            let chunk = chunk(number, 1000 * (number % 97) + 1);
            sent.extend_from_slice(&chunk);
            inlet.push(chunk).await.unwrap();
            if number % 100 > 60 {
                for _ in 0..3 {
                    if inlet.is_empty() {
                        break;
                    }
                    read.extend_from_slice(&outlet.next().await.unwrap().unwrap());
                }
            }
        }
        inlet.end(Ok(()));
        read.extend(rest(&mut outlet).await);
        assert!(read == sent, "{} of {}", read.len(), sent.len());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "its files have no names");
    }

    #[tokio::test]
    async fn a_full_spool_says_so_and_has_room_again_when_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (mut inlet, mut outlet) = new(folder.path(), 4 << 20);
        let mut sent = 0;
        while !inlet.is_full() {
            inlet.push(chunk(sent, 1 << 18)).await.unwrap();
            sent += 1;
        }
        assert_eq!(sent, (MEMORY_BYTES + (4 << 20)) >> 18);
        let drained = tokio::spawn(async move {
            inlet.drained_to(2 << 20).await;
            inlet
        });
        for number in 0..sent {
            assert_eq!(outlet.next().await.unwrap().unwrap()[0], u8::try_from(number).unwrap());
        }
        let mut inlet = drained.await.unwrap();
        assert!(!inlet.is_full() && inlet.shared.state().segments.is_empty());
        inlet.end(Ok(()));
        assert!(outlet.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn an_error_comes_after_what_was_read_and_a_lost_download_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let (mut inlet, mut outlet) = new(folder.path(), 1 << 20);
        inlet.push(chunk(1, 3)).await.unwrap();
        inlet.end(Err(io::Error::other("the server is gone")));
        assert_eq!(outlet.next().await.unwrap().unwrap(), chunk(1, 3));
        assert_eq!(outlet.next().await.unwrap_err().to_string(), "the server is gone");

        let (mut inlet, mut outlet) = new(folder.path(), 1 << 20);
        inlet.push(chunk(2, 3)).await.unwrap();
        drop(inlet);
        assert_eq!(outlet.next().await.unwrap().unwrap(), chunk(2, 3));
        assert!(outlet.next().await.unwrap_err().to_string().contains("without a word"));
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_an_error_only_where_it_is_needed() {
        let (mut inlet, mut outlet) = new(Path::new("/nonexistent/spool"), 1 << 30);
        for number in 0..4 {
            inlet.push(chunk(number, 1 << 18)).await.unwrap();
        }
        inlet.push(chunk(4, 1)).await.unwrap_err();
        for number in 0..4 {
            assert_eq!(outlet.next().await.unwrap().unwrap()[0], number);
        }
        inlet.push(chunk(4, 1)).await.unwrap();
    }
}
