//! Files and batches at a server: the calls of OpenAI's Batch API (<https://platform.openai.com/docs/api-reference/batch>).

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use super::{Client, EndpointError, below, chain};
use crate::llm::retry::{self, Trouble};

/// The only one that there is.
const WINDOW: &str = "24h";
/// What one line of a batch asks.
pub(crate) const ADDRESS: &str = "/v1/chat/completions";
/// The server looks through the whole file before it answers.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(1800);

/// Pages of a hundred batches each: an account with more than that has somebody who can look.
const MAX_PAGES: u32 = 100;

/// A batch as its server tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Batch {
    pub(crate) id: String,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) input_file_id: Option<String>,
    /// The lines that were answered, once there are any.
    #[serde(default)]
    pub(crate) output_file_id: Option<String>,
    /// Those that were not.
    #[serde(default)]
    pub(crate) error_file_id: Option<String>,
    /// Why it failed as a whole.
    #[serde(default)]
    errors: serde_json::Value,
    #[serde(default)]
    request_counts: Option<Counts>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Counts {
    total: u64,
    completed: u64,
    failed: u64,
}

#[derive(Deserialize)]
struct Listing {
    data: Vec<Batch>,
    #[serde(default)]
    has_more: Option<bool>,
}

#[derive(Deserialize)]
struct Uploaded {
    id: String,
}

impl Batch {
    /// Whether nothing more will come of it.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "failed" | "expired" | "cancelled")
    }

    /// How far it is, in words.
    pub(crate) fn says(&self) -> String {
        let Counts { total, completed, failed } = self.request_counts.unwrap_or_default();
        let why = self.errors.pointer("/data/0/message").and_then(serde_json::Value::as_str);
        let why = why.map_or_else(String::new, |why| format!(": {}", retry::words(why)));
        format!("{}, {completed} of {total} answered, {failed} failed{why}", self.status)
    }
}

impl Client {
    /// Uploads a file of so many bytes for a batch, and returns what the server calls it.
    pub(crate) async fn upload(&self, name: &str, file: File, bytes: u64) -> Result<String, Trouble> {
        let part = Part::stream_with_length(file, bytes).file_name(name.to_owned());
        let form = Form::new().text("purpose", "batch").part("file", part);
        let request = self.http.post(self.at(&["files"])?).multipart(form).timeout(UPLOAD_TIMEOUT);
        let uploaded: Uploaded = read(&self.send(request).await?)?;
        Ok(uploaded.id)
    }

    /// Lets a batch begin.
    pub(crate) async fn create_batch(&self, input: &str) -> Result<Batch, Trouble> {
        let body = serde_json::json!({
            "input_file_id": input,
            "endpoint": ADDRESS,
            "completion_window": WINDOW,
        });
        let request = self.http.post(self.at(&["batches"])?);
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        read(&self.send(request).await?)
    }

    /// The batch of a file, if one has begun.
    pub(crate) async fn batch_of(&self, input: &str) -> Result<Option<Batch>, Trouble> {
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut url = self.at(&["batches"])?;
            url.query_pairs_mut().append_pair("limit", "100");
            if let Some(after) = &after {
                url.query_pairs_mut().append_pair("after", after);
            }
            let listing: Listing = read(&self.send(self.http.get(url)).await?)?;
            after = listing.data.last().map(|batch| batch.id.clone());
            let found = listing.data.into_iter().find(|batch| batch.input_file_id.as_deref() == Some(input));
            if found.is_some() {
                return Ok(found);
            }
            if listing.has_more != Some(true) || after.is_none() {
                return Ok(None);
            }
        }
        let says = format!("it lists more than {MAX_PAGES} pages of batches, and the one is not among them");
        Err(Trouble::Fault { says, worked: false })
    }

    pub(crate) async fn batch(&self, id: &str) -> Result<Batch, Trouble> {
        read(&self.send(self.http.get(self.at(&["batches", id])?)).await?)
    }

    /// Writes a file of the server's to one of ours.
    pub(crate) async fn download(&self, id: &str, to: &mut File) -> Result<(), Trouble> {
        let lost = |says: String| Trouble::Fault { says, worked: false };
        let request = self.http.get(self.at(&["files", id, "content"])?);
        let mut response = request.send().await.map_err(super::failed)?;
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => to.write_all(&chunk).await.map_err(|error| lost(chain(&error)))?,
                Ok(None) => return to.flush().await.map_err(|error| lost(chain(&error))),
                Err(error) => return Err(lost(chain(&error.without_url()))),
            }
        }
    }

    fn at(&self, segments: &[&str]) -> Result<reqwest::Url, Trouble> {
        below(&self.base, segments)
            .map_err(|error: EndpointError| Trouble::Fault { says: error.to_string(), worked: false })
    }
}

fn read<T: for<'a> Deserialize<'a>>((body, _): &(Vec<u8>, HeaderMap)) -> Result<T, Trouble> {
    serde_json::from_slice(body).map_err(|error| Trouble::Fault {
        says: format!("a response that is not what was asked for: {error}"),
        worked: false,
    })
}
