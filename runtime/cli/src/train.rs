//! `palimpsest train-classifier`: a model of fastText from rows that have labels.

use std::io::{self, Write};
use std::process::ExitCode;

use palimpsest::sinks::read::{self, ReadError};
use palimpsest::training::{Class, Lesson, Params, Quantize, Trained};

use crate::args::{TrainArgs, TrainParams};
use crate::aside::Aside;
use crate::exit::{self, Failure};

/// The ending of models that are quantised.
const SMALL: &str = "ftz";

pub(crate) fn train(args: &TrainArgs) -> Result<ExitCode, Failure> {
    if !(0.0..1.0).contains(&args.held_out) {
        return Err(Failure::wrong(format!("--held-out {}: a share is from 0 to below 1", args.held_out)));
    }
    let small = args.out.extension().is_some_and(|ending| ending == SMALL).then(Quantize::default);
    if let Some(small) = &small
        && args.params.dim < small.dsub
    {
        let says = format!(
            "--dim {}: a model that is quantised (.{SMALL}) has {} columns at least",
            args.params.dim, small.dsub
        );
        return Err(Failure::wrong(says));
    }
    let out = Aside::create(&args.out)?;
    let mut class = Class::new(Lesson {
        label: args.label.clone(),
        text: args.text.clone(),
        at_least: args.at_least,
        lowercase: args.lowercase,
        max_chars: args.max_chars,
        held_out: args.held_out,
    });
    let columns = class.columns().map(str::to_owned);
    let columns = columns.each_ref().map(String::as_str);
    for file in read::files(&args.rows).map_err(Failure::wrong)? {
        let mut add = |row| {
            class.add(&row);
            Ok::<_, ReadError>(())
        };
        read::rows(&file, &columns, &mut add).map_err(Failure::wrong)?;
    }
    let Trained { model, marks } =
        class.train(&params(&args.params), small.as_ref()).map_err(Failure::wrong)?;
    out.finish(|to| model.write(to))?;
    write!(io::stdout().lock(), "{marks}").map_err(Failure::world)?;
    Ok(exit::FINE)
}

fn params(args: &TrainParams) -> Params {
    let TrainParams { lr, dim, epoch, min_count, word_ngrams, bucket, minn, maxn, seed } = *args;
    Params { lr, dim, epoch, min_count, word_ngrams, bucket, minn, maxn, seed, ..Params::default() }
}
