//! Operation rows: each write of ours leaves one in its transaction, so that it is known when it comes again.

use std::collections::BTreeMap;

use tombolo_engine::sync::{Key, Operation, Outcome, Write};

use super::{
    dialect::{Dialect, Param, Sql},
    fault::Fault,
    session::Session,
};
use crate::systems::system::Fence;

/// The operation rows of one transaction.
pub(super) struct Operations {
    fence: Fence,
    token: i64,
    /// Those that were there before, and their keys.
    before: BTreeMap<String, Key>,
}

impl Operations {
    /// Puts a row for each write, unless there is one. Who is sent twice at once waits here for the other.
    pub(super) async fn begin(session: &mut Session, fence: Fence, writes: &[Write]) -> Result<Self, Fault> {
        let dialect = session.dialect();
        let token = i64::from_ne_bytes(fastrand::u64(..).to_ne_bytes());
        let mut operations = Self { fence, token, before: BTreeMap::new() };
        let rows: BTreeMap<&str, &str> =
            writes.iter().map(|write| (write.operation_id.as_str(), known_key(write))).collect();
        let rows: Vec<(&str, &str)> = rows.into_iter().collect();
        operations.insert(session, &rows, Known::Stays).await?;
        let ids: Vec<&str> = rows.into_iter().map(|(id, _)| id).collect();
        let text = format!("SELECT id, record FROM {} WHERE shard = ", dialect.ours("operations"));
        let mut sql = Sql::new(dialect, text);
        sql.bind(fence.shard).push(" AND token <> ").bind(token).push(" AND id").among(&ids);
        for row in session.fetch(sql).await? {
            operations.before.insert(row.required(0)?, row.required(1)?);
        }
        Ok(operations)
    }

    pub(super) fn done_before(&self, write: &Write) -> Option<Key> {
        self.before.get(&write.operation_id).cloned()
    }

    /// Leaves the rows of what was done, with the keys.
    pub(super) async fn end(&self, session: &mut Session, writes: &[Write], outcomes: &[Outcome]) -> Result<(), Fault> {
        let (mut undone, mut keys) = (Vec::new(), BTreeMap::new());
        for (write, outcome) in writes.iter().zip(outcomes) {
            match outcome {
                Outcome::Done { key, .. } if key != known_key(write) => {
                    keys.insert(write.operation_id.as_str(), key.as_str());
                }
                Outcome::Done { .. } | Outcome::AlreadyDone { .. } => {}
                _ => undone.push(write.operation_id.as_str()),
            }
        }
        if !undone.is_empty() {
            let dialect = session.dialect();
            let mut sql = Sql::new(dialect, format!("DELETE FROM {} WHERE shard = ", dialect.ours("operations")));
            sql.bind(self.fence.shard).push(" AND id").among(&undone);
            session.run(sql).await?;
        }
        let keys: Vec<(&str, &str)> = keys.into_iter().collect();
        self.insert(session, &keys, Known::GetsKey).await
    }

    /// Ids with keys.
    async fn insert(&self, session: &mut Session, rows: &[(&str, &str)], known: Known) -> Result<(), Fault> {
        if rows.is_empty() {
            return Ok(());
        }
        let dialect = session.dialect();
        let table = dialect.ours("operations");
        let ignore = if (dialect, known) == (Dialect::MySql, Known::Stays) { "IGNORE " } else { "" };
        let into = format!("INSERT {ignore}INTO {table} (shard, id, epoch, record, token, at_us) ");
        let mut sql = Sql::new(dialect, into);
        let Fence { shard, epoch, .. } = self.fence;
        if dialect == Dialect::Postgres {
            let column = |of: fn(&(&str, &str)) -> String| Param::Texts(rows.iter().map(|row| Some(of(row))).collect());
            sql.push("SELECT ").bind(shard).push(", v.id, ").bind(epoch).push(", v.record, ").bind(self.token);
            sql.push(", ").push(dialect.clock()).push(" FROM UNNEST(");
            sql.bind(column(|(id, _)| (*id).to_owned())).push(", ").bind(column(|(_, key)| (*key).to_owned()));
            // In the order of ids: two transactions do not wait for each other.
            sql.push(") v(id, record) ORDER BY v.id");
        } else {
            sql.push("VALUES ");
            sql.bind_list(rows, |sql, (id, key)| {
                sql.push("(").bind(shard).push(", ").bind(*id).push(", ").bind(epoch).push(", ").bind(*key).push(", ");
                sql.bind(self.token).push(", ").push(dialect.clock()).push(")");
            });
        }
        sql.push(match (dialect, known) {
            (Dialect::MySql, Known::Stays) => "",
            (Dialect::MySql, Known::GetsKey) => " ON DUPLICATE KEY UPDATE record = VALUES(record)",
            (_, Known::Stays) => " ON CONFLICT (shard, id) DO NOTHING",
            (_, Known::GetsKey) => " ON CONFLICT (shard, id) DO UPDATE SET record = excluded.record",
        });
        session.run(sql).await.map(drop)
    }
}

/// What becomes of a row that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Stays,
    GetsKey,
}

/// The key, as far as it is known before the write.
fn known_key(write: &Write) -> &str {
    match &write.operation {
        Operation::Create { key, .. } => key.as_deref().unwrap_or_default(),
        Operation::Update(key) | Operation::Delete(key) | Operation::Undelete(key) => key,
    }
}
