//! What the engine puts away and asks back: the contract with the state store.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Key, Link, LinkId, MappingIndex, News, Refusal, Side, SourceId, Stored};

/// Everything that changes together, or not at all. Refused if the epoch is no longer the shard's.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Transaction {
    /// Changes heard. One whose (connection, identity) is in the journal already is left out, and told in
    /// [`super::Input::Committed`]. The journal keeps identities for its retention, decided or not.
    pub heard: Vec<Entry>,
    /// Where sources stand.
    pub sources: Vec<(SourceId, SourceState)>,
    /// Places of the journal that are decided: what was heard there is in a link.
    pub decided: Vec<u64>,
    /// Links, new and changed.
    pub links: Vec<LinkRow>,
    /// Links that are forgotten.
    pub forgotten: Vec<LinkId>,
    /// What was done, for `tombolo history`.
    pub history: Vec<History>,
    /// Conflicts, new and decided.
    pub conflicts: Vec<Conflict>,
    /// Dead letters, new and changed.
    pub dead_letters: Vec<DeadLetter>,
    /// Dead letters that are none any more.
    pub delivered: Vec<(LinkId, Side)>,
    /// Gaps, opened and closed.
    pub gaps: Vec<Gap>,
    /// Work that takes many steps (loading, reconciling, scrubbing): by name, none when it is done.
    pub jobs: Vec<(String, Option<Job>)>,
    /// Commands of `tombolo pause`, `retry` and so on that were carried out.
    pub commands: Vec<u64>,
    /// Operation ids whose outcome is known now, by connection: their rows in the application's database may go.
    pub operations: Vec<(String, String)>,
    /// The state of mappings, for `tombolo status`.
    pub mappings: Vec<(MappingIndex, MappingState)>,
}

/// A change in the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place: grows by one from change to change of a shard.
    pub place: u64,
    /// When it was heard.
    pub heard: Timestamp,
    /// The change.
    pub news: News,
}

/// A link with what it is found by.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkRow {
    /// The link. Its number, mapping and keys are found by.
    pub link: Link,
    /// What the mapping's `match` compares, of each side that shows it, as canonical text. Blank is none.
    pub matches: [Option<String>; 2],
    /// Something is under way: it is loaded when the shard starts.
    pub active: bool,
}

/// Where a source stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceState {
    /// What it wants to be given to go on.
    pub position: Option<Vec<u8>>,
    /// Since when it was heard without a hole, by its own clock.
    pub opened: Option<Timestamp>,
    /// When the last change that was heard was committed, by its own clock.
    pub committed: Option<Timestamp>,
}

/// One step in the life of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The record.
    pub link: LinkId,
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub step: Step,
    /// The side it concerns.
    pub side: Side,
    /// The place in the journal, if a change told it.
    pub place: Option<u64>,
    /// The fields and values concerned, as that side shows them.
    pub values: Vec<(String, Stored)>,
    /// Words: the tag of a write, the cause of a refusal, the rule that decided.
    pub note: String,
}

/// The kinds of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A change was heard.
    Heard,
    /// A row was read.
    Read,
    /// Two records were joined.
    Linked,
    /// A conflict was decided.
    Decided,
    /// A write was sent.
    Sent,
    /// The write was answered.
    Answered,
    /// Its echo came.
    Confirmed,
    /// It waits for a parent.
    Parked,
}

/// Two sides moved apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// Its number: (link, place or time) made unique by the engine.
    pub id: String,
    /// The record.
    pub link: LinkId,
    /// The mapping.
    pub mapping: MappingIndex,
    /// The record's keys.
    pub keys: [Option<Key>; 2],
    /// The field's name on each side; none for the record as a whole.
    pub field: Option<[String; 2]>,
    /// What each side had shown before.
    pub images: [Option<Stored>; 2],
    /// What each side moved to.
    pub values: [Option<Stored>; 2],
    /// When each side moved.
    pub times: [Option<Timestamp>; 2],
    /// What kind it is.
    pub kind: ConflictKind,
    /// Which side won; none while a person has to decide.
    pub winner: Option<Side>,
    /// When it was found.
    pub at: Timestamp,
    /// By what rule, or by whom it was decided.
    pub rule: String,
}

/// The kinds of conflicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// Both sides moved before either was written.
    Edit,
    /// A write overwrote a change that its merge had not seen; the policy was applied again.
    Late,
    /// Deleted on one side, edited on the other.
    Delete,
    /// Both had values when the records were joined.
    FirstMerge,
    /// More than one record could be the other side's.
    Match,
    /// An edit of a record whose link is severed or converted.
    Severed,
    /// A side takes the record for one that it has already.
    Duplicate,
}

/// A write that a side refuses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The record.
    pub link: LinkId,
    /// The side that refuses.
    pub side: Side,
    /// The mapping.
    pub mapping: MappingIndex,
    /// The record's keys.
    pub keys: [Option<Key>; 2],
    /// The fields that are not written; empty for the record as a whole.
    pub fields: Vec<String>,
    /// Why.
    pub cause: Refusal,
    /// Since when.
    pub at: Timestamp,
}

/// A stretch of changes that was not heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Its number.
    pub id: u64,
    /// Where.
    pub connection: String,
    /// The object or table; empty for all of the connection.
    pub entity: String,
    /// From when on, by the system's clock.
    pub from: Option<Timestamp>,
    /// When it was noticed.
    pub noticed: Timestamp,
    /// Why.
    pub reason: String,
    /// What was done about it, so far.
    pub done: String,
    /// When it was closed.
    pub closed: Option<Timestamp>,
}

impl Gap {
    /// Whether changes of this entity may be missing in it.
    pub fn covers(&self, connection: &str, entity: &str) -> bool {
        let all = self.entity.is_empty() || self.entity == "*";
        self.connection == connection && (all || self.entity.eq_ignore_ascii_case(entity))
    }
}

/// Work that takes many steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// What it is.
    pub kind: JobKind,
    /// The mapping and side that is read.
    pub mapping: MappingIndex,
    /// That side.
    pub side: Side,
    /// How far it came.
    pub stage: Stage,
    /// Where the last page ended.
    pub after: Option<Vec<u8>>,
    /// From when on rows are read; all without.
    pub since: Option<Timestamp>,
    /// How many rows were read.
    pub rows: u64,
    /// How many of them told something new.
    pub found: u64,
    /// The field that points to a parent, and the parent whose children are read.
    #[serde(default)]
    pub parent: Option<(String, Key)>,
    /// The gap that it closes.
    pub gap: Option<u64>,
    /// When it began.
    pub began: Timestamp,
}

/// The kinds of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Reading everything for the first time.
    Load,
    /// Reading what may not have been heard.
    Reconcile,
    /// Looking for what nobody told.
    Scrub,
    /// Reading a side whose table was gone, before it is written to again.
    Recover,
    /// Hearing changes by asking for them.
    Poll,
    /// Reading the children of a parent that changed.
    Children,
    /// Joining or making what only one side has.
    Join,
}

/// How far a job came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Rows are read.
    Rows,
    /// The list of deletes is read.
    Deletes,
    /// The keys are compared.
    Keys,
}

/// The state of a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MappingState {
    /// Whether everything that was there before was read, of each side.
    pub loaded: [bool; 2],
    /// How many records there are, those that only one side has included.
    #[serde(default)]
    pub records: u64,
    /// Somebody paused it.
    pub paused: bool,
    /// Why nothing is written to a side: a table that is gone, a user who may not, a brake.
    pub halted: [Option<String>; 2],
    /// Fields that a side does not have any more: they are left out.
    pub lost_fields: [Vec<String>; 2],
}

/// What is asked of the state store, all of it seen at one moment, after every transaction before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Load {
    /// Links by the key of a side.
    pub by_key: Vec<(MappingIndex, Side, Key)>,
    /// Links by number.
    pub by_id: Vec<LinkId>,
    /// Links by what `match` compares on a side, at most three for each.
    pub by_match: Vec<(MappingIndex, Side, String)>,
    /// Links that are parked on this parent.
    pub parked_on: Vec<(MappingIndex, Side, Key)>,
    /// Undecided entries behind a place, in order, at most so many.
    pub journal: Option<(u64, usize)>,
    /// The keys of a side's present records behind a key, in order, at most so many: to be compared with the system's.
    pub keys: Option<(MappingIndex, Side, Option<Key>, usize)>,
    /// Links that show only this side, behind a number, in order, at most so many: to be made on the other side when
    /// both are loaded.
    pub halves: Option<(MappingIndex, Side, LinkId, usize)>,
}

/// What the state store answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loaded {
    /// Every link that any of the questions found, once.
    pub links: Vec<Link>,
    /// For each match asked for, in order: the links.
    pub by_match: Vec<Vec<LinkId>>,
    /// For each parent asked for, in order: the links.
    pub parked_on: Vec<Vec<LinkId>>,
    /// Entries.
    pub journal: Vec<Entry>,
    /// Keys.
    pub keys: Vec<Key>,
    /// Links that show only one side.
    pub halves: Vec<LinkId>,
}

/// What a shard starts from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Start {
    /// The shard's number and the epoch of its holder.
    pub shard: u64,
    /// That epoch.
    pub epoch: u64,
    /// The greatest number of a link.
    pub last_link: LinkId,
    /// The greatest place in the journal.
    pub last_place: u64,
    /// The greatest number of a gap.
    pub last_gap: u64,
    /// Links with something under way.
    pub active: Vec<LinkId>,
    /// Where sources stand.
    pub sources: Vec<(SourceId, SourceState)>,
    /// Jobs that are not done.
    pub jobs: Vec<(String, Job)>,
    /// Gaps that are open.
    pub gaps: Vec<Gap>,
    /// The state of mappings.
    pub mappings: Vec<(MappingIndex, MappingState)>,
}
