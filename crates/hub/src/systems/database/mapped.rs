//! The plan, as far as it concerns one database: which tables are captured, and which of their columns.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tombolo_engine::sync::{End, MappingIndex, Plan, Side};

use super::{
    dialect::{Dialect, Param, Sql},
    fault::{Fault, FaultKind},
    table::{Column, Table},
    value::Form,
};

/// A plan with the tables of one connection.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) plan: Arc<Plan>,
    pub(super) connection: String,
    /// By (mapping, side); what is wrong with a table that cannot be used.
    pub(super) ends: BTreeMap<(MappingIndex, Side), Result<MappedEnd, Fault>>,
}

/// One side of a mapping, with its table.
#[derive(Debug, Clone)]
pub(super) struct MappedEnd {
    pub(super) table: Arc<Table>,
    /// The entity's name in the plan.
    pub(super) entity: String,
    /// The key's column.
    pub(super) key: usize,
    /// The column that says whose record it is, and the plan's tenant.
    pub(super) tenant: Option<(usize, String)>,
    /// The columns that are heard, and their names in the plan. What the table has no column for is left out.
    pub(super) heard: Vec<(String, usize)>,
    /// Whether its changes are captured: not where somebody only looks.
    pub(super) is_captured: bool,
}

impl Mapped {
    /// The ends of the connection, whether their tables are there or not.
    pub(super) fn ends_of<'a>(
        plan: &'a Plan,
        connection: &'a str,
    ) -> impl Iterator<Item = (MappingIndex, Side, &'a End)> + 'a {
        plan.mappings.iter().enumerate().flat_map(move |(index, mapping)| {
            let sides = Side::BOTH.into_iter().map(move |side| (index, side, &mapping.ends[side]));
            sides.filter(move |(_, _, end)| end.connection == connection)
        })
    }

    /// The same for whoever only looks: nothing of ours need be there.
    pub(super) fn uncaptured(mut self) -> Self {
        self.ends.values_mut().flatten().for_each(|end| end.is_captured = false);
        self
    }

    /// Whether somebody only looks.
    pub(super) fn only_looks(&self) -> bool {
        self.ends.values().flatten().any(|end| !end.is_captured)
    }

    pub(super) fn end(&self, mapping: MappingIndex, side: Side) -> Result<&MappedEnd, Fault> {
        let unknown = || Fault::new(FaultKind::Missing, "UNDEFINED_TABLE", "no such mapping was prepared");
        self.ends.get(&(mapping, side)).ok_or_else(unknown)?.as_ref().map_err(Clone::clone)
    }

    /// The tables that are captured: each with the columns that any mapping hears, and the mappings' names.
    pub(super) fn captured(&self) -> Vec<Captured> {
        let mut tables: BTreeMap<&str, Captured> = BTreeMap::new();
        for ((mapping, _), end) in &self.ends {
            let Ok(end) = end else { continue };
            let captured = tables.entry(&end.table.canonical).or_insert_with(|| Captured {
                table: Arc::clone(&end.table),
                key: end.key,
                tenant: end.tenant.as_ref().map(|(column, _)| *column),
                columns: BTreeSet::new(),
                mappings: BTreeSet::new(),
            });
            captured.columns.extend(end.heard.iter().map(|(_, column)| *column));
            captured.mappings.insert(self.plan.mappings[*mapping].name.clone());
        }
        tables.into_values().collect()
    }
}

/// A table whose changes are captured.
#[derive(Debug, Clone)]
pub(super) struct Captured {
    pub(super) table: Arc<Table>,
    pub(super) key: usize,
    pub(super) tenant: Option<usize>,
    pub(super) columns: BTreeSet<usize>,
    pub(super) mappings: BTreeSet<String>,
}

impl MappedEnd {
    pub(super) fn new(plan: &Plan, index: MappingIndex, side: Side, table: Arc<Table>) -> Result<Self, Fault> {
        let mapping = &plan.mappings[index];
        let end = &mapping.ends[side];
        let named = |name: &str| {
            let quoted = table.column(name).map(|column| column.field.name.clone());
            quoted.and_then(|name| table.columns.iter().position(|column| column.field.name == name))
        };
        let tenant = match &end.tenant_column {
            Some(name) => Some((named(name).ok_or_else(|| undefined(&table, name))?, plan.tenant.clone())),
            None => None,
        };
        let key = key_of(&table, end, tenant.as_ref().map(|(column, _)| *column))?;
        let key = named(&key).ok_or_else(|| undefined(&table, &key))?;
        let mut heard: Vec<(String, usize)> = Vec::new();
        for name in mapping.heard(side) {
            if heard.iter().any(|(known, _)| known == name) {
                continue;
            }
            heard.extend(named(name).map(|column| (name.to_owned(), column)));
        }
        Ok(Self { table, entity: end.entity.clone(), key, tenant, heard, is_captured: true })
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.table.dialect
    }

    pub(super) fn key_column(&self) -> &Column {
        &self.table.columns[self.key]
    }

    /// `key = …`, and the tenant's. None if no record can have this key.
    pub(super) fn is_record(&self, sql: &mut Sql, of: &str, key: &str) -> bool {
        if !self.may_be_key(key) {
            return false;
        }
        sql.push(of).push(&self.key_column().quoted(self.dialect())).push(" = ");
        self.bind_key(sql, key);
        self.and_tenant(sql, of);
        true
    }

    /// `key IN (…)`, and the tenant's.
    pub(super) fn among(&self, sql: &mut Sql, of: &str, keys: &[&str]) {
        let keys: Vec<&str> = keys.iter().copied().filter(|key| self.may_be_key(key)).collect();
        sql.push(of).push(&self.key_column().quoted(self.dialect()));
        match (self.dialect(), &self.key_column().cast) {
            (Dialect::Postgres, Some(cast)) => {
                let keys = keys.iter().map(|key| Some((*key).to_owned())).collect();
                sql.push(" = ANY(CAST(").bind(Param::Texts(keys)).push(" AS ").push(cast).push("[]))");
            }
            (Dialect::Postgres, None) => {
                sql.among(&keys);
            }
            (Dialect::MySql | Dialect::Sqlite, _) => {
                sql.push(" IN (");
                sql.bind_list(&keys, |sql, key| self.bind_key(sql, key)).push(")");
            }
        }
        self.and_tenant(sql, of);
    }

    pub(super) fn and_tenant(&self, sql: &mut Sql, of: &str) {
        if let Some((column, tenant)) = &self.tenant {
            let column = &self.table.columns[*column];
            sql.push(" AND ").push(of).push(&column.quoted(self.dialect())).push(" = ");
            column.bind(sql, Some(tenant.clone()));
        }
    }

    /// Whether a text can be a key at all: `12abc` is none of an integer column, though MySQL would take it for 12.
    pub(super) fn may_be_key(&self, key: &str) -> bool {
        match (self.key_column().form, self.key_column().field.kind) {
            (Form::Integer, _) => key.parse::<i128>().is_ok_and(|number| number.to_string() == key),
            (_, crate::systems::system::FieldKind::Uuid) => is_uuid(key),
            _ => true,
        }
    }

    pub(super) fn bind_key(&self, sql: &mut Sql, key: &str) {
        let column = self.key_column();
        match (self.dialect(), column.form) {
            (Dialect::MySql, Form::Integer) => {
                let cast = if key.starts_with('-') { "SIGNED" } else { "UNSIGNED" };
                sql.push("CAST(").bind(key).push(" AS ").push(cast).push(")");
            }
            (Dialect::Sqlite, Form::Integer) => {
                sql.push("CAST(").bind(key).push(" AS INTEGER)");
            }
            _ => column.bind(sql, Some(key.to_owned())),
        }
    }

    /// The key as text, as the outbox has it.
    pub(super) fn key_shown(&self, of: &str) -> String {
        self.key_column().shown(self.dialect(), of)
    }

    /// The place of a column of the plan among those heard.
    pub(super) fn heard_column(&self, name: &str) -> Option<&Column> {
        let place = self.heard.iter().find(|(known, _)| known == name).map(|(_, column)| *column);
        place.map(|place| &self.table.columns[place])
    }
}

/// The column that is the key: the one named, or the primary key, apart from the tenant's column in it.
fn key_of(table: &Table, end: &End, tenant: Option<usize>) -> Result<String, Fault> {
    if let Some(key) = &end.key {
        return Ok(key.clone());
    }
    let tenant = tenant.map(|column| table.columns[column].field.name.as_str());
    let mut columns = table.primary.iter().filter(|name| Some(name.as_str()) != tenant);
    match (columns.next(), columns.next()) {
        (Some(only), None) => Ok(only.clone()),
        (None, _) => {
            let text = format!("table {} has no primary key: name a unique column with `key`", table.canonical);
            Err(Fault::new(FaultKind::Other, "NO_KEY", text))
        }
        (Some(_), Some(_)) => {
            let words = "has a primary key of several columns: name a unique one with `key`";
            Err(Fault::new(FaultKind::Other, "NO_KEY", format!("table {} {words}", table.canonical)))
        }
    }
}

pub(super) fn undefined(table: &Table, name: &str) -> Fault {
    let text = format!("table {} has no column \"{name}\"", table.canonical);
    let mut fault = Fault::new(FaultKind::Missing, "UNDEFINED_COLUMN", text);
    fault.columns = vec![name.to_owned()];
    fault
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

impl From<&Captured> for Param {
    fn from(captured: &Captured) -> Self {
        Self::Text(Some(captured.table.canonical.clone()))
    }
}
