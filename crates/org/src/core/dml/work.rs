//! One writing request: a transaction, a savepoint for each record, and what it tells of afterwards.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use rusqlite::Connection;
use tombolo_schema::Id;

use super::faults;
use crate::{
    core::{
        Caller, Core, ObjectDef, Registry,
        events::{Change, ChangeType, Commit, change_events},
        ids::{self, Seed},
        record::{Atomicity, CoreError, Result, Saved},
    },
    store::Cell,
};

/// What the steps of the pipeline share while a request is written.
pub(crate) struct Work<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) registry: Arc<Registry>,
    pub(crate) caller: &'a Caller,
    /// In whole seconds, the same for the whole request.
    pub(crate) now: Timestamp,
    pub(crate) seed: Seed,
    selected: Arc<BTreeSet<String>>,
    changes: Vec<Change>,
}

/// How a record of a request went.
pub(super) enum Outcome {
    Created(Id),
    Changed(Id),
}

impl Work<'_> {
    /// The object of this name, as a client wrote it.
    pub(crate) fn object(&self, name: &str) -> Result<Arc<ObjectDef>> {
        Ok(self.registry.object(name).cloned().ok_or_else(|| faults::no_such_object(name))?)
    }

    /// Remembers a change for the events, if the object has any.
    pub(super) fn changed(
        &mut self,
        object: &Arc<ObjectDef>,
        id: Id,
        change_type: ChangeType,
        before: Option<Vec<Cell>>,
        after: Option<Vec<Cell>>,
    ) {
        if self.selected.contains(&*object.name) {
            self.changes.push(Change { object: Arc::clone(object), id, change_type, before, after });
        }
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.now.as_millisecond()
    }
}

impl Core {
    /// Runs a request's records one by one. `target` is the Id that a failed record is told with.
    pub(super) fn write_each<R>(
        &self,
        caller: &Caller,
        rows: Vec<R>,
        atomicity: Atomicity,
        target: impl Fn(&R) -> Option<Id>,
        mut one: impl FnMut(&mut Work<'_>, R) -> Result<Outcome>,
    ) -> Result<Vec<Saved>> {
        self.write(caller, |work| {
            work.connection.execute_batch("SAVEPOINT request")?;
            let mut saved = Vec::with_capacity(rows.len());
            for row in rows {
                let id = target(&row);
                saved.push(in_savepoint(work, id, |work| one(work, row))?);
            }
            if atomicity == Atomicity::AllOrNone && saved.iter().any(|s| !s.faults.is_empty()) {
                work.connection.execute_batch("ROLLBACK TO request")?;
                work.changes.clear();
                saved.iter_mut().for_each(undo);
            }
            work.connection.execute_batch("RELEASE request")?;
            Ok(saved)
        })
    }

    /// One transaction: what the work changes, and the events that tell of it.
    pub(crate) fn write<T>(&self, caller: &Caller, run: impl FnOnce(&mut Work<'_>) -> Result<T>) -> Result<T> {
        let mut announced = None;
        let done = self.store().write(|connection| -> Result<T> {
            let mut work = Work {
                connection,
                registry: self.schema(),
                caller,
                now: self.clock().now_in_seconds(),
                seed: self.seed(),
                selected: self.selection(),
                changes: Vec::new(),
            };
            super::bin::expire(&mut work)?;
            let done = run(&mut work)?;
            if !work.changes.is_empty() {
                let number = ids::next(connection, "transaction", 1)?;
                let commit = Commit {
                    key: work.seed.transaction_key(number),
                    number: u64::try_from(self.clock().now_ms()).unwrap_or(0) * 1_000_000 + number % 1_000_000,
                    timestamp: work.now_ms(),
                    origin: caller.change_origin(),
                    user: caller.user_id,
                };
                let events = change_events(std::mem::take(&mut work.changes), &commit);
                announced = Some(self.events().append(connection, &events)?);
            }
            Ok(done)
        })?;
        if let Some(latest) = announced {
            self.events().announce(latest);
        }
        Ok(done)
    }
}

fn in_savepoint(
    work: &mut Work<'_>,
    target: Option<Id>,
    one: impl FnOnce(&mut Work<'_>) -> Result<Outcome>,
) -> Result<Saved> {
    let connection = work.connection;
    let run = |sql: &str| connection.prepare_cached(sql)?.execute([]).map(drop);
    let mark = work.changes.len();
    run("SAVEPOINT record")?;
    let saved = match one(work) {
        Ok(Outcome::Created(id)) => Saved { id: Some(id), created: true, faults: Vec::new() },
        Ok(Outcome::Changed(id)) => Saved { id: Some(id), created: false, faults: Vec::new() },
        Err(CoreError::Refused(faults)) => {
            run("ROLLBACK TO record")?;
            work.changes.truncate(mark);
            Saved { id: target, created: false, faults }
        }
        Err(failed) => return Err(failed),
    };
    run("RELEASE record")?;
    Ok(saved)
}

/// What an all-or-none request says of a record that would have been written.
fn undo(saved: &mut Saved) {
    if saved.faults.is_empty() {
        saved.faults.push(faults::rolled_back());
    }
    if std::mem::take(&mut saved.created) {
        saved.id = None;
    }
}
