//! What is not about records: what the numbers in the tables stand for, and what is forgotten with time.

use jiff::Timestamp;

use super::{
    Access, SqlState,
    connection::{Connection, Statement},
    row::{micros, signed},
};
use crate::Result;

impl SqlState {
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
