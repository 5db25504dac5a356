//! Records as they cross the border between the wire formats and the core: named values, in order, without any format.

use std::sync::Arc;

use jiff::{Timestamp, civil};
use tombolo_schema::{ErrorCode, Id};

/// A value as a client sent it, before the field it is meant for has had a look at it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Input {
    Null,
    Boolean(bool),
    /// A JSON number, as it was written.
    Number(String),
    /// A JSON string.
    Text(String),
    /// Text of an element: XML has no other type, so a field reads from it whatever it is.
    Untyped(String),
    /// A nested object: a parent named by an external id (`"Merchandise__r": {"Key__c": 1}`), or a compound.
    Nested(Vec<(String, Input)>),
    /// A JSON array, which no field takes.
    List,
}

/// The fields of a record to write, under the names the client used.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RowInput {
    pub(crate) fields: Vec<(String, Input)>,
}

/// A value on its way out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Output {
    Null,
    Boolean(bool),
    /// int fields, counts
    Int(i64),
    /// double, currency and percent fields: printed with a decimal point (`300.0`)
    Double(f64),
    /// text kinds, picklists, Ids (always 18 characters)
    Text(String),
    Date(civil::Date),
    DateTime(Timestamp),
    Time(civil::Time),
    /// address, location, and the Name of a person in change events
    Compound(Vec<(Arc<str>, Output)>),
    /// a parent record
    Record(Box<Record>),
    /// a child set
    Children(Box<Page>),
    /// the body of an Attachment and the like: REST answers with the path it can be fetched from
    Blob(Vec<u8>),
}

/// A record on its way out: selected fields in the order in which they were asked for, in schema case.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    /// `Account`, or `AggregateResult`
    pub(crate) object: Arc<str>,
    /// The record's own Id, for its URL; none for an aggregate.
    pub(crate) id: Option<Id>,
    pub(crate) fields: Vec<(Arc<str>, Output)>,
}

/// A page of a query's result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Page {
    pub(crate) total_size: u64,
    pub(crate) records: Vec<Record>,
    /// Where the next page begins; none on the last.
    pub(crate) next: Option<Locator>,
}

/// A position in a held result: `01g…AAA-2000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Locator {
    pub(crate) cursor: Id,
    pub(crate) offset: u64,
}

/// What went wrong with one record, or with a whole request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
    /// Present (perhaps empty) where Salesforce prints `fields`.
    pub(crate) fields: Option<Vec<String>>,
}

impl Fault {
    /// A fault of a request: its body has no `fields`.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fields: None }
    }

    /// A fault of a record's fields.
    pub(crate) fn of_fields(code: ErrorCode, message: impl Into<String>, fields: &[&str]) -> Self {
        let fields = Some(fields.iter().map(|&f| f.to_owned()).collect());
        Self { code, message: message.into(), fields }
    }
}

/// What became of one record of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saved {
    /// The record, when there is one: a failed insert has none.
    pub(crate) id: Option<Id>,
    /// Whether this write made it (upserts tell).
    pub(crate) created: bool,
    /// Why it failed; empty when it did not.
    pub(crate) faults: Vec<Fault>,
}

/// Whether one failed record undoes the others of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Atomicity {
    /// Each record stands for itself.
    EachRecord,
    /// All or none.
    AllOrNone,
}

/// Why an operation as a whole was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CoreError {
    /// What the client is told. More than one only when several fields of one record are wrong.
    #[error("{}", .0.first().map_or("", |f| f.message.as_str()))]
    Refused(Vec<Fault>),
    /// What the client is not told more of than an UNKNOWN_EXCEPTION; the log has the rest.
    #[error("the store failed")]
    Store(#[from] rusqlite::Error),
    /// Likewise.
    #[error("{0}")]
    Internal(String),
    /// What the org was started with is wrong: a project, a plan, a data folder, a selection.
    #[error("{0}")]
    Setup(String),
}

impl From<Fault> for CoreError {
    fn from(fault: Fault) -> Self {
        Self::Refused(vec![fault])
    }
}

pub(crate) type Result<T, E = CoreError> = std::result::Result<T, E>;
