//! What is particular to SQLite.

pub(super) mod capture;
pub(super) mod catalog;

use std::time::Duration;

use sqlx::error::DatabaseError as _;

use super::fault::{Fault, FaultKind};

/// How long a write waits for another process's.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// What an error of SQLite means, by its extended result code.
pub(super) fn fault(error: &sqlx::sqlite::SqliteError) -> Fault {
    let code: i64 = error.code().and_then(|code| code.parse().ok()).unwrap_or_default();
    let message = error.message();
    let missing = ["no such table", "no such column", "has no column named"];
    let kind = match code & 0xff {
        // BUSY, LOCKED, FULL
        5 | 6 | 13 => FaultKind::Passing,
        // CANTOPEN
        14 => FaultKind::Lost,
        // PERM, READONLY
        3 | 8 => FaultKind::Denied,
        19 if matches!(code, 2067 | 1555) => FaultKind::Unique,
        // CONSTRAINT, MISMATCH, TOOBIG
        18..=20 => FaultKind::Data,
        1 if missing.iter().any(|words| message.contains(words)) => FaultKind::Missing,
        _ => FaultKind::Other,
    };
    let mut fault = Fault::new(kind, &code.to_string(), message);
    // UNIQUE constraint failed: contacts.email, contacts.name
    if let Some((_, list)) = message.split_once("constraint failed: ") {
        let names = list.split(", ").filter_map(|name| name.rsplit_once('.'));
        fault.columns = names.map(|(_, column)| column.to_owned()).collect();
    }
    fault
}
