//! Edits of the schema of an org that runs: custom fields come, change and go.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tombolo_schema::ErrorCode;

use super::{Registry, Source, custom_field, markup::Element, storage::column_kind};
use crate::core::record::Fault;

/// An edit of the schema. Fields are defined as the Tooling API defines them: `{"type": "Text", "length": 80}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SchemaEdit {
    /// A new custom field.
    Add {
        /// `Account`
        object: String,
        /// `Region__c`
        field: String,
        /// Its type and what belongs to it.
        definition: Value,
    },
    /// Another length, label, picklist…
    Change {
        /// `Account`
        object: String,
        /// `Region__c`
        field: String,
        /// What is given replaces what was said before.
        definition: Value,
    },
    /// A custom field goes, and its values with it.
    Remove {
        /// `Account`
        object: String,
        /// `Region__c`
        field: String,
    },
}

impl SchemaEdit {
    /// Makes the edit, or says why it cannot be made. Names get the case that the org writes them in.
    pub(crate) fn apply(&self, source: &mut Source, registry: &Registry) -> Result<(), Fault> {
        let (Self::Add { object, field, .. } | Self::Change { object, field, .. } | Self::Remove { object, field }) =
            self;
        let known =
            registry.object(object).ok_or_else(|| refused("INVALID_TYPE", format!("There is no object {object}")))?;
        let object = if matches!(&*known.name, "Task" | "Event") { "Activity" } else { &*known.name };
        let is_there = known.field(field);
        if !field.ends_with("__c") {
            return Err(refused(
                "INVALID_FIELD",
                format!("{field} is no custom field: its name does not end with __c"),
            ));
        }
        let own = source.objects.entry(object.to_owned()).or_default();
        match self {
            Self::Add { .. } if is_there.is_some() => {
                let message = format!("There is already a field named {field} on {object}.");
                Err(refused("DUPLICATE_DEVELOPER_NAME", message))
            }
            Self::Add { definition, .. } => {
                let element = Element::from_json("CustomField", definition);
                check_name(field)?;
                custom_field::build(field, &element, &Source::default()).map_err(|e| refused("INVALID_FIELD", e))?;
                own.fields.insert(field.clone(), (PathBuf::from(format!("{object}.{field}")), element));
                Ok(())
            }
            Self::Change { definition, .. } => {
                let (name, kind) = is_there
                    .map(|found| (found.name.to_string(), column_kind(found.field_type)))
                    .ok_or_else(|| missing(object, field))?;
                let (_, element) = own.fields.get_mut(&name).ok_or_else(|| missing(object, field))?;
                let mut changed = element.clone();
                changed.overlay(Element::from_json("CustomField", definition));
                let made = custom_field::build(&name, &changed, &Source::default());
                let made = made.map_err(|e| refused("INVALID_FIELD", e))?;
                if made.fields.last().is_none_or(|made| column_kind(made.field_type) != kind) {
                    return Err(refused("INVALID_FIELD", format!("{name} cannot become a field of that type")));
                }
                *element = changed;
                Ok(())
            }
            Self::Remove { .. } => {
                let name = is_there.map(|found| found.name.to_string()).ok_or_else(|| missing(object, field))?;
                own.fields.remove(&name).map(drop).ok_or_else(|| missing(object, field))
            }
        }
    }

    /// The object that is edited, as it was written.
    pub(crate) fn object(&self) -> &str {
        let (Self::Add { object, .. } | Self::Change { object, .. } | Self::Remove { object, .. }) = self;
        object
    }

    /// The field that is edited, as it was written.
    pub(crate) fn field(&self) -> &str {
        let (Self::Add { field, .. } | Self::Change { field, .. } | Self::Remove { field, .. }) = self;
        field
    }
}

fn check_name(field: &str) -> Result<(), Fault> {
    let stem = field.strip_suffix("__c").unwrap_or_default();
    let fits = stem.starts_with(|c: char| c.is_ascii_alphabetic())
        && stem.len() <= 40
        && !stem.ends_with('_')
        && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    fits.then_some(()).ok_or_else(|| refused("INVALID_FIELD", format!("{field} is no name for a custom field")))
}

fn missing(object: &str, field: &str) -> Fault {
    refused("NOT_FOUND", format!("There is no custom field {field} on {object}"))
}

fn refused(code: &str, message: impl Into<String>) -> Fault {
    Fault::new(ErrorCode::from(code), message)
}
