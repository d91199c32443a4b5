//! One segment and its reply: what of the reply may stand.

use palimpsest_plugin::{Finish, Reply, fence};

use crate::failed::Failed;
use crate::gate::{Reject, Rules, Secrets, Source};
use crate::qa;
use crate::read::{Said, read};
use crate::style::Style;

/// What was made of a segment: one text, or several pairs, points or passages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rewrite {
    pub items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub text: String,
    pub difficulty: Option<String>,
}

impl Rewrite {
    /// All of it as one text.
    pub(crate) fn text(&self, style: &Style) -> String {
        let texts: Vec<&str> = self.items.iter().map(|item| item.text.as_str()).collect();
        texts.join(style.between_items())
    }
}

/// A segment that a model was asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub style: &'a Style,
    pub secrets: &'a Secrets,
    /// The document's id.
    pub id: &'a str,
    pub text: &'a str,
    pub tokens: u32,
    /// Where in the page it begins.
    pub start: usize,
    /// The end of the rewrite before, if the model was told it.
    pub context: Option<&'a str>,
}

impl Asked<'_> {
    /// What may stand of a reply. Pairs, points and passages are judged each by itself, since one wrong answer is no reason
    /// to lose seven right ones: `left_out` gets a word for each that does not stand.
    pub(crate) fn judge(&self, reply: &Reply, left_out: &mut Vec<String>) -> Result<Rewrite, Failed> {
        let cut_off = is_cut_off(reply)?;
        let fence = fence(self.id, self.text);
        let source = Source::new(self.text, self.secrets, &fence);
        // Small models put the marker lines around their answer too; inside of it they are a leak.
        let answer = reply.text.trim().trim_start_matches(fence.as_str()).trim_end_matches(fence.as_str());
        let items = match read(self.style, answer, cut_off)? {
            Said::Text(text) => vec![self.text(&source, &text, cut_off)?],
            Said::Items(items) => self.items(&source, items, left_out)?,
            Said::Pairs(pairs) => self.pairs(&source, pairs, left_out)?,
        };
        Ok(Rewrite { items })
    }

    fn rules(&self) -> Rules {
        Rules { length: self.style.length, new_numbers: self.style.new_numbers }
    }

    fn text(&self, source: &Source<'_>, text: &str, cut_off: bool) -> Result<Item, Failed> {
        // A model that is told how its text ended may begin with that.
        let text = self.context.and_then(|context| text.strip_prefix(context)).unwrap_or(text).trim();
        let short = cut_off && source.share(text) < self.style.enough;
        match source.check(text, self.rules()) {
            // Half a segment would be told over and over just the same.
            Err(reject) if !short || reject == Reject::Repetitive => Err(Failed::Rejected(reject)),
            _ if short => Err(Failed::CutOff),
            _ => Ok(Item { text: text.to_owned(), difficulty: None }),
        }
    }

    fn items(
        &self,
        source: &Source<'_>,
        items: Vec<String>,
        left_out: &mut Vec<String>,
    ) -> Result<Vec<Item>, Failed> {
        let rules = self.rules();
        let mut taken: Vec<String> = Vec::new();
        let mut first = None;
        for item in items {
            match source.check_part(&item, rules) {
                // The same point again is what loops are made of.
                Ok(()) if taken.contains(&item) => {}
                Ok(()) => taken.push(item),
                Err(reject) => {
                    first = first.or(Some(reject));
                    left_out.push(format!("item_{}", reject.reason()));
                }
            }
        }
        if taken.is_empty() {
            return Err(first.map_or(Failed::NoItems, Failed::Rejected));
        }
        source.check_sum(&taken.join(self.style.between_items()), rules).map_err(Failed::Rejected)?;
        Ok(taken.into_iter().map(|text| Item { text, difficulty: None }).collect())
    }

    fn pairs(
        &self,
        source: &Source<'_>,
        pairs: Vec<qa::Pair>,
        left_out: &mut Vec<String>,
    ) -> Result<Vec<Item>, Failed> {
        let rules = self.rules();
        let mut taken: Vec<qa::Pair> = Vec::new();
        let mut first = None;
        for pair in pairs {
            let judged =
                source.check_question(&pair.question).and_then(|()| source.check(&pair.answer, rules));
            match judged {
                Ok(()) if taken.iter().any(|known| known.question == pair.question) => {}
                Ok(()) => taken.push(pair),
                Err(reject) => {
                    first = first.or(Some(reject));
                    left_out.push(format!("pair_{}", reject.reason()));
                }
            }
        }
        if taken.is_empty() {
            return Err(first.map_or(Failed::NoPairs, Failed::Rejected));
        }
        if self.style.sample {
            taken = qa::chosen(taken, self.tokens, self.id, self.start);
        }
        Ok(taken.into_iter().map(|pair| Item { text: pair.shown(), difficulty: pair.difficulty }).collect())
    }
}

fn is_cut_off(reply: &Reply) -> Result<bool, Failed> {
    match reply.finish {
        Finish::Stop => Ok(false),
        Finish::Length => Ok(true),
        Finish::Filtered => Err(Failed::Filtered),
    }
}
