//! The records of an archive, one JSON line each: for looking inside, and for comparing readers.

use std::io::{self, Read, Write};

use palimpsest_warc::Limits;

use crate::{pages, records};

/// Writes the lines; how many records were damaged.
pub fn records(archive: impl Read, out: &mut dyn Write) -> io::Result<u64> {
    let mut damaged = 0;
    for record in records::read(archive, Limits::default()) {
        let record = record?;
        damaged += u64::from(record.damage.is_some());
        serde_json::to_writer(&mut *out, &pages::line(&record))?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(damaged)
}
