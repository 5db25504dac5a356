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
        faults::{Fault, FaultKind},
        ids::{self, Seed},
        late::LateRow,
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
    /// What a fault takes off it for the record that is being written.
    delayed_by: i64,
    core: &'a Core,
    /// How rows were that are not to be seen yet as they are.
    late: Vec<LateRow>,
    pub(crate) seed: Seed,
    selected: Arc<BTreeSet<String>>,
    /// What the events of the request's changes give as their origin.
    origin: Arc<str>,
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
        self.keep_late(object, id, before.as_deref());
        if self.selected.contains(&*object.name) {
            let origin = Arc::clone(&self.origin);
            self.changes.push(Change { object: Arc::clone(object), id, change_type, before, after, origin });
        }
    }

    /// What was changed so far, for the events.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.now.as_millisecond() - self.delayed_by
    }

    fn moment(&self) -> Timestamp {
        self.core.clock().now()
    }

    /// The fault of this kind that befalls a record of the object.
    pub(super) fn befallen(&self, kind: FaultKind, object: &ObjectDef) -> Option<Fault> {
        self.core.faults().take_for_record(kind, &object.name, self.moment())
    }

    /// Whether a fault lets an automation run on records of the object.
    pub(super) fn rewrites(&self, object: &ObjectDef) -> Vec<Fault> {
        self.core.faults().take_all_for_record(FaultKind::RewriteField, &object.name, self.moment())
    }

    /// Decides what the next record is stamped with. No stamp goes back behind one that the row has.
    pub(super) fn begin_record(&mut self, object: &ObjectDef, before: Option<&[Cell]>) {
        self.delayed_by = 0;
        let Some(fault) = self.befallen(FaultKind::LateCommit, object) else { return };
        let delay = i64::try_from(fault.delay.as_secs()).unwrap_or(0) * 1000;
        let stamp = object.column_of("SystemModstamp").and_then(|at| before?.get(at));
        let earliest = if let Some(Cell::Integer(at)) = stamp { *at } else { i64::MIN };
        self.delayed_by = delay.min(self.now.as_millisecond().saturating_sub(earliest).max(0));
    }

    fn keep_late(&mut self, object: &Arc<ObjectDef>, id: Id, before: Option<&[Cell]>) {
        if let Some(fault) = self.befallen(FaultKind::LateRows, object) {
            let before = before.map(<[Cell]>::to_vec);
            self.late.push(LateRow { object: Arc::clone(object), id, before, delay: fault.delay });
        }
    }

    /// The rows that are not to be seen yet as they are.
    pub(crate) fn take_late(&mut self) -> Vec<LateRow> {
        std::mem::take(&mut self.late)
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
                work.late.clear();
                saved.iter_mut().for_each(undo);
            }
            work.connection.execute_batch("RELEASE request")?;
            Ok(saved)
        })
    }

    /// One transaction: what the work changes, and the events that tell of it.
    pub(crate) fn write<T>(&self, caller: &Caller, run: impl FnOnce(&mut Work<'_>) -> Result<T>) -> Result<T> {
        if let Some(joint) = &self.1 {
            return joint.write(self, caller, run);
        }
        let (mut announced, mut late) = (None, Vec::new());
        let done = self.store().write(|connection| -> Result<T> {
            let mut work = self.work(connection, caller);
            super::bin::expire(&mut work)?;
            let done = run(&mut work)?;
            announced = self.tell(connection, caller, work.take_changes())?;
            late = work.take_late();
            Ok(done)
        })?;
        self.late().add(late, self.clock().now());
        if let Some(latest) = announced {
            self.events().announce(latest);
        }
        Ok(done)
    }

    pub(crate) fn work<'a>(&'a self, connection: &'a Connection, caller: &'a Caller) -> Work<'a> {
        Work {
            connection,
            registry: self.schema(),
            caller,
            now: self.clock().now_in_seconds(),
            delayed_by: 0,
            core: self,
            late: Vec::new(),
            seed: self.seed(),
            selected: self.selection(),
            origin: caller.change_origin().into(),
            changes: Vec::new(),
        }
    }

    /// Writes the events of a transaction's changes into the log; says which was the last.
    pub(crate) fn tell(&self, connection: &Connection, caller: &Caller, changes: Vec<Change>) -> Result<Option<u64>> {
        if changes.is_empty() {
            return Ok(None);
        }
        let number = ids::next(connection, "transaction", 1)?;
        let commit = Commit {
            key: self.seed().transaction_key(number),
            number: u64::try_from(self.clock().now_ms()).unwrap_or(0) * 1_000_000 + number % 1_000_000,
            timestamp: self.clock().now_in_seconds().as_millisecond(),
            user: caller.user_id,
        };
        let events = self.misreported(change_events(changes, &commit));
        self.events().append(connection, &events).map(Some)
    }
}

fn in_savepoint(
    work: &mut Work<'_>,
    target: Option<Id>,
    one: impl FnOnce(&mut Work<'_>) -> Result<Outcome>,
) -> Result<Saved> {
    let connection = work.connection;
    let run = |sql: &str| connection.prepare_cached(sql)?.execute([]).map(drop);
    let (mark, late) = (work.changes.len(), work.late.len());
    work.delayed_by = 0;
    run("SAVEPOINT record")?;
    let saved = match one(work) {
        Ok(Outcome::Created(id)) => Saved { id: Some(id), created: true, faults: Vec::new() },
        Ok(Outcome::Changed(id)) => Saved { id: Some(id), created: false, faults: Vec::new() },
        Err(CoreError::Refused(faults)) => {
            run("ROLLBACK TO record")?;
            work.changes.truncate(mark);
            work.late.truncate(late);
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
