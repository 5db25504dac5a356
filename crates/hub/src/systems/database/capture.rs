//! Capturing: which triggers stand on which tables, and who is told.

use std::collections::BTreeSet;

use super::{
    dialect::{Dialect, Sql},
    fault::{Fault, FaultKind},
    layout::{self, fingerprint},
    mapped::{Captured, Mapped, MappedEnd},
    session::Session,
    table::{Column, Table},
};

/// The code of a table that stands without its triggers; to the engine the one that it knew is gone.
pub(super) const UNCAPTURED: &str = "UNDEFINED_TABLE";

/// PostgreSQL: the setting that says whose own writes are not captured in this transaction, because what they leave is
/// read back in it. It holds for the statements of whoever says so: what other triggers do in turn is captured.
pub(super) const SEEN: &str = "tombolo.seen";

/// What stands in the setting for a tenant: never nothing.
pub(super) fn mark(tenant: &str) -> String {
    format!("of {tenant}")
}

/// What a trigger is made from.
pub(super) struct Shape<'a> {
    pub(super) table: &'a Table,
    key: usize,
    tenant: Option<usize>,
    columns: BTreeSet<usize>,
    /// Tenant and mappings of those who are told whoever's record it is.
    pub(super) told: Vec<(String, String)>,
    /// How far the newest row of the outbox may be from the oldest.
    pub(super) cap: u64,
}

impl Shape<'_> {
    /// The columns that are copied.
    pub(super) fn columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().map(|place| &self.table.columns[*place])
    }

    pub(super) fn key(&self) -> &Column {
        &self.table.columns[self.key]
    }

    pub(super) fn tenant(&self) -> Option<&Column> {
        self.tenant.map(|place| &self.table.columns[place])
    }
}

/// Registers what the plan maps and puts triggers where they are wanted and do not stand as they should. Says whether a
/// table that had them stood without.
pub(super) async fn install(session: &mut Session, mapped: &Mapped, cap: u64) -> Result<bool, Fault> {
    let captured = mapped.captured();
    let tenant = &mapped.plan.tenant;
    #[cfg(feature = "mysql")]
    if session.dialect() == Dialect::MySql {
        super::mysql::permits::grant(session, cap).await?;
    }
    for one in &captured {
        register(session, tenant, one).await?;
    }
    let mut remade = false;
    for one in &captured {
        let shape = shape(session, one, cap).await?;
        remade |= put(session, &shape).await?;
    }
    // A table that cannot be read now may come back.
    if mapped.ends.values().all(Result::is_ok) {
        forget_others(session, tenant, &captured).await?;
    }
    Ok(remade)
}

async fn register(session: &mut Session, tenant: &str, captured: &Captured) -> Result<(), Fault> {
    let dialect = session.dialect();
    let names: Vec<&str> = names(captured).collect();
    let columns = serde_json::Value::from(names).to_string();
    let mappings = captured.mappings.iter().cloned().collect::<Vec<_>>().join(",");
    let mappings: String = mappings.chars().take(250).collect();
    let table = dialect.ours("captures");
    let per_tenant = i64::from(captured.tenant.is_some());
    let mut sql = Sql::new(dialect, format!("SELECT count(*) FROM {table} WHERE entity = "));
    sql.bind(captured).push(" AND tenant = ").bind(tenant).push(" AND mapping = ").bind(mappings.as_str());
    sql.push(" AND captured = ").bind(columns.as_str()).push(" AND per_tenant = ").bind(per_tenant);
    if session.number(sql).await? > 0 {
        return Ok(());
    }
    let mut sql = Sql::new(dialect, format!("DELETE FROM {table} WHERE entity = "));
    sql.bind(captured).push(" AND tenant = ").bind(tenant);
    session.run(sql).await?;
    let mut sql =
        Sql::new(dialect, format!("INSERT INTO {table} (entity, tenant, mapping, per_tenant, captured) VALUES ("));
    sql.bind(captured).push(", ").bind(tenant).push(", ").bind(mappings.as_str()).push(", ");
    sql.bind(per_tenant).push(", ").bind(columns.as_str()).push(")");
    session.run(sql).await.map(drop)
}

fn names(captured: &Captured) -> impl Iterator<Item = &str> {
    let own = [Some(captured.key), captured.tenant].into_iter().flatten();
    let places: BTreeSet<usize> = captured.columns.iter().copied().chain(own).collect();
    places.into_iter().map(|place| captured.table.columns[place].field.name.as_str())
}

/// What the trigger of a table has to copy: for this plan and for all others that are registered.
async fn shape<'a>(session: &mut Session, captured: &'a Captured, cap: u64) -> Result<Shape<'a>, Fault> {
    let dialect = session.dialect();
    let table = &*captured.table;
    let text = "SELECT captured, tenant, mapping, per_tenant FROM {captures} WHERE entity = ";
    let mut sql = Sql::new(dialect, text.replace("{captures}", &dialect.ours("captures")));
    sql.bind(captured).push(" ORDER BY tenant");
    let (mut columns, mut told) = (BTreeSet::new(), Vec::new());
    for row in session.fetch(sql).await? {
        let names: Vec<String> = serde_json::from_str(&row.required(0)?).unwrap_or_default();
        let places = names.iter().filter_map(|name| table.columns.iter().position(|c| c.field.name == *name));
        columns.extend(places);
        if !row.flag(3)? {
            told.push((row.required(1)?, row.required(2)?));
        }
    }
    Ok(Shape { table, key: captured.key, tenant: captured.tenant, columns, told, cap })
}

async fn put(session: &mut Session, shape: &Shape<'_>) -> Result<bool, Fault> {
    let text = match session.dialect() {
        #[cfg(feature = "postgres")]
        Dialect::Postgres => super::postgres::capture::definition(shape),
        #[cfg(feature = "mysql")]
        Dialect::MySql => super::mysql::capture::definition(shape),
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => super::sqlite::capture::definition(shape),
        #[allow(unreachable_patterns, reason = "depends on the features")]
        _ => String::new(),
    };
    let mark = format!("capture:{}", shape.table.canonical);
    let print = fingerprint(&text);
    let (before, stands) = (layout::mark(session, &mark).await?, stands(session, shape).await?);
    if before.as_ref() == Some(&print) && stands {
        return Ok(false);
    }
    session.script(text).await?;
    layout::set_mark(session, &mark, &print).await?;
    Ok(before.is_some() && !stands)
}

async fn stands(session: &mut Session, shape: &Shape<'_>) -> Result<bool, Fault> {
    match session.dialect() {
        #[cfg(feature = "postgres")]
        Dialect::Postgres => super::postgres::capture::stands(session, shape).await,
        #[cfg(feature = "mysql")]
        Dialect::MySql => super::mysql::capture::stands(session, shape).await,
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => super::sqlite::capture::stands(session, shape).await,
        #[allow(unreachable_patterns, reason = "depends on the features")]
        _ => Ok(false),
    }
}

/// Whether all triggers of the plan stand as they were made.
pub(super) async fn all_stand(session: &mut Session, mapped: &Mapped, cap: u64) -> Result<bool, Fault> {
    for one in &mapped.captured() {
        let shape = shape(session, one, cap).await?;
        if !stands(session, &shape).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether what a table lacks was deleted: one that was made anew stands without its triggers, and lacks what nobody
/// deleted.
pub(super) async fn stands_for(session: &mut Session, mapped: &Mapped, end: &MappedEnd, cap: u64) -> Result<(), Fault> {
    let canonical = &end.table.canonical;
    if let Some(one) = mapped.captured().iter().find(|one| end.is_captured && one.table.canonical == *canonical) {
        let shape = shape(session, one, cap).await?;
        if !stands(session, &shape).await? {
            let text = format!("table {canonical} was made anew: its triggers are gone");
            return Err(Fault::new(FaultKind::Denied, UNCAPTURED, text));
        }
    }
    Ok(())
}

/// What the tenant's plan does not map any more is not captured for it; where nobody wants a table, its triggers go.
async fn forget_others(session: &mut Session, tenant: &str, captured: &[Captured]) -> Result<(), Fault> {
    let dialect = session.dialect();
    let (captures, outbox) = (dialect.ours("captures"), dialect.ours("outbox"));
    let kept: Vec<&str> = captured.iter().map(|one| one.table.canonical.as_str()).collect();
    for table in [&captures, &outbox] {
        let mut sql = Sql::new(dialect, format!("DELETE FROM {table} WHERE tenant = "));
        sql.bind(tenant);
        if !kept.is_empty() {
            sql.push(" AND entity NOT IN (");
            sql.bind_list(&kept, |sql, name| {
                sql.bind(*name);
            });
            sql.push(")");
        }
        session.run(sql).await?;
    }
    let wanted = format!("SELECT entity FROM {captures}");
    let mut sql =
        Sql::new(dialect, format!("SELECT name FROM {} WHERE name LIKE 'capture:%' AND ", dialect.ours("meta")));
    sql.push(&format!("substr(name, 9) NOT IN ({wanted})"));
    for row in session.fetch(sql).await? {
        let mark = row.required(0)?;
        remove(session, mark.trim_start_matches("capture:")).await?;
        let mut sql = Sql::new(dialect, format!("DELETE FROM {} WHERE name = ", dialect.ours("meta")));
        sql.bind(mark.as_str());
        session.run(sql).await?;
    }
    Ok(())
}

/// Removes the triggers of a table.
async fn remove(session: &mut Session, canonical: &str) -> Result<(), Fault> {
    let dialect = session.dialect();
    let text = match dialect {
        #[cfg(feature = "postgres")]
        Dialect::Postgres => super::postgres::capture::removal(canonical),
        #[cfg(feature = "mysql")]
        Dialect::MySql => super::mysql::capture::removal(canonical),
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => super::sqlite::capture::removal(canonical),
        #[allow(unreachable_patterns, reason = "depends on the features")]
        _ => String::new(),
    };
    session.script(text).await
}

/// Removes all triggers of ours.
pub(super) async fn remove_all(session: &mut Session) -> Result<(), Fault> {
    let dialect = session.dialect();
    let sql = Sql::new(dialect, format!("SELECT name FROM {} WHERE name LIKE 'capture:%'", dialect.ours("meta")));
    for row in session.fetch(sql).await? {
        let mark = row.required(0)?;
        remove(session, mark.trim_start_matches("capture:")).await?;
    }
    Ok(())
}
