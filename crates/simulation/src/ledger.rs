//! What was committed on each side, by whom, and what became of its event: the truth that the oracle judges by.

use std::collections::BTreeMap;

use tombolo_engine::sync::{Key, Side, Stored};

use crate::moment::Micros;

/// The number of a commit; grows in the order of commits over both sides.
pub type CommitId = usize;

/// What was committed to one record.
#[derive(Debug, Clone)]
pub struct Commit {
    /// When.
    pub at: Micros,
    /// When the change was made; before the commit where a transaction takes its time.
    pub made: Micros,
    /// Where.
    pub side: Side,
    /// The object or table.
    pub entity: &'static str,
    /// The record.
    pub key: Key,
    /// By whom.
    pub author: Author,
    /// What happened.
    pub kind: CommitKind,
    /// Which fields changed, and how.
    pub changes: Vec<FieldChange>,
    /// The stamp that the row shows, by the system's clock.
    pub stamp: Micros,
    /// How anybody hears of it.
    pub told: Told,
}

/// One field changed.
#[derive(Debug, Clone)]
pub struct FieldChange {
    /// Which.
    pub field: String,
    /// What it showed.
    pub before: Stored,
    /// What it shows.
    pub after: Stored,
}

/// Who committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// It was there before.
    Initial,
    /// Somebody, by this act of the history.
    User(usize),
    /// The engine, by a request and the write in it.
    Engine(usize, usize),
    /// The system itself, because of something else.
    Cascade,
}

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitKind {
    /// It was made.
    Create,
    /// Fields changed.
    Update,
    /// It is gone.
    Delete,
    /// It came back.
    Undelete,
}

/// How anybody hears of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// By its event.
    Event,
    /// By an event that says nothing of what changed; told at this moment, once it was.
    Gap(Option<Micros>),
    /// Only by reading.
    Never,
}

/// Everything that was committed.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// In order.
    pub commits: Vec<Commit>,
    /// The commits of a record, in order.
    by_record: BTreeMap<(Side, Key, &'static str), Vec<CommitId>>,
}

impl Ledger {
    /// Writes a commit down.
    pub fn add(&mut self, commit: Commit) -> CommitId {
        let id = self.commits.len();
        self.by_record.entry((commit.side, commit.key.clone(), commit.entity)).or_default().push(id);
        self.commits.push(commit);
        id
    }

    /// The commits of each record, in order.
    pub fn by_record(&self) -> impl Iterator<Item = &[CommitId]> {
        self.by_record.values().map(Vec::as_slice)
    }

    /// The commits of a record, in order.
    pub fn of(&self, side: Side, entity: &'static str, key: &str) -> &[CommitId] {
        self.by_record.get(&(side, key.to_owned(), entity)).map_or(&[], Vec::as_slice)
    }

    /// The next commit of the same record that touches a field, or deletes the record.
    pub fn next(&self, id: CommitId, field: &str) -> Option<CommitId> {
        let commit = &self.commits[id];
        self.of(commit.side, commit.entity, &commit.key).iter().copied().filter(|later| *later > id).find(|later| {
            let later = &self.commits[*later];
            later.kind == CommitKind::Delete || later.changes.iter().any(|change| change.field == field)
        })
    }
}
