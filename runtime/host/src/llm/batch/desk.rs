//! Batches between the journal, files on disk and the servers.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::{Answer, BadLine, MAX_BYTES, MAX_LINE_BYTES, MAX_LINES};
use crate::config::{Backend, BudgetTable, EndpointPlan, ModelPlan};
use crate::llm::budget::{Caps, Cost, Price, Spent, Usage, dollars};
use crate::llm::client::batches::Batch;
use crate::llm::client::{self, Client, EndpointError, Form};
use crate::llm::journal::store::Store;
use crate::llm::journal::waiting::{File, Status};
use crate::llm::journal::{Entry, JournalError, Key};
use crate::llm::retry::{Refusal, Trouble};
use crate::llm::{batch, hexadecimal, now};
use crate::prompt::{Failure, Prompt};

/// Answers that are written into the journal together.
const COMMIT: usize = 512;

/// Why batches get no further.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the journal's prompt {prompt_id} cannot be read")]
    Prompt { prompt_id: String, source: serde_json::Error },
    #[error("there is no model `{0}` at an endpoint in the pipeline file")]
    NoModel(String),
    #[error("the endpoint of `models.{model}` cannot be asked")]
    Endpoint { model: String, source: EndpointError },
    #[error("{url} does not {what} for the model `{model}`: {says}")]
    Server { model: String, url: String, what: &'static str, says: String },
    #[error(
        "`{key}` allows no batch of `{}`: ${spent:.2} are spent, and its {lines} prompts may cost ${worst:.2}",
        path.display()
    )]
    OverBudget { key: &'static str, path: PathBuf, lines: u64, spent: f64, worst: f64 },
}

/// A file of prompts.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub path: PathBuf,
    pub model: String,
    pub prompts: u64,
    /// The most that it costs; nothing where there is no price.
    pub dollars: f64,
}

/// What came of batches.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Imported {
    pub replies: u64,
    /// Prompts that were answered with a failure; those that were given up are wanted again.
    pub failures: u64,
    /// Lines whose prompt nobody waits for: they were answered before, or belong to another journal.
    pub unknown: u64,
    /// Lines that are no results of a batch, and what is wrong with the first of them.
    pub bad: u64,
    pub first_bad: Option<String>,
    pub dollars: f64,
}

/// A batch at its server.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    pub path: PathBuf,
    pub model: String,
    pub prompts: u64,
    /// In the server's words.
    pub status: String,
    /// Whether nothing more comes of it.
    pub over: bool,
    /// What came of it, in this fetch.
    pub imported: Imported,
}

/// The models of a pipeline and the journal that their batches are noted in.
#[derive(Debug)]
pub struct Desk<'a> {
    store: Store,
    models: &'a [ModelPlan],
}

impl<'a> Desk<'a> {
    pub fn open(journal: &Path, models: &'a [ModelPlan]) -> Result<Self, BatchError> {
        let store = Store::open_aside(journal)?;
        Ok(Self { store, models })
    }

    /// Writes what the last run wanted into files of the folder, as many as the servers' limits ask for.
    pub fn write(&mut self, folder: &Path) -> Result<Vec<Written>, BatchError> {
        let failed = |source| BatchError::Write { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        // The journal finds the files again from wherever it is opened.
        let folder = std::path::absolute(folder).map_err(failed)?;
        let mut written = Vec::new();
        for plan in self.models {
            let Backend::Endpoints(endpoints) = &plan.backend else { continue };
            let Some(endpoint) = endpoints.first() else { continue };
            let mut open: Option<Open> = None;
            let mut done = Vec::new();
            let mut bad = None;
            let run = self.store.run();
            let walked = self.store.unwritten(&plan.name, |key, json| {
                let id = hexadecimal(&key);
                let prompt: Prompt = match serde_json::from_str(json) {
                    Ok(prompt) => prompt,
                    Err(source) => {
                        bad = Some(BatchError::Prompt { prompt_id: id, source });
                        return Err(io::ErrorKind::InvalidData.into());
                    }
                };
                let Some(line) = request(plan, endpoint, &id, &prompt) else {
                    // The run that wants it has failed such a prompt already; this one is of another pipeline.
                    return Ok(());
                };
                if open.as_ref().is_some_and(|open| open.is_full(line.len())) {
                    done.extend(open.take());
                }
                let mut file = match open.take() {
                    Some(file) => file,
                    None => Open::create(&folder, &plan.name, run)?,
                };
                file.add(key, &line, worst(plan, endpoint, &prompt))?;
                open = Some(file);
                Ok(())
            })?;
            if let Some(bad) = bad {
                return Err(bad);
            }
            walked.map_err(failed)?;
            for open in done.into_iter().chain(open) {
                let (file, keys) = open.finish().map_err(failed)?;
                self.store.wrote(&file, &keys)?;
                written.push(Written {
                    path: file.path.into(),
                    model: file.model,
                    prompts: file.lines,
                    dollars: dollars(file.worst.picodollars),
                });
            }
        }
        Ok(written)
    }

    /// The files that were written and not submitted.
    pub fn unsubmitted(&self) -> Result<Vec<PathBuf>, BatchError> {
        let files = self.store.files()?.into_iter().filter(|file| file.status == Status::Written);
        Ok(files.map(|file| file.path.into()).collect())
    }

    /// Uploads every file that was not, as far as the budget goes, and lets their batches begin. One that cannot go does
    /// not keep the others back; the first such error is returned with what went.
    pub async fn submit(
        &mut self,
        budget: &BudgetTable,
    ) -> Result<(Vec<Progress>, Option<BatchError>), BatchError> {
        let caps = Caps::new(budget);
        let (mut begun, mut first) = (Vec::new(), None);
        for mut file in self.store.files()? {
            if file.status == Status::Submitted {
                continue;
            }
            if file.status == Status::Written
                && (!self.store.is_wanted(&file)? || !Path::new(&file.path).exists())
            {
                // Answered otherwise, or thrown away: what is still wanted of it may be written again.
                file.status = Status::Over;
                self.store.mark(&file)?;
                continue;
            }
            match self.begin(&caps, &mut file).await {
                Ok(batch) => begun.push(progress(&file, &batch, Imported::default())),
                Err(error @ BatchError::Journal(_)) => return Err(error),
                Err(error @ BatchError::OverBudget { .. }) => return Ok((begun, Some(error))),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Ok((begun, first))
    }

    async fn begin(&mut self, caps: &Caps, file: &mut File) -> Result<Batch, BatchError> {
        let (model, client) = self.client(file)?;
        let failed = |trouble: Trouble| refused(&model, &client, "begin a batch", &trouble);
        let mut known = None;
        if file.status == Status::Written {
            self.afford(caps, file)?;
            file.input = Some(upload(&client, file).await?);
            file.status = Status::Uploaded;
            self.store.mark(file)?;
        } else {
            // A batch whose beginning nobody heard of may have begun.
            known = client.batch_of(file.input.as_deref().unwrap_or_default()).await.map_err(failed)?;
        }
        let batch = match known {
            Some(batch) => batch,
            None => client.create_batch(file.input.as_deref().unwrap_or_default()).await.map_err(failed)?,
        };
        file.batch = Some(batch.id.clone());
        file.status = Status::Submitted;
        self.store.mark(file)?;
        Ok(batch)
    }

    /// Asks for every batch that was submitted, and takes the answers of those that are over into the journal. One that
    /// cannot be asked for does not keep the others back; the first such error is returned with what came.
    pub async fn fetch(&mut self) -> Result<(Vec<Progress>, Option<BatchError>), BatchError> {
        let (mut all, mut first) = (Vec::new(), None);
        for mut file in self.store.files()? {
            let (Status::Submitted, Some(id)) = (file.status, file.batch.clone()) else { continue };
            match self.fetch_one(&mut file, &id).await {
                Ok(progress) => all.push(progress),
                Err(error @ BatchError::Journal(_)) => return Err(error),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Ok((all, first))
    }

    async fn fetch_one(&mut self, file: &mut File, id: &str) -> Result<Progress, BatchError> {
        let (model, client) = self.client(file)?;
        let batch = match client.batch(id).await {
            Ok(batch) => batch,
            Err(trouble) => {
                if matches!(trouble, Trouble::Final(Refusal::NotThere(_))) {
                    file.status = Status::Lost;
                    self.store.mark(file)?;
                }
                return Err(refused(&model, &client, "know the batch any more", &trouble));
            }
        };
        let mut imported = Imported::default();
        if batch.is_over() {
            for (id, suffix) in [(&batch.output_file_id, "output"), (&batch.error_file_id, "errors")] {
                let Some(id) = id else { continue };
                let path = PathBuf::from(format!("{}.{suffix}", file.path));
                download(&client, &model, id, &path).await?;
                self.take(&path, &mut imported)?;
            }
            file.status = Status::Over;
            self.store.mark(file)?;
        }
        Ok(progress(file, &batch, imported))
    }

    /// How many files are on their way: written, at a server, or being answered.
    pub fn open_files(&self) -> Result<usize, BatchError> {
        Ok(self.store.files()?.len())
    }

    /// Takes answers from files into the journal, wherever they were made.
    pub fn import(&mut self, paths: &[PathBuf]) -> Result<Imported, BatchError> {
        let mut imported = Imported::default();
        let mut answered = BTreeSet::new();
        for path in paths {
            answered.extend(self.take(path, &mut imported)?);
        }
        // A file whose answers came by hand is over: what is still missing may be written again.
        for mut file in self.store.files()? {
            if file.status == Status::Written && answered.contains(&file.path) {
                file.status = Status::Over;
                self.store.mark(&file)?;
            }
        }
        Ok(imported)
    }

    /// The files that the answers of this one are for.
    fn take(&mut self, path: &Path, imported: &mut Imported) -> Result<BTreeSet<String>, BatchError> {
        let failed = |source| BatchError::Read { path: path.to_owned(), source };
        let mut lines = BufReader::new(fs::File::open(path).map_err(failed)?);
        let mut files = BTreeSet::new();
        let mut entries: Vec<(Entry, Option<Cost>)> = Vec::with_capacity(COMMIT);
        let mut line = Vec::new();
        loop {
            line.clear();
            // One byte more than a line may have, so that a longer one is seen to be longer.
            let mut within = (&mut lines).take(MAX_LINE_BYTES as u64 + 2);
            if within.read_until(b'\n', &mut line).map_err(failed)? == 0 {
                break;
            }
            match self.entry(&String::from_utf8_lossy(&line)) {
                // The same line twice: it is not in the journal yet.
                Ok(Some((entry, ..))) if entries.iter().any(|(other, _)| other.key == entry.key) => {
                    imported.unknown += 1;
                }
                Ok(Some((entry, doubt, file))) => {
                    files.extend(file);
                    imported.count(&entry);
                    entries.push((entry, doubt));
                }
                Ok(None) => imported.unknown += 1,
                Err(Unusable::Line(_)) if line.trim_ascii().is_empty() => {}
                Err(Unusable::Line(error)) => {
                    imported.bad += 1;
                    imported.first_bad.get_or_insert_with(|| format!("{}: {error}", path.display()));
                }
                Err(Unusable::Batch(error)) => return Err(error),
            }
            if COMMIT <= entries.len() {
                self.store.answered(&entries)?;
                entries.clear();
            }
        }
        self.store.answered(&entries)?;
        Ok(files)
    }

    /// What a line answers; nothing if nobody waits for it.
    fn entry(&self, line: &str) -> Result<Option<Line>, Unusable> {
        let answer = Answer::read(line)?;
        let key = answer.key()?;
        let Some((wanted, file)) = self.store.wanted(&key).map_err(BatchError::from)? else {
            return Ok(None);
        };
        let prompt: Prompt = serde_json::from_str(&wanted.prompt)
            .map_err(|source| BatchError::Prompt { prompt_id: hexadecimal(&key), source })?;
        let now = now();
        let completion = answer.completion(&prompt, now);
        let plan = self.models.iter().find(|plan| plan.name == wanted.model);
        let (plan, endpoint) = plan.zip(self.endpoint(&wanted.model)).unzip();
        let price = endpoint.and_then(|endpoint| endpoint.price.as_ref()).map(Price::new);
        let worst = plan.zip(endpoint).map(|(plan, endpoint)| worst(plan, endpoint, &prompt));
        let usage = completion.as_ref().map_or(Usage::default(), |completion| completion.usage);
        let entry = Entry {
            key,
            model: wanted.model,
            served: wanted.served,
            prompt: wanted.prompt,
            usage,
            usage_estimated: completion.as_ref().is_ok_and(|completion| completion.usage_estimated),
            picodollars: price.filter(|_| completion.is_ok()).map(|price| price.in_batch(usage)),
            outcome: completion.map(|completion| completion.reply),
            seconds: 0.0,
            answered: now.as_second(),
        };
        // A reply that was made and does not say what it took, or cannot be read, may have cost more.
        let doubtful = entry.usage_estimated || (entry.outcome.is_err() && answer.was_answered());
        let known = Cost {
            requests: 0,
            tokens: usage.prompt.saturating_add(usage.completion),
            picodollars: entry.picodollars.unwrap_or(0),
        };
        let doubt = worst.filter(|_| doubtful).map(|worst| worst.less(known));
        Ok(Some((entry, doubt, file)))
    }

    fn endpoint(&self, model: &str) -> Option<&'a EndpointPlan> {
        let plan = self.models.iter().find(|plan| plan.name == model)?;
        match &plan.backend {
            Backend::Endpoints(endpoints) => endpoints.first(),
            Backend::Embedded { .. } => None,
        }
    }

    /// Batches go to a model's first endpoint.
    fn client(&self, file: &File) -> Result<(String, Client), BatchError> {
        let plan = self.models.iter().find(|plan| plan.name == file.model);
        let found = plan.zip(self.endpoint(&file.model));
        let (plan, endpoint) = found.ok_or_else(|| BatchError::NoModel(file.model.clone()))?;
        let client = Client::new(&endpoint.url, endpoint.key.as_ref(), plan.timeout, now);
        let client = client.map_err(|source| BatchError::Endpoint { model: file.model.clone(), source })?;
        Ok((file.model.clone(), client))
    }

    fn afford(&self, caps: &Caps, file: &File) -> Result<(), BatchError> {
        let Spent { known, lost } = self.store.spent()?;
        let mut sum = known;
        sum += lost;
        let spent = dollars(sum.picodollars);
        sum += file.worst;
        match caps.passed(sum) {
            None => Ok(()),
            Some(key) => Err(BatchError::OverBudget {
                key,
                path: file.path.clone().into(),
                lines: file.lines,
                spent,
                worst: dollars(file.worst.picodollars),
            }),
        }
    }
}

/// An answer, what it may have cost more than it says, and the file that its prompt stands in.
type Line = (Entry, Option<Cost>, Option<String>);

/// Why a line is of no use: because of itself, or because nothing goes on.
enum Unusable {
    Line(BadLine),
    Batch(BatchError),
}

impl From<BadLine> for Unusable {
    fn from(error: BadLine) -> Self {
        Self::Line(error)
    }
}

impl From<BatchError> for Unusable {
    fn from(error: BatchError) -> Self {
        Self::Batch(error)
    }
}

impl Imported {
    fn count(&mut self, entry: &Entry) {
        match &entry.outcome {
            Ok(_) => self.replies += 1,
            Err(Failure::Refused(_) | Failure::TooLong(_) | Failure::GaveUp(_)) => self.failures += 1,
        }
        self.dollars += dollars(entry.picodollars.unwrap_or(0));
    }
}

/// A file that grows.
struct Open {
    path: PathBuf,
    model: String,
    to: BufWriter<fs::File>,
    bytes: u64,
    keys: Vec<Key>,
    worst: Cost,
}

impl Open {
    /// A new file: one of that name may be another pipeline's.
    fn create(folder: &Path, model: &str, run: i64) -> io::Result<Self> {
        for number in 1_u32.. {
            let path = folder.join(format!("{model}-{run}-{number:04}.jsonl"));
            match fs::File::create_new(&path) {
                Ok(file) => {
                    let (model, to) = (model.to_owned(), BufWriter::new(file));
                    return Ok(Self { path, model, to, bytes: 0, keys: Vec::new(), worst: Cost::default() });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn is_full(&self, more: usize) -> bool {
        MAX_LINES <= self.keys.len() || MAX_BYTES < self.bytes + more as u64
    }

    fn add(&mut self, key: Key, line: &[u8], worst: Cost) -> io::Result<()> {
        self.to.write_all(line)?;
        self.bytes += line.len() as u64;
        self.keys.push(key);
        self.worst += worst;
        Ok(())
    }

    fn finish(self) -> io::Result<(File, Vec<Key>)> {
        self.to.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        let file = File {
            path: self.path.to_string_lossy().into_owned(),
            model: self.model,
            lines: self.keys.len() as u64,
            worst: self.worst,
            status: Status::Written,
            input: None,
            batch: None,
        };
        Ok((file, self.keys))
    }
}

/// The prompt as a line of a batch; none if it cannot be one.
fn request(plan: &ModelPlan, endpoint: &EndpointPlan, id: &str, prompt: &Prompt) -> Option<Vec<u8>> {
    let form = Form {
        model: &endpoint.model,
        seed: prompt.seed,
        length_field: plan.length_field,
        extra: &plan.extra,
    };
    let body = client::request(prompt, form).ok()?;
    batch::line(id, body).ok()
}

fn worst(plan: &ModelPlan, endpoint: &EndpointPlan, prompt: &Prompt) -> Cost {
    let usage = client::worst(prompt, &plan.extra);
    let price = endpoint.price.as_ref().map(Price::new);
    Cost {
        requests: 1,
        tokens: usage.prompt.saturating_add(usage.completion),
        picodollars: price.map_or(0, |price| price.at_most_in_batch(usage)),
    }
}

fn progress(file: &File, batch: &Batch, imported: Imported) -> Progress {
    Progress {
        path: file.path.clone().into(),
        model: file.model.clone(),
        prompts: file.lines,
        status: batch.says(),
        over: batch.is_over(),
        imported,
    }
}

async fn upload(client: &Client, file: &File) -> Result<String, BatchError> {
    let path = PathBuf::from(&file.path);
    let failed = |source| BatchError::Read { path: path.clone(), source };
    let open = tokio::fs::File::open(&path).await.map_err(failed)?;
    let bytes = open.metadata().await.map_err(failed)?.len();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let input = client.upload(&name, open, bytes).await;
    input.map_err(|trouble| refused(&file.model, client, "take a file", &trouble))
}

async fn download(client: &Client, model: &str, id: &str, path: &Path) -> Result<(), BatchError> {
    let failed = |source| BatchError::Write { path: path.to_owned(), source };
    let mut to = tokio::fs::File::create(path).await.map_err(failed)?;
    let done = client.download(id, &mut to).await;
    done.map_err(|trouble| refused(model, client, "hand out a file", &trouble))
}

fn refused(model: &str, client: &Client, what: &'static str, trouble: &Trouble) -> BatchError {
    BatchError::Server { model: model.to_owned(), url: client.shown().to_owned(), what, says: trouble.says() }
}
