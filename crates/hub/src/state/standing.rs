//! What an org's allowance is, and who took what of it: the ledger that all shards share, and what a shard's connection
//! was told last.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tombolo_engine::sync::{Ledger, Reservation, Reserved};

use super::{
    Access, SqlState,
    connection::{Connection, Statement},
    dialect::indexed,
    row::{json, signed},
};
use crate::{Error, Result};

/// What is known of a connection's allocations, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// The connection.
    pub(crate) connection: String,
    /// The name of its org's ledger.
    pub(crate) ledger: String,
    /// How much of the org's calls is ours, and how much of that is kept for what is live, in percent.
    pub(crate) budget: (u32, u32),
    /// The API calls that the org counts for everybody.
    #[serde(default)]
    pub(crate) calls: Option<Told>,
    /// The events that it delivered to everybody.
    #[serde(default)]
    pub(crate) events: Option<Told>,
}

/// How much of a day's allocation is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// Used in 24 hours.
    pub(crate) used: u64,
    /// Allowed in 24 hours.
    pub(crate) limit: u64,
    /// When that was told.
    pub(crate) at: Timestamp,
}

/// The row of a ledger that is locked by whoever changes it, and holds the org's limit.
const HEAD: &str = "";

/// How a quarter of an hour is written, so that its order as text is its order in time.
fn spelled(part: i64) -> String {
    format!("{part:012}")
}

impl SqlState {
    pub(super) async fn reserve_calls(&self, ledger: &str, ask: &Reservation) -> Result<Reserved> {
        self.work()?;
        self.pool
            .transaction(Access::Write, async |connection| {
                self.lock_ledger(connection, ledger).await?;
                let before = self.read_ledger(connection, ledger, Ledger::oldest(ask.at)).await?;
                let mut after = before.clone();
                let reserved = after.reserve(ask);
                let changed = after.parts.iter().filter(|(part, count)| before.parts.get(part) != Some(count));
                for (part, count) in changed {
                    self.put_count(connection, ledger, &spelled(*part), *count).await?;
                }
                if after.limit != before.limit {
                    self.put_count(connection, ledger, HEAD, after.limit.unwrap_or(0)).await?;
                }
                Ok(reserved)
            })
            .await
    }

    /// Keeps others out until the transaction ends.
    async fn lock_ledger(&self, connection: &mut Connection, ledger: &str) -> Result<()> {
        let (table, clock) = (self.table("budgets"), self.pool.dialect.clock());
        let sql = format!("UPDATE {table} SET touched = {clock} WHERE budget = ? AND day = ?");
        let touch = Statement::new(sql).text(indexed(ledger)).text(HEAD);
        if connection.run(touch.clone()).await? == 0 {
            connection.run(self.new_count().text(indexed(ledger)).text(HEAD)).await?;
            connection.run(touch).await?;
        }
        Ok(())
    }

    /// A row of a ledger, unless it is there.
    fn new_count(&self) -> Statement {
        let rest = match &self.pool.dialect {
            #[cfg(feature = "mysql")]
            super::Dialect::MySql => "ON DUPLICATE KEY UPDATE day = day",
            #[allow(unreachable_patterns, reason = "depends on the features")]
            _ => "ON CONFLICT DO NOTHING",
        };
        let table = self.table("budgets");
        Statement::new(format!("INSERT INTO {table} (budget, day, used, touched) VALUES (?, ?, 0, 0) {rest}"))
    }

    async fn put_count(&self, connection: &mut Connection, ledger: &str, day: &str, count: u64) -> Result<()> {
        let (table, clock) = (self.table("budgets"), self.pool.dialect.clock());
        let sql = format!("UPDATE {table} SET used = ?, touched = {clock} WHERE budget = ? AND day = ?");
        let update = Statement::new(sql).int(signed(count)?).text(indexed(ledger)).text(day);
        if connection.run(update.clone()).await? == 0 {
            connection.run(self.new_count().text(indexed(ledger)).text(day)).await?;
            connection.run(update).await?;
        }
        Ok(())
    }

    async fn read_ledger(&self, connection: &mut Connection, name: &str, oldest: i64) -> Result<Ledger> {
        let table = self.table("budgets");
        let sql = format!("SELECT day, used FROM {table} WHERE budget = ? AND (day = ? OR day >= ? AND day < ?)");
        // Whatever is not a number is of another kind.
        let rows = Statement::new(sql).text(indexed(name)).text(HEAD).text(spelled(oldest)).text("1");
        let mut ledger = Ledger::default();
        for row in connection.fetch(rows).await? {
            let (day, used) = (row.text(0)?.unwrap_or_default(), row.number(1)?);
            if day == HEAD {
                ledger.limit = Some(used).filter(|used| *used > 0);
            } else {
                let part = day.parse().map_err(|_| Error::failed(format!("`{day}` is no part of a day")))?;
                ledger.parts.insert(part, used);
            }
        }
        Ok(ledger)
    }

    pub(super) async fn put_standing(&self, shard: u64, standing: &Standing) -> Result<()> {
        self.work()?;
        let (table, shard, body) = (self.table("standings"), signed(shard)?, json(standing)?);
        let name = indexed(&standing.connection);
        self.pool
            .transaction(Access::Write, async |connection| {
                let delete = Statement::new(format!("DELETE FROM {table} WHERE shard = ? AND connection = ?"));
                connection.run(delete.int(shard).text(name.clone())).await?;
                let insert = format!("INSERT INTO {table} (shard, connection, body) VALUES (?, ?, ?)");
                connection.run(Statement::new(insert).int(shard).text(name).text(body)).await.map(drop)
            })
            .await
    }

    /// What the connections of a shard were told, with their ledgers.
    pub(super) async fn standings(&self, connection: &mut Connection, shard: u64) -> Result<Vec<(Standing, Ledger)>> {
        let sql = format!("SELECT body FROM {} WHERE shard = ? ORDER BY connection", self.table("standings"));
        let mut standings = Vec::new();
        for row in connection.fetch(Statement::new(sql).int(signed(shard)?)).await? {
            let standing: Standing = row.body(0)?;
            let ledger = self.read_ledger(connection, &standing.ledger, Ledger::oldest(Timestamp::now())).await?;
            standings.push((standing, ledger));
        }
        Ok(standings)
    }
}
