//! The simulation's own tests, and the engine's: seeds, blind overwrites, every order of a small history, mutations.
#![expect(clippy::expect_used, clippy::print_stderr, reason = "tests say what they find, and stop")]

mod blind;
mod exhaustive;
mod loading;
mod mutations;
mod seeds;
mod shell;
