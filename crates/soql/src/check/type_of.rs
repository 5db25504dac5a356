//! `TYPEOF` (soql.md 2).

use super::{Checker, scope::Scope};
use crate::ast::{FieldPath, Name, TypeOf};

impl<'a> Checker<'a> {
    pub(super) fn type_of(&mut self, scope: &Scope<'a>, typeof_: &'a TypeOf) {
        let targets = self.targets(scope, &typeof_.relationship);
        let mut seen: Vec<&Name> = Vec::new();
        for branch in &typeof_.branches {
            let name = &branch.object;
            if seen.iter().any(|known| known.is(&name.text)) {
                self.malformed(name.span, format!("WHEN clause operand [{}] is not unique", name.text));
            }
            seen.push(name);
            let key =
                format!("{}:{}", typeof_.relationship.to_string().to_ascii_lowercase(), name.text.to_ascii_lowercase());
            self.count_parent(&key, name);
            let object = self.schema.and_then(|schema| schema.object(&name.text));
            if let (None, Some(_)) = (object, self.schema) {
                self.no_object(name);
            } else if targets.is_some_and(|targets| !targets.iter().any(|target| name.is(target))) {
                let text = format!("{} is none of the objects that {} may be", name.text, typeof_.relationship);
                self.malformed(name.span, text);
            }
            self.branch(&Scope::of(object), &branch.fields);
        }
        let name = self.schema.and_then(|schema| schema.object("Name"));
        self.branch(&Scope::of(name), &typeof_.otherwise);
    }

    fn branch(&mut self, scope: &Scope<'a>, fields: &'a [FieldPath]) {
        for path in fields {
            self.resolve(scope, path);
        }
    }

    /// The objects that the relationship may be; none where that is not known.
    fn targets(&mut self, scope: &Scope<'a>, relationship: &'a FieldPath) -> Option<&'a [String]> {
        let names: Vec<_> = relationship.parents.iter().collect();
        let object = self.object_at(scope, &names)?;
        let name = &relationship.name;
        let Some(field) = self.schema?.parent(object.name, &name.text) else {
            self.no_parent(name);
            return None;
        };
        self.count_parent(&format!("{}:{}.", object.name, name.text.to_ascii_lowercase()), name);
        if field.targets.len() < 2 {
            let text = format!("TYPEOF takes a polymorphic relationship, and {} is none", name.text);
            self.malformed(name.span, text);
            return None;
        }
        Some(field.targets)
    }
}
