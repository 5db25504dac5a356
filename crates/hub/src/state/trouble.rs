//! What a database's error means: whose fault it is, and whether it may pass.

use crate::{Error, ErrorKind};

/// The error of a statement or a connection.
pub(super) fn broken(error: sqlx::Error) -> Error {
    let (kind, retryable, message) = match &error {
        sqlx::Error::Database(database) => {
            let (kind, retryable) = judge(&database.code().unwrap_or_default(), number(&**database));
            (kind, retryable, database.message().to_owned())
        }
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            (ErrorKind::Connect, true, "the connection failed".to_owned())
        }
        sqlx::Error::Configuration(_) => (ErrorKind::Usage, false, "the address cannot be read".to_owned()),
        _ => (ErrorKind::Failed, false, "the database did not do as it was told".to_owned()),
    };
    let outer = Error::new(kind, message).may_pass(retryable);
    match error {
        // Its message is ours already.
        sqlx::Error::Database(_) => outer,
        // It would say the same twice.
        sqlx::Error::Io(error) => outer.with_source(error),
        other => outer.with_source(other),
    }
}

/// The state itself is not as it was written.
pub(super) fn senseless(what: &str) -> Error {
    Error::failed(format!("the state {what}")).with_hint("was it edited by hand, or written by a newer tombolo?")
}

/// By SQLSTATE, and by the database's own number where that says more.
fn judge(state: &str, number: Option<u16>) -> (ErrorKind, bool) {
    match (state, number) {
        ("28000" | "28P01", _) => (ErrorKind::Login, false),
        // PostgreSQL: no such database, starting up or shutting down, ended while idle in a transaction. MySQL: no such
        // database, killed, ended while idle.
        ("3D000" | "57P01" | "57P02" | "57P03" | "25P03", _) | (_, Some(1049 | 1053 | 1927 | 4031)) => {
            (ErrorKind::Connect, true)
        }
        // Too many connections, and whatever else ends them.
        ("53300", _) => (ErrorKind::Connect, true),
        (state, _) if state.starts_with("08") => (ErrorKind::Connect, true),
        // Deadlocks, locks waited for in vain, cancelled.
        ("40001" | "40P01" | "55P03" | "57014" | "70100", _) | (_, Some(1205 | 1213)) => (ErrorKind::Failed, true),
        // Disk or memory are full; a primary that became a standby.
        ("53100" | "53200" | "25006", _) | (_, Some(1021 | 1041 | 1114)) => (ErrorKind::Failed, true),
        // SQLite: busy, locked, the disk is full. The lower eight bits of its extended codes.
        (state, None) if matches!(state.parse::<u32>().map(|code| code & 0xff), Ok(5 | 6 | 13)) && state.len() < 5 => {
            (ErrorKind::Failed, true)
        }
        _ => (ErrorKind::Failed, false),
    }
}

/// The number that MySQL gives its errors.
#[cfg_attr(not(feature = "mysql"), expect(unused_variables, reason = "only MySQL's errors have one"))]
fn number(error: &dyn sqlx::error::DatabaseError) -> Option<u16> {
    #[cfg(feature = "mysql")]
    return error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(|error| error.number());
    #[cfg(not(feature = "mysql"))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_are_told_apart() {
        for (state, number, expected) in [
            ("28P01", None, (ErrorKind::Login, false)),
            ("28000", Some(1045), (ErrorKind::Login, false)),
            ("57P01", None, (ErrorKind::Connect, true)),
            ("25P03", None, (ErrorKind::Connect, true)),
            ("08S01", Some(1053), (ErrorKind::Connect, true)),
            ("HY000", Some(4031), (ErrorKind::Connect, true)),
            ("40001", Some(1213), (ErrorKind::Failed, true)),
            ("HY000", Some(1205), (ErrorKind::Failed, true)),
            ("53100", None, (ErrorKind::Failed, true)),
            ("5", None, (ErrorKind::Failed, true)),
            ("517", None, (ErrorKind::Failed, true)),
            ("13", None, (ErrorKind::Failed, true)),
            ("2067", None, (ErrorKind::Failed, false)),
            ("23505", None, (ErrorKind::Failed, false)),
            ("42501", None, (ErrorKind::Failed, false)),
        ] {
            assert_eq!(judge(state, number), expected, "{state} {number:?}");
        }
    }
}
