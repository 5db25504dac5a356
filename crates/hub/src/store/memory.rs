//! The store's twin in memory, for tests of what stands above it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use futures_util::future::{BoxFuture, ready};
use jiff::Timestamp;
use tombolo_engine::{
    Row,
    mirror::{ClosedGap, Incoming, State, Write},
};
use tombolo_schema::Id;

use super::{Applied, Committed, Owner, Store, Table};
use crate::Result;

/// Rows and state in memory; they outlive the mirrors that write them.
#[derive(Default)]
pub(crate) struct MemoryStore {
    tables: Mutex<HashMap<String, Kept>>,
}

#[derive(Default, Clone)]
pub(crate) struct Kept {
    pub(crate) rows: BTreeMap<Id, Row>,
    pub(crate) state: State,
    pub(crate) closed: Vec<ClosedGap>,
}

impl MemoryStore {
    fn with<T>(&self, table: &Table, work: impl FnOnce(&mut Kept) -> T) -> T {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        work(tables.entry(table.name.clone()).or_default())
    }

    pub(crate) fn kept(&self, table: &str) -> Kept {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).get(table).cloned().unwrap_or_default()
    }
}

impl Store for MemoryStore {
    fn prepare<'a>(&'a self, _: &'a Owner, tables: &'a [Table]) -> BoxFuture<'a, Result<Vec<State>>> {
        let states = tables.iter().map(|table| self.with(table, |kept| kept.state.clone())).collect();
        Box::pin(ready(Ok(states)))
    }

    fn commit<'a>(&'a self, table: &'a Table, write: &'a Write) -> BoxFuture<'a, Result<Committed>> {
        let committed = self.with(table, |kept| {
            let mut committed = Committed::default();
            // Of two readings of one row the later counts.
            let rows: BTreeMap<Id, &Incoming> = write.rows.iter().map(|row| (row.row.id, row)).collect();
            for incoming in rows.into_values() {
                let (row, before) = (&incoming.row, kept.rows.get(&incoming.row.id));
                match before {
                    Some(before) if before.stamp > row.stamp && !incoming.force => committed.stale.push(row.id),
                    Some(before) if before == row => {}
                    None if incoming.known_only => {}
                    before => {
                        let applied = Applied::between(before.map(|before| before.deleted), row.deleted);
                        committed.applied.push((row.id, applied));
                        kept.rows.insert(row.id, row.clone());
                    }
                }
            }
            for id in &write.gone {
                if let Some(row) = kept.rows.get_mut(id).filter(|row| !row.deleted) {
                    row.deleted = true;
                    committed.applied.push((*id, Applied::Deleted));
                }
            }
            kept.state = write.state.clone();
            kept.closed.extend(write.closed.clone());
            committed
        });
        Box::pin(ready(Ok(committed)))
    }

    fn live<'a>(&'a self, table: &'a Table) -> BoxFuture<'a, Result<Vec<(Id, Timestamp)>>> {
        let live = self
            .with(table, |kept| kept.rows.values().filter(|row| !row.deleted).map(|row| (row.id, row.stamp)).collect());
        Box::pin(ready(Ok(live)))
    }

    fn live_among<'a>(&'a self, table: &'a Table, ids: &'a [Id]) -> BoxFuture<'a, Result<Vec<Id>>> {
        let live = self.with(table, |kept| {
            ids.iter().copied().filter(|id| kept.rows.get(id).is_some_and(|row| !row.deleted)).collect()
        });
        Box::pin(ready(Ok(live)))
    }

    fn count<'a>(&'a self, table: &'a Table) -> BoxFuture<'a, Result<u64>> {
        let count = self.with(table, |kept| kept.rows.values().filter(|row| !row.deleted).count() as u64);
        Box::pin(ready(Ok(count)))
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(ready(Ok(())))
    }
}
