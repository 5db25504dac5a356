//! What a mirrored table looks like.

use serde::{Deserialize, Serialize};
use tombolo_schema::FieldType;

/// A table and the object that it mirrors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// The object, as describe spells it.
    pub(crate) object: String,
    /// The table: the object's name in lower case.
    pub(crate) name: String,
    /// The columns that hold fields, in the order in which rows carry their values. `id`, `is_deleted` and
    /// `_tombolo_synced_at` are not among them.
    pub(crate) columns: Vec<Column>,
    /// The column that holds the stamp of the last change.
    pub(crate) stamp: String,
}

/// A column that holds a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Column {
    /// The field, as describe spells it.
    pub(crate) field: String,
    /// The column.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) kind: Kind,
    /// The field is gone; the column keeps what it held.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) removed: bool,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Text,
    Boolean,
    Integer,
    Long,
    Decimal,
    Date,
    Time,
    DateTime,
}

pub(crate) const ID: &str = "id";
pub(crate) const IS_DELETED: &str = "is_deleted";
pub(crate) const SYNCED_AT: &str = "_tombolo_synced_at";

impl Table {
    /// The table of an object with these columns, stamped by this field.
    pub(crate) fn new(object: &str, stamp_field: &str, columns: Vec<Column>) -> Self {
        Self { object: object.to_owned(), name: object.to_lowercase(), columns, stamp: column_name(stamp_field) }
    }
}

impl Column {
    /// The column for a field; none for compound and base64 fields, which are left out.
    pub(crate) fn of(field: &str, field_type: Option<FieldType>) -> Option<Self> {
        let kind = match field_type {
            Some(FieldType::Base64 | FieldType::Address | FieldType::Location | FieldType::ComplexValue) => {
                return None;
            }
            Some(FieldType::Boolean) => Kind::Boolean,
            Some(FieldType::Int) => Kind::Integer,
            Some(FieldType::Long) => Kind::Long,
            Some(FieldType::Double | FieldType::Currency | FieldType::Percent) => Kind::Decimal,
            Some(FieldType::Date) => Kind::Date,
            Some(FieldType::Time) => Kind::Time,
            Some(FieldType::DateTime) => Kind::DateTime,
            // Ids, texts, picklists, and types that did not exist when this was written.
            _ => Kind::Text,
        };
        Some(Self { field: field.to_owned(), name: column_name(field), kind, removed: false })
    }
}

/// The column of a field: its name in lower case, two of them spelled out (CONTRACTS, `tombolo mirror`).
fn column_name(field: &str) -> String {
    match field {
        "IsDeleted" => IS_DELETED.to_owned(),
        "SystemModstamp" => "system_modstamp".to_owned(),
        other => other.to_lowercase(),
    }
}

impl Kind {
    /// The kind in words, for a message.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Long => "long integer",
            Self::Decimal => "decimal",
            Self::Date => "date",
            Self::Time => "time",
            Self::DateTime => "date-time",
        }
    }
}
