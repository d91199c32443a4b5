//! Files that are written aside and renamed, so that nobody ever reads half of one, and an old one stays until then.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// A file that is not there yet.
#[derive(Debug)]
pub(crate) struct Aside {
    file: PathBuf,
    aside: PathBuf,
    to: Option<BufWriter<File>>,
}

impl Aside {
    /// Fails before any work where the file could not be written after it.
    pub(crate) fn create(file: &Path) -> Result<Self, Failure> {
        let aside = file.with_added_extension("part");
        let created = if file.is_dir() {
            Err(io::Error::from(io::ErrorKind::IsADirectory))
        } else {
            File::create(&aside)
        };
        let to = created.map_err(|error| cannot_write(file, &error))?;
        Ok(Self { file: file.to_owned(), aside, to: Some(BufWriter::new(to)) })
    }

    /// Writes all of it and puts it in its place.
    pub(crate) fn finish(
        mut self,
        what: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let Some(mut to) = self.to.take() else { return Ok(()) };
        let written = what(&mut to).and_then(|()| {
            to.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            std::fs::rename(&self.aside, &self.file)
        });
        written.map_err(|error| {
            drop(std::fs::remove_file(&self.aside));
            cannot_write(&self.file, &error)
        })
    }
}

impl Drop for Aside {
    /// What was not finished is not left lying about.
    fn drop(&mut self) {
        if self.to.take().is_some() {
            drop(std::fs::remove_file(&self.aside));
        }
    }
}

/// A text as a whole file.
pub(crate) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    Aside::create(file)?.finish(|to| to.write_all(text.as_bytes()))
}

fn cannot_write(file: &Path, error: &io::Error) -> Failure {
    Failure::world(format!("cannot write `{}`: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_file_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("table.json");
        write(&file, "old").unwrap();
        drop(Aside::create(&file).unwrap());
        let broken = Aside::create(&file).unwrap().finish(|to| {
            to.write_all(b"ha")?;
            Err(io::Error::other("no more"))
        });
        assert!(broken.is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "old");
        write(&file, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        assert!(Aside::create(folder.path()).is_err(), "a folder");
        assert!(Aside::create(&folder.path().join("none/table.json")).is_err());
    }
}
