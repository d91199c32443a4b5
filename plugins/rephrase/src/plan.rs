//! A page in one style: which segments are asked about, in which round, and what came of each.

use std::ops::Range;

use palimpsest_plugin::{Failure, Page, Prompt, Reply};

use crate::clean;
use crate::failed::Failed;
use crate::gate::Secrets;
use crate::judge::{Asked, Rewrite};
use crate::segment::{halves, part, segments};
use crate::settings::Settings;
use crate::style::{Asking, Draws, Style};

/// The round in which halves of segments are asked about, after all others.
pub(crate) const RETRY: usize = usize::MAX;

/// A style's plan for a page.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub style: &'a Style,
    pub asking: Asking<'a>,
    pub segments: Vec<Segment>,
    /// Words for pairs, points and passages that were left out of replies that stand.
    pub left_out: Vec<String>,
    secrets: Secrets,
}

#[derive(Debug)]
pub(crate) struct Segment {
    pub span: Range<usize>,
    pub treatment: Treatment,
    /// What came of it, once it is known; of what nobody is asked about it is known from the beginning.
    pub result: Option<Result<Rewrite, Failed>>,
    pub spent: Spent,
    tokens: u32,
    round: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    Ask,
    TooShort,
    TooMany,
    BeyondSeed,
}

/// Tokens of the replies to a segment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    /// Of all prompts and replies.
    pub paid: u64,
    /// Of the last reply.
    pub made: u64,
}

impl<'a> Plan<'a> {
    /// Cuts the page up. The same page gives the same plan, whatever replies are there.
    pub(crate) fn new(style: &'a Style, page: &Page<'_>, settings: &Settings, draws: &Draws<'_>) -> Self {
        let asking = Asking::new(style, draws);
        let secrets = Secrets::new(&asking.words());
        let count = |text: &str| page.count_tokens(&settings.model, text);
        let mut planned: Vec<Segment> = Vec::new();
        if style.limits.min_document <= count(page.text()) {
            let context = if is_in_turn(style, settings) { settings.context_tokens } else { 0 };
            let max = asking.max_segment(context, count);
            for span in segments(page.text(), style.limits.cut, max, count) {
                let tokens = count(part(page.text(), &span));
                let short = tokens < style.limits.min_segment;
                planned.push(Segment::new(
                    span,
                    tokens,
                    if short { Treatment::TooShort } else { Treatment::Ask },
                ));
            }
        }
        let mut plan = Self { style, asking, segments: planned, left_out: Vec::new(), secrets };
        if style.limits.seed_only {
            plan.keep_seed();
        }
        plan.limit(settings);
        plan
    }

    /// Leaves the first segment that can be asked about, and makes one of all that follow it.
    fn keep_seed(&mut self) {
        let Some(seed) = self.segments.iter().position(|segment| segment.treatment == Treatment::Ask) else {
            return;
        };
        let beyond = self.segments.split_off(seed + 1);
        if let (Some(first), Some(last)) = (beyond.first(), beyond.last()) {
            let tokens = beyond.iter().fold(0, |sum: u32, segment| sum.saturating_add(segment.tokens));
            let span = first.span.start..last.span.end;
            self.segments.push(Segment::new(span, tokens, Treatment::BeyondSeed));
        }
    }

    /// Gives each segment that is asked about its round, up to the limit of the settings.
    fn limit(&mut self, settings: &Settings) {
        // A segment in a strand waits for the one before it; the retry has a round of its own.
        let strand = settings.rounds.saturating_sub(usize::from(settings.retry)).max(1);
        let in_turn = is_in_turn(self.style, settings);
        let asked = self.segments.iter_mut().filter(|segment| segment.treatment == Treatment::Ask);
        for (number, segment) in asked.enumerate() {
            if settings.max_segments <= number {
                segment.treatment = Treatment::TooMany;
            }
            segment.round = if in_turn { number % strand } else { 0 };
        }
        for segment in &mut self.segments {
            segment.result = match segment.treatment {
                Treatment::Ask | Treatment::TooShort => None,
                Treatment::TooMany => Some(Err(Failed::TooManySegments)),
                Treatment::BeyondSeed => Some(Err(Failed::BeyondSeed)),
            };
        }
    }

    /// How many rounds it takes, without the retry.
    pub(crate) fn rounds(&self) -> usize {
        let asked = self.segments.iter().filter(|segment| segment.treatment == Treatment::Ask);
        asked.map(|segment| segment.round + 1).max().unwrap_or(0)
    }

    /// A prompt for each segment that is asked about in this round, in their order.
    pub(crate) fn prompts(&self, round: usize, page: &Page<'_>, settings: &Settings) -> Vec<Prompt> {
        let id = &page.document().id;
        self.in_round(round)
            .map(|number| {
                let context = self.context(number, page, settings);
                let text = self.segments.get(number).map_or("", |segment| part(page.text(), &segment.span));
                let mut prompt = self.asking.prompt(&settings.model, id, text, context.as_deref());
                prompt.temperature = settings.temperature.or(prompt.temperature);
                prompt.top_p = settings.top_p.or(prompt.top_p);
                prompt.shape = prompt.shape.filter(|_| settings.schema);
                prompt
            })
            .collect()
    }

    /// Judges the replies of a round. Takes as many from `replies` as there were prompts.
    pub(crate) fn hear(
        &mut self,
        round: usize,
        page: &Page<'_>,
        settings: &Settings,
        replies: &mut impl Iterator<Item = Result<Reply, Failure>>,
    ) {
        for number in self.in_round(round).collect::<Vec<_>>() {
            let context = self.context(number, page, settings);
            let Some(segment) = self.segments.get_mut(number) else { continue };
            let asked = Asked {
                style: self.style,
                secrets: &self.secrets,
                id: &page.document().id,
                text: part(page.text(), &segment.span),
                tokens: segment.tokens,
                start: segment.span.start,
                context: context.as_deref(),
            };
            segment.result = Some(match replies.next() {
                Some(Ok(reply)) => {
                    segment.spent.made = u64::from(reply.completion_tokens);
                    segment.spent.paid += u64::from(reply.prompt_tokens) + u64::from(reply.completion_tokens);
                    asked.judge(&reply, &mut self.left_out)
                }
                Some(Err(failure)) => Err(failure.into()),
                None => Err(Failed::Refused),
            });
        }
    }

    /// Puts halves in the place of segments whose reply was cut off or that were too long, as long as there is `room` for
    /// prompts.
    pub(crate) fn halve(&mut self, page: &Page<'_>, settings: &Settings, room: &mut usize) {
        let mut halved = Vec::with_capacity(self.segments.len());
        for segment in std::mem::take(&mut self.segments) {
            let failed = matches!(&segment.result, Some(Err(failed)) if failed.is_of_length());
            let parts = if failed && 2 <= *room { halves(page.text(), &segment.span) } else { None };
            let parts = parts.map(|parts| {
                parts.map(|span| (page.count_tokens(&settings.model, part(page.text(), &span)), span))
            });
            match parts {
                Some(parts) if parts.iter().all(|(tokens, _)| self.style.limits.min_segment <= *tokens) => {
                    *room -= 2;
                    let mut spent = segment.spent;
                    for (tokens, span) in parts {
                        let part = Segment::new(span, tokens, Treatment::Ask);
                        halved.push(Segment { round: RETRY, spent: std::mem::take(&mut spent), ..part });
                    }
                }
                Some(_) | None => halved.push(segment),
            }
        }
        self.segments = halved;
    }

    fn in_round(&self, round: usize) -> impl Iterator<Item = usize> + '_ {
        let asked = self.segments.iter().enumerate();
        asked
            .filter(move |(_, segment)| segment.treatment == Treatment::Ask && segment.round == round)
            .map(|(number, _)| number)
    }

    /// The end of the rewrite of the segment before, in whole sentences.
    fn context(&self, number: usize, page: &Page<'_>, settings: &Settings) -> Option<String> {
        if !matches!(self.segments.get(number), Some(segment) if (1..RETRY).contains(&segment.round)) {
            return None;
        }
        let before =
            self.segments.get(..number)?.iter().rev().find(|before| before.treatment == Treatment::Ask)?;
        let Some(Ok(rewrite)) = &before.result else { return None };
        let text = rewrite.text(self.style);
        let fits = |text: &str| page.count_tokens(&settings.model, text) <= settings.context_tokens;
        clean::last_sentences(&text, fits).map(str::to_owned)
    }
}

fn is_in_turn(style: &Style, settings: &Settings) -> bool {
    settings.context && style.is_continuous()
}

impl Segment {
    fn new(span: Range<usize>, tokens: u32, treatment: Treatment) -> Self {
        Self { span, tokens, treatment, round: 0, result: None, spent: Spent::default() }
    }
}
