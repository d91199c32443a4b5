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
/// What the command prints and how it ends.
mod cli;
/// What the documents show.
mod docs;
mod harness;
/// Guests that break the rules of the border.
mod hostile;
/// What a newcomer runs first.
mod quickstart;
/// Replayed, killed, and started again.
mod resume;
mod server;
