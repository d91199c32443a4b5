//! Reading against servers that misbehave on purpose, and against real ones of buckets.

mod buckets;
mod lists;
mod moto;
mod server;
mod web;

use std::io::Read as _;

use super::*;

/// Times that tests can wait for.
fn quick(spool: &Path) -> Fetch {
    let ms = Duration::from_millis;
    let pace = Pace {
        stall: ms(500),
        least: ms(10),
        least_bucket: ms(5),
        most: ms(40),
        forbidden: ms(40),
        forbidden_tries: 3,
        unreachable: ms(300),
        credentials: ms(300),
    };
    Fetch { spool_bytes: 64 << 20, patience: ms(1500), pace, ..Fetch::into_folder(spool.to_owned()) }
}

/// Bytes that look like no others nearby.
fn sample(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

async fn whole(archive: &Archive, from: u64) -> Result<Vec<u8>, String> {
    let (mut bytes, mut chunks) = (Vec::new(), open(archive, from));
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| retry::chain(&error))?);
    }
    Ok(bytes)
}

async fn listed(wanted: &Wanted) -> Result<Vec<String>, Vec<String>> {
    let names = |listing: Listing| listing.archives.into_iter().map(|archive| archive.name).collect();
    let says = |wrong: Vec<Fatal>| wrong.iter().map(|fatal| retry::chain(fatal)).collect();
    list(wanted).await.map(names).map_err(says)
}

/// The one archive that a URL names.
async fn only(wanted: &Wanted) -> Archive {
    let mut listing = list(wanted).await.unwrap();
    assert_eq!(listing.archives.len(), 1);
    listing.archives.remove(0)
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
    let bytes = ByteReader::new(runtime.handle(), futures::stream::iter(chunks));
    let mut bytes = bytes.counted(|read| seen.set(seen.get() + read));
    let mut read = [0; 7];
    bytes.read_exact(&mut read).unwrap();
    assert_eq!((&read, seen.get()), (b"one two", 7));
    assert_eq!(bytes.read(&mut read).unwrap_err().to_string(), "the disk is gone");
}

#[test]
fn a_file_is_the_bytes_that_were_written_from_any_offset_on() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let bytes = sample(CHUNK_BYTES * 2 + 7);
    std::fs::write(file.path(), &bytes).unwrap();
    let archive = Archive::local(file.path());
    assert_eq!(archive.size, Some(bytes.len() as u64));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for from in [0, 1, CHUNK_BYTES, bytes.len(), bytes.len() + 1] {
        let reader = ByteReader::new(runtime.handle(), open(&archive, from as u64));
        let mut read = Vec::new();
        io::copy(&mut reader.take(1 << 30), &mut read).unwrap();
        assert_eq!(read, bytes.get(from..).unwrap_or_default());
    }
}
