//! A record as it was read.

use jiff::Timestamp;
use tombolo_schema::{Id, Value};

/// A record as it was read, its values in the order in which the fields were asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Which record.
    pub id: Id,
    /// When it last changed, in whole seconds.
    pub stamp: Timestamp,
    /// Whether it lies in the recycle bin.
    pub deleted: bool,
    /// The values of the fields asked for.
    pub values: Vec<Value>,
}

/// A place in the list of an entity's rows, ordered by stamp and Id.
///
/// The stamp alone would skip rows that share it, and would never end where more rows share it than a page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The stamp of the last row read.
    pub stamp: Timestamp,
    /// Its Id; none means before every row of that stamp.
    pub id: Option<Id>,
}

impl Cursor {
    /// Before every row stamped at this moment or later.
    pub const fn at(stamp: Timestamp) -> Self {
        Self { stamp, id: None }
    }

    /// Behind this row.
    pub const fn behind(row: &Row) -> Self {
        Self { stamp: row.stamp, id: Some(row.id) }
    }
}
