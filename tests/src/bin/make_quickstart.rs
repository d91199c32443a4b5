//! Writes the archive of the quickstart, or a large one for measuring.
//!
//! ```text
//! make-quickstart pipelines/quickstart.warc.gz
//! make-quickstart --large 10000000 /tmp/10mb.warc.gz
//! ```

use std::env;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};

fn main() -> io::Result<()> {
    let words: Vec<_> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--large", bytes, path] => {
            let bytes = bytes.parse().map_err(io::Error::other)?;
            let mut file = BufWriter::new(File::create(path)?);
            palimpsest_tests::large(bytes, &mut file)?;
            file.flush()
        }
        [path] if !path.starts_with('-') => fs::write(path, palimpsest_tests::quickstart()),
        _ => Err(io::Error::other("usage: make-quickstart [--large BYTES] PATH")),
    }
}
