//! An object of the org and its fields.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use tombolo_schema::{ChildRelationship, FieldType, Object, ObjectFlags, Scope};

use super::{CompoundPart, FieldDef};
use crate::store::rows::RowSql;

/// What an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It has rows.
    Rows,
    /// A platform event: it can be described, but not queried.
    PlatformEvent,
    /// Only described: `AggregateResult`, `Name`, `OpenActivity`.
    Described,
}

/// An object of the org.
#[derive(Debug, Clone)]
pub(crate) struct ObjectDef {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    pub(crate) key_prefix: Option<String>,
    pub(crate) label: String,
    pub(crate) label_plural: String,
    pub(crate) flags: ObjectFlags,
    pub(crate) child_relationships: Vec<ChildRelationship>,
    pub(crate) supported_scopes: Vec<Scope>,
    fields: Vec<FieldDef>,
    by_name: HashMap<String, usize>,
    columns: Vec<usize>,
    row_sql: OnceLock<RowSql>,
}

impl ObjectDef {
    pub(super) fn new(facts: Object) -> Self {
        let fields = facts.fields.into_iter().map(FieldDef::new).collect();
        let mut object = Self {
            name: facts.name.as_str().into(),
            kind: Kind::Rows,
            key_prefix: facts.key_prefix,
            label: facts.label,
            label_plural: facts.label_plural,
            flags: facts.flags,
            child_relationships: facts.child_relationships,
            supported_scopes: facts.supported_scopes,
            fields,
            by_name: HashMap::new(),
            columns: Vec::new(),
            row_sql: OnceLock::new(),
        };
        object.kind = object.kind_by_facts();
        object.index();
        object
    }

    fn kind_by_facts(&self) -> Kind {
        if self.name.ends_with("__e") {
            Kind::PlatformEvent
        } else if &*self.name == "AggregateResult"
            || !(self.flags.queryable || self.flags.retrieveable)
            || !self.has_key()
        {
            Kind::Described
        } else {
            Kind::Rows
        }
    }

    fn has_key(&self) -> bool {
        self.key_prefix.is_some() && self.fields.iter().any(|f| &*f.name == "Id")
    }

    fn index(&mut self) {
        self.row_sql = OnceLock::new();
        self.by_name = self.fields.iter().enumerate().map(|(i, f)| (f.name.to_ascii_lowercase(), i)).collect();
        self.columns = (0..self.fields.len()).filter(|&i| self.fields[i].is_stored()).collect();
        for field in &mut self.fields {
            field.column = None;
        }
        for (column, &field) in self.columns.iter().enumerate() {
            self.fields[field].column = Some(column);
        }
        for i in 0..self.fields.len() {
            if self.fields[i].field_type.is_compound() {
                self.fields[i].parts = self.parts_of(&self.fields[i].name);
            }
        }
    }

    /// REST prints the parts of a compound in the order of their names.
    fn parts_of(&self, compound: &str) -> Vec<CompoundPart> {
        let fields = self.fields.iter().enumerate();
        let parts = fields.filter(|(_, f)| f.compound_field_name.as_deref() == Some(compound));
        let mut parts: Vec<_> =
            parts.map(|(field, f)| CompoundPart { key: lower_first(f.part_name()).into(), field }).collect();
        parts.sort_by(|a, b| a.key.cmp(&b.key));
        parts
    }

    /// Takes a field out, and the parts of a compound with it.
    pub(super) fn remove(&mut self, name: &str) {
        let is_meant = |f: &FieldDef| {
            f.name.eq_ignore_ascii_case(name)
                || f.compound_field_name
                    .as_deref()
                    .is_some_and(|whole| whole.eq_ignore_ascii_case(name) && whole != "Name")
        };
        self.fields.retain(|f| !is_meant(f));
        self.index();
    }

    /// Its fields, in describe order.
    pub(crate) fn fields(&self) -> &[FieldDef] {
        &self.fields
    }

    pub(super) fn fields_mut(&mut self) -> &mut [FieldDef] {
        &mut self.fields
    }

    /// The field of this name, without regard to case.
    pub(crate) fn field(&self, name: &str) -> Option<&FieldDef> {
        self.by_name.get(&name.to_ascii_lowercase()).map(|&i| &self.fields[i])
    }

    /// The fields that the object's table has columns for, in the order of the columns.
    pub(crate) fn columns(&self) -> impl ExactSizeIterator<Item = &FieldDef> {
        self.columns.iter().map(|&i| &self.fields[i])
    }

    /// The statements that read and write whole rows.
    pub(crate) fn rows(&self) -> &RowSql {
        self.row_sql.get_or_init(|| RowSql::new(&self.name, self.columns().map(|f| &*f.name)))
    }

    /// The place of a field's value in a row.
    pub(crate) fn column_of(&self, name: &str) -> Option<usize> {
        self.field(name).and_then(|f| f.column)
    }

    /// The reference field whose parent has this name in a path, without regard to case.
    pub(crate) fn parent(&self, relationship: &str) -> Option<&FieldDef> {
        let named =
            |f: &&FieldDef| f.relationship_name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(relationship));
        self.fields.iter().filter(|f| f.field_type == FieldType::Reference).find(named)
    }

    /// The relationship whose children have this name in a child query, without regard to case.
    pub(crate) fn children(&self, relationship: &str) -> Option<&ChildRelationship> {
        let mut all = self.child_relationships.iter();
        all.find(|c| c.relationship_name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(relationship)))
    }

    /// The field that names a record.
    pub(crate) fn name_field(&self) -> Option<&FieldDef> {
        self.fields.iter().find(|f| f.flags.name_field)
    }

    /// Whether deleted rows go to the recycle bin.
    pub(crate) fn has_recycle_bin(&self) -> bool {
        self.field("IsDeleted").is_some()
    }

    /// Whether it is a person: its Name is composed of FirstName and LastName.
    pub(crate) fn is_person(&self) -> bool {
        let is_part = |f: &FieldDef| f.compound_field_name.as_deref() == Some("Name");
        self.field("LastName").is_some_and(is_part) && self.field("Name").is_some_and(|f| !f.flags.createable)
    }

    pub(crate) fn is_custom(&self) -> bool {
        self.flags.custom
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_ascii_lowercase().to_string() + chars.as_str()).unwrap_or_default()
}
