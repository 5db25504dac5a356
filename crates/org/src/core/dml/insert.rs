//! New records.

use std::sync::Arc;

use tombolo_schema::{DefaultValue, FieldType, Id};

use super::{
    auto_number, automation, check,
    derived::{self, RowView},
    faults,
    load::{self, Loaded, Verb},
    value,
    work::{Outcome, Work},
};
use crate::{
    core::{
        Caller, Core, FieldDef, ObjectDef,
        events::ChangeType,
        ids,
        record::{Atomicity, Input, Result, RowInput, Saved},
    },
    store::Cell,
};

impl Core {
    /// Makes records. Of each it is said what became of it, in order.
    pub(crate) fn insert(
        &self,
        caller: &Caller,
        rows: Vec<(String, RowInput)>,
        atomicity: Atomicity,
    ) -> Result<Vec<Saved>> {
        self.write_each(
            caller,
            rows,
            atomicity,
            |_| None,
            |work, (object, input)| {
                let object = work.object(&object)?;
                insert_record(work, &object, &input, None).map(Outcome::Created)
            },
        )
    }
}

/// Makes a record. `key` is the external id an upsert looked for.
pub(crate) fn insert_record(
    work: &mut Work<'_>,
    object: &Arc<ObjectDef>,
    input: &RowInput,
    key: Option<(usize, Cell)>,
) -> Result<Id> {
    if !object.flags.createable || object.kind != crate::core::schema::Kind::Rows {
        return Err(faults::not_allowed(object, "create").into());
    }
    let mut loaded = load::load(work, object, input, Verb::Insert)?;
    loaded.extend(key);
    insert_loaded(work, object, loaded)
}

/// Makes a record of values that were loaded already.
fn insert_loaded(work: &mut Work<'_>, object: &Arc<ObjectDef>, loaded: Loaded) -> Result<Id> {
    work.begin_record(object, None);
    let given: Vec<usize> = loaded.iter().map(|(column, _)| *column).collect();
    let mut row = vec![Cell::Null; object.columns().len()];
    for (column, cell) in loaded {
        row[column] = cell;
    }
    defaults(work, object, &mut row, &given);
    automation::rewrite(work, object, &mut row, &given)?;
    derived::fill(RowView::new(object, &mut row, &given, &given), work.now_ms());
    // What the org gives a default to may be left out, but not be given as null.
    check::required(object, &row, |column, field| !field.flags.defaulted_on_create || given.contains(&column))?;
    check::unique(work, object, "", &row, |_| true)?;
    automation::warn_of_duplicates(work, object)?;
    automation::fail(work, object, None)?;
    let id = identify(work, object, &mut row)?;
    object.rows().insert(work.connection, &row)?;
    work.changed(object, id, ChangeType::Create, None, Some(row));
    Ok(id)
}

/// Constants, stamps, the owner: for what the client did not give.
pub(crate) fn defaults(work: &Work<'_>, object: &ObjectDef, row: &mut [Cell], given: &[usize]) {
    let (user, now) = (Cell::Text(work.caller.user_id.as_str().to_owned()), Cell::Integer(work.now_ms()));
    for (column, field) in object.columns().enumerate() {
        let slot = &mut row[column];
        match &*field.name {
            "CreatedDate" | "LastModifiedDate" | "SystemModstamp" => *slot = now.clone(),
            "CreatedById" | "LastModifiedById" => *slot = user.clone(),
            "OwnerId" if *slot == Cell::Null => *slot = user.clone(),
            _ if given.contains(&column) => {}
            _ => *slot = default_of(field),
        }
    }
}

/// The constant of a field; else what a field that cannot be null begins with.
fn default_of(field: &FieldDef) -> Cell {
    let constant = field.constant_default.as_ref().and_then(|constant| {
        let input = match constant {
            DefaultValue::Boolean(on) => Input::Boolean(*on),
            DefaultValue::Text(text) => Input::Text(text.clone()),
        };
        value::read(field, &input).ok()
    });
    match constant {
        Some(cell) => cell,
        None if field.field_type == FieldType::Picklist && !field.flags.nillable && field.flags.defaulted_on_create => {
            let first = field.picklist_values.iter().find(|v| v.active);
            first.map_or(Cell::Null, |v| Cell::Text(v.value.clone()))
        }
        None if field.field_type == FieldType::Boolean => Cell::Integer(0),
        None if field.flags.nillable || field.flags.createable => Cell::Null,
        None if field.field_type.is_integer() => Cell::Integer(0),
        None if field.field_type.is_decimal() => Cell::Real(0.0),
        None => Cell::Null,
    }
}

/// Gives the row its Id and its numbers. A custom record without a name is named by its Id.
fn identify(work: &Work<'_>, object: &ObjectDef, row: &mut [Cell]) -> Result<Id> {
    let prefix = object.key_prefix.as_deref().unwrap_or_default();
    let nth = ids::next(work.connection, &format!("id {}", object.name), 1)?;
    let id = work.seed.id(prefix, nth)?;
    for (column, field) in object.columns().enumerate() {
        if field.field_type == FieldType::Id {
            row[column] = Cell::Text(id.as_str().to_owned());
        } else if field.flags.auto_number {
            let counter = format!("number {}.{}", object.name, field.name);
            let number = ids::next(work.connection, &counter, field.starting_number)?;
            let format = field.display_format.as_deref().unwrap_or("{00000000}");
            row[column] = Cell::Text(auto_number::write(format, number, work.now));
        } else if field.flags.name_field && object.is_custom() && row[column] == Cell::Null {
            row[column] = Cell::Text(id.short().to_owned());
        }
    }
    Ok(id)
}
