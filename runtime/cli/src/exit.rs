//! How the command ends: one code for each kind of end, and what is said on the way out.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Every record has an outcome, and none failed.
pub(crate) const FINE: ExitCode = ExitCode::SUCCESS;

/// Finished, and some records failed.
pub(crate) fn some_failed() -> ExitCode {
    ExitCode::from(1)
}

/// Why the command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command or the file is wrong: whoever typed it can mend it.
    Wrong(Vec<Box<dyn Error + Send + Sync>>),
    /// The source, the sink or a model failed.
    World(Box<dyn Error + Send + Sync>),
    /// The budget is used up.
    Capped(Box<dyn Error + Send + Sync>),
    /// Pages wait for the replies of a batch; with what to do to go on.
    Waiting(String),
    /// Ctrl-C, with what to do to go on.
    Interrupted(String),
}

impl Failure {
    pub(crate) fn wrong(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Wrong(vec![error.into()])
    }

    pub(crate) fn world(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::World(error.into())
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Wrong(_) => 2,
            Self::World(_) => 3,
            Self::Capped(_) => 30,
            Self::Waiting(_) => 31,
            Self::Interrupted(_) => 130,
        })
    }

    pub(crate) fn is_broken_pipe(&self) -> bool {
        let Self::World(error) = self else { return false };
        let mut cause: Option<&(dyn Error + 'static)> = Some(error.as_ref());
        while let Some(error) = cause {
            if error
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
            {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

/// Says what went wrong, one cause on a line.
pub(crate) fn complain(failure: &Failure) {
    match failure {
        Failure::Wrong(errors) => errors.iter().for_each(|error| chain(error.as_ref())),
        Failure::World(error) | Failure::Capped(error) => chain(error.as_ref()),
        Failure::Interrupted(how_to_go_on) | Failure::Waiting(how_to_go_on) => say(how_to_go_on),
    }
}

fn chain(error: &(dyn Error + 'static)) {
    let mut said = error.to_string();
    say(&format!("palimpsest: {said}"));
    let mut cause = error.source();
    while let Some(error) = cause {
        let says = error.to_string();
        // Some libraries' errors repeat their causes' words.
        if !said.contains(&says) {
            say(&format!("  because: {says}"));
            said = says;
        }
        cause = error.source();
    }
}

/// A line on standard error. If nobody can read it, there is nobody to tell.
pub(crate) fn say(line: &str) {
    drop(writeln!(io::stderr().lock(), "{line}"));
}
