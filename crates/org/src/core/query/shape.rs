//! How the columns of a row become a record: parents nested, compounds put together, nulls in their places.

use std::{collections::HashMap, sync::Arc};

use tombolo_schema::{FieldType, Id};

use super::format::Written;
use crate::{
    core::{
        record::{Output, Record},
        schema::storage::output,
    },
    store::Cell,
};

/// The fields of a record, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) fields: Vec<(Arc<str>, Slot)>,
}

/// Where a field's value comes from.
#[derive(Debug)]
pub(super) enum Slot {
    Value {
        column: usize,
        field_type: FieldType,
    },
    /// The label of a picklist's value.
    Label {
        column: usize,
        labels: Arc<HashMap<String, String>>,
    },
    /// A value as its reader would write it: `FORMAT(…)`.
    Formatted {
        column: usize,
        form: Written,
    },
    /// A calculated field: always null here.
    Absent,
    Compound(Vec<(Arc<str>, Slot)>),
    Parent(Parent),
    /// The record that the reference leads to, shaped by its object.
    Branches(Vec<Parent>),
    /// The child set of this number.
    Children(usize),
}

/// A parent record; it is null where its Id is.
#[derive(Debug)]
pub(super) struct Parent {
    pub(super) id: usize,
    pub(super) objects: Objects,
    pub(super) shape: Shape,
}

/// The object of a parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Objects {
    One(Arc<str>),
    /// By the key prefixes of Ids, where the reference may lead to several.
    Several(Arc<[(String, Arc<str>)]>),
}

impl Shape {
    /// The slot with this key, without regard to case.
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Slot> {
        self.fields.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, slot)| slot)
    }

    pub(super) fn push(&mut self, key: Arc<str>, slot: Slot) -> &mut Slot {
        let at = self.fields.len();
        self.fields.push((key, slot));
        &mut self.fields[at].1
    }

    /// The record that a row makes. Child sets are null until they are filled in.
    pub(super) fn record(&self, object: &Arc<str>, id: Option<usize>, row: &[Cell]) -> Record {
        Record { object: Arc::clone(object), id: id.and_then(|id| id_of(&row[id])), fields: self.values(row) }
    }

    fn values(&self, row: &[Cell]) -> Vec<(Arc<str>, Output)> {
        self.fields.iter().map(|(name, slot)| (Arc::clone(name), slot.output(row))).collect()
    }
}

impl Slot {
    fn output(&self, row: &[Cell]) -> Output {
        match self {
            Self::Value { column, field_type } => output(*field_type, &row[*column]),
            Self::Label { column, labels } => match &row[*column] {
                Cell::Text(value) => Output::Text(labels.get(value).unwrap_or(value).clone()),
                _ => Output::Null,
            },
            Self::Formatted { column, form } => form.output(&row[*column]),
            Self::Absent | Self::Children(_) => Output::Null,
            Self::Compound(parts) => {
                let parts: Vec<_> = parts.iter().map(|(key, slot)| (Arc::clone(key), slot.output(row))).collect();
                let empty = parts.iter().all(|(_, value)| *value == Output::Null);
                if empty { Output::Null } else { Output::Compound(parts) }
            }
            Self::Parent(parent) => parent.output(row).unwrap_or(Output::Null),
            Self::Branches(branches) => branches.iter().find_map(|branch| branch.output(row)).unwrap_or(Output::Null),
        }
    }
}

impl Parent {
    fn output(&self, row: &[Cell]) -> Option<Output> {
        let id = id_of(&row[self.id])?;
        let object = match &self.objects {
            Objects::One(object) => object,
            Objects::Several(objects) => &objects.iter().find(|(prefix, _)| prefix == id.key_prefix())?.1,
        };
        Some(Output::Record(Box::new(self.shape.record(object, Some(self.id), row))))
    }
}

pub(super) fn id_of(cell: &Cell) -> Option<Id> {
    match cell {
        Cell::Text(text) => Id::parse(text).ok(),
        _ => None,
    }
}
