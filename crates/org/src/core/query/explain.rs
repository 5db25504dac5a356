//! `query?explain=`: how a query would be gone about, told instead of its rows (rest.md 2.5).

use std::sync::Arc;

use rusqlite::{Connection, params_from_iter};
use tombolo_soql::ast::{Condition, Expr, FieldPath, Name, Select, SelectExpr, SelectItem, Selection};

use super::select::{self, Plan, Rows};
use crate::{
    core::{
        Caller, Core, ObjectDef,
        record::{CoreError, Result},
        schema::storage::is_indexed,
    },
    store::quoted,
};

/// One way to go about a query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QueryPlan {
    /// How many rows there are to be looked at.
    pub(crate) cardinality: u64,
    /// The fields whose indexes are used.
    pub(crate) fields: Vec<String>,
    pub(crate) notes: Vec<PlanNote>,
    /// As a part of what looking at every row would cost.
    pub(crate) cost: f64,
    pub(crate) object_cardinality: u64,
    pub(crate) object: Arc<str>,
}

/// Why a filter is of no help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlanNote {
    pub(crate) description: &'static str,
    pub(crate) fields: Vec<String>,
}

impl Core {
    /// The ways to go about a query, the cheapest first.
    pub(crate) fn explain(&self, caller: &Caller, soql: &str) -> Result<Vec<QueryPlan>> {
        let registry = self.schema();
        let select = self.parse(soql)?;
        let env = self.env(&registry, caller, false);
        select::plan(&env, &select).map_err(|refusal| refusal.fault(soql))?;
        let object = select::queryable(&env, &select.from).map_err(|refusal| refusal.fault(soql))?;
        let notes = notes(&object, &select);
        let Plan::Rows(rows) = select::plan(&env, &only_found(select)).map_err(|refusal| refusal.fault(soql))? else {
            return Err(CoreError::Internal("a query of Ids is planned as something else".to_owned()));
        };
        self.snapshot(|connection| plans(connection, &object, &rows, notes))
    }
}

/// The query of the Ids of what a query is about.
fn only_found(select: Select) -> Select {
    let name = Name { text: "Id".to_owned(), span: select.span };
    let id = SelectExpr::Expr(Expr::Field(FieldPath { parents: Vec::new(), name }));
    Select {
        selection: Selection::Items(vec![SelectItem { expr: id, alias: None }]),
        group_by: None,
        having: None,
        order_by: Vec::new(),
        limit: None,
        offset: None,
        ..select
    }
}

fn plans(connection: &Connection, object: &ObjectDef, rows: &Rows, notes: Vec<PlanNote>) -> Result<Vec<QueryPlan>> {
    let all: i64 = connection.query_row(&format!("SELECT COUNT(*) FROM {}", quoted(&object.name)), [], |r| r.get(0))?;
    let count = format!("SELECT COUNT(*) FROM {} WHERE {}", rows.from, rows.condition);
    let found: i64 = connection.query_row(&count, params_from_iter(&rows.params), |row| row.get(0))?;
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    let scan = QueryPlan {
        cardinality: count(found),
        fields: Vec::new(),
        notes,
        cost: 1.0,
        object_cardinality: count(all),
        object: Arc::clone(&object.name),
    };
    let fields = indexed_fields(&steps(connection, rows)?);
    if fields.is_empty() {
        return Ok(vec![scan]);
    }
    let cost = found as f64 / all.max(1) as f64;
    let index = QueryPlan { fields, cost, ..scan.clone() };
    Ok(vec![index, scan])
}

/// What SQLite does for the rows, step by step.
pub(super) fn steps(connection: &Connection, rows: &Rows) -> rusqlite::Result<Vec<String>> {
    let Rows { columns, from, condition, params, .. } = rows;
    let sql = format!("EXPLAIN QUERY PLAN SELECT {} FROM {from} WHERE {condition}", columns.join(", "));
    let mut prepared = connection.prepare(&sql)?;
    prepared.query_map(params_from_iter(params), |row| row.get(3))?.collect()
}

/// The fields by which the rows of the object itself are looked up: `SEARCH t1 USING INDEX … (Name>? AND Name<?)`.
fn indexed_fields(steps: &[String]) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    for step in steps.iter().filter(|step| step.starts_with("SEARCH t1 USING ")) {
        let Some((_, terms)) = step.rsplit_once('(') else { continue };
        for term in terms.trim_end_matches(')').split(" AND ") {
            let name: String = term.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if !fields.contains(&name) {
                fields.push(name);
            }
        }
    }
    fields
}

/// The fields of filters that no index helps with.
fn notes(object: &ObjectDef, select: &Select) -> Vec<PlanNote> {
    let mut names: Vec<_> = object.has_recycle_bin().then(|| "IsDeleted".to_owned()).into_iter().collect();
    let mut conditions: Vec<&Condition> = select.condition.iter().collect();
    while let Some(condition) = conditions.pop() {
        match condition {
            Condition::And(inner) | Condition::Or(inner) => conditions.extend(inner.iter().rev()),
            Condition::Not(inner) => conditions.push(inner),
            comparison => {
                let Some(Expr::Field(path)) = comparison.left() else { continue };
                let field = object.field(&path.name.text).filter(|_| path.parents.is_empty());
                let unindexed = field.filter(|field| &*field.name != "Id" && !is_indexed(object, field));
                names.extend(unindexed.map(|field| field.name.to_string()).filter(|name| !names.contains(name)));
            }
        }
    }
    let description = "Not considering filter for optimization because unindexed";
    names.into_iter().map(|name| PlanNote { description, fields: vec![name] }).collect()
}
