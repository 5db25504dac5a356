//! What the database answers to questions.

use tombolo_engine::sync::{Answer, Key, Mapping, Read, Refusal, Row, Side};

use super::{Database, RowName, TableRow};
use crate::{
    moment::{Micros, timestamp},
    plan::{EXTERNAL_ID, TABLES},
};

impl Database {
    /// Answers. A table has no stamps: what changed since is everything.
    pub fn read(&self, read: &Read, mappings: &[Mapping], now: Micros) -> Answer {
        let server = Some(timestamp(now + self.skew));
        match read {
            Read::Rows { mapping, keys, .. } => {
                let rows = keys.iter().filter_map(|key| self.row_of(*mapping, &mappings[*mapping], key)).collect();
                Answer::Rows { rows, next: None, server }
            }
            Read::External { mapping, other, .. } => {
                let carries = |row: &TableRow| row.values.get(EXTERNAL_ID).and_then(|value| value.as_key());
                let found = self.table(*mapping).filter(|(_, row)| carries(row).as_ref() == Some(other));
                let rows = found.filter_map(|(name, _)| self.row_of(*mapping, &mappings[*mapping], &name.1)).collect();
                Answer::Rows { rows, next: None, server }
            }
            Read::Page { mapping, after, .. } => {
                let after = after.as_ref().and_then(|after| String::from_utf8(after.clone()).ok());
                let behind =
                    self.table(*mapping).filter(|(name, _)| after.as_ref().is_none_or(|after| name.1 > *after));
                let page = behind.take(self.page);
                let rows: Vec<Row> =
                    page.filter_map(|(name, _)| self.row_of(*mapping, &mappings[*mapping], &name.1)).collect();
                let next = rows.last().filter(|_| rows.len() == self.page).map(|row| row.key.clone().into_bytes());
                Answer::Rows { rows, next, server }
            }
            Read::Deleted { .. } => Answer::Deleted { keys: Vec::new(), complete: false },
            Read::Keys { mapping, after, .. } => {
                let behind = self.table(*mapping).map(|(name, _)| &name.1).filter(|key| after.as_ref() < Some(*key));
                let keys: Vec<Key> = behind.take(self.page).cloned().collect();
                let next = keys.last().filter(|_| keys.len() == self.page).cloned();
                Answer::Keys { keys, next }
            }
            Read::Children { .. } => Answer::Failed(Refusal {
                code: "0A000".to_owned(),
                message: "a table has no parent paths".to_owned(),
                fields: Vec::new(),
                passing: false,
            }),
        }
    }

    fn table(&self, mapping: usize) -> impl Iterator<Item = (&RowName, &TableRow)> {
        let table = TABLES[mapping];
        self.rows.iter().filter(move |(name, _)| name.0 == table)
    }

    /// A row, with the place of its newest change.
    pub fn row_of(&self, index: usize, mapping: &Mapping, key: &str) -> Option<Row> {
        let name = (TABLES[index], key.to_owned());
        let row = self.rows.get(&name)?;
        let shows = |column: &str| row.values.get(column).cloned().unwrap_or_default();
        Some(Row {
            key: key.to_owned(),
            values: mapping.heard(Side::Right).map(|column| (column.to_owned(), shows(column))).collect(),
            stamp: None,
            foreign_at: None,
            // Only as long as nobody has claimed it.
            order: self.orders.get(&name).copied().filter(|newest| self.outbox.contains_key(newest)),
            deleted: false,
            merged_into: None,
        })
    }
}
