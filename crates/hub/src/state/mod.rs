//! What the sync engine puts away: one trait, three databases and a twin in memory, one conformance suite.

mod bulk;
mod commit;
mod connect;
mod connection;
mod dialect;
pub(crate) mod failpoints;
mod layout;
mod lease;
mod load;
mod lock;
mod lookup;
pub(crate) mod memory;
mod place;
mod pool;
mod prepared;
mod report;
mod row;
mod sql;
mod standing;
#[cfg(test)]
pub(crate) mod tests;
mod trouble;
mod upkeep;
mod wake;
#[cfg(feature = "redis")]
pub(crate) mod wakeup;

use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tombolo_engine::sync::{
    Command, Conflict, DeadLetter, Gap, History, Job, Ledger, Link, LinkId, Load, Loaded, MappingIndex, MappingState,
    Reservation, Reserved, Side, SourceId, SourceState, Start, Transaction,
};

use dialect::{Access, Dialect};
pub(crate) use place::Place;
pub(crate) use sql::{SqlState, open, open_beside, waking, woken};
pub(crate) use standing::{Standing, Told};
pub(crate) use wake::{Wake, Wakes};

use crate::Result;

/// The state of all shards of one installation.
///
/// - [`State::commit`] is all or nothing, durable when it returns, and refused with [`crate::ErrorKind::Fenced`] when the
///   lease's epoch is no longer the shard's. After an error nobody knows the outcome of, the same commit may be
///   repeated: it finds itself done.
/// - [`State::load`] sees every commit that returned before it was called.
/// - Every row carries the shard.
/// - Of two states of one thing in a transaction the later counts. Links that are forgotten go first, with their history,
///   conflicts and dead letters; then dead letters that were delivered; then everything else is put.
/// - Keys are compared and ordered by their bytes (UTF-8), whatever the database would do.
pub(crate) trait State: Send + Sync {
    /// What would be found by asking, told at once where there is somebody to tell it. It is only a hint: whoever waits
    /// for it looks by himself from time to time.
    fn wakes(&self) -> Wakes {
        Wakes::none()
    }

    /// Makes or migrates the tables. A newer layout than this program knows is refused.
    fn prepare(&self) -> BoxFuture<'_, Result<()>>;

    /// The number of a tenant's shard; made if there is none.
    fn shard<'a>(&'a self, tenant: &'a str) -> BoxFuture<'a, Result<u64>>;

    /// Takes the shard if nobody holds it or the holder's lease ran out by the state store's own clock: the epoch is
    /// raised, also for a holder that comes back. None while somebody else holds it. (On SQLite a second process has
    /// been refused by [`open`] already.)
    fn acquire<'a>(&'a self, shard: u64, holder: &'a str, lease: Duration) -> BoxFuture<'a, Result<Option<Lease>>>;

    /// Holds it for longer; false when it is lost.
    fn renew<'a>(&'a self, lease: &'a Lease, length: Duration) -> BoxFuture<'a, Result<bool>>;

    /// Gives it back.
    fn release<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<()>>;

    /// The shape of the plan that the shard's numbers stand for; none before it was kept.
    fn shape(&self, shard: u64) -> BoxFuture<'_, Result<Option<String>>>;

    /// Keeps the shape of the plan.
    fn keep_shape<'a>(&'a self, shard: u64, shape: &'a str) -> BoxFuture<'a, Result<()>>;

    /// What the shard starts from.
    fn start<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<Start>>;

    /// Puts away; the places of heard entries whose (connection, identity) was known are given back.
    fn commit<'a>(&'a self, lease: &'a Lease, transaction: &'a Transaction) -> BoxFuture<'a, Result<Vec<u64>>>;

    /// Looks up.
    fn load<'a>(&'a self, shard: u64, load: &'a Load) -> BoxFuture<'a, Result<Loaded>>;

    /// Commands that wait, oldest first.
    fn commands(&self, shard: u64) -> BoxFuture<'_, Result<Vec<(u64, Command)>>>;

    /// Asks something of the shard, whoever holds it, now or later. Gives the command's number.
    fn ask<'a>(&'a self, shard: u64, command: &'a Command) -> BoxFuture<'a, Result<u64>>;

    /// Everything `tombolo status` shows.
    fn status(&self, shard: u64) -> BoxFuture<'_, Result<Status>>;

    /// Conflicts, newest first: those that a person has to decide, or all.
    fn conflicts(&self, shard: u64, open_only: bool, limit: usize) -> BoxFuture<'_, Result<Vec<Conflict>>>;

    /// Dead letters, newest first.
    fn dead_letters(&self, shard: u64, limit: usize) -> BoxFuture<'_, Result<Vec<DeadLetter>>>;

    /// Gaps, newest first.
    fn gaps(&self, shard: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Gap>>>;

    /// The links that have this key on either side, in any mapping.
    fn find<'a>(&'a self, shard: u64, key: &'a str) -> BoxFuture<'a, Result<Vec<Link>>>;

    /// The history of a link, oldest first.
    fn history(&self, shard: u64, link: LinkId) -> BoxFuture<'_, Result<Vec<History>>>;

    /// Takes API calls from the ledger of an org, which all shards share; what was given.
    fn reserve<'a>(&'a self, ledger: &'a str, ask: &'a Reservation) -> BoxFuture<'a, Result<Reserved>>;

    /// Keeps what a connection of a shard was told of its allocations.
    fn keep_standing<'a>(&'a self, shard: u64, standing: &'a Standing) -> BoxFuture<'a, Result<()>>;

    /// Forgets journal, history and closed records older than this; at most so many rows at a time.
    fn prune(&self, shard: u64, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64>>;
}

/// The right to work on a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    /// The shard.
    pub(crate) shard: u64,
    /// How often it has changed hands.
    pub(crate) epoch: u64,
    /// Who holds it.
    pub(crate) holder: String,
}

/// The state of a shard, for people.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Status {
    /// Who holds it, and until when.
    pub(crate) holder: Option<(String, Timestamp)>,
    /// Its epoch.
    pub(crate) epoch: u64,
    /// Each mapping: its state, and how many links are whole and half.
    pub(crate) mappings: Vec<(MappingIndex, MappingState, Counts)>,
    /// Where sources stand.
    pub(crate) sources: Vec<(SourceId, SourceState)>,
    /// Work under way.
    pub(crate) jobs: Vec<(String, Job)>,
    /// Changes heard and not decided.
    pub(crate) waiting: u64,
    /// When the oldest of them was heard.
    pub(crate) oldest: Option<Timestamp>,
    /// Links with something under way.
    pub(crate) active: u64,
    /// What connections were told of their allocations, and the ledgers of their orgs.
    pub(crate) budgets: Vec<(Standing, Ledger)>,
}

/// How many of what a mapping has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// Links that join two records.
    pub(crate) linked: u64,
    /// Records that only one side has.
    pub(crate) half: [u64; 2],
    /// Conflicts that a person has to decide.
    pub(crate) conflicts: u64,
    /// Dead letters by the side that refuses.
    pub(crate) dead_letters: [u64; 2],
}

/// A side's index, for tables that keep one row a side.
pub(crate) const fn side_index(side: Side) -> i16 {
    side as i16
}
