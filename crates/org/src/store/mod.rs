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
    sync::{Mutex, PoisonError},
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
    writer: Mutex<Connection>,
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
        Ok(Self { writer: Mutex::new(writer), readers: Mutex::default(), folder })
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
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
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
