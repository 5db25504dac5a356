//! The rows on disk: SQLite, one table an object (`tables`), one writer and as many readers as are needed at once.
//!
//! It knows columns and cells, not what Salesforce makes of them.

mod collation;
mod folder;
mod functions;
mod like;
pub(crate) mod rows;
pub(crate) mod tables;

use std::{
    ops::Deref,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use folder::Folder;

/// A value as SQLite holds it.
pub(crate) use rusqlite::types::Value as Cell;

/// The store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("{path}: {source}")]
    Folder { path: String, source: std::io::Error },
    #[error("{path}: another org has this data folder open")]
    Locked { path: String },
    #[error("{path}: {source}")]
    Database { path: String, source: rusqlite::Error },
}

/// The database of one org.
#[derive(Debug)]
pub(crate) struct Store {
    /// None after a panic in the middle of a lent transaction: the next write connects anew.
    writer: Mutex<Option<Connection>>,
    readers: Mutex<Vec<Connection>>,
    /// Last, so that the files go after the connections.
    folder: Folder,
}

/// Statements kept prepared on each connection: a delete of one Account alone asks some seventy children.
const STATEMENTS: usize = 2000;
const IDLE_READERS: usize = 16;

impl Store {
    /// Opens the database in this folder; without one, in a temporary folder that goes with it.
    pub(crate) fn open(folder: Option<&Path>) -> Result<Self, OpenError> {
        let folder = Folder::open(folder)?;
        let database = |source| OpenError::Database { path: folder.path().display().to_string(), source };
        let writer = connect(&folder).map_err(database)?;
        Ok(Self { writer: Mutex::new(Some(writer)), readers: Mutex::default(), folder })
    }

    /// Reads in one snapshot.
    pub(crate) fn read<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut reader = self.reader()?;
        let snapshot = reader.transaction()?;
        let done = work(&snapshot);
        drop(snapshot);
        self.give_back(reader);
        done
    }

    /// Reads in one snapshot, and keeps it if the work says that it will be read again.
    pub(crate) fn read_on<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<(T, bool), E>,
    ) -> Result<(T, Option<Snapshot>), E> {
        let reader = self.reader()?;
        reader.execute_batch("BEGIN")?;
        let done = work(&reader);
        if let Ok((value, true)) = done {
            return Ok((value, Some(Snapshot(reader))));
        }
        reader.execute_batch("ROLLBACK")?;
        self.give_back(reader);
        done.map(|(value, _)| (value, None))
    }

    /// Reads in one snapshot, on a connection of its own: what the work does to it beside reading is gone afterwards,
    /// unless it says that it will be read again.
    pub(crate) fn read_apart<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<(T, bool), E>,
    ) -> Result<(T, Option<Snapshot>), E> {
        let reader = connect(&self.folder)?;
        reader.execute_batch("BEGIN")?;
        let (value, keep) = work(&reader)?;
        Ok((value, keep.then_some(Snapshot(reader))))
    }

    fn reader(&self) -> rusqlite::Result<Connection> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| connect(&self.folder), Ok)
    }

    fn give_back(&self, reader: Connection) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
    }

    /// Writes in one transaction, which is undone if the work fails.
    pub(crate) fn write<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut writer = self.writer();
        let mut connection = self.connected(&mut writer)?;
        let done = (|| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })();
        *writer = Some(connection);
        done
    }

    /// Writes in one transaction that is lent to whoever takes part in it. It is undone unless the work says to keep it.
    pub(crate) fn write_together<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Lent) -> Result<(T, bool), E>,
    ) -> Result<T, E> {
        let mut writer = self.writer();
        let connection = self.connected(&mut writer)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let lent = Lent(Arc::new(Mutex::new(Some(connection))));
        let done = work(&lent);
        let Some(connection) = lent.lock().take() else { return done.map(|(done, _)| done) };
        let end = if matches!(done, Ok((_, true))) { "COMMIT" } else { "ROLLBACK" };
        let ended = connection.execute_batch(end);
        // A connection that cannot end its transaction is of no use any more.
        *writer = ended.is_ok().then_some(connection);
        let (done, _) = done?;
        ended?;
        Ok(done)
    }

    /// The store as it is now, kept.
    pub(crate) fn keep_snapshot(&self) -> rusqlite::Result<Snapshot> {
        let reader = self.reader()?;
        reader.execute_batch("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1")?;
        Ok(Snapshot(reader))
    }

    fn writer(&self) -> MutexGuard<'_, Option<Connection>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connected(&self, writer: &mut Option<Connection>) -> rusqlite::Result<Connection> {
        writer.take().map_or_else(|| connect(&self.folder), Ok)
    }
}

/// The connection of a transaction that several share, as long as it is open.
#[derive(Debug, Clone)]
pub(crate) struct Lent(Arc<Mutex<Option<Connection>>>);

impl Lent {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The store as it was when it was first read in this snapshot: later writes do not show in it.
#[derive(Debug)]
pub(crate) struct Snapshot(Connection);

impl Deref for Snapshot {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.0
    }
}

fn connect(folder: &Folder) -> rusqlite::Result<Connection> {
    let connection = Connection::open(folder.database())?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", if folder.is_temporary() { "OFF" } else { "NORMAL" })?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -16_000)?;
    collation::register(&connection)?;
    functions::register(&connection)?;
    Ok(connection)
}

/// A name as SQL writes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
