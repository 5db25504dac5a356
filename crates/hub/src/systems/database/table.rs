//! A table as its database describes it: columns with how their values are shown as text and bound from it.

use super::{
    dialect::{Dialect, Sql},
    value::Form,
};
use crate::systems::system::{ChangeEvents, Entity, Field, Permissions};

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    pub(super) dialect: Dialect,
    /// The name that tells it from any other of the database: with its schema, in PostgreSQL.
    pub(super) canonical: String,
    /// As it stands in statements.
    pub(super) sql: String,
    pub(super) columns: Vec<Column>,
    /// The primary key.
    pub(super) primary: Vec<String>,
    /// What constraints and unique indexes cover, by name.
    pub(super) constraints: Vec<Constraint>,
    pub(super) objections: Vec<String>,
    pub(super) may: Permissions,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    pub(super) field: Field,
    /// How its values look as text.
    pub(super) form: Form,
    /// The type that a text is cast to before it is stored, where that is needed.
    pub(super) cast: Option<String>,
    /// The database draws its value: serial, identity, AUTO_INCREMENT, rowid.
    pub(super) drawn: bool,
}

/// A constraint or unique index.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Constraint {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) unique: bool,
}

impl Table {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        let exact = self.columns.iter().find(|column| column.field.name == name);
        exact.or_else(|| self.columns.iter().find(|column| column.field.name.eq_ignore_ascii_case(name)))
    }

    /// What mappings have to know.
    pub(super) fn entity(&self, name: &str) -> Entity {
        Entity {
            name: name.to_owned(),
            key: self.primary.clone(),
            fields: self.columns.iter().map(|column| column.field.clone()).collect(),
            change_events: ChangeEvents::None,
            objections: self.objections.clone(),
            may: self.may,
        }
    }
}

impl Column {
    pub(super) fn quoted(&self, dialect: Dialect) -> String {
        dialect.quoted(&self.field.name)
    }

    /// Its value as text. `of` is what stands before the name: `NEW.`, `t.`.
    pub(super) fn shown(&self, dialect: Dialect, of: &str) -> String {
        let name = format!("{of}{}", self.quoted(dialect));
        match (dialect, self.form) {
            (Dialect::Postgres, _) => format!("{name}::text"),
            // The value itself, whatever time zone a session has.
            (Dialect::MySql, Form::Epoch) => format!("CONVERT(UNIX_TIMESTAMP({name}) USING utf8mb4)"),
            (Dialect::MySql, Form::Bit) => format!("CONVERT({name} + 0 USING utf8mb4)"),
            (Dialect::MySql, _) => format!("CONVERT({name} USING utf8mb4)"),
            // CAST keeps 15 digits of a REAL.
            (Dialect::Sqlite, _) => format!(
                "CASE typeof({name}) WHEN 'real' THEN printf('%!.17g', {name}) WHEN 'blob' THEN NULL \
                 ELSE CAST({name} AS TEXT) END"
            ),
        }
    }

    /// Binds a text as a value of this column's.
    pub(super) fn bind(&self, sql: &mut Sql, text: Option<String>) {
        match &self.cast {
            Some(cast) => {
                sql.push("CAST(").bind(text).push(" AS ").push(cast).push(")");
            }
            None => {
                sql.bind(text);
            }
        }
    }
}
