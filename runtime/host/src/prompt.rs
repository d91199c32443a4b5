//! What is asked of a language model and what comes back. Values only: who asks is `stages`, who answers is `llm`.

use serde::{Deserialize, Serialize};

/// One question to one model, complete: a reply is a function of this value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prompt {
    /// The name of a `[models.NAME]` table.
    pub model: String,
    pub system: Option<String>,
    pub user: String,
    pub max_tokens: u32,
    pub temperature: Option<f32>,
    pub top_p: Option<f32>,
    pub stop: Vec<String>,
    pub shape: Option<Shape>,
    /// Derived from the run, the document, the stage and the prompt's place in it; from the share key instead of the
    /// document where there is one.
    pub seed: u32,
}

/// How the server constrains the reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    JsonSchema(String),
    /// GBNF.
    Grammar(String),
}

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    Stop,
    Length,
    Filtered,
}

/// What the model said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    pub text: String,
    pub finish: Finish,
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
}

/// Why a prompt has no reply although the model is alive. The stage decides what its document is worth without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("the server refuses the prompt: {0}")]
    Refused(String),
    #[error("the prompt does not fit into the model's context of {0} tokens")]
    TooLong(u32),
    #[error("every attempt failed, the last with: {0}")]
    GaveUp(String),
}
