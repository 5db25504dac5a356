//! Deletes: the record goes to the recycle bin, its details with it, and lookups to it are cleared.
//!
//! Clearing a lookup moves the child's SystemModstamp, not its LastModifiedDate (no one edited it), and makes a change
//! event; undelete puts the lookup back where it is still empty.

use std::sync::Arc;

use rusqlite::params;
use tombolo_schema::{ChildRelationship, Id};

use super::{
    automation, bin, faults,
    update::{live_row, meant, save, stamp},
    work::{Outcome, Work},
};
use crate::{
    core::{
        Caller, Core, ObjectDef,
        events::ChangeType,
        record::{Atomicity, Result, Saved},
        schema::Kind,
    },
    store::{Cell, quoted},
};

impl Core {
    /// Deletes records. With an object named, each Id must be one of its.
    pub(crate) fn delete(
        &self,
        caller: &Caller,
        ids: Vec<String>,
        object: Option<&str>,
        atomicity: Atomicity,
    ) -> Result<Vec<Saved>> {
        self.write_each(
            caller,
            ids,
            atomicity,
            |id| Id::parse(id).ok(),
            |work, id| {
                let (object, id) = meant(work, object, &id)?;
                if !object.flags.deletable {
                    return Err(faults::not_allowed(&object, "delete").into());
                }
                remove(work, &object, id)?;
                Ok(Outcome::Changed(id))
            },
        )
    }
}

/// Deletes a record and, one after the other, what lives and dies with it.
fn remove(work: &mut Work<'_>, object: &Arc<ObjectDef>, root: Id) -> Result<()> {
    let mut waiting = vec![(Arc::clone(object), root)];
    let row = live_row(work, object, root)?;
    work.begin_record(object, Some(&row));
    automation::fail(work, object, Some(root))?;
    while let Some((object, id)) = waiting.pop() {
        // A detail of two masters may be gone by the time the second one asks.
        let Some(row) = object.rows().get(work.connection, id.as_str())? else { continue };
        if object.column_of("IsDeleted").is_some_and(|at| row[at] == Cell::Integer(1)) {
            continue;
        }
        bury(work, &object, id, root, &row)?;
        for relationship in &object.child_relationships {
            let Some(child) = work.registry.object(&relationship.child_object).cloned() else { continue };
            let ids = live_children(work, &child, relationship, id)?;
            if ids.is_empty() {
                continue;
            }
            if relationship.restricted_delete {
                let names = ids.iter().map(|id| name_of(work, &child, *id)).collect::<Result<Vec<_>>>()?;
                let name = row_name(&object, &row, id);
                return Err(faults::still_needed(&name, &child.label_plural, &names).into());
            }
            let needs_parent = child.field(&relationship.field).is_some_and(|f| !f.flags.nillable);
            if relationship.cascade_delete || needs_parent {
                waiting.extend(ids.into_iter().map(|id| (Arc::clone(&child), id)));
            } else {
                clear(work, &child, &ids, &relationship.field, id)?;
            }
        }
    }
    Ok(())
}

/// Marks a row as deleted; a row of an object without recycle bin goes at once.
fn bury(work: &mut Work<'_>, object: &Arc<ObjectDef>, id: Id, root: Id, row: &[Cell]) -> Result<()> {
    match object.column_of("IsDeleted") {
        Some(flag) => {
            let mut after = row.to_vec();
            after[flag] = Cell::Integer(1);
            stamp(work, object, &mut after);
            save(work, object, id, ChangeType::Delete, row.to_vec(), after)?;
        }
        None => {
            object.rows().delete(work.connection, id.as_str())?;
            work.changed(object, id, ChangeType::Delete, Some(row.to_vec()), None);
        }
    }
    bin::note(work, object, id, root)
}

pub(super) fn live_children(
    work: &Work<'_>,
    child: &ObjectDef,
    relationship: &ChildRelationship,
    parent: Id,
) -> Result<Vec<Id>> {
    let stored = child.field(&relationship.field).is_some_and(|f| f.column.is_some());
    if child.kind != Kind::Rows || !stored {
        return Ok(Vec::new());
    }
    let live = if child.has_recycle_bin() { " AND \"IsDeleted\" = 0" } else { "" };
    let (table, field) = (quoted(&child.name), quoted(&relationship.field));
    let sql = format!("SELECT \"Id\" FROM {table} WHERE {field} = ?1{live}");
    bin::ids(work.connection.prepare_cached(&sql)?.query([parent.as_str()])?)
}

fn clear(work: &mut Work<'_>, child: &Arc<ObjectDef>, ids: &[Id], field: &str, parent: Id) -> Result<()> {
    for id in ids {
        let noted = "INSERT INTO _cleared (parent, object, field, child) VALUES (?1, ?2, ?3, ?4)";
        work.connection.prepare_cached(noted)?.execute(params![parent.as_str(), &*child.name, field, id.as_str()])?;
        bin::point(work, child, *id, field, Cell::Null)?;
    }
    Ok(())
}

fn name_of(work: &Work<'_>, object: &ObjectDef, id: Id) -> Result<String> {
    let row = object.rows().get(work.connection, id.as_str())?.unwrap_or_default();
    Ok(row_name(object, &row, id))
}

fn row_name(object: &ObjectDef, row: &[Cell], id: Id) -> String {
    match object.name_field().and_then(|f| f.column).and_then(|at| row.get(at)) {
        Some(Cell::Text(name)) => name.clone(),
        _ => id.as_str().to_owned(),
    }
}
