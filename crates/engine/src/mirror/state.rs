//! What a mirror of one entity remembers. All of it is stored, together with the rows it speaks of.

use jiff::Timestamp;

use crate::{Cursor, Position};

/// How far the mirror of one entity has come.
///
/// | field | set by | waited for by |
/// | --- | --- | --- |
/// | `opened` | the first subscription, before any row is read | the snapshot |
/// | `snapshot` | each page of the snapshot | everything but hints |
/// | `position` | the write that settles the last hint of an event | the next subscription |
/// | `announced` | the first event; cleared when the stream is lost without a position | the choice of the polling interval |
/// | `polled`, `deletes_until` | each page of a poll, each list of deletes | the next poll |
/// | `gap` | a lost position, an overflow; cleared when it is reconciled | polls |
/// | `refill` | new columns; each page of the refill | polls |
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// The first reading of all rows.
    pub snapshot: Snapshot,
    /// The reading of all rows for columns that are new.
    pub refill: Option<Refill>,
    /// The source's time when its stream was first opened: what happens later, the stream tells.
    pub opened: Option<Timestamp>,
    /// Where to go on in the stream.
    pub position: Option<Position>,
    /// Whether the stream has told of a change and so proved that the entity is selected for change events.
    pub announced: bool,
    /// The newest row that a poll has seen.
    pub polled: Option<Cursor>,
    /// Up to where the source's list of deleted records was read.
    pub deletes_until: Option<Timestamp>,
    /// A stretch of the stream that was missed and is not made good yet.
    pub gap: Option<Gap>,
}

/// How far the first reading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snapshot {
    /// Rows up to here are written.
    Pending(Option<Cursor>),
    /// All rows are written.
    Done,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self::Pending(None)
    }
}

/// A second reading of all rows, because the mirror has columns that it did not have in the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refill {
    /// Rows up to here are written.
    pub after: Option<Cursor>,
}

/// A stretch of the stream that was missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// When it was noticed.
    pub detected: Timestamp,
    /// Changes stamped from here on may be missing; none: any change at all.
    pub since: Option<Timestamp>,
    /// Why, for a person.
    pub reason: String,
    /// Rows that were written to make it good.
    pub upserted: u64,
    /// Rows that were marked deleted to make it good.
    pub deleted: u64,
}

/// A gap that is made good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedGap {
    /// Which.
    pub gap: Gap,
    /// When everything noted before the end of the reconciliation was applied.
    pub closed: Timestamp,
}
