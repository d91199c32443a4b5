//! `palimpsest train-classifier`: a model of fastText from rows that have labels.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use palimpsest::sinks::read::{self, ReadError};
use palimpsest::training::{Class, Lesson, Params, Quantize, Trained};

use crate::args::{TrainArgs, TrainParams};
use crate::exit::{self, Failure};

/// The ending of models that are quantised.
const SMALL: &str = "ftz";

pub(crate) fn train(args: &TrainArgs) -> Result<ExitCode, Failure> {
    if !(0.0..1.0).contains(&args.held_out) {
        return Err(Failure::wrong(format!("--held-out {}: a share is from 0 to below 1", args.held_out)));
    }
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
    let small = args.out.extension().is_some_and(|ending| ending == SMALL).then(Quantize::default);
    let Trained { model, marks } =
        class.train(&params(&args.params), small.as_ref()).map_err(Failure::wrong)?;
    write(&args.out, |to| model.write(to))
        .map_err(|error| Failure::world(format!("cannot write `{}`: {error}", args.out.display())))?;
    write!(io::stdout().lock(), "{marks}").map_err(Failure::world)?;
    Ok(exit::FINE)
}

fn params(args: &TrainParams) -> Params {
    let TrainParams { lr, dim, epoch, min_count, word_ngrams, bucket, minn, maxn, seed } = *args;
    Params { lr, dim, epoch, min_count, word_ngrams, bucket, minn, maxn, seed, ..Params::default() }
}

/// Writes aside and renames, so that nobody ever reads half a model.
fn write(file: &Path, what: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let aside = file.with_added_extension("part");
    let mut to = BufWriter::new(File::create(&aside)?);
    what(&mut to)?;
    to.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    std::fs::rename(aside, file)
}
