//! What can be typed. The doc comments are the help.

use std::path::PathBuf;

use clap::{Args as Arguments, Parser, Subcommand};

/// Turns web crawls into pretraining text.
///
/// Exit codes: 0 every record has an outcome and none failed; 1 finished, and some records failed; 2 the command or the
/// pipeline file is wrong; 3 the world failed (source, sink or model) and the same command goes on from there; 30 the
/// budget is used up, and with a higher one the same command goes on from there; 31 pages wait for the replies of a
/// batch; 130 interrupted, and the same command goes on from there.
#[derive(Debug, Parser)]
#[command(name = "palimpsest", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run a pipeline; started again, it goes on where it was
    Run(RunArgs),
    /// Check a pipeline file and everything it names, and show the plan with every default filled in
    Check(CheckArgs),
    /// Say what a run would ask of models, and what that would cost, from a sample of its pages
    Estimate(EstimateArgs),
    /// Print one JSON line for each record of an archive; ends with 1 if some are damaged
    Records(RecordsArgs),
    /// Write report, dataset card and manifest for the parts that are there; ends with 1 if some are missing
    Finalize(FinalizeArgs),
    /// Take away what dead attempts have left in the sink
    Gc(GcArgs),
    /// Send files of prompts to the models' servers as batches, and take the replies into the journal
    #[command(subcommand)]
    Batch(BatchVerb),
    /// Look into a journal of replies, or tidy it up
    #[command(subcommand)]
    Journal(JournalVerb),
    /// Say what the rows of runs show together: how synthetic each crawl is, and what cleaning costs as it grows
    Report(ReportArgs),
    /// Learn from a sample which scores make 20 buckets of as many tokens, for each language, and write the stage `score`'s
    /// table
    Calibrate(CalibrateArgs),
    /// Teach a classifier what a column of rows says, such as what the stage `annotate` had a model say of a sample
    TrainClassifier(TrainArgs),
    /// Let one plugin judge documents: JSON lines in, one JSON line each out
    Apply(ApplyArgs),
    /// Fetch the weights of an embedded model into the user's cache
    #[cfg(feature = "embedded")]
    Fetch(FetchArgs),
}

#[derive(Debug, Arguments)]
pub(crate) struct RunArgs {
    /// The pipeline file
    pub(crate) file: PathBuf,
    /// Stop after so many pages; archives are then read one after another
    #[arg(long, value_name = "PAGES")]
    pub(crate) limit: Option<u64>,
    /// Ask no model: every reply must be in the journal
    #[arg(long)]
    pub(crate) replay: bool,
    /// Ask no server: write the prompts that have no reply yet to files for a batch in this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "replay")]
    pub(crate) batch: Option<PathBuf>,
    /// Run nothing: show the plan, and what `palimpsest estimate` says of it
    #[arg(long, conflicts_with_all = ["replay", "batch"])]
    pub(crate) dry_run: bool,
    /// Write here instead of to sink.path
    #[arg(long, value_name = "PLACE")]
    pub(crate) out: Option<String>,
    /// The journal of replies, instead of run.journal
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Worker threads, instead of run.workers
    #[arg(long, value_name = "THREADS")]
    pub(crate) workers: Option<std::num::NonZeroU32>,
    /// Replace parts that another pipeline has made
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Print only complaints and the report
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct CheckArgs {
    /// The pipeline file
    pub(crate) file: PathBuf,
}

#[derive(Debug, Arguments)]
pub(crate) struct EstimateArgs {
    /// The pipeline file
    pub(crate) file: PathBuf,
    /// The pages of the sample, from up to eight archives
    #[arg(long, value_name = "PAGES", default_value_t = SAMPLE)]
    pub(crate) pages: u64,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A few seconds of the stages' time, and an interval of some per cent.
pub(crate) const SAMPLE: u64 = 400;

#[derive(Debug, Arguments)]
pub(crate) struct RecordsArgs {
    /// A WARC or ARC file, plain or compressed: a path or a URL
    pub(crate) archive: String,
    /// Add what the standard forbids to each record, and end with 1 if there is any of it
    #[arg(long)]
    pub(crate) strict: bool,
    /// A setting of the archive's store, such as aws_skip_signature=true
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub(crate) storage: Vec<(String, String)>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it needs a name, an equals sign and a value")?;
    if !palimpsest::store::is_setting(name) {
        return Err(format!("stores have no setting `{name}`"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[derive(Debug, Arguments)]
pub(crate) struct FinalizeArgs {
    /// The pipeline file
    pub(crate) file: PathBuf,
    /// The sink, instead of sink.path
    #[arg(long, value_name = "PLACE")]
    pub(crate) out: Option<String>,
}

#[derive(Debug, Arguments)]
pub(crate) struct GcArgs {
    /// The pipeline file
    pub(crate) file: PathBuf,
    /// The sink, instead of sink.path
    #[arg(long, value_name = "PLACE")]
    pub(crate) out: Option<String>,
    /// Attempts that wrote nothing for so many hours are dead
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    pub(crate) idle_hours: u32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BatchVerb {
    /// Upload the files that `run --batch` has written, and let their batches begin
    Submit(BatchArgs),
    /// Say how far the batches are, and take the replies of those that are over into the journal; ends with 31 if some
    /// are not
    Fetch(BatchArgs),
    /// Take replies from files, as `vllm run-batch` writes them, into the journal
    Import(ImportArgs),
}

#[derive(Debug, Arguments)]
pub(crate) struct BatchArgs {
    /// The pipeline file
    pub(crate) file: PathBuf,
    /// The journal of replies, instead of run.journal
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
}

#[derive(Debug, Arguments)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub(crate) of: BatchArgs,
    /// Files of replies, one JSON line each
    #[arg(required = true)]
    pub(crate) replies: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JournalVerb {
    /// Say how many replies there are, of which models, and what they cost
    Stats(StatsArgs),
    /// Print every answer as one JSON line
    Export(ExportArgs),
    /// Take away the answers that no recent run has used; what they cost stays on the books
    Gc(TidyArgs),
}

#[derive(Debug, Arguments)]
pub(crate) struct StatsArgs {
    /// The journal, or the pipeline file that names it
    pub(crate) file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct ExportArgs {
    /// The journal, or the pipeline file that names it
    pub(crate) file: PathBuf,
    /// Only the answers of this model, by its name in the pipeline
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
}

#[derive(Debug, Arguments)]
pub(crate) struct TidyArgs {
    /// The journal, or the pipeline file that names it
    pub(crate) file: PathBuf,
    /// How many of the last runs count that have used any; one that a limit ended early has used few
    #[arg(long, value_name = "RUNS")]
    pub(crate) keep_runs: std::num::NonZeroU32,
    /// Only say how many would go
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct ApplyArgs {
    /// A built-in stage or the path of a `.wasm` component
    pub(crate) plugin: String,
    /// The stage's settings as JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(crate) settings: String,
    /// Replies to feed as the stage asks: JSON lines {"id", "replies": ["…", null, …]}
    #[arg(long, value_name = "FILE")]
    pub(crate) replies: Option<PathBuf>,
    /// A model that the stage may ask, beside those that its settings name
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Vec<String>,
    /// A file that the stage may read, under the name that it asks for
    #[arg(long, value_name = "NAME=PATH", value_parser = named_path)]
    pub(crate) file: Vec<(String, PathBuf)>,
    /// A classifier that the stage may call: a model of fastText, `.bin` or `.ftz`
    #[arg(long, value_name = "NAME=PATH", value_parser = named_path)]
    pub(crate) classifier: Vec<(String, PathBuf)>,
    /// Milliseconds of computing for one call
    #[arg(long, value_name = "MS")]
    pub(crate) timeout_ms: Option<std::num::NonZeroU32>,
    /// MiB of memory for the instance
    #[arg(long, value_name = "MIB")]
    pub(crate) memory_mb: Option<std::num::NonZeroU32>,
}

#[derive(Debug, Arguments)]
pub(crate) struct ReportArgs {
    /// Folders of runs, or files of rows: `.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.parquet`
    #[arg(required = true)]
    pub(crate) rows: Vec<PathBuf>,
    /// Write a page with charts to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// The `prefix` of the stage `synthetic` that measured: another one stands behind a rewriter for what it adds
    #[arg(long, value_name = "PREFIX", default_value = "synthetic")]
    pub(crate) meter: String,
    /// The last year, year and week, or crawl of those that later ones are compared with; ChatGPT came at the end of 2022
    #[arg(long, value_name = "YEAR", default_value = "2022-49")]
    pub(crate) baseline: String,
}

#[derive(Debug, Arguments)]
pub(crate) struct CalibrateArgs {
    /// Folders of runs, or files of rows: `.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.parquet`
    #[arg(required = true)]
    pub(crate) rows: Vec<PathBuf>,
    /// A scorer of the stage `score`, whose column is `NAME_score`; may be given several times
    #[arg(long, value_name = "NAME", required = true)]
    pub(crate) scorer: Vec<String>,
    /// Where to write the table
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// A language with fewer documents has the boundaries of all languages together
    #[arg(long, value_name = "DOCUMENTS", default_value_t = palimpsest::calibration::MIN_DOCUMENTS)]
    pub(crate) min_documents: u64,
}

#[derive(Debug, Arguments)]
pub(crate) struct TrainArgs {
    /// Folders of runs, or files of rows: `.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.parquet`
    #[arg(required = true)]
    pub(crate) rows: Vec<PathBuf>,
    /// The column of what is to be said of a text; numbers are rounded
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: String,
    /// The column of the text
    #[arg(long, value_name = "COLUMN", default_value = "text")]
    pub(crate) text: String,
    /// Teach whether the value is at least so much, as the labels `hq` and `lq`, and not the value itself
    #[arg(long, value_name = "NUMBER")]
    pub(crate) at_least: Option<f64>,
    /// Where to write the model: a `.bin` as fastText's own tool does; with the ending `.ftz` it is quantised
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The share of hosts whose pages are kept from the model and show what it has learnt
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(crate) held_out: f64,
    /// Learn from texts in lower case; the stage `score` must do the same
    #[arg(long)]
    pub(crate) lowercase: bool,
    /// Look at so many characters of a text, as the stage `score` must; 0 for all of them
    #[arg(long, value_name = "CHARS", default_value_t = 0)]
    pub(crate) max_chars: usize,
    #[command(flatten)]
    pub(crate) params: TrainParams,
}

/// Under the names and with the defaults of fastText's own tool, but for pairs of words, which DCLM's classifier has, and a
/// quarter of the rows.
#[derive(Debug, Arguments)]
pub(crate) struct TrainParams {
    /// The learning rate at the beginning
    #[arg(long, default_value_t = 0.1)]
    pub(crate) lr: f32,
    /// Columns of the matrices
    #[arg(long, default_value_t = 100)]
    pub(crate) dim: u32,
    /// How often each page is learnt from
    #[arg(long, default_value_t = 5)]
    pub(crate) epoch: u32,
    /// A rarer word has no row of its own
    #[arg(long, default_value_t = 1)]
    pub(crate) min_count: u32,
    /// The longest run of words that has a row
    #[arg(long, default_value_t = 2)]
    pub(crate) word_ngrams: u32,
    /// How many rows the runs of words share: with 100 columns 400 bytes each
    #[arg(long, default_value_t = 500_000)]
    pub(crate) bucket: u32,
    /// The shortest run of characters that has a row
    #[arg(long, default_value_t = 0)]
    pub(crate) minn: u32,
    /// The longest; 0 for none
    #[arg(long, default_value_t = 0)]
    pub(crate) maxn: u32,
    /// Another number, another order of the pages
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

fn named_path(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), path.into())),
        _ => Err("write NAME=PATH".to_owned()),
    }
}

#[cfg(feature = "embedded")]
#[derive(Debug, Arguments)]
pub(crate) struct FetchArgs {
    /// The model's name, such as smollm2-135m-instruct
    pub(crate) model: String,
}
