//! How the three databases spell what they do not agree on.

use std::borrow::Cow;

use super::connection::{Param, Statement, Values};

/// The database's way of spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dialect {
    #[cfg(feature = "sqlite")]
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres {
        /// The schema that all tables lie in.
        schema: String,
    },
    #[cfg(feature = "mysql")]
    MySql,
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// It writes.
    Write,
    /// It reads, and sees one moment.
    Read,
}

impl Dialect {
    /// A table's name inside a statement.
    pub(super) fn table(&self, name: &str) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => format!("tombolo_{name}"),
            #[cfg(feature = "postgres")]
            Self::Postgres { schema } => format!("{}.{name}", quoted(schema)),
            #[cfg(feature = "mysql")]
            Self::MySql => format!("tombolo_{name}"),
        }
    }

    /// Begins a transaction. SQLite takes its write lock at once: a lock that has to be promoted fails.
    pub(super) const fn begin(&self, access: Access) -> &'static str {
        match (self, access) {
            #[cfg(feature = "sqlite")]
            (Self::Sqlite, Access::Write) => "BEGIN IMMEDIATE",
            #[cfg(feature = "sqlite")]
            (Self::Sqlite, Access::Read) => "BEGIN",
            #[cfg(feature = "postgres")]
            (Self::Postgres { .. }, Access::Write) => "BEGIN ISOLATION LEVEL READ COMMITTED",
            #[cfg(feature = "postgres")]
            (Self::Postgres { .. }, Access::Read) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            #[cfg(feature = "mysql")]
            (Self::MySql, Access::Write) => {
                "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION READ WRITE"
            }
            #[cfg(feature = "mysql")]
            (Self::MySql, Access::Read) => {
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
            }
        }
    }

    /// The database's own time: microseconds since 1970.
    pub(super) const fn clock(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
            // `now()` would be the transaction's beginning, before it waited for locks.
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)",
            #[cfg(feature = "mysql")]
            Self::MySql => "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6))",
        }
    }

    /// Locks the rows that are read, and leaves out those that somebody else has locked. SQLite has one writer.
    pub(super) const fn lock_free(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "",
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => " FOR UPDATE SKIP LOCKED",
            #[cfg(feature = "mysql")]
            Self::MySql => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// A condition as a number: 1 or 0.
    pub(super) fn flag(&self, condition: &str) -> String {
        let kind = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "INTEGER",
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => "BIGINT",
            #[cfg(feature = "mysql")]
            Self::MySql => "SIGNED",
        };
        format!("CAST(CASE WHEN {condition} THEN 1 ELSE 0 END AS {kind})")
    }

    /// The greater of two values.
    pub(super) const fn greatest(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "max",
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => "greatest",
            #[cfg(feature = "mysql")]
            Self::MySql => "greatest",
        }
    }

    /// Whether a column holds one of the values.
    pub(super) fn among(&self, column: &str, values: Values) -> Statement {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => {
                let json = match values {
                    Values::Int(values) => serde_json::Value::from(values).to_string(),
                    Values::Text(values) => serde_json::Value::from(values).to_string(),
                };
                Statement::new(format!("{column} IN (SELECT value FROM json_each(?))")).text(json)
            }
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => {
                Statement { sql: format!("{column} = ANY(?)"), params: vec![Param::Column(values)] }
            }
            #[cfg(feature = "mysql")]
            Self::MySql => {
                let mut params: Vec<Param> = match values {
                    Values::Int(values) => values.into_iter().map(Param::Int).collect(),
                    Values::Text(values) => values.into_iter().map(Param::Text).collect(),
                };
                // Few lengths, so that the statements are prepared once and kept.
                if let Some(last) = params.last().cloned() {
                    params.resize(params.len().next_power_of_two(), last);
                }
                let marks = vec!["?"; params.len()].join(", ");
                Statement { sql: format!("{column} IN ({marks})"), params }
            }
        }
    }

    /// Deletes at most so many rows of those that fulfil the condition.
    pub(super) fn delete_some(&self, table: &str, condition: Statement, limit: i64) -> Statement {
        let table = self.table(table);
        let row = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "rowid",
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => "ctid",
            #[cfg(feature = "mysql")]
            Self::MySql => {
                let delete = Statement::new(format!("DELETE FROM {table} WHERE "));
                return delete.then(condition).and(" LIMIT ?").int(limit);
            }
        };
        let delete = Statement::new(format!("DELETE FROM {table} WHERE {row} IN (SELECT {row} FROM {table} WHERE "));
        delete.then(condition).and(" LIMIT ?)").int(limit)
    }

    /// `?` as PostgreSQL writes it: `$1`, `$2`.
    #[cfg(feature = "postgres")]
    pub(super) fn numbered(sql: &str) -> String {
        let mut numbered = String::with_capacity(sql.len() + 32);
        let mut pieces = sql.split('?');
        numbered.extend(pieces.next());
        for (at, piece) in pieces.enumerate() {
            numbered.push('$');
            numbered.push_str(&(at + 1).to_string());
            numbered.push_str(piece);
        }
        numbered
    }
}

/// A name inside a statement.
#[cfg(feature = "postgres")]
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// How long a text in an index may be, in bytes: what all three databases take.
const LONGEST: usize = 512;
const HEAD: usize = 448;

/// A text as it stands in an index. A long one is cut and carries its digest, and is longer than any whole one, so that
/// it is told apart; so does one with a NUL, which PostgreSQL does not hold.
pub(super) fn indexed(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && !text.contains('\0') {
        return Cow::Borrowed(text);
    }
    let end = text.find('\0').unwrap_or(text.len()).min(HEAD);
    let end = (0..=end).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut cut = text[..end].to_owned();
    cut.extend(std::iter::repeat_n('~', HEAD + 1 - end));
    cut.extend(digest.as_ref().iter().map(|byte| format!("{byte:02x}")));
    Cow::Owned(cut)
}

/// Whether a text in an index is cut.
pub(super) fn is_cut(text: &str) -> bool {
    text.len() > LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_in_an_index_are_short_and_stay_different() {
        assert_eq!(indexed("003000000000001AAA"), "003000000000001AAA");
        let long = "ä".repeat(400);
        for text in [&*long, &format!("{long}a"), "a\0b", "a\0c", "\0", &"x".repeat(513)] {
            let cut = indexed(text);
            assert!(is_cut(&cut) && cut.len() == LONGEST + 1 && !cut.contains('\0'), "{cut}");
        }
        assert!(!is_cut(&indexed(&"x".repeat(512))));
        assert_ne!(indexed(&long), indexed(&format!("{long}a")));
        assert_ne!(indexed("a\0b"), indexed("a\0c"));
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn values_are_numbered() {
        assert_eq!(Dialect::numbered("a = ? AND b = ?"), "a = $1 AND b = $2");
        assert_eq!(Dialect::numbered("SELECT 1"), "SELECT 1");
    }
}
