//! Reading rows by their Ids, and finding them by a key.

use std::sync::Arc;

use rusqlite::Connection;
use tombolo_schema::{FieldType, Id};

use super::{Found, Mark, Selection, faults, load, value};
use crate::{
    core::{
        Caller, Core, FieldDef, ObjectDef,
        record::{CoreError, Input, Record, Result},
        schema::storage::field_output,
    },
    store::Cell,
};

/// A row that was read.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) record: Record,
    pub(crate) mark: Mark,
}

impl Core {
    /// Reads rows by Id; none where a row is not there, deleted, or of another object.
    pub(crate) fn retrieve(
        &self,
        _caller: &Caller,
        object: &str,
        ids: &[String],
        fields: Selection,
    ) -> Result<Vec<Option<Record>>> {
        let registry = self.schema();
        let object = registry.object(object).ok_or_else(|| faults::no_such_object(object))?;
        let fields = selected(object, &fields)?;
        self.snapshot(|connection| {
            let read = |id: &String| match Id::parse(id) {
                Ok(id) => match live(connection, object, id) {
                    Ok(row) => Ok(Some(record(object, id, &fields, &row))),
                    Err(CoreError::Refused(_)) => Ok(None),
                    Err(failed) => Err(failed),
                },
                Err(_) => Ok(None),
            };
            ids.iter().map(read).collect()
        })
    }

    /// Reads one row.
    pub(crate) fn read(&self, caller: &Caller, object: &str, id: &str, fields: Selection) -> Result<Record> {
        Ok(self.look(caller, object, id, fields)?.record)
    }

    /// Reads one row, and what it can be recognised by.
    pub(crate) fn look(&self, _caller: &Caller, object: &str, id: &str, fields: Selection) -> Result<Looked> {
        let registry = self.schema();
        let object = registry.object(object).ok_or_else(faults::not_found)?;
        // A row's URL is read again as that of an external id field (rest.md 2.4).
        let id = Id::parse(id).map_err(|_| faults::not_external(id))?;
        let fields = selected(object, &fields)?;
        self.snapshot(|connection| {
            let row = live(connection, object, id)?;
            Ok(Looked { record: record(object, id, &fields, &row), mark: Mark::of(object, &row) })
        })
    }

    /// The live records with this value in an external id field.
    pub(crate) fn find_by_external_id(&self, _: &Caller, object: &str, field: &str, value: &str) -> Result<Found> {
        let registry = self.schema();
        let object = registry.object(object).ok_or_else(faults::not_found)?;
        let key = object.field(field).filter(|f| load::is_key(f)).ok_or_else(|| faults::not_external(field))?;
        let cell = value::read(key, &Input::Text(value.to_owned()))?;
        if cell == Cell::Null {
            return Ok(Found::None);
        }
        let ids = self.snapshot(|connection| load::find(connection, object, key, &cell))?;
        Ok(match ids.as_slice() {
            [] => Found::None,
            [one] => Found::One(*one),
            _ => Found::Many(ids),
        })
    }
}

/// The fields of a selection. Named ones come in the order named, the Id last (rest.md 2.4).
fn selected<'a>(object: &'a ObjectDef, selection: &Selection) -> Result<Vec<&'a FieldDef>> {
    match selection {
        Selection::All => Ok(object.fields().iter().collect()),
        Selection::Named(names) => {
            let mut fields: Vec<&FieldDef> = Vec::with_capacity(names.len() + 1);
            for name in names.iter().map(|n| n.trim()).filter(|n| !n.is_empty()) {
                let field = object.field(name).ok_or_else(|| faults::no_such_column(object, name))?;
                if field.field_type != FieldType::Id && !fields.iter().any(|f| f.name == field.name) {
                    fields.push(field);
                }
            }
            fields.extend(object.field("Id"));
            Ok(fields)
        }
    }
}

fn live(connection: &Connection, object: &ObjectDef, id: Id) -> Result<Vec<Cell>> {
    let own = object.key_prefix.as_deref() == Some(id.key_prefix()) && object.kind == crate::core::schema::Kind::Rows;
    if !own {
        return Err(faults::not_found().into());
    }
    let row = object.rows().get(connection, id.as_str())?.ok_or_else(faults::not_found)?;
    match object.column_of("IsDeleted") {
        Some(at) if row[at] == Cell::Integer(1) => Err(faults::deleted().into()),
        _ => Ok(row),
    }
}

fn record(object: &ObjectDef, id: Id, fields: &[&FieldDef], row: &[Cell]) -> Record {
    let fields = fields.iter().map(|field| (field.name.clone(), field_output(object, field, row))).collect();
    Record { object: Arc::clone(&object.name), id: Some(id), fields }
}
