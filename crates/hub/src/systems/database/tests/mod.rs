//! What databases promise: every system's conformance, and what only databases have, on real servers.

mod ground;
mod many;
#[cfg(feature = "mysql")]
mod mysql;
mod outbox;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
