//! How the two databases spell tables, columns and types.

use super::{
    Column, Kind, Table,
    connection::{Param, quoted},
    table::{ID, IS_DELETED, SYNCED_AT},
};

/// The database's way of spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dialect {
    #[cfg(feature = "sqlite")]
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres {
        /// The schema that all tables lie in.
        schema: String,
    },
}

/// The tables of the state, each with what lies between its parentheses. Times are texts, so that one statement
/// serves both databases and a person can read them.
const STATE: [(&str, &str); 4] = [
    (
        "_tombolo_meta",
        "tenant TEXT NOT NULL PRIMARY KEY, org_id TEXT NOT NULL, mirror_id TEXT NOT NULL, format BIGINT NOT NULL, \
         created_at TEXT NOT NULL",
    ),
    (
        "_tombolo_objects",
        "tenant TEXT NOT NULL, object TEXT NOT NULL, table_name TEXT NOT NULL, columns TEXT NOT NULL, \
         snapshot_done BIGINT NOT NULL DEFAULT 0, snapshot_stamp TEXT, snapshot_id TEXT, \
         refill BIGINT NOT NULL DEFAULT 0, refill_stamp TEXT, refill_id TEXT, \
         opened_at TEXT, announced BIGINT NOT NULL DEFAULT 0, polled_stamp TEXT, polled_id TEXT, deletes_until TEXT, \
         PRIMARY KEY (tenant, object)",
    ),
    (
        "_tombolo_positions",
        "tenant TEXT NOT NULL, object TEXT NOT NULL, source TEXT NOT NULL, channel TEXT NOT NULL, \
         transport TEXT NOT NULL, position BYTES NOT NULL, committed_at TEXT NOT NULL, PRIMARY KEY (tenant, object)",
    ),
    (
        "_tombolo_gaps",
        "tenant TEXT NOT NULL, object TEXT NOT NULL, detected_at TEXT NOT NULL, since TEXT, reason TEXT NOT NULL, \
         closed_at TEXT, rows_upserted BIGINT NOT NULL, rows_deleted BIGINT NOT NULL, \
         PRIMARY KEY (tenant, object, detected_at)",
    ),
];

impl Dialect {
    /// A table's name inside a statement.
    pub(super) fn table(&self, name: &str) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => quoted(name),
            #[cfg(feature = "postgres")]
            Self::Postgres { schema } => format!("{}.{}", quoted(schema), quoted(name)),
        }
    }

    /// Where the tables lie, for a message.
    pub(super) fn place(&self) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "the database".to_owned(),
            #[cfg(feature = "postgres")]
            Self::Postgres { schema } => format!("schema \"{schema}\""),
        }
    }

    /// Begins a transaction that writes. SQLite takes its write lock at once: a lock that has to be promoted fails.
    pub(super) const fn begin(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "BEGIN IMMEDIATE",
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => "BEGIN",
        }
    }

    /// The type of a column (CONTRACTS, `tombolo mirror`).
    pub(super) const fn column_type(&self, kind: Kind) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => match kind {
                Kind::Text | Kind::Date | Kind::Time | Kind::DateTime => "TEXT",
                Kind::Boolean | Kind::Integer | Kind::Long => "INTEGER",
                Kind::Decimal => "REAL",
            },
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => match kind {
                Kind::Text => "text",
                Kind::Boolean => "boolean",
                Kind::Integer => "integer",
                Kind::Long => "bigint",
                Kind::Decimal => "numeric",
                Kind::Date => "date",
                Kind::Time => "time",
                Kind::DateTime => "timestamptz",
            },
        }
    }

    /// Whether a table, a view or the like of this name exists.
    pub(super) fn exists(&self, name: &str) -> (String, Vec<Param>) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => {
                let sql = "SELECT name FROM sqlite_master WHERE lower(name) = lower($1)";
                (sql.to_owned(), vec![name.into()])
            }
            #[cfg(feature = "postgres")]
            Self::Postgres { schema } => {
                let sql = "SELECT c.relname::text FROM pg_catalog.pg_class c \
                           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                           WHERE n.nspname = $1 AND c.relname = $2";
                (sql.to_owned(), vec![schema.as_str().into(), name.into()])
            }
        }
    }

    /// The statements that make the tables of the state where they are missing.
    pub(super) fn state_tables(&self) -> impl Iterator<Item = (&'static str, String)> {
        STATE.iter().map(|(name, columns)| {
            let bytes = match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite => "BLOB",
                #[cfg(feature = "postgres")]
                Self::Postgres { .. } => "BYTEA",
            };
            (*name, format!("CREATE TABLE {} ({})", self.table(name), columns.replace("BYTES", bytes)))
        })
    }

    /// The statement that makes the table of an object.
    pub(super) fn create(&self, table: &Table) -> String {
        let mut columns = vec![format!("{} {} NOT NULL PRIMARY KEY", quoted(ID), self.column_type(Kind::Text))];
        columns.extend(table.columns.iter().map(|column| self.column(column)));
        columns.push(format!("{} {} NOT NULL", quoted(IS_DELETED), self.column_type(Kind::Boolean)));
        columns.push(format!("{} {} NOT NULL", quoted(SYNCED_AT), self.column_type(Kind::DateTime)));
        format!("CREATE TABLE {} ({})", self.table(&table.name), columns.join(", "))
    }

    /// The statement that adds a column.
    pub(super) fn add_column(&self, table: &Table, column: &Column) -> String {
        format!("ALTER TABLE {} ADD COLUMN {}", self.table(&table.name), self.column(column))
    }

    fn column(&self, column: &Column) -> String {
        format!("{} {}", quoted(&column.name), self.column_type(column.kind))
    }

    /// A date-time column as text: `YYYY-MM-DDThh:mm:ss.sssZ`.
    pub(super) fn moment_text(&self, column: &str) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => column.to_owned(),
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => {
                format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
            }
        }
    }

    /// The condition that a row is not marked deleted.
    pub(super) fn is_live(&self) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => format!("{} = 0", quoted(IS_DELETED)),
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => format!("NOT {}", quoted(IS_DELETED)),
        }
    }

    /// The condition that a column is among the texts of a JSON array bound as `$1`.
    pub(super) fn among(&self, column: &str) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => format!("{column} IN (SELECT value FROM json_each($1))"),
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => format!("{column} IN (SELECT json_array_elements_text($1::json))"),
        }
    }
}
