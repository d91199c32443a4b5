//! From the pipeline file on disk to a plan: what the library's pure check has to be told of the world.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, fs, io, thread};

use palimpsest::config::Plan;
use palimpsest::config::check::{Known, check};
use palimpsest::run::Options;
use palimpsest::{stages, store};

use crate::exit::Failure;

/// A pipeline file is written by hand.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// A key is a line.
const MAX_KEY_BYTES: u64 = 64 << 10;

/// Reads and checks the pipeline file.
pub(crate) fn read(file: &Path) -> Result<Plan, Failure> {
    let text = read_text(file, MAX_FILE_BYTES).map_err(|error| {
        Failure::wrong(format!("cannot read the pipeline file `{}`: {error}", file.display()))
    })?;
    let known = Known {
        built_in: &stages::built_in(),
        embedded: &embedded(),
        env: &|name| env::var(name).ok(),
        read_key_file: &|path| read_text(path, MAX_KEY_BYTES),
        is_storage_setting: &store::is_setting,
        cores: thread::available_parallelism().map_or(1, std::num::NonZero::get),
    };
    check(&text, file, &known).map_err(Failure::wrong)
}

/// What every run is told of the world.
pub(crate) fn options() -> Options {
    #[expect(clippy::disallowed_methods, reason = "the command is where the clock is read")]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Options { cache: cache(), storage: storage(), now, ..Options::default() }
}

/// The settings that the environment has for stores.
pub(crate) fn storage() -> Vec<(String, String)> {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    store::of_environment(env::vars_os().filter_map(text))
}

fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(fs::File::open(path)?, limit + 1), &mut text)?;
    if limit < text.len() as u64 {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {limit} bytes")));
    }
    Ok(text)
}

#[cfg(feature = "embedded")]
fn embedded() -> Vec<&'static str> {
    palimpsest::llm::weights::KNOWN.iter().map(|known| known.name).collect()
}

#[cfg(not(feature = "embedded"))]
fn embedded() -> Vec<&'static str> {
    Vec::new()
}

/// The user's cache folder, `palimpsest` in it.
pub(crate) fn cache() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    caches.map(|caches| caches.join("palimpsest"))
}
