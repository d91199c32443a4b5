//! The classifiers of the pipeline file, each in memory once for all stages and workers. A classifier is a pure function
//! of a text; what its labels mean is for the stages.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;

use palimpsest_fasttext::Model;
use sha2::Digest;

use crate::config::FileTable;

pub(crate) use palimpsest_fasttext::Scratch;

/// Labels that one call returns: all of a language identifier, and the best ones of a model of all products of a shop.
const MAX_LABELS: usize = 1024;

/// Why a classifier cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the classifier `{name}`, `{}`", path.display())]
pub struct ClassifierError {
    name: String,
    path: PathBuf,
    #[source]
    kind: Box<ErrorKind>,
}

#[derive(Debug, thiserror::Error)]
enum ErrorKind {
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    #[error("it is no model of fastText, `.bin` or `.ftz`")]
    Model(#[from] palimpsest_fasttext::Error),
    #[error("its SHA-256 is {found}, and the pipeline file wants {wanted}")]
    Digest { wanted: String, found: String },
}

/// Classifiers by name.
#[derive(Debug, Default)]
pub struct Classifiers(BTreeMap<String, Classifier>);

/// A model and the digest of its file.
#[derive(Debug)]
struct Classifier {
    model: Model,
    digest: blake3::Hash,
}

/// What a classifier says of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// As the model has it: fastText's begin with `__label__`.
    pub name: String,
    /// From 0 to 1.
    pub score: f64,
}

impl Classifiers {
    /// Reads them all, or says everything that is wrong.
    pub fn open(files: &BTreeMap<String, FileTable>) -> Result<Self, Vec<ClassifierError>> {
        let (mut opened, mut errors) = (BTreeMap::new(), Vec::new());
        for (name, file) in files {
            match Classifier::open(file) {
                Ok(classifier) => drop(opened.insert(name.clone(), classifier)),
                Err(kind) => {
                    let (name, path) = (name.clone(), file.path.clone());
                    errors.push(ClassifierError { name, path, kind: Box::new(kind) });
                }
            }
        }
        if errors.is_empty() { Ok(Self(opened)) } else { Err(errors) }
    }

    /// The digest of a classifier's file.
    pub(crate) fn digest(&self, name: &str) -> Option<blake3::Hash> {
        self.0.get(name).map(|classifier| classifier.digest)
    }

    /// Labels of a text, best first; none where the model knows nothing of it. None if there is no such classifier.
    pub(crate) fn classify(&self, name: &str, text: &str, scratch: &mut Scratch) -> Option<Vec<Label>> {
        let model = &self.0.get(name)?.model;
        let labels = model.predict_with(text, MAX_LABELS, 0.0, scratch);
        Some(
            labels
                .map(|label| Label {
                    name: label.label.to_owned(),
                    score: f64::from(label.probability).clamp(0.0, 1.0),
                })
                .collect(),
        )
    }
}

impl Classifier {
    fn open(table: &FileTable) -> Result<Self, ErrorKind> {
        let file = File::open(&table.path)?;
        let length = file.metadata()?.len();
        let mut hashed = Hashed {
            from: BufReader::with_capacity(1 << 20, file),
            blake3: blake3::Hasher::new(),
            sha256: sha2::Sha256::new(),
        };
        let model = Model::read(&mut hashed, length);
        io::copy(&mut hashed, &mut io::sink())?;
        let found: String = hashed.sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        // First what says more: another file than the wanted one is likely to be no model either.
        if let Some(wanted) = table.sha256.clone().filter(|wanted| !wanted.eq_ignore_ascii_case(&found)) {
            return Err(ErrorKind::Digest { wanted, found });
        }
        Ok(Self { model: model?, digest: hashed.blake3.finalize() })
    }
}

/// Reads on and digests what went past.
struct Hashed<R> {
    from: R,
    blake3: blake3::Hasher,
    sha256: sha2::Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(bytes)?;
        let new = bytes.get(..read).unwrap_or_default();
        self.blake3.update(new);
        self.sha256.update(new);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use palimpsest_fasttext::{Params, Sample, train};

    use super::*;

    fn table(path: &Path, sha256: Option<&str>) -> BTreeMap<String, FileTable> {
        let table = FileTable { path: path.to_owned(), sha256: sha256.map(str::to_owned) };
        BTreeMap::from([("quality".to_owned(), table)])
    }

    #[test]
    fn a_model_from_a_file_says_what_it_was_taught() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quality.bin");
        let sample = |labels, text| Sample { labels: vec![labels], text };
        let samples = [sample("hq", "the river rose all night"), sample("lq", "buy now log in")];
        let params = Params { epoch: 100, dim: 8, ..Params::default() };
        train(&samples, &params).unwrap().write(File::create(&path).unwrap()).unwrap();
        let classifiers = Classifiers::open(&table(&path, None)).unwrap();
        let said = classifiers.classify("quality", "the river\nrose", &mut Scratch::default()).unwrap();
        assert_eq!((said.len(), said[0].name.as_str()), (2, "__label__hq"));
        assert!(said[0].score > said[1].score && (said[0].score + said[1].score - 1.0).abs() < 1e-3);
        assert!(classifiers.classify("other", "text", &mut Scratch::default()).is_none());
        let wrong = Classifiers::open(&table(&path, Some("00"))).unwrap_err();
        let ErrorKind::Digest { found, .. } = &*wrong[0].kind else { panic!("{wrong:?}") };
        assert!(Classifiers::open(&table(&path, Some(&found.to_ascii_uppercase()))).is_ok());
    }

    #[test]
    fn what_is_no_model_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quality.bin");
        let check = |wanted: &str| {
            let wrong = Classifiers::open(&table(&path, None)).unwrap_err();
            assert!(wrong[0].to_string().contains("classifier `quality`"), "{wrong:?}");
            assert!(wrong[0].kind.to_string().contains(wanted), "{wrong:?}");
        };
        check("cannot be read");
        std::fs::write(&path, "a text and no model").unwrap();
        check("is no model of fastText");
    }
}
