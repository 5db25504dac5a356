//! What a system tells: changes as they happen, and rows as they were read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Stored, Tag};

/// The key of a record in its system: an Id of 18 characters, or a primary key as text.
pub type Key = String;

/// Field names and what they show.
pub type Values = Vec<(String, Stored)>;

/// One change of one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct News {
    /// The connection it was heard on.
    pub connection: String,
    /// The object or table.
    pub entity: String,
    /// The record; none for the whole entity.
    pub key: Option<Key>,
    /// What tells it from any other change of this connection: (channel, transactionKey, sequenceNumber, record), or
    /// (database, incarnation, outbox id). Never the replay id.
    pub identity: String,
    /// What happened.
    pub kind: NewsKind,
    /// The values that the record shows now, of the fields that changed; of all known fields for a create.
    pub values: Values,
    /// The write of ours that made it.
    pub origin: Option<Tag>,
    /// When it was committed.
    pub at: Option<Timestamp>,
    /// Its place among the changes of this record, where the system counts them (outbox id).
    pub order: Option<u64>,
}

/// What happened to a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum NewsKind {
    /// It was made.
    Create,
    /// The fields given changed.
    Update,
    /// It is gone; into another record, if it was merged.
    Delete {
        /// The record that it was merged into.
        merged_into: Option<Key>,
    },
    /// It came back; the values say nothing.
    Undelete,
    /// Something happened that was not told in full: the row is read.
    Gap,
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which record.
    pub key: Key,
    /// What it shows, of the fields asked for.
    pub values: Values,
    /// When it last changed there, in whole seconds where that is all that is known.
    pub stamp: Option<Timestamp>,
    /// When somebody else last changed it: none when it was us, or nobody knows.
    pub foreign_at: Option<Timestamp>,
    /// All of its changes up to this place are in it (newest outbox id of the record).
    pub order: Option<u64>,
    /// Whether it is deleted.
    pub deleted: bool,
    /// The record that it was merged into.
    pub merged_into: Option<Key>,
}

/// Changes that were heard together.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Which source.
    pub source: SourceId,
    /// The changes, in the source's order.
    pub news: Vec<News>,
    /// Where the source stands behind them.
    pub position: Option<Vec<u8>>,
    /// When the last change was committed there, by the source's clock.
    pub committed: Option<Timestamp>,
}

/// A stream of changes: a channel, an outbox, a polled entity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceId {
    /// The connection.
    pub connection: String,
    /// The entity it tells of, or `*` for all of the connection (an outbox).
    pub channel: String,
}

impl SourceId {
    /// Whether it tells of this entity.
    pub fn covers(&self, connection: &str, entity: &str) -> bool {
        self.connection == connection && (self.channel == "*" || self.channel.eq_ignore_ascii_case(entity))
    }
}
