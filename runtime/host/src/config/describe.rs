//! A plan as text, in the words of the pipeline file, with every default filled in. Keys are `…`.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};
use std::num::NonZeroU32;
use std::path::Path;

use toml::Value;

use super::{Backend, Format, Isolation, ModelPlan, Plan, StagePlan};

impl Plan {
    /// The plan as it will be run.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("writing to a string cannot fail");
        text
    }

    fn write(&self, to: &mut String) -> fmt::Result {
        line(to, "name", quoted(&self.name))?;
        line(to, "seed", self.seed)?;
        to.write_str("\n[source]\n")?;
        line(to, "archives", list(&self.source.archives))?;
        if let Some(base) = &self.source.base {
            line(to, "base", quoted(base))?;
        }
        line(to, "allow_private", self.source.allow_private)?;
        if let Some(url) = &self.source.common_crawl {
            line(to, "common_crawl", quoted(url))?;
        }
        line(to, "records", list(&self.source.records))?;
        line(to, "at_once", self.source.at_once)?;
        storage(to, &self.source.storage)?;
        for model in &self.models {
            model.write(to)?;
        }
        for stage in &self.stages {
            stage.write(to)?;
        }
        to.write_str("\n[sink]\n")?;
        line(to, "path", quoted(&self.sink.path))?;
        let format = match self.sink.format {
            Format::JsonlZst => "jsonl.zst",
            Format::Parquet => "parquet",
            Format::Warc => "warc",
        };
        line(to, "format", quoted(format))?;
        line(to, "rejects", self.sink.rejects)?;
        line(to, "partition_by", list(&self.sink.partition_by))?;
        line(to, "part_mb", self.sink.part_bytes >> 20)?;
        line(to, "single_writer", self.sink.single_writer)?;
        storage(to, &self.sink.storage)?;
        to.write_str("\n[run]\n")?;
        line(to, "workers", self.run.workers)?;
        line(to, "pages_in_flight", self.run.pages_in_flight)?;
        line(to, "journal", path(&self.run.journal))
    }
}

impl ModelPlan {
    fn write(&self, to: &mut String) -> fmt::Result {
        writeln!(to, "\n[models.{}]", self.name)?;
        match &self.backend {
            Backend::Endpoint { url, model, key } => {
                line(to, "endpoint", quoted(url))?;
                line(to, "model", quoted(model))?;
                if let Some(key) = key {
                    line(to, "key", format_args!("{key:?}"))?;
                }
            }
            Backend::Embedded { name, context } => {
                line(to, "embedded", quoted(name))?;
                line(to, "context", context)?;
            }
        }
        let limit = |to: &mut String, key: &str, limit: Option<NonZeroU32>| match limit {
            Some(limit) => line(to, key, limit),
            None => Ok(()),
        };
        limit(to, "requests_per_minute", self.requests_per_minute)?;
        limit(to, "tokens_per_minute", self.tokens_per_minute)?;
        line(to, "in_flight", self.in_flight)?;
        if let Some(price) = self.price {
            line(to, "price", format_args!("{{ input = {:?}, output = {:?} }}", price.input, price.output))?;
        }
        line(to, "timeout_seconds", self.timeout.as_secs())?;
        line(to, "patience_seconds", self.patience.as_secs())
    }
}

impl StagePlan {
    fn write(&self, to: &mut String) -> fmt::Result {
        writeln!(to, "\n[[stages]] # {}", self.name)?;
        line(to, "plugin", quoted(&self.plugin))?;
        // What the plan holds came from TOML, so it goes back.
        let settings: Option<Value> = serde_json::from_str(&self.settings).ok();
        match settings {
            Some(settings) => line(to, "settings", settings)?,
            None => line(to, "settings", quoted(&self.settings))?,
        }
        line(to, "models", list(&self.models))?;
        for (name, file) in &self.files {
            let digest =
                file.sha256.as_ref().map_or(String::new(), |it| format!(", sha256 = {}", quoted(it)));
            line(
                to,
                &format!("files.{}", quoted(name)),
                format_args!("{{ path = {}{digest} }}", path(&file.path)),
            )?;
        }
        let isolation = match self.isolation {
            Isolation::Reuse => "reuse",
            Isolation::Fresh => "fresh",
        };
        line(to, "isolation", quoted(isolation))?;
        line(to, "timeout_ms", self.timeout.as_millis())?;
        line(to, "memory_mb", self.memory_bytes >> 20)?;
        line(to, "rounds", self.rounds)?;
        line(to, "prompts", self.prompts)?;
        line(to, "max_failed", format_args!("{:?}", self.max_failed))
    }
}

fn storage(to: &mut String, settings: &BTreeMap<String, String>) -> fmt::Result {
    settings.iter().try_for_each(|(name, value)| line(to, &format!("storage.{name}"), quoted(value)))
}

fn line(to: &mut String, key: &str, value: impl Display) -> fmt::Result {
    writeln!(to, "{key} = {value}")
}

fn quoted(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn list(texts: &[String]) -> Value {
    Value::Array(texts.iter().map(|text| quoted(text)).collect())
}

fn path(path: &Path) -> Value {
    quoted(&path.to_string_lossy())
}
