//! A pipeline file into a [`Plan`], or into everything that is wrong with it.
//!
//! Pure: what it has to know of the world (built-in names, the environment, keys, cores) comes in as [`Known`]. It does
//! not look whether archives, plugins or models are there; those who use them do.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::complaints::{Complaints, Notes, Spot, hint, listed};
use super::{
    Component, FileTable, Format, Isolation, MixPlan, MixTable, Plan, RunPlan, RunTable, SinkPlan, SinkTable,
    SourcePlan, SourceTable, StagePlan, StageTable, shape,
};

mod endpoint;
mod model;
mod secrets;

use crate::condition::Condition;
pub(super) use endpoint::ENDPOINT_IN_FLIGHT;
use model::CONDITION;
pub(super) use model::{CALL_TIMEOUT_SECONDS, PATIENCE_SECONDS};

/// Enough to keep the default ceiling of an endpoint busy twice over; ordinary pages of that number are tens of MB.
const PAGES_IN_FLIGHT: usize = 512;
/// The journal's name in the sink's folder.
const JOURNAL: &str = "journal.sqlite";
/// The column of rewriters.
const MIX_BY: &str = "style";
/// Archives of Common Crawl have about half of it, and stay in one part.
const PART_MB: u32 = 2048;
/// Pages take milliseconds; ten seconds of computing are a plugin that hangs, on a slow machine too.
const STAGE_TIMEOUT_MS: u32 = 10_000;
/// The largest built-in carries 55 MB of tables; nine times as much is no plugin's ordinary page.
const STAGE_MEMORY_MB: u32 = 512;
/// A plan, a try, a correction and one to spare.
const STAGE_ROUNDS: u32 = 4;
/// A long page in windows of a few hundred words has fewer.
const STAGE_PROMPTS: u32 = 256;
/// Broken pages fail far more rarely; a broken plugin or a wrong setting fails nearly always.
const STAGE_MAX_FAILED: f64 = 0.1;
/// The record types that pages are made of.
const RECORDS: [&str; 2] = ["response", "conversion"];
/// Where archives can be read.
const SOURCE_SCHEMES: [&str; 10] = ["s3", "gs", "az", "https", "http", "cc", "file", "s3a", "azure", "abfs"];
/// Where rows can be written.
const SINK_SCHEMES: [&str; 6] = ["s3", "gs", "az", "s3a", "azure", "abfs"];
/// What a plugin's file is called.
const COMPONENT_SUFFIX: &str = ".wasm";
/// SHA-256 in hexadecimal.
const SHA256_DIGITS: usize = 64;

/// What the check has to know of the program and of the machine.
pub struct Known<'a> {
    /// The names of the built-in stages.
    pub built_in: &'a [&'a str],
    /// The names of the embedded models.
    pub embedded: &'a [&'a str],
    pub env: &'a dyn Fn(&str) -> Option<String>,
    pub read_key_file: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Whether stores know a setting of this name.
    pub is_storage_setting: &'a dyn Fn(&str) -> bool,
    pub cores: usize,
}

impl fmt::Debug for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known")
            .field("built_in", &self.built_in)
            .field("embedded", &self.embedded)
            .field("cores", &self.cores)
            .finish_non_exhaustive()
    }
}

/// Checks a pipeline file. `file` is where it is: what it names is relative to its folder, and complaints name it.
pub fn check(text: &str, file: &Path, known: &Known<'_>) -> Result<Plan, Complaints> {
    let mut notes = Notes::new(text);
    let (tree, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            let span = error.span().unwrap_or_default();
            secrets::hide_line(text, span.start, &mut notes);
            let at = Spot { path: String::new(), span, value: None };
            notes.note(&at, error.message().trim());
        }
        // What stands in a tree with a broken branch is anybody's guess; to complain about it would mislead.
        return Err(notes.into_complaints(file));
    }
    let tree = DeValue::Table(tree.into_inner());
    let root = Spot::root(&tree);
    secrets::hide_secrets(&root, &mut notes);
    let refused = shape::walk(&root, &mut notes);
    let folder = file.parent().unwrap_or(Path::new(""));
    let plan = Check { folder, known, refused, notes: &mut notes }.pipeline(&root);
    match plan {
        Some(plan) if notes.is_empty() => Ok(plan),
        _ => Err(notes.into_complaints(file)),
    }
}

/// What the pipeline file has under a name, for stages to use.
struct Named<'a> {
    models: &'a [&'a str],
    classifiers: &'a [&'a str],
}

/// A kind of thing that stages are granted, and how settings name it.
struct Grant {
    one: &'static str,
    several: &'static str,
}

const MODELS: Grant = Grant { one: "model", several: "models" };
const CLASSIFIERS: Grant = Grant { one: "classifier", several: "classifiers" };

impl Grant {
    /// Whether what stands under the key is the name of one.
    fn is_one(&self, key: &str) -> bool {
        key.strip_suffix(self.one).is_some_and(|before| before.is_empty() || before.ends_with('_'))
    }

    /// Everything in the settings that names one, however deep.
    fn find<'a>(&self, settings: &Spot<'a>, found: &mut Vec<Spot<'a>>) {
        for key in settings.keys() {
            let at = settings.key(key);
            if at.text().is_some() && self.is_one(key) {
                found.push(at);
            } else if key == self.several {
                found.extend((0..at.len()).map(|index| at.index(index)).filter(|at| at.text().is_some()));
            } else {
                self.find(&at, found);
                (0..at.len()).for_each(|index| self.find(&at.index(index), found));
            }
        }
    }

    /// The same for settings as JSON.
    fn named(&self, settings: &serde_json::Map<String, serde_json::Value>, found: &mut Vec<String>) {
        use serde_json::Value;
        for (key, value) in settings {
            match value {
                Value::String(name) if self.is_one(key) => found.push(name.clone()),
                Value::Array(names) if key == self.several => {
                    found.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                Value::Array(tables) => {
                    tables.iter().filter_map(Value::as_object).for_each(|table| self.named(table, found));
                }
                Value::Object(table) => self.named(table, found),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
    }
}

struct Check<'c, 'a> {
    /// The pipeline file's.
    folder: &'c Path,
    known: &'c Known<'c>,
    refused: Vec<Range<usize>>,
    notes: &'c mut Notes<'a>,
}

impl Check<'_, '_> {
    /// Every part is checked, whatever is wrong with the others.
    fn pipeline(&mut self, root: &Spot<'_>) -> Option<Plan> {
        let name = self.name(&root.key("name"));
        let seed = shape::read::<u64>(&root.key("seed"), &self.refused, self.notes);
        let source = self.source(&root.key("source"));
        let models = root.key("models");
        let models: Vec<_> = models.keys().into_iter().map(|name| (name, models.key(name))).collect();
        let names: Vec<&str> = models.iter().map(|(name, _)| *name).collect();
        let plans: Vec<_> = models.iter().map(|(name, spot)| self.model(name, spot)).collect();
        self.together(&models, &plans);
        let budget = self.budget(&root.key("budget"), &models, &plans);
        let classifiers = self.classifiers(&root.key("classifiers"));
        let known: Vec<&str> = classifiers.keys().map(String::as_str).collect();
        let stages = self.stages(&root.key("stages"), &Named { models: &names, classifiers: &known });
        let sink = self.sink(&root.key("sink"));
        let run = self.run(&root.key("run"));
        let sink = sink?;
        Some(Plan {
            seed: seed.map_or(0, |seed| seed.table),
            source: source?,
            models: plans.into_iter().collect::<Option<_>>()?,
            budget,
            stages: stages.into_iter().collect::<Option<_>>()?,
            run: self.run_plan(run, &sink, name.as_deref().unwrap_or_default()),
            name: name?,
            classifiers,
            sink,
        })
    }

    fn classifiers(&mut self, spot: &Spot<'_>) -> BTreeMap<String, FileTable> {
        for name in spot.keys() {
            if !is_word(name) {
                self.notes.refuse(&spot.name(name), format!("`{name}` is no word"), WORD);
            }
        }
        let read = shape::read(spot, &self.refused, self.notes);
        read.map_or_else(BTreeMap::new, |read| self.files(read.table, spot))
    }

    fn name(&mut self, spot: &Spot<'_>) -> Option<String> {
        let name = spot.text()?;
        if !is_word(name) {
            self.notes.refuse(spot, format!("`{name}` is no word"), WORD);
            return None;
        }
        Some(name.to_owned())
    }

    fn source(&mut self, spot: &Spot<'_>) -> Option<SourcePlan> {
        let read = shape::read::<SourceTable>(spot, &self.refused, self.notes)?;
        let table = read.table;
        let archives = spot.key("archives");
        if table.archives.is_empty() && read.whole {
            self.notes.note(&archives, "names no archive");
        }
        for (index, pattern) in table.archives.iter().enumerate() {
            self.archive(pattern, &archives.index(index));
        }
        let records = spot.key("records");
        if table.records.is_empty() && read.whole {
            self.notes.refuse(&records, "names no type of record", listed(RECORDS));
        }
        for (index, kind) in table.records.iter().enumerate() {
            let at = records.index(index);
            if !RECORDS.contains(&kind.as_str()) {
                let says =
                    format!("`{kind}` is no type of record that pages are made of{}", hint(kind, RECORDS));
                self.notes.refuse(&at, says, listed(RECORDS));
            } else if table.records.iter().take(index).any(|earlier| earlier == kind) {
                self.notes.note(&at, format!("`{kind}` is named twice"));
            }
        }
        self.storage(&table.storage, &spot.key("storage"));
        let archives = table.archives.iter().map(|pattern| self.pattern(pattern)).collect();
        Some(SourcePlan {
            archives,
            base: table.base,
            allow_private: table.allow_private,
            common_crawl: table.common_crawl,
            storage: table.storage,
            records: table.records,
            at_once: size(table.at_once),
        })
    }

    fn storage(&mut self, settings: &BTreeMap<String, String>, spot: &Spot<'_>) {
        for name in settings.keys() {
            if is_secret(name) {
                let accepted = format!("the variable `{}` of the environment", name.to_ascii_uppercase());
                self.notes.refuse(&spot.name(name), "secrets never stand in the pipeline file", accepted);
            } else if !(self.known.is_storage_setting)(name) {
                let accepted =
                    "names such as `aws_endpoint`, `aws_region`, `aws_skip_signature`, `aws_allow_http`";
                self.notes.refuse(&spot.name(name), format!("stores have no setting `{name}`"), accepted);
            }
        }
    }

    fn archive(&mut self, pattern: &str, at: &Spot<'_>) {
        if pattern.is_empty() {
            self.notes.refuse(at, "names no archive", "a path, a glob or a URL");
        } else if let Some((scheme, _)) = pattern.split_once("://")
            && !SOURCE_SCHEMES.contains(&scheme)
        {
            let says = format!("there are no archives at `{scheme}://`{}", hint(scheme, SOURCE_SCHEMES));
            self.notes.refuse(at, says, format!("a path, a glob, or a URL of {}", listed(SOURCE_SCHEMES)));
        }
    }

    /// A glob relative to the pipeline file as one that works anywhere. The folder is a path and no pattern, whatever
    /// letters its name has.
    fn pattern(&self, pattern: &str) -> String {
        if pattern.contains("://") {
            return pattern.to_owned();
        }
        let joined = self.folder.join(pattern).to_string_lossy().into_owned();
        let Some(folder) = joined.strip_suffix(pattern).filter(|folder| folder.contains(['*', '?', '[']))
        else {
            return joined;
        };
        let mut escaped = String::new();
        for letter in folder.chars() {
            match letter {
                '*' | '?' | '[' | ']' => escaped.extend(['[', letter, ']']),
                _ => escaped.push(letter),
            }
        }
        escaped + pattern
    }

    fn stages(&mut self, spot: &Spot<'_>, named: &Named<'_>) -> Vec<Option<StagePlan>> {
        if spot.value.is_some_and(DeValue::is_array) && spot.len() == 0 {
            self.notes.refuse(spot, "there is no stage", "one `[[stages]]` or more");
        }
        let mut taken = HashSet::new();
        (0..spot.len()).map(|index| self.stage(&spot.index(index), named, &mut taken)).collect()
    }

    fn stage(
        &mut self,
        spot: &Spot<'_>,
        named: &Named<'_>,
        taken: &mut HashSet<String>,
    ) -> Option<StagePlan> {
        let read = shape::read::<StageTable>(spot, &self.refused, self.notes)?;
        let table = read.table;
        let component = self.component(&table.plugin, &spot.key("plugin"));
        let models = self.granted(table.models.as_deref(), spot, &MODELS, named.models);
        let classifiers = self.granted(table.classifiers.as_deref(), spot, &CLASSIFIERS, named.classifiers);
        let files = self.files(table.files, &spot.key("files"));
        if let Some(Err(error)) = table.when.as_deref().map(Condition::parse) {
            self.notes.refuse(&spot.key("when"), error.to_string(), CONDITION);
        }
        let max_failed = table.max_failed.unwrap_or(STAGE_MAX_FAILED);
        if !(0.0..=1.0).contains(&max_failed) {
            let says = format!("{max_failed} is no share of the documents");
            self.notes.refuse(&spot.key("max_failed"), says, "a number from 0 to 1");
        }
        let component = component?;
        let megabytes = table.memory_mb.map_or(STAGE_MEMORY_MB, NonZeroU32::get);
        Some(StagePlan {
            name: stage_name(&component, taken),
            plugin: table.plugin,
            component,
            when: table.when,
            settings: serde_json::Value::Object(table.settings).to_string(),
            models,
            classifiers,
            files,
            isolation: table.isolation,
            timeout: Duration::from_millis(table.timeout_ms.map_or(STAGE_TIMEOUT_MS, NonZeroU32::get).into()),
            memory_bytes: (megabytes as usize) << 20,
            rounds: table.rounds.map_or(STAGE_ROUNDS, NonZeroU32::get) as usize,
            prompts: table.prompts.map_or(STAGE_PROMPTS, NonZeroU32::get) as usize,
            max_failed,
        })
    }

    fn component(&mut self, plugin: &str, at: &Spot<'_>) -> Option<Component> {
        let built_in = self.known.built_in;
        if built_in.contains(&plugin) {
            return Some(Component::BuiltIn(plugin.to_owned()));
        }
        let accepted =
            format!("{}, or the path of a `{COMPONENT_SUFFIX}` component", listed(built_in.iter().copied()));
        if plugin.contains("://") || plugin.contains("@sha256:") {
            self.notes.refuse(at, "remote plugins are not supported by this version", accepted);
            return None;
        }
        if !plugin.ends_with(COMPONENT_SUFFIX) {
            let says =
                format!("there is no built-in stage `{plugin}`{}", hint(plugin, built_in.iter().copied()));
            self.notes.refuse(at, says, accepted);
            return None;
        }
        Some(Component::File(self.folder.join(plugin)))
    }

    /// What a stage may use: what its table lists, or else what its settings name. Beside a list, settings of other
    /// people's plugins may use such keys for something else.
    fn granted(
        &mut self,
        listed_ones: Option<&[String]>,
        spot: &Spot<'_>,
        kind: &Grant,
        known: &[&str],
    ) -> Vec<String> {
        let mut named = Vec::new();
        kind.find(&spot.key("settings"), &mut named);
        let list = spot.key(kind.several);
        let granted: Vec<Spot<'_>> = (0..list.len()).map(|index| list.index(index)).collect();
        let plain = spot.key("settings").key(kind.one).path;
        if listed_ones.is_some() {
            named.retain(|at| at.path == plain || at.text().is_some_and(|name| known.contains(&name)));
        }
        for at in granted.iter().chain(&named) {
            let name = at.text().unwrap_or_default();
            if !known.contains(&name) {
                let says = format!("there is no {} `{name}`{}", kind.one, hint(name, known.iter().copied()));
                self.notes.refuse(at, says, listed(known.iter().copied()));
            } else if let Some(ones) = listed_ones
                && !ones.iter().any(|one| one == name)
            {
                let says = format!("the stage is not granted the {} `{name}`", kind.one);
                self.notes.refuse(at, says, format!("`{name}` in `{}`", list.path));
            }
        }
        let mut all = listed_ones.map(<[String]>::to_vec).unwrap_or_default();
        if listed_ones.is_none() {
            all.extend(named.iter().filter_map(Spot::text).map(str::to_owned));
        }
        let mut seen = HashSet::new();
        all.retain(|one| seen.insert(one.clone()));
        all
    }

    fn files(&mut self, files: BTreeMap<String, FileTable>, spot: &Spot<'_>) -> BTreeMap<String, FileTable> {
        let mut resolved = BTreeMap::new();
        for (name, file) in files {
            let at = spot.key(&name);
            if name.is_empty() {
                self.notes.note(&at, "a file without a name cannot be asked for");
            }
            let sha256 = file.sha256.map(|digest| digest.to_ascii_lowercase());
            if let Some(digest) = &sha256
                && (digest.len() != SHA256_DIGITS || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
            {
                let accepted = format!("{SHA256_DIGITS} hexadecimal digits");
                self.notes.refuse(&at.key("sha256"), "is no SHA-256", accepted);
            }
            resolved.insert(name, FileTable { path: self.folder.join(file.path), sha256 });
        }
        resolved
    }

    fn sink(&mut self, spot: &Spot<'_>) -> Option<SinkPlan> {
        let table = shape::read::<SinkTable>(spot, &self.refused, self.notes)?.table;
        let at = spot.key("path");
        if let Err(says) = check_sink(&table.path) {
            self.notes.refuse(&at, says, format!("a folder, or a URL of {}", listed(SINK_SCHEMES)));
        }
        for (index, column) in table.partition_by.iter().enumerate() {
            let at = spot.key("partition_by").index(index);
            if column == "text" {
                self.notes.note(&at, "the text is what rows are for; it names no folder");
            } else if table.partition_by.iter().take(index).any(|earlier| earlier == column) {
                self.notes.note(&at, format!("`{column}` is named twice"));
            }
        }
        if table.format == Format::Warc && !table.partition_by.is_empty() {
            self.notes.note(&spot.key("partition_by"), "folders by column are for `jsonl.zst` and `parquet`");
        }
        self.storage(&table.storage, &spot.key("storage"));
        let mix = table.mix.map(|mix| self.mix(mix, &spot.key("mix")));
        Some(SinkPlan {
            path: table.path,
            format: table.format,
            rejects: table.rejects,
            partition_by: table.partition_by,
            mix,
            part_bytes: u64::from(table.part_mb.map_or(PART_MB, NonZeroU32::get)) << 20,
            storage: table.storage,
            single_writer: table.single_writer,
        })
    }

    fn mix(&mut self, table: MixTable, spot: &Spot<'_>) -> MixPlan {
        if table.shares.is_empty() {
            self.notes.refuse(
                &spot.key("shares"),
                "names no kind",
                "kinds and shares: `{ wikipedia = 0.3 }`",
            );
        }
        for (kind, share) in &table.shares {
            if !(0.0..=1.0).contains(share) {
                let says = format!("{share} is no share of the rows");
                self.notes.refuse(&spot.key("shares").key(kind), says, "a number from 0 to 1");
            }
        }
        MixPlan { by: table.by.unwrap_or_else(|| MIX_BY.to_owned()), shares: table.shares }
    }

    fn run(&mut self, spot: &Spot<'_>) -> RunTable {
        shape::read::<RunTable>(spot, &self.refused, self.notes).map(|run| run.table).unwrap_or_default()
    }

    fn run_plan(&self, table: RunTable, sink: &SinkPlan, name: &str) -> RunPlan {
        RunPlan {
            workers: table.workers.map_or(self.known.cores.max(1), size),
            pages_in_flight: table.pages_in_flight.map_or(PAGES_IN_FLIGHT, size),
            journal: table.journal.unwrap_or_else(|| journal_of(&sink.path, name)),
        }
    }
}

impl Plan {
    /// Writes elsewhere than the pipeline file says. The journal comes along unless it has a place of its own.
    pub fn move_sink(&mut self, path: String) -> Result<(), BadSink> {
        check_sink(&path).map_err(|says| BadSink { path: path.clone(), says })?;
        if self.run.journal == journal_of(&self.sink.path, &self.name) {
            self.run.journal = journal_of(&path, &self.name);
        }
        self.sink.path = path;
        Ok(())
    }
}

/// Why a stage cannot be set up by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no built-in stage `{plugin}`{hint}; accepted are {accepted}")]
pub struct NoSuchStage {
    plugin: String,
    hint: String,
    accepted: String,
}

impl StagePlan {
    /// A stage outside of any pipeline, with every default; it may ask the models that its settings name.
    pub fn alone(
        plugin: &str,
        settings: &serde_json::Map<String, serde_json::Value>,
        built_in: &[&str],
    ) -> Result<Self, NoSuchStage> {
        let component = if built_in.contains(&plugin) {
            Component::BuiltIn(plugin.to_owned())
        } else if plugin.ends_with(COMPONENT_SUFFIX) {
            Component::File(PathBuf::from(plugin))
        } else {
            let accepted = format!(
                "{}, or the path of a `{COMPONENT_SUFFIX}` component",
                listed(built_in.iter().copied())
            );
            let hint = hint(plugin, built_in.iter().copied());
            return Err(NoSuchStage { plugin: plugin.to_owned(), hint, accepted });
        };
        let (mut models, mut classifiers) = (Vec::new(), Vec::new());
        MODELS.named(settings, &mut models);
        CLASSIFIERS.named(settings, &mut classifiers);
        Ok(Self {
            plugin: plugin.to_owned(),
            name: stage_name(&component, &mut HashSet::new()),
            component,
            when: None,
            settings: serde_json::Value::Object(settings.clone()).to_string(),
            models,
            classifiers,
            files: BTreeMap::new(),
            isolation: Isolation::default(),
            timeout: Duration::from_millis(STAGE_TIMEOUT_MS.into()),
            memory_bytes: (STAGE_MEMORY_MB as usize) << 20,
            rounds: STAGE_ROUNDS as usize,
            prompts: STAGE_PROMPTS as usize,
            max_failed: STAGE_MAX_FAILED,
        })
    }
}

/// A database needs a disk.
fn journal_of(sink: &str, name: &str) -> PathBuf {
    if sink.contains("://") {
        PathBuf::from(format!("{name}.{JOURNAL}"))
    } else {
        Path::new(sink).join(JOURNAL)
    }
}

/// Why rows cannot be written to a place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {says}; accepted are folders and URLs of {}", listed(SINK_SCHEMES))]
pub struct BadSink {
    path: String,
    says: &'static str,
}

fn check_sink(path: &str) -> Result<(), &'static str> {
    match path.split_once("://") {
        _ if path.is_empty() => Err("names no folder"),
        Some((scheme, _)) if !SINK_SCHEMES.contains(&scheme) => Err("is nowhere that rows can be written"),
        Some((_, rest)) if rest.split('/').next().is_none_or(str::is_empty) => Err("names no bucket"),
        Some((_, rest)) if rest.contains(['?', '#']) => Err("has a query or a fragment"),
        Some(_) | None => Ok(()),
    }
}

/// Whether a store's setting is a credential rather than where one is.
fn is_secret(name: &str) -> bool {
    let secret = [
        "secret",
        "token",
        "password",
        "sas_",
        "access_key",
        "account_key",
        "master_key",
        "service_account_key",
    ];
    let place = ["_file", "_path", "_uri", "_endpoint"];
    secret.iter().any(|word| name.contains(word)) && !place.iter().any(|end| name.ends_with(end))
}

/// What names are made of: they become file names, columns of a report and words in messages.
const WORD: &str = "letters (a to z), digits, `-` and `_`, the first one no sign";

fn is_word(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '-' || it == '_')
}

/// The plugin's name; from the second stage with that name on, with its number.
fn stage_name(component: &Component, taken: &mut HashSet<String>) -> String {
    let name = match component {
        Component::BuiltIn(name) => name.clone(),
        Component::File(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    };
    let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
    let free = free.unwrap_or(name);
    taken.insert(free.clone());
    free
}

fn size(number: NonZeroU32) -> usize {
    number.get() as usize
}

#[cfg(test)]
mod tests;
