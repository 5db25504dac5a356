//! The org over its sockets, as a client sees it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test tells what is wrong by panicking, and what it skips on stderr"
)]

mod admin;
mod collections;
mod cometd;
mod composite;
mod conditional;
mod describe;
mod faults;
mod harness;
mod hostile;
mod identity;
mod login;
mod query;
mod refusals;
mod rows;
mod schema;
mod search;
mod soap;
mod transport;
