//! One transaction of the engine as one transaction of the database: a statement a table, in one order.

use std::collections::{BTreeMap, HashSet};

use tombolo_engine::sync::{Side, Transaction};

use super::{
    Access, Dialect, Lease, SqlState,
    bulk::{Bulk, Known, lists},
    connection::{Connection, Statement, Values},
    failpoints,
    lease::{check, fenced},
    lookup::Lookup,
    prepared::{Heard, JournalRow, Keys, Prepared},
    row::signed,
    side_index,
};
use crate::Result;

impl SqlState {
    pub(super) async fn commit_all(&self, lease: &Lease, transaction: &Transaction) -> Result<Vec<u64>> {
        self.work()?;
        let prepared = Prepared::of(lease.shard, transaction)?;
        let known = self
            .pool
            .transaction(Access::Write, async |connection| {
                let checked = check(self, lease, prepared.greatest)?;
                if connection.run(checked).await? == 0 {
                    return Err(fenced(lease));
                }
                self.failpoints.reach(failpoints::LEASE_LOCKED)?;
                let shard = signed(lease.shard)?;
                let known = Writing { state: self, connection, shard }.write(prepared).await?;
                self.failpoints.reach(failpoints::BEFORE_COMMIT)?;
                Ok(known)
            })
            .await?;
        self.failpoints.reach(failpoints::COMMITTED)?;
        Ok(known)
    }
}

/// One commit under way.
struct Writing<'a> {
    state: &'a SqlState,
    connection: &'a mut Connection,
    shard: i64,
}

impl Writing<'_> {
    async fn write(mut self, prepared: Prepared) -> Result<Vec<u64>> {
        let known = self.journal(&prepared.heard, prepared.journal).await?;
        self.delete("journal", "place", lists(prepared.decided, Values::Int)).await?;
        self.state.failpoints.reach(failpoints::HALF_WRITTEN)?;
        for (table, column) in [("links", "id"), ("history", "link"), ("conflicts", "link"), ("dead_letters", "link")] {
            let forgotten = lists(prepared.forgotten.iter().copied(), Values::Int);
            self.delete(table, column, forgotten).await?;
        }
        self.links(prepared.links, prepared.keys).await?;
        self.delete("active", "link", lists(prepared.quiet, Values::Int)).await?;
        self.put(prepared.active).await?;
        for (side, links) in Side::BOTH.into_iter().zip(prepared.delivered) {
            let of_side = format!(" AND side = {}", side_index(side));
            self.change("DELETE FROM {}", "dead_letters", &of_side, "link", lists(links, Values::Int)).await?;
        }
        self.delete("jobs", "name", lists(prepared.finished, Values::Text)).await?;
        self.delete("commands", "number", lists(prepared.commands, Values::Int)).await?;
        for bulk in prepared.others {
            self.put(bulk).await?;
        }
        Ok(known)
    }

    async fn put(&mut self, bulk: Bulk) -> Result<()> {
        bulk.write(self.connection, &self.state.pool.dialect).await
    }

    fn lookup<'b>(&self, table: &'b str, rest: &str, column: &'b str) -> Lookup<'b> {
        Lookup { table, condition: Statement::new(format!("shard = ?{rest}")).int(self.shard), column }
    }

    /// Deletes the shard's rows whose column holds one of the values.
    async fn delete(&mut self, table: &str, column: &str, lists: Vec<Values>) -> Result<()> {
        self.change("DELETE FROM {}", table, "", column, lists).await
    }

    /// Changes the shard's rows whose column holds one of the values: `{}` stands for the table.
    async fn change(&mut self, change: &str, table: &str, rest: &str, column: &str, lists: Vec<Values>) -> Result<()> {
        let dialect = &self.state.pool.dialect;
        let change = change.replace("{}", &dialect.table(table));
        for list in lists {
            let statement = self.lookup(table, rest, column).change(dialect, &change, list);
            self.connection.run(statement).await?;
        }
        Ok(())
    }

    /// Where what is heard is known already.
    async fn known(&mut self, heard: &Heard) -> Result<BTreeMap<(String, String), u64>> {
        let dialect = &self.state.pool.dialect;
        let mut known = BTreeMap::new();
        for (name, entries) in heard {
            let identities = entries.iter().map(|(identity, _)| identity.clone());
            for list in lists(identities, Values::Text) {
                let mut lookup = self.lookup("heard", " AND connection = ?", "identity");
                lookup.condition = lookup.condition.text(name);
                for row in self.connection.fetch(lookup.select(dialect, "identity, place", list)).await? {
                    known.insert((name.clone(), row.required(0)?), row.number(1)?);
                }
            }
        }
        Ok(known)
    }

    /// Writes what was heard and not known; gives the places of what was. What is known at its very place was written
    /// by this transaction before, and its answer was lost.
    async fn journal(&mut self, heard: &Heard, rows: Vec<JournalRow>) -> Result<Vec<u64>> {
        let at = self.known(heard).await?;
        let names = &["shard", "connection", "identity", "place", "at"];
        let mut fresh = Bulk::new("heard", names, Known::Refused);
        let mut undecided = Bulk::new("journal", &["shard", "place", "heard", "body"], Known::Refused);
        let mut known = Vec::new();
        let mut seen = HashSet::new();
        for row in rows {
            let identity = (row.connection, row.identity);
            match at.get(&identity) {
                Some(place) if *place == row.place => {}
                Some(_) => known.push(row.place),
                // Told twice in one delivery.
                None if !seen.insert(identity.clone()) => known.push(row.place),
                None => {
                    let ((connection, identity), place) = (identity, signed(row.place)?);
                    undecided.push([self.shard.into(), place.into(), row.heard.into(), row.body.into()]);
                    fresh.push([self.shard.into(), connection.into(), identity.into(), place.into(), row.heard.into()]);
                }
            }
        }
        self.put(fresh).await?;
        self.put(undecided).await?;
        Ok(known)
    }

    /// Writes links. A key may go from one link to another in one transaction, and no two have it at any moment: it is
    /// taken from the old one first.
    async fn links(&mut self, links: Bulk, keys: Keys) -> Result<()> {
        let ids = lists(keys.keys().copied(), Values::Int);
        match &self.state.pool.dialect {
            // There a row whose other key is taken would be changed in place of the one that is meant.
            #[cfg(feature = "mysql")]
            Dialect::MySql => {
                self.delete("links", "id", ids).await?;
                self.put(links.refusing_known()).await
            }
            #[allow(unreachable_patterns, reason = "depends on the features")]
            dialect => {
                let mut moved = Vec::new();
                for list in ids {
                    let rows = self.lookup("links", "", "id").select(dialect, "id, left_key, right_key", list);
                    for row in self.connection.fetch(rows).await? {
                        let id = row.int(0)?.unwrap_or_default();
                        let before = [row.text(1)?, row.text(2)?];
                        let changed =
                            |(before, after): (&Option<String>, &Option<String>)| before.is_some() && before != after;
                        if keys.get(&id).is_some_and(|after| before.iter().zip(after).any(changed)) {
                            moved.push(id);
                        }
                    }
                }
                let clear = "UPDATE {} SET left_key = NULL, right_key = NULL";
                self.change(clear, "links", "", "id", lists(moved, Values::Int)).await?;
                self.put(links).await
            }
        }
    }
}
