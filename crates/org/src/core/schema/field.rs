//! A field: what describe says of it, and what the store and DML want to know besides.

use std::{ops::Deref, sync::Arc};

use tombolo_schema::{DefaultValue, Field};

/// A field of an object in the org. Reads like the facts it holds.
#[derive(Debug, Clone)]
pub(crate) struct FieldDef {
    pub(crate) name: Arc<str>,
    /// What describe says.
    pub(crate) facts: Field,
    /// Its place among the columns of the object's table; none for compound and calculated fields.
    pub(crate) column: Option<usize>,
    /// Of a compound field: the fields it is made of, in the order in which REST prints them.
    pub(crate) parts: Vec<CompoundPart>,
    /// The constant that a new record gets.
    pub(crate) constant_default: Option<DefaultValue>,
    /// The number that the first record of an auto-number field gets.
    pub(crate) starting_number: u64,
}

/// A part of an address or a location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompoundPart {
    /// `city`, `latitude`
    pub(crate) key: Arc<str>,
    /// The place of the field among the object's fields.
    pub(crate) field: usize,
}

impl Deref for FieldDef {
    type Target = Field;
    fn deref(&self) -> &Field {
        &self.facts
    }
}

impl FieldDef {
    pub(crate) fn new(facts: Field) -> Self {
        let chosen = facts.picklist_values.iter().find(|v| v.default_value);
        let constant_default = match (&facts.default_value, chosen) {
            (Some(default), _) => Some(default.clone()),
            (None, Some(value)) => Some(DefaultValue::Text(value.value.clone())),
            (None, None) => None,
        };
        Self {
            name: facts.name.as_str().into(),
            starting_number: if facts.flags.custom { 1 } else { 1000 },
            facts,
            column: None,
            parts: Vec::new(),
            constant_default,
        }
    }

    /// Whether the store keeps a value for it.
    pub(crate) fn is_stored(&self) -> bool {
        !self.field_type.is_compound() && !self.flags.calculated
    }

    /// The name that a part of a compound has inside it: `City` of `BillingCity`, `Latitude` of `Loc__Latitude__s`.
    pub(crate) fn part_name(&self) -> &str {
        let Some(compound) = &self.compound_field_name else { return &self.name };
        let stem = compound.strip_suffix("Address").or_else(|| compound.strip_suffix("__c")).unwrap_or("");
        let part = self.name.strip_prefix(stem).unwrap_or(&self.name);
        part.strip_prefix("__").and_then(|p| p.strip_suffix("__s")).unwrap_or(part)
    }
}

#[cfg(test)]
mod tests {
    use tombolo_schema::FieldType;

    use super::*;

    #[test]
    fn parts_drop_the_name_of_their_compound() {
        for (compound, field, part) in [
            ("BillingAddress", "BillingCity", "City"),
            ("Address", "City", "City"),
            ("Loc__c", "Loc__Latitude__s", "Latitude"),
            ("Name", "FirstName", "FirstName"),
        ] {
            let mut facts = Field::new(field, FieldType::String);
            facts.compound_field_name = Some(compound.to_owned());
            assert_eq!(FieldDef::new(facts).part_name(), part);
        }
    }
}
