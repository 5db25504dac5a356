//! The first step of a write: a client's named values become cells of the object's row.

use std::sync::Arc;

use tombolo_schema::{FieldType, Id};

use super::{faults, value, work::Work};
use crate::{
    core::{
        FieldDef, ObjectDef,
        record::{CoreError, Fault, Input, Result, RowInput},
    },
    store::Cell,
};

/// What a write is to do with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Insert,
    Update,
}

/// The values of a record that a client gave: columns and cells.
pub(super) type Loaded = Vec<(usize, Cell)>;

/// Reads all values of a record; says everything that is wrong with them at once.
///
/// What a parser would refuse (a name or type that is wrong) ends it, as Salesforce stops reading there.
pub(super) fn load(work: &Work<'_>, object: &ObjectDef, input: &RowInput, verb: Verb) -> Result<Loaded> {
    let mut loaded = Loaded::new();
    let mut found: Vec<Fault> = Vec::new();
    let mut locked: Vec<&str> = Vec::new();
    for (name, input) in &input.fields {
        if name.eq_ignore_ascii_case("Id") {
            match (verb, input) {
                (_, Input::Null) => continue,
                (Verb::Insert, _) => return Err(faults::id_on_insert().into()),
                (Verb::Update, _) => return Err(faults::id_in_body().into()),
            }
        }
        let Some(field) = object.field(name) else {
            match by_external_id(work, object, name, input) {
                Ok(reference) => loaded.push(reference),
                Err(CoreError::Refused(faults)) if faults.iter().any(|f| f.fields.is_some()) => found.extend(faults),
                Err(stop) => return Err(stop),
            }
            continue;
        };
        match field.column.filter(|_| writeable(field, verb)) {
            None => locked.push(&field.name),
            Some(column) => match cell(work, field, input) {
                Ok(cell) => loaded.push((column, cell)),
                Err(CoreError::Refused(faults)) if faults.iter().any(|f| f.fields.is_some()) => found.extend(faults),
                Err(stop) => return Err(stop),
            },
        }
    }
    if !locked.is_empty() {
        found.insert(0, faults::not_writeable(&locked));
    }
    if found.is_empty() { Ok(loaded) } else { Err(CoreError::Refused(found)) }
}

fn writeable(field: &FieldDef, verb: Verb) -> bool {
    match verb {
        Verb::Insert => field.flags.createable,
        Verb::Update => field.flags.updateable,
    }
}

/// The cell of a value; a reference must lead somewhere.
fn cell(work: &Work<'_>, field: &FieldDef, input: &Input) -> Result<Cell> {
    let cell = value::read(field, input)?;
    match &cell {
        Cell::Text(id) if field.field_type == FieldType::Reference => check_parent(work, field, id, cell.clone()),
        _ => Ok(cell),
    }
}

/// The master record type, which every object has and no row stands for (metadata.md 1.4).
const MASTER_RECORD_TYPE: &str = "012000000000000AAA";

fn check_parent(work: &Work<'_>, field: &FieldDef, id: &str, cell: Cell) -> Result<Cell> {
    if id == MASTER_RECORD_TYPE && field.reference_to.iter().any(|to| to == "RecordType") {
        return Ok(Cell::Null);
    }
    if id == work.caller.user_id.as_str() && field.reference_to.iter().any(|to| to == "User") {
        return Ok(cell);
    }
    let parent = work.registry.by_prefix(id.get(..3).unwrap_or_default());
    let Some(parent) = parent.filter(|p| field.reference_to.iter().any(|to| **to == *p.name)) else {
        return Err(faults::id_of_wrong_type(field, id).into());
    };
    match is_deleted(work, parent, id)? {
        None => Err(faults::no_such_parent(field).into()),
        Some(true) => Err(faults::deleted().into()),
        Some(false) => Ok(cell),
    }
}

/// Whether the row lies in the recycle bin; none if there is no such row.
pub(super) fn is_deleted(work: &Work<'_>, object: &ObjectDef, id: &str) -> Result<Option<bool>> {
    use rusqlite::OptionalExtension;
    let flag = if object.has_recycle_bin() { "\"IsDeleted\"" } else { "0" };
    let sql = format!("SELECT {flag} FROM {} WHERE \"Id\" = ?1", crate::store::quoted(&object.name));
    Ok(work.connection.prepare_cached(&sql)?.query_row([id], |row| row.get(0)).optional()?)
}

/// A parent named by an external id: `"Merchandise__r": {"Key__c": 1}` (rest.md 2.4).
fn by_external_id(work: &Work<'_>, object: &ObjectDef, name: &str, input: &Input) -> Result<(usize, Cell)> {
    let unknown = || CoreError::from(faults::no_such_column(object, name));
    let reference = object.parent(name).ok_or_else(unknown)?;
    let column = reference.column.ok_or_else(unknown)?;
    let parts = match input {
        Input::Null => return Ok((column, Cell::Null)),
        Input::Nested(parts) => parts,
        other => return Err(faults::wrong_type("reference", other).into()),
    };
    if !reference.flags.createable {
        return Err(faults::not_writeable(&[&reference.name]).into());
    }
    let parent = parent_object(work, reference, parts).ok_or_else(unknown)?;
    let mut keys = parts.iter().filter(|(key, _)| !key.eq_ignore_ascii_case("attributes"));
    let (Some((key, value)), None) = (keys.next(), keys.next()) else {
        return Err(faults::wrong_type("reference", input).into());
    };
    let key_field = parent.field(key).ok_or_else(|| faults::no_such_column(&parent, key))?;
    if key_field.field_type == FieldType::Id {
        return Ok((column, cell(work, reference, value)?));
    }
    if !is_key(key_field) {
        return Err(faults::not_external(key).into());
    }
    match find(work.connection, &parent, key_field, &value::read(key_field, value)?)?.as_slice() {
        [] => Err(faults::no_parent_by_key(&shown(value), key_field, &parent).into()),
        [one] => Ok((column, Cell::Text(one.as_str().to_owned()))),
        several => Err(faults::several_match(key_field, several).into()),
    }
}

fn parent_object(work: &Work<'_>, reference: &FieldDef, parts: &[(String, Input)]) -> Option<Arc<ObjectDef>> {
    let named = parts.iter().find_map(|(key, value)| match value {
        Input::Nested(attributes) if key.eq_ignore_ascii_case("attributes") => {
            attributes.iter().find_map(|(key, value)| match value {
                Input::Text(text) if key == "type" => Some(text.as_str()),
                _ => None,
            })
        }
        _ => None,
    });
    let mut possible = reference.reference_to.iter().map(String::as_str);
    let name = match named {
        Some(named) => possible.find(|to| to.eq_ignore_ascii_case(named))?,
        None => possible.next()?,
    };
    work.registry.object(name).cloned()
}

/// Whether records may be found by this field.
pub(super) fn is_key(field: &FieldDef) -> bool {
    field.column.is_some() && (field.flags.external_id || field.flags.id_lookup)
}

fn shown(input: &Input) -> String {
    match input {
        Input::Text(text) | Input::Untyped(text) | Input::Number(text) => text.clone(),
        Input::Boolean(on) => on.to_string(),
        Input::Null | Input::Nested(_) | Input::List => "null".to_owned(),
    }
}

/// The live records with this value in this field.
pub(super) fn find(
    connection: &rusqlite::Connection,
    object: &ObjectDef,
    field: &FieldDef,
    value: &Cell,
) -> Result<Vec<Id>> {
    let live = if object.has_recycle_bin() { " AND \"IsDeleted\" = 0" } else { "" };
    let exact = if field.flags.case_sensitive { " COLLATE BINARY" } else { "" };
    let (table, column) = (crate::store::quoted(&object.name), crate::store::quoted(&field.name));
    let sql = format!("SELECT \"Id\" FROM {table} WHERE {column} = ?1{exact}{live} ORDER BY \"Id\" LIMIT 100");
    let mut statement = connection.prepare_cached(&sql)?;
    let ids = statement.query_map([value], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    ids.iter().map(|id| Id::parse(id).map_err(|e| CoreError::Internal(e.to_string()))).collect()
}
