//! Plans to records: one statement for the rows, one more for each child set.

use std::{collections::HashMap, sync::Arc};

use rusqlite::{CachedStatement, Connection, Row, params_from_iter};
use tombolo_schema::{ErrorCode, Id};

use super::{
    cursor::Reading,
    projection::ChildPlan,
    select::{Plan, Rows, Statement},
    shape::{Shape, Slot, id_of},
};
use crate::{
    core::record::{Fault, Output, Page, Record, Result},
    store::Cell,
};

/// No page has more rows than this.
pub(super) const MAX_BATCH: usize = 2000;

fn count(connection: &Connection, statement: &Statement) -> Result<u64> {
    let mut prepared = connection.prepare_cached(&statement.sql)?;
    let count: i64 = prepared.query_row(params_from_iter(&statement.params), |row| row.get(0))?;
    done(prepared, &statement.sql);
    Ok(u64::try_from(count).unwrap_or_default())
}

fn groups(connection: &Connection, statement: &Statement, shape: &Shape) -> Result<Vec<Record>> {
    let object: Arc<str> = "AggregateResult".into();
    let mut prepared = connection.prepare_cached(&statement.sql)?;
    let width = prepared.column_count();
    let mut rows = prepared.query(params_from_iter(&statement.params))?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        if records.len() == MAX_BATCH {
            let text =
                "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch";
            return Err(Fault::new(ErrorCode::ExceededIdLimit, text).into());
        }
        let cells: rusqlite::Result<Vec<Cell>> = (0..width).map(|i| row.get(i)).collect();
        records.push(shape.record(&object, None, &cells?));
    }
    drop(rows);
    done(prepared, &statement.sql);
    Ok(records)
}

/// Runs a query: its first rows become records, the others are held.
pub(super) fn first_page(plan: &Plan, reading: &mut Reading<'_>) -> Result<Page> {
    let rows = match plan {
        Plan::Count(statement) => {
            let total_size = count(reading.connection, statement)?;
            return Ok(Page { total_size, records: Vec::new(), next: None });
        }
        Plan::Groups { statement, shape } => {
            let records = groups(reading.connection, statement, shape)?;
            return Ok(Page { total_size: records.len() as u64, records, next: None });
        }
        Plan::Rows(rows) => rows,
    };
    let (found, ids) = rows.find(reading.connection, reading.batch)?;
    let (count, mut found) = (found.len(), found.into_iter());
    let records = rows.fitting(reading, count, |_, part| Ok(found.by_ref().take(part.len()).collect()))?;
    let total_size = ids.len() as u64;
    let next = (ids.len() > records.len()).then(|| reading.hold(rows, ids, records.len()));
    Ok(Page { total_size, records, next })
}

impl Rows {
    /// The first `batch` rows as records, and the Ids of all.
    pub(super) fn find(&self, connection: &Connection, batch: usize) -> Result<(Vec<Record>, Vec<Id>)> {
        let mut params = self.params.clone();
        let mut text = format!("SELECT {} FROM {} WHERE {}", self.columns.join(", "), self.from, self.condition);
        if !self.order.is_empty() {
            text.push_str(&format!(" ORDER BY {}", self.order));
        }
        if self.limit.is_some() || self.offset > 0 {
            params.extend([Cell::Integer(self.limit.unwrap_or(-1)), Cell::Integer(self.offset)]);
            text.push_str(&format!(" LIMIT ?{} OFFSET ?{}", params.len() - 1, params.len()));
        }
        let mut prepared = connection.prepare_cached(&text)?;
        let mut rows = prepared.query(params_from_iter(&params))?;
        let (mut records, mut ids) = (Vec::new(), Vec::new());
        while let Some(row) = rows.next()? {
            let Some(id) = id_of(&row.get(0)?) else { continue };
            if ids.len() < batch {
                records.push(self.record(row)?);
            }
            ids.push(id);
        }
        drop(rows);
        done(prepared, &text);
        Ok((records, ids))
    }

    /// The records with these Ids, in this order: as many as fit into a page.
    pub(super) fn by_id(&self, reading: &mut Reading<'_>, ids: &[Id]) -> Result<Vec<Record>> {
        self.fitting(reading, ids.len(), |reading, part| self.all_by_id(reading.connection, &ids[part]))
    }

    fn all_by_id(&self, connection: &Connection, ids: &[Id]) -> Result<Vec<Record>> {
        // The parameters of the condition are bound although it is not there: the columns' own are among them.
        let mut params = self.params.clone();
        let list = id_list(ids.iter().copied(), &mut params);
        let columns = self.columns.join(", ");
        let text = format!("SELECT {columns} FROM {} WHERE {} IN {list}", self.from, self.columns[0]);
        let mut prepared = connection.prepare_cached(&text)?;
        let mut rows = prepared.query(params_from_iter(&params))?;
        let mut by_id = HashMap::with_capacity(ids.len());
        while let Some(row) = rows.next()? {
            let record = self.record(row)?;
            by_id.insert(record.id, record);
        }
        Ok(ids.iter().filter_map(|id| by_id.remove(&Some(*id))).collect())
    }

    fn record(&self, row: &Row<'_>) -> Result<Record> {
        let cells: rusqlite::Result<Vec<Cell>> = (0..self.columns.len()).map(|i| row.get(i)).collect();
        Ok(self.shape.record(&self.object.name, Some(0), &cells?))
    }

    /// Fills the child sets of records of this shape: one query a set, whatever the number of records.
    pub(super) fn fill(&self, reading: &mut Reading<'_>, records: &mut [Record]) -> Result<()> {
        for (at, (_, slot)) in self.shape.fields.iter().enumerate() {
            let Slot::Children(child) = slot else { continue };
            let mut sets = self.children[*child].sets(reading, records.iter().filter_map(|record| record.id))?;
            for record in &mut *records {
                let set = record.id.and_then(|id| sets.remove(&id));
                record.fields[at].1 = set.map_or(Output::Null, |page| Output::Children(Box::new(page)));
            }
        }
        Ok(())
    }
}

impl ChildPlan {
    /// The children of these parents, by parent. Of a set that is too long, the first page.
    fn sets(&self, reading: &mut Reading<'_>, parents: impl Iterator<Item = Id>) -> Result<HashMap<Id, Page>> {
        let rows = &self.rows;
        let mut params = rows.params.clone();
        let list = id_list(parents, &mut params);
        let text = self.sql(&list);
        let mut prepared = reading.connection.prepare_cached(&text)?;
        let mut found = prepared.query(params_from_iter(&params))?;
        let mut ids: HashMap<Id, Vec<Id>> = HashMap::new();
        let (mut parents, mut records) = (Vec::new(), Vec::new());
        while let Some(row) = found.next()? {
            let (id, parent) = (id_of(&row.get(0)?), id_of(&row.get(rows.columns.len())?));
            let (Some(id), Some(parent)) = (id, parent) else { continue };
            let siblings = ids.entry(parent).or_default();
            if siblings.len() < reading.batch {
                parents.push(parent);
                records.push(rows.record(row)?);
            }
            siblings.push(id);
        }
        rows.fill(reading, &mut records)?;
        let mut pages: HashMap<Id, Page> = HashMap::with_capacity(ids.len());
        for (parent, siblings) in ids {
            let total_size = siblings.len() as u64;
            let next = (siblings.len() > reading.batch).then(|| reading.hold(rows, siblings, reading.batch));
            pages.insert(parent, Page { total_size, records: Vec::new(), next });
        }
        for (parent, record) in parents.into_iter().zip(records) {
            if let Some(page) = pages.get_mut(&parent) {
                page.records.push(record);
            }
        }
        Ok(pages)
    }

    fn sql(&self, parents: &str) -> String {
        let Self { rows, reference } = self;
        let columns = rows.columns.join(", ");
        let from = format!("FROM {} WHERE {reference} IN {parents} AND {}", rows.from, rows.condition);
        let order = if rows.order.is_empty() { String::new() } else { format!("ORDER BY {}", rows.order) };
        if rows.limit.is_none() && rows.offset == 0 {
            return format!("SELECT {columns}, {reference} {from} {order}");
        }
        // LIMIT and OFFSET are meant for each parent's children.
        let first = rows.offset;
        let last = rows.limit.map_or(i64::MAX, |limit| first.saturating_add(limit));
        let named: Vec<_> = rows.columns.iter().enumerate().map(|(i, column)| format!("{column} AS c{i}")).collect();
        let names: Vec<_> = (0..rows.columns.len()).map(|i| format!("c{i}")).collect();
        format!(
            "SELECT {}, parent FROM (SELECT {}, {reference} AS parent, \
             ROW_NUMBER() OVER (PARTITION BY {reference} {order}) AS place {from}) \
             WHERE place > {first} AND place <= {last} ORDER BY place",
            names.join(", "),
            named.join(", ")
        )
    }
}

/// Statements longer than this are not kept for the next time: they are one of a kind.
const KEPT: usize = 8192;

/// Gives a statement back to be used again, unless it is too long to be kept.
fn done(statement: CachedStatement<'_>, text: &str) {
    if text.len() > KEPT {
        statement.discard();
    }
}

/// Ids as one parameter, to stand behind `IN`.
fn id_list(ids: impl Iterator<Item = Id>, params: &mut Vec<Cell>) -> String {
    let ids: Vec<_> = ids.map(|id| serde_json::Value::from(id.as_str())).collect();
    params.push(Cell::Text(serde_json::Value::from(ids).to_string()));
    format!("(SELECT value FROM json_each(?{}))", params.len())
}
