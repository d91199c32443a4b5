//! Palimpsest from outside.
#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and one that is skipped says so"
)]

/// The rules of `ARCHITECTURE.md`, as far as a program can check them.
mod architecture;
/// The `records` verb against what other readers agree on.
mod archives;
mod bucket;
/// A network that breaks, and a reader that stands still.
mod chaos;
/// Bodies in odd encodings.
mod charset;
/// What the command prints and how it ends.
mod cli;
/// Stages for some documents only.
mod conditions;
/// Pages that say what others have said.
mod dedup;
mod dice;
/// What the documents show.
mod docs;
/// Against a provider that keeps books of its own.
mod gateway;
mod harness;
/// Guests that break the rules of the border.
mod hostile;
/// Killed while they write, wherever they write.
mod killed;
/// Long archives in several parts.
mod parts;
/// What a newcomer runs first.
mod quickstart;
/// What others make of the rows.
mod readers;
/// What published recipes make of real pages.
mod recipes;
/// Replayed, killed, and started again.
mod resume;
mod server;
/// Programs for whole sites.
mod sites;
/// Archives from buckets and rows to them.
mod stores;
