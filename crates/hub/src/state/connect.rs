//! How a connection to each of the databases is made.

use std::{path::Path, time::Duration};

use sqlx::ConnectOptions;
#[cfg(feature = "mysql")]
use sqlx::mysql::MySqlConnectOptions;
#[cfg(feature = "postgres")]
use sqlx::postgres::PgConnectOptions;
#[cfg(feature = "sqlite")]
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::{
    Dialect, Place,
    connection::{Connection, Statement},
    trouble::broken,
};
use crate::{Error, ErrorKind, Result};

const CONNECT: Duration = Duration::from_secs(15);
/// How many prepared statements a connection keeps: all that there are, in all their lengths.
const STATEMENTS: usize = 400;

impl Place {
    /// How this place's database spells.
    pub(super) fn dialect(&self) -> Result<Dialect> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => Ok(Dialect::Sqlite),
            #[cfg(feature = "postgres")]
            Self::Postgres { schema, .. } => Ok(Dialect::Postgres { schema: schema.clone() }),
            #[cfg(feature = "mysql")]
            Self::MySql(_) => Ok(Dialect::MySql),
            #[allow(unreachable_patterns, reason = "depends on the features")]
            _ => Err(Error::usage("this build of tombolo does not know this kind of database")),
        }
    }

    /// Makes a connection. A SQLite file is made only by whoever works with it, not by who looks on.
    pub(super) async fn connect(&self, make: bool) -> Result<Connection> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(path) => sqlite(path, make).await,
            #[cfg(feature = "postgres")]
            Self::Postgres { url, schema } => in_time(postgres(url, schema)).await,
            #[cfg(feature = "mysql")]
            Self::MySql(url) => in_time(mysql(url)).await,
            #[allow(unreachable_patterns, reason = "depends on the features")]
            _ => Err(Error::usage("this build of tombolo does not know this kind of database")),
        }
    }
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
async fn in_time(connecting: impl Future<Output = Result<Connection>>) -> Result<Connection> {
    let late = |_| Error::new(ErrorKind::Connect, "no answer").may_pass(true);
    tokio::time::timeout(CONNECT, connecting).await.map_err(late)?
}

#[cfg(feature = "sqlite")]
async fn sqlite(path: &Path, make: bool) -> Result<Connection> {
    if !make && !path.exists() {
        let text = format!("there is no state at {}", path.display());
        return Err(Error::usage(text).with_hint("it is made by `tombolo up`"));
    }
    // In WAL mode readers and the one writer do not wait for each other. What is committed survives a power cut: the
    // changes in it are not told a second time.
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(make)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(30))
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging();
    options.connect().await.map(Connection::Sqlite).map_err(broken)
}

#[cfg(feature = "postgres")]
async fn postgres(url: &str, schema: &str) -> Result<Connection> {
    // The parser's own message may quote the address, and with it the password.
    let options: PgConnectOptions = url.parse().map_err(|_| {
        Error::usage("the state's address cannot be read").with_hint("it looks like postgres://user@host:5432/database")
    })?;
    let options = options
        .application_name(&format!("tombolo {schema}"))
        .statement_cache_capacity(STATEMENTS)
        // A process that was stopped in the middle of a transaction must not keep its shard locked.
        .options([("idle_in_transaction_session_timeout", "10s")])
        .disable_statement_logging();
    options.connect().await.map(Connection::Postgres).map_err(broken)
}

#[cfg(feature = "mysql")]
async fn mysql(url: &str) -> Result<Connection> {
    let hint = "it looks like mysql://user@host:3306/database";
    let options: MySqlConnectOptions =
        url.parse().map_err(|_| Error::usage("the state's address cannot be read").with_hint(hint))?;
    if options.get_database().is_none_or(str::is_empty) {
        return Err(Error::usage("the state's address names no database").with_hint(hint));
    }
    let options = options.statement_cache_capacity(STATEMENTS).disable_statement_logging();
    let mut connection = options.connect().await.map(Connection::MySql).map_err(broken)?;
    // What does not fit is an error, not cut off. A process that was stopped in the middle of a transaction must not
    // keep its shard locked: MySQL has no limit for idle transactions, only one for idle connections.
    let session = format!(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', wait_timeout = {}",
        super::pool::IDLE.as_secs() * 2
    );
    connection.run(Statement::new(session)).await?;
    Ok(connection)
}
