//! What the rules found, and which of them a text broke.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// A rule that was broken, and the value that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Broken {
    pub rule: &'static str,
    pub value: f64,
}

/// Takes the values of rules one after another.
#[derive(Debug)]
pub struct Judge<'a> {
    /// Rules that are measured and break nothing.
    except: &'a BTreeSet<String>,
    /// Whether the first broken rule ends it.
    stop: bool,
    pub measured: Vec<(&'static str, f64)>,
    pub broken: Vec<Broken>,
}

impl<'a> Judge<'a> {
    #[must_use]
    pub fn new(except: &'a BTreeSet<String>, stop: bool) -> Self {
        Self { except, stop, measured: Vec::new(), broken: Vec::new() }
    }

    /// A value with what is said of it.
    pub fn rule(&mut self, rule: &'static str, value: f64, holds: bool) -> ControlFlow<()> {
        self.measured.push((rule, value));
        if holds || self.except.contains(rule) {
            return ControlFlow::Continue(());
        }
        self.broken.push(Broken { rule, value });
        if self.stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    pub fn at_most(&mut self, rule: &'static str, value: f64, most: f64) -> ControlFlow<()> {
        self.rule(rule, value, value <= most)
    }

    pub fn at_least(&mut self, rule: &'static str, value: f64, least: f64) -> ControlFlow<()> {
        self.rule(rule, value, least <= value)
    }

    pub fn within(&mut self, rule: &'static str, value: f64, least: f64, most: f64) -> ControlFlow<()> {
        self.rule(rule, value, least <= value && value <= most)
    }
}
