//! Virtual time: microseconds since the simulation began, and what the systems' clocks make of them.

use std::time::Duration;

use jiff::Timestamp;

/// Microseconds since the beginning.
pub type Micros = i64;

/// A thousandth of a second.
pub const MILLI: Micros = 1_000;
/// A second.
pub const SECOND: Micros = 1_000_000;
/// A minute.
pub const MINUTE: Micros = 60 * SECOND;

/// The beginning: midnight of a new year.
const BEGIN: i64 = 1_767_225_600 * SECOND;

/// The moment that a clock shows which runs ahead by `skew`.
pub fn timestamp(at: Micros) -> Timestamp {
    Timestamp::from_microsecond(BEGIN + at).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The way back.
pub fn micros(at: Timestamp) -> Micros {
    at.as_microsecond() - BEGIN
}

/// Cut to whole seconds, as Salesforce's stamps are.
pub const fn whole_second(at: Micros) -> Micros {
    at.div_euclid(SECOND) * SECOND
}

/// A setting in microseconds.
pub fn span(duration: Duration) -> Micros {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// `12.345678` for people.
pub fn shown(at: Micros) -> String {
    format!("{:>4}.{:06}", at.div_euclid(SECOND), at.rem_euclid(SECOND))
}
