//! Whole commands: what is typed, what is printed on which side, and the exit code.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

mod command;
mod demo;
mod hub;
mod mirror;
mod refusals;
mod reload;
mod rows;
