//! The outbox: what the triggers write, how it is read, and how it is deleted.

use jiff::Timestamp;
use tombolo_engine::sync::{Key, News, NewsKind, Stored, Tag};

use super::{Database, RowName};
use crate::{
    ledger::{CommitId, Told},
    plan::APP,
};

/// A row of the outbox.
#[derive(Debug, Clone)]
pub struct OutboxRow {
    /// The table.
    pub table: &'static str,
    /// The row; none for the whole table.
    pub key: Option<Key>,
    /// What happened.
    pub kind: NewsKind,
    /// The new values of changed columns.
    pub values: Vec<(String, Stored)>,
    /// The tag that the transaction named.
    pub origin: Option<Tag>,
    /// The wall clock at the trigger.
    pub at: Timestamp,
    /// The commits that it tells.
    pub commits: Vec<CommitId>,
}

impl Database {
    /// What the trigger writes: the change, or beyond the cap only that there was one.
    #[expect(clippy::too_many_arguments, reason = "the columns of the outbox")]
    pub(super) fn trigger(
        &mut self,
        id: u64,
        row: &RowName,
        kind: NewsKind,
        values: Vec<(String, Stored)>,
        origin: Option<Tag>,
        at: Timestamp,
        commit: CommitId,
    ) -> Told {
        let oldest = self.outbox.keys().next().copied().unwrap_or(id);
        if id.saturating_sub(oldest) >= self.cap {
            self.gap_row(row.0, at, vec![commit]);
            return Told::Gap(None);
        }
        let (table, key, commits) = (row.0, Some(row.1.clone()), vec![commit]);
        self.outbox.insert(id, OutboxRow { table, key, kind, values, origin, at, commits });
        Told::Event
    }

    /// A row that says that something happened to a table.
    pub(super) fn gap_row(&mut self, table: &'static str, at: Timestamp, commits: Vec<CommitId>) {
        let id = self.draw_outbox();
        let (kind, values, origin) = (NewsKind::Gap, Vec::new(), None);
        self.outbox.insert(id, OutboxRow { table, key: None, kind, values, origin, at, commits });
    }

    /// A row of the outbox as a change.
    pub fn news(&self, id: u64, row: &OutboxRow) -> News {
        News {
            connection: APP.to_owned(),
            entity: row.table.to_owned(),
            key: row.key.clone(),
            identity: identity(id),
            kind: row.kind.clone(),
            values: row.values.clone(),
            origin: row.origin,
            at: Some(row.at),
            order: Some(id),
        }
    }

    /// What was not claimed of a row, oldest first.
    pub fn pending(&self, name: &RowName) -> Vec<News> {
        let of_it = self.outbox.iter().filter(|(_, row)| row.table == name.0 && row.key.as_ref() == Some(&name.1));
        of_it.map(|(id, row)| self.news(*id, row)).collect()
    }

    /// Deletes exactly these, if the epoch row allows; says whether it did.
    pub fn acknowledge(&mut self, identities: &[String], epoch: u64, checks: bool) -> bool {
        if checks && epoch < self.epoch {
            return false;
        }
        self.epoch = self.epoch.max(epoch);
        for identity in identities {
            if let Some(id) = id_of(identity) {
                self.outbox.remove(&id);
            }
        }
        true
    }
}

/// (database, incarnation, id).
fn identity(id: u64) -> String {
    format!("db/1/{id}")
}

/// The id in an identity.
pub fn id_of(identity: &str) -> Option<u64> {
    identity.strip_prefix("db/1/")?.parse().ok()
}
