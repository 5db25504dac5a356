//! Rows that queries see late, because a fault asks for it: for a while they are shown as they were.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params_from_iter};
use tombolo_schema::Id;

use super::{Core, ObjectDef, record::Result};
use crate::store::{Cell, quoted};

/// A row as it was before a write; none if it was not there.
#[derive(Debug)]
pub(crate) struct LateRow {
    pub(crate) object: Arc<ObjectDef>,
    pub(crate) id: Id,
    pub(crate) before: Option<Vec<Cell>>,
    pub(crate) delay: Duration,
}

/// The rows that are not to be seen as they are, oldest write first.
#[derive(Debug, Default)]
pub(super) struct LateRows(Mutex<Vec<(Timestamp, Arc<LateRow>)>>);

impl LateRows {
    pub(super) fn add(&self, rows: Vec<LateRow>, now: Timestamp) {
        if rows.is_empty() {
            return;
        }
        let due = |row: &LateRow| {
            let delay = SignedDuration::try_from(row.delay).unwrap_or(SignedDuration::MAX);
            now.saturating_add(delay).unwrap_or(Timestamp::MAX)
        };
        self.lock().extend(rows.into_iter().map(|row| (due(&row), Arc::new(row))));
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// Of each row the oldest state that is still shown.
    fn shown(&self, now: Timestamp) -> Vec<Arc<LateRow>> {
        let mut rows = self.lock();
        rows.retain(|(due, _)| *due > now);
        let mut first: BTreeMap<Id, Arc<LateRow>> = BTreeMap::new();
        for (_, row) in rows.iter() {
            first.entry(row.id).or_insert_with(|| Arc::clone(row));
        }
        first.into_values().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Timestamp, Arc<LateRow>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// Makes a connection, which must be used for nothing else, show late rows as they were. Says whether there are any.
    pub(crate) fn has_late_rows(&self) -> bool {
        !self.late().shown(self.clock().now()).is_empty()
    }

    /// Covers the tables of late rows on this connection with views in which the rows are as they were.
    pub(crate) fn cover_late_rows(&self, connection: &Connection) -> Result<()> {
        let mut by_object: BTreeMap<Arc<str>, Vec<Arc<LateRow>>> = BTreeMap::new();
        for row in self.late().shown(self.clock().now()) {
            by_object.entry(Arc::clone(&row.object.name)).or_default().push(row);
        }
        connection.execute_batch("CREATE TEMP TABLE _late (id TEXT PRIMARY KEY)")?;
        for rows in by_object.values() {
            cover(connection, rows)?;
        }
        let hidden =
            "CREATE TEMP VIEW _deleted AS SELECT * FROM main._deleted WHERE id NOT IN (SELECT id FROM temp._late)";
        connection.execute_batch(hidden)?;
        Ok(())
    }
}

/// One object's table. The rows are of one schema, the view's columns those that the table has now.
fn cover(connection: &Connection, rows: &[Arc<LateRow>]) -> Result<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    let name = &first.object.name;
    let (view, kept) = (quoted(name), quoted(&format!("_late_{name}")));
    connection.execute_batch(&format!("CREATE TEMP TABLE {kept} AS SELECT * FROM main.{view} LIMIT 0"))?;
    for row in rows {
        connection.execute("INSERT OR IGNORE INTO temp._late VALUES (?1)", [row.id.as_str()])?;
        let Some(before) = &row.before else { continue };
        let columns: Vec<_> = row.object.columns().map(|field| quoted(&field.name)).collect();
        let slots = vec!["?"; columns.len()].join(", ");
        let sql = format!("INSERT INTO temp.{kept} ({}) VALUES ({slots})", columns.join(", "));
        connection.execute(&sql, params_from_iter(before))?;
    }
    connection.execute_batch(&format!(
        "CREATE TEMP VIEW {view} AS SELECT * FROM main.{view} WHERE \"Id\" NOT IN (SELECT id FROM temp._late)
         UNION ALL SELECT * FROM temp.{kept}"
    ))?;
    Ok(())
}
