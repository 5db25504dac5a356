//! The state in a SQL database.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tombolo_engine::sync::{
    Command, Conflict, DeadLetter, Gap, History, Link, LinkId, Load, Loaded, Reservation, Reserved, Start, Transaction,
};

#[cfg(feature = "redis")]
use super::wakeup::WakingState;
use super::{Lease, Place, Standing, State, Status, lock, lock::FileLock, pool::Pool};
use crate::{Error, Result, config::Redis, store::Failpoints};

/// The state in a SQL database, over a few connections.
pub(crate) struct SqlState {
    pub(super) pool: Pool,
    pub(super) failpoints: Failpoints,
    /// Whoever looks on from beside reads and asks, and changes nothing.
    pub(super) beside: bool,
}

impl SqlState {
    /// For a process that works on shards. A second one on a SQLite file is refused.
    pub(crate) async fn open(place: Place, failpoints: Failpoints) -> Result<Self> {
        let (place, lock) = match place {
            Place::Sqlite(path) => {
                let path = lock::real_path(&path)?;
                let lock = FileLock::take(&path)?;
                (Place::Sqlite(path), lock)
            }
            place => (place, FileLock::none()),
        };
        Ok(Self { pool: Pool::open(place, Some(lock)).await?, failpoints, beside: false })
    }

    /// For whoever looks on and asks: takes no lock and makes nothing.
    pub(crate) async fn open_beside(place: Place) -> Result<Self> {
        let state = Self { pool: Pool::open(place, None).await?, failpoints: Failpoints::default(), beside: true };
        state.prepare_all().await?;
        Ok(state)
    }

    /// Refuses what only a worker may do.
    pub(super) fn work(&self) -> Result<()> {
        if self.beside { Err(Error::usage("the state is open for looking on: nothing is changed")) } else { Ok(()) }
    }

    /// A table's name inside a statement.
    pub(super) fn table(&self, name: &str) -> String {
        self.pool.dialect.table(name)
    }
}

/// The state at this address, for a process that works on shards.
pub(crate) async fn open(url: &str) -> Result<Arc<dyn State>> {
    Ok(Arc::new(SqlState::open(url.parse()?, Failpoints::default()).await?))
}

/// The state at this address, for whoever looks on and asks: `tombolo status`, `history`, `pause`.
pub(crate) async fn open_beside(url: &str) -> Result<Arc<dyn State>> {
    Ok(Arc::new(SqlState::open_beside(url.parse()?).await?))
}

/// The state at this address, where whoever works on it is woken through Redis, if there is one.
pub(crate) fn woken(state: Arc<dyn State>, url: &str, redis: Option<&Redis>) -> Result<Arc<dyn State>> {
    through_redis(state, url, redis, true)
}

/// The same for whoever asks something and ends.
pub(crate) fn waking(state: Arc<dyn State>, url: &str, redis: Option<&Redis>) -> Result<Arc<dyn State>> {
    through_redis(state, url, redis, false)
}

#[cfg(feature = "redis")]
fn through_redis(state: Arc<dyn State>, url: &str, redis: Option<&Redis>, works: bool) -> Result<Arc<dyn State>> {
    let Some(redis) = redis else { return Ok(state) };
    let name = url.parse::<Place>()?.name()?;
    let wrap = if works { WakingState::working } else { WakingState::asking };
    Ok(Arc::new(wrap(state, redis, &name)?))
}

#[cfg(not(feature = "redis"))]
fn through_redis(state: Arc<dyn State>, _url: &str, redis: Option<&Redis>, _works: bool) -> Result<Arc<dyn State>> {
    if redis.is_some() {
        tracing::warn!("this build of tombolo does not know Redis: what is asked is noticed a little later");
    }
    Ok(state)
}

impl State for SqlState {
    fn prepare(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.prepare_all())
    }

    fn shard<'a>(&'a self, tenant: &'a str) -> BoxFuture<'a, Result<u64>> {
        Box::pin(self.shard_of(tenant))
    }

    fn acquire<'a>(&'a self, shard: u64, holder: &'a str, lease: Duration) -> BoxFuture<'a, Result<Option<Lease>>> {
        Box::pin(self.acquire_lease(shard, holder, lease))
    }

    fn renew<'a>(&'a self, lease: &'a Lease, length: Duration) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.renew_lease(lease, length))
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.release_lease(lease))
    }

    fn shape(&self, shard: u64) -> BoxFuture<'_, Result<Option<String>>> {
        Box::pin(self.read_shape(shard))
    }

    fn keep_shape<'a>(&'a self, shard: u64, shape: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.put_shape(shard, shape))
    }

    fn start<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<Start>> {
        Box::pin(self.start_of(lease))
    }

    fn commit<'a>(&'a self, lease: &'a Lease, transaction: &'a Transaction) -> BoxFuture<'a, Result<Vec<u64>>> {
        Box::pin(self.commit_all(lease, transaction))
    }

    fn load<'a>(&'a self, shard: u64, load: &'a Load) -> BoxFuture<'a, Result<Loaded>> {
        Box::pin(self.load_all(shard, load))
    }

    fn commands(&self, shard: u64) -> BoxFuture<'_, Result<Vec<(u64, Command)>>> {
        Box::pin(self.waiting_commands(shard))
    }

    fn ask<'a>(&'a self, shard: u64, command: &'a Command) -> BoxFuture<'a, Result<u64>> {
        Box::pin(self.put_command(shard, command))
    }

    fn status(&self, shard: u64) -> BoxFuture<'_, Result<Status>> {
        Box::pin(self.status_of(shard))
    }

    fn conflicts(&self, shard: u64, open_only: bool, limit: usize) -> BoxFuture<'_, Result<Vec<Conflict>>> {
        let only = if open_only { " AND undecided = 1" } else { "" };
        Box::pin(self.newest(shard, "conflicts", only, "at DESC, id DESC", limit))
    }

    fn dead_letters(&self, shard: u64, limit: usize) -> BoxFuture<'_, Result<Vec<DeadLetter>>> {
        Box::pin(self.newest(shard, "dead_letters", "", "at DESC, link DESC, side DESC", limit))
    }

    fn gaps(&self, shard: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Gap>>> {
        Box::pin(self.newest(shard, "gaps", "", "noticed DESC, id DESC", limit))
    }

    fn find<'a>(&'a self, shard: u64, key: &'a str) -> BoxFuture<'a, Result<Vec<Link>>> {
        Box::pin(self.find_links(shard, key))
    }

    fn history(&self, shard: u64, link: LinkId) -> BoxFuture<'_, Result<Vec<History>>> {
        Box::pin(self.history_of(shard, link))
    }

    fn reserve<'a>(&'a self, ledger: &'a str, ask: &'a Reservation) -> BoxFuture<'a, Result<Reserved>> {
        Box::pin(self.reserve_calls(ledger, ask))
    }

    fn keep_standing<'a>(&'a self, shard: u64, standing: &'a Standing) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.put_standing(shard, standing))
    }

    fn prune(&self, shard: u64, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64>> {
        Box::pin(self.prune_some(shard, before, limit))
    }
}
