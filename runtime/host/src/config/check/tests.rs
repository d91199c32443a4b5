mod models;

use super::*;

const KEY: &str = "sk-canary-4711";

/// The smallest pipeline that is right; the parts that a case is about are put in its place.
const SOURCE: &str = "[source]\narchives = [\"a.warc.gz\"]\n";
const STAGE: &str = "[[stages]]\nplugin = \"extract\"\n";
const SINK: &str = "[sink]\npath = \"out\"\n";

fn checked(text: &str, file: &str) -> Result<Plan, Complaints> {
    let env = |name: &str| (name == "WRITER_KEY").then(|| format!("{KEY}\n"));
    let read_key_file = |path: &Path| match path.to_str() {
        Some("/crawl/writer.key") => Ok(format!("{KEY}\nthe second line is a note\n")),
        Some("/crawl/broken.key") => Ok("two words\n".to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    let known = Known {
        built_in: &["extract", "language", "cleanup", "rephrase"],
        embedded: &["smollm2-135m-instruct"],
        env: &env,
        read_key_file: &read_key_file,
        is_storage_setting: &|name| name.starts_with("aws_"),
        cores: 2,
    };
    check(text, Path::new(file), &known)
}

#[track_caller]
fn accepts(text: &str) -> Plan {
    match checked(text, "/crawl/p.toml") {
        Ok(plan) => plan,
        Err(complaints) => panic!("{complaints}"),
    }
}

/// The whole of what is said about a file, line for line.
#[track_caller]
fn refuses(text: &str, says: &str) {
    let complaints = checked(text, "/crawl/p.toml").expect_err("the file is wrong");
    let said = complaints.to_string().replace("/crawl/p.toml", "p.toml");
    assert!(!said.contains(KEY), "a complaint shows a key:\n{said}");
    assert_eq!(said, says.trim_matches('\n'), "it says:\n{said}\n");
}

fn with_model(model: &str) -> String {
    format!("name = \"p\"\n{SOURCE}{STAGE}{SINK}[models.writer]\n{model}\n")
}

fn with_stage(stage: &str) -> String {
    format!(
        "name = \"p\"\n{SOURCE}{SINK}[models.writer]\nembedded = \"smollm2-135m-instruct\"\n[[stages]]\n{stage}\n"
    )
}

#[test]
fn what_is_left_out_gets_its_default() {
    let plan = accepts(&format!("name = \"p\"\n{SOURCE}{STAGE}{SINK}"));
    assert_eq!(plan.seed, 0);
    assert_eq!(plan.source.archives, ["/crawl/a.warc.gz"]);
    assert_eq!(plan.source.records, RECORDS);
    assert_eq!(plan.stages[0].component, Component::BuiltIn("extract".to_owned()));
    assert_eq!(plan.stages[0].settings, "{}");
    assert_eq!(plan.stages[0].memory_bytes, 512 << 20);
    assert_eq!(plan.stages[0].timeout, Duration::from_secs(10));
    assert_eq!(plan.run.workers, 2);
    assert_eq!(plan.run.journal, Path::new("out/journal.sqlite"));
    assert!(plan.sink.rejects);
}

const EVERYTHING: &str = r#"
name = "every-thing"
seed = 18
[source]
archives = ["a.warc.gz", "/elsewhere/*.warc.gz", "s3://crawls/2026/*.warc.gz", "cc://CC-MAIN-2026-40/warc"]
base = "s3://crawls/"
allow_private = true
common_crawl = "https://mirror.example/"
storage = { aws_skip_signature = "true" }
records = ["response"]
at_once = 3
[models.writer]
endpoint = "https://models.example:8443/v1/"
model = "Qwen/Qwen3-30B"
requests_per_minute = 600
tokens_per_minute = 2_000_000
price = { input = 0.1, output = 0.4 }
in_flight = 7
timeout_seconds = 60
patience_seconds = 30
[models.small]
embedded = "smollm2-135m-instruct"
context = 1024
[[stages]]
plugin = "extract"
isolation = "fresh"
[[stages]]
plugin = "rephrase"
settings = { model = "writer", styles = ["qa", "a \"b\""], depth = { of = [1, 2.5, true] } }
max_failed = 0.5
[[stages]]
plugin = "rephrase"
settings = { models = ["small", "writer", "small"] }
[[stages]]
plugin = "mine/rephrase.wasm"
models = ["small"]
timeout_ms = 50
memory_mb = 16
rounds = 1
prompts = 2
[stages.files]
words = { path = "words.txt", sha256 = "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff" }
[sink]
path = "out"
rejects = false
format = "parquet"
partition_by = ["kind", "style"]
part_mb = 64
single_writer = true
storage = { aws_endpoint = "http://127.0.0.1:9000" }
[run]
workers = 1
pages_in_flight = 9
journal = "replies.sqlite"
"#;

#[test]
fn everything_that_a_file_can_say_arrives_in_the_plan() {
    let plan = accepts(EVERYTHING);
    let names: Vec<_> = plan.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["extract", "rephrase", "rephrase-2", "rephrase-3"]);
    let models: Vec<_> = plan.stages.iter().map(|stage| stage.models.join(" ")).collect();
    assert_eq!(models, ["", "writer", "small writer", "small"]);
    assert_eq!(
        plan.stages[1].settings,
        r#"{"depth":{"of":[1,2.5,true]},"model":"writer","styles":["qa","a \"b\""]}"#
    );
    assert_eq!(plan.stages[3].component, Component::File(PathBuf::from("/crawl/mine/rephrase.wasm")));
    assert_eq!(plan.stages[3].files["words"].path, Path::new("/crawl/words.txt"));
    assert_eq!(plan.source.archives[1..3], ["/elsewhere/*.warc.gz", "s3://crawls/2026/*.warc.gz"]);
    assert_eq!(plan.sink.part_bytes, 64 << 20);
    assert_eq!(plan.run.journal, Path::new("replies.sqlite"));
}

#[test]
fn the_description_of_a_plan_is_a_pipeline_file_that_means_the_same() {
    let described = accepts(EVERYTHING).describe();
    assert_eq!(accepts(&described).describe(), described, "{described}");
    for default in ["rounds = 4", "format = \"parquet\"", "isolation = \"reuse\"", "max_failed = 0.1"] {
        assert!(described.lines().any(|line| line == default), "{default}:\n{described}");
    }
}

#[test]
fn a_folder_with_the_letters_of_a_pattern_is_still_a_folder() {
    let text = format!("name = \"p\"\n[source]\narchives = [\"*.warc.gz\"]\n{STAGE}{SINK}");
    let plan = checked(&text, "/crawls [2026]/p.toml").unwrap();
    assert_eq!(plan.source.archives, ["/crawls [[]2026[]]/*.warc.gz"]);
}

#[test]
fn the_journal_moves_with_the_sink_unless_it_has_its_own_place() {
    let mut plan = accepts(&format!("name = \"p\"\n{SOURCE}{STAGE}{SINK}"));
    plan.move_sink("there".to_owned()).unwrap();
    assert_eq!(plan.run.journal, Path::new("there/journal.sqlite"));
    plan.move_sink("s3://bucket/there".to_owned()).unwrap();
    assert_eq!(plan.run.journal, Path::new("p.journal.sqlite"));
    assert!(plan.move_sink("ftp://there".to_owned()).is_err());
    let mut plan = accepts(EVERYTHING);
    plan.move_sink("there".to_owned()).unwrap();
    assert_eq!(plan.run.journal, Path::new("replies.sqlite"));
}

#[test]
fn the_schema_names_every_table_and_refuses_other_keys() {
    let schema = super::super::schema();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        let open = definition["type"] == "object" && definition["additionalProperties"] != false;
        assert!(!open, "{name} takes unknown keys");
    }
    assert_eq!(schema["required"], serde_json::json!(["name", "source", "stages", "sink"]));
}

#[test]
fn the_reference_names_the_defaults_that_are_used() {
    let schema = super::super::schema();
    for (table, key, default) in [
        ("StageTable", "timeout_ms", STAGE_TIMEOUT_MS.to_string()),
        ("StageTable", "memory_mb", STAGE_MEMORY_MB.to_string()),
        ("StageTable", "rounds", STAGE_ROUNDS.to_string()),
        ("StageTable", "prompts", STAGE_PROMPTS.to_string()),
        ("ModelTable", "in_flight", format!("{} at", endpoint::ENDPOINT_IN_FLIGHT)),
        ("ModelTable", "in_flight", format!("{} in the process", model::EMBEDDED_IN_FLIGHT)),
        ("ModelTable", "timeout_seconds", model::CALL_TIMEOUT_SECONDS.to_string()),
        ("ModelTable", "patience_seconds", model::PATIENCE_SECONDS.to_string()),
        ("ModelTable", "context", model::EMBEDDED_CONTEXT.to_string()),
        ("RunTable", "pages_in_flight", PAGES_IN_FLIGHT.to_string()),
        ("RunTable", "journal", JOURNAL.to_owned()),
    ] {
        let about = schema["$defs"][table]["properties"][key]["description"].as_str().unwrap();
        assert!(about.contains(&default), "{table}.{key}: {about}");
    }
}

#[test]
fn every_complaint_comes_at_once_in_the_order_of_the_file() {
    refuses(
        r#"
naem = "p"
[source]
achives = ["a.warc.gz"]
at_once = 0
record = 7
[models.writer]
endpoint = "http://127.0.0.1:8000/v1"
in_flight = "many"
[[stages]]
plugin = "extrct"
[[stages]]
plugin = "rephrase"
settings = { model = "writr", since = 2026-01-01 }
isolation = "new"
[sink]
path = 'out'
format = "csv"
"#,
        r#"
p.toml:1:1: name: missing: a string
  = What the run is called in its report: letters, digits, `-` and `_`.

p.toml:2:1: naem: unknown key `naem`; did you mean `name`?
  |
2 | naem = "p"
  | ^^^^
  = accepted: `budget`, `classifiers`, `models`, `name`, `run`, `seed`, `sink`, `source`, `stages`

p.toml:3:1: source.archives: missing: a list
  |
3 | [source]
  | ^^^^^^^^
  = Archives, read in the order given: paths and globs, relative to the pipeline file; `s3://`, `gs://` and `az://` objects, globs and prefixes that end in `/`; `http(s)://` files; lists of paths (`….paths`, `….paths.gz`); and crawls of Common Crawl, such as `cc://CC-MAIN-2026-40/warc`.

p.toml:4:1: source.achives: unknown key `achives`; did you mean `archives`?
  |
4 | achives = ["a.warc.gz"]
  | ^^^^^^^
  = accepted: `allow_private`, `archives`, `at_once`, `base`, `common_crawl`, `records`, `storage`

p.toml:5:11: source.at_once: must be a whole number from 1 to 4294967295, not 0
  |
5 | at_once = 0
  |           ^

p.toml:6:1: source.record: unknown key `record`; did you mean `records`?
  |
6 | record = 7
  | ^^^^^^
  = accepted: `allow_private`, `archives`, `at_once`, `base`, `common_crawl`, `records`, `storage`

p.toml:9:13: models.writer.in_flight: must be a whole number from 1 to 4294967295, not a string
  |
9 | in_flight = "many"
  |             ^^^^^^

p.toml:11:10: stages[0].plugin: there is no built-in stage `extrct`; did you mean `extract`?
   |
11 | plugin = "extrct"
   |          ^^^^^^^^
   = accepted: `extract`, `language`, `cleanup`, `rephrase`, or the path of a `.wasm` component

p.toml:14:22: stages[1].settings.model: there is no model `writr`; did you mean `writer`?
   |
14 | settings = { model = "writr", since = 2026-01-01 }
   |                      ^^^^^^^
   = accepted: `writer`

p.toml:14:39: stages[1].settings.since: must not be a date: plugins get their settings as JSON; put it in quotes
   |
14 | settings = { model = "writr", since = 2026-01-01 }
   |                                       ^^^^^^^^^^

p.toml:15:13: stages[1].isolation: unknown value `new`
   |
15 | isolation = "new"
   |             ^^^^^
   = accepted: `reuse`, `fresh`

p.toml:18:10: sink.format: unknown value `csv`
   |
18 | format = "csv"
   |          ^^^^^
   = accepted: `jsonl.zst`, `parquet`, `warc`
"#,
    );
}

#[test]
fn conditions_are_read_and_what_later_versions_do_is_named_as_such() {
    refuses(
        r#"name = "p"
[source]
archives = ["a.warc.gz"]
[[stages]]
plugin = "extract"
when = "quality >"
[[stages]]
plugin = "oci://registry.example/stage@sha256:00"
[sink]
path = "out"
"#,
        r#"
p.toml:6:8: stages[0].when: the condition ends too early, at byte 9
  |
6 | when = "quality >"
  |        ^^^^^^^^^^^
  = accepted: a condition (CEL) on the fields of a document, such as `language == 'de'`

p.toml:8:10: stages[1].plugin: remote plugins are not supported by this version
  |
8 | plugin = "oci://registry.example/stage@sha256:00"
  |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  = accepted: `extract`, `language`, `cleanup`, `rephrase`, or the path of a `.wasm` component
"#,
    );
}

/// One complaint, without the line that it shows.
#[track_caller]
fn complains(text: &str, key: &str, says: &str) {
    let complaints = checked(text, "/crawl/p.toml").expect_err("the file is wrong");
    let said = complaints.to_string();
    assert!(!said.contains(KEY), "a complaint shows a key:\n{said}");
    let all: Vec<_> = complaints.complaints.iter().map(|it| (it.key.as_str(), it.says.as_str())).collect();
    assert_eq!(all, [(key, says)]);
}

#[test]
fn numbers_have_to_make_sense() {
    complains(
        &with_model("embedded = \"smollm2-135m-instruct\"\nprice = { input = -1, output = 0 }"),
        "models.writer.price.input",
        "-1 is no price",
    );
    complains(
        &with_model("embedded = \"smollm2-135m-instruct\"\nprice = { input = 1, output = inf }"),
        "models.writer.price.output",
        "inf is no price",
    );
    let share = |share: &str, says: &str| {
        complains(
            &with_stage(&format!("plugin = \"extract\"\nmax_failed = {share}")),
            "stages[0].max_failed",
            says,
        );
    };
    share("1.5", "1.5 is no share of the documents");
    share("nan", "NaN is no share of the documents");
    accepts(&with_stage("plugin = \"extract\"\nmax_failed = 1"));
    complains(
        &format!("name = \"p\"\nseed = -1\n{SOURCE}{STAGE}{SINK}"),
        "seed",
        "must be a whole number from 0 to 9223372036854775807, not -1",
    );
    complains(
        &with_stage("plugin = \"extract\"\nsettings = { share = nan }"),
        "stages[0].settings.share",
        "must be a finite number: plugins get their settings as JSON",
    );
    complains(
        &with_stage("plugin = \"extract\"\nsettings = { count = 9223372036854775808 }"),
        "stages[0].settings.count",
        "must be a whole number of at most 64 bits",
    );
}

#[test]
fn a_stage_asks_only_models_that_it_is_granted() {
    let models = "models = []\nsettings = { model = \"writer\" }";
    complains(
        &with_stage(&format!("plugin = \"rephrase\"\n{models}")),
        "stages[0].settings.model",
        "the stage is not granted the model `writer`",
    );
    accepts(&with_stage(&format!("plugin = \"rephrase\"\n{}", models.replace("[]", "[\"writer\"]"))));
    let other = "settings = { language_model = \"lingua\" }";
    complains(
        &with_stage(&format!("plugin = \"rephrase\"\n{other}")),
        "stages[0].settings.language_model",
        "there is no model `lingua`",
    );
    accepts(&with_stage(&format!("plugin = \"rephrase\"\nmodels = []\n{other}")));
    complains(
        &with_stage("plugin = \"rephrase\"\nmodels = [\"reader\"]"),
        "stages[0].models[0]",
        "there is no model `reader`",
    );
}

#[test]
fn the_rest_of_the_rules() {
    let whole = format!("name = \"p\"\n{SOURCE}{STAGE}{SINK}");
    complains(&whole.replace("\"p\"", "\"a b\""), "name", "`a b` is no word");
    complains(&whole.replace("[\"a.warc.gz\"]", "[]"), "source.archives", "names no archive");
    complains(&whole.replace("a.warc.gz", ""), "source.archives[0]", "names no archive");
    complains(
        &whole.replace("[sink]", "records = [\"respons\"]\n[sink]"),
        "stages[0].records",
        "unknown key `records`",
    );
    let records = whole.replace(STAGE, &format!("records = [\"respons\"]\n{STAGE}"));
    let says = "`respons` is no type of record that pages are made of; did you mean `response`?";
    complains(&records, "source.records[0]", says);
    let twice = records.replace("[\"respons\"]", "[\"response\", \"response\"]");
    complains(&twice, "source.records[1]", "`response` is named twice");
    complains(&whole.replace("\"out\"", "\"\""), "sink.path", "names no folder");
    complains(&whole.replace("\"out\"", "\"ftp://a/b\""), "sink.path", "is nowhere that rows can be written");
    complains(&whole.replace("\"out\"", "\"s3:///b\""), "sink.path", "names no bucket");
    let says = "there are no archives at `s4://`; did you mean `s3`?";
    complains(&whole.replace("a.warc.gz", "s4://a/b"), "source.archives[0]", says);
    let sink = |keys: &str| whole.replace(SINK, &format!("{SINK}{keys}\n"));
    let says = "secrets never stand in the pipeline file";
    complains(&sink("storage.aws_secret_access_key = \"x\""), "sink.storage.aws_secret_access_key", says);
    let says = "stores have no setting `endpoint`";
    complains(&sink("storage.endpoint = \"x\""), "sink.storage.endpoint", says);
    accepts(&sink("storage.aws_web_identity_token_file = \"x\""));
    complains(&sink("partition_by = [\"kind\", \"kind\"]"), "sink.partition_by[1]", "`kind` is named twice");
    let says = "the text is what rows are for; it names no folder";
    complains(&sink("partition_by = [\"text\"]"), "sink.partition_by[0]", says);
    complains(
        &whole.replace(STAGE, "").replacen("[source]", "stages = []\n[source]", 1),
        "stages",
        "there is no stage",
    );
    complains(&whole.replace(STAGE, "[stages]\nplugin = 1\n"), "stages", "must be a list, not a table");
    complains(
        &format!("{whole}[models.\"a b\"]\nembedded = \"smollm2-135m-instruct\"\n"),
        "models.\"a b\"",
        "the name `a b` is no word",
    );
    complains(
        &with_stage("plugin = \"extract\"\nfiles.words = { path = \"w\", sha256 = \"12\" }"),
        "stages[0].files.words.sha256",
        "is no SHA-256",
    );
    complains(&format!("{SOURCE}{STAGE}{SINK}"), "name", "missing: a string");
}

#[test]
fn hostile_text_is_refused_and_nothing_else_happens() {
    for text in [
        "\0",
        "a = ",
        "[",
        "[[",
        "\u{feff}",
        "a = \"\n\"",
        "name = 1e999",
        "[models]\nmodels = 3",
        "=",
        "é = 'ü'",
    ] {
        let complaints = checked(text, "p.toml").expect_err(text);
        assert!(!complaints.to_string().is_empty());
    }
    for deep in [
        format!("a = {}", "[".repeat(100_000)),
        format!("a{} = 1", ".a".repeat(100_000)),
        format!("[a{}]", ".a".repeat(100_000)),
        format!("a = {}", "{ a = ".repeat(100_000)),
    ] {
        assert!(checked(&deep, "p.toml").is_err());
    }
    let complaints = checked(&"[a]\n".repeat(100_000), "p.toml").unwrap_err();
    assert_eq!((complaints.complaints.len(), complaints.more), (100, 99_899));
    assert!(complaints.to_string().ends_with("\n\nand 99899 more"));
}
