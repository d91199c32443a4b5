//! Files of this machine: which there are, and their bytes.

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};

use async_stream::try_stream;
use bytes::{Bytes, BytesMut};
use futures::Stream;
use glob::Pattern;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use url::Url;

use super::list::{is_archive, no_archive};
use super::{CHUNK_BYTES, Fatal};

/// The path in a `file://` URL.
pub(super) fn path_of(pattern: &str) -> Result<String, Fatal> {
    let url = Url::parse(pattern).ok().filter(|url| url.query().is_none() && url.fragment().is_none());
    let path = url.and_then(|url| url.to_file_path().ok());
    path.map(|path| path.to_string_lossy().into_owned()).ok_or_else(|| {
        let says = "accepted is file:///PATH without ? and #".to_owned();
        Fatal::Pattern { pattern: pattern.to_owned(), says }
    })
}

/// The files that a pattern names: a file, a glob, or all archives below a folder.
pub(super) fn paths(pattern: &str) -> Result<Vec<PathBuf>, Fatal> {
    // A file may have a name that looks like a pattern.
    let path = Path::new(pattern);
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if path.is_dir() {
        let below = format!("{}/**/*", Pattern::escape(pattern.trim_end_matches('/')));
        let mut paths = matches(pattern, &below)?;
        paths.retain(|path| is_archive(&path.to_string_lossy()));
        return if paths.is_empty() { Err(no_archive(pattern)) } else { Ok(paths) };
    }
    if !pattern.contains(['*', '?', '[']) {
        return Err(Fatal::Missing(pattern.to_owned()));
    }
    let paths = matches(pattern, pattern)?;
    if paths.is_empty() { Err(Fatal::NoMatch(pattern.to_owned())) } else { Ok(paths) }
}

fn matches(pattern: &str, glob: &str) -> Result<Vec<PathBuf>, Fatal> {
    let found = glob::glob(glob)
        .map_err(|error| Fatal::Pattern { pattern: pattern.to_owned(), says: error.msg.to_owned() })?;
    let mut paths = Vec::new();
    for path in found {
        let path = path.map_err(|error| Fatal::Read {
            archive: error.path().display().to_string(),
            source: error.into(),
        })?;
        if path.is_file() {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// The bytes of a file from an offset on.
pub(super) fn read(path: PathBuf, from: u64) -> impl Stream<Item = io::Result<Bytes>> {
    try_stream! {
        let mut file = tokio::fs::File::open(&path).await?;
        if 0 < from {
            file.seek(SeekFrom::Start(from)).await?;
        }
        loop {
            let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
            if file.read_buf(&mut chunk).await? == 0 {
                break;
            }
            yield chunk.freeze();
        }
    }
}
