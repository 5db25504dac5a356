//! The recycle bin, and the log of deletes that getDeleted reads: both reach 15 days back (rest.md 2.4).

use std::sync::Arc;

use jiff::SignedDuration;
use rusqlite::{Connection, OptionalExtension, params};
use tombolo_schema::{FieldType, Id};

use super::{
    check, faults, load,
    update::{meant, save, stamp},
    work::{Outcome, Work},
};
use crate::{
    core::{
        Caller, Core, ObjectDef,
        events::ChangeType,
        record::{Atomicity, CoreError, Result, Saved},
    },
    store::Cell,
};

/// How long deleted records can be brought back, and are told of.
pub(crate) const KEPT: SignedDuration = SignedDuration::from_hours(15 * 24);

/// What the bin needs in the database. `root` is the record whose delete took this one along.
pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS _deleted (
            id TEXT PRIMARY KEY, object TEXT NOT NULL, deleted_at INTEGER NOT NULL, root TEXT NOT NULL,
            in_bin INTEGER NOT NULL);
         CREATE INDEX IF NOT EXISTS _deleted_by_time ON _deleted (deleted_at);
         CREATE INDEX IF NOT EXISTS _deleted_by_object ON _deleted (object, deleted_at);
         CREATE INDEX IF NOT EXISTS _deleted_by_root ON _deleted (root);
         CREATE TABLE IF NOT EXISTS _cleared (
            parent TEXT NOT NULL, object TEXT NOT NULL, field TEXT NOT NULL, child TEXT NOT NULL);
         CREATE INDEX IF NOT EXISTS _cleared_by_parent ON _cleared (parent);",
    )
}

impl Core {
    /// Brings records back from the recycle bin, with the details that went with them.
    pub(crate) fn undelete(&self, caller: &Caller, ids: Vec<String>) -> Result<Vec<Saved>> {
        self.write_each(
            caller,
            ids,
            Atomicity::EachRecord,
            |id| Id::parse(id).ok(),
            |work, id| {
                let (object, id) = in_bin(work, &id)?;
                if !object.flags.undeletable {
                    return Err(faults::not_allowed(&object, "undelete").into());
                }
                for (object, id) in group(work, &object, id)? {
                    restore(work, &object, id)?;
                }
                Ok(Outcome::Changed(id))
            },
        )
    }

    /// Removes records from the recycle bin for good, with the details that went with them.
    pub(crate) fn empty_recycle_bin(&self, caller: &Caller, ids: Vec<String>) -> Result<Vec<Saved>> {
        self.write_each(
            caller,
            ids,
            Atomicity::EachRecord,
            |id| Id::parse(id).ok(),
            |work, id| {
                let (object, id) = in_bin(work, &id)?;
                for (object, id) in group(work, &object, id)? {
                    purge(work, &object, id)?;
                }
                Ok(Outcome::Changed(id))
            },
        )
    }

    /// Sets the clock forward, and lets go of what the bin has kept long enough, as every write does.
    pub(crate) fn advance_clock(&self, by: std::time::Duration) -> Result<()> {
        self.clock().advance(by);
        self.write(&self.internal_caller(), |_| Ok(()))
    }
}

/// Writes down that a record was deleted.
pub(super) fn note(work: &Work<'_>, object: &ObjectDef, id: Id, root: Id) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO _deleted (id, object, deleted_at, root, in_bin) VALUES (?1, ?2, ?3, ?4, ?5)";
    let values = params![id.as_str(), &*object.name, work.now_ms(), root.as_str(), object.has_recycle_bin()];
    work.connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

fn in_bin(work: &Work<'_>, id: &str) -> Result<(Arc<ObjectDef>, Id)> {
    let (object, id) = meant(work, None, id)?;
    let sql = "SELECT in_bin FROM _deleted WHERE id = ?1";
    let kept: Option<bool> =
        work.connection.prepare_cached(sql)?.query_row([id.as_str()], |row| row.get(0)).optional()?;
    if kept == Some(true) { Ok((object, id)) } else { Err(faults::not_in_bin().into()) }
}

/// The record, and those that its delete took along.
fn group(work: &Work<'_>, object: &Arc<ObjectDef>, id: Id) -> Result<Vec<(Arc<ObjectDef>, Id)>> {
    let sql = "SELECT id FROM _deleted WHERE root = ?1 AND id <> ?1 AND in_bin = 1 ORDER BY rowid";
    let others = ids(work.connection.prepare_cached(sql)?.query([id.as_str()])?)?;
    let others = others.into_iter().filter_map(|id| Some((work.registry.of_id(id).cloned()?, id)));
    Ok([(Arc::clone(object), id)].into_iter().chain(others).collect())
}

fn restore(work: &mut Work<'_>, object: &Arc<ObjectDef>, id: Id) -> Result<()> {
    let before = object.rows().get(work.connection, id.as_str())?.ok_or_else(faults::not_in_bin)?;
    check_masters(work, object, &before)?;
    let mut after = before.clone();
    if let Some(flag) = object.column_of("IsDeleted") {
        after[flag] = Cell::Integer(0);
    }
    // A record that was merged is its own again.
    if let Some(master) = object.column_of("MasterRecordId") {
        after[master] = Cell::Null;
    }
    check::unique(work, object, id.as_str(), &after, |_| true)?;
    stamp(work, object, &mut after);
    save(work, object, id, ChangeType::Undelete, before, after)?;
    work.connection.prepare_cached("DELETE FROM _deleted WHERE id = ?1")?.execute([id.as_str()])?;
    point_again(work, id)
}

/// A detail cannot live without its master.
fn check_masters(work: &Work<'_>, object: &ObjectDef, row: &[Cell]) -> Result<()> {
    for (column, field) in object.columns().enumerate().filter(|(_, f)| f.field_type == FieldType::Reference) {
        let Cell::Text(parent) = &row[column] else { continue };
        if field.flags.nillable || field.flags.defaulted_on_create {
            continue;
        }
        let Some(parent_object) = work.registry.by_prefix(parent.get(..3).unwrap_or_default()) else { continue };
        if load::is_deleted(work, parent_object, parent)? != Some(false) {
            return Err(faults::master_is_deleted().into());
        }
    }
    Ok(())
}

/// Lookups that were cleared when the record was deleted, and are still empty, lead to it again.
fn point_again(work: &mut Work<'_>, parent: Id) -> Result<()> {
    let cleared: Vec<(String, String, String)> = {
        let sql = "SELECT object, field, child FROM _cleared WHERE parent = ?1";
        let mut statement = work.connection.prepare_cached(sql)?;
        let rows = statement.query_map([parent.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect::<rusqlite::Result<_>>()?
    };
    for (object, field, child) in cleared {
        let Some(object) = work.registry.object(&object).cloned() else { continue };
        let Ok(child) = Id::parse(&child) else { continue };
        point(work, &object, child, &field, Cell::Text(parent.as_str().to_owned()))?;
    }
    work.connection.prepare_cached("DELETE FROM _cleared WHERE parent = ?1")?.execute([parent.as_str()])?;
    Ok(())
}

/// Makes a lookup lead somewhere else, unless its row went or leads somewhere by now.
pub(super) fn point(work: &mut Work<'_>, object: &Arc<ObjectDef>, id: Id, field: &str, to: Cell) -> Result<()> {
    let (Some(before), Some(column)) = (object.rows().get(work.connection, id.as_str())?, object.column_of(field))
    else {
        return Ok(());
    };
    let mut after = before.clone();
    if to != Cell::Null && before[column] != Cell::Null {
        return Ok(());
    }
    after[column] = to;
    if let Some(at) = object.column_of("SystemModstamp") {
        after[at] = Cell::Integer(work.now_ms());
    }
    save(work, object, id, ChangeType::Update, before, after)
}

/// The row goes for good; that it was deleted is remembered.
fn purge(work: &Work<'_>, object: &ObjectDef, id: Id) -> Result<()> {
    object.rows().delete(work.connection, id.as_str())?;
    work.connection.prepare_cached("UPDATE _deleted SET in_bin = 0 WHERE id = ?1")?.execute([id.as_str()])?;
    work.connection.prepare_cached("DELETE FROM _cleared WHERE parent = ?1 OR child = ?1")?.execute([id.as_str()])?;
    Ok(())
}

/// What was deleted longer ago than the bin keeps it goes for good, and out of the log.
pub(super) fn expire(work: &mut Work<'_>) -> Result<()> {
    let horizon = work.now.saturating_sub(KEPT).map_or(i64::MIN, |t| t.as_millisecond());
    let old = {
        let sql = "SELECT id FROM _deleted WHERE deleted_at < ?1";
        ids(work.connection.prepare_cached(sql)?.query([horizon])?)?
    };
    if old.is_empty() {
        return Ok(());
    }
    for id in old {
        if let Some(object) = work.registry.of_id(id).cloned() {
            let in_bin = "SELECT in_bin FROM _deleted WHERE id = ?1";
            if work.connection.prepare_cached(in_bin)?.query_row([id.as_str()], |row| row.get(0))? {
                purge(work, &object, id)?;
            }
        }
    }
    work.connection.execute("DELETE FROM _deleted WHERE deleted_at < ?1", [horizon])?;
    Ok(())
}

/// The Ids in the first column.
pub(super) fn ids(mut rows: rusqlite::Rows<'_>) -> Result<Vec<Id>> {
    let mut ids = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(0)?.as_str().map_err(|e| CoreError::Internal(e.to_string()))?;
        ids.push(Id::parse(text).map_err(|e| CoreError::Internal(e.to_string()))?);
    }
    Ok(ids)
}
