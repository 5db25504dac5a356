//! Changes of records, and upserts, which are one or the other.

use std::sync::Arc;

use tombolo_schema::{FieldType, Id};

use super::{
    Condition, Key, Target, automation, check, convert,
    derived::{self, RowView},
    faults, insert,
    load::{self, Loaded, Verb},
    value,
    work::{Outcome, Work},
};
use crate::{
    core::{
        Caller, Core, ObjectDef,
        events::ChangeType,
        record::{Atomicity, CoreError, Input, Result, RowInput, Saved},
    },
    store::Cell,
};

impl Core {
    /// Changes records.
    pub(crate) fn update(
        &self,
        caller: &Caller,
        rows: Vec<(Target, RowInput)>,
        atomicity: Atomicity,
    ) -> Result<Vec<Saved>> {
        let target = |row: &(Target, RowInput)| Id::parse(&row.0.id).ok();
        self.write_each(caller, rows, atomicity, target, |work, (target, input)| {
            let (object, id) = meant(work, target.object.as_deref(), &target.id)?;
            update_one(work, &object, id, &input, &target.condition)
        })
    }

    /// Changes the record that a field finds, or makes it. With the field `Id` and no key it is an insert.
    pub(crate) fn upsert(
        &self,
        caller: &Caller,
        by: &Key<'_>,
        rows: Vec<(Input, RowInput)>,
        atomicity: Atomicity,
    ) -> Result<Vec<Saved>> {
        let registry = self.schema();
        let object = registry.object(by.object).ok_or_else(|| faults::no_such_object(by.object))?;
        let key = object.field(by.field).filter(|f| f.field_type == FieldType::Id || load::is_key(f));
        let key = key.ok_or_else(|| faults::not_external(by.field))?;
        self.write_each(
            caller,
            rows,
            atomicity,
            |_| None,
            |work, (value, input)| {
                if key.field_type == FieldType::Id {
                    return upsert_by_id(work, object, &value, &input, &by.condition);
                }
                if input.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(&key.name)) {
                    return Err(faults::key_in_body(&key.name).into());
                }
                let cell = value::read(key, &value)?;
                if cell == Cell::Null {
                    return Err(faults::key_missing(&key.name).into());
                }
                match load::find(work.connection, object, key, &cell)?.as_slice() {
                    [] => {
                        let key = key.column.map(|column| (column, cell));
                        insert::insert_record(work, object, &input, key).map(Outcome::Created)
                    }
                    [one] => update_one(work, object, *one, &input, &by.condition),
                    several => Err(faults::several_match(key, several).into()),
                }
            },
        )
    }
}

fn upsert_by_id(
    work: &mut Work<'_>,
    object: &Arc<ObjectDef>,
    id: &Input,
    input: &RowInput,
    condition: &Condition,
) -> Result<Outcome> {
    match id {
        Input::Null => insert::insert_record(work, object, input, None).map(Outcome::Created),
        Input::Text(id) | Input::Untyped(id) => {
            let (object, id) = meant(work, Some(&object.name), id)?;
            update_one(work, &object, id, input, condition)
        }
        other => Err(faults::wrong_type("reference", other).into()),
    }
}

/// The record that an Id means, and its object. An object that is named must be the Id's own.
pub(super) fn meant(work: &Work<'_>, object: Option<&str>, id: &str) -> Result<(Arc<ObjectDef>, Id)> {
    let parsed = Id::parse(id).map_err(|_| faults::malformed_id(id))?;
    let own = work.registry.of_id(parsed);
    match object {
        None => Ok((own.cloned().ok_or_else(faults::not_found)?, parsed)),
        Some(name) => {
            let named = work.object(name)?;
            match (own.is_some_and(|own| own.name == named.name), named.field("Id")) {
                (false, Some(field)) => Err(faults::id_of_wrong_type(field, id).into()),
                _ => Ok((named, parsed)),
            }
        }
    }
}

/// The row of a record that is there and not deleted.
pub(super) fn live_row(work: &Work<'_>, object: &ObjectDef, id: Id) -> Result<Vec<Cell>> {
    let row = object.rows().get(work.connection, id.as_str())?.ok_or_else(faults::not_found)?;
    let deleted = object.column_of("IsDeleted").is_some_and(|at| row[at] == Cell::Integer(1));
    if deleted { Err(faults::deleted().into()) } else { Ok(row) }
}

pub(super) fn update_one(
    work: &mut Work<'_>,
    object: &Arc<ObjectDef>,
    id: Id,
    input: &RowInput,
    condition: &Condition,
) -> Result<Outcome> {
    if !object.flags.updateable {
        return Err(faults::not_allowed(object, "update").into());
    }
    let before = live_row(work, object, id)?;
    condition.check_write(object, &before)?;
    convert::check_not_converted(object, &before)?;
    let loaded = load::load(work, object, input, Verb::Update)?;
    update_loaded(work, object, id, before, loaded).map(Outcome::Changed)
}

fn update_loaded(
    work: &mut Work<'_>,
    object: &Arc<ObjectDef>,
    id: Id,
    before: Vec<Cell>,
    loaded: Loaded,
) -> Result<Id> {
    work.begin_record(object, Some(&before));
    let given: Vec<usize> = loaded.iter().map(|(column, _)| *column).collect();
    let mut after = before.clone();
    for (column, cell) in loaded {
        after[column] = cell;
    }
    let changed: Vec<usize> = given.iter().copied().filter(|&c| before[c] != after[c]).collect();
    automation::rewrite(work, object, &mut after, &changed)?;
    derived::fill(RowView::new(object, &mut after, &given, &changed), work.now_ms());
    check::required(object, &after, |column, _| given.contains(&column))?;
    check::unique(work, object, id.as_str(), &after, |column| before[column] != after[column])?;
    automation::warn_of_duplicates(work, object)?;
    automation::fail(work, object, Some(id))?;
    stamp(work, object, &mut after);
    save(work, object, id, ChangeType::Update, before, after)?;
    Ok(id)
}

/// Every update stamps its row, also one that changes nothing.
pub(super) fn stamp(work: &Work<'_>, object: &ObjectDef, row: &mut [Cell]) {
    let (now, user) = (Cell::Integer(work.now_ms()), Cell::Text(work.caller.user_id.as_str().to_owned()));
    for (name, cell) in [("LastModifiedDate", &now), ("SystemModstamp", &now), ("LastModifiedById", &user)] {
        if let Some(at) = object.column_of(name) {
            row[at] = cell.clone();
        }
    }
}

/// Writes the columns in which two states of a row differ, and remembers the change.
pub(super) fn save(
    work: &mut Work<'_>,
    object: &Arc<ObjectDef>,
    id: Id,
    change_type: ChangeType,
    before: Vec<Cell>,
    after: Vec<Cell>,
) -> Result<()> {
    let changed: Vec<usize> = (0..after.len()).filter(|&i| before[i] != after[i]).collect();
    object.rows().update(work.connection, id.as_str(), &changed, &after).map_err(CoreError::from)?;
    work.changed(object, id, change_type, Some(before), Some(after));
    Ok(())
}
