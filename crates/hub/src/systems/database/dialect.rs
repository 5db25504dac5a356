//! What the databases spell differently, in small: names, placeholders, the tables of ours.

use std::fmt::Write as _;

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Postgres,
    /// MySQL and MariaDB.
    MySql,
    Sqlite,
}

impl Dialect {
    /// A name inside a statement.
    pub(super) fn quoted(self, name: &str) -> String {
        match self {
            Self::MySql => format!("`{}`", name.replace('`', "``")),
            Self::Postgres | Self::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// A text inside a statement that takes no values: the body of a trigger.
    pub(super) fn literal(self, text: &str) -> String {
        let text = text.replace('\'', "''");
        match self {
            Self::MySql => format!("'{}'", text.replace('\\', "\\\\")),
            Self::Postgres | Self::Sqlite => format!("'{text}'"),
        }
    }

    /// A table of ours.
    pub(super) fn ours(self, name: &str) -> String {
        match self {
            Self::Postgres => format!("tombolo.{name}"),
            Self::MySql | Self::Sqlite => format!("tombolo_{name}"),
        }
    }

    /// Begins a transaction that writes and sees what others commit meanwhile. SQLite takes its write lock at once: a
    /// lock that has to be promoted fails.
    pub(super) const fn begin(self) -> &'static str {
        match self {
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
            // The session's level is READ COMMITTED (`session.rs`).
            Self::MySql => "START TRANSACTION",
            Self::Sqlite => "BEGIN IMMEDIATE",
        }
    }

    /// Texts one behind the other.
    pub(super) fn concat(self, parts: &[&str]) -> String {
        match self {
            Self::MySql => format!("CONCAT({})", parts.join(", ")),
            Self::Postgres | Self::Sqlite => format!("({})", parts.join(" || ")),
        }
    }

    /// The database's own clock, in microseconds since 1970: the wall clock, not the transaction's start.
    pub(super) const fn clock(self) -> &'static str {
        match self {
            Self::Postgres => "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)",
            Self::MySql => "CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)",
            Self::Sqlite => {
                "(CAST(strftime('%s', 'now') AS INTEGER) * 1000000 \
                 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER) * 1000)"
            }
        }
    }

    /// Locks the rows of a SELECT for this transaction.
    pub(super) const fn for_update(self) -> &'static str {
        match self {
            Self::Postgres | Self::MySql => " FOR UPDATE",
            Self::Sqlite => "",
        }
    }

    /// Keeps others from changing the rows of a SELECT during this transaction.
    pub(super) const fn for_share(self) -> &'static str {
        match self {
            Self::Postgres => " FOR SHARE",
            Self::MySql => " LOCK IN SHARE MODE",
            Self::Sqlite => "",
        }
    }

    /// Two values, null taken as one.
    pub(super) fn distinct(self, one: &str, other: &str) -> String {
        match self {
            Self::Postgres => format!("{one} IS DISTINCT FROM {other}"),
            Self::MySql => format!("NOT ({one} <=> {other})"),
            Self::Sqlite => format!("{one} IS NOT {other}"),
        }
    }
}

/// A value to bind.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Param {
    Text(Option<String>),
    Int(i64),
    /// One column of many rows: PostgreSQL only.
    Texts(Vec<Option<String>>),
    /// The same.
    Ints(Vec<i64>),
}

impl From<&str> for Param {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<String>> for Param {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Param {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u64> for Param {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// A statement as it grows. Names in it are quoted by [`Dialect::quoted`]; values are bound, never written into it.
#[derive(Debug, Clone)]
pub(super) struct Sql {
    pub(super) dialect: Dialect,
    pub(super) text: String,
    pub(super) params: Vec<Param>,
    /// It will not come again in this form: not worth preparing for long.
    pub(super) once: bool,
}

impl Sql {
    pub(super) fn new(dialect: Dialect, text: impl Into<String>) -> Self {
        Self { dialect, text: text.into(), params: Vec::new(), once: false }
    }

    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(super) fn bind(&mut self, param: impl Into<Param>) -> &mut Self {
        self.params.push(param.into());
        match self.dialect {
            Dialect::Postgres => {
                // Writing to a String does not fail.
                let _ = write!(self.text, "${}", self.params.len());
            }
            Dialect::MySql | Dialect::Sqlite => self.text.push('?'),
        }
        self
    }

    /// `one of these`, behind a column: a list of values, or in PostgreSQL one array, which is one statement for any
    /// number of them.
    pub(super) fn among(&mut self, texts: &[&str]) -> &mut Self {
        if self.dialect == Dialect::Postgres {
            let texts = texts.iter().map(|text| Some((*text).to_owned())).collect();
            return self.push(" = ANY(").bind(Param::Texts(texts)).push(")");
        }
        self.push(" IN (");
        self.bind_list(texts, |sql, text| {
            sql.bind(*text);
        });
        self.push(")")
    }

    /// Binds a list, filled up to a power of two with its last value, so that there are few different statements.
    pub(super) fn bind_list<T: Clone>(&mut self, list: &[T], mut bind: impl FnMut(&mut Self, &T)) -> &mut Self {
        let Some(last) = list.last() else {
            return self.push("NULL");
        };
        for place in 0..list.len().next_power_of_two() {
            if place > 0 {
                self.push(", ");
            }
            bind(self, list.get(place).unwrap_or(last));
        }
        self
    }
}
