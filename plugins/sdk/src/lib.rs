//! Write a Palimpsest stage in Rust.
//!
//! A stage is a type that implements [`Stage`] and is named in [`register!`]. It sees one [`Page`] at a time and says
//! what becomes of it: it goes on as one or several [`Draft`]s, or it is dropped with a reason. Where it wants a
//! language model it awaits [`Page::ask`], and the host does the waiting:
//!
//! ```
//! use palimpsest_plugin::{Column, Draft, Kind, Outcome, Page, Stage, column, prompt};
//!
//! struct Titler {
//!     model: String,
//! }
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Settings {
//!     /// A name of a `[models.NAME]` table.
//!     model: String,
//! }
//!
//! impl Stage for Titler {
//!     const NAME: &'static str = "titler";
//!     const SUMMARY: &'static str = "asks a model for a title";
//!     type Settings = Settings;
//!
//!     fn configure(settings: Settings) -> Result<Self, String> {
//!         Ok(Self { model: settings.model })
//!     }
//!
//!     fn columns(&self) -> Vec<Column> {
//!         vec![column("title", Kind::Text)]
//!     }
//!
//!     async fn process(&self, page: &Page<'_>) -> Result<Outcome, String> {
//!         let asked = prompt(&self.model, format!("Write a title for this text.\n\n{}", page.text()), 30);
//!         match page.ask(asked).await {
//!             Ok(reply) => Ok(Outcome::keep(Draft::new().with("title", reply.text))),
//!             Err(_) => Ok(Outcome::Drop("no_title".to_owned())),
//!         }
//!     }
//! }
//!
//! palimpsest_plugin::register!(Titler);
//! # fn main() {}
//! ```
//!
//! The same crate compiles for the machine at hand, so a stage is tested like any function; see [`testing`]. Built
//! with `cargo build --target wasm32-wasip2` as a `cdylib`, it is a component that the host loads.
//!
//! A stage is *replayed*, never suspended: it runs again from its start with the replies so far, so what comes before
//! an `await` must be a function of the page alone. There is nothing else that it could be a function of: no clock, no
//! disk, no network, and of other pages only the notes that they left on the stage's board ([`Page::post`]), which say
//! the same to whoever asks again.

mod ask;
#[doc(hidden)]
pub mod bindings;
mod fence;
mod page;
pub mod testing;
pub mod text;

use std::future::Future;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use bindings::palimpsest::plugin::board::Note;
pub use bindings::palimpsest::plugin::log::Level;
pub use bindings::palimpsest::plugin::models::Label;
pub use bindings::palimpsest::plugin::types::{
    Column, Document, Draft, Failure, Field, Finish, Kind, Prompt, Reply, Shape, Span, Value,
};
pub use fence::{fence, seed};
pub use page::Page;

/// What a [`Stage`] says of a page.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The document goes on as these drafts. None at all is a mistake: drop it with a reason instead.
    Emit(Vec<Draft>),
    /// The document ends here, counted under this word. Use a few fixed words, never one made from the page; what was
    /// measured may follow after a colon and is not counted.
    Drop(String),
}

impl Outcome {
    /// The document goes on as this one draft.
    #[must_use]
    pub fn keep(draft: Draft) -> Self {
        Self::Emit(vec![draft])
    }

    /// The document ends here, counted under `reason`.
    #[must_use]
    pub fn drop(reason: &str) -> Self {
        Self::Drop(reason.to_owned())
    }

    /// The document ends here, counted under `reason`; what was measured stands beside it in the rejects.
    #[must_use]
    pub fn drop_with(reason: &str, measured: impl std::fmt::Display) -> Self {
        Self::Drop(format!("{reason}: {measured}"))
    }
}

/// One stage of a pipeline: a pure function of a page and the replies of language models.
pub trait Stage: Sized + 'static {
    /// The stage's name: a word in lower case, digits and underscores.
    const NAME: &'static str;
    /// What the stage does, in one line.
    const SUMMARY: &'static str;
    /// The stage's own version.
    const VERSION: &'static str = "0.1.0";

    /// The stage's table of the pipeline file. Its JSON Schema is shown to users, so its doc comments are too.
    type Settings: DeserializeOwned + JsonSchema;

    /// Makes the stage, once for an instance. An error is a complaint about the settings.
    fn configure(settings: Self::Settings) -> Result<Self, String>;

    /// The columns that the stage writes; a field outside them is a failure.
    fn columns(&self) -> Vec<Column> {
        Vec::new()
    }

    /// Says what becomes of the page. An error is the stage's own failure, never an opinion about the page.
    fn process(&self, page: &Page<'_>) -> impl Future<Output = Result<Outcome, String>>;
}

/// A column of the stage's output.
#[must_use]
pub fn column(name: &str, kind: Kind) -> Column {
    Column { name: name.to_owned(), kind }
}

/// A prompt for `model` with sampling left to the pipeline file and the server.
#[must_use]
pub fn prompt(model: &str, user: String, max_tokens: u32) -> Prompt {
    Prompt {
        model: model.to_owned(),
        system: None,
        user,
        max_tokens,
        temperature: None,
        top_p: None,
        stop: Vec::new(),
        shape: None,
        share: None,
    }
}

impl Draft {
    /// A draft that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { text: None, fields: Vec::new(), span: None }
    }

    /// The same draft with this text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// The same draft with one more field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.push(Field { name: name.to_owned(), value: value.into() });
        self
    }

    /// The same draft, made from these bytes of the text that the stage was given.
    #[must_use]
    pub fn span(mut self, start: usize, end: usize) -> Self {
        self.span = Some(Span { start: start as u64, end: end as u64 });
        self
    }
}

impl Default for Draft {
    fn default() -> Self {
        Self::new()
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Vec<String>> for Value {
    fn from(texts: Vec<String>) -> Self {
        Self::Texts(texts)
    }
}

/// Exports a [`Stage`] as the component's stage. Once in a crate; without effect except in a build for wasm.
#[macro_export]
macro_rules! register {
    ($stage:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;
            $crate::export_stage!(Component, $stage);
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! export_stage {
    ($component:ident, $stage:ty) => {
        ::std::thread_local! {
            static STAGE: ::std::cell::OnceCell<$stage> = const { ::std::cell::OnceCell::new() };
        }

        impl $crate::glue::Guest for $component {
            fn describe() -> $crate::glue::Description {
                $crate::glue::describe::<$stage>()
            }

            fn configure(settings: String) -> Result<Vec<$crate::Column>, String> {
                STAGE.with(|cell| $crate::glue::configure::<$stage>(cell, &settings))
            }

            fn process(
                document: $crate::Document,
                replies: Vec<Result<$crate::Reply, $crate::Failure>>,
            ) -> Result<$crate::glue::Verdict, String> {
                STAGE.with(|cell| $crate::glue::process::<$stage>(cell, document, replies))
            }
        }

        $crate::glue::export!($component with_types_in $crate::glue::bindings);
    };
}

/// What [`register!`] expands to; not for authors.
#[doc(hidden)]
pub mod glue {
    use std::cell::OnceCell;

    pub use crate::bindings;
    pub use crate::bindings::export;
    pub use crate::bindings::exports::palimpsest::plugin::stage::{Description, Guest};
    pub use crate::bindings::palimpsest::plugin::types::Verdict;
    use crate::page::Imports;
    use crate::{Column, Document, Failure, Page, Reply, Stage, ask};

    /// The trap that follows a panic costs the document; this line tells the author why. Set wherever an instance may
    /// begin: the host need not ask every instance for its description.
    fn report_panics() {
        std::panic::set_hook(Box::new(|panic| {
            crate::bindings::palimpsest::plugin::log::emit(crate::Level::Error, &panic.to_string());
        }));
    }

    pub fn describe<S: Stage>() -> Description {
        report_panics();
        Description {
            name: S::NAME.to_owned(),
            version: S::VERSION.to_owned(),
            summary: S::SUMMARY.to_owned(),
            settings: schemars::schema_for!(S::Settings).to_value().to_string(),
        }
    }

    pub fn configure<S: Stage>(cell: &OnceCell<S>, settings: &str) -> Result<Vec<Column>, String> {
        report_panics();
        let settings = serde_json::from_str(settings).map_err(|error| error.to_string())?;
        let stage = S::configure(settings)?;
        let columns = stage.columns();
        cell.set(stage).map_err(|_configured| "configured twice".to_owned())?;
        Ok(columns)
    }

    pub fn process<S: Stage>(
        cell: &OnceCell<S>,
        document: Document,
        replies: Vec<Result<Reply, Failure>>,
    ) -> Result<Verdict, String> {
        let stage = cell.get().ok_or("not configured")?;
        let page = Page::new(document, replies, &Imports);
        ask::drive(stage.process(&page), &page)
    }
}
