//! Rows in and out: whole rows by key, and the changed columns of one.

use rusqlite::{Connection, OptionalExtension, params_from_iter, types::ToSql};

use super::{Cell, quoted};

/// The statements of one table, written once.
#[derive(Debug, Clone)]
pub(crate) struct RowSql {
    table: String,
    columns: Vec<String>,
    insert: String,
    select: String,
}

impl RowSql {
    /// For a table with these columns, of which the one named Id is the key.
    pub(crate) fn new<'a>(table: &str, columns: impl Iterator<Item = &'a str>) -> Self {
        let columns: Vec<_> = columns.map(quoted).collect();
        let table = quoted(table);
        let list = columns.join(", ");
        let slots = vec!["?"; columns.len()].join(", ");
        Self {
            insert: format!("INSERT INTO {table} ({list}) VALUES ({slots})"),
            select: format!("SELECT {list} FROM {table} WHERE \"Id\" = ?1"),
            columns,
            table,
        }
    }

    pub(crate) fn insert(&self, connection: &Connection, row: &[Cell]) -> rusqlite::Result<()> {
        connection.prepare_cached(&self.insert)?.execute(params_from_iter(row)).map(drop)
    }

    /// The row of this key, with all its columns.
    pub(crate) fn get(&self, connection: &Connection, id: &str) -> rusqlite::Result<Option<Vec<Cell>>> {
        let width = self.columns.len();
        connection
            .prepare_cached(&self.select)?
            .query_row([id], |row| (0..width).map(|i| row.get(i)).collect())
            .optional()
    }

    /// Writes the columns of these numbers.
    pub(crate) fn update(
        &self,
        connection: &Connection,
        id: &str,
        changed: &[usize],
        row: &[Cell],
    ) -> rusqlite::Result<()> {
        if changed.is_empty() {
            return Ok(());
        }
        let sets: Vec<_> = changed.iter().map(|&i| format!("{} = ?", self.columns[i])).collect();
        let sql = format!("UPDATE {} SET {} WHERE \"Id\" = ?", self.table, sets.join(", "));
        let values = changed.iter().map(|&i| &row[i] as &dyn ToSql).chain([&id as &dyn ToSql]);
        connection.prepare_cached(&sql)?.execute(params_from_iter(values)).map(drop)
    }

    pub(crate) fn delete(&self, connection: &Connection, id: &str) -> rusqlite::Result<()> {
        let sql = format!("DELETE FROM {} WHERE \"Id\" = ?1", self.table);
        connection.prepare_cached(&sql)?.execute([id]).map(drop)
    }
}
