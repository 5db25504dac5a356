//! What is particular to MySQL and MariaDB.

pub(super) mod capture;
pub(super) mod catalog;
pub(super) mod permits;

use super::fault::{Fault, FaultKind};

/// A session that says what does not fit, sees what others commit, and does not wait long for locks.
pub(super) const SETTINGS: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,\
    NO_ENGINE_SUBSTITUTION', SESSION time_zone = '+00:00', SESSION innodb_lock_wait_timeout = 5, \
    SESSION lock_wait_timeout = 5; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// What an error of MySQL means, by its number.
pub(super) fn fault(error: &sqlx::mysql::MySqlDatabaseError) -> Fault {
    let kind = match error.number() {
        1045 | 1044 | 1698 => FaultKind::Login,
        // Too many connections, shutting down, no such database, killed.
        1040 | 1053 | 1049 | 1927 | 3169 => FaultKind::Lost,
        // Lock wait, deadlock, read-only server, disk full, canceled.
        1205 | 1213 | 1290 | 1836 | 1021 | 1114 | 1317 | 1969 | 3024 => FaultKind::Passing,
        1146 | 1054 | 1051 => FaultKind::Missing,
        1142 | 1143 | 1370 | 1227 => FaultKind::Denied,
        1062 | 1586 | 1859 => FaultKind::Unique,
        // Null, no default, too long, out of range, incorrect value, check, foreign key, generated column, signals.
        1048 | 1364 | 1406 | 1264 | 1265 | 1366 | 1292 | 3819 | 4025 | 1451 | 1452 | 1216 | 1217 | 3105 | 1906
        | 1644 | 1367 | 3140 => FaultKind::Data,
        _ => FaultKind::Other,
    };
    let mut fault = Fault::new(kind, &error.number().to_string(), error.message());
    let quoted: Vec<&str> = error.message().split(['\'', '`']).skip(1).step_by(2).collect();
    match error.number() {
        // CONSTRAINT `rules_parent` FOREIGN KEY (`parent`) …; CONSTRAINT `age_check` failed for …
        1451 | 1452 | 4025 => {
            let named = error.message().split_once("CONSTRAINT `").and_then(|(_, rest)| rest.split_once('`'));
            fault.constraint = named.map(|(name, _)| name.to_owned());
        }
        // Duplicate entry 'x' for key 'contacts.email'
        1062 | 1586 => {
            let index = quoted.last().map(|name| name.rsplit('.').next().unwrap_or(name));
            fault.constraint = index.map(str::to_owned);
        }
        1048 | 1364 | 1406 | 1264 | 1265 | 1366 | 1292 | 1054 => {
            fault.columns = column_named(error.message()).into_iter().collect();
        }
        _ => {}
    }
    fault
}

/// `Column 'name' cannot be null`, `Data too long for column 'name' at row 1`, `Field 'name' doesn't have a default`.
fn column_named(message: &str) -> Option<String> {
    let start = ["column '", "Column '", "Field '", "column `"]
        .iter()
        .filter_map(|word| message.rfind(word).map(|at| at + word.len()));
    let rest = &message[start.max()?..];
    // MariaDB: column `db`.`table`.`name`
    let name = match rest.find('\'') {
        Some(end) => &rest[..end],
        None => rest.split(" at row").next().unwrap_or(rest).rsplit("`.`").next().unwrap_or(rest).trim_matches('`'),
    };
    Some(name.rsplit('.').next().unwrap_or(name).to_owned())
}
