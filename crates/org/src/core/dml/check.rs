//! The rules a whole row is held to: required fields, unique values.

use super::{faults, load, work::Work};
use crate::{
    core::{
        FieldDef, ObjectDef,
        record::{CoreError, Fault, Result},
    },
    store::Cell,
};
use tombolo_schema::FieldType;

/// Required fields among these columns have to have a value.
pub(super) fn required(object: &ObjectDef, row: &[Cell], concerned: impl Fn(usize, &FieldDef) -> bool) -> Result<()> {
    let missing = object.columns().enumerate().filter(|(column, field)| {
        concerned(*column, field)
            && row[*column] == Cell::Null
            && field.flags.createable
            && !field.flags.nillable
            && field.field_type != FieldType::Boolean
    });
    let missing: Vec<&str> = missing.map(|(_, field)| &*field.name).collect();
    if missing.is_empty() { Ok(()) } else { Err(faults::required(&missing).into()) }
}

/// Unique fields among these columns have to have a value that no other live record has.
pub(super) fn unique(
    work: &Work<'_>,
    object: &ObjectDef,
    own: &str,
    row: &[Cell],
    concerned: impl Fn(usize) -> bool,
) -> Result<()> {
    let mut found: Vec<Fault> = Vec::new();
    let fields = object.columns().enumerate().filter(|(column, field)| field.flags.unique && concerned(*column));
    for (column, field) in fields.filter(|(column, _)| row[*column] != Cell::Null) {
        let others = load::find(work.connection, object, field, &row[column])?;
        if let Some(other) = others.iter().find(|id| id.as_str() != own) {
            found.push(faults::duplicate(field, other.as_str()));
        }
    }
    if found.is_empty() { Ok(()) } else { Err(CoreError::Refused(found)) }
}
