//! What people ask: how a shard stands, what it could not do, what became of a record; and what they ask of it.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use tombolo_engine::sync::{
    Command, History, Job, Link, LinkId, MappingIndex, MappingState, Side, SourceId, SourceState,
};

use super::{
    Access, Counts, SqlState, Status,
    bulk::lists,
    connection::{Connection, Statement, Values},
    dialect::indexed,
    lease::unknown,
    load::{Reading, columns},
    row::{forms, json, signed},
};
use crate::Result;

type Sources = Vec<(SourceId, SourceState)>;
type Jobs = Vec<(String, Job)>;
type Mappings = Vec<(MappingIndex, MappingState)>;

impl SqlState {
    /// A statement about rows of a shard.
    fn of_shard(&self, shard: u64, what: &str, table: &str, rest: &str) -> Result<Statement> {
        let sql = format!("SELECT {what} FROM {} WHERE shard = ?{rest}", self.table(table));
        Ok(Statement::new(sql).int(signed(shard)?))
    }

    /// Sources, jobs and mappings.
    pub(super) async fn standing(&self, connection: &mut Connection, shard: u64) -> Result<(Sources, Jobs, Mappings)> {
        let rows = self.of_shard(shard, "body", "sources", " ORDER BY connection, channel")?;
        let sources = connection.fetch(rows).await?.iter().map(|row| row.body(0)).collect::<Result<_>>()?;
        let rows = self.of_shard(shard, "body", "jobs", " ORDER BY name")?;
        let jobs = connection.fetch(rows).await?.iter().map(|row| row.body(0)).collect::<Result<_>>()?;
        let rows = self.of_shard(shard, "mapping, body", "mappings", " ORDER BY mapping")?;
        let rows = connection.fetch(rows).await?;
        let mappings = rows.iter().map(|row| Ok((row.number(0)? as MappingIndex, row.body(1)?)));
        Ok((sources, jobs, mappings.collect::<Result<_>>()?))
    }

    pub(super) async fn status_of(&self, shard: u64) -> Result<Status> {
        self.pool.transaction(Access::Read, async |connection| self.read_status(connection, shard).await).await
    }

    async fn read_status(&self, connection: &mut Connection, shard: u64) -> Result<Status> {
        let rows = connection.fetch(self.of_shard(shard, "epoch, holder, expires", "shards", "")?).await?;
        let row = rows.first().ok_or_else(|| unknown(shard))?;
        let mut status =
            Status { epoch: row.number(0)?, holder: row.text(1)?.zip(row.moment(2)?), ..Status::default() };
        let (sources, jobs, mappings) = self.standing(connection, shard).await?;
        (status.sources, status.jobs) = (sources, jobs);
        let mut counted = self.counts(connection, shard).await?;
        for (mapping, state) in mappings {
            counted.entry(mapping).or_default().0 = state;
        }
        status.mappings = counted.into_iter().map(|(mapping, (state, counts))| (mapping, state, counts)).collect();
        let rows = connection.fetch(self.of_shard(shard, "count(*), min(heard)", "journal", "")?).await?;
        if let Some(row) = rows.first() {
            (status.waiting, status.oldest) = (row.number(0)?, row.moment(1)?);
        }
        let rows = connection.fetch(self.of_shard(shard, "count(*)", "active", "")?).await?;
        if let Some(row) = rows.first() {
            status.active = row.number(0)?;
        }
        status.budgets = self.standings(connection, shard).await?;
        Ok(status)
    }

    async fn counts(
        &self,
        connection: &mut Connection,
        shard: u64,
    ) -> Result<BTreeMap<MappingIndex, (MappingState, Counts)>> {
        let mut counted: BTreeMap<MappingIndex, (MappingState, Counts)> = BTreeMap::new();
        let grouped = " GROUP BY mapping, left_present, right_present";
        let rows = self.of_shard(shard, "mapping, left_present, right_present, count(*)", "links", grouped)?;
        for row in connection.fetch(rows).await? {
            let counts = &mut counted.entry(row.number(0)? as MappingIndex).or_default().1;
            match (row.number(1)?, row.number(2)?) {
                (1, 1) => counts.linked = row.number(3)?,
                (1, _) => counts.half[Side::Left] = row.number(3)?,
                (_, 1) => counts.half[Side::Right] = row.number(3)?,
                _ => {}
            }
        }
        let rows = self.of_shard(shard, "mapping, count(*)", "conflicts", " AND undecided = 1 GROUP BY mapping")?;
        for row in connection.fetch(rows).await? {
            counted.entry(row.number(0)? as MappingIndex).or_default().1.conflicts = row.number(1)?;
        }
        let rows = self.of_shard(shard, "mapping, side, count(*)", "dead_letters", " GROUP BY mapping, side")?;
        for row in connection.fetch(rows).await? {
            let side = if row.number(1)? == 0 { Side::Left } else { Side::Right };
            counted.entry(row.number(0)? as MappingIndex).or_default().1.dead_letters[side] = row.number(2)?;
        }
        Ok(counted)
    }

    /// Records of a kind, in this order.
    pub(super) async fn newest<T: DeserializeOwned>(
        &self,
        shard: u64,
        table: &'static str,
        only: &'static str,
        order: &'static str,
        limit: usize,
    ) -> Result<Vec<T>> {
        let rest = format!("{only} ORDER BY {order} LIMIT ?");
        let rows = self.of_shard(shard, "body", table, &rest)?.int(i64::try_from(limit).unwrap_or(i64::MAX));
        self.pool
            .transaction(Access::Read, async |connection| {
                connection.fetch(rows).await?.iter().map(|row| row.body(0)).collect()
            })
            .await
    }

    pub(super) async fn history_of(&self, shard: u64, link: LinkId) -> Result<Vec<History>> {
        let rows = self.of_shard(shard, "body", "history", " AND link = ? ORDER BY at, ordinal, digest")?;
        let rows = rows.int(signed(link)?);
        self.pool
            .transaction(Access::Read, async |connection| {
                connection.fetch(rows).await?.iter().map(|row| row.body(0)).collect()
            })
            .await
    }

    pub(super) async fn find_links(&self, shard: u64, key: &str) -> Result<Vec<Link>> {
        let keys: Vec<String> = forms(key).iter().map(|form| indexed(form).into_owned()).collect();
        self.pool
            .transaction(Access::Read, async |connection| {
                let mut reading = Reading { state: self, connection, shard: signed(shard)?, links: BTreeMap::new() };
                for side in Side::BOTH {
                    let keys = lists(keys.iter().cloned(), Values::Text);
                    let [column, ..] = columns(side);
                    reading.read("", column, keys).await?;
                }
                Ok(reading.links.into_values().collect())
            })
            .await
    }

    pub(super) async fn waiting_commands(&self, shard: u64) -> Result<Vec<(u64, Command)>> {
        let rows = self.of_shard(shard, "number, body", "commands", " ORDER BY number")?;
        self.pool
            .transaction(Access::Read, async |connection| {
                let mut commands = Vec::new();
                for row in connection.fetch(rows).await? {
                    let number = row.number(0)?;
                    match row.body(1) {
                        Ok(command) => commands.push((number, command)),
                        // One that a newer tombolo asked must not keep the others from being heard.
                        Err(error) => tracing::warn!(number, %error, "a command cannot be read"),
                    }
                }
                Ok(commands)
            })
            .await
    }

    pub(super) async fn put_command(&self, shard: u64, command: &Command) -> Result<u64> {
        let body = json(command)?;
        self.pool
            .transaction(Access::Write, async |connection| {
                if connection.fetch(self.of_shard(shard, "shard", "shards", "")?).await?.is_empty() {
                    return Err(unknown(shard));
                }
                let (table, clock) = (self.table("commands"), self.pool.dialect.clock());
                let sql = format!("INSERT INTO {table} (shard, asked, body) VALUES (?, {clock}, ?)");
                let insert = Statement::new(sql).int(signed(shard)?).text(body);
                let rows = match &self.pool.dialect {
                    #[cfg(feature = "mysql")]
                    super::Dialect::MySql => {
                        connection.run(insert).await?;
                        connection.fetch(Statement::new("SELECT CAST(LAST_INSERT_ID() AS SIGNED)")).await?
                    }
                    #[allow(unreachable_patterns, reason = "depends on the features")]
                    _ => connection.fetch(insert.and(" RETURNING number")).await?,
                };
                rows.first().ok_or_else(|| crate::Error::failed("the command has no number"))?.number(0)
            })
            .await
    }
}
