//! The facts about an object.

use crate::{Field, field::flags};

flags! {
    /// The yes/no facts about an object.
    ObjectFlags {
        'c' createable,
        'u' updateable,
        'd' deletable,
        'n' undeletable,
        'q' queryable,
        'r' retrieveable,
        'p' replicateable,
        's' searchable,
        'l' layoutable,
        't' triggerable,
        'm' mergeable,
        'M' mru_enabled,
        'f' feed_enabled,
        'a' activateable,
        'C' custom,
        'S' custom_setting,
        'D' deep_cloneable,
        'h' deprecated_and_hidden,
        'H' has_subtypes,
        'I' is_interface,
        'b' is_subtype,
        'k' compact_layoutable,
        'e' search_layoutable,
    }
}

/// A relationship as seen from the parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildRelationship {
    /// The object that holds the reference.
    pub child_object: String,
    /// The field that is the reference.
    pub field: String,
    /// The name for child queries; none when the children cannot be queried this way.
    pub relationship_name: Option<String>,
    /// Whether children are deleted with their parent.
    pub cascade_delete: bool,
    /// Whether children prevent the parent's deletion.
    pub restricted_delete: bool,
}

/// A scope of `USING SCOPE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The name in SOQL.
    pub name: String,
    /// What people see.
    pub label: String,
}

/// An object and its fields, in describe order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// API name.
    pub name: String,
    /// The first three characters of its Ids, where known.
    pub key_prefix: Option<String>,
    /// What people see.
    pub label: String,
    /// What people see when there are several.
    pub label_plural: String,
    /// The yes/no facts.
    pub flags: ObjectFlags,
    /// The fields.
    pub fields: Vec<Field>,
    /// The relationships that point here.
    pub child_relationships: Vec<ChildRelationship>,
    /// The scopes it can be queried in.
    pub supported_scopes: Vec<Scope>,
}

impl Object {
    /// An object of this name about which nothing else is known.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            key_prefix: None,
            label: name.to_owned(),
            label_plural: name.to_owned(),
            flags: ObjectFlags::default(),
            fields: Vec::new(),
            child_relationships: Vec::new(),
            supported_scopes: Vec::new(),
        }
    }

    /// The field of this name, without regard to case.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The field that names a record.
    pub fn name_field(&self) -> Option<&Field> {
        self.fields.iter().find(|field| field.flags.name_field)
    }
}
