//! The documents that a style makes of a page: its rewritten segments joined, or each of them, or each of their items.

use palimpsest_plugin::{Draft, Page};

use crate::failed::{Barren, Failed};
use crate::judge::{Item, Rewrite};
use crate::plan::{Plan, Segment, Treatment};
use crate::segment::part;
use crate::settings::{Gaps, Settings};
use crate::style::{Append, Rows};

/// What a style made of a page.
#[derive(Debug)]
pub(crate) struct Rewritten {
    pub style: String,
    pub drafts: Result<Vec<Draft>, Barren>,
    /// Why segments failed, in their order, and after them items that were left out.
    pub rejected: Vec<String>,
    /// Tokens of all prompts and replies.
    pub paid: u64,
}

/// A row in the making.
struct Row {
    text: String,
    span: (usize, usize),
    sources: Vec<String>,
    rewrites: Vec<String>,
    difficulty: Option<String>,
    paid: u64,
    kept: u64,
}

/// Makes the documents of a plan whose replies are all there.
pub(crate) fn finish(mut plan: Plan<'_>, page: &Page<'_>, settings: &Settings) -> Rewritten {
    let paid = plan.segments.iter().map(|segment| segment.spent.paid).sum();
    let rows = match plan.style.rows {
        Rows::Document => joined(&plan, page, settings).into_iter().collect(),
        Rows::Segment | Rows::Item => apart(&mut plan, page, settings),
    };
    let failed: Vec<Failed> = failed(&plan).collect();
    let rejected: Vec<String> =
        failed.iter().map(|failed| failed.reason().to_owned()).chain(plan.left_out.iter().cloned()).collect();
    let style = plan.style.name.clone();
    if rows.is_empty() {
        let short = failed.is_empty() && plan.segments.iter().all(|segment| segment.result.is_none());
        let silent = failed.iter().all(|failed| failed.is_silence());
        let kept = plan.segments.iter().any(|segment| matches!(segment.result, Some(Ok(_))));
        let barren = match (short, silent && !kept) {
            (true, _) => Barren::TooShort,
            (false, true) => Barren::NoReply,
            (false, false) => Barren::NoRewrite,
        };
        return Rewritten { style, drafts: Err(barren), rejected, paid };
    }
    let drafts = drafts(&plan, rows, &rejected, paid);
    Rewritten { style, drafts: Ok(drafts), rejected, paid }
}

fn failed<'a>(plan: &'a Plan<'_>) -> impl Iterator<Item = Failed> + 'a {
    plan.segments.iter().filter_map(|segment| match &segment.result {
        Some(Err(failed)) => Some(*failed),
        Some(Ok(_)) | None => None,
    })
}

/// One document of all segments. None where nothing was kept, or too little.
fn joined(plan: &Plan<'_>, page: &Page<'_>, settings: &Settings) -> Option<Row> {
    let style = plan.style;
    let mut row = Row::empty();
    let mut parts: Vec<String> = Vec::new();
    let mut marked = false;
    // Pairs that stand alone, or below the whole page, leave no gap.
    let gaps = if style.shows_source() && style.append == Append::Segment || !style.is_of_pairs() {
        settings.gaps
    } else {
        Gaps::Drop
    };
    for segment in &plan.segments {
        let source = part(page.text(), &segment.span);
        let text = match &segment.result {
            Some(Ok(rewrite)) => {
                row.take(plan, segment, rewrite, source);
                shown(plan, source, &rewrite.text(style))
            }
            Some(Err(_)) | None => match gaps {
                Gaps::Drop => continue,
                Gaps::KeepSource => source.to_owned(),
                Gaps::Mark if marked => continue,
                Gaps::Mark => settings.gap_mark.clone(),
            },
        };
        marked = gaps == Gaps::Mark && !matches!(segment.result, Some(Ok(_)));
        if parts.is_empty() {
            row.span.0 = segment.span.start;
        }
        row.span.1 = segment.span.end;
        parts.push(text);
    }
    if row.sources.is_empty() {
        return None;
    }
    row.text = parts.join(&style.separator);
    if style.shows_source() && style.append == Append::Document {
        row.text = format!("{}\n\n{}", page.text().trim(), row.text);
        row.span = (0, page.text().len());
    }
    (style.limits.min_final <= page.count_tokens(&settings.model, &row.text)).then_some(row)
}

/// A row for each segment, or for each item of one. What is too small becomes a failure.
fn apart(plan: &mut Plan<'_>, page: &Page<'_>, settings: &Settings) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut small = Vec::new();
    for (number, segment) in plan.segments.iter().enumerate() {
        let Some(Ok(rewrite)) = &segment.result else { continue };
        let source = part(page.text(), &segment.span);
        let pieces: Vec<Rewrite> = if plan.style.rows == Rows::Item {
            rewrite.items.iter().map(|item| Rewrite { items: vec![item.clone()] }).collect()
        } else {
            vec![rewrite.clone()]
        };
        let before = rows.len();
        for piece in pieces {
            let text = shown(plan, source, &piece.text(plan.style));
            if page.count_tokens(&settings.model, &text) < plan.style.limits.min_final {
                continue;
            }
            let mut row = Row::empty();
            // The reply is paid for once, by the first of its items.
            row.take(plan, segment, &piece, source);
            if before < rows.len() {
                (row.paid, row.kept) = (0, 0);
            }
            (row.text, row.span) = (text, (segment.span.start, segment.span.end));
            if let [Item { difficulty, .. }] = piece.items.as_slice() {
                row.difficulty.clone_from(difficulty);
            }
            rows.push(row);
        }
        if before == rows.len() {
            small.push(number);
        }
    }
    for number in small {
        if let Some(segment) = plan.segments.get_mut(number) {
            segment.result = Some(Err(Failed::TooFewTokens));
        }
    }
    rows
}

/// A rewrite as it stands in its document.
fn shown(plan: &Plan<'_>, source: &str, rewrite: &str) -> String {
    if plan.style.shows_source() && plan.style.append == Append::Segment {
        format!("{}\n\n{rewrite}", source.trim())
    } else {
        rewrite.to_owned()
    }
}

impl Row {
    fn empty() -> Self {
        Self {
            text: String::new(),
            span: (0, 0),
            sources: Vec::new(),
            rewrites: Vec::new(),
            difficulty: None,
            paid: 0,
            kept: 0,
        }
    }

    fn take(&mut self, plan: &Plan<'_>, segment: &Segment, rewrite: &Rewrite, source: &str) {
        self.sources.push(source.to_owned());
        self.rewrites.push(rewrite.text(plan.style));
        self.paid += segment.spent.paid;
        self.kept += segment.spent.made;
    }
}

/// What is true of the whole page stands on its first row, so that sums over rows are sums over pages.
fn drafts(plan: &Plan<'_>, rows: Vec<Row>, rejected: &[String], paid: u64) -> Vec<Draft> {
    let spent_on_rows: u64 = rows.iter().map(|row| row.paid).sum();
    let short = plan.segments.iter().filter(|segment| segment.treatment == Treatment::TooShort).count();
    let failed = failed(plan).filter(|&failed| failed != Failed::BeyondSeed).count();
    let mut seen: Vec<(usize, usize)> = Vec::new();
    let mut drafts = Vec::with_capacity(rows.len());
    for row in rows {
        let first = drafts.is_empty();
        let once = |number: usize| if first { integer(number) } else { 0 };
        // Items of one segment share it.
        let kept = if seen.last() == Some(&row.span) { 0 } else { row.sources.len() };
        seen.push(row.span);
        let mut draft = Draft::new()
            .text(row.text)
            .span(row.span.0, row.span.1)
            .with("style", plan.style.name.as_str())
            .with("kind", "synthetic")
            .with("prompt_template", plan.style.template.as_str())
            .with("style_variant", integer(plan.asking.variant))
            .with("segments_kept", integer(kept))
            .with("segments_failed", once(failed))
            .with("segments_short", once(short))
            .with("rephrase_rejected", if first { rejected.to_vec() } else { Vec::new() })
            .with(
                "rephrase_tokens_paid",
                tokens(if first { row.paid + (paid - spent_on_rows.min(paid)) } else { row.paid }),
            )
            .with("rephrase_tokens_kept", tokens(row.kept))
            .with("_sources", row.sources)
            .with("_rewrites", row.rewrites);
        for column in ["audience", "topic", "persona"] {
            if let Some(drawn) = plan.asking.drawn.get(column) {
                draft = draft.with(column, drawn.as_str());
            }
        }
        if let Some(difficulty) = row.difficulty {
            draft = draft.with("difficulty", difficulty);
        }
        drafts.push(draft);
    }
    drafts
}

fn integer(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn tokens(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
