//! One record as the database takes it, and what it means when the database says no.

use tombolo_engine::sync::{Key, Operation, Stored, Values, Write};

use super::{
    dialect::{Dialect, Sql},
    fault::{Fault, FaultKind},
    mapped::MappedEnd,
    session::Session,
    table::Column,
    value,
};
use crate::systems::system::FieldKind;

/// A column and the text that it is given.
pub(super) type Given<'a> = (&'a Column, Option<String>);

/// Makes the record and gives its key.
pub(super) async fn create(session: &mut Session, end: &MappedEnd, write: &Write) -> Result<Key, Fault> {
    let dialect = end.dialect();
    let key_column = end.key_column();
    let given = whole(end, write)?;
    let known = given.iter().find(|(column, _)| column.field.name == key_column.field.name);
    let known = known.and_then(|(_, text)| text.clone());
    let mut sql = Sql::new(dialect, format!("INSERT INTO {}", end.table.sql));
    if given.is_empty() {
        sql.push(if dialect == Dialect::MySql { " () VALUES ()" } else { " DEFAULT VALUES" });
    } else {
        let names: Vec<String> = given.iter().map(|(column, _)| column.quoted(dialect)).collect();
        sql.push(&format!(" ({})", names.join(", ")));
        let always = dialect == Dialect::Postgres && known.is_some() && key_column.drawn;
        sql.push(if always { " OVERRIDING SYSTEM VALUE VALUES (" } else { " VALUES (" });
        for (place, (column, text)) in given.into_iter().enumerate() {
            sql.push(if place > 0 { ", " } else { "" });
            column.bind(&mut sql, text);
        }
        sql.push(")");
    }
    if dialect == Dialect::MySql {
        session.run(sql).await?;
        return match known {
            Some(key) => Ok(key),
            None => {
                let drawn = Sql::new(dialect, "SELECT CONVERT(LAST_INSERT_ID() USING utf8mb4)");
                session.fetch(drawn).await?.first().map_or_else(|| Err(swallowed()), |row| row.required(0))
            }
        };
    }
    sql.push(&format!(" RETURNING {}", end.key_shown("")));
    let key = session.fetch(sql).await?.first().map_or_else(|| Err(swallowed()), |row| row.required(0))?;
    if dialect == Dialect::Postgres && known.is_some() {
        draw_behind(session, end, &key).await?;
    }
    Ok(key)
}

/// The sequence of a table that was made anew begins anew: it must not draw a key that was brought back.
async fn draw_behind(session: &mut Session, end: &MappedEnd, key: &str) -> Result<(), Fault> {
    let Ok(number) = key.parse::<i64>() else { return Ok(()) };
    let mut sql = Sql::new(
        Dialect::Postgres,
        "SELECT CASE WHEN s IS NULL THEN NULL WHEN has_sequence_privilege(s, 'UPDATE, SELECT') AND coalesce(pg_sequence_last_value(s), 0) < ",
    );
    sql.bind(number).push(" THEN setval(s, ").bind(number).push(") END FROM (SELECT pg_get_serial_sequence(");
    sql.bind(end.table.sql.as_str())
        .push(", ")
        .bind(end.key_column().field.name.as_str())
        .push(")::regclass AS s) AS drawn");
    session.fetch(sql).await.map(drop)
}

fn swallowed() -> Fault {
    Fault::new(FaultKind::Data, "NO_ROW", "a trigger of the table kept the row from being made")
}

/// What a new record is given: its values, its key if it must have one, whose it is.
pub(super) fn whole<'a>(end: &'a MappedEnd, write: &Write) -> Result<Vec<Given<'a>>, Fault> {
    let mut given = given(end, &write.values)?;
    let key_column = end.key_column();
    let has = |given: &[Given<'_>], column: &Column| {
        given.iter().any(|(known, text)| known.field.name == column.field.name && text.is_some())
    };
    let key = match &write.operation {
        Operation::Create { key: Some(key), .. } => Some(key.clone()),
        _ if has(&given, key_column) => None,
        _ => new_key(end),
    };
    if let Some(key) = key {
        given.retain(|(column, _)| column.field.name != key_column.field.name);
        given.push((key_column, Some(key)));
    }
    if let Some((place, tenant)) = &end.tenant {
        let column = &end.table.columns[*place];
        given.retain(|(known, _)| known.field.name != column.field.name);
        given.push((column, Some(tenant.clone())));
    }
    Ok(given)
}

/// A key where the database draws none: a UUID, if the column can hold one. MySQL does not tell what a default drew.
fn new_key(end: &MappedEnd) -> Option<Key> {
    let column = end.key_column();
    let drawn = column.drawn || (column.field.defaulted && end.dialect() != Dialect::MySql);
    let holds = match column.field.kind {
        FieldKind::Uuid | FieldKind::Text(None) => true,
        FieldKind::Text(Some(most)) => most >= 36,
        _ => false,
    };
    if drawn || !holds {
        return None;
    }
    // Version 4, variant 1 (RFC 9562).
    let bits =
        (fastrand::u128(..) & !(0xf000_u128 << 64) & !(0xc000_u128 << 48)) | (0x4000_u128 << 64) | (0x8000_u128 << 48);
    let hex = format!("{bits:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex[range].to_owned());
    Some(parts.join("-"))
}

pub(super) fn given<'a>(end: &'a MappedEnd, values: &Values) -> Result<Vec<Given<'a>>, Fault> {
    let mut given: Vec<Given<'a>> = Vec::with_capacity(values.len());
    for (name, value) in values {
        let column = end.table.column(name).ok_or_else(|| super::mapped::undefined(&end.table, name))?;
        given.push((column, value::write(end.dialect(), column, value)?));
    }
    Ok(given)
}

/// Says the columns of a fault in the plan's words.
pub(super) fn named(end: &MappedEnd, mut fault: Fault) -> Fault {
    for name in &mut fault.columns {
        let heard = end.heard.iter().find(|(_, place)| end.table.columns[*place].field.name == *name);
        if let Some((known, _)) = heard {
            name.clone_from(known);
        }
    }
    fault
}

/// Adds the columns that a constraint covers, or that could be meant.
pub(super) fn explained(end: &MappedEnd, write: &Write, mut fault: Fault) -> Fault {
    if fault.columns.is_empty() {
        fault.columns = covered(end, &fault).unwrap_or_default();
    }
    if fault.kind == FaultKind::Missing && fault.columns.is_empty() {
        let gone = write.values.iter().filter(|(name, _)| end.table.column(name).is_none());
        fault.columns = gone.map(|(name, _)| name.clone()).collect();
    }
    if fault.kind == FaultKind::Missing {
        fault.code = if fault.columns.is_empty() { "UNDEFINED_TABLE" } else { "UNDEFINED_COLUMN" }.to_owned();
    }
    if fault.kind == FaultKind::Data && fault.columns.is_empty() && out_of_range(&fault.code) {
        let numbers = write.values.iter().filter(|(name, value)| {
            let kind = end.table.column(name).map(|column| column.field.kind);
            matches!(kind, Some(FieldKind::Integer | FieldKind::Decimal(_)))
                && matches!(value, Stored::Int(_) | Stored::Double(_) | Stored::Text(_))
        });
        let names: Vec<&String> = numbers.map(|(name, _)| name).collect();
        if let [only] = names[..] {
            fault.columns = vec![only.clone()];
        }
    }
    named(end, fault)
}

fn out_of_range(code: &str) -> bool {
    matches!(code, "22003" | "1264")
}

fn covered(end: &MappedEnd, fault: &Fault) -> Option<Vec<String>> {
    let name = fault.constraint.as_ref()?;
    if end.dialect() == Dialect::MySql && name == "PRIMARY" {
        return Some(end.table.primary.clone());
    }
    let constraint = end.table.constraints.iter().find(|constraint| constraint.name == *name)?;
    Some(constraint.columns.clone())
}

/// The record that has what a new one was not given, because it is unique.
pub(super) async fn twin(
    session: &mut Session,
    end: &MappedEnd,
    write: &Write,
    fault: &Fault,
) -> Result<Option<Key>, Fault> {
    let dialect = end.dialect();
    let given = whole(end, write)?;
    let mut sql = Sql::new(dialect, format!("SELECT {} FROM {} t WHERE 1 = 1", end.key_shown("t."), end.table.sql));
    let mut any = false;
    for name in &fault.columns {
        let Some(wanted) = end.table.column(end_name(end, name)) else { return Ok(None) };
        let found = given.iter().find(|(column, _)| column.field.name == wanted.field.name);
        let Some((column, Some(text))) = found else { return Ok(None) };
        sql.push(" AND t.").push(&column.quoted(dialect)).push(" = ");
        column.bind(&mut sql, Some(text.clone()));
        any = true;
    }
    if !any {
        return Ok(None);
    }
    end.and_tenant(&mut sql, "t.");
    session.fetch(sql).await?.first().map(|row| row.required(0)).transpose()
}

/// The table's name of a column of the plan.
fn end_name<'a>(end: &'a MappedEnd, name: &'a str) -> &'a str {
    end.heard_column(name).map_or(name, |column| column.field.name.as_str())
}
