//! Many rows in one statement.

use super::{
    Dialect,
    connection::{Connection, Param, Statement, Values},
};
use crate::Result;

/// How many rows a statement with single values takes. Smaller ones take powers of two, so that few are prepared.
const MOST_ROWS: usize = 256;
/// How many bytes of text one statement takes: less than a server accepts in one packet.
const MOST_BYTES: usize = 4 << 20;
/// How many values stand in one list.
const MOST_LISTED: usize = 4096;

/// Rows of one table, column by column.
#[derive(Debug, Clone)]
pub(super) struct Bulk {
    table: &'static str,
    names: &'static [&'static str],
    columns: Vec<Values>,
    known: Known,
}

/// What becomes of a row whose key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is an error.
    Refused,
    /// The old one stays.
    Kept,
    /// The new one replaces it; the key are the first so many columns.
    Replaced(usize),
}

/// One value of a row.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    Int(Option<i64>),
    Text(Option<String>),
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Cell {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}

impl From<Option<String>> for Cell {
    fn from(value: Option<String>) -> Self {
        Self::Text(value)
    }
}

impl Bulk {
    pub(super) const fn new(table: &'static str, names: &'static [&'static str], known: Known) -> Self {
        Self { table, names, columns: Vec::new(), known }
    }

    /// One row more.
    pub(super) fn push<const N: usize>(&mut self, row: [Cell; N]) {
        debug_assert_eq!(N, self.names.len(), "a row has as many values as columns");
        if self.columns.is_empty() {
            let empty = |cell: &Cell| match cell {
                Cell::Int(_) => Values::Int(Vec::new()),
                Cell::Text(_) => Values::Text(Vec::new()),
            };
            self.columns = row.iter().map(empty).collect();
        }
        for (column, cell) in self.columns.iter_mut().zip(row) {
            match (column, cell) {
                (Values::Int(values), Cell::Int(value)) => values.push(value),
                (Values::Text(values), Cell::Text(value)) => values.push(value),
                // A column has one type: the rows are written in this crate.
                (Values::Int(values), Cell::Text(_)) => values.push(None),
                (Values::Text(values), Cell::Int(_)) => values.push(None),
            }
        }
    }

    /// The same rows; one whose key is there already is an error.
    #[cfg(feature = "mysql")]
    pub(super) fn refusing_known(self) -> Self {
        Self { known: Known::Refused, ..self }
    }

    pub(super) fn len(&self) -> usize {
        self.columns.first().map_or(0, Values::len)
    }

    /// Writes the rows.
    pub(super) async fn write(self, connection: &mut Connection, dialect: &Dialect) -> Result<()> {
        if self.len() == 0 {
            return Ok(());
        }
        match dialect {
            #[cfg(feature = "postgres")]
            Dialect::Postgres { .. } => connection.run(self.arrays(dialect)).await.map(drop),
            #[cfg(any(feature = "sqlite", feature = "mysql"))]
            _ => {
                let mut from = 0;
                while from < self.len() {
                    let rows = self.next_rows(from);
                    connection.run(self.values(dialect, from, rows)).await?;
                    from += rows;
                }
                Ok(())
            }
        }
    }

    fn insert(&self, dialect: &Dialect) -> String {
        format!("INSERT INTO {} ({}) ", dialect.table(self.table), self.names.join(", "))
    }

    fn rule(&self, dialect: &Dialect) -> String {
        let set = |key: usize, spelled: fn(&str) -> String| {
            self.names[key..].iter().map(|name| spelled(name)).collect::<Vec<_>>().join(", ")
        };
        match (self.known, dialect) {
            (Known::Refused, _) => String::new(),
            #[cfg(feature = "mysql")]
            (Known::Kept, Dialect::MySql) => format!(" ON DUPLICATE KEY UPDATE {0} = {0}", self.names[0]),
            #[cfg(feature = "mysql")]
            (Known::Replaced(key), Dialect::MySql) => {
                format!(" ON DUPLICATE KEY UPDATE {}", set(key, |name| format!("{name} = VALUES({name})")))
            }
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            (Known::Kept, _) => " ON CONFLICT DO NOTHING".to_owned(),
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            (Known::Replaced(key), _) => format!(
                " ON CONFLICT ({}) DO UPDATE SET {}",
                self.names[..key].join(", "),
                set(key, |name| format!("{name} = excluded.{name}"))
            ),
        }
    }

    /// One value a column, however many rows.
    #[cfg(feature = "postgres")]
    fn arrays(self, dialect: &Dialect) -> Statement {
        let typed: Vec<&str> = self
            .columns
            .iter()
            .map(|column| match column {
                Values::Int(_) => "CAST(? AS BIGINT[])",
                Values::Text(_) => "CAST(? AS TEXT[])",
            })
            .collect();
        let sql = format!("{}SELECT * FROM UNNEST({}){}", self.insert(dialect), typed.join(", "), self.rule(dialect));
        Statement { sql, params: self.columns.into_iter().map(Param::Column).collect() }
    }

    /// One value a column and row.
    #[cfg(any(feature = "sqlite", feature = "mysql"))]
    fn values(&self, dialect: &Dialect, from: usize, rows: usize) -> Statement {
        let row = format!("({})", vec!["?"; self.names.len()].join(", "));
        let sql = format!("{}VALUES {}{}", self.insert(dialect), vec![row; rows].join(", "), self.rule(dialect));
        let mut params = Vec::with_capacity(rows * self.names.len());
        for at in from..from + rows {
            params.extend(self.columns.iter().map(|column| match column {
                Values::Int(values) => Param::Int(values[at]),
                Values::Text(values) => Param::Text(values[at].clone()),
            }));
        }
        Statement { sql, params }
    }

    /// How many rows the next statement takes: the greatest power of two that fits.
    #[cfg(any(feature = "sqlite", feature = "mysql"))]
    fn next_rows(&self, from: usize) -> usize {
        let bytes = |at: usize| -> usize {
            let texts = self.columns.iter().map(|column| match column {
                Values::Text(values) => values[at].as_ref().map_or(0, String::len),
                Values::Int(_) => 8,
            });
            texts.sum()
        };
        let mut rows = MOST_ROWS;
        while rows > self.len() - from || (rows > 1 && (from..from + rows).map(bytes).sum::<usize>() > MOST_BYTES) {
            rows /= 2;
        }
        rows.max(1)
    }
}

/// Values as lists that a statement takes.
pub(super) fn lists<T>(values: impl IntoIterator<Item = T>, list: fn(Vec<Option<T>>) -> Values) -> Vec<Values> {
    let mut values = values.into_iter().peekable();
    let mut lists = Vec::new();
    while values.peek().is_some() {
        lists.push(list(values.by_ref().take(MOST_LISTED).map(Some).collect()));
    }
    lists
}
