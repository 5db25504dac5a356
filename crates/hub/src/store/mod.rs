//! Where mirrored rows and the mirror's state lie: one trait, two databases, one conformance suite.

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod connection;
mod failpoints;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod layout;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod lock;
#[cfg(test)]
#[cfg(feature = "sqlite")]
pub(crate) mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod prepare;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod state;
mod table;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod target;
#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tombolo_engine::mirror::{State, Write};
use tombolo_schema::Id;

pub(crate) use failpoints::Failpoints;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use failpoints::names as failpoint_names;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use sql::SqlStore;
pub(crate) use table::{Column, Kind, Table};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use target::Target;

use crate::Result;

/// A place for rows and state.
///
/// - At most one mirror has a store open at a time: a second one is refused, and a killed one leaves nothing behind
///   that keeps the next one out.
/// - [`Store::commit`] is all or nothing and durable when it returns. Calls may come from several tasks at once.
/// - When the connection breaks, an error that [`crate::Error::is_retryable`] says so, and the next call connects
///   again. A commit may then be repeated whatever became of it.
/// - Nothing is written to a table that the store did not make.
pub(crate) trait Store: Send + Sync {
    /// Takes the store for the data of this source and makes or adapts the tables, all or none; gives how far each
    /// table had come.
    fn prepare<'a>(&'a self, source: &'a Owner, tables: &'a [Table]) -> BoxFuture<'a, Result<Vec<State>>>;

    /// Writes rows and state in one transaction. Rows that the table shows newer are left out, unless forced.
    fn commit<'a>(&'a self, table: &'a Table, write: &'a Write) -> BoxFuture<'a, Result<Committed>>;

    /// The Ids and stamps of all rows that are not marked deleted.
    fn live<'a>(&'a self, table: &'a Table) -> BoxFuture<'a, Result<Vec<(Id, Timestamp)>>>;

    /// Those of the Ids whose rows are not marked deleted.
    fn live_among<'a>(&'a self, table: &'a Table, ids: &'a [Id]) -> BoxFuture<'a, Result<Vec<Id>>>;

    /// The number of rows that are not marked deleted.
    fn count<'a>(&'a self, table: &'a Table) -> BoxFuture<'a, Result<u64>>;

    /// Ends the use of the store and lets the next one in.
    fn close(&self) -> BoxFuture<'_, Result<()>>;
}

/// Whose data it is. Every key of the state carries the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The tenant.
    pub(crate) tenant: String,
    /// The org's Id.
    pub(crate) org: String,
}

/// What a transaction did to the rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Committed {
    /// Rows that are new or differ from what was there.
    pub(crate) applied: Vec<(Id, Applied)>,
    /// Rows left out because the table shows a newer one.
    pub(crate) stale: Vec<Id>,
}

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Applied {
    /// It is new.
    Inserted,
    /// It differs from what was there.
    Updated,
    /// It is marked deleted from now on.
    Deleted,
    /// It is no longer marked deleted.
    Undeleted,
}

impl Applied {
    /// What a write made of a row: whether it was there and marked deleted, and whether it is marked now.
    pub(crate) const fn between(before: Option<bool>, deleted: bool) -> Self {
        match (before, deleted) {
            (None, _) => Self::Inserted,
            (Some(false), true) => Self::Deleted,
            (Some(true), false) => Self::Undeleted,
            (Some(_), _) => Self::Updated,
        }
    }
}
