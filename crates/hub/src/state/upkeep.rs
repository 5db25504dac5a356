//! What is not about records: calls that all processes share, and what is forgotten with time.

use jiff::Timestamp;

use super::{
    Access, SqlState,
    connection::{Connection, Statement},
    dialect::indexed,
    row::{micros, signed},
};
use crate::{Error, Result};

impl SqlState {
    pub(super) async fn reserve_calls(&self, budget: &str, day: &str, calls: u64, limit: u64) -> Result<u64> {
        self.work()?;
        let (table, clock) = (self.table("budgets"), self.pool.dialect.clock());
        let of_day = |sql: String| Statement::new(sql).text(indexed(budget)).text(indexed(day));
        self.pool
            .transaction(Access::Write, async |connection| {
                // The row is there afterwards, and locked.
                let touch = format!("UPDATE {table} SET touched = {clock} WHERE budget = ? AND day = ?");
                if connection.run(of_day(touch.clone())).await? == 0 {
                    connection.run(of_day(self.new_budget())).await?;
                    connection.run(of_day(touch)).await?;
                }
                let used = format!("SELECT used FROM {table} WHERE budget = ? AND day = ?");
                let rows = connection.fetch(of_day(used)).await?;
                let used = rows.first().ok_or_else(|| Error::failed("the budget is not there"))?.number(0)?;
                let given = calls.min(limit.saturating_sub(used));
                let sql = format!("UPDATE {table} SET used = ? WHERE budget = ? AND day = ?");
                let update = Statement::new(sql).int(signed(used + given)?);
                connection.run(update.text(indexed(budget)).text(indexed(day))).await?;
                Ok(given)
            })
            .await
    }

    /// Makes a budget, unless somebody else was quicker.
    fn new_budget(&self) -> String {
        let rest = match &self.pool.dialect {
            #[cfg(feature = "mysql")]
            super::Dialect::MySql => "ON DUPLICATE KEY UPDATE day = day",
            #[allow(unreachable_patterns, reason = "depends on the features")]
            _ => "ON CONFLICT DO NOTHING",
        };
        let table = self.table("budgets");
        format!("INSERT INTO {table} (budget, day, used, touched) VALUES (?, ?, 0, 0) {rest}")
    }

    pub(super) async fn read_shape(&self, shard: u64) -> Result<Option<String>> {
        let sql = format!("SELECT body FROM {} WHERE shard = ?", self.table("shapes"));
        let shape = Statement::new(sql).int(signed(shard)?);
        self.pool
            .transaction(Access::Read, async |connection| {
                connection.fetch(shape).await?.first().map_or(Ok(None), |row| row.text(0))
            })
            .await
    }

    pub(super) async fn put_shape(&self, shard: u64, shape: &str) -> Result<()> {
        self.work()?;
        let (table, shard) = (self.table("shapes"), signed(shard)?);
        self.pool
            .transaction(Access::Write, async |connection| {
                connection.run(Statement::new(format!("DELETE FROM {table} WHERE shard = ?")).int(shard)).await?;
                let insert = Statement::new(format!("INSERT INTO {table} (shard, body) VALUES (?, ?)"));
                connection.run(insert.int(shard).text(shape)).await.map(drop)
            })
            .await
    }

    pub(super) async fn prune_some(&self, shard: u64, before: Timestamp, limit: usize) -> Result<u64> {
        self.work()?;
        let limit = limit as u64;
        self.pool
            .transaction(Access::Write, async |connection| self.prune_all(connection, shard, before, limit).await)
            .await
    }

    /// What was heard and is not in the journal any more.
    fn decided_before(&self, shard: u64, before: Timestamp) -> Result<Statement> {
        let (heard, journal) = (self.table("heard"), self.table("journal"));
        let sql = format!(
            "shard = ? AND at < ? AND NOT EXISTS \
             (SELECT 1 FROM {journal} waiting WHERE waiting.shard = {heard}.shard AND waiting.place = {heard}.place)"
        );
        Ok(Statement::new(sql).int(signed(shard)?).int(micros(before)))
    }

    /// Old rows, kind by kind, until so many are gone. What is open stays, however old it is.
    async fn prune_all(&self, connection: &mut Connection, shard: u64, before: Timestamp, limit: u64) -> Result<u64> {
        let of_shard = |rest: &str| -> Result<Statement> {
            Ok(Statement::new(format!("shard = ? AND {rest} < ?")).int(signed(shard)?).int(micros(before)))
        };
        let kinds = [
            ("heard", self.decided_before(shard, before)?),
            ("history", of_shard("at")?),
            ("conflicts", of_shard("undecided = 0 AND at")?),
            ("gaps", of_shard("closed IS NOT NULL AND closed")?),
            ("budgets", Statement::new("touched < ?").int(micros(before))),
        ];
        let mut gone = 0;
        for (table, condition) in kinds {
            let left = signed(limit - gone)?;
            if left > 0 {
                gone += connection.run(self.pool.dialect.delete_some(table, condition, left)).await?;
            }
        }
        Ok(gone)
    }
}
