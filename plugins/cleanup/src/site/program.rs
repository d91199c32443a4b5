//! What a model wrote for a site: its calls become rules, and the record says what became of each call.

use palimpsest_plugin::seed;

use super::Fallback;
use super::listing::Listing;
use super::pattern::Pattern;
use super::rules::{Cut, Limits, Rule, Site, Verdict, run};
use super::sample::Seen;
use crate::execute::Fate;
use crate::program::{Call, Item, Verb, parse};
use crate::settings::Settings;

/// More rules than a prompt lists lines are a model that repeats itself.
const MAX_RULES: usize = 256;

/// A page after its site's program.
#[derive(Debug)]
pub(crate) struct Cleaned {
    pub text: String,
    pub programs: Vec<String>,
    pub calls: Vec<(String, Fate)>,
    pub digest: String,
}

/// What a model wrote for a site.
#[derive(Debug, Default)]
pub(super) struct Program {
    replies: Vec<String>,
    /// Every item and its fate; those that became rules are absent until a page has what they look for.
    calls: Vec<(String, Fate)>,
    pub rules: Vec<Rule>,
    /// For each rule, the call that it came from.
    from: Vec<usize>,
}

impl Program {
    /// Adds what one reply says, unless it has too many errors.
    pub(super) fn read(&mut self, reply: String, listing: &Listing, settings: &Settings) {
        let start = (self.calls.len(), self.rules.len());
        for item in parse(&reply) {
            let (said, fate) = match item {
                Item::Call(call) => (call.to_string(), self.add(&call, listing)),
                Item::Unknown(text) => (text, Fate::Unknown),
                Item::Unparsable(text) => (text, Fate::Unparsable),
                Item::Prose(text) => (text, Fate::Ignored),
            };
            self.calls.push((said, fate));
        }
        let said = self.calls.get_mut(start.0..).unwrap_or_default();
        if settings.max_errors <= said.iter().filter(|(_, fate)| fate.is_error()).count() {
            self.rules.truncate(start.1);
            self.from.truncate(start.1);
            said.iter_mut()
                .filter(|(_, fate)| !fate.is_error())
                .for_each(|(_, fate)| *fate = Fate::Withdrawn);
        }
        self.replies.push(reply);
    }

    fn add(&mut self, call: &Call, listing: &Listing) -> Fate {
        match call {
            Call::Keep => Fate::Kept,
            Call::RemoveLines { start, end } => self.add_rows(*start, *end, listing),
            Call::Matching { verb, text } => {
                // A beginning with a star in it ends nowhere in particular.
                match Pattern::written(&text.text)
                    .filter(|text| *verb != Verb::Prefix || text.only().is_some())
                {
                    Some(pattern) => self.rule(Rule { verb: *verb, pattern }),
                    None => Fate::Refused,
                }
            }
            Call::RemoveAll | Call::Normalize { .. } | Call::DropDoc => Fate::Refused,
        }
    }

    fn add_rows(&mut self, start: i64, end: i64, listing: &Listing) -> Fate {
        let last = listing.rows.len() - 1;
        let (Ok(start), Ok(end)) = (usize::try_from(start), usize::try_from(end)) else {
            return Fate::OutOfRange;
        };
        if last < start || end < start {
            return Fate::OutOfRange;
        }
        let mut fate = if last < end { Fate::Clamped } else { Fate::Absent };
        for row in listing.rows.iter().take(end.min(last) + 1).skip(start) {
            let added = self.rule(Rule { verb: Verb::Line, pattern: Pattern::whole(&row.mask) });
            if added == Fate::Refused {
                fate = added;
            }
        }
        fate
    }

    fn rule(&mut self, rule: Rule) -> Fate {
        if MAX_RULES <= self.rules.len() {
            return Fate::Refused;
        }
        if !self.rules.contains(&rule) {
            self.rules.push(rule);
            self.from.push(self.calls.len());
        }
        Fate::Absent
    }

    /// Leaves the rules that the samples speak for. A call none of whose rules is left was refused.
    pub(super) fn keep_good(&mut self, site: &Site, limits: Limits) {
        let verdicts: Vec<_> = self.rules.iter().map(|rule| site.judge(rule, limits)).collect();
        for (call, (_, fate)) in self.calls.iter_mut().enumerate() {
            let mut own = self.from.iter().zip(&verdicts).filter(|(from, _)| **from == call).peekable();
            if own.peek().is_some() && own.all(|(_, verdict)| *verdict == Verdict::Harmful) {
                *fate = Fate::Refused;
            }
        }
        let mut good = verdicts.iter().map(|verdict| *verdict == Verdict::Good);
        let mut also = good.clone();
        self.rules.retain(|_| good.next() == Some(true));
        self.from.retain(|_| also.next() == Some(true));
    }

    /// Equal for all pages that this program cleans, and for no others.
    fn digest(&self) -> String {
        let rules: Vec<String> = self.rules.iter().map(|rule| format!("{rule:?}")).collect();
        let parts: Vec<&str> = rules.iter().map(String::as_str).collect();
        format!("{:016x}", seed(&parts))
    }

    pub(super) fn clean(mut self, text: &str, site: &Site, limits: Limits) -> Result<Cleaned, Fallback> {
        let lines: Vec<&str> = text.split('\n').collect();
        let seen: Vec<Seen> = lines.iter().map(|line| Seen::new(line)).collect();
        let cuts = run(&self.rules, &seen);
        if site.weigh(&seen, &cuts, limits).is_some() {
            return Err("unlike_its_site");
        }
        let mut left = Vec::with_capacity(lines.len());
        for (line, cut) in lines.into_iter().zip(cuts) {
            let by = match cut {
                Cut::Stays => {
                    left.push(line);
                    continue;
                }
                Cut::Goes(by) => by,
                Cut::Loses { by, .. } => {
                    left.push(self.rules.get(by).and_then(|rule| rule.rest_of(line)).unwrap_or(line));
                    by
                }
            };
            if let Some((_, fate)) = self.from.get(by).and_then(|call| self.calls.get_mut(*call)) {
                *fate = if *fate == Fate::Clamped { Fate::Clamped } else { Fate::Applied };
            }
        }
        let digest = self.digest();
        Ok(Cleaned { text: left.join("\n"), programs: self.replies, calls: self.calls, digest })
    }
}
