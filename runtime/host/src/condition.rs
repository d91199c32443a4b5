//! Conditions of the pipeline file: which documents a stage or a model's route is for.
//!
//! A condition is an expression in CEL, the Common Expression Language, over a document's fields and its `id`, `url`,
//! `date` and `text`: `language == 'de' && quality_bucket > 11`. The document's own four come before a field of the
//! same name. Numbers compare by value, whatever their kinds; arithmetic does not mix them, so `score * 100.0` and not
//! `score * 100`.
//!
//! A field that the document does not have is null. Null equals null and nothing else, so `language != null` asks
//! whether there is one, and a document without a language is among those for which `language != 'de'` holds. What
//! cannot be computed of null is unknown, and a condition that is unknown does not hold: neither `quality < 3` nor
//! `!(quality < 3)` takes a document that nobody rated. `&&` and `||` go on with what is known.
//!
//! This is the only module to name the CEL crate. What the crate leaves unbounded is bounded here: the length and the
//! nesting of an expression, and the work for one document, which is linear in the document because an expression has
//! no loops within loops, no names but the element's within a loop, few sums, and patterns that are compiled once.
//! Maps, messages, members of values and clocks are refused: fields have none.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};
use std::thread;

use cel::common::ast::{IdedExpr, SourceInfo};
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelNull, CelString, STRING_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::context::VariableResolver;
use cel::parser::{ParseError, ParseErrors, Parser};
use cel::{Context, Env, ExecutionError};
use regex::{Regex, RegexBuilder};

use crate::document::{Document, Value};

mod check;
pub use check::OWN;
mod survey;

#[cfg(test)]
mod tests;

/// A screenful. Longer lists are data, and belong into a file that a stage reads.
const MAX_BYTES: usize = 4096;

/// Brackets and alternatives within each other. People stop reading at five; the parser takes 10 KB of stack for each.
const MAX_NESTING: u16 = 32;

/// Levels of the parsed expression; a chain of `||` has few, of `-` one for each. Evaluation recurses once for each, on
/// the 2 MB of a worker's stack, and takes 40 KB of it in a build without optimisation.
const MAX_DEPTH: usize = 32;

/// `+` joins texts as well, and each one may copy the whole text of the document.
const MAX_SUMS: usize = 8;

/// Bytes of a compiled pattern; a Unicode word class takes some 30 KB. Matching is linear in the text's length, and at
/// worst in this as well.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// For the parser: a chain of 2,000 operators, the longest that fits, in a build without optimisation.
const PARSER_STACK: usize = 64 << 20;

/// Letters of somebody else's message that are kept. It may quote the whole text of a document.
const MAX_MESSAGE_BYTES: usize = 200;

/// A condition of the pipeline file, compiled.
#[derive(Debug, Clone)]
pub struct Condition {
    text: String,
    expression: IdedExpr,
    places: Arc<SourceInfo>,
    names: Vec<String>,
    patterns: Vec<Pattern>,
}

/// Why a text of the pipeline file is no condition.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConditionError {
    #[error("a condition has at most {MAX_BYTES} bytes, and this one has {0}")]
    TooLong(usize),
    #[error("a condition nests at most {MAX_NESTING} brackets and {MAX_DEPTH} operations")]
    TooDeep,
    #[error("{says}, at byte {}", at.start)]
    Syntax { says: String, at: Range<usize> },
    #[error("{what}, at byte {}", at.start)]
    Refused { what: String, at: Range<usize> },
    #[error("{says}, at byte {}", at.start)]
    WrongKind { says: String, at: Range<usize> },
    #[error("the pattern at byte {} cannot be compiled", at.start)]
    Pattern { at: Range<usize>, source: regex::Error },
    #[error("the condition could not be parsed")]
    Broken(#[source] Breakdown),
}

/// The parser failed otherwise than by an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Breakdown {
    #[error("its thread could not be started: {0}")]
    Thread(String),
    #[error("the parser panicked")]
    Panic,
}

/// Why a condition says neither yes nor no of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    #[error("the condition cannot be computed: {0}")]
    Failed(String),
    #[error("the condition is {0}, neither true nor false")]
    NoTruthValue(String),
}

impl ConditionError {
    /// The bytes of the expression that are complained about, if not all.
    pub fn at(&self) -> Option<Range<usize>> {
        match self {
            Self::TooLong(_) | Self::TooDeep | Self::Broken(_) => None,
            Self::Syntax { at, .. }
            | Self::Refused { at, .. }
            | Self::WrongKind { at, .. }
            | Self::Pattern { at, .. } => Some(at.clone()),
        }
    }
}

impl Undecided {
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Failed(_) => "condition_failed",
            Self::NoTruthValue(_) => "condition_no_truth_value",
        }
    }
}

impl Condition {
    /// Parses, and computes whatever does not depend on a document.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        if MAX_BYTES < text.len() {
            return Err(ConditionError::TooLong(text.len()));
        }
        on_a_large_stack(|| {
            let condition = Self::compile(text)?;
            condition.check(&[])?;
            Ok(condition)
        })
    }

    fn compile(text: &str) -> Result<Self, ConditionError> {
        let parser = Parser::new().max_recursion_depth(MAX_NESTING);
        let (mut expression, places) =
            parser.parse_with_source_info(text).map_err(|errors| complaint(text, &errors))?;
        let (names, patterns) = survey::survey(text, &places, &mut expression)?;
        Ok(Self { text: text.to_owned(), expression, places: Arc::new(places), names, patterns })
    }

    /// The condition as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names that it reads, in their order: of fields, and `id`, `url`, `date` and `text`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether it holds for this document.
    pub fn holds(&self, document: &Document) -> Result<bool, Undecided> {
        let truth = self.evaluate(&self.expression, document, |value| {
            let truth = value.downcast_ref::<CelBool>().map(|truth| *truth.inner());
            truth.ok_or_else(|| value.get_type().name().to_owned())
        });
        match truth {
            Ok(Ok(truth)) => Ok(truth),
            Ok(Err(kind)) if kind == check::NULL => Ok(false),
            Ok(Err(kind)) => Err(Undecided::NoTruthValue(check::a(&kind))),
            Err(error) if check::is_of_null(&error) => Ok(false),
            Err(error) => Err(Undecided::Failed(check::explain(&error))),
        }
    }

    fn evaluate<T>(
        &self,
        expression: &IdedExpr,
        document: &Document,
        read: impl FnOnce(&CowVal<'_, '_>) -> T,
    ) -> Result<T, ExecutionError> {
        let lookup = Lookup { document, patterns: &self.patterns };
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.set_variable_resolver(&lookup);
        cel::Value::resolve_val(expression, &context).map(|value| read(&value))
    }
}

/// The functions of the language's standard library, and `matches` with a compiled pattern.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::default().with_optional_support(false).with_stdlib();
    environment
        .add_member_overload("matches", "matches_pattern", STRING_TYPE, vec![PATTERN_TYPE], matches)
        .expect("the crate declares no `matches` without its feature `regex`");
    Arc::new(environment)
});

/// The names of an expression, looked up while it is evaluated: what it does not name costs nothing, and no text is
/// copied.
struct Lookup<'d> {
    document: &'d Document,
    patterns: &'d [Pattern],
}

impl VariableResolver for Lookup<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        let Document { id, url, date, text, fields, span: _, replies: _ } = self.document;
        Some(match name {
            "id" => borrowed(id),
            "url" => borrowed(url),
            "date" => borrowed(date),
            "text" => borrowed(text),
            name => match pattern_number(name).and_then(|number| self.patterns.get(number)) {
                Some(pattern) => CowVal::Borrowed(pattern),
                None => fields
                    .iter()
                    .find(|field| field.name == name)
                    .map_or(CowVal::Borrowed(&CelNull), |field| value_of(&field.value)),
            },
        })
    }
}

fn borrowed(text: &str) -> CowVal<'_, '_> {
    CowVal::owned(CelString::from(text))
}

fn value_of(value: &Value) -> CowVal<'_, '_> {
    match value {
        Value::Text(text) => borrowed(text),
        Value::Integer(integer) => CowVal::owned(CelInt::from(*integer)),
        Value::Number(number) => CowVal::owned(CelDouble::from(*number)),
        Value::Flag(flag) => CowVal::owned(CelBool::from(*flag)),
        Value::Texts(texts) => {
            let texts =
                texts.iter().map(|text| Box::new(CelString::from(text.as_str())) as Box<dyn Val + '_>);
            CowVal::owned(CelList::from(texts.collect::<Vec<_>>()))
        }
    }
}

/// A pattern of the expression, in the place of the text that was written there: the crate compiles a text for each
/// document anew, which takes longer than all the rest.
#[derive(Debug, Clone)]
struct Pattern(Regex);

const PATTERN_TYPE: Type = Type::new_unspecified_type("pattern");

impl Pattern {
    fn compile(text: &str, at: Range<usize>) -> Result<Self, ConditionError> {
        let pattern = RegexBuilder::new(text).size_limit(MAX_PATTERN_BYTES).build();
        pattern.map(Self).map_err(|source| ConditionError::Pattern { at, source })
    }
}

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        Self::cel_type()
    }

    fn cel_type() -> &'static Type {
        static TYPE: Type = PATTERN_TYPE;
        &TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

fn matches<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = arguments.first().and_then(|text| text.downcast_ref::<CelString<'_>>());
    let pattern = arguments.get(1).and_then(|pattern| pattern.downcast_ref::<Pattern>());
    match (text, pattern) {
        (Some(text), Some(Pattern(pattern))) => {
            Ok(CowVal::owned(CelBool::from(pattern.is_match(text.inner()))))
        }
        _ => Err(ExecutionError::missing_argument_or_target()),
    }
}

/// The name that stands for a pattern. No expression can write it.
fn pattern_name(number: usize) -> String {
    format!("@{number}")
}

fn pattern_number(name: &str) -> Option<usize> {
    name.strip_prefix('@')?.parse().ok()
}

/// The parser recurses, and what it takes for each level differs tenfold between builds.
fn on_a_large_stack<T: Send>(
    work: impl FnOnce() -> Result<T, ConditionError> + Send,
) -> Result<T, ConditionError> {
    let builder = thread::Builder::new().name("condition".to_owned()).stack_size(PARSER_STACK);
    thread::scope(|scope| match builder.spawn_scoped(scope, work) {
        Ok(thread) => thread.join().unwrap_or(Err(ConditionError::Broken(Breakdown::Panic))),
        Err(error) => Err(ConditionError::Broken(Breakdown::Thread(error.to_string()))),
    })
}

/// The one complaint of the parser that explains the others.
fn complaint(text: &str, errors: &ParseErrors) -> ConditionError {
    let is_syntax = |error: &&ParseError| error.msg.starts_with(SYNTAX);
    if errors.errors.iter().any(|error| error.msg.contains("Recursion limit")) {
        return ConditionError::TooDeep;
    }
    let first = errors.errors.iter().find(is_syntax).or(errors.errors.first());
    let Some(error) = first else {
        return ConditionError::Broken(Breakdown::Panic);
    };
    let at = place_of(text, error);
    let rest = text.get(at.start..).unwrap_or_default();
    ConditionError::Syntax { says: plainly(&error.msg, rest), at }
}

/// How a complaint begins whose column counts letters. Others without a node count bytes.
const SYNTAX: &str = "Syntax error: ";

/// The bytes that a complaint is about: those of a node of the expression, or the letter at a line and column.
fn place_of(text: &str, error: &ParseError) -> Range<usize> {
    let places = error.source_info.as_deref().filter(|_| error.expr_id != 0);
    if let Some((first, last)) = places.and_then(|places| places.offset_for(error.expr_id)) {
        return survey::clamped(text, first, last);
    }
    let (line, column) = error.pos;
    let before = |one_based: isize| usize::try_from(one_based - 1).unwrap_or(0);
    let lines = text.split_inclusive('\n');
    let line_start: usize = lines.take(before(line)).map(str::len).sum();
    let from = text.get(line_start..).unwrap_or_default();
    let within = if error.msg.starts_with(SYNTAX) {
        from.char_indices().nth(before(column)).map_or(from.len(), |(index, _)| index)
    } else {
        before(column)
    };
    let start = text.floor_char_boundary(line_start + within);
    start..text.ceil_char_boundary((start + 1).min(text.len()))
}

/// The parser's message without what only its authors need, and with what would be right.
fn plainly(message: &str, rest: &str) -> String {
    if message.contains("has() macro") {
        return "`has` takes no field; whether a document has one asks `field != null`".to_owned();
    }
    if rest.starts_with('=') && message.contains("token recognition") {
        return "`=` is no operator; `==` compares".to_owned();
    }
    let message = message.strip_prefix(SYNTAX).unwrap_or(message);
    if message.starts_with("mismatched input '<EOF>'") {
        return "the condition ends too early".to_owned();
    }
    let message = message.split_once(" expecting ").map_or(message, |(message, _)| message);
    match message.strip_prefix("token recognition error at: ") {
        Some(token) => shortened(&format_args!("{token} cannot be read")),
        None => shortened(&message),
    }
}

/// Somebody else's message, or as much of it as anybody reads.
fn shortened(message: &dyn fmt::Display) -> String {
    let mut kept = Shortened(String::new());
    // A message is cut off by refusing the rest of it, which is no failure.
    match fmt::write(&mut kept, format_args!("{message}")) {
        Ok(()) => kept.0,
        Err(fmt::Error) => kept.0 + "…",
    }
}

struct Shortened(String);

impl fmt::Write for Shortened {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = MAX_MESSAGE_BYTES - self.0.len().min(MAX_MESSAGE_BYTES);
        let fits = part.floor_char_boundary(room);
        self.0.push_str(part.get(..fits).unwrap_or_default());
        if fits < part.len() { Err(fmt::Error) } else { Ok(()) }
    }
}
