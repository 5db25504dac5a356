//! What a query would answer with, told instead of the rows: `query?columns=true` (metadata.md 7.2).

use std::sync::Arc;

use tombolo_schema::FieldType;
use tombolo_soql::ast::{Expr, FieldPath, Select, SelectExpr, SelectItem, Selection};

use super::{
    function::unformatted,
    grouping::result_name,
    operand::Form,
    refusal::Asked,
    select::{is_grouped, plan},
    source::Sources,
    sql::{Env, Sql},
};
use crate::core::schema::{FieldDef, ObjectDef};

/// The columns of a query's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(crate) entity: Arc<str>,
    pub(crate) key_prefix: Option<String>,
    pub(crate) group_by: bool,
    pub(crate) id_selected: bool,
    pub(crate) columns: Vec<Column>,
}

/// A column, or a parent or child set with columns of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// The key in the record.
    pub(crate) name: Arc<str>,
    /// A function as it was written; else the name again.
    pub(crate) display_name: String,
    /// Whether it is computed, or a child set.
    pub(crate) aggregate: bool,
    pub(crate) custom: bool,
    /// None for parents and child sets.
    pub(crate) field_type: Option<FieldType>,
    /// Of a parent: the field that refers to it.
    pub(crate) foreign_key: Option<Arc<str>>,
    pub(crate) insertable: bool,
    pub(crate) updatable: bool,
    pub(crate) joined: Vec<Column>,
}

/// The columns of a statement that can be planned.
pub(super) fn columns(env: &Env<'_>, select: &Select) -> Asked<Columns> {
    plan(env, select)?;
    let object = super::select::queryable(env, &select.from)?;
    let (columns, group_by) = match &select.selection {
        Selection::Count(_) => (Vec::new(), false),
        Selection::Items(items) => (of_items(env, select, &object, items)?, is_grouped(select, items)),
    };
    let id_selected = columns.iter().any(|column| &*column.name == "Id");
    let (entity, key_prefix) = (Arc::clone(&object.name), object.key_prefix.clone());
    Ok(Columns { entity, key_prefix, group_by, id_selected, columns })
}

fn of_items(env: &Env<'_>, select: &Select, object: &Arc<ObjectDef>, items: &[SelectItem]) -> Asked<Vec<Column>> {
    let mut sql = Sql::default();
    let mut sources = Sources::new(env, &mut sql, object, &select.from);
    sources.add_aliases(&mut sql, &select.aliases)?;
    let grouped = is_grouped(select, items);
    let (mut columns, mut unnamed) = (Vec::new(), 0);
    for item in items {
        match &item.expr {
            SelectExpr::Expr(Expr::Field(path)) if !grouped => add_field(&mut sources, &mut sql, path, &mut columns)?,
            SelectExpr::Expr(expr) => columns.push(computed(&mut sources, &mut sql, expr, item, &mut unnamed)?),
            SelectExpr::Fields { group, .. } => {
                let wanted = |field: &&FieldDef| group.name.is("ALL") || field.flags.custom == group.name.is("CUSTOM");
                columns.extend(object.fields().iter().filter(wanted).map(Column::of_field));
            }
            SelectExpr::TypeOf(typeof_) => columns.push(Column::group(typeof_.relationship.name.text.as_str().into())),
            SelectExpr::Children(child) => columns.extend(of_children(env, object, child)?),
        }
    }
    Ok(columns)
}

/// Puts a field among the columns, inside those of its parents.
fn add_field(sources: &mut Sources<'_>, sql: &mut Sql, path: &FieldPath, columns: &mut Vec<Column>) -> Asked<()> {
    let resolved = sources.resolve(sql, path)?;
    let mut at = resolved.source;
    let mut parents = Vec::new();
    while let Some((parent, key)) = sources.relationship(at) {
        let foreign_key = sources.object_of(parent).parent(&key).map(|field| Arc::clone(&field.name));
        parents.push(Column { foreign_key, ..Column::group(key) });
        at = parent;
    }
    let mut into = columns;
    for parent in parents.into_iter().rev() {
        let known = into.iter().position(|column| column.name == parent.name);
        let known = known.unwrap_or_else(|| {
            into.push(parent);
            into.len() - 1
        });
        into = &mut into[known].joined;
    }
    into.push(Column::of_field(resolved.field()));
    Ok(())
}

fn computed(
    sources: &mut Sources<'_>,
    sql: &mut Sql,
    expr: &Expr,
    item: &SelectItem,
    unnamed: &mut usize,
) -> Asked<Column> {
    let (inner, formatted) = unformatted(expr);
    let (operand, is_grouping) = match inner {
        Expr::Call(call) if call.function.is("GROUPING") => (sources.operand(sql, &call.argument, true)?, true),
        expr => (sources.operand(sql, expr, true)?, false),
    };
    let field =
        operand.field().filter(|_| matches!(operand.form, Form::Field | Form::Label | Form::Converted) && !is_grouping);
    let name = result_name(item.alias.as_ref(), field.map(|field| Arc::clone(&field.name)), unnamed);
    let mut column = field.map_or_else(|| Column::group(Arc::clone(&name)), Column::of_field);
    if field.is_none() {
        column.aggregate = true;
        column.display_name = expr.to_string();
        column.field_type = Some(if is_grouping { FieldType::Int } else { operand.field_type });
    }
    if formatted {
        column.field_type = Some(FieldType::String);
    }
    Ok(Column { name, ..column })
}

fn of_children(env: &Env<'_>, parent: &ObjectDef, child: &Select) -> Asked<Option<Column>> {
    let Some(relationship) = parent.children(&child.from.path.name.text) else { return Ok(None) };
    let Some(object) = env.registry.object(&relationship.child_object) else { return Ok(None) };
    let joined = match &child.selection {
        Selection::Count(_) => Vec::new(),
        Selection::Items(items) => of_items(env, child, object, items)?,
    };
    let name = relationship.relationship_name.as_deref().unwrap_or_default().into();
    Ok(Some(Column { aggregate: true, joined, ..Column::group(name) }))
}

impl Column {
    fn of_field(field: &FieldDef) -> Self {
        Self {
            name: Arc::clone(&field.name),
            display_name: field.name.to_string(),
            aggregate: false,
            custom: field.flags.custom,
            field_type: Some(field.field_type),
            foreign_key: None,
            insertable: field.flags.createable,
            updatable: field.flags.updateable,
            joined: Vec::new(),
        }
    }

    /// A column that is no field.
    fn group(name: Arc<str>) -> Self {
        Self {
            display_name: name.to_string(),
            name,
            aggregate: false,
            custom: false,
            field_type: None,
            foreign_key: None,
            insertable: false,
            updatable: false,
            joined: Vec::new(),
        }
    }
}
