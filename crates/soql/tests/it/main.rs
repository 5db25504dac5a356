//! The parser against its own table of cases, the shared cases, and whatever proptest thinks of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test may")]

mod build;
mod check;
mod properties;
mod shared;
mod sosl;
mod table;
