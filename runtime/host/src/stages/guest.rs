//! One instance of a stage and one call of it: values in, a verdict or the one word for what went wrong out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::{Store, Trap};

use super::bindings::Plugin;
use super::bindings::exports::palimpsest::plugin::stage::{
    Column as WitColumn, Document as WitDocument, Failure as WitFailure, Reply as WitReply,
    Verdict as WitVerdict,
};
use super::bindings::palimpsest::plugin::types as wit;
use super::engine::{Engine, Program};
use super::host::{Denied, NoBoard, OutOfMemory, State};
use super::{Ask, Failed, Line, Reason, Turn, Verdict};
use crate::config::StagePlan;
use crate::document::{Column, Draft, Field, Kind, Value};
use crate::prompt::{Failure, Finish, Prompt, Reply, Shape};

/// What one call may hand to the host, arguments of its own calls included. A page's text is a tenth of the smallest
/// pages' cap; a stage that returns more than this returns something else.
const MAX_RETURNED_BYTES: usize = 32 << 20;
/// How wasmtime says that a call has handed over more than that; the error has no type of its own to ask for.
const RETURNED_TOO_MUCH: &str = "fuel allocated for hostcalls has been exhausted";
/// An instance is thrown away after so many calls, since the memory of a guest only grows and its bugs add up. Making
/// a new one costs some ten microseconds in Rust and less than a millisecond elsewhere.
const CALLS: u32 = 10_000;
/// An instance that has grown by this much since its first call gives its memory back by being thrown away.
const GROWTH: usize = 64 << 20;
/// `describe` and `configure` are not about a page, and some stages load their models in them.
const CONFIGURE_TIMEOUT: Duration = Duration::from_secs(60);

/// An instance that can judge documents.
pub(super) struct Guest {
    store: Store<State>,
    plugin: Plugin,
    calls: u32,
    memory_at_first: usize,
}

/// What a plugin says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub name: String,
    pub version: String,
    pub summary: String,
    /// A JSON Schema.
    pub settings: String,
}

/// What a call came to.
pub(super) struct Called {
    pub(super) verdict: Result<Verdict, Failed>,
    pub(super) lines: Vec<Line>,
    pub(super) took: Duration,
    /// Whether the instance can be called again.
    pub(super) alive: bool,
}

impl Guest {
    pub(super) fn new(engine: &Engine, program: &Program, plan: &StagePlan) -> Result<Self, Failed> {
        let state = State::new(Arc::clone(&program.grants), program.owner, plan.memory_bytes);
        let mut store = Store::new(&engine.engine, state);
        store.limiter(|state| state);
        store.set_epoch_deadline(Engine::ticks(CONFIGURE_TIMEOUT));
        store.set_hostcall_fuel(MAX_RETURNED_BYTES);
        let plugin = program.pre.instantiate(&mut store).map_err(|error| failed(&error))?;
        Ok(Self { store, plugin, calls: 0, memory_at_first: 0 })
    }

    pub(super) fn describe(&mut self) -> Result<Description, Failed> {
        self.arm(CONFIGURE_TIMEOUT);
        let stage = self.plugin.palimpsest_plugin_stage();
        let it = stage.call_describe(&mut self.store).map_err(|error| failed(&error))?;
        Ok(Description { name: it.name, version: it.version, summary: it.summary, settings: it.settings })
    }

    /// The columns, or what the plugin has to say against its settings.
    pub(super) fn configure(&mut self, settings: &str) -> Result<Result<Vec<Column>, String>, Failed> {
        self.arm(CONFIGURE_TIMEOUT);
        let stage = self.plugin.palimpsest_plugin_stage();
        let columns = stage.call_configure(&mut self.store, settings).map_err(|error| failed(&error))?;
        Ok(columns.map(|columns| columns.into_iter().map(column).collect()))
    }

    pub(super) fn process(&mut self, turn: &Turn<'_>, timeout: Duration) -> Called {
        let Turn { document, capture, replies, rounds: _ } = *turn;
        let begun = Instant::now();
        self.arm(timeout);
        self.store.data_mut().begin(document, Arc::clone(capture));
        let texts: Vec<_> = document.fields.iter().map(texts_of).collect();
        let fields: Vec<_> =
            document.fields.iter().zip(&texts).map(|(it, texts)| field_out(it, texts)).collect();
        let replies: Vec<_> = replies.iter().map(reply_out).collect();
        let given = WitDocument {
            id: &document.id,
            url: &document.url,
            date: &document.date,
            text: &document.text,
            fields: &fields,
        };
        let result = self.plugin.palimpsest_plugin_stage().call_process(&mut self.store, given, &replies);
        let lines = self.store.data_mut().end();
        self.calls += 1;
        if self.calls == 1 {
            self.memory_at_first = self.store.data().memory();
        }
        let trapped = result.is_err();
        let verdict = match result {
            Ok(Ok(verdict)) => Ok(verdict_in(verdict)),
            Ok(Err(says)) => Err(Failed::new(Reason::PluginError, says)),
            Err(error) => Err(failed(&error)),
        };
        let grown = self.store.data().memory().saturating_sub(self.memory_at_first);
        let alive = !trapped && self.calls < CALLS && grown < GROWTH;
        Called { verdict, lines, took: begun.elapsed(), alive }
    }

    fn arm(&mut self, timeout: Duration) {
        self.store.set_epoch_deadline(Engine::ticks(timeout));
    }
}

/// The word for what ended a call.
fn failed(error: &wasmtime::Error) -> Failed {
    let reason = if error.is::<Denied>() {
        Reason::Denied
    } else if error.is::<NoBoard>() {
        Reason::NoBoard
    } else if error.is::<OutOfMemory>() {
        Reason::OutOfMemory
    } else if format!("{error:#}").contains(RETURNED_TOO_MUCH) {
        Reason::ReturnTooLarge
    } else {
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Reason::Timeout,
            Some(Trap::StackOverflow) => Reason::StackOverflow,
            Some(_) | None => Reason::Trap,
        }
    };
    Failed::new(reason, format!("{error:#}"))
}

fn column(column: WitColumn) -> Column {
    let kind = match column.kind {
        wit::Kind::Text => Kind::Text,
        wit::Kind::Integer => Kind::Integer,
        wit::Kind::Number => Kind::Number,
        wit::Kind::Flag => Kind::Flag,
        wit::Kind::Texts => Kind::Texts,
    };
    Column { name: column.name, kind }
}

/// The border lends lists as slices of slices, and this is who owns the outer ones.
fn texts_of(field: &Field) -> Vec<&str> {
    match &field.value {
        Value::Texts(texts) => texts.iter().map(String::as_str).collect(),
        Value::Text(_) | Value::Integer(_) | Value::Number(_) | Value::Flag(_) => Vec::new(),
    }
}

fn field_out<'a>(field: &'a Field, texts: &'a [&'a str]) -> wit::FieldParam<'a> {
    let value = match &field.value {
        Value::Text(text) => wit::ValueParam::Text(text),
        Value::Integer(integer) => wit::ValueParam::Integer(*integer),
        Value::Number(number) => wit::ValueParam::Number(*number),
        Value::Flag(flag) => wit::ValueParam::Flag(*flag),
        Value::Texts(_) => wit::ValueParam::Texts(texts),
    };
    wit::FieldParam { name: &field.name, value }
}

fn field_in(field: wit::FieldResult) -> Field {
    let value = match field.value {
        wit::ValueResult::Text(text) => Value::Text(text),
        wit::ValueResult::Integer(integer) => Value::Integer(integer),
        wit::ValueResult::Number(number) => Value::Number(number),
        wit::ValueResult::Flag(flag) => Value::Flag(flag),
        wit::ValueResult::Texts(texts) => Value::Texts(texts),
    };
    Field { name: field.name, value }
}

fn reply_out(reply: &Result<Reply, Failure>) -> Result<WitReply<'_>, WitFailure<'_>> {
    match reply {
        Ok(reply) => Ok(WitReply {
            text: &reply.text,
            finish: match reply.finish {
                Finish::Stop => wit::Finish::Stop,
                Finish::Length => wit::Finish::Length,
                Finish::Filtered => wit::Finish::Filtered,
            },
            prompt_tokens: reply.prompt_tokens,
            completion_tokens: reply.completion_tokens,
        }),
        Err(Failure::Refused(says)) => Err(WitFailure::Refused(says)),
        Err(Failure::TooLong(context)) => Err(WitFailure::TooLong(*context)),
        Err(Failure::GaveUp(says)) => Err(WitFailure::GaveUp(says)),
    }
}

fn verdict_in(verdict: WitVerdict) -> Verdict {
    match verdict {
        WitVerdict::Emit(drafts) => Verdict::Emit(drafts.into_iter().map(draft_in).collect()),
        WitVerdict::Drop(reason) => Verdict::Drop(reason),
        WitVerdict::Ask(prompts) => Verdict::Ask(prompts.into_iter().map(ask_in).collect()),
    }
}

fn draft_in(draft: wit::Draft) -> Draft {
    Draft {
        text: draft.text,
        fields: draft.fields.into_iter().map(field_in).collect(),
        span: draft.span.map(|span| (span.start, span.end)),
    }
}

fn ask_in(prompt: wit::Prompt) -> Ask {
    let shape = prompt.shape.map(|shape| match shape {
        wit::Shape::JsonSchema(schema) => Shape::JsonSchema(schema),
        wit::Shape::Grammar(grammar) => Shape::Grammar(grammar),
    });
    let share = prompt.share;
    let prompt = Prompt {
        model: prompt.model,
        system: prompt.system,
        user: prompt.user,
        max_tokens: prompt.max_tokens,
        temperature: prompt.temperature,
        top_p: prompt.top_p,
        stop: prompt.stop,
        shape,
        seed: 0,
    };
    Ask { prompt, share }
}
