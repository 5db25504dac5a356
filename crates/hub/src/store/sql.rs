//! The store over a SQL database.

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use std::collections::BTreeMap;
use tokio::sync::Mutex;
use tombolo_engine::mirror::{Incoming, State, Write};
use tombolo_schema::Id;

use super::{
    Applied, Committed, Failpoints, Owner, Store, Table, Target,
    connection::{Connection, Param, quoted},
    failpoints::names,
    layout::Dialect,
    lock::FileLock,
    prepare::{prepare, run_all},
    state::{Place, parse_id},
    table::{ID, IS_DELETED, SYNCED_AT},
};
use crate::{Error, ErrorKind, Result};

/// Rows and state in a SQL database, over one connection.
pub(crate) struct SqlStore {
    target: Target,
    schema: Option<String>,
    dialect: Dialect,
    tenant: String,
    slot: Mutex<Slot>,
    failpoints: Failpoints,
}

enum Slot {
    Open(Open),
    /// The connection broke, and the lock went with it: both are taken again before anything else.
    Lost,
    Closed,
}

pub(super) struct Open {
    pub(super) connection: Connection,
    /// A transaction was begun and neither committed nor rolled back.
    pub(super) dirty: bool,
    pub(super) lock: Option<FileLock>,
}

/// One row that a statement may have written, before and after.
pub(super) struct Upserted {
    pub(super) id: Id,
    /// Whether the row was there, and marked deleted.
    pub(super) before: Option<bool>,
    pub(super) changed: bool,
    pub(super) stale: bool,
}

impl SqlStore {
    /// Connects and takes the lock.
    pub(crate) async fn open(
        target: &Target,
        schema: Option<&str>,
        tenant: &str,
        failpoints: Failpoints,
    ) -> Result<Self> {
        let (open, dialect) = connect(target, schema).await.map_err(|error| at(target, error))?;
        let (target, schema, tenant) = (target.clone(), schema.map(str::to_owned), tenant.to_owned());
        Ok(Self { target, schema, dialect, tenant, slot: Mutex::new(Slot::Open(open)), failpoints })
    }

    /// Does this in one transaction, or does nothing.
    async fn transaction<T>(&self, work: impl AsyncFnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let mut slot = self.slot.lock().await;
        if matches!(*slot, Slot::Lost) {
            let opened = connect(&self.target, self.schema.as_deref()).await;
            *slot = Slot::Open(opened.map_err(|error| at(&self.target, error))?.0);
        }
        let result = match &mut *slot {
            Slot::Open(open) => open.transaction(&self.dialect, work).await,
            Slot::Lost | Slot::Closed => Err(Error::failed("the database is closed")),
        };
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Connect) {
            *slot = Slot::Lost;
        }
        result.map_err(|error| at(&self.target, error))
    }

    async fn commit_all(&self, table: &Table, write: &Write) -> Result<Committed> {
        let committed = self
            .transaction(async |connection| {
                let mut committed = self.upsert(connection, table, &write.rows).await?;
                let gone = self.mark_deleted(connection, table, &write.gone).await?;
                committed.applied.extend(gone.into_iter().map(|id| (id, Applied::Deleted)));
                self.failpoints.reach(names::ROWS_WRITTEN)?;
                let place = Place { dialect: &self.dialect, tenant: &self.tenant, object: &table.object };
                run_all(connection, place.save(&write.state, write.closed.as_ref())).await?;
                self.failpoints.reach(names::BEFORE_COMMIT)?;
                Ok(committed)
            })
            .await?;
        self.failpoints.reach(names::COMMITTED)?;
        Ok(committed)
    }

    async fn upsert(&self, connection: &mut Connection, table: &Table, rows: &[Incoming]) -> Result<Committed> {
        // A statement may touch a row once only; of two readings of one row the later counts.
        let rows: BTreeMap<Id, &Incoming> = rows.iter().map(|row| (row.row.id, row)).collect();
        let rows: Vec<&Incoming> = rows.into_values().collect();
        if rows.is_empty() {
            return Ok(Committed::default());
        }
        let upserted = match &self.dialect {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => super::sqlite::upsert(connection, table, &rows).await?,
            #[cfg(feature = "postgres")]
            Dialect::Postgres { schema } => super::postgres::upsert(connection, schema, table, &rows).await?,
        };
        let deleted: BTreeMap<Id, bool> = rows.iter().map(|row| (row.row.id, row.row.deleted)).collect();
        let mut committed = Committed::default();
        for row in upserted {
            if row.stale {
                committed.stale.push(row.id);
            } else if row.changed {
                let deleted = deleted.get(&row.id).copied().unwrap_or_default();
                committed.applied.push((row.id, Applied::between(row.before, deleted)));
            }
        }
        Ok(committed)
    }

    async fn mark_deleted(&self, connection: &mut Connection, table: &Table, ids: &[Id]) -> Result<Vec<Id>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (yes, now) = match &self.dialect {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => ("1", "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"),
            #[cfg(feature = "postgres")]
            Dialect::Postgres { .. } => ("true", "now()"),
        };
        let sql = format!(
            "UPDATE {} SET {} = {yes}, {} = {now} WHERE {} AND {} RETURNING {}",
            self.dialect.table(&table.name),
            quoted(IS_DELETED),
            quoted(SYNCED_AT),
            self.dialect.is_live(),
            self.dialect.among(&quoted(ID)),
            quoted(ID),
        );
        let rows = connection.fetch(sql, vec![id_array(ids)]).await?;
        rows.iter().map(|row| parse_id(&row.required(0)?)).collect()
    }

    pub(super) async fn read<T>(
        &self,
        sql: String,
        params: Vec<Param>,
        read: fn(&super::connection::Fetched) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.transaction(async |connection| connection.fetch(sql, params).await?.iter().map(read).collect()).await
    }
}

impl Open {
    async fn transaction<T>(
        &mut self,
        dialect: &Dialect,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T>,
    ) -> Result<T> {
        if self.dirty {
            // The one before was given up half-way.
            self.connection.run("ROLLBACK".to_owned(), Vec::new()).await?;
        }
        self.dirty = true;
        self.connection.run(dialect.begin().to_owned(), Vec::new()).await?;
        match work(&mut self.connection).await {
            Ok(done) => {
                self.connection.run("COMMIT".to_owned(), Vec::new()).await?;
                self.dirty = false;
                Ok(done)
            }
            Err(error) => {
                // What went wrong first is what matters; a rollback that fails leaves `dirty` behind.
                self.dirty = self.connection.run("ROLLBACK".to_owned(), Vec::new()).await.is_err();
                Err(error)
            }
        }
    }
}

impl Store for SqlStore {
    fn prepare<'a>(&'a self, owner: &'a Owner, tables: &'a [Table]) -> BoxFuture<'a, Result<Vec<State>>> {
        Box::pin(self.transaction(async move |connection| prepare(connection, &self.dialect, owner, tables).await))
    }

    fn commit<'a>(&'a self, table: &'a Table, write: &'a Write) -> BoxFuture<'a, Result<Committed>> {
        Box::pin(self.commit_all(table, write))
    }

    fn live<'a>(&'a self, table: &'a Table) -> BoxFuture<'a, Result<Vec<(Id, Timestamp)>>> {
        let sql = format!(
            "SELECT {}, {} FROM {} WHERE {}",
            quoted(ID),
            self.dialect.moment_text(&quoted(&table.stamp)),
            self.dialect.table(&table.name),
            self.dialect.is_live(),
        );
        Box::pin(self.read(sql, Vec::new(), |row| {
            let stamp = row.text(1)?.and_then(|text| text.parse().ok()).unwrap_or(Timestamp::MIN);
            Ok((parse_id(&row.required(0)?)?, stamp))
        }))
    }

    fn live_among<'a>(&'a self, table: &'a Table, ids: &'a [Id]) -> BoxFuture<'a, Result<Vec<Id>>> {
        let sql = format!(
            "SELECT {} FROM {} WHERE {} AND {}",
            quoted(ID),
            self.dialect.table(&table.name),
            self.dialect.is_live(),
            self.dialect.among(&quoted(ID)),
        );
        Box::pin(self.read(sql, vec![id_array(ids)], |row| parse_id(&row.required(0)?)))
    }

    fn count<'a>(&'a self, table: &'a Table) -> BoxFuture<'a, Result<u64>> {
        let (name, live) = (self.dialect.table(&table.name), self.dialect.is_live());
        Box::pin(async move {
            let sql = format!("SELECT CAST(count(*) AS BIGINT) FROM {name} WHERE {live}");
            let counts = self.read(sql, Vec::new(), |row| row.int(0)).await?;
            Ok(counts.first().copied().flatten().unwrap_or_default().unsigned_abs())
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let slot = std::mem::replace(&mut *self.slot.lock().await, Slot::Closed);
            let Slot::Open(open) = slot else { return Ok(()) };
            let closed = open.connection.close().await;
            drop(open.lock);
            closed.map_err(|error| at(&self.target, error))
        })
    }
}

async fn connect(target: &Target, schema: Option<&str>) -> Result<(Open, Dialect)> {
    match target {
        #[cfg(feature = "sqlite")]
        Target::Sqlite(_) if schema.is_some() => {
            Err(Error::usage("--schema is for PostgreSQL: a SQLite file has no schemas"))
        }
        #[cfg(feature = "sqlite")]
        Target::Sqlite(path) => super::sqlite::open(path).await,
        #[cfg(feature = "postgres")]
        Target::Postgres(url) => super::postgres::open(url, schema.unwrap_or("public")).await,
        #[allow(unreachable_patterns, reason = "depends on the features")]
        _ => Err(Error::usage("this build of tombolo does not know this kind of database")),
    }
}

/// Says which database an error is about.
fn at(target: &Target, error: Error) -> Error {
    if error.kind() == ErrorKind::Usage {
        return error;
    }
    let hint = error.hint().map(str::to_owned);
    let outer = Error::new(error.kind(), format!("cannot write to {target}")).may_pass(error.is_retryable());
    let outer = outer.with_source(error);
    match hint {
        Some(hint) => outer.with_hint(hint),
        None => outer,
    }
}

fn id_array(ids: &[Id]) -> Param {
    let ids: Vec<&str> = ids.iter().map(Id::as_str).collect();
    Param::Text(Some(serde_json::Value::from(ids).to_string()))
}
