//! The records of an archive, one JSON line each: for looking inside, and for comparing readers.

use std::io::{self, Write};

use serde::Serialize;

use crate::pages;
use crate::records::{Limits, Records, Violation, violations};
use crate::source::{self, Archive, ByteReader, Wanted};

/// An archive that is looked into.
#[derive(Debug)]
pub struct Inspected {
    archive: Archive,
    runtime: tokio::runtime::Runtime,
}

/// Why there is nothing to look into.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    #[error(transparent)]
    Source(source::Fatal),
    #[error("`{name}` names {found} archives; records are shown of one")]
    NotOne { name: String, found: usize },
}

#[derive(Serialize)]
struct Strict {
    #[serde(flatten)]
    line: pages::Line,
    /// Fixed words.
    violations: Vec<&'static str>,
}

impl Inspected {
    /// `name` is a path or a URL, as in a pipeline.
    pub fn open(name: &str, storage: Vec<(String, String)>) -> Result<Self, Vec<Fatal>> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| vec![Fatal::Thread(error)])?;
        let wanted = Wanted { archives: vec![name.to_owned()], storage, ..Wanted::default() };
        let listing = runtime.block_on(source::list(&wanted));
        let listing = listing.map_err(|wrong| wrong.into_iter().map(Fatal::Source).collect::<Vec<_>>())?;
        match <[Archive; 1]>::try_from(listing.archives) {
            Ok([archive]) => Ok(Self { archive, runtime }),
            Err(archives) => Err(vec![Fatal::NotOne { name: name.to_owned(), found: archives.len() }]),
        }
    }

    /// Writes the lines; how many records were damaged, or with `strict` are not as the standard has them.
    pub fn records(&self, strict: bool, out: &mut dyn Write) -> io::Result<u64> {
        let bytes = ByteReader::new(self.runtime.handle(), source::open(&self.archive, 0));
        let mut bad = 0;
        for record in Records::new(bytes, Limits::default()) {
            let record = record?;
            let line = pages::line(&record);
            if strict {
                let violations: Vec<_> = violations(&record.entry).iter().map(Violation::word).collect();
                bad += u64::from(record.entry.damage.is_some() || !violations.is_empty());
                serde_json::to_writer(&mut *out, &Strict { line, violations })?;
            } else {
                bad += u64::from(record.entry.damage.is_some());
                serde_json::to_writer(&mut *out, &line)?;
            }
            out.write_all(b"\n")?;
        }
        out.flush()?;
        Ok(bad)
    }
}
