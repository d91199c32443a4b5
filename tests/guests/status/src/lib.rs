//! The least that a stage can do: keep what answered 200 under https.

use palimpsest_plugin::{Draft, Outcome, Page, Stage, register};

/// The stage.
#[derive(Debug)]
pub struct Status;

/// Its settings.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {}

impl Stage for Status {
    const NAME: &'static str = "status";
    const SUMMARY: &'static str = "keeps what answered 200 under https";
    type Settings = Settings;

    fn configure(_settings: Settings) -> Result<Self, String> {
        Ok(Self)
    }

    async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
        if page.status() == 200 && page.document().url.starts_with("https://") {
            return Ok(Outcome::keep(Draft::new()));
        }
        Ok(Outcome::drop("status"))
    }
}

register!(Status);
