//! Aggregates, GROUP BY and HAVING: rows that are groups of rows (soql.md 5).

use std::sync::Arc;

use tombolo_schema::FieldType;
use tombolo_soql::ast::{Condition, Expr, GroupBy, Name, Select, SelectExpr, SelectItem, Span};

use super::{
    filter::Context,
    format::Written,
    function::unformatted,
    operand::{Form, Operand},
    refusal::{Asked, Refusal},
    select::{Plan, Statement, bounds, order_term, picklist_place},
    shape::{Shape, Slot},
    source::Sources,
    sql::Sql,
};
use crate::store::Cell;

/// ROLLUP and CUBE take up to this many fields.
const MAX_SUBTOTALS: usize = 3;

/// Something selected or ordered by, for whichever keys a row is grouped by.
enum Term {
    /// The key of this number; null in a subtotal over it.
    Key(usize),
    /// Where the key of this number comes among the values of its picklist; null in a subtotal over it.
    Place(usize, String),
    /// Computed from the group.
    Aggregate(String),
    /// 1 in a subtotal over the key of this number, else 0.
    Grouping(usize),
}

/// What is grouped by, while the condition of one set of groups is written.
#[derive(Debug)]
pub(super) struct GroupedBy {
    keys: Vec<(String, Form)>,
    set: u32,
}

/// Something selected.
struct Item {
    term: Term,
    slot: Slot,
    /// The field's name, if it is one.
    name: Option<Arc<str>>,
    span: Span,
}

struct Groups<'s, 'a> {
    sources: &'s mut Sources<'a>,
    sql: &'s mut Sql,
    keys: Vec<Operand>,
}

pub(super) fn plan(sources: &mut Sources<'_>, mut sql: Sql, select: &Select, items: &[SelectItem]) -> Asked<Plan> {
    check_bounds(select)?;
    let keys = keys(sources, &mut sql, select.group_by.as_ref())?;
    let mut groups = Groups { sources, sql: &mut sql, keys };
    let mut shape = Shape::default();
    let mut terms = Vec::new();
    let mut unnamed = 0;
    for item in items {
        let found = groups.item(item, terms.len())?;
        let key = result_name(item.alias.as_ref(), found.name, &mut unnamed);
        if shape.get_mut(&key).is_some() {
            return Err(Refusal::malformed(found.span, format!("duplicate alias: {key}")));
        }
        shape.push(key, found.slot);
        terms.push(found.term);
    }
    let sets = sets(select.group_by.as_ref(), groups.keys.len());
    let having = groups.having(select.having.as_ref(), &sets)?;
    let order = groups.order(select, &mut terms)?;
    let keys: Vec<_> = groups.keys.iter().map(|key| key.sql.clone()).collect();
    let condition = sources.whole_condition(&mut sql, select)?;
    let from = sources.joined_tables();
    let parts = sets.into_iter().zip(having).map(|(set, having)| {
        let columns: Vec<_> = terms.iter().map(|term| term.sql(set, &keys)).collect();
        let mut part = format!("SELECT {} FROM {from} WHERE {condition}", columns.join(", "));
        let grouped: Vec<_> =
            keys.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1).map(|(_, k)| k.as_str()).collect();
        if !grouped.is_empty() {
            part.push_str(&format!(" GROUP BY {}", grouped.join(", ")));
        } else if !keys.is_empty() {
            // The grand total of no rows at all is no row.
            part.push_str(" GROUP BY NULL");
        }
        if let Some(having) = having {
            part.push_str(&format!(" HAVING {having}"));
        }
        part
    });
    let mut text = format!("SELECT * FROM ({})", parts.collect::<Vec<_>>().join(" UNION ALL "));
    if !order.is_empty() {
        text.push_str(&format!(" ORDER BY {order}"));
    }
    let (limit, offset) = bounds(sources, select)?;
    let (limit, offset) = (sql.bind(Cell::Integer(limit.unwrap_or(-1))), sql.bind(Cell::Integer(offset)));
    text.push_str(&format!(" LIMIT {limit} OFFSET {offset}"));
    Ok(Plan::Groups { statement: Statement { sql: text, params: sql.params }, shape })
}

fn check_bounds(select: &Select) -> Asked<()> {
    let refused = |span: Span, clause: &str| {
        let text = format!("Non-grouped query that uses overall aggregate functions cannot also use {clause}");
        Err(Refusal::malformed(span, text))
    };
    match (&select.group_by, &select.limit, &select.offset) {
        (None, Some(limit), _) => refused(limit.span, "LIMIT"),
        (None, None, Some(offset)) => refused(offset.span, "OFFSET"),
        _ => Ok(()),
    }
}

fn keys(sources: &mut Sources<'_>, sql: &mut Sql, group_by: Option<&GroupBy>) -> Asked<Vec<Operand>> {
    let Some(group_by) = group_by else { return Ok(Vec::new()) };
    let exprs = group_by.exprs();
    if !matches!(group_by, GroupBy::Plain(_))
        && let Some(expr) = exprs.get(MAX_SUBTOTALS)
    {
        let text = format!("GROUP BY ROLLUP and CUBE take at most {MAX_SUBTOTALS} fields");
        return Err(Refusal::malformed(expr.span(), text));
    }
    let mut keys: Vec<Operand> = Vec::with_capacity(exprs.len());
    for expr in exprs {
        let key = sources.operand(sql, expr, false)?;
        let ungroupable =
            key.field().filter(|field| key.form == Form::Field && !(field.flags.groupable && field.is_stored()));
        if let Some(field) = ungroupable {
            let text = format!("field '{}' can not be grouped in a query call", field.name);
            return Err(Refusal::invalid_field(key.span, text));
        }
        if key.form == Form::Label || key.resolved.is_none() {
            let text = format!("Only date aggregate functions are allowed as grouping expressions: {expr}");
            return Err(Refusal::malformed(key.span, text));
        }
        if keys.iter().any(|known| known.sql == key.sql) {
            return Err(Refusal::malformed(key.span, format!("duplicate grouping expression: {expr}")));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// The keys that rows are grouped by, as bits: one set, or all that ROLLUP or CUBE make subtotals of.
fn sets(group_by: Option<&GroupBy>, keys: usize) -> Vec<u32> {
    let all = 1u32.checked_shl(keys as u32).map_or(u32::MAX, |bit| bit - 1);
    match group_by {
        Some(GroupBy::Rollup(_)) => (0..=keys).rev().map(|first| (1 << first) - 1).collect(),
        Some(GroupBy::Cube(_)) => (0..=all).rev().collect(),
        _ => vec![all],
    }
}

/// The name of a value: its alias, its field's, or a number among those without one.
pub(super) fn result_name(alias: Option<&Name>, field: Option<Arc<str>>, unnamed: &mut usize) -> Arc<str> {
    if let Some(alias) = alias {
        return alias.text.as_str().into();
    }
    field.unwrap_or_else(|| {
        *unnamed += 1;
        format!("expr{}", *unnamed - 1).into()
    })
}

impl Term {
    fn sql(&self, set: u32, keys: &[String]) -> String {
        let is_grouped = |key: usize| set >> key & 1 == 1;
        match self {
            Self::Key(key) if is_grouped(*key) => keys[*key].clone(),
            Self::Place(key, sql) if is_grouped(*key) => sql.clone(),
            Self::Key(_) | Self::Place(..) => "NULL".to_owned(),
            Self::Aggregate(sql) => sql.clone(),
            Self::Grouping(key) => if is_grouped(*key) { "0" } else { "1" }.to_owned(),
        }
    }
}

impl Groups<'_, '_> {
    fn item(&mut self, item: &SelectItem, column: usize) -> Asked<Item> {
        let SelectExpr::Expr(expr) = &item.expr else {
            let text = match &item.expr {
                SelectExpr::Fields { group, .. } => format!("Field must be grouped or aggregated: FIELDS({group})"),
                _ => "Only fields and functions may be selected in a query that groups or aggregates".to_owned(),
            };
            return Err(Refusal::malformed(item.expr.span(), text));
        };
        let (inner, formatted) = unformatted(expr);
        let (term, operand) = self.term(inner)?;
        self.check_ungrouped(&operand)?;
        let field = operand.field();
        let is_field = matches!(term, Term::Key(_)) && operand.form == Form::Field;
        let name = field.filter(|_| is_field).map(|field| Arc::clone(&field.name));
        let field_type = if matches!(term, Term::Grouping(_)) { FieldType::Int } else { operand.field_type };
        let slot = match field {
            Some(field) if formatted => {
                Slot::Formatted { column, form: Written::of(self.sources.env, field_type, field)? }
            }
            _ => Slot::Value { column, field_type },
        };
        Ok(Item { term, slot, name, span: operand.span })
    }

    /// What is grouped by is not aggregated in SELECT, too.
    fn check_ungrouped(&self, operand: &Operand) -> Asked<()> {
        let field = operand.resolved.as_ref().filter(|_| operand.form == Form::Aggregate);
        let column = field.map(|field| self.sources.column(field.source, field.field()));
        match self.keys.iter().find(|key| column.as_ref() == Some(&key.sql)) {
            Some(key) => {
                let text = format!("Grouped field should not be aggregated: {}", key.name);
                Err(Refusal::malformed(operand.span, text))
            }
            None => Ok(()),
        }
    }

    fn term(&mut self, expr: &Expr) -> Asked<(Term, Operand)> {
        if let Expr::Call(call) = expr
            && call.function.is("GROUPING")
        {
            let operand = self.sources.operand(self.sql, &call.argument, false)?;
            return match self.keys.iter().position(|key| key.sql == operand.sql) {
                Some(key) => Ok((Term::Grouping(key), operand)),
                None => Err(ungrouped(&operand)),
            };
        }
        let operand = self.sources.operand(self.sql, expr, true)?;
        if operand.form == Form::Aggregate {
            return Ok((Term::Aggregate(operand.sql.clone()), operand));
        }
        match self.keys.iter().position(|key| key.sql == operand.sql && key.form == operand.form) {
            Some(key) => Ok((Term::Key(key), operand)),
            None => Err(ungrouped(&operand)),
        }
    }

    /// HAVING, for each set of groups.
    fn having(&mut self, having: Option<&Condition>, sets: &[u32]) -> Asked<Vec<Option<String>>> {
        let Some(having) = having else { return Ok(vec![None; sets.len()]) };
        self.check_having(having)?;
        let mut conditions = Vec::with_capacity(sets.len());
        for &set in sets {
            let keys = self.keys.iter().map(|key| (key.sql.clone(), key.form)).collect();
            self.sources.grouped_by = Some(GroupedBy { keys, set });
            conditions.push(Some(self.sources.condition(self.sql, having, Context::HAVING)?));
        }
        self.sources.grouped_by = None;
        Ok(conditions)
    }

    /// Whatever HAVING compares has to be grouped by or aggregated.
    fn check_having(&mut self, condition: &Condition) -> Asked<()> {
        match condition {
            Condition::And(operands) | Condition::Or(operands) => {
                operands.iter().try_for_each(|operand| self.check_having(operand))
            }
            Condition::Not(inner) => self.check_having(inner),
            comparison => comparison.left().map_or(Ok(()), |left| self.term(left).map(drop)),
        }
    }

    /// ORDER BY; what it orders by becomes further columns.
    fn order(&mut self, select: &Select, terms: &mut Vec<Term>) -> Asked<String> {
        let mut order = Vec::new();
        for item in &select.order_by {
            let (term, operand) = self.term(&item.expr)?;
            if let (Term::Key(key), Some(place)) = (&term, picklist_place(self.sql, &operand)) {
                terms.push(Term::Place(*key, place));
                order.push(order_term(&terms.len().to_string(), item));
            }
            terms.push(term);
            let collation = if operand.field_type.is_text() { " COLLATE SF" } else { "" };
            order.push(order_term(&format!("{}{collation}", terms.len()), item));
        }
        Ok(order.join(", "))
    }
}

impl Sources<'_> {
    /// The left side of a condition of HAVING. What a subtotal runs over is null in it.
    pub(super) fn grouped_operand(&mut self, sql: &mut Sql, expr: &Expr) -> Asked<Operand> {
        let (inner, is_grouping) = match expr {
            Expr::Call(call) if call.function.is("GROUPING") => (&*call.argument, true),
            other => (other, false),
        };
        let operand = self.operand(sql, inner, !is_grouping)?;
        let Some(GroupedBy { keys, set }) = &self.grouped_by else { return Ok(operand) };
        let key = keys.iter().position(|(sql, form)| *sql == operand.sql && *form == operand.form);
        let is_total = key.is_some_and(|key| set >> key & 1 == 0);
        if is_grouping {
            let sql = if is_total { "1" } else { "0" }.to_owned();
            let form = Form::Computed;
            return Ok(Operand { sql, field_type: FieldType::Int, resolved: None, form, ..operand });
        }
        Ok(if is_total { Operand { sql: "NULL".to_owned(), ..operand } } else { operand })
    }
}

fn ungrouped(operand: &Operand) -> Refusal {
    Refusal::malformed(operand.span, format!("Field must be grouped or aggregated: {}", operand.name))
}
