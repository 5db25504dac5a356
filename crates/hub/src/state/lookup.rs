//! Rows by many values of one column: one statement, and one search of the index a value.
//!
//! PostgreSQL plans `column = ANY(values)` by what it believes of a table that it may have counted when it was empty, and
//! may read a whole shard for it; asked value by value it cannot.

use super::{
    Dialect,
    connection::{Statement, Values},
};

/// What is looked for: rows of a table that fulfil a condition and hold one of many values in a column.
pub(super) struct Lookup<'a> {
    pub(super) table: &'a str,
    pub(super) condition: Statement,
    pub(super) column: &'a str,
}

impl Lookup<'_> {
    /// Columns of the rows.
    pub(super) fn select(self, dialect: &Dialect, what: &str, values: Values) -> Statement {
        #[cfg(feature = "postgres")]
        if matches!(dialect, Dialect::Postgres { .. }) {
            // Without the offset it would be planned like the other.
            return self.each(dialect, what, "OFFSET 0", values);
        }
        let table = dialect.table(self.table);
        Statement::new(format!("SELECT {what} FROM {table} WHERE ")).then(self.among(dialect, values))
    }

    /// The value and the number of the first rows of each value.
    pub(super) fn first(self, dialect: &Dialect, most: usize, values: Values) -> Statement {
        let column = self.column;
        #[cfg(feature = "postgres")]
        if matches!(dialect, Dialect::Postgres { .. }) {
            return self.each(dialect, &format!("{column}, id"), &format!("ORDER BY id LIMIT {most}"), values);
        }
        let table = dialect.table(self.table);
        let ranked = format!("{column} AS found, id, ROW_NUMBER() OVER (PARTITION BY {column} ORDER BY id) AS n");
        Statement::new(format!("SELECT found, id FROM (SELECT {ranked} FROM {table} WHERE "))
            .then(self.among(dialect, values))
            .and(&format!(") ranked WHERE n <= {most}"))
    }

    /// Does this to the rows: `DELETE FROM table`, `UPDATE table SET …`.
    pub(super) fn change(self, dialect: &Dialect, change: &str, values: Values) -> Statement {
        #[cfg(feature = "postgres")]
        if matches!(dialect, Dialect::Postgres { .. }) {
            let rows = self.each(dialect, "ctid", "OFFSET 0", values);
            return Statement::new(format!("{change} WHERE ctid = ANY(ARRAY(")).then(rows).and("))");
        }
        Statement::new(format!("{change} WHERE ")).then(self.among(dialect, values))
    }

    fn among(self, dialect: &Dialect, values: Values) -> Statement {
        self.condition.and(" AND ").then(dialect.among(self.column, values))
    }

    #[cfg(feature = "postgres")]
    fn each(self, dialect: &Dialect, what: &str, rest: &str, values: Values) -> Statement {
        let (kind, collation) = match &values {
            Values::Int(_) => ("BIGINT", ""),
            Values::Text(_) => ("TEXT", " COLLATE \"C\""),
        };
        let asked = format!("SELECT found.* FROM UNNEST(CAST(? AS {kind}[])) AS asked(value) CROSS JOIN LATERAL ");
        let asked = Statement { sql: asked, params: vec![super::connection::Param::Column(values)] };
        let (table, column) = (dialect.table(self.table), self.column);
        asked
            .and(&format!("(SELECT {what} FROM {table} WHERE "))
            .then(self.condition)
            .and(&format!(" AND {column} = asked.value{collation} {rest}) AS found"))
    }
}
