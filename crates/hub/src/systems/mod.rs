//! Where records come from: one trait. Salesforce is one system among several to come.

#[cfg(test)]
pub(crate) mod conformance;
pub(crate) mod database;
#[cfg(test)]
#[cfg(feature = "sqlite")]
pub(crate) mod memory;
pub(crate) mod open;
mod salesforce;
pub(crate) mod system;
#[cfg(test)]
pub(crate) mod twin;

use futures_util::{future::BoxFuture, stream::BoxStream};
use jiff::Timestamp;
use tombolo_engine::{ChangeHeader, Cursor, Row};
use tombolo_schema::Id;

pub(crate) use salesforce::{Client, Salesforce};

use crate::{
    Result,
    store::{Column, Table},
};

/// A place that records come from.
///
/// - A request sees every change that was committed before it left; requests of one caller one after the other never
///   go back in time.
/// - Rows carry their values in the order of [`Entity::table`]'s columns.
/// - Requests repeat by themselves what may be repeated; an error that [`crate::Error::is_retryable`] may pass if the
///   same request is made again later.
pub(crate) trait Source: Send + Sync {
    /// The source's own name: the org's Id.
    fn identity(&self) -> BoxFuture<'_, Result<String>>;

    /// The source's clock, as exactly as it is told.
    fn clock(&self) -> BoxFuture<'_, Result<Timestamp>>;

    /// What an object looks like. The name is taken as a person writes it.
    fn describe<'a>(&'a self, object: &'a str) -> BoxFuture<'a, Result<Entity>>;

    /// The records that exist, those in the recycle bin included, in any order.
    fn read<'a>(&'a self, entity: &'a Entity, ids: &'a [Id]) -> BoxFuture<'a, Result<Vec<Row>>>;

    /// The next rows behind the cursor by (stamp, Id), and whether none are behind them.
    fn page<'a>(
        &'a self,
        entity: &'a Entity,
        after: Option<Cursor>,
        bin: bool,
    ) -> BoxFuture<'a, Result<(Vec<Row>, bool)>>;

    /// What was deleted since.
    fn deleted<'a>(&'a self, entity: &'a Entity, since: Timestamp) -> BoxFuture<'a, Result<Deletes>>;

    /// The Ids and stamps of live records behind an Id, ordered by Id, and whether none are behind them.
    fn list<'a>(&'a self, entity: &'a Entity, after: Option<Id>) -> BoxFuture<'a, Result<(Stamps, bool)>>;

    /// The changes of an entity behind a position, or from now on. The stream repairs itself; where it cannot go on,
    /// it says [`News::PositionLost`] and goes on with what happens from the next [`News::Opened`] on.
    fn listen(&self, entity: &Entity, after: Option<Vec<u8>>) -> BoxStream<'static, Result<News>>;

    /// How many API calls were made for this object.
    fn calls(&self, object: &str) -> u64;
}

/// Ids and the stamps of their records.
pub(crate) type Stamps = Vec<(Id, Timestamp)>;

/// An object of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entity {
    /// The table that it is mirrored into, and with it the fields that are read.
    pub(crate) table: Table,
    /// The field that holds the stamp of the last change.
    pub(crate) stamp: String,
    /// Whether records have a recycle bin.
    pub(crate) has_bin: bool,
    /// Whether the source can list what was deleted.
    pub(crate) lists_deletes: bool,
    /// The channel of its changes.
    pub(crate) channel: String,
}

impl Entity {
    /// The columns that hold its fields.
    pub(crate) fn columns(&self) -> &[Column] {
        &self.table.columns
    }
}

/// What was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deletes {
    /// Which records.
    pub(crate) ids: Vec<Id>,
    /// Up to where the list reaches.
    pub(crate) until: Timestamp,
    /// Whether it reaches back to the moment asked for.
    pub(crate) complete: bool,
}

/// What a stream of changes tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// What is committed after this moment of the source's clock is told.
    Opened(Timestamp),
    /// A change, and the position behind it.
    Change(ChangeHeader, Vec<u8>),
    /// The position is gone.
    PositionLost(String),
    /// The stream was interrupted and goes on.
    Reconnected,
    /// The entity has no stream.
    Refused(String),
}
