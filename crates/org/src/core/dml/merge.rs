//! Merges: one record stays, up to two others go, and what belonged to them belongs to it.

use std::sync::Arc;

use tombolo_schema::{ErrorCode, Id};

use super::{
    Condition, bin, delete, faults,
    update::{live_row, meant, save, stamp, update_one},
    work::{Outcome, Work},
};
use crate::{
    core::{
        Caller, Core, ObjectDef,
        events::ChangeType,
        record::{Atomicity, Fault, Result, RowInput, Saved},
    },
    store::Cell,
};

/// Records that one request may give to a master.
const MOST: usize = 2;

/// What is to be merged.
#[derive(Debug, Clone)]
pub(crate) struct Merge {
    pub(crate) object: String,
    pub(crate) master: String,
    /// What becomes of the master's own fields.
    pub(crate) row: RowInput,
    pub(crate) others: Vec<String>,
}

/// What became of a merge.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) saved: Saved,
    pub(crate) merged: Vec<Id>,
    /// Records that refer to the master now.
    pub(crate) related: Vec<Id>,
}

impl Core {
    /// Merges records, each request for itself.
    pub(crate) fn merge(&self, caller: &Caller, requests: Vec<Merge>) -> Result<Vec<Merged>> {
        let mut results = Vec::new();
        let target = |request: &Merge| Id::parse(&request.master).ok();
        let saved = self.write_each(caller, requests, Atomicity::EachRecord, target, |work, request| {
            results.push((Vec::new(), Vec::new()));
            let (master, merged, related) = merge(work, &request)?;
            if let Some(last) = results.last_mut() {
                *last = (merged, related);
            }
            Ok(Outcome::Changed(master))
        })?;
        let results = saved.into_iter().zip(results);
        Ok(results.map(|(saved, (merged, related))| Merged { saved, merged, related }).collect())
    }
}

fn merge(work: &mut Work<'_>, request: &Merge) -> Result<(Id, Vec<Id>, Vec<Id>)> {
    let (object, master) = meant(work, Some(&request.object), &request.master)?;
    if object.column_of("MasterRecordId").is_none() || !object.has_recycle_bin() {
        return Err(faults::not_allowed(&object, "merge").into());
    }
    if request.others.is_empty() || request.others.len() > MOST {
        let message = format!("one to {MOST} records can be merged into a master");
        return Err(Fault::of_fields(ErrorCode::from("INVALID_ARGUMENT"), message, &[]).into());
    }
    live_row(work, &object, master)?;
    let mut others = Vec::new();
    for id in &request.others {
        let (_, id) = meant(work, Some(&object.name), id)?;
        if id == master || others.contains(&id) {
            let message = "a record cannot be merged with itself";
            return Err(Fault::of_fields(ErrorCode::from("INVALID_CROSS_REFERENCE_KEY"), message, &[]).into());
        }
        live_row(work, &object, id)?;
        others.push(id);
    }
    update_one(work, &object, master, &request.row, &Condition::default())?;
    let mut related = Vec::new();
    for id in &others {
        related.extend(hand_over(work, &object, *id, master)?);
        bury(work, &object, *id, master)?;
    }
    Ok((master, others, related))
}

/// What refers to a record refers to the master from now on.
fn hand_over(work: &mut Work<'_>, object: &ObjectDef, from: Id, to: Id) -> Result<Vec<Id>> {
    let mut moved = Vec::new();
    for relationship in &object.child_relationships {
        let Some(child) = work.registry.object(&relationship.child_object).cloned() else { continue };
        let Some(column) = child.column_of(&relationship.field).filter(|_| relationship.field != "MasterRecordId")
        else {
            continue;
        };
        for id in delete::live_children(work, &child, relationship, from)? {
            let before = live_row(work, &child, id)?;
            let mut after = before.clone();
            // Nothing is its own parent.
            after[column] = if id == to { Cell::Null } else { Cell::Text(to.as_str().to_owned()) };
            stamp(work, &child, &mut after);
            save(work, &child, id, ChangeType::Update, before, after)?;
            moved.push(id);
        }
    }
    Ok(moved)
}

/// A record that was merged lies in the recycle bin and names its master.
fn bury(work: &mut Work<'_>, object: &Arc<ObjectDef>, id: Id, master: Id) -> Result<()> {
    let before = live_row(work, object, id)?;
    let mut after = before.clone();
    if let Some(at) = object.column_of("MasterRecordId") {
        after[at] = Cell::Text(master.as_str().to_owned());
    }
    if let Some(at) = object.column_of("IsDeleted") {
        after[at] = Cell::Integer(1);
    }
    stamp(work, object, &mut after);
    save(work, object, id, ChangeType::Delete, before, after)?;
    bin::note(work, object, id, id)
}
