//! How the fields of an object lie in the store, and how they are read from it.

use jiff::{Timestamp, civil};
use tombolo_schema::FieldType;

use super::{FieldDef, ObjectDef};
use crate::{
    core::record::Output,
    store::{
        Cell,
        tables::{Column, ColumnKind},
    },
};

/// How values of this type are held.
pub(crate) fn column_kind(field_type: FieldType) -> ColumnKind {
    match field_type {
        FieldType::Id | FieldType::Reference => ColumnKind::Id,
        FieldType::Date => ColumnKind::Date,
        FieldType::Boolean => ColumnKind::Boolean,
        FieldType::Int | FieldType::Long => ColumnKind::Integer,
        FieldType::DateTime => ColumnKind::DateTime,
        FieldType::Time => ColumnKind::Time,
        FieldType::Double | FieldType::Currency | FieldType::Percent => ColumnKind::Real,
        FieldType::Base64 => ColumnKind::Blob,
        _ => ColumnKind::Text,
    }
}

/// The columns of an object's table.
pub(crate) fn columns(object: &ObjectDef) -> Vec<Column<'_>> {
    object
        .columns()
        .map(|f| Column { name: &f.name, kind: column_kind(f.field_type), indexed: is_indexed(object, f) })
        .collect()
}

/// Who made and changed a row is rarely asked for, and when it was only of the objects that people work with.
/// An index costs time at every start.
pub(crate) fn is_indexed(object: &ObjectDef, field: &FieldDef) -> bool {
    let is_stamp = matches!(&*field.name, "SystemModstamp" | "LastModifiedDate" | "CreatedDate");
    let is_author = matches!(&*field.name, "CreatedById" | "LastModifiedById");
    let is_key = field.flags.unique || field.flags.external_id || field.flags.name_field;
    let is_reference = field.field_type == FieldType::Reference && !is_author;
    is_key || is_reference || (is_stamp && object.has_change_events())
}

/// A stored value as a field of this type shows it.
pub(crate) fn output(field_type: FieldType, cell: &Cell) -> Output {
    match (column_kind(field_type), cell) {
        (_, Cell::Null) => Output::Null,
        (ColumnKind::Boolean, Cell::Integer(on)) => Output::Boolean(*on != 0),
        (ColumnKind::DateTime, Cell::Integer(at)) => {
            Timestamp::from_millisecond(*at).map_or(Output::Null, Output::DateTime)
        }
        (ColumnKind::Time, Cell::Integer(at)) => Output::Time(time_of_day(*at)),
        (ColumnKind::Real, Cell::Integer(number)) => Output::Double(*number as f64),
        (_, Cell::Integer(number)) => Output::Int(*number),
        (_, Cell::Real(number)) => Output::Double(*number),
        (ColumnKind::Date, Cell::Text(text)) => text.parse().map_or(Output::Null, Output::Date),
        (_, Cell::Text(text)) => Output::Text(text.clone()),
        (_, Cell::Blob(bytes)) => Output::Blob(bytes.clone()),
    }
}

/// The time this many milliseconds after midnight.
fn time_of_day(milliseconds: i64) -> civil::Time {
    civil::Time::midnight().wrapping_add(jiff::SignedDuration::from_millis(milliseconds))
}

/// What a field shows of a row: its own value, what its parts make up, or null if it is calculated.
pub(crate) fn field_output(object: &ObjectDef, field: &FieldDef, row: &[Cell]) -> Output {
    if field.field_type.is_compound() {
        let parts = field.parts.iter().map(|part| {
            let own = &object.fields()[part.field];
            (part.key.clone(), field_output(object, own, row))
        });
        let parts: Vec<_> = parts.collect();
        let empty = parts.iter().all(|(_, value)| *value == Output::Null);
        return if empty { Output::Null } else { Output::Compound(parts) };
    }
    field.column.and_then(|at| row.get(at)).map_or(Output::Null, |cell| output(field.field_type, cell))
}
