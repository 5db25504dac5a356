//! What the org makes of a batch of the engine's writes.

use std::collections::BTreeMap;

use tombolo_engine::sync::{self, Batch, Key, Mapping, Outcome, Refusal, Stored, Write};

use super::{Operation, Org, Record, State, Telling, Work};
use crate::{
    history::Soul,
    ledger::{Author, CommitId, Ledger},
    moment::{Micros, timestamp},
    plan::{EXTERNAL_ID, OBJECTS},
};

/// What a batch needs to be performed.
pub struct Request<'a> {
    /// Its number.
    pub number: usize,
    /// Now.
    pub now: Micros,
    /// When its events are delivered.
    pub due: Micros,
    /// The mappings.
    pub mappings: &'a [Mapping],
    /// The thing that each write is about.
    pub souls: &'a [Option<Soul>],
    /// The writes that find their row locked.
    pub locked: &'a [bool],
    /// An update of what is not there makes it.
    pub upserts: bool,
}

impl Org {
    /// Performs a batch.
    pub fn write(
        &mut self,
        batch: &Batch,
        request: &Request<'_>,
        ledger: &mut Ledger,
    ) -> (Vec<Outcome>, Vec<CommitId>) {
        self.calls += 1;
        let mut commits = Vec::new();
        let outcomes = batch.writes.iter().enumerate().map(|(place, write)| {
            let operations = match self.judge(write, place, request) {
                Ok(operations) => operations,
                Err(outcome) => return *outcome,
            };
            let key = match operations.last() {
                Some(Operation::Create { key, .. } | Operation::Update(key, _) | Operation::Delete(key, _)) => {
                    key.clone()
                }
                Some(Operation::Undelete(key)) => key.clone(),
                None => return Outcome::NotDone(None),
            };
            let work = Work {
                now: request.now,
                began: request.now,
                author: Author::Engine(request.number, place),
                tag: Some(batch.tag),
                due: request.due,
                telling: Telling::Full,
            };
            // Deletes and undeletes are calls of their own, and so are the fields that are set after them.
            for operation in operations {
                commits.extend(self.commit(work, vec![operation], ledger));
            }
            Outcome::Done { key, row: None }
        });
        (outcomes.collect(), commits)
    }

    fn judge(&mut self, write: &Write, place: usize, request: &Request<'_>) -> Result<Vec<Operation>, Box<Outcome>> {
        if request.locked.get(place).copied().unwrap_or_default() {
            return Err(Box::new(refused("UNABLE_TO_LOCK_ROW", &[], true)));
        }
        let object = OBJECTS[write.mapping];
        let mapping = &request.mappings[write.mapping];
        match &write.operation {
            sync::Operation::Create { other, .. } => {
                self.check_values(object, write)?;
                if let Some(key) = self.carrying(object, other) {
                    return Err(Box::new(Outcome::Duplicate { key: Some(key) }));
                }
                self.create(object, write, Some(other), request.souls[place])
            }
            sync::Operation::Update(key) => {
                if self.live(key).is_none() && request.upserts {
                    return self.create(object, write, None, request.souls[place]);
                }
                self.check_there(key)?;
                self.check_unmodified(mapping, key, write)?;
                self.check_values(object, write)?;
                if self.live(key).is_some_and(converted) {
                    return Err(Box::new(refused("CANNOT_UPDATE_CONVERTED_LEAD", &[], false)));
                }
                Ok(vec![Operation::Update(key.clone(), values(write))])
            }
            sync::Operation::Delete(key) => {
                self.check_there(key)?;
                self.check_unmodified(mapping, key, write)?;
                Ok(vec![Operation::Delete(key.clone(), None)])
            }
            sync::Operation::Undelete(key) => {
                match self.records.get(key).map(|record| &record.state) {
                    Some(State::Bin(_)) => {}
                    Some(State::Live) => return Ok(vec![Operation::Update(key.clone(), values(write))]),
                    _ => return Err(Box::new(Outcome::Gone { certain: false })),
                }
                self.check_values(object, write)?;
                let mut operations = vec![Operation::Undelete(key.clone())];
                if !write.values.is_empty() {
                    operations.push(Operation::Update(key.clone(), values(write)));
                }
                Ok(operations)
            }
        }
    }

    fn create(
        &mut self,
        object: &'static str,
        write: &Write,
        other: Option<&Key>,
        soul: Option<Soul>,
    ) -> Result<Vec<Operation>, Box<Outcome>> {
        let mut values = values(write);
        if let Some(other) = other {
            values.insert(EXTERNAL_ID.to_owned(), Stored::Text(other.clone()));
        }
        let key = self.draw_id(object);
        Ok(vec![Operation::Create { key, object, soul: soul.unwrap_or(Soul::MAX), values }])
    }

    fn carrying(&self, object: &str, other: &str) -> Option<Key> {
        let carries =
            |record: &Record| record.values.get(EXTERNAL_ID).and_then(Stored::as_key).as_deref() == Some(other);
        let mut found = self.records.iter().filter(|(_, record)| record.object == object && carries(record));
        found.find(|(_, record)| record.state == State::Live).map(|(key, _)| key.clone())
    }

    fn check_there(&self, key: &str) -> Result<(), Box<Outcome>> {
        match self.records.get(key).map(|record| &record.state) {
            Some(State::Live) => Ok(()),
            Some(State::Bin(_)) => Err(Box::new(Outcome::Gone { certain: true })),
            _ => Err(Box::new(Outcome::Gone { certain: false })),
        }
    }

    /// 412, with the row as it was read after it.
    fn check_unmodified(&self, mapping: &Mapping, key: &str, write: &Write) -> Result<(), Box<Outcome>> {
        let (Some(since), Some(record)) = (write.unmodified_since, self.records.get(key)) else { return Ok(()) };
        if timestamp(record.stamp) > since {
            return Err(Box::new(Outcome::Moved { pending: Vec::new(), row: self.row_of(mapping, key) }));
        }
        Ok(())
    }

    fn check_values(&self, object: &'static str, write: &Write) -> Result<(), Box<Outcome>> {
        for (field, value) in &write.values {
            if !self.has(object, field) {
                return Err(Box::new(refused("INVALID_FIELD", &[field], false)));
            }
            if field == "AccountId" && value.as_key().is_some_and(|key| self.live(&key).is_none()) {
                return Err(Box::new(refused("INVALID_CROSS_REFERENCE_KEY", &[field], false)));
            }
            if matches!(value, Stored::Text(text) if text.trim().starts_with("bad")) {
                return Err(Box::new(refused("FIELD_CUSTOM_VALIDATION_EXCEPTION", &[field], false)));
            }
        }
        Ok(())
    }
}

fn converted(record: &Record) -> bool {
    record.values.get(crate::plan::IS_CONVERTED) == Some(&Stored::Boolean(true))
}

fn values(write: &Write) -> BTreeMap<String, Stored> {
    write.values.iter().cloned().collect()
}

/// A refusal in the org's words.
pub fn refused(code: &str, fields: &[&String], passing: bool) -> Outcome {
    let fields = fields.iter().map(|field| (*field).clone()).collect();
    Outcome::Refused(Refusal { code: code.to_owned(), message: format!("{code} says the org"), fields, passing })
}
