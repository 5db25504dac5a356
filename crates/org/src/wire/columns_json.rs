//! The columns of a query's result as JSON: `query?q=…&columns=true` (metadata.md 7.2).

use serde::{Serialize, Serializer, ser::SerializeMap};
use tombolo_schema::FieldType;

use crate::core::{Column, Columns};

pub(crate) struct ColumnsJson<'a>(pub(crate) &'a Columns);

impl Serialize for ColumnsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(columns) = self;
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("columnMetadata", &columns.columns.iter().map(ColumnJson).collect::<Vec<_>>())?;
        map.serialize_entry("entityName", &*columns.entity)?;
        map.serialize_entry("groupBy", &columns.group_by)?;
        map.serialize_entry("idSelected", &columns.id_selected)?;
        map.serialize_entry("keyPrefix", &columns.key_prefix)?;
        map.end()
    }
}

struct ColumnJson<'a>(&'a Column);

impl Serialize for ColumnJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(column) = self;
        let kind = column.field_type;
        let is = |test: fn(FieldType) -> bool| kind.is_some_and(test);
        let mut map = serializer.serialize_map(Some(12))?;
        map.serialize_entry("aggregate", &column.aggregate)?;
        map.serialize_entry("apexType", &kind.map(apex_type))?;
        map.serialize_entry("booleanType", &is(|kind| kind == FieldType::Boolean))?;
        map.serialize_entry("columnName", &*column.name)?;
        map.serialize_entry("custom", &column.custom)?;
        map.serialize_entry("displayName", &column.display_name)?;
        map.serialize_entry("foreignKeyName", &column.foreign_key.as_deref())?;
        map.serialize_entry("insertable", &column.insertable)?;
        map.serialize_entry("joinColumns", &column.joined.iter().map(ColumnJson).collect::<Vec<_>>())?;
        map.serialize_entry("numberType", &is(|kind| kind.is_decimal() || kind.is_integer()))?;
        map.serialize_entry("textType", &is(FieldType::is_text))?;
        map.serialize_entry("updatable", &column.updatable)?;
        map.end()
    }
}

/// The type that Apex has for values of a field.
fn apex_type(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Id | FieldType::Reference => "Id",
        FieldType::Boolean => "Boolean",
        FieldType::Int => "Integer",
        FieldType::Long => "Long",
        FieldType::Double | FieldType::Currency | FieldType::Percent => "Double",
        FieldType::Date => "Date",
        FieldType::DateTime => "Datetime",
        FieldType::Time => "Time",
        FieldType::Base64 => "Blob",
        FieldType::Address => "Address",
        FieldType::Location => "Location",
        _ => "String",
    }
}
