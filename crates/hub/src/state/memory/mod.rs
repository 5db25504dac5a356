//! The state in memory: the twin of the databases, for tests and simulations. It lasts as long as its process.

mod shard;

use std::{
    collections::BTreeMap,
    future::ready,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::time::Instant;
use tombolo_engine::sync::{
    Command, Conflict, DeadLetter, Gap, History, Ledger, Link, LinkId, Load, Loaded, Reservation, Reserved, Start,
    Transaction,
};

use self::shard::{Shard, pairs};
use super::{
    Lease, Standing, State, Status, failpoints,
    lease::{fenced, unknown},
    row::forms,
};
use crate::{Result, store::Failpoints};

/// The state in memory.
#[derive(Default)]
pub(crate) struct MemoryState {
    all: Mutex<All>,
    failpoints: Failpoints,
}

#[derive(Default)]
struct All {
    tenants: Vec<String>,
    shards: BTreeMap<u64, Shard>,
    ledgers: BTreeMap<String, Ledger>,
    shapes: BTreeMap<u64, String>,
    asked: u64,
}

impl MemoryState {
    /// With a test's word at each named place.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests stop at named places"))]
    pub(crate) fn new(failpoints: Failpoints) -> Self {
        Self { all: Mutex::default(), failpoints }
    }

    fn with<T>(&self, work: impl FnOnce(&mut All) -> Result<T>) -> Result<T> {
        work(&mut self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads a shard.
    fn of<T>(&self, shard: u64, read: impl FnOnce(&Shard) -> T) -> Result<T> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.shards.get(&shard).map(read).ok_or_else(|| unknown(shard))
    }

    fn put_away(&self, lease: &Lease, transaction: &Transaction) -> Result<Vec<u64>> {
        let known = self.with(|all| {
            let shard = all.held(lease)?;
            // Half of it is never there: whoever stops it, stops it before.
            for place in [failpoints::LEASE_LOCKED, failpoints::HALF_WRITTEN, failpoints::BEFORE_COMMIT] {
                self.failpoints.reach(place)?;
            }
            shard.put(transaction)
        })?;
        self.failpoints.reach(failpoints::COMMITTED)?;
        Ok(known)
    }
}

impl All {
    fn shard(&mut self, shard: u64) -> Result<&mut Shard> {
        self.shards.get_mut(&shard).ok_or_else(|| unknown(shard))
    }

    fn held(&mut self, lease: &Lease) -> Result<&mut Shard> {
        let shard = self.shard(lease.shard)?;
        if shard.is_held_by(lease) { Ok(shard) } else { Err(fenced(lease)) }
    }
}

/// The newest first.
fn newest<T: Clone, K: Ord>(records: impl Iterator<Item = T>, key: impl Fn(&T) -> K, limit: usize) -> Vec<T> {
    let mut records: Vec<T> = records.collect();
    records.sort_by_key(|record| std::cmp::Reverse(key(record)));
    records.truncate(limit);
    records
}

impl State for MemoryState {
    fn prepare(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn shard<'a>(&'a self, tenant: &'a str) -> BoxFuture<'a, Result<u64>> {
        Box::pin(ready(self.with(|all| {
            let known = all.tenants.iter().position(|known| known == tenant);
            let at = known.unwrap_or(all.tenants.len());
            if known.is_none() {
                all.tenants.push(tenant.to_owned());
            }
            all.shards.entry(at as u64 + 1).or_default();
            Ok(at as u64 + 1)
        })))
    }

    fn acquire<'a>(&'a self, shard: u64, holder: &'a str, length: Duration) -> BoxFuture<'a, Result<Option<Lease>>> {
        let acquired = self.with(|all| {
            let held = all.shard(shard)?;
            let now = Instant::now();
            if held.holder.as_ref().is_some_and(|(other, until)| other != holder && *until > now) {
                return Ok(None);
            }
            held.epoch += 1;
            held.holder = Some((holder.to_owned(), now + length));
            Ok(Some(Lease { shard, epoch: held.epoch, holder: holder.to_owned() }))
        });
        Box::pin(ready(acquired.and_then(|lease| self.failpoints.reach(failpoints::ACQUIRED).map(|()| lease))))
    }

    fn renew<'a>(&'a self, lease: &'a Lease, length: Duration) -> BoxFuture<'a, Result<bool>> {
        Box::pin(ready(self.with(|all| {
            let Ok(shard) = all.held(lease) else { return Ok(false) };
            shard.holder = Some((lease.holder.clone(), Instant::now() + length));
            Ok(true)
        })))
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<()>> {
        Box::pin(ready(self.with(|all| {
            if let Ok(shard) = all.held(lease) {
                shard.holder = None;
            }
            Ok(())
        })))
    }

    fn start<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<Start>> {
        Box::pin(ready(self.with(|all| all.held(lease).map(|shard| shard.start(lease)))))
    }

    fn commit<'a>(&'a self, lease: &'a Lease, transaction: &'a Transaction) -> BoxFuture<'a, Result<Vec<u64>>> {
        Box::pin(ready(self.put_away(lease, transaction)))
    }

    fn load<'a>(&'a self, shard: u64, load: &'a Load) -> BoxFuture<'a, Result<Loaded>> {
        Box::pin(ready(self.of(shard, |shard| shard.load(load))))
    }

    fn commands(&self, shard: u64) -> BoxFuture<'_, Result<Vec<(u64, Command)>>> {
        Box::pin(ready(self.of(shard, |shard| pairs(&shard.commands))))
    }

    fn ask<'a>(&'a self, shard: u64, command: &'a Command) -> BoxFuture<'a, Result<u64>> {
        Box::pin(ready(self.with(|all| {
            all.asked += 1;
            let number = all.asked;
            all.shard(shard)?.commands.insert(number, command.clone());
            Ok(number)
        })))
    }

    fn status(&self, shard: u64) -> BoxFuture<'_, Result<Status>> {
        Box::pin(ready(self.with(|all| {
            let status = all.shard(shard)?.status();
            let ledgered = |standing: Standing| {
                let ledger = all.ledgers.get(&standing.ledger).cloned().unwrap_or_default();
                (standing, ledger)
            };
            let budgets = all.shards[&shard].standings.values().cloned().map(ledgered).collect();
            Ok(Status { budgets, ..status })
        })))
    }

    fn conflicts(&self, shard: u64, open_only: bool, limit: usize) -> BoxFuture<'_, Result<Vec<Conflict>>> {
        Box::pin(ready(self.of(shard, |shard| {
            let asked = shard.conflicts.values().filter(|conflict| !open_only || conflict.winner.is_none());
            newest(asked.cloned(), |conflict| (conflict.at, conflict.id.clone()), limit)
        })))
    }

    fn dead_letters(&self, shard: u64, limit: usize) -> BoxFuture<'_, Result<Vec<DeadLetter>>> {
        let key = |letter: &DeadLetter| (letter.at, letter.link, letter.side);
        Box::pin(ready(self.of(shard, |shard| newest(shard.dead_letters.values().cloned(), key, limit))))
    }

    fn gaps(&self, shard: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Gap>>> {
        Box::pin(ready(
            self.of(shard, |shard| newest(shard.gaps.values().cloned(), |gap| (gap.noticed, gap.id), limit)),
        ))
    }

    fn find<'a>(&'a self, shard: u64, key: &'a str) -> BoxFuture<'a, Result<Vec<Link>>> {
        Box::pin(ready(self.of(shard, |shard| {
            let forms = forms(key);
            let has = |link: &Link| link.keys.iter().flatten().any(|key| forms.contains(key));
            shard.links.values().map(|row| &row.link).filter(|link| has(link)).cloned().collect()
        })))
    }

    fn history(&self, shard: u64, link: LinkId) -> BoxFuture<'_, Result<Vec<History>>> {
        Box::pin(ready(self.of(shard, |shard| {
            let mut steps = shard.history.get(&link).cloned().unwrap_or_default();
            steps.sort_by_key(|(place, _)| *place);
            steps.into_iter().map(|(_, step)| step).collect()
        })))
    }

    fn shape(&self, shard: u64) -> BoxFuture<'_, Result<Option<String>>> {
        Box::pin(ready(self.with(|all| Ok(all.shapes.get(&shard).cloned()))))
    }

    fn keep_shape<'a>(&'a self, shard: u64, shape: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(ready(self.with(|all| {
            all.shapes.insert(shard, shape.to_owned());
            Ok(())
        })))
    }

    fn reserve<'a>(&'a self, ledger: &'a str, ask: &'a Reservation) -> BoxFuture<'a, Result<Reserved>> {
        Box::pin(ready(self.with(|all| Ok(all.ledgers.entry(ledger.to_owned()).or_default().reserve(ask)))))
    }

    fn keep_standing<'a>(&'a self, shard: u64, standing: &'a Standing) -> BoxFuture<'a, Result<()>> {
        Box::pin(ready(self.with(|all| {
            all.shard(shard)?.standings.insert(standing.connection.clone(), standing.clone());
            Ok(())
        })))
    }

    fn prune(&self, shard: u64, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64>> {
        Box::pin(ready(self.with(|all| Ok(all.shard(shard)?.prune(before, limit) as u64))))
    }
}
