//! SQL in the making: parameters, table names, and what the whole query depends on.

use std::cell::OnceCell;

use tombolo_schema::{ApiVersion, Id};

use super::{local_time::LocalTime, refusal::Asked};
use crate::{
    core::{Caller, Core, Registry},
    store::Cell,
};

/// What a query depends on besides its text.
pub(super) struct Env<'a> {
    core: &'a Core,
    pub(super) registry: &'a Registry,
    /// Looked up when a query has to do with it.
    time: OnceCell<LocalTime>,
    pub(super) user: Id,
    pub(super) version: ApiVersion,
    /// Whether deleted rows are seen.
    pub(super) include_deleted: bool,
}

impl<'a> Env<'a> {
    pub(super) fn new(core: &'a Core, registry: &'a Registry, caller: &Caller, include_deleted: bool) -> Self {
        let (user, version) = (caller.user_id, caller.version);
        Self { core, registry, time: OnceCell::new(), user, version, include_deleted }
    }

    /// The time where the user is.
    pub(super) fn time(&self) -> Asked<&LocalTime> {
        if let Some(time) = self.time.get() {
            return Ok(time);
        }
        let time = LocalTime::of(self.core, self.user)?;
        Ok(self.time.get_or_init(|| time))
    }
}

/// What one SQL statement is given.
#[derive(Debug, Default)]
pub(super) struct Sql {
    pub(super) params: Vec<Cell>,
    tables: usize,
}

impl Sql {
    /// The place of a parameter with this value.
    pub(super) fn bind(&mut self, value: Cell) -> String {
        self.params.push(value);
        format!("?{}", self.params.len())
    }

    /// The place of a parameter that is the list of these values; to be used as `IN (…)`.
    pub(super) fn bind_list(&mut self, values: &[Cell]) -> String {
        if values.len() <= SHORT_LIST {
            let slots: Vec<_> = values.iter().map(|value| self.bind(value.clone())).collect();
            return slots.join(", ");
        }
        let list: Vec<_> = values.iter().map(json).collect();
        let place = self.bind(Cell::Text(serde_json::Value::from(list).to_string()));
        format!("SELECT value FROM json_each({place})")
    }

    /// A name for a table that no other table of the statement has.
    pub(super) fn table_alias(&mut self) -> String {
        self.tables += 1;
        format!("t{}", self.tables)
    }
}

/// Lists up to this length are parameters of their own: SQLite takes some thirty thousand parameters in all.
const SHORT_LIST: usize = 20;

fn json(cell: &Cell) -> serde_json::Value {
    match cell {
        Cell::Integer(number) => (*number).into(),
        Cell::Real(number) => (*number).into(),
        Cell::Text(text) => text.as_str().into(),
        Cell::Null | Cell::Blob(_) => serde_json::Value::Null,
    }
}

/// Conditions joined as a balanced tree: SQLite takes expressions no deeper than a thousand.
pub(super) fn joined(mut parts: Vec<String>, word: &str) -> String {
    while parts.len() > 1 {
        let mut pairs = Vec::with_capacity(parts.len().div_ceil(2));
        let mut rest = parts.into_iter();
        while let Some(left) = rest.next() {
            pairs.push(match rest.next() {
                Some(right) => format!("({left} {word} {right})"),
                None => left,
            });
        }
        parts = pairs;
    }
    parts.pop().unwrap_or_else(|| "1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_become_a_shallow_tree() {
        let parts = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        assert_eq!(joined(parts(0), "AND"), "1");
        assert_eq!(joined(parts(1), "AND"), "0");
        assert_eq!(joined(parts(5), "OR"), "(((0 OR 1) OR (2 OR 3)) OR 4)");
    }

    #[test]
    fn long_lists_are_one_parameter() {
        let mut sql = Sql::default();
        assert_eq!(sql.bind_list(&[Cell::Integer(1), Cell::Integer(2)]), "?1, ?2");
        let long = vec![Cell::Text("a'".to_owned()); 30];
        assert_eq!(sql.bind_list(&long), "SELECT value FROM json_each(?3)");
        assert_eq!(sql.params.len(), 3);
    }
}
