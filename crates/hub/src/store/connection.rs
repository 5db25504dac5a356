//! One database connection, whichever the database: statements with values in, rows with values out.

use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::{Error, ErrorKind, Result};

/// A connection. There is one per store: it holds the lock, so that what cannot write any more cannot do harm either.
pub(super) enum Connection {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::SqliteConnection),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgConnection),
}

/// A value to bind.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Param {
    Text(Option<String>),
    Int(Option<i64>),
    #[cfg(feature = "sqlite")]
    Real(Option<f64>),
    Bytes(Option<Vec<u8>>),
}

impl From<&str> for Param {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

/// A row that was read.
pub(super) enum Fetched {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::sqlite::SqliteRow),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgRow),
}

macro_rules! getter {
    ($name:ident: $type:ty) => {
        pub(super) fn $name(&self, column: usize) -> Result<Option<$type>> {
            match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(row) => row.try_get(column),
                #[cfg(feature = "postgres")]
                Self::Postgres(row) => row.try_get(column),
            }
            .map_err(broken)
        }
    };
}

impl Fetched {
    getter!(text: String);
    getter!(int: i64);
    getter!(bytes: Vec<u8>);

    /// A text that is never null.
    pub(super) fn required(&self, column: usize) -> Result<String> {
        self.text(column)?.ok_or_else(|| Error::failed("the mirror's state lacks a value"))
    }

    pub(super) fn flag(&self, column: usize) -> Result<bool> {
        Ok(self.int(column)?.unwrap_or_default() != 0)
    }
}

macro_rules! bind {
    ($sql:expr, $params:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($sql));
        for param in $params {
            query = match param {
                Param::Text(value) => query.bind(value),
                Param::Int(value) => query.bind(value),
                #[cfg(feature = "sqlite")]
                Param::Real(value) => query.bind(value),
                Param::Bytes(value) => query.bind(value),
            };
        }
        query
    }};
}

impl Connection {
    /// Runs a statement. Names in it are quoted by [`quoted`]; values are bound, never written into it.
    pub(super) async fn run(&mut self, sql: String, params: Vec<Param>) -> Result<()> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => bind!(sql, params).execute(connection).await.map(drop),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => bind!(sql, params).execute(connection).await.map(drop),
        }
        .map_err(broken)
    }

    /// Runs a statement and gives its rows.
    pub(super) async fn fetch(&mut self, sql: String, params: Vec<Param>) -> Result<Vec<Fetched>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => {
                let rows = bind!(sql, params).fetch_all(connection).await;
                rows.map(|rows| rows.into_iter().map(Fetched::Sqlite).collect())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => {
                let rows = bind!(sql, params).fetch_all(connection).await;
                rows.map(|rows| rows.into_iter().map(Fetched::Postgres).collect())
            }
        }
        .map_err(broken)
    }

    pub(super) async fn close(self) -> Result<()> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => connection.close().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => connection.close().await,
        }
        .map_err(broken)
    }
}

/// A name inside a statement.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What a database error means. The store adds which database.
pub(super) fn broken(error: sqlx::Error) -> Error {
    let (kind, message) = match &error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            let kind = match &*code {
                "28000" | "28P01" => ErrorKind::Login,
                // No such database, starting up or shutting down, too many connections.
                "3D000" | "57P01" | "57P02" | "57P03" | "53300" => ErrorKind::Connect,
                _ => ErrorKind::Failed,
            };
            (kind, database.message().to_owned())
        }
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
            (ErrorKind::Connect, "the connection failed".to_owned())
        }
        sqlx::Error::Configuration(_) => (ErrorKind::Usage, "the address cannot be read".to_owned()),
        _ => (ErrorKind::Failed, "the database did not do as it was told".to_owned()),
    };
    let may_pass = kind == ErrorKind::Connect;
    match error {
        // Its message is ours already.
        sqlx::Error::Database(_) => Error::new(kind, message).may_pass(may_pass),
        // It would say the same twice.
        sqlx::Error::Io(error) => Error::new(kind, message).may_pass(may_pass).with_source(error),
        other => Error::new(kind, message).may_pass(may_pass).with_source(other),
    }
}
