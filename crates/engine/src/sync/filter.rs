//! Which records take part: a condition over what a record shows.
//!
//! It is judged in memory, for each change as it comes. So it knows what a record shows and nothing else: no other
//! records, no clock, no functions. What asks for more is refused when it is read.

mod condition;
mod soql;
mod sql;
mod token;

use std::fmt;

use self::condition::{Condition, Judge, Truth};
use super::Stored;

/// A condition, as the file gives it in SOQL or SQL.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// As it was written.
    pub text: String,
    dialect: Dialect,
    fields: Vec<String>,
    condition: Condition,
}

/// Whose rules hold for nulls and for the case of letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// Null is a value that differs from others, and case does not count (soql.md 3).
    Soql,
    /// What is compared with null is unknown, and case counts.
    Sql,
}

/// A condition that cannot be read, or cannot be judged by what a record shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// Where in the text, in bytes.
    pub offset: usize,
    /// What is wrong there.
    pub message: String,
}

impl Filter {
    /// Reads what stands behind `WHERE` in SOQL.
    pub fn parse_soql(text: &str) -> Result<Self, FilterError> {
        let mut fields = Fields::default();
        let condition = soql::parse(text, &mut fields)?;
        Ok(Self { text: text.to_owned(), dialect: Dialect::Soql, fields: fields.0, condition })
    }

    /// Reads what stands behind `WHERE` in SQL.
    pub fn parse_sql(text: &str) -> Result<Self, FilterError> {
        let mut fields = Fields::default();
        let condition = sql::parse(text, &mut fields)?;
        Ok(Self { text: text.to_owned(), dialect: Dialect::Sql, fields: fields.0, condition })
    }

    /// The fields that it looks at, each once, as they were written first.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(String::as_str)
    }

    /// Whether a record with these values takes part. One that nobody can tell of does not.
    pub fn holds(&self, value: &dyn Fn(&str) -> Option<Stored>) -> bool {
        self.judge(value) == Some(true)
    }

    /// Whether a record with these values takes part; none if that hangs on a field whose value is not known.
    pub fn judge(&self, value: &dyn Fn(&str) -> Option<Stored>) -> Option<bool> {
        let judge = Judge { dialect: self.dialect, fields: &self.fields, value };
        match judge.truth(&self.condition) {
            Truth::True => Some(true),
            Truth::False | Truth::Null => Some(false),
            Truth::Unseen => None,
        }
    }
}

/// The fields of a condition that is being read.
#[derive(Default)]
struct Fields(Vec<String>);

impl Fields {
    /// The place of a field, by its name in any case.
    fn place(&mut self, name: &str) -> usize {
        let known = self.0.iter().position(|known| known.eq_ignore_ascii_case(name));
        known.unwrap_or_else(|| {
            self.0.push(name.to_owned());
            self.0.len() - 1
        })
    }
}

impl FilterError {
    fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into() }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for FilterError {}

#[cfg(test)]
mod tests;
