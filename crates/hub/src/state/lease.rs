//! Who works on a shard: numbers, leases, epochs, and what a new holder starts from.

use std::time::Duration;

use tombolo_engine::sync::{Gap, Start};

use super::{
    Access, Lease, SqlState,
    connection::{Connection, Statement},
    dialect::indexed,
    failpoints,
    row::signed,
};
use crate::{Error, ErrorKind, Result};

impl SqlState {
    pub(super) async fn shard_of(&self, tenant: &str) -> Result<u64> {
        let shards = self.table("shards");
        let access = if self.beside { Access::Read } else { Access::Write };
        self.pool
            .transaction(access, async |connection| {
                let sql = format!("SELECT shard FROM {shards} WHERE tenant = ?");
                let known = Statement::new(sql).text(indexed(tenant));
                if let Some(row) = connection.fetch(known.clone()).await?.first() {
                    return row.number(0);
                }
                if self.beside {
                    return Err(Error::usage(format!("the state knows no tenant `{tenant}`")));
                }
                connection.run(self.new_shard(tenant)).await?;
                let rows = connection.fetch(known).await?;
                rows.first().ok_or_else(|| Error::failed("the new shard is not there"))?.number(0)
            })
            .await
    }

    /// Makes a shard, unless somebody else was quicker.
    fn new_shard(&self, tenant: &str) -> Statement {
        let shards = self.table("shards");
        let rest = match &self.pool.dialect {
            #[cfg(feature = "mysql")]
            super::Dialect::MySql => "ON DUPLICATE KEY UPDATE tenant = tenant",
            #[allow(unreachable_patterns, reason = "depends on the features")]
            _ => "ON CONFLICT DO NOTHING",
        };
        let names = "tenant, epoch, last_link, last_place, last_gap";
        Statement::new(format!("INSERT INTO {shards} ({names}) VALUES (?, 0, 0, 0, 0) {rest}")).text(indexed(tenant))
    }

    pub(super) async fn acquire_lease(&self, shard: u64, holder: &str, length: Duration) -> Result<Option<Lease>> {
        self.work()?;
        let lease = self
            .pool
            .transaction(Access::Write, async |connection| self.take(connection, shard, holder, length).await)
            .await?;
        self.failpoints.reach(failpoints::ACQUIRED)?;
        Ok(lease)
    }

    /// Whose row is locked is being worked with by its holder or taken by somebody else: it is not waited for, because
    /// a holder that was stopped in the middle keeps it locked until its connection is ended.
    async fn take(
        &self,
        connection: &mut Connection,
        shard: u64,
        holder: &str,
        length: Duration,
    ) -> Result<Option<Lease>> {
        let (shards, clock) = (self.table("shards"), self.pool.dialect.clock());
        let lock = self.pool.dialect.lock_free();
        let running = self.pool.dialect.flag(&format!("expires > {clock}"));
        let sql = format!("SELECT epoch, holder, {running} FROM {shards} WHERE shard = ?{lock}");
        let rows = connection.fetch(Statement::new(sql).int(signed(shard)?)).await?;
        let Some(row) = rows.first() else {
            let sql = format!("SELECT shard FROM {shards} WHERE shard = ?");
            let there = !connection.fetch(Statement::new(sql).int(signed(shard)?)).await?.is_empty();
            return if there { Ok(None) } else { Err(unknown(shard)) };
        };
        let held = row.text(1)?.is_some_and(|other| other != holder) && row.number(2)? == 1;
        if held {
            return Ok(None);
        }
        let epoch = row.number(0)? + 1;
        let sql = format!("UPDATE {shards} SET epoch = ?, holder = ?, expires = {clock} + ? WHERE shard = ?");
        let update = Statement::new(sql).int(signed(epoch)?).text(holder).int(micros(length)).int(signed(shard)?);
        connection.run(update).await?;
        Ok(Some(Lease { shard, epoch, holder: holder.to_owned() }))
    }

    pub(super) async fn renew_lease(&self, lease: &Lease, length: Duration) -> Result<bool> {
        self.work()?;
        let sql = format!("UPDATE {} SET expires = {} + ? WHERE ", self.table("shards"), self.pool.dialect.clock());
        let update = Statement::new(sql).int(micros(length)).then(ours(lease)?);
        self.pool.transaction(Access::Write, async |connection| Ok(connection.run(update).await? > 0)).await
    }

    pub(super) async fn release_lease(&self, lease: &Lease) -> Result<()> {
        self.work()?;
        let sql = format!("UPDATE {} SET holder = NULL, expires = NULL WHERE ", self.table("shards"));
        let update = Statement::new(sql).then(ours(lease)?);
        self.pool.transaction(Access::Write, async |connection| connection.run(update).await.map(drop)).await
    }

    pub(super) async fn start_of(&self, lease: &Lease) -> Result<Start> {
        self.pool.transaction(Access::Read, async |connection| self.read_start(connection, lease).await).await
    }

    async fn read_start(&self, connection: &mut Connection, lease: &Lease) -> Result<Start> {
        let sql = format!("SELECT last_link, last_place, last_gap FROM {} WHERE ", self.table("shards"));
        let rows = connection.fetch(Statement::new(sql).then(ours(lease)?)).await?;
        let row = rows.first().ok_or_else(|| fenced(lease))?;
        let mut start = Start {
            shard: lease.shard,
            epoch: lease.epoch,
            last_link: row.number(0)?,
            last_place: row.number(1)?,
            last_gap: row.number(2)?,
            ..Start::default()
        };
        let of_shard = |what: &str, table: &str, rest: &str| -> Result<Statement> {
            let sql = format!("SELECT {what} FROM {} WHERE shard = ?{rest}", self.table(table));
            Ok(Statement::new(sql).int(signed(lease.shard)?))
        };
        for row in connection.fetch(of_shard("link", "active", " ORDER BY link")?).await? {
            start.active.push(row.number(0)?);
        }
        for row in connection.fetch(of_shard("body", "gaps", " AND closed IS NULL ORDER BY id")?).await? {
            start.gaps.push(row.body::<Gap>(0)?);
        }
        (start.sources, start.jobs, start.mappings) = self.standing(connection, lease.shard).await?;
        Ok(start)
    }
}

/// The rows of a lease.
fn ours(lease: &Lease) -> Result<Statement> {
    let ours = Statement::new("shard = ? AND epoch = ? AND holder = ?");
    Ok(ours.int(signed(lease.shard)?).int(signed(lease.epoch)?).text(&lease.holder))
}

/// The first statement of a commit: checks the lease, locks it until the transaction ends, and keeps the greatest
/// numbers, so that those of what was forgotten are not given out again.
pub(super) fn check(state: &SqlState, lease: &Lease, [link, place, gap]: [u64; 3]) -> Result<Statement> {
    let greatest = state.pool.dialect.greatest();
    let set = |name: &str| format!("{name} = {greatest}({name}, ?)");
    let sql = format!(
        "UPDATE {} SET {}, {}, {} WHERE ",
        state.table("shards"),
        set("last_link"),
        set("last_place"),
        set("last_gap")
    );
    Ok(Statement::new(sql).int(signed(link)?).int(signed(place)?).int(signed(gap)?).then(ours(lease)?))
}

/// The lease is somebody else's.
pub(super) fn fenced(lease: &Lease) -> Error {
    let text = format!("shard {} has another holder than that of epoch {}", lease.shard, lease.epoch);
    Error::new(ErrorKind::Fenced, text)
}

/// There is no such shard.
pub(super) fn unknown(shard: u64) -> Error {
    Error::usage(format!("the state knows no shard {shard}"))
}

pub(super) fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX / 4)
}
