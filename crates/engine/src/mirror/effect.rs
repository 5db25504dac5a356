//! What the mirror is told and what it wants done.

use jiff::Timestamp;
use tombolo_schema::Id;

use super::{ClosedGap, State};
use crate::{Change, Cursor, Position, Row};

/// What the mirror is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The mirror begins, or begins again.
    Start,
    /// A subscription stands: what is committed after this moment of the source's clock is told.
    Opened(Timestamp),
    /// The source reconnected by itself. Without a position, what happened meanwhile was not told.
    Reopened,
    /// The entity has no stream; polling is all there is.
    Refused,
    /// One message of the stream.
    Message(Vec<Change>, Position),
    /// The source no longer knows the position, or the stream was lost before it told anything. It goes on by itself
    /// with what happens from the next [`Input::Opened`] on.
    PositionLost(String),
    /// The stream ended.
    StreamLost,
    /// What an effect that wants an answer came to.
    Answer(Answer),
    /// Time has passed.
    Tick,
}

/// What the mirror wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Listen to the stream behind this position; without one, from now on.
    Subscribe(Option<Position>),
    /// Do this and hand in the answer. There is one such request at a time, so that a later answer is never older.
    Ask(Request),
}

/// Work that wants an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Read these records, those in the recycle bin as well. → [`Answer::Rows`]
    Read(Vec<Id>),
    /// Read the next rows behind the cursor, ordered by stamp and Id. → [`Answer::Page`]
    Page {
        /// Where to go on.
        after: Option<Cursor>,
        /// Whether rows in the recycle bin are wanted.
        bin: bool,
    },
    /// The records deleted since, as far as the mirror still shows them. → [`Answer::Deleted`]
    Deleted(Timestamp),
    /// The Ids and stamps of live records, ordered by Id. → [`Answer::Listed`]
    List(Option<Id>),
    /// The Ids and stamps of all rows that the mirror shows as live. → [`Answer::Stored`]
    Stored,
    /// Write all of this in one transaction. → [`Answer::Written`]
    Write(Box<Write>),
}

/// What is written in one transaction.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Write {
    /// Rows to insert or update.
    pub rows: Vec<Incoming>,
    /// Records that are no more: their rows are marked deleted.
    pub gone: Vec<Id>,
    /// How far the mirror has come with these rows.
    pub state: State,
    /// A gap that is made good with these rows.
    pub closed: Option<ClosedGap>,
    /// Whether the rows belong to a first or a second reading of everything.
    pub bulk: bool,
}

/// A row on its way into the mirror.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// The row.
    pub row: Row,
    /// When the change that it shows was committed, as far as the source tells.
    pub committed: Option<Timestamp>,
    /// Whether it is written even if what is stored carries a newer stamp.
    pub force: bool,
    /// Whether it is written only if the mirror has the row: it was deleted before the mirror began.
    pub known_only: bool,
}

/// What a request came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The records that exist, in any order.
    Rows(Vec<Row>),
    /// Rows in order; `last` when none are behind them.
    Page {
        /// The rows.
        rows: Vec<Row>,
        /// Whether the list ends here.
        last: bool,
    },
    /// Deleted records that the mirror shows as live.
    Deleted {
        /// Which.
        ids: Vec<Id>,
        /// Up to where the list reaches.
        until: Timestamp,
        /// Whether it reaches back to the moment that was asked for.
        complete: bool,
    },
    /// Ids and stamps in order.
    Listed {
        /// Which.
        entries: Vec<(Id, Timestamp)>,
        /// Whether the list ends here.
        last: bool,
    },
    /// Ids and stamps of what the mirror shows as live.
    Stored(Vec<(Id, Timestamp)>),
    /// The transaction is committed.
    Written(Written),
}

/// What a committed transaction did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// Records whose row is new or differs from what was stored.
    pub changed: Vec<Id>,
    /// Of these, those now marked deleted.
    pub deleted: u64,
    /// Rows left out because what is stored carries a newer stamp.
    pub stale: Vec<Id>,
}
