//! Queries: a SOQL statement is checked against the registry, becomes SQL on the store's tables, and its rows become
//! records again.
//!
//! `select` plans a statement, with `source` for paths to columns, `filter` for conditions, `grouping` for aggregates
//! and `projection` for what is selected; `run` asks the store; `cursor` holds what does not fit into a page.

mod columns;
mod cursor;
mod explain;
mod filter;
mod format;
mod formula;
mod function;
mod grouping;
mod local_time;
mod operand;
mod page;
mod projection;
mod refusal;
mod run;
mod searched;
mod select;
mod semi_join;
mod shape;
mod source;
mod sql;
#[cfg(test)]
mod tests;
mod value;

use tombolo_schema::ErrorCode;
use tombolo_soql::{Options, ast::Select, resolve_hours};

pub(crate) use columns::{Column, Columns};
pub(crate) use cursor::Cursors;
pub(super) use cursor::Set;
pub(crate) use explain::QueryPlan;
pub(crate) use searched::no_object;

use rusqlite::Connection;

use self::{
    cursor::Reading,
    refusal::{Refusal, of_parse},
    run::MAX_BATCH,
    select::{Plan, Rows},
    sql::Env,
};
use super::{
    Caller, Core, Registry,
    record::{CoreError, Fault, Page, Result},
};
use crate::store::{Snapshot, quoted};

/// What a query is asked with besides its text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct QueryOptions {
    /// Whether deleted rows are found, too: queryAll.
    pub(crate) include_deleted: bool,
    /// How many rows a page is to have.
    pub(crate) batch_size: Option<u32>,
}

/// The least a client may ask for (soql.md 7).
const MIN_BATCH: u32 = 200;

impl Core {
    /// The first page of a query's result.
    pub(crate) fn query(&self, caller: &Caller, soql: &str, options: QueryOptions) -> Result<Page> {
        let registry = self.schema();
        let select = self.parse(soql)?;
        let env = self.env(&registry, caller, options.include_deleted);
        let plan = select::plan(&env, &select).map_err(|refusal| refusal.fault(soql))?;
        let batch = batch(options.batch_size);
        let first = |connection: &Connection| {
            let mut reading = Reading::new(connection, batch, self.cursors());
            let page = run::first_page(&plan, &mut reading)?;
            Ok::<_, CoreError>((page, reading.into_sets()))
        };
        let owner = (caller.user_id, caller.session.as_str());
        let page = match &self.1 {
            Some(joint) => {
                let (page, sets) = joint.read(first)?;
                if !sets.is_empty() {
                    joint.hold(owner, sets);
                }
                page
            }
            None => {
                let ((page, sets), snapshot) = self.read_as_seen(|connection| {
                    let read = first(connection)?;
                    let keep = !read.1.is_empty();
                    Ok((read, keep))
                })?;
                if let Some(snapshot) = snapshot {
                    self.cursors().keep(owner, snapshot, sets, self.clock().now());
                }
                page
            }
        };
        if let Plan::Rows(rows) = &plan {
            self.look_at(rows, &page)?;
        }
        Ok(page)
    }

    /// Reads what queries see, which late rows are not part of.
    pub(crate) fn read_as_seen<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<(T, bool)>,
    ) -> Result<(T, Option<Snapshot>)> {
        if !self.has_late_rows() {
            return self.store().read_on(work);
        }
        self.store().read_apart(|connection| {
            self.cover_late_rows(connection)?;
            work(connection)
        })
    }

    /// The page of a held result that a locator points at.
    pub(crate) fn query_more(&self, caller: &Caller, locator: &str, batch_size: Option<u32>) -> Result<Page> {
        let (page, rows) = self.cursors().page(&caller.session, locator, batch(batch_size), self.clock().now())?;
        self.look_at(&rows, &page)?;
        Ok(page)
    }

    /// FOR VIEW and FOR REFERENCE: the rows of the page have been looked at, which is no change of them.
    fn look_at(&self, rows: &Rows, page: &Page) -> Result<()> {
        if rows.looked_at.is_empty() {
            return Ok(());
        }
        let now = self.clock().now().as_second() * 1000;
        let sets: Vec<_> = rows.looked_at.iter().map(|field| format!("{} = ?1", quoted(field))).collect();
        let ids: Vec<_> = page.records.iter().filter_map(|record| Some(record.id?.to_string())).collect();
        let sql = format!(
            "UPDATE {} SET {} WHERE \"Id\" IN (SELECT value FROM json_each(?2))",
            quoted(&rows.object.name),
            sets.join(", ")
        );
        let ids = serde_json::Value::from(ids).to_string();
        let look = |connection: &Connection| -> Result<()> {
            connection.prepare_cached(&sql)?.execute((now, ids))?;
            Ok(())
        };
        match &self.1 {
            Some(joint) => joint.read(look),
            None => self.store().write(|connection| look(connection)),
        }
    }

    /// The columns that a query's result would have.
    pub(crate) fn query_columns(&self, caller: &Caller, soql: &str) -> Result<Columns> {
        let registry = self.schema();
        let select = self.parse(soql)?;
        let env = self.env(&registry, caller, false);
        Ok(columns::columns(&env, &select).map_err(|refusal| refusal.fault(soql))?)
    }

    /// Reads a statement. `LAST_N_HOURS:n`, which no other org knows, becomes the moment it stands for.
    fn parse(&self, soql: &str) -> Result<Select, Fault> {
        let mut select = parse(soql)?;
        let resolved = resolve_hours(&mut select, self.clock().now());
        resolved.map_err(|error| Refusal::malformed(error.span, error.to_string()).fault(soql))?;
        Ok(select)
    }

    fn env<'a>(&'a self, registry: &'a Registry, caller: &Caller, include_deleted: bool) -> Env<'a> {
        Env::new(self, registry, caller, include_deleted)
    }
}

fn parse(soql: &str) -> Result<Select, Fault> {
    if soql.trim().is_empty() {
        return Err(Fault::new(ErrorCode::MalformedQuery, "SOQL statements cannot be empty or null"));
    }
    tombolo_soql::parse(soql, Options::default()).map_err(|error| of_parse(&error, soql))
}

fn batch(size: Option<u32>) -> usize {
    size.map_or(MAX_BATCH, |size| size.clamp(MIN_BATCH, MAX_BATCH as u32) as usize)
}

/// How SQLite goes about a query.
#[cfg(test)]
fn steps(core: &Core, registry: &Registry, caller: &Caller, soql: &str) -> String {
    let select = parse(soql).unwrap();
    let Plan::Rows(rows) = select::plan(&core.env(registry, caller, false), &select).unwrap() else { panic!("{soql}") };
    core.snapshot(|connection| Ok(explain::steps(connection, &rows)?)).unwrap().join("\n")
}
