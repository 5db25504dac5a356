//! A database that is kept in step: PostgreSQL, MySQL and MariaDB, SQLite.
//!
//! Changes are captured by triggers that write to an outbox in the transaction of whoever changes something; they are
//! claimed by deleting exactly what was journaled. A write is a transaction that checks the epoch, locks the record,
//! compares, writes, reads back and leaves an operation row.

mod address;
mod capture;
mod dialect;
mod fault;
mod judge;
mod layout;
mod listen;
mod many;
mod mapped;
#[cfg(feature = "mysql")]
mod mysql;
mod operations;
mod outbox;
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod read;
mod record;
mod rows;
mod session;
#[cfg(feature = "sqlite")]
mod sqlite;
mod table;
#[cfg(test)]
mod tests;
mod value;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{future::BoxFuture, stream::BoxStream};
use tokio::time::Instant;
use tombolo_engine::sync::{Answer, Batch, Outcome, Plan, Read, SourceId, SourceState};

use self::{
    address::Address,
    dialect::{Dialect, Sql},
    fault::{Fault, FaultKind},
    mapped::{Mapped, MappedEnd},
    outbox::Origin,
    pool::Pool,
    session::Session,
    table::Table,
};
use super::system::{ClockReading, Entity, Fence, System, Told};
use crate::{Error, Result};

/// How far the newest row of the outbox may be from the oldest, unless it is set.
const CAP: u64 = 1_000_000;

/// Locks by name are the server's, not the database's.
const MYSQL_LOCK: &str = "MD5(CONCAT('tombolo ', database()))";

/// The one channel of a database.
const CHANNEL: &str = "*";

/// A database.
pub(crate) struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    /// The connection's name in the plan.
    connection: String,
    address: Address,
    pool: Pool,
    cap: u64,
    mapped: RwLock<Option<Arc<Mapped>>>,
    /// One prepares at a time.
    preparing: tokio::sync::Mutex<()>,
    /// The triggers are to be looked after now.
    look: AtomicBool,
    /// A table that was made anew got its triggers again, and nobody was told.
    remade: AtomicBool,
    /// Outbox rows that were told and not yet acknowledged, each with those that it stands for.
    handed: Mutex<BTreeMap<i64, Vec<i64>>>,
    /// Tables whose rows are made one by one: what is made there shows something else than it was given.
    one_by_one: Mutex<BTreeSet<String>>,
    /// Whether changes of ours are told, too, though what they left was read back.
    tells_own: bool,
}

impl Database {
    /// The database of a connection of the plan, by its URL: `postgres://…`, `mysql://…`, `sqlite:FILE`. Nothing is
    /// opened yet.
    pub(crate) fn new(connection: impl Into<String>, url: &str) -> Result<Self> {
        Self::with_cap(connection, url, CAP)
    }

    /// The same, with another bound for the outbox: beyond it changes are not kept, only that there were some.
    pub(crate) fn with_cap(connection: impl Into<String>, url: &str, cap: u64) -> Result<Self> {
        let address: Address = url.parse()?;
        let inner = Inner {
            connection: connection.into(),
            pool: Pool::new(address.clone()),
            address,
            cap,
            mapped: RwLock::default(),
            preparing: tokio::sync::Mutex::default(),
            look: AtomicBool::default(),
            remade: AtomicBool::default(),
            handed: Mutex::default(),
            one_by_one: Mutex::default(),
            tells_own: false,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The same, and what its triggers say of our own writes is heard.
    #[cfg(test)]
    pub(crate) fn telling_own(self) -> Self {
        let inner = Arc::into_inner(self.inner).expect("it is in use");
        Self { inner: Arc::new(Inner { tells_own: true, ..inner }) }
    }
}

impl Inner {
    const fn dialect(&self) -> Dialect {
        self.address.dialect()
    }

    fn mapped(&self) -> Result<Arc<Mapped>, Fault> {
        let mapped = self.mapped.read().unwrap_or_else(PoisonError::into_inner).clone();
        mapped.ok_or_else(|| Fault::new(FaultKind::Other, "NOT_PREPARED", "the database was not prepared"))
    }

    /// Has the listener look after the triggers at once.
    fn look_soon(&self) {
        self.look.store(true, Ordering::Relaxed);
    }

    fn handed(&self) -> Vec<i64> {
        let handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner);
        handed.values().flatten().copied().collect()
    }

    fn hand_out(&self, ids: BTreeMap<i64, Vec<i64>>) {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner).extend(ids);
    }

    fn take_back(&self, ids: &[i64]) {
        let mut handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            handed.remove(id);
        }
    }

    fn forget_handed(&self) {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Says which database an error is about.
    fn at(&self, fault: Fault) -> Error {
        let error = Error::from(fault);
        Error::new(error.kind(), format!("{}: {error}", self.address)).may_pass(error.is_retryable())
    }

    async fn table(&self, session: &mut Session, name: &str) -> Result<Option<Table>, Fault> {
        match session.dialect() {
            #[cfg(feature = "postgres")]
            Dialect::Postgres => postgres::catalog::table(session, name).await,
            #[cfg(feature = "mysql")]
            Dialect::MySql => mysql::catalog::table(session, name).await,
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => sqlite::catalog::table(session, name).await,
            #[allow(unreachable_patterns, reason = "depends on the features")]
            _ => Ok(None),
        }
    }

    async fn describe(&self, entity: &str) -> Result<Option<Table>, Fault> {
        let mut lent = self.pool.live().await?;
        let table = self.table(&mut lent.session, entity).await?;
        self.pool.give_back(lent);
        Ok(table)
    }

    async fn tables(&self) -> Result<Vec<String>, Fault> {
        let mut lent = self.pool.live().await?;
        let session = &mut lent.session;
        let tables = match session.dialect() {
            #[cfg(feature = "postgres")]
            Dialect::Postgres => postgres::catalog::tables(session).await,
            #[cfg(feature = "mysql")]
            Dialect::MySql => mysql::catalog::tables(session).await,
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => sqlite::catalog::tables(session).await,
            #[allow(unreachable_patterns, reason = "depends on the features")]
            _ => Ok(Vec::new()),
        };
        let tables = tables?;
        self.pool.give_back(lent);
        Ok(tables)
    }

    async fn identity(&self) -> Result<String, Fault> {
        let mut lent = self.pool.live().await?;
        let origin = Origin::read(&mut lent.session).await?;
        self.pool.give_back(lent);
        Ok(origin.database)
    }

    /// Looks at the tables of the plan as they are now, and makes what is missing.
    async fn prepare(&self, plan: Arc<Plan>) -> Result<(), Fault> {
        let _one = self.preparing.lock().await;
        let mut lent = self.pool.live().await?;
        let session = &mut lent.session;
        let mapped = self.resolve(session, plan).await?;
        begin_preparing(session).await?;
        let made = async {
            layout::make(session).await?;
            capture::install(session, &mapped, self.cap).await
        };
        let made = made.await;
        end_preparing(session, made.is_ok()).await?;
        if made? {
            self.remade.store(true, Ordering::Relaxed);
        }
        self.pool.give_back(lent);
        *self.mapped.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(mapped));
        Ok(())
    }

    /// Looks at the tables of the plan as they are now, and makes nothing.
    async fn learn(&self, plan: Arc<Plan>) -> Result<(), Fault> {
        let mut lent = self.pool.live().await?;
        let mapped = self.resolve(&mut lent.session, plan).await?.uncaptured();
        self.pool.give_back(lent);
        *self.mapped.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(mapped));
        Ok(())
    }

    async fn resolve(&self, session: &mut Session, plan: Arc<Plan>) -> Result<Mapped, Fault> {
        let mut tables: BTreeMap<String, Result<Arc<Table>, Fault>> = BTreeMap::new();
        let mut ends = BTreeMap::new();
        for (mapping, side, end) in Mapped::ends_of(&plan, &self.connection) {
            if !tables.contains_key(&end.entity) {
                let missing =
                    || Fault::new(FaultKind::Missing, "UNDEFINED_TABLE", format!("there is no table {}", end.entity));
                let table = self.table(session, &end.entity).await?.map(Arc::new).ok_or_else(missing);
                tables.insert(end.entity.clone(), table);
            }
            let table = tables[&end.entity].clone();
            let resolved = table.and_then(|table| MappedEnd::new(&plan, mapping, side, table));
            if let Err(fault) = &resolved {
                tracing::warn!(
                    connection = self.connection,
                    entity = end.entity,
                    fault.message,
                    "a table cannot be used"
                );
            }
            ends.insert((mapping, side), resolved);
        }
        Ok(Mapped { plan, connection: self.connection.clone(), ends })
    }

    /// Looks at everything again, under the plan that is known. Says whether it went well.
    async fn refresh(&self) -> bool {
        let Ok(mapped) = self.mapped() else { return false };
        if mapped.only_looks() {
            return false;
        }
        match self.prepare(Arc::clone(&mapped.plan)).await {
            Ok(()) => true,
            Err(fault) => {
                tracing::warn!(connection = self.connection, code = fault.code, "tables could not be prepared again");
                false
            }
        }
    }

    async fn acknowledge(&self, identities: &[String], fence: Fence) -> Result<(), Fault> {
        let done = self
            .pool
            .transaction(async |session| {
                layout::check_epoch(session, fence.shard, fence.epoch).await?;
                let origin = Origin::read(session).await?;
                // Ids of another incarnation are other changes.
                let told: Vec<i64> = identities.iter().filter_map(|identity| origin.id(identity)).collect();
                let ids: Vec<i64> = {
                    let handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner);
                    told.iter().flat_map(|id| handed.get(id).cloned().unwrap_or_else(|| vec![*id])).collect()
                };
                outbox::delete(session, &ids).await?;
                Ok(told)
            })
            .await?;
        self.take_back(&done);
        self.permit().await
    }

    /// What was deleted makes room.
    async fn permit(&self) -> Result<(), Fault> {
        #[cfg(feature = "mysql")]
        if self.dialect() == Dialect::MySql {
            let mut lent = self.pool.live().await?;
            mysql::permits::grant(&mut lent.session, self.cap).await?;
            self.pool.give_back(lent);
        }
        Ok(())
    }

    async fn read_clock(&self) -> Result<ClockReading, Fault> {
        let mut lent = self.pool.live().await?;
        let (asked, began) = (jiff::Timestamp::now(), Instant::now());
        let theirs = read::clock(&mut lent.session).await?.unwrap_or(asked);
        let half = began.elapsed() / 2;
        self.pool.give_back(lent);
        let ahead = theirs.as_microsecond() - asked.as_microsecond();
        let half = i64::try_from(half.as_micros()).unwrap_or(i64::MAX);
        let uncertain = u64::try_from(half / 1_000 + 1).unwrap_or(u64::MAX);
        Ok(ClockReading { ahead_ms: ahead.saturating_sub(half) / 1_000, uncertain_ms: uncertain })
    }

    async fn uninstall(&self, force: bool) -> Result<()> {
        let _one = self.preparing.lock().await;
        let mut lent = self.pool.live().await.map_err(|fault| self.at(fault))?;
        let session = &mut lent.session;
        begin_preparing(session).await.map_err(|fault| self.at(fault))?;
        let removed = async {
            if !layout::exists(session, "outbox").await? {
                return layout::remove(session).await.map(|()| 0);
            }
            let waiting = outbox::waiting(session).await?;
            if waiting == 0 || force {
                capture::remove_all(session).await?;
                layout::remove(session).await?;
                return Ok(0);
            }
            Ok(waiting)
        };
        let removed = removed.await;
        end_preparing(session, removed.is_ok()).await.map_err(|fault| self.at(fault))?;
        let waiting = removed.map_err(|fault| self.at(fault))?;
        self.pool.give_back(lent);
        if waiting == 0 {
            return Ok(());
        }
        let text = format!("{}: {waiting} changes wait in the outbox", self.address);
        Err(Error::usage(text).with_hint("let the hub take them first, or lose them with --force"))
    }
}

/// One process prepares at a time. What it makes is there as a whole or not at all, except in MySQL, whose definitions
/// are committed one by one.
async fn begin_preparing(session: &mut Session) -> Result<(), Fault> {
    let script = match session.dialect() {
        Dialect::MySql => {
            let text = format!("SELECT CAST(GET_LOCK({MYSQL_LOCK}, 10) AS SIGNED)");
            if session.number(Sql::new(Dialect::MySql, text)).await? == 1 {
                return Ok(());
            }
            return Err(Fault::new(FaultKind::Passing, "LOCKED", "somebody else is preparing the database"));
        }
        Dialect::Postgres => {
            "BEGIN; SET LOCAL lock_timeout = '5s'; SELECT pg_advisory_xact_lock(hashtextextended('tombolo', 0))"
        }
        Dialect::Sqlite => "BEGIN IMMEDIATE",
    };
    session.script(script).await
}

async fn end_preparing(session: &mut Session, done: bool) -> Result<(), Fault> {
    match (session.dialect(), done) {
        (Dialect::MySql, _) => session.script(format!("SELECT RELEASE_LOCK({MYSQL_LOCK})")).await,
        (_, true) => session.script("COMMIT").await,
        (_, false) => session.script("ROLLBACK").await,
    }
}

impl System for Database {
    fn identity(&self) -> BoxFuture<'_, Result<String>> {
        Box::pin(async { self.inner.identity().await.map_err(|fault| self.inner.at(fault)) })
    }

    fn describe<'a>(&'a self, entity: &'a str) -> BoxFuture<'a, Result<Option<Entity>>> {
        Box::pin(async move {
            let table = self.inner.describe(entity).await.map_err(|fault| self.inner.at(fault))?;
            Ok(table.map(|table| table.entity(entity)))
        })
    }

    fn entities(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(async { self.inner.tables().await.map_err(|fault| self.inner.at(fault)) })
    }

    fn prepare(&self, plan: Arc<Plan>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { self.inner.prepare(plan).await.map_err(|fault| self.inner.at(fault)) })
    }

    fn learn(&self, plan: Arc<Plan>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { self.inner.learn(plan).await.map_err(|fault| self.inner.at(fault)) })
    }

    fn sources(&self) -> Vec<SourceId> {
        vec![SourceId { connection: self.inner.connection.clone(), channel: CHANNEL.to_owned() }]
    }

    fn listen(&self, source: &SourceId, from: SourceState) -> BoxStream<'static, Result<Told>> {
        listen::listen(&self.inner, source, &from)
    }

    fn acknowledge<'a>(&'a self, _: &'a SourceId, identities: &'a [String], fence: Fence) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let done = before(fence, self.inner.acknowledge(identities, fence)).await;
            done.map_err(|fault| self.inner.at(fault))
        })
    }

    fn fence(&self, fence: Fence) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let work = async |session: &mut Session| layout::raise_epoch(session, fence.shard, fence.epoch).await;
            let done = before(fence, self.inner.pool.transaction(work)).await;
            done.map_err(|fault| self.inner.at(fault))
        })
    }

    fn write<'a>(&'a self, batch: &'a Batch, fence: Fence) -> BoxFuture<'a, Vec<Outcome>> {
        Box::pin(self.inner.write_batch(batch, fence))
    }

    fn read<'a>(&'a self, read: &'a Read) -> BoxFuture<'a, Answer> {
        Box::pin(self.inner.answer(read))
    }

    fn settle<'a>(&'a self, operations: &'a [String], fence: Fence) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let work = async |session: &mut Session| write::settle(session, fence, operations).await;
            let done = before(fence, self.inner.pool.transaction(work)).await;
            done.map_err(|fault| self.inner.at(fault))
        })
    }

    fn clock(&self) -> BoxFuture<'_, Result<ClockReading>> {
        Box::pin(async { self.inner.read_clock().await.map_err(|fault| self.inner.at(fault)) })
    }

    fn usage(&self) -> Option<(u64, u64)> {
        None
    }

    fn uninstall(&self, force: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.inner.uninstall(force))
    }
}

/// Not longer than the lease lasts.
async fn before<T>(fence: Fence, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let late = || Fault::new(FaultKind::Lost, "LEASE", "the lease ends before it could be done");
    tokio::time::timeout_at(fence.until, work).await.map_err(|_| late())?
}
