//! One database connection, whichever the database: statements with values in, rows with values out.

use sqlx::{AssertSqlSafe, Row as _};

use super::{
    Dialect,
    trouble::{broken, senseless},
};
use crate::Result;

/// A connection.
pub(super) enum Connection {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::SqliteConnection),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgConnection),
    #[cfg(feature = "mysql")]
    MySql(sqlx::MySqlConnection),
}

/// A value to bind, or many of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Param {
    Int(Option<i64>),
    Text(Option<String>),
    /// PostgreSQL only.
    Column(Values),
}

/// Values of one column, of many rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    Int(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
}

impl Values {
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Int(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }
}

/// A statement with its values. `?` stands for a value, whichever the database.
#[derive(Debug, Clone, Default)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) params: Vec<Param>,
}

impl Statement {
    pub(super) fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), params: Vec::new() }
    }

    /// The next value.
    pub(super) fn int(mut self, value: i64) -> Self {
        self.params.push(Param::Int(Some(value)));
        self
    }

    /// The next value.
    pub(super) fn text(mut self, value: impl Into<String>) -> Self {
        self.params.push(Param::Text(Some(value.into())));
        self
    }

    /// What follows.
    pub(super) fn then(mut self, next: Self) -> Self {
        self.sql.push_str(&next.sql);
        self.params.extend(next.params);
        self
    }

    /// What follows, without values.
    pub(super) fn and(mut self, sql: &str) -> Self {
        self.sql.push_str(sql);
        self
    }
}

/// A row that was read.
pub(super) enum Fetched {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::sqlite::SqliteRow),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgRow),
    #[cfg(feature = "mysql")]
    MySql(sqlx::mysql::MySqlRow),
}

impl Fetched {
    pub(super) fn int(&self, column: usize) -> Result<Option<i64>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(row) => row.try_get(column),
            #[cfg(feature = "postgres")]
            Self::Postgres(row) => row.try_get(column),
            #[cfg(feature = "mysql")]
            Self::MySql(row) => row.try_get(column),
        }
        .map_err(broken)
    }

    pub(super) fn text(&self, column: usize) -> Result<Option<String>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(row) => row.try_get(column),
            #[cfg(feature = "postgres")]
            Self::Postgres(row) => row.try_get(column),
            // Keys are bytes there: no other type compares without folding case and trailing blanks.
            #[cfg(feature = "mysql")]
            Self::MySql(row) => row.try_get_unchecked(column),
        }
        .map_err(broken)
    }

    /// A number that is never negative and never null.
    pub(super) fn number(&self, column: usize) -> Result<u64> {
        let value = self.int(column)?.ok_or_else(|| senseless("lacks a number"))?;
        u64::try_from(value).map_err(|_| senseless("holds a negative number"))
    }

    /// A text that is never null.
    pub(super) fn required(&self, column: usize) -> Result<String> {
        self.text(column)?.ok_or_else(|| senseless("lacks a text"))
    }

    /// A moment, as it is kept: microseconds since 1970.
    pub(super) fn moment(&self, column: usize) -> Result<Option<jiff::Timestamp>> {
        let Some(micros) = self.int(column)? else { return Ok(None) };
        jiff::Timestamp::from_microsecond(micros).map(Some).map_err(|_| senseless("holds a time that cannot be"))
    }

    /// What was put away as JSON.
    pub(super) fn body<T: serde::de::DeserializeOwned>(&self, column: usize) -> Result<T> {
        let text = self.required(column)?;
        serde_json::from_str(&text).map_err(|error| senseless("holds a record that cannot be read").with_source(error))
    }
}

macro_rules! bind {
    ($sql:expr, $params:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($sql));
        for param in $params {
            query = match param {
                Param::Int(value) => query.bind(value),
                Param::Text(value) => query.bind(value),
                // Spelled out as single values where there are no arrays.
                Param::Column(_) => query,
            };
        }
        query
    }};
}

#[cfg(feature = "postgres")]
fn bind_postgres(
    statement: Statement,
) -> sqlx::query::Query<'static, sqlx::Postgres, <sqlx::Postgres as sqlx::Database>::Arguments> {
    let mut query = sqlx::query(AssertSqlSafe(Dialect::numbered(&statement.sql)));
    for param in statement.params {
        query = match param {
            Param::Int(value) => query.bind(value),
            Param::Text(value) => query.bind(value),
            Param::Column(Values::Int(values)) => query.bind(values),
            Param::Column(Values::Text(values)) => query.bind(values),
        };
    }
    query
}

impl Connection {
    /// Runs a statement and gives how many rows it concerned. Values are bound, never written into it.
    pub(super) async fn run(&mut self, statement: Statement) -> Result<u64> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => {
                let done = bind!(statement.sql, statement.params).execute(connection).await;
                done.map(|done| done.rows_affected())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => {
                bind_postgres(statement).execute(connection).await.map(|done| done.rows_affected())
            }
            #[cfg(feature = "mysql")]
            Self::MySql(connection) => {
                let done = bind!(statement.sql, statement.params).execute(connection).await;
                done.map(|done| done.rows_affected())
            }
        }
        .map_err(broken)
    }

    /// Runs a statement and gives its rows.
    pub(super) async fn fetch(&mut self, statement: Statement) -> Result<Vec<Fetched>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => {
                let rows = bind!(statement.sql, statement.params).fetch_all(connection).await;
                rows.map(|rows| rows.into_iter().map(Fetched::Sqlite).collect())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => {
                let rows = bind_postgres(statement).fetch_all(connection).await;
                rows.map(|rows| rows.into_iter().map(Fetched::Postgres).collect())
            }
            #[cfg(feature = "mysql")]
            Self::MySql(connection) => {
                let rows = bind!(statement.sql, statement.params).fetch_all(connection).await;
                rows.map(|rows| rows.into_iter().map(Fetched::MySql).collect())
            }
        }
        .map_err(broken)
    }

    /// Runs statements that hold no values, without preparing them.
    pub(super) async fn raw(&mut self, sql: impl Into<String>) -> Result<()> {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.into()));
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => query.execute(connection).await.map(drop),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => query.execute(connection).await.map(drop),
            #[cfg(feature = "mysql")]
            Self::MySql(connection) => query.execute(connection).await.map(drop),
        }
        .map_err(broken)
    }
}
