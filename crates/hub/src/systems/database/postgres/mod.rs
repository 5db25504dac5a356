//! What is particular to PostgreSQL.

pub(super) mod capture;
pub(super) mod catalog;

use super::fault::{Fault, FaultKind};

/// What an error of PostgreSQL means, by its SQLSTATE.
pub(super) fn fault(error: &sqlx::postgres::PgDatabaseError) -> Fault {
    let code = error.code();
    let kind = match code {
        "28000" | "28P01" => FaultKind::Login,
        "3D000" | "57P01" | "57P02" | "57P03" | "53300" => FaultKind::Lost,
        // Serialization, deadlock, lock timeout, canceled, read-only server, disk full.
        "40001" | "40P01" | "55P03" | "57014" | "25006" | "53100" | "53200" => FaultKind::Passing,
        "42P01" | "42703" | "3F000" | "42883" => FaultKind::Missing,
        "42501" => FaultKind::Denied,
        "23505" => FaultKind::Unique,
        _ if code.starts_with("08") => FaultKind::Lost,
        _ if code.starts_with("23") || code.starts_with("22") || code.starts_with("P0") => FaultKind::Data,
        _ => FaultKind::Other,
    };
    let mut fault = Fault::new(kind, code, error.message());
    fault.constraint = error.constraint().map(str::to_owned);
    fault.columns = error.column().map(str::to_owned).into_iter().collect();
    fault
}
