//! `palimpsest estimate` and `palimpsest run --dry-run`: what a run would ask of models, before it asks anything.

use std::io::{self, Write};
use std::process::ExitCode;

use palimpsest::config::Plan;
use palimpsest::estimate::Range;
use palimpsest::run::Options;
use palimpsest::run::estimate::{Estimate, ModelEstimate};

use crate::args::{EstimateArgs, SAMPLE};
use crate::exit::{self, Failure};
use crate::{check, plan};

pub(crate) fn estimate(args: &EstimateArgs) -> Result<ExitCode, Failure> {
    let estimate = sample(plan::read(&args.file)?, args.pages)?;
    let mut out = io::stdout().lock();
    if args.json {
        let json = serde_json::to_string_pretty(&estimate).map_err(Failure::world)?;
        writeln!(out, "{json}").map_err(Failure::world)?;
    } else {
        write(&estimate, &mut out).map_err(Failure::world)?;
    }
    Ok(exit::FINE)
}

/// The plan and the estimate.
pub(crate) fn dry_run(plan: Plan) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", plan.describe()).map_err(Failure::world)?;
    write(&sample(plan, SAMPLE)?, &mut out).map_err(Failure::world)?;
    Ok(exit::FINE)
}

fn sample(plan: Plan, pages: u64) -> Result<Estimate, Failure> {
    let run = check::prepare(plan, Options { estimate_only: true, ..plan::options() })?;
    run.estimate(pages).map_err(Failure::world)
}

fn write(estimate: &Estimate, out: &mut impl Write) -> io::Result<()> {
    let Estimate { pages, archives, sampled_bytes, bytes, unknown_sizes, models } = estimate;
    writeln!(out, "{pages} pages of {archives} archives, {sampled_bytes} bytes of them compressed")?;
    match bytes {
        Some(bytes) => writeln!(out, "all archives: {bytes} bytes")?,
        None => writeln!(out, "nobody knows how large the archives are: figures are of the sample")?,
    }
    if bytes.is_some() && 0 < *unknown_sizes {
        writeln!(out, "{unknown_sizes} archives of unknown size are taken to be like the others")?;
    }
    if models.is_empty() {
        return writeln!(out, "no page of the sample asks a model");
    }
    writeln!(out, "\n{:30} {:>14}   in nine cases of ten", "", "expected")?;
    for (name, model) in models {
        write_model(name, model, out)?;
    }
    Ok(())
}

fn write_model(name: &str, model: &ModelEstimate, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{name}")?;
    let Some(total) = &model.total else {
        writeln!(out, "  {:28} {:>14}", "requests", model.requests)?;
        writeln!(out, "  {:28} {:>14}", "prompt tokens", model.prompt_tokens)?;
        return writeln!(out, "  {:28} {:>14}", "reply tokens", model.completion_tokens);
    };
    let mut row = |what: &str, range: &Range, digits: usize| {
        let Range { expected, low, high } = range;
        writeln!(out, "  {what:28} {expected:>14.digits$}   {low:.digits$} to {high:.digits$}")
    };
    row("requests", &total.requests, 0)?;
    row("prompt tokens", &total.prompt_tokens, 0)?;
    row("reply tokens", &total.completion_tokens, 0)?;
    row("reply tokens at most", &total.most_completion_tokens, 0)?;
    let cost = model.cost.unwrap_or_default();
    match cost.dollars {
        Some(dollars) => row("dollars", &dollars, 2)?,
        None => writeln!(out, "  {:28} {:>14}", "dollars", "no price")?,
    }
    if let Some(most) = cost.most_dollars {
        writeln!(out, "  {:28} {most:>14.2}", "dollars at most")?;
    }
    match cost.hours {
        Some(hours) => {
            let Range { expected, low, high } = hours;
            writeln!(out, "  {:28} {expected:>14.2}   {low:.2} to {high:.2}", "hours at the limits")
        }
        None => writeln!(out, "  {:28} {:>14}", "hours", "no limits"),
    }
}
