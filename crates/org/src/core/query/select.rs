//! A statement to a plan: the SQL to run and the shape of what comes back.

use std::sync::Arc;

use tombolo_schema::{ApiVersion, ErrorCode, FieldType};
use tombolo_soql::ast::{
    Bound, Count, Direction, Expr, Name, Nulls, ObjectRef, OrderItem, Purpose, Select, SelectExpr, SelectItem,
    Selection, Span, Using, With,
};

use super::{
    filter::Context,
    function::Function,
    grouping,
    operand::{Form, Operand},
    projection::{ChildPlan, Projection},
    refusal::{Asked, Refusal},
    shape::Shape,
    source::Sources,
    sql::{Env, Sql, joined},
};
use crate::{
    core::schema::{Kind, ObjectDef},
    store::Cell,
};

const MAX_OFFSET: i64 = 2000;
/// SQLite joins no more tables than this, and selects no more columns.
const MAX_TABLES: usize = 60;
const MAX_COLUMNS: usize = 1900;
/// What SQLite takes as the text of a statement, with room for what paging adds.
const MAX_SQL: usize = 900_000;

/// What to run for a statement.
#[derive(Debug)]
pub(super) enum Plan {
    /// `COUNT()`: only how many.
    Count(Statement),
    /// Rows of an object; the first column is the Id.
    Rows(Arc<Rows>),
    /// Groups of rows, each an AggregateResult.
    Groups { statement: Statement, shape: Shape },
}

/// SQL and its parameters.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) params: Vec<Cell>,
}

/// The parts of a SELECT of rows, from which the statements for pages and for child sets are put together.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) object: Arc<ObjectDef>,
    pub(super) columns: Vec<String>,
    pub(super) from: String,
    pub(super) condition: String,
    pub(super) order: String,
    pub(super) limit: Option<i64>,
    pub(super) offset: i64,
    pub(super) params: Vec<Cell>,
    pub(super) shape: Shape,
    pub(super) children: Vec<ChildPlan>,
    /// The fields that tell when a row was last looked at: FOR VIEW, FOR REFERENCE.
    pub(super) looked_at: Vec<&'static str>,
}

/// The plan of a whole statement.
pub(super) fn plan(env: &Env<'_>, select: &Select) -> Asked<Plan> {
    let object = queryable(env, &select.from)?;
    check_update(select)?;
    let mut sql = Sql::default();
    let mut sources = Sources::new(env, &mut sql, &object, &select.from);
    sources.add_aliases(&mut sql, &select.aliases)?;
    let plan = match &select.selection {
        Selection::Count(span) => count(&mut sources, sql, select, *span).map(Plan::Count)?,
        Selection::Items(items) if is_grouped(select, items) => grouping::plan(&mut sources, sql, select, items)?,
        Selection::Items(items) => rows(&mut sources, sql, select, items, 1).map(|rows| Plan::Rows(Arc::new(rows)))?,
    };
    check_size(&sources, &plan)?;
    Ok(plan)
}

/// The object that FROM names, if it can be queried.
pub(super) fn queryable(env: &Env<'_>, from: &ObjectRef) -> Asked<Arc<ObjectDef>> {
    let name = &from.path.name;
    let object = env.registry.object(&name.text).filter(|_| from.path.parents.is_empty());
    let Some(object) = object else { return Err(Refusal::no_object(from.path.span(), &from.path.to_string())) };
    check_queryable(object, name.span)?;
    Ok(Arc::clone(object))
}

pub(super) fn check_queryable(object: &ObjectDef, span: Span) -> Asked<()> {
    if object.kind == Kind::Rows && object.flags.queryable {
        return Ok(());
    }
    let text = format!("entity type {} does not support query", object.name);
    Err(Refusal::at(span, ErrorCode::from("INVALID_TYPE_FOR_OPERATION"), text))
}

/// `UPDATE` counts what articles are looked at, which nobody here asks for later: so it does nothing.
fn check_update(select: &Select) -> Asked<()> {
    match select.update.iter().find(|name| !name.is("TRACKING") && !name.is("VIEWSTAT")) {
        Some(name) => Err(Refusal::malformed(name.span, format!("unexpected token: '{}'", name.text))),
        None => Ok(()),
    }
}

fn check_size(sources: &Sources<'_>, plan: &Plan) -> Asked<()> {
    let (columns, length) = match plan {
        Plan::Count(statement) | Plan::Groups { statement, .. } => (0, statement.sql.len()),
        Plan::Rows(rows) => {
            (rows.columns.len(), rows.condition.len() + rows.columns.iter().map(String::len).sum::<usize>())
        }
    };
    if sources.tables() > MAX_TABLES || columns > MAX_COLUMNS || length > MAX_SQL {
        let text = "Query is either selecting too many fields or the filter conditions are too complicated.";
        return Err(Refusal::of_query(ErrorCode::QueryTooComplicated, text));
    }
    Ok(())
}

pub(super) fn is_grouped(select: &Select, items: &[SelectItem]) -> bool {
    select.group_by.is_some() || items.iter().any(|item| matches!(&item.expr, SelectExpr::Expr(e) if is_aggregate(e)))
}

fn is_aggregate(expr: &Expr) -> bool {
    let Expr::Call(call) = expr else { return false };
    matches!(Function::from_name(&call.function.text), Some(Function::Aggregate(_))) || is_aggregate(&call.argument)
}

fn count(sources: &mut Sources<'_>, mut sql: Sql, select: &Select, span: Span) -> Asked<Statement> {
    if select.group_by.is_some() {
        return Err(Refusal::malformed(span, "COUNT() and GROUP BY may not be used together"));
    }
    if !select.order_by.is_empty() {
        return Err(Refusal::malformed(span, "COUNT() and ORDER BY may not be used together"));
    }
    let condition = sources.whole_condition(&mut sql, select)?;
    let (limit, offset) = bounds(sources, select)?;
    let from = sources.joined_tables();
    let text = match (limit, offset) {
        (None, 0) => format!("SELECT COUNT(*) FROM {from} WHERE {condition}"),
        _ => {
            let limit = sql.bind(Cell::Integer(limit.unwrap_or(-1)));
            let offset = sql.bind(Cell::Integer(offset));
            format!("SELECT COUNT(*) FROM (SELECT 1 FROM {from} WHERE {condition} LIMIT {limit} OFFSET {offset})")
        }
    };
    Ok(Statement { sql: text, params: sql.params })
}

/// The plan of rows, of the statement itself or of a child query `level - 1` levels below it.
pub(super) fn rows(
    sources: &mut Sources<'_>,
    mut sql: Sql,
    select: &Select,
    items: &[SelectItem],
    level: usize,
) -> Asked<Rows> {
    let mut projection = Projection::new(sources, &mut sql, level);
    for item in items {
        projection.add(item, select)?;
    }
    let Projection { columns, shape, children, .. } = projection;
    let condition = sources.whole_condition(&mut sql, select)?;
    let order = sources.order(&mut sql, &select.order_by)?;
    let (limit, offset) = bounds(sources, select)?;
    Ok(Rows {
        object: Arc::clone(sources.root()),
        columns,
        from: sources.joined_tables(),
        condition,
        order,
        limit,
        offset,
        params: sql.params,
        shape,
        children,
        looked_at: looked_at(sources.root(), &select.purposes),
    })
}

fn looked_at(object: &ObjectDef, purposes: &[Purpose]) -> Vec<&'static str> {
    let fields = purposes.iter().filter_map(|purpose| match purpose {
        Purpose::View => Some("LastViewedDate"),
        Purpose::Reference => Some("LastReferencedDate"),
        Purpose::Update => None,
    });
    fields.filter(|name| object.column_of(name).is_some()).collect()
}

/// LIMIT and OFFSET.
pub(super) fn bounds(sources: &Sources<'_>, select: &Select) -> Asked<(Option<i64>, i64)> {
    let number = |bound: &Bound| match bound.count {
        Count::Number(number) if number >= 0 => Ok(number),
        Count::Number(_) => Err(Refusal::malformed(bound.span, "unexpected token: '-'")),
        Count::Bind(_) => Err(Refusal::malformed(bound.span, "Bind variables only allowed in Apex code")),
    };
    let limit = select.limit.as_ref().map(number).transpose()?;
    let offset = select.offset.as_ref().map(number).transpose()?.unwrap_or(0);
    if offset > MAX_OFFSET {
        let text = format!("Maximum SOQL offset allowed for apiName {} is {MAX_OFFSET}", sources.root().name);
        return Err(Refusal::of_query(ErrorCode::NumberOutsideValidRange, text));
    }
    Ok((limit, offset))
}

impl Sources<'_> {
    /// WHERE, together with what every query asks besides.
    pub(super) fn whole_condition(&mut self, sql: &mut Sql, select: &Select) -> Asked<String> {
        let mut conditions = Vec::new();
        self.add_scope(&mut conditions, select.using.as_ref(), &select.with)?;
        if let Some(condition) = &select.condition {
            conditions.push(self.condition(sql, condition, Context::WHERE)?);
        }
        Ok(joined(conditions, "AND"))
    }

    /// Leaves out deleted rows, and applies USING and WITH.
    pub(super) fn add_scope(&self, conditions: &mut Vec<String>, using: Option<&Using>, with: &[With]) -> Asked<()> {
        if self.root().has_recycle_bin() && !self.env.include_deleted {
            conditions.push(format!("{} = 0", self.root_column("IsDeleted")));
        }
        match using {
            None => {}
            Some(Using::Scope(name)) => conditions.extend(self.scope(name)?),
            Some(Using::Lookup { field, .. }) => return Err(Refusal::unsupported(field.span(), "USING LOOKUP")),
        }
        // The org's user sees every row and field, so the modes of access change nothing.
        let modes = ["SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"];
        match with.iter().find(|with| !matches!(with, With::Mode(name) if modes.iter().any(|mode| name.is(mode)))) {
            None => Ok(()),
            Some(With::Mode(name) | With::Setting(name, _) | With::Context { name, .. }) => {
                Err(Refusal::unsupported(name.span, &format!("WITH {}", name.text)))
            }
            Some(With::DataCategory(filters)) => {
                let span = filters.first().map_or_else(Span::default, |filter| filter.group.span);
                Err(Refusal::unsupported(span, "WITH DATA CATEGORY"))
            }
        }
    }

    /// The rows that a scope leaves. The one user belongs to no team, delegates to nobody and has no territory:
    /// what it and its groups have is what it owns.
    fn scope(&self, name: &Name) -> Asked<Option<String>> {
        let object = self.root();
        let owner = object.field("OwnerId").map(|_| self.root_column("OwnerId"));
        let offered = object.supported_scopes.iter().any(|scope| name.is(&scope.name));
        let is = |words: &[&str]| words.iter().any(|word| name.is(word));
        match owner {
            _ if is(&["everything"]) || (offered && is(&["scopingRule"])) => Ok(None),
            Some(owner) if is(&["mine"]) || (offered && is(&["team", "mine_and_my_groups"])) => {
                Ok(Some(format!("{owner} = '{}'", self.env.user)))
            }
            _ if offered => Ok(Some("0".to_owned())),
            _ => {
                let text = format!("USING SCOPE {} is not supported for {}", name.text, object.name);
                Err(Refusal::malformed(name.span, text))
            }
        }
    }

    /// ORDER BY; rows that it does not tell apart come by Id.
    fn order(&mut self, sql: &mut Sql, items: &[OrderItem]) -> Asked<String> {
        let mut order = Vec::with_capacity(items.len() + 1);
        for item in items {
            let operand = self.operand(sql, &item.expr, false)?;
            if let Some(field) = operand.field().filter(|field| !field.flags.sortable) {
                let text = format!("field '{}' can not be sorted in a query call", field.name);
                return Err(Refusal::invalid_field(operand.span, text));
            }
            order.extend(picklist_place(sql, &operand).map(|place| order_term(&place, item)));
            order.push(order_term(&operand.sql, item));
        }
        if !order.is_empty() {
            order.push(self.root_column("Id"));
        }
        Ok(order.join(", "))
    }
}

/// The place of a picklist's value among those that are defined: they come in that order, others after them.
pub(super) fn picklist_place(sql: &mut Sql, operand: &Operand) -> Option<String> {
    let is_picklist = operand.form == Form::Field && operand.field_type == FieldType::Picklist;
    let values = &operand.field().filter(|field| is_picklist && !field.picklist_values.is_empty())?.picklist_values;
    let values: Vec<_> = values.iter().map(|value| value.value.as_str()).collect();
    Some(format!("sf_place({}, {})", operand.sql, sql.bind(Cell::Text(values.join("\n")))))
}

/// Nulls come first unless it says otherwise, downwards, too (soql.md 6).
pub(super) fn order_term(column: &str, item: &OrderItem) -> String {
    let direction = if item.direction == Some(Direction::Descending) { "DESC" } else { "ASC" };
    let nulls = if item.nulls == Some(Nulls::Last) { "LAST" } else { "FIRST" };
    format!("{column} {direction} NULLS {nulls}")
}

/// How deep child queries may go, counting the statement itself (soql.md 2).
pub(super) fn max_level(version: ApiVersion) -> usize {
    if version.major() >= 58 { 5 } else { 2 }
}
