//! What the engine asks of systems, and what they answer.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Key, MappingIndex, News, Row, Side, Stored, Tag, Values};

/// The number of a link in its shard.
pub type LinkId = u64;

/// Records written in one request to one connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The mark it carries, as already put away.
    pub tag: Tag,
    /// Where to.
    pub connection: String,
    /// What is written. A record stands at most once. Parents stand before children.
    pub writes: Vec<Write>,
    /// How urgent it is.
    pub class: Class,
}

/// One record written.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The link it is for.
    pub link: LinkId,
    /// The mapping, and its side that is written to.
    pub mapping: MappingIndex,
    /// That side.
    pub side: Side,
    /// What is done.
    pub operation: Operation,
    /// The fields and their values, in this side's own keys. For a delete none.
    pub values: Values,
    /// What the record shows as far as we know, of every field that is heard: a compared write that finds anything else
    /// changes nothing and answers [`Outcome::Moved`]. Compared under the pair's canon.
    pub expect: Values,
    /// A conditional write changes nothing if the record changed after this.
    pub unmodified_since: Option<Timestamp>,
    /// Known again by this, however often it is sent: the number of the link and of its write. A compared write that
    /// finds it done changes nothing and answers [`Outcome::AlreadyDone`].
    pub operation_id: String,
    /// A person said that it is meant, though the system takes the record for another one.
    pub insists: bool,
    /// Writes of one group lock the same parent and go together.
    pub group: Option<Key>,
}

/// What is done to a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// It is made. With a key given it comes back under that key (databases); the other side's key goes into the
    /// external id field.
    Create {
        /// The key it must have again.
        key: Option<Key>,
        /// The other side's key.
        other: Key,
    },
    /// Its fields are set.
    Update(Key),
    /// It is deleted.
    Delete(Key),
    /// It comes out of the recycle bin, then its fields are set.
    Undelete(Key),
}

/// How urgent a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// Somebody waits for it.
    Interactive,
    /// Changes as they happen.
    Live,
    /// Repairing a gap.
    Reconcile,
    /// Loading what was there before.
    Backfill,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was done.
    Done {
        /// The record's key.
        key: Key,
        /// What the record shows now, read in the same transaction (compared writes).
        row: Option<Row>,
    },
    /// It had been done before, by this operation id.
    AlreadyDone {
        /// The record's key.
        key: Key,
    },
    /// The record shows something else than expected; nothing was written.
    Moved {
        /// Its changes that had not been claimed yet, oldest first. They will be claimed, too.
        pending: Vec<News>,
        /// What it shows; none if it is gone.
        row: Option<Row>,
    },
    /// There is such a record already.
    Duplicate {
        /// Which one, if it is told.
        key: Option<Key>,
    },
    /// The record is not there.
    Gone {
        /// Whether that is sure (ENTITY_IS_DELETED), or to be confirmed by reading (NOT_FOUND).
        certain: bool,
    },
    /// The system said no; nothing was written.
    Refused(Refusal),
    /// The system asks whether it is meant, and nothing was written: a person decides.
    Questioned(Refusal),
    /// It may have been done.
    Unknown,
    /// It was not done, and may be asked again after this.
    NotDone(Option<Timestamp>),
}

/// Why a system said no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Its own code: `FIELD_CUSTOM_VALIDATION_EXCEPTION`, `23505`.
    pub code: String,
    /// Its own words.
    pub message: String,
    /// The fields that it names.
    pub fields: Vec<String>,
    /// Whether the same may be accepted later (row locks).
    pub passing: bool,
}

/// What the engine asks to read.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    /// These records, the deleted ones included where they can be told; one that is not answered is not there.
    Rows {
        /// The mapping whose fields are read, and the side.
        mapping: MappingIndex,
        /// That side.
        side: Side,
        /// Which.
        keys: Vec<Key>,
    },
    /// The record that carries this external id.
    External {
        /// The mapping and side that is read.
        mapping: MappingIndex,
        /// That side.
        side: Side,
        /// The other side's key.
        other: Key,
    },
    /// The next page of all records, or of those that changed since, in an order that does not skip.
    Page {
        /// The mapping and side that is read.
        mapping: MappingIndex,
        /// That side.
        side: Side,
        /// From when on; everything without.
        since: Option<Timestamp>,
        /// Where the page before ended.
        after: Option<Vec<u8>>,
    },
    /// What was deleted since.
    Deleted {
        /// The mapping and side that is read.
        mapping: MappingIndex,
        /// That side.
        side: Side,
        /// From when on.
        since: Timestamp,
    },
    /// The next page of keys, in the order of keys.
    Keys {
        /// The mapping and side that is read.
        mapping: MappingIndex,
        /// That side.
        side: Side,
        /// Behind this one.
        after: Option<Key>,
    },
    /// The path fields of the records that point to this parent.
    Children {
        /// The mapping and its left side.
        mapping: MappingIndex,
        /// The field that points to it.
        via: String,
        /// The parent.
        parent: Key,
        /// Where the page before ended.
        after: Option<Vec<u8>>,
    },
}

/// The answer to a [`Read`].
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Rows; with where the page ended, unless it was the last one.
    Rows {
        /// The rows.
        rows: Vec<Row>,
        /// Where the page ended; none behind the last one.
        next: Option<Vec<u8>>,
        /// The system's own time when it answered.
        server: Option<Timestamp>,
    },
    /// Keys that were deleted, and whether the list reaches back to the moment asked for.
    Deleted {
        /// Which, and into what they were merged.
        keys: Vec<(Key, Option<Key>)>,
        /// Whether the list is whole.
        complete: bool,
    },
    /// Keys in order; with the last one, unless it was the last page.
    Keys {
        /// The keys.
        keys: Vec<Key>,
        /// The last of them; none behind the last page.
        next: Option<Key>,
    },
    /// It could not be read now; ask again after this.
    Later(Option<Timestamp>),
    /// It cannot be read until somebody does something about it.
    Failed(Refusal),
}

/// A field and the value that a person chose for it.
pub type Choice = (String, Stored);
