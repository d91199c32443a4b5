//! The fixed words for what goes wrong: with a segment, and with a whole style. Knows no texts.

use palimpsest_plugin::Failure;

use crate::gate::Reject;

/// Why a segment has no rewrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    Refused,
    TooLongForModel,
    GaveUp,
    OverBudget,
    Filtered,
    /// The reply ended before enough of it was there.
    CutOff,
    NoPairs,
    /// A list without points, or passages without text.
    NoItems,
    /// No conversation of two.
    NoTurns,
    /// The model thought, and never came to the answer.
    NoHeader,
    TooManySegments,
    /// The style takes the beginning of a page only.
    BeyondSeed,
    /// A row of too few tokens.
    TooFewTokens,
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
            Self::NoItems => "no_items",
            Self::NoTurns => "no_turns",
            Self::NoHeader => "no_header",
            Self::TooManySegments => "too_many_segments",
            Self::BeyondSeed => "beyond_seed",
            Self::TooFewTokens => "too_few_tokens",
            Self::Rejected(reject) => reject.reason(),
        }
    }

    /// Whether nothing came back that could have been judged.
    pub(crate) fn is_silence(self) -> bool {
        match self {
            Self::Refused
            | Self::TooLongForModel
            | Self::GaveUp
            | Self::OverBudget
            | Self::BeyondSeed
            | Self::TooManySegments => true,
            Self::Filtered
            | Self::CutOff
            | Self::NoPairs
            | Self::NoItems
            | Self::NoTurns
            | Self::NoHeader
            | Self::TooFewTokens
            | Self::Rejected(_) => false,
        }
    }

    /// Whether half of the segment may go well.
    pub(crate) fn is_of_length(self) -> bool {
        self == Self::CutOff || self == Self::TooLongForModel
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
