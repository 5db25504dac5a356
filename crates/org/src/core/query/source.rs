//! Where values come from: the table asked, the parents joined to it, and the way from a field path to a column.

use std::sync::Arc;

use tombolo_schema::ErrorCode;
use tombolo_soql::ast::{FieldPath, Name, ObjectRef, Span};

use super::{
    grouping::GroupedBy,
    refusal::{Asked, Refusal},
    shape::Objects,
    sql::{Env, Sql},
};
use crate::{
    core::schema::{FieldDef, Kind, ObjectDef},
    store::quoted,
};

/// How many relationships a path may follow (soql.md 2).
const MAX_HOPS: usize = 5;
/// How many relationships to parents a query may follow in all.
const MAX_PARENTS: usize = 55;

/// The tables of one SELECT.
pub(super) struct Sources<'a> {
    pub(super) env: &'a Env<'a>,
    list: Vec<Source>,
    /// Names for the root: its alias, the object, the relationship it was reached by.
    root_names: Vec<String>,
    /// Further aliases and the parents they stand for, counted from the root.
    aliases: Vec<(String, Vec<Name>)>,
    /// How many selects with semi-joins are around it.
    depth: usize,
    semi_joins: usize,
    /// In HAVING: what is grouped by.
    pub(super) grouped_by: Option<GroupedBy>,
}

/// Something that has fields.
struct Source {
    /// From which source and by which of its fields it is reached; the root is not.
    reached: Option<(usize, Arc<str>)>,
    /// Whether it is only one of the objects that the reference may lead to (TYPEOF).
    branch: bool,
    object: Arc<ObjectDef>,
    rows: Rows,
}

enum Rows {
    /// A table under this alias.
    Table(String),
    /// Rows of several tables seen as `Name` objects: each field is looked up by the reference's key prefix.
    Names { reference: String, targets: Vec<Arc<ObjectDef>> },
}

/// A field that a path leads to.
pub(super) struct Resolved {
    pub(super) source: usize,
    object: Arc<ObjectDef>,
    field: usize,
    pub(super) span: Span,
}

impl Resolved {
    pub(super) fn field(&self) -> &FieldDef {
        &self.object.fields()[self.field]
    }

    pub(super) fn object(&self) -> &Arc<ObjectDef> {
        &self.object
    }
}

impl<'a> Sources<'a> {
    pub(super) fn new(env: &'a Env<'a>, sql: &mut Sql, object: &Arc<ObjectDef>, from: &ObjectRef) -> Self {
        let mut root_names = vec![object.name.to_string(), from.path.name.text.clone()];
        root_names.extend(from.alias.as_ref().map(|alias| alias.text.clone()));
        let root =
            Source { reached: None, branch: false, object: Arc::clone(object), rows: Rows::Table(sql.table_alias()) };
        Self { env, list: vec![root], root_names, aliases: Vec::new(), depth: 0, semi_joins: 0, grouped_by: None }
    }

    /// The tables of a select inside this one's condition.
    pub(super) fn inside(&self, sql: &mut Sql, object: &Arc<ObjectDef>, from: &ObjectRef) -> Self {
        Self { depth: self.depth + 1, ..Self::new(self.env, sql, object, from) }
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Counts one more semi-join of this select.
    pub(super) fn count_semi_join(&mut self) -> usize {
        self.semi_joins += 1;
        self.semi_joins
    }

    /// The further aliases of FROM: `FROM Contact c, c.Account a, a.Owner u`.
    pub(super) fn add_aliases(&mut self, sql: &mut Sql, aliases: &[ObjectRef]) -> Asked<()> {
        for further in aliases {
            let names: Vec<_> = further.path.names().cloned().collect();
            self.follow(sql, &names, further.path.span())?;
            let alias = further.alias.as_ref().unwrap_or(&further.path.name);
            let parents = self.parents_of(&names);
            self.aliases.push((alias.text.clone(), parents));
        }
        Ok(())
    }

    pub(super) fn root(&self) -> &Arc<ObjectDef> {
        &self.list[0].object
    }

    /// The column of the root with this name.
    pub(super) fn root_column(&self, name: &str) -> String {
        match &self.list[0].rows {
            Rows::Table(alias) => format!("{alias}.{}", quoted(name)),
            Rows::Names { .. } => "NULL".to_owned(),
        }
    }

    /// FROM with its joins.
    pub(super) fn joined_tables(&self) -> String {
        let mut from = String::new();
        for source in &self.list {
            let Rows::Table(alias) = &source.rows else { continue };
            let table = quoted(&source.object.name);
            match &source.reached {
                None => from.push_str(&format!("{table} AS {alias}")),
                Some((parent, field)) => {
                    let reference = self.column_of(*parent, field);
                    from.push_str(&format!(" LEFT JOIN {table} AS {alias} ON {alias}.\"Id\" = {reference}"));
                }
            }
        }
        from
    }

    pub(super) fn tables(&self) -> usize {
        self.list.iter().filter(|source| matches!(source.rows, Rows::Table(_))).count()
    }

    /// The field at the end of a path.
    pub(super) fn resolve(&mut self, sql: &mut Sql, path: &FieldPath) -> Asked<Resolved> {
        let source = self.follow(sql, &path.parents, path.span())?;
        self.field_of(source, path)
    }

    /// The field at the end of a path that begins at this source.
    pub(super) fn resolve_from(&mut self, sql: &mut Sql, source: usize, path: &FieldPath) -> Asked<Resolved> {
        let source = self.follow_from(sql, source, &path.parents, path.span())?;
        self.field_of(source, path)
    }

    fn field_of(&self, source: usize, path: &FieldPath) -> Asked<Resolved> {
        let span = path.span();
        let object = Arc::clone(&self.list[source].object);
        let found = object.field(&path.name.text).and_then(|f| object.fields().iter().position(|g| g.name == f.name));
        match found {
            Some(field) => Ok(Resolved { source, object, field, span }),
            None => Err(Refusal::no_column(span, &path.name.text, &object.name)),
        }
    }

    /// The fields followed from the root by these names, without aliases and the root's own name.
    pub(super) fn parents_of(&self, names: &[Name]) -> Vec<Name> {
        let Some((first, rest)) = names.split_first() else { return Vec::new() };
        if let Some((_, parents)) = self.aliases.iter().find(|(alias, _)| first.is(alias)) {
            return [parents, rest].concat();
        }
        let is_root = self.root_names.iter().any(|name| first.is(name));
        let is_alias = self.root_names.get(2).is_some_and(|alias| first.is(alias));
        let is_parent = self.root().parent(&first.text).is_some();
        if is_alias || (is_root && !is_parent) { rest.to_vec() } else { names.to_vec() }
    }

    fn follow(&mut self, sql: &mut Sql, names: &[Name], span: Span) -> Asked<usize> {
        let hops = self.parents_of(names);
        self.follow_from(sql, 0, &hops, span)
    }

    /// The source that these relationships lead to from another one.
    pub(super) fn follow_from(&mut self, sql: &mut Sql, source: usize, hops: &[Name], span: Span) -> Asked<usize> {
        if hops.len() > MAX_HOPS {
            let text = format!("A relationship path may be at most {MAX_HOPS} levels long");
            return Err(Refusal::malformed(span, text));
        }
        hops.iter().try_fold(source, |source, name| self.parent(sql, source, name, span))
    }

    /// The parent of a source by the name of its relationship.
    fn parent(&mut self, sql: &mut Sql, source: usize, name: &Name, span: Span) -> Asked<usize> {
        let object = Arc::clone(&self.list[source].object);
        let Some(field) = object.parent(&name.text) else { return Err(Refusal::no_parent(span, &name.text)) };
        let is_this =
            |s: &Source| !s.branch && matches!(&s.reached, Some((from, by)) if *from == source && *by == field.name);
        if let Some(known) = self.list.iter().position(is_this) {
            return Ok(known);
        }
        let targets = self.targets(field);
        match targets.as_slice() {
            [] => Err(Refusal::no_parent(span, &name.text)),
            [target] => self.join(sql, (source, field), target, false, span),
            _ => self.names(source, field, span),
        }
    }

    /// The parent that a reference leads to, whatever its object, seen as a `Name`.
    pub(super) fn names(&mut self, source: usize, field: &FieldDef, span: Span) -> Asked<usize> {
        let Some(object) = self.env.registry.object("Name").cloned() else {
            return Err(Refusal::no_parent(span, &field.name));
        };
        let rows = Rows::Names { reference: self.column_of(source, &field.name), targets: self.targets(field) };
        self.add(Source { reached: Some((source, Arc::clone(&field.name))), branch: false, object, rows }, span)
    }

    /// One of the objects that a reference may lead to, for TYPEOF.
    pub(super) fn branch(
        &mut self,
        sql: &mut Sql,
        reference: (usize, &FieldDef),
        target: &Arc<ObjectDef>,
        span: Span,
    ) -> Asked<usize> {
        self.join(sql, reference, target, true, span)
    }

    fn join(
        &mut self,
        sql: &mut Sql,
        (source, field): (usize, &FieldDef),
        target: &Arc<ObjectDef>,
        branch: bool,
        span: Span,
    ) -> Asked<usize> {
        let rows = Rows::Table(sql.table_alias());
        let reached = Some((source, Arc::clone(&field.name)));
        self.add(Source { reached, branch, object: Arc::clone(target), rows }, span)
    }

    fn add(&mut self, source: Source, span: Span) -> Asked<usize> {
        if self.list.len() > MAX_PARENTS {
            let text = format!("A query may follow at most {MAX_PARENTS} relationships to parents");
            return Err(Refusal::at(span, ErrorCode::QueryTooComplicated, text));
        }
        self.list.push(source);
        Ok(self.list.len() - 1)
    }

    /// The objects with rows that a field may refer to.
    pub(super) fn targets(&self, field: &FieldDef) -> Vec<Arc<ObjectDef>> {
        let objects = field.reference_to.iter().filter_map(|name| self.env.registry.object(name));
        objects.filter(|object| object.kind == Kind::Rows).cloned().collect()
    }

    /// A stored field of a source as SQL.
    pub(super) fn column(&self, source: usize, field: &FieldDef) -> String {
        if field.is_stored() { self.column_of(source, &field.name) } else { "NULL".to_owned() }
    }

    fn column_of(&self, source: usize, field: &str) -> String {
        match &self.list[source].rows {
            Rows::Table(alias) => format!("{alias}.{}", quoted(field)),
            Rows::Names { reference, targets } => name_column(reference, targets, field),
        }
    }

    pub(super) fn object_of(&self, source: usize) -> &Arc<ObjectDef> {
        &self.list[source].object
    }

    /// What a record of the source may be.
    pub(super) fn objects(&self, source: usize) -> Objects {
        let source = &self.list[source];
        match &source.rows {
            Rows::Table(_) => Objects::One(Arc::clone(&source.object.name)),
            Rows::Names { targets, .. } => {
                let known = targets.iter().filter_map(|t| Some((t.key_prefix.clone()?, Arc::clone(&t.name))));
                Objects::Several(known.collect())
            }
        }
    }

    /// The relationship by which a source is reached, in schema case.
    pub(super) fn relationship(&self, source: usize) -> Option<(usize, Arc<str>)> {
        let (parent, field) = self.list[source].reached.as_ref()?;
        let name = self.list[*parent].object.field(field)?.relationship_name.as_deref()?;
        Some((*parent, name.into()))
    }
}

/// A field of the `Name` object for whatever row the reference leads to.
fn name_column(reference: &str, targets: &[Arc<ObjectDef>], field: &str) -> String {
    let mut sql = format!("CASE substr({reference}, 1, 3)");
    let mut is_text = false;
    for target in targets {
        let Some(prefix) = &target.key_prefix else { continue };
        let own = match field {
            "Name" => target.name_field(),
            _ => target.field(field),
        };
        let value = match (field, own) {
            ("Id", _) => reference.to_owned(),
            ("Type", _) => format!("'{}'", target.name),
            (_, Some(own)) if own.is_stored() => {
                let (table, column) = (quoted(&target.name), quoted(&own.name));
                format!("(SELECT {column} FROM {table} WHERE \"Id\" = {reference})")
            }
            _ => continue,
        };
        is_text |= field == "Type" || own.is_some_and(|own| own.field_type.is_text());
        sql.push_str(&format!(" WHEN '{prefix}' THEN {value}"));
    }
    sql.push_str(" ELSE NULL END");
    // Of no branch at all `CASE … ELSE` alone would be no SQL.
    if !sql.contains(" WHEN ") {
        return "NULL".to_owned();
    }
    if is_text { format!("({sql}) COLLATE SF") } else { format!("({sql})") }
}
