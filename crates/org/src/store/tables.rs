//! Tables: made for each object, widened when an object has more fields than its table has columns.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{collation, quoted};

/// How a column holds its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    /// Text compared without regard to case.
    Text,
    /// Ids: text compared byte by byte.
    Id,
    /// Days, as text.
    Date,
    /// 0 or 1, never null.
    Boolean,
    Integer,
    /// Milliseconds since 1970.
    DateTime,
    /// Milliseconds since midnight.
    Time,
    Real,
    Blob,
}

impl ColumnKind {
    /// The declared type: SQLite reads the affinity from its first part, we the kind from all of it.
    fn declared(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Id => "TEXT_ID",
            Self::Date => "TEXT_DATE",
            Self::Boolean => "INTEGER_BOOLEAN",
            Self::Integer => "INTEGER",
            Self::DateTime => "INTEGER_DATETIME",
            Self::Time => "INTEGER_TIME",
            Self::Real => "REAL",
            Self::Blob => "BLOB",
        }
    }

    fn declaration(self) -> String {
        match self {
            Self::Text => format!("TEXT COLLATE {}", collation::NAME),
            Self::Boolean => format!("{} NOT NULL DEFAULT 0", self.declared()),
            other => other.declared().to_owned(),
        }
    }
}

/// A column as an object wants it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: ColumnKind,
    pub(crate) indexed: bool,
}

/// A table's column holds another kind of value than its field.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error("the data holds {table}.{column} as {found}, the schema wants {wanted}")]
    Retyped { table: String, column: String, found: String, wanted: String },
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

/// Makes the table, or adds the columns that it lacks. The column named Id is the key.
pub(crate) fn ensure(connection: &Connection, table: &str, columns: &[Column<'_>]) -> Result<(), TableError> {
    let found = columns_of(connection, table)?;
    if found.is_empty() {
        connection.execute_batch(&creation(table, columns))?;
    } else {
        for column in columns {
            match found.get(&column.name.to_ascii_lowercase()) {
                None => add_column(connection, table, column)?,
                Some(found) if found == column.kind.declared() => {}
                Some(found) => return Err(retyped(table, column, found)),
            }
        }
    }
    for column in columns.iter().filter(|c| c.indexed) {
        let index = quoted(&format!("{table}.{}", column.name));
        let (table, column) = (quoted(table), quoted(column.name));
        connection.execute_batch(&format!("CREATE INDEX IF NOT EXISTS {index} ON {table} ({column})"))?;
    }
    Ok(())
}

/// Makes room for a new column of a name that an old one has: the old one and its values are kept under another.
pub(crate) fn put_aside(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<()> {
    let found = columns_of(connection, table)?;
    let key = column.to_ascii_lowercase();
    if !found.contains_key(&key) {
        return Ok(());
    }
    let mut number = 1;
    let name = loop {
        let name = format!("_was_{number}_{key}");
        if !found.contains_key(&name) {
            break name;
        }
        number += 1;
    };
    let index = quoted(&format!("{table}.{column}"));
    let (table, column, name) = (quoted(table), quoted(column), quoted(&name));
    connection
        .execute_batch(&format!("DROP INDEX IF EXISTS {index}; ALTER TABLE {table} RENAME COLUMN {column} TO {name}"))
}

/// Cuts the texts of a column that are longer than this.
pub(crate) fn shorten(connection: &Connection, table: &str, column: &str, length: u32) -> rusqlite::Result<()> {
    let (table, column) = (quoted(table), quoted(column));
    let sql = format!("UPDATE {table} SET {column} = substr({column}, 1, ?1) WHERE length({column}) > ?1");
    connection.execute(&sql, [length]).map(drop)
}

fn add_column(connection: &Connection, table: &str, column: &Column<'_>) -> rusqlite::Result<()> {
    let (table, name, declaration) = (quoted(table), quoted(column.name), column.kind.declaration());
    connection.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN {name} {declaration}"))
}

fn retyped(table: &str, column: &Column<'_>, found: &str) -> TableError {
    TableError::Retyped {
        table: table.to_owned(),
        column: column.name.to_owned(),
        found: found.to_owned(),
        wanted: column.kind.declared().to_owned(),
    }
}

fn creation(table: &str, columns: &[Column<'_>]) -> String {
    let key = |c: &Column<'_>| if c.name == "Id" { " NOT NULL PRIMARY KEY" } else { "" };
    let columns = columns.iter().map(|c| format!("{} {}{}", quoted(c.name), c.kind.declaration(), key(c)));
    format!("CREATE TABLE {} ({})", quoted(table), columns.collect::<Vec<_>>().join(", "))
}

/// The type of each column, by its name in lower case.
fn columns_of(connection: &Connection, table: &str) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut statement = connection.prepare_cached("SELECT lower(name), type FROM pragma_table_info(?1)")?;
    statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: ColumnKind) -> Column<'_> {
        Column { name, kind, indexed: name != "Id" }
    }

    #[test]
    fn a_table_grows_and_is_not_retyped() {
        let connection = Connection::open_in_memory().unwrap();
        collation::register(&connection).unwrap();
        let first = [column("Id", ColumnKind::Id), column("Name", ColumnKind::Text)];
        ensure(&connection, "Order", &first).unwrap();
        connection.execute_batch(r#"INSERT INTO "Order" VALUES ('1', 'Ä')"#).unwrap();

        let wider = [first[0], first[1], column("On", ColumnKind::Boolean)];
        ensure(&connection, "Order", &wider).unwrap();
        let sql = r#"SELECT "On" FROM "Order" WHERE "Name" = 'ä'"#;
        assert_eq!(connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 0);

        let error = ensure(&connection, "Order", &[first[0], column("Name", ColumnKind::Date)]).unwrap_err();
        assert_eq!(error.to_string(), "the data holds Order.Name as TEXT, the schema wants TEXT_DATE");
    }
}
