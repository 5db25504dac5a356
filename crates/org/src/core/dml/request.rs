//! What writes and reads of rows are asked with.

use tombolo_schema::Id;

/// The record that an update means.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// As written; none where the Id alone says it.
    pub(crate) object: Option<String>,
    /// As written.
    pub(crate) id: String,
}

/// The fields that a read wants.
#[derive(Debug, Clone)]
pub(crate) enum Selection {
    /// All of them, in describe order.
    All,
    /// These, in this order, and the Id last.
    Named(Vec<String>),
}

/// The records that carry a value of an external id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    None,
    One(Id),
    Many(Vec<Id>),
}
