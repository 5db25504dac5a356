//! What is selected: columns to fetch, and their places in the record.

use std::{collections::HashMap, sync::Arc};

use tombolo_schema::ErrorCode;
use tombolo_soql::ast::{
    Condition, Expr, FieldPath, Membership, Operator, Select, SelectExpr, SelectItem, Selection, Set, Span, TypeOf,
};

use super::{
    format::Written,
    function::unformatted,
    grouping::result_name,
    operand::{Form, Operand},
    refusal::{Asked, Refusal},
    select::{self, Rows},
    shape::{Objects, Parent, Shape, Slot},
    source::{Resolved, Sources},
    sql::{Env, Sql},
};
use crate::core::schema::{FieldDef, ObjectDef};

const MAX_CHILD_SETS: usize = 20;
/// FIELDS(ALL) and FIELDS(CUSTOM) want a LIMIT of at most this.
const MAX_UNBOUNDED: i64 = 200;

/// A child set: rows, and the reference by which they belong to a parent.
#[derive(Debug)]
pub(super) struct ChildPlan {
    pub(super) rows: Arc<Rows>,
    /// The reference as SQL.
    pub(super) reference: String,
}

pub(super) struct Projection<'s, 'a> {
    sources: &'s mut Sources<'a>,
    sql: &'s mut Sql,
    level: usize,
    /// How many computed values have no name of their own.
    unnamed: usize,
    pub(super) columns: Vec<String>,
    pub(super) shape: Shape,
    pub(super) children: Vec<ChildPlan>,
}

impl<'s, 'a> Projection<'s, 'a> {
    pub(super) fn new(sources: &'s mut Sources<'a>, sql: &'s mut Sql, level: usize) -> Self {
        let columns = vec![sources.root_column("Id")];
        Self { sources, sql, level, unnamed: 0, columns, shape: Shape::default(), children: Vec::new() }
    }

    pub(super) fn add(&mut self, item: &SelectItem, select: &Select) -> Asked<()> {
        let labelled = matches!(&item.expr, SelectExpr::Expr(Expr::Call(_) | Expr::Distance(_)));
        if let Some(alias) = item.alias.as_ref().filter(|_| !labelled) {
            if let SelectExpr::Expr(Expr::Field(path)) = &item.expr {
                // `SELECT DISTINCT Name`: there is no such column, whatever stands behind it.
                self.sources.resolve(self.sql, path)?;
            }
            return Err(Refusal::malformed(alias.span, "only aggregate expressions use field aliasing"));
        }
        match &item.expr {
            SelectExpr::Expr(Expr::Field(path)) => {
                let resolved = self.sources.resolve(self.sql, path)?;
                self.add_field(&resolved)
            }
            SelectExpr::Expr(expr) => self.add_computed(expr, item),
            SelectExpr::Fields { group, span } => self.add_fields(group, *span, select),
            SelectExpr::TypeOf(typeof_) => self.add_typeof(typeof_),
            SelectExpr::Children(child) => self.add_children(child),
        }
    }

    fn add_field(&mut self, resolved: &Resolved) -> Asked<()> {
        let slot = self.slot(resolved.source, resolved.object(), resolved.field());
        let name = Arc::clone(&resolved.field().name);
        self.place(resolved.source, name, slot, resolved.span)
    }

    /// Puts a slot into the record or into the parent of it that the source is.
    fn place(&mut self, source: usize, key: Arc<str>, slot: Slot, span: Span) -> Asked<()> {
        let path = self.path_between(0, source);
        place(&mut self.shape, path, key, slot, span)
    }

    /// The parents on the way from one source to another, each as it is when nothing of it is selected yet.
    fn path_between(&mut self, top: usize, source: usize) -> Vec<(Arc<str>, Parent)> {
        let mut path = Vec::new();
        let mut at = source;
        while let Some((parent, key)) = self.sources.relationship(at).filter(|_| at != top) {
            let object = Arc::clone(self.sources.object_of(at));
            let id = object.field("Id").map_or_else(|| "NULL".to_owned(), |id| self.sources.column(at, id));
            let id = self.column(id);
            path.push((key, Parent { id, objects: self.sources.objects(at), shape: Shape::default() }));
            at = parent;
        }
        path.reverse();
        path
    }

    /// The number of a column, added if it is not there yet.
    fn column(&mut self, sql: String) -> usize {
        match self.columns.iter().position(|known| *known == sql) {
            Some(at) => at,
            None => {
                self.columns.push(sql);
                self.columns.len() - 1
            }
        }
    }

    fn slot(&mut self, source: usize, object: &Arc<ObjectDef>, field: &FieldDef) -> Slot {
        if field.field_type.is_compound() {
            let parts = field.parts.iter().map(|part| {
                let own = &object.fields()[part.field];
                (Arc::clone(&part.key), self.slot(source, object, own))
            });
            return Slot::Compound(parts.collect());
        }
        if !field.is_stored() {
            return Slot::Absent;
        }
        let column = self.sources.column(source, field);
        Slot::Value { column: self.column(column), field_type: field.field_type }
    }

    fn add_computed(&mut self, expr: &Expr, item: &SelectItem) -> Asked<()> {
        let (inner, formatted) = unformatted(expr);
        let operand = self.sources.operand(self.sql, inner, false)?;
        let alias = item.alias.as_ref().map(|alias| Arc::from(alias.text.as_str()));
        let Operand { sql, field_type, span, resolved, form, .. } = operand;
        match (form, resolved) {
            (Form::Field | Form::Label | Form::Converted, Some(resolved)) => {
                let field = resolved.field();
                let slot = match form {
                    Form::Label if !field.picklist_values.is_empty() => {
                        Slot::Label { column: self.column(sql), labels: labels(field) }
                    }
                    _ => self.slot(resolved.source, resolved.object(), field),
                };
                let slot = if formatted { as_text(self.sources.env, slot, field, span)? } else { slot };
                match alias {
                    Some(alias) => self.place(0, alias, slot, span),
                    None => self.place(resolved.source, Arc::clone(&field.name), slot, span),
                }
            }
            (_, None) if !formatted => {
                let column = self.column(sql);
                let key = result_name(item.alias.as_ref(), None, &mut self.unnamed);
                self.place(0, key, Slot::Value { column, field_type }, span)
            }
            (_, None) => Err(Refusal::malformed(span, "FORMAT takes a field, an aggregate or convertCurrency")),
            _ => Err(Refusal::malformed(span, format!("{expr} may only be selected when it is grouped by"))),
        }
    }

    fn add_fields(&mut self, group: &FieldPath, span: Span, select: &Select) -> Asked<()> {
        if self.sources.env.version.major() < 51 {
            let text = "The SOQL FIELDS function is not supported in this version of the API";
            return Err(Refusal::at(span, ErrorCode::UnsupportedApiVersion, text));
        }
        let is = |word: &str| group.parents.is_empty() && group.name.is(word);
        let custom = match () {
            () if is("STANDARD") => Some(false),
            () if is("CUSTOM") => Some(true),
            () if is("ALL") => None,
            () => return Err(Refusal::malformed(span, "The SOQL FIELDS function takes ALL, CUSTOM or STANDARD")),
        };
        let limit = select.limit.as_ref().map(|limit| &limit.count);
        let bounded = matches!(limit, Some(tombolo_soql::ast::Count::Number(n)) if *n <= MAX_UNBOUNDED);
        let few = || select.condition.as_ref().is_some_and(|condition| self.names_few(condition));
        if custom != Some(false) && !bounded && !few() {
            return Err(Refusal::malformed(span, "The SOQL FIELDS function must have a LIMIT of at most 200"));
        }
        let object = Arc::clone(self.sources.root());
        for field in object.fields().iter().filter(|field| custom.is_none_or(|custom| field.flags.custom == custom)) {
            let slot = self.slot(0, &object, field);
            self.place(0, Arc::clone(&field.name), slot, span)?;
        }
        Ok(())
    }

    /// Whether a condition leaves no other rows than those of a short list of Ids.
    fn names_few(&self, condition: &Condition) -> bool {
        let is_id = |expr: &Expr| match expr {
            Expr::Field(path) => self.sources.parents_of(&path.parents).is_empty() && path.name.is("Id"),
            _ => false,
        };
        match condition {
            Condition::And(operands) => operands.iter().any(|operand| self.names_few(operand)),
            Condition::Compare(comparison) => comparison.operator == Operator::Equal && is_id(&comparison.left),
            Condition::In(Membership { left, negated: false, set: Set::List(values) }) => {
                is_id(left) && values.len() <= MAX_UNBOUNDED as usize
            }
            _ => false,
        }
    }

    /// One join for each WHEN; what no WHEN names is seen as a `Name` if there is an ELSE.
    fn add_typeof(&mut self, typeof_: &TypeOf) -> Asked<()> {
        let span = typeof_.span;
        let path = &typeof_.relationship;
        let parents = self.sources.parents_of(&path.names().cloned().collect::<Vec<_>>());
        let Some((relationship, above)) = parents.split_last() else {
            return Err(Refusal::no_parent(span, &path.name.text));
        };
        let from = self.sources.follow_from(self.sql, 0, above, span)?;
        let object = Arc::clone(self.sources.object_of(from));
        let Some(field) = object.parent(&relationship.text) else {
            return Err(Refusal::no_parent(span, &relationship.text));
        };
        let targets = self.sources.targets(field);
        let mut branches = Vec::new();
        for branch in &typeof_.branches {
            let Some(target) = targets.iter().find(|target| branch.object.is(&target.name)) else {
                return Err(Refusal::no_object(branch.object.span, &branch.object.text));
            };
            if branches.iter().any(|known: &Parent| known.objects == Objects::One(Arc::clone(&target.name))) {
                let text = format!("WHEN clause operand [{}] is not unique", target.name);
                return Err(Refusal::malformed(branch.object.span, text));
            }
            let source = self.sources.branch(self.sql, (from, field), target, branch.object.span)?;
            branches.push(self.branch(source, &branch.fields)?);
        }
        if !typeof_.otherwise.is_empty() {
            let names = self.sources.names(from, field, span)?;
            branches.push(self.branch(names, &typeof_.otherwise)?);
        }
        let key: Arc<str> = field.relationship_name.as_deref().unwrap_or_default().into();
        self.place(from, key, Slot::Branches(branches), span)
    }

    fn branch(&mut self, source: usize, paths: &[FieldPath]) -> Asked<Parent> {
        let object = Arc::clone(self.sources.object_of(source));
        let id = object.field("Id").map_or_else(|| "NULL".to_owned(), |id| self.sources.column(source, id));
        let mut shape = Shape::default();
        for path in paths {
            let resolved = self.sources.resolve_from(self.sql, source, path)?;
            let slot = self.slot(resolved.source, resolved.object(), resolved.field());
            let parents = self.path_between(source, resolved.source);
            place(&mut shape, parents, Arc::clone(&resolved.field().name), slot, resolved.span)?;
        }
        Ok(Parent { id: self.column(id), objects: self.sources.objects(source), shape })
    }

    fn add_children(&mut self, child: &Select) -> Asked<()> {
        let span = child.span;
        if self.level + 1 > select::max_level(self.sources.env.version) {
            let levels = select::max_level(self.sources.env.version);
            let words = if levels == 2 { "two" } else { "five" };
            let text = format!("Implementation restriction: sub-selects can only be {words} levels deep");
            return Err(Refusal::malformed(span, text));
        }
        let Selection::Items(items) = &child.selection else {
            return Err(Refusal::malformed(span, "only root queries support aggregate expressions"));
        };
        if select::is_grouped(child, items) {
            return Err(Refusal::malformed(span, "only root queries support aggregate expressions"));
        }
        if !child.purposes.is_empty() || !child.update.is_empty() {
            return Err(Refusal::malformed(span, "FOR and UPDATE are not allowed in a sub-select"));
        }
        let path = &child.from.path;
        let root = Arc::clone(self.sources.root());
        let prefix = self.sources.parents_of(&path.parents);
        let relationship = root.children(&path.name.text).filter(|_| prefix.is_empty());
        let relation = relationship.and_then(|r| Some((r, self.sources.env.registry.object(&r.child_object)?)));
        let Some((relationship, object)) = relation else {
            return Err(Refusal::no_children(path.span(), &path.name.text));
        };
        select::check_queryable(object, path.span())?;
        let key: Arc<str> = relationship.relationship_name.as_deref().unwrap_or_default().into();
        if self.shape.get_mut(&key).is_some() {
            return Err(Refusal::malformed(span, "Cannot follow the same aggregate relationship twice"));
        }
        if self.children.len() == MAX_CHILD_SETS {
            let text = format!("A query may have at most {MAX_CHILD_SETS} child sub-selects");
            return Err(Refusal::malformed(span, text));
        }
        let mut sql = Sql::default();
        let mut sources = Sources::new(self.sources.env, &mut sql, object, &child.from);
        sources.add_aliases(&mut sql, &child.aliases)?;
        let reference = sources.root_column(&relationship.field);
        let rows = select::rows(&mut sources, sql, child, items, self.level + 1)?;
        self.shape.push(key, Slot::Children(self.children.len()));
        self.children.push(ChildPlan { rows: Arc::new(rows), reference });
        Ok(())
    }
}

/// Puts a slot into the last of these parents, each of which is made if it is not there yet.
fn place(shape: &mut Shape, path: Vec<(Arc<str>, Parent)>, key: Arc<str>, slot: Slot, span: Span) -> Asked<()> {
    let shape = path.into_iter().try_fold(shape, |shape, (key, parent)| {
        let known = shape.fields.iter().position(|(name, _)| *name == key);
        let slot = match known {
            Some(at) => &mut shape.fields[at].1,
            None => shape.push(key, Slot::Parent(parent)),
        };
        match slot {
            Slot::Parent(parent) => Ok(&mut parent.shape),
            _ => Err(duplicate(span, "relationship")),
        }
    })?;
    if shape.get_mut(&key).is_some() {
        return Err(duplicate(span, &key));
    }
    shape.push(key, slot);
    Ok(())
}

/// The slot of a field inside `FORMAT(…)`.
fn as_text(env: &Env<'_>, slot: Slot, field: &FieldDef, span: Span) -> Asked<Slot> {
    match slot {
        Slot::Value { column, field_type } => {
            Ok(Slot::Formatted { column, form: Written::of(env, field_type, field)? })
        }
        Slot::Compound(_) => Err(Refusal::malformed(span, format!("field '{}' can not be formatted", field.name))),
        other => Ok(other),
    }
}

fn labels(field: &FieldDef) -> Arc<HashMap<String, String>> {
    Arc::new(field.picklist_values.iter().map(|value| (value.value.clone(), value.label.clone())).collect())
}

fn duplicate(span: Span, name: &str) -> Refusal {
    Refusal::invalid_field(span, format!("duplicate field selected: {name}"))
}
