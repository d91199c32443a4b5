//! What becomes of a document whose rewrites have been looked at: its fields, its text without what failed, or the word
//! that it is dropped under.

use palimpsest_plugin::{Draft, Outcome};

use crate::align::count;
use crate::gate::{Gated, Reject, Said};
use crate::settings::{Action, Fails, Family, Gaps, Settings};

/// A segment of a page, what was made of it, and what is thought of that.
#[derive(Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) source: &'a str,
    /// As the document has it.
    original: &'a str,
    /// What stands for it since it was mended.
    mended: Option<String>,
    pub(crate) gated: Gated,
    pub(crate) failed: Option<(Reject, String)>,
    pub(crate) judged: bool,
}

impl<'a> Segment<'a> {
    pub(crate) fn new(source: &'a str, rewrite: &'a str, gated: Gated) -> Self {
        let failed = match &gated.said {
            Said::Fails(reject, problem) => Some((*reject, problem.clone())),
            Said::Passes | Said::Doubtful(_) => None,
        };
        Self { source, original: rewrite, mended: None, gated, failed, judged: false }
    }

    /// The same with another rewrite, which nobody has judged.
    pub(crate) fn mended(&self, rewrite: String, gated: Gated) -> Self {
        Self { mended: Some(rewrite), ..Self::new(self.source, self.original, gated) }
    }

    pub(crate) fn rewrite(&self) -> &str {
        self.mended.as_deref().unwrap_or(self.original)
    }

    pub(crate) fn is_doubtful(&self) -> bool {
        matches!(self.gated.said, Said::Doubtful(_)) && !self.judged && self.failed.is_none()
    }
}

/// How a value of all segments is told in one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Largest,
    Mean,
}

/// The values that become fields, with the prefix `fidelity_`, in the order of [`values`].
pub(crate) const VALUES: [(&str, Over); 13] = [
    ("new_number", Over::Largest),
    ("number_swap", Over::Largest),
    ("new_name", Over::Largest),
    ("name_swap", Over::Largest),
    ("negation", Over::Largest),
    ("addition", Over::Largest),
    ("novelty", Over::Mean),
    ("coverage", Over::Mean),
    ("sentence_coverage", Over::Mean),
    ("length", Over::Mean),
    ("copied", Over::Largest),
    ("repeated", Over::Largest),
    ("unanswerable", Over::Largest),
];

fn values(gated: &Gated) -> [f64; VALUES.len()] {
    let measures = &gated.measures;
    [
        measures.new_number.value,
        measures.number_swap.value,
        measures.new_name.value,
        measures.name_swap.value,
        measures.negation.value,
        measures.addition.value,
        measures.novelty,
        measures.coverage,
        measures.sentence_coverage,
        measures.length,
        measures.copied,
        measures.repeated,
        gated.unanswerable,
    ]
}

/// What becomes of the document with this text.
pub(crate) fn outcome(text: &str, segments: &[Segment<'_>], settings: &Settings, family: Family) -> Outcome {
    let first = segments.iter().find_map(|segment| segment.failed.as_ref());
    let whole = settings.fails == Fails::Document || segments.iter().all(|segment| segment.failed.is_some());
    if let Some((reject, problem)) = first
        && settings.action == Action::Drop
        && whole
    {
        return Outcome::drop_with(reject.word(), shortened(problem));
    }
    let draft = fields(segments);
    if settings.action == Action::Tag
        || segments.iter().all(|one| one.failed.is_none() && one.mended.is_none())
    {
        return Outcome::keep(draft);
    }
    let kept = || segments.iter().filter(|segment| segment.failed.is_none());
    let sources: Vec<String> = kept().map(|segment| segment.source.to_owned()).collect();
    let rewrites: Vec<String> = kept().map(|segment| segment.rewrite().to_owned()).collect();
    let draft = draft.with("_sources", sources).with("_rewrites", rewrites);
    Outcome::keep(draft.text(rewritten(text, segments, settings.gaps, family)))
}

/// What is told of a problem: it may quote a sentence of any length.
fn shortened(problem: &str) -> String {
    const MOST_CHARS: usize = 300;
    problem.chars().map(|symbol| if symbol.is_control() { ' ' } else { symbol }).take(MOST_CHARS).collect()
}

fn fields(segments: &[Segment<'_>]) -> Draft {
    let number = |is: &dyn Fn(&Segment<'_>) -> bool| {
        i64::try_from(segments.iter().filter(|segment| is(segment)).count()).unwrap_or(i64::MAX)
    };
    let failed = number(&|segment| segment.failed.is_some());
    let mended = number(&|segment| segment.mended.is_some());
    let said = match (failed, mended) {
        (0, 0) => "passed",
        (0, _) => "mended",
        _ => "failed",
    };
    let problems: Vec<String> = segments
        .iter()
        .enumerate()
        .filter_map(|(at, segment)| {
            let (reject, problem) = segment.failed.as_ref()?;
            Some(format!("{}: {}: {}", at + 1, reject.word(), shortened(problem)))
        })
        .collect();
    let mut draft = Draft::new()
        .with("fidelity", said)
        .with("fidelity_segments", number(&|_| true))
        .with("fidelity_failed", failed)
        .with("fidelity_doubtful", number(&|segment| matches!(segment.gated.said, Said::Doubtful(_))))
        .with("fidelity_judged", number(&|segment| segment.judged))
        .with("fidelity_mended", mended)
        .with("fidelity_problems", problems);
    let all: Vec<[f64; VALUES.len()]> = segments.iter().map(|segment| values(&segment.gated)).collect();
    for (at, (name, over)) in VALUES.iter().enumerate() {
        let values = all.iter().filter_map(|values| values.get(at).copied());
        let value = match over {
            Over::Largest => values.fold(0.0, f64::max),
            Over::Mean => values.sum::<f64>() / count(all.len().max(1)),
        };
        draft = draft.with(&format!("fidelity_{name}"), value);
    }
    draft
}

/// The text with mended rewrites in their places, and without those that failed.
fn rewritten(text: &str, segments: &[Segment<'_>], gaps: Gaps, family: Family) -> String {
    let instead = |segment: &Segment<'_>| match (&segment.failed, gaps, family) {
        (None, ..) => segment.rewrite().to_owned(),
        (Some(_), Gaps::Drop, _) | (Some(_), Gaps::Source, Family::Questions) => String::new(),
        (Some(_), Gaps::Source, _) => segment.source.trim().to_owned(),
    };
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    for segment in segments {
        let Some((before, after)) = rest.split_once(segment.original.trim()) else {
            return joined(segments, &instead, family);
        };
        let instead = instead(segment);
        whole.push_str(before);
        whole.push_str(instead.trim());
        // Nothing stands between two line ends.
        rest = if instead.is_empty() { after.trim_start_matches('\n') } else { after };
    }
    whole.push_str(rest);
    whole.trim().to_owned()
}

/// For a text that does not have its rewrites as they are in the fields.
fn joined(segments: &[Segment<'_>], instead: &dyn Fn(&Segment<'_>) -> String, family: Family) -> String {
    let parts = segments.iter().flat_map(|segment| {
        let source =
            if family == Family::Questions { segment.source.trim().to_owned() } else { String::new() };
        [source, instead(segment)]
    });
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}
