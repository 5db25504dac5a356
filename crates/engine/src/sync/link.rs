//! A link: what is known of one record on both sides, and what is under way.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Key, LinkId, MappingIndex, Operation, Refusal, Side, Stored, Tag};

/// A record as both sides know it. From the first time that one side shows it; the other side may follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Its number in the shard.
    pub id: LinkId,
    /// Its mapping.
    pub mapping: MappingIndex,
    /// The record's key on each side, once there is one.
    pub keys: [Option<Key>; 2],
    /// Whether the record is there.
    pub presence: [Presence; 2],
    /// Whether somebody deleted it on this side, and not a write of ours.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deleted_there: [bool; 2],
    /// What is known of each field, in the order of the mapping's.
    pub fields: Vec<Field>,
    /// What each side shows in the fields that its filter watches.
    #[serde(default, skip_serializing_if = "is_default")]
    pub watched: [Vec<Stored>; 2],
    /// The write that was sent to each side and has not been answered for good.
    #[serde(default, skip_serializing_if = "is_default")]
    pub flight: [Option<Flight>; 2],
    /// Writes that were answered and whose echo may still come, oldest first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ledger: [Vec<Sent>; 2],
    /// The newest change of each side that was applied, where the system counts them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub order: [u64; 2],
    /// When the newest change of each side that was applied was committed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stamp: [Option<Timestamp>; 2],
    /// What is to become of the record as a whole.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fate: Fate,
    /// Nobody on the other side could be this record: it may be made there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unmatched: bool,
    /// When the newest row of each side that was read had last changed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub read: [Option<Timestamp>; 2],
    /// The row was read within the second of its stamp and may have changed since without another one: until then
    /// nothing rests on it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub young: [Option<Timestamp>; 2],
    /// Why the record cannot be made or deleted on a side.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refused: [Option<Refusal>; 2],
    /// A side asked whether a write is meant, and nobody has decided yet.
    #[serde(default, skip_serializing_if = "is_default")]
    pub asked: [bool; 2],
    /// A person decided that it is, for the next write.
    #[serde(default, skip_serializing_if = "is_default")]
    pub insists: [bool; 2],
    /// It waits for the link of a parent, since then.
    #[serde(default, skip_serializing_if = "is_default")]
    pub parked: Option<Parked>,
    /// How many writes of it were made, on either side.
    #[serde(default, skip_serializing_if = "is_default")]
    pub writes: u64,
    /// How often it was made on each side.
    #[serde(default, skip_serializing_if = "is_default")]
    pub made: [u64; 2],
    /// The marks of sendings of a refused create of which nobody knows what became: one may still land.
    #[serde(default, skip_serializing_if = "is_default")]
    pub loose: [Vec<Tag>; 2],
    /// What those would have set: what the record shows when it was made by one of them is nobody's edit.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drafts: [Vec<Vec<(usize, Stored)>>; 2],
    /// When the last of them was given up.
    #[serde(default, skip_serializing_if = "is_default")]
    pub loosed: [Option<Timestamp>; 2],
    /// The row has to be read before anything else is decided.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reread: [Option<Reread>; 2],
}

/// Whether a record is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Presence {
    /// Never seen.
    #[default]
    Absent,
    /// It is there.
    Present,
    /// It was deleted.
    Deleted,
}

/// Why a row is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reread {
    /// It was heard of without values: a gap event, an undelete, a filter that cannot be judged.
    News,
    /// No echo came: what the row shows is what became of the write.
    Echo,
    /// Nobody knows what became of a write.
    Outcome,
}

/// What is known of one field.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Field {
    /// What each side showed last; none before it was ever seen.
    #[serde(default, skip_serializing_if = "is_default")]
    pub image: [Option<Stored>; 2],
    /// The value that was taken last, not yet known to stand on both sides.
    #[serde(default, skip_serializing_if = "is_default")]
    pub taken: Option<Taken>,
    /// Writes to each side that nothing has confirmed yet, oldest first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub open: [Vec<Open>; 2],
    /// What each side showed while a write was under way: decided when its echo comes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub held: [Vec<Held>; 2],
    /// The newest write to each side that was confirmed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub confirmed: [Option<(u64, u64)>; 2],
    /// What a side refused to take, and why: a dead letter, until the field moves again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refused: [Option<Refusal>; 2],
    /// Set while a value that came back different travels to the other side; marked when that side rewrote it in turn.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rewriting: Rewriting,
    /// A person has to decide.
    #[serde(default, skip_serializing_if = "is_default")]
    pub manual: bool,
}

/// How far a rewritten value came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Rewriting {
    /// Nothing was rewritten.
    #[default]
    No,
    /// This side rewrote what was written to it; the other gets it once.
    Once(Side),
    /// Both rewrite: nothing moves until somebody edits.
    Both,
}

/// A value that a side moved to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// The side that moved.
    pub side: Side,
    /// The value as that side shows it.
    pub value: Stored,
    /// When; none if nobody knows.
    pub at: Option<Timestamp>,
    /// The place in the journal of what told it; 0 for a row that was read.
    pub place: u64,
}

/// A write to a field that nothing has confirmed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// The write.
    pub tag: Tag,
    /// The value written, as the side that is written to shows it.
    pub value: Stored,
    /// What the merge had seen when it decided: the value and time of the side that won.
    pub taken: Taken,
}

/// What a side showed while a write to it was under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// The value.
    pub value: Stored,
    /// When it was committed.
    pub at: Option<Timestamp>,
    /// Where it stands in the journal.
    pub place: u64,
    /// Nobody else's: a write of ours that was given up landed after all, over what was held before it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub late: bool,
}

/// A write that was sent and not answered for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flight {
    /// Its mark.
    pub tag: Tag,
    /// What was asked.
    pub operation: Operation,
    /// The id under which a compared write is known.
    pub operation_id: String,
    /// When it was sent.
    pub sent: Timestamp,
    /// The marks of earlier sendings of the same operation: one of them may have landed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub before: Vec<Tag>,
    /// Nobody knows what became of it.
    pub unknown: bool,
    /// Its echo came before its answer.
    pub echoed: bool,
    /// Another change of the record was heard since it left: what its answer shows may be older.
    #[serde(default, skip_serializing_if = "is_default")]
    pub overtaken: bool,
    /// The fields it sets and their values.
    pub values: Vec<(usize, Open)>,
    /// Those of them that its echo did not tell.
    #[serde(default, skip_serializing_if = "is_default")]
    pub doubtful: Vec<(usize, Open)>,
    /// Fields of no line that it sets: the mark of a soft delete.
    #[serde(default)]
    pub extra: super::Values,
}

/// A write whose echo may still come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// Its mark.
    pub tag: Tag,
    /// When it was answered.
    pub at: Timestamp,
    /// Whether it was a delete.
    pub delete: bool,
    /// The fields it set and their values.
    pub values: Vec<(usize, Open)>,
    /// Whether it brought the record back.
    pub restore: bool,
    /// Changes that it overwrote unseen, if it was done though it was given up: its echo tells.
    #[serde(default, skip_serializing_if = "is_default")]
    pub covered: Vec<(usize, Held)>,
    /// What is known of it.
    pub state: SentState,
}

/// What is known of a write that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SentState {
    /// Its echo is waited for.
    Awaited,
    /// A read showed what it wrote; only changes that it overwrote are still listened for.
    Settled,
    /// A read showed that it had not landed; if it does after all, it is a late write.
    Abandoned,
}

/// What is to become of the record as a whole.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub enum Fate {
    /// It lives, on both sides if it takes part: a side that lost it gets it back.
    #[default]
    Live,
    /// It was deleted on this side, and the other is to follow.
    Follow {
        /// The side that it was deleted on.
        deleted: Side,
        /// When.
        at: Option<Timestamp>,
    },
    /// It is gone on one side, and the other is left as it is.
    Severed,
    /// Its lead was converted: Salesforce takes no more writes of it.
    Converted,
    /// A person has to decide.
    Manual,
    /// It is gone on both sides.
    Gone,
}

/// A record that waits for a parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parked {
    /// The parent's mapping, the side whose key is known, and the key.
    pub parent: (MappingIndex, Side, Key),
    /// Since when.
    pub since: Timestamp,
    /// Whether the record cannot be made without it.
    pub required: bool,
}

/// Most of a link is as it was made: left out where it is put away, its text is a third as long.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Flight {
    /// Whether this is its mark, or was.
    pub fn carries(&self, tag: Tag) -> bool {
        self.tag == tag || self.before.contains(&tag)
    }
}

impl Link {
    /// A link for a record that nobody knew.
    pub fn new(id: LinkId, mapping: MappingIndex, fields: usize) -> Self {
        Self {
            id,
            mapping,
            keys: [None, None],
            presence: [Presence::Absent; 2],
            deleted_there: [false; 2],
            fields: vec![Field::default(); fields],
            watched: [Vec::new(), Vec::new()],
            flight: [None, None],
            ledger: [Vec::new(), Vec::new()],
            order: [0, 0],
            stamp: [None, None],
            fate: Fate::Live,
            unmatched: false,
            read: [None, None],
            young: [None, None],
            refused: [None, None],
            asked: [false; 2],
            insists: [false; 2],
            parked: None,
            writes: 0,
            made: [0, 0],
            loose: [Vec::new(), Vec::new()],
            loosed: [None, None],
            drafts: [Vec::new(), Vec::new()],
            reread: [None, None],
        }
    }
}
