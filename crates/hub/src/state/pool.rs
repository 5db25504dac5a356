//! Connections kept for the next transaction, and transactions that are whole or not at all.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Mutex as Turn, Semaphore},
    time::Instant,
};

use super::{Access, Dialect, Place, connection::Connection, lock::FileLock};
use crate::{Error, ErrorKind, Result};

/// How many connections are open at once.
const MOST: usize = 8;
/// How long a connection is kept unused.
pub(super) const IDLE: Duration = Duration::from_secs(10);
/// How long a transaction on a server may take before its connection counts as dead.
const PATIENCE: Duration = Duration::from_secs(120);

/// The connections to one database.
pub(super) struct Pool {
    place: Place,
    pub(super) dialect: Dialect,
    idle: Mutex<Vec<(Connection, Instant)>>,
    permits: Semaphore,
    /// SQLite has one writer; who waits here waits for no timer.
    turn: Turn<()>,
    lock: Option<FileLock>,
}

impl Pool {
    /// Connects once, to see that it can be done.
    pub(super) async fn open(place: Place, lock: Option<FileLock>) -> Result<Self> {
        let dialect = place.dialect()?;
        let permits = Semaphore::new(MOST);
        let pool = Self { place, dialect, idle: Mutex::default(), permits, turn: Turn::default(), lock };
        let connection = pool.connect().await?;
        pool.keep(connection);
        Ok(pool)
    }

    /// Does this in one transaction, or does nothing.
    pub(super) async fn transaction<T>(
        &self,
        access: Access,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T>,
    ) -> Result<T> {
        let closed = |_| Error::failed("the state is closed");
        let _permit = self.permits.acquire().await.map_err(closed)?;
        let _turn = match (&self.place, access) {
            (Place::Sqlite(_), Access::Write) => Some(self.turn.lock().await),
            _ => None,
        };
        let done = match &self.place {
            Place::Sqlite(_) => self.attempt(access, work).await,
            _ => {
                let late = |_| Err(Error::new(ErrorKind::Connect, "no answer").may_pass(true));
                tokio::time::timeout(PATIENCE, self.attempt(access, work)).await.unwrap_or_else(late)
            }
        };
        if done.as_ref().is_err_and(|error| error.kind() == ErrorKind::Connect) {
            // The others are broken, too, as a rule.
            self.kept().clear();
        }
        done.map_err(|error| self.at(error))
    }

    /// The connection is given back when its transaction has ended; else it is dropped, and its transaction with it.
    async fn attempt<T>(&self, access: Access, work: impl AsyncFnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let mut connection = match self.take() {
            Some(connection) => connection,
            None => self.place.connect(self.lock.is_some()).await?,
        };
        connection.raw(self.dialect.begin(access)).await?;
        match work(&mut connection).await {
            Ok(done) => {
                connection.raw("COMMIT").await?;
                self.keep(connection);
                Ok(done)
            }
            Err(error) => {
                // What went wrong first is what matters.
                if !error.is_retryable() && connection.raw("ROLLBACK").await.is_ok() {
                    self.keep(connection);
                }
                Err(error)
            }
        }
    }

    /// A connection outside any transaction.
    pub(super) async fn connect(&self) -> Result<Connection> {
        self.place.connect(self.lock.is_some()).await.map_err(|error| self.at(error))
    }

    fn take(&self) -> Option<Connection> {
        let mut kept = self.kept();
        kept.retain(|(_, since)| matches!(self.place, Place::Sqlite(_)) || since.elapsed() < IDLE);
        kept.pop().map(|(connection, _)| connection)
    }

    pub(super) fn keep(&self, connection: Connection) {
        self.kept().push((connection, Instant::now()));
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says which database an error is about.
    fn at(&self, error: Error) -> Error {
        if matches!(error.kind(), ErrorKind::Usage | ErrorKind::Fenced) {
            return error;
        }
        let hint = error.hint().map(str::to_owned);
        let outer = Error::new(error.kind(), format!("the state at {} fails", self.place));
        let outer = outer.may_pass(error.is_retryable()).with_source(error);
        match hint {
            Some(hint) => outer.with_hint(hint),
            None => outer,
        }
    }
}
