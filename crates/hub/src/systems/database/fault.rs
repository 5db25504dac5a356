//! What a database error means, whichever the database.

use tombolo_engine::sync::{Outcome, Refusal};

use crate::{Error, ErrorKind};

/// What went wrong in a database.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    /// The database's own code: a SQLSTATE, a MySQL error number, a SQLite result code.
    pub(super) code: String,
    /// Its own words.
    pub(super) message: String,
    /// The constraint or index that it names.
    pub(super) constraint: Option<String>,
    /// The columns that it names.
    pub(super) columns: Vec<String>,
}

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// The connection broke, or there is none to be had.
    Lost,
    /// The login is refused.
    Login,
    /// Others were in the way: the same may succeed later.
    Passing,
    /// There is no such table or column.
    Missing,
    /// We may not.
    Denied,
    /// Two records would share a value that is unique.
    Unique,
    /// A value does not fit its column, or the database's rules.
    Data,
    /// Another holder of the shard has a newer epoch.
    Fenced,
    /// Anything else.
    Other,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, code: &str, message: impl Into<String>) -> Self {
        Self { kind, code: code.to_owned(), message: message.into(), constraint: None, columns: Vec::new() }
    }

    pub(super) fn fenced() -> Self {
        Self::new(FaultKind::Fenced, "FENCED", "the shard has another holder now")
    }

    /// Whether a table stands that is not the one whose changes were captured.
    pub(super) fn is_uncaptured(&self) -> bool {
        self.kind == FaultKind::Denied && self.code == super::capture::UNCAPTURED
    }

    /// What became of a write that met it before its transaction was committed.
    pub(super) fn outcome(&self) -> Outcome {
        match self.kind {
            FaultKind::Lost | FaultKind::Login | FaultKind::Fenced => Outcome::NotDone(None),
            _ => Outcome::Refused(self.refusal()),
        }
    }

    pub(super) fn refusal(&self) -> Refusal {
        Refusal {
            code: self.code.clone(),
            message: self.message.clone(),
            fields: self.columns.clone(),
            passing: self.kind == FaultKind::Passing,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let kind = match fault.kind {
            FaultKind::Lost => ErrorKind::Connect,
            FaultKind::Login => ErrorKind::Login,
            FaultKind::Fenced => ErrorKind::Fenced,
            FaultKind::Missing
            | FaultKind::Passing
            | FaultKind::Denied
            | FaultKind::Unique
            | FaultKind::Data
            | FaultKind::Other => ErrorKind::Failed,
        };
        Self::new(kind, fault.message).may_pass(matches!(fault.kind, FaultKind::Lost | FaultKind::Passing))
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let database = match error {
            sqlx::Error::Database(database) => database,
            // A pool or worker that is gone was lost like a connection; a statement that could not be understood is
            // not.
            sqlx::Error::Io(error) => return Self::new(FaultKind::Lost, "CONNECTION", error.to_string()),
            sqlx::Error::Tls(error) => return Self::new(FaultKind::Lost, "TLS", error.to_string()),
            sqlx::Error::Protocol(text) => return Self::new(FaultKind::Lost, "PROTOCOL", text),
            sqlx::Error::WorkerCrashed => return Self::new(FaultKind::Lost, "CONNECTION", "the connection was lost"),
            sqlx::Error::Configuration(_) => {
                return Self::new(FaultKind::Other, "ADDRESS", "the database's address cannot be read");
            }
            other => return Self::new(FaultKind::Other, "UNEXPECTED", other.to_string()),
        };
        #[cfg(feature = "postgres")]
        if let Some(postgres) = database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            return super::postgres::fault(postgres);
        }
        #[cfg(feature = "mysql")]
        if let Some(mysql) = database.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
            return super::mysql::fault(mysql);
        }
        #[cfg(feature = "sqlite")]
        if let Some(sqlite) = database.try_downcast_ref::<sqlx::sqlite::SqliteError>() {
            return super::sqlite::fault(sqlite);
        }
        Self::new(FaultKind::Other, "UNEXPECTED", database.message())
    }
}
