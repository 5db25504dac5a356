//! Whole commands: what is typed, what is printed on which side, and the exit code.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod command;
mod demo;
mod mirror;
mod refusals;
mod rows;
