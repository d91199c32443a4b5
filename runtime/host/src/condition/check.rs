//! Whether an expression fits the kinds of the fields that it reads, found out before any document comes by computing
//! each part of it for a document that has them all. So an operand that a `&&` or a `?` would hide is looked at too,
//! and what fits is whatever the evaluation takes, not a second opinion about it.

use cel::common::ast::{CallExpr, Expr, IdedExpr, operators};
use cel::{ExecutionError, Value as Computed};

use super::{Condition, ConditionError, shortened, survey::place_of};
use crate::document::{Column, Document, Field, Kind, Value};

/// The language's name for the kind of null.
pub(super) const NULL: &str = "null_type";

/// What every document has.
pub const OWN: [&str; 4] = ["id", "url", "date", "text"];

impl Condition {
    /// Whether its operations take the kinds of these columns, and its result is a truth value. A name that is none of
    /// the columns is no error here.
    pub fn check(&self, columns: &[Column]) -> Result<(), ConditionError> {
        let sample = sample_of(columns);
        match self.kind_of(&self.expression, &sample)? {
            Some(kind) if kind != "bool" => {
                let says = format!("the condition is {}, neither true nor false", a(&kind));
                Err(ConditionError::WrongKind { says, at: 0..self.text.len() })
            }
            _ => Ok(()),
        }
    }

    /// A name that is neither one of these columns nor one of the document's own.
    pub fn unwritten(&self, columns: &[Column]) -> Option<&str> {
        self.names().find(|name| !OWN.contains(name) && !columns.iter().any(|column| column.name == *name))
    }

    /// The kind of a part's value for the sample, unless it is null or depends on what stands in the fields.
    fn kind_of(&self, node: &IdedExpr, sample: &Document) -> Result<Option<String>, ConditionError> {
        match &node.expr {
            Expr::Call(call) => self.check_call(node, call, sample)?,
            Expr::List(list) => {
                for element in &list.elements {
                    self.kind_of(element, sample)?;
                }
            }
            // What is computed for each element is computed below, for the sample's one.
            Expr::Comprehension(comprehension) => drop(self.kind_of(&comprehension.iter_range, sample)?),
            Expr::Unspecified
            | Expr::Ident(_)
            | Expr::Literal(_)
            | Expr::Map(_)
            | Expr::Select(_)
            | Expr::Struct(_) => {}
        }
        match self.evaluate(node, sample, |value| value.get_type().name().to_owned()) {
            Ok(kind) => Ok((kind != NULL).then_some(kind)),
            Err(error) if is_of_null(&error) || is_of_value(&error) => Ok(None),
            Err(error) => Err(self.wrong_kind(explain(&error), node)),
        }
    }

    /// The operands of a call, and what the evaluation does not ask of them.
    fn check_call(&self, node: &IdedExpr, call: &CallExpr, sample: &Document) -> Result<(), ConditionError> {
        let operands = call.target.as_deref().into_iter().chain(&call.args);
        let kinds = operands.map(|operand| self.kind_of(operand, sample)).collect::<Result<Vec<_>, _>>()?;
        let truth_values = match call.func_name.as_str() {
            operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT => kinds.len(),
            operators::CONDITIONAL => 1,
            _ => 0,
        };
        for kind in kinds.iter().take(truth_values).flatten() {
            if kind != "bool" {
                let says = format!("`{}` takes true or false, not {}", sign(&call.func_name), a(kind));
                return Err(self.wrong_kind(says, node));
            }
        }
        let compares = [operators::EQUALS, operators::NOT_EQUALS].contains(&call.func_name.as_str());
        match kinds.as_slice() {
            [Some(left), Some(right)]
                if compares && left != right && !(is_number(left) && is_number(right)) =>
            {
                let says = format!("{} is never equal to {}", a(left), a(right));
                Err(self.wrong_kind(says, node))
            }
            _ => Ok(()),
        }
    }

    fn wrong_kind(&self, says: String, node: &IdedExpr) -> ConditionError {
        ConditionError::WrongKind { says, at: place_of(&self.text, &self.places, node) }
    }
}

/// A document with a field for each column. The texts can be read as numbers, and no list is empty.
fn sample_of(columns: &[Column]) -> Document {
    let text = || "1".to_owned();
    let fields = columns.iter().map(|column| Field {
        name: column.name.clone(),
        value: match column.kind {
            Kind::Text => Value::Text(text()),
            Kind::Integer => Value::Integer(1),
            Kind::Number => Value::Number(1.0),
            Kind::Flag => Value::Flag(true),
            Kind::Texts => Value::Texts(vec![text()]),
        },
    });
    Document {
        id: text(),
        url: text(),
        date: text(),
        text: text(),
        fields: fields.collect(),
        span: None,
        replies: Vec::new(),
    }
}

/// Whether an operation failed because an operand was null.
#[expect(clippy::wildcard_enum_match_arm, reason = "errors of other kinds, of which each release has more")]
pub(super) fn is_of_null(error: &ExecutionError) -> bool {
    match error {
        ExecutionError::NoSuchOverload(overload) => overload.argument_types().iter().any(|kind| kind == NULL),
        ExecutionError::UnexpectedType { got, .. } => got == NULL,
        ExecutionError::UnsupportedBinaryOperator(_, left, right)
        | ExecutionError::ValuesNotComparable(left, right) => {
            *left == Computed::Null || *right == Computed::Null
        }
        _ => false,
    }
}

/// Whether an operation failed because of what stood in its operands, rather than because of their kinds.
fn is_of_value(error: &ExecutionError) -> bool {
    matches!(
        error,
        ExecutionError::DivisionByZero(_)
            | ExecutionError::RemainderByZero(_)
            | ExecutionError::Overflow(..)
            | ExecutionError::IndexOutOfBounds(_)
            | ExecutionError::FunctionError { .. }
    )
}

/// The error in the words of the pipeline file.
#[expect(clippy::wildcard_enum_match_arm, reason = "the crate's own words do for what is rare")]
pub(super) fn explain(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchOverload(overload) => {
            let kinds: Vec<_> = overload.argument_types().iter().map(|kind| noun(kind)).collect();
            format!("`{}` does not take {}", sign(overload.function()), kinds.join(" and "))
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            let (left, right) = (left.type_of().to_string(), right.type_of().to_string());
            format!("`{}` does not take {} and {}", sign(operator), noun(&left), noun(&right))
        }
        ExecutionError::UnexpectedType { got, want } => {
            format!("{} stands where {} is taken", a(got), a(want))
        }
        ExecutionError::Overflow(operator, ..) => format!("`{}` overflows", sign(operator)),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "it divides by zero".to_owned()
        }
        other => shortened(other),
    }
}

/// The operator as it is written.
fn sign(function: &str) -> &str {
    match function {
        "add" => "+",
        "sub" | "negate" => "-",
        "mul" => "*",
        "div" => "/",
        "rem" => "%",
        operators::INDEX => "[]",
        operators::CONDITIONAL => "?",
        operators::IN => "in",
        name => name.trim_matches('_'),
    }
}

/// A kind as it is called among columns.
fn noun(kind: &str) -> &str {
    match kind {
        "string" => "text",
        "int" | "uint" => "integer",
        "double" | "float" => "number",
        "bool" => "flag",
        "iterable" => "list",
        other => other,
    }
}

/// A kind with its article.
pub(super) fn a(kind: &str) -> String {
    match noun(kind) {
        "integer" => "an integer".to_owned(),
        noun => format!("a {noun}"),
    }
}

fn is_number(kind: &str) -> bool {
    ["int", "uint", "double"].contains(&kind)
}
