//! A page in one style: which segments are asked about, and the document that their replies make.

use std::ops::Range;

use palimpsest_plugin::{Draft, Failure, Finish, Page, Prompt, Reply, fence};

use crate::gate::{Reject, Source};
use crate::segment::{part, segments};
use crate::settings::{Gaps, Settings};
use crate::style::{Limits, Style};
use crate::{clean, qa};

/// Why a segment has no rewrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    Refused,
    TooLongForModel,
    GaveUp,
    OverBudget,
    Filtered,
    /// The reply ended before its first sentence did.
    CutOff,
    NoPairs,
    TooManySegments,
    Rejected(Reject),
}

impl Failed {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Refused => "refused_by_server",
            Self::TooLongForModel => "too_long_for_model",
            Self::GaveUp => "gave_up",
            Self::OverBudget => "over_budget",
            Self::Filtered => "filtered",
            Self::CutOff => "cut_off",
            Self::NoPairs => "no_pairs",
            Self::TooManySegments => "too_many_segments",
            Self::Rejected(reject) => reject.reason(),
        }
    }

    /// Whether nothing came back that could have been judged.
    fn is_silence(self) -> bool {
        match self {
            Self::Refused
            | Self::TooLongForModel
            | Self::GaveUp
            | Self::OverBudget
            | Self::TooManySegments => true,
            Self::Filtered | Self::CutOff | Self::NoPairs | Self::Rejected(_) => false,
        }
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(_) => Self::Refused,
            Failure::TooLong(_) => Self::TooLongForModel,
            Failure::GaveUp(_) => Self::GaveUp,
            Failure::OverBudget => Self::OverBudget,
        }
    }
}

/// Why a style makes no document of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Barren {
    /// Nothing in it, or too little, to ask about.
    TooShort,
    /// No segment got a reply.
    NoReply,
    /// Too little of what came back may stand.
    NoRewrite,
}

impl Barren {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::NoReply => "no_reply",
            Self::NoRewrite => "no_rewrite",
        }
    }
}

/// A style's plan for a page.
pub(crate) struct Plan {
    limits: &'static Limits,
    style: Style,
    segments: Vec<Segment>,
}

struct Segment {
    span: Range<usize>,
    tokens: u32,
    treatment: Treatment,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Treatment {
    Ask,
    TooShort,
    TooMany,
}

/// What a style made of a page.
pub(crate) struct Rewritten {
    pub(crate) style: &'static str,
    pub(crate) draft: Result<Draft, Barren>,
    /// Why segments failed, in their order, and after them pairs that were left out.
    pub(crate) rejected: Vec<String>,
}

impl Plan {
    /// Cuts the page up. The same page gives the same plan, whatever replies are there.
    pub(crate) fn new(style: Style, page: &Page<'_>, settings: &Settings) -> Self {
        let limits = style.limits();
        let count = |text: &str| page.count_tokens(&settings.model, text);
        let mut planned = Vec::new();
        if limits.min_document <= count(page.text()) {
            for span in segments(page.text(), limits.cut, limits.max_segment(count), count) {
                let tokens = count(part(page.text(), &span));
                let short = tokens < limits.min_segment;
                let treatment = if short { Treatment::TooShort } else { Treatment::Ask };
                planned.push(Segment { span, tokens, treatment });
            }
        }
        let asked = planned.iter_mut().filter(|segment| segment.treatment == Treatment::Ask);
        asked.skip(settings.max_segments).for_each(|segment| segment.treatment = Treatment::TooMany);
        Self { limits, style, segments: planned }
    }

    /// A prompt for each segment that is asked about, in their order.
    pub(crate) fn prompts(&self, page: &Page<'_>, settings: &Settings) -> Vec<Prompt> {
        let asked = self.segments.iter().filter(|segment| segment.treatment == Treatment::Ask);
        asked
            .map(|segment| {
                let text = part(page.text(), &segment.span);
                let mut prompt = self.limits.prompt(&settings.model, &page.document().id, text);
                prompt.temperature = settings.temperature.or(prompt.temperature);
                prompt.top_p = settings.top_p.or(prompt.top_p);
                prompt
            })
            .collect()
    }

    /// Makes the document. Takes as many replies from `replies` as there were prompts.
    pub(crate) fn finish(
        &self,
        page: &Page<'_>,
        settings: &Settings,
        replies: &mut impl Iterator<Item = Result<Reply, Failure>>,
    ) -> Rewritten {
        let mut document = Document::default();
        for (number, segment) in self.segments.iter().enumerate() {
            let source = part(page.text(), &segment.span);
            let rewrite = match segment.treatment {
                Treatment::TooShort => Err(None),
                Treatment::TooMany => Err(Some(Failed::TooManySegments)),
                Treatment::Ask => match replies.next() {
                    Some(Ok(reply)) => {
                        let asked =
                            Asked { limits: self.limits, text: source, tokens: segment.tokens, number };
                        let id = page.document().id.as_str();
                        match self.style {
                            Style::Wikipedia | Style::Concise => asked.prose(id, &reply),
                            Style::DiverseQa => asked.pairs(id, &reply, &mut document.left_out),
                        }
                        .map_err(Some)
                    }
                    Some(Err(failure)) => Err(Some(failure.into())),
                    None => Err(Some(Failed::Refused)),
                },
            };
            document.add(rewrite, segment, source, settings.gaps);
        }
        let draft = self.draft(&document, page, settings);
        Rewritten { style: self.limits.name, draft, rejected: document.rejected() }
    }

    fn draft(&self, document: &Document, page: &Page<'_>, settings: &Settings) -> Result<Draft, Barren> {
        if document.kept == 0 {
            let silent = document.failed.iter().all(|failed| failed.is_silence());
            return Err(match (document.failed.is_empty(), silent) {
                (true, _) => Barren::TooShort,
                (false, true) => Barren::NoReply,
                (false, false) => Barren::NoRewrite,
            });
        }
        let text = document.parts.join(self.limits.separator);
        if page.count_tokens(&settings.model, &text) < self.limits.min_final {
            return Err(Barren::NoRewrite);
        }
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        Ok(Draft::new()
            .text(text)
            .span(document.span.start, document.span.end)
            .with("style", self.limits.name)
            .with("kind", "synthetic")
            .with("prompt_template", self.limits.template)
            .with("segments_kept", count(document.kept))
            .with("segments_failed", count(document.failed.len()))
            .with("rephrase_rejected", document.rejected()))
    }
}

/// A document in the making.
#[derive(Default)]
struct Document {
    parts: Vec<String>,
    span: Range<usize>,
    kept: usize,
    failed: Vec<Failed>,
    left_out: Vec<Reject>,
}

impl Document {
    /// Takes the rewrite of the next segment, or why there is none; a segment that nobody was asked about has no reason.
    fn add(&mut self, rewrite: Result<String, Option<Failed>>, segment: &Segment, source: &str, gaps: Gaps) {
        let text = match rewrite {
            Ok(text) => {
                self.kept += 1;
                text
            }
            Err(failed) => {
                self.failed.extend(failed);
                match gaps {
                    Gaps::Drop => return,
                    Gaps::KeepSource => source.to_owned(),
                }
            }
        };
        if self.parts.is_empty() {
            self.span.start = segment.span.start;
        }
        self.span.end = segment.span.end;
        self.parts.push(text);
    }

    fn rejected(&self) -> Vec<String> {
        let failed = self.failed.iter().map(|failed| failed.reason().to_owned());
        failed.chain(self.left_out.iter().map(|reject| format!("pair_{}", reject.reason()))).collect()
    }
}

/// A segment that a model was asked about.
struct Asked<'a> {
    limits: &'static Limits,
    text: &'a str,
    tokens: u32,
    number: usize,
}

impl Asked<'_> {
    fn source(&self, id: &str) -> Source {
        Source::new(self.text, &self.limits.words(), &fence(id, self.text))
    }

    fn prose(&self, id: &str, reply: &Reply) -> Result<String, Failed> {
        let mut rewrite = clean::answer(&reply.text, self.limits.header);
        if is_cut_off(reply)? {
            rewrite = clean::whole_sentences(&rewrite).to_owned();
            if rewrite.is_empty() {
                return Err(Failed::CutOff);
            }
        }
        self.source(id).check(&rewrite, self.limits.length).map_err(Failed::Rejected)?;
        Ok(rewrite)
    }

    /// Each pair is judged by itself: one wrong answer is no reason to lose seven right ones.
    fn pairs(&self, id: &str, reply: &Reply, left_out: &mut Vec<Reject>) -> Result<String, Failed> {
        let source = self.source(id);
        let mut taken = Vec::new();
        let mut first = None;
        for pair in qa::pairs(clean::after_thinking(&reply.text), is_cut_off(reply)?) {
            let pair =
                qa::Pair { question: clean::plain(&pair.question), answer: clean::plain(&pair.answer) };
            let judged = source
                .check_question(&pair.question)
                .and_then(|()| source.check(&pair.answer, self.limits.length));
            match judged {
                Ok(()) => taken.push(pair),
                Err(reject) => {
                    first = first.or(Some(Failed::Rejected(reject)));
                    left_out.push(reject);
                }
            }
        }
        if taken.is_empty() {
            return Err(first.unwrap_or(Failed::NoPairs));
        }
        Ok(qa::appended(self.text, &qa::chosen(taken, self.tokens, id, self.number)))
    }
}

fn is_cut_off(reply: &Reply) -> Result<bool, Failed> {
    match reply.finish {
        Finish::Stop => Ok(false),
        Finish::Length => Ok(true),
        Finish::Filtered => Err(Failed::Filtered),
    }
}
