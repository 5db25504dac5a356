//! A schema made of a few lines, for tests.

use super::{FieldFacts, FieldKind, ObjectFacts, Schema};

/// A schema held in memory.
#[derive(Debug, Clone, Default)]
pub struct MemorySchema {
    objects: Vec<Object>,
}

#[derive(Debug, Clone)]
struct Object {
    name: String,
    queryable: bool,
    fields: Vec<Field>,
    children: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
struct Field {
    name: String,
    kind: FieldKind,
    targets: Vec<String>,
    relationship: Option<String>,
}

impl MemorySchema {
    /// One without objects.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object with these fields. What may be done with a field follows from its type.
    #[must_use]
    pub fn object(mut self, name: &str, fields: &[(&str, FieldKind)]) -> Self {
        let field = |(name, kind): &(&str, FieldKind)| Field {
            name: (*name).to_owned(),
            kind: *kind,
            targets: Vec::new(),
            relationship: None,
        };
        let fields = fields.iter().map(field).collect();
        self.objects.push(Object { name: name.to_owned(), queryable: true, fields, children: Vec::new() });
        self
    }

    /// Adds a reference to the object added last: its field, its relationship, the objects it may refer to. Each of
    /// these gets a relationship to children under the last name, where there is one.
    #[must_use]
    pub fn reference(mut self, field: &str, relationship: &str, targets: &[&str], children: Option<&str>) -> Self {
        let Some(object) = self.objects.last_mut() else { return self };
        object.fields.push(Field {
            name: field.to_owned(),
            kind: FieldKind::Reference,
            targets: targets.iter().map(|target| (*target).to_owned()).collect(),
            relationship: Some(relationship.to_owned()),
        });
        let child = object.name.clone();
        if let Some(children) = children {
            let is_target = |object: &&mut Object| targets.contains(&object.name.as_str());
            for parent in self.objects.iter_mut().filter(is_target) {
                parent.children.push((children.to_owned(), child.clone()));
            }
        }
        self
    }

    /// Makes the object added last one that cannot be queried.
    #[must_use]
    pub fn not_queryable(mut self) -> Self {
        if let Some(object) = self.objects.last_mut() {
            object.queryable = false;
        }
        self
    }

    fn find(&self, name: &str) -> Option<&Object> {
        self.objects.iter().find(|object| object.name.eq_ignore_ascii_case(name))
    }
}

impl Schema for MemorySchema {
    fn object(&self, name: &str) -> Option<ObjectFacts<'_>> {
        self.find(name).map(|object| ObjectFacts { name: &object.name, queryable: object.queryable })
    }

    fn fields(&self, object: &str) -> Vec<FieldFacts<'_>> {
        self.find(object).map_or_else(Vec::new, |object| object.fields.iter().map(Field::facts).collect())
    }

    fn child(&self, object: &str, relationship: &str) -> Option<&str> {
        let mut children = self.find(object)?.children.iter();
        children.find(|(name, _)| name.eq_ignore_ascii_case(relationship)).map(|(_, child)| child.as_str())
    }
}

impl Field {
    fn facts(&self) -> FieldFacts<'_> {
        use FieldKind::*;
        let unfit = matches!(self.kind, LongText | Encrypted | Base64 | Address | Location | Other);
        FieldFacts {
            name: &self.name,
            kind: self.kind,
            filterable: !unfit,
            groupable: matches!(self.kind, Id | Reference | Boolean | Text | Picklist | Integer | Date),
            sortable: !unfit && self.kind != MultiPicklist,
            aggregatable: !unfit && !matches!(self.kind, Boolean | MultiPicklist | Time),
            custom: self.name.ends_with("__c"),
            targets: &self.targets,
            relationship: self.relationship.as_deref(),
        }
    }
}
