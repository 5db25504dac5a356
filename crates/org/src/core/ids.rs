//! Numbers the org gives out: record Ids, auto numbers, transactions. The same seed gives the same ones.

use rusqlite::{Connection, params};
use tombolo_schema::Id;

use super::record::{CoreError, Result};

/// What the numbers grow from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) u64);

/// Characters 4 to 6 of an Id name the place the org lives in; the other nine count.
const PLACES: u64 = 62 * 62 * 62;

impl Seed {
    /// A number that follows from the seed and a name, and looks like any other.
    pub(crate) fn number(self, name: &str, at: u64) -> u64 {
        let mut state = self.0 ^ 0x9e37_79b9_7f4a_7c15;
        for byte in name.bytes().chain(at.to_le_bytes()) {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        // splitmix64, so that neighbours do not look alike.
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^ (state >> 31)
    }

    /// The Id of the nth record with this key prefix.
    pub(crate) fn id(self, key_prefix: &str, nth: u64) -> Result<Id> {
        let prefix: [u8; 3] = key_prefix
            .as_bytes()
            .try_into()
            .map_err(|_| CoreError::Internal(format!("`{key_prefix}` is no key prefix")))?;
        let place = Id::from_number(prefix, self.number("place", 0) % PLACES);
        let count = Id::from_number(prefix, nth);
        let short = format!("{key_prefix}{}{}", &place.as_str()[12..15], &count.as_str()[6..15]);
        Id::parse(&short).map_err(|e| CoreError::Internal(e.to_string()))
    }

    /// The key of the nth transaction: shaped like a UUID (streaming.md 2.1).
    pub(crate) fn transaction_key(self, nth: u64) -> String {
        let (a, b) = (self.number("transaction", nth), self.number("transaction key", nth));
        format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", a >> 44, a & 0xffff, (a >> 16) & 0xffff, b & 0xffff, b >> 16)
    }
}

/// What the counters need in the database.
pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("CREATE TABLE IF NOT EXISTS _counters (name TEXT PRIMARY KEY, last INTEGER NOT NULL)")
}

/// Counts on: the first number is `first`.
pub(crate) fn next(connection: &Connection, name: &str, first: u64) -> rusqlite::Result<u64> {
    let sql = "INSERT INTO _counters VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET last = last + 1 RETURNING last";
    connection.prepare_cached(sql)?.query_row(params![name, first], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_it_all() {
        let (a, b) = (Seed(7), Seed(8));
        assert_eq!(a.id("001", 3).unwrap(), Seed(7).id("001", 3).unwrap());
        assert_ne!(a.id("001", 3).unwrap(), b.id("001", 3).unwrap());
        assert!(a.id("001", 61).unwrap() < a.id("001", 62).unwrap(), "later Ids sort behind");
        assert_ne!(a.transaction_key(1), a.transaction_key(2));
        assert_eq!(a.transaction_key(1).len(), 36);
        assert!(a.id("0", 1).is_err());
    }

    #[test]
    fn counters_count() {
        let connection = Connection::open_in_memory().unwrap();
        create(&connection).unwrap();
        assert_eq!(next(&connection, "x", 1000).unwrap(), 1000);
        assert_eq!(next(&connection, "x", 1000).unwrap(), 1001);
    }
}
