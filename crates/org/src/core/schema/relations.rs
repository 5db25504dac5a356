//! Child relationships: what parents say of their children, made to agree with the children's references.

use std::collections::{BTreeMap, BTreeSet};

use tombolo_schema::{ChildRelationship, Object};

/// Drops what points at a child the org does not have, adds what a child's reference implies.
pub(super) fn reconcile(objects: &mut [Object], names: &BTreeMap<(String, String), String>) {
    let mut implied: BTreeMap<String, Vec<ChildRelationship>> = BTreeMap::new();
    let mut references = BTreeSet::new();
    for object in objects.iter() {
        for field in &object.fields {
            for parent in &field.reference_to {
                references.insert((parent.clone(), object.name.clone(), field.name.clone()));
                implied.entry(parent.clone()).or_default().push(ChildRelationship {
                    child_object: object.name.clone(),
                    field: field.name.clone(),
                    relationship_name: names.get(&(object.name.clone(), field.name.clone())).cloned(),
                    // Activities go with what they are about.
                    cascade_delete: field.flags.cascade_delete || field.name == "WhatId",
                    restricted_delete: field.flags.restricted_delete,
                });
            }
        }
    }
    for object in objects {
        let parent = object.name.clone();
        let agrees =
            |c: &ChildRelationship| references.contains(&(parent.clone(), c.child_object.clone(), c.field.clone()));
        object.child_relationships.retain(agrees);
        for child in implied.remove(&object.name).unwrap_or_default() {
            let same = |c: &ChildRelationship| c.child_object == child.child_object && c.field == child.field;
            if !object.child_relationships.iter().any(same) {
                object.child_relationships.push(child);
            }
        }
        object.child_relationships.sort_by(|a, b| (&a.child_object, &a.field).cmp(&(&b.child_object, &b.field)));
    }
}
