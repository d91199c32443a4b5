//! The pipeline file, key for key, and the plan that it is checked into.
//!
//! The types of this file mirror the TOML: every table refuses unknown keys, nothing is flattened or untagged, and the
//! doc comments are the reference. [`check::check`] turns a file into a [`Plan`], or into every complaint at once; reading
//! the files that the pipeline names is left to the modules that use them.

pub mod check;
pub mod complaints;
mod describe;
mod shape;

use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::tokens;

/// A pipeline: where pages come from, what becomes of them, and where the rows go.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineFile {
    /// What the run is called in its report: letters, digits, `-` and `_`.
    pub name: String,
    /// Mixed into every prompt's seed: another number, other replies.
    #[serde(default)]
    pub seed: u64,
    pub source: SourceTable,
    /// Language models that stages may ask, by the names that stages know them by.
    #[serde(default)]
    pub models: BTreeMap<String, ModelTable>,
    /// What all calls together may cost.
    #[serde(default)]
    pub budget: BudgetTable,
    /// Models of fastText that stages may call, by the names that stages know them by: files in the formats `.bin` and
    /// `.ftz`. Each is in memory once, however many stages and workers use it.
    #[serde(default)]
    pub classifiers: BTreeMap<String, FileTable>,
    /// Pages pass them in this order.
    pub stages: Vec<StageTable>,
    pub sink: SinkTable,
    #[serde(default)]
    pub run: RunTable,
}

/// The JSON Schema of the pipeline file, for editors.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(PipelineFile).to_value()
}

/// `[source]`: where the pages come from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceTable {
    /// Archives, read in the order given: paths and globs, relative to the pipeline file; `s3://`, `gs://` and `az://`
    /// objects, globs and prefixes that end in `/`; `http(s)://` files; lists of paths (`….paths`, `….paths.gz`); and
    /// crawls of Common Crawl, such as `cc://CC-MAIN-2026-40/warc`.
    pub archives: Vec<String>,
    /// What the entries of lists of paths are relative to, such as `s3://commoncrawl/`; the list's own bucket, host or
    /// folder by default.
    pub base: Option<String>,
    /// Whether the names of web servers may mean addresses that are not public, as a mirror's on a private network do.
    /// Private addresses in digits and `localhost` are always taken from this file, and never from a list or a redirect.
    #[serde(default)]
    pub allow_private: bool,
    /// Where `cc://` is read when there are no credentials for S3: `https://data.commoncrawl.org/` by default.
    pub common_crawl: Option<String>,
    /// Settings of the stores that archives are read from, under the names of the environment's variables in small
    /// letters: `aws_endpoint`, `aws_region`, `aws_skip_signature`. Credentials stay in the environment.
    #[serde(default)]
    pub storage: BTreeMap<String, String>,
    /// The types of WARC records that are pages: `response` (captures) and `conversion` (the texts of WET files).
    #[serde(default = "default_records")]
    pub records: Vec<String>,
    /// How many archives are read at once.
    #[serde(default = "default_archives_at_once")]
    pub at_once: NonZeroU32,
}

fn default_records() -> Vec<String> {
    vec!["response".to_owned(), "conversion".to_owned()]
}

/// Two: while the last pages of one archive wait for a model, the next one is read already.
fn default_archives_at_once() -> NonZeroU32 {
    const { NonZeroU32::new(2).expect("2 is not 0") }
}

/// `[models.NAME]`: a language model that stages may ask.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelTable {
    /// The base URL of an OpenAI-compatible server, such as `http://127.0.0.1:8000/v1`. Either this, `endpoints` or
    /// `embedded`.
    pub endpoint: Option<String>,
    /// Several servers of the same model, of which each call goes to one that has room and is well.
    #[serde(default)]
    pub endpoints: Vec<EndpointTable>,
    /// A model that runs inside the process: `smollm2-135m-instruct`.
    pub embedded: Option<String>,
    /// The model's name at the endpoint.
    pub model: Option<String>,
    /// Where the endpoint's key is: `{ env = "NAME" }` or `{ file = "PATH" }`. The key itself never stands here.
    pub key: Option<KeyTable>,
    /// The server's limit on requests; none by default.
    pub requests_per_minute: Option<NonZeroU32>,
    /// The server's limit on tokens, prompts and replies together; none by default.
    pub tokens_per_minute: Option<NonZeroU32>,
    /// The most calls that may be under way at once: 256 at an endpoint, where the gate finds out by itself how many of
    /// them do any good, and 4 in the process by default.
    pub in_flight: Option<NonZeroU32>,
    /// Dollars per million tokens; unknown by default, and without it there is no `budget.max_usd`.
    pub price: Option<PriceTable>,
    /// Seconds until a call that has sent nothing is given up; 300 by default.
    pub timeout_seconds: Option<NonZeroU32>,
    /// Seconds that a model may be out of order before the run stops, 600 by default; what was done is kept.
    pub patience_seconds: Option<NonZeroU32>,
    /// The context of the embedded model in tokens, for each call; 2048 by default.
    pub context: Option<NonZeroU32>,
    /// What `palimpsest estimate` counts the model's tokens with: a `tokenizer.json`, relative to the pipeline file, or
    /// one of the vocabularies that are built in, `o200k_base` by default.
    pub tokenizer: Option<String>,
    /// What the server calls the most tokens of a reply: newer models of OpenAI want `max_completion_tokens`.
    #[serde(default)]
    pub length_field: LengthField,
    /// Fields that go into every request as they are, such as `chat_template_kwargs = { enable_thinking = false }`. What
    /// changes the price (`service_tier`) has to be in `price`.
    #[serde(default)]
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// Documents for which another model answers in this one's place; the first one that fits decides.
    #[serde(default)]
    pub routes: Vec<RouteTable>,
}

/// `[[models.NAME.endpoints]]`: one of several servers. What is left out is as in the model's own table.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointTable {
    /// The base URL.
    pub url: String,
    /// What the same model is called at this server.
    pub model: Option<String>,
    pub key: Option<KeyTable>,
    /// How much of the work it gets, beside the others', while all of them have room; 1 by default.
    pub weight: Option<NonZeroU32>,
    pub requests_per_minute: Option<NonZeroU32>,
    pub tokens_per_minute: Option<NonZeroU32>,
    pub in_flight: Option<NonZeroU32>,
    pub price: Option<PriceTable>,
}

/// `[[models.NAME.routes]]`: who answers for which documents.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteTable {
    /// A condition (CEL) on the document's fields, such as `language == 'de'`.
    pub when: String,
    /// The name of another `[models.NAME]`.
    pub to: String,
}

/// What a request calls the most tokens of its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LengthField {
    #[default]
    MaxTokens,
    MaxCompletionTokens,
}

impl LengthField {
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }
}

/// `[budget]`: what the calls of a pipeline may cost, from the journal's beginning on: a run that is started again
/// goes on counting where it was. At the cap a run stops in order, and goes on when the cap is raised.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetTable {
    /// Dollars; every model at an endpoint needs a `price` then.
    pub max_usd: Option<f64>,
    /// Calls, those that failed included.
    pub max_requests: Option<NonZeroU64>,
    /// Tokens of prompts and replies.
    pub max_tokens: Option<NonZeroU64>,
}

/// Where a key is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyTable {
    /// An environment variable.
    pub env: Option<String>,
    /// A file whose first line is the key.
    pub file: Option<PathBuf>,
}

/// Dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceTable {
    pub input: f64,
    /// Tokens of the prompt that the server had in its cache; like `input` by default.
    pub cached_input: Option<f64>,
    pub output: f64,
    /// What a call costs in a batch, as a share of this: 0.5 for half; 1 by default.
    pub batch: Option<f64>,
}

/// `[[stages]]`: one stage; pages pass them in the order of the file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageTable {
    /// A built-in stage, or the path of a `.wasm` component relative to the pipeline file.
    pub plugin: String,
    /// Which documents the stage is for, in CEL over what the stages before it wrote: `quality_bucket > 11 && language ==
    /// 'en'`. The others pass by untouched, and so does one of which it cannot be told.
    pub when: Option<String>,
    /// The stage's own settings; `palimpsest check` shows what it accepts.
    #[serde(default)]
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Models that the stage may ask, by name. By default those that its settings name under `model`, or a key that ends in
    /// `_model`.
    pub models: Option<Vec<String>>,
    /// Classifiers that the stage may call, by name. By default those that its settings name under `classifier`.
    pub classifiers: Option<Vec<String>>,
    /// Files that the stage may read, by the name that it knows them by.
    #[serde(default)]
    pub files: BTreeMap<String, FileTable>,
    /// `reuse` keeps an instance for many documents, `fresh` makes a new one for each.
    #[serde(default)]
    pub isolation: Isolation,
    /// Milliseconds of computing for one call; 10000 by default.
    pub timeout_ms: Option<NonZeroU32>,
    /// MiB of memory for one instance; 512 by default.
    pub memory_mb: Option<NonZeroU32>,
    /// How often the stage may ask for one document; 4 times by default.
    pub rounds: Option<NonZeroU32>,
    /// How many prompts one round may have; 256 by default.
    pub prompts: Option<NonZeroU32>,
    /// The share of documents that may fail in this stage before the run stops, once 100 have been tried: a
    /// number from 0 to 1, a tenth by default.
    pub max_failed: Option<f64>,
}

/// A file that a stage may read, or one that is read for it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileTable {
    /// Relative to the pipeline file.
    pub path: PathBuf,
    /// What the file must be, as hexadecimal digits; a file that differs stops the run before it begins.
    pub sha256: Option<String>,
}

/// How long an instance of a stage lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    #[default]
    Reuse,
    Fresh,
}

/// `[sink]`: where the rows go.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SinkTable {
    /// A folder, relative to the folder in which the command is run, or a prefix in a bucket: `s3://`, `gs://`, `az://`.
    pub path: String,
    /// `jsonl.zst`, `parquet` or `warc`.
    #[serde(default)]
    pub format: Format,
    /// Whether rejected documents are written beside the rows, with stage, reason and text.
    #[serde(default = "default_rejects")]
    pub rejects: bool,
    /// Columns whose values name folders, as in `data/kind=synthetic/style=qa/`; such a column is in the folders' names
    /// and no more in the files.
    #[serde(default)]
    pub partition_by: Vec<String>,
    /// How much of the rows may be of a kind, such as synthetic text of a style.
    pub mix: Option<MixTable>,
    /// MiB of an archive after which its part is closed and another one begun; 2048 by default. A run that is started
    /// again reads a long archive from its last part on.
    pub part_mb: Option<NonZeroU32>,
    /// Settings of the store, like those of `source.storage`.
    #[serde(default)]
    pub storage: BTreeMap<String, String>,
    /// For stores that cannot write a file only if it is not there: nobody else writes to this sink.
    #[serde(default)]
    pub single_writer: bool,
}

/// Shares of the tokens of each part, beyond which rows are rejected as `over_share`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MixTable {
    /// The column that says of which kind a row is; `style` by default.
    pub by: Option<String>,
    /// The largest share of each kind, from 0 to 1: `{ wikipedia = 0.3, diverse_qa = 0.2 }`. Rows of other kinds are all
    /// written.
    pub shares: BTreeMap<String, f64>,
}

fn default_rejects() -> bool {
    true
}

/// The format of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
pub enum Format {
    /// One JSON object a line, in zstd frames.
    #[default]
    #[serde(rename = "jsonl.zst")]
    JsonlZst,
    /// Columns in row groups.
    #[serde(rename = "parquet")]
    Parquet,
    /// `conversion` records, each in a gzip member of its own.
    #[serde(rename = "warc")]
    Warc,
}

/// `[run]`: how much of the machine the run takes. Nothing here changes what is written.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunTable {
    /// Threads that run stages; as many as the machine has cores by default.
    pub workers: Option<NonZeroU32>,
    /// How many pages may be between the source and the sink; 512 by default.
    pub pages_in_flight: Option<NonZeroU32>,
    /// The journal of replies, relative to the folder in which the command is run; by default `journal.sqlite` in the
    /// sink's folder, or `NAME.journal.sqlite` where the sink is a bucket.
    pub journal: Option<PathBuf>,
}

/// What a run does, checked and with every default filled in.
#[derive(Debug, Clone)]
pub struct Plan {
    pub name: String,
    /// Mixed into every prompt's seed.
    pub seed: u64,
    pub source: SourcePlan,
    pub models: Vec<ModelPlan>,
    pub budget: BudgetTable,
    pub classifiers: BTreeMap<String, FileTable>,
    pub stages: Vec<StagePlan>,
    pub sink: SinkPlan,
    pub run: RunPlan,
}

#[derive(Debug, Clone)]
pub struct SourcePlan {
    /// Paths and globs are resolved against the pipeline file's folder.
    pub archives: Vec<String>,
    pub base: Option<String>,
    pub allow_private: bool,
    pub common_crawl: Option<String>,
    pub storage: BTreeMap<String, String>,
    pub records: Vec<String>,
    pub at_once: usize,
}

#[derive(Debug, Clone)]
pub struct ModelPlan {
    pub name: String,
    /// What the model is called where it runs; replies are known by it.
    pub served: String,
    pub backend: Backend,
    pub timeout: Duration,
    pub patience: Duration,
    pub length_field: LengthField,
    pub extra: serde_json::Map<String, serde_json::Value>,
    pub tokenizer: TokenizerPlan,
    pub routes: Vec<RoutePlan>,
}

impl ModelPlan {
    /// A model at one server, with every default.
    pub fn at(name: &str, endpoint: EndpointPlan) -> Self {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Self {
            name: name.to_owned(),
            served: endpoint.model.clone(),
            backend: Backend::Endpoints(vec![endpoint]),
            timeout: seconds(check::CALL_TIMEOUT_SECONDS),
            patience: seconds(check::PATIENCE_SECONDS),
            length_field: LengthField::default(),
            extra: serde_json::Map::new(),
            tokenizer: TokenizerPlan::default(),
            routes: Vec::new(),
        }
    }
}

/// Who answers for a model.
#[derive(Debug, Clone)]
pub enum Backend {
    /// One or more.
    Endpoints(Vec<EndpointPlan>),
    Embedded {
        context: u32,
        in_flight: usize,
    },
}

/// A model at a server.
#[derive(Debug, Clone)]
pub struct EndpointPlan {
    pub url: String,
    /// What the server calls the model.
    pub model: String,
    pub key: Option<Secret>,
    pub weight: u32,
    pub requests_per_minute: Option<NonZeroU32>,
    pub tokens_per_minute: Option<NonZeroU32>,
    pub in_flight: usize,
    pub price: Option<PriceTable>,
}

impl EndpointPlan {
    /// A server without a key, limits or a price.
    pub fn new(url: &str, model: &str) -> Self {
        Self {
            url: url.to_owned(),
            model: model.to_owned(),
            key: None,
            weight: 1,
            requests_per_minute: None,
            tokens_per_minute: None,
            in_flight: check::ENDPOINT_IN_FLIGHT,
            price: None,
        }
    }
}

impl Default for TokenizerPlan {
    fn default() -> Self {
        Self::BuiltIn(tokens::VOCABULARY.to_owned())
    }
}

/// The vocabulary that a model's tokens are estimated in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenizerPlan {
    BuiltIn(String),
    File(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePlan {
    /// A condition on the document's fields.
    pub when: String,
    /// The model that answers then.
    pub to: String,
}

#[derive(Debug, Clone)]
pub struct StagePlan {
    /// `plugin` of the file, for messages.
    pub plugin: String,
    /// The stage's name in the report: the plugin's, with its place where there are several.
    pub name: String,
    pub component: Component,
    /// Which documents it is for; all, if it is none.
    pub when: Option<String>,
    /// JSON, as the plugin's `configure` gets it.
    pub settings: String,
    pub models: Vec<String>,
    pub classifiers: Vec<String>,
    pub files: BTreeMap<String, FileTable>,
    pub isolation: Isolation,
    pub timeout: Duration,
    pub memory_bytes: usize,
    pub rounds: usize,
    pub prompts: usize,
    pub max_failed: f64,
}

/// Where a stage's code is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Component {
    BuiltIn(String),
    File(PathBuf),
}

#[derive(Debug, Clone)]
pub struct SinkPlan {
    /// A path or a URL.
    pub path: String,
    pub format: Format,
    pub rejects: bool,
    pub partition_by: Vec<String>,
    pub mix: Option<MixPlan>,
    /// Of an archive.
    pub part_bytes: u64,
    pub storage: BTreeMap<String, String>,
    pub single_writer: bool,
}

/// How much of the rows may be of a kind.
#[derive(Debug, Clone, PartialEq)]
pub struct MixPlan {
    pub by: String,
    pub shares: BTreeMap<String, f64>,
}

#[derive(Debug, Clone)]
pub struct RunPlan {
    pub workers: usize,
    pub pages_in_flight: usize,
    pub journal: PathBuf,
}

/// A key. It prints as `…`, so that no log, report or panic can show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(key: String) -> Self {
        Self(key)
    }

    /// The key itself, for the one header that carries it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
