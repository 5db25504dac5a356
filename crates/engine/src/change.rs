//! What happened to a record, wherever the news came from.

use jiff::Timestamp;
use tombolo_schema::Id;

use crate::Position;

/// One change of one record, or the news that changes were not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose data it is.
    pub tenant: String,
    /// The system it happened in.
    pub system: String,
    /// The object or table.
    pub entity: String,
    /// The record; the whole entity where the system does not say which.
    pub key: Key,
    /// What happened.
    pub kind: ChangeKind,
    /// The fields that an update touched; empty when the system does not say.
    pub changed_fields: Vec<String>,
    /// Where in the source's stream the news stood.
    pub position: Position,
    /// Which client made the change, as the source tells it.
    pub origin: String,
    /// When it was committed there.
    pub committed: Timestamp,
    /// What tells it from any other change.
    pub identity: ChangeIdentity,
}

/// The record that a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// This one.
    Record(Id),
    /// Any of the entity: a wildcard Id (`001*`) or the Id of an overflow (`streaming.md 2.1`).
    Entity,
}

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It was made.
    Create,
    /// Some of its fields changed.
    Update,
    /// It went to the recycle bin.
    Delete,
    /// It came back from there.
    Undelete,
    /// Something happened that the source could not tell in full.
    Gap,
}

/// What makes a change the same change when it is delivered again.
///
/// Not the replay id: un-merged enriched events share one, and a redelivered event has another (`streaming.md 2.6`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChangeIdentity {
    /// The channel it came on.
    pub channel: String,
    /// The transaction.
    pub transaction_key: String,
    /// Its place in the transaction.
    pub sequence_number: u32,
    /// The record.
    pub key: Key,
}
