//! One connection, whichever the database: statements with values in, rows with values out.

use std::time::Duration;

use sqlx::{AssertSqlSafe, ConnectOptions, Row as _};

use super::{
    address::Address,
    dialect::{Dialect, Param, Sql},
    fault::{Fault, FaultKind},
};

const CONNECT: Duration = Duration::from_secs(15);

/// A connection of its own.
pub(super) enum Session {
    #[cfg(feature = "postgres")]
    Postgres(Box<sqlx::PgConnection>),
    #[cfg(feature = "mysql")]
    MySql(Box<sqlx::MySqlConnection>),
    #[cfg(feature = "sqlite")]
    Sqlite(Box<sqlx::SqliteConnection>),
}

/// A row that was read.
pub(super) enum Fetched {
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgRow),
    #[cfg(feature = "mysql")]
    MySql(sqlx::mysql::MySqlRow),
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::sqlite::SqliteRow),
}

impl Fetched {
    /// A text. MySQL's catalog gives some of its texts as bytes.
    pub(super) fn text(&self, column: usize) -> Result<Option<String>, Fault> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(row) => row.try_get(column),
            #[cfg(feature = "mysql")]
            Self::MySql(row) => row.try_get_unchecked(column),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(row) => row.try_get_unchecked(column),
        }
        .map_err(Fault::from)
    }

    /// A text that is never null.
    pub(super) fn required(&self, column: usize) -> Result<String, Fault> {
        self.text(column)?.ok_or_else(|| Fault::new(FaultKind::Other, "UNEXPECTED", "a value is missing"))
    }

    /// A number; null is 0.
    pub(super) fn int(&self, column: usize) -> Result<i64, Fault> {
        let number: Result<Option<i64>, _> = match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(row) => row.try_get(column),
            #[cfg(feature = "mysql")]
            Self::MySql(row) => row.try_get_unchecked(column),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(row) => row.try_get_unchecked(column),
        };
        Ok(number?.unwrap_or_default())
    }

    pub(super) fn flag(&self, column: usize) -> Result<bool, Fault> {
        Ok(self.int(column)? != 0)
    }
}

/// PostgreSQL takes arrays, too.
#[cfg(feature = "postgres")]
fn bound_arrays(
    sql: Sql,
) -> sqlx::query::Query<'static, sqlx::Postgres, <sqlx::Postgres as sqlx::Database>::Arguments> {
    let mut query = sqlx::query(AssertSqlSafe(sql.text)).persistent(!sql.once);
    for param in sql.params {
        query = match param {
            Param::Text(value) => query.bind(value),
            Param::Int(value) => query.bind(value),
            Param::Texts(values) => query.bind(values),
            Param::Ints(values) => query.bind(values),
        };
    }
    query
}

macro_rules! bound {
    ($sql:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($sql.text)).persistent(!$sql.once);
        for param in $sql.params {
            query = match param {
                Param::Text(value) => query.bind(value),
                Param::Int(value) => query.bind(value),
                // Spelled out as single values where there are no arrays.
                Param::Texts(_) | Param::Ints(_) => query,
            };
        }
        query
    }};
}

impl Session {
    pub(super) async fn open(address: &Address) -> Result<Self, Fault> {
        let connecting = tokio::time::timeout(CONNECT, Self::connect(address));
        connecting.await.map_err(|_| Fault::new(FaultKind::Lost, "CONNECTION", "the database does not answer"))?
    }

    async fn connect(address: &Address) -> Result<Self, Fault> {
        match address {
            #[cfg(feature = "postgres")]
            Address::Postgres(url) => {
                let options: sqlx::postgres::PgConnectOptions = url.parse()?;
                let options = options.application_name("tombolo").disable_statement_logging();
                Ok(Self::Postgres(Box::new(options.connect().await?)))
            }
            #[cfg(feature = "mysql")]
            Address::MySql(url) => {
                let options: sqlx::mysql::MySqlConnectOptions = url.parse()?;
                let options = options.pipes_as_concat(false).disable_statement_logging();
                let mut session = Self::MySql(Box::new(options.connect().await?));
                session.script(super::mysql::SETTINGS).await?;
                Ok(session)
            }
            #[cfg(feature = "sqlite")]
            Address::Sqlite(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new()
                    .filename(path)
                    .busy_timeout(super::sqlite::BUSY)
                    .disable_statement_logging();
                Ok(Self::Sqlite(Box::new(options.connect().await?)))
            }
            #[allow(unreachable_patterns, reason = "depends on the features")]
            _ => Err(Fault::new(FaultKind::Other, "ADDRESS", "this build of tombolo does not know this database")),
        }
    }

    pub(super) const fn dialect(&self) -> Dialect {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Dialect::Postgres,
            #[cfg(feature = "mysql")]
            Self::MySql(_) => Dialect::MySql,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// Runs a statement; gives how many rows it concerned.
    pub(super) async fn run(&mut self, sql: Sql) -> Result<u64, Fault> {
        Ok(match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(session) => bound_arrays(sql).execute(&mut **session).await?.rows_affected(),
            #[cfg(feature = "mysql")]
            Self::MySql(session) => bound!(sql).execute(&mut **session).await?.rows_affected(),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(session) => bound!(sql).execute(&mut **session).await?.rows_affected(),
        })
    }

    /// Runs a statement and gives its rows.
    pub(super) async fn fetch(&mut self, sql: Sql) -> Result<Vec<Fetched>, Fault> {
        Ok(match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(session) => {
                let rows = bound_arrays(sql).fetch_all(&mut **session).await?;
                rows.into_iter().map(Fetched::Postgres).collect()
            }
            #[cfg(feature = "mysql")]
            Self::MySql(session) => {
                let rows = bound!(sql).fetch_all(&mut **session).await?;
                rows.into_iter().map(Fetched::MySql).collect()
            }
            #[cfg(feature = "sqlite")]
            Self::Sqlite(session) => {
                let rows = bound!(sql).fetch_all(&mut **session).await?;
                rows.into_iter().map(Fetched::Sqlite).collect()
            }
        })
    }

    /// Runs statements without values, one behind the other, in one round trip.
    pub(super) async fn script(&mut self, text: impl Into<String>) -> Result<(), Fault> {
        let sql = sqlx::raw_sql(AssertSqlSafe(text.into()));
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(session) => sql.execute(&mut **session).await.map(drop)?,
            #[cfg(feature = "mysql")]
            Self::MySql(session) => sql.execute(&mut **session).await.map(drop)?,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(session) => sql.execute(&mut **session).await.map(drop)?,
        }
        Ok(())
    }

    /// The first column of the first row, as a number; 0 without a row.
    pub(super) async fn number(&mut self, sql: Sql) -> Result<i64, Fault> {
        self.fetch(sql).await?.first().map_or(Ok(0), |row| row.int(0))
    }
}
