//! What the names in a query mean: aliases, the object itself, relationships to parents.

use super::{Checker, Code, FieldFacts, MAX_HOPS, MAX_PARENTS, ObjectFacts, finding::REFERENCE};
use crate::ast::{FieldPath, Name, ObjectRef};

/// The object that paths start from.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    /// None where nothing is known of it.
    pub(super) object: Option<ObjectFacts<'a>>,
    alias: Option<&'a Name>,
    /// The object or relationship as it was written.
    written: Option<&'a Name>,
    /// Further aliases and the relationships they stand for, from the root on.
    aliases: Vec<(&'a Name, Vec<&'a Name>)>,
}

/// Where a path leads: known or not, it has relationships and a last name.
pub(super) struct Target<'a> {
    pub(super) field: Option<FieldFacts<'a>>,
    /// How many relationships it follows.
    pub(super) hops: usize,
}

impl<'a> Scope<'a> {
    pub(super) fn new(object: Option<ObjectFacts<'a>>, from: &'a ObjectRef) -> Self {
        Self { object, alias: from.alias.as_ref(), written: Some(&from.path.name), aliases: Vec::new() }
    }

    /// One whose paths all start with a field or relationship of the object.
    pub(super) fn of(object: Option<ObjectFacts<'a>>) -> Self {
        Self { object, alias: None, written: None, aliases: Vec::new() }
    }

    pub(super) fn object_name(&self) -> Option<&'a str> {
        self.object.map(|object| object.name)
    }

    /// Whether it is this object.
    pub(super) fn is_object(&self, name: &Name) -> bool {
        match self.object {
            Some(object) => name.is(object.name),
            None => self.written.is_some_and(|written| name.is(&written.text)),
        }
    }

    /// Whether a query inside this one may call it so.
    pub(super) fn is_called(&self, name: &Name) -> bool {
        let is = |other: Option<&Name>| other.is_some_and(|other| name.is(&other.text));
        is(self.alias) || is(self.written) || self.object.is_some_and(|object| name.is(object.name))
    }
}

impl<'a> Checker<'a> {
    /// `FROM Contact c, c.Account a, a.Owner u`
    pub(super) fn aliases(&mut self, scope: &mut Scope<'a>, aliases: &'a [ObjectRef]) {
        for further in aliases {
            let names: Vec<_> = further.path.names().collect();
            let mut full = self.relationships(scope, &names);
            self.follow(scope, &full);
            // Longer ones have been refused, and would grow from alias to alias.
            full.truncate(MAX_HOPS + 1);
            scope.aliases.push((further.alias.as_ref().unwrap_or(&further.path.name), full));
        }
    }

    /// The relationships that these names stand for, from the object on.
    fn relationships(&self, scope: &Scope<'a>, names: &[&'a Name]) -> Vec<&'a Name> {
        let Some((first, rest)) = names.split_first() else { return Vec::new() };
        if let Some((_, full)) = scope.aliases.iter().find(|(alias, _)| first.is(&alias.text)) {
            return full.iter().chain(rest).copied().collect();
        }
        let is_alias = scope.alias.is_some_and(|alias| first.is(&alias.text));
        let is_parent = || {
            let parent = self.schema.zip(scope.object_name()).and_then(|(s, object)| s.parent(object, &first.text));
            parent.is_some()
        };
        if is_alias || (scope.is_called(first) && !is_parent()) { rest.to_vec() } else { names.to_vec() }
    }

    /// The object at the end of these relationships; none where it is not known.
    fn follow(&mut self, scope: &Scope<'a>, names: &[&'a Name]) -> Option<ObjectFacts<'a>> {
        let last = names.last()?;
        if names.len() > MAX_HOPS {
            self.malformed(last.span, format!("A relationship path may be at most {MAX_HOPS} levels long"));
            return None;
        }
        let mut key = format!("{}:", scope.object_name().unwrap_or_default());
        let mut object = scope.object;
        for name in names {
            key = format!("{key}{}.", name.text.to_ascii_lowercase());
            self.count_parent(&key, name);
            object = match (self.schema, object) {
                (Some(schema), Some(known)) => match schema.parent(known.name, &name.text) {
                    Some(field) => target_of(schema, &field),
                    None => {
                        self.no_parent(name);
                        return None;
                    }
                },
                _ => None,
            };
        }
        object
    }

    /// Counts a relationship to a parent the first time that it is followed.
    pub(super) fn count_parent(&mut self, key: &str, name: &Name) {
        let is_new = self.parents.insert(key.to_owned());
        if is_new && self.parents.len() == MAX_PARENTS + 1 {
            let text = format!("A query may follow at most {MAX_PARENTS} relationships to parents");
            self.refuse(Code::QueryTooComplicated, name.span, text);
        }
    }

    pub(super) fn no_parent(&mut self, name: &Name) {
        let text = format!(
            "Didn't understand relationship '{}' in field path. If you are attempting to use a custom relationship, be \
             sure to append the '__r' after the custom relationship name. {REFERENCE}",
            name.text
        );
        self.refuse(Code::InvalidField, name.span, text);
    }

    /// The object that these names lead to; none where it is not known.
    pub(super) fn object_at(&mut self, scope: &Scope<'a>, names: &[&'a Name]) -> Option<ObjectFacts<'a>> {
        let relationships = self.relationships(scope, names);
        if relationships.is_empty() { scope.object } else { self.follow(scope, &relationships) }
    }

    /// The path without aliases, in lower case: the same for the same field.
    pub(super) fn path_key(&self, scope: &Scope<'a>, path: &'a FieldPath) -> String {
        let parents: Vec<_> = path.parents.iter().collect();
        let names = self.relationships(scope, &parents).into_iter().chain([&path.name]);
        names.map(|name| name.text.to_ascii_lowercase()).collect::<Vec<_>>().join(".")
    }

    /// Where a path leads. What is wrong with it is said once, here.
    pub(super) fn resolve(&mut self, scope: &Scope<'a>, path: &'a FieldPath) -> Target<'a> {
        let parents: Vec<_> = path.parents.iter().collect();
        let relationships = self.relationships(scope, &parents);
        let errors = self.findings.errors.len();
        let object = if relationships.is_empty() { scope.object } else { self.follow(scope, &relationships) };
        let field = match (self.schema, object) {
            (Some(schema), Some(object)) => schema.field(object.name, &path.name.text),
            _ => None,
        };
        if let (None, Some(object), true) = (field, object, errors == self.findings.errors.len()) {
            let text = format!(
                "No such column '{}' on entity '{}'. If you are attempting to use a custom field, be sure to append the \
                 '__c' after the custom field name. {REFERENCE}",
                path.name.text, object.name
            );
            self.refuse(Code::InvalidField, path.span(), text);
        }
        Target { field, hops: relationships.len() }
    }
}

/// The object that a reference leads to: `Name` where it may be one of several, none where that is not known.
fn target_of<'a>(schema: &'a dyn super::Schema, field: &FieldFacts<'a>) -> Option<ObjectFacts<'a>> {
    match field.targets {
        [] => None,
        [target] => schema.object(target),
        _ => schema.object("Name"),
    }
}
