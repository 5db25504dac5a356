//! The registry: every object and field of the org, from which describe, SOQL, DML and change events are read.

mod custom;
mod custom_field;
mod edit;
mod field;
mod markup;
mod object;
mod prefixes;
mod relations;
mod source;
mod standard;
pub(crate) mod storage;

use std::{collections::HashMap, sync::Arc};

use tombolo_schema::Id;

pub use edit::SchemaEdit;
pub(crate) use field::{CompoundPart, FieldDef};
pub(crate) use object::{Kind, ObjectDef};
pub(crate) use source::Source;

/// The objects of the org, in the order of their names. Never changed: a new one replaces it.
#[derive(Debug)]
pub(crate) struct Registry {
    objects: Vec<Arc<ObjectDef>>,
    by_name: HashMap<String, usize>,
    by_prefix: HashMap<String, usize>,
}

impl Registry {
    fn new(mut objects: Vec<ObjectDef>) -> Self {
        objects.sort_by(|a, b| a.name.cmp(&b.name));
        let objects: Vec<_> = objects.into_iter().map(Arc::new).collect();
        let by_name = objects.iter().enumerate().map(|(i, o)| (o.name.to_ascii_lowercase(), i)).collect();
        let prefixes = objects.iter().enumerate().filter_map(|(i, o)| Some((o.key_prefix.clone()?, i)));
        Self { by_name, by_prefix: prefixes.collect(), objects }
    }

    /// The same without these fields of these objects.
    pub(crate) fn without(&self, hidden: &[(String, String)]) -> Self {
        let mut objects: Vec<ObjectDef> = self.objects.iter().map(|object| ObjectDef::clone(object)).collect();
        for (name, field) in hidden {
            for object in &mut objects {
                if object.name.eq_ignore_ascii_case(name) {
                    object.remove(field);
                }
                object.child_relationships.retain(|child| {
                    !(child.child_object.eq_ignore_ascii_case(name) && child.field.eq_ignore_ascii_case(field))
                });
            }
        }
        Self::new(objects)
    }

    /// The object of this name, without regard to case.
    pub(crate) fn object(&self, name: &str) -> Option<&Arc<ObjectDef>> {
        self.by_name.get(&name.to_ascii_lowercase()).map(|&i| &self.objects[i])
    }

    /// All objects, by name.
    pub(crate) fn objects(&self) -> &[Arc<ObjectDef>] {
        &self.objects
    }

    /// The object whose Ids begin with these three characters.
    pub(crate) fn by_prefix(&self, prefix: &str) -> Option<&Arc<ObjectDef>> {
        self.by_prefix.get(prefix).map(|&i| &self.objects[i])
    }

    /// The object that a row with this Id belongs to.
    pub(crate) fn of_id(&self, id: Id) -> Option<&Arc<ObjectDef>> {
        self.by_prefix(id.key_prefix())
    }
}
