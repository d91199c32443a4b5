//! A plan as text, in the words of the pipeline file, with every default filled in. Keys are `…`.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};
use std::path::Path;

use toml::Value;

use super::{
    Backend, BudgetTable, EndpointPlan, FileTable, Format, Isolation, MixPlan, ModelPlan, Plan, StagePlan,
    TokenizerPlan,
};

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
        self.budget.write(to)?;
        if !self.classifiers.is_empty() {
            to.write_str("\n[classifiers]\n")?;
            files(to, "", &self.classifiers)?;
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
        if let Some(MixPlan { by, shares }) = &self.sink.mix {
            line(to, "mix.by", quoted(by))?;
            for (kind, share) in shares {
                line(to, &format!("mix.shares.{}", quoted(kind)), format_args!("{share:?}"))?;
            }
        }
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
            Backend::Endpoints(endpoints) => {
                line(to, "model", quoted(&self.served))?;
                line(to, "length_field", quoted(self.length_field.name()))?;
                for (name, value) in &self.extra {
                    line(to, &format!("extra.{name}"), value)?;
                }
                if let [endpoint] = endpoints.as_slice() {
                    line(to, "endpoint", quoted(&endpoint.url))?;
                    endpoint.write(to)?;
                }
            }
            Backend::Embedded { context, in_flight } => {
                line(to, "embedded", quoted(&self.served))?;
                line(to, "context", context)?;
                line(to, "in_flight", in_flight)?;
            }
        }
        match &self.tokenizer {
            TokenizerPlan::BuiltIn(name) => line(to, "tokenizer", quoted(name))?,
            TokenizerPlan::File(file) => line(to, "tokenizer", path(file))?,
        }
        line(to, "timeout_seconds", self.timeout.as_secs())?;
        line(to, "patience_seconds", self.patience.as_secs())?;
        if let Backend::Endpoints(endpoints) = &self.backend
            && 1 < endpoints.len()
        {
            for endpoint in endpoints {
                writeln!(to, "\n[[models.{}.endpoints]]", self.name)?;
                line(to, "url", quoted(&endpoint.url))?;
                line(to, "model", quoted(&endpoint.model))?;
                line(to, "weight", endpoint.weight)?;
                endpoint.write(to)?;
            }
        }
        for route in &self.routes {
            writeln!(to, "\n[[models.{}.routes]]", self.name)?;
            line(to, "when", quoted(&route.when))?;
            line(to, "to", quoted(&route.to))?;
        }
        Ok(())
    }
}

impl EndpointPlan {
    fn write(&self, to: &mut String) -> fmt::Result {
        if let Some(key) = &self.key {
            line(to, "key", format_args!("{key:?}"))?;
        }
        let limits = [
            ("requests_per_minute", self.requests_per_minute),
            ("tokens_per_minute", self.tokens_per_minute),
        ];
        for (key, limit) in limits.into_iter().filter_map(|(key, limit)| Some((key, limit?))) {
            line(to, key, limit)?;
        }
        line(to, "in_flight", self.in_flight)?;
        if let Some(price) = self.price {
            let cached =
                price.cached_input.map_or(String::new(), |cached| format!(", cached_input = {cached:?}"));
            let batch = price.batch.map_or(String::new(), |batch| format!(", batch = {batch:?}"));
            let (input, output) = (price.input, price.output);
            line(to, "price", format_args!("{{ input = {input:?}{cached}, output = {output:?}{batch} }}"))?;
        }
        Ok(())
    }
}

impl BudgetTable {
    fn write(&self, to: &mut String) -> fmt::Result {
        if *self == Self::default() {
            return Ok(());
        }
        to.write_str("\n[budget]\n")?;
        if let Some(dollars) = self.max_usd {
            line(to, "max_usd", format_args!("{dollars:?}"))?;
        }
        for (key, most) in [("max_requests", self.max_requests), ("max_tokens", self.max_tokens)] {
            most.map_or(Ok(()), |most| line(to, key, most))?;
        }
        Ok(())
    }
}

impl StagePlan {
    fn write(&self, to: &mut String) -> fmt::Result {
        writeln!(to, "\n[[stages]] # {}", self.name)?;
        line(to, "plugin", quoted(&self.plugin))?;
        self.when.as_ref().map_or(Ok(()), |when| line(to, "when", quoted(when)))?;
        // What the plan holds came from TOML, so it goes back.
        let settings: Option<Value> = serde_json::from_str(&self.settings).ok();
        match settings {
            Some(settings) => line(to, "settings", settings)?,
            None => line(to, "settings", quoted(&self.settings))?,
        }
        line(to, "models", list(&self.models))?;
        line(to, "classifiers", list(&self.classifiers))?;
        files(to, "files.", &self.files)?;
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

fn files(to: &mut String, prefix: &str, files: &BTreeMap<String, FileTable>) -> fmt::Result {
    files.iter().try_for_each(|(name, file)| {
        let digest = file.sha256.as_ref().map_or(String::new(), |it| format!(", sha256 = {}", quoted(it)));
        let table = format_args!("{{ path = {}{digest} }}", path(&file.path)).to_string();
        line(to, &format!("{prefix}{}", quoted(name)), table)
    })
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
