//! Where in an archive reading can go on, and what has to be known of the archive to do so there.

use std::fmt;
use std::str::FromStr;

use crate::syntax::Syntax;

/// What an archive is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    Plain,
    Gzip,
    Zstd,
    Bzip2,
}

impl Container {
    pub(crate) const ALL: [Self; 4] = [Self::Plain, Self::Gzip, Self::Zstd, Self::Bzip2];

    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
        }
    }
}

/// A place at which a record begins, or may begin, and a member of the archive with it. As text it is three words:
/// `gzip warc 4711`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// How many bytes of the archive stand in front of it.
    pub offset: u64,
    container: Container,
    syntax: Syntax,
}

impl Mark {
    pub(crate) fn new(offset: u64, container: Container, syntax: Syntax) -> Self {
        Self { offset, container, syntax }
    }

    /// Another place in the same archive, as from [`Entry::resumable_after`](crate::Entry::resumable_after).
    #[must_use]
    pub fn at(self, offset: u64) -> Self {
        Self { offset, ..self }
    }

    /// Zstd archives may need the dictionary that stands at their beginning.
    pub fn container(&self) -> Container {
        self.container
    }

    pub(crate) fn syntax(&self) -> Syntax {
        self.syntax
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.container.word(), self.syntax.word(), self.offset)
    }
}

/// That a text is no mark.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a place in an archive; one is written like `gzip warc 4711`")]
pub struct BadMark(String);

impl FromStr for Mark {
    type Err = BadMark;

    fn from_str(text: &str) -> Result<Self, BadMark> {
        let read = || {
            let mut words = text.split(' ');
            let (container, syntax, offset) = (words.next()?, words.next()?, words.next()?);
            let mark = Self {
                offset: offset.parse().ok()?,
                container: Container::ALL.into_iter().find(|known| known.word() == container)?,
                syntax: Syntax::ALL.into_iter().find(|known| known.word() == syntax)?,
            };
            words.next().is_none().then_some(mark)
        };
        read().ok_or_else(|| BadMark(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_three_words() {
        for container in Container::ALL {
            for syntax in Syntax::ALL {
                let mark = Mark::new(u64::MAX, container, syntax);
                assert_eq!(mark.to_string().parse(), Ok(mark));
            }
        }
        assert_eq!(Mark::new(4711, Container::Gzip, Syntax::Warc).to_string(), "gzip warc 4711");
    }

    #[test]
    fn other_texts_are_none() {
        for text in ["", "gzip", "gzip warc", "gzip warc x", "lz4 warc 1", "gzip warc 1 2", "gzip warc -1"] {
            assert_eq!(text.parse::<Mark>(), Err(BadMark(text.to_owned())), "{text}");
        }
    }
}
