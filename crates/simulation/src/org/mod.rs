//! A virtual Salesforce org: records, a recycle bin, stamps in whole seconds, and a commit-ordered stream of changes.

mod commit;
mod read;
mod stream;
pub mod write;

use std::collections::{BTreeMap, BTreeSet};

use tombolo_engine::sync::{Key, Side, Stored};

pub use commit::{Operation, Telling, Work};
pub use stream::{Channel, Event};

use crate::{
    history::{Before, Habits, Soul},
    ledger::{Author, Commit, CommitKind, FieldChange, Ledger, Told},
    moment::Micros,
    plan::{self, EXTERNAL_ID, OBJECTS},
};

/// The org.
#[derive(Debug, Clone)]
pub struct Org {
    /// How far its clock runs ahead of ours.
    pub skew: Micros,
    /// Its records, the deleted ones included.
    pub records: BTreeMap<Key, Record>,
    /// The change streams by object; none where the org is polled.
    pub channels: BTreeMap<&'static str, Channel>,
    /// Titles become upper case.
    pub rewrites: bool,
    /// Fields that are missing at present.
    pub missing: BTreeSet<(&'static str, String)>,
    /// Whether changes of one transaction that are the same make one event.
    pub merged_events: bool,
    /// How many API calls were made.
    pub calls: u64,
    page: usize,
    next_id: u64,
    next_transaction: u64,
}

/// A record.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its object.
    pub object: &'static str,
    /// The thing that it is a record of.
    pub soul: Soul,
    /// Its fields.
    pub values: BTreeMap<String, Stored>,
    /// Where it is.
    pub state: State,
    /// SystemModstamp and LastModifiedDate, by the org's clock.
    pub stamp: Micros,
    /// Whether the last to change it was us.
    pub by_us: bool,
    /// When it was deleted, by the org's clock.
    pub deleted: Micros,
    /// When it was last committed, by ours.
    pub committed: Micros,
}

/// Where a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It lives.
    Live,
    /// It is in the recycle bin, merged into another one perhaps.
    Bin(Option<Key>),
    /// It is gone for good.
    Purged,
}

impl Org {
    /// An empty org.
    pub fn new(habits: &Habits, tagged: bool) -> Self {
        let channels = if tagged { OBJECTS.map(|object| (object, Channel::default())).into() } else { BTreeMap::new() };
        Self {
            skew: habits.skew[Side::Left],
            records: BTreeMap::new(),
            channels,
            rewrites: habits.org_rewrites,
            missing: BTreeSet::new(),
            merged_events: habits.merged_events,
            calls: 0,
            page: habits.page,
            next_id: 0,
            next_transaction: 0,
        }
    }

    /// A record that was there before anybody listened.
    pub fn seed(&mut self, before: &Before, values: BTreeMap<String, Stored>, ledger: &mut Ledger) {
        let object = OBJECTS[before.mapping];
        let key = self.draw_id(object);
        let stamp = -3600 * crate::moment::SECOND;
        let changes = values.iter().map(|(field, value)| FieldChange {
            field: field.clone(),
            before: Stored::Null,
            after: value.clone(),
        });
        ledger.add(Commit {
            at: stamp,
            made: stamp,
            side: Side::Left,
            entity: object,
            key: key.clone(),
            author: Author::Initial,
            kind: CommitKind::Create,
            changes: changes.collect(),
            stamp,
            told: Told::Never,
        });
        let record = Record {
            object,
            soul: before.soul,
            values,
            state: State::Live,
            stamp,
            by_us: false,
            deleted: 0,
            committed: stamp,
        };
        self.records.insert(key, record);
    }

    /// The Ids to come.
    pub(crate) fn sketch(&self, out: &mut impl std::fmt::Write) -> std::fmt::Result {
        write!(out, "{}", self.next_id)
    }

    /// A new Id: of 15 characters without capitals, so that the check is `AAA`.
    pub fn draw_id(&mut self, object: &'static str) -> Key {
        self.next_id += 1;
        let prefix = match object {
            "Account" => "001",
            "Contact" => "003",
            _ => "00Q",
        };
        // The capital of the prefix of leads stands at the third place of the first five characters.
        let check = if prefix == "00Q" { "EAA" } else { "AAA" };
        format!("{prefix}{:012}{check}", self.next_id)
    }

    /// The living record of a thing.
    pub fn find(&self, soul: Soul, object: &str) -> Option<Key> {
        let mut found = self.records.iter().filter(|(_, record)| record.soul == soul && record.object == object);
        found.find(|(_, record)| record.state == State::Live).map(|(key, _)| key.clone())
    }

    /// The record of a thing in the recycle bin.
    pub fn in_bin(&self, soul: Soul, object: &str) -> Option<Key> {
        let mut found = self.records.iter().filter(|(_, record)| record.soul == soul && record.object == object);
        found.find(|(_, record)| matches!(record.state, State::Bin(_))).map(|(key, _)| key.clone())
    }

    /// The living record, if there is one.
    pub fn live(&self, key: &str) -> Option<&Record> {
        self.records.get(key).filter(|record| record.state == State::Live)
    }

    /// What a record shows in a field; through its account for a path.
    pub fn shows(&self, record: &Record, field: &str) -> Stored {
        if let Some(parent_field) = field.strip_prefix("Account.") {
            let parent = record.values.get("AccountId").and_then(Stored::as_key).and_then(|key| self.records.get(&key));
            return parent.and_then(|parent| parent.values.get(parent_field).cloned()).unwrap_or_default();
        }
        record.values.get(field).cloned().unwrap_or_default()
    }

    /// Which of the fields exist at present.
    pub fn has(&self, object: &'static str, field: &str) -> bool {
        !self.missing.contains(&(object, field.to_owned()))
    }

    /// What a field becomes when it is stored.
    fn stored(&self, field: &str, value: &Stored) -> Stored {
        match value {
            Stored::Text(text) if text.trim().is_empty() => Stored::Null,
            Stored::Text(text) if self.rewrites && field == "Title" => Stored::Text(text.trim().to_uppercase()),
            Stored::Text(text) => Stored::Text(text.trim().to_owned()),
            Stored::Null if field == "Active__c" => Stored::Boolean(false),
            Stored::Int(number) if field == "Score__c" => Stored::Double(*number as f64),
            other => other.clone(),
        }
    }
}

/// The fields and values of an act, by the names of the org; the account by its Id.
pub fn named(mapping: usize, values: &[(usize, Stored)], parent: Option<Key>) -> BTreeMap<String, Stored> {
    let names = field_names(mapping);
    let mut named: BTreeMap<String, Stored> =
        values.iter().map(|(pair, value)| (names[*pair].to_owned(), value.clone())).collect();
    if let Some(parent) = parent {
        named.insert("AccountId".to_owned(), Stored::Text(parent));
    }
    named
}

/// The fields of an object, in the order of the mapping's pairs.
pub const fn field_names(mapping: usize) -> &'static [&'static str] {
    match mapping {
        plan::ACCOUNT => &["Name", "Phone", "Rank__c"],
        plan::CONTACT => &["LastName", "Email", "Title", "Score__c", "Active__c", "AccountId"],
        _ => &["LastName", "Company"],
    }
}

/// Whether this is the field that carries the database's key.
pub fn is_external(field: &str) -> bool {
    field == EXTERNAL_ID
}
