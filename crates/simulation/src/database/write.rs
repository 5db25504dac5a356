//! A batch of compared writes: the epoch, the row, what is expected of it, the operation id.

use std::collections::BTreeMap;

use tombolo_engine::sync::{Batch, Key, Mapping, Operation, Outcome, Refusal, Side, Stored, Write};

use super::{Change, Database, RowName, Work};
use crate::{
    canon,
    history::Soul,
    ledger::{Author, CommitId, Ledger},
    moment::Micros,
    plan::TABLES,
};

/// What a batch needs to be performed.
pub struct Request<'a> {
    /// Its number.
    pub number: usize,
    /// Now.
    pub now: Micros,
    /// The mappings.
    pub mappings: &'a [Mapping],
    /// The thing that each write is about.
    pub souls: &'a [Option<Soul>],
    /// The writes that find their row locked.
    pub locked: &'a [bool],
    /// An update of what is not there makes it.
    pub upserts: bool,
    /// Nothing is compared.
    pub blind: bool,
    /// The epoch row is checked.
    pub checks_epoch: bool,
}

impl Database {
    /// Performs a batch.
    pub fn write(
        &mut self,
        batch: &Batch,
        request: &Request<'_>,
        ledger: &mut Ledger,
    ) -> (Vec<Outcome>, Vec<CommitId>) {
        if request.checks_epoch && batch.tag.epoch < self.epoch {
            return (vec![Outcome::NotDone(None); batch.writes.len()], Vec::new());
        }
        self.epoch = self.epoch.max(batch.tag.epoch);
        let mut commits = Vec::new();
        let outcomes = batch.writes.iter().enumerate();
        let outcomes = outcomes.map(|(place, write)| {
            let work = Work {
                now: request.now,
                made: request.now,
                author: Author::Engine(request.number, place),
                tag: Some(batch.tag),
            };
            self.one(write, place, work, request, &mut commits, ledger)
        });
        (outcomes.collect(), commits)
    }

    fn one(
        &mut self,
        write: &Write,
        place: usize,
        work: Work,
        request: &Request<'_>,
        commits: &mut Vec<CommitId>,
        ledger: &mut Ledger,
    ) -> Outcome {
        if let Some(key) = self.operations.get(&write.operation_id) {
            return Outcome::AlreadyDone { key: key.clone() };
        }
        if request.locked.get(place).copied().unwrap_or_default() {
            return refused("55P03", &[], true);
        }
        let table = TABLES[write.mapping];
        let mapping = &request.mappings[write.mapping];
        let values: BTreeMap<String, Stored> = write.values.iter().cloned().collect();
        if let Some(outcome) = self.check_values(write) {
            return outcome;
        }
        let (key, change) = match &write.operation {
            Operation::Create { key: Some(key), .. } if self.rows.contains_key(&(table, key.clone())) => {
                return Outcome::Duplicate { key: Some(key.clone()) };
            }
            Operation::Create { key, .. } => {
                let key = key.clone().unwrap_or_else(|| self.draw_key(table));
                (key, Change::Insert(request.souls[place].unwrap_or(Soul::MAX), values))
            }
            Operation::Update(key) | Operation::Undelete(key) => (key.clone(), Change::Set(values)),
            Operation::Delete(key) => (key.clone(), Change::Delete),
        };
        let name = (table, key.clone());
        let mut change = change;
        if !matches!(change, Change::Insert(..)) {
            if !self.rows.contains_key(&name) {
                match change {
                    Change::Set(values) if request.upserts => {
                        change = Change::Insert(request.souls[place].unwrap_or(Soul::MAX), values);
                    }
                    _ => return self.moved_away(&name),
                }
            } else if !request.blind && !self.as_expected(mapping, &name, write) {
                return Outcome::Moved { pending: self.pending(&name), row: self.row_of(write.mapping, mapping, &key) };
            }
        }
        commits.extend(self.change(work, &name, change, None, ledger));
        self.operations.insert(write.operation_id.clone(), key.clone());
        Outcome::Done { row: self.row_of(write.mapping, mapping, &key), key }
    }

    /// The row is gone: with changes that nobody claimed, or without.
    fn moved_away(&self, name: &RowName) -> Outcome {
        let pending = self.pending(name);
        if pending.is_empty() { Outcome::Gone { certain: true } } else { Outcome::Moved { pending, row: None } }
    }

    fn as_expected(&self, mapping: &Mapping, name: &RowName, write: &Write) -> bool {
        write.expect.iter().all(|(column, expected)| {
            let shown = self.shows(name.0, &name.1, column);
            match mapping.fields.iter().find(|pair| pair.names[Side::Right] == *column) {
                Some(pair) => canon::same(pair.canon, &shown, expected),
                None => shown == *expected,
            }
        })
    }

    fn check_values(&self, write: &Write) -> Option<Outcome> {
        let bad = |value: &Stored| matches!(value, Stored::Text(text) if text.trim().starts_with("bad"));
        let named = |column: &&(String, Stored)| column.0 == "phone" && bad(&column.1);
        if let Some((column, _)) = write.values.iter().find(named) {
            return Some(refused("23514", &[column], false));
        }
        let parent = write.values.iter().find(|(column, _)| column == "account_id");
        let missing = |key: &Key| !self.rows.contains_key(&(TABLES[crate::plan::ACCOUNT], key.clone()));
        parent
            .filter(|(_, value)| value.as_key().as_ref().is_some_and(missing))
            .map(|(column, _)| refused("23503", &[column], false))
    }
}

fn refused(code: &str, fields: &[&String], passing: bool) -> Outcome {
    let fields = fields.iter().map(|field| (*field).clone()).collect();
    Outcome::Refused(Refusal { code: code.to_owned(), message: format!("{code} says the database"), fields, passing })
}
