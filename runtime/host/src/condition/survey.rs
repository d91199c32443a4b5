//! Once over an expression after it was parsed: what it names, what it may not contain, and its patterns compiled.

use std::ops::Range;

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators};

use super::{ConditionError, MAX_DEPTH, MAX_SUMS, Pattern, pattern_name};

/// The operators that take part. Those of optional values do not: fields are there or null.
const OPERATORS: [&str; 17] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
];

/// The names of an expression and its patterns, each of which is replaced by the name that stands for it.
pub(super) fn survey(
    text: &str,
    places: &SourceInfo,
    expression: &mut IdedExpr,
) -> Result<(Vec<String>, Vec<Pattern>), ConditionError> {
    let mut survey = Survey { text, places, names: Vec::new(), patterns: Vec::new(), sums: 0 };
    survey.visit(expression, Scope { depth: 0, element: None })?;
    Ok((survey.names, survey.patterns))
}

/// Where the bytes of a node are. Those of a call are its bracket or its operator.
pub(super) fn place_of(text: &str, places: &SourceInfo, node: &IdedExpr) -> Range<usize> {
    places.offset_for(node.id).map_or(0..text.len(), |(first, last)| clamped(text, first, last))
}

/// The parser counts the last byte in.
pub(super) fn clamped(text: &str, first: u32, last: u32) -> Range<usize> {
    let start = text.floor_char_boundary(first as usize);
    start..text.ceil_char_boundary((last as usize + 1).min(text.len())).max(start)
}

struct Survey<'t> {
    text: &'t str,
    places: &'t SourceInfo,
    names: Vec<String>,
    patterns: Vec<Pattern>,
    sums: usize,
}

/// Where in the expression a node stands.
#[derive(Clone, Copy)]
struct Scope<'e> {
    depth: usize,
    /// The name of a list's element, within `exists` and its like.
    element: Option<&'e str>,
}

impl Survey<'_> {
    fn visit(&mut self, node: &mut IdedExpr, outside: Scope<'_>) -> Result<(), ConditionError> {
        let scope = Scope { depth: outside.depth + 1, ..outside };
        if MAX_DEPTH < scope.depth {
            return Err(ConditionError::TooDeep);
        }
        let at = place_of(self.text, self.places, node);
        let refused = |what: &str| Err(ConditionError::Refused { what: what.to_owned(), at: at.clone() });
        match &mut node.expr {
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.name(name, scope, at),
            Expr::List(list) => list.elements.iter_mut().try_for_each(|element| self.visit(element, scope)),
            Expr::Call(call) => self.call(call, scope, at),
            Expr::Comprehension(_) if scope.element.is_some() => {
                refused("one list cannot be gone over within another")
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, scope),
            Expr::Select(_) => refused("a field has no members; whether it is there asks `field != null`"),
            Expr::Map(_) | Expr::Struct(_) => refused("conditions have no maps and no messages"),
            Expr::Unspecified => refused("this is no expression"),
        }
    }

    fn name(&mut self, name: &str, scope: Scope<'_>, at: Range<usize>) -> Result<(), ConditionError> {
        // The parser's own name for the result of going over a list.
        if name.starts_with('@') || scope.element == Some(name) {
            return Ok(());
        }
        if let Some(element) = scope.element {
            let what = format!("`{name}` cannot be read for each element of a list, only `{element}`");
            return Err(ConditionError::Refused { what, at });
        }
        // A leading dot says that the name is no element's.
        let name = name.trim_start_matches('.');
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
        Ok(())
    }

    fn call(
        &mut self,
        call: &mut CallExpr,
        scope: Scope<'_>,
        at: Range<usize>,
    ) -> Result<(), ConditionError> {
        if !is_known(call) {
            let what = format!(
                "there is no `{}` of that form; there are size, contains, startsWith, endsWith, matches, int, double, \
                 string, all, exists, exists_one, map and filter",
                call.func_name
            );
            return Err(ConditionError::Refused { what, at: self.name_before(&call.func_name, at) });
        }
        if call.func_name == operators::ADD && !is_accumulator(call.args.first()) {
            self.sums += 1;
            if scope.element.is_some() || MAX_SUMS < self.sums {
                let what = format!(
                    "a condition has at most {MAX_SUMS} sums, none of them for each element of a list"
                );
                return Err(ConditionError::Refused { what, at });
            }
        }
        if call.func_name == "matches" {
            self.pattern(call, at)?;
        }
        if let Some(target) = &mut call.target {
            self.visit(target, scope)?;
        }
        call.args.iter_mut().try_for_each(|argument| self.visit(argument, scope))
    }

    /// Compiles the pattern of a call of `matches`, whose one spelling is then `text.matches(pattern)`.
    fn pattern(&mut self, call: &mut CallExpr, at: Range<usize>) -> Result<(), ConditionError> {
        let pattern = call.args.pop();
        if call.target.is_none() {
            call.target = call.args.pop().map(Box::new);
        }
        let (Some(mut pattern), Some(_)) = (pattern, &call.target) else {
            return Err(ConditionError::Refused {
                what: "`matches` takes a text and a pattern".to_owned(),
                at,
            });
        };
        let at = place_of(self.text, self.places, &pattern);
        let Expr::Literal(LiteralValue::String(text)) = &pattern.expr else {
            let what = "a pattern is written out, so that it is compiled once".to_owned();
            return Err(ConditionError::Refused { what, at });
        };
        let compiled = Pattern::compile(text.inner(), at)?;
        pattern.expr = Expr::Ident(pattern_name(self.patterns.len()));
        self.patterns.push(compiled);
        call.args.push(pattern);
        Ok(())
    }

    fn comprehension(
        &mut self,
        comprehension: &mut ComprehensionExpr,
        scope: Scope<'_>,
    ) -> Result<(), ConditionError> {
        self.visit(&mut comprehension.iter_range, scope)?;
        let within = Scope { element: Some(&comprehension.iter_var), ..scope };
        self.visit(&mut comprehension.accu_init, within)?;
        self.visit(&mut comprehension.loop_cond, within)?;
        self.visit(&mut comprehension.loop_step, within)?;
        self.visit(&mut comprehension.result, within)
    }

    /// The name in front of a call's bracket.
    fn name_before(&self, name: &str, bracket: Range<usize>) -> Range<usize> {
        let before = self.text.get(..bracket.start).unwrap_or_default().trim_end();
        match before.strip_suffix(name) {
            Some(rest) => rest.len()..before.len(),
            None => bracket,
        }
    }
}

fn is_known(call: &CallExpr) -> bool {
    match (call.func_name.as_str(), call.target.is_some(), call.args.len()) {
        ("size", true, 0) | ("size" | "int" | "double" | "string", false, 1) => true,
        ("contains" | "startsWith" | "endsWith" | "matches", true, 1) | ("matches", false, 2) => true,
        (operators::IN | operators::NOT_STRICTLY_FALSE, false, _) => true,
        (name, false, _) => OPERATORS.contains(&name),
        (_, true, _) => false,
    }
}

/// What `map`, `filter` and `exists_one` add to is the parser's own.
fn is_accumulator(operand: Option<&IdedExpr>) -> bool {
    matches!(operand.map(|operand| &operand.expr), Some(Expr::Ident(name)) if name.starts_with('@'))
}
