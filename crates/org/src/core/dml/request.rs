//! What writes and reads of rows are asked with.

use tombolo_schema::Id;

use super::Condition;

/// The record that an update means.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// As written; none where the Id alone says it.
    pub(crate) object: Option<String>,
    /// As written.
    pub(crate) id: String,
    /// What has to be true of it.
    pub(crate) condition: Condition,
}

impl Target {
    /// The record of this Id, whatever is true of it.
    pub(crate) fn new(object: Option<String>, id: String) -> Self {
        Self { object, id, condition: Condition::default() }
    }
}

/// What an upsert goes by.
#[derive(Debug, Clone)]
pub(crate) struct Key<'a> {
    pub(crate) object: &'a str,
    /// An external id, or `Id`.
    pub(crate) field: &'a str,
    /// What has to be true of a record that is there already.
    pub(crate) condition: Condition,
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
