//! What changes in one transaction of the org, and the events that tell it.

use std::collections::BTreeMap;

use tombolo_engine::sync::{Key, NewsKind, Side, Stored, Tag};

use super::{Event, Org, Record, State};
use crate::{
    history::Soul,
    ledger::{Author, Commit, CommitId, CommitKind, FieldChange, Ledger, Told},
    moment::{Micros, timestamp, whole_second},
};

/// One change of one record; what it refers to is there.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Makes a record.
    Create {
        /// Under this Id.
        key: Key,
        /// Of this object.
        object: &'static str,
        /// Of this thing.
        soul: Soul,
        /// With these values.
        values: BTreeMap<String, Stored>,
    },
    /// Sets fields.
    Update(Key, BTreeMap<String, Stored>),
    /// Puts it into the recycle bin, merged into another one perhaps.
    Delete(Key, Option<Key>),
    /// Takes it out again.
    Undelete(Key),
}

/// Who changes, and when.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Now.
    pub now: Micros,
    /// When the transaction began.
    pub began: Micros,
    /// Who.
    pub author: Author,
    /// The tag of the request.
    pub tag: Option<Tag>,
    /// When its events are delivered.
    pub due: Micros,
    /// How they tell.
    pub telling: Telling,
}

/// How events tell what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// In full.
    Full,
    /// That something happened to these records.
    Gap,
    /// That something happened to the object.
    Overflow,
}

impl Org {
    /// Commits, and says which commits those were.
    pub fn commit(&mut self, work: Work, operations: Vec<Operation>, ledger: &mut Ledger) -> Vec<CommitId> {
        self.next_transaction += 1;
        let mut done: Vec<(CommitId, NewsKind)> = Vec::new();
        for operation in operations {
            let detached = match &operation {
                Operation::Delete(key, None) => self.detached(key),
                _ => Vec::new(),
            };
            done.extend(self.apply(work, operation, ledger));
            let cascade = Work { author: Author::Cascade, ..work };
            for child in detached {
                let values = BTreeMap::from([("AccountId".to_owned(), Stored::Null)]);
                done.extend(self.apply(cascade, Operation::Update(child, values), ledger));
            }
        }
        self.tell(work, &done, ledger);
        done.into_iter().map(|(commit, _)| commit).collect()
    }

    /// The contacts that lose their account when it is deleted.
    fn detached(&self, account: &str) -> Vec<Key> {
        let points =
            |record: &Record| record.values.get("AccountId").and_then(Stored::as_key).as_deref() == Some(account);
        let children = self.records.iter().filter(|(_, record)| record.state == State::Live && points(record));
        children.map(|(key, _)| key.clone()).collect()
    }

    fn apply(&mut self, work: Work, operation: Operation, ledger: &mut Ledger) -> Option<(CommitId, NewsKind)> {
        let stamp = whole_second(work.began + self.skew);
        let by_us = work.tag.is_some();
        let (key, kind, news, changes) = match operation {
            Operation::Create { key, object, soul, values } => {
                let record = Record {
                    object,
                    soul,
                    values: BTreeMap::new(),
                    state: State::Live,
                    stamp,
                    by_us,
                    deleted: 0,
                    committed: work.now,
                };
                self.records.insert(key.clone(), record);
                let changes = self.set(&key, values);
                (key, CommitKind::Create, NewsKind::Create, changes)
            }
            Operation::Update(key, values) => {
                let changes = self.set(&key, values);
                (key, CommitKind::Update, NewsKind::Update, changes)
            }
            Operation::Delete(key, merged_into) => {
                let record = self.records.get_mut(&key)?;
                record.state = State::Bin(merged_into.clone());
                record.deleted = work.now + self.skew;
                (key, CommitKind::Delete, NewsKind::Delete { merged_into }, Vec::new())
            }
            Operation::Undelete(key) => {
                self.records.get_mut(&key)?.state = State::Live;
                (key, CommitKind::Undelete, NewsKind::Undelete, Vec::new())
            }
        };
        let record = self.records.get_mut(&key)?;
        (record.stamp, record.by_us, record.committed) = (stamp.max(record.stamp), by_us, work.now);
        let (entity, stamp) = (record.object, record.stamp);
        if changes.is_empty() && kind == CommitKind::Update {
            return None;
        }
        let (now, made) = (work.now, work.began);
        let told = Told::Never;
        let side = Side::Left;
        let commit = Commit { at: now, made, side, entity, key, author: work.author, kind, changes, stamp, told };
        Some((ledger.add(commit), news))
    }

    /// Sets the fields that differ, as the org stores them.
    fn set(&mut self, key: &str, values: BTreeMap<String, Stored>) -> Vec<FieldChange> {
        let mut changes = Vec::new();
        for (field, value) in values {
            let after = self.stored(&field, &value);
            let Some(record) = self.records.get_mut(key) else { continue };
            let before = record.values.insert(field.clone(), after.clone()).unwrap_or_default();
            if before != after {
                changes.push(FieldChange { field, before, after });
            }
        }
        changes
    }

    fn tell(&mut self, work: Work, done: &[(CommitId, NewsKind)], ledger: &mut Ledger) {
        if self.channels.is_empty() {
            return;
        }
        let at = timestamp(whole_second(work.now + self.skew));
        let mut sequence = 0;
        let mut events: Vec<(&'static str, Event)> = Vec::new();
        for (id, kind) in done {
            let commit = &mut ledger.commits[*id];
            commit.told = if work.telling == Telling::Full { Told::Event } else { Told::Gap(None) };
            let values = commit.changes.iter().map(|change| (change.field.clone(), change.after.clone())).collect();
            let same = |(object, event): &&mut (&'static str, Event)| {
                *object == commit.entity
                    && (work.telling == Telling::Overflow || (event.kind == *kind && event.values == values))
            };
            let merged = self.merged_events || work.telling == Telling::Overflow;
            if let Some((_, event)) = events.iter_mut().find(same).filter(|_| merged && *kind != NewsKind::Create) {
                if work.telling != Telling::Overflow {
                    event.keys.push(commit.key.clone());
                }
                event.commits.push(*id);
                continue;
            }
            sequence += 1;
            let event = Event {
                identity: format!("t{}/{sequence}", self.next_transaction),
                kind: kind.clone(),
                keys: if work.telling == Telling::Overflow { Vec::new() } else { vec![commit.key.clone()] },
                values,
                origin: work.tag,
                at,
                due: work.due,
                commits: vec![*id],
            };
            events.push((commit.entity, event));
        }
        for (object, mut event) in events {
            if work.telling != Telling::Full {
                (event.kind, event.origin) = (NewsKind::Gap, None);
                event.values.clear();
            }
            if let Some(channel) = self.channels.get_mut(object) {
                channel.push(event);
            }
        }
    }
}
